//! Follows objects from frame to frame.
//!
//! In: one frame's time and what the detector saw in it, or that it did not look. Out: the objects seen in this frame
//! under lasting identities, those that are over, those now believed. Frames come 2 to 10 times a second and unevenly,
//! so everything is counted in seconds, and a motorbike that moved its own length since the last frame (no overlap at
//! all) is still found: pairs are judged by buffered overlap and by the distance from where the object should be,
//! measured in its own size. Sightings of high score are assigned first, those of low score may only continue what
//! was left over (Zhang et al., ByteTrack, 2022).
//!
//! Limits: [`DETECTIONS_MAX`] sightings a frame, [`TRACKS_MAX`] objects at a time. Refuses to look at pixels: two
//! objects of one class that merge into one box and part again may have changed their names.

use crate::domain::{
    detection::{Class, Detection},
    ids::TrackId,
    time::MediaTime,
    track::TrackPoint,
};

use filter::{Filter, Noise, Shape};
use matching::{Candidate, Gates, assign, class_cost};

mod filter;
mod matching;
#[cfg(test)]
mod tests;

/// The most sightings looked at in one frame; of more, those of highest score.
pub const DETECTIONS_MAX: usize = 200;
/// The most objects followed at a time; further ones are not begun.
pub const TRACKS_MAX: usize = 200;

/// What may be tuned. Times in seconds, lengths in the object's own size (the root of its box's area).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerConfig {
    /// Width of the picture over its height; boxes are normalised and would distort distances otherwise.
    pub aspect: f32,
    /// Sightings of at least this score are assigned first.
    pub high_score: f32,
    /// Sightings of less than this score are not looked at.
    pub low_score: f32,
    /// Only a sighting of at least this score begins a track.
    pub new_score: f32,
    /// Sightings that make a track believed …
    pub confirm_sightings: usize,
    /// … when they lie within this time.
    pub confirm_within_s: f32,
    /// A track not yet confirmed is over when unseen for longer than this.
    pub lose_new_s: f32,
    /// A confirmed one when unseen for longer than this.
    pub lose_confirmed_s: f32,
    /// Standard deviation of the speed of something new, sizes a second; a motorbike at 36 km/h makes 5.
    pub first_speed: f32,
    /// Standard deviation of the acceleration, sizes a second squared.
    pub acceleration: f32,
    /// A sighting that overlaps a better one of a kindred class by this much is the same object twice.
    pub duplicate_iou: f32,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            aspect: 16.0 / 9.0,
            high_score: 0.5,
            low_score: 0.1,
            new_score: 0.4,
            confirm_sightings: 3,
            confirm_within_s: 1.5,
            lose_new_s: 1.5,
            lose_confirmed_s: 2.0,
            first_speed: 3.5,
            acceleration: 4.0,
            duplicate_iou: 0.7,
        }
    }
}

/// What one frame said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrackStep {
    /// Objects seen in this very frame, by track.
    pub points: Vec<TrackPoint>,
    /// Tracks that are over; said once each.
    pub ended: Vec<TrackId>,
    /// Tracks believed since this frame, with the class they have now; said once each.
    pub newly_confirmed: Vec<(TrackId, Class)>,
}

/// Follows the objects of one camera.
#[derive(Debug, Clone)]
pub struct Tracker {
    config: TrackerConfig,
    next_id: i64,
    now: Option<MediaTime>,
    tracks: Vec<Track>,
}

#[derive(Debug, Clone)]
struct Track {
    id: TrackId,
    filter: Filter,
    class: Class,
    // Sum of the scores of each class's sightings, in the order of `Class::ALL`.
    votes: [f32; Class::ALL.len()],
    // The newest sightings, at most as many as confirming takes.
    seen: Vec<MediaTime>,
    confirmed: bool,
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

impl Track {
    fn new(id: TrackId, time: MediaTime, detection: &Detection, config: &TrackerConfig) -> Self {
        let noise = Noise {
            measured: 0.05,
            first_speed: f64::from(config.first_speed),
            acceleration: f64::from(config.acceleration),
        };
        let filter = Filter::new(Shape::of(detection.rect, f64::from(config.aspect)), noise);
        let mut track =
            Self { id, filter, class: detection.class, votes: Default::default(), seen: Vec::new(), confirmed: false };
        track.count(time, detection, config);
        track
    }
    fn see(&mut self, time: MediaTime, detection: &Detection, config: &TrackerConfig) {
        self.filter.see(Shape::of(detection.rect, f64::from(config.aspect)));
        self.count(time, detection, config);
    }
    fn count(&mut self, time: MediaTime, detection: &Detection, config: &TrackerConfig) {
        self.votes[detection.class as usize] += detection.score;
        if self.votes[detection.class as usize] > self.votes[self.class as usize] {
            self.class = detection.class;
        }
        if self.seen.len() >= config.confirm_sightings.max(1) {
            self.seen.remove(0);
        }
        self.seen.push(time);
    }
    /// Whether the newest sightings are enough to believe it.
    fn is_proven(&self, config: &TrackerConfig) -> bool {
        let span_us = self.seen.last().zip(self.seen.first()).map_or(0, |(last, first)| last.since(*first));
        self.seen.len() >= config.confirm_sightings && seconds(span_us) <= f64::from(config.confirm_within_s)
    }
    fn unseen_s(&self, now: MediaTime) -> f64 {
        self.seen.last().map_or(0.0, |last| seconds(now.since(*last)))
    }
    fn is_lost(&self, now: MediaTime, config: &TrackerConfig) -> bool {
        let limit = if self.confirmed { config.lose_confirmed_s } else { config.lose_new_s };
        self.unseen_s(now) > f64::from(limit)
    }
}

/// A step back in time by more than this is a new beginning, not a frame out of order.
const BACK_MAX_US: i64 = 1_000_000;

impl Tracker {
    /// Follows nothing yet; the first track gets `first_id`, each further one the next number.
    #[must_use]
    pub fn new(config: TrackerConfig, first_id: i64) -> Self {
        Self { config, next_id: first_id, now: None, tracks: Vec::new() }
    }

    /// Takes one frame. `None`: the detector did not look, so nothing is seen, but time passes and unseen tracks end.
    ///
    /// A time before the last one is taken as the last one; more than a second before, every track ends and the
    /// tracker begins anew there.
    pub fn step(&mut self, time: MediaTime, detections: Option<&[Detection]>) -> TrackStep {
        let mut out = TrackStep::default();
        let time = self.advance(time, &mut out);
        if let Some(detections) = detections {
            self.look(time, detections, &mut out);
        }
        out
    }

    /// Ends every track.
    pub fn finish(&mut self) -> Vec<TrackId> {
        self.now = None;
        self.tracks.drain(..).map(|t| t.id).collect()
    }

    /// The number the next track will get.
    #[must_use]
    pub const fn next_id(&self) -> i64 {
        self.next_id
    }

    /// How many objects are followed now.
    #[must_use]
    pub fn following(&self) -> usize {
        self.tracks.len()
    }

    fn advance(&mut self, time: MediaTime, out: &mut TrackStep) -> MediaTime {
        let last = self.now.unwrap_or(time);
        if last.since(time) > BACK_MAX_US {
            out.ended = self.finish();
        }
        let time = self.now.map_or(time, |last| last.max(time));
        self.now = Some(time);
        let config = self.config;
        self.tracks.retain(|track| {
            let lost = track.is_lost(time, &config);
            if lost {
                out.ended.push(track.id);
            }
            !lost
        });
        for track in &mut self.tracks {
            track.filter.pass(seconds(time.since(last).max(0)));
        }
        time
    }

    fn look(&mut self, time: MediaTime, detections: &[Detection], out: &mut TrackStep) {
        let usable = self.usable(detections);
        let (high, low): (Vec<_>, Vec<_>) = usable.iter().partition(|d| d.score >= self.config.high_score);
        // For every track the sighting it got.
        let mut given: Vec<Option<&Detection>> = vec![None; self.tracks.len()];
        let mut left = self.hand_out(time, &high, &mut given);
        left.extend(self.hand_out(time, &low, &mut given));

        let mut points: Vec<(usize, &Detection)> = Vec::new();
        for (index, detection) in given.iter().enumerate().filter_map(|(i, d)| d.map(|d| (i, d))) {
            self.tracks[index].see(time, detection, &self.config);
            points.push((index, detection));
        }
        for detection in left {
            let twice = points.iter().any(|(_, p)| {
                p.rect.iou(detection.rect) >= self.config.duplicate_iou
                    && class_cost(p.class, detection.class).is_some()
            });
            if detection.score < self.config.new_score || twice || self.tracks.len() >= TRACKS_MAX {
                continue;
            }
            self.tracks.push(Track::new(TrackId(self.next_id), time, detection, &self.config));
            self.next_id = self.next_id.saturating_add(1);
            points.push((self.tracks.len() - 1, detection));
        }
        for (index, detection) in points {
            let track = &mut self.tracks[index];
            if !track.confirmed && track.is_proven(&self.config) {
                track.confirmed = true;
                out.newly_confirmed.push((track.id, track.class));
            }
            let (score, rect) = (detection.score, detection.rect);
            out.points.push(TrackPoint {
                track: track.id,
                class: track.class,
                score,
                rect,
                confirmed: track.confirmed,
            });
        }
    }

    /// The sightings worth a look, best first, at most [`DETECTIONS_MAX`].
    fn usable(&self, detections: &[Detection]) -> Vec<Detection> {
        // A score that is no number fails the comparison.
        let mut usable: Vec<_> = detections.iter().copied().filter(|d| d.score >= self.config.low_score).collect();
        usable.sort_by(|a, b| b.score.total_cmp(&a.score));
        usable.truncate(DETECTIONS_MAX);
        usable
    }

    /// Assigns `seen` to the tracks that have nothing yet; returns what was left over.
    fn hand_out<'d>(
        &self,
        now: MediaTime,
        seen: &[&'d Detection],
        given: &mut [Option<&'d Detection>],
    ) -> Vec<&'d Detection> {
        let waiting: Vec<usize> = (0..given.len()).filter(|&i| given[i].is_none()).collect();
        let candidates: Vec<_> = waiting
            .iter()
            .map(|&i| &self.tracks[i])
            .map(|t| Candidate {
                filter: &t.filter,
                class: t.class,
                handicap: 0.05 * t.unseen_s(now) + if t.confirmed { 0.0 } else { 0.05 },
            })
            .collect();
        let gates = Gates {
            aspect: f64::from(self.config.aspect),
            buffer: 0.3,
            slack: 0.35,
            sigmas: 3.0,
            reach_max: 3.5,
            size_ratio_max: 2.5,
        };
        let mut left: Vec<Option<&Detection>> = seen.iter().copied().map(Some).collect();
        for (&track, column) in waiting.iter().zip(assign(&candidates, seen, &gates)) {
            given[track] = column.and_then(|c| left[c].take());
        }
        left.into_iter().flatten().collect()
    }
}
