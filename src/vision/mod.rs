//! The child process: packets to tracks and pictures.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    domain::{ids::CameraId, packet::Packet, track::FrameSeen},
    runtime::{ask::Snapshots, board::Board, clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
};

/// stub
pub mod model;

/// The parent's hold on the child.
#[derive(Debug, Clone)]
pub struct Vision;

/// What comes out.
#[derive(Debug)]
pub struct VisionOut {
    /// One for every analysed frame, in time order for each camera; ends when the child is stopped.
    pub seen: mpsc::Receiver<FrameSeen>,
    /// Where to ask for snapshots of recent frames.
    pub snapshots: Snapshots,
}

#[expect(missing_docs, unused_variables, reason = "stub")]
impl Vision {
    /// Starts the child (`program vision`), keeps it running, puts pictures and its state on the board.
    pub fn start(
        program: PathBuf,
        model: Option<model::Model>,
        clock: Clock,
        counters: Arc<Counters>,
        board: Arc<Board>,
        stop: Stop,
        tasks: &mut Tasks,
    ) -> (Self, VisionOut) {
        todo!()
    }
    /// Where a camera's sub-stream packets go (`try_send`; full means dropped and counted). Dropping the sender takes the camera away.
    pub fn camera(&self, camera: CameraId) -> mpsc::Sender<Packet> {
        todo!()
    }
    /// Process id of the child, if it runs.
    pub fn pid(&self) -> Option<u32> {
        todo!()
    }
    /// Lets the child finish what it has and waits for its end.
    pub async fn finish(self) {
        todo!()
    }
}
