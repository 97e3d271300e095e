//! The motion gate: does anything move in a small grey picture, and where.
//!
//! A running background with a noise estimate per cell. Slow changes of light are taken out as the median difference;
//! when most of the picture changes at once (a light switch, an infrared filter) the scene is learned anew and nothing
//! is reported. Plain and deterministic: the result depends on the pictures given, in their order, and on nothing else.

use crate::domain::geometry::{NormBox, Point, Polygon};

/// The most boxes one picture yields; with more, one box around all of them is given.
pub const BOXES_MAX: usize = 32;

/// What counts as motion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionConfig {
    /// Grey levels (of 255) a cell must differ from the background at least.
    pub threshold: f32,
    /// … and this many times its usual noise.
    pub noise_factor: f32,
    /// Cells a moving region has at least.
    pub cells_min: usize,
    /// Share of the picture, 0..=1, that must change at once to be taken for a light switch.
    pub switch_share: f32,
}

impl Default for MotionConfig {
    fn default() -> Self {
        Self { threshold: 10.0, noise_factor: 4.0, cells_min: 4, switch_share: 0.6 }
    }
}

/// Difference in grey levels that counts towards a light switch; fixed, so that a stricter threshold never finds more.
const SWITCH_LEVELS: f32 = 20.0;
/// How fast a quiet cell follows the picture: at 5 pictures a second about 10 s.
const LEARN_QUIET: f32 = 0.02;
/// How fast a changed cell does, while it goes on changing.
const LEARN_CHANGED: f32 = 0.004;
/// A changed cell that keeps its new grey for so many pictures (6 s at 5 a second) shows something that has stopped, or
/// ground that something left: it is background from then on. Otherwise a place where something stood in the first
/// picture would seem to move for a minute after it had gone.
const STILL_PICTURES: u8 = 30;
/// How fast the short memory follows that tells whether a cell keeps its grey.
const LEARN_RECENT: f32 = 0.3;
/// How fast the noise estimate follows.
const LEARN_NOISE: f32 = 0.05;
/// How fast a cell that changes all the time (leaves, water) is believed to be noisy.
const LEARN_UNREST: f32 = 0.01;
/// Noise of a cell nothing is known about, and the bounds of the estimate, in grey levels.
const NOISE_START: f32 = 2.0;
const NOISE_MIN: f32 = 0.5;
const NOISE_MAX: f32 = 8.0;

/// The gate of one camera. Pictures are `width * height` grey bytes, row by row.
#[derive(Debug, Clone)]
pub struct Motion {
    config: MotionConfig,
    width: usize,
    height: usize,
    watched: Vec<bool>,
    background: Vec<f32>,
    noise: Vec<f32>,
    /// Short memory of each cell, and for how many pictures it has kept that grey.
    recent: Vec<(f32, u8)>,
    learned: bool,
}

impl Motion {
    /// A gate that has seen nothing; cells whose middle lies in one of `masks` are never looked at.
    #[must_use]
    pub fn new(config: MotionConfig, width: usize, height: usize, masks: &[Polygon]) -> Self {
        let watched = (0..width * height)
            .map(|i| {
                let middle = Point {
                    x: ((i % width) as f32 + 0.5) / width as f32,
                    y: ((i / width) as f32 + 0.5) / height as f32,
                };
                !masks.iter().any(|m| m.contains(middle))
            })
            .collect();
        let cells = width * height;
        Self {
            config,
            width,
            height,
            watched,
            background: vec![0.0; cells],
            noise: vec![NOISE_START; cells],
            recent: vec![(0.0, 0); cells],
            learned: false,
        }
    }
    /// Looks at the next picture and says which regions move. A picture of another size is ignored.
    pub fn step(&mut self, picture: &[u8]) -> Vec<NormBox> {
        if picture.len() != self.background.len() || picture.is_empty() {
            return Vec::new();
        }
        if !self.learned {
            self.learn(picture);
            return Vec::new();
        }
        let shift = self.light_shift(picture);
        if self.is_switch(picture, shift) {
            self.learn(picture);
            return Vec::new();
        }
        let changed = self.changed(picture, shift, self.config.threshold);
        self.update(picture, shift, &changed);
        regions(&changed, self.width, self.height, self.config.cells_min)
    }
    fn learn(&mut self, picture: &[u8]) {
        for ((b, recent), p) in self.background.iter_mut().zip(&mut self.recent).zip(picture) {
            *b = f32::from(*p);
            *recent = (*b, 0);
        }
        self.learned = true;
    }
    /// The median difference to the background over the watched cells, in whole grey levels.
    fn light_shift(&self, picture: &[u8]) -> f32 {
        let mut histogram = [0usize; 511];
        let mut total = 0;
        for ((p, b), _) in picture.iter().zip(&self.background).zip(&self.watched).filter(|(_, w)| **w) {
            // Both lie in 0..=255, so the index lies in 0..=510.
            histogram[(f32::from(*p) - b + 255.0).round().clamp(0.0, 510.0) as usize] += 1;
            total += 1;
        }
        let mut below = 0;
        let median = histogram.iter().position(|n| {
            below += n;
            below * 2 >= total
        });
        median.map_or(0.0, |i| i as f32 - 255.0)
    }
    /// Whether so much has changed that the light did, not the scene: without taking the shift out, for a switch moves
    /// everything by about the same.
    fn is_switch(&self, picture: &[u8], shift: f32) -> bool {
        let watched = self.watched.iter().filter(|w| **w).count();
        let far = picture
            .iter()
            .zip(&self.background)
            .zip(&self.watched)
            .filter(|((p, b), w)| **w && (f32::from(**p) - **b - shift).abs().max(shift.abs()) > SWITCH_LEVELS)
            .count();
        watched > 0 && far as f32 > self.config.switch_share * watched as f32
    }
    fn changed(&self, picture: &[u8], shift: f32, threshold: f32) -> Vec<bool> {
        (0..picture.len())
            .map(|i| {
                let difference = (f32::from(picture[i]) - self.background[i] - shift).abs();
                self.watched[i] && difference > threshold.max(self.config.noise_factor * self.noise[i])
            })
            .collect()
    }
    fn update(&mut self, picture: &[u8], shift: f32, changed: &[bool]) {
        for i in 0..picture.len() {
            let off = f32::from(picture[i]) - self.background[i];
            let difference = (off - shift).abs();
            let (learn, noise) = if changed[i] { (LEARN_CHANGED, LEARN_UNREST) } else { (LEARN_QUIET, LEARN_NOISE) };
            self.background[i] += learn * off;
            let noise = noise * (difference.min(NOISE_MAX) - self.noise[i]);
            self.noise[i] = (self.noise[i] + noise).clamp(NOISE_MIN, NOISE_MAX);
            if self.has_come_to_rest(i, f32::from(picture[i])) && changed[i] {
                (self.background[i], self.noise[i]) = (self.recent[i].0, NOISE_START);
            }
        }
    }
    /// Whether the cell has kept its grey for long enough; follows it.
    fn has_come_to_rest(&mut self, i: usize, grey: f32) -> bool {
        let (recent, still) = &mut self.recent[i];
        let keeps = (grey - *recent).abs() <= self.config.threshold / 2.0;
        *still = if keeps { still.saturating_add(1) } else { 0 };
        *recent += LEARN_RECENT * (grey - *recent);
        *still >= STILL_PICTURES
    }
}

/// Connected changed cells (with diagonals) as boxes: grown by a cell, merged while they touch.
fn regions(changed: &[bool], width: usize, height: usize, cells_min: usize) -> Vec<NormBox> {
    let mut seen = vec![false; changed.len()];
    let mut boxes: Vec<[usize; 4]> = Vec::new();
    let mut open = Vec::new();
    for start in 0..changed.len() {
        if !changed[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        open.push(start);
        let mut count = 0;
        let mut bounds = [usize::MAX, usize::MAX, 0, 0];
        while let Some(i) = open.pop() {
            let (x, y) = (i % width, i / width);
            count += 1;
            bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let n = ny * width + nx;
                    if changed[n] && !seen[n] {
                        seen[n] = true;
                        open.push(n);
                    }
                }
            }
        }
        if count >= cells_min {
            let [x0, y0, x1, y1] = bounds;
            // Half open from here on.
            boxes.push([x0.saturating_sub(1), y0.saturating_sub(1), (x1 + 2).min(width), (y1 + 2).min(height)]);
        }
    }
    let around = |a: [usize; 4], b: [usize; 4]| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])];
    merge(&mut boxes, around);
    if boxes.len() > BOXES_MAX {
        boxes = boxes.into_iter().reduce(around).into_iter().collect();
    }
    let (w, h) = (width as f32, height as f32);
    boxes
        .into_iter()
        .filter_map(|[x0, y0, x1, y1]| NormBox::new(x0 as f32 / w, y0 as f32 / h, x1 as f32 / w, y1 as f32 / h))
        .collect()
}

fn merge(boxes: &mut Vec<[usize; 4]>, around: impl Fn([usize; 4], [usize; 4]) -> [usize; 4]) {
    let meet = |a: [usize; 4], b: [usize; 4]| a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const W: usize = 32;
    const H: usize = 18;

    fn gate(threshold: f32, masks: &[Polygon]) -> Motion {
        Motion::new(MotionConfig { threshold, ..MotionConfig::default() }, W, H, masks)
    }

    fn with_square(base: u8, level: u8, x: usize, y: usize, size: usize) -> Vec<u8> {
        let mut picture = vec![base; W * H];
        for row in y..(y + size).min(H) {
            for cell in x..(x + size).min(W) {
                picture[row * W + cell] = level;
            }
        }
        picture
    }

    #[test]
    fn what_stood_in_the_first_picture_leaves_no_ghost_behind() {
        let mut gate = gate(10.0, &[]);
        gate.step(&with_square(90, 200, 10, 5, 6));
        let moved: Vec<bool> = (0..60).map(|_| !gate.step(&with_square(90, 90, 0, 0, 1)).is_empty()).collect();
        assert!(moved[0], "its leaving is seen");
        // The short memory needs some pictures to reach the new grey before it can keep it.
        assert!(!moved[usize::from(STILL_PICTURES) + 12..].contains(&true), "the bare ground is no motion: {moved:?}");
    }

    #[test]
    fn a_thing_that_goes_on_moving_is_seen_as_long_as_it_moves() {
        let mut gate = gate(10.0, &[]);
        gate.step(&with_square(90, 90, 0, 0, 1));
        for i in 0..200 {
            assert!(!gate.step(&with_square(90, 200, i % (W - 4), 5, 4)).is_empty(), "picture {i}");
        }
    }

    proptest! {
        #[test]
        fn equal_pictures_never_move(picture in prop::collection::vec(any::<u8>(), W * H), times in 1..20usize) {
            let mut gate = gate(1.0, &[]);
            for _ in 0..times {
                prop_assert!(gate.step(&picture).is_empty());
            }
        }

        #[test]
        fn a_stricter_threshold_never_finds_a_cell_more(
            first in prop::collection::vec(any::<u8>(), W * H),
            second in prop::collection::vec(any::<u8>(), W * H),
            low in 0.0f32..200.0, more in 0.0f32..100.0,
        ) {
            let mut gate = gate(low, &[]);
            gate.step(&first);
            let shift = gate.light_shift(&second);
            let (many, few) = (gate.changed(&second, shift, low), gate.changed(&second, shift, low + more));
            prop_assert!(few.iter().zip(&many).all(|(f, m)| *m || !*f));
            let (lower, upper) = (regions(&many, W, H, 4), regions(&few, W, H, 4));
            if lower.len() < BOXES_MAX && upper.len() > 1 {
                for u in upper {
                    prop_assert!(lower.iter().any(|l| l.union(u) == *l), "{u:?} lies in none of {lower:?}");
                }
            }
        }

        #[test]
        fn boxes_do_not_meet_and_cover_every_large_region(cells in prop::collection::vec(prop::bool::weighted(0.1), W * H)) {
            let boxes = regions(&cells, W, H, 1);
            for (i, a) in boxes.iter().enumerate() {
                prop_assert!(boxes[i + 1..].iter().all(|b| a.iou(*b) == 0.0));
            }
            for i in (0..W * H).filter(|i| cells[*i]) {
                let (x, y) = ((i % W) as f32 + 0.5, (i / W) as f32 + 0.5);
                let [px, py] = [x / W as f32, y / H as f32];
                let covered = boxes.iter().any(|b| {
                    let [x0, y0, x1, y1] = b.corners();
                    x0 < px && px < x1 && y0 < py && py < y1
                });
                prop_assert!(covered);
            }
        }
    }

    #[test]
    fn a_square_that_appears_is_boxed_where_it_is() {
        let mut gate = gate(10.0, &[]);
        for _ in 0..5 {
            assert!(gate.step(&with_square(100, 100, 0, 0, 0)).is_empty());
        }
        let boxes = gate.step(&with_square(100, 160, 8, 6, 4));
        assert_eq!(boxes, vec![NormBox::new(7.0 / 32.0, 5.0 / 18.0, 13.0 / 32.0, 11.0 / 18.0).unwrap()]);
    }

    #[test]
    fn what_has_stopped_becomes_background() {
        let mut gate = gate(10.0, &[]);
        gate.step(&with_square(100, 100, 0, 0, 0));
        let parked = with_square(100, 160, 8, 6, 4);
        assert_eq!(gate.step(&parked).len(), 1);
        let quiet_after = (0..1000).position(|_| gate.step(&parked).is_empty()).expect("it stays in motion for ever");
        assert!(quiet_after > 25, "gone after {quiet_after} pictures: a person waiting would be lost in 5 s");
    }

    #[test]
    fn a_light_switch_is_no_motion_and_neither_is_a_slow_dusk() {
        let mut gate = gate(10.0, &[]);
        gate.step(&with_square(60, 90, 8, 6, 4));
        assert!(gate.step(&with_square(160, 220, 8, 6, 4)).is_empty(), "switched on");
        assert_eq!(gate.step(&with_square(160, 220, 20, 6, 4)).len(), 2, "and sees again at once");
        let mut gate = self::gate(10.0, &[]);
        for level in (40..200).rev() {
            assert!(gate.step(&with_square(level, level, 0, 0, 0)).is_empty(), "at {level}");
        }
    }

    #[test]
    fn nothing_moves_under_a_mask() {
        let left = Polygon::new([[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]].map(Point::from).to_vec()).unwrap();
        let mut gate = gate(10.0, &[left]);
        gate.step(&with_square(100, 100, 0, 0, 0));
        assert!(gate.step(&with_square(100, 200, 2, 2, 6)).is_empty());
        assert_eq!(gate.step(&with_square(100, 200, 20, 2, 6)).len(), 1);
    }
}
