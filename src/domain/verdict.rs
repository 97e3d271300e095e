//! An officer's word on an event, and what many of them say about a rule.

use serde::{Deserialize, Serialize};

use super::ids::{CameraId, RuleId};

/// An officer's word: the picture shows it or not. Never that an offence is established.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The picture shows it.
    True,
    /// It does not.
    False,
    /// It does, and another event says so already.
    Duplicate,
    /// It cannot be told.
    Unsure,
}

impl Verdict {
    /// All of them, in the order of their buttons.
    pub const ALL: [Self; 4] = [Self::True, Self::False, Self::Duplicate, Self::Unsure];

    /// Its name, as stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Duplicate => "duplicate",
            Self::Unsure => "unsure",
        }
    }
    /// The one with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.name() == name)
    }
}

/// How often a rule was right on a camera, as far as somebody said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Precision {
    /// Which rule.
    pub rule: RuleId,
    /// On which camera.
    pub camera: CameraId,
    /// Its events there, judged or not.
    pub events: u64,
    /// Events that were right.
    pub right: u64,
    /// Events that were wrong.
    pub wrong: u64,
    /// Events of which another one said the same.
    pub duplicate: u64,
    /// Events of which it could not be told.
    pub unsure: u64,
}
