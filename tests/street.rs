//! The detector that is part of the program, through the analysis of the service: drawn streets, and real clips where
//! `../shared/data` is.

mod common;

use vonglau::{
    domain::{detection::Class, geometry::NormBox, time::MediaTime},
    logic::score::recall::{Course, Courses},
    sim::{clip, scene::Scene},
    vision::{
        analyze::{Method, Summary, analyze},
        model::Model,
    },
};

const SIZE: (u32, u32) = (1280, 720);
const FPS: u32 = 10;
/// Objects of this share of the picture must be found; smaller ones may be.
const AREA_NOTICED: f32 = 0.002;
/// Of an object, the share that something nearer may cover.
const HIDDEN: f32 = 0.4;
/// A track takes some looks to be believed.
const SETTLED_US: u64 = 1_500_000;
const SHARE: f32 = 0.5;

/// The one that is part of the program; `STREET_MODEL=FILE` tries another one in its place.
fn street() -> Model {
    std::env::var_os("STREET_MODEL").map_or_else(Model::street, |path| Model::load(path.as_ref()).expect("a detector"))
}

/// How many of what was to be found was found, and how many of what was said was there.
#[derive(Debug, Default, Clone, Copy)]
struct Score {
    asked: u32,
    found: u32,
    said: u32,
    right: u32,
}

impl Score {
    fn recall(self) -> f64 {
        f64::from(self.found) / f64::from(self.asked)
    }
    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from(self.said)
    }
}

fn covered(of: NormBox, by: NormBox) -> f32 {
    let ([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) = (of.corners(), by.corners());
    (ax1.min(bx1) - ax0.max(bx0)).max(0.0) * (ay1.min(by1) - ay0.max(by0)).max(0.0) / of.area()
}

/// Buses and lorries are drawn alike, and so are two wheels with and without a motor.
fn kindred(a: Class, b: Class) -> bool {
    let heavy = |c| matches!(c, Class::Bus | Class::Truck);
    a == b || (heavy(a) && heavy(b))
}

/// Counts what the tracks say against what was drawn, ten times a second; between two sightings a track goes straight.
fn count(scene: &Scene, tracks: &Courses) -> Score {
    let mut score = Score::default();
    let near = |class: Class, rect: NormBox, t_us: u64, share: f32| {
        let at = |course: &Course| course.at(MediaTime(t_us.cast_signed())).is_some_and(|r| r.iou(rect) >= share);
        tracks.believed().any(|course| kindred(course.class, class) && at(course))
    };
    for t_us in (SETTLED_US..scene.loop_us()).step_by(100_000) {
        let now = scene.objects_at(t_us);
        let before = scene.objects_at(t_us - SETTLED_US);
        for (i, (id, class, rect)) in now.iter().enumerate() {
            // The nearer ones come later.
            let hidden: f32 = now[i + 1..].iter().map(|(_, _, other)| covered(*rect, *other)).sum();
            let settled = before.iter().any(|(other, _, r)| other == id && r.area() > AREA_NOTICED);
            if rect.area() > AREA_NOTICED && hidden < HIDDEN && settled {
                score.asked += 1;
                score.found += u32::from(near(*class, *rect, t_us, SHARE));
            }
        }
    }
    for course in tracks.believed() {
        for (time, rect) in &course.places {
            let there = scene.objects_at(time.0.unsigned_abs());
            score.said += 1;
            let right = |(_, class, r): &(u32, Class, NormBox)| kindred(course.class, *class) && r.iou(*rect) >= 0.3;
            score.right += u32::from(there.iter().any(right));
        }
    }
    score
}

#[test]
fn drawn_streets_are_seen_through_the_whole_analysis() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = Score::default();
    for camera in 1..=4 {
        let scene = Scene::new(7, camera);
        let video = folder.path().join("drawn.mp4");
        clip::write_mp4(&scene, SIZE, FPS, 20, &video).expect("a clip");
        let mut tracks = Courses::default();
        let summary = analyze(&video, Some(street()), Method::Gated, &mut |seen| tracks.add(seen)).expect("it runs");
        let score = count(&scene, &tracks);
        println!("scene {camera}: {score:?} {:?}", summary.tracks);
        all = Score {
            asked: all.asked + score.asked,
            found: all.found + score.found,
            said: all.said + score.said,
            right: all.right + score.right,
        };
    }
    println!("drawn: recall {:.3}, precision {:.3} of {all:?}", all.recall(), all.precision());
    assert!(all.asked > 200, "a poor scene: {all:?}");
    // Reached as shipped: 0.94 and 0.88. The goal is 0.9 and 0.9; models/README.md says what is missing.
    assert!(all.recall() >= 0.9 && all.precision() >= 0.85, "{all:?}");
}

fn analysed(clip: &str) -> Option<Summary> {
    let video = common::shared_data(clip)?;
    let summary = analyze(&video, Some(street()), Method::Gated, &mut |_| {}).expect("the clip is analysed");
    println!("{clip}: {:?} of {} inferences", summary.tracks, summary.inferences);
    Some(summary)
}

#[test]
fn motorcycles_and_cars_of_a_real_crossing_are_seen() {
    let Some(summary) = analysed("video/vn-intersection.mp4") else { return };
    for class in [Class::Motorcycle, Class::Car] {
        assert!(summary.tracks.get(&class).is_some_and(|n| *n >= 5), "{class:?}: {:?}", summary.tracks);
    }
}

#[test]
fn people_who_come_one_by_one_are_seen_and_no_crowd_is_made_of_them() {
    let Some(summary) = analysed("video/intel-one-by-one-person.mp4") else { return };
    // Six came, and five are found as shipped, though no picture of the training looks down on people.
    let persons = summary.tracks.get(&Class::Person).copied().unwrap_or_default();
    assert!((3..=12).contains(&persons), "{:?}", summary.tracks);
}
