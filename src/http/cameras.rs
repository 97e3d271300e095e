//! Cameras and clusters.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::Serialize;

use super::{
    access::Reach,
    body::{Given, created},
    error::ApiError,
    health,
    params::Id,
    state::AppState,
};
use crate::{
    domain::{
        camera::{Camera, CameraDraft, StreamKind, StreamStatus},
        ids::{CameraId, ClusterId, StreamId},
        query::Actor,
        time::MediaTime,
    },
    runtime::board::Board,
};

#[derive(Serialize)]
pub(super) struct CameraList {
    cameras: Vec<CameraJson>,
}

/// A camera as shown. It has no field for a password on purpose.
#[derive(Serialize)]
pub(super) struct CameraJson {
    id: CameraId,
    code: String,
    name: String,
    cluster: String,
    hamlet: String,
    enabled_us: i64,
    retired_us: Option<i64>,
    record_main: bool,
    streams: Vec<StreamJson>,
    username: String,
    has_password: bool,
    picture: Option<PictureJson>,
    /// What is said of its picture; `null` when vision does not look.
    health: Option<health::NowJson>,
}

#[derive(Serialize)]
struct StreamJson {
    id: StreamId,
    kind: StreamKind,
    url: String,
    status: Option<StreamStatus>,
    clock_offset_us: Option<i64>,
}

#[derive(Serialize)]
struct PictureJson {
    time_us: i64,
}

#[derive(Serialize)]
pub(super) struct ClusterList {
    clusters: Vec<ClusterJson>,
}

#[derive(Serialize)]
struct ClusterJson {
    id: ClusterId,
    name: String,
}

impl CameraJson {
    fn new(camera: Camera, board: &Board, now: MediaTime) -> Self {
        let health = health::NowJson::of(camera.id, board, now);
        let login = camera.streams.first();
        let username = login.map(|s| s.username.clone()).unwrap_or_default();
        let has_password = login.is_some_and(|s| !s.password.is_empty());
        let picture = board.picture(camera.id).map(|p| PictureJson { time_us: p.time.us() });
        let streams = camera.streams.iter().map(|s| StreamJson {
            id: s.id,
            kind: s.kind,
            url: s.url.masked(),
            status: board.status(camera.id, s.kind),
            clock_offset_us: board.clock_offset_us(camera.id, s.kind),
        });
        Self {
            id: camera.id,
            streams: streams.collect(),
            code: camera.code,
            name: camera.name,
            cluster: camera.cluster_name,
            hamlet: camera.hamlet,
            enabled_us: camera.enabled_us,
            retired_us: camera.retired_us,
            record_main: camera.main_off_us.is_none(),
            username,
            has_password,
            picture,
            health,
        }
    }
}

pub(super) async fn list(reach: Reach, State(state): State<AppState>) -> Result<Json<CameraList>, ApiError> {
    let cameras = state.store.cameras().await?.into_iter().filter(|camera| reach.has(camera.id));
    let cameras = cameras.map(|camera| CameraJson::new(camera, &state.board, state.clock.media())).collect();
    Ok(Json(CameraList { cameras }))
}

pub(super) async fn one(_: Actor, State(state): State<AppState>, Id(id): Id) -> Result<Json<CameraJson>, ApiError> {
    let camera = find(&state, CameraId(id)).await?;
    Ok(Json(CameraJson::new(camera, &state.board, state.clock.media())))
}

pub(super) async fn add(
    actor: Actor,
    State(state): State<AppState>,
    Given(draft): Given<CameraDraft>,
) -> Result<Response, ApiError> {
    let camera = draft.checked()?;
    let (store, now) = (state.store.clone(), state.now());
    let id = state.change(async move { store.add_camera(&actor, &camera, now).await }).await?;
    Ok(created("/api/v1/cameras", id, CameraJson::new(find(&state, id).await?, &state.board, state.clock.media())))
}

pub(super) async fn change(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    Given(draft): Given<CameraDraft>,
) -> Result<Json<CameraJson>, ApiError> {
    let id = CameraId(id);
    let draft = unmasked(draft, &find(&state, id).await?);
    let camera = draft.checked()?;
    let (store, now) = (state.store.clone(), state.now());
    state.change(async move { store.update_camera(&actor, id, &camera, now).await }).await?;
    Ok(Json(CameraJson::new(find(&state, id).await?, &state.board, state.clock.media())))
}

/// An address that comes back as it was shown, its password masked, is the one that is there.
fn unmasked(mut draft: CameraDraft, camera: &Camera) -> CameraDraft {
    for (kind, url) in [(StreamKind::Main, &mut draft.main_url), (StreamKind::Sub, &mut draft.sub_url)] {
        if let Some(stream) = camera.stream(kind).filter(|s| s.url.masked() == url.trim()) {
            stream.url.as_str().clone_into(url);
        }
    }
    draft
}

pub(super) async fn retire(actor: Actor, State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    let (store, now) = (state.store.clone(), state.now());
    state.change(async move { store.retire_camera(&actor, CameraId(id), now).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Those with a camera within reach.
pub(super) async fn clusters(reach: Reach, State(state): State<AppState>) -> Result<Json<ClusterList>, ApiError> {
    let mut clusters = state.store.clusters().await?;
    if let Reach::Only(_) = &reach {
        let cameras = state.store.cameras().await?;
        clusters.retain(|(id, _)| cameras.iter().any(|c| c.cluster == Some(*id) && reach.has(c.id)));
    }
    let clusters = clusters.into_iter().map(|(id, name)| ClusterJson { id, name }).collect();
    Ok(Json(ClusterList { clusters }))
}

/// A camera, retired or not.
pub(super) async fn find(state: &AppState, id: CameraId) -> Result<Camera, ApiError> {
    state.store.camera(id).await?.ok_or_else(|| ApiError::no("camera", id.0))
}
