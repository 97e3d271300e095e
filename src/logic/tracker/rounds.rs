//! The rounds in which sightings are handed out: sure ones first, weak ones to what is left, then to objects lost a
//! while ago; what is still left begins something new.

use super::{
    DETECTIONS_MAX, Glance, TRACKS_MAX, Tracker,
    filter::Shape,
    matching::{Candidate, Gates, Pair, Sighting, assign, class_cost},
    seconds,
    track::{Track, pace},
};
use crate::domain::{
    detection::{Class, Detection},
    ids::TrackId,
    time::MediaTime,
};

/// Two assignments that differ by less than this leave a doubt about who is who.
const CLEAR_MARGIN: f64 = 0.3;
/// A lost object is only taken up again when no other assignment comes this near.
const AGAIN_MARGIN: f64 = 0.15;
/// The doubt that comes with being taken up again.
const AGAIN_RISK: f64 = 0.25;
/// The doubt that a second without a sighting brings, after the first one.
const UNSEEN_RISK: f64 = 0.05;
/// Neighbours in a stream of traffic are at most this many sizes ahead or behind …
const STREAM_REACH: f64 = 5.0;
/// … and at most this many beside.
const STREAM_WIDTH: f64 = 0.5;

/// Which objects a round is about, and where it looks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Where they should be now.
    Sure,
    /// The same, by sightings that are too weak to begin anything.
    Weak,
    /// Those lost for longer.
    Again,
}

/// Hands out the sightings of one look.
pub(super) struct Rounds<'a> {
    now: MediaTime,
    sightings: Vec<Sighting<'a>>,
    /// Not yet handed out.
    free: Vec<bool>,
    /// For each object what it got, and the doubt that came with it.
    pub given: Vec<Option<(usize, f64)>>,
}

/// Whether the two are one thing reported twice: a car that is also a truck.
fn twins(a: &Detection, b: &Detection, iou: f32) -> bool {
    let vehicles = |c: Class| matches!(c, Class::Car | Class::Bus | Class::Truck);
    let kindred = a.class == b.class
        || vehicles(a.class) && vehicles(b.class)
        || matches!((a.class, b.class), (Class::Motorcycle, Class::Bicycle) | (Class::Bicycle, Class::Motorcycle));
    kindred && a.rect.iou(b.rect) >= iou
}

impl<'a> Rounds<'a> {
    /// The sightings worth a look, best first, at most [`DETECTIONS_MAX`]. Their order in the glance does not matter.
    pub fn new(tracker: &Tracker, now: MediaTime, detections: &'a [Detection], glance: &Glance<'a>) -> Self {
        let config = &tracker.config;
        // A score that is no number fails the comparison.
        let mut order: Vec<usize> =
            (0..detections.len()).filter(|i| detections[*i].score >= config.low_score).collect();
        let key = |i: usize| (detections[i].class, detections[i].rect.corners().map(f32::to_bits));
        order.sort_by(|a, b| {
            let better = detections[*b].score.total_cmp(&detections[*a].score);
            better.then_with(|| key(*a).cmp(&key(*b)))
        });
        let mut kept: Vec<usize> = Vec::new();
        for i in order {
            let twin = |k: &usize| twins(&detections[*k], &detections[i], config.duplicate_iou);
            if kept.len() < DETECTIONS_MAX && !kept.iter().any(twin) {
                kept.push(i);
            }
        }
        let sightings: Vec<_> = kept
            .into_iter()
            .map(|i| Sighting {
                detection: &detections[i],
                shape: Shape::of(detections[i].rect, f64::from(config.aspect)),
                look: glance.appearances.get(i).and_then(Option::as_ref),
            })
            .collect();
        let free = vec![true; sightings.len()];
        Self { now, sightings, free, given: vec![None; tracker.tracks.len()] }
    }

    /// A sighting handed out.
    pub fn sighting(&self, index: usize) -> &Sighting<'a> {
        &self.sightings[index]
    }

    /// Hands out what fits.
    pub fn hand_out(&mut self, tracker: &Tracker) {
        let (high, low) = (tracker.config.high_score, tracker.config.low_score);
        self.round(tracker, Round::Sure, high);
        self.round(tracker, Round::Weak, low);
        self.round(tracker, Round::Again, tracker.config.new_score);
    }

    fn round(&mut self, tracker: &Tracker, round: Round, least: f32) {
        let config = &tracker.config;
        let (now, given) = (self.now, &self.given);
        let waiting: Vec<usize> = (0..given.len())
            .filter(|i| given[*i].is_none())
            .filter(|i| {
                let track = &tracker.tracks[*i];
                match round {
                    Round::Sure | Round::Weak => !track.is_lost(now, config),
                    Round::Again => track.confirmed && track.is_lost(now, config),
                }
            })
            .collect();
        let offered: Vec<usize> =
            (0..self.free.len()).filter(|i| self.free[*i] && self.sightings[*i].detection.score >= least).collect();
        let candidates: Vec<_> = waiting.iter().map(|i| candidate(&tracker.tracks[*i], round, now)).collect();
        let sightings: Vec<_> = offered.iter().map(|i| self.sightings[*i]).collect();
        let pairs = assign(&candidates, &sightings, &gates(round, f64::from(config.aspect)));
        for (track, pair) in waiting.into_iter().zip(pairs) {
            let Some(Pair { sighting, margin }) = pair else { continue };
            if round == Round::Again && margin.is_some_and(|m| m < AGAIN_MARGIN) {
                continue;
            }
            self.free[offered[sighting]] = false;
            let gone = &tracker.tracks[track];
            let near = margin.map_or(0.0, |m| 0.5 * (1.0 - m / CLEAR_MARGIN).max(0.0).powi(2));
            let unseen = if gone.stand.is_some() { 0.0 } else { UNSEEN_RISK * (gone.absent_s(now) - 1.0).max(0.0) };
            let again = if round == Round::Again { AGAIN_RISK } else { 0.0 };
            self.given[track] = Some((offered[sighting], near + unseen + again));
        }
    }

    /// Sightings nobody took that may begin something new, best first. Those that are what somebody has already, seen
    /// twice, may not.
    pub fn new_ones(&self, tracker: &Tracker) -> Vec<usize> {
        let config = &tracker.config;
        let taken: Vec<_> = self.given.iter().flatten().map(|(i, _)| self.sightings[*i].detection).collect();
        (0..self.sightings.len())
            .filter(|i| self.free[*i] && self.sightings[*i].detection.score >= config.new_score)
            .filter(|i| !taken.iter().any(|t| twins(t, self.sightings[*i].detection, config.duplicate_iou)))
            .collect()
    }
}

fn gates(round: Round, aspect: f64) -> Gates {
    let sure = Gates { aspect, buffer: 0.2, slack: 0.35, sigmas: 1.5, size_ratio_max: 2.0, look: 0.3 };
    match round {
        Round::Sure => sure,
        Round::Weak => Gates { slack: 0.4, sigmas: 3.0, size_ratio_max: 1.8, ..sure },
        Round::Again => Gates { slack: 0.5, size_ratio_max: 1.8, look: 0.7, ..sure },
    }
}

fn candidate(track: &Track, round: Round, now: MediaTime) -> Candidate<'_> {
    let (_, _, reach_max) = pace(track.class);
    let absent_s = track.absent_s(now);
    let handicap = match round {
        // Everything it competes with was lost too.
        Round::Again => 0.0,
        // What is hidden where it stands is as likely as ever to be there.
        _ if track.stand.is_some() => 0.0,
        _ => 0.15 * absent_s + if track.confirmed { 0.0 } else { 0.05 },
    };
    let (there, spread) = match (track.stand, round) {
        (Some(stand), _) => (stand.at, stand.at.size() * (0.05 + 0.1 * absent_s.min(2.0))),
        (None, Round::Sure | Round::Weak) => track.expected(),
        (None, Round::Again) => {
            // It may have stopped at once, gone on, or anything between.
            let (last, (vx, vy), way_s) = (track.last_shape(), track.speed(), absent_s.min(2.0) / 2.0);
            let there = Shape { x: last.x + vx * way_s, y: last.y + vy * way_s, ..last };
            (there, (last.distance(there) + 0.25 * absent_s * last.size()) / 3.0)
        }
    };
    let reach_max = if track.stand.is_some() { 1.0 } else { reach_max };
    Candidate { track, there, spread, reach_max, handicap }
}

impl Tracker {
    /// Begins a new object.
    pub(super) fn begin(&mut self, time: MediaTime, seen: &Sighting<'_>) -> Option<usize> {
        if self.tracks.len() >= TRACKS_MAX {
            return None;
        }
        let mut track = Track::new(TrackId(self.next_id), time, seen, &self.config);
        self.next_id = self.next_id.saturating_add(1);
        if let Some(speed) = self.stream(&track, time) {
            track.drift(speed);
        }
        self.tracks.push(track);
        Some(self.tracks.len() - 1)
    }

    /// The speed of the nearest neighbour in the same stream of traffic.
    ///
    /// In a row of motorbikes each of which moves about the distance to the next one between frames, the nearest box
    /// is the wrong one; only the stream tells which way and how far. Standing still is no stream.
    fn stream(&self, new: &Track, now: MediaTime) -> Option<(f64, f64)> {
        let (here, _) = new.expected();
        let near = self.tracks.iter().filter(|t| t.confirmed || t.in_stream).filter_map(|t| {
            let (there, _) = t.expected();
            let (size, ratio) = (here.size(), there.size() / here.size());
            let (dx, dy) = ((there.x - here.x) / size, (there.y - here.y) / size);
            let kindred = class_cost(t.class, new.class).is_some() && (0.6..1.7).contains(&ratio);
            let fresh = seconds(now.since(t.seen)) < 0.5;
            let distance = dx.hypot(dy);
            let (vx, vy) = t.speed();
            // Ahead or behind along its way, not beside it: the next lane may go the other way.
            let speed = vx.hypot(vy);
            let beside = if speed > 0.0 { (dx * vy - dy * vx).abs() / speed } else { distance };
            (kindred && fresh && distance < STREAM_REACH && beside < STREAM_WIDTH).then_some((distance, (vx, vy)))
        });
        near.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, speed)| speed)
    }
}
