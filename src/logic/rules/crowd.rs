//! `crowd`: many at once in the zone, for some seconds. Not all of them are looked at in every frame, so one counts for a
//! moment after it was seen, and a short dip ends nothing.

use std::collections::BTreeMap;

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

/// One counts for so long after it was seen.
const COUNTS_US: i64 = 1_600_000;
/// A dip for less than this is none.
const DIP_US: i64 = 2_500_000;
/// Members remembered at a time.
const MEMBERS_MAX: usize = 400;

#[derive(Debug, Clone, Copy)]
struct Member {
    time: MediaTime,
    rect: NormBox,
    score: f32,
}

/// One rule's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Crowd {
    members: BTreeMap<TrackId, Member>,
    /// Since when there are enough (and around whom), and when there last were.
    since: Option<(Sighting, MediaTime)>,
    open: Option<Open>,
}

impl Crowd {
    pub fn step(&mut self, rule: &Rule, maker: &mut Maker, frame: &Frame<'_>, out: &mut Vec<EventChange>) {
        let What::Crowd { count, seconds } = rule.what else { return };
        for point in frame.tracks {
            let wanted = rule.wants(point.class) && point.score >= rule.min_score && point.confirmed;
            if wanted && rule.covers(point.rect.foot()) {
                let member = Member { time: frame.time, rect: point.rect, score: point.score };
                self.members.insert(point.track, member);
            } else if !rule.covers(point.rect.foot()) {
                self.members.remove(&point.track);
            }
        }
        for id in frame.ended {
            self.members.remove(id);
        }
        self.members.retain(|_, m| frame.time.since(m.time) <= COUNTS_US);
        while self.members.len() > MEMBERS_MAX {
            self.members.pop_first();
        }
        let here = self.members.len();
        if here >= count as usize
            && let Some(now) = self.around(frame.time)
        {
            let (first, last) = self.since.get_or_insert((now, frame.time));
            *last = frame.time;
            let first = *first;
            self.enough(rule, maker, (first, now), f64::from(seconds), out);
        }
        self.idle(rule, frame.time, out);
    }

    fn around(&self, time: MediaTime) -> Option<Sighting> {
        let rect = self.members.values().map(|m| m.rect).reduce(NormBox::union)?;
        let score = self.members.values().map(|m| m.score).fold(0.0, f32::max);
        Some(Sighting { time, rect, score })
    }

    fn enough(
        &mut self,
        rule: &Rule,
        maker: &mut Maker,
        (first, now): (Sighting, Sighting),
        seconds: f64,
        out: &mut Vec<EventChange>,
    ) {
        let (lasted, here) = (now.time.since(first.time) as f64 / 1e6, self.members.len() as f64);
        let number = |open: &mut Open| {
            let most = open.event.numbers.get("count_max").copied().unwrap_or(0.0);
            open.number("count_max", most.max(here));
            open.number("seconds", lasted);
        };
        if let Some(open) = &mut self.open {
            open.hold(now);
            number(open);
            out.extend(open.update(now.time));
        } else if lasted >= seconds {
            let (key, mut event) = maker.event(rule, first);
            event.model_sha256 = maker.model_sha256.clone();
            event.class = (rule.classes.len() == 1).then(|| rule.classes[0]);
            let mut open = Open::new(key, event, &[first, now], now.time);
            number(&mut open);
            out.push(open.opened());
            self.open = Some(open);
        }
    }

    /// Frames have stopped, or one has been looked at.
    pub fn idle(&mut self, rule: &Rule, now: MediaTime, out: &mut Vec<EventChange>) {
        if self.since.is_some_and(|(_, last)| now.since(last) > DIP_US) {
            self.since = None;
        }
        let over = self.since.is_none();
        let closed = self.open.take_if(|open| over && super::is_over(rule, open.event.end_us, now, DIP_US));
        out.extend(closed.map(Open::close));
    }

    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        self.members.clear();
        self.since = None;
        out.extend(self.open.take().map(Open::close));
    }
}
