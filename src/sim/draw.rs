//! A [`Scene`] as pictures: the street once, then whatever moves over it.

use super::{
    canvas::{Canvas, Colour},
    random::Random,
    scene::{Ground, HORIZON, Lane, Placed, Scene, Use, View},
    shapes,
};

/// How many noise patterns take turns; enough that two frames in a row differ like a sensor's do.
const NOISES: usize = 4;
/// Sensor noise: luma is off by at most this much.
pub const NOISE_LUMA: u8 = 2;

/// The picture of a scene at one moment as I420 (BT.601). `width` and `height` must be even. Draws the background anew;
/// for many frames take a [`Painter`].
#[must_use]
pub fn draw(scene: &Scene, t_us: u64, width: u32, height: u32) -> Vec<u8> {
    Painter::new(scene, width, height).frame(t_us).to_vec()
}

/// Draws the frames of one scene in one size.
#[derive(Debug)]
pub struct Painter<'a> {
    scene: &'a Scene,
    empty: Canvas,
    noisy: Vec<Canvas>,
    now: Canvas,
}

impl<'a> Painter<'a> {
    /// Prepares the background. `width` and `height` must be even.
    #[must_use]
    pub fn new(scene: &'a Scene, width: u32, height: u32) -> Self {
        let empty = background(scene, width, height);
        let noisy = (0..NOISES as u64).map(|n| noise(&empty, &mut Random::of(&[scene.seed, n]))).collect();
        Self { scene, now: empty.clone(), empty, noisy }
    }
    /// The street without anybody and without noise, I420.
    #[must_use]
    pub fn background(&self) -> &[u8] {
        self.empty.data()
    }
    /// The picture at that time, I420.
    pub fn frame(&mut self, t_us: u64) -> &[u8] {
        let t_us = t_us % self.scene.loop_us();
        let pattern = Random::of(&[self.scene.seed, t_us]).below(NOISES as u64) as usize;
        self.now.copy_from(&self.noisy[pattern]);
        for placed in self.scene.placed_at(t_us) {
            shapes::draw(&mut self.now, &placed);
        }
        self.now.data()
    }
}

fn noise(clean: &Canvas, random: &mut Random) -> Canvas {
    let mut noisy = clean.clone();
    for eight in noisy.luma_mut().chunks_mut(8) {
        let mut bits = random.next_u64();
        for luma in eight {
            // 0..=4, the middle ones more often.
            let off = (bits & 1) as u8 + (bits >> 1 & 1) as u8 + (bits >> 2 & 1) as u8 + (bits >> 3 & 1) as u8;
            *luma = (*luma + off).saturating_sub(NOISE_LUMA);
            bits >>= 8;
        }
    }
    noisy
}

const SKY: Colour = Colour::rgb(186, 205, 222);
const HAZE: Colour = Colour::rgb(168, 178, 176);
const EARTH: Colour = Colour::rgb(122, 118, 96);
const ROAD: Colour = Colour::rgb(112, 112, 114);
const PAVEMENT: Colour = Colour::rgb(150, 144, 136);
const PAINT: Colour = Colour::rgb(200, 200, 196);
const HOUSES: [Colour; 5] = [
    Colour::rgb(172, 158, 132),
    Colour::rgb(150, 160, 152),
    Colour::rgb(160, 140, 128),
    Colour::rgb(142, 150, 166),
    Colour::rgb(176, 168, 150),
];

fn background(scene: &Scene, width: u32, height: u32) -> Canvas {
    let mut canvas = Canvas::new(width, height);
    let mut random = Random::of(&[scene.seed, 0xbac6]);
    canvas.rectangle([0.0, 0.0, 1.0, HORIZON], SKY);
    canvas.rectangle([0.0, HORIZON - 0.02, 1.0, HORIZON + 0.03], HAZE);
    canvas.rectangle([0.0, HORIZON + 0.03, 1.0, 1.0], EARTH);
    match scene.view {
        View::Along => houses_along(&mut canvas, scene, &mut random),
        View::Across => houses_across(&mut canvas, scene, &mut random),
    }
    for lane in &scene.lanes {
        let colour = if lane.used_by == Use::Walk { PAVEMENT } else { ROAD };
        strip(&mut canvas, lane, -lane.width / 2.0, lane.width / 2.0, (0.0, 1.0), colour);
    }
    // A broken line beside every lane for cars.
    for lane in scene.lanes.iter().filter(|l| l.used_by == Use::Drive) {
        for dash in 0..12 {
            let part = dash as f32 / 12.0;
            strip(&mut canvas, lane, -lane.width / 2.0, 0.12 - lane.width / 2.0, (part, part + 0.04), PAINT);
        }
    }
    canvas
}

/// A strip of ground along a lane, from `low` to `high` metres beside its middle.
fn strip(canvas: &mut Canvas, lane: &Lane, low: f32, high: f32, part: (f32, f32), colour: Colour) {
    // Along the view "beside" is to the right, across it is nearer; the two lane ends tell which.
    let along = (lane.to.x - lane.from.x).abs() < (lane.to.z - lane.from.z).abs();
    let at = |part: f32, off: f32| {
        let stretched = if along { 0.0 } else { 0.4 };
        let part = part * (1.0 + 2.0 * stretched) - stretched;
        let x = lane.from.x + (lane.to.x - lane.from.x) * part;
        let z = lane.from.z + (lane.to.z - lane.from.z) * part;
        if along { Ground { x: x + off, z }.seen(0.0) } else { Ground { x, z: (z - off).max(1.0) }.seen(0.0) }
    };
    let (a, b) = part;
    canvas.polygon(&[at(a, low), at(b, low), at(b, high), at(a, high)], colour);
}

/// Two rows of houses that lead away.
fn houses_along(canvas: &mut Canvas, scene: &Scene, random: &mut Random) {
    let walks: Vec<_> = scene.lanes.iter().filter(|l| l.used_by == Use::Walk).collect();
    for (side, lane) in walks.iter().enumerate() {
        let x = lane.from.x + if side == 0 { -1.6 } else { 1.6 };
        // From far to near, so that the nearer house hides the farther one.
        for house in (0..9).rev() {
            let (near, far) = (3.0 + 5.0 * house as f32, 8.0 + 5.0 * house as f32);
            let (up, colour) = (random.between(3.5, 8.0), HOUSES[random.below(5) as usize]);
            let wall = |z: f32, up: f32| Ground { x, z }.seen(up);
            canvas.polygon(&[wall(near, 0.0), wall(far, 0.0), wall(far, up), wall(near, up)], colour);
            let (a, b) = (near + 1.5, far - 1.5);
            let hole = HOUSES[random.below(5) as usize];
            canvas.polygon(&[wall(a, 0.0), wall(b, 0.0), wall(b, 2.4), wall(a, 2.4)], hole);
        }
    }
}

/// A row of houses behind the far pavement.
fn houses_across(canvas: &mut Canvas, scene: &Scene, random: &mut Random) {
    let far = scene.lanes.iter().map(|l| l.from.z.max(l.to.z)).fold(0.0, f32::max) + 4.0;
    let mut x = -far;
    while x < far {
        let (wide, up) = (random.between(4.0, 7.0), random.between(4.0, 9.0));
        let mut wall = |x0: f32, x1: f32, low: f32, high: f32, colour: Colour| {
            let (left, top) = Ground { x: x0, z: far }.seen(high);
            let (right, bottom) = Ground { x: x1, z: far }.seen(low);
            canvas.rectangle([left, top, right, bottom], colour);
        };
        wall(x, x + wide, 0.0, up, HOUSES[random.below(5) as usize]);
        wall(x + 0.8, x + wide / 2.0, 0.0, 2.4, HAZE);
        wall(x + wide / 2.0 + 0.6, x + wide - 0.6, 1.0, 2.2, SKY);
        x += wide;
    }
}

impl Placed {
    /// A point of the object's own box (0..1 from its left and top, mirrored when it faces left) in the picture.
    pub(crate) fn at(&self, x: f32, y: f32) -> (f32, f32) {
        let [x0, y0, x1, y1] = self.corners;
        let x = if self.flipped && self.view == View::Across { 1.0 - x } else { x };
        (x0 + (x1 - x0) * x, y0 + (y1 - y0) * y)
    }
    /// A width and a height of the object's own box in the picture.
    pub(crate) fn of(&self, width: f32, height: f32) -> (f32, f32) {
        let [x0, y0, x1, y1] = self.corners;
        ((x1 - x0) * width, (y1 - y0) * height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::geometry::NormBox;

    const W: u32 = 640;
    const H: u32 = 360;

    fn pixels(rect: NormBox) -> impl Iterator<Item = usize> {
        let [x0, y0, x1, y1] = rect.corners();
        let edge = |v: f32, n: u32| (v * n as f32 - 0.5).ceil().clamp(0.0, n as f32) as usize;
        let (left, right) = (edge(x0, W), edge(x1, W));
        (edge(y0, H)..edge(y1, H)).flat_map(move |y| (left..right).map(move |x| y * W as usize + x))
    }

    #[test]
    fn the_truth_covers_every_pixel_that_differs_from_the_background_and_its_boxes_are_full() {
        for camera in [1, 2, 4, 7] {
            let scene = Scene::new(11, camera);
            let mut painter = Painter::new(&scene, W, H);
            let background = painter.background().to_vec();
            let mut boxes = 0;
            for t in (0..scene.loop_us()).step_by(500_000) {
                let truth = scene.objects_at(t);
                let frame = painter.frame(t);
                let luma = (W * H) as usize;
                let differs = |at: &usize| frame[*at].abs_diff(background[*at]) > NOISE_LUMA;
                let mut told = vec![false; luma];
                for (id, class, rect) in &truth {
                    let (all, changed) = (pixels(*rect).count(), pixels(*rect).filter(differs).count());
                    pixels(*rect).for_each(|at| told[at] = true);
                    // Of what is cut at the picture's edge only the gap beside a head may be left.
                    let whole = rect.corners().iter().all(|v| (0.001..0.999).contains(v));
                    if whole {
                        assert!(changed * 100 > all * 35, "camera {camera} {id} {class:?} {t}: {changed} of {all}");
                        boxes += 1;
                    }
                }
                assert!((0..luma).filter(differs).all(|at| told[at]), "camera {camera} at {t}: untold change");
            }
            assert!(boxes > 30, "{boxes}");
        }
    }

    #[test]
    fn a_frame_is_the_same_every_time_it_is_drawn_and_noise_makes_two_empty_frames_differ() {
        let scene = Scene::new(5, 2);
        let t = scene.loop_us() / 3;
        assert_eq!(draw(&scene, t, W, H), draw(&scene, t + scene.loop_us(), W, H));
        let mut painter = Painter::new(&scene, W, H);
        let frames: std::collections::HashSet<_> = (0..10).map(|i| painter.frame(i * 1000).to_vec()).collect();
        assert!(frames.len() > 1 && frames.len() <= NOISES, "{}", frames.len());
    }
}
