//! How long recordings are kept, what they take, what fits, and the removal that waits for a person.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{body::Given, error::ApiError, state::AppState};
use crate::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, StreamId},
        query::Actor,
    },
    logic::retention::{self, Flow, Keep, Settings},
    record::sweeper::disk_space,
    store::{Stopped, StreamUse},
};

/// The disks people buy, in bytes.
const DISKS: [u64; 5] =
    [1_000_000_000_000, 2_000_000_000_000, 4_000_000_000_000, 8_000_000_000_000, 16_000_000_000_000];
/// Of a disk's size so many hundredths hold files; the rest is the file system's.
const USABLE_PERCENT: u64 = 95;
const DAY_S: u64 = 86_400;

#[derive(Serialize)]
pub(super) struct Storage {
    disk: Option<DiskJson>,
    segments: u64,
    bytes: u64,
    settings: Settings,
    streams: Vec<StoredStream>,
    fits: FitsJson,
    disks: Vec<FitsJson>,
    waiting: Option<Stopped>,
}

#[derive(Serialize)]
struct DiskJson {
    total_bytes: u64,
    free_bytes: u64,
    reserve_bytes: u64,
}

#[derive(Serialize)]
struct StoredStream {
    stream: StreamId,
    camera: CameraId,
    code: String,
    name: String,
    kind: StreamKind,
    recorded: bool,
    bytes: u64,
    day_bytes: Option<u64>,
    oldest_us: Option<i64>,
    keep: Keep,
}

#[derive(Serialize)]
struct FitsJson {
    bytes: u64,
    spare_days: Option<f64>,
    promised_days: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StorageConfirm {
    stopped_us: i64,
}

/// What a stream takes in the long run; a limit in bytes ends its days earlier.
fn flow(stream: &StreamUse, keep: Keep) -> Option<Flow> {
    let day_bytes = stream.day_bytes.filter(|bytes| stream.recorded && *bytes > 0)?;
    let by_bytes = keep.bytes.map(|most| u32::try_from(most / day_bytes).unwrap_or(u32::MAX).max(1));
    let days = match (keep.continuous_days, by_bytes) {
        (Some(days), Some(most)) => Some(days.min(most)),
        (days, most) => days.or(most),
    };
    Some(Flow { day_bytes, days })
}

fn fits(flows: &[Flow], disk_bytes: u64, capacity_bytes: u64) -> FitsJson {
    let fits = retention::fits_days(flows, capacity_bytes);
    let rounded = |days: f64| (days * 10.0).floor() / 10.0;
    FitsJson { bytes: disk_bytes, spare_days: fits.spare.map(rounded), promised_days: fits.promised.map(rounded) }
}

pub(super) async fn show(_: Actor, State(state): State<AppState>) -> Result<Json<Storage>, ApiError> {
    let (settings, uses) = (state.store.keep_settings().await?, state.store.stream_uses().await?);
    let (segments, bytes) = state.store.segment_totals().await?;
    let waiting = state.store.retention_state().await?.and_then(|s| s.stopped).filter(|s| s.confirmed_us.is_none());
    let flows: Vec<Flow> = uses.iter().filter_map(|s| flow(s, settings.of(s.camera, s.kind))).collect();
    let written_per_s = flows.iter().map(|f| f.day_bytes).sum::<u64>() / DAY_S;
    // The folder is not there before the first recording, or its disk is gone: then it is not told.
    let disk = disk_space(&state.store_dir).ok().map(|space| DiskJson {
        total_bytes: space.total_bytes,
        free_bytes: space.free_bytes,
        reserve_bytes: retention::reserve_bytes(space.total_bytes, written_per_s),
    });
    let here = disk.as_ref().map_or(fits(&[], 0, 0), |disk| {
        let room = bytes.saturating_add(disk.free_bytes).saturating_sub(disk.reserve_bytes);
        fits(&flows, disk.total_bytes, room)
    });
    let bought = |size: u64| {
        let room = size / 100 * USABLE_PERCENT;
        fits(&flows, size, room.saturating_sub(retention::reserve_bytes(size, written_per_s)))
    };
    let stored = |s: StreamUse| StoredStream {
        keep: settings.of(s.camera, s.kind),
        stream: s.stream,
        camera: s.camera,
        code: s.code,
        name: s.name,
        kind: s.kind,
        recorded: s.recorded,
        bytes: s.bytes,
        day_bytes: s.day_bytes,
        oldest_us: s.oldest_us,
    };
    let streams = uses.into_iter().filter(|s| s.recorded || s.bytes > 0).map(stored).collect();
    let disks = DISKS.into_iter().map(bought).collect();
    Ok(Json(Storage { disk, segments, bytes, settings, streams, fits: here, disks, waiting }))
}

pub(super) async fn change(
    actor: Actor,
    State(state): State<AppState>,
    Given(settings): Given<Settings>,
) -> Result<Json<Settings>, ApiError> {
    settings.check()?;
    let (store, now) = (state.store.clone(), state.clock.wall());
    state.change(async move { store.set_keep_settings(&actor, &settings, now).await }).await?;
    Ok(Json(state.store.keep_settings().await?))
}

pub(super) async fn confirm(
    actor: Actor,
    State(state): State<AppState>,
    Given(given): Given<StorageConfirm>,
) -> Result<StatusCode, ApiError> {
    let (store, now) = (state.store.clone(), state.clock.wall());
    state.change(async move { store.confirm_removal(&actor, given.stopped_us, now).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
