//! The way of a box through the picture in few bytes: about 10 a kept point, and few points are kept.
//!
//! A straight piece goes on as long as every place lies within the bound of it, all four edges at the time they were there;
//! for that only the steepest and the flattest line that would still do are remembered ("swing filter" of Elmeleegy et al.,
//! "Online piece-wise linear approximation of numerical streams with precision guarantees", 2009), so that a car parked
//! for days takes no memory. What is kept is written as differences in variable-length integers, small ones in one byte
//! (the "varint" and "zigzag" of Protocol Buffers). A way that is too crooked for [`POINTS_MAX`] points is thinned out by
//! the distance at equal time (Meratnia and de By, "Spatiotemporal compression techniques for moving point objects",
//! 2004), and its bound grows.
//!
//! The bytes: a version (1), the bound of the error in 1/4096 of the picture, the number of points, the first time in
//! microseconds (zigzag); then for each point the milliseconds since the one before and, zigzag, how far its left, top,
//! right and bottom edge lie, in 1/4096, from where they would be had the box gone on as before.

use crate::domain::{geometry::NormBox, search::Heading, time::MediaTime};

/// Written first; grows with every change.
const VERSION: u8 = 1;
/// Steps across and down the picture in which edges are told.
const GRID: f32 = 4096.0;
/// How far, in 1/4096, a point left out may lie from the way kept: 0.4 % of the picture, less than a detector's boxes jump.
const TOLERANCE: u32 = 16;
/// So many points are kept; when there are more, they are thinned out to half of it.
const POINTS_MAX: usize = 512;
/// One that moved less, 0..=1 of the picture, has no heading.
const HEADING_LEAST: f32 = 0.1;
/// More points or a wider bound than [`Way`] ever writes are not believed.
const READ_MAX: u64 = 4096;

/// Where the box was at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// When, to the millisecond.
    pub time: MediaTime,
    /// Where, to 1/4096 of the picture.
    pub rect: NormBox,
}

/// Why bytes are no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// They end too early.
    #[error("a path that is cut off")]
    Cut,
    /// Another version's.
    #[error("a path of version {0}")]
    Version(u8),
    /// No way could be written like this.
    #[error("a path that cannot be: {0}")]
    Impossible(&'static str),
}

/// A point on the grid: milliseconds since the first, left, top, right, bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    ms: i64,
    edges: [i32; 4],
}

/// A way that grows, in bounded memory.
#[derive(Debug, Clone, Default)]
pub struct Way {
    start: Option<MediaTime>,
    /// Kept for good, until there are too many.
    kept: Vec<Node>,
    /// The straight piece behind the last one kept.
    piece: Option<Piece>,
    /// What thinnings of `kept` may have moved it by.
    error: u32,
}

/// Straight from a kept point through all places since, within the bound.
#[derive(Debug, Clone, Copy)]
struct Piece {
    last: Node,
    /// The flattest and the steepest line of each edge, 1/4096 a millisecond.
    slopes: [(f64, f64); 4],
}

impl Piece {
    /// The edges of a point kept as `from`, at `last`: the least and the greatest each may be.
    fn ends(&self, from: Node) -> [(f64, f64); 4] {
        let ms = (self.last.ms - from.ms) as f64;
        let end = |i: usize, slope: f64| (f64::from(from.edges[i]) + slope * ms).clamp(0.0, f64::from(GRID));
        std::array::from_fn(|i| (end(i, self.slopes[i].0), end(i, self.slopes[i].1)))
    }
    /// The piece from `from` that also goes through `next`, if one does and its end is no box inside out.
    fn through(before: Option<Self>, from: Node, next: Node) -> Option<Self> {
        let (ms, bound) = ((next.ms - from.ms).max(1) as f64, f64::from(TOLERANCE));
        let slopes = std::array::from_fn(|i| {
            let off = f64::from(next.edges[i] - from.edges[i]);
            let (low, high) = ((off - bound) / ms, (off + bound) / ms);
            before.map_or((low, high), |p| (low.max(p.slopes[i].0), high.min(p.slopes[i].1)))
        });
        let piece = Self { last: next, slopes };
        let ends = piece.ends(from);
        // Rounding takes up to a step at either end.
        let open = |(low, high): (usize, usize)| ends[high].1 - ends[low].0 >= 3.0;
        (slopes.iter().all(|(low, high)| low <= high) && [(0, 2), (1, 3)].into_iter().all(open)).then_some(piece)
    }
    /// Its last point, as near to the last place as may be.
    fn end(&self, from: Node) -> Node {
        let ends = self.ends(from);
        let mut edges =
            std::array::from_fn(|i| f64::from(self.last.edges[i]).clamp(ends[i].0, ends[i].1).round() as i32);
        for (low, high) in [(0, 2), (1, 3)] {
            if edges[low] >= edges[high] {
                (edges[low], edges[high]) = (ends[low].0.ceil() as i32, ends[high].1.floor() as i32);
            }
        }
        Node { ms: self.last.ms, edges }
    }
}

impl Way {
    /// Adds a place; one that is not later than the last by a millisecond is left out.
    pub fn push(&mut self, time: MediaTime, rect: NormBox) {
        let start = *self.start.get_or_insert(time);
        let ms = time.since(start).saturating_add(500).div_euclid(1000).max(0);
        let next = Node { ms, edges: wide(rect.corners().map(|v| (v * GRID).round() as i32)) };
        let Some(from) = self.kept.last().copied() else {
            self.kept.push(next);
            return;
        };
        if ms <= self.piece.map_or(from.ms, |piece| piece.last.ms) {
            return;
        }
        let straight = Piece::through(self.piece, from, next);
        self.piece = straight.or_else(|| {
            let from = self.piece.map_or(from, |piece| piece.end(from));
            if self.piece.is_some() {
                self.kept.push(from);
            }
            Piece::through(None, from, next)
        });
        if self.kept.len() >= POINTS_MAX {
            let mut tolerance = TOLERANCE;
            let few = loop {
                let few = thin(&self.kept, tolerance);
                if few.len() <= POINTS_MAX / 2 {
                    break few;
                }
                tolerance = tolerance.saturating_mul(2);
            };
            self.kept = few;
            self.error = self.error.saturating_add(tolerance);
        }
    }
    /// Whether there is no place.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start.is_none()
    }
    /// The bytes; the way can go on afterwards. No place is farther than the bound said in them from what [`decode`] gives,
    /// straight between its points, but for what it moved in half a millisecond.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let end = self.kept.last().zip(self.piece).map(|(from, piece)| piece.end(*from));
        let nodes = || self.kept.iter().copied().chain(end);
        let mut out = vec![VERSION];
        // A step more for the rounding of the place and of the point.
        put(&mut out, u64::from((TOLERANCE + 1).saturating_add(self.error)));
        put(&mut out, nodes().count() as u64);
        put(&mut out, zigzag(self.start.map_or(0, MediaTime::us)));
        let mut guess = Guess::default();
        for node in nodes() {
            put(&mut out, (node.ms - guess.ms()) as u64);
            for (edge, expected) in node.edges.iter().zip(guess.edges(node.ms)) {
                put(&mut out, zigzag(i64::from(edge - expected)));
            }
            guess.see(node);
        }
        out
    }
}

/// At least a step of the grid wide and high.
fn wide(mut edges: [i32; 4]) -> [i32; 4] {
    for (low, high) in [(0, 2), (1, 3)] {
        edges[low] = edges[low].min(GRID as i32 - 1);
        edges[high] = edges[high].max(edges[low] + 1);
    }
    edges
}

/// The points that must be kept.
fn thin(nodes: &[Node], tolerance: u32) -> Vec<Node> {
    let mut keep = vec![false; nodes.len()];
    let mut spans = Vec::new();
    if let Some(last) = nodes.len().checked_sub(1) {
        (keep[0], keep[last]) = (true, true);
        spans.push((0, last));
    }
    while let Some((from, to)) = spans.pop() {
        let off = |i: &usize| distance(nodes[from], nodes[to], nodes[*i]);
        let Some(worst) = (from + 1..to).max_by(|a, b| off(a).total_cmp(&off(b))) else { continue };
        if off(&worst) > f64::from(tolerance) {
            keep[worst] = true;
            spans.extend([(from, worst), (worst, to)]);
        }
    }
    nodes.iter().zip(keep).filter_map(|(node, keep)| keep.then_some(*node)).collect()
}

/// How far the edge that is farthest off lies from the straight way at that time, in 1/4096.
fn distance(from: Node, to: Node, at: Node) -> f64 {
    let part = (at.ms - from.ms) as f64 / (to.ms - from.ms).max(1) as f64;
    let off = |i: usize| {
        let way = f64::from(from.edges[i]) + f64::from(to.edges[i] - from.edges[i]) * part;
        (f64::from(at.edges[i]) - way).abs()
    };
    (0..4).map(off).fold(0.0, f64::max)
}

/// Where the next point is expected: as fast as between the last two.
#[derive(Debug, Default)]
struct Guess {
    last: Option<Node>,
    before: Option<Node>,
}

impl Guess {
    fn ms(&self) -> i64 {
        self.last.map_or(0, |last| last.ms)
    }
    fn edges(&self, ms: i64) -> [i32; 4] {
        let Some(last) = self.last else { return [0; 4] };
        let Some(before) = self.before else { return last.edges };
        // Whole numbers, so that both ends guess the same. A box that went on for long is not followed out of the picture.
        let ahead = (ms - last.ms).clamp(0, 60_000);
        let took = (last.ms - before.ms).max(1);
        std::array::from_fn(|i| {
            let step = i64::from(last.edges[i] - before.edges[i]) * ahead / took;
            (i64::from(last.edges[i]) + step).clamp(0, GRID as i64) as i32
        })
    }
    const fn see(&mut self, node: Node) {
        self.before = self.last;
        self.last = Some(node);
    }
}

const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)).cast_unsigned()
}

const fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, PathError> {
    let mut n = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(PathError::Cut)?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(n);
        }
    }
    Err(PathError::Impossible("a number of more than 64 bits"))
}

/// The points of a way and the bound of their error, 0..=1 of the picture.
///
/// # Errors
/// [`PathError`] for bytes that [`Way::encode`] cannot have written.
pub fn decode(mut bytes: &[u8]) -> Result<(Vec<Place>, f32), PathError> {
    let bytes = &mut bytes;
    let (version, rest) = bytes.split_first().ok_or(PathError::Cut)?;
    if *version != VERSION {
        return Err(PathError::Version(*version));
    }
    *bytes = rest;
    let (bound, count) = (take(bytes)?, take(bytes)?);
    if count > READ_MAX {
        return Err(PathError::Impossible("thousands of points"));
    }
    let start = MediaTime(unzigzag(take(bytes)?));
    let mut guess = Guess::default();
    let mut places = Vec::new();
    for _ in 0..count {
        let ms = i64::try_from(take(bytes)?).ok().and_then(|ms| ms.checked_add(guess.ms()));
        let ms = ms.filter(|ms| *ms <= i64::MAX / 2000).ok_or(PathError::Impossible("a time beyond all times"))?;
        let mut edges = guess.edges(ms);
        for edge in &mut edges {
            let moved = i64::from(*edge).checked_add(unzigzag(take(bytes)?));
            let inside = moved.filter(|e| (0..=GRID as i64).contains(e));
            *edge = inside.ok_or(PathError::Impossible("a box outside the picture"))? as i32;
        }
        let node = Node { ms, edges };
        let [x0, y0, x1, y1] = edges.map(|e| e as f32 / GRID);
        let rect = NormBox::new(x0, y0, x1, y1).ok_or(PathError::Impossible("a box inside out"))?;
        places.push(Place { time: start.plus_us(ms * 1000), rect });
        guess.see(node);
    }
    if !bytes.is_empty() {
        return Err(PathError::Impossible("bytes behind the last point"));
    }
    Ok((places, bound as f32 / GRID))
}

/// Which way a way goes on the whole: by its foot point, along the axis on which it moved more; `None` when it moved less
/// than a tenth of the picture.
#[must_use]
pub fn heading(places: &[Place]) -> Option<Heading> {
    let (first, last) = (places.first()?.rect.foot(), places.last()?.rect.foot());
    let (x, y) = (last.x - first.x, last.y - first.y);
    match (x.abs() >= y.abs(), x.abs().max(y.abs()) >= HEADING_LEAST) {
        (_, false) => None,
        (true, _) if x < 0.0 => Some(Heading::Left),
        (true, _) => Some(Heading::Right),
        (false, _) if y < 0.0 => Some(Heading::Far),
        (false, _) => Some(Heading::Near),
    }
}

#[cfg(test)]
mod tests;
