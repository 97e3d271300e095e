//! A made-up street with its truth: motorbikes both ways, cars, people alone and in twos, parked machines, a pole and
//! each other to hide behind; and what a small detector would say of it, at any rate and unevenly. The same seed gives
//! the same street.

use vonglau::{
    domain::{
        detection::{Class, Detection},
        geometry::NormBox,
        time::MediaTime,
    },
    logic::score::{Frames, Labelled},
};

/// Width over height of its picture.
pub const ASPECT: f64 = 16.0 / 9.0;
/// The pole: what is behind it is not seen. Left and right edge in picture heights; who walks in front of it.
const POLE: [f64; 2] = [0.86, 0.93];
const BEFORE_POLE: f64 = 0.62;

/// One look at the street.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When.
    pub time: MediaTime,
    /// What the detector says.
    pub seen: Vec<Detection>,
}

/// Xorshift (Marsaglia, 2003).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }
    /// About normal, standard deviation 1 (Irwin and Hall).
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

#[derive(Debug, Clone)]
struct Actor {
    class: Class,
    begin: f64,
    from: [f64; 2],
    speed: [f64; 2],
    size: [f64; 2],
    /// Stops at this age for so long.
    stop: Option<(f64, f64)>,
    /// Score when in full view.
    clear: f64,
}

impl Actor {
    /// Left, top, right, bottom in picture heights.
    fn at(&self, time: f64) -> Option<[f64; 4]> {
        let age = time - self.begin;
        if age < 0.0 {
            return None;
        }
        let way = self.stop.map_or(age, |(when, long)| if age < when { age } else { when.max(age - long) });
        let (x, foot) = (self.from[0] + self.speed[0] * way, self.from[1] + self.speed[1] * way);
        let corners = [x - self.size[0] / 2.0, foot - self.size[1], x + self.size[0] / 2.0, foot];
        let inside = |s: f64, e: f64, most: f64| (e.min(most) - s.max(0.0)) / (e - s) > 0.4;
        (inside(corners[0], corners[2], ASPECT) && inside(corners[1], corners[3], 1.0)).then_some(corners)
    }
}

fn actors(dice: &mut Dice, seconds: f64) -> Vec<Actor> {
    let mut all = Vec::new();
    for i in 0..5 {
        let (from, size) = ([0.2 + 0.12 * f64::from(i), 0.42], [0.07, 0.1]);
        let clear = dice.between(0.5, 0.8);
        all.push(Actor { class: Class::Motorcycle, begin: -1.0, from, speed: [0.0, 0.0], size, stop: None, clear });
    }
    let mut time = -4.0;
    while time < seconds {
        time += dice.between(0.2, 1.6);
        let kind = dice.unit();
        let rightwards = dice.chance(0.5);
        let (class, lane, speed, wide, high) = if kind < 0.6 {
            let lane = if rightwards { dice.between(0.68, 0.78) } else { dice.between(0.5, 0.6) };
            (Class::Motorcycle, lane, dice.between(0.25, 0.55), 0.09, 0.13)
        } else if kind < 0.75 {
            (Class::Car, if rightwards { 0.75 } else { 0.57 }, dice.between(0.2, 0.45), 0.25, 0.16)
        } else {
            (Class::Person, if dice.chance(0.5) { 0.47 } else { 0.95 }, dice.between(0.05, 0.09), 0.055, 0.15)
        };
        let near = 0.6 + 0.6 * lane;
        let mut actor = Actor {
            class,
            begin: time,
            from: [if rightwards { -0.1 } else { ASPECT + 0.1 }, lane],
            speed: [if rightwards { speed } else { -speed }, dice.between(-0.01, 0.01)],
            size: [wide * near * dice.between(0.9, 1.1), high * near * dice.between(0.9, 1.1)],
            stop: dice.chance(0.12).then(|| (dice.between(1.0, 4.0), dice.between(3.0, 12.0))),
            clear: dice.between(0.45, 0.95),
        };
        all.push(actor.clone());
        if class == Class::Person && dice.chance(0.4) {
            actor.begin += 0.3;
            actor.from[1] += 0.01;
            all.push(actor);
        }
    }
    all
}

/// The share of `a` that `b` hides.
fn hidden(a: [f64; 4], b: [f64; 4]) -> f64 {
    let shared = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    shared / ((a[2] - a[0]) * (a[3] - a[1]))
}

fn mistaken(dice: &mut Dice, class: Class) -> Class {
    match class {
        Class::Motorcycle if dice.chance(0.06) => {
            if dice.chance(0.5) {
                Class::Person
            } else {
                Class::Bicycle
            }
        }
        Class::Car if dice.chance(0.1) => Class::Truck,
        other => other,
    }
}

/// Times about `rate` a second: each step is off by up to a half, and some are left out.
fn times(dice: &mut Dice, seconds: f64, rate: f64) -> Vec<f64> {
    let (mut now, mut out) = (0.0, Vec::new());
    while now < seconds {
        out.push(now);
        now += dice.between(0.6, 1.4) / rate + if dice.chance(0.05) { 1.5 / rate } else { 0.0 };
    }
    out
}

/// The truth, by microseconds, and what the detector says, at about `rate` looks a second.
pub fn street(seed: u64, seconds: f64, rate: f64) -> (Frames, Vec<Moment>) {
    // Who goes where does not depend on how often one looks.
    let all = actors(&mut Dice(seed * 2 + 1), seconds);
    let mut dice = Dice(seed * 7919 + 13);
    let (mut truth, mut moments) = (Frames::new(), Vec::new());
    for time in times(&mut dice, seconds, rate) {
        let us = (time * 1e6) as i64;
        let here: Vec<_> = all.iter().enumerate().filter_map(|(i, a)| a.at(time).map(|c| (i, a, c))).collect();
        let (mut real, mut seen) = (Vec::new(), Vec::new());
        for (id, actor, corners) in &here {
            let nearer = here.iter().filter(|(other, _, c)| other != id && c[3] > corners[3]);
            let behind = nearer.map(|(.., c)| hidden(*corners, *c)).sum::<f64>();
            let pole = if corners[3] < BEFORE_POLE { hidden(*corners, [POLE[0], 0.0, POLE[1], 1.0]) } else { 0.0 };
            let view = 1.0 - behind - pole;
            if view < 0.3 {
                continue;
            }
            real.push(Labelled { id: *id as i64, corners: *corners });
            let score = actor.clear * view.min(1.0) + 0.08 * dice.noise();
            if dice.chance(0.08) || score < 0.1 {
                continue;
            }
            let (w, h) = (corners[2] - corners[0], corners[3] - corners[1]);
            let off: Vec<f64> = [w, h, w, h].iter().zip(corners).map(|(s, c)| c + 0.04 * s * dice.noise()).collect();
            let part = |v: f64, of: f64| (v / of) as f32;
            let rect = NormBox::new(part(off[0], ASPECT), off[1] as f32, part(off[2], ASPECT), off[3] as f32);
            let class = mistaken(&mut dice, actor.class);
            seen.extend(rect.map(|rect| Detection { class, score: score.min(1.0) as f32, rect }));
        }
        if dice.chance(0.1) {
            let (x, y) = (dice.between(0.0, 0.9) as f32, dice.between(0.3, 0.8) as f32);
            let rect = NormBox::new(x, y, x + 0.05, y + 0.1);
            let score = dice.between(0.1, 0.6) as f32;
            seen.extend(rect.map(|rect| Detection { class: Class::Person, score, rect }));
        }
        truth.insert(us, real);
        moments.push(Moment { time: MediaTime(us), seen });
    }
    (truth, moments)
}
