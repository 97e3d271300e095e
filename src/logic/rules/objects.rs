//! What the kinds that watch objects have in common: a memory an object, an event while the kind says that it holds,
//! once an object. What matters about one sighting is the kind's business ([`Watch`]).

use std::collections::BTreeMap;

use super::{
    Frame, Maker,
    open::{Open, Sighting},
    trail::Foot,
};
use crate::domain::{event::EventChange, ids::TrackId, rule::Rule, time::MediaTime, track::TrackPoint};

/// Objects remembered at a time; of more, the one unseen for longest is forgotten.
const OBJECTS_MAX: usize = 400;

pub(super) type Numbers = Vec<(&'static str, f64)>;

/// One sighting as a kind sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub time: MediaTime,
    pub point: &'a TrackPoint,
    pub foot: Foot,
    /// Of a wanted class, with a sufficient score.
    pub wanted: bool,
    /// With its foot in the zone.
    pub inside: bool,
}

/// What a kind says of a sighting.
#[derive(Debug, Clone)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// It matters, since the first of these sightings.
    Matters(Vec<Foot>, Numbers),
    /// What mattered is over.
    Over,
}

/// The memory of one object of one kind.
pub(super) trait Watch: Default + Clone + std::fmt::Debug {
    /// Unseen for so long, what mattered is over.
    const SILENT_US: i64;
    /// Whether it is over as soon as the track has ended; else it is waited for.
    const ENDS_WITH_TRACK: bool;
    /// Takes a sighting; `fired`: it has mattered before, so [`Said::Matters`] goes on with that.
    fn see(&mut self, rule: &Rule, seen: &Seen<'_>, fired: bool) -> Said;
}

#[derive(Debug, Clone)]
struct Object<W> {
    watch: W,
    last_seen: MediaTime,
    fired: bool,
    open: Option<Open>,
    /// When it was said to be over.
    over: bool,
}

/// One rule's objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects<W> {
    objects: BTreeMap<TrackId, Object<W>>,
}

impl<W: Watch> Object<W> {
    fn see(&mut self, rule: &Rule, maker: &mut Maker, time: MediaTime, point: &TrackPoint) -> Option<EventChange> {
        self.last_seen = time;
        let foot = Foot::new(time, point.rect, point.score);
        let inside = rule.covers(point.rect.foot());
        let wanted = rule.wants(point.class) && point.score >= rule.min_score;
        let said = self.watch.see(rule, &Seen { time, point, foot, wanted, inside }, self.fired);
        match (said, &mut self.open) {
            (Said::Matters(_, numbers), Some(open)) => {
                self.over = false;
                // A weak sighting or a doubtful class still says that the object is there.
                open.hold(Sighting { time, rect: point.rect, score: if wanted { point.score } else { 0.0 } });
                if wanted {
                    open.event.class = Some(point.class);
                }
                numbers.into_iter().for_each(|(name, value)| open.number(name, value));
                open.update(time)
            }
            (Said::Matters(feet, numbers), None) if !self.fired && !feet.is_empty() => {
                let sightings: Vec<_> =
                    feet.iter().map(|f| Sighting { time: f.time, rect: f.rect, score: f.score }).collect();
                let (key, mut event) = maker.event(rule, sightings[0]);
                (event.class, event.track) = (Some(point.class), Some(point.track));
                event.model_sha256 = maker.model_sha256.clone();
                let mut open = Open::new(key, event, &sightings, time);
                numbers.into_iter().for_each(|(name, value)| open.number(name, value));
                let change = open.opened();
                (self.open, self.fired, self.over) = (Some(open), true, false);
                Some(change)
            }
            (Said::Over, Some(open)) => {
                self.over = true;
                open.went(time, point.rect);
                None
            }
            (_, Some(open)) => {
                open.went(time, point.rect);
                None
            }
            _ => None,
        }
    }

    fn close_if_over(&mut self, rule: &Rule, now: MediaTime) -> Option<EventChange> {
        let (over, last_seen) = (self.over, self.last_seen);
        let closed = self.open.take_if(|open| {
            over && super::is_over(rule, open.event.end_us, now, 0)
                || super::is_over(rule, last_seen.us(), now, W::SILENT_US)
        });
        closed.map(Open::close)
    }
}

impl<W: Watch> Objects<W> {
    pub fn step(&mut self, rule: &Rule, maker: &mut Maker, frame: &Frame<'_>, out: &mut Vec<EventChange>) {
        for id in frame.forgotten {
            out.extend(self.objects.remove(id).and_then(|o| o.open).map(Open::close));
        }
        for point in frame.tracks {
            let object = self.objects.entry(point.track).or_insert_with(|| Object {
                watch: W::default(),
                last_seen: MediaTime(i64::MIN),
                fired: false,
                open: None,
                over: false,
            });
            if object.last_seen < frame.time {
                out.extend(object.see(rule, maker, frame.time, point));
            }
        }
        if W::ENDS_WITH_TRACK {
            for id in frame.ended {
                out.extend(self.objects.get_mut(id).and_then(|o| o.open.take()).map(Open::close));
            }
        }
        self.idle(rule, frame.time, out);
        while self.objects.len() > OBJECTS_MAX {
            let oldest = self.objects.iter().min_by_key(|(id, o)| (o.last_seen, **id)).map(|(id, _)| *id);
            out.extend(oldest.and_then(|id| self.objects.remove(&id)).and_then(|o| o.open).map(Open::close));
        }
    }

    /// Frames have stopped, or one has been looked at.
    pub fn idle(&mut self, rule: &Rule, now: MediaTime, out: &mut Vec<EventChange>) {
        for object in self.objects.values_mut() {
            out.extend(object.close_if_over(rule, now));
        }
    }

    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        let objects = std::mem::take(&mut self.objects);
        out.extend(objects.into_values().filter_map(|o| o.open).map(Open::close));
    }
}
