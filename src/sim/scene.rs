//! What happens on a drawn street: pure, from a seed and a camera number.
//!
//! A pinhole camera stands over flat ground. Every object walks or drives along one lane at the lane's speed, so it
//! grows while it comes nearer. A scene lasts one loop; nothing is in the picture at either end of it, so the jump
//! back is not seen, and a fifth of it is quiet.

use std::time::Duration;

use super::random::Random;
use crate::domain::{detection::Class, geometry::NormBox};

/// Length of a loop unless another is asked for, in seconds.
pub const LOOP_S: u32 = 20;
/// Of how many different scenes all drawn cameras share: camera 9 shows the scene of camera 1.
pub const SCENES: u32 = 8;

/// Height of the horizon, 0..1 from the top.
pub(crate) const HORIZON: f32 = 0.22;
/// Focal length in picture heights.
const FOCAL: f32 = 1.1;
/// Height of the camera over the ground, metres.
const CAMERA_HEIGHT_M: f32 = 5.0;
/// Width over height of the picture the scene is laid out for.
const ASPECT: f32 = 16.0 / 9.0;

/// A point on the ground: metres to the right of the camera and away from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ground {
    pub(crate) x: f32,
    pub(crate) z: f32,
}

impl Ground {
    /// Where a point `up` metres above this one is seen, 0..1 from left and top (outside when out of the picture).
    pub(crate) fn seen(self, up: f32) -> (f32, f32) {
        (0.5 + FOCAL * self.x / self.z / ASPECT, HORIZON + FOCAL * (CAMERA_HEIGHT_M - up) / self.z)
    }
    fn towards(self, other: Self, part: f32) -> Self {
        Self { x: self.x + (other.x - self.x) * part, z: self.z + (other.z - self.z) * part }
    }
}

/// From which side things on a lane are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// From the front or from behind.
    Along,
    /// From the side.
    Across,
}

/// Who uses a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Walk,
    Ride,
    Drive,
}

/// One lane, from where its users enter to where they leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lane {
    pub(crate) from: Ground,
    pub(crate) to: Ground,
    pub(crate) used_by: Use,
    /// Metres a second.
    speed: f32,
    /// Width of the strip of ground, metres.
    pub(crate) width: f32,
}

/// One object's way through the scene.
#[derive(Debug, Clone)]
struct Actor {
    id: u32,
    class: Class,
    lane: usize,
    start_us: u64,
    end_us: u64,
    look: u64,
}

/// One object where it is now; the box may reach out of the picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) id: u32,
    pub(crate) class: Class,
    pub(crate) view: View,
    /// Whether it moves to the left (seen from the side) or comes towards the camera (seen from the front).
    pub(crate) flipped: bool,
    /// Left, top, right, bottom.
    pub(crate) corners: [f32; 4],
    /// Distance, metres.
    pub(crate) z: f32,
    /// Steps taken, as an angle.
    pub(crate) stride: f32,
    /// Chooses its colours.
    pub(crate) look: u64,
}

/// A street and everything that happens on it in one loop.
#[derive(Debug, Clone)]
pub struct Scene {
    pub(crate) seed: u64,
    pub(crate) view: View,
    pub(crate) lanes: Vec<Lane>,
    actors: Vec<Actor>,
    loop_us: u64,
}

impl Scene {
    /// The scene of that camera (from 1), [`LOOP_S`] long.
    #[must_use]
    pub fn new(seed: u64, camera: u32) -> Self {
        Self::lasting(seed, camera, LOOP_S)
    }
    /// The scene of that camera (from 1) with a loop of `loop_s` seconds, at least 2; what does not fit walks faster.
    #[must_use]
    pub fn lasting(seed: u64, camera: u32, loop_s: u32) -> Self {
        let number = camera.saturating_sub(1) % SCENES;
        let mut random = Random::of(&[seed, u64::from(number)]);
        let view = if number.is_multiple_of(2) { View::Along } else { View::Across };
        let lanes = match view {
            View::Along => avenue(&mut random),
            View::Across => crossing(&mut random),
        };
        let loop_us = u64::from(loop_s.max(2)) * 1_000_000;
        let actors = cast(&lanes, loop_us, &mut random);
        Self { seed: random.next_u64(), view, lanes, actors, loop_us }
    }
    /// Length of the loop in microseconds.
    #[must_use]
    pub fn loop_us(&self) -> u64 {
        self.loop_us
    }
    /// Everything in the picture at `t_us` (any time; the scene repeats): a number that stays with the object through
    /// the loop, its class and its box, cut at the picture's edge. What stands behind something nearer is listed too.
    #[must_use]
    pub fn objects_at(&self, t_us: u64) -> Vec<(u32, Class, NormBox)> {
        let boxed = |p: Placed| {
            let [x0, y0, x1, y1] = p.corners;
            NormBox::new(x0, y0, x1, y1).map(|rect| (p.id, p.class, rect))
        };
        self.placed_at(t_us).into_iter().filter_map(boxed).collect()
    }
    /// What an object is and what chooses its colours.
    pub(crate) fn look_of(&self, id: u32) -> Option<(Class, u64)> {
        self.actors.iter().find(|a| a.id == id).map(|a| (a.class, a.look))
    }
    /// Everything under way, the farthest first.
    pub(crate) fn placed_at(&self, t_us: u64) -> Vec<Placed> {
        let t = t_us % self.loop_us;
        let under_way = self.actors.iter().filter(|a| (a.start_us..a.end_us).contains(&t));
        let mut placed: Vec<_> = under_way.map(|a| self.place(a, t)).collect();
        placed.sort_by(|a, b| b.z.total_cmp(&a.z));
        placed
    }
    fn place(&self, actor: &Actor, t: u64) -> Placed {
        let lane = &self.lanes[actor.lane];
        let part = (t - actor.start_us) as f32 / (actor.end_us - actor.start_us) as f32;
        let at = lane.from.towards(lane.to, part);
        let (width, height) = size_m(actor.class, self.view);
        let (left, top) = Ground { x: at.x - width / 2.0, z: at.z }.seen(height);
        let (right, bottom) = Ground { x: at.x + width / 2.0, z: at.z }.seen(0.0);
        let walked_m = part * length(lane);
        Placed {
            id: actor.id,
            class: actor.class,
            view: self.view,
            flipped: match self.view {
                View::Across => lane.to.x < lane.from.x,
                View::Along => lane.to.z < lane.from.z,
            },
            corners: [left, top, right, bottom],
            z: at.z,
            stride: walked_m * std::f32::consts::TAU / 1.4,
            look: actor.look,
        }
    }
}

/// Width and height of an object as seen, metres.
fn size_m(class: Class, view: View) -> (f32, f32) {
    match (class, view) {
        (Class::Person, _) => (0.65, 1.7),
        (Class::Bicycle | Class::Motorcycle, View::Along) => (0.8, 1.65),
        (Class::Bicycle | Class::Motorcycle, View::Across) => (1.9, 1.65),
        (Class::Car, View::Along) => (1.8, 1.5),
        (Class::Car, View::Across) => (4.2, 1.5),
        (Class::Bus | Class::Truck, View::Along) => (2.5, 3.0),
        (Class::Bus | Class::Truck, View::Across) => (9.0, 3.0),
    }
}

fn length(lane: &Lane) -> f32 {
    (lane.to.x - lane.from.x).hypot(lane.to.z - lane.from.z)
}

/// A street that leads away from the camera: the left side comes, the right side goes, a pavement on both sides.
fn avenue(random: &mut Random) -> Vec<Lane> {
    let camera_x = random.between(-1.5, 1.5);
    let lane = |x: f32, used_by: Use, width: f32, random: &mut Random| {
        let (near, far) = if used_by == Use::Walk { (3.0, 21.0) } else { (2.4, 42.0) };
        let (near, far) = (Ground { x: x - camera_x, z: near }, Ground { x: x - camera_x, z: far });
        let (from, to) = if x < 0.0 { (far, near) } else { (near, far) };
        Lane { from, to, used_by, speed: pace(used_by, random), width }
    };
    [(-6.4, Use::Walk, 2.6), (-3.8, Use::Ride, 2.0), (-1.4, Use::Drive, 2.8)]
        .into_iter()
        .chain([(1.4, Use::Drive, 2.8), (3.8, Use::Ride, 2.0), (6.4, Use::Walk, 2.6)])
        .map(|(x, used_by, width)| lane(x, used_by, width, random))
        .collect()
}

/// A street across the picture, slanted so that one end is nearer.
fn crossing(random: &mut Random) -> Vec<Lane> {
    let (slant, mirror) = (random.between(1.2, 2.0), random.below(2) == 0);
    let lane = |z: f32, used_by: Use, width: f32, random: &mut Random| {
        let half_m = if used_by == Use::Drive { 5.0 } else { 1.2 };
        // So far out at both ends that the longest user is out of the picture.
        let edge = |z: f32| z * ASPECT / FOCAL / 2.0 + half_m;
        let (left_z, right_z) = if mirror { (z - slant, z + slant) } else { (z + slant, z - slant) };
        let left = Ground { x: -edge(left_z), z: left_z };
        let mut right = Ground { x: edge(right_z), z: right_z };
        if used_by == Use::Walk && z > 15.0 {
            // The far pavement is too long to walk in one loop: people come out of a house in its middle.
            right = left.towards(right, 0.55);
        }
        // Traffic keeps to the right, so the nearer half goes to the right.
        let (from, to) = if z < 12.0 { (left, right) } else { (right, left) };
        Lane { from, to, used_by, speed: pace(used_by, random), width }
    };
    [(18.5, Use::Walk, 2.4), (16.0, Use::Ride, 2.0), (13.8, Use::Drive, 2.6)]
        .into_iter()
        .chain([(11.6, Use::Drive, 2.6), (10.0, Use::Ride, 1.8), (8.8, Use::Walk, 1.6)])
        .map(|(z, used_by, width)| lane(z, used_by, width, random))
        .collect()
}

fn pace(used_by: Use, random: &mut Random) -> f32 {
    match used_by {
        Use::Walk => random.between(1.3, 1.8),
        Use::Ride => random.between(5.0, 9.0),
        Use::Drive => random.between(5.0, 8.0),
    }
}

/// Waves of traffic with nothing between them: one in every 20 s or so of the loop.
fn cast(lanes: &[Lane], loop_us: u64, random: &mut Random) -> Vec<Actor> {
    let waves = (loop_us / Duration::from_secs(20).as_micros() as u64).max(1);
    let wave_us = loop_us / waves;
    let mut actors = Vec::new();
    for wave in 0..waves {
        let (start_us, end_us) = (wave * wave_us + wave_us / 20, wave * wave_us + wave_us * 4 / 5);
        let mut free_us = vec![start_us; lanes.len()];
        let mut classes = vec![Class::Motorcycle, Class::Person, Class::Car];
        for _ in 0..2 + random.below(3) {
            classes.push(any(random));
        }
        for class in classes {
            let id = actors.len() as u32 + 1;
            actors.extend(enter(lanes, &mut free_us, (start_us, end_us), class, id, random));
        }
    }
    actors
}

fn any(random: &mut Random) -> Class {
    match random.below(20) {
        0..7 => Class::Person,
        7..14 => Class::Motorcycle,
        14..17 => Class::Car,
        _ => Class::Bus,
    }
}

/// One more user of a lane, behind the last one; `None` when both lanes of its kind are taken.
fn enter(
    lanes: &[Lane],
    free_us: &mut [u64],
    (start_us, end_us): (u64, u64),
    class: Class,
    id: u32,
    random: &mut Random,
) -> Option<Actor> {
    let used_by = match class {
        Class::Person => Use::Walk,
        Class::Motorcycle | Class::Bicycle => Use::Ride,
        Class::Car | Class::Bus | Class::Truck => Use::Drive,
    };
    let mut fitting: Vec<usize> = (0..lanes.len()).filter(|&i| lanes[i].used_by == used_by).collect();
    if random.below(2) == 1 {
        fitting.reverse();
    }
    let wish = random.unit();
    let look = random.next_u64();
    for lane in fitting {
        let whole_us = (length(&lanes[lane]) / lanes[lane].speed * 1e6) as u64;
        let needs_us = whole_us.min((end_us - start_us) * 9 / 10);
        let latest_us = end_us - needs_us;
        let earliest_us = free_us[lane];
        if earliest_us > latest_us {
            continue;
        }
        // The early half of what is left, so that another one fits behind.
        let enter_us = earliest_us + ((latest_us - earliest_us) as f32 * wish / 2.0) as u64;
        free_us[lane] = enter_us + 2_500_000;
        return Some(Actor { id, class, lane, start_us: enter_us, end_us: enter_us + needs_us, look });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_frame(scene: &Scene) -> impl Iterator<Item = (u64, Vec<(u32, Class, NormBox)>)> + '_ {
        (0..scene.loop_us()).step_by(100_000).map(|t| (t, scene.objects_at(t)))
    }

    #[test]
    fn a_scene_is_the_same_for_the_same_seed_and_differs_between_cameras() {
        let all = |seed, camera| every_frame(&Scene::new(seed, camera)).collect::<Vec<_>>();
        assert_eq!(all(7, 1), all(7, 1));
        assert_eq!(all(7, 1), all(7, 1 + SCENES), "shared scene");
        assert_ne!(all(7, 1), all(8, 1));
        assert_ne!(all(7, 1), all(7, 3));
    }

    #[test]
    fn every_scene_is_empty_at_both_ends_and_shows_person_motorbike_and_car_between() {
        for seed in 0..20 {
            for camera in 1..=SCENES {
                let scene = Scene::new(seed, camera);
                let seen: std::collections::BTreeSet<_> =
                    every_frame(&scene).flat_map(|(_, all)| all).map(|(_, class, _)| class).collect();
                for class in [Class::Person, Class::Motorcycle, Class::Car] {
                    assert!(seen.contains(&class), "seed {seed} camera {camera}: no {class:?}");
                }
                assert!(scene.objects_at(0).is_empty() && scene.objects_at(scene.loop_us() - 1).is_empty());
                let quiet = every_frame(&scene).filter(|(_, all)| all.is_empty()).count();
                assert!(quiet >= 40, "seed {seed} camera {camera}: only {quiet} quiet tenths of a second");
            }
        }
    }

    #[test]
    fn what_comes_towards_the_camera_grows() {
        let scene = Scene::new(3, 1);
        let mut grown = 0;
        for actor in scene.actors.iter().filter(|a| scene.lanes[a.lane].to.z < scene.lanes[a.lane].from.z) {
            let height = |part: u64| {
                let [_, top, _, bottom] =
                    scene.place(actor, actor.start_us + (actor.end_us - actor.start_us) * part / 100).corners;
                bottom - top
            };
            assert!(height(10) < height(50) && height(50) < height(90));
            grown += 1;
        }
        assert!(grown > 0, "nothing came nearer");
    }

    #[test]
    fn a_short_loop_still_ends_empty() {
        for loop_s in [0, 2, 5, 61] {
            let scene = Scene::lasting(1, 2, loop_s);
            assert!(every_frame(&scene).any(|(_, all)| !all.is_empty()), "{loop_s}");
            assert!(scene.objects_at(scene.loop_us() - 1).is_empty(), "{loop_s}");
        }
    }
}
