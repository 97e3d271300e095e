//! What a rule said matters: opened, updated and closed with a growing revision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    detection::Class,
    geometry::NormBox,
    ids::{CameraId, EventId, RuleId, TrackId},
    rule::{Direction, RuleKind},
    time::MediaTime,
};

/// Where the object was at one time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathPoint {
    /// UTC microseconds.
    pub time_us: i64,
    /// Where.
    #[serde(rename = "box")]
    pub rect: NormBox,
}

/// The most points an event's path keeps; a longer one is thinned to every second point.
pub const PATH_POINTS_MAX: usize = 200;

/// One event of one rule on one camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its identity; 0 before the store has given one.
    pub id: EventId,
    /// Whose picture.
    pub camera: CameraId,
    /// Which rule …
    pub rule: RuleId,
    /// … in which version.
    pub rule_version: i64,
    /// The rule's name at the time.
    pub rule_name: String,
    /// The rule's kind.
    pub kind: RuleKind,
    /// What, if the rule is about objects.
    pub class: Option<Class>,
    /// The object followed, if any.
    pub track: Option<TrackId>,
    /// When it began, UTC microseconds.
    pub start_us: i64,
    /// When it ended; for an open event the last time it held.
    pub end_us: i64,
    /// Whether it still goes on.
    pub open: bool,
    /// 1 when opened, one more at each update and at closing.
    pub revision: i64,
    /// The best score so far, 0..=1.
    pub score: f32,
    /// Where it was at its best score.
    #[serde(rename = "box")]
    pub rect: NormBox,
    /// Where it went.
    pub path: Vec<PathPoint>,
    /// SHA-256 (hex) of the model that saw it, if one did.
    pub model_sha256: Option<String>,
    /// The numbers that made it fire, by name.
    pub numbers: BTreeMap<String, f64>,
}

/// What a rule wants done; [`crate::logic::rules`] says it, the events room does it.
#[derive(Debug, Clone, PartialEq)]
pub enum EventChange {
    /// A new event. `key` names it until the store has given an id; unique within a run.
    Open {
        /// Name of the event within this run.
        key: u64,
        /// The event as it starts.
        event: Event,
    },
    /// More of an open event.
    Update {
        /// Which.
        key: u64,
        /// The event as it now is.
        event: Event,
    },
    /// Its end; said once for every `Open`.
    Close {
        /// Which.
        key: u64,
        /// The event in its last state, `open` false.
        event: Event,
    },
}

/// One object went over a rule's line: what is counted by direction, class and quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Whose picture.
    pub camera: CameraId,
    /// Which rule's line.
    pub rule: RuleId,
    /// When.
    pub time: MediaTime,
    /// What.
    pub class: Class,
    /// Which way.
    pub direction: Direction,
}

/// A quarter of an hour.
pub const QUARTER_US: i64 = 900_000_000;

/// How many went over a rule's line in a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LineCount {
    /// Which rule's.
    #[serde(skip)]
    pub rule: RuleId,
    /// In whose picture.
    pub camera: CameraId,
    /// When the quarter begins, UTC microseconds.
    pub quarter_us: i64,
    /// Of what.
    pub class: Class,
    /// Which way.
    pub direction: Direction,
    /// How many.
    pub n: i64,
}
