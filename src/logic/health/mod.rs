//! Whether a camera's picture can be used: black, saturated, covered, frozen, moved or out of focus.
//!
//! In: small pictures ([`lens`]), at most one a second, and their times. Out: a word when something has held for long
//! enough ([`hold`]). What a camera usually shows is learned, apart for each light: a camera that switches to infra-red
//! shows another picture and is no worse for it. A picture is held against its reference part by part ([`scene`]).
//!
//! It says nothing of a camera it has not seen for ten seconds, and nothing that needs a reference before it has one: a
//! camera that is out of focus or askew from its first day is taken as it is.

use crate::domain::{
    geometry::{Point, Polygon},
    health::{Light, Measured, PictureFault, Reference},
    time::MediaTime,
};

pub mod hold;
pub mod lens;
mod scene;

use hold::Hold;
use lens::Small;
use scene::{Edges, Votes, fineness, votes};

/// Luma that nothing in a black picture is above; black is 16 (BT.601 limited range).
const BLACK_HIGH: f32 = 40.0;
/// Luma from which a cell is saturated; white is 235.
const SATURATED: u8 = 230;
/// Share of saturated cells with which a picture is over-exposed.
const OVEREXPOSED: f32 = 0.5;
/// Mean gradient of a picture without edges, grey levels; sensor noise alone gives about half.
const EDGES_NIL: f32 = 0.6;
/// Parts that must have edges in the reference for them to decide anything.
const PARTS_MIN: u32 = 6;
/// Share of the parts whose edges must be gone: covered.
const COVERED: f32 = 0.8;
/// Share of the parts that still match at most: moved. By chance about a tenth does.
const MOVED: f32 = 0.25;
/// Share of the parts that must have lost their sharpness: out of focus. A lorry close by takes two thirds.
const DEFOCUSED: f32 = 0.75;
/// Colour (as in [`Small`]) below which a picture has none, and above which it has some again.
const GREY: (f32, f32) = (0.01, 0.1);
/// Mean luma below which a picture is dark, and above which it is bright again.
const DARK: (f32, f32) = (50.0, 65.0);
/// A jump of the mean luma that is a light switch, grey levels.
const SWITCH: f32 = 15.0;
/// Pictures a reference is learned from before it counts.
const LEARNED_MIN: u32 = 30;
/// How much of the picture that is judged is the newest one: noise weighs a fifth of what it does in one, and what
/// passes by leaves after some seconds.
const SMOOTH: f32 = 0.3;
/// How fast a reference follows afterwards, microseconds: dawn and moving shadows, not a hand.
const FOLLOW_US: f32 = 600_000_000.0;
/// A pause after which nothing that seemed to be counts any more, microseconds.
const PAUSE_US: i64 = 30_000_000;
/// How long a picture must have stood to be frozen, microseconds.
const FROZEN_US: i64 = 60_000_000;
/// Strips above and below in which clocks and names are drawn: they tick in a frozen picture too.
const OVERLAY: f32 = 0.13;
/// Grey levels a cell of a standing picture may differ from its first one: what coding the same anew does.
const STILL_LEVELS: u8 = 2;
/// Share of the cells that may differ by more.
const STILL_CELLS: f32 = 0.001;
/// Share of the pixels that are bit for bit those before, in a picture nothing was coded into.
const SAME: f32 = 0.995;
/// Share of the pictures of which that must be so: the others are key frames, coded anew. A scene in which nothing moves
/// has sensor noise in each.
const SAME_PICTURES: f32 = 0.6;
/// So many pictures one after the other that differ from the one before are no key frames.
const UNLIKE_MAX: u32 = 5;

/// What is said of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// `None`: it can be used.
    pub fault: Option<PictureFault>,
    /// Since when.
    pub since: MediaTime,
    /// Whether this is said for the first time.
    pub changed: bool,
    /// What was measured.
    pub measured: Measured,
}

/// What is learned of one light.
#[derive(Debug, Clone)]
struct Learned {
    pictures: u32,
    time: MediaTime,
    size: (usize, usize),
    luma: Vec<f32>,
    fine: Vec<f32>,
}

impl Learned {
    fn bytes(&self) -> Vec<u8> {
        self.luma.iter().map(|l| l.round().clamp(0.0, 255.0) as u8).collect()
    }
}

/// Since when the picture stands.
#[derive(Debug, Clone)]
struct Rest {
    luma: Vec<u8>,
    since: MediaTime,
    pictures: u32,
    same: u32,
    /// Pictures since the last one that was the same.
    unlike: u32,
}

/// The judge of one camera's picture.
#[derive(Debug, Clone, Default)]
pub struct Health {
    privacy: Vec<Polygon>,
    watched: Vec<bool>,
    size: (usize, usize),
    light: Option<Light>,
    mean: Option<f32>,
    /// The cells' luma, smoothed over some seconds.
    smooth: Vec<f32>,
    last: Option<MediaTime>,
    rest: Option<Rest>,
    learned: [Option<Learned>; 3],
    hold: Hold,
    /// How far the scene had moved when that was said.
    shift: Option<(i8, i8)>,
}

impl Health {
    /// A judge that has seen nothing; what lies under a privacy mask is not looked at.
    #[must_use]
    pub fn new(privacy: Vec<Polygon>) -> Self {
        Self { privacy, ..Self::default() }
    }
    /// The same with other masks: what was learned stays, but for what was hidden and is not any more.
    pub fn set_masks(&mut self, privacy: Vec<Polygon>) {
        if privacy != self.privacy {
            // What is black in the reference would be an edge that has vanished.
            *self = Self::new(privacy);
        }
    }
    /// Takes over what was learned before.
    pub fn remember(&mut self, reference: &Reference) {
        if reference.is_sound() && reference.fine.len() == scene::PARTS.0 * scene::PARTS.1 {
            let size = (usize::from(reference.size.0), usize::from(reference.size.1));
            let luma = reference.luma.iter().map(|l| f32::from(*l)).collect();
            let (pictures, time, fine) = (reference.pictures, reference.time, reference.fine.clone());
            self.learned[reference.light as usize] = Some(Learned { pictures, time, size, luma, fine });
        }
    }
    /// What is learned of a light, once it counts.
    #[must_use]
    pub fn reference(&self, light: Light) -> Option<Reference> {
        let learned = self.learned[light as usize].as_ref().filter(|l| l.pictures >= LEARNED_MIN)?;
        let size = (u16::try_from(learned.size.0).ok()?, u16::try_from(learned.size.1).ok()?);
        let (pictures, time, luma, fine) = (learned.pictures, learned.time, learned.bytes(), learned.fine.clone());
        Some(Reference { light, pictures, time, size, luma, fine })
    }
    /// The next picture; `None` as long as nothing can be said, and for one out of order.
    pub fn step(&mut self, small: &Small, time: MediaTime) -> Option<Verdict> {
        if self.size != small.size {
            (self.size, self.rest, self.last) = (small.size, None, None);
            self.smooth.clear();
            self.watched = watched(small.size, &self.privacy);
            self.learned.iter_mut().for_each(|l| *l = l.take().filter(|l| l.size == small.size));
        }
        let since = self.last.map_or(PAUSE_US, |last| time.since(last));
        if since <= 0 && since > -PAUSE_US {
            return None;
        }
        if !(0..PAUSE_US).contains(&since) {
            // What was said before is not known any more.
            (self.rest, self.hold) = (None, Hold::default());
            self.smooth.clear();
        }
        self.last = Some(time);
        let mean = self.mean_of(small);
        let light = self.light_of(small.colour, mean);
        let switched = self.mean.replace(mean).is_some_and(|before| (before - mean).abs() > SWITCH);
        if self.light.replace(light).is_some_and(|before| before != light) || switched {
            self.hold.begin_anew();
            self.smooth.clear();
        }
        self.smooth_with(small);
        let edges = Edges::of(&self.smooth, self.size, &self.watched);
        let fine = fineness(&small.fine, self.size, &self.watched);
        let still_us = self.stand(small, time);
        let mut measured = self.measure(small, &edges, &fine, light, still_us);
        let seems = self.seems(&measured);
        let changed = self.hold.step(seems, time);
        let (fault, said_since) = self.hold.said?;
        if changed {
            // Looked for once: it costs a hundred times what all the rest does.
            self.shift = if fault == Some(PictureFault::Moved) { self.shift_of(&edges, light) } else { None };
        }
        measured.shift = self.shift;
        // Not in the moments after a switch, in which a camera still finds its exposure.
        if fault.is_none() && seems.is_none() && !switched && self.watched.contains(&true) {
            self.learn(light, small, &fine, time, since);
        }
        Some(Verdict { fault, since: said_since, changed, measured })
    }
    /// Nothing is learned any more of what the camera showed; how it looks now is right.
    pub fn accept(&mut self) {
        *self = Self::new(std::mem::take(&mut self.privacy));
    }
    fn mean_of(&self, small: &Small) -> f32 {
        let watched = small.luma.iter().zip(&self.watched).filter(|(_, watched)| **watched);
        let (sum, count) = watched.fold((0u32, 0u32), |(sum, n), (luma, _)| (sum + u32::from(*luma), n + 1));
        sum as f32 / count.max(1) as f32
    }
    fn smooth_with(&mut self, small: &Small) {
        let now = small.luma.iter().map(|luma| f32::from(*luma));
        if self.smooth.len() == small.luma.len() {
            self.smooth.iter_mut().zip(now).for_each(|(smooth, now)| *smooth += SMOOTH * (now - *smooth));
        } else {
            self.smooth = now.collect();
        }
    }
    fn light_of(&self, colour: f32, mean: f32) -> Light {
        let grey = if self.light == Some(Light::Infrared) { colour < GREY.1 } else { colour < GREY.0 };
        let dark = if self.light == Some(Light::Dusk) { mean < DARK.1 } else { mean < DARK.0 };
        match (grey, dark) {
            (true, _) => Light::Infrared,
            (false, true) => Light::Dusk,
            (false, false) => Light::Day,
        }
    }
    /// What may be held against: what is learned of this light.
    fn known(&self, light: Light) -> Option<&Learned> {
        self.learned[light as usize].as_ref().filter(|l| l.pictures >= LEARNED_MIN)
    }
    fn measure(&self, small: &Small, edges: &Edges, fine: &[f32], light: Light, still_us: i64) -> Measured {
        let mut levels: Vec<u8> = small.luma.iter().zip(&self.watched).filter(|(_, w)| **w).map(|(l, _)| *l).collect();
        levels.sort_unstable();
        let count = levels.len().max(1);
        let saturated = levels.iter().rev().take_while(|l| **l >= SATURATED).count() as f32 / count as f32;
        let high = levels.get(count * 99 / 100).copied().unwrap_or_default();
        let held_against = |l: &Learned| {
            let usual = Edges::of(&l.luma, self.size, &self.watched);
            votes((edges, fine), (&usual, &l.fine))
        };
        let mut said = self.known(light).map(held_against).unwrap_or_default();
        if said.parts == 0 {
            // Of another light only this can be told: that the edges are gone.
            let others = Light::ALL.into_iter().filter_map(|l| self.known(l)).map(held_against);
            let gone = others.fold(None, |least: Option<Votes>, v| match least {
                Some(l) if l.vanished <= v.vanished => Some(l),
                _ => Some(v),
            });
            said = gone.map_or(said, |v| Votes { matching: 1.0, blurred: 0.0, ..v });
        }
        Measured {
            light,
            mean: edges.mean,
            high: f32::from(high),
            saturated,
            edges: edges.strength(),
            parts: said.parts,
            matching: said.matching,
            vanished: said.vanished,
            blurred: said.blurred,
            still_us,
            shift: None,
        }
    }
    /// What this picture alone seems to be.
    fn seems(&self, m: &Measured) -> Option<PictureFault> {
        if !self.watched.contains(&true) {
            return None;
        }
        let voted = m.parts >= PARTS_MIN;
        if m.high < BLACK_HIGH && m.edges < 2.0 * EDGES_NIL {
            Some(PictureFault::Black)
        } else if m.saturated >= OVEREXPOSED {
            Some(PictureFault::Overexposed)
        } else if m.edges < EDGES_NIL || voted && m.vanished >= COVERED {
            Some(PictureFault::Covered)
        } else if m.still_us >= FROZEN_US {
            Some(PictureFault::Frozen)
        } else if voted && m.matching < MOVED && m.vanished < 0.5 {
            Some(PictureFault::Moved)
        } else if voted && m.blurred >= DEFOCUSED {
            Some(PictureFault::Defocused)
        } else {
            None
        }
    }
    fn shift_of(&self, edges: &Edges, light: Light) -> Option<(i8, i8)> {
        let usual = Edges::of(&self.known(light)?.luma, self.size, &self.watched);
        let (dx, dy) = edges.shift(&usual)?;
        let hundredths = |cells: i32, of: usize| i8::try_from(cells * 100 / of.max(1) as i32).ok();
        Some((hundredths(dx, self.size.0)?, hundredths(dy, self.size.1)?))
    }
    /// For how long the picture has stood.
    fn stand(&mut self, small: &Small, time: MediaTime) -> i64 {
        let (w, h) = self.size;
        let strip = (h as f32 * OVERLAY).ceil() as usize * w;
        let scene = strip..(w * h).saturating_sub(strip);
        let cells = || scene.clone().filter(|i| self.watched[*i]);
        let count = cells().count().max(1) as f32;
        let same = !small.same.is_empty() && cells().map(|i| small.same[i]).sum::<f32>() >= SAME * count;
        if let Some(rest) = &mut self.rest {
            let off = cells().filter(|i| small.luma[*i].abs_diff(rest.luma[*i]) > STILL_LEVELS).count() as f32;
            rest.pictures += 1;
            rest.same += u32::from(same);
            rest.unlike = if same { 0 } else { rest.unlike + 1 };
            let long = time.since(rest.since);
            let noisy = rest.unlike >= UNLIKE_MAX
                || long >= FROZEN_US && (rest.same as f32) < SAME_PICTURES * rest.pictures as f32;
            if off <= STILL_CELLS * count && !noisy {
                return long;
            }
        }
        self.rest = Some(Rest { luma: small.luma.clone(), since: time, pictures: 0, same: 0, unlike: 0 });
        0
    }
    fn learn(&mut self, light: Light, small: &Small, fine: &[f32], time: MediaTime, since: i64) {
        let size = self.size;
        let learned = self.learned[light as usize].get_or_insert_with(|| Learned {
            pictures: 0,
            time,
            size,
            luma: vec![0.0; small.luma.len()],
            fine: vec![0.0; fine.len()],
        });
        learned.pictures = learned.pictures.saturating_add(1);
        learned.time = time;
        // The mean of the first ones, then slowly on.
        let part = (1.0 / learned.pictures.min(LEARNED_MIN) as f32).min(1.0);
        let part = if learned.pictures > LEARNED_MIN { (since as f32 / FOLLOW_US).min(part) } else { part };
        let now = small.luma.iter().map(|l| f32::from(*l));
        learned.luma.iter_mut().zip(now).for_each(|(l, n)| *l += part * (n - *l));
        learned.fine.iter_mut().zip(fine).for_each(|(l, n)| *l += part * (n - *l));
    }
}

fn watched((w, h): (usize, usize), privacy: &[Polygon]) -> Vec<bool> {
    // A mask blackens whole pixels around itself too: a cell counts when all its corners are shown.
    let corner = |x: usize, y: usize| Point { x: x as f32 / w as f32, y: y as f32 / h as f32 };
    let hidden = |p: Point| privacy.iter().any(|mask| mask.contains(p));
    let cell = |i: usize| {
        let (x, y) = (i % w, i / w);
        ![corner(x, y), corner(x + 1, y), corner(x, y + 1), corner(x + 1, y + 1)].into_iter().any(hidden)
    };
    (0..w * h).map(cell).collect()
}

#[cfg(test)]
mod tests;
