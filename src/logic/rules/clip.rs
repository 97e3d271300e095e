//! How much of a zone a box covers, exactly: the zone clipped at the four sides of the box (Sutherland and Hodgman,
//! 1974). The zone may be concave; the bridges this leaves between its pieces have no area.

use crate::domain::geometry::{NormBox, Polygon};

type Corner = [f64; 2];

/// Keeps the part of the polygon where `side` times the coordinate on `axis` is at least `side` times `at`.
fn half(corners: &[Corner], axis: usize, at: f64, side: f64) -> Vec<Corner> {
    let depth = |p: Corner| side * (p[axis] - at);
    let mut out = Vec::with_capacity(corners.len() + 2);
    for (i, &b) in corners.iter().enumerate() {
        let a = corners[(i + corners.len() - 1) % corners.len()];
        let (da, db) = (depth(a), depth(b));
        if (da < 0.0) != (db < 0.0) {
            let share = da / (da - db);
            let mut cut = [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
            cut[axis] = at;
            out.push(cut);
        }
        if db >= 0.0 {
            out.push(b);
        }
    }
    out
}

/// The area that zone and box share, 0..=1 of the picture; 0 when they only touch.
pub(super) fn shared_area(zone: &Polygon, rect: NormBox) -> f64 {
    let [x0, y0, x1, y1] = rect.corners().map(f64::from);
    let mut corners: Vec<Corner> = zone.corners().iter().map(|p| [f64::from(p.x), f64::from(p.y)]).collect();
    for (axis, at, side) in [(0, x0, 1.0), (0, x1, -1.0), (1, y0, 1.0), (1, y1, -1.0)] {
        corners = half(&corners, axis, at, side);
    }
    let twice: f64 = (0..corners.len())
        .map(|i| (corners[i], corners[(i + 1) % corners.len()]))
        .map(|(a, b)| a[0] * b[1] - b[0] * a[1])
        .sum();
    twice.abs() / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::geometry::Point;

    fn zone(corners: &[[f32; 2]]) -> Polygon {
        Polygon::new(corners.iter().copied().map(Point::from).collect()).unwrap()
    }
    fn rect(c: [f32; 4]) -> NormBox {
        NormBox::new(c[0], c[1], c[2], c[3]).unwrap()
    }

    #[test]
    fn a_box_beside_a_zone_shares_nothing_even_when_it_touches() {
        let square = zone(&[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]);
        assert_eq!(shared_area(&square, rect([0.0, 0.0, 0.25, 1.0])), 0.0);
        assert_eq!(shared_area(&square, rect([0.8, 0.0, 1.0, 1.0])), 0.0);
        assert_eq!(shared_area(&square, rect([0.0, 0.0, 0.5, 1.0])), 0.125);
        assert_eq!(shared_area(&square, rect([0.375, 0.375, 0.5, 0.5])), 1.0 / 64.0);
    }

    #[test]
    fn a_box_in_the_mouth_of_a_concave_zone_shares_nothing() {
        let u = zone(&[
            [0.0, 0.0],
            [0.25, 0.0],
            [0.25, 0.75],
            [0.75, 0.75],
            [0.75, 0.0],
            [1.0, 0.0],
            [1.0, 1.0],
            [0.0, 1.0],
        ]);
        assert_eq!(shared_area(&u, rect([0.375, 0.0, 0.625, 0.5])), 0.0);
        assert_eq!(shared_area(&u, rect([0.0, 0.25, 1.0, 0.5])), 0.125);
    }

    proptest! {
        #[test]
        fn it_agrees_with_counting_points_of_a_fine_grid(
            corners in prop::collection::vec((0..=40_u8, 0..=40_u8), 3..7), x in 0..35_u8, y in 0..35_u8, w in 1..40_u8, h in 1..40_u8,
        ) {
            let corners: Vec<_> = corners.iter().map(|&(x, y)| Point { x: f32::from(x) / 40.0, y: f32::from(y) / 40.0 }).collect();
            let Ok(zone) = Polygon::new(corners) else { return Ok(()) };
            let cell = |n: u8| f32::from(n) / 40.0;
            let rect = rect([cell(x), cell(y), cell(x + w), cell(y + h)]);
            let [x0, y0, x1, y1] = rect.corners();
            let steps = 100_u16;
            let inside = (0..steps).flat_map(|i| (0..steps).map(move |j| (i, j))).filter(|&(i, j)| {
                let at = |n: u16, a: f32, b: f32| a + (b - a) * (f32::from(n) + 0.5) / f32::from(steps);
                zone.contains(Point { x: at(i, x0, x1), y: at(j, y0, y1) })
            }).count();
            let counted = inside as f64 / f64::from(steps).powi(2) * f64::from(rect.area());
            prop_assert!((shared_area(&zone, rect) - counted).abs() < 0.02 * f64::from(rect.area()) + 1e-6);
        }
    }
}
