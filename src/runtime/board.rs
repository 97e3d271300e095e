//! The board of live states: what the screens show that is not in the database. Written by the camera and vision
//! rooms through `app`, read by `http`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{broadcast, watch};

use crate::domain::{
    camera::{StreamClock, StreamKind, StreamStatus},
    ids::{CameraId, EventId},
    time::MediaTime,
};

/// The last picture of a camera.
#[derive(Debug, Clone)]
pub struct Picture {
    /// When it was taken.
    pub time: MediaTime,
    /// JPEG, at most 640 pixels wide.
    pub jpeg: Bytes,
}

/// Something a page may want to show at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A camera, cluster, shape or rule was changed.
    Config,
    /// A stream's status changed.
    Status(CameraId),
    /// A camera has a newer picture.
    Picture(CameraId),
    /// An event was opened, updated or closed.
    Event(EventId),
}

/// What is known about analysis right now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisionState {
    /// Whether the child runs.
    pub running: bool,
    /// What the detector is, for a person; `None` when no detector is installed.
    pub detector: Option<String>,
    /// Why there is no detector, or what went wrong last.
    pub why: Option<String>,
}

/// The board. Readers get copies; nobody holds its lock while waiting.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
    changes: broadcast::Sender<Change>,
    /// What vision is doing.
    pub vision: watch::Sender<VisionState>,
}

#[derive(Debug, Default)]
struct Inner {
    status: BTreeMap<(CameraId, StreamKind), StreamStatus>,
    clocks: BTreeMap<(CameraId, StreamKind), StreamClock>,
    pictures: HashMap<CameraId, Picture>,
}

/// Changes a slow page may lag behind before it is told to read everything again.
const CHANGES_KEPT: usize = 256;

impl Default for Board {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            changes: broadcast::channel(CHANGES_KEPT).0,
            vision: watch::channel(VisionState::default()).0,
        }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Tells the pages.
    pub fn announce(&self, change: Change) {
        // Nobody listening is fine.
        let _ = self.changes.send(change);
    }
    /// A receiver of everything announced from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
    /// Puts up a stream's status.
    pub fn set_status(&self, camera: CameraId, kind: StreamKind, status: StreamStatus) {
        let changed = self.lock().status.insert((camera, kind), status.clone()) != Some(status);
        if changed {
            self.announce(Change::Status(camera));
        }
    }
    /// A stream's status, if it has ever been put up.
    #[must_use]
    pub fn status(&self, camera: CameraId, kind: StreamKind) -> Option<StreamStatus> {
        self.lock().status.get(&(camera, kind)).cloned()
    }
    /// Puts up what is known of a stream's clock.
    pub fn set_clock(&self, camera: CameraId, kind: StreamKind, clock: StreamClock) {
        self.lock().clocks.insert((camera, kind), clock);
    }
    /// What is known of the clocks of all streams that have ever sent something.
    #[must_use]
    pub fn clocks(&self) -> Vec<(CameraId, StreamKind, StreamClock)> {
        self.lock().clocks.iter().map(|((camera, kind), clock)| (*camera, *kind, *clock)).collect()
    }
    /// How far a camera's own clock is ahead of ours, if it has ever said, microseconds.
    #[must_use]
    pub fn clock_offset_us(&self, camera: CameraId, kind: StreamKind) -> Option<i64> {
        self.lock().clocks.get(&(camera, kind))?.offset_us
    }
    /// Puts up a picture unless a newer one hangs there.
    pub fn set_picture(&self, camera: CameraId, picture: Picture) {
        let mut inner = self.lock();
        if inner.pictures.get(&camera).is_some_and(|old| old.time > picture.time) {
            return;
        }
        inner.pictures.insert(camera, picture);
        drop(inner);
        self.announce(Change::Picture(camera));
    }
    /// The last picture of a camera.
    #[must_use]
    pub fn picture(&self, camera: CameraId) -> Option<Picture> {
        self.lock().pictures.get(&camera).cloned()
    }
    /// Takes a camera off the board.
    pub fn forget(&self, camera: CameraId) {
        let mut inner = self.lock();
        inner.status.retain(|(c, _), _| *c != camera);
        inner.clocks.retain(|(c, _), _| *c != camera);
        inner.pictures.remove(&camera);
    }
}
