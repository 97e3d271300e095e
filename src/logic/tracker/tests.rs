use std::collections::{BTreeMap, BTreeSet};

use super::*;

mod properties;

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
fn in_a_row_of_motorbikes_a_newcomer_is_not_taken_for_the_one_ahead() {
    // Each is nearly where the one ahead was a frame before: 0.06 long, 0.09 apart, 0.07 a frame. The first one has a
    // head start: of a row that is there from the beginning nobody could tell which way it goes.
    let mut tracker = tracker();
    let mut names: BTreeMap<usize, BTreeSet<TrackId>> = BTreeMap::new();
    for frame in 0..25 {
        let head_start = |i| if i == 0 { 0.15 } else { 0.0 };
        let row = (0..20).map(|i| (i, 0.07 * frame as f32 - 0.09 * i as f32 + head_start(i) - 0.1));
        let here: Vec<_> = row
            .filter(|(_, x)| (0.03..0.97).contains(x))
            .filter_map(|(i, x)| seen(Class::Motorcycle, 0.8, x, 0.6, 0.06, 0.1).map(|d| (i, d)))
            .collect();
        let detections: Vec<_> = here.iter().map(|(_, d)| *d).collect();
        for point in tracker.step(MediaTime(frame * 200_000), Some(&detections)).points {
            let (bike, _) = here.iter().find(|(_, d)| d.rect == point.rect).unwrap();
            names.entry(*bike).or_default().insert(point.track);
        }
    }
    assert!(names.len() > 15, "{names:?}");
    assert!(names.values().all(|n| n.len() == 1), "{names:?}");
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
fn a_new_track_ends_after_one_and_a_half_seconds_unseen_a_confirmed_one_after_eight() {
    for (sightings, last_ms, over_ms) in [(1, 1500, 1501), (3, 8400, 8401)] {
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
fn what_left_the_picture_is_over_after_two_seconds() {
    let mut tracker = tracker();
    for i in 0..6 {
        let at = seen(Class::Motorcycle, 0.8, 0.75 + 0.045 * i as f32, 0.5, 0.06, 0.1).unwrap();
        tracker.step(MediaTime(i * 200_000), Some(&[at]));
    }
    assert!(tracker.step(MediaTime(3_000_000), None).ended.is_empty());
    assert_eq!(tracker.step(MediaTime(3_000_001), None).ended, [TrackId(1)]);
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
    assert_eq!(tracker.step(MediaTime(14_000_000), None).ended, [TrackId(2)]);
}

/// Seen at 5 frames a second until it stands; the time after the last sighting.
fn parked(tracker: &mut Tracker, detection: Detection) -> i64 {
    for i in 0..15 {
        tracker.step(MediaTime(i * 200_000), Some(&[detection]));
    }
    assert!(tracker.predictions(MediaTime(3_000_000)).iter().all(|p| p.standing));
    3_000_000
}

#[test]
fn what_stands_is_held_while_nothing_moves_there_and_nobody_looks() {
    let mut tracker = tracker();
    let car = seen(Class::Car, 0.9, 0.5, 0.5, 0.2, 0.2).unwrap();
    let elsewhere = [NormBox::new(0.0, 0.0, 0.2, 0.2).unwrap()];
    let start = parked(&mut tracker, car);
    for second in 0..60 {
        let glance = Glance { motion: Some(&elsewhere), ..Glance::default() };
        let step = tracker.glance(MediaTime(start + second * 1_000_000), &glance);
        assert_eq!(step.points.len(), 1, "second {second}");
        let point = step.points[0];
        assert_eq!((point.track, point.held, point.rect), (TrackId(1), true, car.rect));
        assert!(point.score > 0.8 && point.confirmed && point.identity > 0.99);
    }
    // Not for ever: then somebody has to look.
    let late = MediaTime(start + 61_000_000);
    assert!(tracker.predictions(late)[0].wants_look);
    assert_eq!(tracker.step(late, Some(&[car])).points[0].track, TrackId(1));
    assert!(!tracker.predictions(late)[0].wants_look);
}

#[test]
fn a_detector_that_overlooks_what_stands_does_not_end_it_but_an_empty_place_does() {
    let car = seen(Class::Car, 0.9, 0.5, 0.5, 0.2, 0.2).unwrap();
    let quiet = Glance { detections: Some(&[]), motion: Some(&[]), ..Glance::default() };
    let mut overlooked = tracker();
    let start = parked(&mut overlooked, car);
    for i in 0..50 {
        assert!(overlooked.glance(MediaTime(start + i * 200_000), &quiet).points[0].held, "{i}");
    }
    // It drives off: something moves there, afterwards the place is empty.
    let mut gone = tracker();
    let start = parked(&mut gone, car);
    let there = [car.rect];
    assert!(gone.glance(MediaTime(start), &Glance { motion: Some(&there), ..Glance::default() }).points.is_empty());
    assert!(gone.predictions(MediaTime(start + 200_000))[0].wants_look);
    let steps: Vec<_> = (1..60).map(|i| gone.glance(MediaTime(start + i * 200_000), &quiet)).collect();
    assert!(steps.iter().all(|s| s.points.is_empty()));
    assert_eq!(steps.iter().flat_map(|s| &s.ended).count(), 1);
}

#[test]
fn a_parked_car_behind_passing_traffic_keeps_its_name() {
    let mut tracker = tracker();
    let car = seen(Class::Car, 0.9, 0.5, 0.5, 0.2, 0.2).unwrap();
    let start = parked(&mut tracker, car);
    let traffic = [car.rect];
    for i in 0..60 {
        // Hidden for 12 s; what passes before it is a bus that nobody takes for it.
        let bus = seen(Class::Person, 0.9, 0.1 + 0.013 * i as f32, 0.7, 0.05, 0.2).unwrap();
        let glance = Glance { detections: Some(&[bus]), motion: Some(&traffic), ..Glance::default() };
        assert!(tracker.glance(MediaTime(start + i * 200_000), &glance).ended.is_empty());
    }
    let again = tracker.step(MediaTime(start + 12_000_000), Some(&[car])).points;
    assert!(again.iter().any(|p| p.track == TrackId(1) && p.rect == car.rect), "{again:?}");
}

#[test]
fn an_unlooked_at_place_says_nothing() {
    let mut tracker = tracker();
    let car = seen(Class::Car, 0.9, 0.5, 0.5, 0.2, 0.2).unwrap();
    let start = parked(&mut tracker, car);
    let regions = [NormBox::new(0.0, 0.0, 0.3, 0.3).unwrap()];
    for i in 0..150 {
        let glance =
            Glance { detections: Some(&[]), looked_at: Some(&regions), motion: Some(&regions), ..Glance::default() };
        assert!(tracker.glance(MediaTime(start + i * 200_000), &glance).points[0].held);
    }
}

/// Walks to the right until `lost_ms`, is hidden, is seen again at `back_ms` at `x`: the tracks before and after.
fn comes_back(back_ms: i64, x: f32, looks: Option<[Appearance; 2]>) -> (TrackPoint, TrackPoint) {
    let mut tracker = tracker();
    let (mut before, mut after) = (None, None);
    let mut step = |ms: i64, x: f32, look: Option<&Appearance>, to: &mut Option<TrackPoint>| {
        let person = seen(Class::Person, 0.9, x, 0.5, 0.05, 0.25).unwrap();
        let appearances = [look.cloned()];
        let glance = Glance { detections: Some(&[person]), appearances: &appearances, ..Glance::default() };
        *to = tracker.glance(MediaTime(ms * 1000), &glance).points.first().copied();
    };
    let looks = looks.as_ref();
    for i in 0..8 {
        step(i * 200, 0.3 + 0.01 * i as f32, looks.map(|l| &l[0]), &mut before);
    }
    for i in 0..4 {
        step(back_ms + i * 200, x + 0.01 * i as f32, looks.map(|l| &l[1]), &mut after);
    }
    (before.unwrap(), after.unwrap())
}

#[test]
fn somebody_hidden_for_some_seconds_is_taken_up_again_by_place_and_look_and_less_sure() {
    let look = |upper, lower| Appearance::of([upper; 9], [lower; 9]).unwrap();
    let (red, white) = (look([80, 100, 200], [60, 128, 128]), look([220, 128, 128], [200, 128, 128]));
    for looks in [None, Some([red.clone(), red.clone()])] {
        let (before, after) = comes_back(5400, 0.5, looks);
        assert_eq!(before.track, after.track);
        assert!(before.identity > 0.95 && (0.3..0.8).contains(&after.identity), "{}", after.identity);
    }
    assert_ne!(comes_back(5400, 0.5, Some([red, white])).1.track, TrackId(1), "another look");
    assert_ne!(comes_back(5400, 0.9, None).1.track, TrackId(1), "too far");
    assert_ne!(comes_back(11_000, 0.5, None).1.track, TrackId(1), "too late");
}

#[test]
fn two_that_meet_are_less_sure_of_who_is_who_than_one_alone() {
    let mut tracker = tracker();
    let mut last: BTreeMap<bool, f32> = BTreeMap::new();
    for i in 0..20 {
        let t = i as f32;
        let people: Vec<_> = [0.3 + 0.02 * t, 0.7 - 0.02 * t]
            .iter()
            .filter_map(|x| seen(Class::Person, 0.8, *x, 0.5, 0.05, 0.25))
            .chain(seen(Class::Person, 0.8, 0.1, 0.3, 0.05, 0.25))
            .collect();
        for point in tracker.step(MediaTime(i * 200_000), Some(&people)).points {
            let least = last.entry(point.rect.centre().y > 0.4).or_insert(1.0);
            *least = point.identity.min(*least);
        }
    }
    assert_eq!(last[&false], 1.0, "{last:?}");
    assert!(last[&true] < 0.9, "{last:?}");
}
