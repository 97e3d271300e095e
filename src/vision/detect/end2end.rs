//! The layout of detectors that choose for themselves (YOLOv10 and models exported with suppression inside):
//! `[1,N,6]`, N mostly 300. A row holds left, top, right, bottom in pixels of the input, the score, the label's number.

use super::input::Placed;
use crate::domain::detection::{Class, Detection};

/// The most rows such a model gives.
pub const ROWS_MAX: usize = 1000;
/// Numbers in a row.
pub const ROW: usize = 6;

/// The layout with its numbers.
#[derive(Debug)]
pub struct End2End {
    /// A class or nothing for each label.
    pub classes: Vec<Option<Class>>,
    /// The least score.
    pub threshold: f32,
}

impl End2End {
    /// What the output says; every number in it is finite.
    pub fn detections(&self, output: &[f32], placed: Placed) -> Vec<Detection> {
        let detection = |row: &[f32; ROW]| {
            let [x0, y0, x1, y1, score, label] = *row;
            // Rows that are not used are filled up with label -1 or score 0.
            if score < self.threshold || label < 0.0 {
                return None;
            }
            let class = (*self.classes.get(label.round() as usize)?)?;
            Some(Detection { class, score: score.min(1.0), rect: placed.back([x0, y0, x1, y1])? })
        };
        output.as_chunks::<ROW>().0.iter().filter_map(detection).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout() -> End2End {
        End2End { classes: vec![Some(Class::Person), None, Some(Class::Car)], threshold: 0.3 }
    }

    #[test]
    fn a_row_is_corners_score_and_label() {
        let placed = Placed { width: 64, height: 32 };
        let rows = [
            [24.0, 12.0, 40.0, 20.0, 0.8, 2.0],
            [24.0, 12.0, 40.0, 20.0, 0.7, 1.0],
            [24.0, 12.0, 40.0, 20.0, 0.2, 0.0],
            [24.0, 12.0, 40.0, 20.0, 0.9, 7.0],
            [24.0, 12.0, 40.0, 20.0, 0.9, -1.0],
            [40.0, 12.0, 24.0, 20.0, 0.9, 0.0],
        ];
        let found = layout().detections(rows.as_flattened(), placed);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].class, found[0].score), (Class::Car, 0.8));
        assert_eq!(found[0].rect.corners(), [0.375, 0.375, 0.625, 0.625]);
    }

    proptest! {
        #[test]
        fn any_numbers_give_scores_and_boxes_in_bounds(
            numbers in prop::collection::vec(prop_oneof![-100.0f32..100.0, Just(1e30)], 0..60),
        ) {
            let found = layout().detections(&numbers, Placed { width: 64, height: 20 });
            prop_assert!(found.into_iter().all(|d| (0.3..=1.0).contains(&d.score)));
        }
    }
}
