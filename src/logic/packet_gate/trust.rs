//! Whether the packet gate may be trusted on this camera: of the episodes of motion that the picture gate saw while
//! everything was decoded, how many would have been kept.
//!
//! An episode begins with motion after a rest and is seen in [`LOOKS_MIN`] pictures, as a track has to be: noise is not. It is
//! kept when the packet gate was open then, or opened within half a second, or at the next key frame at the latest, for then
//! the packets held since the one before show it all. The plain share of the last [`WINDOW`] episodes decides: with fewer than 50 in the window a single one lost is too much.

use std::collections::VecDeque;

use crate::domain::time::MediaTime;

/// Episodes that are remembered.
pub const WINDOW: usize = 64;
/// Episodes that must have been seen.
pub const EPISODES_MIN: u32 = 20;
/// Of which so many of a hundred must have been kept.
pub const KEPT_PERCENT: u32 = 98;
/// Pictures in which something moves that make it an episode.
pub const LOOKS_MIN: u32 = 5;
/// Motion after a rest of this length is a new episode.
const REST_US: i64 = 3_000_000;
/// An opening this much later is still in time.
const IN_TIME_US: i64 = 500_000;
/// Looks come so much later than packets at most; an episode is not judged before.
const LATE_US: i64 = 2_000_000;
/// So long after the first picture the picture gate learns what is noise on this camera: what moves then is no test.
const SETTLED_US: i64 = 60_000_000;
/// A key frame of which nothing was told after so long is not waited for.
const KEY_WAIT_US: i64 = 12_000_000;
/// Openings, key frames and episodes that wait to be judged.
const REMEMBERED: usize = 64;

/// What happened, as far as it decides.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Spans in which the gate was open, or would have been; the last may go on.
    spans: VecDeque<(MediaTime, Option<MediaTime>)>,
    keys: VecDeque<MediaTime>,
    /// When each began, and in how many pictures something moved since.
    pending: VecDeque<(MediaTime, u32)>,
    kept: VecDeque<bool>,
    /// The first picture that the picture gate saw.
    first: Option<MediaTime>,
    /// Since when all looks were at a stream decoded whole, and the last motion in it.
    whole: Option<MediaTime>,
    moved: Option<MediaTime>,
}

fn remember<T>(list: &mut VecDeque<T>, value: T, max: usize) {
    if list.len() >= max {
        list.pop_front();
    }
    list.push_back(value);
}

impl Trust {
    /// Episodes remembered, and how many of them were kept.
    #[must_use]
    pub fn count(&self) -> (u32, u32) {
        (self.kept.len() as u32, self.kept.iter().filter(|k| **k).count() as u32)
    }
    /// Whether the gate may decide; `None` while too few episodes were seen.
    #[must_use]
    pub fn verdict(&self) -> Option<bool> {
        let (episodes, kept) = self.count();
        (episodes >= EPISODES_MIN).then_some(kept * 100 >= episodes * KEPT_PERCENT)
    }
    /// All episodes are forgotten: trust has to be earned again.
    pub fn begin_anew(&mut self) {
        self.kept.clear();
    }
    /// The times are of another stream now.
    pub fn forget_pending(&mut self) {
        let (kept, first) = (std::mem::take(&mut self.kept), self.first);
        *self = Self { kept, first, ..Self::default() };
    }
    /// The picture gate begins anew.
    pub const fn unsettled(&mut self) {
        self.first = None;
    }
    /// It was told what a key frame shows.
    pub fn key(&mut self, time: MediaTime) {
        remember(&mut self.keys, time, REMEMBERED);
    }
    /// The gate opened, or would have.
    pub fn opened(&mut self, time: MediaTime) {
        remember(&mut self.spans, (time, None), REMEMBERED);
    }
    /// The gate closed, or would have.
    pub fn closed(&mut self, time: MediaTime) {
        if let Some((_, end)) = self.spans.back_mut() {
            *end = Some(time);
        }
    }
    /// The picture gate looked at a frame; `whole`: of a stream of which every packet is decoded.
    pub fn look(&mut self, time: MediaTime, moves: bool, whole: bool) {
        if !whole {
            (self.whole, self.moved) = (None, None);
            return;
        }
        let since = *self.whole.get_or_insert(time);
        let first = *self.first.get_or_insert(time);
        // Times of another stream may lie before it.
        let settled = !(0..SETTLED_US).contains(&time.since(first));
        let rested = self.moved.is_none_or(|moved| time.since(moved) >= REST_US);
        if moves {
            // What went on before everything was decoded did not begin here.
            if rested && settled && time.since(since) >= REST_US {
                remember(&mut self.pending, (time, 0), REMEMBERED);
            }
            if let Some((_, looks)) = self.pending.back_mut() {
                *looks += 1;
            }
            self.moved = Some(time);
        }
    }
    /// Judges the episodes that are old enough.
    pub fn judge(&mut self, now: MediaTime) {
        while let Some(&(began, looks)) = self.pending.front() {
            let next = self.keys.iter().find(|key| **key > began);
            let waited = now.since(began);
            if waited < LATE_US || next.is_none() && waited < KEY_WAIT_US {
                return;
            }
            if looks < LOOKS_MIN {
                let newest = self.pending.len() == 1;
                if newest && self.moved.is_some_and(|moved| now.since(moved) < REST_US) {
                    return;
                }
                self.pending.pop_front();
                continue;
            }
            let limit = began.plus_us(IN_TIME_US).max(*next.unwrap_or(&began));
            let covers = |&(from, to): &(MediaTime, Option<MediaTime>)| from <= limit && to.is_none_or(|to| to > began);
            let kept = self.spans.iter().any(covers);
            remember(&mut self.kept, kept, WINDOW);
            self.pending.pop_front();
        }
    }
}
