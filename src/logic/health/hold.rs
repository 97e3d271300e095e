//! How long something must seem so before it is said, and before it is taken back.

use crate::domain::{health::PictureFault, time::MediaTime};

/// Nothing that was said changes earlier than this, microseconds.
pub const HOLD_MIN_US: i64 = 10_000_000;

/// For how long a picture must seem so before it is said, microseconds: a lorry that stops, a hand that cleans the glass,
/// headlights and lightning are shorter. What a frozen picture takes comes on top of the minute it has stood then.
#[must_use]
pub const fn hold_us(seems: Option<PictureFault>) -> i64 {
    match seems {
        None | Some(PictureFault::Black | PictureFault::Frozen) => HOLD_MIN_US,
        Some(PictureFault::Overexposed | PictureFault::Covered) => 20_000_000,
        Some(PictureFault::Moved | PictureFault::Defocused) => 60_000_000,
    }
}

/// What is said, and what seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hold {
    /// What is said and since when it was so; nothing until something has held for long enough.
    pub said: Option<(Option<PictureFault>, MediaTime)>,
    seems: Option<(Option<PictureFault>, MediaTime)>,
}

impl Hold {
    /// What a picture of that time seems to be. Whether something else is said from now on.
    pub fn step(&mut self, seems: Option<PictureFault>, time: MediaTime) -> bool {
        let since = match self.seems {
            Some((same, since)) if same == seems => since,
            _ => time,
        };
        self.seems = Some((seems, since));
        let other = self.said.is_none_or(|(said, _)| said != seems);
        if other && time.since(since) >= hold_us(seems) {
            self.said = Some((seems, since));
            return true;
        }
        false
    }
    /// What seemed to be counts no longer: the light was switched, or nothing was seen for a while.
    pub const fn begin_anew(&mut self) {
        self.seems = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seem() -> impl Strategy<Value = Option<PictureFault>> {
        prop::option::of(prop::sample::select(PictureFault::ALL.to_vec()))
    }

    proptest! {
        #[test]
        fn what_is_said_never_changes_twice_within_the_hold_and_shifting_times_shifts_it(
            steps in prop::collection::vec((seem(), 1..40u8, 200_000..6_000_000i64, prop::bool::weighted(0.1)), 1..40),
            shift in -1_000_000_000_000i64..1_000_000_000_000,
        ) {
            let (mut hold, mut shifted) = (Hold::default(), Hold::default());
            let (mut time, mut last) = (MediaTime(0), None);
            for (seems, times, step, anew) in steps {
                if anew {
                    hold.begin_anew();
                    shifted.begin_anew();
                }
                for _ in 0..times {
                    time = time.plus_us(step);
                    let changed = hold.step(seems, time);
                    prop_assert_eq!(changed, shifted.step(seems, time.plus_us(shift)));
                    prop_assert_eq!(shifted.said, hold.said.map(|(f, t)| (f, t.plus_us(shift))));
                    if changed {
                        prop_assert!(last.is_none_or(|l| time.since(l) >= HOLD_MIN_US));
                        last = Some(time);
                    }
                }
            }
        }
    }

    #[test]
    fn what_lasts_too_short_is_not_said_and_what_lasts_is_said_with_its_beginning() {
        let mut hold = Hold::default();
        let mut at = |second: i64, seems| (hold.step(seems, MediaTime(second * 1_000_000)), hold.said);
        let good = Some((None, MediaTime(0)));
        assert_eq!(at(0, None), (false, None));
        assert_eq!(at(10, None), (true, good));
        let covered = Some(PictureFault::Covered);
        assert_eq!(at(11, covered), (false, good));
        assert_eq!(at(30, covered), (false, good));
        assert_eq!(at(31, covered), (true, Some((covered, MediaTime(11_000_000)))));
        assert!(!at(40, None).0 && !at(45, covered).0 && !at(46, None).0 && !at(55, None).0);
        assert_eq!(at(56, None), (true, Some((None, MediaTime(46_000_000)))));
    }
}
