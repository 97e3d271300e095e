//! Frames, or parts of several, as a detector's input: scaled, side by side, grey around them, three planes of numbers.

use crate::{
    domain::{frame::Frame, geometry::NormBox},
    logic::pack::{Area, Patch},
    vision::picture::Scaler,
};

/// Grey of the border around the picture, of 255.
const PAD: f32 = 114.0;

/// Which planes and numbers a detector wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Blue, green, red; 0–255.
    Bgr255,
    /// Red, green, blue; 0–1.
    Rgb1,
}

/// A detector's input, pixels: what its boxes are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
}

impl Placed {
    /// A box in pixels of the input (left, top, right, bottom) as a share of it; `None` when nothing of it lies inside.
    #[must_use]
    pub fn back(self, [x0, y0, x1, y1]: [f32; 4]) -> Option<NormBox> {
        let (across, down) = (self.width as f32, self.height as f32);
        NormBox::new(x0 / across, y0 / down, x1 / across, y1 / down)
    }
}

/// A part of a frame, and where in the input it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The picture.
    pub frame: &'a Frame,
    /// Which part, and where.
    pub patch: Patch,
}

/// The whole frame, scaled to fit into the upper left corner of an input of that size.
#[must_use]
pub fn whole(frame: &Frame, [width, height]: [u32; 2]) -> Patch {
    let ratio =
        f64::min(f64::from(width) / f64::from(frame.width.max(1)), f64::from(height) / f64::from(frame.height.max(1)));
    let fitted = |side: u32, most: u32| ((f64::from(side) * ratio) as u32).clamp(1, most);
    Patch {
        source: Area { x: 0, y: 0, width: frame.width, height: frame.height },
        target: Area { x: 0, y: 0, width: fitted(frame.width, width), height: fitted(frame.height, height) },
    }
}

/// Fills `out` with the parts as the detector wants them, grey around them.
pub fn compose(
    shown: &[Shown<'_>],
    [width, height]: [u32; 2],
    colours: Colours,
    scaler: &mut Scaler,
    out: &mut Vec<f32>,
) {
    let unit = if colours == Colours::Rgb1 { 1.0 / 255.0 } else { 1.0 };
    let area = width as usize * height as usize;
    out.clear();
    out.resize(3 * area, PAD * unit);
    let (first, rest) = out.split_at_mut(area);
    let (green, last) = rest.split_at_mut(area);
    let (blue, red) = if colours == Colours::Rgb1 { (last, first) } else { (first, last) };
    for Shown { frame, patch: Patch { source, target } } in shown {
        let (from, to) = ((frame.width, frame.height), (target.width, target.height));
        let quarter = (from.0.div_ceil(2), from.1.div_ceil(2));
        let part = [source.x, source.y, source.width, source.height].map(f64::from);
        let half = part.map(|v| v / 2.0);
        let (u, v) = frame.chroma();
        let y = scaler.part(frame.luma(), from, part, to);
        let (u, v) = (scaler.part(u, quarter, half, to), scaler.part(v, quarter, half, to));
        let across = target.width as usize;
        for row in 0..target.height as usize {
            let from = row * across;
            let to = (row + target.y as usize) * width as usize + target.x as usize;
            let (b, g, r) = (&mut blue[to..to + across], &mut green[to..to + across], &mut red[to..to + across]);
            let (y, u, v) = (&y[from..from + across], &u[from..from + across], &v[from..from + across]);
            for x in 0..across {
                // ITU-R BT.601, limited range.
                let luma = 1.164 * (f32::from(y[x]) - 16.0);
                let (u, v) = (f32::from(u[x]) - 128.0, f32::from(v[x]) - 128.0);
                b[x] = (luma + 2.017 * u).clamp(0.0, 255.0) * unit;
                g[x] = (luma - 0.392 * u - 0.813 * v).clamp(0.0, 255.0) * unit;
                r[x] = (luma + 1.596 * v).clamp(0.0, 255.0) * unit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::CameraId, time::MediaTime};

    /// Pure red in BT.601 limited range.
    fn red(width: u32, height: u32) -> Frame {
        let luma = (width * height) as usize;
        let mut data = vec![81u8; Frame::size_bytes(width, height)];
        data[luma..luma + luma / 4].fill(90);
        data[luma + luma / 4..].fill(240);
        Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: data.into() }
    }

    #[test]
    fn the_picture_lies_in_the_top_left_corner_in_the_order_and_range_asked_for() {
        let frame = red(32, 32);
        let patch = whole(&frame, [64, 32]);
        assert_eq!(patch.target, Area { x: 0, y: 0, width: 32, height: 32 });
        for (colours, red, unit) in [(Colours::Bgr255, 2, 255.0), (Colours::Rgb1, 0, 1.0)] {
            let mut input = Vec::new();
            compose(&[Shown { frame: &frame, patch }], [64, 32], colours, &mut Scaler::default(), &mut input);
            let pixel = |plane: usize, x: usize, y: usize| input[plane * 64 * 32 + y * 64 + x] / unit;
            assert!(pixel(red, 5, 5) > 0.98 && pixel(1, 5, 5) < 0.02 && pixel(2 - red, 5, 5) < 0.02, "{colours:?}");
            assert!((0..3).all(|plane| (pixel(plane, 40, 5) - 114.0 / 255.0).abs() < 1e-6));
        }
    }

    #[test]
    fn parts_of_two_frames_lie_where_they_were_put_and_grey_is_between_them() {
        // A frame whose luma rises from left to right, and a red one.
        let (w, h) = (64u32, 32u32);
        let mut data = vec![128u8; Frame::size_bytes(w, h)];
        for (i, luma) in data[..(w * h) as usize].iter_mut().enumerate() {
            *luma = 40 + (i as u32 % w) as u8 * 2;
        }
        let ramp = Frame { camera: CameraId(2), time: MediaTime(0), width: w, height: h, data: data.into() };
        let (red, area) = (red(32, 32), |x, y, width, height| Area { x, y, width, height });
        let shown = [
            Shown { frame: &ramp, patch: Patch { source: area(32, 8, 16, 16), target: area(4, 4, 16, 16) } },
            Shown { frame: &red, patch: Patch { source: area(0, 0, 32, 32), target: area(40, 8, 8, 8) } },
        ];
        let mut input = Vec::new();
        compose(&shown, [64, 32], Colours::Rgb1, &mut Scaler::default(), &mut input);
        let pixel = |plane: usize, x: usize, y: usize| 255.0 * input[plane * 64 * 32 + y * 64 + x];
        for x in 0..16 {
            let luma = 1.164 * (40.0 + 2.0 * (32 + x) as f32 - 16.0);
            assert!((pixel(1, 4 + x, 10) - luma).abs() < 2.0, "at {x}: {} is not {luma}", pixel(1, 4 + x, 10));
        }
        assert!(pixel(0, 44, 12) > 250.0 && pixel(1, 44, 12) < 5.0);
        for (x, y) in [(3, 10), (20, 10), (30, 10), (39, 12), (48, 12), (44, 7), (44, 16)] {
            assert!((pixel(0, x, y) - 114.0).abs() < 1e-3, "{x},{y}");
        }
    }
}
