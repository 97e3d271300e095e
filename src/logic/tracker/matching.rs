//! Which sighting belongs to which object: a cost for every possible pair, and the cheapest assignment of all.

use pathfinding::prelude::{Matrix, kuhn_munkres_min};

use super::{filter::Shape, track::Track};
use crate::{
    domain::detection::{Class, Detection},
    logic::colour::Appearance,
};

/// Costs are whole numbers for the solver; this is 1.0.
const SCALE: f64 = 100_000.0;
/// The cost of leaving an object without a sighting; a dearer pair is never made.
const MISS: i64 = SCALE as i64;
/// A pair that cannot be. Far above any sum of real costs, far below an overflow.
const NEVER: i64 = MISS * 100_000;
/// A shift of less than this many sizes is a detector's unrest and has no direction.
const UNREST: f64 = 0.15;

/// How much a sighting of class `b` speaks against an object of class `a`; `None` when it cannot be the same.
///
/// Detectors take cars, trucks and buses for one another, and see now the rider, now the machine.
pub(super) fn class_cost(a: Class, b: Class) -> Option<f64> {
    use Class::{Bicycle, Bus, Car, Motorcycle, Person, Truck};
    match (a, b) {
        _ if a == b => Some(0.0),
        (Car | Truck | Bus, Car | Truck | Bus) => Some(0.1),
        (Motorcycle | Bicycle, Motorcycle | Bicycle) => Some(0.15),
        (Person, Motorcycle | Bicycle) | (Motorcycle | Bicycle, Person) => Some(0.35),
        _ => None,
    }
}

/// A detection as the assignment sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting<'a> {
    pub detection: &'a Detection,
    pub shape: Shape,
    pub look: Option<&'a Appearance>,
}

/// What the costs of one round depend on. Lengths in sizes of the object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gates {
    pub aspect: f64,
    /// Boxes are grown by this share of themselves before their overlap is taken.
    pub buffer: f64,
    /// A centre may be this far off whatever the filter believes …
    pub slack: f64,
    /// … plus this many standard deviations of its belief.
    pub sigmas: f64,
    /// Widths and heights may differ by this factor.
    pub size_ratio_max: f64,
    /// What another look costs.
    pub look: f64,
}

/// An object as the assignment sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub track: &'a Track,
    /// Where it is looked for …
    pub there: Shape,
    /// … and one standard deviation of that, picture heights.
    pub spread: f64,
    /// The farthest it may be from there, sizes.
    pub reach_max: f64,
    /// Added to each of its pairs: long unseen or not yet confirmed objects stand back.
    pub handicap: f64,
}

/// One pair of an assignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// Index of the sighting.
    pub sighting: usize,
    /// How much dearer the cheapest other assignment of the two would be; `None` when there is no other.
    pub margin: Option<f64>,
}

/// How far the way to `seen` turns away from the way so far: 0 straight on, 1 straight back. Measured between
/// observations, which a filter led astray does not bend (Cao et al., "Observation-Centric SORT", 2023).
fn turn(track: &Track, seen: Shape) -> f64 {
    let Some((vx, vy)) = track.heading() else { return 0.0 };
    let last = track.last_shape();
    let (dx, dy) = (seen.x - last.x, seen.y - last.y);
    let (way, step) = (vx.hypot(vy), dx.hypot(dy));
    let unrest = UNREST * last.size();
    if way < unrest || step < unrest { 0.0 } else { (1.0 - (vx * dx + vy * dy) / (way * step)) / 2.0 }
}

fn pair_cost(candidate: &Candidate<'_>, seen: &Sighting<'_>, gates: &Gates) -> i64 {
    let Some(class) = class_cost(candidate.track.class, seen.detection.class) else { return NEVER };
    let (there, here) = (candidate.there, seen.shape);
    let ratio = |a: f64, b: f64| (a / b).max(b / a);
    let (wide, high) = (ratio(there.w, here.w), ratio(there.h, here.h));
    if wide.max(high) > gates.size_ratio_max {
        return NEVER;
    }
    // The larger of the two sizes: a box cut by the picture's edge is small, its object is not.
    let size = there.size().max(here.size());
    let reach = (gates.slack * size + gates.sigmas * candidate.spread).min(candidate.reach_max * size);
    let distance = (there.x - here.x).hypot(there.y - here.y);
    if distance > reach {
        return NEVER;
    }
    let overlap = there.grown(gates.buffer).iou(here.grown(gates.buffer), gates.aspect);
    let shape = (wide.ln() + high.ln()) / (2.0 * gates.size_ratio_max.ln());
    let look = candidate.track.look.as_ref().zip(seen.look).map_or(0.0, |(a, b)| f64::from(a.distance(b)));
    let cost = 0.5 * (1.0 - overlap)
        + 0.5 * distance / reach
        + 0.2 * shape
        + 0.3 * turn(candidate.track, here)
        + gates.look * look
        + class
        + candidate.handicap;
    let cost = (cost * SCALE).round() as i64;
    if cost < MISS { cost } else { NEVER }
}

/// How much dearer than the chosen cost the cheapest other pair in the same row or column is, the two together.
fn margin(costs: &Matrix<i64>, row: usize, column: usize, sightings: usize) -> Option<f64> {
    let chosen = costs[(row, column)];
    let other_track = (0..costs.rows).filter(|r| *r != row).map(|r| costs[(r, column)]).min();
    let other_sighting = (0..sightings).filter(|c| *c != column).map(|c| costs[(row, c)]).min();
    let dearer = |other: Option<i64>| other.filter(|c| *c < MISS).map(|c| (c - chosen) as f64 / SCALE);
    match (dearer(other_track), dearer(other_sighting)) {
        (None, None) => None,
        (a, b) => Some((a.unwrap_or(0.0) + b.unwrap_or(0.0)).max(0.0)),
    }
}

/// The cheapest assignment: for every candidate its sighting. Each sighting is given at most once.
pub(super) fn assign(candidates: &[Candidate<'_>], seen: &[Sighting<'_>], gates: &Gates) -> Vec<Option<Pair>> {
    if candidates.is_empty() || seen.is_empty() {
        return vec![None; candidates.len()];
    }
    // One column of misses for every candidate: the solver needs at least as many columns as rows.
    let columns = seen.len() + candidates.len();
    let mut costs = Matrix::new(candidates.len(), columns, MISS);
    for (row, candidate) in candidates.iter().enumerate() {
        for (column, sighting) in seen.iter().enumerate() {
            costs[(row, column)] = pair_cost(candidate, sighting, gates);
        }
    }
    let (_, columns) = kuhn_munkres_min(&costs);
    columns
        .into_iter()
        .enumerate()
        .map(|(row, column)| {
            let real = column < seen.len() && costs[(row, column)] < MISS;
            real.then(|| Pair { sighting: column, margin: margin(&costs, row, column, seen.len()) })
        })
        .collect()
}
