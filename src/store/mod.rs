//! The only SQL: what the site knows, on SQLite and on PostgreSQL by one text.
//!
//! In: checked nouns of `domain`. Out: the same nouns, or a [`StoreError`] that says what a person can do. One writing
//! function is one whole use case in one transaction, and every change of cameras, shapes and rules is a row of the
//! change log in that same transaction. A write that has begun runs to its end even if its caller leaves;
//! [`Store::close`] waits for it.
//!
//! Limits: lists end at the number given and at a bound of their own; SQLite has one writer, who waits at most five
//! seconds for another process. It refuses to read a clock (times are arguments), to decide (rules and retention are
//! `logic`), and to let a password into the change log.

use crate::{domain::refusal::Refusal, runtime::tasks::ShortTasks};

mod accounts;
mod alarms;
mod audit;
mod cameras;
mod changes;
mod db;
mod events;
mod expiry;
mod follow;
mod health;
mod incidents;
mod integrity;
mod ledger;
mod lines;
mod locks;
mod open;
mod packed;
mod page;
mod retention;
mod rules;
mod search;
mod segments;
mod sessions;
mod shapes;
mod spans;
mod sql;
mod time;
mod tracks;
mod verdicts;

pub use accounts::When;
pub use changes::ChangeRow;
pub use expiry::OldEvent;
pub use health::{HealthSpan, UNSEEN_US};
pub use incidents::Incident;
pub use integrity::{Damage, FileStream};
pub use ledger::{Gap, LastLife, LedgerGap, LedgerStep, LedgerStream};
pub use locks::{Lock, Planned, REASON_CHARS_MAX};
pub use retention::{HeldRow, RetentionState, StopCause, Stopped, StreamUse};
pub use search::{Found, Tally, TallyStep};
pub use segments::SegmentProgress;
pub use sessions::Session;
pub use shapes::{Shape, ShapeKind};
pub use tracks::{OldTrack, TrackRow, TrackWay, WAYS_MAX};
pub use verdicts::Review;

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

impl StoreError {
    /// Whether trying the same again cannot help: the input is refused, as against a database that is busy, full or gone.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        use sqlx::error::ErrorKind::{CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation};
        match self {
            Self::Refused(_) | Self::NotFound { .. } | Self::Corrupt { .. } => true,
            Self::Database(error) => error.as_database_error().is_some_and(|e| {
                matches!(e.kind(), UniqueViolation | ForeignKeyViolation | NotNullViolation | CheckViolation)
            }),
            Self::Migration(_) => false,
        }
    }
}

type Result<T> = std::result::Result<T, StoreError>;

/// The database; cloning shares it.
#[derive(Debug, Clone)]
pub struct Store {
    db: db::Db,
    writes: ShortTasks,
}

/// A row being read: its table and id, for what is wrong with it.
#[derive(Debug, Clone, Copy)]
struct At {
    table: &'static str,
    row: i64,
}

impl At {
    fn corrupt(self, why: impl Into<String>) -> StoreError {
        StoreError::Corrupt { table: self.table, row: self.row, why: why.into() }
    }
    /// A stored number as the narrower one it was.
    fn narrow<T: TryFrom<i64>>(self, column: &'static str, stored: i64) -> Result<T> {
        T::try_from(stored).map_err(|_| self.corrupt(format!("{column} = {stored} is out of range")))
    }
    /// A stored word as what it stands for.
    fn word<T>(self, column: &'static str, stored: &str, meaning: impl Fn(&str) -> Option<T>) -> Result<T> {
        meaning(stored).ok_or_else(|| self.corrupt(format!("{column} = “{stored}” is not known")))
    }
    /// Stored JSON.
    fn json<T: serde::de::DeserializeOwned>(self, column: &'static str, stored: &str) -> Result<T> {
        serde_json::from_str(stored).map_err(|error| self.corrupt(format!("{column}: {error}")))
    }
}

/// JSON of our own types, which have nothing that JSON cannot say.
fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types with text keys are always JSON")
}

/// Bytes and counts fit the database's 63 bits; what does not is cut there rather than turned negative.
fn stored(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
