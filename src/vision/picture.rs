//! Decoded frames as smaller planes and as JPEG, with boxes drawn when asked.

use bytes::Bytes;
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use jpeg_encoder::{Encoder, ImageBuffer, JpegColorType};

use crate::domain::{frame::Frame, geometry::NormBox};

/// Width of the pictures shown beside a camera's name, at most.
pub const PICTURE_WIDTH_MAX: u32 = 640;
/// JPEG quality of every picture and snapshot.
const QUALITY: u8 = 85;
/// Bright yellow in BT.601 limited range: Y, U, V.
const LINE: [u8; 3] = [210, 16, 146];

/// Resizes single planes; keeps its buffers between calls.
#[derive(Debug, Default)]
pub struct Scaler(Resizer);

impl Scaler {
    /// The plane at another size, every source pixel counted (bilinear with support). A plane whose length does not
    /// fit its size gives a black one.
    pub fn plane(&mut self, plane: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
        self.scaled(plane, from, to, FilterType::Bilinear)
    }
    /// The plane averaged over boxes: what the motion gate looks at.
    pub fn averaged(&mut self, plane: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
        self.scaled(plane, from, to, FilterType::Box)
    }
    /// Part (left, upper edge, width, height; in pixels) of the plane at another size, as [`plane`](Self::plane) does.
    /// A part that does not lie inside gives a black one.
    pub fn part(&mut self, plane: &[u8], from: (u32, u32), part: [f64; 4], to: (u32, u32)) -> Vec<u8> {
        let [left, top, width, height] = part;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left, top, width, height);
        self.resized(plane, from, to, &options)
    }
    fn scaled(&mut self, plane: &[u8], from: (u32, u32), to: (u32, u32), filter: FilterType) -> Vec<u8> {
        if from == to {
            return plane.to_vec();
        }
        self.resized(plane, from, to, &ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)))
    }
    fn resized(&mut self, plane: &[u8], from: (u32, u32), to: (u32, u32), options: &ResizeOptions) -> Vec<u8> {
        let mut out = Image::new(to.0, to.1, PixelType::U8);
        if let Ok(image) = ImageRef::new(from.0, from.1, plane, PixelType::U8) {
            // Fails only for a size of nothing, and then there is nothing to fill.
            let _ = self.0.resize(&image, &mut out, options);
        }
        out.into_vec()
    }
}

/// Three planes of a picture, chroma of half the size in both directions.
#[derive(Debug, Clone)]
pub struct Planes {
    width: u32,
    height: u32,
    planes: [Vec<u8>; 3],
}

fn half(size: (u32, u32)) -> (u32, u32) {
    (size.0.div_ceil(2), size.1.div_ceil(2))
}

impl Planes {
    /// The frame, made smaller when it is wider than `width_max`.
    pub fn of(frame: &Frame, width_max: u32, scaler: &mut Scaler) -> Self {
        let from = (frame.width, frame.height);
        let to = if frame.width > width_max {
            let height = u64::from(frame.height) * u64::from(width_max) / u64::from(frame.width);
            // Even, so that chroma lies on luma.
            (width_max & !1, (height as u32 & !1).max(2))
        } else {
            from
        };
        let (u, v) = frame.chroma();
        let planes = [
            scaler.plane(frame.luma(), from, to),
            scaler.plane(u, half(from), half(to)),
            scaler.plane(v, half(from), half(to)),
        ];
        Self { width: to.0, height: to.1, planes }
    }
    /// Draws the edges of boxes, two pixels thick.
    pub fn draw(&mut self, boxes: &[NormBox]) {
        let size = (self.width, self.height);
        for b in boxes {
            for (i, (plane, level)) in self.planes.iter_mut().zip(LINE).enumerate() {
                let (size, thick) = if i == 0 { (size, 2) } else { (half(size), 1) };
                outline(plane, size, half(self_size(size, i)), *b, thick, level);
            }
        }
    }
    /// As JPEG.
    #[must_use]
    pub fn jpeg(&self) -> Bytes {
        let mut out = Vec::new();
        let encoded = Encoder::new(&mut out, QUALITY).encode_image(self);
        // Writing to memory fails only for a picture of no or of 65 536 pixels across, which the decoder refuses.
        encoded.map_or_else(|_| Bytes::new(), |()| Bytes::from(out))
    }
}

/// A small grey picture as JPEG, row by row, of video's luma range; empty for a size that does not fit.
#[must_use]
pub fn grey_jpeg(luma: &[u8], (width, height): (u16, u16)) -> Bytes {
    let full: Vec<u8> = luma.iter().map(|l| full_range(*l)).collect();
    let mut out = Vec::new();
    let encoded = Encoder::new(&mut out, QUALITY).encode(&full, width, height, jpeg_encoder::ColorType::Luma);
    encoded.map_or_else(|_| Bytes::new(), |()| Bytes::from(out))
}

/// JPEG is full range, video is not (BT.601).
fn full_range(luma: u8) -> u8 {
    ((i32::from(luma) - 16) * 255 / 219).clamp(0, 255) as u8
}

/// The luma size a plane belongs to.
const fn self_size(size: (u32, u32), plane: usize) -> (u32, u32) {
    if plane == 0 { size } else { (size.0 * 2, size.1 * 2) }
}

/// Draws one box into one plane. Corners are put on the chroma grid (`grid`), so that the line has its colour.
fn outline(plane: &mut [u8], size: (u32, u32), grid: (u32, u32), b: NormBox, thick: u32, level: u8) {
    let [x0, y0, x1, y1] = b.corners();
    let at = |v: f32, cells: u32| ((v * cells as f32) as u32).min(cells.saturating_sub(1)) * thick;
    let (left, right) = (at(x0, grid.0), at(x1, grid.0));
    let (top, bottom) = (at(y0, grid.1), at(y1, grid.1));
    let mut set = |x: u32, y: u32| {
        if x < size.0 && y < size.1 {
            plane[(y * size.0 + x) as usize] = level;
        }
    };
    for t in 0..thick {
        for x in left..right + thick {
            set(x, top + t);
            set(x, bottom + t);
        }
        for y in top..bottom + thick {
            set(left + t, y);
            set(right + t, y);
        }
    }
}

impl ImageBuffer for &Planes {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }
    fn width(&self) -> u16 {
        self.width as u16
    }
    fn height(&self) -> u16 {
        self.height as u16
    }
    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let (width, y) = (self.width as usize, usize::from(y));
        let across = width.div_ceil(2);
        let [luma, u, v] = &self.planes;
        let chroma = |level: u8| ((i32::from(level) - 128) * 255 / 224 + 128).clamp(0, 255) as u8;
        buffers[0].extend(luma[y * width..(y + 1) * width].iter().map(|l| full_range(*l)));
        for (buffer, plane) in buffers[1..3].iter_mut().zip([u, v]) {
            let row = &plane[y / 2 * across..(y / 2 + 1) * across];
            buffer.extend((0..width).map(|x| chroma(row[x / 2])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::CameraId, time::MediaTime};

    fn grey(width: u32, height: u32) -> Frame {
        let data = vec![128u8; Frame::size_bytes(width, height)];
        Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: data.into() }
    }

    fn read(jpeg: &[u8]) -> image::RgbImage {
        image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap().to_rgb8()
    }

    #[test]
    fn a_box_is_drawn_bright_where_it_is_and_nowhere_else() {
        let mut planes = Planes::of(&grey(320, 180), 640, &mut Scaler::default());
        planes.draw(&[NormBox::new(0.25, 0.25, 0.75, 0.75).unwrap()]);
        let picture = read(&planes.jpeg());
        assert_eq!(picture.dimensions(), (320, 180));
        let yellow = |x, y| matches!(picture.get_pixel(x, y).0, [r, g, b] if r > 170 && g > 170 && b < 120);
        for (x, y) in [(80, 90), (81, 90), (240, 90), (160, 45), (160, 134)] {
            assert!(yellow(x, y), "({x}, {y}) is {:?}", picture.get_pixel(x, y));
        }
        for (x, y) in [(160, 90), (40, 90), (160, 20), (300, 170)] {
            assert!(!yellow(x, y), "({x}, {y})");
        }
    }

    #[test]
    fn a_wide_picture_is_made_smaller_and_odd_sizes_and_edges_hold() {
        let small = Planes::of(&grey(1920, 1080), PICTURE_WIDTH_MAX, &mut Scaler::default());
        assert_eq!(read(&small.jpeg()).dimensions(), (640, 360));
        let mut odd = Planes::of(&grey(33, 21), PICTURE_WIDTH_MAX, &mut Scaler::default());
        odd.draw(&[NormBox::new(0.0, 0.0, 1.0, 1.0).unwrap()]);
        assert_eq!(read(&odd.jpeg()).dimensions(), (33, 21));
    }

    #[test]
    fn black_and_white_are_black_and_white() {
        let mut data = vec![128u8; Frame::size_bytes(16, 16)];
        data[..128].fill(16);
        data[128..256].fill(235);
        let frame = Frame { camera: CameraId(1), time: MediaTime(0), width: 16, height: 16, data: data.into() };
        let picture = read(&Planes::of(&frame, 640, &mut Scaler::default()).jpeg());
        assert!(picture.get_pixel(2, 2).0[0] < 8 && picture.get_pixel(2, 14).0[0] > 247);
    }
}
