//! What holds whatever the detector says.

use proptest::prelude::*;

use super::*;

/// What one frame brings.
#[derive(Debug, Clone)]
struct Shown {
    time: MediaTime,
    seen: Option<Vec<Detection>>,
    motion: Option<Vec<NormBox>>,
}

prop_compose! {
    fn any_detection()(class in 0..6_usize, score in 0..=100_u8, x in 0..=500_u16, y in 0..=500_u16,
                       w in 5..200_u16, h in 5..200_u16) -> Option<Detection> {
        let part = |n: u16| f32::from(n) / 500.0;
        seen(Class::ALL[class], f32::from(score) / 100.0, part(x), part(y), part(w), part(h))
    }
}

prop_compose! {
    /// Frames from nearly the same time to seconds apart; some without a look.
    fn any_frames()(frames in prop::collection::vec(
        (0..900_i64, prop::option::weighted(0.8, prop::collection::vec(any_detection(), 0..12)),
         prop::option::weighted(0.7, prop::collection::vec(any_detection(), 0..3))), 1..40,
    )) -> Vec<Shown> {
        let mut ms = 0;
        frames.into_iter().map(|(dt, seen, motion)| {
            ms += dt;
            let rects = |m: Vec<Option<Detection>>| m.into_iter().flatten().map(|d| d.rect).collect();
            Shown {
                time: MediaTime(ms * 1000),
                seen: seen.map(|d| d.into_iter().flatten().collect()),
                motion: motion.map(rects),
            }
        }).collect()
    }
}

fn run(frames: &[Shown], shift_us: i64) -> Vec<TrackStep> {
    let mut tracker = Tracker::new(TrackerConfig::default(), 1);
    let step = |f: &Shown| {
        let glance = Glance { detections: f.seen.as_deref(), motion: f.motion.as_deref(), ..Glance::default() };
        let step = tracker.glance(f.time.plus_us(shift_us), &glance);
        let predicted = tracker.predictions(f.time.plus_us(shift_us + 200_000));
        assert!(predicted.len() <= tracker.following());
        step
    };
    frames.iter().map(step).collect()
}

/// The parts of each frame in another order, which `turn` tells.
fn permuted(frames: &[Shown], turn: usize) -> Vec<Shown> {
    let turned = |f: &Shown| {
        let mut f = f.clone();
        for seen in f.seen.iter_mut() {
            seen.reverse();
            let by = turn % seen.len().max(1);
            seen.rotate_left(by);
        }
        f
    };
    frames.iter().map(turned).collect()
}

proptest! {
    #[test]
    fn a_sighting_goes_to_at_most_one_track_and_a_track_gets_at_most_one(frames in any_frames()) {
        for (step, shown) in run(&frames, 0).iter().zip(&frames) {
            let mut free = shown.seen.clone().unwrap_or_default();
            for point in step.points.iter().filter(|p| !p.held) {
                let at = free.iter().position(|d| d.rect == point.rect && d.score == point.score);
                prop_assert!(at.is_some(), "{point:?} was not seen, or given twice");
                free.swap_remove(at.unwrap());
            }
            let tracks: BTreeSet<_> = step.points.iter().map(|p| p.track).collect();
            prop_assert_eq!(tracks.len(), step.points.len());
        }
    }

    #[test]
    fn a_name_is_never_used_again_and_ends_and_is_believed_once(frames in any_frames()) {
        let (mut over, mut believed, mut highest) = (BTreeSet::new(), BTreeSet::new(), 0);
        for step in run(&frames, 0) {
            for id in &step.ended {
                prop_assert!(over.insert(*id), "{id} ended twice");
            }
            for (id, _) in &step.newly_confirmed {
                prop_assert!(believed.insert(*id), "{id} confirmed twice");
            }
            for point in &step.points {
                prop_assert!(!over.contains(&point.track));
                prop_assert_eq!(point.confirmed, believed.contains(&point.track));
                prop_assert!(point.confirmed || !point.held);
                prop_assert!((0.0..=1.0).contains(&point.identity) && (0.0..=1.0).contains(&point.score));
                highest = highest.max(point.track.0);
            }
        }
        prop_assert!(over.iter().all(|id| id.0 <= highest));
    }

    #[test]
    fn the_same_frames_give_the_same_and_shifted_times_change_nothing(
        frames in any_frames(), shift_us in -1_000_000_000_000..2_000_000_000_000_000_i64,
    ) {
        let once = run(&frames, 0);
        prop_assert_eq!(&once, &run(&frames, 0));
        prop_assert_eq!(&once, &run(&frames, shift_us));
    }

    #[test]
    fn the_order_of_the_detections_of_a_frame_changes_nothing(frames in any_frames(), turn in 0..12_usize) {
        prop_assert_eq!(run(&frames, 0), run(&permuted(&frames, turn), 0));
    }
}
