//! What is done with one decoded frame: gate → detect → track. The child and `analyze` run exactly this.
//!
//! In: frames of cameras in time order. Out: a [`FrameSeen`] each. No thread, no queue, no clock: those are the
//! child's. While something moves or a confirmed track that does not just stand is followed, the detector
//! looks at the whole frame once; else it rests.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{
    detect::{Detector, Outcome},
    gate::Gate,
    link::Totals,
    picture::Scaler,
};
use crate::{
    domain::{
        detection::{Class, Detection},
        frame::Frame,
        ids::TrackId,
        time::MediaTime,
        track::{FrameSeen, TrackPoint},
    },
    logic::tracker::{Glance, TrackStep, Tracker, TrackerConfig},
};

/// Frames with something in them that are kept for snapshots, a camera.
const RING: usize = 6;
/// … and for how long at most, microseconds.
const RING_US: i64 = 3_000_000;
/// Live tracks whose best frame is kept beside them, a camera: a rule may take longer than [`RING_US`] to make up its mind.
const PINNED: usize = 6;
/// A frame this much earlier than the one before it is a new beginning; less is a frame out of order.
const BACK_MAX_US: i64 = 10_000_000;

/// Gives out track ids, unique within a site over restarts.
///
/// They are counted up from the media time, in microseconds, at which the process started: it would have to confirm
/// a million tracks a second to reach the first id of a later start. Such a number is below 2^53 until the year 2255,
/// so a browser reads it exactly.
#[derive(Debug)]
pub struct TrackIds(i64);

impl TrackIds {
    /// The first id is `first`.
    #[must_use]
    pub const fn from(first: i64) -> Self {
        Self(first)
    }
    const fn next(&mut self) -> TrackId {
        let id = TrackId(self.0);
        self.0 = self.0.saturating_add(1);
        id
    }
}

/// What is remembered of one camera.
#[derive(Debug, Default)]
pub struct Eye {
    gate: Gate,
    tracker: Option<Tracker>,
    aspect: f32,
    last: Option<MediaTime>,
    /// The camera's own numbering to the site's.
    ids: HashMap<TrackId, TrackId>,
    ring: VecDeque<Frame>,
    /// The frame with the best sighting of each live track, and its score.
    best: BTreeMap<TrackId, (f32, Frame)>,
}

impl Eye {
    /// The kept frame nearest to a time, of those within about a second of it.
    #[must_use]
    pub fn recent(&self, time: MediaTime) -> Option<&Frame> {
        let off = |f: &&Frame| f.time.since(time).abs();
        let kept = self.ring.iter().chain(self.best.values().map(|(_, frame)| frame));
        kept.min_by_key(off).filter(|f| off(f) <= 1_000_000)
    }
    /// Whether something in the frame looked at last may move although it is not said to.
    #[must_use]
    pub fn stirs(&self) -> bool {
        self.gate.stirs()
    }
    /// Ends every track: the site's ids of those that were alive.
    pub fn finish(&mut self) -> Vec<TrackId> {
        let ended = self.tracker.take().map(|mut t| t.finish()).unwrap_or_default();
        self.best.clear();
        let ids = std::mem::take(&mut self.ids);
        ended.iter().filter_map(|id| ids.get(id).copied()).collect()
    }
    fn keep(&mut self, frame: &Frame, worth: bool) {
        self.ring.retain(|f| (0..=RING_US).contains(&frame.time.since(f.time)));
        if worth {
            if self.ring.len() >= RING {
                self.ring.pop_front();
            }
            self.ring.push_back(frame.clone());
        }
    }
    fn pin(&mut self, frame: &Frame, tracks: &[TrackPoint], ended: &[TrackId]) {
        for id in ended {
            self.best.remove(id);
        }
        for p in tracks.iter().filter(|p| !p.held) {
            let room = self.best.len() < PINNED;
            if self.best.get(&p.track).map_or(room, |(score, _)| p.score > *score) {
                self.best.insert(p.track, (p.score, frame.clone()));
            }
        }
    }
    fn site_ids(&mut self, step: TrackStep, ids: &mut TrackIds) -> (Vec<TrackPoint>, Vec<TrackId>) {
        let mut points = step.points;
        for p in &mut points {
            p.track = *self.ids.entry(p.track).or_insert_with(|| ids.next());
        }
        let ended = step.ended.iter().filter_map(|id| self.ids.remove(id)).collect();
        (points, ended)
    }
}

/// The working part of a process: one detector, one scaler, totals.
#[derive(Debug)]
pub struct Engine {
    /// The detector; without one only motion is seen.
    pub detector: Option<Detector>,
    /// What was done so far.
    pub totals: Totals,
    /// Why the detector failed last, until someone takes it.
    pub problem: Option<String>,
    ids: TrackIds,
    scaler: Scaler,
}

impl Engine {
    /// An engine without a detector.
    #[must_use]
    pub fn new(ids: TrackIds) -> Self {
        Self { detector: None, totals: Totals::default(), problem: None, ids, scaler: Scaler::default() }
    }
    /// Its scaler, for pictures made in the same thread.
    pub const fn scaler(&mut self) -> &mut Scaler {
        &mut self.scaler
    }
    /// Looks at the next frame of a camera; `None` for one that is out of order.
    pub fn look(&mut self, eye: &mut Eye, frame: &Frame) -> Option<FrameSeen> {
        let mut ended = Vec::new();
        if let Some(last) = eye.last.filter(|last| frame.time <= *last) {
            if last.since(frame.time) <= BACK_MAX_US {
                return None;
            }
            ended = eye.finish();
            eye.ring.clear();
            eye.gate = Gate::default();
        }
        let aspect = frame.width as f32 / frame.height.max(1) as f32;
        if (aspect - eye.aspect).abs() > f32::EPSILON {
            ended.extend(eye.finish());
            eye.aspect = aspect;
        }
        eye.last = Some(frame.time);
        self.totals.frames_analysed += 1;
        let motion = eye.gate.look(frame, &mut self.scaler);
        let tracker =
            eye.tracker.get_or_insert_with(|| Tracker::new(TrackerConfig { aspect, ..TrackerConfig::default() }, 1));
        let wanted = tracker.predictions(frame.time).iter().any(|p| p.confirmed && p.wants_look);
        let found = if motion.is_empty() && !wanted { None } else { self.detect(frame) };
        let glance = Glance { detections: found.as_deref(), motion: Some(&motion), ..Glance::default() };
        let step = tracker.glance(frame.time, &glance);
        let (tracks, over) = eye.site_ids(step, &mut self.ids);
        let seen: Vec<_> = tracks.iter().filter(|p| p.confirmed && !p.held).map(|p| p.rect).collect();
        eye.gate.pardon(&seen);
        ended.extend(over);
        eye.pin(frame, &tracks, &ended);
        eye.keep(frame, !motion.is_empty() || !tracks.is_empty());
        Some(FrameSeen { camera: frame.camera, time: frame.time, motion, tracks, ended })
    }
    fn detect(&mut self, frame: &Frame) -> Option<Vec<Detection>> {
        let detector = self.detector.as_mut()?;
        self.totals.inferences += 1;
        match detector.detect(frame, &mut self.scaler) {
            Ok(Outcome::Found(found)) => Some(found),
            Ok(Outcome::NotANumber) => {
                self.totals.frames_not_a_number += 1;
                None
            }
            Err(said) => {
                self.problem = Some(said);
                None
            }
        }
    }
}

/// Confirmed tracks by the class they were last believed to be.
#[derive(Debug, Default)]
pub struct Tally(HashMap<TrackId, Class>);

impl Tally {
    /// Counts one frame in.
    pub fn add(&mut self, seen: &FrameSeen) {
        for p in seen.tracks.iter().filter(|p| p.confirmed) {
            self.0.insert(p.track, p.class);
        }
    }
    /// Tracks of each class.
    #[must_use]
    pub fn by_class(&self) -> std::collections::BTreeMap<Class, u64> {
        let mut out = std::collections::BTreeMap::new();
        for class in self.0.values() {
            *out.entry(*class).or_default() += 1;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CameraId;

    fn frame(time_us: i64, square: Option<u32>) -> Frame {
        let (width, height) = (160, 90);
        let mut data = vec![100u8; Frame::size_bytes(width, height)];
        if let Some(x) = square {
            for y in 40..60 {
                let row = (y * width + x) as usize;
                data[row..row + 20].fill(200);
            }
        }
        Frame { camera: CameraId(1), time: MediaTime(time_us), width, height, data: data.into() }
    }

    #[test]
    fn without_a_detector_motion_is_seen_and_frames_with_it_are_kept_a_while() {
        let mut engine = Engine::new(TrackIds::from(1));
        let mut eye = Eye::default();
        assert!(engine.look(&mut eye, &frame(0, None)).unwrap().motion.is_empty());
        assert_eq!(engine.look(&mut eye, &frame(200_000, Some(20))).unwrap().motion.len(), 1);
        assert_eq!(eye.recent(MediaTime(150_000)).unwrap().time, MediaTime(200_000));
        assert!(eye.recent(MediaTime(5_000_000)).is_none());
        assert!(engine.look(&mut eye, &frame(200_000, None)).is_none(), "out of order");
        engine.look(&mut eye, &frame(4_000_000, None)).unwrap();
        assert!(eye.recent(MediaTime(200_000)).is_none(), "kept for ever");
        assert_eq!((engine.totals.frames_analysed, engine.totals.inferences), (3, 0));
    }

    #[test]
    fn the_best_frame_of_a_live_track_outlives_the_others() {
        let mut eye = Eye::default();
        let rect = crate::domain::geometry::NormBox::new(0.1, 0.1, 0.2, 0.2).unwrap();
        let point = |track, score| TrackPoint {
            track: TrackId(track),
            class: Class::Person,
            score,
            rect,
            confirmed: true,
            held: false,
            identity: 1.0,
        };
        for (second, score) in [(0, 0.5), (1, 0.9), (2, 0.6), (9, 0.9)] {
            let frame = frame(second * 1_000_000, None);
            eye.pin(&frame, &[point(1, score)], &[]);
            eye.keep(&frame, true);
        }
        assert_eq!(eye.recent(MediaTime(1_100_000)).unwrap().time, MediaTime(1_000_000));
        // No more than a few at once, and none of a track that is over.
        let last = frame(9_000_000, None);
        eye.pin(&last, &(2..40).map(|n| point(n, 0.5)).collect::<Vec<_>>(), &[TrackId(1)]);
        assert_eq!(eye.best.len(), PINNED);
        assert!(eye.recent(MediaTime(1_100_000)).is_none());
    }

    #[test]
    fn a_clock_that_steps_back_does_not_blind_a_camera() {
        let mut engine = Engine::new(TrackIds::from(1));
        let mut eye = Eye::default();
        engine.look(&mut eye, &frame(100_000_000, None)).unwrap();
        assert!(engine.look(&mut eye, &frame(99_000_000, None)).is_none());
        assert!(engine.look(&mut eye, &frame(50_000_000, None)).is_some());
    }
}
