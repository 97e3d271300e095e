//! What a person asks the index: filters and a place in a list.

use serde::{Deserialize, Serialize};

use super::{
    colour::{Colour, Part},
    detection::Class,
    ids::{CameraId, EventId},
    rule::RuleKind,
};

/// Filters over events; all given ones must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventQuery {
    /// Of one of these cameras; empty means any.
    pub cameras: Vec<CameraId>,
    /// Of this kind of rule.
    pub kind: Option<RuleKind>,
    /// Of this class.
    pub class: Option<Class>,
    /// That started at or after this, UTC microseconds.
    pub from_us: Option<i64>,
    /// That started before this, UTC microseconds.
    pub to_us: Option<i64>,
}

/// A place in the newest-first list of events: just after this start and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCursor {
    /// Start of the last event shown.
    pub start_us: i64,
    /// Its id.
    pub id: EventId,
}

/// Filters over tracks; all given ones must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrackQuery {
    /// Of one of these cameras; empty means any.
    pub cameras: Vec<CameraId>,
    /// Of this class.
    pub class: Option<Class>,
    /// With each of these main colours, on that part or on any.
    pub colours: Vec<(Option<Part>, Colour)>,
    /// That started at or after this, UTC microseconds.
    pub from_us: Option<i64>,
    /// That started before this, UTC microseconds.
    pub to_us: Option<i64>,
    /// At least so sure to be one object all the way, 0..=1.
    pub identity_least: Option<f32>,
}

/// A place in the newest-first list of tracks: just after this start and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackCursor {
    /// Start of the last track shown.
    pub start_us: i64,
    /// Its number in the store.
    pub id: i64,
}

/// Who does something: the name that stands in every log row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Such as `local-admin` or `cli:root`.
    pub name: String,
}
