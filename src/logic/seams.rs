//! What a detector found on a canvas, brought back to the pictures its parts came from and merged across their seams.
//!
//! In: boxes on the canvas, the patches. Out: boxes in the pictures. A box that ends where its patch was cut out of the
//! picture shows a part of something: it is told apart, for a wider look can tell what it is, and where a whole box of
//! another look covers it, it goes.

use super::pack::Patch;
use crate::domain::{
    detection::{Class, Detection},
    geometry::NormBox,
};

/// A box that ends so near to its patch's edge was cut there, canvas pixels.
const EDGE: f32 = 2.0;
/// Two boxes of a class that overlap by more are one object.
const IOU_MAX: f32 = 0.45;
/// A box of another look that lies inside one of its class by more than this is a part of it …
const INSIDE: f32 = 0.8;
/// … unless it is smaller than this share of it: then it stands in front.
const PART_MIN: f32 = 0.3;

/// A box found by one look, in the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brought {
    /// What and where.
    pub detection: Detection,
    /// Which patch showed it.
    pub patch: usize,
    /// Whether it goes on beyond what the patch showed.
    pub cut: bool,
}

/// Brings boxes back. `input`: the canvas, pixels; `pictures`: the size of each patch's picture, pixels. A box belongs to
/// the patch that holds its middle; one whose middle lies in none is nothing.
#[must_use]
pub fn bring_back(found: &[Detection], input: [u32; 2], patches: &[Patch], pictures: &[(u32, u32)]) -> Vec<Brought> {
    let [across, down] = input.map(|v| v as f32);
    let back = |d: &Detection| {
        let [x0, y0, x1, y1] = d.rect.corners();
        let [x0, y0, x1, y1] = [x0 * across, y0 * down, x1 * across, y1 * down];
        let (mx, my) = ((x0 + x1) / 2.0, (y0 + y1) / 2.0);
        let holds = |p: &Patch| {
            let [l, t, r, b] = p.target.corners();
            l <= mx && mx < r && t <= my && my < b
        };
        let index = patches.iter().position(holds)?;
        let (patch, (width, height)) = (patches.get(index)?, *pictures.get(index)?);
        let ([l, t, r, b], source) = (patch.target.corners(), patch.source);
        let cut = x0 < l + EDGE && source.x > 0
            || y0 < t + EDGE && source.y > 0
            || x1 > r - EDGE && source.x + source.width < width
            || y1 > b - EDGE && source.y + source.height < height;
        let [x0, y0, x1, y1] = patch.back([x0.max(l), y0.max(t), x1.min(r), y1.min(b)]);
        let (w, h) = (width as f32, height as f32);
        let rect = NormBox::new(x0 / w, y0 / h, x1 / w, y1 / h)?;
        Some(Brought { detection: Detection { rect, ..*d }, patch: index, cut })
    };
    found.iter().filter_map(back).collect()
}

/// Whole and cut objects of one picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// Each object once, surest first.
    pub whole: Vec<Detection>,
    /// Parts of objects that no look showed whole.
    pub cut: Vec<Detection>,
}

fn inside(small: NormBox, large: NormBox) -> f32 {
    let ([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) = (small.corners(), large.corners());
    (ax1.min(bx1) - ax0.max(bx0)).max(0.0) * (ay1.min(by1) - ay0.max(by0)).max(0.0) / small.area()
}

/// What takes the place of what: any two of a class, cars, trucks and buses among themselves only when cut.
fn kindred(a: Class, b: Class) -> bool {
    let vehicle = |c| matches!(c, Class::Car | Class::Bus | Class::Truck);
    a == b || vehicle(a) && vehicle(b)
}

/// Merges what several looks at one picture found. The order of the input does not matter.
#[must_use]
pub fn merge(mut brought: Vec<Brought>) -> Merged {
    brought.sort_by(|a, b| {
        let corners = |d: &Brought| d.detection.rect.corners().map(f32::to_bits);
        a.cut
            .cmp(&b.cut)
            .then(b.detection.score.total_cmp(&a.detection.score))
            .then(a.detection.class.cmp(&b.detection.class))
            .then_with(|| corners(a).cmp(&corners(b)))
            .then(a.patch.cmp(&b.patch))
    });
    let mut kept: Vec<Brought> = Vec::new();
    for b in brought {
        let (rect, class) = (b.detection.rect, b.detection.class);
        let same = |k: &Brought| {
            let (there, other) = (k.detection.rect, k.detection.class);
            if b.cut {
                return kindred(class, other) && inside(rect, there) > INSIDE;
            }
            let part = k.patch != b.patch && inside(rect, there) > INSIDE && rect.area() > PART_MIN * there.area();
            class == other && (there.iou(rect) > IOU_MAX || part)
        };
        if !kept.iter().any(same) {
            kept.push(b);
        }
    }
    let (cut, whole): (Vec<_>, Vec<_>) = kept.into_iter().partition(|k| k.cut);
    let only = |list: Vec<Brought>| list.into_iter().map(|k| k.detection).collect();
    Merged { whole: only(whole), cut: only(cut) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logic::pack::Area;

    const INPUT: [u32; 2] = [416, 416];
    const PICTURE: (u32, u32) = (1280, 720);

    fn on_canvas(patch: &Patch, corners: [f32; 4]) -> Detection {
        let [x0, y0, x1, y1] = patch.forth(corners).map(|v| v / 416.0);
        Detection { class: Class::Motorcycle, score: 0.7, rect: NormBox::new(x0, y0, x1, y1).unwrap() }
    }

    #[test]
    fn a_box_comes_back_to_where_it_is_and_one_at_a_cut_is_told_apart() {
        let area = |x, y, width, height| Area { x, y, width, height };
        let patches = [
            Patch { source: area(0, 100, 300, 200), target: area(0, 0, 150, 100) },
            Patch { source: area(600, 300, 100, 100), target: area(154, 0, 200, 200) },
        ];
        let found = [
            on_canvas(&patches[0], [0.0, 150.0, 40.0, 250.0]),
            on_canvas(&patches[0], [250.0, 150.0, 300.0, 250.0]),
            on_canvas(&patches[1], [620.0, 320.0, 650.0, 380.0]),
        ];
        let brought = bring_back(&found, INPUT, &patches, &[PICTURE; 2]);
        let seen: Vec<_> = brought.iter().map(|b| (b.patch, b.cut)).collect();
        assert_eq!(seen, [(0, false), (0, true), (1, false)], "the picture's own edge cuts nothing");
        let [x0, y0, x1, y1] = brought[2].detection.rect.corners();
        assert!((x0 * 1280.0 - 620.0).abs() < 0.1 && (x1 * 1280.0 - 650.0).abs() < 0.1);
        assert!((y0 * 720.0 - 320.0).abs() < 0.1 && (y1 * 720.0 - 380.0).abs() < 0.1);
        let between = Detection { rect: NormBox::new(0.8, 0.8, 0.9, 0.9).unwrap(), ..found[0] };
        assert!(bring_back(&[between], INPUT, &patches, &[PICTURE; 2]).is_empty());
    }

    #[test]
    fn a_part_goes_where_the_whole_was_seen_and_stays_where_it_was_not() {
        let of = |corners: [f32; 4], score, patch, cut| {
            let [x0, y0, x1, y1] = corners;
            let rect = NormBox::new(x0, y0, x1, y1).unwrap();
            Brought { detection: Detection { class: Class::Car, score, rect }, patch, cut }
        };
        let whole = of([0.1, 0.1, 0.5, 0.5], 0.6, 0, false);
        let half = of([0.1, 0.1, 0.3, 0.5], 0.9, 1, true);
        let again = of([0.1, 0.1, 0.36, 0.5], 0.5, 1, false);
        let far = of([0.7, 0.7, 0.8, 0.8], 0.4, 1, true);
        let merged = merge(vec![half, far, again, whole]);
        assert_eq!((merged.whole, merged.cut), (vec![whole.detection], vec![far.detection]));
    }

    fn brought() -> impl Strategy<Value = Brought> {
        (0..3usize, 0..5u8, 0..8u8, 0..8u8, 1..6u8, 1..6u8, 0..3usize, any::<bool>()).prop_map(
            |(class, score, x, y, w, h, patch, cut)| {
                let at = |v: u8| f32::from(v) / 14.0;
                let rect = NormBox::new(at(x), at(y), at(x + w), at(y + h)).unwrap();
                Brought {
                    detection: Detection { class: Class::ALL[class], score: f32::from(score) / 5.0, rect },
                    patch,
                    cut,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn nothing_is_made_up_nothing_goes_without_a_reason_and_the_order_does_not_matter(
            (input, shuffled) in prop::collection::vec(brought(), 0..30)
                .prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle()))
        ) {
            let merged = merge(input.clone());
            prop_assert_eq!(&merge(shuffled), &merged);
            let kept: Vec<_> = merged.whole.iter().chain(&merged.cut).collect();
            prop_assert!(kept.iter().all(|k| input.iter().any(|b| b.detection == **k)));
            for (i, a) in merged.whole.iter().enumerate() {
                prop_assert!(merged.whole[i + 1..].iter().all(|b| a.class != b.class || a.rect.iou(b.rect) <= IOU_MAX));
            }
            for gone in input.iter().filter(|b| !kept.contains(&&b.detection)) {
                prop_assert!(kept.iter().any(|k| k.rect.iou(gone.detection.rect) > 0.0), "{:?} is just gone", gone);
            }
        }
    }
}
