//! How the program is doing.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;

use super::state::AppState;
use crate::domain::{
    camera::{StreamClock, StreamKind},
    ids::CameraId,
    query::Actor,
};

#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    site: String,
    now_us: i64,
    vision: VisionJson,
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
}

pub(super) async fn show(_: Actor, State(state): State<AppState>) -> Json<Status> {
    let vision = state.board.vision.borrow().clone();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        site: state.site.clone(),
        now_us: state.clock.wall().us(),
        vision: VisionJson { running: vision.running, detector: vision.detector, why: vision.why },
        counters: state.counters.all().into_iter().collect(),
        clocks: state.board.clocks().into_iter().map(clock_json).collect(),
    })
}

fn clock_json((camera, stream, StreamClock { offset_us, lead_us }): (CameraId, StreamKind, StreamClock)) -> ClockJson {
    ClockJson { camera, stream, offset_us, lead_us }
}
