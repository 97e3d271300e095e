//! Non-maximum suppression: of several boxes on one object, the surest stays.

use std::cmp::Ordering;

use crate::domain::detection::Detection;

/// The detections left after suppression within each class, surest first: one that overlaps a surer one of its class
/// by more than `iou_max` goes. The order of the input does not matter.
///
/// Boxes of different classes never suppress each other: a rider is not a motorcycle.
#[must_use]
pub fn per_class(mut detections: Vec<Detection>, iou_max: f32) -> Vec<Detection> {
    detections.sort_by(surest_first);
    let mut kept: Vec<Detection> = Vec::new();
    for d in detections {
        if !kept.iter().any(|k| k.class == d.class && k.rect.iou(d.rect) > iou_max) {
            kept.push(d);
        }
    }
    kept
}

/// A total order that looks at everything, so that equal scores do not leave the result to the order of arrival.
fn surest_first(a: &Detection, b: &Detection) -> Ordering {
    let corners = |d: &Detection| d.rect.corners();
    b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)).then_with(|| {
        corners(a).iter().zip(corners(b)).map(|(x, y)| x.total_cmp(&y)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{detection::Class, geometry::NormBox};

    fn detection() -> impl Strategy<Value = Detection> {
        // Coarse numbers on purpose: equal scores and equal boxes are the interesting case.
        (0..3usize, 0..5u8, 0..8u8, 0..8u8, 1..5u8, 1..5u8).prop_map(|(class, score, x, y, w, h)| {
            let at = |v: u8| f32::from(v) / 12.0;
            let rect = NormBox::new(at(x), at(y), at(x + w), at(y + h)).unwrap();
            Detection { class: Class::ALL[class], score: f32::from(score) / 5.0, rect }
        })
    }

    proptest! {
        #[test]
        fn what_is_left_is_a_subset_that_overlaps_little_and_does_not_depend_on_the_order(
            (input, shuffled) in prop::collection::vec(detection(), 0..40)
                .prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle()))
        ) {
            let kept = per_class(input.clone(), 0.45);
            prop_assert!(kept.iter().all(|k| input.contains(k)));
            for (i, a) in kept.iter().enumerate() {
                for b in &kept[i + 1..] {
                    prop_assert!(a.class != b.class || a.rect.iou(b.rect) <= 0.45);
                }
            }
            for gone in input.iter().filter(|d| !kept.contains(d)) {
                prop_assert!(kept.iter().any(|k| k.class == gone.class
                    && k.score >= gone.score && k.rect.iou(gone.rect) > 0.45), "{gone:?} went without a reason");
            }
            prop_assert_eq!(per_class(shuffled, 0.45), kept);
        }
    }

    #[test]
    fn classes_do_not_suppress_each_other() {
        let rect = NormBox::new(0.1, 0.1, 0.5, 0.5).unwrap();
        let of = |class, score| Detection { class, score, rect };
        let kept = per_class(vec![of(Class::Motorcycle, 0.4), of(Class::Person, 0.9), of(Class::Person, 0.8)], 0.45);
        assert_eq!(kept, vec![of(Class::Person, 0.9), of(Class::Motorcycle, 0.4)]);
    }
}
