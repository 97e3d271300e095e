//! What vision keeps of the looks of a track, so that nobody need decode its recording again to search for it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    colour::{Colour, Part, PartColours},
    detection::Class,
    ids::{CameraId, TrackId},
};

/// The most bytes of one picture of a track.
pub const CROP_BYTES_MAX: usize = 12 << 10;
/// Wider and higher pictures than this no decoder here gives, pixels.
const SIDE_PX_MAX: u16 = 16_384;

/// The looks of one track, so far or, when it is over, in all. Said before the frame that ends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackLook {
    /// Whose.
    pub camera: CameraId,
    /// Which.
    pub track: TrackId,
    /// How many of its sightings the detector took for what; each class once.
    pub votes: Vec<(Class, u32)>,
    /// Its colours by part; empty where the picture has none.
    pub colours: Vec<PartColours>,
    /// Width and height of its largest sighting in pixels of the analysed stream.
    pub size_px: [u16; 2],
    /// Picture (JPEG) of its largest sighting, at most [`CROP_BYTES_MAX`]; `None` when it is the one said before.
    pub largest: Option<Bytes>,
    /// Picture of its sharpest sighting; `None` when it is the one said before or the same as the largest.
    pub sharpest: Option<Bytes>,
}

impl TrackLook {
    /// Refuses what no sound vision says.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.votes.len() > Class::ALL.len() || self.colours.len() > Part::ALL.len() {
            return Err("a track of more classes or parts than there are");
        }
        let sound = |part: &PartColours| {
            part.shares.len() <= Colour::ALL.len() && part.shares.iter().all(|s| (0.0..=1.0).contains(&s.share))
        };
        if !self.colours.iter().all(sound) {
            return Err("shares of colours out of bounds");
        }
        if self.size_px.iter().any(|px| *px > SIDE_PX_MAX) {
            return Err("a track larger than any picture");
        }
        let jpeg = |bytes: &Bytes| bytes.starts_with(&[0xff, 0xd8]) && bytes.len() <= CROP_BYTES_MAX;
        if [&self.largest, &self.sharpest].into_iter().flatten().all(jpeg) {
            Ok(())
        } else {
            Err("a track's picture that is none or too large")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::colour::ColourShare;

    #[test]
    fn only_what_a_sound_child_says_is_believed() {
        let look = TrackLook {
            camera: CameraId(1),
            track: TrackId(2),
            votes: vec![(Class::Car, 3)],
            colours: vec![PartColours {
                part: Part::Body,
                shares: vec![ColourShare { colour: Colour::Red, share: 0.5 }],
            }],
            size_px: [40, 30],
            largest: Some(Bytes::from_static(b"\xff\xd8jpeg")),
            sharpest: None,
        };
        assert_eq!(look.check(), Ok(()));
        let share = |share| {
            let shares = vec![ColourShare { colour: Colour::Red, share }];
            TrackLook { colours: vec![PartColours { part: Part::Body, shares }], ..look.clone() }
        };
        let mut large = vec![0xff, 0xd8];
        large.resize(CROP_BYTES_MAX + 1, 0);
        for wrong in [
            share(f32::NAN),
            share(1.5),
            TrackLook { votes: vec![(Class::Car, 1); 7], ..look.clone() },
            TrackLook { colours: vec![look.colours[0].clone(); 4], ..look.clone() },
            TrackLook { size_px: [20_000, 2], ..look.clone() },
            TrackLook { sharpest: Some(Bytes::from_static(b"<html>")), ..look.clone() },
            TrackLook { largest: Some(large.into()), ..look.clone() },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
