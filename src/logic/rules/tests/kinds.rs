//! Properties of the kinds that watch objects, lines, things and cameras.

use proptest::prelude::*;

use super::*;
use crate::domain::{health::PictureFault, track::Labelled};

/// One rule of each kind, with short times, around a zone.
const EACH: [&str; 12] = [
    r#"{"name":"a","kind":"motion","k":1,"n":2}"#,
    r#"{"name":"b","kind":"intrusion","k":1,"n":1}"#,
    r#"{"name":"c","kind":"line_crossing","line":[[0.25,0.0],[0.25,1.0]]}"#,
    r#"{"name":"d","kind":"wrong_way","allowed":[[0.5,0.25],[0.5,0.75]],"seconds":0.5,"distance":0,"classes":["person","car"]}"#,
    r#"{"name":"e","kind":"stopped","seconds":0.5,"classes":["person","car"]}"#,
    r#"{"name":"f","kind":"loitering","seconds":0.5,"classes":["person","car","bus"]}"#,
    r#"{"name":"g","kind":"crowd","count":2,"seconds":0.5,"classes":["person","car","bus"]}"#,
    r#"{"name":"h","kind":"left_object","seconds":0.5,"min_size":0}"#,
    r#"{"name":"i","kind":"speeding","limit_kmh":5,"ground":[[0.0,1.0],[1.0,1.0],[0.75,0.25],[0.25,0.25]],
        "ground_m":[[0,0],[10,0],[10,60],[0,60]],"classes":["person","car"]}"#,
    r#"{"name":"j","kind":"attribute","model":"m","label":"yes"}"#,
    r#"{"name":"k","kind":"tamper","seconds":1}"#,
    r#"{"name":"l","kind":"camera_down","seconds":1}"#,
];

fn each() -> Vec<Rule> {
    let rules = EACH.iter().map(|json| serde_json::from_str::<RuleDraft>(json).unwrap().checked().unwrap());
    rules.zip(1..).map(|(rule, id)| Rule { id: RuleId(id), ..rule }).collect()
}

/// Frames as of the other kinds, with still things; and between them states of the camera and votes.
#[derive(Debug, Clone)]
struct Happens {
    frame: FrameSeen,
    fault: bool,
    sends: Option<bool>,
    vote: Option<(i64, bool, NormBox)>,
}

prop_compose! {
    fn happenings()(frames in any_frames(), more in prop::collection::vec((
        prop::option::of(prop::collection::vec(any_rect(), 0..3)),
        prop::bool::ANY,
        prop::option::of(prop::bool::ANY),
        prop::option::of((1..4_i64, prop::bool::weighted(0.8), any_rect())),
    ), 60)) -> Vec<Happens> {
        frames.into_iter().zip(more).map(|(frame, (still, fault, sends, vote))| {
            Happens { frame: FrameSeen { still, ..frame }, fault, sends, vote }
        }).collect()
    }
}

fn play(rules: &mut Rules, happens: &[Happens]) -> Vec<EventChange> {
    let mut out = Vec::new();
    for h in happens {
        out.extend(rules.step(&h.frame));
        let time = h.frame.time;
        let fault = h.fault.then_some(PictureFault::Covered);
        out.extend(rules.state(&CameraState { time, fault, sends: h.sends }));
        if let Some((track, yes, rect)) = h.vote {
            let label = if yes { "yes" } else { "no" }.to_owned();
            let (camera, track, class) = (CAMERA, TrackId(track), Class::Person);
            let (model, model_sha256, score) = ("m".to_owned(), String::new(), 0.9);
            let vote = Labelled { camera, track, class, time, rect, model, model_sha256, label, score };
            out.extend(rules.labelled(&vote));
        }
    }
    out.extend(rules.finish());
    out
}

/// A thing that walks along points (seconds, x, y of its foot), looked at unevenly.
fn walk(track: i64, class: Class, size: (f32, f32), looks: &[f32], way: &[(f32, f32, f32)]) -> Vec<(f32, TrackPoint)> {
    let at = |t: f32| {
        let i = way.iter().rposition(|w| w.0 <= t)?;
        let (a, b) = (way[i], *way.get(i + 1)?);
        let part = (t - a.0) / (b.0 - a.0);
        Some((a.1 + (b.1 - a.1) * part, a.2 + (b.2 - a.2) * part))
    };
    let mut t = 0.0;
    let mut points = Vec::new();
    for dt in looks.iter().cycle() {
        let Some((x, y)) = at(t) else { break };
        let rect = NormBox::new(x - size.0 / 2.0, y - size.1, x + size.0 / 2.0, y).unwrap();
        let point =
            TrackPoint { track: TrackId(track), class, score: 0.6, rect, confirmed: true, held: false, identity: 1.0 };
        points.push((t, point));
        t += dt;
    }
    points
}

fn opened(rules: &mut Rules, points: &[(f32, TrackPoint)]) -> Vec<Event> {
    let mut changes = Vec::new();
    for (t, point) in points {
        changes.extend(rules.step(&frame((t * 1000.0) as i64, &[], &[*point], &[])));
    }
    changes.extend(rules.finish());
    changes.iter().filter(|c| matches!(c, EventChange::Close { .. })).map(|c| event(c).clone()).collect()
}

fn only(json: &str) -> Rules {
    let rule = serde_json::from_str::<RuleDraft>(json).unwrap().checked().unwrap();
    Rules::new(CAMERA, vec![Rule { id: RuleId(1), ..rule }], None)
}

#[test]
fn who_walks_over_a_line_is_counted_in_his_direction_and_who_comes_back_is_not_counted_again() {
    let looks = [0.2, 0.8, 0.4];
    let right = walk(1, Class::Person, (0.05, 0.2), &looks, &[(0.0, 0.2, 0.5), (5.0, 0.8, 0.5), (10.0, 0.2, 0.5)]);
    let around = walk(2, Class::Person, (0.05, 0.2), &looks, &[(0.0, 0.2, 0.95), (5.0, 0.8, 0.95)]);
    // Down the picture: who walks along it has the picture's right side on his left.
    let line = r#"{"name":"x","kind":"line_crossing","line":[[0.5,0.0],[0.5,0.8]]}"#;
    let mut rules = only(line);
    let events = opened(&mut rules, &right);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].numbers["right_to_left"], 1.0);
    assert_eq!(words::why(&events[0]).0, "qua vạch từ phải sang trái");
    let crossings = rules.take_crossings();
    assert_eq!(crossings.iter().map(|c| c.direction).collect::<Vec<_>>(), [Direction::RightToLeft]);
    assert_eq!(opened(&mut only(line), &around), [], "past the end of the line");
    let other = r#"{"name":"x","kind":"line_crossing","line":[[0.5,0.0],[0.5,0.8]],"direction":"left_to_right"}"#;
    let back = opened(&mut only(other), &right);
    assert_eq!(back.len(), 1, "on the way back");
    assert!(back[0].start_us > 5_000_000);
    let count = r#"{"name":"x","kind":"line_crossing","line":[[0.5,0.0],[0.5,0.8]],"severity":"count"}"#;
    let mut rules = only(count);
    assert_eq!((opened(&mut rules, &right).len(), rules.take_crossings().len()), (0, 1));
}

#[test]
fn the_wrong_way_is_told_with_seconds_and_metres_and_the_right_way_is_not() {
    // Eight metres a second away from a camera five metres high, seen as a pinhole sees it.
    let drive = |away: bool| -> Vec<_> {
        (0..20)
            .map(|i| {
                let t = i as f32 * 0.3;
                let z = if away { 8.0 + 8.0 * t } else { 56.0 - 8.0 * t };
                let (y, h) = (0.22 + 1.1 * 5.0 / z, 1.1 * 1.65 / z);
                let rect = NormBox::new(0.5 - h / 4.0, y - h, 0.5 + h / 4.0, y).unwrap();
                let point = TrackPoint { rect, class: Class::Motorcycle, ..standing(1, 0.5, 0.5) };
                (t, point)
            })
            .filter(|(_, p)| p.rect.corners()[3] < 1.0)
            .collect()
    };
    let json = r#"{"name":"x","kind":"wrong_way","allowed":[[0.5,0.9],[0.5,0.3]]}"#;
    assert_eq!(opened(&mut only(json), &drive(true)), []);
    let against = opened(&mut only(json), &drive(false));
    assert_eq!(against.len(), 1);
    let (seconds, metres) = (against[0].numbers["seconds"], against[0].numbers["metres"]);
    assert!((metres / seconds - 8.0).abs() < 0.8, "{metres} m in {seconds} s");
    let words = words::why(&against[0]).0;
    assert!(words.starts_with("nghi đi ngược chiều ") && words.ends_with(" m (ước tính)"), "{words}");
    assert!(words::caution(against[0].kind).is_some());
}

#[test]
fn a_parked_car_that_is_lost_and_found_again_has_one_event_from_when_it_stopped() {
    let mut rules = only(r#"{"name":"x","kind":"stopped","seconds":20}"#);
    let mut changes = Vec::new();
    for i in 0..240 {
        let (track, tremble) = (if i < 60 { 1 } else { 2 }, if i % 3 == 0 { 0.004 } else { 0.0 });
        let x = if i < 10 { 0.1 + 0.03 * i as f32 } else { 0.4 + tremble };
        // Hidden for six seconds, then under another number.
        let hidden = (60..72).contains(&i);
        let car = TrackPoint { class: Class::Car, ..standing(track, x, 0.6) };
        let ended: &[i64] = if i == 61 { &[1] } else { &[] };
        changes.extend(rules.step(&frame(i * 500, &[], if hidden { &[] } else { std::slice::from_ref(&car) }, ended)));
    }
    changes.extend(rules.finish());
    let changes = short(&changes);
    assert_eq!(changes.iter().filter(|c| c.0 == 'O').count(), 1, "{changes:?}");
    let (_, start, end) = *changes.last().unwrap();
    assert!((4_500..6_500).contains(&start) && end > 115_000, "{start} to {end} ms");
}

#[test]
fn a_bag_put_down_by_somebody_who_leaves_is_told_once_with_who_it_was_and_a_standing_man_never() {
    let bag = rect(0.5, 0.5, 0.5625, 0.5625);
    let run = |leaves: bool, thing: bool| {
        let mut rules = only(r#"{"name":"x","kind":"left_object","seconds":8}"#);
        let mut closed = Vec::new();
        for i in 0..80 {
            let x = if !leaves || i < 24 { 0.53 } else { 0.53 + 0.03 * (i - 24) as f32 };
            let man: Vec<_> = if x < 0.97 { vec![standing(4, x, 0.5625)] } else { vec![] };
            // The gate needs six seconds to see that it is still.
            let still = if thing && i >= 22 { vec![bag] } else { vec![] };
            let seen = FrameSeen { still: Some(still), ..frame(i * 500, &[], &man, &[]) };
            closed.extend(rules.step(&seen));
        }
        closed.extend(rules.finish());
        closed.iter().filter(|c| matches!(c, EventChange::Close { .. })).map(|c| event(c).clone()).collect::<Vec<_>>()
    };
    let left = run(true, true);
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].track, left[0].class, left[0].rect), (Some(TrackId(4)), None, bag));
    assert_eq!(left[0].start_us, 5_000_000, "when it came to rest");
    assert!(words::why(&left[0]).0.contains("đối tượng số 4"));
    assert_eq!((run(false, true).len(), run(true, false).len()), (0, 0));
}

#[test]
fn a_crowd_is_one_event_though_not_all_are_looked_at_each_time() {
    let mut rules = only(r#"{"name":"x","kind":"crowd","count":3,"seconds":4}"#);
    let mut changes = Vec::new();
    for i in 0..60_i64 {
        let here: Vec<_> =
            (0..4).filter(|n| i < 40 && (i + n) % 2 == 0).map(|n| standing(n, 0.2 + 0.1 * n as f32, 0.5)).collect();
        changes.extend(rules.step(&frame(i * 500, &[], &here, &[])));
    }
    let closed: Vec<_> = changes.iter().filter(|c| matches!(c, EventChange::Close { .. })).collect();
    assert_eq!(closed.len(), 1, "{:?}", short(&changes));
    assert_eq!(event(closed[0]).numbers["count_max"], 4.0);
}

#[test]
fn a_schedule_that_is_over_closes_and_one_that_begins_looks_anew() {
    // 1970 began on a Thursday at seven in the morning, local time.
    let mut rules = only(r#"{"name":"x","kind":"intrusion","schedule":["thu 07:01-07:02"]}"#);
    let mut changes = Vec::new();
    for i in 0..200 {
        changes.extend(rules.step(&frame(i * 1000, &[], &[standing(1, 0.5, 0.5)], &[])));
    }
    let changes: Vec<_> = short(&changes).into_iter().filter(|c| c.0 != 'U').collect();
    assert_eq!(changes, [('O', 60_000, 61_000), ('C', 60_000, 119_000)]);
}

#[test]
fn votes_of_a_track_are_told_when_enough_of_them_agree() {
    let mut rules = only(r#"{"name":"x","kind":"attribute","model":"helmet.onnx","label":"none"}"#);
    let vote = |i: i64, label: &str| Labelled {
        camera: CAMERA,
        track: TrackId(3),
        class: Class::Motorcycle,
        time: MediaTime(i * 300_000),
        rect: rect(0.25, 0.25, 0.5, 0.5),
        model: "helmet.onnx".into(),
        model_sha256: "abc".into(),
        label: label.into(),
        score: 0.9,
    };
    let mut changes = Vec::new();
    for (i, label) in ["none", "worn", "none", "none", "worn", "none", "none", "none"].into_iter().enumerate() {
        changes.extend(rules.labelled(&vote(i as i64, label)));
    }
    changes.extend(rules.labelled(&Labelled { model: "other.onnx".into(), ..vote(9, "none") }));
    changes.extend(rules.finish());
    let changes: Vec<_> = changes.iter().map(event).collect();
    assert_eq!(changes[0].numbers["votes"], 7.0, "five of seven are enough, three of five and four of six were not");
    assert!(changes.iter().all(|e| e.track == Some(TrackId(3)) && e.model_sha256.as_deref() == Some("abc")));
    assert_eq!(words::why(changes.last().unwrap()).0, "x (6 trên 8 lần nhìn)");
}

#[test]
fn a_covered_lens_and_a_dead_camera_are_events_as_long_as_they_last() {
    let rules = each().into_iter().filter(|r| matches!(r.kind(), RuleKind::Tamper | RuleKind::CameraDown)).collect();
    let mut rules = Rules::new(CAMERA, rules, None);
    let mut changes = Vec::new();
    for i in 0..20 {
        let fault = match i {
            3..8 => Some(PictureFault::Covered),
            15 => Some(PictureFault::Moved),
            _ => None,
        };
        let sends = if i < 2 { None } else { Some(!(10..14).contains(&i)) };
        changes.extend(rules.state(&CameraState { time: MediaTime(i * 1_000_000), fault, sends }));
    }
    let all: Vec<_> = changes.iter().filter(|c| !matches!(c, EventChange::Update { .. })).collect();
    let kinds: Vec<_> = all.iter().map(|c| (short(std::slice::from_ref(c))[0].0, event(c).kind)).collect();
    let (covered, down) = (RuleKind::Tamper, RuleKind::CameraDown);
    assert_eq!(kinds, [('O', covered), ('C', covered), ('O', down), ('C', down)]);
    assert_eq!(words::why(event(all[1])).0, "hình bị che, đã 4 giây");
}

proptest! {
    #[test]
    fn every_event_of_every_kind_closes_once_and_its_path_runs_forward(happens in happenings(), replaced_at in 0..60_usize) {
        let mut rules = Rules::new(CAMERA, each(), None);
        let (before, after) = happens.split_at(replaced_at.min(happens.len()));
        let mut changes = play(&mut rules, before);
        changes.extend(rules.replace(each().into_iter().skip(2).collect()));
        changes.extend(play(&mut rules, after));
        let (mut open, mut closed) = (BTreeMap::new(), BTreeSet::new());
        for change in &changes {
            let (EventChange::Open { event, key } | EventChange::Update { event, key } | EventChange::Close { event, key }) = change;
            match change {
                EventChange::Open { .. } => prop_assert!(open.insert(*key, 0).is_none(), "opened twice"),
                EventChange::Update { .. } => {}
                EventChange::Close { .. } => prop_assert!(closed.insert(*key), "closed twice"),
            }
            let revision = open.get_mut(key);
            prop_assert!(revision.is_some(), "told before it was opened");
            let revision = revision.unwrap();
            *revision += 1;
            prop_assert_eq!(event.revision, *revision);
            prop_assert!(event.start_us <= event.end_us, "{:?}", event);
            prop_assert_eq!(event.path[0].time_us, event.start_us);
            prop_assert!(event.path.windows(2).all(|w| w[0].time_us < w[1].time_us), "{:?}", event);
            prop_assert!(event.numbers.values().all(|n| n.is_finite()), "{:?}", event);
            prop_assert!(!words::why(event).0.is_empty());
        }
        prop_assert_eq!(open.len(), closed.len());
    }

    #[test]
    fn shifting_all_times_shifts_the_events_of_every_kind(happens in happenings(), shift_us in -1_000_000_000..2_000_000_000_000_000_i64) {
        let mut later = happens.clone();
        later.iter_mut().for_each(|h| h.frame.time = h.frame.time.plus_us(shift_us));
        let expected: Vec<_> = play(&mut Rules::new(CAMERA, each(), None), &happens).into_iter().map(|change| changed(change, |event| {
            event.start_us += shift_us;
            event.end_us += shift_us;
            event.path.iter_mut().for_each(|p| p.time_us += shift_us);
        })).collect();
        prop_assert_eq!(play(&mut Rules::new(CAMERA, each(), None), &later), expected);
    }

    #[test]
    fn a_mirrored_street_gives_the_events_of_every_kind_at_the_same_times(happens in happenings()) {
        let mut other = happens.clone();
        for h in &mut other {
            h.frame.motion.iter_mut().for_each(|r| *r = mirrored(*r));
            h.frame.tracks.iter_mut().for_each(|p| p.rect = mirrored(p.rect));
            h.frame.still.iter_mut().flatten().for_each(|r| *r = mirrored(*r));
            if let Some((_, _, rect)) = &mut h.vote {
                *rect = mirrored(*rect);
            }
        }
        let flip = |p: Point| Point { x: 1.0 - p.x, y: p.y };
        let mirror_rule = |rule: Rule| {
            let what = match rule.what {
                What::LineCrossing { line, direction, margin } => What::LineCrossing { line: line.map(flip), direction, margin },
                What::WrongWay { allowed, angle_deg, seconds, distance } => {
                    What::WrongWay { allowed: allowed.map(flip), angle_deg, seconds, distance }
                }
                What::Speeding { ground, limit_kmh } => {
                    let ground = Ground::new(ground.picture().map(flip), ground.metres()).unwrap();
                    What::Speeding { ground: Box::new(ground), limit_kmh }
                }
                what => what,
            };
            Rule { what, ..rule }
        };
        let there = play(&mut Rules::new(CAMERA, each(), None), &happens);
        let here = play(&mut Rules::new(CAMERA, each().into_iter().map(mirror_rule).collect(), None), &other);
        let told = |changes: &[EventChange]| changes.iter().map(|c| {
            let e = event(c);
            (e.kind, e.start_us, e.end_us, e.track, e.revision)
        }).collect::<Vec<_>>();
        prop_assert_eq!(told(&here), told(&there));
    }

    #[test]
    fn a_still_object_whose_box_trembles_never_crosses_a_line(
        x in 0.3..0.7_f32, y in 0.4..0.8_f32, angle in 0.0..std::f32::consts::TAU, off in -0.05..0.05_f32, h in 0.05..0.3_f32,
        trembles in prop::collection::vec((-1.0..1.0_f32, -1.0..1.0_f32), 10..80),
    ) {
        // A line through the object's foot, or nearly so.
        let (cx, cy) = (x + off * angle.sin(), y - off * angle.cos());
        let end = |way: f32| format!("[{},{}]", (cx + way * 0.25 * angle.cos()).clamp(0.0, 1.0), (cy + way * 0.25 * angle.sin()).clamp(0.0, 1.0));
        let mut rules = only(&format!(r#"{{"name":"x","kind":"line_crossing","line":[{},{}]}}"#, end(-1.0), end(1.0)));
        let (w, tremble) = (h / 2.5, 0.055 * h);
        for (i, (dx, dy)) in trembles.iter().enumerate() {
            // By up to 5.5 % of its height in any direction; to the side a picture height is 9/16 of its width.
            let long = dx.hypot(*dy).max(1.0);
            let (fx, fy) = (x + tremble * dx / long * 9.0 / 16.0, y + tremble * dy / long);
            let rect = NormBox::new(fx - w / 2.0, fy - h, fx + w / 2.0, fy).unwrap();
            let point = TrackPoint { rect, ..standing(1, 0.5, 0.5) };
            let changes = rules.step(&frame(i as i64 * 300, &[], &[point], &[]));
            prop_assert!(changes.is_empty(), "{changes:?}");
        }
        prop_assert!(rules.take_crossings().is_empty());
    }

    #[test]
    fn the_speed_of_a_pass_over_measured_ground_is_within_its_stated_error(
        kmh in 15.0..90.0_f64, lane in 1.0..6.0_f64, noise in 0.0..0.4_f64,
        looks in prop::collection::vec((0.15..0.8_f64, -1.0..1.0_f64, -1.0..1.0_f64), 60),
    ) {
        let (mut t, mut places) = (0.0, Vec::new());
        for (dt, ex, ey) in looks {
            let y = kmh / 3.6 * t;
            if y > 60.0 {
                break;
            }
            places.push((MediaTime((t * 1e6) as i64), [lane + noise * ex, y + noise * ey]));
            t += dt;
        }
        if let Some((speed, error, _)) = speeding::speed_kmh(&places) {
            prop_assert!((speed - kmh).abs() <= error, "{kmh:.1} km/h said to be {speed:.1} ± {error:.1}");
        }
    }
}
