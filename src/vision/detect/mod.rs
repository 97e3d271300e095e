//! The detector: a frame in, detections out. One file an output layout; `runtime` alone touches ONNX Runtime.
//!
//! In: a [`ModelSpec`] and the bytes of an ONNX file, then frames. Out: detections of the classes the product knows.
//! It refuses a model whose shapes do not fit its description or, without one, are not unambiguous.

pub mod runtime;
pub mod yolox;

use super::{
    model::{Family, ModelSpec, known_labels},
    picture::Scaler,
};
use crate::domain::{detection::Detection, frame::Frame, refusal::Refusal};
use runtime::Session;
use yolox::Yolox;

/// What became of one frame.
#[derive(Debug)]
pub enum Outcome {
    /// These were found.
    Found(Vec<Detection>),
    /// The detector's answer held a number that is none; the frame counts for nothing.
    NotANumber,
}

/// A loaded detector. One a worker: it is not shared.
#[derive(Debug)]
pub struct Detector {
    session: Session,
    layout: Yolox,
    name: String,
    input: Vec<f32>,
}

impl Detector {
    /// Loads a model and fits it to what is known about it.
    ///
    /// # Errors
    /// No ONNX Runtime, no ONNX file, or shapes and labels that do not fit: found and expected stand in the sentence.
    pub fn load(bytes: &[u8], spec: &ModelSpec) -> Result<Self, Refusal> {
        let session = Session::load(bytes).map_err(|r| Refusal { place: spec.name.clone(), ..r })?;
        let layout = fit(&session, spec)?;
        let name =
            if spec.licence.is_empty() { spec.name.clone() } else { format!("{} ({})", spec.name, spec.licence) };
        let mut detector = Self { session, layout, name, input: Vec::new() };
        detector.try_out().map_err(|said| Refusal {
            place: spec.name.clone(),
            vi: format!("mô hình không chạy được: {said}; dùng mô hình khác"),
            en: format!("the model does not run: {said}; use another one"),
        })?;
        Ok(detector)
    }
    /// What it is, for a person: name, licence, input size.
    #[must_use]
    pub fn describe(&self) -> String {
        let [w, h] = self.layout.input();
        format!("{}, {w}×{h}", self.name)
    }
    /// Looks at a whole frame.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn detect(&mut self, frame: &Frame, scaler: &mut Scaler) -> Result<Outcome, String> {
        let placed = self.layout.letterbox(frame, scaler, &mut self.input);
        let [w, h] = self.layout.input().map(|side| side as usize);
        let layout = &self.layout;
        self.session.run([1, 3, h, w], &self.input, |shape, values| {
            if shape.iter().any(|d| *d < 0) || shape.len() != 3 || shape[2] as usize != layout.row() {
                return Err(format!("its answer has the shape {shape:?}"));
            }
            Ok(layout.detections(values, placed).map_or(Outcome::NotANumber, Outcome::Found))
        })?
    }
    /// One run on a grey picture, so that a graph that cannot run is refused now and not at the first frame.
    fn try_out(&mut self) -> Result<(), String> {
        let [w, h] = self.layout.input();
        let data = vec![114u8; Frame::size_bytes(w, h)];
        let (camera, time) = (crate::domain::ids::CameraId(0), crate::domain::time::MediaTime(0));
        let frame = Frame { camera, time, width: w, height: h, data: data.into() };
        self.detect(&frame, &mut Scaler::default()).map(|_| ())
    }
}

/// The labels a model carries in its metadata, as exporters write them: `{0: 'person', 1: 'car'}`, a JSON list, or
/// names between commas.
fn labels_of(text: &str) -> Vec<String> {
    let inner = text.trim().trim_matches(|c| "{}[]".contains(c));
    let name = |part: &str| {
        let part = part.rsplit_once(':').map_or(part, |(_, name)| name);
        part.trim().trim_matches(|c| c == '\'' || c == '"').to_owned()
    };
    inner.split(',').map(name).filter(|n| !n.is_empty()).collect()
}

fn fit(session: &Session, spec: &ModelSpec) -> Result<Yolox, Refusal> {
    let shapes = session.shapes();
    let refuse = |vi: String, en: String| Err(Refusal::new(spec.name.clone(), vi, en));
    let wrong_shapes = |expected: &str| {
        refuse(
            format!(
                "mô hình có {shapes}; cần {expected}; hãy mô tả nó trong tệp .toml bên cạnh hoặc dùng mô hình khác"
            ),
            format!("the model has {shapes}; expected {expected}; describe it in a .toml beside it or use another one"),
        )
    };
    let expected = "input f32 [1,3,H,W] (H, W: 32·n), output f32 [1,N,5+classes] (YOLOX, N = HW/64 + HW/256 + HW/1024)";
    // One family so far; without a description the shapes must say so themselves.
    let sure = matches!(spec.family, Some(Family::Yolox));
    let Some([width, height]) = session.square_input(spec.input) else { return wrong_shapes(expected) };
    let Some([rows, row]) = session.rows(yolox::rows(width, height), spec.labels.len() + 5, sure) else {
        return wrong_shapes(expected);
    };
    if width % 32 != 0 || height % 32 != 0 || rows != yolox::rows(width, height) || row < 6 {
        return wrong_shapes(expected);
    }
    let labels = if spec.labels.is_empty() {
        session.metadata("names").map(|t| labels_of(&t)).unwrap_or_default()
    } else {
        spec.labels.clone()
    };
    if labels.len() + 5 != row {
        return refuse(
            format!(
                "mô hình có {} loại nhưng có {} nhãn; ghi đủ `labels` trong tệp .toml bên cạnh",
                row - 5,
                labels.len()
            ),
            format!(
                "the model has {} classes but {} labels; list them all as `labels` in a .toml beside it",
                row - 5,
                labels.len()
            ),
        );
    }
    let classes = known_labels(&labels).map_err(|r| r.within(&spec.name))?;
    Ok(Yolox::new([width, height], classes, spec.decoded, spec.threshold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_exporters_write_them() {
        let two = ["person".to_owned(), "motorbike".to_owned()];
        assert_eq!(labels_of("{0: 'person', 1: 'motorbike'}"), two);
        assert_eq!(labels_of("[\"person\", \"motorbike\"]"), two);
        assert_eq!(labels_of("person,motorbike"), two);
        assert!(labels_of("{}").is_empty());
    }
}
