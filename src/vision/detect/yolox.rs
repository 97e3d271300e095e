//! The YOLOX layout (Megvii, `yolox/models/yolo_head.py`): `[1,N,5+classes]`, a row for each cell of three grids.

use super::input::Placed;
use crate::domain::detection::{Class, Detection};

/// Grid sizes in pixels, in the order of the output's rows.
const STRIDES: [u32; 3] = [8, 16, 32];

/// Cells of the three grids for an input of that size.
#[must_use]
pub fn cells(width: u32, height: u32) -> usize {
    STRIDES.iter().map(|s| (width / s) as usize * (height / s) as usize).sum()
}

/// The layout with its numbers.
#[derive(Debug)]
pub struct Yolox {
    /// Width and height of the input.
    pub input: [u32; 2],
    /// A class or nothing for each label.
    pub classes: Vec<Option<Class>>,
    /// Whether boxes come out as pixels, not as offsets in their cell.
    pub decoded: bool,
    /// The least score.
    pub threshold: f32,
}

impl Yolox {
    /// What the output says; every number in it is finite.
    pub fn detections(&self, output: &[f32], placed: Placed) -> Vec<Detection> {
        let mut found = Vec::new();
        let mut rows = output.chunks_exact(self.classes.len() + 5);
        for stride in STRIDES {
            for gy in 0..self.input[1] / stride {
                for gx in 0..self.input[0] / stride {
                    let Some(row) = rows.next() else { return found };
                    found.extend(self.detection(row, [gx as f32, gy as f32], stride as f32, placed));
                }
            }
        }
        found
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
        let rect = placed.back([cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0])?;
        Some(Detection { class, score: score.min(1.0), rect })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(decoded: bool) -> Yolox {
        Yolox { input: [64, 32], classes: vec![Some(Class::Person), None], decoded, threshold: 0.3 }
    }

    fn output(row: usize, numbers: [f32; 7]) -> Vec<f32> {
        let mut all = vec![0.0; cells(64, 32) * 7];
        all[row * 7..][..7].copy_from_slice(&numbers);
        all
    }

    #[test]
    fn the_grid_of_yolox_nano_has_3549_cells() {
        assert_eq!(cells(416, 416), 3549);
        assert_eq!(cells(640, 640), 8400);
    }

    #[test]
    fn a_row_is_read_on_its_grid_or_as_pixels() {
        // Row 8*4 + 1 is cell (1, 0) of stride 16. The picture takes the upper 64×16 of the input.
        let placed = Placed { width: 64, height: 16 };
        let grid = output(33, [0.5, 0.5, 0.0, -std::f32::consts::LN_2, 0.9, 0.8, 0.1]);
        let found = layout(false).detections(&grid, placed);
        assert_eq!(found.len(), 1);
        assert!((found[0].score - 0.72).abs() < 1e-6);
        let expected = [16.0 / 64.0, 4.0 / 16.0, 32.0 / 64.0, 12.0 / 16.0];
        assert!(found[0].rect.corners().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
        let pixels = output(0, [24.0, 8.0, 16.0, 8.0, 0.9, 0.8, 0.1]);
        let again = layout(true).detections(&pixels, placed);
        assert!(again[0].rect.iou(found[0].rect) > 0.999);
    }

    #[test]
    fn a_label_nobody_asked_for_is_not_taken_for_its_neighbour() {
        let placed = Placed { width: 64, height: 32 };
        assert!(layout(false).detections(&output(0, [0.5, 0.5, 0.0, 0.0, 0.9, 0.5, 0.9]), placed).is_empty());
    }

    proptest! {
        #[test]
        fn any_numbers_give_scores_and_boxes_in_bounds(
            numbers in prop::collection::vec(prop_oneof![-100.0f32..100.0, Just(1e30)], cells(64, 32) * 7),
            decoded in any::<bool>(),
        ) {
            let found = layout(decoded).detections(&numbers, Placed { width: 64, height: 20 });
            prop_assert!(found.into_iter().all(|d| (0.3..=1.0).contains(&d.score)));
        }
    }
}
