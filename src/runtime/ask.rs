//! Questions one room puts to another through `app`, which alone knows who answers.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::domain::{
    geometry::{NormBox, Polygon},
    ids::CameraId,
    packet::Codec,
    time::MediaTime,
};

/// A picture of a camera at a time.
#[derive(Debug)]
pub struct SnapshotAsk {
    /// Whose.
    pub camera: CameraId,
    /// When; the nearest kept frame is taken.
    pub time: MediaTime,
    /// Boxes to draw on the boxed one.
    pub boxes: Vec<NormBox>,
    /// Where the answer goes; dropped when there is no such frame any more.
    pub reply: oneshot::Sender<Snapshot>,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The time of the frame taken.
    pub time: MediaTime,
    /// JPEG as seen.
    pub plain: Bytes,
    /// JPEG with the boxes drawn.
    pub boxed: Bytes,
}

/// Where questions for snapshots go.
pub type Snapshots = mpsc::Sender<SnapshotAsk>;

/// A key frame to be decoded to a picture.
#[derive(Debug)]
pub struct StillAsk {
    /// How it is coded.
    pub codec: Codec,
    /// AVC or HEVC decoder configuration record.
    pub decoder_config: Bytes,
    /// NAL units behind 4-byte lengths.
    pub data: Bytes,
    /// What of it is never shown.
    pub privacy: Vec<Polygon>,
    /// Where the JPEG goes; dropped when it cannot be decoded.
    pub reply: oneshot::Sender<Bytes>,
}

/// Where key frames are decoded.
pub type Stills = mpsc::Sender<StillAsk>;
