//! The only place that decides HTTP statuses. Every refusal is `{"errors":[{"place","vi","en"}]}`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    domain::{refusal::Refusal, time::Span},
    record::playback::PlaybackError,
    store::StoreError,
};

/// What a request can end in besides an answer.
#[derive(Debug)]
pub enum ApiError {
    /// 400: something given cannot be used; all of it is named.
    Wrong(Vec<Refusal>),
    /// 401: nobody is signed in.
    SignIn,
    /// 403: not from here, or not by you.
    Forbidden(Refusal),
    /// 404: there is no such thing.
    NotFound(Refusal),
    /// 405: the path is known, the method is not meant for it.
    Method,
    /// 408: the body did not come in time.
    TooSlow,
    /// 409: clashes with what is there.
    Clash(Vec<Refusal>),
    /// 409: one film cannot hold all of the span; these parts of it can be had one by one.
    Parts(Vec<Span>),
    /// 413: the body is larger than anything we take.
    TooLarge(usize),
    /// 415: the body is not JSON.
    NotJson,
    /// 416 (RFC 9110 §15.5.17): the range lies outside; holds the full length in bytes.
    OutsideRange(u64),
    /// 428: it has to be said why first.
    Purpose,
    /// 429: tried too often; holds for how many seconds to wait.
    TooMany(i64),
    /// 500: our fault. The text is for the log only.
    Internal(String),
}

impl ApiError {
    /// 404 for a thing by its number, in the words a person uses.
    #[must_use]
    pub fn no(what: &str, id: i64) -> Self {
        let vi = match what {
            "camera" => "camera",
            "event" => "cảnh báo",
            "track" => "lượt đi qua",
            "shape" => "hình vẽ",
            "rule" => "luật",
            "cluster" => "cụm",
            "lock" => "khóa lưu giữ",
            "planned" => "lịch ngừng",
            "alarm" => "báo động",
            "route" => "hành trình",
            "account" => "tài khoản",
            other => other,
        };
        Self::NotFound(Refusal::new(
            "id",
            format!("không có {vi} số {id}; có thể đã bị xóa, hãy tải lại danh sách"),
            format!("there is no {what} {id}; it may have been removed, load the list again"),
        ))
    }
    /// 404 for a path that is not in the table.
    #[must_use]
    pub fn no_route(path: &str) -> Self {
        let path: String = path.chars().take(200).collect();
        Self::NotFound(Refusal::new(
            "path",
            format!("không có địa chỉ {path}; danh sách địa chỉ ở /api/v1/openapi.json"),
            format!("there is no {path}; /api/v1/openapi.json lists what there is"),
        ))
    }

    fn parts(self) -> (StatusCode, Vec<Refusal>) {
        match self {
            Self::Wrong(refusals) => (StatusCode::BAD_REQUEST, refusals),
            Self::SignIn => {
                let vi = "chưa đăng nhập hoặc phiên đã hết; hãy đăng nhập";
                let en = "nobody is signed in, or the session has ended; sign in";
                (StatusCode::UNAUTHORIZED, vec![Refusal::new("session", vi, en)])
            }
            Self::Forbidden(refusal) => (StatusCode::FORBIDDEN, vec![refusal]),
            Self::NotFound(refusal) => (StatusCode::NOT_FOUND, vec![refusal]),
            Self::Method => {
                let vi = "địa chỉ này không nhận phương thức đó; các phương thức được nhận nằm ở tiêu đề Allow";
                let en = "this address does not take that method; the header Allow lists those it takes";
                (StatusCode::METHOD_NOT_ALLOWED, vec![Refusal::new("method", vi, en)])
            }
            Self::TooSlow => {
                let vi = "nội dung gửi đến quá chậm; hãy gửi lại";
                let en = "the body came too slowly; send it again";
                (StatusCode::REQUEST_TIMEOUT, vec![Refusal::new("body", vi, en)])
            }
            Self::Clash(refusals) => (StatusCode::CONFLICT, refusals),
            Self::Parts(spans) => {
                let n = spans.len();
                let refusal = Refusal::new(
                    "clip",
                    format!("camera đổi cấu hình hình giữa khoảng này; hãy xem từng đoạn ({n} đoạn, ghi ở parts)"),
                    format!("the camera changed its picture settings inside this span; play its {n} parts one by one"),
                );
                (StatusCode::CONFLICT, vec![refusal])
            }
            Self::TooLarge(most) => {
                let kib = most / 1024;
                let refusal = Refusal::new(
                    "body",
                    format!("nội dung quá lớn; tối đa {kib} KiB, hãy gửi ít hơn trong một lần"),
                    format!("the body is too large; send at most {kib} KiB at once"),
                );
                (StatusCode::PAYLOAD_TOO_LARGE, vec![refusal])
            }
            Self::NotJson => {
                let vi = "nội dung phải là JSON; gửi kèm tiêu đề Content-Type: application/json";
                let en = "the body must be JSON; send it with Content-Type: application/json";
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, vec![Refusal::new("Content-Type", vi, en)])
            }
            Self::OutsideRange(len) => {
                let refusal = Refusal::new(
                    "Range",
                    format!("đoạn yêu cầu nằm ngoài tệp dài {len} byte; hãy tải lại từ đầu"),
                    format!("the range lies outside the {len} bytes there are; load it again from the start"),
                );
                (StatusCode::RANGE_NOT_SATISFIABLE, vec![refusal])
            }
            Self::Purpose => {
                let vi = "chưa nêu mục đích xem; hãy chọn một lý do rồi làm tiếp, lý do được ghi vào nhật ký";
                let en = "say first what it is for; the reason is written to the log";
                (StatusCode::PRECONDITION_REQUIRED, vec![Refusal::new("purpose", vi, en)])
            }
            Self::TooMany(seconds) => (StatusCode::TOO_MANY_REQUESTS, vec![too_many(seconds)]),
            Self::Internal(why) => {
                tracing::error!(why, "a request failed");
                let vi = "máy chủ gặp lỗi và đã ghi vào nhật ký; hãy thử lại, nếu còn lỗi thì báo người quản trị";
                let en = "the server failed and has logged why; try again, and tell the administrator if it stays";
                (StatusCode::INTERNAL_SERVER_ERROR, vec![Refusal::new("", vi, en)])
            }
        }
    }
}

fn too_many(seconds: i64) -> Refusal {
    Refusal::new(
        "password",
        format!("đã thử sai nhiều lần; chờ {seconds} giây rồi thử lại"),
        format!("tried wrongly too often; wait {seconds} s and try again"),
    )
}

#[derive(Serialize)]
struct Errors {
    errors: Vec<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Span>>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let parts = if let Self::Parts(spans) = &self { Some(spans.clone()) } else { None };
        let length = if let Self::OutsideRange(len) = self { Some(len) } else { None };
        let wait = if let Self::TooMany(seconds) = self { Some(seconds) } else { None };
        let (status, errors) = self.parts();
        let mut response = (status, Json(Errors { errors, parts })).into_response();
        let content_range = length.and_then(|len| HeaderValue::try_from(format!("bytes */{len}")).ok());
        let headers = response.headers_mut();
        if let Some(value) = content_range {
            headers.insert(header::CONTENT_RANGE, value);
        }
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §15.5.2 asks for one; a browser knows no dialog for this.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Session"));
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Wrong(vec![refusal])
    }
}

impl From<Vec<Refusal>> for ApiError {
    fn from(refusals: Vec<Refusal>) -> Self {
        Self::Wrong(refusals)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => Self::Clash(vec![refusal]),
            StoreError::NotFound { what, id } => Self::no(what, id),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<PlaybackError> for ApiError {
    fn from(error: PlaybackError) -> Self {
        match error {
            PlaybackError::Nothing => Self::NotFound(Refusal::new(
                "clip",
                "không có hình ghi được trong khoảng này; xem danh sách đoạn không ghi hình để biết vì sao",
                "nothing was recorded in this span; the recording gaps say why",
            )),
            PlaybackError::ParametersChange(spans) => Self::Parts(spans),
            PlaybackError::Store(error) => error.into(),
            error @ PlaybackError::File { .. } => Self::Internal(error.to_string()),
        }
    }
}
