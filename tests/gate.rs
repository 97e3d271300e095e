//! The motion gate on drawn places: what is nothing makes no region, what passes is found in the same place.

mod common;

use common::drawn::{Dice, H, Sheet, W, night, quiet, swarm, wet, windy};
use vonglau::{
    domain::{
        geometry::{NormBox, Polygon},
        time::MediaTime,
    },
    logic::gate::{Motion, MotionConfig, Small},
};

/// Pictures a second.
const RATE: u64 = 5;

/// A gate and what it said, picture by picture.
struct Watch {
    gate: Motion,
    colour: f32,
    said: Vec<Vec<NormBox>>,
}

impl Watch {
    fn new() -> Self {
        Self::masked(&[])
    }
    fn masked(masks: &[Polygon]) -> Self {
        Self { gate: Motion::new(MotionConfig::default(), W, H, masks), colour: 20.0, said: Vec::new() }
    }
    fn at_night() -> Self {
        Self { colour: 0.3, ..Self::new() }
    }
    fn show(&mut self, sheet: &Sheet) -> usize {
        let time = MediaTime((self.said.len() as u64 * 1_000_000 / RATE) as i64);
        self.said.push(self.gate.step(&Small { time, luma: &sheet.bytes(), colour: Some(self.colour) }));
        self.said.last().map_or(0, Vec::len)
    }
    /// Shows so many pictures; in how many something moved.
    fn run(&mut self, pictures: u64, draw: impl Fn(u64) -> Sheet) -> usize {
        let from = self.said.len() as u64;
        (from..from + pictures).filter(|i| self.show(&draw(*i)) > 0).count()
    }
    /// Whether a region of the last picture holds that cell.
    fn holds(&self, (x, y): (f32, f32)) -> bool {
        let (x, y) = (x / W as f32, y / H as f32);
        let inside = |b: &NormBox| {
            let [x0, y0, x1, y1] = b.corners();
            x0 <= x && x <= x1 && y0 <= y && y <= y1
        };
        self.said.last().is_some_and(|all| all.iter().any(inside))
    }
    /// Shows a thing going from one place to another: in which share of the pictures it is found where it is.
    fn walk(
        &mut self,
        pictures: u64,
        (from, to): ((f32, f32), (f32, f32)),
        (size, brighter): ((f32, f32), f32),
        draw: impl Fn(u64) -> Sheet,
    ) -> f32 {
        let begun = self.said.len() as u64;
        let mut found = 0;
        for i in 0..pictures {
            let part = i as f32 / pictures as f32;
            let place = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
            let mut sheet = draw(begun + i);
            sheet.thing(place, size, brighter);
            self.show(&sheet);
            found += u32::from(self.holds(place));
        }
        found as f32 / pictures as f32
    }
}

#[test]
fn nothing_moves_in_a_quiet_yard_and_far_slow_riders_are_found_there() {
    let mut watch = Watch::new();
    assert_eq!(watch.run(600, quiet), 0, "a quiet yard");
    // Two by three cells, a third of a cell a picture: twelve pixels and less than two a picture in a wide stream.
    for brighter in [-35.0, 30.0] {
        let found = watch.walk(120, ((40.0, 50.0), (80.0, 52.0)), ((1.0, 1.5), brighter), quiet);
        assert!(found > 0.9, "a rider of {brighter} levels is found in {found} of the pictures");
        watch.run(150, quiet);
    }
    assert!(watch.walk(40, ((0.0, 60.0), (160.0, 70.0)), ((5.0, 9.0), -40.0), quiet) > 0.95, "one who walks past");
}

#[test]
fn the_noise_of_an_infrared_night_makes_nothing_and_a_person_in_it_is_found() {
    let mut watch = Watch::at_night();
    watch.run(50, night);
    let moved = watch.run(900, night);
    assert!(moved <= 4, "{moved} pictures of 900");
    let found = watch.walk(60, ((10.0, 60.0), (150.0, 65.0)), ((3.0, 7.0), 35.0), night);
    assert!(found > 0.9, "found in {found}");
}

#[test]
fn a_light_switch_and_a_change_of_exposure_are_no_motion_and_what_moves_then_is_seen() {
    let mut watch = Watch::new();
    watch.run(50, quiet);
    let lit = |gain: f32, offset: f32| {
        move |i: u64| {
            let mut sheet = Sheet::yard(1);
            sheet.light(gain, offset);
            sheet.noise(&mut Dice::of(2, i), 0.8);
            sheet
        }
    };
    for (gain, offset) in [(0.5, 0.0), (1.0, 0.0), (0.8, 30.0), (1.15, 0.0), (1.0, 0.0), (0.9, 0.0)] {
        assert_eq!(watch.run(20, lit(gain, offset)), 0, "light {gain} {offset}");
        let found = watch.walk(30, ((20.0, 60.0), (140.0, 62.0)), ((4.0, 8.0), -30.0), lit(gain, offset));
        assert!(found > 0.95, "in light {gain} {offset}: {found}");
        watch.run(40, lit(gain, offset));
    }
}

#[test]
fn an_infrared_filter_that_moves_is_one_switch_whatever_the_picture_does() {
    let mut watch = Watch::new();
    watch.run(50, quiet);
    watch.colour = 0.4;
    // Parts of the scene get brighter and others darker, and the exposure swings for a second.
    let moved = watch.run(100, |i| {
        let mut sheet = night(i);
        let swing = if i < 57 { 40.0 - 6.0 * (i - 50) as f32 } else { 0.0 };
        sheet.light(1.0, swing);
        for k in 0..12 {
            sheet.thing((10.0 + 12.0 * k as f32, 30.0), (5.0, 8.0), 60.0);
        }
        sheet
    });
    assert_eq!(moved, 0);
    assert!(watch.walk(40, ((10.0, 75.0), (150.0, 75.0)), ((3.0, 7.0), 40.0), night) > 0.5, "and it sees again");
    watch.colour = 20.0;
    assert_eq!(watch.run(50, quiet), 0, "and in the morning back");
}

#[test]
fn rain_is_no_motion_and_a_person_walking_in_it_is_found() {
    let mut watch = Watch::new();
    watch.run(50, quiet);
    let first = watch.run(25, wet);
    let moved = watch.run(600, wet);
    assert!(moved <= 30, "{moved} of 600 pictures of rain, {first} of the first 25");
    let found = watch.walk(60, ((20.0, 60.0), (120.0, 66.0)), ((4.0, 8.0), -45.0), wet);
    assert!(found > 0.85, "found in {found}");
}

#[test]
fn an_insect_before_the_lamp_is_no_motion() {
    let mut watch = Watch::at_night();
    watch.run(50, night);
    let moved = watch.run(500, swarm);
    assert!(moved <= 25, "{moved} of 500 pictures");
    let found = watch.walk(50, ((10.0, 60.0), (150.0, 65.0)), ((3.0, 7.0), 60.0), swarm);
    assert!(found > 0.85, "a person among them is found in {found}");
}

#[test]
fn a_waving_tree_is_known_after_a_while_and_someone_before_it_is_seen_at_once() {
    let mut watch = Watch::new();
    let first = watch.run(300, windy);
    watch.run(600, windy);
    let later = watch.run(600, windy);
    assert!(first > 50, "the tree is seen at first: {first} of 300");
    assert!(later <= 30, "{later} of 600 pictures after three minutes, {first} of the first 300");
    let found = watch.walk(25, ((70.0, 32.0), (150.0, 34.0)), ((4.0, 8.0), -75.0), windy);
    assert!(found > 0.9, "someone before the tree is found in {found}");
    let found = watch.walk(25, ((20.0, 70.0), (150.0, 70.0)), ((4.0, 8.0), -30.0), windy);
    assert!(found > 0.9, "someone elsewhere is found in {found}");
}

#[test]
fn a_busy_road_is_seen_for_ever() {
    // Two lanes, half of them covered by vehicles, for ten minutes.
    let busy = |i: u64| {
        let mut sheet = quiet(i);
        for k in 0..10u64 {
            let at = ((k * 24 + i * 3) % 240) as f32 - 10.0;
            let brighter = [50.0, -40.0, 35.0][k as usize % 3];
            sheet.thing((at, 55.0), (6.0, 4.0), brighter);
            sheet.thing((210.0 - at, 72.0), (5.0, 5.0), -brighter);
        }
        sheet
    };
    let mut watch = Watch::new();
    watch.run(2700, busy);
    let (mut there, mut found) = (0, 0);
    for i in 2700..3000u64 {
        watch.show(&busy(i));
        for k in 0..10u64 {
            let at = ((k * 24 + i * 3) % 240) as f32 - 10.0;
            for place in [(at, 55.0), (210.0 - at, 72.0)].into_iter().filter(|p| (5.0..155.0).contains(&p.0)) {
                there += 1;
                found += u32::from(watch.holds(place));
            }
        }
    }
    assert!(found * 100 >= there * 90, "{found} of {there} vehicles after nine minutes");
    let found = watch.walk(60, ((20.0, 40.0), (140.0, 84.0)), ((2.0, 4.0), -35.0), busy);
    assert!(found > 0.8, "one who crosses is found in {found}");
}

#[test]
fn a_parked_car_costs_nothing_after_some_seconds_and_wakes_at_once_when_it_leaves() {
    let mut watch = Watch::new();
    watch.run(50, quiet);
    assert!(watch.walk(20, ((0.0, 60.0), (80.0, 60.0)), ((9.0, 5.0), 60.0), quiet) > 0.9);
    let parked = |i: u64| {
        let mut sheet = quiet(i);
        sheet.thing((80.0, 60.0), (9.0, 5.0), 60.0);
        sheet
    };
    watch.run(60, parked);
    assert_eq!(watch.run(600, parked), 0, "it stands");
    let mut sheet = quiet(0);
    sheet.thing((84.0, 60.0), (9.0, 5.0), 60.0);
    assert_eq!(watch.show(&sheet), 1, "its first metre");
    watch.walk(20, ((88.0, 60.0), (170.0, 60.0)), ((9.0, 5.0), 60.0), quiet);
    watch.run(60, quiet);
    assert_eq!(watch.run(200, quiet), 0, "the bare ground");
}

#[test]
fn under_a_mask_nothing_moves_and_nothing_there_changes_the_rest() {
    let left = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]].map(Into::into).to_vec();
    let masks = [Polygon::new(left).unwrap()];
    let (mut calm, mut wild) = (Watch::masked(&masks), Watch::masked(&masks));
    for i in 0..200u64 {
        let mut sheet = quiet(i);
        sheet.thing((100.0 + i as f32 * 0.2, 60.0), (3.0, 6.0), 30.0);
        calm.show(&sheet);
        let mut dice = Dice::of(77, i);
        (0..W * H).filter(|k| k % W < W / 2).for_each(|k| sheet.0[k] = 255.0 * dice.unit());
        wild.show(&sheet);
    }
    assert_eq!(calm.said, wild.said);
    assert!(calm.said.iter().any(|s| !s.is_empty()), "nothing was seen at all");
}
