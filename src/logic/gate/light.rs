//! The light: how much brighter or darker the whole picture is than its background, and how noisy.
//!
//! An automatic exposure multiplies, so dark and bright places are measured apart and a straight line is laid through
//! their medians. Medians do not see the objects, as long as these cover less than half.

use super::cells::{Cells, grey};

/// About so many cells are measured.
const SAMPLES: usize = 2000;
/// Grey levels the two halves must lie apart to measure a gain, and the share of cells each must have.
const APART: f32 = 16.0;
const SHARE_MIN: f32 = 0.15;
/// The most a gain is believed to be: more is a switch.
const GAIN_MAX: f32 = 0.4;
/// The most noise that is believed of one picture, in grey levels: crowds make differences too.
const SPREAD_MAX: f32 = 5.0;
const BINS: usize = 512;

/// The light of one picture against the background.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Light {
    /// Grey levels more than the background, where that has the grey [`pivot`](Self::pivot).
    offset: f32,
    /// … and this much more a level above it.
    gain: f32,
    pivot: f32,
    /// Half the distance between the quartiles of what is left: the noise of this picture, in grey levels.
    pub spread: f32,
}

/// Differences of one half of the cells, and their mean background.
struct Half {
    bins: [u16; BINS],
    count: u32,
    grey: f32,
}

impl Half {
    const fn new() -> Self {
        Self { bins: [0; BINS], count: 0, grey: 0.0 }
    }
    fn add(&mut self, difference: f32, background: f32) {
        // Both lie in 1..=256, so the index lies in 1..=511.
        self.bins[(difference + 256.5).clamp(0.0, 511.0) as usize] += 1;
        self.count += 1;
        self.grey += background;
    }
    fn mean_grey(&self) -> f32 {
        self.grey / self.count.max(1) as f32
    }
    /// The difference below which that share of the cells lies.
    fn quantile(&self, share: f32) -> f32 {
        let wanted = share * self.count as f32;
        let mut below = 0.0;
        for (i, &n) in self.bins.iter().enumerate() {
            let n = f32::from(n);
            if n > 0.0 && below + n >= wanted {
                return i as f32 - 256.5 + (wanted - below) / n;
            }
            below += n;
        }
        0.0
    }
    fn spread(&self) -> f32 {
        // Grey levels are whole: a bin's own width is no noise.
        ((self.quantile(0.75) - self.quantile(0.25) - 0.5) / 2.0).max(0.0)
    }
}

impl Light {
    /// Measures the picture against the background; masked cells have no say.
    pub fn of(picture: &[u8], cells: &Cells) -> Self {
        // Odd, so that every column of a picture of even width has its turn.
        let stride = (picture.len() / SAMPLES).max(1) | 1;
        let sampled = || (0..picture.len()).step_by(stride).filter(|i| cells.is_watched(*i));
        let (sum, count) = sampled().fold((0.0, 0u32), |(sum, count), i| (sum + cells.background(i), count + 1));
        let middle = sum / count.max(1) as f32;
        let (mut dark, mut bright) = (Half::new(), Half::new());
        for i in sampled() {
            let background = cells.background(i);
            let half = if background < middle { &mut dark } else { &mut bright };
            half.add(grey(picture[i]) - background, background);
        }
        let (low, high) = (dark.mean_grey(), bright.mean_grey());
        let enough = dark.count.min(bright.count) as f32 >= SHARE_MIN * count as f32;
        if count > 0 && enough && high - low >= APART {
            let (at_low, at_high) = (dark.quantile(0.5), bright.quantile(0.5));
            let gain = ((at_high - at_low) / (high - low)).clamp(-GAIN_MAX, GAIN_MAX);
            let all = count as f32;
            let spread = (dark.spread() * dark.count as f32 + bright.spread() * bright.count as f32) / all;
            return Self { offset: at_low, gain, pivot: low, spread: spread.min(SPREAD_MAX) };
        }
        for (all, n) in bright.bins.iter_mut().zip(dark.bins) {
            *all += n;
        }
        bright.count += dark.count;
        let offset = if count == 0 { 0.0 } else { bright.quantile(0.5) };
        Self { offset, gain: 0.0, pivot: 0.0, spread: bright.spread().min(SPREAD_MAX) }
    }
    /// Grey levels a place with that background is brighter now only because of the light.
    #[inline]
    pub fn shift(&self, background: f32) -> f32 {
        self.offset + self.gain * (background - self.pivot)
    }
}
