//! Looking for tracks and events by any properties together, the newest first; and counting them.
//!
//! Every hour that is over is packed once: which tracks and events it has, and for each property ("facet") a bit for each
//! of them. A question is then the bits of its facets put together, hour by hour backwards, so that no combination, be it
//! ever so rare, reads more than a bit a row and facet. What is not packed (the hour that goes on, tracks that are still
//! followed, hours in which something changed) is asked for in plain SQL; a change takes its hour out of the index in its
//! own transaction, so that both together always say what the tables say.

mod filter;
mod find;
mod packed;
mod seal;
mod tally;
mod words;

pub use find::Found;
pub use tally::{Tally, TallyStep};
pub(super) use words::enter as enter_phrases;

/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;
/// Seconds in sight from which on there is a facet.
const DWELLS_S: [i64; 8] = [10, 30, 60, 120, 300, 600, 1800, 3600];
/// An event and its track are of the same time; a number may have been used by an earlier run.
const SAME_TIME: &str = " and t.start_us <= e.end_us + 60000000 and t.end_us >= e.start_us - 60000000";

/// The hour of a time, since 1970.
const fn hour_of(us: i64) -> i64 {
    us.div_euclid(HOUR_US)
}

/// When an hour begins.
const fn hour_us(hour: i64) -> i64 {
    hour.saturating_mul(HOUR_US)
}
