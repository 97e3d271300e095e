//! What the tracker makes of detections, as boxes that can be scored: those of TUD (MOT15; test data that is not part
//! of the project) and those of the made-up [`street`](super::street).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use vonglau::{
    domain::{
        detection::{Class, Detection},
        geometry::NormBox,
        time::MediaTime,
    },
    logic::{
        score::{Frames, Labelled, read_mot},
        tracker::{Tracker, TrackerConfig},
    },
};

use super::street;

/// The walks of TUD that the test data has.
pub const WALKS: [&str; 2] = ["TUD-Campus", "TUD-Stadtmitte"];
/// Their pictures in pixels, and their rate.
const SIZE: [f64; 2] = [640.0, 480.0];
const FRAME_US: i64 = 40_000;

/// A walk: the truth, another tracker's answer, the detections.
pub struct Walk {
    /// The true boxes.
    pub truth: Frames,
    /// What the tracker that came with the data made of it.
    pub other: Frames,
    seen: BTreeMap<i64, Vec<Detection>>,
}

impl Walk {
    /// Reads one from the folder `mot`.
    pub fn read(folder: &Path, name: &str) -> Self {
        let text = |kind: &str| std::fs::read_to_string(folder.join(format!("{name}.{kind}.txt"))).unwrap();
        let mut seen: BTreeMap<i64, Vec<Detection>> = BTreeMap::new();
        for line in text("det").lines() {
            let n: Vec<f64> = line.split(',').map(|v| v.trim().parse().unwrap()).collect();
            let corners = [n[2] / SIZE[0], n[3] / SIZE[1], (n[2] + n[4]) / SIZE[0], (n[3] + n[5]) / SIZE[1]];
            let [x0, y0, x1, y1] = corners.map(|v| v as f32);
            let rect = NormBox::new(x0, y0, x1, y1).unwrap();
            let detection = Detection { class: Class::Person, score: n[6] as f32, rect };
            seen.entry(n[0] as i64).or_default().push(detection);
        }
        Self { truth: read_mot(&text("gt")).unwrap(), other: read_mot(&text("test")).unwrap(), seen }
    }
    /// Every `step`-th frame from the `phase`-th on: the truth, and what the tracker made of it.
    pub fn follow(&self, step: i64, phase: i64) -> (Frames, Frames) {
        let truth: Frames =
            self.truth.iter().filter(|(f, _)| *f % step == phase).map(|(f, v)| (*f, v.clone())).collect();
        let none = Vec::new();
        let frames = truth.keys().map(|f| (*f, MediaTime(f * FRAME_US), self.seen.get(f).unwrap_or(&none).as_slice()));
        let found = follow(frames, SIZE);
        (truth, found)
    }
}

/// What the tracker makes of a made-up street.
pub fn follow_street(moments: &[street::Moment]) -> Frames {
    follow(moments.iter().map(|m| (m.time.0, m.time, m.seen.as_slice())), [street::ASPECT, 1.0])
}

/// The boxes of the tracks that came to be believed, from their first sighting on, as they are kept.
fn follow<'a>(frames: impl Iterator<Item = (i64, MediaTime, &'a [Detection])>, size: [f64; 2]) -> Frames {
    let config = TrackerConfig { aspect: (size[0] / size[1]) as f32, ..TrackerConfig::default() };
    let mut tracker = Tracker::new(config, 1);
    let (mut found, mut believed) = (Frames::new(), BTreeSet::new());
    for (frame, time, seen) in frames {
        let step = tracker.step(time, Some(seen));
        believed.extend(step.newly_confirmed.iter().map(|(track, _)| track.0));
        let boxes = step.points.iter().map(|p| {
            let [x0, y0, x1, y1] = p.rect.corners().map(f64::from);
            Labelled { id: p.track.0, corners: [x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1]] }
        });
        found.entry(frame).or_insert_with(Vec::new).extend(boxes);
    }
    found.values_mut().for_each(|boxes| boxes.retain(|b| believed.contains(&b.id)));
    found
}
