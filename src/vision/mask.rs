//! Privacy masks on decoded frames: blackened in the frame itself, before anything looks at it, keeps it or makes a
//! picture of it.
//!
//! Chroma has half the resolution, so whole squares of 2 × 2 pixels are blackened: every one the mask touches.

use std::sync::Arc;

use crate::domain::{
    frame::Frame,
    geometry::{Point, Polygon},
    mask::Masks,
};

/// Black in BT.601 limited range: luma, chroma.
const BLACK: (u8, u8) = (16, 128);

/// The masks of one camera, ready for frames of one size.
#[derive(Debug, Default)]
pub struct Blackout {
    masks: Masks,
    of: (u32, u32),
    /// Row of squares, the first one and the one behind the last.
    runs: Vec<(usize, usize, usize)>,
}

impl Blackout {
    /// Ready for frames of any size.
    #[must_use]
    pub fn new(masks: Masks) -> Self {
        Self { masks, of: (0, 0), runs: Vec::new() }
    }
    /// The masks.
    #[must_use]
    pub const fn masks(&self) -> &Masks {
        &self.masks
    }
    /// Blackens what is never shown. Copies the frame's bytes only when somebody else holds them too.
    pub fn apply(&mut self, frame: &mut Frame) {
        if self.masks.privacy.is_empty() {
            return;
        }
        let size = (frame.width, frame.height);
        if self.of != size {
            (self.of, self.runs) = (size, runs(&self.masks.privacy, size));
        }
        let (width, height) = (size.0 as usize, size.1 as usize);
        let (across, down) = (width.div_ceil(2), height.div_ceil(2));
        let data = Arc::make_mut(&mut frame.data);
        let (luma, chroma) = data.split_at_mut(width * height);
        for &(row, from, to) in &self.runs {
            for y in [2 * row, 2 * row + 1].into_iter().filter(|y| *y < height) {
                luma[y * width + 2 * from..y * width + (2 * to).min(width)].fill(BLACK.0);
            }
            for plane in chroma.chunks_mut(across * down) {
                plane[row * across + from..row * across + to].fill(BLACK.1);
            }
        }
    }
}

/// The squares of 2 × 2 pixels that any mask touches.
fn runs(masks: &[Polygon], size: (u32, u32)) -> Vec<(usize, usize, usize)> {
    let (across, down) = ((size.0 as usize).div_ceil(2), (size.1 as usize).div_ceil(2));
    let mut out = Vec::new();
    for mask in masks {
        for row in 0..down {
            let at = |row: usize| (2 * row) as f32 / size.1 as f32;
            for (left, right) in touched(mask, at(row), at(row + 1)) {
                let squares = |x: f32| x * size.0 as f32 / 2.0;
                let from = (squares(left).floor().max(0.0) as usize).min(across);
                let to = (squares(right).ceil().max(0.0) as usize).min(across);
                if from < to {
                    out.push((row, from, to));
                }
            }
        }
    }
    out
}

/// What of a strip of the picture a mask touches, as spans from left to right that may overlap: whoever goes straight up
/// from a point of the mask inside the strip meets the strip's upper edge inside the mask, or an edge of the mask.
fn touched(mask: &Polygon, top: f32, bottom: f32) -> Vec<(f32, f32)> {
    let corners = mask.corners();
    let edges = || (0..corners.len()).map(|i| (corners[i], corners[(i + 1) % corners.len()]));
    let mut spans: Vec<_> = edges().filter_map(|(a, b)| clipped(a, b, top, bottom)).collect();
    let mut crossings: Vec<f32> = edges()
        .filter(|(a, b)| (a.y > top) != (b.y > top))
        .map(|(a, b)| (b.x - a.x) * (top - a.y) / (b.y - a.y) + a.x)
        .collect();
    crossings.sort_by(f32::total_cmp);
    spans.extend(crossings.chunks_exact(2).map(|pair| (pair[0], pair[1])));
    spans
}

/// From left to right, the part of an edge that lies in the strip.
fn clipped(a: Point, b: Point, top: f32, bottom: f32) -> Option<(f32, f32)> {
    let (upper, lower) = if a.y <= b.y { (a, b) } else { (b, a) };
    if lower.y < top || upper.y > bottom {
        return None;
    }
    let at = |y: f32| {
        let long = lower.y - upper.y;
        if long > 0.0 { upper.x + (lower.x - upper.x) * ((y - upper.y) / long).clamp(0.0, 1.0) } else { upper.x }
    };
    let level = lower.y - upper.y <= 0.0;
    let (from, to) = if level { (a.x, b.x) } else { (at(top), at(bottom)) };
    Some((from.min(to), from.max(to)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{ids::CameraId, time::MediaTime};

    fn frame(width: u32, height: u32) -> Frame {
        let data = vec![200u8; Frame::size_bytes(width, height)];
        Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: data.into() }
    }

    /// A star around the middle of the picture never crosses itself.
    fn star() -> impl Strategy<Value = Polygon> {
        (prop::collection::vec(0.05f32..0.45, 3..12), 0.0f32..0.3).prop_filter_map("no polygon", |(rays, turn)| {
            let n = rays.len() as f32;
            let corner = |(i, r): (usize, &f32)| {
                let (sin, cos) = ((i as f32 / n + turn) * std::f32::consts::TAU).sin_cos();
                Point { x: 0.5 + r * cos, y: 0.5 + r * sin }
            };
            Polygon::new(rays.iter().enumerate().map(corner).collect()).ok()
        })
    }

    /// Distance in pixels from a point to the nearest edge of the mask.
    fn off(mask: &Polygon, p: (f32, f32), size: (u32, u32)) -> f32 {
        let (w, h) = (size.0 as f32, size.1 as f32);
        let c = mask.corners();
        let away = |i: usize| {
            let (a, b) = (c[i], c[(i + 1) % c.len()]);
            let (ax, ay, bx, by) = (a.x * w, a.y * h, b.x * w, b.y * h);
            let (dx, dy) = (bx - ax, by - ay);
            let t = (((p.0 - ax) * dx + (p.1 - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            (p.0 - ax - t * dx).hypot(p.1 - ay - t * dy)
        };
        (0..c.len()).map(away).fold(f32::MAX, f32::min)
    }

    proptest! {
        #[test]
        fn what_a_mask_covers_is_black_and_what_it_does_not_touch_is_as_it_was(
            mask in star(), width in 8u32..90, height in 8u32..70,
        ) {
            let mut masked = frame(width, height);
            let masks = Masks { privacy: vec![mask.clone()], motion: vec![] };
            Blackout::new(masks).apply(&mut masked);
            for y in 0..height {
                for x in 0..width {
                    let middle = (x as f32 + 0.5, y as f32 + 0.5);
                    let inside = mask.contains(Point { x: middle.0 / width as f32, y: middle.1 / height as f32 });
                    let luma = masked.luma()[(y * width + x) as usize];
                    let (u, _) = masked.chroma();
                    let chroma = u[(y / 2 * width.div_ceil(2) + x / 2) as usize];
                    if inside {
                        prop_assert_eq!((luma, chroma), BLACK, "({}, {}) is shown", x, y);
                    } else if off(&mask, middle, (width, height)) > 3.0 {
                        prop_assert_eq!((luma, chroma), (200, 200), "({}, {}) is gone", x, y);
                    }
                }
            }
        }
    }

    #[test]
    fn the_whole_picture_and_odd_sizes_can_be_masked_and_no_mask_costs_nothing() {
        let whole = Masks { privacy: vec![Polygon::whole()], motion: vec![] };
        let mut odd = frame(33, 21);
        Blackout::new(whole).apply(&mut odd);
        assert!(odd.luma().iter().all(|l| *l == BLACK.0));
        assert!([odd.chroma().0, odd.chroma().1].concat().iter().all(|c| *c == BLACK.1));
        let mut plain = frame(32, 16);
        let held = plain.data.clone();
        Blackout::new(Masks { privacy: vec![], motion: vec![Polygon::whole()] }).apply(&mut plain);
        assert!(Arc::ptr_eq(&held, &plain.data), "copied for nothing");
    }

    #[test]
    fn a_frame_somebody_else_holds_stays_as_it_is_there() {
        let mut masked = frame(16, 16);
        let held = masked.clone();
        Blackout::new(Masks { privacy: vec![Polygon::whole()], motion: vec![] }).apply(&mut masked);
        assert_eq!((held.luma()[0], masked.luma()[0]), (200, BLACK.0));
    }
}
