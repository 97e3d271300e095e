//! Connected changed cells: blobs, and blobs as boxes.

use super::cells::{SAME, STRONG, TAKEN, WEAK};

/// A box of whole cells: left, top, right, bottom, half open.
pub type CellBox = [usize; 4];

/// The most blobs one picture is searched for.
pub const BLOBS_MAX: usize = 256;

/// One connected region of changed cells, with diagonals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blob {
    /// Around it.
    pub bounds: CellBox,
    /// Cells in it.
    pub cells: usize,
    /// … that changed for certain.
    pub strong: usize,
    /// Mean difference to the background, grey levels; above 0: brighter.
    pub brighter: f32,
    /// … that lie in known places.
    pub known: usize,
    /// Where its cells stand in the list.
    from: usize,
}

impl Blob {
    /// Its middle, in cells.
    pub fn middle(&self) -> (f32, f32) {
        let [x0, y0, x1, y1] = self.bounds;
        ((x0 + x1) as f32 / 2.0, (y0 + y1) as f32 / 2.0)
    }
    /// Width and height, in cells.
    pub fn size(&self) -> (f32, f32) {
        let [x0, y0, x1, y1] = self.bounds;
        ((x1 - x0) as f32, (y1 - y0) as f32)
    }
}

/// The blobs of one picture; keeps its buffers.
#[derive(Debug, Clone, Default)]
pub struct Blobs {
    order: Vec<u32>,
    found: Vec<Blob>,
}

impl Blobs {
    /// Those found last.
    pub fn all(&self) -> &[Blob] {
        &self.found
    }
    /// The cells of one of them.
    pub fn cells(&self, blob: &Blob) -> &[u32] {
        &self.order[blob.from..blob.from + blob.cells]
    }
    /// Counts the cells in known places.
    pub fn count_known(&mut self, is_known: impl Fn(u32) -> bool) {
        for blob in &mut self.found {
            blob.known = self.order[blob.from..blob.from + blob.cells].iter().filter(|c| is_known(**c)).count();
        }
    }
    /// Grows blobs of at least `cells_min` cells from every [`STRONG`] cell over the [`WEAK`] ones.
    pub fn find(&mut self, level: &mut [u8], difference: &[f32], width: usize, cells_min: usize) {
        self.order.clear();
        self.found.clear();
        for (y, row) in (0..level.len() / width.max(1)).map(|y| (y, y * width)) {
            // Most rows hold nothing.
            if level[row..row + width].iter().fold(0, |all, l| all | l) & STRONG == 0 {
                continue;
            }
            for x in 0..width {
                if level[row + x] == STRONG && self.found.len() < BLOBS_MAX {
                    let blob = self.grow(level, difference, width, (x, y));
                    if blob.cells >= cells_min {
                        self.found.push(blob);
                    } else {
                        self.cells(&blob).iter().for_each(|&cell| level[cell as usize] = SAME);
                        self.order.truncate(blob.from);
                    }
                }
            }
        }
    }
    fn grow(&mut self, level: &mut [u8], difference: &[f32], width: usize, (x, y): (usize, usize)) -> Blob {
        let height = level.len() / width;
        let from = self.order.len();
        let (mut strong, mut brighter) = (0, 0.0);
        let mut bounds = [x, y, x + 1, y + 1];
        let start = y * width + x;
        level[start] |= TAKEN;
        self.order.push(start as u32);
        let mut next = from;
        while let Some(&cell) = self.order.get(next) {
            next += 1;
            let i = cell as usize;
            let (x, y) = (i % width, i / width);
            strong += usize::from(level[i] & STRONG != 0);
            brighter += difference[i];
            bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x + 1), bounds[3].max(y + 1)];
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let n = ny * width + nx;
                    if (WEAK..TAKEN).contains(&level[n]) {
                        level[n] |= TAKEN;
                        self.order.push(n as u32);
                    }
                }
            }
        }
        let cells = next - from;
        Blob { bounds, cells, strong, brighter: brighter / cells as f32, known: 0, from }
    }
}

/// The smallest box around both.
pub fn around(a: CellBox, b: CellBox) -> CellBox {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

/// Whether the two share a cell.
pub fn meet(a: CellBox, b: CellBox) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// The box grown by so many cells on every side, cut at the picture's edge.
pub fn grown(b: CellBox, by: usize, width: usize, height: usize) -> CellBox {
    let [x0, y0, x1, y1] = b;
    [x0.saturating_sub(by), y0.saturating_sub(by), (x1 + by).min(width), (y1 + by).min(height)]
}

/// Joins boxes until no two meet.
pub fn merge(boxes: &mut Vec<CellBox>) {
    let mut i = 0;
    while i < boxes.len() {
        let mut grew = false;
        let mut j = i + 1;
        while j < boxes.len() {
            if meet(boxes[i], boxes[j]) {
                boxes[i] = around(boxes[i], boxes.swap_remove(j));
                grew = true;
            } else {
                j += 1;
            }
        }
        // A grown box may now meet an earlier one: start again. Each round takes a box away, so this ends.
        i = if grew { 0 } else { i + 1 };
    }
}
