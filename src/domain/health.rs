//! Whether a camera's picture can be used, and what is wrong with it.

use serde::{Deserialize, Serialize};

use super::{ids::CameraId, time::MediaTime};

/// What is wrong with a picture. In this order: of several the first is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureFault {
    /// Too dark to see anything.
    Black,
    /// Half of it or more is saturated.
    Overexposed,
    /// Something near by hides the scene: its edges are gone.
    Covered,
    /// It stands though packets come.
    Frozen,
    /// The camera looks somewhere else than it used to.
    Moved,
    /// Out of focus, or the glass is dirty.
    Defocused,
}

impl PictureFault {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Black, Self::Overexposed, Self::Covered, Self::Frozen, Self::Moved, Self::Defocused];
    /// Its name, as stored and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Overexposed => "overexposed",
            Self::Covered => "covered",
            Self::Frozen => "frozen",
            Self::Moved => "moved",
            Self::Defocused => "defocused",
        }
    }
    /// The fault with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// By which light a picture is taken; a camera looks different in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// In colour and bright.
    Day,
    /// In colour and dark.
    Dusk,
    /// Without colour: by the camera's own infra-red light, or a camera that knows no colour.
    Infrared,
}

impl Light {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Dusk, Self::Infrared];
    /// Its name, as stored and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Dusk => "dusk",
            Self::Infrared => "infrared",
        }
    }
    /// The light with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|light| light.name() == name)
    }
}

/// The numbers a verdict stands on. Shares are 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// By which light.
    pub light: Light,
    /// Mean luma, 0..=255.
    pub mean: f32,
    /// Luma that a hundredth of the picture is above.
    pub high: f32,
    /// Share that is saturated.
    pub saturated: f32,
    /// Mean difference of a cell to its neighbours, grey levels.
    pub edges: f32,
    /// Parts of the picture that have edges in the reference; the shares below are of them. Fewer than six say nothing.
    pub parts: u32,
    /// Share whose edges are where they were.
    pub matching: f32,
    /// Share whose edges are gone.
    pub vanished: f32,
    /// Share that has lost its sharpness, and still matches or is faint.
    pub blurred: f32,
    /// For how long nothing has changed, microseconds.
    pub still_us: i64,
    /// How far the scene has moved in the picture, to the right and down, if that can be told; hundredths of its width
    /// and height.
    pub shift: Option<(i8, i8)>,
}

impl Measured {
    /// Whether all numbers are such as can be measured.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let levels = [self.mean, self.high, self.edges].iter().all(|v| (0.0..=1024.0).contains(v));
        let shares = [self.saturated, self.matching, self.vanished, self.blurred];
        levels && shares.iter().all(|v| (0.0..=1.0).contains(v)) && self.parts <= 1024 && self.still_us >= 0
    }
}

/// The word on a camera's picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PictureHealth {
    /// Whose.
    pub camera: CameraId,
    /// Of the picture looked at last.
    pub time: MediaTime,
    /// `None`: it can be used.
    pub fault: Option<PictureFault>,
    /// Since when that is so, in media time; of a fault, since its first sign.
    pub since: MediaTime,
    /// What was measured.
    pub measured: Measured,
}

/// How a camera's picture usually looks by one light.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// By which light.
    pub light: Light,
    /// Pictures it was learned from.
    pub pictures: u32,
    /// Newest picture in it.
    pub time: MediaTime,
    /// Cells across and down.
    pub size: (u16, u16),
    /// Luma of the cells, row by row.
    pub luma: Vec<u8>,
    /// Fineness of the parts of the picture: mean squared difference of neighbouring pixels, grey levels squared.
    pub fine: Vec<f32>,
}

/// The most cells of a reference.
pub const REFERENCE_CELLS_MAX: usize = 32_768;

impl Reference {
    /// Whether it is such as can be learned.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let cells = usize::from(self.size.0) * usize::from(self.size.1);
        let fine = self.fine.len() <= 1024 && self.fine.iter().all(|v| (0.0..=65_025.0).contains(v));
        cells > 0 && cells <= REFERENCE_CELLS_MAX && self.luma.len() == cells && fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_and_light_is_found_by_its_name_and_written_by_it() {
        for fault in PictureFault::ALL {
            assert_eq!(PictureFault::from_name(fault.name()), Some(fault));
        }
        for (place, light) in Light::ALL.into_iter().enumerate() {
            assert_eq!(Light::from_name(light.name()), Some(light));
            assert_eq!(light as usize, place, "what is learned lies by this number");
        }
        assert_eq!((PictureFault::from_name("good"), Light::from_name("")), (None, None));
    }
}
