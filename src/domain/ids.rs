//! Identities. Numbers are given by the store; outside a site an id is seen as (site uuid, id).

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A camera; never reused, the row is never deleted.
    CameraId,
    /// One stream (main or sub) of a camera.
    StreamId,
    /// A named group of cameras (cụm).
    ClusterId,
    /// A zone, line or mask drawn on a camera's picture.
    ShapeId,
    /// A rule; its versions share the id.
    RuleId,
    /// One media file on disk.
    SegmentId,
    /// What a rule said matters.
    EventId,
    /// A span without recording.
    GapId,
    /// A span that retention must not remove.
    LockId,
    /// An outage declared beforehand.
    PlannedId,
    /// A person's account; the row is never deleted.
    AccountId,
    /// One object followed over time, unique within a site.
    TrackId,
}
