//! How large a camera's packets usually are, by their place in the group of pictures, and whether more comes.
//!
//! Robust and running: a median and a median deviation of the logarithm of the size, each moved by small steps towards
//! what comes (stochastic approximation, Robbins and Monro 1951), and a one-sided cumulative sum over the scores (Page,
//! "Continuous inspection schemes", 1954), which finds a small lasting growth as well as a large sudden one.

/// Places in a group of pictures that are told apart; later ones count as the last.
const PLACES: usize = 64;
/// Packets of one place after which its figures mean something.
const KNOWN_AFTER: u16 = 6;
/// Packets in all before anything is told.
const WARM_AFTER: u32 = 200;
/// Size of a step, in deviations, first and later.
const STEP_FIRST: f32 = 0.5;
const STEP: f32 = 0.06;
/// While something moves what comes is not usual: it is learned so much more slowly, but is learned.
const STEP_MOVING: f32 = 0.1;
/// The least deviation that is believed, in powers of two, and the first one.
const SPREAD_MIN: f32 = 0.04;
const SPREAD_START: f32 = 0.3;
/// A normal deviation is so many median deviations.
const NORMAL: f32 = 1.48;
/// Deviations a packet may be above the median without a say, and the most it has.
const DRIFT: f32 = 1.2;
const SCORE_MAX: f32 = 6.0;
/// The sum that is a sign.
const SIGN: f32 = 6.0;

/// What is known of one place.
#[derive(Debug, Clone, Copy)]
struct Place {
    median: f32,
    spread: f32,
    seen: u16,
}

/// The sizes of one camera's packets.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// The first is that of the key frames.
    places: [Place; PLACES],
    at: usize,
    sum: f32,
    seen: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        let place = Place { median: 0.0, spread: SPREAD_START, seen: 0 };
        Self { places: [place; PLACES], at: PLACES - 1, sum: 0.0, seen: 0 }
    }
}

impl Place {
    fn learn(&mut self, x: f32, slow: f32) {
        if self.seen == 0 {
            self.median = x;
        }
        self.seen = self.seen.saturating_add(1);
        let share = STEP_FIRST / f32::from(self.seen).sqrt();
        let step = share.max(STEP * slow) * self.spread;
        let off = x - self.median;
        self.median += step * off.signum();
        let wider = if off.abs() > self.spread { 1.0 } else { -1.0 };
        self.spread = (self.spread + 0.5 * step * wider).max(SPREAD_MIN);
    }
}

impl Sizes {
    /// Takes a packet of so many bytes: whether more comes than usual. `moves`: it is known that something goes on.
    pub fn take(&mut self, key: bool, size: usize, moves: bool) -> bool {
        self.at = if key { 0 } else { (self.at + 1).min(PLACES - 1) };
        self.seen = self.seen.saturating_add(1);
        // Headers alone take some tens of bytes: below that, sizes mean nothing.
        let x = (size as f32 + 64.0).log2();
        let place = &mut self.places[self.at];
        let score = (x - place.median) / (NORMAL * place.spread);
        let known = place.seen >= KNOWN_AFTER && self.seen >= WARM_AFTER;
        place.learn(x, if moves { STEP_MOVING } else { 1.0 });
        if !known {
            self.sum = 0.0;
            return false;
        }
        self.sum = (self.sum + score.clamp(-SCORE_MAX, SCORE_MAX) - DRIFT).clamp(0.0, 2.0 * SIGN);
        self.sum > SIGN
    }
}
