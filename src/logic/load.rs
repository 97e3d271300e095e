//! What analysis gives up when the machine is too slow, and in which order: first frames, then cameras in turn. Pure.
//!
//! 5 frames a second of each camera, then 2.5, then 1.25; then half of the cameras at a time, a quarter, an eighth, each
//! for [`TURN_US`]. Each level is half the work of the one before. One level at a time: down after [`WORSE_US`] of
//! overload, up after [`BETTER_US`] in which the work of the better level would have fitted. Recording has no part in
//! this.

use crate::domain::time::BootTime;

/// Frames of a camera at full rate lie so far apart, microseconds; a little less than 0.2 s, for uneven times.
pub const FULL_US: i64 = 190_000;
/// Levels, 0 (everything) and so on.
pub const LEVELS: u32 = 6;
/// Levels up to this one have fewer frames but all cameras.
const ALL_CAMERAS: u32 = 2;
/// How long a group of cameras has its turn, microseconds.
pub const TURN_US: i64 = 20_000_000;
/// Overloaded for so long: a level down, microseconds.
const WORSE_US: i64 = 3_000_000;
/// Work to spare for so long: a level up, microseconds.
const BETTER_US: i64 = 10_000_000;
/// The analysis thread is overloaded when it works for this share of the time.
const BUSY_MAX: f32 = 0.9;
/// On the better level it would work for at most this share.
const BUSY_THEN: f32 = 0.8;
/// Overloaded when the newest analysed frames are older than this, microseconds.
const LAG_MAX_US: i64 = 4_000_000;
/// Nothing is wrong below this, microseconds; frames lie up to 0.8 s apart.
const LAG_CALM_US: i64 = 2_000_000;

/// What is known of the last moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Share of the time in which the analysis thread worked, 0 to 1.
    pub busy: f32,
    /// How old the newest analysed frame of the middle camera is, microseconds.
    pub lag_us: i64,
    /// Cameras that are analysed: there are no more groups than these.
    pub cameras: usize,
}

/// The level, and since when it should be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    level: u32,
    worse: Option<BootTime>,
    better: Option<BootTime>,
}

impl Load {
    /// 0 is everything.
    #[must_use]
    pub const fn level(&self) -> u32 {
        self.level
    }
    /// Frames of a camera lie at least so far apart, microseconds.
    #[must_use]
    pub const fn every_us(&self) -> i64 {
        FULL_US << if self.level < ALL_CAMERAS { self.level } else { ALL_CAMERAS }
    }
    /// Into how many groups the cameras are divided; one group has its turn.
    #[must_use]
    pub const fn groups(&self) -> usize {
        1 << self.level.saturating_sub(ALL_CAMERAS)
    }
    /// Whether the camera that is number `index` of all has its turn.
    #[must_use]
    pub const fn has_turn(&self, index: usize, now: BootTime) -> bool {
        let groups = self.groups();
        index % groups == (now.us() / TURN_US).rem_euclid(groups as i64) as usize
    }
    /// Takes in a reading, about one a second; whether the level changed.
    pub fn step(&mut self, reading: Reading, now: BootTime) -> bool {
        let over = reading.busy >= BUSY_MAX || reading.lag_us > LAG_MAX_US;
        let spare = reading.busy * 2.0 <= BUSY_THEN && reading.lag_us < LAG_CALM_US;
        self.worse = if over { self.worse.or(Some(now)) } else { None };
        self.better = if spare { self.better.or(Some(now)) } else { None };
        let lasted = |since: Option<BootTime>, us| since.is_some_and(|t| now.since(t) >= us);
        let most = (ALL_CAMERAS + reading.cameras.max(1).ilog2()).min(LEVELS - 1);
        let level = if lasted(self.worse, WORSE_US) {
            (self.level + 1).min(most)
        } else if lasted(self.better, BETTER_US) {
            self.level.saturating_sub(1)
        } else if self.level > most {
            most
        } else {
            return false;
        };
        (self.worse, self.better) = (None, None);
        std::mem::replace(&mut self.level, level) != level
    }
    /// For a person, in Vietnamese and English; `None` when nothing is given up.
    #[must_use]
    pub fn says(&self) -> Option<(String, String)> {
        let per_second = [5.0, 2.5, 1.25][self.level.min(ALL_CAMERAS) as usize];
        match (self.level, self.groups()) {
            (0, _) => None,
            (_, 1) => Some((
                format!("máy không kịp: mỗi camera chỉ phân tích {per_second} hình/giây; ghi hình vẫn đủ"),
                format!("too slow a machine: {per_second} frames/s of each camera are analysed; recording is complete"),
            )),
            (_, groups) => Some((
                format!(
                    "máy không kịp: lần lượt phân tích 1/{groups} số camera, {per_second} hình/giây; ghi hình vẫn đủ"
                ),
                format!(
                    "too slow a machine: 1/{groups} of the cameras at a time are analysed, {per_second} frames/s; recording is complete"
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A machine for which analysing everything would take `demand` of its time, for `seconds`: all levels it had.
    fn run(load: &mut Load, demand: f32, from: i64, seconds: i64) -> Vec<u32> {
        let mut levels = vec![load.level()];
        for s in from..from + seconds {
            let work = demand / (1 << load.level()) as f32;
            let lag_us = if work > 1.0 { 9_000_000 } else { 500_000 };
            if load.step(Reading { busy: work.min(1.0), lag_us, cameras: 37 }, BootTime(s * 1_000_000)) {
                levels.push(load.level());
            }
        }
        levels
    }

    #[test]
    fn frames_go_first_then_cameras_take_turns_and_all_comes_back() {
        let mut load = Load::default();
        assert_eq!(run(&mut load, 11.0, 0, 60), [0, 1, 2, 3, 4]);
        assert_eq!((load.every_us(), load.groups()), (760_000, 4));
        assert!(load.says().unwrap().1.contains("1/4"));
        assert_eq!(run(&mut load, 0.3, 60, 60), [4, 3, 2, 1, 0]);
        assert_eq!((load.every_us(), load.groups(), load.says()), (FULL_US, 1, None));
    }

    #[test]
    fn a_moment_of_load_changes_nothing() {
        let mut load = Load::default();
        for s in 0..60 {
            let busy = if s % 3 == 0 { 0.5 } else { 1.0 };
            assert!(!load.step(Reading { busy, lag_us: 0, cameras: 37 }, BootTime(s * 1_000_000)));
        }
    }

    proptest! {
        #[test]
        fn a_steady_load_finds_its_level_and_stays_there(demand in 0.0..40.0f32) {
            let mut load = Load::default();
            run(&mut load, demand, 0, 300);
            let settled = load.level();
            prop_assert_eq!(run(&mut load, demand, 300, 600), vec![settled]);
            let work = demand / (1 << settled) as f32;
            prop_assert!(work < BUSY_MAX || settled == LEVELS - 1, "{} at level {}", work, settled);
        }

        #[test]
        fn one_level_at_a_time_whatever_is_read(
            readings in prop::collection::vec((0.0..1.0f32, 0..10_000_000i64, 1..5_000_000i64), 1..200),
            cameras in 0..40usize,
        ) {
            let (mut load, mut now) = (Load::default(), BootTime(0));
            for (busy, lag_us, later) in readings {
                now = now.plus_us(later);
                let before = load.level();
                let changed = load.step(Reading { busy, lag_us, cameras }, now);
                prop_assert_eq!(changed, before != load.level());
                prop_assert!(load.groups() <= cameras.max(1));
                prop_assert!(before.abs_diff(load.level()) <= 1 && load.level() < LEVELS);
            }
        }

        #[test]
        fn every_camera_has_its_turn_and_no_more_than_its_share_at_a_time(level in 0..LEVELS, cameras in 1..60usize) {
            let load = Load { level, ..Load::default() };
            let mut had = vec![0; cameras];
            for turn in 0..load.groups() as i64 {
                let now = BootTime(turn * TURN_US);
                let on: Vec<_> = (0..cameras).filter(|i| load.has_turn(*i, now)).collect();
                prop_assert!(on.len() <= cameras.div_ceil(load.groups()));
                on.iter().for_each(|i| had[*i] += 1);
            }
            prop_assert!(had.iter().all(|n| *n == 1));
        }
    }
}
