//! What vision says about one analysed frame: motion, and the objects followed.

use serde::{Deserialize, Serialize};

use super::{
    detection::Class,
    geometry::NormBox,
    ids::{CameraId, TrackId},
    time::MediaTime,
};

/// A followed object at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackPoint {
    /// Which object. Unique within a run of the vision child.
    pub track: TrackId,
    /// The class most of its sightings voted for.
    pub class: Class,
    /// Score of this sighting, 0..=1; of one that is held, that of its latest sightings.
    pub score: f32,
    /// Where it was seen.
    pub rect: NormBox,
    /// Whether it has been seen often enough to be believed.
    pub confirmed: bool,
    /// Whether it was not seen in this frame: it stands where it was last seen, and nothing has moved there since.
    pub held: bool,
    /// How sure it is that this is the object the track began with, 0..=1: less after each time when it could have
    /// been taken for another one.
    pub identity: f32,
}

/// Vision's word on one analysed frame of one camera; sent in time order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameSeen {
    /// Whose.
    pub camera: CameraId,
    /// The frame's time.
    pub time: MediaTime,
    /// Regions that moved.
    pub motion: Vec<NormBox>,
    /// Objects seen in this very frame, or held.
    pub tracks: Vec<TrackPoint>,
    /// Tracks that are over; said once each.
    pub ended: Vec<TrackId>,
    /// Things that came to rest and hide the ground behind them, of a class or of none; `None`: nobody looked for them
    /// in this frame.
    pub still: Option<Vec<NormBox>>,
    /// What extra classifiers say of objects seen in this frame.
    pub labels: Vec<Labelled>,
}

/// The most still things of one frame.
pub const STILL_MAX: usize = 64;
/// The most words of classifiers on one frame, and the most bytes of a name or label in them.
pub const LABELS_MAX: usize = 64;
/// See [`LABELS_MAX`].
pub const LABEL_BYTES_MAX: usize = 80;

/// What an extra classifier says of one picture of a track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labelled {
    /// Whose.
    pub camera: CameraId,
    /// Of which object.
    pub track: TrackId,
    /// Its class.
    pub class: Class,
    /// When the picture was taken.
    pub time: MediaTime,
    /// Where it was.
    pub rect: NormBox,
    /// Which classifier, by its file's name.
    pub model: String,
    /// SHA-256 of that file, hex.
    pub model_sha256: String,
    /// What it says.
    pub label: String,
    /// How sure, 0..=1.
    pub score: f32,
}
