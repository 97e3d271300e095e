//! Extra classifiers: a picture of a followed object in, a label and how sure it is out.
//!
//! In: [`ClassifierSpec`]s with the bytes of ONNX files, then frames with the objects seen in them. Out: [`Labelled`]
//! words, from which rules of the kind `attribute` make up their mind. How often it looks is decided by
//! [`Ballot`](crate::logic::ballot::Ballot). Refuses a graph that is no classifier of so many labels, and one that answers
//! with what is no number; looks at nothing that others hide or the picture's edge cuts.

mod spec;
mod voters;

pub use spec::{
    Answer, CLASSIFIER_BYTES_MAX, ClassifierModel, ClassifierSpec, Order, Scale, from_folder, is_classifier,
};
pub use voters::Voters;

use super::{
    detect::{Area, Colours, Patch, Shown, compose, runtime::Session},
    picture::Scaler,
};
use crate::domain::{frame::Frame, geometry::NormBox, ids::CameraId, refusal::Refusal, time::MediaTime};

/// Mean and deviation of ImageNet's pictures, red, green, blue (torchvision's `models`).
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// A loaded classifier.
#[derive(Debug)]
pub struct Classifier {
    session: Session,
    spec: ClassifierSpec,
    numbers: Vec<f32>,
}

impl Classifier {
    /// Loads a classifier and runs it once on grey.
    ///
    /// # Errors
    /// No ONNX Runtime, no ONNX file, an input or an answer that is not as described, or a graph that does not run.
    pub fn load(bytes: &[u8], spec: &ClassifierSpec) -> Result<Self, Refusal> {
        let session = Session::load(bytes).map_err(|r| Refusal { place: spec.file.clone(), ..r })?;
        let [w, h] = spec.input;
        if session.input(Some(spec.input)) != Some(spec.input) {
            let shapes = session.shapes();
            return Err(Refusal::new(
                spec.file.clone(),
                format!(
                    "đầu vào không phải [1,3,{h},{w}] như mô tả ({shapes}); sửa input trong mô tả hoặc xuất lại mô hình"
                ),
                format!("its input is not [1,3,{h},{w}] as described ({shapes}); mend input or export the model again"),
            ));
        }
        let mut classifier = Self { session, spec: spec.clone(), numbers: Vec::new() };
        let data = vec![114u8; Frame::size_bytes(w, h)];
        let grey = Frame { camera: CameraId(0), time: MediaTime(0), width: w, height: h, data: data.into() };
        let whole = NormBox::new(0.0, 0.0, 1.0, 1.0).expect("within the picture");
        classifier.look(&grey, whole, &mut Scaler::default()).map_err(|said| {
            Refusal::new(
                spec.file.clone(),
                format!("mô hình phụ không chạy được: {said}; sửa mô tả hoặc dùng mô hình khác"),
                format!("the extra model does not run: {said}; mend its description or use another one"),
            )
        })?;
        Ok(classifier)
    }
    /// What is known about it.
    #[must_use]
    pub const fn spec(&self) -> &ClassifierSpec {
        &self.spec
    }
    /// Inputs and outputs with types and shapes.
    #[must_use]
    pub fn shapes(&self) -> String {
        self.session.shapes()
    }
    /// Looks at a part of a picture: which label, by its number, and how sure.
    ///
    /// # Errors
    /// What ONNX Runtime said, or what is wrong with the answer.
    pub fn look(&mut self, frame: &Frame, rect: NormBox, scaler: &mut Scaler) -> Result<(usize, f32), String> {
        let [w, h] = self.spec.input;
        let source = area(frame, rect.grown(self.spec.margin));
        let patch = Patch { source, target: Area { x: 0, y: 0, width: w, height: h } };
        compose(&[Shown { frame, patch }], self.spec.input, Colours::Rgb1, scaler, &mut self.numbers);
        arrange(&mut self.numbers, self.spec.colours, self.spec.scale);
        let (labels, output) = (self.spec.labels.len(), self.spec.output);
        self.session.run([1, 3, h as usize, w as usize], &self.numbers, |shape, numbers| {
            if numbers.len() != labels {
                return Err(format!(
                    "its answer has the shape {shape:?}, which is not one number for each of {labels} labels"
                ));
            }
            best(numbers, output).ok_or_else(|| "its answer is no score".to_owned())
        })?
    }
}

/// The box in whole, even pixels, at least 2 × 2 and inside the picture.
fn area(frame: &Frame, rect: NormBox) -> Area {
    let [x0, y0, x1, y1] = rect.corners();
    let span = |from: f32, to: f32, side: u32| {
        let even = |v: f32| ((v * side as f32 / 2.0).round() as u32 * 2).min(side & !1);
        let start = even(from).min((side & !1).saturating_sub(2));
        (start, even(to).max(start + 2) - start)
    };
    let ((x, width), (y, height)) = (span(x0, x1, frame.width), span(y0, y1, frame.height));
    Area { x, y, width, height }
}

/// From red, green, blue of 0 to 1 to what a classifier wants.
fn arrange(numbers: &mut [f32], order: Order, scale: Scale) {
    let area = numbers.len() / 3;
    for (plane, (mean, deviation)) in
        numbers.chunks_exact_mut(area.max(1)).zip(IMAGENET[0].into_iter().zip(IMAGENET[1]))
    {
        match scale {
            Scale::One => {}
            Scale::Byte => plane.iter_mut().for_each(|v| *v *= 255.0),
            Scale::Imagenet => plane.iter_mut().for_each(|v| *v = (*v - mean) / deviation),
        }
    }
    if order == Order::Bgr {
        let (red, rest) = numbers.split_at_mut(area);
        red.swap_with_slice(&mut rest[area..]);
    }
}

/// The greatest number and its score; `None` when one is no number, or none of them a score though they should be.
fn best(numbers: &[f32], output: Answer) -> Option<(usize, f32)> {
    if numbers.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let (label, most) = numbers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let score = match output {
        // Softmax; the greatest is taken off first, so that nothing grows beyond bounds.
        Answer::Logits => 1.0 / numbers.iter().map(|v| (v - most).exp()).sum::<f32>(),
        Answer::Probabilities => most,
    };
    (-0.001..=1.001).contains(&score).then_some((label, score.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_the_softmax_of_logits_and_what_is_no_score_is_known() {
        let (label, score) = best(&[1.0, 3.0, 2.0], Answer::Logits).unwrap();
        assert!(label == 1 && (score - 0.665_241).abs() < 1e-5, "{score}");
        assert_eq!(best(&[900.0, -900.0], Answer::Logits), Some((0, 1.0)));
        assert_eq!(best(&[0.2, 0.8], Answer::Probabilities), Some((1, 0.8)));
        assert_eq!(best(&[2.0, 5.0], Answer::Probabilities), None, "logits described as scores");
        assert_eq!(best(&[f32::NAN, 1.0], Answer::Logits), None);
        assert_eq!(best(&[], Answer::Logits), None);
    }

    #[test]
    fn planes_come_in_the_order_and_range_that_is_wanted() {
        let rgb = [1.0, 1.0, 0.5, 0.5, 0.0, 0.0];
        let arranged = |order, scale| {
            let mut numbers = rgb;
            arrange(&mut numbers, order, scale);
            numbers
        };
        assert_eq!(arranged(Order::Rgb, Scale::One), rgb);
        assert_eq!(arranged(Order::Bgr, Scale::Byte), [0.0, 0.0, 127.5, 127.5, 255.0, 255.0]);
        let normal = arranged(Order::Rgb, Scale::Imagenet);
        assert!((normal[0] - 2.248_9).abs() < 1e-3 && (normal[5] + 1.804_4).abs() < 1e-3, "{normal:?}");
    }

    #[test]
    fn a_box_at_the_edge_is_whole_pixels_inside_the_picture() {
        let data = vec![0u8; Frame::size_bytes(33, 21)];
        let frame = Frame { camera: CameraId(1), time: MediaTime(0), width: 33, height: 21, data: data.into() };
        for corners in [[0.0, 0.0, 1.0, 1.0], [0.99, 0.99, 1.0, 1.0], [0.5, 0.5, 0.500_1, 0.500_1]] {
            let [x0, y0, x1, y1] = corners;
            let a = area(&frame, NormBox::new(x0, y0, x1, y1).unwrap());
            assert!(a.width >= 2 && a.height >= 2 && a.x + a.width <= 33 && a.y + a.height <= 21, "{corners:?}: {a:?}");
        }
    }
}
