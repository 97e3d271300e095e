//! The recording of any span as one film, and what it is made of.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use serde::Serialize;

use super::{
    cameras,
    error::ApiError,
    media::{self, Asked, Purpose},
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        camera::{Camera, StreamKind},
        ids::CameraId,
        query::Actor,
        refusal::Refusal,
        segment::GapCause,
        time::Span,
    },
    store::Gap,
};

/// The longest film, microseconds.
const FILM_US_MAX: i64 = 24 * 3_600_000_000;
/// What is newer may not all be in the index yet, microseconds.
const SETTLED_US: i64 = 10_000_000;

/// What a film is made of.
#[derive(Serialize)]
pub(super) struct Video {
    stream: StreamKind,
    start_us: i64,
    end_us: i64,
    mime: String,
    bytes: u64,
    duration_us: i64,
    parts: Vec<PartJson>,
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct PartJson {
    start_us: i64,
    end_us: i64,
    media_start_us: i64,
}

/// A span without recording.
#[derive(Serialize)]
pub(super) struct GapJson {
    start_us: i64,
    end_us: i64,
    cause: GapCause,
    evidence: String,
}

impl From<Gap> for GapJson {
    fn from(gap: Gap) -> Self {
        Self { start_us: gap.span.start_us, end_us: gap.span.end_us, cause: gap.cause, evidence: gap.evidence }
    }
}

/// The required parameters `from` and `to`, at most `longest_us` apart.
pub(super) fn span(params: &Params, longest_us: i64) -> Result<Span, ApiError> {
    let missing = |name| Refusal::new(name, "thiếu; hãy ghi thời điểm", "is missing; give a time");
    let time = |name| params.time_us(name).and_then(|t| t.ok_or_else(|| missing(name)));
    let (from, to) = match (time("from"), time("to")) {
        (Ok(from), Ok(to)) => (from, to),
        (from, to) => return Err([from.err(), to.err()].into_iter().flatten().collect::<Vec<_>>().into()),
    };
    let span = Span { start_us: from, end_us: to };
    if span.len_us() <= 0 {
        return Err(Refusal::new("to", "phải sau from", "must be later than from").into());
    }
    if span.len_us() > longest_us {
        let hours = longest_us / 3_600_000_000;
        let vi = format!("khoảng này dài quá {hours} giờ; hãy chia thành nhiều khoảng ngắn hơn");
        let en = format!("that is more than {hours} hours; ask for shorter spans one after the other");
        return Err(Refusal::new("to", vi, en).into());
    }
    Ok(span)
}

/// The parameter `stream`.
pub(super) fn stream(params: &Params) -> Result<Option<StreamKind>, Refusal> {
    params.one_of("stream", StreamKind::from_name, "main, sub")
}

pub(super) async fn film(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (span, stream) = (span(&params, FILM_US_MAX)?, stream(&params)?);
    let download = params.flag("download")?.unwrap_or(false);
    let camera = cameras::find(&state, CameraId(id)).await?;
    if span.end_us > state.clock.media().us().saturating_sub(SETTLED_US) {
        // What is asked for grows still. The end is fixed in the address, so that every range is of the same film.
        let (kind, media) = media::plan(&state, &camera, span, stream).await?;
        if media.span.end_us < span.end_us {
            let (from, to, kind) = (span.start_us, media.span.end_us, kind.name());
            let download = if download { "&download=1" } else { "" };
            let fixed = format!("/api/v1/cameras/{id}/video.mp4?from={from}&to={to}&stream={kind}{download}");
            return Ok(Redirect::temporary(&fixed).into_response());
        }
    }
    let purpose = if download { Purpose::Export { stream } } else { Purpose::Playback { stream } };
    media::serve_media(&state, &actor, &asked, &camera, span, purpose).await
}

pub(super) async fn describe(
    _: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
) -> Result<Json<Video>, ApiError> {
    let (span, stream) = (span(&params, FILM_US_MAX)?, stream(&params)?);
    let camera: Camera = cameras::find(&state, CameraId(id)).await?;
    let (kind, media) = media::plan(&state, &camera, span, stream).await?;
    let gaps = match camera.stream(kind) {
        Some(stream) => state.store.gaps_in(stream.id, media.span).await?,
        None => Vec::new(),
    };
    let part = |p: &crate::record::playback::Part| PartJson {
        start_us: p.span.start_us,
        end_us: p.span.end_us,
        media_start_us: p.media_start_us,
    };
    Ok(Json(Video {
        stream: kind,
        start_us: media.span.start_us,
        end_us: media.span.end_us,
        parts: media.parts.iter().map(part).collect(),
        mime: media.mime,
        bytes: media.len,
        duration_us: media.duration_us,
        gaps: gaps.into_iter().map(GapJson::from).collect(),
    }))
}
