//! Ghosts: ground that differs from the background only because what stood there has left.
//!
//! The edges tell: where a thing has come, the picture has edges around it that the background lacks; where one has
//! left, the background has them. Without this a scene that was busy from its first picture on would seem to move for
//! seconds after its last vehicle had gone.

use super::{
    blobs::{Blob, Blobs},
    cells::{Cells, TAKEN, grey},
};

/// Only cells that have kept their grey for so long are judged, seconds.
const RESTED_S: f32 = 0.8;
/// Steps over the edge of a blob, in cells: a small picture's edges are about so wide.
const OVER: usize = 2;
/// Places on the edge that are compared at least.
const PLACES_MIN: u32 = 6;
/// The background's edges are this many times the picture's, and so many grey levels more on average.
const FACTOR: f32 = 1.6;
const MARGIN: f32 = 2.0;

/// Takes the ghosts among the blobs of the picture judged last for what they are: background.
pub fn lay(cells: &mut Cells, blobs: &Blobs, picture: &[u8], width: usize) {
    for blob in blobs.all() {
        if is_ghost(cells, blobs.cells(blob), blob, picture, width) {
            blobs.cells(blob).iter().for_each(|&cell| cells.settle(cell as usize, RESTED_S));
        }
    }
}

fn is_ghost(cells: &Cells, of: &[u32], blob: &Blob, picture: &[u8], width: usize) -> bool {
    let height = picture.len() / width;
    let (mut places, mut now, mut before) = (0, 0.0, 0.0);
    let mut rested = 0;
    for cell in of.iter().map(|c| *c as usize).filter(|c| cells.rested_s(*c) >= RESTED_S) {
        rested += 1;
        let (x, y) = (cell % width, cell / width);
        let beside = [
            (x >= OVER).then(|| cell - OVER),
            (x + OVER < width).then(|| cell + OVER),
            (y >= OVER).then(|| cell - OVER * width),
            (y + OVER < height).then(|| cell + OVER * width),
        ];
        for other in beside.into_iter().flatten().filter(|o| cells.is_watched(*o) && cells.level[*o] < TAKEN) {
            places += 1;
            now += (grey(picture[cell]) - grey(picture[other])).abs();
            before += (cells.background(cell) - cells.background(other)).abs();
        }
    }
    rested * 2 > blob.cells && places >= PLACES_MIN && before > FACTOR * now + MARGIN * places as f32
}
