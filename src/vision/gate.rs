//! The motion gate of one camera: a decoded frame to a small grey picture to moving regions.

use super::picture::Scaler;
use crate::{
    domain::{
        frame::Frame,
        geometry::{NormBox, Polygon},
        time::MediaTime,
    },
    logic::gate::{Motion, MotionConfig, Small},
};

/// Cells of the small picture, about: 160 × 90 for a wide one, and 240 × 135 where the frame has the pixels for it. A
/// rider far away is two by three of the finer ones.
const CELLS: f64 = 14_400.0;
const CELLS_FINE: f64 = 32_400.0;
/// Pixels from which on a frame is looked at finely.
const FINE_PIXELS: u64 = 200_000;
/// One pixel of so many of a chroma plane is asked whether there is colour: a sample tells as much as all of them.
const CHROMA_STRIDE: usize = 37;
/// Still things are looked for so often: they do not run away.
const STILL_US: i64 = 1_000_000;

/// Cells across and down for a picture of that size, near its proportions.
fn cells(width: u32, height: u32) -> (u32, u32) {
    let fine = u64::from(width) * u64::from(height) >= FINE_PIXELS;
    let cells = if fine { CELLS_FINE } else { CELLS };
    let across = (cells * f64::from(width) / f64::from(height.max(1))).sqrt().round().max(8.0);
    let down = (cells / across).round().max(8.0);
    ((across as u32).min(width.max(1)), (down as u32).min(height.max(1)))
}

/// Median distance of the chroma from grey, 0..=128: one red bus in a grey street is no colour of the street.
fn colour(frame: &Frame) -> f32 {
    let (u, v) = frame.chroma();
    let mut bins = [0u32; 129];
    for (u, v) in u.iter().step_by(CHROMA_STRIDE).zip(v.iter().step_by(CHROMA_STRIDE)) {
        bins[usize::from(u.abs_diff(128).max(v.abs_diff(128)))] += 1;
    }
    let half = bins.iter().sum::<u32>().div_ceil(2);
    let mut below = 0;
    let median = bins.iter().position(|n| {
        below += n;
        below >= half
    });
    median.unwrap_or(0) as f32
}

/// The gate; a change of the picture's size starts it anew.
#[derive(Debug, Default)]
pub struct Gate {
    of: (u32, u32),
    motion: Option<Motion>,
    /// Of the key frames alone.
    keys: Option<Motion>,
    /// Where nothing is taken for motion.
    masks: Vec<Polygon>,
    /// When still things were looked for last.
    still_at: Option<MediaTime>,
}

impl Gate {
    /// A gate that has seen nothing and never looks into these areas.
    #[must_use]
    pub fn masked(masks: Vec<Polygon>) -> Self {
        Self { masks, ..Self::default() }
    }
    /// Begins anew, with the same masks.
    pub fn forget(&mut self) {
        (self.motion, self.keys) = (None, None);
    }
    /// The regions of the frame that move.
    pub fn look(&mut self, frame: &Frame, scaler: &mut Scaler) -> Vec<NormBox> {
        let luma = self.small(frame, scaler);
        let small = Small { time: frame.time, luma: &luma, colour: Some(colour(frame)) };
        self.motion.as_mut().map(|motion| motion.step(&small)).unwrap_or_default()
    }
    /// Whether a key frame, compared with the key frames before it, shows that the frames between should be looked at.
    pub fn key_stirs(&mut self, frame: &Frame, scaler: &mut Scaler) -> bool {
        let luma = self.small(frame, scaler);
        let small = Small { time: frame.time, luma: &luma, colour: Some(colour(frame)) };
        let (Some(usual), Some(keys)) = (&self.motion, &mut self.keys) else { return true };
        keys.stirs_beside(&small, usual)
    }
    /// The frame's small picture; what is known of pictures of another size is forgotten.
    fn small(&mut self, frame: &Frame, scaler: &mut Scaler) -> Vec<u8> {
        let from = (frame.width, frame.height);
        let to = cells(frame.width, frame.height);
        if self.of != from {
            self.of = from;
            self.forget();
        }
        let (across, down, masks) = (to.0 as usize, to.1 as usize, &self.masks);
        for motion in [&mut self.motion, &mut self.keys] {
            motion.get_or_insert_with(|| Motion::new(MotionConfig::default(), across, down, masks));
        }
        scaler.averaged(frame.luma(), from, to)
    }
    /// Things that came to rest and hide the ground behind them; `None` when that was looked at a moment ago.
    pub fn still(&mut self, time: MediaTime) -> Option<Vec<NormBox>> {
        let motion = self.motion.as_ref()?;
        let due = self.still_at.is_none_or(|last| !(0..STILL_US).contains(&time.since(last)));
        due.then(|| {
            self.still_at = Some(time);
            motion.still()
        })
    }
    /// Objects were found in these boxes: see [`Motion::pardon`].
    pub fn pardon(&mut self, boxes: &[NormBox]) {
        if let Some(motion) = &mut self.motion {
            motion.pardon(boxes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CameraId;

    #[test]
    fn the_small_picture_keeps_the_proportions() {
        assert_eq!(cells(320, 180), (160, 90));
        assert_eq!(cells(640, 360), (240, 135));
        assert_eq!(cells(1920, 1080), (240, 135));
        assert_eq!(cells(432, 768), (135, 240));
        assert_eq!(cells(704, 576), (199, 163));
        assert_eq!(cells(352, 288), (133, 108));
        assert_eq!(cells(4, 4), (4, 4));
    }

    #[test]
    fn a_red_thing_in_a_grey_picture_is_no_colour_and_a_coloured_picture_is() {
        let with_red = |share: usize| {
            let (width, height) = (320u32, 180u32);
            let mut data = vec![128u8; Frame::size_bytes(width, height)];
            let luma = (width * height) as usize;
            let quarter = luma / 4;
            for plane in [luma, luma + quarter] {
                data[plane..plane + quarter * share / 100].fill(220);
            }
            colour(&Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: data.into() })
        };
        assert_eq!((with_red(0), with_red(40)), (0.0, 0.0));
        assert_eq!(with_red(60), 92.0);
    }

    #[test]
    fn another_picture_size_starts_anew() {
        let frame = |width, height, level| {
            let data = vec![level; Frame::size_bytes(width, height)];
            Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: data.into() }
        };
        let (mut gate, mut scaler) = (Gate::default(), Scaler::default());
        assert!(gate.look(&frame(320, 180, 40), &mut scaler).is_empty());
        assert!(gate.look(&frame(352, 288, 200), &mut scaler).is_empty());
    }
}
