//! From places that want a look to panels of the picture.
//!
//! The picture is laid out in overlapping tiles as large as the detector's input, always the same ones at one scale: an
//! object is cut by a tile's edge or it is not, but not now and then. A tile in which a place wants a look is shown whole,
//! for a detector knows things by what is around them. The scale is the finest that any place wants, but such that all
//! that is wanted is seen within [`PERIOD`] frames: seen often and small, things are followed; seen large and seldom, they
//! are not.

use super::places::{ACROSS, DOWN};
use super::{View, WANTS_MAX, Want};
use crate::logic::pack::Area;

/// The share of a tile that its neighbour shows too, at least.
const OVERLAP: f32 = 0.25;
/// Frames in which all that is wanted is to be seen once, one run of the detector for each.
const PERIOD: f32 = 2.0;
/// A scale at which that takes longer is made smaller in such steps.
const SMALLER: f32 = 0.85;

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

fn tiles(scale: f32, view: View) -> Vec<Area> {
    let side = |input: u32, length: u32| (((input as f32 / scale) as u32) & !1).clamp(2, length.max(2));
    let (width, height) = (side(view.input[0], view.picture.0), side(view.input[1], view.picture.1));
    let down = starts(view.picture.1, height);
    let across = starts(view.picture.0, width);
    across.into_iter().flat_map(|x| down.iter().map(move |y| Area { x, y: *y, width, height })).collect()
}

/// How far the middles are apart, along the axis where it is more.
fn apart(a: Area, b: Area) -> i64 {
    let middle = |from: u32, length: u32| i64::from(from) + i64::from(length) / 2;
    let dx = middle(a.x, a.width) - middle(b.x, b.width);
    let dy = middle(a.y, a.height) - middle(b.y, b.height);
    dx.abs().max(dy.abs())
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
        let room = PERIOD * view.input[0] as f32 * view.input[1] as f32;
        let mut scale = self.0.iter().flatten().map(|(scale, _)| *scale).fold(view.fit(), f32::max);
        loop {
            let wants = self.at(scale, view);
            let cost: f32 = wants.iter().map(|w| w.pixels() as f32).sum();
            if cost <= room || scale <= view.fit() {
                return wants;
            }
            scale = (scale * SMALLER).max(view.fit());
        }
    }
    /// The tiles at that scale in which something is wanted.
    fn at(&self, scale: f32, view: View) -> Vec<Want> {
        let mut open: Vec<Option<f32>> = self.0.iter().map(|d| d.map(|(_, urgency)| urgency)).collect();
        let tiles = tiles(scale, view);
        let mut wants = Vec::new();
        while wants.len() < WANTS_MAX {
            let asked = open.iter().enumerate().filter_map(|(i, urgency)| urgency.map(|u| (i, u)));
            let Some((seed, urgency)) = asked.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))) else { break };
            let here = place_area(seed, view);
            let Some(tile) = tiles.iter().copied().min_by_key(|tile| apart(*tile, here)) else { break };
            for (place, asked) in open.iter_mut().enumerate() {
                if tile.holds(place_area(place, view)) {
                    *asked = None;
                }
            }
            open[seed] = None;
            wants.push(shown(tile, scale, urgency, view));
        }
        wants
    }
}

/// A look at a part, at a smaller scale if it does not fit the input.
fn shown(source: Area, scale: f32, urgency: f32, view: View) -> Want {
    let across = view.input[0] as f32 / source.width as f32;
    let down = view.input[1] as f32 / source.height as f32;
    let whole = source.width >= view.picture.0 & !1 && source.height >= view.picture.1 & !1;
    Want { source, scale: scale.min(across).min(down), urgency, whole }
}
