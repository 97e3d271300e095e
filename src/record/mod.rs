//! Packets to segments on disk, and segments to playable media.
//!
//! *Takes* access units, one bounded channel a stream; *gives* fragmented MP4 files of about a minute (architecture §8),
//! their rows in the index, and playable clips of any span. A packet is on disk and in the index within about two seconds
//! after its fragment is complete. *Limits*: 256 MiB of fragments may wait for the disk; a stream waits 10 s for room before
//! it sheds to the next key frame, counted and entered as a gap. Before that, a stream holds 16 MiB of packets and 16 MiB
//! of a fragment in the making at most, whatever its camera sends; 74 streams of 4 and 0.5 Mbit/s hold about 20 MiB. *Refuses* a folder that is read-only, another site's or in
//! use; never re-encodes, never reorders, never removes a file.
//!
//! One task a stream cuts packets into fragments ([`segmenter`], pure), one thread a folder writes them ([`disk`]), one task
//! enters into the store what has been flushed ([`index`]), one enters files it does not know ([`reindex`]) and then reads
//! everything again, slowly ([`scrub`]).

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

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
        queue,
        stop::Stop,
        tasks::{ShortTasks, Tasks, thread},
    },
    store::Store,
};

pub mod accounts;
mod chain;
mod disk;
mod file;
mod fmp4;
mod folder;
mod index;
pub mod ledger;
pub mod live;
mod lost;
pub mod playback;
mod reading;
mod recover;
pub mod reindex;
pub mod scrub;
mod segmenter;
pub mod still;
mod stream;
pub mod sweeper;
#[cfg(test)]
mod testing;
pub mod verify;

/// Packets of one stream that may wait to be cut: about ten seconds.
const PACKETS_WAITING: usize = 256;
/// And their bytes: ten seconds of 13 Mbit/s, and two of the largest packets that a camera may send.
const BYTES_WAITING: usize = 16 << 20;

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
    /// One recording a stream at a time, in the order in which they were asked for.
    turns: Arc<Mutex<HashMap<StreamId, Arc<tokio::sync::Mutex<()>>>>>,
    done: Arc<tokio::sync::Mutex<Option<oneshot::Receiver<()>>>>,
    care: Arc<Care>,
}

/// Enters files the index does not know, then reads old ones; a panic in there must stop no recording.
async fn look_after(scrub: scrub::Scrub, site: String, run: String, stop: Stop) {
    let (work, asked, counters) = (ShortTasks::default(), stop.clone(), scrub.counters.clone());
    let looking = work.run(async move {
        tokio::select! {
            () = reindex::in_background(scrub.root.clone(), &scrub.store, &scrub.clock, &site, &run) => {}
            () = stop.asked() => {}
        }
        scrub.run(stop).await;
    });
    if looking.await.is_err() {
        counters.panics.add(1);
        tracing::error!("looking after old recordings panicked; it is begun again at the next start");
        asked.asked().await;
    }
}

/// Looking after old files ends with the last recorder.
#[derive(Debug)]
struct Care(Stop);

impl Drop for Care {
    fn drop(&mut self) {
        self.0.ask();
    }
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
        let anchor = clock.anchor();
        let run = format!("{}-{}", anchor.boot_id, anchor.boot.us());
        let root = ours.root().to_owned();
        let writer = disk::Writer::new(ours, run.clone(), tell_index, clock.clone(), counters.clone());
        thread("record-writer", move || writer.run(&work)).map_err(|error| {
            Refusal::new(
                folder.display().to_string(),
                format!("không mở được luồng ghi đĩa ({error}); hãy khởi động lại máy"),
                format!("no thread for writing ({error}); restart the machine"),
            )
        })?;
        let (index, pace) = (store.clone(), scrub::Pace::default());
        let (indexer, counted) = (index::Indexer::new(store, notes), counters.clone());
        tasks.spawn("record-index", async move {
            indexer.supervised(counted).await;
            // Nobody may be waiting for the end.
            let _ = tell_done.send(());
        });
        let care = Stop::new();
        let (scrub, stop) =
            (scrub::Scrub { root, store: index, clock: clock.clone(), counters: counters.clone(), pace }, care.clone());
        tasks.spawn("record-care", look_after(scrub, site, run, stop));
        Ok(Self {
            care: Arc::new(Care(care)),
            shared: Arc::new(Shared::new(jobs, clock, counters)),
            streams: ShortTasks::default(),
            turns: Arc::default(),
            done: Arc::new(tokio::sync::Mutex::new(Some(done))),
        })
    }
    /// Where packets of a stream go. When the last sender is dropped the open segment is finished; a new recording of the
    /// same stream waits for that, however far the disk is behind.
    #[must_use]
    pub fn stream(&self, stream: RecordedStream) -> queue::Sender<Packet> {
        let (sender, packets) = queue::bounded(PACKETS_WAITING, BYTES_WAITING, |packet: &Packet| packet.data.len());
        let turn = self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(stream.stream).or_default().clone();
        let run = stream::run(Arc::new(stream), packets, self.shared.clone(), self.streams.clone());
        self.streams.detach(async move {
            let _mine = turn.lock().await;
            run.await;
        });
        sender
    }
    /// What is shown live of the streams that are recorded.
    #[must_use]
    pub fn live(&self) -> live::Live {
        self.shared.live.clone()
    }
    /// Waits until everything received is on disk and in the index; all senders must have been dropped.
    pub async fn finish(self) {
        self.care.0.ask();
        self.streams.drain().await;
        // The writer is gone already when somebody else has finished it.
        let _ = self.shared.jobs.send(disk::Job::Stop);
        if let Some(done) = self.done.lock().await.take() {
            // An error means that the index task was ended by force.
            let _ = done.await;
        }
    }
}
