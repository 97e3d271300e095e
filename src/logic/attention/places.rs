//! What is remembered of places: how large things are there, when it was looked at, how often in vain.

use super::CROWD;
use crate::{
    domain::{geometry::NormBox, time::MediaTime},
    logic::seams::Merged,
};

/// Places across and down.
pub(super) const ACROSS: usize = 24;
pub(super) const DOWN: usize = 16;
/// How fast the size follows what is seen.
const FOLLOW: f32 = 0.25;
/// So many places around are asked when nothing is known of one.
const REACH: usize = 3;

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Natural logarithm of the usual side, picture heights.
    size: Option<f32>,
    looked: Option<MediaTime>,
    barren: u8,
    still: u8,
}

/// The memory.
#[derive(Debug, Clone)]
pub(super) struct Places(Vec<Place>);

impl Default for Places {
    fn default() -> Self {
        Self(vec![Place::default(); ACROSS * DOWN])
    }
}

/// What is remembered of a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Memory {
    /// The usual side of what is there, picture heights.
    pub size: Option<f32>,
    /// When it was looked at.
    pub looked: Option<MediaTime>,
    /// How often in a row nothing was found though something moved.
    pub barren: u8,
}

fn cell(share: f32, count: usize) -> usize {
    ((share * count as f32) as usize).min(count - 1)
}

/// The places a region lies in.
pub(super) fn cells(rect: NormBox) -> impl Iterator<Item = usize> {
    let [x0, y0, x1, y1] = rect.corners();
    // A region that ends on a border does not reach into the next place.
    let last = |v: f32, count: usize| cell((v - 1e-4).max(0.0), count);
    let (columns, rows) = (cell(x0, ACROSS)..=last(x1, ACROSS), cell(y0, DOWN)..=last(y1, DOWN));
    rows.flat_map(move |row| columns.clone().map(move |column| row * ACROSS + column))
}

/// The part of the picture that a place is.
pub(super) fn rect(place: usize) -> Option<NormBox> {
    let at = |v: usize, count: usize| v as f32 / count as f32;
    let (row, column) = (place / ACROSS, place % ACROSS);
    NormBox::new(at(column, ACROSS), at(row, DOWN), at(column + 1, ACROSS), at(row + 1, DOWN))
}

impl Places {
    /// What is remembered of a place.
    pub fn about(&self, place: usize) -> Memory {
        let known = self.0.get(place).copied().unwrap_or_default();
        Memory { size: self.size_about(place), looked: known.looked, barren: known.barren }
    }
    /// When it was looked at. The size, which takes a search, is not asked for.
    pub fn last_look(&self, place: usize) -> Option<MediaTime> {
        self.0.get(place).and_then(|place| place.looked)
    }
    /// How often in a row it was looked at while nothing moved there.
    pub fn still(&self, place: usize) -> u8 {
        self.0.get(place).map_or(0, |place| place.still)
    }
    fn size_about(&self, place: usize) -> Option<f32> {
        let (column, row) = (place % ACROSS, place / ACROSS);
        let near = (0..self.0.len()).filter_map(|i| {
            let (dx, dy) = ((i % ACROSS).abs_diff(column), (i / ACROSS).abs_diff(row));
            // Rows tell more than columns: things at one height of the picture are about equally far away.
            (dy <= REACH).then_some(self.0[i].size?).map(|size| (dy * 3 + dx, size))
        });
        near.min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))).map(|(_, size)| size.exp())
    }
    /// Something of that side (picture heights) was seen.
    pub fn saw(&mut self, rect: NormBox, side: f32) {
        let middle = rect.centre();
        let place = &mut self.0[cell(middle.y, DOWN) * ACROSS + cell(middle.x, ACROSS)];
        let side = side.max(1e-4).ln();
        place.size = Some(place.size.map_or(side, |s| s + FOLLOW * (side - s)));
    }
    /// A place was shown with everything else.
    pub fn glanced(&mut self, time: MediaTime, index: usize) {
        self.0[index].looked = Some(time);
    }
    /// A place was looked at.
    pub fn looked(&mut self, time: MediaTime, index: usize, motion: &[NormBox], found: &Merged) {
        let Some(rect) = rect(index) else { return };
        if motion.len() > CROWD && found.cut.iter().any(|d| d.rect.meets(rect)) {
            // In a crowd the next tile is soon shown, and the whole picture too.
            return;
        }
        let place = &mut self.0[index];
        place.looked = Some(time);
        let moves = motion.iter().any(|m| m.meets(rect));
        place.still = if moves { 0 } else { place.still.saturating_add(1) };
        if found.whole.iter().chain(&found.cut).any(|d| d.rect.meets(rect)) {
            place.barren = 0;
        } else if moves {
            place.barren = place.barren.saturating_add(1);
        } else {
            place.barren = place.barren.saturating_sub(1);
        }
    }
}
