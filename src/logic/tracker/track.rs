//! One followed object: where it was seen, what it is taken for, whether it stands, how sure its identity is.

use std::collections::VecDeque;

use super::{
    TrackerConfig,
    filter::{Filter, Noise, Shape},
    matching::Sighting,
    seconds,
};
use crate::{
    domain::{detection::Class, geometry::NormBox, ids::TrackId, time::MediaTime, track::TrackPoint},
    logic::colour::Appearance,
};

/// So far back observations are remembered, seconds.
const MEMORY_S: f64 = 2.5;
/// Observations nearer to each other than this replace each other, seconds.
const MEMORY_STEP_S: f64 = 0.09;
/// The direction of the way is taken over about this time, seconds.
const HEADING_S: f64 = 0.8;
/// At most so many steps are made up between two observations.
const STEPS_MAX: u32 = 8;
/// A standing thing's box may differ from its place by this many sizes …
const STAND_REACH: f64 = 0.3;
/// … or must overlap it by this much.
const STAND_IOU: f64 = 0.5;
/// Boxes of something that stands lie within so many sizes of each other's middle.
const UNREST: f64 = 0.14;
/// Doubts closer together than this are one, seconds.
const EPISODE_S: f64 = 1.5;
/// The weight of a new sighting's look.
const LOOK_SHARE: f32 = 0.2;

/// How something of a class moves: standard deviations of the first speed, sizes a second, and of the acceleration,
/// sizes a second squared; the farthest it may be from where it should be, sizes.
///
/// A motorbike at 36 km/h makes 5 of its own sizes a second, somebody on foot one and a half.
pub(super) const fn pace(class: Class) -> (f64, f64, f64) {
    match class {
        Class::Person => (2.0, 1.0, 2.0),
        Class::Bicycle => (3.0, 2.0, 3.0),
        Class::Motorcycle | Class::Car | Class::Bus | Class::Truck => (3.5, 2.5, 3.5),
    }
}

/// Where something stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stand {
    pub at: Shape,
    /// Something moved there since it was last seen: it may have gone.
    pub disturbed: bool,
    /// Looks at its quiet place that did not find it.
    pub misses: u32,
}

/// How sure it is that an object is the one it was at the beginning.
#[derive(Debug, Clone, Copy)]
struct Identity {
    /// Before the doubts of the present episode.
    settled: f32,
    doubt: f32,
    doubted: Option<MediaTime>,
}

#[derive(Debug, Clone)]
pub(super) struct Track {
    pub id: TrackId,
    pub class: Class,
    pub confirmed: bool,
    /// Whether it took its first speed from a neighbour.
    pub in_stream: bool,
    /// Its last box.
    pub rect: NormBox,
    /// Its last sighting's score.
    score: f32,
    /// Its sightings' score, the newest count most.
    mean_score: f32,
    pub look: Option<Appearance>,
    pub stand: Option<Stand>,
    /// When it was last seen, or held to be where it stands.
    pub present: MediaTime,
    /// When it was last seen.
    pub seen: MediaTime,
    /// Since when nothing has moved where it is, as far as anybody can tell.
    pub quiet_since: MediaTime,
    filter: Filter,
    /// The filter as it was when last seen.
    settled: Filter,
    /// Sum of the scores of each class's sightings, in the order of `Class::ALL`.
    votes: [f32; Class::ALL.len()],
    /// The newest observations, oldest first; never empty.
    recent: VecDeque<(MediaTime, Shape)>,
    /// Times of the newest sightings, at most as many as confirming takes.
    proofs: VecDeque<MediaTime>,
    /// Steps since it was last seen.
    steps: u32,
    identity: Identity,
}

impl Track {
    pub fn new(id: TrackId, time: MediaTime, seen: &Sighting<'_>, config: &TrackerConfig) -> Self {
        let (first_speed, acceleration, _) = pace(seen.detection.class);
        let filter = Filter::new(seen.shape, Noise { measured: 0.08, first_speed, acceleration });
        let mut track = Self {
            id,
            class: seen.detection.class,
            confirmed: false,
            in_stream: false,
            rect: seen.detection.rect,
            score: seen.detection.score,
            mean_score: seen.detection.score,
            look: seen.look.cloned(),
            stand: None,
            present: time,
            seen: time,
            quiet_since: time,
            settled: filter.clone(),
            filter,
            votes: Default::default(),
            recent: VecDeque::from([(time, seen.shape)]),
            proofs: VecDeque::new(),
            steps: 0,
            identity: Identity { settled: 1.0, doubt: 0.0, doubted: None },
        };
        track.count(time, seen, config);
        track
    }
    /// Time passes.
    pub fn pass(&mut self, dt_s: f64) {
        self.steps += 1;
        self.filter.pass(dt_s);
        if let Some(stand) = self.stand {
            self.filter.stand(stand.at);
        }
    }
    /// It was seen. After a pause the filter goes the straight way from the last observation once more, instead of
    /// keeping what it had made up on the way ("observation-centric re-update" of OC-SORT).
    pub fn see(&mut self, time: MediaTime, seen: &Sighting<'_>, config: &TrackerConfig) {
        if self.steps > 1 && self.stand.is_none() {
            let (from, steps) = (self.last_shape(), self.steps.min(STEPS_MAX));
            self.filter = self.settled.clone();
            let dt_s = seconds(time.since(self.seen)) / f64::from(steps);
            for step in 1..steps {
                self.filter.pass(dt_s);
                self.filter.see(from.towards(seen.shape, f64::from(step) / f64::from(steps)));
            }
            self.filter.pass(dt_s);
        }
        self.filter.see(seen.shape);
        self.note(time, seen.shape);
        self.stand = self.stands(time, seen.shape, config);
        if let Some(stand) = self.stand {
            self.filter.stand(stand.at);
        }
        self.settled = self.filter.clone();
        (self.steps, self.seen, self.present, self.rect) = (0, time, time, seen.detection.rect);
        self.score = seen.detection.score;
        self.mean_score += 0.3 * (self.score - self.mean_score);
        match (&mut self.look, seen.look) {
            (Some(mine), Some(theirs)) => mine.follow(theirs, LOOK_SHARE),
            (mine @ None, Some(theirs)) => *mine = Some(theirs.clone()),
            _ => {}
        }
        self.count(time, seen, config);
    }
    fn count(&mut self, time: MediaTime, seen: &Sighting<'_>, config: &TrackerConfig) {
        let detection = seen.detection;
        self.votes[detection.class as usize] += detection.score;
        if self.votes[detection.class as usize] > self.votes[self.class as usize] {
            self.class = detection.class;
        }
        if self.proofs.len() >= config.confirm_sightings.max(1) {
            self.proofs.pop_front();
        }
        self.proofs.push_back(time);
    }
    fn note(&mut self, time: MediaTime, shape: Shape) {
        let near = |(before, _): &(MediaTime, Shape)| seconds(time.since(*before)) < MEMORY_STEP_S;
        // The last but one decides, so that the spacing holds and the last one is always there.
        if self.recent.len() > 1 && self.recent.get(self.recent.len() - 2).is_some_and(near) {
            self.recent.pop_back();
        }
        self.recent.push_back((time, shape));
        let old = |(then, _): &(MediaTime, Shape)| seconds(time.since(*then)) > MEMORY_S;
        while self.recent.len() > 1 && self.recent.front().is_some_and(old) {
            self.recent.pop_front();
        }
    }
    /// Whether it stands, now that it was seen there.
    fn stands(&self, time: MediaTime, here: Shape, config: &TrackerConfig) -> Option<Stand> {
        if let Some(stand) = self.stand {
            let near = stand.at.distance(here) < STAND_REACH * stand.at.size()
                || stand.at.iou(here, f64::from(config.aspect)) > STAND_IOU;
            let at = stand.at.towards(here, 0.1);
            return near.then_some(Stand { at, disturbed: false, misses: 0 });
        }
        let still_s = f64::from(config.still_s);
        // Where nothing moves, boxes that differ are the detector's unrest, and few of them are enough.
        let calm = seconds(time.since(self.quiet_since)) >= still_s;
        let window_s = if calm { seconds(time.since(self.quiet_since)) } else { still_s };
        let window = || self.recent.iter().filter(|(then, _)| seconds(time.since(*then)) <= window_s);
        let count = window().count() as f64;
        let lasted = window().next().is_some_and(|(first, _)| seconds(time.since(*first)) >= 0.8 * still_s);
        if !self.confirmed || !calm && (!lasted || count < 4.0) {
            return None;
        }
        let mean = |of: fn(&Shape) -> f64| window().map(|(_, s)| of(s)).sum::<f64>() / count;
        let at = Shape { x: mean(|s| s.x), y: mean(|s| s.y), w: mean(|s| s.w), h: mean(|s| s.h) };
        let quiet = calm || window().all(|(_, s)| s.distance(at) < UNREST * at.size());
        quiet.then_some(Stand { at, disturbed: false, misses: 0 })
    }
    /// Itself as it is now.
    pub fn point(&self, held: bool) -> TrackPoint {
        TrackPoint {
            track: self.id,
            class: self.class,
            score: if held { self.mean_score } else { self.score },
            rect: self.rect,
            confirmed: self.confirmed,
            held,
            identity: self.identity(),
        }
    }
    /// Whether the newest sightings are enough to believe it.
    pub fn is_proven(&self, config: &TrackerConfig) -> bool {
        let span_us = self.proofs.back().zip(self.proofs.front()).map_or(0, |(last, first)| last.since(*first));
        self.proofs.len() >= config.confirm_sightings && seconds(span_us) <= f64::from(config.confirm_within_s)
    }
    /// Seconds since it was last seen or held.
    pub fn absent_s(&self, now: MediaTime) -> f64 {
        seconds(now.since(self.present))
    }
    /// Seconds since it was last seen.
    pub fn unseen_s(&self, now: MediaTime) -> f64 {
        seconds(now.since(self.seen))
    }
    /// Whether it is absent for so long that only its look and place can bring it back.
    pub fn is_lost(&self, now: MediaTime, config: &TrackerConfig) -> bool {
        let limit = match (self.stand, self.confirmed) {
            (Some(_), _) => config.lose_standing_s,
            (None, true) => config.lose_confirmed_s,
            (None, false) => config.lose_new_s,
        };
        self.absent_s(now) > f64::from(limit)
    }
    /// Whether nothing can bring it back.
    pub fn is_over(&self, now: MediaTime, config: &TrackerConfig) -> bool {
        self.is_lost(now, config)
            && (!self.confirmed || self.absent_s(now) > f64::from(config.reattach_s) || self.has_left(config))
    }
    /// Whether it went out of the picture: its last box touches the edge that it was heading for, or it should be
    /// beyond by now.
    fn has_left(&self, config: &TrackerConfig) -> bool {
        let [x0, y0, x1, y1] = self.rect.corners();
        let (vx, vy) = self.settled.speed();
        let edge = 0.01;
        let beyond =
            |shape: Shape| !(0.0..f64::from(config.aspect)).contains(&shape.x) || !(0.0..1.0).contains(&shape.y);
        x0 < edge && vx < 0.0
            || x1 > 1.0 - edge && vx > 0.0
            || y0 < edge && vy < 0.0
            || y1 > 1.0 - edge && vy > 0.0
            || self.stand.is_none() && beyond(self.filter.shape())
    }
    /// Where it should be now, and one standard deviation of that, picture heights.
    pub fn expected(&self) -> (Shape, f64) {
        (self.filter.shape(), self.filter.spread())
    }
    /// Where it should be in `dt_s` seconds.
    pub fn expected_in(&self, dt_s: f64) -> (Shape, f64) {
        let mut later = self.filter.clone();
        later.pass(dt_s);
        (self.stand.map_or(later.shape(), |s| s.at), later.spread())
    }
    /// The last observation.
    pub fn last_shape(&self) -> Shape {
        self.recent.back().map_or_else(|| self.filter.shape(), |(_, shape)| *shape)
    }
    /// From the observation about [`HEADING_S`] before the last one to the last one; `None` while there is one only.
    pub fn heading(&self) -> Option<(f64, f64)> {
        let (last_time, last) = self.recent.back()?;
        let off = |then: &MediaTime| (seconds(last_time.since(*then)) - HEADING_S).abs();
        let earlier = self.recent.iter().take(self.recent.len() - 1);
        let (_, first) = earlier.min_by(|a, b| off(&a.0).total_cmp(&off(&b.0)))?;
        Some((last.x - first.x, last.y - first.y))
    }
    /// Its speed when last seen, picture heights a second.
    pub fn speed(&self) -> (f64, f64) {
        self.settled.speed()
    }
    /// Its first guess of a speed.
    pub fn drift(&mut self, speed: (f64, f64)) {
        self.filter.drift(speed);
        self.settled.drift(speed);
        self.in_stream = true;
    }
    /// Its identity came into doubt by `risk` (0..=1). Doubts close together are one, the greatest counts.
    pub fn doubt(&mut self, time: MediaTime, risk: f64) {
        if risk <= 0.0 {
            return;
        }
        let identity = &mut self.identity;
        if identity.doubted.is_none_or(|then| seconds(time.since(then)) > EPISODE_S) {
            identity.settled *= 1.0 - identity.doubt;
            identity.doubt = 0.0;
        }
        identity.doubt = identity.doubt.max(risk.min(1.0) as f32);
        identity.doubted = Some(time);
    }
    /// How sure its identity is, 0..=1.
    pub fn identity(&self) -> f32 {
        self.identity.settled * (1.0 - self.identity.doubt)
    }
}
