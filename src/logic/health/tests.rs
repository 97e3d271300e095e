//! A drawn street, 320 × 180, in every light and weather, and what may happen to the camera that looks at it.

use proptest::prelude::*;

use super::{lens::Lens, *};

const W: usize = 320;
const H: usize = 180;

fn dice(seed: usize) -> f32 {
    // Finalizer of SplitMix64 (Steele, Lea, Flood, 2014).
    let mut z = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
}

/// One picture to be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shot {
    /// Of full daylight.
    light: f32,
    colour: u8,
    /// Sensor noise, grey levels either way.
    noise: f32,
    /// Pixels every edge is spread over, both ways.
    blur: usize,
    /// Pixels the scene lies to the right and below.
    shift: (i32, i32),
    /// Left edge and width of a lorry close by.
    lorry: Option<(i32, i32)>,
    rain: bool,
    /// Share of the picture's width that headlights dazzle.
    dazzle: f32,
    /// Something smooth of that grey before the glass.
    cover: Option<f32>,
    /// By the camera's own light: near things are bright.
    infrared: bool,
}

const DAY: Shot = Shot {
    light: 1.0,
    colour: 12,
    noise: 2.0,
    blur: 0,
    shift: (0, 0),
    lorry: None,
    rain: false,
    dazzle: 0.0,
    cover: None,
    infrared: false,
};
const NIGHT: Shot = Shot { light: 0.18, noise: 4.0, ..DAY };
const INFRARED: Shot = Shot { light: 0.6, colour: 0, noise: 4.0, infrared: true, ..DAY };

impl Shot {
    fn scene(&self, x: i32, y: i32) -> f32 {
        let (x, y) = (x - self.shift.0 + 4000, y - self.shift.1 + 4000);
        let house = dice((x / 23) as usize * 31 + (y / 19) as usize * 7919);
        let window = if x % 23 > 6 && x % 23 < 13 && y % 19 > 5 && y % 19 < 12 { 60.0 } else { 0.0 };
        let brick = if (x / 3 + y / 3) % 2 == 0 { 8.0 } else { 0.0 };
        60.0 + 90.0 * house + brick - window
    }
    fn level(&self, x: i32, y: i32, second: usize) -> f32 {
        if let Some(grey) = self.cover {
            return grey + 10.0 * x as f32 / W as f32;
        }
        if (x as f32) < self.dazzle * W as f32 && y > 40 {
            return 219.0;
        }
        if let Some((left, wide)) = self.lorry
            && (left..left + wide).contains(&x)
            && y > 20
        {
            return if y % 60 < 4 { 40.0 } else { 120.0 } * self.light;
        }
        let streak = self.rain && (x + y / 4) % 17 == (dice(second * 131) * 17.0) as i32 && y % 40 > 10;
        let near = if self.infrared { 0.5 + y as f32 / H as f32 } else { 1.0 };
        let b = self.blur as i32;
        let (mut sum, mut count) = (0.0, 0);
        for dy in (-b..=b).step_by(2.max(self.blur / 3)) {
            for dx in (-b..=b).step_by(2.max(self.blur / 3)) {
                sum += self.scene(x + dx, y + dy);
                count += 1;
            }
        }
        let seen = if count == 0 { self.scene(x, y) } else { sum / count as f32 };
        self.light * near * seen + if streak { 30.0 } else { 0.0 }
    }
    /// Without noise and clock.
    fn still(&self, second: usize) -> Vec<f32> {
        (0..W * H).map(|i| self.level((i % W) as i32, (i / W) as i32, second)).collect()
    }
    /// I420 planes; the clock in the upper left corner shows `clock`.
    fn planes(&self, second: usize, clock: usize) -> (Vec<u8>, Vec<u8>) {
        self.exposed(&self.still(second), second, clock)
    }
    fn exposed(&self, still: &[f32], second: usize, clock: usize) -> (Vec<u8>, Vec<u8>) {
        // Xorshift (Marsaglia, 2003): a picture of noise must be drawn quickly.
        let mut state = second as u32 * 2_654_435 + 88_675_123;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut luma: Vec<u8> =
            still.iter().map(|level| (16.0 + level + self.noise * noise()).clamp(16.0, 235.0) as u8).collect();
        for y in 0..14 {
            for x in 0..60 {
                luma[y * W + x] = if dice(x / 3 * 77 + y / 3 + clock * 1009) > 0.5 { 235 } else { 16 };
            }
        }
        (luma, vec![128 + self.colour; W * H / 4])
    }
}

/// A camera and its judge; a second is a picture.
struct Post {
    lens: Lens,
    health: Health,
    second: i64,
    begin: i64,
    said: Vec<(i64, Option<PictureFault>)>,
    last: Option<Verdict>,
}

impl Post {
    fn new() -> Self {
        let (lens, health) = (Lens::default(), Health::default());
        Self { lens, health, second: 0, begin: 1_700_000_000_000_000, said: vec![], last: None }
    }
    /// A camera that has looked at the street for a while.
    fn settled(shot: Shot) -> Self {
        let mut post = Self::new();
        post.show(60, |_| shot);
        assert_eq!(post.news(), [None], "{:?}", post.last);
        post
    }
    /// Shows pictures drawn from the seconds since this call.
    fn show(&mut self, seconds: i64, shot: impl Fn(i64) -> Shot) {
        let mut drawn: Option<(Shot, Vec<f32>)> = None;
        for i in 0..seconds {
            let (shot, second) = (shot(i), self.second as usize);
            let still = match drawn.take() {
                Some((same, still)) if same == shot && !shot.rain => still,
                _ => shot.still(second),
            };
            let (luma, chroma) = shot.exposed(&still, second, second);
            drawn = Some((shot, still));
            self.look(&luma, &chroma);
        }
    }
    fn look(&mut self, luma: &[u8], chroma: &[u8]) {
        let small = self.lens.look(luma, (chroma, chroma), W, H).unwrap();
        let verdict = self.health.step(&small, MediaTime(self.begin + self.second * 1_000_000));
        if let Some(v) = verdict.filter(|v| v.changed) {
            self.said.push((self.second, v.fault));
        }
        self.last = verdict.or(self.last);
        self.second += 1;
    }
    /// What was said since the last time this was asked.
    fn news(&mut self) -> Vec<Option<PictureFault>> {
        self.said.drain(..).map(|(_, fault)| fault).collect()
    }
}

#[test]
fn every_fault_is_said_after_its_hold_and_taken_back_when_it_is_gone() {
    let faults = [
        (PictureFault::Black, Shot { light: 0.02, noise: 1.0, ..DAY }),
        (PictureFault::Overexposed, Shot { light: 3.0, ..DAY }),
        (PictureFault::Covered, Shot { cover: Some(60.0), ..DAY }),
        (PictureFault::Moved, Shot { shift: (37, 11), ..DAY }),
        (PictureFault::Defocused, Shot { blur: 5, ..DAY }),
    ];
    for (fault, shot) in faults {
        let mut post = Post::settled(DAY);
        post.show(9, |_| shot);
        assert_eq!(post.news(), [], "{fault:?} is said too soon");
        post.show(100, |_| shot);
        assert_eq!(post.news(), [Some(fault)], "{:?}", post.last);
        post.show(20, |_| DAY);
        assert_eq!(post.news(), [None], "{fault:?} is not taken back: {:?}", post.last);
    }
}

#[test]
fn a_camera_that_was_turned_says_by_how_much() {
    let mut post = Post::settled(DAY);
    post.show(80, |_| Shot { shift: (32, -16), ..DAY });
    let measured = post.last.unwrap().measured;
    assert_eq!((post.news(), measured.shift), (vec![Some(PictureFault::Moved)], Some((10, -8))), "{measured:?}");
}

#[test]
fn a_picture_that_stands_is_frozen_though_the_clock_ticks_and_a_quiet_street_is_not() {
    let mut post = Post::settled(DAY);
    let (first, chroma) = DAY.planes(7, 0);
    let ticking = |second: i64| {
        let (clock, _) = DAY.planes(7, second as usize);
        let mut luma = first.clone();
        luma[..14 * W].copy_from_slice(&clock[..14 * W]);
        luma
    };
    for second in 0..60 {
        post.look(&ticking(second), &chroma);
    }
    assert_eq!(post.news(), []);
    for second in 60..90 {
        post.look(&ticking(second), &chroma);
    }
    assert_eq!(post.news(), [Some(PictureFault::Frozen)], "{:?}", post.last);
    // A street in which nothing happens for ten minutes still has a sensor.
    post.show(600, |_| Shot { noise: 1.0, ..DAY });
    assert_eq!(post.news(), [None], "{:?}", post.last);
}

#[test]
fn weather_traffic_and_lights_are_no_faults() {
    let lorry = |i: i64| {
        // Comes, stops before the camera for a while, goes; it hides two thirds of the picture.
        let left = if i < 5 {
            320 - 50 * i as i32
        } else if i < 100 {
            70
        } else {
            70 - 60 * (i - 100) as i32
        };
        Shot { lorry: Some((left, 215)), ..DAY }
    };
    let dusk = |i: i64| {
        let light = 1.0 - 0.82 * (i / 10) as f32 / 60.0;
        Shot { light, noise: 2.0 + 2.0 * (1.0 - light), ..DAY }
    };
    let lamps = |i: i64| if i / 40 % 2 == 0 { DAY } else { Shot { light: 0.3, ..DAY } };
    let lightning = |i: i64| if i % 7 == 0 { Shot { light: 3.0, ..DAY } } else { DAY };
    let dazzled = |i: i64| if i % 25 < 12 { Shot { dazzle: 0.6, ..NIGHT } } else { NIGHT };
    let to_infrared = |i: i64| if i / 90 % 2 == 0 { DAY } else { INFRARED };
    type Scene<'a> = (&'a str, Shot, i64, &'a dyn Fn(i64) -> Shot);
    let scenes: [Scene<'_>; 9] = [
        ("rain", DAY, 150, &|_| Shot { rain: true, light: 0.7, noise: 4.0, ..DAY }),
        ("a lorry", DAY, 200, &lorry),
        ("dusk", DAY, 600, &dusk),
        ("lamps", DAY, 400, &lamps),
        ("lightning", DAY, 150, &lightning),
        ("headlights", NIGHT, 200, &dazzled),
        ("night", NIGHT, 300, &|_| NIGHT),
        ("night by infra-red", INFRARED, 300, &|_| INFRARED),
        ("the switch to infra-red and back", DAY, 540, &to_infrared),
    ];
    for (name, before, seconds, shots) in scenes {
        let mut post = Post::settled(before);
        post.show(seconds, shots);
        assert_eq!(post.news(), [], "{name}: {:?}", post.last);
    }
}

#[test]
fn a_switch_of_the_light_begins_every_hold_anew_and_hides_no_fault() {
    let mut post = Post::settled(DAY);
    // Turned away, but by ever another light, never for as long as must be.
    let turned = |shot: Shot| Shot { shift: (37, 11), ..shot };
    post.show(600, |i| if i / 50 % 2 == 0 { turned(DAY) } else { INFRARED });
    assert_eq!(post.news(), []);
    post.show(100, |_| turned(DAY));
    assert_eq!(post.news(), [Some(PictureFault::Moved)]);
    // A hand over the glass makes it dark: it is told though this light was never learned.
    let mut post = Post::settled(DAY);
    post.show(60, |_| Shot { cover: Some(25.0), noise: 4.0, ..DAY });
    assert_eq!(post.news(), [Some(PictureFault::Covered)], "{:?}", post.last);
}

#[test]
fn what_is_hidden_is_not_judged() {
    let half = Polygon::new([[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]].map(Into::into).to_vec()).unwrap();
    let mut post = Post::new();
    post.health = Health::new(vec![half.clone()]);
    let masked = |mut luma: Vec<u8>, hidden: u8| {
        luma.chunks_mut(W).for_each(|row| row[..W / 2].fill(hidden));
        luma
    };
    for i in 0..300 {
        let (luma, chroma) = DAY.planes(i, i);
        post.look(&masked(luma, if i > 60 { 235 } else { 16 }), &chroma);
    }
    assert_eq!(post.news(), [None]);
    // All of it: nothing to be judged, so nothing is wrong.
    post.health.set_masks(vec![Polygon::whole()]);
    for _ in 0..100 {
        post.look(&vec![16; W * H], &vec![128; W * H / 4]);
    }
    assert_eq!(post.news(), [None]);
    assert!(Light::ALL.iter().all(|light| post.health.reference(*light).is_none()));
}

#[test]
fn what_was_learned_outlives_a_new_start_until_a_person_takes_the_new_view_for_right() {
    let post = Post::settled(DAY);
    let reference = post.health.reference(Light::Day).expect("learned");
    assert!(reference.is_sound() && post.health.reference(Light::Infrared).is_none());
    let mut next = Post::new();
    next.health.remember(&reference);
    let turned = Shot { shift: (37, 11), ..DAY };
    next.show(80, |_| turned);
    assert_eq!(next.news(), [Some(PictureFault::Moved)], "turned while nobody looked");
    next.health.accept();
    next.show(300, |_| turned);
    assert_eq!(next.news(), [None]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn shifting_all_times_shifts_the_result_and_noise_never_panics(
        shift in -1_000_000_000_000i64..1_000_000_000_000,
        steps in prop::collection::vec((0..6usize, 1..25i64, 1..5i64), 1..8),
    ) {
        let shots = [DAY, NIGHT, INFRARED, Shot { cover: Some(60.0), ..DAY }, Shot { light: 0.02, ..DAY }, Shot { light: 3.0, ..DAY }];
        let (mut lens, mut a, mut b) = (Lens::default(), Health::default(), Health::default());
        let mut time = MediaTime(1_700_000_000_000_000);
        let drawn = shots.map(|s| s.planes(1, 1));
        for (shot, times, pause) in steps {
            for _ in 0..times {
                time = time.plus_us(pause * 1_000_000);
                let (luma, chroma) = &drawn[shot];
                let small = lens.look(luma, (chroma, chroma), W, H).unwrap();
                let (said, shifted) = (a.step(&small, time), b.step(&small, time.plus_us(shift)));
                prop_assert!(said.is_none_or(|v| v.measured.is_sound()));
                prop_assert_eq!(said.map(|v| Verdict { since: v.since.plus_us(shift), ..v }), shifted);
            }
        }
    }
}
