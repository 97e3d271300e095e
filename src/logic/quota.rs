//! How much of something may come in a time: a token bucket (ITU-T I.371, "generic cell rate algorithm").

use crate::domain::time::BootTime;

/// What is still allowed.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    burst: u32,
    every_us: i64,
    /// When the bucket would be full, had nothing more been taken.
    full: Option<BootTime>,
}

impl Quota {
    /// `burst` at once, then one for each `every_us` microseconds.
    #[must_use]
    pub const fn new(burst: u32, every_us: i64) -> Self {
        Self { burst, every_us, full: None }
    }
    /// Takes one, if it is allowed.
    #[must_use]
    pub fn take(&mut self, now: BootTime) -> bool {
        let full = self.full.map_or(now, |full| full.max(now)).plus_us(self.every_us);
        let allowed = full.since(now) <= self.every_us.saturating_mul(i64::from(self.burst));
        if allowed {
            self.full = Some(full);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_what_time_allows(
            burst in 1..20u32, every in 1..1000i64, asks in prop::collection::vec(0..500i64, 1..200),
        ) {
            let (mut quota, mut now, mut taken) = (Quota::new(burst, every), BootTime(5), 0i64);
            for step in asks {
                now = now.plus_us(step);
                taken += i64::from(quota.take(now));
                prop_assert!(taken <= i64::from(burst) + now.since(BootTime(5)) / every);
            }
        }

        #[test]
        fn after_a_rest_the_whole_burst_is_there(burst in 1..20u32, every in 1..1000i64) {
            let mut quota = Quota::new(burst, every);
            let take_all = |quota: &mut Quota, now| (0..burst + 5).filter(|_| quota.take(BootTime(now))).count();
            prop_assert_eq!(take_all(&mut quota, 0), burst as usize);
            prop_assert_eq!(take_all(&mut quota, every * i64::from(burst)), burst as usize);
        }
    }
}
