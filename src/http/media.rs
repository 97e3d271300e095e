//! Pictures and recordings. All media leaves through [`serve_media`]: later rights, masks and the log of who saw what
//! stand there once.

use std::path::Path;

use axum::{
    body::Body,
    extract::{FromRequestParts, State, ws::WebSocketUpgrade},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::StreamExt;

use super::{
    access::Lasting,
    cameras,
    error::ApiError,
    events, live,
    params::{Id, Params},
    range::{self, Part},
    state::AppState,
    stills, video,
};
use crate::{
    domain::{
        camera::{Camera, StreamKind},
        event::Event,
        ids::CameraId,
        query::Actor,
        refusal::Refusal,
        time::{MediaTime, Span},
    },
    events::{
        crops::{self, CropKind},
        snapshot,
    },
    record::{
        playback::{Media, PlaybackError},
        still::KeyPlace,
    },
};

/// What media is wanted for; decides the right, the headers and, later, what is masked.
#[derive(Debug)]
pub(super) enum Purpose<'a> {
    /// The last picture on a screen.
    Live,
    /// The picture of an event.
    Snapshot { event: &'a Event, boxed: bool },
    /// A picture of a track.
    Crop { track: i64, kind: CropKind },
    /// To watch here.
    Playback { stream: Option<StreamKind> },
    /// To watch what comes.
    Watch { upgrade: WebSocketUpgrade, kind: StreamKind, lasting: Box<Lasting> },
    /// One picture of what was recorded.
    Still { stream: Option<StreamKind> },
    /// To take away as a file.
    Export { stream: Option<StreamKind> },
}

/// The part of a request that decides which bytes are sent.
#[derive(Debug)]
pub(super) struct Asked {
    method: Method,
    headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self { method: parts.method.clone(), headers: parts.headers.clone() })
    }
}

pub(super) async fn picture(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (at, stream) = (params.time_us("at")?, video::stream(&params)?);
    let camera = cameras::find(&state, CameraId(id)).await?;
    let (at, purpose) = match at {
        Some(at) => (at, Purpose::Still { stream }),
        None => (state.clock.media().us(), Purpose::Live),
    };
    serve_media(&state, &actor, &asked, &camera, Span { start_us: at, end_us: at }, purpose).await
}

pub(super) async fn event_picture(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
    asked: Asked,
) -> Result<Response, ApiError> {
    let boxed = params.flag("boxed")?.unwrap_or(true);
    let event = events::find(&state, id).await?;
    let camera = cameras::find(&state, event.camera).await?;
    let span = Span { start_us: event.start_us, end_us: event.end_us };
    serve_media(&state, &actor, &asked, &camera, span, Purpose::Snapshot { event: &event, boxed }).await
}

pub(super) async fn clip(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
    asked: Asked,
) -> Result<Response, ApiError> {
    let stream = video::stream(&params)?;
    let download = params.flag("download")?.unwrap_or(false);
    let event = events::find(&state, id).await?;
    let camera = cameras::find(&state, event.camera).await?;
    let mut span = events::clip_span(&event);
    if let Some(until) = params.time_us("until")? {
        span.end_us = until.clamp(span.start_us, span.end_us);
    }
    let purpose = if download { Purpose::Export { stream } } else { Purpose::Playback { stream } };
    serve_media(&state, &actor, &asked, &camera, span, purpose).await
}

/// The one door through which pictures and recordings of a camera leave.
pub(super) async fn serve_media(
    state: &AppState,
    actor: &Actor,
    asked: &Asked,
    camera: &Camera,
    span: Span,
    purpose: Purpose<'_>,
) -> Result<Response, ApiError> {
    tracing::debug!(actor = actor.name, camera = %camera.id, ?span, ?purpose, "media");
    match purpose {
        Purpose::Live => {
            let picture = state.board.picture(camera.id).ok_or_else(|| {
                let (vi, en) =
                    ("camera chưa có hình nào; hãy đợi kết nối", "no picture yet; wait until it is connected");
                ApiError::NotFound(Refusal::new("picture", vi, en))
            })?;
            let etag = format!("\"{}-{}\"", camera.id, picture.time.us());
            let mut response = still(asked, picture.jpeg, &etag)?;
            response.headers_mut().insert(PICTURE_TIME, HeaderValue::from(picture.time.us()));
            Ok(response)
        }
        Purpose::Crop { track, kind } => {
            let path = crops::path(&state.data_dir, track, span.start_us, kind);
            let (vi, en) =
                ("lượt đi qua này không có ảnh; hãy xem đoạn phim", "this track has no picture; play its recording");
            let (jpeg, etag) = read_picture(&path, &format!("t{track}-{}", kind.name()), (vi, en)).await?;
            let mut response = still(asked, jpeg, &etag)?;
            // A better sighting may replace the picture of one that goes on.
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            Ok(response)
        }
        Purpose::Snapshot { event, boxed } => {
            let path = snapshot::path(&state.data_dir, event.id, event.start_us, boxed);
            let (vi, en) = ("cảnh báo này không có ảnh; hãy xem đoạn phim", "this event has no picture; play its clip");
            let (jpeg, etag) = read_picture(&path, &format!("{}-{}", event.id, u8::from(boxed)), (vi, en)).await?;
            let mut response = still(asked, jpeg, &etag)?;
            // A better sighting may replace an open event's picture: the page asks again, a 304 answers.
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            Ok(response)
        }
        Purpose::Watch { upgrade, kind, lasting } => live::watch(state, camera, upgrade, kind, lasting),
        Purpose::Still { stream } => {
            let place = key_place(state, camera, MediaTime(span.start_us), stream).await?;
            // The masks in force now hold for what was recorded before them too.
            let privacy = state.store.masks_of(camera.id).await?.privacy;
            let etag = format!("\"{}-{}{}\"", place.segment, place.offset, stills::hidden(&privacy));
            let jpeg = state.stills.picture(&place, privacy).await?;
            let mut response = still(asked, jpeg, &etag)?;
            let headers = response.headers_mut();
            headers.insert(PICTURE_TIME, HeaderValue::from(place.time.us()));
            // A newer key frame may still come for a moment just past: the page asks again, a 304 answers.
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            Ok(response)
        }
        Purpose::Playback { stream } => {
            let (_, media) = plan(state, camera, span, stream).await?;
            recording(state, asked, camera, media, "inline")
        }
        Purpose::Export { stream } => {
            let (_, media) = plan(state, camera, span, stream).await?;
            recording(state, asked, camera, media, "attachment")
        }
    }
}

/// When a picture was taken, and when the first picture of a clip was (the key frame before the asked start).
const PICTURE_TIME: HeaderName = HeaderName::from_static("x-picture-time-us");
const CLIP_START: HeaderName = HeaderName::from_static("x-clip-start-us");

/// Whether an event has its picture.
pub(super) async fn has_snapshot(state: &AppState, event: &Event) -> bool {
    tokio::fs::try_exists(snapshot::path(&state.data_dir, event.id, event.start_us, true)).await.unwrap_or(false)
}

/// A picture on disk and its entity tag: which one, when written, how long. `none` says that there is none.
async fn read_picture(path: &Path, which: &str, none: (&str, &str)) -> Result<(Bytes, String), ApiError> {
    let read = async {
        let written = tokio::fs::metadata(path).await?.modified()?;
        Ok::<_, std::io::Error>((tokio::fs::read(path).await?, written))
    };
    match read.await {
        Ok((jpeg, written)) => {
            let written = written.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_micros();
            let etag = format!("\"{which}-{written:x}-{:x}\"", jpeg.len());
            Ok((jpeg.into(), etag))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ApiError::NotFound(Refusal::new("snapshot", none.0, none.1)))
        }
        Err(error) => Err(ApiError::Internal(format!("{}: {error}", path.display()))),
    }
}

/// The asked stream; without a wish the main one, or the sub one where the main one has nothing to play as one piece.
pub(super) async fn plan(
    state: &AppState,
    camera: &Camera,
    span: Span,
    wish: Option<StreamKind>,
) -> Result<(StreamKind, Media), ApiError> {
    let mut first_error = None;
    for kind in [StreamKind::Main, StreamKind::Sub] {
        let Some(stream) = camera.stream(kind).filter(|_| wish.is_none_or(|w| w == kind)) else { continue };
        match Media::plan(&state.store, &state.store_dir, stream.id, span).await {
            Ok(media) => return Ok((kind, media)),
            Err(error @ PlaybackError::Store(_)) => return Err(error.into()),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or(PlaybackError::Nothing).into())
}

/// Where the key frame for a moment lies, of the asked stream or of the first that has one.
async fn key_place(
    state: &AppState,
    camera: &Camera,
    at: MediaTime,
    wish: Option<StreamKind>,
) -> Result<KeyPlace, ApiError> {
    for kind in [StreamKind::Main, StreamKind::Sub] {
        let Some(stream) = camera.stream(kind).filter(|_| wish.is_none_or(|w| w == kind)) else { continue };
        match KeyPlace::find(&state.store, &state.store_dir, stream.id, at).await {
            Err(PlaybackError::Nothing) => {}
            found => return Ok(found?),
        }
    }
    let vi = "không có hình ghi được lúc này; thanh thời gian cho biết lúc nào có hình và vì sao không";
    let en = "nothing was recorded at that time; the timeline says when something was, and why not";
    Err(ApiError::NotFound(Refusal::new("at", vi, en)))
}

/// A JPEG in memory.
fn still(asked: &Asked, jpeg: Bytes, etag: &str) -> Result<Response, ApiError> {
    let len = jpeg.len() as u64;
    let part = range::decide(&asked.method, &asked.headers, len, etag);
    let inside = |range: std::ops::Range<u64>| {
        // Inside `jpeg`, whose length is a usize.
        Body::from(jpeg.slice(range.start as usize..range.end as usize))
    };
    answer(part, len, etag, "image/jpeg", inside)
}

/// A recording, read as it is sent; ends early when the program stops.
fn recording(
    state: &AppState,
    asked: &Asked,
    camera: &Camera,
    media: Media,
    disposition: &str,
) -> Result<Response, ApiError> {
    let (len, etag, mime) = (media.len, media.etag.clone(), media.mime.clone());
    let start = MediaTime(media.span.start_us);
    let name = file_name(&camera.code, start);
    let part = range::decide(&asked.method, &asked.headers, len, &etag);
    let (stop, camera) = (state.stop.clone(), camera.id);
    let body = |range| {
        let bytes = media.read(range).inspect(move |chunk| {
            if let Err(error) = chunk {
                tracing::warn!(%camera, %error, "a clip broke off");
            }
        });
        Body::from_stream(bytes.take_until(async move { stop.asked().await }))
    };
    let mut response = answer(part, len, &etag, &mime, body)?;
    response.headers_mut().insert(CLIP_START, HeaderValue::from(start.us()));
    if let Ok(value) = HeaderValue::try_from(format!("{disposition}; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// The status and headers of RFC 9110 for a part of something.
fn answer(
    part: Part,
    len: u64,
    etag: &str,
    mime: &str,
    body: impl FnOnce(std::ops::Range<u64>) -> Body,
) -> Result<Response, ApiError> {
    let (status, range) = match part {
        Part::Outside => return Err(ApiError::OutsideRange(len)),
        Part::NotModified => return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response()),
        Part::Whole => (StatusCode::OK, 0..len),
        Part::Some(range) => (StatusCode::PARTIAL_CONTENT, range),
    };
    let mut builder = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, mime)
        .header(header::ETAG, etag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, range.end - range.start);
    if status == StatusCode::PARTIAL_CONTENT {
        let content_range = format!("bytes {}-{}/{len}", range.start, range.end - 1);
        builder = builder.header(header::CONTENT_RANGE, content_range);
    }
    builder.body(body(range)).map_err(|error| ApiError::Internal(format!("headers of media: {error}")))
}

/// Such as `C07_2026-11-20_21-04-10.mp4`: the camera and the local time of the first picture.
fn file_name(code: &str, start: MediaTime) -> String {
    let zone = jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").unwrap_or(jiff::tz::TimeZone::UTC);
    let start = jiff::Timestamp::from_microsecond(start.us()).unwrap_or_default().to_zoned(zone);
    // Only what every file system and every header takes.
    let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let code = if code.is_empty() { "camera" } else { &code };
    format!("{code}_{}.mp4", start.strftime("%Y-%m-%d_%H-%M-%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_camera_and_vietnamese_time() {
        // 2026-11-20T14:04:10Z is 21:04:10 in Vietnam.
        assert_eq!(file_name("C07", MediaTime(1_795_183_450_000_000)), "C07_2026-11-20_21-04-10.mp4");
        assert_eq!(file_name("Chợ/\"..\r\n7", MediaTime(0)), "Ch7_1970-01-01_08-00-00.mp4");
        assert_eq!(file_name("đ", MediaTime(i64::MAX)), "camera_1970-01-01_08-00-00.mp4");
    }

    fn asked(headers: &[(&'static str, &str)]) -> Asked {
        let headers = headers.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap()));
        Asked { method: Method::GET, headers: headers.collect() }
    }

    #[tokio::test]
    async fn parts_of_a_picture_carry_the_headers_of_rfc_9110() {
        let jpeg = Bytes::from_static(b"0123456789");
        for (headers, status, content_range, body) in [
            (vec![], 200, None, "0123456789"),
            (vec![("range", "bytes=2-4")], 206, Some("bytes 2-4/10"), "234"),
            (vec![("range", "bytes=-3")], 206, Some("bytes 7-9/10"), "789"),
            (vec![("range", "bytes=10-")], 416, Some("bytes */10"), ""),
            (vec![("if-none-match", "\"t\"")], 304, None, ""),
            (vec![("range", "bytes=2-4"), ("if-range", "\"old\"")], 200, None, "0123456789"),
        ] {
            let response = still(&asked(&headers), jpeg.clone(), "\"t\"").into_response();
            assert_eq!(response.status(), status, "{headers:?}");
            let found = response.headers().get("content-range").map(|v| v.to_str().unwrap().to_owned());
            assert_eq!(found.as_deref(), content_range, "{headers:?}");
            if status < 400 {
                let sent = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
                assert_eq!(sent, body.as_bytes(), "{headers:?}");
            }
        }
    }
}
