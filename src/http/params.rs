//! Query parameters and path numbers, strictly: an unknown name or a wrong value is refused by name.

use std::{ops::RangeInclusive, str::FromStr};

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{Uri, request::Parts},
};

use super::{error::ApiError, routes::Param};
use crate::domain::refusal::Refusal;

/// The query parameters of one request; every name stands in the route's row. An empty value means "not given", as
/// forms send it.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query and refuses, all together, names the row does not know and names given twice.
    pub(super) fn read(uri: &Uri, known: &'static [Param]) -> Result<Self, Vec<Refusal>> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            let vi = "phần sau dấu ? của địa chỉ không đọc được; viết dạng tên=giá_trị&tên=giá_trị";
            let en = "what stands behind the ? cannot be read; write name=value&name=value";
            return Err(vec![Refusal::new("query", vi, en)]);
        };
        let mut wrong = Vec::new();
        for (i, (name, _)) in pairs.iter().enumerate() {
            if !known.iter().any(|p| p.name == name) {
                wrong.push(unknown(name, known));
            } else if pairs[..i].iter().any(|(earlier, _)| earlier == name) {
                wrong.push(Refusal::new(name, "được ghi hai lần; chỉ ghi một lần", "is given twice; give it once"));
            }
        }
        if wrong.is_empty() { Ok(Self(pairs)) } else { Err(wrong) }
    }
    /// The value as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim()).filter(|v| !v.is_empty())
    }
    /// A whole number inside `range`.
    pub(super) fn int(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|n| range.contains(n));
        let (low, high) = (range.start(), range.end());
        number.map(Some).ok_or_else(|| {
            Refusal::new(
                name,
                format!("phải là số nguyên từ {low} đến {high}"),
                format!("must be a whole number from {low} to {high}"),
            )
        })
    }
    /// Whole numbers with commas between them; empty when not given.
    pub(super) fn ids(&self, name: &str) -> Result<Vec<i64>, Refusal> {
        let text = self.text(name).unwrap_or_default();
        let parts: Vec<_> = text.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
        if parts.len() > IDS_MAX {
            return Err(Refusal::new(name, format!("tối đa {IDS_MAX} số"), format!("at most {IDS_MAX} numbers")));
        }
        let numbers: Result<Vec<i64>, _> = parts.into_iter().map(str::parse).collect();
        numbers.map_err(|_| {
            Refusal::new(name, "phải là các số, cách nhau bằng dấu phẩy", "must be numbers with commas between them")
        })
    }
    /// Names the cameras (or other things), in the place of whatever was named.
    pub(super) fn put_ids(&mut self, name: &str, ids: &[i64]) {
        let list: Vec<_> = ids.iter().map(i64::to_string).collect();
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.to_owned(), list.join(",")));
    }
    /// A time: whole microseconds since 1970 in UTC, or RFC 3339 with its offset.
    pub(super) fn time_us(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if let Ok(us) = text.parse::<i64>() {
            return Ok(Some(us));
        }
        // An offset typed without escaping its plus arrives as a blank.
        let mended = text.rfind(' ').filter(|&i| i > 10).map(|i| format!("{}+{}", &text[..i], &text[i + 1..]));
        let time = jiff::Timestamp::from_str(mended.as_deref().unwrap_or(text));
        time.map(|t| Some(t.as_microsecond())).map_err(|_| {
            Refusal::new(
                name,
                "phải là micro giây UTC hoặc giờ RFC 3339, ví dụ 2026-11-20T21:04:10+07:00",
                "must be UTC microseconds or an RFC 3339 time such as 2026-11-20T21:04:10+07:00",
            )
        })
    }
    /// A switch, 1 or 0.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.text(name) {
            None => Ok(None),
            Some("1") => Ok(Some(true)),
            Some("0") => Ok(Some(false)),
            Some(_) => Err(Refusal::new(name, "phải là 1 hoặc 0", "must be 1 or 0")),
        }
    }
    /// One of a few names.
    pub(super) fn one_of<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        known: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| {
            Refusal::new(name, format!("phải là một trong: {known}"), format!("must be one of: {known}"))
        })
    }
}

/// The most numbers in one parameter.
const IDS_MAX: usize = 1000;

fn unknown(name: &str, known: &[Param]) -> Refusal {
    let names: Vec<_> = known.iter().map(|p| p.name).collect();
    let (vi, en) = if names.is_empty() {
        ("địa chỉ này không nhận tham số nào".to_owned(), "this address takes no parameters".to_owned())
    } else {
        let names = names.join(", ");
        (
            format!("không có tham số này; các tham số: {names}"),
            format!("there is no such parameter; there are {names}"),
        )
    };
    Refusal::new(name.chars().take(60).collect::<String>(), vi, en)
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// The `{id}` of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id(pub(super) i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        text.parse().map(Self).map_err(|_| {
            Refusal::new("id", "số trong địa chỉ phải là số nguyên", "the id in the path must be a whole number").into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::Kind;

    const KNOWN: &[Param] = &[
        Param { name: "n", kind: Kind::Int, about: "" },
        Param { name: "from", kind: Kind::Time, about: "" },
        Param { name: "ids", kind: Kind::Ids, about: "" },
        Param { name: "on", kind: Kind::Flag, about: "" },
    ];

    fn read(query: &str) -> Result<Params, Vec<Refusal>> {
        Params::read(&format!("/x?{query}").parse().unwrap(), KNOWN)
    }

    #[test]
    fn every_unknown_or_repeated_parameter_is_named() {
        let places: Vec<_> = read("n=1&colour=red&n=2&x").unwrap_err().into_iter().map(|r| r.place).collect();
        assert_eq!(places, ["colour", "n", "x"]);
        assert!(read("").is_ok());
    }

    #[test]
    fn wrong_values_are_refused_by_the_name_of_their_parameter() {
        let wrong = read("n=201&from=yesterday&ids=1,two&on=yes").unwrap();
        let places = [
            wrong.int("n", 1..=200).unwrap_err().place,
            wrong.time_us("from").unwrap_err().place,
            wrong.ids("ids").unwrap_err().place,
            wrong.flag("on").unwrap_err().place,
        ];
        assert_eq!(places, ["n", "from", "ids", "on"]);
        for n in ["0", "-1", "1.5", "99999999999999999999"] {
            assert!(read(&format!("n={n}")).unwrap().int("n", 1..=200).is_err(), "{n}");
        }
    }

    #[test]
    fn times_are_microseconds_or_rfc_3339_with_an_offset() {
        for (text, us) in [
            ("1763647450000001", 1_763_647_450_000_001),
            ("2025-11-20T14:04:10Z", 1_763_647_450_000_000),
            ("2025-11-20T21:04:10%2B07:00", 1_763_647_450_000_000),
            ("2025-11-20T21:04:10+07:00", 1_763_647_450_000_000),
            ("2025-11-20T21:04:10.5%2B07:00", 1_763_647_450_500_000),
        ] {
            assert_eq!(read(&format!("from={text}")).unwrap().time_us("from").unwrap(), Some(us), "{text}");
        }
        assert_eq!(read("from=").unwrap().time_us("from").unwrap(), None);
        assert!(read("from=2025-11-20T14:04:10").unwrap().time_us("from").is_err(), "no offset, no instant");
    }
}
