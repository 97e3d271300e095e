//! Where an object's foot went: distances in picture heights, so that a step to the side and one down are alike, and
//! fits over seconds, so that neither gaps nor single bad boxes matter much.

use std::collections::VecDeque;

use crate::domain::{
    detection::Class,
    geometry::{NormBox, Point},
    time::MediaTime,
};

/// Width over height of a picture; most cameras', and nothing depends on it but how far a step to the side counts.
const ASPECT: f64 = 16.0 / 9.0;
/// Focal length of a usual lens, in picture heights: what an estimate of metres by size goes by.
const FOCAL: f64 = 1.1;
/// Sightings kept.
const POINTS_MAX: usize = 240;
/// A box nearer to the picture's edge than this is cut: its size tells nothing.
const EDGE: f32 = 0.004;

/// A foot: to the right and down, in picture heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Foot {
    pub time: MediaTime,
    pub x: f64,
    pub y: f64,
    /// Height of the box.
    pub h: f64,
    /// Whether the whole box is in the picture.
    pub whole: bool,
    pub rect: NormBox,
    pub score: f32,
}

pub(super) fn scaled(p: Point) -> (f64, f64) {
    (f64::from(p.x) * ASPECT, f64::from(p.y))
}

impl Foot {
    pub fn new(time: MediaTime, rect: NormBox, score: f32) -> Self {
        let (x, y) = scaled(rect.foot());
        let [x0, y0, x1, y1] = rect.corners();
        let whole = x0 > EDGE && y0 > EDGE && x1 < 1.0 - EDGE && y1 < 1.0 - EDGE;
        Self { time, x, y, h: f64::from(rect.height()), whole, rect, score }
    }
    pub fn apart(&self, other: &Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
    /// Side of a square as large as the box.
    pub fn size(&self) -> f64 {
        (f64::from(self.rect.width()) * ASPECT * self.h).sqrt()
    }
    /// On the ground, metres to the right of the camera and away from it, going by how high the thing usually is.
    fn ground(&self, class: Class) -> [f64; 2] {
        let z = FOCAL * height_m(class) / self.h;
        [(self.x - ASPECT / 2.0) / FOCAL * z, z]
    }
}

/// How high one is, metres, with its rider.
const fn height_m(class: Class) -> f64 {
    match class {
        Class::Person => 1.7,
        Class::Bicycle | Class::Motorcycle => 1.65,
        Class::Car => 1.5,
        Class::Bus | Class::Truck => 3.0,
    }
}

/// Newest last.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail {
    feet: VecDeque<Foot>,
}

impl Trail {
    pub fn push(&mut self, foot: Foot) {
        if self.feet.len() >= POINTS_MAX {
            self.feet.pop_front();
        }
        self.feet.push_back(foot);
    }
    pub fn clear(&mut self) {
        self.feet.clear();
    }
    pub fn last(&self) -> Option<&Foot> {
        self.feet.back()
    }
    pub fn since(&self, from: MediaTime) -> impl Iterator<Item = &Foot> + Clone {
        self.feet.iter().filter(move |f| f.time >= from)
    }
    /// Speed in picture heights a second, from the feet since then; `None` while there are too few.
    pub fn speed(&self, from: MediaTime) -> Option<[f64; 2]> {
        let points = self.since(from).map(|f| (f.time, [f.x, f.y]));
        Fit::of(points).filter(|fit| fit.points >= 3 && fit.seconds >= 0.5).map(|fit| fit.speed)
    }
    /// How far it went over the ground since then, metres: an estimate by the size of its box.
    pub fn metres(&self, from: MediaTime, class: Class) -> f64 {
        let points = self.since(from).filter(|f| f.whole).map(|f| (f.time, f.ground(class)));
        Fit::of(points).map_or(0.0, |fit| fit.speed[0].hypot(fit.speed[1]) * fit.seconds)
    }
}

/// A straight line through places over time, by least squares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    pub points: usize,
    pub seconds: f64,
    pub speed: [f64; 2],
    /// Standard error of the speed.
    pub error: f64,
}

impl Fit {
    pub fn of(points: impl Iterator<Item = (MediaTime, [f64; 2])> + Clone) -> Option<Self> {
        let first = points.clone().next()?.0;
        let rows = points.map(|(time, at)| (time.since(first) as f64 / 1e6, at));
        let (mut n, mut t, mut x, mut y) = (0.0, 0.0, 0.0, 0.0);
        for (at, [px, py]) in rows.clone() {
            (n, t, x, y) = (n + 1.0, t + at, x + px, y + py);
        }
        let (t, x, y) = (t / n, x / n, y / n);
        let (mut tt, mut tx, mut ty, mut last) = (0.0, 0.0, 0.0, 0.0_f64);
        for (at, [px, py]) in rows.clone() {
            let dt = at - t;
            (tt, tx, ty, last) = (tt + dt * dt, tx + dt * (px - x), ty + dt * (py - y), last.max(at));
        }
        if n < 2.0 || tt <= 0.0 {
            return None;
        }
        let speed = [tx / tt, ty / tt];
        let off: f64 = rows
            .map(|(at, [px, py])| {
                let dt = at - t;
                (px - x - speed[0] * dt).powi(2) + (py - y - speed[1] * dt).powi(2)
            })
            .sum();
        let error = (off / (n - 2.0).max(1.0) / tt).sqrt();
        Some(Self { points: n as usize, seconds: last, speed, error })
    }
}
