//! The list of tracks, one track, its pictures and its path.

use std::collections::{BTreeMap, btree_map::Entry};

use axum::{Json, extract::State, response::Response};
use serde::Serialize;

use super::{
    cameras,
    error::ApiError,
    events::or_note,
    media::{self, Asked, Purpose},
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        camera::Camera,
        colour::{Colour, Part, PartColours},
        detection::Class,
        event::PathPoint,
        geometry::NormBox,
        ids::{CameraId, TrackId},
        query::{Actor, TrackCursor, TrackQuery},
        refusal::Refusal,
    },
    events::crops::{self, CropKind},
    logic::{cursor, path},
    store::TrackRow,
};

/// The most tracks of one page.
const PAGE_MAX: i64 = 200;
const PAGE_DEFAULT: i64 = 50;

#[derive(Serialize)]
pub(super) struct TrackPage {
    tracks: Vec<TrackJson>,
    next: Option<String>,
}

#[derive(Serialize)]
pub(super) struct TrackJson {
    id: i64,
    number: TrackId,
    camera: CameraId,
    camera_code: String,
    camera_name: String,
    class: Class,
    score: f32,
    #[serde(rename = "box")]
    rect: NormBox,
    start_us: i64,
    end_us: i64,
    open: bool,
    points: u32,
    identity: f32,
    votes: BTreeMap<Class, u32>,
    colours: Vec<PartColours>,
    width_px: Option<u16>,
    height_px: Option<u16>,
    pictures: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct TrackPathJson {
    error: f32,
    points: Vec<PathPoint>,
}

impl TrackJson {
    pub(super) async fn new(state: &AppState, track: TrackRow, camera: &Camera) -> Self {
        let (id, start_us) = (track.id.unwrap_or_default(), track.span.start_us);
        let mut pictures = Vec::new();
        for kind in CropKind::ALL {
            if tokio::fs::try_exists(crops::path(&state.data_dir, id, start_us, kind)).await.unwrap_or(false) {
                pictures.push(kind.name());
            }
        }
        Self {
            id,
            number: track.best.track,
            camera: track.camera,
            camera_code: camera.code.clone(),
            camera_name: camera.name.clone(),
            class: track.best.class,
            score: track.best.score,
            rect: track.best.rect,
            start_us,
            end_us: track.span.end_us,
            open: track.open,
            points: track.points,
            identity: track.best.identity,
            votes: track.votes,
            colours: track.colours,
            width_px: track.size_px.map(|[width, _]| width),
            height_px: track.size_px.map(|[_, height]| height),
            pictures,
        }
    }
}

/// A track or the 404 that says there is none.
async fn find(state: &AppState, id: i64) -> Result<TrackRow, ApiError> {
    state.store.track(id).await?.ok_or_else(|| ApiError::no("track", id))
}

pub(super) async fn list(_: Actor, State(state): State<AppState>, params: Params) -> Result<Json<TrackPage>, ApiError> {
    let (query, after, limit) = read(&params)?;
    // One more than asked tells whether there is a next page.
    let mut tracks = state.store.tracks(&query, after, limit + 1).await?;
    let more = tracks.len() > limit as usize;
    tracks.truncate(limit as usize);
    let place = |t: &TrackRow| TrackCursor { start_us: t.span.start_us, id: t.id.unwrap_or_default() };
    let last = tracks.last().filter(|_| more).map(place);
    let mut cameras: BTreeMap<CameraId, Camera> = BTreeMap::new();
    let mut page = Vec::with_capacity(tracks.len());
    for track in tracks {
        if let Entry::Vacant(vacant) = cameras.entry(track.camera) {
            vacant.insert(cameras::find(&state, track.camera).await?);
        }
        page.push(TrackJson::new(&state, track.clone(), &cameras[&track.camera]).await);
    }
    Ok(Json(TrackPage { tracks: page, next: last.map(cursor::encode_track) }))
}

pub(super) async fn one(_: Actor, State(state): State<AppState>, Id(id): Id) -> Result<Json<TrackJson>, ApiError> {
    let track = find(&state, id).await?;
    let camera = cameras::find(&state, track.camera).await?;
    Ok(Json(TrackJson::new(&state, track, &camera).await))
}

pub(super) async fn way(_: Actor, State(state): State<AppState>, Id(id): Id) -> Result<Json<TrackPathJson>, ApiError> {
    find(&state, id).await?;
    // A track of an earlier version has no path: an empty one is the truth.
    let Some(bytes) = state.store.track_path(id).await?.filter(|bytes| !bytes.is_empty()) else {
        return Ok(Json(TrackPathJson { error: 0.0, points: Vec::new() }));
    };
    let (places, error) = path::decode(&bytes).map_err(|e| ApiError::Internal(format!("track {id}: {e}")))?;
    let points = places.into_iter().map(|p| PathPoint { time_us: p.time.us(), rect: p.rect }).collect();
    Ok(Json(TrackPathJson { error, points }))
}

pub(super) async fn picture(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
    asked: Asked,
) -> Result<Response, ApiError> {
    let kind = params.one_of("of", CropKind::from_name, "largest, sharpest")?.unwrap_or(CropKind::Largest);
    let track = find(&state, id).await?;
    let camera = cameras::find(&state, track.camera).await?;
    media::serve_media(&state, &actor, &asked, &camera, track.span, Purpose::Crop { track: id, kind }).await
}

/// The filters, the place to go on from and the size of the page; all mistakes at once.
fn read(params: &Params) -> Result<(TrackQuery, Option<TrackCursor>, u32), Vec<Refusal>> {
    let mut wrong = Vec::new();
    let classes = Class::ALL.map(Class::name).join(", ");
    let names = Colour::ALL.map(Colour::name).join(", ");
    let mut query = TrackQuery {
        cameras: or_note(params.ids("camera"), &mut wrong).into_iter().map(CameraId).collect(),
        class: or_note(params.one_of("class", Class::from_label, &classes), &mut wrong),
        colours: Vec::new(),
        from_us: or_note(params.time_us("from"), &mut wrong),
        to_us: or_note(params.time_us("to"), &mut wrong),
        identity_least: or_note(params.int("identity", 0..=100), &mut wrong).map(|percent| percent as f32 / 100.0),
    };
    for (name, part) in [("colour", None)].into_iter().chain(Part::ALL.map(|part| (part.name(), Some(part)))) {
        let colour = or_note(params.one_of(name, Colour::from_name, &names), &mut wrong);
        query.colours.extend(colour.map(|colour| (part, colour)));
    }
    if matches!((query.from_us, query.to_us), (Some(from), Some(to)) if to < from) {
        wrong.push(Refusal::new("to", "phải sau thời điểm «từ»", "must not be before “from”"));
    }
    let limit = or_note(params.int("limit", 1..=PAGE_MAX), &mut wrong).unwrap_or(PAGE_DEFAULT);
    let after = or_note(params.text("cursor").map(cursor::decode_track).transpose(), &mut wrong);
    if wrong.is_empty() { Ok((query, after, u32::try_from(limit).unwrap_or(1))) } else { Err(wrong) }
}
