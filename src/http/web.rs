//! The embedded web app: `web/dist/` as it was when the program was built. In a debug build the files are read when asked.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use bytes::Bytes;
use rust_embed::{Embed, EmbeddedFile};

use super::{
    error::ApiError,
    guard::is_api,
    range::{self, Part},
};
use crate::domain::query::Actor;

// `allow_missing`: the program builds and runs without the pages. The folder is relative to Cargo.toml; with
// `$CARGO_MANIFEST_DIR` in it nothing would be embedded.
#[derive(Embed)]
#[folder = "web/dist/"]
#[allow_missing = true]
struct Dist;

/// Where the build puts files with a hash in their names. One that is gone belongs to an older build: answering with the
/// app's page would only confuse.
const HASHED: &str = "/assets/";

const NOT_BUILT: &str = include_str!("not_built.html");

pub(super) async fn page(_: Actor, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if is_api(path) {
        return ApiError::no_route(path).into_response();
    }
    match find(path.trim_start_matches('/')) {
        Some(file) => send(&method, &headers, path, &file.metadata.sha256_hash(), file.data),
        None if path.starts_with(HASHED) => ApiError::no_route(path).into_response(),
        None => match Dist::get("index.html") {
            Some(file) => send(&method, &headers, "/index.html", &file.metadata.sha256_hash(), file.data),
            None => ([(header::CACHE_CONTROL, "no-store")], Html(NOT_BUILT)).into_response(),
        },
    }
}

fn find(path: &str) -> Option<EmbeddedFile> {
    // Names of our own build are plain; anything else is an address inside the app.
    let plain = !path.is_empty() && !path.contains("..") && !path.contains(['\\', '%', '\0']);
    if plain { Dist::get(path) } else { None }
}

fn send(method: &Method, headers: &HeaderMap, path: &str, sha256: &[u8; 32], data: Cow<'static, [u8]>) -> Response {
    let etag = format!("\"{}\"", hex::encode(&sha256[..16]));
    // A name with a hash in it never changes its content; everything else is asked for again, and answered 304.
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common = [(header::ETAG, etag.as_str()), (header::CACHE_CONTROL, cache)];
    if range::decide(method, headers, data.len() as u64, &etag) == Part::NotModified {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let text = mime.type_() == mime_guess::mime::TEXT || mime.subtype() == mime_guess::mime::JAVASCRIPT;
    let mime = if text { format!("{mime}; charset=utf-8") } else { mime.to_string() };
    let data = match data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    (common, [(header::CONTENT_TYPE, mime)], data).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_asset_is_kept_for_ever_and_a_page_is_asked_for_again() {
        let file = |path, headers: &HeaderMap| {
            let response = send(&Method::GET, headers, path, &[7; 32], Cow::Borrowed(b"x"));
            let header = |name| response.headers().get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
            (response.status().as_u16(), header("cache-control"), header("content-type"), header("etag"))
        };
        let none = HeaderMap::new();
        let (status, cache, mime, etag) = file("/assets/app-1a2b.js", &none);
        assert_eq!((status, mime.as_str()), (200, "text/javascript; charset=utf-8"));
        assert!(cache.contains("immutable") && cache.contains("31536000"), "{cache}");
        assert_eq!(file("/index.html", &none).1, "no-cache");
        assert_eq!(file("/favicon.svg", &none).2, "image/svg+xml");
        let have = HeaderMap::from_iter([(header::IF_NONE_MATCH, etag.parse().unwrap())]);
        assert_eq!(file("/index.html", &have).0, 304);
    }
}
