//! Where a box will be: a constant-velocity Kalman filter for each of centre x, centre y, width and height.
//!
//! Four scalar filters instead of one matrix: the axes do not influence each other, and frames come at uneven times,
//! which a fixed alpha-beta gain would take for changes of speed. Lengths are in picture heights, times in seconds.

use crate::domain::geometry::NormBox;

/// Standard deviations, all in the object's own size (the root of its area), so that near and far objects are alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise {
    /// Of a detector's box edge.
    pub measured: f64,
    /// Of the unknown first speed, sizes a second.
    pub first_speed: f64,
    /// Of the acceleration, sizes a second squared.
    pub acceleration: f64,
}

#[derive(Debug, Clone, Copy)]
struct Axis {
    at: f64,
    speed: f64,
    // Covariance: of the place, of both, of the speed.
    pp: f64,
    pv: f64,
    vv: f64,
}

impl Axis {
    fn new(at: f64, measured: f64, speed: f64) -> Self {
        Self { at, speed: 0.0, pp: measured * measured, pv: 0.0, vv: speed * speed }
    }
    fn pass(&mut self, dt: f64, acceleration: f64) {
        let q = acceleration * acceleration;
        self.at += self.speed * dt;
        self.pp += dt * (2.0 * self.pv + dt * self.vv) + q * dt.powi(4) / 4.0;
        self.pv += dt * self.vv + q * dt.powi(3) / 2.0;
        self.vv += q * dt * dt;
    }
    fn see(&mut self, at: f64, measured: f64) {
        let spread = self.pp + measured * measured;
        let (gain_at, gain_speed) = (self.pp / spread, self.pv / spread);
        let off = at - self.at;
        self.at += gain_at * off;
        self.speed += gain_speed * off;
        self.vv -= gain_speed * self.pv;
        self.pv -= gain_at * self.pv;
        self.pp -= gain_at * self.pp;
    }
}

/// A box in picture heights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Shape {
    pub fn of(rect: NormBox, aspect: f64) -> Self {
        let [x0, y0, x1, y1] = rect.corners().map(f64::from);
        Self { x: (x0 + x1) / 2.0 * aspect, y: (y0 + y1) / 2.0, w: (x1 - x0) * aspect, h: y1 - y0 }
    }
    /// The root of its area; never 0.
    pub fn size(self) -> f64 {
        (self.w * self.h).sqrt().max(1e-4)
    }
    /// Grown by `ratio` of its own size on every side.
    pub fn grown(self, ratio: f64) -> Self {
        Self { w: self.w * (1.0 + 2.0 * ratio), h: self.h * (1.0 + 2.0 * ratio), ..self }
    }
    /// Intersection over union of the parts inside the picture.
    pub fn iou(self, other: Self, aspect: f64) -> f64 {
        let part = |s: Self| {
            let across = [s.x - s.w / 2.0, s.x + s.w / 2.0].map(|x| x.clamp(0.0, aspect));
            let down = [s.y - s.h / 2.0, s.y + s.h / 2.0].map(|y| y.clamp(0.0, 1.0));
            (across, down)
        };
        let (((ax, ay), (bx, by)), length) = ((part(self), part(other)), |[a, b]: [f64; 2]| (b - a).max(0.0));
        let shared = length([ax[0].max(bx[0]), ax[1].min(bx[1])]) * length([ay[0].max(by[0]), ay[1].min(by[1])]);
        let all = length(ax) * length(ay) + length(bx) * length(by) - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
    /// `part` (0..=1) of the way from here to `other`.
    pub fn towards(self, other: Self, part: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * part;
        Self { x: mix(self.x, other.x), y: mix(self.y, other.y), w: mix(self.w, other.w), h: mix(self.h, other.h) }
    }
    /// How far apart the centres are, picture heights.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
    /// As a box; `None` when nothing of it lies inside the picture.
    pub fn rect(self, aspect: f64) -> Option<NormBox> {
        let (w, h) = (self.w / 2.0, self.h / 2.0);
        let [x0, x1] = [self.x - w, self.x + w].map(|x| (x / aspect) as f32);
        NormBox::new(x0, (self.y - h) as f32, x1, (self.y + h) as f32)
    }
}

/// The four filters of one object.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    x: Axis,
    y: Axis,
    w: Axis,
    h: Axis,
    noise: Noise,
}

impl Filter {
    pub fn new(seen: Shape, noise: Noise) -> Self {
        let size = seen.size();
        let (edge, speed) = (noise.measured * size, noise.first_speed * size);
        Self {
            x: Axis::new(seen.x, edge, speed),
            y: Axis::new(seen.y, edge, speed),
            // Perspective changes a size far more slowly than a place.
            w: Axis::new(seen.w, edge, speed / 10.0),
            h: Axis::new(seen.h, edge, speed / 10.0),
            noise,
        }
    }
    /// Its first guess of a speed, picture heights a second; as unsure as before.
    pub fn drift(&mut self, (x, y): (f64, f64)) {
        (self.x.speed, self.y.speed) = (x, y);
    }
    /// The speed of its centre, picture heights a second.
    pub fn speed(&self) -> (f64, f64) {
        (self.x.speed, self.y.speed)
    }
    /// It stands: whatever looked like a speed was the detector's unrest.
    pub fn stand(&mut self, at: Shape) {
        for (axis, place) in [(&mut self.x, at.x), (&mut self.y, at.y), (&mut self.w, at.w), (&mut self.h, at.h)] {
            (axis.at, axis.speed) = (place, 0.0);
        }
    }
    /// Time passes.
    pub fn pass(&mut self, dt_s: f64) {
        let acceleration = self.noise.acceleration * self.shape().size();
        self.x.pass(dt_s, acceleration);
        self.y.pass(dt_s, acceleration);
        self.w.pass(dt_s, acceleration / 10.0);
        self.h.pass(dt_s, acceleration / 10.0);
    }
    /// It was seen.
    pub fn see(&mut self, seen: Shape) {
        let edge = self.noise.measured * seen.size();
        self.x.see(seen.x, edge);
        self.y.see(seen.y, edge);
        self.w.see(seen.w, edge * 2.0);
        self.h.see(seen.h, edge * 2.0);
    }
    /// Where it should be now.
    pub fn shape(&self) -> Shape {
        Shape { x: self.x.at, y: self.y.at, w: self.w.at.max(1e-4), h: self.h.at.max(1e-4) }
    }
    /// One standard deviation of where its centre should be, picture heights.
    pub fn spread(&self) -> f64 {
        self.x.pp.max(self.y.pp).max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sightings_at_uneven_times_give_the_speed() {
        let noise = Noise { measured: 0.05, first_speed: 4.0, acceleration: 4.0 };
        let at = |x: f64| Shape { x, y: 0.5, w: 0.1, h: 0.1 };
        let mut filter = Filter::new(at(0.2), noise);
        for (dt, x) in [(0.2, 0.3), (0.5, 0.55), (0.1, 0.6)] {
            filter.pass(dt);
            filter.see(at(x));
        }
        filter.pass(0.4);
        assert!((filter.shape().x - 0.8).abs() < 0.02, "{:?}", filter.shape());
        assert!((filter.shape().y - 0.5).abs() < 0.01);
    }
}
