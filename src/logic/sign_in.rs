//! How often signing in may fail, for one account and from one address. What was counted is kept by the store, so that a
//! restart forgives nothing.

/// Failures that cost nothing.
const FREE_OF_ACCOUNT: u32 = 5;
const FREE_OF_ADDRESS: u32 = 20;
/// The first wait, doubled with each further failure, and the longest, microseconds. An account is never closed for good:
/// otherwise anybody could keep an officer out by typing wrong passwords.
const WAIT_US: i64 = 2_000_000;
const WAIT_MAX_US: i64 = 15 * 60 * 1_000_000;
/// After so long without a failure nothing is held against anybody.
pub const FORGOTTEN_US: i64 = 24 * 3_600 * 1_000_000;

/// Whose failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Of one login, whether there is such an account or not.
    Account,
    /// From one address.
    Address,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many in a row.
    pub count: u32,
    /// When the last one was, UTC microseconds.
    pub last_us: i64,
}

impl Failures {
    /// How long to wait before the next try, microseconds; 0: not at all. A clock that was set back makes nobody wait
    /// longer than the longest wait.
    #[must_use]
    pub fn wait_us(self, of: Of, now_us: i64) -> i64 {
        let free = match of {
            Of::Account => FREE_OF_ACCOUNT,
            Of::Address => FREE_OF_ADDRESS,
        };
        let since = now_us.saturating_sub(self.last_us);
        if self.count < free || since >= FORGOTTEN_US {
            return 0;
        }
        let doubled = WAIT_US.checked_shl((self.count - free).min(20)).unwrap_or(WAIT_MAX_US).min(WAIT_MAX_US);
        (doubled - since.max(0)).max(0)
    }
    /// With one more.
    #[must_use]
    pub fn and_one(self, now_us: i64) -> Self {
        let kept = if now_us.saturating_sub(self.last_us) >= FORGOTTEN_US { 0 } else { self.count };
        Self { count: kept.saturating_add(1), last_us: now_us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn the_wait_doubles_up_to_a_quarter_of_an_hour_and_is_forgotten_after_a_day() {
        let mut failures = Failures::default();
        let mut waits = Vec::new();
        for _ in 0..20 {
            failures = failures.and_one(100 * S);
            waits.push(failures.wait_us(Of::Account, 100 * S) / S);
        }
        assert_eq!(waits[..9], [0, 0, 0, 0, 2, 4, 8, 16, 32]);
        assert_eq!(waits[19], 900);
        assert_eq!(failures.wait_us(Of::Account, 100 * S + 899 * S), S);
        assert_eq!(failures.wait_us(Of::Account, 100 * S + 900 * S), 0);
        assert_eq!(failures.and_one(100 * S + FORGOTTEN_US).count, 1);
        assert_eq!(failures.wait_us(Of::Account, -1_000_000 * S), 900 * S, "a clock set back");
        assert_eq!(Failures { count: 19, last_us: 0 }.wait_us(Of::Address, 0), 0);
        assert!(Failures { count: 20, last_us: 0 }.wait_us(Of::Address, 0) > 0);
    }

    #[test]
    fn guessing_for_a_day_gets_about_a_hundred_tries() {
        let (mut failures, mut now, mut tries) = (Failures::default(), 0, 0);
        while now < 24 * 3600 * S {
            failures = failures.and_one(now);
            tries += 1;
            now += failures.wait_us(Of::Account, now).max(S / 10);
        }
        assert!((90..=115).contains(&tries), "{tries}");
    }
}
