//! `attribute`: an extra classifier looked at pictures of a track, and most of its votes say what the rule asks for. One
//! vote is none: a track is told of when enough of them agree.

use std::collections::BTreeMap;

use super::{
    Frame, Maker,
    open::{Open, Sighting},
};
use crate::domain::{
    event::EventChange,
    ids::TrackId,
    rule::{Rule, What},
    time::MediaTime,
    track::Labelled,
};

/// Votes it takes at least.
const VOTES_MIN: u32 = 5;
/// Tracks remembered at a time; of more, the one voted on longest ago goes.
const TRACKS_MAX: usize = 400;

#[derive(Debug, Clone)]
struct Votes {
    first: Sighting,
    last: MediaTime,
    all: u32,
    so: u32,
    fired: bool,
    open: Option<Open>,
}

/// One rule's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Attribute {
    tracks: BTreeMap<TrackId, Votes>,
}

impl Attribute {
    /// One vote.
    pub fn vote(&mut self, rule: &Rule, maker: &mut Maker, vote: &Labelled, out: &mut Vec<EventChange>) {
        let What::Attribute { model, label, share } = &rule.what else { return };
        let counts = vote.model == *model && rule.wants(vote.class) && vote.score >= rule.min_score;
        if !counts || !rule.covers(vote.rect.foot()) {
            return;
        }
        let now = Sighting { time: vote.time, rect: vote.rect, score: vote.score };
        let fresh = Votes { first: now, last: vote.time, all: 0, so: 0, fired: false, open: None };
        let votes = self.tracks.entry(vote.track).or_insert(fresh);
        if votes.all > 0 && vote.time <= votes.last {
            return;
        }
        votes.last = vote.time;
        votes.all += 1;
        votes.so += u32::from(vote.label == *label);
        let part = f64::from(votes.so) / f64::from(votes.all);
        let numbers = [("votes", f64::from(votes.all)), ("agreeing", f64::from(votes.so)), ("share", part)];
        if let Some(open) = &mut votes.open {
            open.hold(now);
            numbers.into_iter().for_each(|(name, value)| open.number(name, value));
            out.extend(open.update(vote.time));
        } else if !votes.fired && votes.all >= VOTES_MIN && part >= f64::from(*share) {
            let (key, mut event) = maker.event(rule, votes.first);
            (event.class, event.track) = (Some(vote.class), Some(vote.track));
            event.model_sha256 = Some(vote.model_sha256.clone());
            let mut open = Open::new(key, event, &[votes.first, now], vote.time);
            numbers.into_iter().for_each(|(name, value)| open.number(name, value));
            out.push(open.opened());
            (votes.open, votes.fired) = (Some(open), true);
        }
        while self.tracks.len() > TRACKS_MAX {
            let oldest = self.tracks.iter().min_by_key(|(id, v)| (v.last, **id)).map(|(id, _)| *id);
            out.extend(oldest.and_then(|id| self.tracks.remove(&id)).and_then(|v| v.open).map(Open::close));
        }
    }

    pub fn step(&mut self, rule: &Rule, frame: &Frame<'_>, out: &mut Vec<EventChange>) {
        for id in frame.ended {
            out.extend(self.tracks.get_mut(id).and_then(|v| v.open.take()).map(Open::close));
        }
        for id in frame.forgotten {
            out.extend(self.tracks.remove(id).and_then(|v| v.open).map(Open::close));
        }
        self.idle(rule, frame.time, out);
    }

    pub fn idle(&mut self, rule: &Rule, now: MediaTime, out: &mut Vec<EventChange>) {
        for votes in self.tracks.values_mut() {
            let last = votes.last;
            let over = votes.open.take_if(|_| super::is_over(rule, last.us(), now, super::STALE_US));
            out.extend(over.map(Open::close));
        }
    }

    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        out.extend(std::mem::take(&mut self.tracks).into_values().filter_map(|v| v.open).map(Open::close));
    }
}
