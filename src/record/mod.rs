//! Packets to segments on disk, and segments to playable media.
//!
//! *Takes* access units, one bounded channel a stream; *gives* fragmented MP4 files of about a minute (architecture §8),
//! their rows in the index, and playable clips of any span. A packet is on disk and in the index within about two seconds
//! after its fragment is complete. *Limits*: 256 MiB of fragments may wait for the disk; a stream waits 10 s for room before
//! it sheds to the next key frame, counted and entered as a gap. *Refuses* a folder that is read-only, another site's or in
//! use; never re-encodes, never reorders, never removes a file.
//!
//! One task a stream cuts packets into fragments ([`segmenter`], pure), one thread a folder writes them ([`disk`]), one task
//! enters into the store what has been flushed ([`index`]).

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use self::{folder::Folder, stream::Shared};
use crate::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, StreamId},
        packet::Packet,
        refusal::Refusal,
    },
    runtime::{
        clock::Clock,
        counters::Counters,
        tasks::{ShortTasks, Tasks, thread},
    },
    store::Store,
};

pub mod accounts;
mod disk;
mod fmp4;
mod folder;
mod index;
pub mod ledger;
mod lost;
pub mod playback;
mod recover;
mod segmenter;
mod stream;
pub mod sweeper;
#[cfg(test)]
mod testing;

/// Packets of one stream that may wait to be cut: about ten seconds.
const PACKETS_WAITING: usize = 256;

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

/// Records streams into one store folder. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    streams: ShortTasks,
    done: Arc<tokio::sync::Mutex<Option<oneshot::Receiver<()>>>>,
}

impl Recorder {
    /// Opens the store folder (makes it when absent, refuses one that is read-only, of another site or in use),
    /// mends what an earlier run left open, and starts the writer.
    ///
    /// # Errors
    /// A [`Refusal`] naming the folder, or the database when that does not answer.
    pub async fn start(
        folder: PathBuf,
        store: Store,
        clock: Clock,
        counters: Arc<Counters>,
        tasks: &mut Tasks,
    ) -> Result<Self, Refusal> {
        let database = |error: &dyn std::fmt::Display| {
            Refusal::new(
                "database",
                format!("không đọc được cơ sở dữ liệu ({error}); hãy kiểm tra đĩa và khởi động lại"),
                format!("the database cannot be read ({error}); check the disk and start again"),
            )
        };
        let site = store.site_uuid().await.map_err(|e| database(&e))?;
        let ours = Folder::open(&folder, &site)?;
        recover::mend(&store, ours.root()).await.map_err(|e| database(&e))?;

        let (jobs, work) = std::sync::mpsc::channel();
        let (tell_index, notes) = mpsc::unbounded_channel();
        let (tell_done, done) = oneshot::channel();
        let writer = disk::Writer::new(ours, tell_index, clock.clone(), counters.clone());
        thread("record-writer", move || writer.run(&work)).map_err(|error| {
            Refusal::new(
                folder.display().to_string(),
                format!("không mở được luồng ghi đĩa ({error}); hãy khởi động lại máy"),
                format!("no thread for writing ({error}); restart the machine"),
            )
        })?;
        let indexer = index::Indexer::new(store, notes);
        tasks.spawn("record-index", async move {
            indexer.run().await;
            // Nobody may be waiting for the end.
            let _ = tell_done.send(());
        });
        Ok(Self {
            shared: Arc::new(Shared::new(jobs, clock, counters)),
            streams: ShortTasks::default(),
            done: Arc::new(tokio::sync::Mutex::new(Some(done))),
        })
    }
    /// Where packets of a stream go. When the last sender is dropped the open segment is finished.
    #[must_use]
    pub fn stream(&self, stream: RecordedStream) -> mpsc::Sender<Packet> {
        let (sender, packets) = mpsc::channel(PACKETS_WAITING);
        self.streams.detach(stream::run(Arc::new(stream), packets, self.shared.clone(), self.streams.clone()));
        sender
    }
    /// Waits until everything received is on disk and in the index; all senders must have been dropped.
    pub async fn finish(self) {
        self.streams.drain().await;
        // The writer is gone already when somebody else has finished it.
        let _ = self.shared.jobs.send(disk::Job::Stop);
        if let Some(done) = self.done.lock().await.take() {
            // An error means that the index task was ended by force.
            let _ = done.await;
        }
    }
}
