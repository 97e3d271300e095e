//! The board of live states: what the screens show that is not in the database. Written by the camera and vision
//! rooms through `app`, read by `http`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{broadcast, watch};

use super::capacity::Capacity;
use crate::domain::{
    alarm::{Alarm, AlarmKind},
    camera::{StreamClock, StreamKind, StreamStatus},
    detection::Class,
    health::{Light, PictureHealth, Reference},
    ids::{CameraId, EventId},
    segment::GapCause,
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

/// What is said of a camera's picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// What.
    pub health: PictureHealth,
    /// When it was heard; it is said again every ten seconds.
    pub heard: MediaTime,
}

/// Something a page may want to show at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A camera, cluster, shape or rule was changed.
    Config,
    /// A stream's status changed, or what is said of its picture.
    Status(CameraId),
    /// A camera has a newer picture.
    Picture(CameraId),
    /// An event was opened, updated or closed.
    Event(EventId),
    /// An alarm was raised, changed or went.
    Alarms,
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
    /// What this machine's kernel lacks for shutting the child in; empty when it lacks nothing.
    pub lacks: Vec<String>,
    /// What a person has to know about how much is analysed: a slow machine, cameras that are kept out.
    pub notes: Vec<String>,
}

/// An extra model of the site's folder: what rules of the kind `attribute` can ask it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ExtraModel {
    /// Its file, by which rules call it.
    pub file: String,
    /// What people call it.
    pub name: String,
    /// What it says.
    pub labels: Vec<String>,
    /// What a rule for a label is called.
    pub words: BTreeMap<String, String>,
    /// What it looks at.
    pub classes: Vec<Class>,
    /// Why it is not used.
    pub why: Option<String>,
}

/// The board. Readers get copies; nobody holds its lock while waiting.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
    changes: broadcast::Sender<Change>,
    /// What vision is doing.
    pub vision: watch::Sender<VisionState>,
    /// How much of it.
    pub capacity: watch::Sender<Capacity>,
    /// The extra models there are, in the order of their files.
    pub extra_models: watch::Sender<Vec<ExtraModel>>,
}

#[derive(Debug, Default)]
struct Inner {
    status: BTreeMap<(CameraId, StreamKind), StreamStatus>,
    clocks: BTreeMap<(CameraId, StreamKind), StreamClock>,
    pictures: HashMap<CameraId, Picture>,
    health: BTreeMap<CameraId, Judged>,
    /// Learned, and not yet kept.
    references: BTreeMap<(CameraId, Light), Reference>,
    /// By number.
    alarms: Vec<Alarm>,
}

/// Changes a slow page may lag behind before it is told to read everything again.
const CHANGES_KEPT: usize = 256;

impl Default for Board {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            changes: broadcast::channel(CHANGES_KEPT).0,
            vision: watch::channel(VisionState::default()).0,
            capacity: watch::channel(Capacity::default()).0,
            extra_models: watch::channel(Vec::new()).0,
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
    /// The cameras of which a status is up.
    #[must_use]
    pub fn cameras(&self) -> Vec<CameraId> {
        let mut cameras: Vec<CameraId> = self.lock().status.keys().map(|(camera, _)| *camera).collect();
        cameras.dedup();
        cameras
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
    /// Takes a camera's picture down: it may show what may not be shown any more.
    pub fn drop_picture(&self, camera: CameraId) {
        if self.lock().pictures.remove(&camera).is_some() {
            self.announce(Change::Picture(camera));
        }
    }
    /// The last picture of a camera.
    #[must_use]
    pub fn picture(&self, camera: CameraId) -> Option<Picture> {
        self.lock().pictures.get(&camera).cloned()
    }
    /// Puts up what is said of a camera's picture.
    pub fn set_health(&self, health: PictureHealth, heard: MediaTime) {
        let before = self.lock().health.insert(health.camera, Judged { health, heard });
        if before.is_none_or(|b| b.health.fault != health.fault) {
            self.announce(Change::Status(health.camera));
        }
    }
    /// What was said last of a camera's picture.
    #[must_use]
    pub fn health(&self, camera: CameraId) -> Option<Judged> {
        self.lock().health.get(&camera).copied()
    }
    /// What was said last of all cameras' pictures.
    #[must_use]
    pub fn all_health(&self) -> Vec<Judged> {
        self.lock().health.values().copied().collect()
    }
    /// Puts up how a camera usually looks, to be kept; a newer one that is up stays.
    pub fn put_reference(&self, camera: CameraId, reference: Reference) {
        let mut inner = self.lock();
        let kept = inner.references.entry((camera, reference.light)).or_insert_with(|| reference.clone());
        if kept.time < reference.time {
            *kept = reference;
        }
    }
    /// Takes one of those that are to be kept.
    #[must_use]
    pub fn take_reference(&self) -> Option<(CameraId, Reference)> {
        self.lock().references.pop_first().map(|((camera, _), reference)| (camera, reference))
    }
    /// A camera's view was taken for right: what was said and learned of it before is not any more.
    pub fn forget_health(&self, camera: CameraId) {
        let mut inner = self.lock();
        inner.references.retain(|(of, _), _| *of != camera);
        inner.health.remove(&camera);
        drop(inner);
        self.announce(Change::Status(camera));
    }
    /// Puts up an alarm, in Vietnamese and English. One of that kind and camera that is up already stays, with the new
    /// sentences; if it waits for a person it has happened `times` more.
    pub fn raise(&self, kind: AlarmKind, camera: Option<CameraId>, times: u64, text: (String, String), now: MediaTime) {
        let mut inner = self.lock();
        let (text_vi, text_en) = text;
        let before = inner.alarms.clone();
        match inner.alarms.iter_mut().find(|a| (a.kind, a.camera) == (kind, camera)) {
            Some(up) => {
                (up.text_vi, up.text_en) = (text_vi, text_en);
                up.times += if kind.is_until_seen() { times } else { 0 };
            }
            None => {
                let id = inner.alarms.last().map_or(now.us(), |last| now.us().max(last.id + 1));
                inner.alarms.push(Alarm { id, kind, camera, since_us: now.us(), times, text_vi, text_en });
            }
        }
        let changed = inner.alarms != before;
        drop(inner);
        if changed {
            self.announce(Change::Alarms);
        }
    }
    /// Takes down the alarm of that kind and camera, if it is up: its cause is gone.
    pub fn clear(&self, kind: AlarmKind, camera: Option<CameraId>) {
        self.take_down(|a| (a.kind, a.camera) == (kind, camera));
    }
    /// Takes down an alarm by its number: a person has seen it.
    pub fn seen(&self, id: i64) {
        self.take_down(|a| a.id == id);
    }
    fn take_down(&self, which: impl Fn(&Alarm) -> bool) {
        let mut inner = self.lock();
        let before = inner.alarms.len();
        inner.alarms.retain(|a| !which(a));
        let changed = inner.alarms.len() != before;
        drop(inner);
        if changed {
            self.announce(Change::Alarms);
        }
    }
    /// The alarms that are up, by number.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.lock().alarms.clone()
    }
    /// Puts up again what an earlier run left for a person; to be called before anything is raised.
    pub fn put_back(&self, mut alarms: Vec<Alarm>) {
        alarms.retain(|a| a.kind.is_until_seen());
        alarms.sort_unstable_by_key(|a| a.id);
        self.lock().alarms = alarms;
    }
    /// Why pictures that come from a camera are not recorded, if an alarm says so.
    #[must_use]
    pub fn hinders(&self, camera: CameraId) -> Option<(GapCause, String)> {
        let cause = |a: &Alarm| match a.kind {
            AlarmKind::DiskMissing | AlarmKind::DiskRefused => Some(GapCause::Disk),
            AlarmKind::Shedding if a.camera == Some(camera) => Some(GapCause::Overload),
            _ => None,
        };
        self.lock().alarms.iter().find_map(|a| Some((cause(a)?, a.text_en.clone())))
    }
    /// Takes a camera off the board.
    pub fn forget(&self, camera: CameraId) {
        let mut inner = self.lock();
        inner.status.retain(|(c, _), _| *c != camera);
        inner.clocks.retain(|(c, _), _| *c != camera);
        inner.pictures.remove(&camera);
        inner.health.remove(&camera);
        inner.references.retain(|(of, _), _| *of != camera);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: MediaTime = MediaTime(1_000);

    fn text() -> (String, String) {
        ("hỏng".into(), "broken".into())
    }

    #[test]
    fn an_alarm_about_damage_is_counted_and_stays_until_it_is_seen() {
        let (board, camera) = (Board::default(), Some(CameraId(3)));
        let mut told = board.listen();
        board.raise(AlarmKind::Damaged, camera, 2, text(), NOW);
        board.raise(AlarmKind::Damaged, camera, 1, text(), MediaTime(9_000));
        board.raise(AlarmKind::Damaged, Some(CameraId(4)), 1, text(), NOW);
        let up = board.alarms();
        assert_eq!(up.iter().map(|a| (a.since_us, a.times)).collect::<Vec<_>>(), [(1_000, 3), (1_000, 1)]);
        assert_ne!(up[0].id, up[1].id);
        board.seen(up[0].id);
        assert_eq!(board.alarms(), up[1..]);
        for _ in 0..4 {
            assert_eq!(told.try_recv(), Ok(Change::Alarms));
        }
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn an_alarm_that_says_the_same_again_is_not_announced_and_goes_with_its_cause() {
        let board = Board::default();
        board.raise(AlarmKind::Shedding, Some(CameraId(3)), 1, text(), NOW);
        let mut told = board.listen();
        board.raise(AlarmKind::Shedding, Some(CameraId(3)), 1, text(), MediaTime(9_000));
        assert!(told.try_recv().is_err());
        assert_eq!(board.hinders(CameraId(3)).map(|(cause, _)| cause), Some(GapCause::Overload));
        assert_eq!(board.hinders(CameraId(4)), None);
        board.clear(AlarmKind::Shedding, Some(CameraId(3)));
        assert_eq!((board.alarms(), told.try_recv()), (Vec::new(), Ok(Change::Alarms)));
    }

    #[test]
    fn after_a_restart_only_what_a_person_has_to_see_is_up_again() {
        let (before, board) = (Board::default(), Board::default());
        before.raise(AlarmKind::DiskFull, None, 1, text(), NOW);
        before.raise(AlarmKind::DiskFlushFailed, Some(CameraId(1)), 1, text(), NOW);
        board.put_back(before.alarms());
        assert_eq!(board.alarms(), before.alarms()[1..]);
    }
}
