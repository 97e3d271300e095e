//! Scenes acted out on flat ground before a pinhole camera, with what is true of them: everybody has a way in metres and
//! seconds, is looked at every 0.15 to 0.8 s, sometimes missed, and its box trembles. The same seed acts the same scene.

use vonglau::domain::{
    detection::Class,
    geometry::{NormBox, Point},
    ids::{CameraId, TrackId},
    time::MediaTime,
    track::{FrameSeen, TrackPoint},
};

/// Focal length and horizon in picture heights, the camera's height in metres, width over height.
pub const FOCAL: f64 = 1.1;
const HORIZON: f64 = 0.22;
const CAMERA_M: f64 = 5.0;
const ASPECT: f64 = 16.0 / 9.0;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    pub fn chance(&mut self, share: f64) -> bool {
        self.between(0.0, 1.0) < share
    }
}

/// Where a point of the ground is seen, 0..1.
#[must_use]
pub fn seen(x: f64, z: f64) -> (f64, f64) {
    (0.5 + FOCAL * x / z / ASPECT, HORIZON + FOCAL * CAMERA_M / z)
}

/// One who acts: seconds, metres to the right, metres away.
#[derive(Debug, Clone)]
pub struct Actor {
    pub class: Class,
    pub way: Vec<(f64, f64, f64)>,
    /// From these seconds on a tracker has lost it, and finds it again under another number so much later.
    pub lost: Option<(f64, f64)>,
}

impl Actor {
    pub fn new(class: Class, way: Vec<(f64, f64, f64)>) -> Self {
        Self { class, way, lost: None }
    }
    /// Where it is on the ground.
    #[must_use]
    pub fn at(&self, t: f64) -> Option<(f64, f64)> {
        let i = self.way.iter().rposition(|w| w.0 <= t)?;
        let (a, b) = (self.way[i], *self.way.get(i + 1)?);
        let part = (t - a.0) / (b.0 - a.0);
        Some((a.1 + (b.1 - a.1) * part, a.2 + (b.2 - a.2) * part))
    }
    /// Its foot in the picture.
    #[must_use]
    pub fn foot(&self, t: f64) -> Option<Point> {
        let (x, y) = self.at(t).map(|(x, z)| seen(x, z))?;
        ((0.0..1.0).contains(&x) && (0.0..0.995).contains(&y)).then_some(Point { x: x as f32, y: y as f32 })
    }
    fn rect(&self, t: f64, dice: &mut Dice) -> Option<NormBox> {
        self.foot(t)?;
        let (x, z) = self.at(t)?;
        let (wide, high) = match self.class {
            Class::Person => (0.65, 1.7),
            Class::Bicycle | Class::Motorcycle => (0.8, 1.65),
            Class::Car => (1.8, 1.5),
            Class::Bus | Class::Truck => (2.5, 3.0),
        };
        let (cx, y) = seen(x, z);
        let (w, h) = (FOCAL * wide / z / ASPECT, FOCAL * high / z);
        let mut tremble = |share: f64| dice.between(-share, share) * h;
        let (cx, y, h, w) = (cx + tremble(0.02), y + tremble(0.02), h + tremble(0.03), w + tremble(0.02));
        NormBox::new((cx - w / 2.0) as f32, (y - h) as f32, (cx + w / 2.0) as f32, y as f32)
    }
}

/// What a tracker would say of a scene of so many seconds; actor `i` is object `i + 1`.
#[must_use]
pub fn frames(actors: &[Actor], seconds: f64, camera: CameraId, dice: &mut Dice) -> Vec<FrameSeen> {
    let mut out = Vec::new();
    let mut sightings = vec![0u32; actors.len()];
    let mut last = vec![None::<(f64, i64)>; actors.len()];
    let mut t = 0.0;
    while t < seconds {
        let (mut tracks, mut ended) = (Vec::new(), Vec::new());
        for (i, actor) in actors.iter().enumerate() {
            let lost = actor.lost.is_some_and(|(at, gap)| (at..at + gap).contains(&t));
            let again = actor.lost.is_some_and(|(at, gap)| t >= at + gap);
            let number = i as i64 + if again { 1001 } else { 1 };
            let rect = actor.rect(t, dice).filter(|_| !lost && !dice.chance(0.08));
            if let Some(rect) = rect {
                sightings[i] += 1;
                last[i] = Some((t, number));
                let score = dice.between(0.4, 0.9) as f32;
                let (track, class, confirmed) = (TrackId(number), actor.class, sightings[i] >= 3);
                tracks.push(TrackPoint { track, class, score, rect, confirmed, held: false, identity: 1.0 });
            } else if let Some((_, number)) = last[i].filter(|(seen, _)| t - seen > 2.0) {
                last[i] = None;
                ended.push(TrackId(number));
            }
        }
        let time = MediaTime((t * 1e6) as i64);
        out.push(FrameSeen { camera, time, motion: vec![], tracks, ended, still: None, labels: Vec::new() });
        t += dice.between(0.15, 0.8);
    }
    out
}
