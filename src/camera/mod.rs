//! RTSP sessions to packets, with retries and status.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::{
    domain::{
        camera::{Stream, StreamStatus},
        packet::Packet,
    },
    runtime::{clock::Clock, counters::Counters, stop::Stop},
};

/// Where a stream's packets and states go.
#[derive(Debug)]
pub struct Outputs {
    /// To the recorder; awaited when full.
    pub record: mpsc::Sender<Packet>,
    /// To vision; dropped and counted when full.
    pub vision: Option<mpsc::Sender<Packet>>,
    /// How it is doing.
    pub status: watch::Sender<StreamStatus>,
}

/// Keeps one stream's session running until `stop` is asked.
#[expect(unused_variables, reason = "stub")]
pub async fn run(stream: Stream, out: Outputs, clock: Clock, counters: Arc<Counters>, stop: Stop) {
    todo!()
}
