//! What the child was asked and has not answered yet.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{domain::time::BootTime, runtime::ask::Snapshot};

/// Questions that may be open, and for how long, microseconds.
const OPEN_MAX: usize = 64;
const OPEN_US: i64 = 5_000_000;

/// Where an answer goes; dropping it says that there is no picture.
#[derive(Debug)]
pub enum Asker {
    /// For a picture of a recent frame.
    Snapshot(oneshot::Sender<Snapshot>),
    /// For a picture of a key frame.
    Still(oneshot::Sender<Bytes>),
}

/// The open questions by number.
#[derive(Debug, Default)]
pub struct Asked {
    open: BTreeMap<u64, (Asker, BootTime)>,
    last: u64,
}

impl Asked {
    /// Whether another may be asked.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.open.len() < OPEN_MAX
    }
    /// Notes a question; its number.
    pub fn note(&mut self, asker: Asker, now: BootTime) -> u64 {
        self.last += 1;
        self.open.insert(self.last, (asker, now));
        self.last
    }
    /// Answers number `id` with a picture of a recent frame, or says that there is none.
    pub fn snapshot(&mut self, id: u64, snapshot: Option<Snapshot>) {
        if let Some((Asker::Snapshot(reply), _)) = self.open.remove(&id)
            && let Some(snapshot) = snapshot
        {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(snapshot);
        }
    }
    /// Answers number `id` with a picture of a key frame, or says that there is none.
    pub fn still(&mut self, id: u64, jpeg: Option<Bytes>) {
        if let Some((Asker::Still(reply), _)) = self.open.remove(&id)
            && let Some(jpeg) = jpeg
        {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(jpeg);
        }
    }
    /// Gives up those that are too old.
    pub fn expire(&mut self, now: BootTime) {
        self.open.retain(|_, (_, since)| now.since(*since) < OPEN_US);
    }
    /// Gives up all of them.
    pub fn clear(&mut self) {
        self.open.clear();
    }
}
