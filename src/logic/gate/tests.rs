use proptest::prelude::*;

use super::{
    blobs::{Blobs, grown, meet},
    cells::{STRONG, WEAK},
    *,
};

const W: usize = 32;
const H: usize = 18;

fn gate(threshold: f32, masks: &[Polygon]) -> Motion {
    Motion::new(MotionConfig { threshold, ..MotionConfig::default() }, W, H, masks)
}

/// Shows the pictures at 5 a second from that time on.
fn shown(gate: &mut Motion, from: i64, pictures: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<NormBox>> {
    let at = |(i, luma): (usize, Vec<u8>)| {
        gate.step(&Small { time: MediaTime(from + i as i64 * 200_000), luma: &luma, colour: None })
    };
    pictures.into_iter().enumerate().map(at).collect()
}

fn with_square(base: u8, level: u8, x: usize, y: usize, size: usize) -> Vec<u8> {
    let mut picture = vec![base; W * H];
    for row in y..(y + size).min(H) {
        for cell in x..(x + size).min(W) {
            picture[row * W + cell] = level;
        }
    }
    picture
}

fn some_picture() -> impl Strategy<Value = Vec<u8>> {
    (prop::collection::vec(80u8..90, W * H), 0..W - 6, 0..H - 6, any::<u8>()).prop_map(|(mut picture, x, y, level)| {
        (0..36).for_each(|k| picture[(y + k / 6) * W + x + k % 6] = level);
        picture
    })
}

fn pictures() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(some_picture(), 2..25)
}

proptest! {
    #[test]
    fn equal_pictures_never_move(picture in prop::collection::vec(any::<u8>(), W * H), times in 1..40usize) {
        for said in shown(&mut gate(1.0, &[]), 0, std::iter::repeat_n(picture, times)) {
            prop_assert!(said.is_empty());
        }
    }

    #[test]
    fn moving_all_times_moves_nothing(pictures in pictures(), by in -1_000_000_000_000i64..1_000_000_000_000) {
        let (mut one, mut other) = (gate(8.0, &[]), gate(8.0, &[]));
        prop_assert_eq!(shown(&mut one, 0, pictures.clone()), shown(&mut other, by, pictures));
    }

    #[test]
    fn what_happens_under_a_mask_changes_nothing(pictures in pictures(), seed in any::<u8>()) {
        let left = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]].map(Point::from).to_vec();
        let masks = [Polygon::new(left).unwrap()];
        let mut wild = pictures.clone();
        for (n, picture) in wild.iter_mut().enumerate() {
            for (i, cell) in picture.iter_mut().enumerate().filter(|(i, _)| i % W < W / 2) {
                *cell = seed.wrapping_mul(31).wrapping_add((i * 7 + n * 13) as u8);
            }
        }
        let (one, other) = (shown(&mut gate(8.0, &masks), 0, pictures), shown(&mut gate(8.0, &masks), 0, wild));
        for rect in one.iter().flatten() {
            prop_assert!(rect.corners()[2] > 0.5, "{rect:?} lies under the mask");
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn whatever_is_shown_boxes_lie_in_the_picture_and_never_meet(pictures in pictures(), grey in any::<bool>()) {
        let mut gate = gate(4.0, &[]);
        let colour = Some(if grey { 0.0 } else { 30.0 });
        for (i, luma) in pictures.iter().enumerate() {
            let boxes = gate.step(&Small { time: MediaTime(i as i64 * 200_000), luma, colour });
            prop_assert!(boxes.len() <= BOXES_MAX);
            for (k, a) in boxes.iter().enumerate() {
                prop_assert!(boxes[k + 1..].iter().all(|b| a.iou(*b) == 0.0));
            }
        }
    }

    #[test]
    fn every_strong_cell_of_a_large_region_is_in_one_blob_and_blobs_share_no_cell(
        picked in prop::collection::vec(prop_oneof![8 => Just(0u8), 1 => Just(WEAK), 1 => Just(STRONG)], W * H),
        cells_min in 1..5usize,
    ) {
        let (mut level, difference) = (picked.clone(), vec![1.0; W * H]);
        let mut blobs = Blobs::default();
        blobs.find(&mut level, &difference, W, cells_min);
        let mut seen = vec![false; W * H];
        for blob in blobs.all() {
            prop_assert!(blob.cells >= cells_min && blob.strong >= 1);
            for &cell in blobs.cells(blob) {
                let (x, y) = (cell as usize % W, cell as usize / W);
                prop_assert!(!std::mem::replace(&mut seen[cell as usize], true), "twice");
                prop_assert!(picked[cell as usize] != 0);
                prop_assert!(meet(blob.bounds, [x, y, x + 1, y + 1]));
            }
        }
        if cells_min == 1 {
            prop_assert!((0..W * H).all(|i| picked[i] != STRONG || seen[i]));
        }
    }

    #[test]
    fn merged_boxes_do_not_meet_and_cover_what_they_were(
        boxes in prop::collection::vec((0..W - 4, 0..H - 4, 1..4usize, 1..4usize), 0..40),
    ) {
        let boxes: Vec<_> = boxes.into_iter().map(|(x, y, w, h)| [x, y, x + w, y + h]).collect();
        let mut merged = boxes.clone();
        merge(&mut merged);
        for (i, a) in merged.iter().enumerate() {
            prop_assert!(merged[i + 1..].iter().all(|b| !meet(*a, *b)));
        }
        prop_assert!(boxes.iter().all(|b| merged.iter().any(|m| around(*m, *b) == *m)));
        prop_assert!(boxes.iter().all(|b| around(grown(*b, 1, W, H), *b) == grown(*b, 1, W, H)));
    }
}

#[test]
fn a_square_that_appears_is_boxed_where_it_is() {
    let mut gate = gate(10.0, &[]);
    let still = std::iter::repeat_n(with_square(100, 100, 0, 0, 0), 5);
    let said = shown(&mut gate, 0, still.chain([with_square(100, 160, 8, 6, 4)]));
    assert!(said[..5].iter().all(Vec::is_empty));
    assert_eq!(said[5], vec![NormBox::new(7.0 / 32.0, 5.0 / 18.0, 13.0 / 32.0, 11.0 / 18.0).unwrap()]);
}

#[test]
fn what_stood_in_the_first_picture_leaves_no_ghost_behind() {
    let mut gate = gate(10.0, &[]);
    let gone = std::iter::repeat_n(with_square(90, 90, 0, 0, 1), 60);
    let said = shown(&mut gate, 0, std::iter::once(with_square(90, 200, 10, 5, 6)).chain(gone));
    let moved: Vec<bool> = said[1..].iter().map(|s| !s.is_empty()).collect();
    assert!(moved[0], "its leaving is seen");
    assert!(!moved[6..].contains(&true), "the bare ground is no motion: {moved:?}");
}

#[test]
fn what_was_never_alone_in_a_busy_scene_leaves_no_ghost_when_it_goes() {
    let mut gate = gate(10.0, &[]);
    // Something stands there from the first picture on, and others pass in front of it too often for it to rest.
    let stands = with_square(90, 200, 10, 5, 6);
    let busy = (0..150).map(|i| {
        let mut picture = stands.clone();
        let x = i * 2 % (W - 3);
        (4..12).for_each(|y| picture[y * W + x..y * W + x + 3].fill(30));
        picture
    });
    let gone = std::iter::repeat_n(with_square(90, 90, 0, 0, 1), 60);
    let said = shown(&mut gate, 0, busy.chain(gone));
    let moved: Vec<bool> = said[150..].iter().map(|s| !s.is_empty()).collect();
    let last = moved.iter().rposition(|m| *m).expect("its leaving is seen");
    assert!(last <= 6, "the bare ground seems to move for {last} pictures of a fifth of a second: {moved:?}");
}

#[test]
fn a_thing_that_goes_on_moving_is_seen_as_long_as_it_moves() {
    let mut gate = gate(10.0, &[]);
    let moving = (0..400).map(|i| with_square(90, 200, i % (W - 4), 5, 4));
    let said = shown(&mut gate, 0, std::iter::once(with_square(90, 90, 0, 0, 1)).chain(moving));
    let unseen: Vec<_> = (1..=400).filter(|i| said[*i].is_empty()).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

#[test]
fn what_has_stopped_becomes_background() {
    let mut gate = gate(10.0, &[]);
    const KNOWN: usize = 120;
    let empty = std::iter::repeat_n(with_square(100, 100, 0, 0, 0), KNOWN);
    let said = shown(&mut gate, 0, empty.chain(std::iter::repeat_n(with_square(100, 160, 8, 6, 4), 200)));
    assert_eq!(said[KNOWN].len(), 1);
    let quiet_after = said[KNOWN..].iter().position(Vec::is_empty).expect("it stays in motion for ever");
    assert!(quiet_after > 25, "gone after {quiet_after} pictures: a person waiting would be lost in 5 s");
}

#[test]
fn a_light_switch_is_no_motion_and_neither_is_a_slow_dusk() {
    let squares =
        [(60, 90, 8), (160, 220, 8), (160, 220, 20)].map(|(base, level, x)| with_square(base, level, x, 6, 4));
    let said = shown(&mut gate(10.0, &[]), 0, squares);
    assert!(said[1].is_empty(), "switched on");
    assert_eq!(said[2].len(), 2, "and sees again at once");
    let dusk = (40..200).rev().map(|level| with_square(level, level, 0, 0, 0));
    assert!(shown(&mut gate(10.0, &[]), 0, dusk).iter().all(Vec::is_empty));
}

#[test]
fn pictures_far_apart_stir_when_something_is_there() {
    let (mut keys, usual) = (gate(10.0, &[]), gate(10.0, &[]));
    let mut show =
        |s: i64, luma: &[u8]| keys.stirs_beside(&Small { time: MediaTime(s * 1_000_000), luma, colour: None }, &usual);
    let empty = with_square(100, 100, 0, 0, 0);
    assert!(!show(0, &empty) && !show(2, &empty));
    assert!(show(4, &with_square(100, 160, 8, 6, 2)), "small: the pictures between will tell");
    assert!(show(6, &with_square(100, 160, 20, 6, 5)), "large");
    assert!(!show(100, &with_square(100, 160, 2, 2, 6)), "after a minute it is another scene");
}

#[test]
fn among_pictures_far_apart_a_place_that_others_know_to_wave_does_not_stir() {
    let wave = |i: usize| with_square(100, if i.is_multiple_of(2) { 100 } else { 125 }, 8, 6, 4);
    let (mut keys, mut usual) = (gate(8.0, &[]), gate(8.0, &[]));
    shown(&mut usual, 0, (0..400).map(wave));
    let mut show = |i: usize, usual: &Motion| {
        keys.stirs_beside(&Small { time: MediaTime(i as i64 * 2_000_000), luma: &wave(i), colour: None }, usual)
    };
    // What is usual was measured from between the two greys.
    let stirs: Vec<bool> = (0..80).map(|i| show(i, &usual)).collect();
    assert!(!stirs[60..].contains(&true));
    let mut keys = gate(8.0, &[]);
    let show = |i: usize| {
        let small = Small { time: MediaTime(i as i64 * 2_000_000), luma: &wave(i), colour: None };
        keys.stirs_beside(&small, &gate(8.0, &[]))
    };
    assert!((80..82).any(show), "nobody knew");
}

#[test]
fn a_place_that_is_pardoned_is_looked_at_again() {
    let wave = |i: usize| with_square(100, if i.is_multiple_of(2) { 100 } else { 125 }, 8, 6, 4);
    let (mut known, mut pardoned) = (gate(8.0, &[]), gate(8.0, &[]));
    for gate in [&mut known, &mut pardoned] {
        let said = shown(gate, 0, (0..400).map(wave));
        assert!(!said[1].is_empty() && said[390..].iter().all(Vec::is_empty), "a place that always changes is known");
    }
    pardoned.pardon(&[NormBox::new(0.2, 0.2, 0.5, 0.7).unwrap()]);
    let later =
        |gate: &mut Motion| shown(gate, 80_000_000, (400..410).map(wave)).iter().filter(|s| !s.is_empty()).count();
    assert_eq!(later(&mut known), 0);
    assert!(later(&mut pardoned) >= 4);
}

#[test]
fn blocks_that_key_frames_leave_behind_are_no_motion_after_a_while_and_a_small_thing_that_goes_past_still_is() {
    let key = |i: usize| {
        let at = i / 10 * 7;
        with_square(100, if i % 10 < 2 { 130 } else { 100 }, 1 + at * 3 % 28, 1 + at * 5 % 15, 2)
    };
    let mut gate = gate(8.0, &[]);
    let said = shown(&mut gate, 0, (0..1200).map(key));
    let moving = |said: &[Vec<NormBox>]| said.iter().filter(|s| !s.is_empty()).count();
    assert!(moving(&said[..300]) >= 25, "nothing is known of this camera yet");
    assert_eq!(moving(&said[900..]), 0);
    let mut keys = self::gate(8.0, &[]);
    let mut stirs =
        |s: i64, luma: &[u8]| keys.stirs_beside(&Small { time: MediaTime(s * 1_000_000), luma, colour: None }, &gate);
    let (empty, block) = (with_square(100, 100, 0, 0, 0), with_square(100, 130, 9, 9, 2));
    assert!(!stirs(0, &empty) && !stirs(2, &block), "such blocks are in every key frame");
    assert!(stirs(4, &with_square(100, 160, 20, 6, 5)), "large");
    let past = shown(&mut gate, 240_000_000, (0..12).map(|i| with_square(100, 160, 2 + 2 * i, 8, 2)));
    assert!(moving(&past) >= 8, "{}", moving(&past));
}
