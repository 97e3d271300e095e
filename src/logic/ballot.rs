//! Which tracks an extra classifier looks at next, so that it costs little however many things are in the street.
//!
//! In: the objects seen in a frame. Out: those to be looked at now. A track gets at most [`LOOKS_MAX`] looks, at most one
//! for each [`EVERY_US`]; all cameras of a process together get so many looks a second as [`PIXELS_A_SECOND`] allow, for
//! a look costs about as much as its input is large. Who was looked at least comes first, then who is largest.

use std::collections::BTreeMap;

use crate::domain::{ids::TrackId, time::MediaTime};

/// Looks at one track in all.
pub const LOOKS_MAX: u32 = 15;
/// Looks at a track lie at least so far apart, microseconds.
pub const EVERY_US: i64 = 150_000;
/// Pixels of inputs a second, of all cameras: a dozen pictures of 224 × 224.
pub const PIXELS_A_SECOND: u64 = 12 * 224 * 224;
/// A smaller input costs as much as this.
const PIXELS_MIN: u64 = 64 * 64;
/// Looks at one frame at most.
pub const FRAME_LOOKS_MAX: usize = 3;
/// A thing whose shorter side is smaller shows nothing, pixels.
pub const SIDE_MIN: f32 = 12.0;
/// Tracks remembered; of more, the one looked at longest ago goes.
const TRACKS_MAX: usize = 2000;
/// A frame so much earlier than the newest one is a new beginning of the clock, microseconds.
const BACK_MAX_US: i64 = 10_000_000;

/// An object that could be looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Which.
    pub track: TrackId,
    /// Width and height, pixels.
    pub size: [f32; 2],
}

/// What one classifier may still do.
#[derive(Debug, Clone)]
pub struct Ballot {
    cost: u64,
    looked: BTreeMap<TrackId, (MediaTime, u32)>,
    /// The newest frame, and the pixels that may be spent from then on.
    newest: Option<MediaTime>,
    purse: u64,
}

impl Ballot {
    /// For a classifier with an input of that size.
    #[must_use]
    pub fn new([width, height]: [u32; 2]) -> Self {
        let cost = (u64::from(width) * u64::from(height)).max(PIXELS_MIN);
        Self { cost, looked: BTreeMap::new(), newest: None, purse: PIXELS_A_SECOND.max(cost) }
    }
    /// The most looks a second.
    #[must_use]
    pub fn looks_a_second(&self) -> f64 {
        PIXELS_A_SECOND as f64 / self.cost as f64
    }
    /// Chooses among the objects of a frame; what is chosen counts as looked at.
    pub fn choose(&mut self, time: MediaTime, candidates: &[Candidate]) -> Vec<TrackId> {
        self.earn(time);
        let looks = |track: &TrackId| self.looked.get(track).map_or(0, |(_, n)| *n);
        let may = |c: &&Candidate| {
            let last = self.looked.get(&c.track);
            c.size.iter().all(|side| *side >= SIDE_MIN)
                && last.is_none_or(|(t, n)| *n < LOOKS_MAX && time.since(*t).abs() >= EVERY_US)
        };
        let mut waiting: Vec<&Candidate> = candidates.iter().filter(may).collect();
        let area = |c: &Candidate| c.size[0] * c.size[1];
        waiting.sort_by(|a, b| looks(&a.track).cmp(&looks(&b.track)).then(area(b).total_cmp(&area(a))));
        let mut chosen = Vec::new();
        for candidate in waiting.into_iter().take(FRAME_LOOKS_MAX) {
            if self.purse < self.cost {
                break;
            }
            self.purse -= self.cost;
            chosen.push(candidate.track);
        }
        for track in &chosen {
            let (last, n) = self.looked.entry(*track).or_insert((time, 0));
            (*last, *n) = (time, *n + 1);
        }
        while self.looked.len() > TRACKS_MAX {
            let oldest = self.looked.iter().min_by_key(|(id, (t, _))| (*t, **id)).map(|(id, _)| *id);
            oldest.and_then(|id| self.looked.remove(&id));
        }
        chosen
    }
    /// Time that has passed since the newest frame of any camera is worth pixels; a second's worth is kept at most.
    fn earn(&mut self, time: MediaTime) {
        let passed_us = self.newest.map_or(0, |newest| time.since(newest));
        if self.newest.is_none() || !(-BACK_MAX_US..=0).contains(&passed_us) {
            self.newest = Some(time);
        }
        let earned = passed_us.clamp(0, 1_000_000).unsigned_abs() * PIXELS_A_SECOND / 1_000_000;
        self.purse = (self.purse + earned).min(PIXELS_A_SECOND.max(self.cost));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(track: i64, side: f32) -> Candidate {
        Candidate { track: TrackId(track), size: [side, side] }
    }

    #[test]
    fn a_track_gets_a_few_looks_and_those_looked_at_least_come_first() {
        let mut ballot = Ballot::new([64, 64]);
        let mut counts: BTreeMap<i64, u32> = BTreeMap::new();
        for frame in 0..100 {
            let seen: Vec<_> = (1..=5).map(|t| of(t, 20.0 + t as f32)).chain([of(6, 8.0)]).collect();
            let chosen = ballot.choose(MediaTime(frame * 200_000), &seen);
            if frame == 0 {
                assert_eq!(chosen, [5, 4, 3].map(TrackId), "the largest first");
            }
            if frame == 1 {
                assert_eq!(chosen[..2], [2, 1].map(TrackId), "then who was not looked at");
            }
            chosen.iter().for_each(|t| *counts.entry(t.0).or_default() += 1);
        }
        assert_eq!(counts, (1..=5).map(|t| (t, LOOKS_MAX)).collect(), "and what is too small never");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_end_it() {
        let mut ballot = Ballot::new([1024, 1024]);
        assert_eq!(ballot.choose(MediaTime(100_000_000), &[of(1, 50.0)]).len(), 1);
        assert!(ballot.choose(MediaTime(100_200_000), &[of(1, 50.0)]).is_empty(), "all is spent");
        assert!(ballot.choose(MediaTime(50_000_000), &[of(2, 50.0)]).is_empty());
        let later =
            (1..=20).filter(|s| !ballot.choose(MediaTime(50_000_000 + s * 1_000_000), &[of(2, 50.0)]).is_empty());
        assert!(later.count() >= 10);
    }

    proptest! {
        #[test]
        fn whatever_comes_no_more_is_spent_than_time_has_earned(
            side in 1u32..2000,
            frames in prop::collection::vec((0..400_000i64, prop::collection::vec((0..30i64, 1.0..300.0f32), 0..9)), 1..80),
        ) {
            let mut ballot = Ballot::new([side, side]);
            let (mut now, mut spent) = (0i64, 0u64);
            for (step, seen) in frames {
                now += step;
                let seen: Vec<_> = seen.into_iter().map(|(t, side)| of(t, side)).collect();
                let chosen = ballot.choose(MediaTime(now), &seen);
                prop_assert!(chosen.len() <= FRAME_LOOKS_MAX);
                spent += chosen.len() as u64 * ballot.cost;
                let most = PIXELS_A_SECOND.max(ballot.cost) + PIXELS_A_SECOND * now.unsigned_abs() / 1_000_000;
                prop_assert!(spent <= most, "{spent} of {most}");
            }
            prop_assert!(ballot.looked.values().all(|(_, n)| *n <= LOOKS_MAX));
        }
    }
}
