//! Where to look in a frame, and how closely.
//!
//! In: what moves, where the followed objects should be, when each place was looked at and what that gave. Out: [`Want`]s,
//! the most urgent first: panels of the picture at a scale that shows what is expected there about [`SIDE_PX`] pixels
//! large. Whoever has room on a canvas shows as many as fit and says what was found ([`Attention::looked`]); what did not
//! fit grows more urgent.
//!
//! The picture is a grid of places. Each becomes due after a time: where an object was just met, in every frame until it is
//! believed; where a believed one moves, the sooner the faster it is; where something moves that nobody follows, at once,
//! and when nothing is found there, ever less often and at other scales; where nothing moves, ever less often. Of those
//! that are due the one looked at longest ago comes first: a steady beat over all of a busy picture follows more than
//! haste where something is new. The whole picture is looked at now and then, for what did not move and for what is
//! larger than a panel. Limits: [`WANTS_MAX`] wants a frame. It refuses to decide how much may be spent: see `turns`.

use super::{pack::Area, seams::Merged, tracker::Prediction};
use crate::domain::{geometry::NormBox, time::MediaTime};

use panels::Demand;
pub use panels::starts;
use places::Places;

mod panels;
mod places;
#[cfg(test)]
mod tests;

/// Wants a frame may have.
pub const WANTS_MAX: usize = 48;
/// An object is shown about so large: the root of its box's area, pixels of the detector's input; never larger than it is.
pub const SIDE_PX: f32 = 32.0;
/// … but where looks have found nothing, up to so many times.
const CLOSEST: f32 = 2.0;
/// What is expected where nothing was seen yet: the root of its box's area, picture heights.
const SIDE_UNKNOWN: f32 = 0.08;
/// With more moving objects than this a picture is crowded.
const CROWD: usize = 3;
/// Times between looks, seconds: at an object just met …
const MET_S: f32 = 0.15;
/// … at a believed one that moves, at least, at most, and at most in a crowd, where neighbours are taken for each other …
const MOVING_S: (f32, f32, f32) = (0.15, 0.8, 0.4);
/// … in which it may go so much of its own size …
const MOVE_SIZES: f32 = 0.7;
/// … at one where nothing moves, doubled with each look after so many, at most …
const STILL_S: (u8, f32) = (5, 19.2);
/// … at motion nobody follows, doubled each time nothing is found, at most …
const MOTION_S: (f32, f32) = (0.3, 2.4);
/// … and at the whole picture while it is crowded, while something moves, and while nothing does.
const WHOLE_S: (f32, f32, f32) = (1.0, 2.0, 20.0);
/// … and, unless it is crowded, when a look has cut something: only a wider one tells what it is.
const WHOLE_CUT_S: f32 = 0.4;
/// So long after the last motion anywhere a picture is calm, seconds.
const CALM_S: f32 = 3.0;
/// Places where nothing moves are looked at closely when there is room and that long ago was the last time.
const SWEEP_S: f32 = 2.0;
/// Motion within so many sizes of a followed object is its own: its shadow, its wheels.
const NEAR: f32 = 0.4;
/// What is shown up to so much larger is shown alike.
const ENLARGED: f32 = 1.3;
/// Beyond this, seconds, it does not matter how long ago something was looked at.
const LONG_AGO_S: f32 = 60.0;

/// A look that is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Want {
    /// Which part of the picture, pixels, even numbers.
    pub source: Area,
    /// Pixels of the input for one of the picture.
    pub scale: f32,
    /// 1 and more: due. Less: welcome when there is room.
    pub urgency: f32,
    /// Whether it is the look at everything.
    pub whole: bool,
}

impl Want {
    /// Whether it should be shown now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.urgency >= 1.0
    }
    /// Pixels of the canvas it takes.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        let (w, h) = self.size();
        u64::from(w) * u64::from(h)
    }
    /// Its size on the canvas, pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        let side = |v: u32| ((v as f32 * self.scale).round() as u32).max(1);
        (side(self.source.width), side(self.source.height))
    }
}

/// What is looked at: a picture of that size for a detector with that input, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Width and height of the picture.
    pub picture: (u32, u32),
    /// Width and height of the detector's input.
    pub input: [u32; 2],
}

impl View {
    /// The scale at which the whole picture fits the input.
    #[must_use]
    pub fn fit(&self) -> f32 {
        let (w, h) = self.picture;
        (self.input[0] as f32 / w.max(1) as f32).min(self.input[1] as f32 / h.max(1) as f32)
    }
    /// Pixels of the picture as a share of it.
    #[must_use]
    pub fn share(&self, area: Area) -> Option<NormBox> {
        let (w, h) = (self.picture.0.max(1) as f32, self.picture.1.max(1) as f32);
        let [x0, y0, x1, y1] = area.corners();
        NormBox::new(x0 / w, y0 / h, x1 / w, y1 / h)
    }
    /// The root of a box's area, pixels of the picture.
    fn side(&self, rect: NormBox) -> f32 {
        (rect.area() * self.picture.0 as f32 * self.picture.1 as f32).sqrt()
    }
}

/// What one camera's looks gave so far.
#[derive(Debug, Clone, Default)]
pub struct Attention {
    places: Places,
    whole: Option<MediaTime>,
    /// Something was seen only in part since.
    cut: bool,
    /// Where something is followed that is so large that the whole picture shows it as well as any look.
    large: Vec<usize>,
    /// When something moved last, anywhere.
    moved: Option<MediaTime>,
}

impl Attention {
    /// The looks wanted at a frame, the most urgent first. Scales are such that each fits the input.
    #[must_use]
    pub fn wants(&mut self, time: MediaTime, view: View, motion: &[NormBox], followed: &[Prediction]) -> Vec<Want> {
        let mut demand = Demand::new();
        let moves = |p: &Prediction| motion.iter().any(|m| m.meets(p.object.grown(NEAR)));
        let crowded = followed.iter().filter(|p| !p.standing && moves(p)).count() > CROWD;
        self.large.clear();
        if !motion.is_empty() {
            self.moved = Some(time);
        }
        let calm = since_s(time, *self.moved.get_or_insert(time)) >= CALM_S;
        for p in followed.iter().filter(|p| !p.standing || p.wants_look) {
            let moves = moves(p);
            let every = self.every_s(p, moves, crowded, calm);
            let scale = scale_for(view, view.side(p.object));
            if calm && scale <= ENLARGED * view.fit() {
                self.large.extend(places::cells(p.rect));
            }
            for i in places::cells(p.rect) {
                // What was not found while nothing moves is not there, or not to be told: that it is unseen is no haste.
                let looked =
                    self.places.last_look(i).filter(|_| calm).map_or(f32::INFINITY, |last| since_s(time, last));
                demand.ask(i, scale, self.turn(time, i, p.unseen_s.min(looked).max(1e-3) / every));
            }
        }
        let near: Vec<usize> = followed.iter().flat_map(|p| places::cells(p.object.grown(NEAR))).collect();
        for i in motion.iter().flat_map(|region| places::cells(*region)) {
            if !demand.is_asked(i) && !near.contains(&i) {
                let (scale, urgency) = self.unfollowed(time, view, i);
                demand.ask(i, scale, self.turn(time, i, urgency));
            }
        }
        // Where nothing has moved for a while nothing has come that the look at everything would not show.
        let rest = (!calm).then(|| self.sweep(time, view, &demand));
        let mut wants = demand.panels(view);
        wants.extend(rest.into_iter().flat_map(|rest| rest.panels(view)));
        let every = match (motion.is_empty(), crowded) {
            (_, false) if self.cut && motion.len() <= CROWD => WHOLE_CUT_S,
            (true, _) => WHOLE_S.2,
            (false, false) => WHOLE_S.1,
            (false, true) => WHOLE_S.0,
        };
        wants.push(Want {
            source: Area { x: 0, y: 0, width: view.picture.0, height: view.picture.1 },
            scale: view.fit(),
            urgency: self.whole.map_or(f32::INFINITY, |last| in_turn(since_s(time, last) / every, since_s(time, last))),
            whole: true,
        });
        wants.sort_by(|a, b| b.urgency.total_cmp(&a.urgency));
        wants.truncate(WANTS_MAX);
        wants
    }
    /// The time between looks at a followed object, seconds.
    fn every_s(&self, p: &Prediction, moves: bool, crowded: bool, calm: bool) -> f32 {
        let slowest = if crowded { MOVING_S.2 } else { MOVING_S.1 };
        let every = match (p.standing, p.confirmed) {
            (true, _) => MOVING_S.1,
            (false, false) => MET_S,
            (false, true) if !moves => MOVING_S.1,
            (false, true) => (MOVE_SIZES / p.speed.max(1e-3)).clamp(MOVING_S.0, slowest),
        };
        if moves {
            return every;
        }
        // Where nothing moves, the first looks have told everything.
        let still = places::cells(p.object).map(|i| self.places.still(i));
        let still = if calm { still.max() } else { still.min() }.unwrap_or(0);
        every.max((MET_S * 2f32.powi(still.saturating_sub(STILL_S.0).into())).min(STILL_S.1))
    }
    /// The urgency of a place: what is due comes in the order of the last looks.
    fn turn(&self, time: MediaTime, place: usize, urgency: f32) -> f32 {
        in_turn(urgency, self.places.last_look(place).map_or(LONG_AGO_S, |last| since_s(time, last)))
    }
    /// Places that nobody asks for: the longer ago the last look, the more welcome, but never due.
    fn sweep(&self, time: MediaTime, view: View, asked: &Demand) -> Demand {
        let mut rest = Demand::new();
        for i in (0..places::ACROSS * places::DOWN).filter(|i| !asked.is_asked(*i)) {
            let memory = self.places.about(i);
            let unseen_s = memory.looked.map_or(f32::INFINITY, |last| since_s(time, last));
            if unseen_s >= SWEEP_S {
                let usual = scale_for(view, memory.size.unwrap_or(SIDE_UNKNOWN) * view.picture.1 as f32);
                rest.ask(i, usual, 1.0 - SWEEP_S / (unseen_s + SWEEP_S) - 1e-3);
            }
        }
        rest
    }
    /// Scale and urgency of a place where something moves that nobody follows.
    fn unfollowed(&self, time: MediaTime, view: View, place: usize) -> (f32, f32) {
        let memory = self.places.about(place);
        let since = memory.looked.map_or(f32::INFINITY, |last| since_s(time, last));
        let every = (MOTION_S.0 * 2f32.powi(memory.barren.min(8).into())).min(MOTION_S.1);
        let usual = scale_for(view, memory.size.unwrap_or(SIDE_UNKNOWN) * view.picture.1 as f32);
        // What was not found is rather too small than too large.
        let scale = match memory.barren % 3 {
            0 => usual,
            1 => (usual * 2.0).min(CLOSEST),
            _ => (usual / 2.0).max(view.fit()),
        };
        (scale, (since / every).min(10.0))
    }

    /// What was shown of a frame (parts in pixels of the picture), what moved in it, what was found, and what was seen
    /// only in part.
    pub fn looked(&mut self, time: MediaTime, view: View, shown: &[Want], motion: &[NormBox], found: &Merged) {
        let whole = shown.iter().any(|w| w.whole);
        if whole {
            self.whole = Some(time);
        }
        self.cut = !whole && (self.cut || !found.cut.is_empty());
        for d in found.whole.iter().filter(|d| d.score >= 0.3) {
            self.places.saw(d.rect, view.side(d.rect) / view.picture.1.max(1) as f32);
        }
        let seen: Vec<NormBox> = shown.iter().filter(|w| !w.whole).filter_map(|w| view.share(w.source)).collect();
        for i in 0..places::ACROSS * places::DOWN {
            let Some(place) = places::rect(i) else { continue };
            // The whole picture is a look at those places only that would not be shown larger by themselves.
            let in_whole = || whole && self.unfollowed(time, view, i).0 <= ENLARGED * view.fit();
            let in_large = || whole && self.large.contains(&i);
            if seen.iter().any(|region| region.meets(place)) || in_large() {
                self.places.looked(time, i, motion, found);
            } else if in_whole() {
                self.places.glanced(time, i);
            }
        }
    }
}

fn since_s(time: MediaTime, last: MediaTime) -> f32 {
    (time.since(last) as f64 / 1e6).max(0.0) as f32
}

/// 1 and more for what is due (0..1 for what is not): the longer ago it was looked at, the more. What would be due a
/// moment later is due now: the next frame comes a fifth of a second later.
fn in_turn(urgency: f32, since_s: f32) -> f32 {
    if urgency < 0.98 { urgency } else { 1.0 + since_s.min(LONG_AGO_S) }
}

/// The scale that shows something of that side (pixels of the picture) as a detector likes it.
fn scale_for(view: View, side: f32) -> f32 {
    (SIDE_PX / side.max(1.0)).clamp(view.fit(), view.fit().max(1.0))
}
