//! `left_object`: a new still thing of no class that somebody left (dumping, materials on the road). Still things come
//! from the picture gate, which remembers the ground they hide; who was beside one when it came to rest put it down.
//! It is told when it has lain long enough and nobody is beside it any more.

use std::collections::VecDeque;

use super::{
    Frame, Maker,
    open::{Open, Sighting},
};
use crate::domain::{
    event::EventChange,
    geometry::NormBox,
    ids::TrackId,
    rule::{Rule, What},
    time::MediaTime,
};

/// The gate says that a thing is still when it has been so for about this long.
const RESTED_US: i64 = 6_000_000;
/// Who was beside it from so long before it rested …
const PUT_BEFORE_US: i64 = 5_000_000;
/// … to so long after may have put it down.
const PUT_AFTER_US: i64 = 2_000_000;
/// Nobody may be beside it for so long.
const ALONE_US: i64 = 1_500_000;
/// It is gone when it was not seen for so long.
const GONE_US: i64 = 5_000_000;
/// Two boxes are of one thing when they share so much of the smaller.
const SAME: f32 = 0.5;
/// A followed object whose box shares so much with a still thing's is that thing: it has stopped, nobody left it.
const IS_IT: f32 = 0.45;
/// One that the gate has not named for so long may have been taken away.
const THERE_US: i64 = 2_500_000;
/// Beside: its box, grown by so much, meets it.
const BESIDE: f32 = 0.3;
/// Larger than this share of the picture it is light, not a thing.
const AREA_MAX: f32 = 0.25;
/// Things remembered at a time, and looks at followed objects.
const THINGS_MAX: usize = 64;
const LOOKS_MAX: usize = 2_000;

#[derive(Debug, Clone)]
struct Thing {
    rect: NormBox,
    /// When it came to rest.
    rested: MediaTime,
    seen: MediaTime,
    /// When something was last beside it.
    beside: Option<MediaTime>,
    put_by: Option<TrackId>,
    /// It is a followed object that stands there.
    is_object: bool,
    fired: bool,
    open: Option<Open>,
}

/// One rule's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct LeftObject {
    things: Vec<Thing>,
    /// Where followed objects were in the last seconds.
    looks: VecDeque<(MediaTime, TrackId, NormBox)>,
}

/// The share of the smaller box that both have.
fn shared(a: NormBox, b: NormBox) -> f32 {
    covered(a, b).max(covered(b, a))
}

/// The share of `a` that lies in `b`.
fn covered(a: NormBox, b: NormBox) -> f32 {
    let ([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) = (a.corners(), b.corners());
    let (w, h) = (ax1.min(bx1) - ax0.max(bx0), ay1.min(by1) - ay0.max(by0));
    w.max(0.0) * h.max(0.0) / a.area()
}

impl LeftObject {
    pub fn step(&mut self, rule: &Rule, maker: &mut Maker, frame: &Frame<'_>, out: &mut Vec<EventChange>) {
        for p in frame.tracks.iter().filter(|p| p.confirmed) {
            self.looks.push_back((frame.time, p.track, p.rect));
        }
        let oldest = frame.time.plus_us(-(RESTED_US + PUT_BEFORE_US + PUT_AFTER_US));
        while self.looks.front().is_some_and(|(time, ..)| *time < oldest) || self.looks.len() > LOOKS_MAX {
            self.looks.pop_front();
        }
        if let Some(still) = frame.still {
            still.iter().for_each(|rect| self.lies(rule, frame, *rect));
        }
        for thing in &mut self.things {
            let near = thing.rect.grown(BESIDE);
            if frame.tracks.iter().any(|p| p.confirmed && p.rect.meets(near)) {
                thing.beside = Some(frame.time);
            }
            thing.is_object |= frame.tracks.iter().any(|p| p.confirmed && p.rect.iou(thing.rect) >= IS_IT);
        }
        for thing in &mut self.things {
            out.extend(thing.tell(rule, maker, frame));
        }
        self.idle(rule, frame.time, out);
    }

    /// A still thing lies there.
    fn lies(&mut self, rule: &Rule, frame: &Frame<'_>, rect: NormBox) {
        let What::LeftObject { min_size, .. } = rule.what else { return };
        if let Some(known) = self.things.iter_mut().find(|t| shared(t.rect, rect) >= SAME) {
            known.seen = frame.time;
            return;
        }
        let large = rect.width().min(rect.height()) >= min_size && rect.area() <= AREA_MAX;
        if !large || !rule.covers(rect.foot()) || self.things.len() >= THINGS_MAX {
            return;
        }
        let rested = frame.time.plus_us(-RESTED_US);
        let near = rect.grown(BESIDE);
        let beside = self.looks.iter().filter(|(time, _, other)| {
            (-PUT_BEFORE_US..=PUT_AFTER_US).contains(&time.since(rested)) && other.meets(near)
        });
        // Who was there nearest to the moment at which it came to rest.
        let put_by =
            beside.min_by_key(|(time, track, _)| (time.since(rested).abs(), *track)).map(|(_, track, _)| *track);
        let Some(put_by) = put_by else { return };
        self.things.push(Thing {
            rect,
            rested,
            seen: frame.time,
            beside: None,
            put_by: Some(put_by),
            is_object: false,
            fired: false,
            open: None,
        });
    }

    /// Frames have stopped, or one has been looked at.
    pub fn idle(&mut self, rule: &Rule, now: MediaTime, out: &mut Vec<EventChange>) {
        self.things.retain_mut(|thing| {
            let gone = now.since(thing.seen) > GONE_US && super::is_over(rule, thing.seen.us(), now, GONE_US);
            if gone {
                out.extend(thing.open.take().map(Open::close));
            }
            !gone
        });
    }

    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        self.looks.clear();
        out.extend(std::mem::take(&mut self.things).into_iter().filter_map(|t| t.open).map(Open::close));
    }
}

impl Thing {
    fn tell(&mut self, rule: &Rule, maker: &mut Maker, frame: &Frame<'_>) -> Option<EventChange> {
        let What::LeftObject { seconds, .. } = rule.what else { return None };
        let lain = self.seen.since(self.rested) as f64 / 1e6;
        if let Some(open) = &mut self.open {
            if self.seen.us() > open.event.end_us {
                open.hold(Sighting { time: self.seen, rect: self.rect, score: 0.0 });
                open.number("seconds", lain);
                return open.update(frame.time);
            }
            return None;
        }
        let alone = self.beside.is_none_or(|beside| frame.time.since(beside) >= ALONE_US);
        let there = !self.is_object && frame.time.since(self.seen) <= THERE_US;
        if self.fired || !there || lain < f64::from(seconds) || !alone {
            return None;
        }
        self.fired = true;
        let first = Sighting { time: self.rested, rect: self.rect, score: 1.0 };
        let (key, mut event) = maker.event(rule, first);
        event.track = self.put_by;
        event.model_sha256 = maker.model_sha256.clone();
        let mut open = Open::new(key, event, &[first, Sighting { time: self.seen, ..first }], frame.time);
        open.number("seconds", lain);
        open.number("width", f64::from(self.rect.width()));
        open.number("height", f64::from(self.rect.height()));
        let change = open.opened();
        self.open = Some(open);
        Some(change)
    }
}
