//! The motion gate of one camera: a decoded frame to a small grey picture to moving regions.

use super::picture::Scaler;
use crate::{
    domain::{
        frame::Frame,
        geometry::{NormBox, Polygon},
    },
    logic::motion::{Motion, MotionConfig},
};

/// Cells of the small picture, about: 160 × 90 for a wide one.
const CELLS: f64 = 14_400.0;

/// Cells across and down for a picture of that size, near its proportions.
fn cells(width: u32, height: u32) -> (u32, u32) {
    let across = (CELLS * f64::from(width) / f64::from(height.max(1))).sqrt().round().max(8.0);
    let down = (CELLS / across).round().max(8.0);
    ((across as u32).min(width.max(1)), (down as u32).min(height.max(1)))
}

/// The gate; a change of the picture's size starts it anew.
#[derive(Debug, Default)]
pub struct Gate {
    of: (u32, u32),
    motion: Option<Motion>,
    /// Where nothing is taken for motion.
    masks: Vec<Polygon>,
}

impl Gate {
    /// A gate that has seen nothing and never looks into these areas.
    #[must_use]
    pub fn masked(masks: Vec<Polygon>) -> Self {
        Self { masks, ..Self::default() }
    }
    /// Begins anew, with the same masks.
    pub fn forget(&mut self) {
        self.motion = None;
    }
    /// The regions of the frame that move.
    pub fn look(&mut self, frame: &Frame, scaler: &mut Scaler) -> Vec<NormBox> {
        let from = (frame.width, frame.height);
        let to = cells(frame.width, frame.height);
        if self.of != from {
            (self.of, self.motion) = (from, None);
        }
        let (across, down, masks) = (to.0 as usize, to.1 as usize, &self.masks);
        let motion = self.motion.get_or_insert_with(|| Motion::new(MotionConfig::default(), across, down, masks));
        motion.step(&scaler.averaged(frame.luma(), from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::CameraId, time::MediaTime};

    #[test]
    fn the_small_picture_keeps_the_proportions() {
        assert_eq!(cells(768, 432), (160, 90));
        assert_eq!(cells(1920, 1080), (160, 90));
        assert_eq!(cells(432, 768), (90, 160));
        assert_eq!(cells(704, 576), (133, 108));
        assert_eq!(cells(4, 4), (4, 4));
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
