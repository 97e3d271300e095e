//! How cameras are, for rules that look at that: what the board says of pictures and streams.

use crate::{
    domain::{
        camera::{StreamKind, StreamStatus},
        ids::CameraId,
        time::MediaTime,
    },
    logic::rules::CameraState,
    runtime::board::Board,
    store::UNSEEN_US,
};

/// The camera's state by the board. A camera whose stream is being set up for the first time is not known to be down.
pub(super) fn of(board: &Board, camera: CameraId, now: MediaTime) -> CameraState {
    let judged = board.health(camera).filter(|j| now.since(j.heard) <= UNSEEN_US);
    let streams = [StreamKind::Main, StreamKind::Sub].map(|kind| board.status(camera, kind));
    let sends = |status: &StreamStatus| match status {
        StreamStatus::Streaming => Some(true),
        StreamStatus::Retrying { .. } => Some(false),
        StreamStatus::Connecting | StreamStatus::Stopped => None,
    };
    let known: Vec<bool> = streams.iter().flatten().filter_map(sends).collect();
    CameraState {
        time: now,
        fault: judged.and_then(|j| j.health.fault),
        sends: (!known.is_empty()).then(|| known.contains(&true)),
    }
}
