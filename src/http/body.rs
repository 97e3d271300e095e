//! JSON bodies to what they must be, with the place of what is wrong; and the answer to what was made of one.

use std::{fmt::Display, time::Duration};

use axum::{
    Json,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::BytesMut;
use futures::StreamExt;
use serde::{Serialize, de::DeserializeOwned};

use super::error::ApiError;
use crate::domain::refusal::Refusal;

/// The most bytes of a body that are looked at.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;
/// The most bytes read and thrown away of a larger one, so that its sender can read why it was refused.
const SWALLOWED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a body may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);

/// 201: what was made, and in `Location` where it is from now on.
pub(super) fn created(path: &str, id: impl Display, made: impl Serialize) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, format!("{path}/{id}"))], Json(made)).into_response()
}

/// A body that was JSON of this shape.
#[derive(Debug)]
pub(super) struct Given<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Given<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = tokio::time::timeout(ARRIVAL_MAX, read(request)).await.map_err(|_| ApiError::TooSlow)??;
        Ok(Self(parse(&bytes)?))
    }
}

async fn read(request: Request) -> Result<BytesMut, ApiError> {
    let mut body = request.into_body().into_data_stream();
    let mut kept = BytesMut::new();
    let mut seen = 0_usize;
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else {
            let (vi, en) = ("nội dung bị ngắt giữa chừng; hãy gửi lại", "the body broke off; send it again");
            return Err(Refusal::new("body", vi, en).into());
        };
        seen += chunk.len();
        if seen <= BODY_BYTES_MAX {
            kept.extend_from_slice(&chunk);
        } else if seen > SWALLOWED_BYTES_MAX {
            break;
        }
    }
    if seen > BODY_BYTES_MAX { Err(ApiError::TooLarge(BODY_BYTES_MAX)) } else { Ok(kept) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() { wrong_field(&path, &inner) } else { no_json(&inner) }
    })?;
    json.end().map_err(|error| no_json(&error))?;
    Ok(value)
}

fn no_json(error: &serde_json::Error) -> Refusal {
    Refusal::new(
        "body",
        format!("không phải JSON hợp lệ; xem dòng {} cột {}", error.line(), error.column()),
        format!("is no valid JSON; look at line {} column {}", error.line(), error.column()),
    )
}

fn wrong_field(path: &str, error: &serde_json::Error) -> Refusal {
    let place = if path == "." { "body" } else { path };
    // serde repeats what it found; of a password nothing is repeated.
    if place.contains("password") {
        return Refusal::new(place, "mật khẩu phải là một chuỗi chữ", "the password must be a text");
    }
    let said = error.to_string();
    let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
    let what: String = what.chars().take(200).collect();
    Refusal::new(place, format!("sai tên trường hoặc sai kiểu giá trị ({what})"), what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{camera::CameraDraft, rule::RuleDraft};

    #[test]
    fn a_wrong_field_is_named_by_its_path() {
        for (json, place) in [
            (r#"{"name":"x","kind":"motion","zone":[[0,0],[1,"a"],[1,1]]}"#, "zone[1][1]"),
            (r#"{"name":"x","kind":"motion","k":-1}"#, "k"),
            (r#"{"name":"x","kind":"motion","colour":"red"}"#, "colour"),
            (r#"{"name":"x"}"#, "body"),
            (r#"{"name":"x","#, "body"),
            (r#"{"name":"x","kind":"motion"} x"#, "body"),
            ("", "body"),
            ("[]", "body"),
        ] {
            assert_eq!(parse::<RuleDraft>(json.as_bytes()).unwrap_err().place, place, "{json}");
        }
    }

    #[test]
    fn a_password_of_a_wrong_type_is_not_repeated() {
        let refusal = parse::<CameraDraft>(br#"{"name":"x","password":20260923}"#).unwrap_err();
        assert_eq!(refusal.place, "password");
        assert!(!refusal.to_string().contains("20260923"));
    }
}
