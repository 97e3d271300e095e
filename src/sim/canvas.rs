//! A small rasteriser straight into I420: convex polygons, ellipses and rectangles in one colour, no blending.

/// A colour as BT.601 luma and chroma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    y: u8,
    u: u8,
    v: u8,
}

impl Colour {
    /// From red, green and blue, 0..=255.
    pub(crate) const fn rgb(r: i32, g: i32, b: i32) -> Self {
        Self {
            y: (((66 * r + 129 * g + 25 * b + 128) >> 8) + 16) as u8,
            u: (((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128) as u8,
            v: (((112 * r - 94 * g - 18 * b + 128) >> 8) + 128) as u8,
        }
    }
}

/// An I420 picture; coordinates are 0..1 of its width and height and may lie outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Canvas {
    /// A grey picture; both sizes are even.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, data: vec![128; width * height * 3 / 2] }
    }
    /// Becomes a copy of `other` without allocating, when the sizes are the same.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.clone_from(other);
    }
    /// The bytes: luma, then both chroma planes.
    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }
    /// The luma plane, to put noise on.
    pub(crate) fn luma_mut(&mut self) -> &mut [u8] {
        &mut self.data[..self.width * self.height]
    }
    /// Fills the convex polygon.
    pub(crate) fn polygon(&mut self, corners: &[(f32, f32)], colour: Colour) {
        let (w, h) = (self.width as f32, self.height as f32);
        let low = corners.iter().map(|c| c.1).fold(f32::INFINITY, f32::min) * h;
        let high = corners.iter().map(|c| c.1).fold(f32::NEG_INFINITY, f32::max) * h;
        for row in self.rows(low, high) {
            let y = (row as f32 + 0.5) / h;
            let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
            for (i, a) in corners.iter().enumerate() {
                let b = corners[(i + 1) % corners.len()];
                if (a.1 <= y) != (b.1 <= y) {
                    let x = a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1);
                    left = left.min(x);
                    right = right.max(x);
                }
            }
            self.span(row, left * w, right * w, colour);
        }
    }
    /// Fills the upright rectangle.
    pub(crate) fn rectangle(&mut self, [x0, y0, x1, y1]: [f32; 4], colour: Colour) {
        let (w, h) = (self.width as f32, self.height as f32);
        for row in self.rows(y0 * h, y1 * h) {
            self.span(row, x0 * w, x1 * w, colour);
        }
    }
    /// Fills the ellipse around the middle.
    pub(crate) fn ellipse(&mut self, (x, y): (f32, f32), (rx, ry): (f32, f32), colour: Colour) {
        let (w, h) = (self.width as f32, self.height as f32);
        for row in self.rows((y - ry) * h, (y + ry) * h) {
            let off = ((row as f32 + 0.5) / h - y) / ry;
            let half = rx * (1.0 - off * off).max(0.0).sqrt();
            self.span(row, (x - half) * w, (x + half) * w, colour);
        }
    }
    /// The rows whose middle lies between the two heights in pixels.
    fn rows(&self, low: f32, high: f32) -> std::ops::Range<usize> {
        let edge = |v: f32| (v - 0.5).ceil().clamp(0.0, self.height as f32) as usize;
        edge(low)..edge(high)
    }
    /// Fills the pixels of a row whose middle lies between the two; chroma goes with every second row.
    fn span(&mut self, row: usize, left: f32, right: f32, colour: Colour) {
        let edge = |v: f32| (v - 0.5).ceil().clamp(0.0, self.width as f32) as usize;
        let (from, to) = (edge(left), edge(right));
        if from >= to {
            return;
        }
        let start = row * self.width;
        self.data[start + from..start + to].fill(colour.y);
        if row.is_multiple_of(2) {
            let (luma, half) = (self.width * self.height, self.width / 2);
            let (from, to) = (from.div_ceil(2), to.div_ceil(2));
            let at = luma + row / 2 * half;
            self.data[at + from..at + to].fill(colour.u);
            let at = at + half * (self.height / 2);
            self.data[at + from..at + to].fill(colour.v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_stays_inside_its_corners_and_inside_the_picture() {
        let mut canvas = Canvas::new(64, 32);
        let white = Colour::rgb(255, 255, 255);
        canvas.rectangle([0.25, 0.25, 0.5, 0.75], white);
        let lit = canvas.data()[..64 * 32].iter().filter(|&&y| y == white.y).count();
        assert_eq!(lit, 16 * 16);
        canvas.polygon(&[(-3.0, -3.0), (4.0, -3.0), (4.0, 5.0), (-3.0, 5.0)], white);
        assert!(canvas.data()[..64 * 32].iter().all(|&y| y == white.y));
        canvas.ellipse((1.0, 1.0), (0.5, 0.5), Colour::rgb(0, 0, 0));
        let dark = canvas.data()[..64 * 32].iter().filter(|&&y| y != white.y).count();
        assert!((340..470).contains(&dark), "a quarter of an ellipse of 32 by 16: {dark}");
        assert_eq!(canvas.data().len(), 64 * 32 * 3 / 2);
    }
}
