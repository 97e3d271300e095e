use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::geometry::NormBox;

fn seen(class: Class, score: f32, x: f32, y: f32, w: f32, h: f32) -> Option<Detection> {
    NormBox::new(x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0).map(|rect| Detection { class, score, rect })
}

fn tracker() -> Tracker {
    Tracker::new(TrackerConfig::default(), 1)
}

/// The tracks that saw anything, with how often.
fn follow(tracker: &mut Tracker, frames: &[(i64, Vec<Detection>)]) -> BTreeMap<TrackId, usize> {
    let mut counts = BTreeMap::new();
    for (ms, detections) in frames {
        for point in tracker.step(MediaTime(ms * 1000), Some(detections)).points {
            *counts.entry(point.track).or_default() += 1;
        }
    }
    counts
}

#[test]
fn a_motorbike_that_moves_its_own_length_between_frames_keeps_one_name() {
    // 0.06 wide, 0.06 a frame: neighbouring boxes touch and never overlap. One frame is lost on the way.
    let frames: Vec<_> = (0..14)
        .map(|i| (i * 200, seen(Class::Motorcycle, 0.8, 0.1 + 0.06 * i as f32, 0.6, 0.06, 0.1).into_iter().collect()))
        .map(|(t, d)| (t, if t == 1400 { Vec::new() } else { d }))
        .collect();
    let counts = follow(&mut tracker(), &frames);
    assert_eq!(counts, BTreeMap::from([(TrackId(1), 13)]));
}

#[test]
fn a_motorbike_at_uneven_times_down_to_two_a_second_keeps_one_name() {
    let mut ms = 0;
    let frames: Vec<_> = [0, 200, 150, 450, 100, 500, 250, 500, 120]
        .iter()
        .map(|dt| {
            ms += dt;
            let x = 0.05 + 0.3 * ms as f32 / 1000.0;
            (ms, seen(Class::Motorcycle, 0.7, x, 0.6, 0.06, 0.1).into_iter().collect())
        })
        .collect();
    assert_eq!(follow(&mut tracker(), &frames).len(), 1);
}

#[test]
fn two_that_cross_keep_their_names() {
    let mut tracker = tracker();
    let mut last = BTreeMap::new();
    for i in 0..20 {
        let t = i as f32;
        let right = seen(Class::Person, 0.8, 0.2 + 0.03 * t, 0.5, 0.05, 0.25).unwrap();
        let left = seen(Class::Person, 0.8, 0.8 - 0.03 * t, 0.52, 0.05, 0.25).unwrap();
        // While one hides the other only the nearer one is detected.
        let hidden = (right.rect.iou(left.rect)) > 0.5;
        let detections: Vec<_> = if hidden { vec![left] } else { vec![right, left] };
        for point in tracker.step(MediaTime(i * 200_000), Some(&detections)).points {
            last.insert(point.track, point.rect.centre().x);
        }
    }
    assert_eq!(last.len(), 2, "{last:?}");
    assert!(last[&TrackId(1)] > 0.7 && last[&TrackId(2)] < 0.3, "{last:?}");
}

#[test]
fn it_is_believed_at_the_third_sighting_and_says_so_once() {
    let mut tracker = tracker();
    let detection = seen(Class::Car, 0.9, 0.5, 0.5, 0.2, 0.2).unwrap();
    let steps: Vec<_> = (0..5).map(|i| tracker.step(MediaTime(i * 200_000), Some(&[detection]))).collect();
    assert_eq!(steps.iter().map(|s| s.points[0].confirmed).collect::<Vec<_>>(), [false, false, true, true, true]);
    let said: Vec<_> = steps.iter().flat_map(|s| &s.newly_confirmed).collect();
    assert_eq!(said, [&(TrackId(1), Class::Car)]);
}

#[test]
fn sightings_too_far_apart_do_not_make_it_believed() {
    let mut tracker = tracker();
    let detection = seen(Class::Car, 0.9, 0.5, 0.5, 0.2, 0.2).unwrap();
    for i in 0..6 {
        assert!(tracker.step(MediaTime(i * 1_000_000), Some(&[detection])).newly_confirmed.is_empty());
    }
    assert_eq!(tracker.following(), 1);
}

#[test]
fn a_new_track_ends_after_one_and_a_half_seconds_unseen_a_confirmed_one_after_two() {
    for (sightings, last_ms, over_ms) in [(1, 1500, 1501), (3, 2400, 2401)] {
        for look in [true, false] {
            let mut tracker = tracker();
            let detection = seen(Class::Car, 0.9, 0.5, 0.5, 0.2, 0.2).unwrap();
            for i in 0..sightings {
                tracker.step(MediaTime(i * 200_000), Some(&[detection]));
            }
            let nothing: Option<&[Detection]> = if look { Some(&[]) } else { None };
            assert!(tracker.step(MediaTime(last_ms * 1000), nothing).ended.is_empty());
            assert_eq!(tracker.step(MediaTime(over_ms * 1000), nothing).ended, [TrackId(1)]);
            assert_eq!(tracker.step(MediaTime(over_ms * 1000 + 1), Some(&[detection])).points[0].track, TrackId(2));
        }
    }
}

#[test]
fn a_low_score_continues_a_track_and_begins_none() {
    let mut tracker = tracker();
    let at = |score| seen(Class::Person, score, 0.5, 0.5, 0.05, 0.2).unwrap();
    assert!(tracker.step(MediaTime(0), Some(&[at(0.2)])).points.is_empty());
    tracker.step(MediaTime(200_000), Some(&[at(0.8)]));
    let step = tracker.step(MediaTime(400_000), Some(&[at(0.2)]));
    assert_eq!((step.points.len(), step.points[0].track), (1, TrackId(1)));
    assert!(tracker.step(MediaTime(600_000), Some(&[at(f32::NAN)])).points.is_empty());
}

#[test]
fn the_class_is_what_most_of_the_score_voted_for() {
    let mut tracker = tracker();
    let at = |class, score| seen(class, score, 0.5, 0.5, 0.2, 0.2).unwrap();
    let classes: Vec<_> = [(Class::Truck, 0.6), (Class::Car, 0.5), (Class::Car, 0.8), (Class::Truck, 0.5)]
        .iter()
        .enumerate()
        .map(|(i, &(class, score))| {
            let step = tracker.step(MediaTime(i as i64 * 200_000), Some(&[at(class, score)]));
            (step.points[0].track, step.points[0].class)
        })
        .collect();
    let one = TrackId(1);
    assert_eq!(classes, [(one, Class::Truck), (one, Class::Truck), (one, Class::Car), (one, Class::Car)]);
}

#[test]
fn a_vehicle_reported_as_car_and_truck_at_once_is_one_track_but_a_person_before_a_car_is_two() {
    let car = seen(Class::Car, 0.8, 0.5, 0.5, 0.2, 0.2).unwrap();
    let truck = Detection { class: Class::Truck, score: 0.6, ..car };
    assert_eq!(tracker().step(MediaTime(0), Some(&[truck, car])).points.len(), 1);
    let person = Detection { class: Class::Person, score: 0.6, ..car };
    assert_eq!(tracker().step(MediaTime(0), Some(&[person, car])).points.len(), 2);
}

#[test]
fn a_jump_back_in_time_ends_every_track_and_a_frame_out_of_order_does_not() {
    let mut tracker = tracker();
    let detection = seen(Class::Car, 0.9, 0.5, 0.5, 0.2, 0.2).unwrap();
    tracker.step(MediaTime(10_000_000), Some(&[detection]));
    assert_eq!(tracker.step(MediaTime(9_900_000), Some(&[detection])).points[0].track, TrackId(1));
    let step = tracker.step(MediaTime(5_000_000), Some(&[detection]));
    assert_eq!((step.ended, step.points[0].track), (vec![TrackId(1)], TrackId(2)));
    assert_eq!(tracker.step(MediaTime(5_200_000), Some(&[detection])).points[0].track, TrackId(2));
    assert_eq!(tracker.step(MediaTime(9_000_000), None).ended, [TrackId(2)]);
}

prop_compose! {
    fn any_detection()(class in 0..6_usize, score in 0.0..1.0_f32, x in 0.0..1.0_f32, y in 0.0..1.0_f32,
                       w in 0.01..0.4_f32, h in 0.01..0.4_f32) -> Option<Detection> {
        seen(Class::ALL[class], score, x, y, w, h)
    }
}

prop_compose! {
    /// Frames from nearly the same time to seconds apart; some without a look.
    fn any_frames()(frames in prop::collection::vec(
        (0..900_i64, prop::option::weighted(0.8, prop::collection::vec(any_detection(), 0..12))), 1..30,
    )) -> Vec<(MediaTime, Option<Vec<Detection>>)> {
        let mut ms = 0;
        frames.into_iter().map(|(dt, seen)| {
            ms += dt;
            (MediaTime(ms * 1000), seen.map(|d| d.into_iter().flatten().collect()))
        }).collect()
    }
}

fn run(frames: &[(MediaTime, Option<Vec<Detection>>)], shift_us: i64) -> Vec<TrackStep> {
    let mut tracker = tracker();
    frames.iter().map(|(time, seen)| tracker.step(time.plus_us(shift_us), seen.as_deref())).collect()
}

proptest! {
    #[test]
    fn a_sighting_goes_to_at_most_one_track_and_a_track_gets_at_most_one(frames in any_frames()) {
        for (step, (_, detections)) in run(&frames, 0).iter().zip(&frames) {
            let mut free = detections.clone().unwrap_or_default();
            for point in &step.points {
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
}
