//! Which sighting belongs to which object: a cost for every possible pair, and the cheapest assignment of all.

use pathfinding::prelude::{Matrix, kuhn_munkres_min};

use super::filter::{Filter, Shape};
use crate::domain::{
    detection::{Class, Detection},
    geometry::NormBox,
};

/// Costs are whole numbers for the solver; this is 1.0.
const SCALE: f64 = 100_000.0;
/// The cost of leaving an object without a sighting; a dearer pair is never made.
const MISS: i64 = SCALE as i64;
/// A pair that cannot be. Far above any sum of real costs, far below an overflow.
const NEVER: i64 = MISS * 100_000;

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

/// What the costs depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gates {
    pub aspect: f64,
    /// Boxes are grown by this share of themselves before their overlap is taken.
    pub buffer: f64,
    /// A centre may be this many sizes off whatever the filter believes …
    pub slack: f64,
    /// … plus this many standard deviations of its belief …
    pub sigmas: f64,
    /// … but never more than this many sizes.
    pub reach_max: f64,
    /// Widths and heights may differ by this factor.
    pub size_ratio_max: f64,
}

/// An object as the assignment sees it.
pub(super) struct Candidate<'a> {
    pub filter: &'a Filter,
    pub class: Class,
    /// Added to each of its pairs: long unseen or not yet confirmed objects stand back.
    pub handicap: f64,
}

fn pair_cost(candidate: &Candidate<'_>, buffered: Option<NormBox>, seen: &Detection, gates: &Gates) -> i64 {
    let Some(class) = class_cost(candidate.class, seen.class) else { return NEVER };
    let (there, here) = (candidate.filter.shape(), Shape::of(seen.rect, gates.aspect));
    let ratio = |a: f64, b: f64| (a / b).max(b / a);
    let (wide, high) = (ratio(there.w, here.w), ratio(there.h, here.h));
    if wide.max(high) > gates.size_ratio_max {
        return NEVER;
    }
    // The larger of the two sizes: a box cut by the picture's edge is small, its object is not.
    let size = there.size().max(here.size());
    let reach = (gates.slack * size + gates.sigmas * candidate.filter.spread()).min(gates.reach_max * size);
    let distance = (there.x - here.x).hypot(there.y - here.y);
    if distance > reach {
        return NEVER;
    }
    let overlap = match (buffered, here.grown(gates.buffer, gates.aspect)) {
        (Some(a), Some(b)) => f64::from(a.iou(b)),
        _ => 0.0,
    };
    let shape = (wide.ln() + high.ln()) / (2.0 * gates.size_ratio_max.ln());
    let cost = 0.45 * (1.0 - overlap) + 0.4 * distance / reach + 0.15 * shape + class + candidate.handicap;
    let cost = (cost * SCALE).round() as i64;
    if cost < MISS { cost } else { NEVER }
}

/// The cheapest assignment: for every candidate the index of its sighting. Each sighting is given at most once.
pub(super) fn assign(candidates: &[Candidate<'_>], seen: &[&Detection], gates: &Gates) -> Vec<Option<usize>> {
    if candidates.is_empty() || seen.is_empty() {
        return vec![None; candidates.len()];
    }
    // One column of misses for every candidate: the solver needs at least as many columns as rows.
    let columns = seen.len() + candidates.len();
    let mut costs = Matrix::new(candidates.len(), columns, MISS);
    for (row, candidate) in candidates.iter().enumerate() {
        let buffered = candidate.filter.shape().grown(gates.buffer, gates.aspect);
        for (column, detection) in seen.iter().enumerate() {
            costs[(row, column)] = pair_cost(candidate, buffered, detection, gates);
        }
    }
    let (_, columns) = kuhn_munkres_min(&costs);
    columns
        .into_iter()
        .enumerate()
        .map(|(row, column)| (column < seen.len() && costs[(row, column)] < MISS).then_some(column))
        .collect()
}
