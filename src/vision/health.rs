//! The picture's health as a by-product: looks at one frame a second of those that are analysed anyway.

use super::link::Up;
use crate::{
    domain::{
        frame::Frame,
        geometry::Polygon,
        health::{Light, PictureHealth, Reference},
        time::MediaTime,
    },
    logic::health::{Health, lens::Lens},
};

/// Frames nearer to the one before are not looked at, microseconds of media time: at most about one a second.
const LOOK_EVERY_US: i64 = 900_000;
/// What is said is said again after so long: the sign that it is still looked.
const TELL_EVERY_US: i64 = 10_000_000;
/// What was learned is told again after so long, to be kept over a restart.
const KEEP_EVERY_US: i64 = 600_000_000;

/// The judge of one camera's picture, and what was told of it.
#[derive(Debug, Default)]
pub struct Watcher {
    lens: Lens,
    judge: Health,
    looked: Option<MediaTime>,
    told: Option<MediaTime>,
    kept: [Option<MediaTime>; 3],
}

/// Whether so much time has gone by; a clock that was set back begins anew.
fn due(last: Option<MediaTime>, now: MediaTime, every_us: i64) -> bool {
    last.is_none_or(|last| !(0..every_us).contains(&now.since(last)))
}

impl Watcher {
    /// Other privacy masks are in force.
    pub fn set_masks(&mut self, privacy: Vec<Polygon>) {
        self.judge.set_masks(privacy);
    }
    /// How the camera usually looks.
    pub fn remember(&mut self, reference: &Reference) {
        self.kept[reference.light as usize] = Some(reference.time);
        self.judge.remember(reference);
    }
    /// How it looks now is right.
    pub fn accept(&mut self) {
        self.judge.accept();
        (self.told, self.kept) = (None, [None; 3]);
    }
    /// Looks at a frame, masked already, and says what there is to say.
    pub fn look(&mut self, frame: &Frame, say: &mut dyn FnMut(Up)) {
        if !due(self.looked, frame.time, LOOK_EVERY_US) {
            return;
        }
        self.looked = Some(frame.time);
        let (width, height) = (frame.width as usize, frame.height as usize);
        let Some(small) = self.lens.look(frame.luma(), frame.chroma(), width, height) else { return };
        let Some(verdict) = self.judge.step(&small, frame.time) else { return };
        if verdict.changed || due(self.told, frame.time, TELL_EVERY_US) {
            self.told = Some(frame.time);
            let (camera, time) = (frame.camera, frame.time);
            let (fault, since, measured) = (verdict.fault, verdict.since, verdict.measured);
            say(Up::Health(PictureHealth { camera, time, fault, since, measured }));
        }
        for light in Light::ALL {
            if due(self.kept[light as usize], frame.time, KEEP_EVERY_US)
                && let Some(reference) = self.judge.reference(light)
                && self.kept[light as usize] != Some(reference.time)
            {
                self.kept[light as usize] = Some(reference.time);
                say(Up::Reference { camera: frame.camera, reference });
            }
        }
    }
}
