//! Locks on recordings, and outages declared beforehand.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};

use super::{
    access::Reach,
    body::{Given, created},
    error::ApiError,
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        ids::{CameraId, LockId, PlannedId},
        query::Actor,
        refusal::Refusal,
        time::Span,
    },
    store::{Lock, Planned},
};

/// The most cameras of one lock or outage.
const CAMERAS_MAX: usize = 1000;
/// What is shown when no start is given: the last day, microseconds.
pub(super) const DAY_US: i64 = 86_400_000_000;

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

pub(super) async fn list(reach: Reach, State(state): State<AppState>) -> Result<Json<LockList>, ApiError> {
    let locks = state.store.locks().await?.into_iter();
    let locks = locks.filter(|lock| reach.has(lock.camera)).map(LockJson::from).collect();
    Ok(Json(LockList { locks }))
}

pub(super) async fn add(
    actor: Actor,
    reach: Reach,
    State(state): State<AppState>,
    Given(draft): Given<LockDraft>,
) -> Result<Response, ApiError> {
    let cameras = checked(draft.cameras)?;
    if let Some(foreign) = cameras.iter().find(|camera| !reach.has(**camera)) {
        return Err(ApiError::no("camera", foreign.0));
    }
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
    reach: Reach,
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<PlannedList>, ApiError> {
    let start_us = params.time_us("from")?.unwrap_or(state.clock.media().us() - DAY_US);
    let asked = span(start_us, params.time_us("to")?.unwrap_or(i64::MAX))?;
    let planned = state.store.planned_in(asked).await?.into_iter();
    let planned = planned.filter(|planned| reach.has_any(planned.camera)).map(PlannedJson::from).collect();
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

fn made_at<T: Copy + std::fmt::Display + Serialize>(path: &str, ids: Vec<T>) -> Result<Response, ApiError> {
    let id = *ids.first().ok_or_else(|| ApiError::Internal(format!("{path}: nothing was made")))?;
    Ok(created(path, id, Made { id, ids }))
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

pub(super) fn span(start_us: i64, end_us: i64) -> Result<Span, Refusal> {
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
