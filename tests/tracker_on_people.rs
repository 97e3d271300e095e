//! The tracker on detections of real streets (TUD, MOT15; test data that is not part of the project), thinned to 5 frames a second.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use vonglau::{
    domain::{
        detection::{Class, Detection},
        geometry::NormBox,
        time::MediaTime,
    },
    logic::tracker::{Tracker, TrackerConfig},
};

const FRAMES_A_SECOND: i64 = 25;
const SIZE: (f32, f32) = (640.0, 480.0);

type Frames = BTreeMap<i64, Vec<(i64, f32, NormBox)>>;

/// MOTChallenge lines: frame, id, left, top, width, height, confidence.
fn read(path: &Path) -> Frames {
    let mut frames = Frames::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let n: Vec<f32> = line.split(',').map(|v| v.trim().parse().unwrap()).collect();
        let (x, y, w, h) = (n[2] / SIZE.0, n[3] / SIZE.1, n[4] / SIZE.0, n[5] / SIZE.1);
        if let Some(rect) = NormBox::new(x, y, x + w, y + h) {
            frames.entry(n[0] as i64).or_default().push((n[1] as i64, n[6], rect));
        }
    }
    frames
}

/// Every `step`-th frame: (people seen and named, changes of a person's name).
fn follow(folder: &Path, name: &str, step: i64) -> (usize, usize) {
    let (truth, seen) = (read(&folder.join(format!("{name}.gt.txt"))), read(&folder.join(format!("{name}.det.txt"))));
    let mut tracker = Tracker::new(TrackerConfig { aspect: SIZE.0 / SIZE.1, ..TrackerConfig::default() }, 1);
    let (mut names, mut named, mut switches) = (HashMap::new(), 0, 0);
    for (frame, people) in truth.iter().filter(|(frame, _)| **frame % step == 0) {
        let detections: Vec<_> = seen
            .get(frame)
            .into_iter()
            .flatten()
            .map(|&(_, score, rect)| Detection { class: Class::Person, score: score.clamp(0.0, 1.0), rect })
            .collect();
        let points = tracker.step(MediaTime(frame * 1_000_000 / FRAMES_A_SECOND), Some(&detections)).points;
        // Each person's best fitting box, each box for one person.
        let mut pairs: Vec<_> = people
            .iter()
            .flat_map(|&(id, _, rect)| points.iter().map(move |p| (p.rect.iou(rect), id, p.track)))
            .filter(|(iou, ..)| *iou >= 0.5)
            .collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut people_done, mut tracks_done) = (Vec::new(), Vec::new());
        for (_, person, track) in pairs {
            if people_done.contains(&person) || tracks_done.contains(&track) {
                continue;
            }
            people_done.push(person);
            tracks_done.push(track);
            named += 1;
            switches += usize::from(names.insert(person, track).is_some_and(|before| before != track));
        }
    }
    (named, switches)
}

#[test]
fn people_of_real_streets_mostly_keep_their_names() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/mot"));
    if !folder.is_dir() {
        println!("skipped: no ../shared/data");
        return;
    }
    for name in ["TUD-Campus", "TUD-Stadtmitte"] {
        for step in [1, 5, 10] {
            let (named, switches) = follow(folder, name, step);
            println!(
                "{name} at {} frames a second: {switches} changes of name in {named} sightings",
                25.0 / step as f32
            );
            assert!(named > 0 && switches * 4 < named, "names change too often");
        }
    }
}
