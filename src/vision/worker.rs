//! What is done with decoded frames: gate → looks → track. The child and `analyze` run exactly this.
//!
//! In: frames of cameras in time order. Out: a [`FrameSeen`] each. No thread, no queue, no clock: those are the
//! child's. A frame is *noticed* (what moves, which looks are wanted), the looks of one or several frames are *spent*
//! together on as few runs of the detector as are allowed, the most urgent first, and each frame is *concluded*.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{
    brute,
    classifier::Voters,
    detect::{Detector, Outcome, Shown},
    gate::Gate,
    kept::Keeper,
    link::Totals,
    mask::Blackout,
    picture::Scaler,
};
use crate::{
    domain::{
        detection::{Class, Detection},
        frame::Frame,
        geometry::NormBox,
        ids::{CameraId, TrackId},
        mask::Masks,
        time::MediaTime,
        track::{FrameSeen, TrackPoint},
    },
    logic::{
        attention::{Attention, View, Want},
        pack::{Canvas, Patch},
        seams::{Brought, Merged, bring_back, merge},
        tracker::{Glance, TrackStep, Tracker, TrackerConfig},
        turns,
    },
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
    attention: Attention,
    blackout: Blackout,
    tracker: Option<Tracker>,
    aspect: f32,
    last: Option<MediaTime>,
    /// The camera's own numbering to the site's.
    ids: HashMap<TrackId, TrackId>,
    ring: VecDeque<Frame>,
    /// The frame with the best sighting of each live track, and its score.
    best: BTreeMap<TrackId, (f32, Frame)>,
    /// What tracks look like; `None` where nobody wants to know.
    pub kept: Option<Keeper>,
}

impl Eye {
    /// Other masks are in force. What is kept is masked too; the gate begins anew, for an area that turns black is no motion.
    pub fn set_masks(&mut self, masks: Masks) {
        self.gate = Gate::masked(masks.blind());
        self.blackout = Blackout::new(masks);
        let best = self.best.values_mut().map(|(_, frame)| frame);
        self.ring.iter_mut().chain(best).for_each(|frame| self.blackout.apply(frame));
    }
    /// Blackens what is never shown; to be done before anything looks at the frame.
    pub fn mask(&mut self, frame: &mut Frame) {
        self.blackout.apply(frame);
    }
    /// The kept frame nearest to a time, of those within about a second of it.
    #[must_use]
    pub fn recent(&self, time: MediaTime) -> Option<&Frame> {
        let off = |f: &&Frame| f.time.since(time).abs();
        let kept = self.ring.iter().chain(self.best.values().map(|(_, frame)| frame));
        kept.min_by_key(off).filter(|f| off(f) <= 1_000_000)
    }
    /// Whether a key frame shows that the frames between it and the one before should be looked at.
    pub fn key_stirs(&mut self, frame: &Frame, scaler: &mut Scaler) -> bool {
        self.gate.key_stirs(frame, scaler)
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
    /// The extra classifiers.
    pub voters: Voters,
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
        Self {
            detector: None,
            voters: Voters::default(),
            totals: Totals::default(),
            problem: None,
            ids,
            scaler: Scaler::default(),
        }
    }
    /// Its scaler, for pictures made in the same thread.
    pub const fn scaler(&mut self) -> &mut Scaler {
        &mut self.scaler
    }
    /// Looks at the next frame of a camera with at most one run of the detector; `None` for one that is out of order.
    pub fn look(&mut self, eye: &mut Eye, frame: &Frame) -> Option<FrameSeen> {
        let mut noticed = [self.notice(eye, frame)?];
        self.spend(&mut noticed, 1);
        let [noticed] = noticed;
        Some(self.conclude(eye, noticed))
    }
    /// As [`look`](Self::look), but without asking what moves: each frame once, whole, or with every look there is.
    pub fn look_regardless(&mut self, eye: &mut Eye, frame: &Frame, tiles: bool) -> Option<FrameSeen> {
        let mut noticed = self.notice(eye, frame)?;
        if let Some(detector) = &mut self.detector {
            match brute::detect(detector, frame, tiles, &mut self.scaler) {
                Ok((found, runs)) => {
                    self.totals.inferences += runs;
                    self.totals.frames_not_a_number += u64::from(found.is_none());
                    noticed.everything = found;
                }
                Err(said) => self.problem = Some(said),
            }
        }
        Some(self.conclude(eye, noticed))
    }
    /// What moves in the next frame of a camera, and which looks it wants; `None` for one that is out of order.
    pub fn notice(&mut self, eye: &mut Eye, frame: &Frame) -> Option<Noticed> {
        let mut ended = Vec::new();
        if let Some(last) = eye.last.filter(|last| frame.time <= *last) {
            if last.since(frame.time) <= BACK_MAX_US {
                return None;
            }
            ended = eye.finish();
            eye.ring.clear();
            eye.gate.forget();
            eye.attention = Attention::default();
        }
        let aspect = frame.width as f32 / frame.height.max(1) as f32;
        if (aspect - eye.aspect).abs() > f32::EPSILON {
            ended.extend(eye.finish());
            (eye.aspect, eye.attention) = (aspect, Attention::default());
        }
        eye.last = Some(frame.time);
        self.totals.frames_analysed += 1;
        let motion = eye.gate.look(frame, &mut self.scaler);
        let tracker =
            eye.tracker.get_or_insert_with(|| Tracker::new(TrackerConfig { aspect, ..TrackerConfig::default() }, 1));
        let input = self.detector.as_ref().map_or([1, 1], Detector::input);
        let view = View { picture: (frame.width, frame.height), input };
        let wants = match self.detector {
            Some(_) => eye.attention.wants(frame.time, view, &motion, &tracker.predictions(frame.time)),
            None => Vec::new(),
        };
        let frame = frame.clone();
        Some(Noticed { frame, view, motion, ended, wants, shown: Vec::new(), brought: Vec::new(), everything: None })
    }
    /// Spends at most `runs` runs of the detector on the looks that the frames want, the most urgent first; none on
    /// looks of which none is due.
    pub fn spend(&mut self, noticed: &mut [Noticed], runs: usize) {
        let Some(detector) = &mut self.detector else { return };
        for _ in 0..runs {
            let waiting: Vec<(usize, Want)> =
                noticed.iter().enumerate().flat_map(|(i, n)| n.wants.iter().map(move |w| (i, *w))).collect();
            if !waiting.iter().any(|(_, want)| want.is_due()) {
                return;
            }
            self.totals.inferences_asked += 1;
            let [width, height] = detector.input();
            let mut canvas = Canvas::new(width, height);
            let mut placed: Vec<(usize, Want, Patch)> = Vec::new();
            for place in turns::order(&waiting, u64::from(width) * u64::from(height)) {
                let (index, want) = waiting[place];
                let (wide, high) = want.size();
                if let Some(target) = canvas.put(wide.min(width), high.min(height)) {
                    placed.push((index, want, Patch { source: want.source, target }));
                }
            }
            let shown: Vec<Shown<'_>> =
                placed.iter().map(|(i, _, patch)| Shown { frame: &noticed[*i].frame, patch: *patch }).collect();
            self.totals.inferences += 1;
            let found = match detector.look(&shown, &mut self.scaler) {
                Ok(Outcome::Found(found)) => found,
                Ok(Outcome::NotANumber) => {
                    self.totals.frames_not_a_number += 1;
                    return;
                }
                Err(said) => {
                    self.problem = Some(said);
                    return;
                }
            };
            let patches: Vec<Patch> = placed.iter().map(|(_, _, patch)| *patch).collect();
            let pictures: Vec<_> = placed.iter().map(|(i, ..)| noticed[*i].view.picture).collect();
            for brought in bring_back(&found, detector.input(), &patches, &pictures) {
                let noticed = &mut noticed[placed[brought.patch].0];
                // Looks are numbered over all canvases of the frame.
                let patch = noticed.shown.len() + brought.patch;
                noticed.brought.push(Brought { patch, ..brought });
            }
            for (index, want, _) in placed {
                let noticed = &mut noticed[index];
                noticed.wants.retain(|w| *w != want);
                noticed.shown.push(want);
            }
        }
        // What is due and has to wait would have taken so many more.
        let [width, height] = detector.input().map(u64::from);
        let due = noticed.iter().flat_map(|n| &n.wants).filter(|want| want.is_due());
        self.totals.inferences_asked += due.map(Want::pixels).sum::<u64>().div_ceil((width * height).max(1));
    }
    /// What the frame says, now that what was looked at is known.
    pub fn conclude(&mut self, eye: &mut Eye, noticed: Noticed) -> FrameSeen {
        let Noticed { frame, view, motion, mut ended, shown, brought, everything, .. } = noticed;
        let aspect = eye.aspect;
        let tracker =
            eye.tracker.get_or_insert_with(|| Tracker::new(TrackerConfig { aspect, ..TrackerConfig::default() }, 1));
        let looked_at: Vec<NormBox> = shown.iter().filter_map(|want| view.share(want.source)).collect();
        let whole = everything.is_some() || shown.iter().any(|w| w.whole);
        let mut found = match everything {
            Some(whole) => Some(Merged { whole, cut: Vec::new() }),
            None if shown.is_empty() => None,
            None => Some(merge(brought)),
        };
        if let Some(found) = &mut found {
            // A black area is seldom taken for something, but what is told of it must not be.
            found.whole.retain(|d| !eye.blackout.masks().hides_box(d.rect));
            eye.attention.looked(frame.time, view, &shown, &motion, found);
        }
        let glance = Glance {
            detections: found.as_ref().map(|f| f.whole.as_slice()),
            looked_at: (!whole).then_some(&looked_at),
            motion: Some(&motion),
            ..Glance::default()
        };
        let still = eye.gate.still(frame.time);
        let step = tracker.glance(frame.time, &glance);
        let (tracks, over) = eye.site_ids(step, &mut self.ids);
        let seen: Vec<_> = tracks.iter().filter(|p| p.confirmed && !p.held).map(|p| p.rect).collect();
        eye.gate.pardon(&seen);
        ended.extend(over);
        eye.pin(&frame, &tracks, &ended);
        let labels = self.voters.look(&frame, &tracks, &mut self.scaler, &mut self.problem);
        if let Some(kept) = &mut eye.kept {
            let found = found.as_ref().map_or(&[][..], |f| &f.whole);
            kept.frame(&frame, &tracks, &ended, found, &mut self.scaler);
        }
        eye.keep(&frame, !motion.is_empty() || !tracks.is_empty());
        FrameSeen { camera: frame.camera, time: frame.time, motion, tracks, ended, still, labels }
    }
}

/// A frame between its gate and its end.
#[derive(Debug)]
pub struct Noticed {
    frame: Frame,
    view: View,
    motion: Vec<NormBox>,
    ended: Vec<TrackId>,
    wants: Vec<Want>,
    shown: Vec<Want>,
    brought: Vec<Brought>,
    /// What brute force found.
    everything: Option<Vec<Detection>>,
}

impl Noticed {
    /// Whose frame it is.
    #[must_use]
    pub const fn camera(&self) -> CameraId {
        self.frame.camera
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
