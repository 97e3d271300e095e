//! What is wrong with recording right now, or was and waits for a person's look.

use serde::{Deserialize, Serialize};

use super::ids::CameraId;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// The disk could not write down what it had taken; the file was set aside.
    DiskFlushFailed,
    /// A recording is not what was written.
    Damaged,
    /// The store's disk is not there, or not to be used: nothing is recorded.
    DiskMissing,
    /// The disk takes nothing (read-only, broken, full at this very moment).
    DiskRefused,
    /// The disk is full and nothing more may be removed.
    DiskFull,
    /// The disk is too slow: pictures are left out.
    Shedding,
    /// A camera's picture cannot be used: covered, moved, out of focus, …
    PictureUnusable,
}

impl AlarmKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DiskFlushFailed,
        Self::Damaged,
        Self::DiskMissing,
        Self::DiskRefused,
        Self::DiskFull,
        Self::Shedding,
        Self::PictureUnusable,
    ];
    /// Its name, as stored and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DiskFlushFailed => "disk_flush_failed",
            Self::Damaged => "damaged",
            Self::DiskMissing => "disk_missing",
            Self::DiskRefused => "disk_refused",
            Self::DiskFull => "disk_full",
            Self::Shedding => "shedding",
            Self::PictureUnusable => "picture_unusable",
        }
    }
    /// The kind with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
    /// Whether it stays until a person has seen it; the others go with their cause.
    #[must_use]
    pub const fn is_until_seen(self) -> bool {
        matches!(self, Self::DiskFlushFailed | Self::Damaged)
    }
}

/// Something a person has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Its number; made from the time it was raised, so that none comes back for another alarm.
    pub id: i64,
    /// What.
    pub kind: AlarmKind,
    /// Whose recording or picture; `None`: all.
    pub camera: Option<CameraId>,
    /// Since when, UTC microseconds.
    pub since_us: i64,
    /// How often it has happened since.
    pub times: u64,
    /// What is wrong and what to do, in Vietnamese.
    pub text_vi: String,
    /// The same in English.
    pub text_en: String,
}
