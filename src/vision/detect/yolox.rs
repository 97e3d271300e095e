//! The YOLOX layout (Megvii, `yolox/models/yolo_head.py`): how a frame is put in and what the numbers that come out say.

use crate::{
    domain::{
        detection::{Class, Detection},
        frame::Frame,
        geometry::NormBox,
    },
    logic::nms,
    vision::picture::Scaler,
};

/// Grid sizes in pixels, in the order of the output's rows.
const STRIDES: [u32; 3] = [8, 16, 32];
/// Grey of the border around the picture.
const PAD: f32 = 114.0;
/// Two boxes of a class that overlap by more are one object.
const IOU_MAX: f32 = 0.45;

/// Rows of the output for an input of that size: one a grid cell.
#[must_use]
pub fn rows(width: u32, height: u32) -> usize {
    STRIDES.iter().map(|s| (width / s) as usize * (height / s) as usize).sum()
}

/// Pixels of the input that the picture takes, from its top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
}

/// The layout with its numbers.
#[derive(Debug)]
pub struct Yolox {
    input: [u32; 2],
    classes: Vec<Option<Class>>,
    decoded: bool,
    threshold: f32,
}

impl Yolox {
    /// Width and height of the input, a class or nothing for each label, whether boxes come out as pixels, and the
    /// least score.
    #[must_use]
    pub const fn new(input: [u32; 2], classes: Vec<Option<Class>>, decoded: bool, threshold: f32) -> Self {
        Self { input, classes, decoded, threshold }
    }
    /// Width and height of the input.
    #[must_use]
    pub const fn input(&self) -> [u32; 2] {
        self.input
    }
    /// Numbers in a row of the output.
    #[must_use]
    pub const fn row(&self) -> usize {
        self.classes.len() + 5
    }
    /// Fills `out` with the frame as the detector wants it: planes B, G, R, 0–255, in the top left corner, 114 around.
    pub fn letterbox(&self, frame: &Frame, scaler: &mut Scaler, out: &mut Vec<f32>) -> Placed {
        let [width, height] = self.input;
        let ratio = f64::min(
            f64::from(width) / f64::from(frame.width.max(1)),
            f64::from(height) / f64::from(frame.height.max(1)),
        );
        let fitted = |side: u32, most: u32| ((f64::from(side) * ratio) as u32).clamp(1, most);
        let placed = Placed { width: fitted(frame.width, width), height: fitted(frame.height, height) };
        let (from, to) = ((frame.width, frame.height), (placed.width, placed.height));
        let quarter = (from.0.div_ceil(2), from.1.div_ceil(2));
        let (u, v) = frame.chroma();
        let y = scaler.plane(frame.luma(), from, to);
        let (u, v) = (scaler.plane(u, quarter, to), scaler.plane(v, quarter, to));
        let area = width as usize * height as usize;
        out.clear();
        out.resize(3 * area, PAD);
        let (blue, rest) = out.split_at_mut(area);
        let (green, red) = rest.split_at_mut(area);
        let across = placed.width as usize;
        for row in 0..placed.height as usize {
            let (from, to) = (row * across, row * width as usize);
            let (b, g, r) = (&mut blue[to..to + across], &mut green[to..to + across], &mut red[to..to + across]);
            let (y, u, v) = (&y[from..from + across], &u[from..from + across], &v[from..from + across]);
            for x in 0..across {
                // ITU-R BT.601, limited range.
                let luma = 1.164 * (f32::from(y[x]) - 16.0);
                let (u, v) = (f32::from(u[x]) - 128.0, f32::from(v[x]) - 128.0);
                b[x] = (luma + 2.017 * u).clamp(0.0, 255.0);
                g[x] = (luma - 0.392 * u - 0.813 * v).clamp(0.0, 255.0);
                r[x] = (luma + 1.596 * v).clamp(0.0, 255.0);
            }
        }
        placed
    }
    /// What the output says, normalised to the picture, suppressed within each class; `None` when a number is none.
    #[must_use]
    pub fn detections(&self, output: &[f32], placed: Placed) -> Option<Vec<Detection>> {
        if output.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let mut found = Vec::new();
        let mut rows = output.chunks_exact(self.row());
        for stride in STRIDES {
            for gy in 0..self.input[1] / stride {
                for gx in 0..self.input[0] / stride {
                    let Some(row) = rows.next() else { return Some(nms::per_class(found, IOU_MAX)) };
                    found.extend(self.detection(row, [gx as f32, gy as f32], stride as f32, placed));
                }
            }
        }
        Some(nms::per_class(found, IOU_MAX))
    }
    fn detection(&self, row: &[f32], cell: [f32; 2], stride: f32, placed: Placed) -> Option<Detection> {
        let (numbers, scores) = row.split_first_chunk::<5>()?;
        let [cx, cy, w, h, object] = *numbers;
        if object < self.threshold {
            return None;
        }
        let (best, score) = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        let (score, class) = (object * score, self.classes[best]?);
        if score < self.threshold {
            return None;
        }
        let [cx, cy, w, h] = if self.decoded {
            [cx, cy, w, h]
        } else {
            [(cx + cell[0]) * stride, (cy + cell[1]) * stride, w.exp() * stride, h.exp() * stride]
        };
        let (across, down) = (placed.width as f32, placed.height as f32);
        let rect = NormBox::new(
            (cx - w / 2.0) / across,
            (cy - h / 2.0) / down,
            (cx + w / 2.0) / across,
            (cy + h / 2.0) / down,
        )?;
        Some(Detection { class, score: score.min(1.0), rect })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{ids::CameraId, time::MediaTime};

    fn layout(decoded: bool) -> Yolox {
        Yolox::new([64, 32], vec![Some(Class::Person), None], decoded, 0.3)
    }

    fn output(row: usize, numbers: [f32; 7]) -> Vec<f32> {
        let mut all = vec![0.0; rows(64, 32) * 7];
        all[row * 7..][..7].copy_from_slice(&numbers);
        all
    }

    #[test]
    fn the_grid_of_yolox_nano_has_3549_cells() {
        assert_eq!(rows(416, 416), 3549);
        assert_eq!(rows(640, 640), 8400);
    }

    #[test]
    fn a_row_is_read_on_its_grid_or_as_pixels() {
        // Row 8*4 + 1 is cell (1, 0) of stride 16. The picture takes the upper 64×16 of the input.
        let placed = Placed { width: 64, height: 16 };
        let grid = output(33, [0.5, 0.5, 0.0, -std::f32::consts::LN_2, 0.9, 0.8, 0.1]);
        let found = layout(false).detections(&grid, placed).unwrap();
        assert_eq!(found.len(), 1);
        assert!((found[0].score - 0.72).abs() < 1e-6);
        let expected = [16.0 / 64.0, 4.0 / 16.0, 32.0 / 64.0, 12.0 / 16.0];
        assert!(found[0].rect.corners().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
        let pixels = output(0, [24.0, 8.0, 16.0, 8.0, 0.9, 0.8, 0.1]);
        let again = layout(true).detections(&pixels, placed).unwrap();
        assert!(again[0].rect.iou(found[0].rect) > 0.999);
    }

    #[test]
    fn a_label_nobody_asked_for_is_not_taken_for_its_neighbour() {
        let placed = Placed { width: 64, height: 32 };
        let found = layout(false).detections(&output(0, [0.5, 0.5, 0.0, 0.0, 0.9, 0.5, 0.9]), placed).unwrap();
        assert!(found.is_empty());
    }

    #[test]
    fn one_number_that_is_none_drops_the_frame() {
        let placed = Placed { width: 64, height: 32 };
        for wrong in [f32::NAN, f32::INFINITY] {
            assert!(layout(false).detections(&output(3, [wrong, 0.5, 0.0, 0.0, 0.1, 0.1, 0.1]), placed).is_none());
        }
    }

    #[test]
    fn the_picture_lies_in_the_top_left_corner_in_blue_green_red() {
        // Pure red in BT.601 limited range.
        let mut data = vec![81u8; Frame::size_bytes(32, 32)];
        data[1024..1280].fill(90);
        data[1280..].fill(240);
        let frame = Frame { camera: CameraId(1), time: MediaTime(0), width: 32, height: 32, data: data.into() };
        let mut input = Vec::new();
        let placed = layout(false).letterbox(&frame, &mut Scaler::default(), &mut input);
        assert_eq!(placed, Placed { width: 32, height: 32 });
        let pixel = |plane: usize, x: usize, y: usize| input[plane * 64 * 32 + y * 64 + x];
        assert!(pixel(0, 5, 5) < 4.0 && pixel(1, 5, 5) < 4.0 && pixel(2, 5, 5) > 250.0);
        assert!((0..3).all(|plane| (pixel(plane, 40, 5) - 114.0).abs() < f32::EPSILON));
    }

    proptest! {
        #[test]
        fn any_numbers_give_scores_and_boxes_in_bounds(
            numbers in prop::collection::vec(prop_oneof![-100.0f32..100.0, Just(f32::NAN), Just(1e30)], rows(64, 32) * 7),
            decoded in any::<bool>(),
        ) {
            let found = layout(decoded).detections(&numbers, Placed { width: 64, height: 20 });
            prop_assert!(found.into_iter().flatten().all(|d| (0.3..=1.0).contains(&d.score)));
        }
    }
}
