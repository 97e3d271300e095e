//! Locks on recordings, outages declared beforehand, and what is missing of a camera.

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
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, GapId, LockId, PlannedId, StreamId},
        query::Actor,
        refusal::Refusal,
        segment::GapCause,
        time::Span,
    },
    record::accounts::{self, Accounted},
    store::{LedgerGap, LedgerStream, Lock, Planned},
};

/// The most cameras of one lock or outage.
const CAMERAS_MAX: usize = 1000;
/// What is shown when no start is given: the last day, microseconds.
const DAY_US: i64 = 86_400_000_000;

#[derive(Serialize)]
pub(super) struct LockList {
    locks: Vec<LockJson>,
}

#[derive(Serialize)]
struct LockJson {
    id: LockId,
    camera: CameraId,
    start_us: i64,
    end_us: i64,
    reason: String,
    actor: String,
    made_us: i64,
    until_us: Option<i64>,
}

impl From<Lock> for LockJson {
    fn from(lock: Lock) -> Self {
        let Lock { id, camera, span, reason, actor, made_us, until_us, .. } = lock;
        Self { id, camera, start_us: span.start_us, end_us: span.end_us, reason, actor, made_us, until_us }
    }
}

/// What was made: one thing a camera.
#[derive(Serialize)]
struct Made<T> {
    id: T,
    ids: Vec<T>,
}

/// A lock as a page gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockDraft {
    cameras: Vec<CameraId>,
    start_us: i64,
    end_us: i64,
    reason: String,
    #[serde(default)]
    until_us: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct PlannedList {
    planned: Vec<PlannedJson>,
}

#[derive(Serialize)]
struct PlannedJson {
    id: PlannedId,
    camera: Option<CameraId>,
    start_us: i64,
    end_us: i64,
    reason: String,
    actor: String,
    made_us: i64,
}

impl From<Planned> for PlannedJson {
    fn from(planned: Planned) -> Self {
        let Planned { id, camera, span, reason, actor, made_us } = planned;
        Self { id, camera, start_us: span.start_us, end_us: span.end_us, reason, actor, made_us }
    }
}

/// An outage as a page declares it; without cameras it is the whole site's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedDraft {
    #[serde(default)]
    cameras: Vec<CameraId>,
    start_us: i64,
    end_us: i64,
    reason: String,
}

#[derive(Serialize)]
pub(super) struct GapReport {
    camera: CameraId,
    streams: Vec<StreamReport>,
}

#[derive(Serialize)]
struct StreamReport {
    id: StreamId,
    kind: StreamKind,
    start_us: i64,
    end_us: i64,
    recorded_us: i64,
    gap_us: i64,
    removed_us: i64,
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct GapJson {
    id: Option<GapId>,
    start_us: i64,
    end_us: i64,
    cause: GapCause,
    evidence: String,
    planned_by: Option<String>,
    open: bool,
}

impl StreamReport {
    fn new((stream, accounted): (LedgerStream, Accounted)) -> Self {
        let Accounted { window, recorded_us, gap_us, removed_us, gaps, open } = accounted;
        let last = gaps.len().wrapping_sub(1);
        let gap = |(i, LedgerGap { id, gap, planned_by }): (usize, LedgerGap)| GapJson {
            id,
            start_us: gap.span.start_us,
            end_us: gap.span.end_us,
            cause: gap.cause,
            evidence: gap.evidence,
            planned_by,
            open: open && i == last,
        };
        Self {
            id: stream.stream,
            kind: stream.kind,
            start_us: window.start_us,
            end_us: window.end_us,
            recorded_us,
            gap_us,
            removed_us,
            gaps: gaps.into_iter().enumerate().map(gap).collect(),
        }
    }
}

pub(super) async fn list(_: Actor, State(state): State<AppState>) -> Result<Json<LockList>, ApiError> {
    let locks = state.store.locks().await?.into_iter().map(LockJson::from).collect();
    Ok(Json(LockList { locks }))
}

pub(super) async fn add(
    actor: Actor,
    State(state): State<AppState>,
    Given(draft): Given<LockDraft>,
) -> Result<Response, ApiError> {
    let cameras = checked(draft.cameras)?;
    let span = span(draft.start_us, draft.end_us)?;
    let (store, now) = (state.store.clone(), state.now());
    let (reason, until_us) = (draft.reason, draft.until_us);
    let made = async move { store.add_lock(&actor, &cameras, span, &reason, until_us, now).await };
    made_at("/api/v1/locks", state.change(made).await.map_err(given_wrongly)?)
}

pub(super) async fn remove(actor: Actor, State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    let (store, now) = (state.store.clone(), state.now());
    state.change(async move { store.remove_lock(&actor, LockId(id), now).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_planned(
    _: Actor,
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<PlannedList>, ApiError> {
    let start_us = params.time_us("from")?.unwrap_or(state.clock.media().us() - DAY_US);
    let asked = span(start_us, params.time_us("to")?.unwrap_or(i64::MAX))?;
    let planned = state.store.planned_in(asked).await?.into_iter().map(PlannedJson::from).collect();
    Ok(Json(PlannedList { planned }))
}

pub(super) async fn add_planned(
    actor: Actor,
    State(state): State<AppState>,
    Given(draft): Given<PlannedDraft>,
) -> Result<Response, ApiError> {
    let cameras = checked(draft.cameras)?;
    let span = span(draft.start_us, draft.end_us)?;
    let (store, now, reason) = (state.store.clone(), state.now(), draft.reason);
    let made = async move { store.add_planned(&actor, &cameras, span, &reason, now).await };
    made_at("/api/v1/planned", state.change(made).await.map_err(given_wrongly)?)
}

pub(super) async fn remove_planned(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let (store, now) = (state.store.clone(), state.now());
    state.change(async move { store.remove_planned(&actor, PlannedId(id), now).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn gaps(
    _: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
) -> Result<Json<GapReport>, ApiError> {
    let camera = cameras::find(&state, CameraId(id)).await?.id;
    let now_us = state.clock.media().us();
    let end_us = params.time_us("to")?.unwrap_or(now_us);
    let start_us = params.time_us("from")?.unwrap_or(end_us.saturating_sub(DAY_US));
    let asked = span(start_us, end_us)?;
    let streams = accounts::of_camera(&state.store, &state.board, camera, asked, now_us).await?;
    Ok(Json(GapReport { camera, streams: streams.into_values().map(StreamReport::new).collect() }))
}

fn made_at<T: Copy + std::fmt::Display + Serialize>(path: &str, ids: Vec<T>) -> Result<Response, ApiError> {
    let id = *ids.first().ok_or_else(|| ApiError::Internal(format!("{path}: nothing was made")))?;
    let location = [(header::LOCATION, format!("{path}/{id}"))];
    Ok((StatusCode::CREATED, location, Json(Made { id, ids })).into_response())
}

fn checked(mut cameras: Vec<CameraId>) -> Result<Vec<CameraId>, Refusal> {
    cameras.sort_unstable();
    cameras.dedup();
    if cameras.len() > CAMERAS_MAX {
        let (vi, en) = (format!("tối đa {CAMERAS_MAX} camera"), format!("at most {CAMERAS_MAX} cameras"));
        return Err(Refusal::new("cameras", vi, en));
    }
    Ok(cameras)
}

fn span(start_us: i64, end_us: i64) -> Result<Span, Refusal> {
    Span::new(start_us, end_us).ok_or_else(|| {
        Refusal::new(
            "end_us",
            "kết thúc trước khi bắt đầu; hãy đổi lại hai thời điểm",
            "ends before it starts; exchange the two times",
        )
    })
}

/// What the store refuses of a draft is wrong in itself and clashes with nothing.
fn given_wrongly(error: ApiError) -> ApiError {
    match error {
        ApiError::Clash(refusals) => ApiError::Wrong(refusals),
        other => other,
    }
}
