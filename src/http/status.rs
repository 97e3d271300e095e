//! How the program is doing.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;

use super::state::AppState;
use crate::domain::query::Actor;

#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    site: String,
    now_us: i64,
    vision: VisionJson,
    counters: BTreeMap<&'static str, u64>,
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
        // In media time, as everything that is shown: a clock that is set wrong is no other day.
        now_us: state.clock.media().us(),
        vision: VisionJson { running: vision.running, detector: vision.detector, why: vision.why },
        counters: state.counters.all().into_iter().collect(),
    })
}
