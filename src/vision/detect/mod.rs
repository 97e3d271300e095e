//! The detector: a frame in, detections out. One file an output layout; `runtime` alone touches ONNX Runtime.
//!
//! In: a [`ModelSpec`] and the bytes of an ONNX file, then frames. Out: detections of the classes the product knows,
//! suppressed within each class. It refuses a model whose shapes fit none of the layouts, or not the one it is described
//! as, and one whose shapes alone leave a doubt.

mod end2end;
mod fit;
mod input;
pub mod runtime;
mod yolov8;
mod yolox;

use super::{
    model::{Family, ModelSpec},
    picture::Scaler,
};
pub use crate::logic::pack::{Area, Patch};
use crate::{
    domain::{
        detection::{Class, Detection},
        frame::Frame,
        ids::CameraId,
        refusal::Refusal,
        time::MediaTime,
    },
    logic::{nms, seams},
};
use end2end::End2End;
use input::Placed;
pub(super) use input::{Colours, compose};
pub use input::{Shown, whole};
use runtime::Session;
use yolov8::Yolov8;
use yolox::Yolox;

/// Two boxes of a class that overlap by more are one object.
const IOU_MAX: f32 = 0.45;

/// What became of one frame.
#[derive(Debug)]
pub enum Outcome {
    /// These were found.
    Found(Vec<Detection>),
    /// The detector's answer held a number that is none; the frame counts for nothing.
    NotANumber,
}

/// How the numbers that come out are read.
#[derive(Debug)]
enum Layout {
    Yolox(Yolox),
    Yolov8(Yolov8),
    End2End(End2End),
}

impl Layout {
    const fn family(&self) -> Family {
        match self {
            Self::Yolox(_) => Family::Yolox,
            Self::Yolov8(_) => Family::Yolov8,
            Self::End2End(_) => Family::End2end,
        }
    }
    const fn colours(&self) -> Colours {
        match self {
            Self::Yolox(_) => Colours::Bgr255,
            Self::Yolov8(_) | Self::End2End(_) => Colours::Rgb1,
        }
    }
    fn classes(&self) -> &[Option<Class>] {
        match self {
            Self::Yolox(layout) => &layout.classes,
            Self::Yolov8(layout) => &layout.classes,
            Self::End2End(layout) => &layout.classes,
        }
    }
    /// Whether an answer of that shape is one of this layout: what the graph leaves open shows only now.
    fn takes(&self, shape: &[i64], numbers: usize) -> bool {
        let [1, a, b] = *shape else { return false };
        let length = i64::try_from(match self {
            Self::Yolox(layout) => layout.classes.len() + 5,
            Self::Yolov8(layout) => layout.classes.len() + 4,
            Self::End2End(_) => end2end::ROW,
        });
        let fits = if self.family() == Family::Yolov8 { a } else { b };
        length == Ok(fits) && usize::try_from(a * b) == Ok(numbers)
    }
    /// `None` when a number is none.
    fn read(&self, numbers: &[f32], placed: Placed) -> Option<Vec<Detection>> {
        if numbers.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let found = match self {
            Self::Yolox(layout) => layout.detections(numbers, placed),
            Self::Yolov8(layout) => layout.detections(numbers, placed),
            Self::End2End(layout) => layout.detections(numbers, placed),
        };
        Some(nms::per_class(found, IOU_MAX))
    }
}

/// What a detector is, for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// What people call it.
    pub name: String,
    /// The licence it came under: as described, else as the file says; empty when neither tells.
    pub licence: String,
    /// Its layout.
    pub family: Family,
    /// Width and height of its input, pixels.
    pub input: [u32; 2],
    /// Inputs and outputs with types and shapes.
    pub shapes: String,
    /// Its labels that are looked at, and what they stand for.
    pub looked_at: Vec<(String, Class)>,
    /// How many labels are not.
    pub others: usize,
}

/// A loaded detector. One a worker: it is not shared.
#[derive(Debug)]
pub struct Detector {
    session: Session,
    layout: Layout,
    about: About,
    numbers: Vec<f32>,
}

impl Detector {
    /// Loads a model and fits it to what is known about it.
    ///
    /// # Errors
    /// No ONNX Runtime, no ONNX file, or shapes and labels that do not fit: found and expected stand in the sentence.
    pub fn load(bytes: &[u8], spec: &ModelSpec) -> Result<Self, Refusal> {
        let session = Session::load(bytes).map_err(|r| Refusal { place: spec.name.clone(), ..r })?;
        let fit::Fitted { layout, input, labels } = fit::fit(&session, spec)?;
        let known = labels.into_iter().zip(layout.classes());
        let looked_at: Vec<_> = known.filter_map(|(label, class)| class.map(|class| (label, class))).collect();
        let others = layout.classes().len() - looked_at.len();
        let licence = if spec.licence.is_empty() {
            session.metadata("license").map(|l| l.chars().take(200).collect()).unwrap_or_default()
        } else {
            spec.licence.clone()
        };
        let (name, family, shapes) = (spec.name.clone(), layout.family(), session.shapes());
        let about = About { name, licence, family, input, shapes, looked_at, others };
        let mut detector = Self { session, layout, about, numbers: Vec::new() };
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
        let About { name, licence, input: [w, h], .. } = &self.about;
        if licence.is_empty() { format!("{name}, {w}×{h}") } else { format!("{name} ({licence}), {w}×{h}") }
    }
    /// What it is in detail.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }
    /// Width and height of its input, pixels.
    #[must_use]
    pub const fn input(&self) -> [u32; 2] {
        self.about.input
    }
    /// Looks at a whole frame.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn detect(&mut self, frame: &Frame, scaler: &mut Scaler) -> Result<Outcome, String> {
        let patch = whole(frame, self.about.input);
        Ok(match self.look(&[Shown { frame, patch }], scaler)? {
            Outcome::Found(found) => {
                let back = seams::bring_back(&found, self.about.input, &[patch], &[(frame.width, frame.height)]);
                Outcome::Found(back.into_iter().map(|b| b.detection).collect())
            }
            none => none,
        })
    }
    /// Looks at parts of pictures side by side; boxes come in shares of the input.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn look(&mut self, shown: &[Shown<'_>], scaler: &mut Scaler) -> Result<Outcome, String> {
        compose(shown, self.about.input, self.layout.colours(), scaler, &mut self.numbers);
        let [width, height] = self.about.input;
        let placed = Placed { width, height };
        let [w, h] = self.about.input.map(|side| side as usize);
        let layout = &self.layout;
        self.session.run([1, 3, h, w], &self.numbers, |shape, numbers| {
            if !layout.takes(shape, numbers.len()) {
                return Err(format!("its answer has the shape {shape:?}"));
            }
            Ok(layout.read(numbers, placed).map_or(Outcome::NotANumber, Outcome::Found))
        })?
    }
    /// One run on a grey picture, so that a graph that cannot run is refused now and not at the first frame.
    fn try_out(&mut self) -> Result<(), String> {
        let [w, h] = self.about.input;
        let data = vec![114u8; Frame::size_bytes(w, h)];
        let frame = Frame { camera: CameraId(0), time: MediaTime(0), width: w, height: h, data: data.into() };
        self.detect(&frame, &mut Scaler::default()).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_that_is_none_drops_the_frame_and_an_answer_of_another_shape_is_known() {
        let classes = vec![Some(Class::Person)];
        let layouts = [
            (
                Layout::Yolox(Yolox { input: [32, 32], classes: classes.clone(), decoded: true, threshold: 0.3 }),
                [1, 21, 6],
            ),
            (Layout::Yolov8(Yolov8 { classes: classes.clone(), threshold: 0.3 }), [1, 5, 21]),
            (Layout::End2End(End2End { classes, threshold: 0.3 }), [1, 300, 6]),
        ];
        for (layout, shape) in layouts {
            let mut numbers = vec![0.0f32; (shape[1] * shape[2]) as usize];
            assert!(layout.takes(&shape, numbers.len()));
            assert!(!layout.takes(&[1, shape[2], shape[1]], numbers.len()), "{layout:?}");
            assert!(!layout.takes(&[2, shape[1], shape[2]], numbers.len() * 2) && !layout.takes(&[1, -1, -1], 1));
            let placed = Placed { width: 32, height: 32 };
            assert_eq!(layout.read(&numbers, placed), Some(vec![]));
            for wrong in [f32::NAN, f32::INFINITY] {
                numbers[3] = wrong;
                assert_eq!(layout.read(&numbers, placed), None);
            }
        }
    }
}
