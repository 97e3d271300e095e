//! Which part of something is asked for (RFC 9110 §13 and §14), as a pure function of the request's headers.
//!
//! Single ranges only: a list of ranges is answered with the whole, as §14.2 allows.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, Method, header};

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// 200 with everything.
    Whole,
    /// 206 with these bytes; never empty.
    Some(Range<u64>),
    /// 304: the asker has it already.
    NotModified,
    /// 416: the range lies outside.
    Outside,
}

/// Decides for a thing of `len` bytes with the strong entity tag `etag` (with its quotes).
pub(super) fn decide(method: &Method, headers: &HeaderMap, len: u64, etag: &str) -> Part {
    if header_lists_tag(headers, etag) {
        return Part::NotModified;
    }
    // §14.2: a range is defined for GET only. §13.1.5: If-Range compares strongly; a date or another tag means "whole".
    let stale = headers.contains_key(header::IF_RANGE) && text(headers, &header::IF_RANGE) != Some(etag);
    if *method != Method::GET || stale {
        return Part::Whole;
    }
    text(headers, &header::RANGE).map_or(Part::Whole, |range| parse(range, len))
}

/// `If-None-Match` compares weakly (§13.1.2).
fn header_lists_tag(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// The value of a header that stands there once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next().filter(|_| all.next().is_none())?;
    first.to_str().ok().map(str::trim)
}

fn parse(range: &str, len: u64) -> Part {
    let specs =
        range.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes")).map(|(_, s)| s.trim());
    let Some((first, last)) = specs.and_then(|s| s.split_once('-')) else { return Part::Whole };
    let (Some(first), Some(last)) = (number(first), number(last)) else { return Part::Whole };
    match (first, last) {
        (None, None) => Part::Whole,
        // A range that ends before it starts is invalid and ignored (§14.1.1).
        (Some(first), Some(last)) if last < first => Part::Whole,
        (Some(first), _) if first >= len => Part::Outside,
        (Some(first), last) => Part::Some(first..last.map_or(len, |last| last.saturating_add(1).min(len))),
        (None, Some(0)) => Part::Outside,
        (None, Some(_)) if len == 0 => Part::Outside,
        (None, Some(suffix)) => Part::Some(len.saturating_sub(suffix)..len),
    }
}

/// Outer `None`: not digits. Inner `None`: nothing there. Numbers beyond `u64` lie beyond every end.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|b| b.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn asked(method: &Method, headers: &[(&'static str, &str)], len: u64) -> Part {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        decide(method, &map, len, "\"a1\"")
    }

    #[test]
    fn single_ranges_are_answered_as_rfc_9110_says() {
        for (range, len, part) in [
            ("bytes=0-99", 1000, Part::Some(0..100)),
            ("bytes=0-0", 1000, Part::Some(0..1)),
            ("bytes=999-", 1000, Part::Some(999..1000)),
            ("bytes=500-99999", 1000, Part::Some(500..1000)),
            ("bytes=500-99999999999999999999999", 1000, Part::Some(500..1000)),
            ("bytes=500-18446744073709551615", 1000, Part::Some(500..1000)),
            ("bytes=-100", 1000, Part::Some(900..1000)),
            ("bytes=-5000", 1000, Part::Some(0..1000)),
            ("Bytes=0-", 1000, Part::Some(0..1000)),
            ("bytes=1000-", 1000, Part::Outside),
            ("bytes=99999999999999999999-", 1000, Part::Outside),
            ("bytes=-0", 1000, Part::Outside),
            ("bytes=0-", 0, Part::Outside),
            ("bytes=-1", 0, Part::Outside),
            ("bytes=5-2", 1000, Part::Whole),
            ("bytes=-", 1000, Part::Whole),
            ("bytes=a-b", 1000, Part::Whole),
            ("bytes=+1-2", 1000, Part::Whole),
            ("bytes=0-1,5-6", 1000, Part::Whole),
            ("bytes", 1000, Part::Whole),
            ("seconds=0-1", 1000, Part::Whole),
            ("", 1000, Part::Whole),
        ] {
            assert_eq!(asked(&Method::GET, &[("range", range)], len), part, "{range} of {len}");
        }
    }

    #[test]
    fn a_range_holds_only_for_get_and_for_the_version_it_was_asked_of() {
        let range = ("range", "bytes=0-9");
        assert_eq!(asked(&Method::HEAD, &[range], 100), Part::Whole);
        assert_eq!(asked(&Method::GET, &[range, ("if-range", "\"a1\"")], 100), Part::Some(0..10));
        for other in ["\"b2\"", "W/\"a1\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(asked(&Method::GET, &[range, ("if-range", other)], 100), Part::Whole, "{other}");
        }
        assert_eq!(asked(&Method::GET, &[range, range], 100), Part::Whole, "two headers are no single range");
    }

    #[test]
    fn what_the_asker_has_is_not_sent_again() {
        for (tags, part) in [
            ("\"a1\"", Part::NotModified),
            ("W/\"a1\"", Part::NotModified),
            ("\"x\", \"a1\"", Part::NotModified),
            ("*", Part::NotModified),
            ("\"x\"", Part::Some(0..10)),
        ] {
            assert_eq!(asked(&Method::GET, &[("if-none-match", tags), ("range", "bytes=0-9")], 100), part, "{tags}");
        }
    }

    proptest! {
        #[test]
        fn an_answered_range_is_never_empty_and_never_outside(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", len in 0_u64..2000) {
            if let Part::Some(part) = asked(&Method::GET, &[("range", &range)], len) {
                prop_assert!(part.start < part.end && part.end <= len, "{part:?} of {len}");
            }
        }
    }
}
