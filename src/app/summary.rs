//! What a whole run did, in numbers.

use serde::Serialize;

/// What a run did, printed by `serve --summary` and `demo`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Cameras taking part at the end.
    pub cameras: usize,
    /// Access units received from the first key frame of each session on.
    pub packets_received: u64,
    /// Access units on disk.
    pub packets_recorded: u64,
    /// Fragments on disk.
    pub fragments: u64,
    /// Frames decoded by the child.
    pub frames_decoded: u64,
    /// Runs of the detector.
    pub inferences: u64,
    /// Confirmed tracks.
    pub tracks: u64,
    /// Events opened.
    pub events: u64,
    /// Of this process and its child.
    pub cpu_seconds: f64,
    /// The most memory both held at once.
    pub rss_bytes_max: u64,
}
