//! Whose looks are shown next, and how much a round may spend: no camera waits for another one's crowd.
//!
//! A round takes the newest frame of some cameras. Of each canvas every camera with looks waiting is first entitled to an
//! equal share; what is left goes to whatever is most urgent. Runs of the detector are given out so that a turn through
//! all cameras stays within [`TURN_US`]. Pure; the clock and the queue are the caller's.

use super::attention::Want;

/// A turn through all cameras takes about so long at most, microseconds; the goal for the lag is a second.
pub const TURN_US: i64 = 600_000;

/// Runs of the detector that a round over `frames` of `cameras` may spend when one takes `run_us`: at least one, at most
/// one a frame.
#[must_use]
pub fn runs(frames: usize, cameras: usize, run_us: i64) -> usize {
    let cameras = cameras.max(frames).max(1) as i64;
    let share = TURN_US * frames as i64 / cameras / run_us.max(1);
    (share.max(1) as usize).min(frames.max(1))
}

/// The order in which looks are put on a canvas of so many pixels: `(frame, look)`, by place in the input. First each
/// frame's most urgent looks within its share of the canvas, then the rest by urgency; always at least one of each frame.
#[must_use]
pub fn order(waiting: &[(usize, Want)], canvas_px: u64) -> Vec<usize> {
    let mut by_urgency: Vec<usize> = (0..waiting.len()).collect();
    by_urgency.sort_by(|a, b| {
        let ((frame_a, want_a), (frame_b, want_b)) = (&waiting[*a], &waiting[*b]);
        want_b.urgency.total_cmp(&want_a.urgency).then(frame_a.cmp(frame_b)).then(a.cmp(b))
    });
    let mut used: std::collections::BTreeMap<usize, u64> = waiting.iter().map(|(frame, _)| (*frame, 0)).collect();
    let share = canvas_px / used.len().max(1) as u64;
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for index in by_urgency {
        let (frame, want) = &waiting[index];
        let used = used.entry(*frame).or_default();
        let entitled = *used == 0 || *used + want.pixels() <= share;
        *used += want.pixels();
        if entitled { first.push(index) } else { rest.push(index) }
    }
    first.append(&mut rest);
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logic::pack::Area;

    fn want() -> impl Strategy<Value = (usize, Want)> {
        (0..6usize, 1..300u32, 1..300u32, 0.0f32..9.0).prop_map(|(frame, width, height, urgency)| {
            let source = Area { x: 0, y: 0, width, height };
            (frame, Want { source, scale: 1.0, urgency, whole: false })
        })
    }

    proptest! {
        #[test]
        fn every_look_comes_once_and_every_frame_before_any_second_share(
            waiting in prop::collection::vec(want(), 0..60)
        ) {
            let order = order(&waiting, 416 * 416);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..waiting.len()).collect::<Vec<_>>());
            let frames: std::collections::BTreeSet<_> = waiting.iter().map(|(f, _)| *f).collect();
            let share = 416 * 416 / frames.len().max(1) as u64;
            // The most urgent look of a frame comes before any look with which another frame goes beyond its share.
            for frame in &frames {
                let first = order.iter().position(|i| waiting[*i].0 == *frame).unwrap();
                let mut used = std::collections::BTreeMap::new();
                for i in &order[..first] {
                    let (other, want) = &waiting[*i];
                    let px = u64::from(want.source.width) * u64::from(want.source.height);
                    let before = *used.entry(*other).and_modify(|u| *u += px).or_insert(px) - px;
                    prop_assert!(before == 0 || before + px <= share);
                }
            }
        }

        #[test]
        fn a_turn_through_all_cameras_is_bounded_and_every_round_may_look(
            frames in 1..40usize, cameras in 1..60usize, run_us in 1_000..200_000i64
        ) {
            let runs = runs(frames, cameras, run_us);
            prop_assert!((1..=frames).contains(&runs));
            let rounds = cameras.max(frames).div_ceil(frames) as i64;
            prop_assert!(runs == 1 || rounds * runs as i64 * run_us <= 2 * TURN_US);
        }
    }
}
