//! The rules of one camera at work: from what vision says about each frame to events that open, change and close.
//!
//! In: frames in time order, the rules in force, ticks while no frame comes. Out: [`EventChange`]s; who writes them is
//! the events room's business. Every event that is opened is closed exactly once. All times are those of the frames;
//! shifting them shifts the result and nothing else.
//!
//! Limits: a path keeps `PATH_POINTS_MAX` points, a rule looks back `N_MAX` frames and remembers 400 objects, an open
//! event is told at most once a second unless its score improves by 0.1. Refuses to look at verdicts, at other
//! cameras or at the clock.

use std::collections::BTreeMap;

use crate::domain::{
    event::{Event, EventChange},
    geometry::NormBox,
    ids::{CameraId, EventId, TrackId},
    rule::{Rule, RuleKind},
    time::MediaTime,
    track::{FrameSeen, TrackPoint},
};

mod clip;
mod intrusion;
mod motion;
mod open;
#[cfg(test)]
mod tests;

/// Frames of a camera that works are never further apart than this.
const FRAME_US: i64 = 1_000_000;
/// A track not seen for this long is over even if nobody said so; what is there is seen or held each time.
const SILENT_US: i64 = 2_500_000;
/// What was seen longer ago than this proves nothing any more.
const STALE_US: i64 = 10_000_000;
/// An object unseen for this long is forgotten; what is hidden where it stands may come back before under its name.
const FORGET_US: i64 = 60_000_000;
/// A step back in time by more than this is a new beginning, not a frame out of order.
const BACK_MAX_US: i64 = 1_000_000;

/// What counts of a frame, and the time it counts for.
struct Frame<'a> {
    time: MediaTime,
    /// `None`: nobody looked for motion at this time.
    motion: Option<&'a [NormBox]>,
    tracks: &'a [TrackPoint],
    ended: &'a [TrackId],
}

/// Makes events and their keys.
#[derive(Debug, Clone)]
struct Maker {
    camera: CameraId,
    model_sha256: Option<String>,
    next: u64,
}

impl Maker {
    /// A new event of that rule with nothing seen yet but its first sighting's box.
    fn event(&mut self, rule: &Rule, first: open::Sighting) -> (u64, Event) {
        // The camera in front: keys of different cameras never meet.
        let key = ((self.camera.0 as u64) << 40) | self.next;
        self.next += 1;
        let numbers = [("k", rule.k), ("n", rule.n)].map(|(name, value)| (name.to_owned(), f64::from(value)));
        let event = Event {
            id: EventId(0),
            camera: self.camera,
            rule: rule.id,
            rule_version: rule.version,
            rule_name: rule.name.clone(),
            kind: rule.kind,
            class: None,
            track: None,
            start_us: first.time.us(),
            end_us: first.time.us(),
            open: true,
            revision: 1,
            score: 0.0,
            rect: first.rect,
            path: Vec::new(),
            model_sha256: None,
            numbers: BTreeMap::from(numbers),
        };
        (key, event)
    }
}

#[derive(Debug, Clone)]
enum Memory {
    Motion(Box<motion::Motion>),
    Intrusion(intrusion::Intrusion),
}

impl Memory {
    fn new(kind: RuleKind) -> Self {
        match kind {
            RuleKind::Motion => Self::Motion(Box::default()),
            RuleKind::Intrusion => Self::Intrusion(intrusion::Intrusion::default()),
        }
    }
    fn finish(&mut self, out: &mut Vec<EventChange>) {
        match self {
            Self::Motion(memory) => memory.finish(out),
            Self::Intrusion(memory) => memory.finish(out),
        }
    }
}

/// The rules of one camera and what they remember.
#[derive(Debug, Clone)]
pub struct Rules {
    maker: Maker,
    last: Option<MediaTime>,
    rules: Vec<(Rule, Memory)>,
}

impl Rules {
    /// Those of `rules` that watch `camera`; `model_sha256` stands in every event that a model's word made.
    #[must_use]
    pub fn new(camera: CameraId, rules: Vec<Rule>, model_sha256: Option<String>) -> Self {
        let mut new = Self { maker: Maker { camera, model_sha256, next: 1 }, last: None, rules: Vec::new() };
        new.replace(rules);
        new
    }

    /// Takes one frame. Of a frame that is not later than the last one only the ends of tracks count; when it is more
    /// than a second earlier, everything closes and the rules begin anew there.
    pub fn step(&mut self, seen: &FrameSeen) -> Vec<EventChange> {
        let mut out = Vec::new();
        if self.last.is_some_and(|last| last.since(seen.time) > BACK_MAX_US) {
            out = self.finish();
        }
        let frame = match self.last {
            Some(last) if last >= seen.time => Frame { time: last, motion: None, tracks: &[], ended: &seen.ended },
            _ => Frame { time: seen.time, motion: Some(&seen.motion), tracks: &seen.tracks, ended: &seen.ended },
        };
        self.last = Some(frame.time);
        for (rule, memory) in &mut self.rules {
            match memory {
                Memory::Motion(memory) => memory.step(rule, &mut self.maker, &frame, &mut out),
                Memory::Intrusion(memory) => memory.step(rule, &mut self.maker, &frame, &mut out),
            }
        }
        out
    }

    /// The rules were changed: an unchanged one keeps what it remembers, the open events of others close.
    pub fn replace(&mut self, rules: Vec<Rule>) -> Vec<EventChange> {
        let mut out = Vec::new();
        let mut old = std::mem::take(&mut self.rules);
        for rule in rules.into_iter().filter(|r| r.watches(self.maker.camera)) {
            let memory = match old.iter().position(|(kept, _)| *kept == rule) {
                Some(at) => old.remove(at).1,
                None => Memory::new(rule.kind),
            };
            self.rules.push((rule, memory));
        }
        for (_, memory) in &mut old {
            memory.finish(&mut out);
        }
        out
    }

    /// No frame has come: `now` is where the frames would be by now. Events close after their cooldown, but not before
    /// 2.5 s, which a camera that works may take between two frames.
    pub fn idle(&mut self, now: MediaTime) -> Vec<EventChange> {
        let mut out = Vec::new();
        for (rule, memory) in &mut self.rules {
            match memory {
                Memory::Motion(memory) => memory.idle(rule, now, &mut out),
                Memory::Intrusion(memory) => memory.idle(rule, now, &mut out),
            }
        }
        out
    }

    /// Closes everything, at the last time it held.
    pub fn finish(&mut self) -> Vec<EventChange> {
        let mut out = Vec::new();
        self.last = None;
        for (_, memory) in &mut self.rules {
            memory.finish(&mut out);
        }
        out
    }
}

/// Whether what last held at `last_us` is over: the rule's cooldown has passed, and at least `slack_us`.
fn is_over(rule: &Rule, last_us: i64, now: MediaTime, slack_us: i64) -> bool {
    let cooldown_us = (f64::from(rule.cooldown_s) * 1e6).round() as i64;
    let quiet_us = now.us().saturating_sub(last_us);
    if slack_us > cooldown_us { quiet_us > slack_us } else { quiet_us >= cooldown_us && quiet_us > 0 }
}

fn seconds(event: &Event) -> f64 {
    event.end_us.saturating_sub(event.start_us) as f64 / 1e6
}
