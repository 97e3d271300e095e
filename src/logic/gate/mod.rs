//! The motion gate at the level of pictures: does anything move in a small grey picture, and where.
//!
//! [`cells`] compare a picture with the background of its camera in the [`light`] of the moment, [`blobs`] are what
//! differs and hangs together, [`movers`] tell from several pictures which of them are something. A switched light and
//! an infrared filter begin a new scene and are no motion; what has stopped becomes background, and so does at
//! once what a thing that had stopped uncovers by leaving ([`ghosts`]); places that change
//! without anything going past are known after a while and count only when they change more than usual.
//!
//! Plain and deterministic: the result depends on the pictures and times given, in their order, and on nothing else;
//! moving all times moves nothing. A picture in which nothing changes allocates nothing.

pub mod blobs;
pub mod cells;
pub mod ghosts;
pub mod light;
pub mod movers;

use self::{
    blobs::{Blobs, CellBox, around, grown, merge},
    cells::{Cells, Thresholds},
    light::Light,
    movers::{Movers, Taken},
};
use crate::domain::{
    geometry::{NormBox, Point, Polygon},
    time::MediaTime,
    track::STILL_MAX,
};

/// The most boxes one picture yields; with more, one box around all of them is given.
pub const BOXES_MAX: usize = 32;

/// Pictures further apart than this, seconds, are of another scene: whatever came meanwhile is there, not moving.
const ANOTHER_SCENE_S: f32 = 30.0;
/// Bounds of the time between two pictures, seconds.
const STEP_S: (f32, f32) = (0.01, 4.0);
/// Pictures further apart than this, seconds, do not tell what stays from what passes.
const SELDOM_S: f32 = 0.7;
/// Below this distance of the chroma from grey (of 128) a picture has no colour; above the other it has. Between
/// them it stays what it was, so that a foggy evening does not switch to and fro.
const GREY_BELOW: f32 = 1.2;
const COLOUR_ABOVE: f32 = 2.5;
/// So long after an infrared filter has moved the exposure is still being found, seconds: everything is learned anew.
const SETTLE_S: f32 = 1.5;

/// What counts as motion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionConfig {
    /// Grey levels (of 255) a cell must differ from the background at least.
    pub threshold: f32,
    /// … and this many times its usual noise (mean absolute difference).
    pub noise_factor: f32,
    /// Share of that, 0..=1, which is enough for a cell beside one that differs so much.
    pub weak: f32,
    /// Cells a moving region has at least.
    pub cells_min: usize,
    /// Share of the picture, 0..=1, that must change at once to be taken for a light switch.
    pub switch_share: f32,
}

impl Default for MotionConfig {
    fn default() -> Self {
        Self { threshold: 8.0, noise_factor: 5.0, weak: 0.6, cells_min: 3, switch_share: 0.6 }
    }
}

/// A small picture.
#[derive(Debug, Clone, Copy)]
pub struct Small<'a> {
    /// When it was taken.
    pub time: MediaTime,
    /// Grey bytes, row by row.
    pub luma: &'a [u8],
    /// Median distance of its chroma from grey, 0..=128; `None` where nothing is known about it.
    pub colour: Option<f32>,
}

/// The gate of one camera.
#[derive(Debug, Clone)]
pub struct Motion {
    config: MotionConfig,
    width: usize,
    height: usize,
    watched: usize,
    cells: Cells,
    blobs: Blobs,
    movers: Movers,
    last: Option<MediaTime>,
    /// Whether the pictures have no colour; unknown until one was clearly the one or the other.
    grey: Option<bool>,
    settle_s: f32,
    stirs: bool,
}

impl Motion {
    /// A gate that has seen nothing, for pictures of `width * height` cells; cells whose middle lies in one of `masks`
    /// are never looked at.
    #[must_use]
    pub fn new(config: MotionConfig, width: usize, height: usize, masks: &[Polygon]) -> Self {
        let watched: Vec<u8> = (0..width * height)
            .map(|i| {
                let middle = Point {
                    x: ((i % width) as f32 + 0.5) / width as f32,
                    y: ((i / width) as f32 + 0.5) / height as f32,
                };
                u8::from(!masks.iter().any(|m| m.contains(middle)))
            })
            .collect();
        Self {
            config,
            width,
            height,
            watched: watched.iter().filter(|w| **w != 0).count(),
            cells: Cells::new(&watched),
            blobs: Blobs::default(),
            movers: Movers::default(),
            last: None,
            grey: None,
            settle_s: 0.0,
            stirs: false,
        }
    }
    /// Looks at the next picture and says which regions move. A picture of another size is ignored.
    pub fn step(&mut self, picture: &Small<'_>) -> Vec<NormBox> {
        self.stirs = false;
        if picture.luma.len() != self.cells.count() || picture.luma.is_empty() {
            return Vec::new();
        }
        let since_s = self.last.replace(picture.time).map(|last| picture.time.since(last) as f32 / 1e6);
        let Some(dt_s) = since_s.filter(|s| (0.0..ANOTHER_SCENE_S).contains(s)) else {
            self.filter_moved(picture.colour);
            self.begin_anew(picture.luma);
            return Vec::new();
        };
        let dt_s = dt_s.clamp(STEP_S.0, STEP_S.1);
        self.settle_s = (self.settle_s - dt_s).max(0.0);
        if self.filter_moved(picture.colour) {
            self.settle_s = SETTLE_S;
        }
        if self.settle_s > 0.0 {
            self.begin_anew(picture.luma);
            return Vec::new();
        }
        let light = Light::of(picture.luma, &self.cells);
        let over = self.thresholds();
        let far = self.cells.judge(picture.luma, &light, &over);
        if far as f32 > self.config.switch_share * self.watched as f32 {
            self.begin_anew(picture.luma);
            return Vec::new();
        }
        let (level, difference) = (&mut self.cells.level[..picture.luma.len()], &self.cells.difference);
        self.blobs.find(level, difference, self.width, self.config.cells_min);
        self.blobs.count_known(|cell| self.cells.is_known(cell));
        let taken = Taken { dt_s, grey: self.grey == Some(true), width: self.width, height: self.height };
        self.movers.step(self.blobs.all(), taken);
        self.cells.learn(picture.luma, &over, dt_s);
        ghosts::lay(&mut self.cells, &self.blobs, picture.luma, self.width);
        self.know_places(dt_s);
        self.regions()
    }
    /// Looks at one of few pictures, such as the key frames of a stream: whether something in it may be motion, so that
    /// the pictures between should be looked at too. Few pictures do not show which places change all the time: that is
    /// known by `usual`, which sees the others.
    pub fn stirs_beside(&mut self, picture: &Small<'_>, usual: &Self) -> bool {
        self.cells.take_usual(&usual.cells);
        self.movers.take_residues(&usual.movers);
        !self.step(picture).is_empty() || self.stirs
    }
    /// Something real was seen in these boxes: what goes on there is not to be taken for the waving of leaves.
    pub fn pardon(&mut self, boxes: &[NormBox]) {
        let (w, h) = (self.width as f32, self.height as f32);
        for [x0, y0, x1, y1] in boxes.iter().map(|b| b.corners()) {
            let right = ((x1 * w).ceil() as usize).min(self.width);
            for y in (y0 * h) as usize..((y1 * h).ceil() as usize).min(self.height) {
                (y * self.width + (x0 * w) as usize..y * self.width + right).for_each(|i| self.cells.pardon(i));
            }
        }
    }
    /// Things that came to rest and hide the ground behind them, since the scene began.
    #[must_use]
    pub fn still(&self) -> Vec<NormBox> {
        let strong = self.config.threshold * 1.5;
        let weak = self.config.threshold * self.config.weak;
        let hides: Vec<f32> = (0..self.cells.count()).map(|cell| self.cells.hides(cell)).collect();
        let mut level: Vec<u8> = hides.iter().map(|h| u8::from(*h > weak) + u8::from(*h > strong)).collect();
        let mut blobs = Blobs::default();
        blobs.find(&mut level, &hides, self.width, self.config.cells_min);
        let (w, h) = (self.width as f32, self.height as f32);
        let boxes = blobs.all().iter().map(|b| b.bounds.map(|at| at as f32));
        let boxes = boxes.filter_map(|[x0, y0, x1, y1]| NormBox::new(x0 / w, y0 / h, x1 / w, y1 / h));
        boxes.take(STILL_MAX).collect()
    }
    const fn thresholds(&self) -> Thresholds {
        let MotionConfig { threshold, noise_factor, weak, .. } = self.config;
        Thresholds { levels: threshold, noise_factor, weak }
    }
    fn begin_anew(&mut self, luma: &[u8]) {
        self.cells.learn_anew(luma);
        self.movers.clear();
    }
    /// Whether the infrared filter has moved: colour went or came.
    fn filter_moved(&mut self, colour: Option<f32>) -> bool {
        let now = match colour {
            Some(c) if c < GREY_BELOW => Some(true),
            Some(c) if c > COLOUR_ABOVE => Some(false),
            _ => self.grey,
        };
        let before = std::mem::replace(&mut self.grey, now);
        before.is_some() && before != now
    }
    /// Cells of blobs that get nowhere do what they always do; where something goes past, they do not.
    fn know_places(&mut self, dt_s: f32) {
        // Where pictures come seldom, nothing is seen to travel.
        if dt_s > SELDOM_S {
            return;
        }
        for (blob, said) in self.blobs.all().iter().zip(self.movers.said()) {
            self.cells.unrest(self.blobs.cells(blob), said.travels, dt_s);
        }
    }
    fn regions(&mut self) -> Vec<NormBox> {
        let said = self.movers.said();
        self.stirs = said.iter().any(|s| s.stirs);
        let counting = self.blobs.all().iter().zip(said).filter(|(_, said)| said.counts);
        let boxes = counting.map(|(blob, _)| grown(blob.bounds, 1, self.width, self.height));
        boxed(boxes.collect(), self.width, self.height)
    }
}

/// Boxes of cells as boxes of the picture; those that meet are one.
fn boxed(mut boxes: Vec<CellBox>, width: usize, height: usize) -> Vec<NormBox> {
    merge(&mut boxes);
    if boxes.len() > BOXES_MAX {
        boxes = boxes.into_iter().reduce(around).into_iter().collect();
    }
    let (w, h) = (width as f32, height as f32);
    let all = boxes.into_iter();
    all.filter_map(|[x0, y0, x1, y1]| NormBox::new(x0 as f32 / w, y0 as f32 / h, x1 as f32 / w, y1 as f32 / h))
        .collect()
}

#[cfg(test)]
mod tests;
