//! An event while it goes on: its best sighting, its thinned path, when it was last told.

use crate::domain::{
    event::{Event, EventChange, PATH_POINTS_MAX, PathPoint},
    geometry::NormBox,
    time::MediaTime,
};

/// An open event is told again at most once in this time …
const UPDATE_US: i64 = 1_000_000;
/// … unless its score has improved by this much.
const NOTABLE: f32 = 0.1;

/// One sighting that makes a rule hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    pub time: MediaTime,
    pub rect: NormBox,
    pub score: f32,
}

/// An open event.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub key: u64,
    pub event: Event,
    // Every so many sightings one stays in the path; doubles at each thinning, so that the points stay evenly spread.
    stride: usize,
    // Sightings since the last one that stays.
    since_kept: usize,
    told: MediaTime,
    told_score: f32,
}

impl Open {
    /// Begins with the sightings that made it fire, oldest first; `event` brings everything else.
    pub fn new(key: u64, event: Event, sightings: &[Sighting], now: MediaTime) -> Self {
        let mut open = Self { key, event, stride: 1, since_kept: 0, told: now, told_score: 0.0 };
        open.event.path.clear();
        for (i, sighting) in sightings.iter().enumerate() {
            if i == 0 {
                open.event.start_us = sighting.time.us();
            }
            open.hold(*sighting);
        }
        open.told_score = open.event.score;
        open
    }
    /// It still holds: takes the time, the box and, if better, the score.
    pub fn hold(&mut self, sighting: Sighting) {
        self.event.end_us = sighting.time.us();
        if sighting.score > self.event.score || self.event.path.is_empty() {
            self.event.score = sighting.score;
            self.event.rect = sighting.rect;
        }
        self.went(sighting.time, sighting.rect);
    }
    /// The object was here, whether or not the rule holds there.
    pub fn went(&mut self, time: MediaTime, rect: NormBox) {
        let path = &mut self.event.path;
        let point = PathPoint { time_us: time.us(), rect };
        // The last point is always where it was last; it makes room unless its turn to stay has come.
        let stays = path.len() < 2 || self.since_kept >= self.stride;
        if stays {
            self.since_kept = 0;
            path.push(point);
        } else if let Some(last) = path.last_mut() {
            *last = point;
        }
        self.since_kept += 1;
        if path.len() > PATH_POINTS_MAX {
            let last = path.len() - 1;
            let mut index = 0;
            path.retain(|_| {
                index += 1;
                (index - 1) % 2 == 0 || index - 1 == last
            });
            self.stride *= 2;
        }
    }
    /// Writes a number.
    pub fn number(&mut self, name: &str, value: f64) {
        self.event.numbers.insert(name.to_owned(), value);
    }
    /// The event as it starts.
    pub fn opened(&self) -> EventChange {
        EventChange::Open { key: self.key, event: self.event.clone() }
    }
    /// The event as it now is, unless it was told just before and has not improved.
    pub fn update(&mut self, now: MediaTime) -> Option<EventChange> {
        let notable = self.event.score - self.told_score >= NOTABLE;
        if !notable && now.since(self.told) < UPDATE_US {
            return None;
        }
        (self.told, self.told_score) = (now, self.event.score);
        self.event.revision += 1;
        Some(EventChange::Update { key: self.key, event: self.event.clone() })
    }
    /// The event in its last state.
    pub fn close(mut self) -> EventChange {
        self.event.revision += 1;
        self.event.open = false;
        EventChange::Close { key: self.key, event: self.event }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{
        ids::{CameraId, EventId, RuleId},
        rule::RuleKind,
    };

    #[test]
    fn a_long_path_is_thinned_evenly_and_keeps_both_ends() {
        let rect = NormBox::new(0.1, 0.1, 0.2, 0.2).unwrap();
        let event = Event {
            id: EventId(0),
            camera: CameraId(1),
            rule: RuleId(1),
            rule_version: 1,
            rule_name: String::new(),
            kind: RuleKind::Motion,
            class: None,
            track: None,
            start_us: 0,
            end_us: 0,
            open: true,
            revision: 1,
            score: 0.0,
            rect,
            path: Vec::new(),
            model_sha256: None,
            numbers: BTreeMap::new(),
        };
        let at = |i: i64| Sighting { time: MediaTime(i), rect, score: 0.5 };
        let mut open = Open::new(1, event, &[at(0)], MediaTime(0));
        for i in 1..=5000 {
            open.hold(at(i));
            let path = &open.event.path;
            assert!(path.len() <= PATH_POINTS_MAX);
            assert_eq!((path[0].time_us, path[path.len() - 1].time_us), (0, i));
        }
        let steps: Vec<_> = open.event.path.windows(2).map(|w| w[1].time_us - w[0].time_us).collect();
        let (inner, _) = steps.split_at(steps.len() - 2);
        assert!(inner.len() > PATH_POINTS_MAX / 3, "{}", inner.len());
        assert!(inner.iter().max().unwrap() <= &(2 * inner.iter().min().unwrap()), "{steps:?}");
    }
}
