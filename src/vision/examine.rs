//! What a detector or an extra classifier is and how fast, before it is used: for `vonglau model check`.

use super::{
    classifier::{Classifier, ClassifierModel},
    detect::{About, Detector, Outcome},
    model::Model,
    picture::Scaler,
};
use crate::{
    domain::{frame::Frame, geometry::NormBox, ids::CameraId, refusal::Refusal, time::MediaTime},
    runtime::clock::{self, Clock},
};

/// So many runs are timed; the middle one counts.
const RUNS: usize = 9;

/// What was found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// What it is.
    pub about: About,
    /// Processor time of one inference with everything around it, microseconds.
    pub cpu_us: i64,
    /// From its begin to its end, microseconds.
    pub wall_us: i64,
}

/// Loads a model in this process and runs it on a grey picture of its own size. The process must have been started with
/// [`telemetry_is_off`](super::detect::runtime::telemetry_is_off).
///
/// # Errors
/// Why it cannot be used.
pub fn examine(model: &Model) -> Result<Examined, Refusal> {
    let mut detector = Detector::load(&model.bytes, &model.spec)?;
    let [width, height] = detector.input();
    let data = vec![114u8; Frame::size_bytes(width, height)];
    let frame = Frame { camera: CameraId(0), time: MediaTime(0), width, height, data: data.into() };
    let (clock, mut scaler) = (Clock::machine(), Scaler::default());
    let refuse = |vi: String, en: String| Refusal::new(model.spec.name.clone(), vi, en);
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (spent, begun) = (clock::process_cpu_us(), clock.boot());
        match detector.detect(&frame, &mut scaler) {
            Ok(Outcome::Found(_)) => {}
            Ok(Outcome::NotANumber) => {
                return Err(refuse(
                    "mô hình trả về giá trị không phải số; xuất lại mô hình hoặc dùng mô hình khác".to_owned(),
                    "the model answers with what is not a number; export it again or use another one".to_owned(),
                ));
            }
            Err(said) => {
                return Err(refuse(
                    format!("mô hình không chạy được: {said}; dùng mô hình khác"),
                    format!("the model does not run: {said}; use another one"),
                ));
            }
        }
        cpu.push(clock::process_cpu_us() - spent);
        wall.push(clock.boot().since(begun));
    }
    Ok(Examined { about: detector.about().clone(), cpu_us: middle(cpu), wall_us: middle(wall) })
}

fn middle(mut times: Vec<i64>) -> i64 {
    times.sort_unstable();
    times[RUNS / 2]
}

/// What was found out about an extra classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Examination {
    /// Inputs and outputs with types and shapes.
    pub shapes: String,
    /// Processor time of one look with everything around it, microseconds.
    pub cpu_us: i64,
    /// From its begin to its end, microseconds.
    pub wall_us: i64,
}

/// As [`examine`], for an extra classifier.
///
/// # Errors
/// Why it cannot be used.
pub fn examine_classifier(model: &ClassifierModel) -> Result<Examination, Refusal> {
    let mut classifier = Classifier::load(&model.bytes, &model.spec)?;
    let (width, height) = (320, 180);
    let data = vec![114u8; Frame::size_bytes(width, height)];
    let frame = Frame { camera: CameraId(0), time: MediaTime(0), width, height, data: data.into() };
    let (clock, mut scaler) = (Clock::machine(), Scaler::default());
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (spent, begun) = (clock::process_cpu_us(), clock.boot());
        let rect = NormBox::new(0.4, 0.3, 0.6, 0.7).expect("within the picture");
        classifier.look(&frame, rect, &mut scaler).map_err(|said| {
            Refusal::new(
                model.spec.file.clone(),
                format!("mô hình phụ không chạy được: {said}; dùng mô hình khác"),
                format!("the extra model does not run: {said}; use another one"),
            )
        })?;
        cpu.push(clock::process_cpu_us() - spent);
        wall.push(clock.boot().since(begun));
    }
    Ok(Examination { shapes: classifier.shapes(), cpu_us: middle(cpu), wall_us: middle(wall) })
}
