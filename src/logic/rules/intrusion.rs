//! `intrusion`: a followed object of a wanted class stands in the zone (its foot point) in `k` of the last `n` frames
//! in which it was seen. Once a track.

use std::collections::{BTreeMap, VecDeque};

use super::{
    Frame, Maker,
    open::{Open, Sighting},
};
use crate::domain::{event::EventChange, ids::TrackId, rule::Rule, time::MediaTime, track::TrackPoint};

/// Objects remembered at a time; of more, the one unseen for longest is forgotten.
const TRACKS_MAX: usize = 400;

/// What is remembered of one object.
#[derive(Debug, Clone)]
struct Followed {
    /// Its newest sightings; `None` where it did not stand in the zone as a wanted object.
    window: VecDeque<Option<Sighting>>,
    last_seen: Option<MediaTime>,
    /// Whether its foot was in the zone when last seen.
    inside: bool,
    /// Whether it has had its event.
    fired: bool,
    open: Option<Open>,
}

/// One rule's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Intrusion {
    followed: BTreeMap<TrackId, Followed>,
}

impl Followed {
    fn new() -> Self {
        Self { window: VecDeque::new(), last_seen: None, inside: false, fired: false, open: None }
    }

    fn see(&mut self, rule: &Rule, maker: &mut Maker, time: MediaTime, point: &TrackPoint) -> Option<EventChange> {
        self.last_seen = Some(time);
        self.inside = rule.covers(point.rect.foot());
        let wanted = rule.wants(point.class) && point.score >= rule.min_score;
        let sighting = Sighting { time, rect: point.rect, score: point.score };
        if let Some(open) = &mut self.open {
            if !self.inside {
                open.went(time, point.rect);
                return None;
            }
            // Once it has fired, a weak sighting or a doubtful class still says that the object is there.
            open.hold(Sighting { score: if wanted { point.score } else { 0.0 }, ..sighting });
            if wanted {
                open.event.class = Some(point.class);
            }
            count(open, 1);
            return open.update(time);
        }
        if self.fired {
            return None;
        }
        self.window.push_back((self.inside && wanted).then_some(sighting));
        let (k, n) = rule.k_of_n();
        while self.window.len() > n as usize {
            self.window.pop_front();
        }
        let hits: Vec<_> = self.window.iter().flatten().copied().collect();
        // It may have left a narrow zone again by the frame in which it is confirmed; that counts too.
        if !point.confirmed || hits.len() < k as usize {
            return None;
        }
        let (key, mut event) = maker.event(rule, hits[0]);
        event.class = Some(point.class);
        event.track = Some(point.track);
        event.model_sha256 = maker.model_sha256.clone();
        let mut open = Open::new(key, event, &hits, time);
        count(&mut open, hits.len());
        let change = open.opened();
        self.open = Some(open);
        self.fired = true;
        self.window = VecDeque::new();
        Some(change)
    }

    /// Closes its event when it has left the zone, or has not been seen for long (a track whose end was never told).
    fn close_if_over(&mut self, rule: &Rule, now: MediaTime) -> Option<EventChange> {
        let (inside, last_seen) = (self.inside, self.last_seen);
        let over = self.open.take_if(|open| {
            let left = !inside && super::is_over(rule, open.event.end_us, now, 0);
            left || last_seen.is_some_and(|last| super::is_over(rule, last.us(), now, super::SILENT_US))
        });
        over.map(Open::close)
    }
}

impl Intrusion {
    pub fn step(&mut self, rule: &Rule, maker: &mut Maker, frame: &Frame<'_>, out: &mut Vec<EventChange>) {
        for point in frame.tracks {
            let followed = self.followed.entry(point.track).or_insert_with(Followed::new);
            // A track is in one place at a time, whatever a child gone mad may say.
            if followed.last_seen.is_none_or(|last| last < frame.time) {
                out.extend(followed.see(rule, maker, frame.time, point));
            }
        }
        for id in frame.ended {
            // It may be found again, and has had its event.
            out.extend(self.followed.get_mut(id).and_then(|f| f.open.take()).map(Open::close));
        }
        for id in frame.forgotten {
            out.extend(self.followed.remove(id).and_then(|f| f.open).map(Open::close));
        }
        for followed in self.followed.values_mut() {
            out.extend(followed.close_if_over(rule, frame.time));
        }
        while self.followed.len() > TRACKS_MAX {
            let oldest = self.followed.iter().min_by_key(|(id, f)| (f.last_seen, **id)).map(|(id, _)| *id);
            let over = oldest.and_then(|id| self.followed.remove(&id)).and_then(|f| f.open);
            out.extend(over.map(Open::close));
        }
    }

    /// Frames have stopped.
    pub fn idle(&mut self, rule: &Rule, now: MediaTime, out: &mut Vec<EventChange>) {
        for followed in self.followed.values_mut() {
            out.extend(followed.close_if_over(rule, now));
        }
    }

    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        let followed = std::mem::take(&mut self.followed);
        out.extend(followed.into_values().filter_map(|f| f.open).map(Open::close));
    }
}

fn count(open: &mut Open, frames: usize) {
    let before = open.event.numbers.get("frames_in_zone").copied().unwrap_or(0.0);
    open.number("frames_in_zone", before + frames as f64);
    open.number("seconds", super::seconds(&open.event));
}
