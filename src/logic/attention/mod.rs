//! Where to look in a frame, and how closely.
//!
//! In: what moves, where the followed objects should be, when each place was looked at and what that gave. Out: [`Want`]s,
//! the most urgent first: parts of the picture at a scale that shows what is expected there about [`SIDE_PX`] pixels
//! large, as a detector of this size likes it. Whoever has room on a canvas shows as many as fit and says what was found
//! ([`Attention::looked`]); what did not fit grows more urgent.
//!
//! An object just met is looked at in every frame until it is believed, a believed one so often that it moves no more than
//! a part of its size meanwhile; something moving that nobody follows is looked at at once, and when nothing is found
//! there, ever less often and at other scales; the whole picture now and then, for what did not move. Limits:
//! [`WANTS_MAX`] wants a frame. It refuses to decide how much may be spent: see `turns`.

use super::{pack::Area, tracker::Prediction};
use crate::domain::{detection::Detection, geometry::NormBox, time::MediaTime};

use places::Places;

mod places;
#[cfg(test)]
mod tests;

/// Wants a frame may have.
pub const WANTS_MAX: usize = 48;
/// An object is shown about so large: the root of its box's area, pixels of the detector's input.
pub const SIDE_PX: f32 = 56.0;
/// Nothing is shown larger than this many times its own size.
const ZOOM_MAX: f32 = 2.0;
/// Around an object so much of it is shown on every side: a detector knows things by what is around them.
const AROUND: f32 = 0.45;
/// A look has at least this side, pixels of the input.
const LOOK_MIN_PX: f32 = 64.0;
/// Times between looks, seconds: at an object just met …
const MET_S: f32 = 0.15;
/// … at a believed one that moves, at least and at most …
const MOVING_S: (f32, f32) = (0.15, 0.8);
/// … in which it may go so much of its own size …
const MOVE_SIZES: f32 = 0.5;
/// … at motion nobody follows, doubled each time nothing is found, at most …
const MOTION_S: (f32, f32) = (0.15, 2.4);
/// … and at the whole picture while something moves, and while nothing does.
const WHOLE_S: (f32, f32) = (0.9, 10.0);
/// Motion of which more than this share lies outside of all followed objects is nobody's.
const NOBODYS: f32 = 0.4;
/// Two looks become one when that takes no more than so many times their room.
const MERGE_COST: f32 = 1.1;

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
    /// Its size on the canvas, pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        let side = |v: u32| ((v as f32 * self.scale).round() as u32).max(1);
        (side(self.source.width), side(self.source.height))
    }
    fn cost(&self) -> f32 {
        let (w, h) = self.size();
        w as f32 * h as f32
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
        let mut wants: Vec<Want> = followed.iter().filter_map(|p| self.object(view, p)).collect();
        for region in motion {
            if uncovered(*region, followed) > NOBODYS {
                wants.extend(self.motion(time, view, *region));
            }
        }
        let mut wants = merged(wants, view);
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

    fn object(&self, view: View, p: &Prediction) -> Option<Want> {
        if p.standing && !p.wants_look {
            return None;
        }
        let every = match (p.standing, p.confirmed) {
            (true, _) => MOVING_S.1,
            (_, false) => MET_S,
            (_, true) => (MOVE_SIZES / p.speed.max(1e-3)).clamp(MOVING_S.0, MOVING_S.1),
        };
        let scale = scale_for(view, view.side(p.object));
        let source = view.area(p.rect.grown(AROUND), LOOK_MIN_PX / scale);
        let new = if p.confirmed { 0.0 } else { 0.5 };
        Some(fitting(Want { source, scale, urgency: p.unseen_s / every + new, whole: false }, view))
    }

    /// Looks at something moving that nobody follows: in pieces when it is larger than the input at the scale wanted.
    fn motion(&self, time: MediaTime, view: View, region: NormBox) -> Vec<Want> {
        let memory = self.places.about(region);
        let since = memory.looked.map_or(f32::INFINITY, |last| since_s(time, last));
        let every = (MOTION_S.0 * 2f32.powi(memory.barren.min(8).into())).min(MOTION_S.1);
        let [w, h] = [region.width() * view.picture.0 as f32, region.height() * view.picture.1 as f32];
        // What moves there is no larger than the region, and probably as large as what was seen there before.
        let size = memory.size.map_or(f32::INFINITY, |s| s * view.picture.1 as f32).min(w.min(h) * 0.9).max(1.0);
        let usual = scale_for(view, size);
        // What was not found is rather too small than too large.
        let scale = match memory.barren % 3 {
            0 => usual,
            1 => (usual * 2.0).min(ZOOM_MAX),
            _ => (usual / 2.0).max(view.fit()),
        };
        let urgency = (since / every).min(20.0);
        let source = view.area(region.grown(0.15), LOOK_MIN_PX / scale);
        pieces(source, scale, view).into_iter().map(|source| Want { source, scale, urgency, whole: false }).collect()
    }

    /// What was shown of a frame (parts in pixels of the picture), what moved in it and what was found.
    pub fn looked(&mut self, time: MediaTime, view: View, shown: &[Want], motion: &[NormBox], found: &[Detection]) {
        if shown.iter().any(|w| w.whole) {
            self.whole = Some(time);
        }
        for d in found.iter().filter(|d| d.score >= 0.3) {
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

/// The want, at a smaller scale if it does not fit the input.
fn fitting(want: Want, view: View) -> Want {
    let across = view.input[0] as f32 / want.source.width as f32;
    let down = view.input[1] as f32 / want.source.height as f32;
    Want { scale: want.scale.min(across).min(down), ..want }
}

/// A part cut into as few overlapping pieces as fit the input at that scale.
fn pieces(source: Area, scale: f32, view: View) -> Vec<Area> {
    let cut = |from: u32, length: u32, input: u32| {
        let most = ((input as f32 / scale) as u32 & !1).max(2);
        if length <= most {
            return vec![(from, length)];
        }
        let step = (most as f32 * 0.8) as u32;
        let steps = (length - most).div_ceil(step.max(1));
        (0..=steps).map(|i| (from + ((length - most) * i / steps & !1), most)).collect()
    };
    let down = cut(source.y, source.height, view.input[1]);
    let across = cut(source.x, source.width, view.input[0]);
    across
        .into_iter()
        .flat_map(|(x, width)| down.iter().map(move |(y, height)| Area { x, y: *y, width, height: *height }))
        .collect()
}

/// The share of a region that lies in no followed object's place.
fn uncovered(region: NormBox, followed: &[Prediction]) -> f32 {
    let [x0, y0, x1, y1] = region.corners();
    let shared = |p: &Prediction| {
        let [a0, b0, a1, b1] = p.rect.corners();
        (x1.min(a1) - x0.max(a0)).max(0.0) * (y1.min(b1) - y0.max(b0)).max(0.0)
    };
    1.0 - followed.iter().map(shared).sum::<f32>() / region.area()
}

/// Wants that share pixels become one where that costs little.
fn merged(mut wants: Vec<Want>, view: View) -> Vec<Want> {
    let mut i = 0;
    while i < wants.len() {
        let mut grew = false;
        let mut j = i + 1;
        while j < wants.len() {
            match together(&wants[i], &wants[j], view) {
                Some(both) => {
                    wants[i] = both;
                    wants.swap_remove(j);
                    grew = true;
                }
                None => j += 1,
            }
        }
        // One that grew may meet an earlier one now. Each round takes one away, so this ends.
        i = if grew { 0 } else { i + 1 };
    }
    wants
}

fn together(a: &Want, b: &Want, view: View) -> Option<Want> {
    let (p, q) = (a.source, b.source);
    let (x, y) = (p.x.min(q.x), p.y.min(q.y));
    let right = (p.x + p.width).max(q.x + q.width);
    let bottom = (p.y + p.height).max(q.y + q.height);
    let source = Area { x, y, width: right - x, height: bottom - y };
    let scale = a.scale.max(b.scale);
    let both = Want { source, scale, urgency: a.urgency.max(b.urgency), whole: false };
    let fits = both.size().0 <= view.input[0] && both.size().1 <= view.input[1];
    let similar = scale <= 1.6 * a.scale.min(b.scale);
    (fits && similar && both.cost() <= MERGE_COST * (a.cost() + b.cost())).then_some(both)
}
