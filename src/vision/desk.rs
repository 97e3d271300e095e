//! The child's one analysis thread and the desk its work lies on.
//!
//! On the desk: the newest frame of each camera (an older one that was not reached is replaced), questions for
//! snapshots, cameras that went, a new detector. The thread takes the frames of some cameras at a time, in turn, so that
//! a busy one starves nobody, and shares runs of the detector among them.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::BytesMut;

use super::{
    classifier::{Classifier, ClassifierSpec},
    decode::Key,
    detect::Detector,
    health::Watcher,
    kept::Keeper,
    link::{self, Totals, Up},
    model::ModelSpec,
    picture::{PICTURE_WIDTH_MAX, Planes},
    sluice::{self, Look},
    watch::Watch,
    worker::{Engine, Eye, Noticed, TrackIds},
};
use crate::{
    domain::{
        frame::Frame, geometry::NormBox, health::Reference, ids::CameraId, mask::Masks, time::MediaTime,
        track::FrameSeen,
    },
    logic::turns,
    runtime::{clock::Clock, throttle::Throttle},
};

/// A camera's picture is made anew so often, microseconds of media time.
const PICTURE_EVERY_US: i64 = 10_000_000;
/// Width of a snapshot at most.
const SNAPSHOT_WIDTH_MAX: u32 = 1920;
/// So often a new detector is run to know what it costs.
const MEASURED: u32 = 3;
/// Questions for snapshots that may wait.
const ASKS_MAX: usize = 64;
/// Frames looked at together: as many quiet cameras as share a run of the detector.
const ROUND_FRAMES: usize = 8;
/// How long a frame waits for others to share a run of the detector with.
const GATHER: Duration = Duration::from_millis(80);
/// What a run of the detector is taken to last before one was seen, microseconds.
const RUN_US: i64 = 30_000;

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

/// What is to be known of a camera.
#[derive(Debug)]
pub enum Told {
    /// Its masks, in place of those before.
    Masks(Masks),
    /// How it usually looks.
    Usual(Reference),
    /// That how it looks now is right.
    Accepted,
}

/// The next thing to do.
#[derive(Debug)]
enum Job {
    Model(Vec<u8>, ModelSpec),
    Classifier(Vec<u8>, ClassifierSpec),
    Gone(CameraId),
    Told(CameraId, Told),
    Ask(Ask),
    /// At least one, of different cameras.
    Frames(Vec<Laid>),
    End,
}

/// A frame on the desk.
#[derive(Debug)]
struct Laid {
    frame: Frame,
    key: Option<Key>,
}

#[derive(Debug, Default)]
struct Pile {
    frames: BTreeMap<CameraId, Laid>,
    last: Option<CameraId>,
    asks: VecDeque<Ask>,
    gone: VecDeque<CameraId>,
    told: VecDeque<(CameraId, Told)>,
    model: Option<(Vec<u8>, ModelSpec)>,
    classifiers: VecDeque<(Vec<u8>, ClassifierSpec)>,
    finish: bool,
}

impl Pile {
    /// Whether there are frames, but too few for a round, and nothing else to do.
    fn may_gather(&self) -> bool {
        let models = self.model.is_some() || !self.classifiers.is_empty();
        let others = self.finish || models || !self.asks.is_empty() || !self.gone.is_empty();
        !others && (1..ROUND_FRAMES).contains(&self.frames.len())
    }
    fn take(&mut self) -> Option<Job> {
        if let Some(camera) = self.gone.pop_front() {
            return Some(Job::Gone(camera));
        }
        // Before any frame: none is shown that is not masked as it must be.
        if let Some((camera, told)) = self.told.pop_front() {
            return Some(Job::Told(camera, told));
        }
        if let Some((bytes, spec)) = self.model.take() {
            return Some(Job::Model(bytes, spec));
        }
        if let Some((bytes, spec)) = self.classifiers.pop_front() {
            return Some(Job::Classifier(bytes, spec));
        }
        if let Some(ask) = self.asks.pop_front() {
            return Some(Job::Ask(ask));
        }
        let mut round = Vec::new();
        while round.len() < ROUND_FRAMES {
            let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
            let next = self.frames.range((after, Bound::Unbounded)).next().or_else(|| self.frames.iter().next());
            let Some(camera) = next.map(|(c, _)| *c) else { break };
            self.last = Some(camera);
            round.extend(self.frames.remove(&camera));
        }
        match round.is_empty() {
            false => Some(Job::Frames(round)),
            true => self.finish.then_some(Job::End),
        }
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
    pub looks: sluice::Told,
}

impl Desk {
    fn pile(&self) -> MutexGuard<'_, Pile> {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn change(&self, how: impl FnOnce(&mut Pile)) {
        how(&mut self.pile());
        self.more.notify_one();
    }
    /// Lays down a frame, with what is to be known of it as a key frame; an older one of that camera is thrown away.
    /// Whether there was one.
    pub fn frame(&self, frame: Frame, key: Option<Key>) -> bool {
        let mut replaced = false;
        self.change(|p| replaced = p.frames.insert(frame.camera, Laid { frame, key }).is_some());
        replaced
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
            p.told.retain(|(c, _)| *c != camera);
            p.gone.push_back(camera);
        });
    }
    /// What is to be known of a camera.
    pub fn tell(&self, camera: CameraId, told: Told) {
        self.change(|p| p.told.push_back((camera, told)));
    }
    /// A detector to load.
    pub fn model(&self, bytes: Vec<u8>, spec: ModelSpec) {
        self.change(|p| p.model = Some((bytes, spec)));
    }
    /// An extra classifier to load.
    pub fn classifier(&self, bytes: Vec<u8>, spec: ClassifierSpec) {
        self.change(|p| p.classifiers.push_back((bytes, spec)));
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
            if pile.may_gather() {
                // Whether it was woken or the time is up is the same: what is there is taken.
                let wait = self.more.wait_timeout_while(pile, GATHER, |pile| pile.may_gather());
                pile = wait.unwrap_or_else(PoisonError::into_inner).0;
            }
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
    health: Watcher,
    pictured: Option<MediaTime>,
    last: Option<MediaTime>,
}

impl Seat {
    fn hear(&mut self, told: Told) {
        match told {
            Told::Masks(masks) => {
                self.health.set_masks(masks.privacy.clone());
                self.eye.set_masks(masks);
                // The next picture is due at once.
                self.pictured = None;
            }
            Told::Usual(reference) => self.health.remember(&reference),
            Told::Accepted => self.health.accept(),
        }
    }
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
            let job = self.desk.next();
            self.watch.at(self.clock.boot().us());
            let before = self.engine.totals.inferences;
            match job {
                Job::Model(bytes, spec) => self.load(&bytes, &spec),
                Job::Classifier(bytes, spec) => self.load_classifier(&bytes, &spec),
                Job::Gone(camera) => {
                    self.seats.remove(&camera);
                }
                Job::Told(camera, told) => self.seats.entry(camera).or_default().hear(told),
                Job::Ask(ask) => self.answer(&ask),
                Job::Frames(mut frames) => {
                    for Laid { frame, .. } in &mut frames {
                        self.seats.entry(frame.camera).or_default().eye.mask(frame);
                    }
                    self.look(&frames);
                }
                Job::End => break,
            }
            *self.desk.totals.lock().unwrap_or_else(PoisonError::into_inner) = self.engine.totals;
            self.watch.done(self.clock.boot().us(), self.engine.totals.inferences - before);
        }
        for (camera, seat) in &mut self.seats {
            let ended = seat.eye.finish();
            if let Some(kept) = &mut seat.eye.kept {
                kept.end(*camera, &ended);
            }
            tell_looks(&mut seat.eye, &self.up);
            if let Some(time) = seat.last.filter(|_| !ended.is_empty()) {
                self.up.send(&Up::Seen(FrameSeen {
                    camera: *camera,
                    time,
                    motion: Vec::new(),
                    tracks: Vec::new(),
                    ended,
                    still: None,
                    labels: Vec::new(),
                }));
            }
        }
        self.watch.at(0);
    }
    fn load(&mut self, bytes: &[u8], spec: &ModelSpec) {
        let (name, why) = match Detector::load(bytes, spec) {
            Ok(mut detector) => {
                let name = detector.describe();
                self.measure(&mut detector);
                self.engine.detector = Some(detector);
                (Some(link::cut(&name)), None)
            }
            Err(refusal) => (None, Some(link::cut(&refusal.to_string()))),
        };
        self.up.send(&Up::Detector { name, why });
    }
    fn load_classifier(&mut self, bytes: &[u8], spec: &ClassifierSpec) {
        let why = match Classifier::load(bytes, spec) {
            Ok(classifier) => {
                self.engine.voters.add(classifier);
                None
            }
            Err(refusal) => Some(link::cut(&refusal.to_string())),
        };
        self.up.send(&Up::Classifier { file: spec.file.clone(), why });
    }
    /// Runs a new detector on a grey picture, so that what it costs is known before the first camera's.
    fn measure(&mut self, detector: &mut Detector) {
        let [width, height] = detector.input();
        let data = vec![114u8; Frame::size_bytes(width, height)];
        let frame = Frame { camera: CameraId(0), time: MediaTime(0), width, height, data: data.into() };
        for _ in 0..MEASURED {
            self.watch.at(self.clock.boot().us());
            // One that fails here fails at the first frame too, and is said then.
            let _ = detector.detect(&frame, self.engine.scaler());
            self.watch.done(self.clock.boot().us(), 1);
        }
        self.watch.at(self.clock.boot().us());
    }
    fn look(&mut self, frames: &[Laid]) {
        let (mut noticed, mut keys) = (Vec::with_capacity(frames.len()), BTreeMap::new());
        for Laid { frame, key } in frames {
            let seat = self.seats.entry(frame.camera).or_default();
            if let Some(key) = key {
                let key_stirs = seat.eye.key_stirs(frame, self.engine.scaler());
                if key_stirs && *key == Key::Asked {
                    // It comes again, after those before it.
                    self.desk.looks.tell(frame.camera, Look { time: frame.time, moves: false, key_stirs: Some(true) });
                    continue;
                }
                keys.insert(frame.camera, key_stirs);
            }
            let fresh = |t: MediaTime| (0..PICTURE_EVERY_US).contains(&frame.time.since(t));
            if !seat.pictured.is_some_and(fresh) {
                seat.pictured = Some(frame.time);
                let jpeg = Planes::of(frame, PICTURE_WIDTH_MAX, self.engine.scaler()).jpeg();
                self.up.send(&Up::Picture { camera: frame.camera, time: frame.time, jpeg });
            }
            seat.health.look(frame, &mut |message| {
                self.up.send(&message);
            });
            seat.eye.kept.get_or_insert_default();
            noticed.extend(self.engine.notice(&mut seat.eye, frame));
        }
        self.spend(&mut noticed);
        for noticed in noticed {
            let Some(seat) = self.seats.get_mut(&noticed.camera()) else { continue };
            let seen = self.engine.conclude(&mut seat.eye, noticed);
            seat.last = Some(seen.time);
            let (moves, key_stirs) = (!seen.motion.is_empty(), keys.get(&seen.camera).copied());
            self.desk.looks.tell(seen.camera, Look { time: seen.time, moves, key_stirs });
            tell_looks(&mut seat.eye, &self.up);
            self.up.send(&Up::Seen(seen));
        }
        if let Some(said) = self.engine.problem.take()
            && let Some(times) = self.throttle.say(1, self.clock.boot())
        {
            self.up.send(&Up::Failure { text: link::cut(&format!("the detector failed {times} times: {said}")) });
        }
    }
    /// Spends what this round may.
    fn spend(&mut self, noticed: &mut [Noticed]) {
        let run_us = match self.watch.effort_us().1 {
            0 => RUN_US,
            known => i64::try_from(known).unwrap_or(RUN_US),
        };
        self.engine.spend(noticed, turns::runs(noticed.len(), self.seats.len(), run_us));
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

/// Says what tracks look like, before the frame that may end them.
fn tell_looks(eye: &mut Eye, up: &Uplink) {
    for look in eye.kept.iter_mut().flat_map(Keeper::take) {
        up.send(&Up::Look(look));
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
        let cameras = ROUND_FRAMES as i64 + 1;
        assert!((1..=cameras).all(|c| !desk.frame(frame(c, c), None)));
        assert!(desk.frame(frame(1, 100), None), "the older one is replaced");
        let next = || match desk.next() {
            Job::Frames(round) => round.iter().map(|f| (f.frame.camera.0, f.frame.time.0)).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let first: Vec<_> = std::iter::once((1, 100)).chain((2..cameras).map(|c| (c, c))).collect();
        assert_eq!(next(), first);
        desk.frame(frame(1, 101), None);
        assert_eq!(next(), [(cameras, cameras), (1, 101)], "a busy camera comes before one that waits");
        desk.finish();
        assert!(matches!(desk.next(), Job::End));
    }

    #[test]
    fn a_camera_that_went_leaves_no_frame_behind() {
        let desk = Desk::default();
        desk.frame(frame(1, 1), None);
        desk.gone(CameraId(1));
        desk.finish();
        assert!(matches!(desk.next(), Job::Gone(CameraId(1))));
        assert!(matches!(desk.next(), Job::End));
    }
}
