//! Whether the wall clock can be believed, by what was recorded before.
//!
//! Media time runs on the boot clock from one anchor, so a step of the wall clock changes nothing while the program runs.
//! Two moments need a decision: the start, where a wrong clock would write over what is recorded, and a correction, where
//! a box that began in 1970 (or years ahead) has learnt the time.

/// No clock is right that says less, UTC microseconds (2026-01-01): a box without a battery begins in 1970 or in the
/// year it was built.
pub const FLOOR_US: i64 = 1_767_225_600_000_000;
/// A clock that is back by no more than this was set by a person or has drifted; by more, one of the two was nonsense.
pub const NEAR_US: i64 = 2 * 86_400_000_000;
/// Differences below this are no correction, microseconds.
const SMALL_US: i64 = 2_000_000;

/// Where to begin: UTC microseconds, and whether that is not what the wall clock says.
///
/// `last_us` is the latest time known from before (of recordings and signs of life) that is less than [`NEAR_US`] ahead,
/// or any when the wall clock is below [`FLOOR_US`]. A clock that is behind it is not believed: time goes on right after
/// it, so that no two recordings overlap.
#[must_use]
pub fn at_start(wall_us: i64, last_us: Option<i64>) -> (i64, bool) {
    match last_us {
        Some(last_us) if last_us > wall_us => (last_us.saturating_add(1), true),
        _ => (wall_us, false),
    }
}

/// Whether the wall clock has been set right and media time is to follow at the next border of sessions. `distrusted`
/// is what [`at_start`] said; `last_us` the latest time known from before this run.
#[must_use]
pub fn corrected(media_us: i64, wall_us: i64, distrusted: bool, last_us: Option<i64>) -> bool {
    let ahead_us = wall_us.saturating_sub(media_us);
    if wall_us < FLOOR_US || ahead_us.abs() < SMALL_US {
        return false;
    }
    if ahead_us > 0 {
        // A right clock that is set forward by hand is not followed before the next start.
        return distrusted || media_us < FLOOR_US;
    }
    // Back by years: what was recorded before this run says which of the two was wrong.
    ahead_us < -NEAR_US && last_us.is_none_or(|last_us| last_us <= wall_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const YEAR: i64 = 365 * 24 * HOUR;
    const NOW: i64 = FLOOR_US + YEAR;

    #[test]
    fn a_clock_behind_what_is_recorded_is_not_believed() {
        assert_eq!(at_start(NOW, None), (NOW, false));
        assert_eq!(at_start(NOW, Some(NOW - HOUR)), (NOW, false));
        assert_eq!(at_start(NOW - HOUR, Some(NOW)), (NOW + 1, true));
        assert_eq!(at_start(0, Some(NOW)), (NOW + 1, true));
    }

    #[test]
    fn a_step_by_hand_is_no_correction_and_a_clock_that_learns_the_time_is() {
        for step in [HOUR, -HOUR, 10 * YEAR, -10 * YEAR, 0] {
            assert!(!corrected(NOW, NOW + step, false, Some(NOW - HOUR)), "{step}");
        }
        assert!(corrected(HOUR, NOW, false, None), "1970 and then NTP");
        assert!(corrected(NOW - HOUR, NOW, true, Some(NOW - HOUR)), "begun behind the recordings, then NTP");
        assert!(corrected(NOW + 10 * YEAR, NOW, false, Some(NOW - HOUR)), "ten years ahead, then NTP");
        assert!(!corrected(NOW + HOUR, NOW, true, Some(NOW)), "back by an hour would overlap");
    }
}
