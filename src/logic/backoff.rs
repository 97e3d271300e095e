//! How long to wait before a camera is tried again.
//!
//! A wait is a thirtieth of all the waiting so far: a second at most in the first half minute, so that a camera that
//! comes back is recorded at once, and in the end 15 s, so that one that stays away costs nothing. Jitter keeps 37
//! cameras that lost their switch together from coming back together. A refused login is not tried often: many cameras
//! lock an account after a handful of wrong passwords, whichever stream they were for, so [`Refusals`] are counted for
//! the camera.

use crate::domain::time::BootTime;

/// The very first wait, microseconds, before jitter.
const FIRST_US: i64 = 500_000;
/// The longest wait until [`SOON_US`] times [`PART`] have been waited, microseconds.
const SOON_US: i64 = 1_000_000;
/// Which part of all the waiting so far a wait is.
const PART: i64 = 30;
/// The longest wait, microseconds.
const CAP_US: i64 = 15_000_000;
/// A session that ran this long was healthy: the next wait is the first one again.
const HEALTHY_US: i64 = 5_000_000;
/// Refused logins in a row after which there is one try in [`REFUSED_US`].
pub const REFUSALS_MAX: u32 = 3;
/// The wait after [`REFUSALS_MAX`] refused logins, microseconds.
pub const REFUSED_US: i64 = 600_000_000;

/// What has failed so far, of one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    waited_us: i64,
}

impl Backoff {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Takes note of a session that ended after frames had come for `streamed_us` microseconds (0 when none came), and
    /// says how many microseconds to wait. `jitter` is a random number in `0.0..1.0`.
    pub fn failed(&mut self, streamed_us: i64, jitter: f64) -> i64 {
        if streamed_us > 0 {
            self.failures = 0;
        }
        if streamed_us >= HEALTHY_US {
            self.waited_us = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let full = if self.waited_us == 0 { FIRST_US } else { (self.waited_us / PART).clamp(SOON_US, CAP_US) };
        let wait = full / 2 + scaled(full / 2, jitter);
        self.waited_us = self.waited_us.saturating_add(wait);
        wait
    }
    /// Takes note that the camera can be reached again: the next wait is the first one.
    pub const fn came_back(&mut self) {
        self.waited_us = 0;
    }
    /// Failed tries in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// Refused logins of one camera in a row, all its streams together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    count: u32,
    until: Option<BootTime>,
}

impl Refusals {
    /// Takes note of a refused login. `jitter` is a random number in `0.0..1.0`.
    pub fn refused(&mut self, now: BootTime, jitter: f64) {
        self.count = self.count.saturating_add(1);
        if self.count >= REFUSALS_MAX {
            self.until = Some(now.plus_us(REFUSED_US + scaled(REFUSED_US / 20, jitter)));
        }
    }
    /// Takes note that a login was accepted.
    pub fn accepted(&mut self) {
        *self = Self::default();
    }
    /// Whether the last login was refused.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.count > 0
    }
    /// How long no refused login may be tried again, microseconds; 0 when it may.
    #[must_use]
    pub fn pause_us(&self, now: BootTime) -> i64 {
        self.until.map_or(0, |until| until.since(now).max(0))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "below 2^50 and never negative")]
fn scaled(us: i64, by: f64) -> i64 {
    (us as f64 * by.clamp(0.0, 1.0)) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wrong_password_is_tried_once_in_ten_minutes_after_three_refusals() {
        let mut refusals = Refusals::default();
        let at = |s: i64| BootTime(s * 1_000_000);
        for s in 0..2 {
            refusals.refused(at(s), 0.9);
            assert_eq!((refusals.any(), refusals.pause_us(at(s))), (true, 0));
        }
        for n in 0..20 {
            let now = at(2 + n * 700);
            refusals.refused(now, 0.0);
            assert_eq!(refusals.pause_us(now), REFUSED_US);
            assert_eq!(refusals.pause_us(now.plus_us(REFUSED_US)), 0);
        }
        refusals.accepted();
        assert_eq!(refusals, Refusals::default());
    }

    #[test]
    fn a_camera_that_comes_back_in_the_first_half_minute_finds_the_next_try_within_a_second() {
        for jitter in [0.0, 0.3, 1.0] {
            let (mut backoff, mut waited) = (Backoff::new(), 0);
            while waited < SOON_US * PART {
                let wait = backoff.failed(0, jitter);
                assert!(wait <= SOON_US, "{wait} after {waited}");
                waited += wait;
            }
            // As many tries as that, and no storm.
            assert!((30..=61).contains(&backoff.failures()), "{}", backoff.failures());
        }
    }

    #[test]
    fn one_that_stays_away_is_tried_ever_more_seldom() {
        let (mut backoff, mut waited, mut last) = (Backoff::new(), 0, 0);
        while waited < PART * CAP_US {
            let wait = backoff.failed(0, 1.0);
            assert!(wait >= last, "{wait} after {last}");
            (waited, last) = (waited + wait, wait);
        }
        assert_eq!(backoff.failed(0, 1.0), CAP_US);
        assert!(backoff.failures() < 130, "{} tries in {} s", backoff.failures(), waited / 1_000_000);
    }

    #[test]
    fn a_healthy_session_starts_from_the_first_wait_again() {
        let mut backoff = Backoff::new();
        let tire = |backoff: &mut Backoff| while backoff.failed(0, 1.0) < CAP_US {};
        tire(&mut backoff);
        assert_eq!(backoff.failed(HEALTHY_US - 1, 1.0), CAP_US);
        assert_eq!(backoff.failures(), 1, "frames had come");
        assert_eq!(backoff.failed(HEALTHY_US, 1.0), FIRST_US);
        tire(&mut backoff);
        backoff.came_back();
        assert_eq!(backoff.failed(0, 1.0), FIRST_US, "it can be reached again");
        assert!(backoff.failures() > 30);
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_cap_nor_shorter_than_a_quarter_second(
            waits in proptest::collection::vec((0i64..120_000_000, 0.0f64..1.0), 1..200)
        ) {
            let mut backoff = Backoff::new();
            for (streamed, jitter) in waits {
                let wait = backoff.failed(streamed, jitter);
                prop_assert!((FIRST_US / 2..=CAP_US).contains(&wait));
            }
        }

        /// Wherever in the first half minute they come back and whatever the jitter was: 37 cameras with two streams are
        /// all tried within a second, and no tenth of that second gets more than half of the tries.
        #[test]
        fn cameras_that_come_back_together_are_tried_within_a_second_and_not_all_at_once(
            seed in any::<u64>(), back_us in 4_000_000i64..25_000_000
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut tenths = [0; 10];
            for _ in 0..74 {
                let (mut backoff, mut at) = (Backoff::new(), 0);
                while at < back_us {
                    at += backoff.failed(0, random.f64());
                }
                prop_assert!(at - back_us <= SOON_US);
                tenths[usize::try_from((at - back_us) / (SOON_US / 10)).unwrap().min(9)] += 1;
            }
            prop_assert!(tenths.iter().all(|n| *n <= 37), "{tenths:?}");
        }
    }
}
