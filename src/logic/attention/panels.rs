//! From places that want a look to panels of the picture.
//!
//! At each of some scales the picture is laid out in overlapping tiles as large as the detector's input, always the same
//! ones: an object is cut by a tile's edge or it is not, but not now and then. A panel is the part of a tile in which places
//! want a look. When all that is wanted would take longer than [`PERIOD`] frames to be seen once, everything is shown
//! smaller: seen often and small, things are followed; seen large and seldom, they are not.

use super::places::{ACROSS, DOWN};
use super::{AROUND_PX, PANEL_MIN_PX, View, WANTS_MAX, Want};
use crate::{domain::geometry::NormBox, logic::pack::Area};

/// From one scale to the next.
const STEP: f32 = 1.6;
/// The share of a tile that its neighbour shows too, at least.
const OVERLAP: f32 = 0.25;
/// Frames in which all that is wanted is to be seen once, one run of the detector for each …
const PERIOD: f32 = 3.0;
/// … of which so much can be filled.
const FILLED: f32 = 0.8;

/// A panel that would take so much of its tile shows all of it.
const LARGE: f32 = 0.4;

/// What each place wants: scale and urgency.
#[derive(Debug, Clone)]
pub(super) struct Demand(Vec<Option<(f32, f32)>>);

/// Starts of tiles of `side` pixels along `length` pixels: even numbers, evenly spread, overlapping by a quarter.
#[must_use]
pub fn starts(length: u32, side: u32) -> Vec<u32> {
    if length <= side {
        return vec![0];
    }
    let step = (side as f32 * (1.0 - OVERLAP)).max(1.0);
    let steps = ((length - side) as f32 / step).ceil().max(1.0);
    (0..=steps as u32).map(|i| ((length - side) as f32 * i as f32 / steps) as u32 & !1).collect()
}

/// The place's rectangle, pixels of the picture.
fn place_area(place: usize, view: View) -> Area {
    let along = |index: usize, count: usize, length: u32| {
        let at = |i: usize| (length as usize * i / count) as u32;
        (at(index), at(index + 1) - at(index))
    };
    let ((x, width), (y, height)) =
        (along(place % ACROSS, ACROSS, view.picture.0), along(place / ACROSS, DOWN, view.picture.1));
    Area { x, y, width, height }
}

fn around(a: Area, b: Area) -> Area {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    let (right, bottom) = ((a.x + a.width).max(b.x + b.width), (a.y + a.height).max(b.y + b.height));
    Area { x, y, width: right - x, height: bottom - y }
}

/// One scale with its tiles.
struct Level {
    scale: f32,
    tiles: Vec<Area>,
}

fn level(scale: f32, view: View) -> Level {
    let side = |input: u32, length: u32| (((input as f32 / scale) as u32) & !1).clamp(2, length.max(2));
    let (width, height) = (side(view.input[0], view.picture.0), side(view.input[1], view.picture.1));
    let down = starts(view.picture.1, height);
    let across = starts(view.picture.0, width);
    let tiles = across.into_iter().flat_map(|x| down.iter().map(move |y| Area { x, y: *y, width, height })).collect();
    Level { scale, tiles }
}

impl Demand {
    pub fn new() -> Self {
        Self(vec![None; ACROSS * DOWN])
    }
    pub fn is_asked(&self, place: usize) -> bool {
        self.0[place].is_some()
    }
    /// A place wants a look: of several askers the most urgent counts, and the finest scale.
    pub fn ask(&mut self, place: usize, scale: f32, urgency: f32) {
        let (fine, urgent) = self.0[place].unwrap_or((0.0, 0.0));
        self.0[place] = Some((scale.max(fine), urgency.max(urgent)));
    }
    /// The panels, the most urgent first.
    pub fn panels(self, view: View) -> Vec<Want> {
        let mut less = 1.0;
        let room = PERIOD * FILLED * view.input[0] as f32 * view.input[1] as f32;
        loop {
            let wants = self.at(less, view);
            let cost: f32 = wants.iter().map(|w| w.pixels() as f32).sum();
            if cost <= room || less < 0.05 {
                return wants;
            }
            less *= 0.85;
        }
    }
    /// The panels when everything is shown `less` (0..=1) as large as it would like.
    fn at(&self, less: f32, view: View) -> Vec<Want> {
        let base = view.fit();
        // The level at or just under the scale wanted.
        let index = |scale: f32| ((scale * less / base).max(1.0).ln() / STEP.ln() + 0.3).floor() as i32;
        let mut open: Vec<Option<(i32, f32)>> = self.0.iter().map(|d| d.map(|(s, u)| (index(s), u))).collect();
        let mut levels: std::collections::BTreeMap<i32, Level> = std::collections::BTreeMap::new();
        let mut wants = Vec::new();
        while wants.len() < WANTS_MAX {
            let asked = open.iter().enumerate().filter_map(|(i, d)| d.map(|(l, urgency)| (i, l, urgency)));
            let Some((seed, number, urgency)) = asked.max_by(|a, b| a.2.total_cmp(&b.2).then(b.0.cmp(&a.0))) else {
                break;
            };
            let level = levels.entry(number).or_insert_with(|| level(base * STEP.powi(number), view));
            let here = place_area(seed, view);
            let off = |tile: &Area| {
                let middle = |from: u32, length: u32| i64::from(from) + i64::from(length) / 2;
                let (dx, dy) = (
                    middle(tile.x, tile.width) - middle(here.x, here.width),
                    middle(tile.y, tile.height) - middle(here.y, here.height),
                );
                dx.abs().max(dy.abs())
            };
            let Some(tile) = level.tiles.iter().copied().min_by_key(off) else { break };
            let mut part = here;
            for (place, asked) in open.iter_mut().enumerate() {
                let there = place_area(place, view);
                if asked.is_some_and(|(l, _)| l == number) && tile.holds(there) {
                    part = around(part, there);
                    *asked = None;
                }
            }
            open[seed] = None;
            // A run of the detector that would be half empty shows more of what is around.
            let large = part.pixels() as f32 > LARGE * tile.pixels() as f32;
            let want = if large {
                Some(fitting(tile, level.scale, urgency, view))
            } else {
                panel(part, level.scale, urgency, view)
            };
            wants.extend(want);
        }
        wants
    }
}

fn panel(part: Area, scale: f32, urgency: f32, view: View) -> Option<Want> {
    let around = AROUND_PX / scale;
    let [x0, y0, x1, y1] = view.share(part)?.corners();
    let (w, h) = (view.picture.0.max(1) as f32, view.picture.1.max(1) as f32);
    let rect = NormBox::new(x0 - around / w, y0 - around / h, x1 + around / w, y1 + around / h)?;
    let source = view.area(rect, PANEL_MIN_PX / scale);
    Some(fitting(source, scale, urgency, view))
}

/// A look at a part, at a smaller scale if it does not fit the input.
fn fitting(source: Area, scale: f32, urgency: f32, view: View) -> Want {
    let across = view.input[0] as f32 / source.width as f32;
    let down = view.input[1] as f32 / source.height as f32;
    let whole = source.width >= view.picture.0 & !1 && source.height >= view.picture.1 & !1;
    Want { source, scale: scale.min(across).min(down), urgency, whole }
}
