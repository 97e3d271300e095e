//! The embedded web app: `web/dist/` as it was when the program was built. In a debug build the files are read when asked.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
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

const NOT_BUILT: &str = include_str!("not_built.html");

pub(super) async fn page(_: Actor, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if is_api(path) {
        return ApiError::no_route(path).into_response();
    }
    // A file that carries a hash in its name and is gone belongs to an older build: the app's page would only confuse.
    let hashed = path.starts_with("/assets/");
    match find(path.trim_start_matches('/')) {
        Some((name, file)) => send(&method, &headers, &name, file, hashed),
        None if hashed => ApiError::no_route(path).into_response(),
        None => match Dist::get("index.html") {
            Some(file) => send(&method, &headers, "index.html", file, false),
            None => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], Html(NOT_BUILT)).into_response(),
        },
    }
}

fn find(path: &str) -> Option<(String, EmbeddedFile)> {
    // Names of our own build are plain; anything else is an address inside the app.
    let plain = !path.is_empty() && !path.contains("..") && !path.contains(['\\', '%', '\0']);
    let file = Dist::get(path).filter(|_| plain)?;
    Some((path.to_owned(), file))
}

fn send(method: &Method, headers: &HeaderMap, name: &str, file: EmbeddedFile, hashed: bool) -> Response {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|b| format!("{b:02x}")).collect();
    let etag = format!("\"{hash}\"");
    let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common = [(header::ETAG, etag.as_str()), (header::CACHE_CONTROL, cache)];
    if range::decide(method, headers, file.data.len() as u64, &etag) == Part::NotModified {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let text = mime.type_() == mime_guess::mime::TEXT || mime.subtype() == mime_guess::mime::JAVASCRIPT;
    let mime = if text { format!("{mime}; charset=utf-8") } else { mime.to_string() };
    let data = match file.data {
        Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    (common, [(header::CONTENT_TYPE, mime)], data).into_response()
}
