//! Question: how well does the detector shipped here find what is on pictures it was never trained on, and how long does
//! it take?
//!
//! AP50 and AP50-95 of each class on the held-out pictures of every source in `../shared/data/train`, on all real ones
//! together and on drawn streets; beside it YOLOX-nano, its bikes grown by their riders as the labels have it, on the same
//! pictures. Milliseconds of one inference of both, taking turns. Left out are classes a source does not label, areas to
//! be ignored and persons on a bike. `BENCH_MODEL=FILE` measures another detector, `BENCH_EACH=N` looks at every
//! Nth picture only. Without the folder only the drawn
//! streets are looked at, without a peer.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use vonglau::{
    domain::{detection::Class, frame::Frame, ids::CameraId, time::MediaTime},
    runtime::clock::process_cpu_us,
    sim::pictures::{Drawn, of_seed},
    vision::{
        detect::{Detector, Outcome},
        model::Model,
        picture::Scaler,
    },
};

#[path = "../../tests/common/mod.rs"]
mod common;
mod score;

use common::shared_data;
use score::{Tally, Truth, with_riders};

/// Below what the pipeline asks for, so that the whole curve of precision is seen.
const LEAST: f32 = 0.02;
/// Scenes that nobody trained on: `vonglau sim --pictures` holds out seeds from here on.
const SEEDS: std::ops::Range<u64> = 1_000_001..1_000_007;
const RUNS: usize = 60;

fn line(name: &str, ours: f64, theirs: Option<f64>, unit: &str) {
    let ratio: Value = json!(theirs.map(|t| ours / t));
    let peer = theirs.map(|_| "YOLOX-nano");
    println!(
        "{}",
        json!({ "name": name, "peer": peer, "ours": ours, "theirs": theirs, "ratio": ratio, "unit": unit, "argv": [] })
    );
}

/// A detector and its tallies by source.
struct Judged {
    detector: Detector,
    scaler: Scaler,
    tallies: BTreeMap<String, Tally>,
    riders_apart: bool,
}

impl Judged {
    fn new(mut model: Model, riders_apart: bool) -> Self {
        model.spec.threshold = LEAST;
        let detector = Detector::load(&model.bytes, &model.spec).expect("the detector is loaded");
        Self { detector, scaler: Scaler::default(), tallies: BTreeMap::new(), riders_apart }
    }
    fn look(&mut self, frame: &Frame, truth: &Truth, sources: &[&str]) {
        let Outcome::Found(mut found) = self.detector.detect(frame, &mut self.scaler).expect("it runs") else {
            panic!("numbers that are none");
        };
        if self.riders_apart {
            found = with_riders(found);
        }
        for source in sources {
            self.tallies.entry((*source).to_owned()).or_default().add(truth, &found);
        }
    }
    /// Processor time of one inference, milliseconds.
    fn ms(&mut self, frame: &Frame) -> f64 {
        let begun = process_cpu_us();
        let _ = self.detector.detect(frame, &mut self.scaler).expect("it runs");
        (process_cpu_us() - begun) as f64 / 1e3
    }
}

fn main() {
    if !vonglau::vision::telemetry_is_off() {
        // ONNX Runtime is not loaded otherwise, and a running program cannot set it for itself.
        let mut again = Command::new(std::env::current_exe().expect("a path"));
        let status =
            again.args(std::env::args().skip(1)).env("ORT_DISABLE_TELEMETRY", "1").status().expect("it starts");
        std::process::exit(status.code().unwrap_or(1));
    }
    let path = std::env::var_os("BENCH_MODEL").map(PathBuf::from);
    let model = path.map_or_else(Model::street, |path| Model::load(&path).expect("the model"));
    let each_nth: usize = std::env::var("BENCH_EACH").map_or(1, |text| text.parse().expect("a number"));
    let mut ours = Judged::new(model, false);
    let mut peer =
        shared_data("models/yolox_nano.onnx").map(|path| Judged::new(Model::load(&path).expect("the peer"), true));
    for drawn in SEEDS.flat_map(|seed| of_seed(seed, 2)) {
        let truth = Truth {
            boxes: drawn.objects.iter().map(|(class, rect)| (1 << *class as u8, *rect)).collect(),
            areas: drawn.left_out.iter().map(|(class, rect)| (1 << *class as u8, *rect)).collect(),
            labelled: 63,
        };
        let (width, height) = Drawn::size();
        let frame = Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: drawn.data.into() };
        each(&mut ours, &mut peer, |judged| judged.look(&frame, &truth, &["drawn"]));
    }
    if let Some(train) = shared_data("train") {
        let text = std::fs::read_to_string(train.join("sources.json")).expect("sources.json");
        let sources: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
        for (source, told) in &sources {
            let Some(labelled) = told["labelled"].as_array() else { continue };
            let labelled = labelled.iter().map(|n| 1 << n.as_u64().expect("a class")).sum();
            for (path, truth) in score::held_out(&train.join(source), labelled, told["rider_in_box"] == false)
                .into_iter()
                .step_by(each_nth)
            {
                let frame = picture(&path);
                each(&mut ours, &mut peer, |judged| judged.look(&frame, &truth, &["all real", source]));
            }
        }
    }
    report(&ours, peer.as_ref());
    time(&mut ours, peer.as_mut());
}

fn each(ours: &mut Judged, peer: &mut Option<Judged>, mut run: impl FnMut(&mut Judged)) {
    run(ours);
    peer.iter_mut().for_each(run);
}

fn report(ours: &Judged, peer: Option<&Judged>) {
    for (source, tally) in &ours.tallies {
        for class in Class::ALL {
            let count = tally.count(class);
            let Some([ap50, ap]) = tally.ap(class) else { continue };
            let theirs = peer.and_then(|p| p.tallies[source].ap(class));
            let name = |what: &str| format!("{source}: {what} of {} ({count})", class.name());
            line(&name("AP50"), ap50, theirs.map(|t| t[0]), "share");
            line(&name("AP50-95"), ap, theirs.map(|t| t[1]), "share");
        }
    }
}

fn time(ours: &mut Judged, peer: Option<&mut Judged>) {
    let drawn = of_seed(SEEDS.start, 1).next().expect("a picture");
    let (width, height) = Drawn::size();
    let frame = Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: drawn.data.into() };
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    let mut peer = peer;
    for _ in 0..RUNS {
        mine.push(ours.ms(&frame));
        theirs.extend(peer.as_mut().map(|p| p.ms(&frame)));
    }
    let middle = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of.get(of.len() / 2).copied()
    };
    line("one inference with everything around it", middle(mine).expect("it ran"), middle(theirs), "ms of one core");
}

/// A JPEG as a camera's picture, I420.
fn picture(path: &Path) -> Frame {
    let rgb = image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).into_rgb8();
    // Frames have even sides.
    let (width, height) = (rgb.width() & !1, rgb.height() & !1);
    let mut data = vec![0u8; Frame::size_bytes(width, height)];
    let (luma, chroma) = data.split_at_mut((width * height) as usize);
    let (us, vs) = chroma.split_at_mut((width * height / 4) as usize);
    let mut sums = vec![[0.0f32; 3]; us.len()];
    for y in 0..height {
        for x in 0..width {
            let [r, g, b] = rgb.get_pixel(x, y).0.map(f32::from);
            luma[(y * width + x) as usize] = (16.5 + 0.257 * r + 0.504 * g + 0.098 * b) as u8;
            let sum = &mut sums[(y / 2 * (width / 2) + x / 2) as usize];
            *sum = [sum[0] + r / 4.0, sum[1] + g / 4.0, sum[2] + b / 4.0];
        }
    }
    for (i, [r, g, b]) in sums.into_iter().enumerate() {
        us[i] = (128.5 - 0.148 * r - 0.291 * g + 0.439 * b) as u8;
        vs[i] = (128.5 + 0.439 * r - 0.368 * g - 0.071 * b) as u8;
    }
    Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: data.into() }
}
