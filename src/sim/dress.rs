//! What colours a drawn object has, in a witness's words: the truth that named colours are tested against.

use super::{random::Random, scene::Scene, shapes};
use crate::domain::{
    colour::{Colour, Part},
    detection::Class,
};

/// The names of `shapes::BODIES`, in their order.
const BODIES: [Colour; 8] = [
    Colour::Red,
    Colour::Blue,
    Colour::White,
    Colour::Yellow,
    Colour::Green,
    Colour::Black,
    Colour::Orange,
    Colour::Purple,
];
/// Those of `shapes::TROUSERS`: a night blue and a dark brown that many call black.
const TROUSERS: [&[Colour]; 3] = [&[Colour::Black, Colour::Blue], &[Colour::Black], &[Colour::Brown, Colour::Black]];

/// The parts of an object and what the colour of each may be called.
pub(crate) fn dress(class: Class, look: u64) -> Vec<(Part, Vec<Colour>)> {
    let mut random = Random::of(&[look]);
    let [body, _] = [(); 2].map(|()| *shapes::pick(&BODIES, &mut random));
    match class {
        Class::Person => {
            // One leg is always drawn dark.
            let lower = [shapes::pick(&TROUSERS, &mut random), &[Colour::Black][..]].concat();
            vec![(Part::Upper, vec![body]), (Part::Lower, lower)]
        }
        _ => vec![(Part::Body, vec![body])],
    }
}

impl Scene {
    /// The parts of an object (by its number in the loop) and what the colour of each may be called.
    #[must_use]
    pub fn colours_of(&self, id: u32) -> Vec<(Part, Vec<Colour>)> {
        self.look_of(id).map_or_else(Vec::new, |(class, look)| dress(class, look))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        domain::{frame::Frame, geometry::NormBox, ids::CameraId, time::MediaTime},
        logic::colour::named::{Light, Votes},
        sim::draw::Painter,
    };

    const W: u32 = 640;
    const H: u32 = 360;

    /// The share of `a` that `b` covers.
    fn shared(a: NormBox, b: NormBox) -> f32 {
        let ([x0, y0, x1, y1], [a0, b0, a1, b1]) = (a.corners(), b.corners());
        (x1.min(a1) - x0.max(a0)).max(0.0) * (y1.min(b1) - y0.max(b0)).max(0.0) / a.area()
    }

    #[test]
    fn drawn_people_and_vehicles_are_named_as_they_are_drawn() {
        let (mut right, mut wrong) = (BTreeMap::<Part, u32>::new(), Vec::new());
        for (seed, camera) in [(3, 1), (3, 2), (11, 3), (11, 4), (7, 5), (7, 6)] {
            let scene = Scene::new(seed, camera);
            let mut painter = Painter::new(&scene, W, H);
            let mut votes: BTreeMap<u32, (Class, Votes)> = BTreeMap::new();
            for t in (0..scene.loop_us()).step_by(250_000) {
                let seen = scene.objects_at(t);
                let data = painter.frame(t).into();
                let frame = Frame { camera: CameraId(1), time: MediaTime(t as i64), width: W, height: H, data };
                let light = Light::of(&frame).expect("a street in colour");
                for (id, class, rect) in &seen {
                    let hidden = |other: &&(u32, Class, NormBox)| {
                        other.0 != *id && other.2.corners()[3] > rect.corners()[3] && shared(*rect, other.2) > 0.35
                    };
                    if !seen.iter().any(|other| hidden(&other)) {
                        votes.entry(*id).or_insert((*class, Votes::default())).1.see(&frame, light, *class, *rect);
                    }
                }
            }
            for (id, (class, votes)) in votes {
                let truth = scene.colours_of(id);
                for found in votes.result(class) {
                    let (_, names) = truth.iter().find(|(part, _)| *part == found.part).expect("that part is drawn");
                    if names.contains(&found.shares[0].colour) {
                        *right.entry(found.part).or_default() += 1;
                    } else {
                        wrong.push(format!("seed {seed} camera {camera} {class:?} {id}: {found:?}, not {names:?}"));
                    }
                }
            }
        }
        println!("right: {right:?}, wrong: {wrong:#?}");
        let all = right.values().sum::<u32>() as usize + wrong.len();
        assert!(right.len() == 3 && all > 30, "{right:?}");
        assert!(wrong.len() * 20 <= all, "{} of {all} are wrong: {wrong:#?}", wrong.len());
    }
}
