//! A frame as a detector's input: scaled to fit into the upper left corner, grey around it, three planes of numbers.

use crate::{
    domain::{frame::Frame, geometry::NormBox},
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

/// Pixels of the input that the picture takes, from its top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
}

impl Placed {
    /// A box in pixels of the input (left, top, right, bottom) as a box of the picture; `None` when nothing of it lies
    /// inside.
    #[must_use]
    pub fn back(self, [x0, y0, x1, y1]: [f32; 4]) -> Option<NormBox> {
        let (across, down) = (self.width as f32, self.height as f32);
        NormBox::new(x0 / across, y0 / down, x1 / across, y1 / down)
    }
}

/// Fills `out` with the frame as the detector wants it.
pub fn letterbox(
    frame: &Frame,
    [width, height]: [u32; 2],
    colours: Colours,
    scaler: &mut Scaler,
    out: &mut Vec<f32>,
) -> Placed {
    let ratio =
        f64::min(f64::from(width) / f64::from(frame.width.max(1)), f64::from(height) / f64::from(frame.height.max(1)));
    let fitted = |side: u32, most: u32| ((f64::from(side) * ratio) as u32).clamp(1, most);
    let placed = Placed { width: fitted(frame.width, width), height: fitted(frame.height, height) };
    let (from, to) = ((frame.width, frame.height), (placed.width, placed.height));
    let quarter = (from.0.div_ceil(2), from.1.div_ceil(2));
    let (u, v) = frame.chroma();
    let y = scaler.plane(frame.luma(), from, to);
    let (u, v) = (scaler.plane(u, quarter, to), scaler.plane(v, quarter, to));
    let unit = if colours == Colours::Rgb1 { 1.0 / 255.0 } else { 1.0 };
    let area = width as usize * height as usize;
    out.clear();
    out.resize(3 * area, PAD * unit);
    let (first, rest) = out.split_at_mut(area);
    let (green, last) = rest.split_at_mut(area);
    let (blue, red) = if colours == Colours::Rgb1 { (last, first) } else { (first, last) };
    let across = placed.width as usize;
    for row in 0..placed.height as usize {
        let (from, to) = (row * across, row * width as usize);
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
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::CameraId, time::MediaTime};

    #[test]
    fn the_picture_lies_in_the_top_left_corner_in_the_order_and_range_asked_for() {
        // Pure red in BT.601 limited range.
        let mut data = vec![81u8; Frame::size_bytes(32, 32)];
        data[1024..1280].fill(90);
        data[1280..].fill(240);
        let frame = Frame { camera: CameraId(1), time: MediaTime(0), width: 32, height: 32, data: data.into() };
        for (colours, red, unit) in [(Colours::Bgr255, 2, 255.0), (Colours::Rgb1, 0, 1.0)] {
            let mut input = Vec::new();
            let placed = letterbox(&frame, [64, 32], colours, &mut Scaler::default(), &mut input);
            assert_eq!(placed, Placed { width: 32, height: 32 });
            let pixel = |plane: usize, x: usize, y: usize| input[plane * 64 * 32 + y * 64 + x] / unit;
            assert!(pixel(red, 5, 5) > 0.98 && pixel(1, 5, 5) < 0.02 && pixel(2 - red, 5, 5) < 0.02, "{colours:?}");
            assert!((0..3).all(|plane| (pixel(plane, 40, 5) - 114.0 / 255.0).abs() < 1e-6));
        }
    }
}
