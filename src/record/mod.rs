//! Packets to segments on disk, and segments to playable media.

mod fmp4;
pub mod playback;
mod segmenter;
#[cfg(test)]
mod testing;

use std::{path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, StreamId},
        packet::Packet,
        refusal::Refusal,
    },
    runtime::{clock::Clock, counters::Counters, tasks::Tasks},
    store::Store,
};

/// Which stream a recording is of.
#[derive(Debug, Clone)]
pub struct RecordedStream {
    /// Camera.
    pub camera: CameraId,
    /// Its code, for the folder's name.
    pub camera_code: String,
    /// Stream.
    pub stream: StreamId,
    /// Main or sub.
    pub kind: StreamKind,
}

/// Records streams into one store folder.
#[derive(Debug, Clone)]
pub struct Recorder;

#[expect(missing_docs, unused_variables, clippy::missing_errors_doc, reason = "stub")]
impl Recorder {
    /// Opens the store folder (makes it when absent, refuses one that is read-only, of another site or in use),
    /// mends what an earlier run left open, and starts the writer.
    pub async fn start(
        folder: PathBuf,
        store: Store,
        clock: Clock,
        counters: Arc<Counters>,
        tasks: &mut Tasks,
    ) -> Result<Self, Refusal> {
        todo!()
    }
    /// Where packets of a stream go. When the last sender is dropped the open segment is finished.
    pub fn stream(&self, stream: RecordedStream) -> mpsc::Sender<Packet> {
        todo!()
    }
    /// Waits until everything received is on disk and in the index; all senders must have been dropped.
    pub async fn finish(self) {
        todo!()
    }
}
