//! A decoded picture to the small one that is judged: mean, fineness and rest of each cell.

/// Cells of the small picture, about: 160 × 90 for a wide one.
const CELLS: f64 = 14_400.0;
/// Rows of a picture that are looked at, about; of a large one every second, third, … is enough.
const ROWS: usize = 360;
/// Chroma samples that are looked at, about.
const COLOURS: usize = 4096;

/// Levels from grey at which chroma is coloured; coding grey leaves less.
const COLOURED: u8 = 4;

/// Cells across and down for a picture of that size, near its proportions.
#[must_use]
pub fn cells(width: usize, height: usize) -> (usize, usize) {
    let across = (CELLS * width as f64 / height.max(1) as f64).sqrt().round().max(8.0);
    let down = (CELLS / across).round().max(8.0);
    ((across as usize).min(width), (down as usize).min(height))
}

/// A small picture, cell by cell, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Small {
    /// Cells across and down.
    pub size: (usize, usize),
    /// Mean luma.
    pub luma: Vec<u8>,
    /// Mean squared difference of neighbouring pixels, grey levels squared.
    pub fine: Vec<f32>,
    /// Share of the pixels that are bit for bit those of the picture before, 0..=1; empty for the first one.
    pub same: Vec<f32>,
    /// Share of the chroma that is not grey, 0..=1: nearly none of it by infra-red light, a coloured car is little of it.
    pub colour: f32,
}

/// Makes small pictures of large ones of one size; keeps the rows it looked at last.
#[derive(Debug, Clone, Default)]
pub struct Lens {
    of: (usize, usize),
    before: Vec<u8>,
}

impl Lens {
    /// The small picture of I420 planes of `width` × `height` pixels; `None` when they do not fit that size.
    pub fn look(&mut self, luma: &[u8], chroma: (&[u8], &[u8]), width: usize, height: usize) -> Option<Small> {
        if width < 16 || height < 16 || luma.len() != width * height {
            return None;
        }
        if self.of != (width, height) {
            *self = Self { of: (width, height), before: Vec::new() };
        }
        let size = cells(width, height);
        let n = size.0 * size.1;
        let (mut sum, mut count, mut fine, mut same) = (vec![0u32; n], vec![0u32; n], vec![0u32; n], vec![0u32; n]);
        let column: Vec<usize> = (0..width).map(|x| x * size.0 / width).collect();
        let stride = (height / ROWS).max(1);
        let mut now = Vec::with_capacity(width * height.div_ceil(stride));
        for y in (0..height).step_by(stride) {
            let row = &luma[y * width..(y + 1) * width];
            let before = self.before.get(now.len()..now.len() + width);
            let start = y * size.1 / height * size.0;
            for (x, level) in row.iter().enumerate() {
                let cell = start + column[x];
                let right = row[(x + 1).min(width - 1)];
                let step = u32::from(level.abs_diff(right));
                sum[cell] += u32::from(*level);
                count[cell] += 1;
                fine[cell] += step * step;
                same[cell] += u32::from(before.is_some_and(|b| b[x] == *level));
            }
            now.extend_from_slice(row);
        }
        let first = std::mem::replace(&mut self.before, now).is_empty();
        let share = |part: &[u32]| part.iter().zip(&count).map(|(p, n)| *p as f32 / (*n).max(1) as f32).collect();
        Some(Small {
            size,
            luma: sum.iter().zip(&count).map(|(s, n)| (s / n.max(&1)) as u8).collect(),
            fine: share(&fine),
            same: if first { Vec::new() } else { share(&same) },
            colour: colour(chroma.0, chroma.1),
        })
    }
}

fn colour(u: &[u8], v: &[u8]) -> f32 {
    let step = (u.len() / COLOURS).max(1);
    let samples = u.iter().zip(v).step_by(step);
    let coloured = samples.filter(|(u, v)| u.abs_diff(128).max(v.abs_diff(128)) >= COLOURED).count();
    coloured as f32 / u.len().div_ceil(step).max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_the_mean_the_fineness_and_the_rest_of_its_pixels() {
        let (w, h) = (320, 180);
        let mut luma = vec![100u8; w * h];
        for y in 0..h {
            for x in (0..w / 2).step_by(2) {
                luma[y * w + x] = 110;
            }
        }
        let grey = vec![128u8; w * h / 4];
        let mut lens = Lens::default();
        let small = lens.look(&luma, (&grey, &grey), w, h).unwrap();
        assert_eq!((small.size, small.colour), ((160, 90), 0.0));
        assert!(small.same.is_empty(), "nothing came before");
        assert_eq!((small.luma[0], small.luma[159]), (105, 100));
        assert_eq!((small.fine[0], small.fine[159]), (100.0, 0.0));
        luma[w + 1] = 7;
        let tinted = vec![138u8; w * h / 4];
        let again = lens.look(&luma, (&grey, &tinted), w, h).unwrap();
        assert_eq!((again.same[0], again.same[1], again.colour), (0.75, 1.0, 1.0));
        assert!(lens.look(&luma[1..], (&grey, &grey), w, h).is_none());
        assert!(lens.look(&[0; 64 * 64], (&grey, &grey), 64, 64).unwrap().same.is_empty(), "of another size");
    }

    #[test]
    fn a_large_picture_gives_the_same_small_one_as_a_small_picture() {
        let drawn = |w: usize, h: usize| {
            let luma: Vec<u8> =
                (0..w * h).map(|i| if (i % w) * 8 / w % 2 == (i / w) * 4 / h % 2 { 60 } else { 180 }).collect();
            let grey = vec![128u8; w * h / 4];
            Lens::default().look(&luma, (&grey, &grey), w, h).unwrap()
        };
        let (small, large) = (drawn(320, 180), drawn(1920, 1080));
        assert_eq!((small.size, &small.luma), (large.size, &large.luma));
    }
}
