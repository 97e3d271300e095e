//! Says a repeated thing once a second at most, with how often it happened.

use std::sync::Mutex;

use crate::domain::time::BootTime;

/// Counts happenings and lets one through a second.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<(Option<BootTime>, u64)>);

impl Throttle {
    /// Counts `n` happenings; returns how many were counted since the last time something was said, or `None` when it
    /// is too early to speak again.
    #[must_use]
    pub fn say(&self, n: u64, now: BootTime) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.1 += n;
        if state.0.is_some_and(|last| now.since(last) < 1_000_000) {
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}
