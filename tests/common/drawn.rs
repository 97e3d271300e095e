//! Small grey pictures of drawn places: what the motion gate sees of a quiet yard, a night, rain, a tree.
//!
//! Each is a function of the picture's number, made anew from a seed, so that a scene can be asked in any order.

/// Cells across and down.
pub const W: usize = 160;
pub const H: usize = 90;

/// Numbers from a seed (SplitMix64, Steele et al. 2014).
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64, picture: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ picture.wrapping_mul(0xd1b5_4a32_d192_ed03));
        dice.next();
        dice
    }
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// 0..1
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f32) as usize
    }
    /// About normal, mean 0, deviation 1.
    pub fn normal(&mut self) -> f32 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|k| bits >> (16 * k) & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * 3f32.sqrt()
    }
}

/// A picture while it is drawn.
pub struct Sheet(pub Vec<f32>);

impl Sheet {
    /// A yard: sky, wall, ground, all with some texture.
    pub fn yard(seed: u64) -> Self {
        let mut dice = Dice::of(seed, u64::MAX);
        let cell = |i: usize, dice: &mut Dice| {
            let base = match i / W {
                0..20 => 190.0,
                20..45 => 130.0 + 25.0 * f32::from((i % W / 13 % 2) as u8),
                _ => 95.0,
            };
            base + dice.normal() * 6.0
        };
        Self((0..W * H).map(|i| cell(i, &mut dice)).collect())
    }
    /// An upright ellipse of that middle and those half sides, in cells, this much brighter than what is there; its
    /// edge is soft as a lens makes it.
    pub fn thing(&mut self, (x, y): (f32, f32), (w, h): (f32, f32), brighter: f32) {
        let rows = ((y - h - 1.0).max(0.0) as usize)..((y + h + 2.0).clamp(0.0, H as f32) as usize);
        for row in rows {
            let columns = ((x - w - 1.0).max(0.0) as usize)..((x + w + 2.0).clamp(0.0, W as f32) as usize);
            for column in columns {
                let (dx, dy) = (column as f32 + 0.5 - x, row as f32 + 0.5 - y);
                let off = ((dx / w).powi(2) + (dy / h).powi(2)).sqrt();
                let cover = (0.5 + (1.0 - off) * w.min(h)).clamp(0.0, 1.0);
                self.0[row * W + column] += cover * brighter;
            }
        }
    }
    /// Brightness times `gain` plus `offset`.
    pub fn light(&mut self, gain: f32, offset: f32) {
        self.0.iter_mut().for_each(|v| *v = *v * gain + offset);
    }
    /// Noise of a sensor, deviation in grey levels.
    pub fn noise(&mut self, dice: &mut Dice, deviation: f32) {
        self.0.iter_mut().for_each(|v| *v += dice.normal() * deviation);
    }
    /// Coarse noise of a codec: blocks of 4 × 4 cells, of which a share is off by about that much.
    pub fn blocks(&mut self, dice: &mut Dice, share: f32, deviation: f32) {
        for block in 0..(W / 4) * (H / 4) {
            if dice.unit() < share {
                let (x, y, off) = (block % (W / 4) * 4, block / (W / 4) * 4, dice.normal() * deviation);
                (0..16).for_each(|k| self.0[(y + k / 4) * W + x + k % 4] += off);
            }
        }
    }
    /// Streaks of rain, one cell wide, somewhere else in every picture.
    pub fn rain(&mut self, dice: &mut Dice, streaks: usize, brighter: f32) {
        for _ in 0..streaks {
            let (x, y, long) = (dice.below(W), dice.below(H - 8), 3 + dice.below(5));
            (y..y + long).for_each(|row| self.0[row * W + x] += brighter * (0.6 + 0.8 * dice.unit()));
        }
    }
    /// The crown of a tree: every leaf swings by itself around its place.
    pub fn tree(&mut self, seed: u64, picture: u64, middle: (f32, f32), wind: f32) {
        let mut leaves = Dice::of(seed, 7);
        for _ in 0..60 {
            let (x, y) = (middle.0 + leaves.normal() * 8.0, middle.1 + leaves.normal() * 6.0);
            let (pace, phase, tone) = (0.6 + leaves.unit(), leaves.unit() * 6.3, 18.0 * leaves.normal());
            let swing = (picture as f32 * pace * 0.9 + phase).sin() * wind;
            self.thing((x + swing, y + swing * 0.3), (1.2, 1.2), tone);
        }
    }
    pub fn bytes(&self) -> Vec<u8> {
        self.0.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect()
    }
}

/// A yard in which nothing happens.
pub fn quiet(i: u64) -> Sheet {
    let mut sheet = Sheet::yard(1);
    sheet.noise(&mut Dice::of(2, i), 0.8);
    sheet
}

/// What an infrared picture looks like behind a codec: strong noise, and blocks that come with every key frame.
pub fn night(i: u64) -> Sheet {
    let mut sheet = Sheet::yard(1);
    sheet.light(0.6, 0.0);
    let mut dice = Dice::of(3, i);
    sheet.noise(&mut dice, 3.0);
    sheet.blocks(&mut dice, if i.is_multiple_of(10) { 0.5 } else { 0.05 }, 3.0);
    sheet
}

/// The yard in the rain.
pub fn wet(i: u64) -> Sheet {
    let mut sheet = Sheet::yard(1);
    let mut dice = Dice::of(4, i);
    sheet.noise(&mut dice, 1.0);
    sheet.rain(&mut dice, 60, 22.0);
    sheet
}

/// The yard at night, with insects before the lamp.
pub fn swarm(i: u64) -> Sheet {
    let mut sheet = night(i);
    // Each is there in two pictures, somewhere else and far from there.
    for k in 0..3 {
        let mut dice = Dice::of(50 + k, (i + k) / 2);
        if dice.unit() < 0.5 {
            let jump = if (i + k).is_multiple_of(2) { 0.0 } else { 25.0 };
            let place = (10.0 + 110.0 * dice.unit() + jump, 10.0 + 70.0 * dice.unit());
            sheet.thing(place, (3.0 + 3.0 * dice.unit(), 2.0), 90.0);
        }
    }
    sheet
}

/// The yard with a tree in the wind.
pub fn windy(i: u64) -> Sheet {
    let mut sheet = Sheet::yard(1);
    sheet.tree(9, i, (110.0, 30.0), 1.5);
    sheet.noise(&mut Dice::of(2, i), 0.8);
    sheet
}
