//! Whether a camera's picture can be used, and how it usually looks.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    body::Given,
    cameras,
    error::ApiError,
    locks,
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        geometry::Point,
        health::{Light, Measured, PictureFault, Reference},
        ids::CameraId,
        mask::Masks,
        query::Actor,
        refusal::Refusal,
        time::MediaTime,
    },
    runtime::board::Board,
    store::{HealthSpan, UNSEEN_US},
    vision::picture::grey_jpeg,
};

/// What is said of a picture now.
#[derive(Serialize)]
pub(super) struct NowJson {
    fault: Option<PictureFault>,
    since_us: i64,
    time_us: i64,
    measured: Measured,
}

impl NowJson {
    /// `None` when nothing was heard for a while: then nothing is known.
    pub(super) fn of(camera: CameraId, board: &Board, now: MediaTime) -> Option<Self> {
        let judged = board.health(camera).filter(|judged| now.since(judged.heard) <= UNSEEN_US)?;
        let health = judged.health;
        let (since_us, time_us) = (health.since.us(), health.time.us());
        Some(Self { fault: health.fault, since_us, time_us, measured: health.measured })
    }
}

#[derive(Serialize)]
pub(super) struct CameraHealth {
    camera: CameraId,
    now: Option<NowJson>,
    references: Vec<ReferenceJson>,
    spans: Vec<SpanJson>,
}

#[derive(Serialize)]
struct ReferenceJson {
    light: Light,
    time_us: i64,
    pictures: u32,
}

#[derive(Serialize)]
struct SpanJson {
    fault: Option<PictureFault>,
    start_us: i64,
    end_us: i64,
    measured: Measured,
}

impl From<HealthSpan> for SpanJson {
    fn from(HealthSpan { fault, span, measured }: HealthSpan) -> Self {
        Self { fault, start_us: span.start_us, end_us: span.end_us, measured }
    }
}

pub(super) async fn show(
    _: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
) -> Result<Json<CameraHealth>, ApiError> {
    let camera = cameras::find(&state, CameraId(id)).await?.id;
    let end_us = params.time_us("to")?.unwrap_or(state.clock.media().us());
    let start_us = params.time_us("from")?.unwrap_or(end_us.saturating_sub(locks::DAY_US));
    let spans = state.store.health_spans(camera, locks::span(start_us, end_us)?).await?;
    let references = state.store.references(Some(camera)).await?;
    let kept = |r: Reference| ReferenceJson { light: r.light, time_us: r.time.us(), pictures: r.pictures };
    Ok(Json(CameraHealth {
        camera,
        now: NowJson::of(camera, &state.board, state.clock.media()),
        references: references.into_iter().map(|(_, r)| kept(r)).collect(),
        spans: spans.into_iter().map(SpanJson::from).collect(),
    }))
}

pub(super) async fn reference(
    _: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
) -> Result<Response, ApiError> {
    let light = params.one_of("light", Light::from_name, "day, dusk, infrared")?.unwrap_or(Light::Day);
    let camera = cameras::find(&state, CameraId(id)).await?.id;
    let references = state.store.references(Some(camera)).await?;
    let reference = references.into_iter().map(|(_, r)| r).find(|r| r.light == light).ok_or_else(|| {
        let vi = "chưa có hình mẫu cho ánh sáng này; hãy đợi camera chạy ổn định khoảng một phút";
        let en = "there is no reference picture by this light yet; let the camera run for about a minute";
        ApiError::NotFound(Refusal::new("light", vi, en))
    })?;
    let jpeg = grey_jpeg(&masked(&reference, &state.store.masks_of(camera).await?), reference.size);
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, no-cache")];
    Ok((headers, jpeg).into_response())
}

/// What must not be shown now may have been learned before the mask was drawn.
fn masked(reference: &Reference, masks: &Masks) -> Vec<u8> {
    let (w, h) = (usize::from(reference.size.0), usize::from(reference.size.1));
    let corner = |x: usize, y: usize| Point { x: x as f32 / w as f32, y: y as f32 / h as f32 };
    let hidden = |i: usize| {
        let (x, y) = (i % w, i / w);
        [corner(x, y), corner(x + 1, y), corner(x, y + 1), corner(x + 1, y + 1)].into_iter().any(|p| masks.hides(p))
    };
    reference.luma.iter().enumerate().map(|(i, l)| if hidden(i) { 16 } else { *l }).collect()
}

/// That a person takes a view for right; it says nothing more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewAccepted {}

pub(super) async fn accept(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    Given(ViewAccepted {}): Given<ViewAccepted>,
) -> Result<StatusCode, ApiError> {
    let (store, now) = (state.store.clone(), state.now());
    state.change(async move { store.accept_view(&actor, CameraId(id), now).await }).await?;
    state.board.forget_health(CameraId(id));
    if let Some(vision) = &state.vision {
        vision.accept_view(CameraId(id));
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::geometry::Polygon;

    #[test]
    fn a_reference_learned_before_a_mask_shows_nothing_of_what_the_mask_hides() {
        let (pictures, time, size) = (30, MediaTime(1), (16, 9));
        let reference = Reference { light: Light::Day, pictures, time, size, luma: vec![200; 144], fine: vec![] };
        let left = Polygon::new([[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]].map(Point::from).to_vec()).unwrap();
        let shown = masked(&reference, &Masks { privacy: vec![left], motion: vec![] });
        for (i, level) in shown.iter().enumerate() {
            assert_eq!(*level, if i % 16 <= 8 { 16 } else { 200 }, "cell {i}");
        }
        assert!(grey_jpeg(&shown, size).starts_with(&[0xff, 0xd8]));
    }
}
