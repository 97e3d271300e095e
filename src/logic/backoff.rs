//! How long to wait before a camera is tried again.
//!
//! Doubling from half a second to 15 s, so that a camera that comes back is seen soon and one that stays away costs
//! nothing. Jitter keeps 37 cameras that lost their switch together from coming back together. A refused login is not
//! tried often: many cameras lock an account after a handful of wrong passwords.

use crate::domain::camera::TroubleCause;

/// The first wait, microseconds, before jitter.
const FIRST_US: i64 = 500_000;
/// The longest ordinary wait, microseconds.
pub const CAP_US: i64 = 15_000_000;
/// A session that ran this long was healthy: the next wait is the first one again.
pub const HEALTHY_US: i64 = 60_000_000;
/// Refused logins in a row after which there is one try in [`REFUSED_US`].
pub const REFUSALS_MAX: u32 = 3;
/// The wait after [`REFUSALS_MAX`] refused logins, microseconds.
pub const REFUSED_US: i64 = 600_000_000;

/// What has failed so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    steps: u32,
    refusals: u32,
}

impl Backoff {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Takes note of a session that ended with `cause` after frames had come for `streamed_us` microseconds (0 when
    /// none came), and says how many microseconds to wait. `jitter` is a random number in `0.0..1.0`.
    pub fn failed(&mut self, cause: TroubleCause, streamed_us: i64, jitter: f64) -> i64 {
        if streamed_us > 0 {
            // Frames came, so the login was accepted and this is a new row of failures.
            self.refusals = 0;
            self.failures = 0;
        }
        if streamed_us >= HEALTHY_US {
            self.steps = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let jitter = jitter.clamp(0.0, 1.0);
        if cause == TroubleCause::Login {
            self.refusals = self.refusals.saturating_add(1);
            if self.refusals >= REFUSALS_MAX {
                return REFUSED_US + scaled(REFUSED_US / 20, jitter);
            }
        }
        let full = (FIRST_US << self.steps.min(5)).min(CAP_US);
        self.steps = self.steps.saturating_add(1);
        full / 2 + scaled(full / 2, jitter)
    }
    /// Takes note that the camera can be reached again: the next wait is the first one.
    pub const fn came_back(&mut self) {
        self.steps = 0;
    }
    /// Failed tries in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "below 2^50 and never negative")]
fn scaled(us: i64, by: f64) -> i64 {
    (us as f64 * by) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wrong_password_is_tried_once_in_ten_minutes_after_three_refusals() {
        let mut backoff = Backoff::new();
        assert!(backoff.failed(TroubleCause::Login, 0, 0.9) <= CAP_US);
        assert!(backoff.failed(TroubleCause::Login, 0, 0.9) <= CAP_US);
        for n in 3..20 {
            assert!(backoff.failed(TroubleCause::Login, 0, 0.0) >= REFUSED_US);
            assert_eq!(backoff.failures(), n);
        }
        // A camera that was away in between has not accepted the password.
        assert!(backoff.failed(TroubleCause::Network, 0, 0.5) <= CAP_US);
        assert!(backoff.failed(TroubleCause::Login, 0, 0.5) >= REFUSED_US);
        // One that streamed has.
        assert!(backoff.failed(TroubleCause::Login, 1_000_000, 0.5) <= CAP_US);
    }

    #[test]
    fn a_healthy_minute_starts_from_the_first_wait_again() {
        let mut backoff = Backoff::new();
        for _ in 0..10 {
            backoff.failed(TroubleCause::Network, 0, 1.0);
        }
        assert_eq!(backoff.failed(TroubleCause::Network, HEALTHY_US - 1, 1.0), CAP_US);
        assert_eq!(backoff.failed(TroubleCause::Network, HEALTHY_US, 1.0), FIRST_US);
        backoff.failed(TroubleCause::Network, 0, 1.0);
        backoff.came_back();
        assert_eq!(backoff.failed(TroubleCause::Network, 0, 1.0), FIRST_US, "it can be reached again");
        assert_eq!(backoff.failures(), 3);
    }

    proptest! {
        #[test]
        fn no_ordinary_wait_is_longer_than_the_cap_nor_shorter_than_a_quarter_second(
            waits in proptest::collection::vec((0i64..120_000_000, 0.0f64..1.0), 1..50)
        ) {
            let mut backoff = Backoff::new();
            for (streamed, jitter) in waits {
                let wait = backoff.failed(TroubleCause::Camera, streamed, jitter);
                prop_assert!((FIRST_US / 2..=CAP_US).contains(&wait));
            }
        }
    }
}
