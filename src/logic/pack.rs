//! Parts of pictures put side by side on one canvas, and boxes found there put back where they belong.
//!
//! A detector's time is the same whether its input shows one street or parts of twenty. In: the sizes of the parts, the
//! most urgent first. Out: where each lies on the canvas, or that it did not fit. The rule is "maximal rectangles, best
//! short side" (Jylänki, "A Thousand Ways to Pack the Bin", 2010), the parts in the order given: what is urgent is never
//! left out for something that would have fitted better.

/// Whole pixels between two parts: a detector takes neighbours that touch for one picture.
pub const GAP: u32 = 4;

/// An upright rectangle in whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width; at least 1.
    pub width: u32,
    /// Height; at least 1.
    pub height: u32,
}

impl Area {
    const fn right(self) -> u32 {
        self.x + self.width
    }
    const fn bottom(self) -> u32 {
        self.y + self.height
    }
    /// Whether the two share a pixel.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
    /// Whether all of `other` lies inside.
    #[must_use]
    pub const fn holds(self, other: Self) -> bool {
        self.x <= other.x && self.y <= other.y && other.right() <= self.right() && other.bottom() <= self.bottom()
    }
    /// Pixels in it.
    #[must_use]
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }
    /// Left, upper, right and lower edge.
    #[must_use]
    pub fn corners(self) -> [f32; 4] {
        [self.x, self.y, self.right(), self.bottom()].map(|v| v as f32)
    }
}

/// Part `source` of a picture, shown at `target` of a canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Pixels of the picture.
    pub source: Area,
    /// Pixels of the canvas.
    pub target: Area,
}

impl Patch {
    /// Corners (left, upper, right, lower) on the canvas as corners in the picture, pixels.
    #[must_use]
    pub fn back(&self, corners: [f32; 4]) -> [f32; 4] {
        let (from, to) = (self.target, self.source);
        let x = |v: f32| to.x as f32 + (v - from.x as f32) * to.width as f32 / from.width as f32;
        let y = |v: f32| to.y as f32 + (v - from.y as f32) * to.height as f32 / from.height as f32;
        [x(corners[0]), y(corners[1]), x(corners[2]), y(corners[3])]
    }
    /// Corners in the picture as corners on the canvas, pixels: the inverse of [`back`](Self::back).
    #[must_use]
    pub fn forth(&self, corners: [f32; 4]) -> [f32; 4] {
        Self { source: self.target, target: self.source }.back(corners)
    }
}

/// Free room on a canvas that is being filled.
#[derive(Debug, Clone)]
pub struct Canvas {
    free: Vec<Area>,
}

impl Canvas {
    /// An empty canvas of that size, pixels.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        // One gap beyond the right and lower edge, so that parts at the edges need none of their own.
        Self { free: vec![Area { x: 0, y: 0, width: width + GAP, height: height + GAP }] }
    }
    /// Puts a part of that size somewhere; `None` when there is no room for it (or it has no pixel).
    pub fn put(&mut self, width: u32, height: u32) -> Option<Area> {
        if width == 0 || height == 0 {
            return None;
        }
        let (wide, high) = (width.checked_add(GAP)?, height.checked_add(GAP)?);
        let fits = self.free.iter().filter(|f| f.width >= wide && f.height >= high);
        let best = fits.min_by_key(|f| {
            let (across, down) = (f.width - wide, f.height - high);
            (across.min(down), across.max(down), f.y, f.x)
        })?;
        let taken = Area { x: best.x, y: best.y, width: wide, height: high };
        self.cut(taken);
        Some(Area { width, height, ..taken })
    }
    fn cut(&mut self, taken: Area) {
        let mut left = Vec::with_capacity(self.free.len() + 4);
        for f in &self.free {
            if !f.meets(taken) {
                left.push(*f);
                continue;
            }
            if taken.x > f.x {
                left.push(Area { width: taken.x - f.x, ..*f });
            }
            if taken.right() < f.right() {
                left.push(Area { x: taken.right(), width: f.right() - taken.right(), ..*f });
            }
            if taken.y > f.y {
                left.push(Area { height: taken.y - f.y, ..*f });
            }
            if taken.bottom() < f.bottom() {
                left.push(Area { y: taken.bottom(), height: f.bottom() - taken.bottom(), ..*f });
            }
        }
        // Only maximal ones; of two equal ones the first.
        let inside = |i: usize| {
            let within = |(j, o): (usize, &Area)| j != i && o.holds(left[i]) && (j < i || !left[i].holds(*o));
            left.iter().enumerate().any(within)
        };
        self.free = (0..left.len()).filter(|i| !inside(*i)).map(|i| left[i]).collect();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn area() -> impl Strategy<Value = Area> {
        (0..2000u32, 0..2000u32, 1..2000u32, 1..2000u32).prop_map(|(x, y, width, height)| Area { x, y, width, height })
    }

    proptest! {
        #[test]
        fn parts_lie_inside_the_canvas_and_never_nearer_than_the_gap(
            sizes in prop::collection::vec((1..300u32, 1..300u32), 0..40)
        ) {
            let mut canvas = Canvas::new(416, 320);
            let put: Vec<Area> = sizes.iter().filter_map(|(w, h)| canvas.put(*w, *h)).collect();
            for (i, a) in put.iter().enumerate() {
                let all = Area { x: 0, y: 0, width: 416, height: 320 };
                prop_assert!(all.holds(*a));
                let around = Area { x: a.x.saturating_sub(GAP), y: a.y.saturating_sub(GAP),
                    width: a.width + GAP + a.x.min(GAP), height: a.height + GAP + a.y.min(GAP) };
                prop_assert!(put[i + 1..].iter().all(|b| !around.meets(*b)), "{put:?}");
            }
        }

        #[test]
        fn what_does_not_fit_an_empty_canvas_is_the_only_thing_refused_by_one(w in 1..900u32, h in 1..900u32) {
            prop_assert_eq!(Canvas::new(416, 320).put(w, h).is_some(), w <= 416 && h <= 320);
        }

        #[test]
        fn a_box_goes_to_the_canvas_and_back_to_within_a_hundredth_of_a_pixel(
            source in area(), target in area(), at in prop::array::uniform4(0.0f32..1.0),
        ) {
            let patch = Patch { source, target };
            let corner = |from: u32, length: u32, share: f32| from as f32 + length as f32 * share;
            let corners = [corner(source.x, source.width, at[0]), corner(source.y, source.height, at[1]),
                corner(source.x, source.width, at[2]), corner(source.y, source.height, at[3])];
            let again = patch.back(patch.forth(corners));
            // A canvas pixel may stand for many of the picture: single precision leaves a thousandth of one.
            let scale = (source.width as f32 / target.width as f32).max(source.height as f32 / target.height as f32);
            prop_assert!(corners.iter().zip(again).all(|(a, b)| (a - b).abs() <= 0.01_f32.max(0.001 * scale)));
        }
    }

    #[test]
    fn a_canvas_of_equal_parts_is_filled() {
        let mut canvas = Canvas::new(416, 416);
        assert_eq!((0..20).filter(|_| canvas.put(101, 101).is_some()).count(), 16);
        assert!(canvas.put(0, 5).is_none() && canvas.put(u32::MAX, 1).is_none());
    }
}
