//! Where to look in a frame, and how closely.
//!
//! In: what moves, where the followed objects should be, when each place was looked at and what that gave. Out: [`Want`]s,
//! the most urgent first: panels of the picture at a scale that shows what is expected there about [`SIDE_PX`] pixels
//! large. Whoever has room on a canvas shows as many as fit and says what was found ([`Attention::looked`]); what did not
//! fit grows more urgent.
//!
//! The picture is a grid of places. Each wants to be looked at at a scale and after a time: where an object was just met, in
//! every frame until it is believed; where a believed one moves, the sooner the faster it is; where something moves that
//! nobody follows, at once, and when nothing is found there, ever less often and at other scales. Panels grow around the
//! most urgent places and take in their neighbours: a detector knows things by what is around them, and finds half as much
//! in tight crops. The whole picture is looked at now and then, for what did not move and for what is larger than a panel.
//! Limits: [`WANTS_MAX`] wants a frame. It refuses to decide how much may be spent: see `turns`.

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
/// An object is shown about so large: the root of its box's area, pixels of the detector's input.
pub const SIDE_PX: f32 = 32.0;
/// Nothing is shown larger than this many times its own size.
const ZOOM_MAX: f32 = 2.0;
/// What is expected where nothing was seen yet: the root of its box's area, picture heights.
const SIDE_UNKNOWN: f32 = 0.08;
/// A panel shows at least so much around its places, pixels of the input, and has at least such sides.
const AROUND_PX: f32 = 16.0;
const PANEL_MIN_PX: f32 = 140.0;
/// Times between looks, seconds: at an object just met …
const MET_S: f32 = 0.15;
/// … at a believed one that moves, at least and at most …
const MOVING_S: (f32, f32) = (0.15, 0.8);
/// … in which it may go so much of its own size …
const MOVE_SIZES: f32 = 0.7;
/// … at motion nobody follows, doubled each time nothing is found, at most …
const MOTION_S: (f32, f32) = (0.3, 2.4);
/// … and at the whole picture while something moves, and while nothing does.
const WHOLE_S: (f32, f32) = (1.0, 20.0);
/// Places where nothing moves are looked at closely when there is room and that long ago was the last time.
const SWEEP_S: f32 = 2.0;
/// Motion within so many sizes of a followed object is its own: its shadow, its wheels.
const NEAR: f32 = 0.4;

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
    /// A box as whole pixels, even, inside the picture; at least `least` pixels wide and high where the picture has them.
    fn area(&self, rect: NormBox, least: f32) -> Area {
        let (w, h) = self.picture;
        let [x0, y0, x1, y1] = rect.corners();
        let along = |a: f32, b: f32, length: u32| {
            let (a, b, all) = (a * length as f32, b * length as f32, length as f32);
            let (middle, half) = ((a + b) / 2.0, ((b - a).max(least.min(all))) / 2.0);
            let middle = middle.clamp(half.min(all / 2.0), (all - half).max(all / 2.0));
            let from = (middle - half).max(0.0) as u32 & !1;
            let to = ((middle + half).ceil() as u32).next_multiple_of(2).min(length & !1).max(from + 2);
            (from, to - from)
        };
        let ((x, width), (y, height)) = (along(x0, x1, w), along(y0, y1, h));
        Area { x, y, width, height }
    }
}

/// What one camera's looks gave so far.
#[derive(Debug, Clone, Default)]
pub struct Attention {
    places: Places,
    whole: Option<MediaTime>,
}

impl Attention {
    /// The looks wanted at a frame, the most urgent first. Scales are such that each fits the input.
    #[must_use]
    pub fn wants(&self, time: MediaTime, view: View, motion: &[NormBox], followed: &[Prediction]) -> Vec<Want> {
        let mut demand = Demand::new();
        for p in followed.iter().filter(|p| !p.standing || p.wants_look) {
            let every = match (p.standing, p.confirmed) {
                (true, _) => MOVING_S.1,
                (_, false) => MET_S,
                (_, true) => (MOVE_SIZES / p.speed.max(1e-3)).clamp(MOVING_S.0, MOVING_S.1),
            };
            let scale = scale_for(view, view.side(p.object));
            for i in places::cells(p.rect) {
                demand.ask(i, scale, p.unseen_s.max(1e-3) / every);
            }
        }
        let near: Vec<usize> = followed.iter().flat_map(|p| places::cells(p.object.grown(NEAR))).collect();
        for i in motion.iter().flat_map(|region| places::cells(*region)) {
            if !demand.is_asked(i) && !near.contains(&i) {
                let (scale, urgency) = self.unfollowed(time, view, i);
                demand.ask(i, scale, urgency);
            }
        }
        let rest = self.sweep(time, view, &demand);
        let mut wants = demand.panels(view);
        wants.extend(rest.panels(view));
        let busy = !motion.is_empty() || followed.iter().any(|p| !p.standing);
        let every = if busy { WHOLE_S.0 } else { WHOLE_S.1 };
        wants.push(Want {
            source: Area { x: 0, y: 0, width: view.picture.0, height: view.picture.1 },
            scale: view.fit(),
            urgency: self.whole.map_or(f32::INFINITY, |last| since_s(time, last) / every),
            whole: true,
        });
        wants.sort_by(|a, b| b.urgency.total_cmp(&a.urgency));
        wants.truncate(WANTS_MAX);
        wants
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
            1 => (usual * 2.0).min(ZOOM_MAX),
            _ => (usual / 2.0).max(view.fit()),
        };
        (scale, (since / every).min(10.0))
    }

    /// What was shown of a frame (parts in pixels of the picture), what moved in it, what was found, and what was seen
    /// only in part.
    pub fn looked(&mut self, time: MediaTime, view: View, shown: &[Want], motion: &[NormBox], found: &Merged) {
        if shown.iter().any(|w| w.whole) {
            self.whole = Some(time);
        }
        for d in found.whole.iter().filter(|d| d.score >= 0.3) {
            self.places.saw(d.rect, view.side(d.rect) / view.picture.1.max(1) as f32);
        }
        for place in shown.iter().filter(|want| !want.whole).filter_map(|want| view.share(want.source)) {
            self.places.looked(time, place, motion, found);
        }
    }
}

fn since_s(time: MediaTime, last: MediaTime) -> f32 {
    (time.since(last) as f64 / 1e6).max(0.0) as f32
}

/// The scale that shows something of that side (pixels of the picture) as a detector likes it.
fn scale_for(view: View, side: f32) -> f32 {
    (SIDE_PX / side.max(1.0)).clamp(view.fit(), ZOOM_MAX.max(view.fit()))
}
