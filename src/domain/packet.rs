//! One access unit as the camera sent it, and the parameters it needs to be decoded.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    camera::StreamKind,
    ids::{CameraId, StreamId},
    time::{BootTime, MediaTime},
};

/// How the video is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

impl Codec {
    /// `h264` or `h265`, as stored and typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
        }
    }
    /// The codec with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::H264, Self::H265].into_iter().find(|c| c.name() == name)
    }
}

/// What a decoder and a file need to know before the first packet; shared by all packets until it changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StreamParams {
    /// H.264 or H.265.
    pub codec: Codec,
    /// RFC 6381 codec string for browsers, such as `avc1.4d401e`.
    pub rfc6381: String,
    /// Width of the decoded picture in pixels.
    pub width: u32,
    /// Height of the decoded picture in pixels.
    pub height: u32,
    /// The complete `avc1` or `hvc1` box, parameter sets inside.
    pub sample_entry: Bytes,
    /// The AVC or HEVC decoder configuration record alone (`codec_data` in GStreamer's words).
    pub decoder_config: Bytes,
}

/// The clock rate of `pts_90k`, ticks a second.
pub const TICKS_PER_SECOND: i64 = 90_000;

/// One access unit of one stream with its times; never re-encoded. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Whose.
    pub camera: CameraId,
    /// Which stream.
    pub stream: StreamId,
    /// Main or sub.
    pub kind: StreamKind,
    /// Grows by one at every new RTSP session of this stream; times may only be compared exactly within one.
    pub session: u32,
    /// Presentation time in 90 kHz ticks since the session's first packet (RTP time, unwrapped). Packets come in
    /// decoding order, so with B-frames this may step back.
    pub pts_90k: i64,
    /// The same time as UTC microseconds.
    pub time: MediaTime,
    /// When it was complete here.
    pub received: BootTime,
    /// Whether decoding can start here (IDR; for H.265 any NAL type 16 to 21).
    pub key: bool,
    /// RTP packets lost just before this one.
    pub loss: u32,
    /// Parameters in force.
    pub params: Arc<StreamParams>,
    /// NAL units, each behind its length as 4 bytes big endian, without parameter sets.
    pub data: Bytes,
}

/// Presentation ticks as microseconds, rounded to the nearest.
#[must_use]
pub const fn ticks_to_us(ticks_90k: i64) -> i64 {
    // 1 tick = 100/9 µs.
    let scaled = ticks_90k * 100;
    (scaled + if scaled >= 0 { 4 } else { -4 }) / 9
}
