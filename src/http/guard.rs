//! What is refused before any handler runs, and the headers every answer carries.
//!
//! A browser on this machine also runs pages of strangers. Three things keep them out: the host name must be this
//! machine's own (against DNS rebinding), a change needs JSON (never sent across origins without a question that we do
//! not answer) and an `Origin`, when there is one, must be ours.

use axum::{
    RequestExt,
    body::{Body, HttpBody},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::StreamExt;

use super::{
    access::{Lasting, admit},
    audit,
    error::ApiError,
    params::Params,
    routes::{Action, Route, TABLE},
    state::AppState,
};
use crate::domain::refusal::Refusal;

/// Everything from ourselves, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self'; \
                      script-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The outermost layer: puts the security headers on every answer, `no-store` on those
/// of the API that are not meant to be kept by one browser.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let api = is_api(request.uri().path());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let kept = headers.get(header::CACHE_CONTROL).is_some_and(|value| value.as_bytes().starts_with(b"private"));
    if api && !kept {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Refuses foreign hosts and, for changes, foreign origins and bodies that are not JSON.
pub(super) async fn keep_out(request: Request, next: Next) -> Response {
    match check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// In front of every row: who asks, may they, and are all query parameters known.
pub(super) async fn gate(
    State((row, state)): State<(&'static Route, AppState)>,
    request: Request,
    next: Next,
) -> Response {
    match let_in(row, &state, request).await {
        Ok((request, signed_in, lasting)) => {
            let mut response = lasts(next.run(request).await, lasting);
            if signed_in {
                // The next person at this machine must not find it in the browser's store.
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

async fn let_in(row: &Route, state: &AppState, mut request: Request) -> Result<(Request, bool, Lasting), ApiError> {
    // A page may carry any query (a link from a mail program adds its own); the API takes what it knows.
    let free = row.action == Action::Public && !is_api(row.path);
    let read = if free { Ok(Params::default()) } else { Params::read(request.uri(), row.query) };
    let id = request.extract_parts::<Path<String>>().await.ok().and_then(|Path(text)| text.parse().ok());
    // Whoever may not ask learns nothing of how to ask.
    let mut params = read.as_ref().cloned().unwrap_or_default();
    let parts = (request.method(), request.headers(), request.extensions());
    let admitted = admit(state, row, parts, id, &mut params).await?;
    read?;
    if let Some(role) = admitted.role {
        tracing::debug!(actor = admitted.actor.name, role = role.name(), what = row.path, "let in");
    }
    if admitted.role.is_some() {
        // Before, not after: what cannot be written down is not shown.
        audit::tell(state, row, request.uri(), &params, &admitted).await?;
    }
    let (signed_in, lasting) = (admitted.who.account.is_some(), Lasting::new(state, &admitted.who));
    let extensions = request.extensions_mut();
    extensions.insert(params);
    extensions.insert(admitted.actor);
    extensions.insert(admitted.reach);
    extensions.insert(admitted.who);
    extensions.insert(lasting.clone());
    Ok((request, signed_in, lasting))
}

/// A body that takes long ends when whoever asked for it no longer may.
fn lasts(response: Response, lasting: Lasting) -> Response {
    const SHORT_BYTES: u64 = 1 << 20;
    let length = response.body().size_hint().exact();
    if length.is_some_and(|bytes| bytes <= SHORT_BYTES) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    if let Some(bytes) = length {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(bytes));
    }
    Response::from_parts(head, Body::from_stream(body.into_data_stream().take_until(lasting.ended())))
}

/// Whether a path belongs to the API, where nothing falls back to a page.
pub(super) fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = single(headers, &header::HOST);
    // RFC 9112 §3.2.2: the authority of an absolute target stands before Host; both must be ours.
    let ours = host.is_some_and(is_this_machine) && uri.authority().is_none_or(|a| is_this_machine(a.as_str()));
    if !ours {
        return Err(ApiError::Forbidden(Refusal::new(
            "Host",
            "tên máy trong địa chỉ không được nhận; hãy mở bằng http://localhost hoặc http://127.0.0.1",
            "that host name is not taken; open it as http://localhost or http://127.0.0.1",
        )));
    }
    // A WebSocket is not bound to its page's origin by the browser: what it reads must be guarded as a change is.
    let socket = headers.contains_key(header::UPGRADE);
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if reads && !socket {
        return Ok(());
    }
    let cross_site = headers.get("sec-fetch-site").is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"cross-site"));
    let foreign =
        headers.contains_key(header::ORIGIN) && !single(headers, &header::ORIGIN).is_some_and(|o| same(o, host));
    if cross_site || foreign {
        return Err(ApiError::Forbidden(Refusal::new(
            "Origin",
            "yêu cầu đến từ một trang khác nên bị từ chối; hãy thao tác trong chính trang Vọng Lâu",
            "what another page asks for is refused; do it in the page of Vọng Lâu itself",
        )));
    }
    if reads {
        return Ok(());
    }
    // A DELETE carries no body and, unlike a POST, is never sent across origins without a question.
    let has_body = headers.get(header::CONTENT_LENGTH).is_some_and(|l| l.as_bytes() != b"0")
        || headers.contains_key(header::TRANSFER_ENCODING);
    if (*method != Method::DELETE || has_body) && !is_json(headers) {
        return Err(ApiError::NotJson);
    }
    Ok(())
}

/// The value of a header that stands there exactly once and is text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    if all.next().is_some() { None } else { first.to_str().ok() }
}

fn is_this_machine(host: &str) -> bool {
    let (name, port) = match host.rfind(':').filter(|&i| !host[i..].contains(']')) {
        Some(i) => (&host[..i], &host[i + 1..]),
        None => (host, ""),
    };
    port.bytes().all(|b| b.is_ascii_digit())
        && (name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]"))
}

fn same(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    matches!((authority, host), (Some(a), Some(h)) if a.eq_ignore_ascii_case(h))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = single(headers, &header::CONTENT_TYPE).unwrap_or_default();
    value.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// A path of the table, but not with that method. The page's row takes every path; one of the API it does not make known.
pub(super) async fn wrong_method(uri: Uri) -> ApiError {
    let path = uri.path();
    let known = TABLE.iter().any(|row| !row.path.contains("{*") && row.matches(path));
    if is_api(path) && !known { ApiError::no_route(path) } else { ApiError::Method }
}

/// A path of no row.
pub(super) async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::no_route(uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, headers: &[(&'static str, &str)]) -> u16 {
        let headers: HeaderMap =
            headers.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap())).collect();
        check(&method, &Uri::from_static("/api/v1/cameras"), &headers)
            .map_or_else(|e| e.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn only_this_machines_own_names_are_taken_as_host() {
        for good in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080"] {
            assert_eq!(asked(Method::GET, &[("host", good)]), 200, "{good}");
        }
        for bad in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil", "::1", "[::2]", "localhost:x", "", "10.0.0.5"]
        {
            assert_eq!(asked(Method::GET, &[("host", bad)]), 403, "{bad}");
        }
        assert_eq!(asked(Method::GET, &[]), 403, "no host at all");
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost"))]);
        assert!(check(&Method::GET, &Uri::from_static("http://localhost/"), &headers).is_ok());
        assert!(check(&Method::GET, &Uri::from_static("http://evil.example/"), &headers).is_err());
    }

    #[test]
    fn a_socket_is_opened_by_our_own_pages_only() {
        let (host, socket) = (("host", "localhost:80"), ("upgrade", "websocket"));
        assert_eq!(asked(Method::GET, &[host, socket]), 200, "no browser");
        assert_eq!(asked(Method::GET, &[host, socket, ("origin", "http://localhost:80")]), 200);
        for bad in ["http://localhost:81", "http://evil.example", "null"] {
            assert_eq!(asked(Method::GET, &[host, socket, ("origin", bad)]), 403, "{bad}");
            assert_eq!(asked(Method::GET, &[host, ("origin", bad)]), 200, "{bad}: a page that only reads");
        }
        assert_eq!(asked(Method::GET, &[host, socket, ("sec-fetch-site", "cross-site")]), 403);
    }

    #[test]
    fn a_change_needs_json_and_our_own_origin() {
        let (host, json) = (("host", "localhost:80"), ("content-type", "application/json; charset=utf-8"));
        assert_eq!(asked(Method::POST, &[host, json]), 200);
        assert_eq!(asked(Method::POST, &[host, json, ("origin", "http://localhost:80")]), 200);
        for bad in ["http://localhost:81", "http://evil.example", "null", "localhost:80", "ftp://localhost:80"] {
            assert_eq!(asked(Method::POST, &[host, json, ("origin", bad)]), 403, "{bad}");
            assert_eq!(asked(Method::DELETE, &[host, ("origin", bad)]), 403, "{bad}");
        }
        assert_eq!(asked(Method::PUT, &[host, json, ("sec-fetch-site", "cross-site")]), 403);
        assert_eq!(asked(Method::PUT, &[host, json, ("sec-fetch-site", "same-origin")]), 200);
        assert_eq!(asked(Method::POST, &[host, ("content-type", "text/plain")]), 415);
        assert_eq!(asked(Method::POST, &[host]), 415);
        assert_eq!(asked(Method::DELETE, &[host]), 200);
        assert_eq!(asked(Method::DELETE, &[host, ("content-length", "3"), ("content-type", "text/plain")]), 415);
    }
}
