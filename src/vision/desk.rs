//! The child's one analysis thread and the desk its work lies on.
//!
//! On the desk: the newest frame of each camera (an older one that was not reached is replaced), questions for
//! snapshots, cameras that went, a new detector. The thread takes cameras in turn, so that a busy one starves nobody.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    os::unix::net::UnixStream,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use bytes::BytesMut;

use super::{
    detect::Detector,
    link::{self, Totals, Up},
    model::ModelSpec,
    picture::{PICTURE_WIDTH_MAX, Planes},
    sluice::{Look, Told},
    worker::{Engine, Eye, TrackIds},
};
use crate::{
    domain::{frame::Frame, geometry::NormBox, ids::CameraId, time::MediaTime, track::FrameSeen},
    runtime::{clock::Clock, throttle::Throttle},
};

/// A camera's picture is made anew so often, microseconds of media time.
const PICTURE_EVERY_US: i64 = 10_000_000;
/// Width of a snapshot at most.
const SNAPSHOT_WIDTH_MAX: u32 = 1920;
/// Questions for snapshots that may wait.
const ASKS_MAX: usize = 64;

/// The way up: whole messages, from any thread.
#[derive(Debug)]
pub struct Uplink(Mutex<(UnixStream, BytesMut)>);

impl Uplink {
    /// Over this socket.
    #[must_use]
    pub fn new(socket: UnixStream) -> Self {
        Self(Mutex::new((socket, BytesMut::new())))
    }
    /// Sends a message, waiting while the parent does not read. Whether it could be sent: too large ones cannot. A
    /// parent that is gone is noticed where the socket is read.
    pub fn send(&self, message: &Up) -> bool {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (socket, buffer) = &mut *guard;
        buffer.clear();
        link::encode(message, buffer).is_ok() && std::io::Write::write_all(socket, buffer).is_ok()
    }
}

/// Since when a thread has been at one piece of work, for the thread that watches it.
#[derive(Debug, Default)]
pub struct Watch(AtomicI64);

impl Watch {
    /// Work begins (boot time in microseconds) or, with 0, ends.
    pub fn at(&self, since_us: i64) {
        self.0.store(since_us, Ordering::Relaxed);
    }
    /// How long the work at hand has taken.
    #[must_use]
    pub fn busy_us(&self, now_us: i64) -> i64 {
        match self.0.load(Ordering::Relaxed) {
            0 => 0,
            since => now_us - since,
        }
    }
}

/// A question for a snapshot.
#[derive(Debug)]
pub struct Ask {
    /// Told back.
    pub id: u64,
    /// Whose.
    pub camera: CameraId,
    /// Of when.
    pub time: MediaTime,
    /// What to draw.
    pub boxes: Vec<NormBox>,
}

/// The next thing to do.
#[derive(Debug)]
enum Job {
    Model(Vec<u8>, ModelSpec),
    Gone(CameraId),
    Ask(Ask),
    Frame(Frame),
    End,
}

#[derive(Debug, Default)]
struct Pile {
    frames: BTreeMap<CameraId, Frame>,
    last: Option<CameraId>,
    asks: VecDeque<Ask>,
    gone: VecDeque<CameraId>,
    model: Option<(Vec<u8>, ModelSpec)>,
    finish: bool,
}

impl Pile {
    fn take(&mut self) -> Option<Job> {
        if let Some(camera) = self.gone.pop_front() {
            return Some(Job::Gone(camera));
        }
        if let Some((bytes, spec)) = self.model.take() {
            return Some(Job::Model(bytes, spec));
        }
        if let Some(ask) = self.asks.pop_front() {
            return Some(Job::Ask(ask));
        }
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.frames.range((after, Bound::Unbounded)).next().or_else(|| self.frames.iter().next());
        if let Some(camera) = next.map(|(c, _)| *c) {
            self.last = Some(camera);
            return self.frames.remove(&camera).map(Job::Frame);
        }
        self.finish.then_some(Job::End)
    }
}

/// The desk.
#[derive(Debug, Default)]
pub struct Desk {
    pile: Mutex<Pile>,
    more: Condvar,
    /// What was done so far; frames decoded stand elsewhere.
    totals: Mutex<Totals>,
    /// What the pictures showed, for the packet gates.
    pub told: Told,
}

impl Desk {
    fn pile(&self) -> MutexGuard<'_, Pile> {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn change(&self, how: impl FnOnce(&mut Pile)) {
        how(&mut self.pile());
        self.more.notify_one();
    }
    /// Lays down a frame; an older one of that camera is thrown away.
    pub fn frame(&self, frame: Frame) {
        self.change(|p| {
            p.frames.insert(frame.camera, frame);
        });
    }
    /// Lays down a question; whether there was room.
    #[must_use]
    pub fn ask(&self, ask: Ask) -> bool {
        let mut room = false;
        self.change(|p| {
            room = p.asks.len() < ASKS_MAX;
            if room {
                p.asks.push_back(ask);
            }
        });
        room
    }
    /// A camera is not there any more, or begins anew.
    pub fn gone(&self, camera: CameraId) {
        self.change(|p| {
            p.frames.remove(&camera);
            p.gone.push_back(camera);
        });
    }
    /// A detector to load.
    pub fn model(&self, bytes: Vec<u8>, spec: ModelSpec) {
        self.change(|p| p.model = Some((bytes, spec)));
    }
    /// Nothing follows.
    pub fn finish(&self) {
        self.change(|p| p.finish = true);
    }
    /// What was done so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn next(&self) -> Job {
        let mut pile = self.pile();
        loop {
            if let Some(job) = pile.take() {
                return job;
            }
            pile = self.more.wait(pile).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[derive(Debug, Default)]
struct Seat {
    eye: Eye,
    pictured: Option<MediaTime>,
    last: Option<MediaTime>,
}

/// The analysis thread's own things.
#[derive(Debug)]
pub struct Worker {
    desk: Arc<Desk>,
    up: Arc<Uplink>,
    watch: Arc<Watch>,
    clock: Clock,
    engine: Engine,
    seats: BTreeMap<CameraId, Seat>,
    throttle: Throttle,
}

impl Worker {
    /// Track ids are counted up from `start`.
    #[must_use]
    pub fn new(desk: Arc<Desk>, up: Arc<Uplink>, watch: Arc<Watch>, clock: Clock, start: MediaTime) -> Self {
        let engine = Engine::new(TrackIds::from(start.us()));
        Self { desk, up, watch, clock, engine, seats: BTreeMap::new(), throttle: Throttle::default() }
    }
    /// Works until the desk is finished and empty.
    pub fn run(mut self) {
        loop {
            self.watch.at(0);
            let job = self.desk.next();
            self.watch.at(self.clock.boot().us());
            match job {
                Job::Model(bytes, spec) => self.load(&bytes, &spec),
                Job::Gone(camera) => {
                    self.seats.remove(&camera);
                }
                Job::Ask(ask) => self.answer(&ask),
                Job::Frame(frame) => self.look(&frame),
                Job::End => break,
            }
            *self.desk.totals.lock().unwrap_or_else(PoisonError::into_inner) = self.engine.totals;
        }
        for (camera, seat) in &mut self.seats {
            let ended = seat.eye.finish();
            if let Some(time) = seat.last.filter(|_| !ended.is_empty()) {
                self.up.send(&Up::Seen(FrameSeen {
                    camera: *camera,
                    time,
                    motion: Vec::new(),
                    tracks: Vec::new(),
                    ended,
                }));
            }
        }
        self.watch.at(0);
    }
    fn load(&mut self, bytes: &[u8], spec: &ModelSpec) {
        let (name, why) = match Detector::load(bytes, spec) {
            Ok(detector) => {
                let name = detector.describe();
                self.engine.detector = Some(detector);
                (Some(link::cut(&name)), None)
            }
            Err(refusal) => (None, Some(link::cut(&refusal.to_string()))),
        };
        self.up.send(&Up::Detector { name, why });
    }
    fn look(&mut self, frame: &Frame) {
        let seat = self.seats.entry(frame.camera).or_default();
        let fresh = |t: MediaTime| (0..PICTURE_EVERY_US).contains(&frame.time.since(t));
        if !seat.pictured.is_some_and(fresh) {
            seat.pictured = Some(frame.time);
            let jpeg = Planes::of(frame, PICTURE_WIDTH_MAX, self.engine.scaler()).jpeg();
            self.up.send(&Up::Picture { camera: frame.camera, time: frame.time, jpeg });
        }
        if let Some(seen) = self.engine.look(&mut seat.eye, frame) {
            seat.last = Some(frame.time);
            let (moves, stirs) = (!seen.motion.is_empty(), seat.eye.stirs());
            self.desk.told.tell(frame.camera, Look { time: frame.time, moves, stirs });
            self.up.send(&Up::Seen(seen));
        }
        if let Some(said) = self.engine.problem.take()
            && let Some(times) = self.throttle.say(1, self.clock.boot())
        {
            self.up.send(&Up::Failure { text: link::cut(&format!("the detector failed {times} times: {said}")) });
        }
    }
    fn answer(&mut self, ask: &Ask) {
        let frame = self.seats.get(&ask.camera).and_then(|s| s.eye.recent(ask.time)).cloned();
        let done = frame.is_some_and(|frame| {
            let mut planes = Planes::of(&frame, SNAPSHOT_WIDTH_MAX, self.engine.scaler());
            let plain = planes.jpeg();
            planes.draw(&ask.boxes);
            self.up.send(&Up::SnapshotDone { id: ask.id, time: frame.time, plain, boxed: planes.jpeg() })
        });
        if !done {
            self.up.send(&Up::SnapshotGone { id: ask.id });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(camera: i64, time: i64) -> Frame {
        let data = vec![0u8; Frame::size_bytes(16, 16)];
        Frame { camera: CameraId(camera), time: MediaTime(time), width: 16, height: 16, data: data.into() }
    }

    #[test]
    fn cameras_take_turns_and_only_the_newest_frame_of_each_waits() {
        let desk = Desk::default();
        desk.frame(frame(1, 1));
        desk.frame(frame(2, 2));
        desk.frame(frame(1, 3));
        let next = || match desk.next() {
            Job::Frame(f) => (f.camera.0, f.time.0),
            other => panic!("{other:?}"),
        };
        assert_eq!(next(), (1, 3));
        desk.frame(frame(1, 4));
        assert_eq!(next(), (2, 2), "a busy camera starves another");
        desk.finish();
        assert_eq!(next(), (1, 4));
        assert!(matches!(desk.next(), Job::End));
    }

    #[test]
    fn a_camera_that_went_leaves_no_frame_behind() {
        let desk = Desk::default();
        desk.frame(frame(1, 1));
        desk.gone(CameraId(1));
        desk.finish();
        assert!(matches!(desk.next(), Job::Gone(CameraId(1))));
        assert!(matches!(desk.next(), Job::End));
    }
}
