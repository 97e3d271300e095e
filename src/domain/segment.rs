//! One media file on disk and the table of its fragments.

use serde::{Deserialize, Serialize};

use super::ids::{SegmentId, StreamId};

/// One moof+mdat in a segment file, a row of the packed table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FragmentEntry {
    /// Where `moof` starts in the file, bytes.
    pub offset: u64,
    /// Bytes of `moof` and `mdat` together, without the hash box behind them.
    pub size_bytes: u32,
    /// Earliest presentation time, 90 kHz ticks since the segment's start.
    pub start_90k: u64,
    /// Length in 90 kHz ticks.
    pub duration_90k: u32,
    /// Whether its first sample is a key frame.
    pub key: bool,
}

/// A segment as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its identity; 0 before the store has given one.
    pub id: SegmentId,
    /// Whose.
    pub stream: StreamId,
    /// Path under the store folder, with `/`.
    pub path: String,
    /// UTC microseconds of its first sample.
    pub start_us: i64,
    /// UTC microseconds of the end of its last whole fragment.
    pub end_us: i64,
    /// Whether it is still being written.
    pub open: bool,
    /// Bytes of `ftyp` and `moov` and what stands before the first fragment.
    pub init_bytes: u32,
    /// Bytes written so far.
    pub size_bytes: u64,
    /// `h264` or `h265`.
    pub codec: super::packet::Codec,
    /// RFC 6381 codec string.
    pub rfc6381: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// SHA-256 (hex) of the sample entry: two segments with the same one can be joined.
    pub params_sha256: String,
    /// Its fragments in file order.
    pub fragments: Vec<FragmentEntry>,
}

/// Why a span was not recorded (the gap ledger's words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The box had no power.
    Power,
    /// Nothing answered.
    Network,
    /// The camera answered wrongly or stopped sending.
    Camera,
    /// The login was refused.
    Login,
    /// The disk refused.
    Disk,
    /// We could not keep up.
    Overload,
    /// The program was not running.
    Service,
    /// Somebody declared it beforehand.
    Planned,
    /// Not known.
    Unknown,
}

impl GapCause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Power,
        Self::Network,
        Self::Camera,
        Self::Login,
        Self::Disk,
        Self::Overload,
        Self::Service,
        Self::Planned,
        Self::Unknown,
    ];
    /// Its name, as stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Network => "network",
            Self::Camera => "camera",
            Self::Login => "login",
            Self::Disk => "disk",
            Self::Overload => "overload",
            Self::Service => "service",
            Self::Planned => "planned",
            Self::Unknown => "unknown",
        }
    }
    /// The cause with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}
