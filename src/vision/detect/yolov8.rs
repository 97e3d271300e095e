//! The layout of YOLOv8 and its kin (v9, v11, v12; Ultralytics `nn/modules/head.py`, `Detect`): `[1,4+classes,N]`,
//! channel first, no objectness. A column holds centre, width and height in pixels of the input and a score a class.

use super::input::Placed;
use crate::domain::detection::{Class, Detection};

/// The layout with its numbers.
#[derive(Debug)]
pub struct Yolov8 {
    /// A class or nothing for each label.
    pub classes: Vec<Option<Class>>,
    /// The least score.
    pub threshold: f32,
}

impl Yolov8 {
    /// What the output says; every number in it is finite.
    pub fn detections(&self, output: &[f32], placed: Placed) -> Vec<Detection> {
        let columns = output.len() / (self.classes.len() + 4);
        let mut channels = output.chunks_exact(columns.max(1));
        let [Some(xs), Some(ys), Some(ws), Some(hs)] = [(); 4].map(|()| channels.next()) else { return Vec::new() };
        // Class by class, as the numbers lie in memory.
        let mut best = vec![(self.threshold, None); columns];
        for (scores, class) in channels.zip(&self.classes) {
            for (best, score) in best.iter_mut().zip(scores) {
                if *score >= best.0 {
                    *best = (*score, *class);
                }
            }
        }
        let detection = |(i, (score, class)): (usize, (f32, Option<Class>))| {
            let [x, y, w, h] = [xs[i], ys[i], ws[i] / 2.0, hs[i] / 2.0];
            let rect = placed.back([x - w, y - h, x + w, y + h])?;
            Some(Detection { class: class?, score: score.min(1.0), rect })
        };
        best.into_iter().enumerate().filter_map(detection).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: usize = 5;

    fn layout() -> Yolov8 {
        Yolov8 { classes: vec![Some(Class::Person), None, Some(Class::Car)], threshold: 0.3 }
    }

    fn output(column: usize, numbers: [f32; 7]) -> Vec<f32> {
        let mut all = vec![0.0; 7 * COLUMNS];
        numbers.iter().enumerate().for_each(|(channel, n)| all[channel * COLUMNS + column] = *n);
        all
    }

    #[test]
    fn a_column_is_a_box_in_pixels_and_its_best_class() {
        // The picture takes the upper 64×32 of the input.
        let placed = Placed { width: 64, height: 32 };
        let found = layout().detections(&output(3, [32.0, 16.0, 16.0, 8.0, 0.2, 0.1, 0.8]), placed);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].class, found[0].score), (Class::Car, 0.8));
        assert_eq!(found[0].rect.corners(), [0.375, 0.375, 0.625, 0.625]);
    }

    #[test]
    fn a_label_nobody_asked_for_is_not_taken_for_its_neighbour_and_a_low_score_for_nothing() {
        let placed = Placed { width: 64, height: 64 };
        assert!(layout().detections(&output(0, [32.0, 16.0, 16.0, 8.0, 0.5, 0.9, 0.1]), placed).is_empty());
        assert!(layout().detections(&output(0, [32.0, 16.0, 16.0, 8.0, 0.29, 0.1, 0.1]), placed).is_empty());
        assert!(layout().detections(&[], placed).is_empty());
    }

    proptest! {
        #[test]
        fn any_numbers_give_scores_and_boxes_in_bounds(
            numbers in prop::collection::vec(prop_oneof![-100.0f32..100.0, Just(1e30)], 7 * COLUMNS),
        ) {
            let found = layout().detections(&numbers, Placed { width: 64, height: 20 });
            prop_assert!(found.into_iter().all(|d| (0.3..=1.0).contains(&d.score)));
        }
    }
}
