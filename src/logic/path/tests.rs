use proptest::prelude::*;

use super::*;

const START_US: i64 = 1_795_183_450_123_456;

/// Where the decoded way is at a time, straight between its points.
fn along(places: &[Place], time: MediaTime) -> [f32; 4] {
    let after = places.iter().position(|p| p.time >= time).unwrap_or(places.len() - 1);
    let (from, to) = (places[after.saturating_sub(1)], places[after]);
    let part = (time.since(from.time) as f64 / to.time.since(from.time).max(1) as f64).clamp(0.0, 1.0);
    std::array::from_fn(|i| {
        let (a, b) = (f64::from(from.rect.corners()[i]), f64::from(to.rect.corners()[i]));
        (a + (b - a) * part) as f32
    })
}

fn rect(x: f32, y: f32, w: f32, h: f32) -> NormBox {
    NormBox::new(x, y, x + w, y + h).unwrap()
}

/// What may differ on top of the bound: half a step of the grid and what a box moves in half a millisecond.
fn off(places: &[Place], time: MediaTime, rect: NormBox) -> f32 {
    along(places, time).iter().zip(rect.corners()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Somebody who crosses the picture at five sightings a second; the detector's boxes jump by up to a pixel or two.
fn walk(seconds: i64, jump: f32) -> Vec<(MediaTime, NormBox)> {
    let mut state = 7u32;
    let mut dice = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
    };
    let spot = |i: i64| {
        let t = i as f32 / (seconds * 5) as f32;
        let (x, y, grown) = (0.05 + 0.8 * t, 0.5 + 0.2 * (t * 9.0).sin(), 0.05 + 0.03 * t);
        (MediaTime(START_US + i * 200_000 + (i % 7) * 1_300), (x, y, grown))
    };
    (0..seconds * 5)
        .map(|i| {
            let (time, (x, y, w)) = spot(i);
            (time, rect(x + jump * dice(), y + jump * dice(), w + jump * dice(), 2.0 * w + jump * dice()))
        })
        .collect()
}

#[test]
fn a_walk_through_the_picture_takes_few_bytes_and_comes_back_within_the_bound() {
    for (seconds, jump) in [(4, 0.0), (20, 0.004), (20, 0.02), (300, 0.01)] {
        let walked = walk(seconds, jump);
        let mut way = Way::default();
        walked.iter().for_each(|(time, rect)| way.push(*time, *rect));
        let bytes = way.encode();
        let (places, bound) = decode(&bytes).unwrap();
        let worst = walked.iter().map(|(time, rect)| off(&places, *time, *rect)).fold(0.0, f32::max);
        println!(
            "{seconds} s, jumps of {jump}: {} points in {} bytes, {} kept, {:.1} bytes each, {:.1} a sighting; off by {worst:.4}",
            walked.len(),
            bytes.len(),
            places.len(),
            bytes.len() as f32 / places.len() as f32,
            bytes.len() as f32 / walked.len() as f32,
        );
        assert!(bytes.len() <= 16 + 10 * places.len() && bytes.len() <= 16 + 10 * walked.len());
        assert!(worst <= bound + 0.001, "off by {worst}, more than {bound}");
        assert!(places.len() <= POINTS_MAX);
        // Only what is crooked for minutes is thinned out.
        assert!(bound == 17.0 / GRID || seconds == 300 && bound < 0.1, "{bound}");
    }
}

#[test]
fn something_that_stands_for_days_stays_small() {
    let mut way = Way::default();
    for i in 0..100_000i64 {
        // A parked car whose box trembles.
        let x = 0.3 + (i * 7 % 5) as f32 * 0.0005;
        way.push(MediaTime(START_US + i * 5_000_000), rect(x, 0.4, 0.2, 0.2));
    }
    let bytes = way.encode();
    let (places, _) = decode(&bytes).unwrap();
    assert!(bytes.len() < 64, "{} bytes", bytes.len());
    assert_eq!(places.last().unwrap().time.since(MediaTime(START_US)) / 1000, 99_999 * 5000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_place_comes_back_within_the_bound_however_it_moves(
        steps in prop::collection::vec((0i64..3_000_000, 0.0f32..0.9, 0.0f32..0.9, 0.0f32..0.5, 0.0f32..0.5), 1..900),
    ) {
        let mut way = Way::default();
        let (mut time, mut pushed) = (MediaTime(START_US), Vec::new());
        for (step_us, x, y, w, h) in steps {
            time = time.plus_us(step_us);
            let rect = rect(x, y, w + 0.001, h + 0.001);
            way.push(time, rect);
            pushed.push((time, rect));
        }
        let (places, bound) = decode(&way.encode()).unwrap();
        prop_assert!(places.len() <= POINTS_MAX);
        prop_assert!(places.windows(2).all(|p| p[0].time < p[1].time));
        for (i, (time, rect)) in pushed.iter().enumerate() {
            // Within a millisecond only the first one counts; between close ones the way is steep, and time is told to half
            // a millisecond.
            let near = |other: usize| pushed.get(other).is_some_and(|(t, _)| t.since(*time).abs() < 400_000);
            if near(i + 1) || i > 0 && near(i - 1) {
                continue;
            }
            let off = off(&places, *time, *rect);
            prop_assert!(off <= bound + 0.003, "off by {} at {}, bound {}", off, i, bound);
        }
    }

    #[test]
    fn what_is_decoded_and_encoded_again_is_the_same(
        steps in prop::collection::vec((1i64..90_000, 0i32..4000, 0i32..4000, 1i32..96, 1i32..96), 1..60),
    ) {
        // Points so crooked that each must be kept.
        let mut way = Way::default();
        let mut time = MediaTime(START_US);
        for (i, (ms, x, y, w, h)) in steps.iter().enumerate() {
            time = time.plus_us(ms * 1000);
            let x = if i % 2 == 0 { *x } else { 4000 - *x };
            let v = |n: i32| n as f32 / GRID;
            way.push(time, NormBox::new(v(x), v(*y), v(x + w), v(y + h)).unwrap());
        }
        let bytes = way.encode();
        let (places, _) = decode(&bytes).unwrap();
        let mut again = Way::default();
        places.iter().for_each(|p| again.push(p.time, p.rect));
        prop_assert_eq!(decode(&again.encode()).unwrap().0, places);
    }

    #[test]
    fn garbage_is_an_error_or_a_way_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut versioned = vec![VERSION];
        versioned.extend(&bytes);
        for bytes in [bytes, versioned] {
            if let Ok((places, _)) = decode(&bytes) {
                prop_assert!(places.len() as u64 <= READ_MAX);
            }
        }
    }

    #[test]
    fn a_path_with_a_byte_changed_or_cut_off_never_panics(at in 0..200usize, byte in any::<u8>()) {
        let mut way = Way::default();
        walk(8, 0.02).iter().for_each(|(time, rect)| way.push(*time, *rect));
        let mut bytes = way.encode();
        let at = at % bytes.len();
        prop_assert!(decode(&bytes[..at]).is_err());
        bytes[at] = byte;
        let _ = decode(&bytes);
    }
}

#[test]
fn bytes_of_another_version_or_with_more_behind_are_refused() {
    let mut way = Way::default();
    way.push(MediaTime(START_US), rect(0.1, 0.1, 0.2, 0.2));
    let bytes = way.encode();
    assert!(bytes.len() <= 24, "{}", bytes.len());
    assert!(matches!(decode(&[&bytes[..], &[0]].concat()), Err(PathError::Impossible(_))));
    assert_eq!(decode(&[9, 0, 0, 0]), Err(PathError::Version(9)));
    assert_eq!(decode(&[]), Err(PathError::Cut));
    let endless = [&[VERSION], &[0xff; 12][..]].concat();
    assert!(matches!(decode(&endless), Err(PathError::Impossible(_))));
    assert_eq!(decode(&Way::default().encode()).unwrap().0, []);
}
