//! Who went over lines, added up until the store takes it: every ten seconds a few rows, and not one a vehicle.

use std::collections::BTreeMap;

use crate::domain::{
    detection::Class,
    event::{Crossing, LineCount, QUARTER_US},
    ids::{CameraId, RuleId},
    rule::Direction,
    time::BootTime,
};

/// So often they are stored.
const EVERY_US: i64 = 10_000_000;
/// Rows that wait at most; what goes beyond is lost, and counted.
const WAITING_MAX: usize = 20_000;

type Key = (RuleId, CameraId, i64, Class, Direction);

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: BTreeMap<Key, i64>,
    stored: Option<BootTime>,
}

impl Lines {
    /// Adds crossings; how many are lost.
    pub fn add(&mut self, crossings: impl IntoIterator<Item = Crossing>) -> u64 {
        let mut lost = 0;
        for c in crossings {
            let quarter_us = c.time.us().div_euclid(QUARTER_US).saturating_mul(QUARTER_US);
            lost += self.put((c.rule, c.camera, quarter_us, c.class, c.direction), 1);
        }
        lost
    }
    fn put(&mut self, key: Key, n: i64) -> u64 {
        if self.waiting.len() >= WAITING_MAX && !self.waiting.contains_key(&key) {
            return n.unsigned_abs();
        }
        *self.waiting.entry(key).or_default() += n;
        0
    }
    /// What is to be stored now, if it is time.
    pub fn take(&mut self, now: BootTime, at_once: bool) -> Option<Vec<LineCount>> {
        let due = at_once || self.stored.is_none_or(|last| now.since(last) >= EVERY_US);
        if self.waiting.is_empty() || !due {
            return None;
        }
        self.stored = Some(now);
        let all = std::mem::take(&mut self.waiting);
        let count = |((rule, camera, quarter_us, class, direction), n)| LineCount {
            rule,
            camera,
            quarter_us,
            class,
            direction,
            n,
        };
        Some(all.into_iter().map(count).collect())
    }
    /// They were not stored. What the store will never take (`lasting`: the rule is gone) goes.
    pub fn put_back(&mut self, counts: Vec<LineCount>, lasting: bool) {
        for c in counts.into_iter().filter(|_| !lasting) {
            self.put((c.rule, c.camera, c.quarter_us, c.class, c.direction), c.n);
        }
    }
}
