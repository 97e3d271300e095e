//! The only SQL.

use std::path::Path;

use crate::domain::{
    camera::{Camera, CheckedCamera},
    event::Event,
    geometry::Point,
    ids::{CameraId, ClusterId, EventId, RuleId, SegmentId, ShapeId, StreamId},
    query::{Actor, EventCursor, EventQuery},
    refusal::Refusal,
    rule::Rule,
    segment::{FragmentEntry, GapCause, Segment},
    time::{Span, WallTime},
    track::TrackPoint,
};

/// What can go wrong, by what the reader can do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The input clashes with what is there (a name in use, a retired camera, …).
    #[error("{0}")]
    Refused(Refusal),
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// `camera`, `event`, …
        what: &'static str,
        /// Its id.
        id: i64,
    },
    /// A stored row cannot be read as what it should be.
    #[error("{table} row {row}: {why}")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Row id.
        row: i64,
        /// What is wrong.
        why: String,
    },
    /// The database itself failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// The database; cloning shares it.
#[derive(Debug, Clone)]
pub struct Store;

/// One line of the change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Grows.
    pub id: i64,
    /// When, UTC microseconds.
    pub time_us: i64,
    /// Who.
    pub actor: String,
    /// Such as `camera.add`.
    pub what: String,
    /// Id of the thing changed.
    pub object: i64,
    /// JSON before, without secrets; `None` for an addition.
    pub before: Option<String>,
    /// JSON after, without secrets; `None` for a removal.
    pub after: Option<String>,
}

/// What a drawn shape is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShapeKind {
    /// A zone of interest.
    Zone,
    /// A line.
    Line,
    /// Never shown.
    PrivacyMask,
    /// Never looked at for motion.
    MotionMask,
    /// A lane with a direction.
    Lane,
}

/// A shape drawn on a camera's picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Its identity; 0 before the store has given one.
    pub id: ShapeId,
    /// Whose picture.
    pub camera: CameraId,
    /// What for.
    pub kind: ShapeKind,
    /// What people call it.
    pub name: String,
    /// Its points, normalised.
    pub points: Vec<Point>,
}

/// New fragments of an open segment, on disk already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentProgress {
    /// Which.
    pub id: SegmentId,
    /// The new end, UTC microseconds.
    pub end_us: i64,
    /// Bytes of the file now.
    pub size_bytes: u64,
    /// The new rows of its table.
    pub added: Vec<FragmentEntry>,
    /// Whether the file is finished.
    pub closed: bool,
}

/// A span without recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Whose.
    pub stream: StreamId,
    /// When.
    pub span: Span,
    /// Why.
    pub cause: GapCause,
    /// What says so, for a person.
    pub evidence: String,
}

/// A confirmed track as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRow {
    /// Whose.
    pub camera: CameraId,
    /// First and last sighting.
    pub span: Span,
    /// The last sighting's class, best score and box.
    pub best: TrackPoint,
    /// Sightings.
    pub points: u32,
}

type Result<T> = std::result::Result<T, StoreError>;

#[expect(missing_docs, unused_variables, reason = "stub")]
impl Store {
    pub async fn open(path: &Path) -> Result<Self> {
        todo!()
    }
    pub async fn in_memory() -> Result<Self> {
        todo!()
    }
    pub async fn postgres(url: &str) -> Result<Self> {
        todo!()
    }
    pub async fn close(&self) {
        todo!()
    }
    pub async fn site_uuid(&self) -> Result<String> {
        todo!()
    }

    pub async fn add_camera(&self, actor: &Actor, camera: &CheckedCamera, now: WallTime) -> Result<CameraId> {
        todo!()
    }
    pub async fn update_camera(
        &self,
        actor: &Actor,
        id: CameraId,
        camera: &CheckedCamera,
        now: WallTime,
    ) -> Result<()> {
        todo!()
    }
    pub async fn retire_camera(&self, actor: &Actor, id: CameraId, now: WallTime) -> Result<()> {
        todo!()
    }
    /// Not retired ones, by code.
    pub async fn cameras(&self) -> Result<Vec<Camera>> {
        todo!()
    }
    /// Also a retired one (old events show its name).
    pub async fn camera(&self, id: CameraId) -> Result<Option<Camera>> {
        todo!()
    }
    pub async fn clusters(&self) -> Result<Vec<(ClusterId, String)>> {
        todo!()
    }

    pub async fn add_shape(&self, actor: &Actor, shape: &Shape, now: WallTime) -> Result<ShapeId> {
        todo!()
    }
    pub async fn update_shape(&self, actor: &Actor, shape: &Shape, now: WallTime) -> Result<()> {
        todo!()
    }
    pub async fn remove_shape(&self, actor: &Actor, id: ShapeId, now: WallTime) -> Result<()> {
        todo!()
    }
    pub async fn shapes(&self, camera: CameraId) -> Result<Vec<Shape>> {
        todo!()
    }

    pub async fn add_rule(&self, actor: &Actor, rule: &Rule, now: WallTime) -> Result<RuleId> {
        todo!()
    }
    /// Makes a new version and returns its number.
    pub async fn update_rule(&self, actor: &Actor, id: RuleId, rule: &Rule, now: WallTime) -> Result<i64> {
        todo!()
    }
    pub async fn remove_rule(&self, actor: &Actor, id: RuleId, now: WallTime) -> Result<()> {
        todo!()
    }
    /// Those in force, in their newest version, by id.
    pub async fn rules(&self) -> Result<Vec<Rule>> {
        todo!()
    }

    pub async fn latest_change(&self) -> Result<i64> {
        todo!()
    }
    pub async fn changes_after(&self, id: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        todo!()
    }

    pub async fn open_segment(&self, segment: &Segment) -> Result<SegmentId> {
        todo!()
    }
    /// All in one transaction.
    pub async fn progress_segments(&self, progress: &[SegmentProgress]) -> Result<()> {
        todo!()
    }
    /// Those that share time with the span, by start.
    pub async fn segments_in(&self, stream: StreamId, span: Span) -> Result<Vec<Segment>> {
        todo!()
    }
    /// Those left open by a run that did not end well.
    pub async fn open_segments(&self) -> Result<Vec<Segment>> {
        todo!()
    }
    pub async fn add_gap(&self, gap: &Gap) -> Result<()> {
        todo!()
    }
    pub async fn gaps_in(&self, stream: StreamId, span: Span) -> Result<Vec<Gap>> {
        todo!()
    }
    pub async fn heartbeat(&self, boot_id: &str, boot_us: i64, now: WallTime) -> Result<()> {
        todo!()
    }
    pub async fn last_heartbeat(&self) -> Result<Option<WallTime>> {
        todo!()
    }
    pub async fn add_anchor(&self, boot_id: &str, boot_us: i64, utc_us: i64, error_us: i64) -> Result<()> {
        todo!()
    }

    pub async fn insert_event(&self, event: &Event) -> Result<EventId> {
        todo!()
    }
    /// Writes the event's newer state; an older revision than the stored one changes nothing.
    pub async fn update_event(&self, event: &Event) -> Result<()> {
        todo!()
    }
    pub async fn event(&self, id: EventId) -> Result<Option<Event>> {
        todo!()
    }
    /// Newest first by (start, id).
    pub async fn events(&self, query: &EventQuery, after: Option<EventCursor>, limit: u32) -> Result<Vec<Event>> {
        todo!()
    }
    /// Closes events left open by a run that did not end well; returns how many.
    pub async fn close_open_events(&self) -> Result<u64> {
        todo!()
    }
    pub async fn insert_tracks(&self, tracks: &[TrackRow]) -> Result<()> {
        todo!()
    }
}
