//! What analysis can do, how much of it is used, and what became of every camera's packets and frames. Written by vision,
//! read by the pages, the metrics and `vonglau check`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::ids::CameraId;

/// Why something of a camera was not analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// Packet: no room on the way to the child.
    QueueFull,
    /// Packet: after a dropped one nothing can be decoded before the next key frame.
    WaitingForKeyFrame,
    /// Packet: the child did not run.
    NoProcess,
    /// Packet: the camera may have killed the child, and waits to be tried or is given up.
    Suspect,
    /// Packet: the camera killed the child three times and gives key frames only.
    KeyFramesOnly,
    /// Packet: too slow a machine, another camera's turn.
    Load,
    /// Packet: between two key frames that show nothing new.
    Quiet,
    /// Frame: not due at the rate at which frames are looked at.
    Rate,
    /// Frame: a newer one came before there was time for it.
    Replaced,
}

impl Skip {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::QueueFull,
        Self::WaitingForKeyFrame,
        Self::NoProcess,
        Self::Suspect,
        Self::KeyFramesOnly,
        Self::Load,
        Self::Quiet,
        Self::Rate,
        Self::Replaced,
    ];
    /// As in the metrics and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::WaitingForKeyFrame => "waiting_for_key_frame",
            Self::NoProcess => "no_process",
            Self::Suspect => "suspect",
            Self::KeyFramesOnly => "key_frames_only",
            Self::Load => "load",
            Self::Quiet => "quiet",
            Self::Rate => "rate",
            Self::Replaced => "replaced",
        }
    }
}

/// What of a camera is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Admitted {
    /// Everything.
    #[default]
    Full,
    /// Key frames: it killed the child three times.
    KeyFrames,
    /// Nothing until it is tried: it may have killed the child.
    Waiting,
    /// Nothing until its settings are saved: it killed the child with key frames too.
    Off,
}

/// How a camera's packet gate does, which leaves packets undecoded while nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PacketGate {
    /// Whether it decides; until it has proved itself on this camera it only watches.
    pub on: bool,
    /// Whether only key frames are decoded at the moment.
    pub key_frames: bool,
    /// Episodes of motion it was judged by lately.
    pub episodes: u32,
    /// … and for how many of them it was, or would have been, open in time.
    pub kept: u32,
}

/// What became of one camera's analysed stream, since this service started.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Flow {
    /// Packets that came.
    pub received: u64,
    /// Of these went to the child.
    pub sent: u64,
    /// Frames decoded.
    pub decoded: u64,
    /// Frames analysed.
    pub analysed: u64,
    /// Packets and frames that were not, by reason.
    pub skipped: BTreeMap<Skip, u64>,
    /// How old the last analysed frame was when the answer about it came, microseconds.
    pub lag_us: Option<i64>,
    /// What of it is let in.
    pub admitted: Admitted,
    /// How its packet gate does.
    pub packet_gate: PacketGate,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Capacity {
    /// Runs of the detector that were wanted, since this service started.
    pub inferences_asked: u64,
    /// Of these were done.
    pub inferences_done: u64,
    /// What a frame with a run of the detector costs, microseconds; `None` until a detector is loaded.
    pub inference_us: Option<u64>,
    /// Share of the last seconds in which the analysis thread worked, 0 to 1.
    pub busy: f32,
    /// So many more runs a second would fit.
    pub spare_per_second: Option<f32>,
    /// How old the newest analysed frame is, of the middle camera, microseconds.
    pub lag_us: i64,
    /// What is given up for a slow machine; 0 is nothing.
    pub load_level: u32,
    /// Frames of a camera are looked at this often at most, a second.
    pub frames_per_second: f32,
    /// Cameras are divided into so many groups, of which one has its turn.
    pub groups: usize,
    /// Memory the child holds, bytes.
    pub memory_bytes: u64,
    /// The most it may hold before it is started anew, bytes.
    pub memory_max_bytes: u64,
    /// By camera.
    pub cameras: BTreeMap<CameraId, Flow>,
}
