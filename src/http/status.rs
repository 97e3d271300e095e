//! How the program is doing, and what a person has to know.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{access::Reach, body::Given, error::ApiError, params::Id, state::AppState};
use crate::{
    domain::{
        alarm::{Alarm, AlarmKind},
        camera::{StreamClock, StreamKind},
        ids::CameraId,
        query::Actor,
        refusal::Refusal,
    },
    runtime::{board::VisionState, capacity::Capacity},
};

#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    site: String,
    now_us: i64,
    vision: VisionJson,
    alarms: Vec<AlarmJson>,
    counters: BTreeMap<&'static str, u64>,
    clocks: Vec<ClockJson>,
}

/// A stream's clock against ours.
#[derive(Serialize)]
struct ClockJson {
    camera: CameraId,
    stream: StreamKind,
    offset_us: Option<i64>,
    lead_us: Option<i64>,
}

#[derive(Serialize)]
struct VisionJson {
    running: bool,
    detector: Option<String>,
    why: Option<String>,
    lacks: Vec<String>,
    notes: Vec<String>,
    capacity: Capacity,
}

#[derive(Serialize)]
struct AlarmJson {
    id: i64,
    kind: AlarmKind,
    /// `null`: all cameras.
    camera: Option<CameraId>,
    since_us: i64,
    times: u64,
    /// Whether it stays until `POST /api/v1/alarms/{id}/seen`; the others go with their cause.
    until_seen: bool,
    text_vi: String,
    text_en: String,
}

impl From<Alarm> for AlarmJson {
    fn from(alarm: Alarm) -> Self {
        let Alarm { id, kind, camera, since_us, times, text_vi, text_en } = alarm;
        Self { id, kind, camera, since_us, times, until_seen: kind.is_until_seen(), text_vi, text_en }
    }
}

/// What of an alarm a person has seen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlarmSeen {
    /// `times` as it was shown: an alarm that has happened again meanwhile stays.
    #[serde(default)]
    times: Option<u64>,
}

/// A person has seen an alarm that waits for that.
pub(super) async fn alarm_seen(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    Given(seen): Given<AlarmSeen>,
) -> Result<StatusCode, ApiError> {
    let alarm = state.board.alarms().into_iter().find(|a| a.id == id).ok_or_else(|| ApiError::no("alarm", id))?;
    if !alarm.kind.is_until_seen() {
        return Err(ApiError::Clash(vec![Refusal::new(
            "id",
            "báo động này tự hết khi hết nguyên nhân; hãy làm theo lời nhắc của nó",
            "this alarm goes by itself with its cause; do what it says",
        )]));
    }
    if seen.times.is_some_and(|times| times != alarm.times) {
        return Err(ApiError::Clash(vec![Refusal::new(
            "times",
            "báo động này vừa xảy ra thêm lần nữa; hãy xem lại rồi xác nhận",
            "this alarm has happened again; look at it once more",
        )]));
    }
    let (store, now) = (state.store.clone(), state.now());
    state.change(async move { store.alarm_seen(&actor, &alarm, now).await }).await?;
    state.board.seen(id);
    Ok(StatusCode::NO_CONTENT)
}

/// That the program answers.
pub(super) async fn alive(_: Actor) -> &'static str {
    "ok\n"
}

pub(super) async fn show(reach: Reach, State(state): State<AppState>) -> Json<Status> {
    let (alarms, clocks) = (state.board.alarms().into_iter(), state.board.clocks().into_iter());
    let VisionState { running, detector, why, lacks, notes } = state.board.vision.borrow().clone();
    let mut capacity = state.board.capacity.borrow().clone();
    capacity.cameras.retain(|camera, _| reach.has(*camera));
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        site: state.site.clone(),
        // In media time, as everything that is shown: a clock that is set wrong is no other day.
        now_us: state.clock.media().us(),
        vision: VisionJson { running, detector, why, lacks, notes, capacity },
        alarms: alarms.filter(|alarm| reach.has_any(alarm.camera)).map(AlarmJson::from).collect(),
        counters: state.counters.all().into_iter().collect(),
        clocks: clocks.filter(|(camera, ..)| reach.has(*camera)).map(clock_json).collect(),
    })
}

fn clock_json((camera, stream, StreamClock { offset_us, lead_us }): (CameraId, StreamKind, StreamClock)) -> ClockJson {
    ClockJson { camera, stream, offset_us, lead_us }
}
