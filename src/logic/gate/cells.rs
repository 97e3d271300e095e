//! What is known of every cell of the small picture: its background, its noise, how much it usually changes.
//!
//! A running average with a noise estimate, after Wren et al., "Pfinder" (PAMI 1997), with a third number for places
//! that change all the time. Plain loops over slices of equal length, so that the compiler makes vectors of them.

use super::light::Light;

/// How fast a quiet cell follows the picture, seconds.
const QUIET_S: f32 = 10.0;
/// How fast a changed cell does, while it goes on changing.
const CHANGED_S: f32 = 50.0;
/// … but not more than so many grey levels a second: the background of a busy road is the road, which is seen most often,
/// and not the mean of all vehicles.
const CHANGED_MOST: f32 = 0.4;
/// A difference counts as noise up to so many times the noise that is known.
const NOISE_SEEN: f32 = 3.0;
/// How fast the noise estimate follows.
const NOISE_S: f32 = 4.0;
/// How fast the short memory follows that tells whether a cell keeps its grey.
const RECENT_S: f32 = 0.6;
/// A changed cell that keeps its new grey for so long shows something that has stopped: it is background from then on.
/// (Ground that something left is told sooner, by its edges.)
const STILL_S: f32 = 6.0;
/// Noise (mean absolute difference) of a cell nothing is known about, and the bounds of the estimate, in grey levels.
const NOISE_START: f32 = 2.0;
/// … and of one that sees another light: an infrared picture is noisier than the one before.
const NOISE_ANEW: f32 = 3.5;
const NOISE_MIN: f32 = 0.3;
const NOISE_MAX: f32 = 6.0;
/// How fast a place that changes without anything passing is believed to do so always, grey levels a second.
const UNREST_RISE: f32 = 2.0;
/// … so much faster is that forgotten where something goes past: a busy road is no tree.
const UNREST_PAST: f32 = 2.0;
/// … and how slowly that is forgotten: 20 grey levels in about a quarter of an hour.
const UNREST_FALL: f32 = 0.02;
/// More than this is never taken for usual: what differs so much is looked at for ever.
const UNREST_MAX: f32 = 32.0;
/// From so much on a place is a known one.
const UNREST_KNOWN: f32 = 6.0;
/// A change this many times the usual one, and this much more, is a new one.
const UNREST_FACTOR: f32 = 1.25;
const UNREST_MARGIN: f32 = 3.0;
/// Difference in grey levels that counts towards a light switch; fixed, so that a stricter threshold never finds more.
const SWITCH_LEVELS: f32 = 20.0;

/// A grey that no picture comes near.
const NOTHING: f32 = -10_000.0;

/// Not changed.
pub const SAME: u8 = 0;
/// Changed enough to belong to a region that has a [`STRONG`] cell.
pub const WEAK: u8 = 1;
/// Changed for certain.
pub const STRONG: u8 = 2;
/// Set on a level when the cell belongs to a blob; a change outside of any is noise.
pub const TAKEN: u8 = 4;

/// From when on a cell counts as changed.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds {
    /// Grey levels at least.
    pub levels: f32,
    /// … and this many times its noise.
    pub noise_factor: f32,
    /// Share of the threshold that makes a weak one.
    pub weak: f32,
}

/// Cells side by side in memory. All that is known of them stands together, in arrays of a fixed length: the loops over
/// them become vector instructions, which they do not over many slices that might overlap.
const LANES: usize = 16;

/// What is known of [`LANES`] cells.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// 1 for a cell that is looked at, else 0.
    watched: [u8; LANES],
    /// Grey as it usually is.
    background: [f32; LANES],
    /// What was the background before something stopped here; [`NOTHING`] where nothing did.
    former: [f32; LANES],
    noise: [f32; LANES],
    usual: [f32; LANES],
    /// Short memory, and for how many seconds the cell has kept that grey.
    recent: [f32; LANES],
    still_s: [f32; LANES],
}

/// The cells of one camera, row by row.
#[derive(Debug, Clone)]
pub struct Cells {
    blocks: Vec<Block>,
    cells: usize,
    /// Of the picture judged last: grey levels above (or below) the background.
    pub difference: Vec<f32>,
    /// Of the picture judged last: [`SAME`], [`WEAK`] or [`STRONG`].
    pub level: Vec<u8>,
}

/// How far the running averages go with one picture.
#[derive(Debug, Clone, Copy)]
struct Pace {
    dt_s: f32,
    quiet: f32,
    changed: f32,
    most: f32,
    noise: f32,
    recent: f32,
    fall: f32,
}

/// `1 - e^(-dt/tau)`: how far a running average goes in `dt` seconds.
fn share(dt_s: f32, tau_s: f32) -> f32 {
    1.0 - (-dt_s / tau_s).exp()
}

/// The grey of a cell, 1..=256: an average that falls towards 0 would spend its time in numbers too small for the
/// processor to be quick with.
#[inline]
pub fn grey(byte: u8) -> f32 {
    f32::from(byte) + 1.0
}

/// Up to [`LANES`] bytes as greys; what lies behind the end is as good as anything.
#[inline]
fn greys(bytes: &[u8]) -> [f32; LANES] {
    let mut whole = [0; LANES];
    whole[..bytes.len()].copy_from_slice(bytes);
    whole.map(grey)
}

impl Block {
    const fn new() -> Self {
        Self {
            watched: [0; LANES],
            background: [0.0; LANES],
            former: [NOTHING; LANES],
            noise: [NOISE_START; LANES],
            usual: [0.0; LANES],
            recent: [0.0; LANES],
            still_s: [0.0; LANES],
        }
    }
    /// The differences, the levels, and how many changed as far as the light changes them.
    #[inline]
    fn judge(&self, picture: &[f32; LANES], light: &Light, over: &Thresholds) -> ([f32; LANES], [u8; LANES], u32) {
        let (mut difference, mut level, mut far) = ([0.0; LANES], [SAME; LANES], [0; LANES]);
        for i in 0..LANES {
            let shift = light.shift(self.background[i]);
            let d = picture[i] - self.background[i] - shift;
            let off = d.abs();
            let known = self.usual[i] * UNREST_FACTOR + UNREST_MARGIN;
            let threshold = over.levels.max(over.noise_factor * self.noise[i].max(light.spread)).max(known);
            let weak = threshold * over.weak;
            let uncovers = (picture[i] - self.former[i] - shift).abs() < weak;
            let says = (i32::from(off > threshold) + i32::from(off > weak)) * i32::from(!uncovers);
            difference[i] = d;
            level[i] = says as u8 * self.watched[i];
            far[i] = i32::from(off.max(shift.abs()) > SWITCH_LEVELS) * i32::from(self.watched[i]);
        }
        (difference, level, far.iter().sum::<i32>() as u32)
    }
    #[inline]
    fn learn(
        &mut self,
        picture: &[f32; LANES],
        level: &[u8; LANES],
        difference: &[f32; LANES],
        over: &Thresholds,
        pace: &Pace,
    ) {
        // Yes and no are 1.0 and 0.0, and a choice is made by one comparison: that is what vectors can do.
        let yes = |b: bool| if b { 1.0f32 } else { 0.0 };
        let Self { background, former, noise, usual, recent, still_s, .. } = self;
        let same = level.map(|l| yes(l < TAKEN));
        for i in 0..LANES {
            // What a thing uncovers by going is no motion: it was there before the thing stopped.
            let closer = yes((picture[i] - former[i]).abs() < (picture[i] - background[i]).abs());
            let uncovered = closer * same[i];
            background[i] = if uncovered > 0.5 { former[i] } else { background[i] };
            former[i] = if uncovered > 0.5 { NOTHING } else { former[i] };
            let counts = if uncovered > 0.5 { 0.0 } else { pace.noise * same[i] };
            // One that was missed is no noise.
            let seen = difference[i].abs().min(NOISE_SEEN * noise[i] + 1.0);
            noise[i] += counts * (seen - noise[i]);
            noise[i] = noise[i].clamp(NOISE_MIN, NOISE_MAX);
            let off = picture[i] - background[i];
            let slow = (pace.changed * off).max(-pace.most).min(pace.most);
            let goes = if same[i] > 0.5 { pace.quiet * off } else { slow };
            background[i] += goes;
            former[i] += goes;
        }
        for i in 0..LANES {
            usual[i] = (usual[i] - pace.fall).max(0.0);
            let off = picture[i] - recent[i];
            let keeps = off.abs() <= (over.levels * 0.5).max(2.5 * noise[i]);
            still_s[i] = if keeps { still_s[i] + pace.dt_s } else { 0.0 };
            recent[i] += if keeps { pace.recent * off } else { off };
            // A changed cell that has rested for long enough.
            let rests = still_s[i] * (1.0 - same[i]);
            former[i] = if rests >= STILL_S { background[i] } else { former[i] };
            background[i] = if rests >= STILL_S { recent[i] } else { background[i] };
            noise[i] = if rests >= STILL_S { NOISE_START } else { noise[i] };
        }
    }
}

impl Cells {
    /// Cells that have seen nothing; those that are looked at are 1, the others 0.
    pub fn new(watched: &[u8]) -> Self {
        let cells = watched.len();
        let mut blocks = vec![Block::new(); cells.div_ceil(LANES)];
        for (block, watched) in blocks.iter_mut().zip(watched.chunks(LANES)) {
            block.watched[..watched.len()].copy_from_slice(watched);
        }
        let padded = blocks.len() * LANES;
        Self { blocks, cells, difference: vec![0.0; padded], level: vec![SAME; padded] }
    }
    /// How many there are, watched or not.
    pub const fn count(&self) -> usize {
        self.cells
    }
    /// Whether the cell is looked at.
    pub fn is_watched(&self, cell: usize) -> bool {
        self.blocks[cell / LANES].watched[cell % LANES] != 0
    }
    /// Its background.
    pub fn background(&self, cell: usize) -> f32 {
        self.blocks[cell / LANES].background[cell % LANES]
    }
    /// Takes the picture for the background. What places usually do is remembered: trees wave in every light.
    pub fn learn_anew(&mut self, picture: &[u8]) {
        for (block, picture) in self.blocks.iter_mut().zip(picture.chunks(LANES)) {
            block.background = greys(picture);
            block.recent = block.background;
            block.former = [NOTHING; LANES];
            block.still_s = [0.0; LANES];
            block.noise = block.noise.map(|n| n.max(NOISE_ANEW));
        }
    }
    /// Compares the picture with the background in that light: how many cells changed so much that it may be the light.
    pub fn judge(&mut self, picture: &[u8], light: &Light, over: &Thresholds) -> usize {
        let out = self.difference.chunks_exact_mut(LANES).zip(self.level.chunks_exact_mut(LANES));
        let mut far = 0;
        for ((block, picture), (difference, level)) in self.blocks.iter().zip(picture.chunks(LANES)).zip(out) {
            let (d, l, f) = block.judge(&greys(picture), light, over);
            difference.copy_from_slice(&d);
            level.copy_from_slice(&l);
            far += f;
        }
        far as usize
    }
    /// Follows the picture judged last; what keeps its new grey for [`STILL_S`] is background.
    pub fn learn(&mut self, picture: &[u8], over: &Thresholds, dt_s: f32) {
        let pace = Pace {
            dt_s,
            quiet: share(dt_s, QUIET_S),
            changed: share(dt_s, CHANGED_S),
            most: CHANGED_MOST * dt_s,
            noise: share(dt_s, NOISE_S),
            recent: share(dt_s, RECENT_S),
            fall: UNREST_FALL * dt_s,
        };
        let (level, _) = self.level.as_chunks::<LANES>();
        let (difference, _) = self.difference.as_chunks::<LANES>();
        let judged = level.iter().zip(difference);
        for ((block, picture), (level, difference)) in self.blocks.iter_mut().zip(picture.chunks(LANES)).zip(judged) {
            block.learn(&greys(picture), level, difference, over, &pace);
        }
    }
    /// These cells changed: a little more of that is usual from now on, or less where something went past.
    pub fn unrest(&mut self, cells: &[u32], past: bool, dt_s: f32) {
        let rise = UNREST_RISE * dt_s.min(0.5);
        for &cell in cells {
            let i = cell as usize;
            let usual = &mut self.blocks[i / LANES].usual[i % LANES];
            if past {
                *usual = (*usual - UNREST_PAST * rise).max(0.0);
            } else if self.difference[i].abs() > *usual {
                *usual = (*usual + rise).min(UNREST_MAX);
            }
        }
    }
    /// Takes over how much places usually change.
    pub fn take_usual(&mut self, other: &Self) {
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(own, other)| own.usual = other.usual);
    }
    /// Whether the cell is part of a place that changes all the time.
    pub fn is_known(&self, cell: u32) -> bool {
        self.blocks[cell as usize / LANES].usual[cell as usize % LANES] > UNREST_KNOWN
    }
    /// By how many grey levels what stopped here differs from the ground it hides; 0 where nothing stopped.
    pub fn hides(&self, cell: usize) -> f32 {
        let (block, i) = (&self.blocks[cell / LANES], cell % LANES);
        let there = block.watched[i] != 0 && block.former[i] > NOTHING / 2.0;
        if there { (block.background[i] - block.former[i]).abs() } else { 0.0 }
    }
    /// For how long the cell has kept its grey, seconds.
    pub fn rested_s(&self, cell: usize) -> f32 {
        self.blocks[cell / LANES].still_s[cell % LANES]
    }
    /// The cell, if it has kept its grey for so long, shows bare ground: that is its background, and what was before is
    /// forgotten.
    pub fn settle(&mut self, cell: usize, rested_s: f32) {
        let (block, i) = (&mut self.blocks[cell / LANES], cell % LANES);
        if block.still_s[i] >= rested_s {
            (block.background[i], block.former[i], block.noise[i]) = (block.recent[i], NOTHING, NOISE_START);
        }
    }
    /// Something real was here: what the cell usually does is forgotten.
    pub fn pardon(&mut self, cell: usize) {
        let block = &mut self.blocks[cell / LANES];
        block.usual[cell % LANES] = 0.0;
        block.noise[cell % LANES] = block.noise[cell % LANES].min(NOISE_START);
    }
}
