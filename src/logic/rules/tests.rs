use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    detection::Class,
    geometry::{NormBox, Point, Polygon},
    ground::Ground,
    ids::{RuleId, TrackId},
    rule::{Direction, RuleDraft, What},
    track::TrackPoint,
};

mod kinds;

const CAMERA: CameraId = CameraId(7);

/// The left half of the picture's middle band; its corners are binary fractions, so mirroring is exact.
fn zone() -> Polygon {
    polygon(&[[0.125, 0.25], [0.5, 0.25], [0.5, 0.75], [0.125, 0.75]])
}

fn polygon(corners: &[[f32; 2]]) -> Polygon {
    Polygon::new(corners.iter().copied().map(Point::from).collect()).unwrap()
}

fn rule(id: i64, kind: RuleKind, zone: Polygon) -> Rule {
    let draft = RuleDraft { name: format!("luật {id}"), kind: kind.name().into(), ..RuleDraft::default() };
    Rule { id: RuleId(id), zone, ..draft.checked().unwrap() }
}

fn motion_rules() -> Rules {
    Rules::new(CAMERA, vec![rule(1, RuleKind::Motion, zone())], None)
}

fn intrusion_rules() -> Rules {
    Rules::new(CAMERA, vec![rule(2, RuleKind::Intrusion, zone())], Some("abc".into()))
}

fn rect(x0: f32, y0: f32, x1: f32, y1: f32) -> NormBox {
    NormBox::new(x0, y0, x1, y1).unwrap()
}

/// Ten pixels of a hundred around that foot.
fn standing(track: i64, x: f32, y: f32) -> TrackPoint {
    let rect = rect(x - 0.03125, y - 0.25, x + 0.03125, y);
    let (track, class) = (TrackId(track), Class::Person);
    TrackPoint { track, class, score: 0.5, rect, confirmed: true, held: false, identity: 1.0 }
}

fn frame(ms: i64, motion: &[NormBox], tracks: &[TrackPoint], ended: &[i64]) -> FrameSeen {
    let ended = ended.iter().copied().map(TrackId).collect();
    FrameSeen {
        camera: CAMERA,
        time: MediaTime(ms * 1000),
        motion: motion.to_vec(),
        tracks: tracks.to_vec(),
        ended,
        still: None,
        labels: Vec::new(),
    }
}

/// `O`, `U` or `C` with the milliseconds of start and end, for each change.
fn short(changes: &[EventChange]) -> Vec<(char, i64, i64)> {
    changes
        .iter()
        .map(|change| match change {
            EventChange::Open { event, .. } => ('O', event.start_us / 1000, event.end_us / 1000),
            EventChange::Update { event, .. } => ('U', event.start_us / 1000, event.end_us / 1000),
            EventChange::Close { event, .. } => ('C', event.start_us / 1000, event.end_us / 1000),
        })
        .collect()
}

fn event(change: &EventChange) -> &Event {
    match change {
        EventChange::Open { event, .. } | EventChange::Update { event, .. } | EventChange::Close { event, .. } => event,
    }
}

/// Motion in the zone in the frames marked `x`, one every 200 ms.
fn run_motion(rules: &mut Rules, marks: &str) -> Vec<(char, i64, i64)> {
    let inside = [rect(0.25, 0.25, 0.375, 0.5)];
    let changes: Vec<_> = marks
        .chars()
        .enumerate()
        .flat_map(|(i, mark)| rules.step(&frame(i as i64 * 200, if mark == 'x' { &inside } else { &[] }, &[], &[])))
        .collect();
    short(&changes)
}

#[test]
fn motion_in_three_of_five_frames_opens_and_two_quiet_seconds_close() {
    assert_eq!(run_motion(&mut motion_rules(), "..x...x...x..."), [], "one in four is not enough");
    assert_eq!(run_motion(&mut motion_rules(), ".x.x.x.........."), [('O', 200, 1000), ('C', 200, 1000)]);
    assert_eq!(
        run_motion(&mut motion_rules(), ".x.x.x........."),
        [('O', 200, 1000)],
        "1.8 s are not yet quiet enough"
    );
    let with_pause = "xxx........xxx..........";
    assert_eq!(run_motion(&mut motion_rules(), with_pause), [('O', 0, 400), ('U', 0, 2200), ('C', 0, 2600)]);
}

#[test]
fn after_its_end_a_motion_event_needs_new_motion_to_begin_again() {
    let changes = run_motion(&mut motion_rules(), "xxx..........x.xx..........");
    assert_eq!(changes, [('O', 0, 400), ('C', 0, 400), ('O', 2600, 3200), ('C', 2600, 3200)]);
}

#[test]
fn motion_beside_the_zone_or_only_touching_it_is_not_in_it() {
    let mut rules = motion_rules();
    for i in 0..10 {
        let beside = [rect(0.5, 0.25, 0.75, 0.75), rect(0.0, 0.0, 1.0, 0.25), rect(0.6, 0.8, 0.7, 0.9)];
        assert!(rules.step(&frame(i * 200, &beside, &[], &[])).is_empty());
    }
}

#[test]
fn a_motion_event_says_how_much_moved_and_where_it_was_most() {
    let mut rules = motion_rules();
    let (small, large) = (rect(0.25, 0.25, 0.375, 0.375), rect(0.25, 0.0, 0.75, 0.5));
    rules.step(&frame(0, &[small], &[], &[]));
    rules.step(&frame(200, &[large], &[], &[]));
    let opened = rules.step(&frame(400, &[small], &[], &[]));
    let event = event(&opened[0]);
    assert_eq!((event.rect, event.path.len(), event.track, event.class), (large, 3, None, None));
    // The large region covers 0.25 × 0.25 of a zone of 0.375 × 0.5.
    assert_eq!(event.numbers["motion_area_max"], 0.0625);
    assert!((event.score - 1.0 / 3.0).abs() < 1e-6);
    assert_eq!((event.numbers["motion_frames"], event.numbers["seconds"]), (3.0, 0.4));
}

#[test]
fn motion_in_every_frame_is_one_event_even_without_a_cooldown() {
    let mut rules = Rules::new(CAMERA, vec![Rule { cooldown_s: 0.0, ..rule(1, RuleKind::Motion, zone()) }], None);
    let changes = run_motion(&mut rules, "xxxxxxxxxxxxxx.x");
    assert_eq!(changes.iter().filter(|c| c.0 == 'O').count(), 1);
    assert_eq!(changes.last(), Some(&('C', 0, 2600)));
}

#[test]
fn an_object_in_the_zone_twice_in_three_frames_opens_once_and_closes_with_its_track() {
    let mut rules = intrusion_rules();
    assert!(rules.step(&frame(0, &[], &[standing(1, 0.75, 0.5)], &[])).is_empty());
    assert!(
        rules.step(&frame(200, &[], &[standing(1, 0.5, 0.5)], &[])).is_empty(),
        "the edge is inside; once is not enough"
    );
    let opened = rules.step(&frame(400, &[], &[standing(1, 0.25, 0.5)], &[]));
    assert_eq!(short(&opened), [('O', 200, 400)]);
    let first = event(&opened[0]).clone();
    assert_eq!((first.track, first.class, first.revision), (Some(TrackId(1)), Some(Class::Person), 1));
    assert_eq!(first.model_sha256.as_deref(), Some("abc"));
    let closed = rules.step(&frame(600, &[], &[], &[1]));
    assert_eq!(short(&closed), [('C', 200, 400)]);
    assert_eq!((event(&closed[0]).open, event(&closed[0]).revision), (false, 2));
}

#[test]
fn an_object_that_leaves_the_zone_and_comes_back_has_one_event() {
    let mut rules = intrusion_rules();
    let mut changes = Vec::new();
    for i in 0..60 {
        let x = if (15..40).contains(&i) { 0.75 } else { 0.25 };
        changes.extend(rules.step(&frame(i * 200, &[], &[standing(1, x, 0.5)], &[])));
    }
    let changes = short(&changes);
    assert_eq!(changes, [('O', 0, 200), ('U', 0, 1200), ('U', 0, 2200), ('C', 0, 2800)]);
    assert!(rules.finish().is_empty());
}

#[test]
fn strangers_to_the_rule_open_nothing() {
    let people = Rule { classes: vec![Class::Person], min_score: 0.4, ..rule(2, RuleKind::Intrusion, zone()) };
    let inside = standing(1, 0.25, 0.5);
    for point in [
        TrackPoint { class: Class::Car, ..inside },
        TrackPoint { score: 0.39, ..inside },
        TrackPoint { confirmed: false, ..inside },
        standing(1, 0.75, 0.5),
    ] {
        let mut rules = Rules::new(CAMERA, vec![people.clone()], None);
        for i in 0..6 {
            assert!(rules.step(&frame(i * 200, &[], &[point], &[])).is_empty(), "{point:?}");
        }
    }
    let elsewhere = Rule { camera: Some(CameraId(8)), ..people };
    let mut rules = Rules::new(CAMERA, vec![elsewhere], None);
    assert!((0..6).all(|i| rules.step(&frame(i * 200, &[], &[inside], &[])).is_empty()));
}

#[test]
fn one_that_crossed_the_zone_before_it_was_confirmed_still_has_its_event() {
    let mut rules = intrusion_rules();
    let unsure = |x| TrackPoint { confirmed: false, ..standing(1, x, 0.5) };
    rules.step(&frame(0, &[], &[unsure(0.25)], &[]));
    rules.step(&frame(200, &[], &[unsure(0.375)], &[]));
    assert_eq!(short(&rules.step(&frame(400, &[], &[standing(1, 0.625, 0.5)], &[]))), [('O', 0, 200)]);
}

#[test]
fn a_notably_better_sighting_is_told_at_once_and_a_slightly_better_one_waits() {
    let mut rules = intrusion_rules();
    let at = |score| TrackPoint { score, ..standing(1, 0.25, 0.5) };
    rules.step(&frame(0, &[], &[at(0.5)], &[]));
    rules.step(&frame(200, &[], &[at(0.5)], &[]));
    assert!(rules.step(&frame(400, &[], &[at(0.55)], &[])).is_empty());
    let better = rules.step(&frame(600, &[], &[at(0.7)], &[]));
    assert_eq!((short(&better), event(&better[0]).score), (vec![('U', 0, 600)], 0.7));
}

#[test]
fn events_close_when_frames_stop() {
    let mut rules =
        Rules::new(CAMERA, vec![rule(1, RuleKind::Motion, zone()), rule(2, RuleKind::Intrusion, zone())], None);
    let moving = [rect(0.25, 0.25, 0.375, 0.5)];
    let opened: Vec<_> =
        (0..3).flat_map(|i| rules.step(&frame(i * 200, &moving, &[standing(1, 0.25, 0.5)], &[]))).collect();
    assert_eq!(opened.len(), 2);
    assert!(rules.idle(MediaTime(2_900_000)).is_empty());
    assert_eq!(short(&rules.idle(MediaTime(2_900_001))), [('C', 0, 400), ('C', 0, 400)]);
    assert!(rules.idle(MediaTime(9_000_000)).is_empty());
}

#[test]
fn a_changed_rule_closes_its_events_and_an_unchanged_one_goes_on() {
    let (kept, changed) = (rule(1, RuleKind::Motion, zone()), rule(2, RuleKind::Motion, zone()));
    let mut rules = Rules::new(CAMERA, vec![kept.clone(), changed.clone()], None);
    assert_eq!(run_motion(&mut rules, "xxx").len(), 2);
    let closed = rules.replace(vec![Rule { version: 2, ..changed }, kept]);
    assert_eq!(closed.iter().map(|c| event(c).rule).collect::<Vec<_>>(), [RuleId(2)]);
    let closed = rules.finish();
    assert_eq!(closed.iter().map(|c| event(c).rule).collect::<Vec<_>>(), [RuleId(1)]);
}

#[test]
fn a_jump_back_in_time_closes_everything_and_begins_anew() {
    let mut rules = motion_rules();
    let moving = [rect(0.25, 0.25, 0.375, 0.5)];
    let mut at = |ms| short(&rules.step(&frame(ms, &moving, &[], &[])));
    assert_eq!((at(60_000), at(60_200), at(60_400)), (vec![], vec![], vec![('O', 60_000, 60_400)]));
    assert_eq!(at(1000), [('C', 60_000, 60_400)]);
    assert_eq!((at(1200), at(1400)), (vec![], vec![('O', 1000, 1400)]));
}

fn any_rect() -> impl Strategy<Value = NormBox> {
    (0..56_u8, 0..56_u8, 1..9_u8, 1..9_u8).prop_map(|(x, y, w, h)| {
        let at = |n: u8| f32::from(n) / 64.0;
        rect(at(x), at(y), at(x + w), at(y + h))
    })
}

prop_compose! {
    fn any_point()(track in 1..6_i64, class in 0..6_usize, score in 0..=100_u8, rect in any_rect(),
                   confirmed in prop::bool::weighted(0.8)) -> TrackPoint {
        let (track, class, score) = (TrackId(track), Class::ALL[class], f32::from(score) / 100.0);
        TrackPoint { track, class, score, rect, confirmed, held: false, identity: 1.0 }
    }
}

prop_compose! {
    fn any_frames()(frames in prop::collection::vec((
        prop::sample::select(vec![100_i64, 200, 200, 200, 300, 500, 2500, 15_000, -5000]),
        prop::collection::vec(any_rect(), 0..3),
        prop::collection::vec(any_point(), 0..4),
        prop::collection::vec(1..6_i64, 0..2),
    ), 1..60)) -> Vec<FrameSeen> {
        let mut ms = 0;
        frames.into_iter().map(|(dt, motion, tracks, ended)| {
            ms += dt;
            frame(ms, &motion, &tracks, &ended)
        }).collect()
    }
}

fn all_rules(zone: &Polygon) -> Vec<Rule> {
    let motion = Rule { what: What::Motion { k: 2, n: 3 }, ..rule(1, RuleKind::Motion, zone.clone()) };
    let intrusion =
        Rule { what: What::Intrusion { k: 1, n: 2 }, cooldown_s: 0.5, ..rule(2, RuleKind::Intrusion, zone.clone()) };
    let people =
        Rule { id: RuleId(3), classes: vec![Class::Person, Class::Motorcycle], min_score: 0.2, ..intrusion.clone() };
    vec![motion, intrusion, people]
}

fn run(zone: &Polygon, frames: &[FrameSeen]) -> Vec<EventChange> {
    let mut rules = Rules::new(CAMERA, all_rules(zone), None);
    let mut changes: Vec<_> = frames.iter().flat_map(|f| rules.step(f)).collect();
    changes.extend(rules.finish());
    changes
}

fn mirrored(rect: NormBox) -> NormBox {
    let [x0, y0, x1, y1] = rect.corners();
    self::rect(1.0 - x1, y0, 1.0 - x0, y1)
}

fn changed(change: EventChange, with: impl Fn(&mut Event)) -> EventChange {
    let mut change = change;
    match &mut change {
        EventChange::Open { event, .. } | EventChange::Update { event, .. } | EventChange::Close { event, .. } => {
            with(event)
        }
    }
    change
}

proptest! {
    #[test]
    fn every_opened_event_closes_once_and_its_revisions_grow_by_one(
        frames in any_frames(), replaced_at in 0..60_usize, idle_at in 0..60_usize,
    ) {
        let mut rules = Rules::new(CAMERA, all_rules(&zone()), None);
        let mut changes = Vec::new();
        for (i, frame) in frames.iter().enumerate() {
            changes.extend(rules.step(frame));
            if i == replaced_at {
                changes.extend(rules.replace(all_rules(&zone()).into_iter().skip(1).collect()));
            }
            if i == idle_at {
                changes.extend(rules.idle(frame.time.plus_us(60_000_000)));
            }
        }
        changes.extend(rules.finish());
        let (mut revisions, mut closed) = (BTreeMap::new(), BTreeSet::new());
        for change in &changes {
            let (event, key) = match change {
                EventChange::Open { event, key } => {
                    prop_assert!(revisions.insert(*key, 0).is_none(), "opened twice");
                    (event, key)
                }
                EventChange::Update { event, key } => (event, key),
                EventChange::Close { event, key } => {
                    prop_assert!(closed.insert(*key), "closed twice");
                    (event, key)
                }
            };
            let revision = revisions.get_mut(key);
            prop_assert!(revision.is_some(), "told before it was opened");
            let revision = revision.unwrap();
            *revision += 1;
            prop_assert_eq!(event.revision, *revision);
            prop_assert_eq!(event.open, !closed.contains(key));
            prop_assert!(event.start_us <= event.end_us);
            prop_assert_eq!(event.path[0].time_us, event.start_us);
            prop_assert!(event.path.windows(2).all(|w| w[0].time_us < w[1].time_us));
        }
        prop_assert_eq!(revisions.len(), closed.len());
    }

    #[test]
    fn shifting_all_times_shifts_the_events_and_nothing_else(
        frames in any_frames(), shift_us in -1_000_000_000..2_000_000_000_000_000_i64,
    ) {
        let later: Vec<_> = frames.iter().map(|f| FrameSeen { time: f.time.plus_us(shift_us), ..f.clone() }).collect();
        let expected: Vec<_> = run(&zone(), &frames).into_iter().map(|change| changed(change, |event| {
            event.start_us += shift_us;
            event.end_us += shift_us;
            event.path.iter_mut().for_each(|p| p.time_us += shift_us);
        })).collect();
        prop_assert_eq!(run(&zone(), &later), expected);
    }

    #[test]
    fn a_mirrored_street_gives_mirrored_events(frames in any_frames()) {
        // An L; all its areas are binary fractions, so that nothing is rounded either way.
        let corners = [[0.125, 0.25], [0.5, 0.25], [0.5, 0.75], [0.25, 0.75], [0.25, 0.5], [0.125, 0.5]];
        let (zone, other_way) = (polygon(&corners), polygon(&corners.map(|[x, y]| [1.0 - x, y])));
        let other: Vec<_> = frames.iter().map(|f| FrameSeen {
            motion: f.motion.iter().copied().map(mirrored).collect(),
            tracks: f.tracks.iter().map(|p| TrackPoint { rect: mirrored(p.rect), ..*p }).collect(),
            ..f.clone()
        }).collect();
        let there: Vec<_> = run(&zone, &frames).into_iter().map(|change| changed(change, |event| {
            event.rect = mirrored(event.rect);
            event.path.iter_mut().for_each(|p| p.rect = mirrored(p.rect));
        })).collect();
        prop_assert_eq!(run(&other_way, &other), there);
    }
}
