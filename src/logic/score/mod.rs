//! How well a tracker follows: its tracks against the truth, by CLEAR MOT and by IDF1.
//!
//! In: for each frame the true boxes and the tracker's, each with an identity. Out: counts and the usual ratios, as
//! defined by Bernardin and Stiefelhagen ("Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics",
//! 2008) and Ristani et al. ("Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016). A
//! true box and a tracker's box can be one object when they overlap by [`IOU_MIN`] or more.
//!
//! Limits: none of its own; frames are compared one by one, so it takes what fits in memory.

pub mod recall;

use std::collections::{BTreeMap, HashMap};

use pathfinding::prelude::{Matrix, kuhn_munkres_min};

/// Least intersection over union of two boxes that can be one object.
pub const IOU_MIN: f64 = 0.5;

/// A box under a name. Not cut at the picture's edge, as the published truths are not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labelled {
    /// Whose; the same in all frames.
    pub id: i64,
    /// Left, top, right, bottom, in any unit.
    pub corners: [f64; 4],
}

/// The boxes of each frame, by the frame's number or time.
pub type Frames = BTreeMap<i64, Vec<Labelled>>;

impl Labelled {
    /// Intersection over union, 0..=1.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f64 {
        let ([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) = (self.corners, other.corners);
        let shared = (ax1.min(bx1) - ax0.max(bx0)).max(0.0) * (ay1.min(by1) - ay0.max(by0)).max(0.0);
        let all = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
}

/// Reads MOTChallenge lines: frame, id, left, top, width, height and more, which is not looked at
/// (<https://motchallenge.net/instructions/>).
///
/// # Errors
/// The first line that is none, by its number.
pub fn read_mot(text: &str) -> Result<Frames, String> {
    let mut frames = Frames::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let numbers: Result<Vec<f64>, _> = line.split(',').take(6).map(|v| v.trim().parse::<f64>()).collect();
        let [frame, id, left, top, width, height] = numbers.unwrap_or_default()[..] else {
            return Err(format!("line {} is not frame,id,left,top,width,height: {line}", number + 1));
        };
        let corners = [left, top, left + width, top + height];
        frames.entry(frame as i64).or_default().push(Labelled { id: id as i64, corners });
    }
    Ok(frames)
}

/// What the comparison counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    /// True boxes.
    pub truth: usize,
    /// The tracker's boxes.
    pub found: usize,
    /// True boxes nobody found.
    pub misses: usize,
    /// The tracker's boxes that are nothing.
    pub false_positives: usize,
    /// How often a true object was found under another name than before.
    pub switches: usize,
    /// Boxes that agree when each true object is given the one name that fits the whole sequence best.
    pub id_true_positives: usize,
}

impl Score {
    /// 1 less the share of errors in all true boxes; below 0 when there are more errors than boxes.
    #[must_use]
    pub fn mota(&self) -> f64 {
        let errors = self.misses + self.false_positives + self.switches;
        1.0 - errors as f64 / self.truth.max(1) as f64
    }
    /// Of all boxes, the true ones' and the tracker's, the share that agrees in place and name; 0..=1.
    #[must_use]
    pub fn idf1(&self) -> f64 {
        2.0 * self.id_true_positives as f64 / (self.truth + self.found).max(1) as f64
    }
}

/// Compares a tracker's boxes with the true ones. A frame that only one of them has counts too.
#[must_use]
pub fn score(truth: &Frames, found: &Frames) -> Score {
    let mut score = Score::default();
    let mut names: HashMap<i64, i64> = HashMap::new();
    let mut together: BTreeMap<(i64, i64), usize> = BTreeMap::new();
    let mut frames: Vec<i64> = truth.keys().chain(found.keys()).copied().collect();
    frames.sort_unstable();
    frames.dedup();
    for frame in frames {
        let of = |all: &Frames| all.get(&frame).cloned().unwrap_or_default();
        let (real, seen) = (of(truth), of(found));
        for (a, b) in real.iter().flat_map(|a| seen.iter().map(move |b| (a, b))) {
            if a.iou(b) >= IOU_MIN {
                *together.entry((a.id, b.id)).or_default() += 1;
            }
        }
        let pairs = correspond(&real, &seen, &names);
        for (a, b) in &pairs {
            score.switches += usize::from(names.insert(*a, *b).is_some_and(|before| before != *b));
        }
        score.truth += real.len();
        score.found += seen.len();
        score.misses += real.len() - pairs.len();
        score.false_positives += seen.len() - pairs.len();
    }
    score.id_true_positives = agreeing(&together);
    score
}

/// CLEAR MOT's correspondences of one frame, as (true object, track): a pair of before stays while it may; the rest by
/// the least sum of distances.
fn correspond(real: &[Labelled], seen: &[Labelled], names: &HashMap<i64, i64>) -> Vec<(i64, i64)> {
    let mut pairs = Vec::new();
    let (mut real, mut seen) = (real.to_vec(), seen.to_vec());
    real.retain(|a| {
        let same = seen.iter().position(|b| names.get(&a.id) == Some(&b.id) && a.iou(b) >= IOU_MIN);
        pairs.extend(same.map(|at| (a.id, seen.swap_remove(at).id)));
        same.is_none()
    });
    const SCALE: f64 = 1e6;
    // As many pairs as can be, and of those the nearest.
    const NEVER: i64 = 1_000 * SCALE as i64;
    let distance = |a: &Labelled, b: &Labelled| {
        let iou = a.iou(b);
        if iou >= IOU_MIN { ((1.0 - iou) * SCALE) as i64 } else { NEVER }
    };
    let swap = real.len() > seen.len();
    let (rows, columns) = if swap { (&seen, &real) } else { (&real, &seen) };
    if rows.is_empty() {
        return pairs;
    }
    let costs = Matrix::from_fn(rows.len(), columns.len(), |(r, c)| distance(&rows[r], &columns[c]));
    let (_, chosen) = kuhn_munkres_min(&costs);
    for (row, column) in chosen.into_iter().enumerate().filter(|at| costs[*at] < NEVER) {
        let (a, b) = (rows[row].id, columns[column].id);
        pairs.push(if swap { (b, a) } else { (a, b) });
    }
    pairs
}

/// The most boxes that agree when each true object gets at most one track and each track at most one true object.
fn agreeing(together: &BTreeMap<(i64, i64), usize>) -> usize {
    let sorted = |ids: &mut Vec<i64>| {
        ids.sort_unstable();
        ids.dedup();
    };
    let (mut real, mut seen): (Vec<i64>, Vec<i64>) = together.keys().copied().unzip();
    sorted(&mut real);
    sorted(&mut seen);
    let shared = |a: i64, b: i64| together.get(&(a, b)).copied().unwrap_or(0);
    let swap = real.len() > seen.len();
    let (rows, columns) = if swap { (&seen, &real) } else { (&real, &seen) };
    if rows.is_empty() {
        return 0;
    }
    let costs = Matrix::from_fn(rows.len(), columns.len(), |(r, c)| {
        -(if swap { shared(columns[c], rows[r]) } else { shared(rows[r], columns[c]) } as i64)
    });
    usize::try_from(-kuhn_munkres_min(&costs).0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(id: i64, x: f64) -> Labelled {
        Labelled { id, corners: [x, 0.0, x + 10.0, 10.0] }
    }

    /// Two objects over ten frames.
    fn truth() -> Frames {
        (0..10).map(|f| (f, vec![at(1, 0.0), at(2, 100.0)])).collect()
    }

    #[test]
    fn what_agrees_everywhere_is_perfect_whatever_the_names() {
        let found = truth().into_iter().map(|(f, v)| (f, v.iter().map(|b| Labelled { id: b.id + 70, ..*b }).collect()));
        let score = score(&truth(), &found.collect());
        assert_eq!((score.mota(), score.idf1(), score.switches), (1.0, 1.0, 0));
        assert_eq!(super::score(&Frames::new(), &Frames::new()).idf1(), 0.0);
    }

    #[test]
    fn a_name_that_changes_in_the_middle_is_one_switch_and_half_the_identity() {
        let found = (0..10).map(|f| (f, vec![at(if f < 5 { 7 } else { 8 }, 1.0), at(9, 100.0)])).collect();
        let score = score(&truth(), &found);
        assert_eq!((score.switches, score.misses, score.false_positives), (1, 0, 0));
        assert_eq!((score.mota(), score.idf1()), (0.95, 0.75));
    }

    #[test]
    fn a_box_too_far_off_is_a_miss_and_a_false_alarm() {
        let found = (0..10).map(|f| (f, vec![at(7, 4.0)])).collect();
        let score = score(&truth(), &found);
        assert_eq!((score.misses, score.false_positives, score.id_true_positives), (20, 10, 0));
        assert_eq!(score.mota(), -0.5);
    }

    #[test]
    fn a_pair_of_before_stays_though_another_is_nearer() {
        let truth = (0..2).map(|f| (f, vec![at(1, 0.0)])).collect();
        let found = Frames::from([(0, vec![at(7, 0.0)]), (1, vec![at(7, 3.0), at(8, 0.0)])]);
        let score = score(&truth, &found);
        assert_eq!((score.switches, score.false_positives), (0, 1));
    }

    #[test]
    fn lines_are_read_and_a_wrong_one_is_named() {
        let frames = read_mot("1, 3, 10, 20, 30, 40, 1, -1\n\n1,4,0,0,1,1").unwrap();
        assert_eq!(frames[&1][0], Labelled { id: 3, corners: [10.0, 20.0, 40.0, 60.0] });
        assert_eq!(frames[&1].len(), 2);
        assert!(read_mot("1,3,10,20,30,40\n1,3,x,0,0,0").unwrap_err().contains("line 2"));
        assert!(read_mot("1,3,10").is_err());
    }
}
