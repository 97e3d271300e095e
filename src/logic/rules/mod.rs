//! The rules of one camera at work: from what vision says about each frame to events that open, change and close.
//!
//! In: frames in time order, the rules in force, ticks while no frame comes. Out: [`EventChange`]s; who writes them is
//! the events room's business. Every event that is opened is closed exactly once. All times are those of the frames;
//! shifting them shifts the result and nothing else.
//!
//! Observations of an object come every 0.15 to 0.8 s, with gaps: the kinds count seconds and distances, not frames. An
//! object that was lost and is found again is the same one ([`stitch`]), so it has one event a rule.
//!
//! Limits: a path keeps `PATH_POINTS_MAX` points, a rule looks back `N_MAX` frames and remembers 400 objects, an open
//! event is told at most once a second unless its score improves by 0.1. Refuses to look at verdicts, at other
//! cameras or at the clock.

use std::collections::BTreeMap;

use crate::domain::{
    event::{Crossing, Event, EventChange},
    geometry::NormBox,
    ids::{CameraId, EventId, TrackId},
    rule::{Rule, RuleKind},
    time::MediaTime,
    track::{FrameSeen, Labelled, TrackPoint},
};

mod attribute;
mod camera_down;
mod clip;
mod crowd;
mod intrusion;
mod left_object;
mod line_crossing;
mod loitering;
mod motion;
mod objects;
mod open;
mod speeding;
mod state;
mod stitch;
mod stopped;
mod tamper;
#[cfg(test)]
mod tests;
mod trail;
pub mod words;
mod wrong_way;

pub use state::CameraState;

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
/// Crossings kept until they are taken; further ones are lost.
const CROSSINGS_MAX: usize = 10_000;

/// What counts of a frame, and the time it counts for. Objects have the number with which they began.
struct Frame<'a> {
    time: MediaTime,
    /// `None`: nobody looked for motion at this time.
    motion: Option<&'a [NormBox]>,
    /// `None`: nobody looked for still things.
    still: Option<&'a [NormBox]>,
    tracks: &'a [TrackPoint],
    ended: &'a [TrackId],
    /// Objects that will not be found again.
    forgotten: &'a [TrackId],
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
        let (k, n) = rule.k_of_n();
        let counts = matches!(rule.kind(), RuleKind::Motion | RuleKind::Intrusion);
        let numbers = [("k", k), ("n", n)].map(|(name, value)| (name.to_owned(), f64::from(value)));
        let event = Event {
            id: EventId(0),
            camera: self.camera,
            rule: rule.id,
            rule_version: rule.version,
            rule_name: rule.name.clone(),
            kind: rule.kind(),
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
            numbers: if counts { BTreeMap::from(numbers) } else { BTreeMap::new() },
        };
        (key, event)
    }
}

#[derive(Debug, Clone)]
enum Memory {
    Motion(Box<motion::Motion>),
    Intrusion(intrusion::Intrusion),
    Line(line_crossing::LineCrossing),
    WrongWay(objects::Objects<wrong_way::Contrary>),
    Stopped(objects::Objects<stopped::Stander>),
    Loitering(objects::Objects<loitering::Stayer>),
    Crowd(Box<crowd::Crowd>),
    Left(left_object::LeftObject),
    Speeding(objects::Objects<speeding::Passer>),
    Attribute(attribute::Attribute),
    Tamper(Box<tamper::Tamper>),
    Down(Box<camera_down::CameraDown>),
}

impl Memory {
    fn new(kind: RuleKind) -> Self {
        match kind {
            RuleKind::Motion => Self::Motion(Box::default()),
            RuleKind::Intrusion => Self::Intrusion(intrusion::Intrusion::default()),
            RuleKind::LineCrossing => Self::Line(line_crossing::LineCrossing::default()),
            RuleKind::WrongWay => Self::WrongWay(objects::Objects::default()),
            RuleKind::Stopped => Self::Stopped(objects::Objects::default()),
            RuleKind::Loitering => Self::Loitering(objects::Objects::default()),
            RuleKind::Crowd => Self::Crowd(Box::default()),
            RuleKind::LeftObject => Self::Left(left_object::LeftObject::default()),
            RuleKind::Speeding => Self::Speeding(objects::Objects::default()),
            RuleKind::Attribute => Self::Attribute(attribute::Attribute::default()),
            RuleKind::Tamper => Self::Tamper(Box::default()),
            RuleKind::CameraDown => Self::Down(Box::default()),
        }
    }
    fn step(&mut self, rule: &Rule, maker: &mut Maker, frame: &Frame<'_>, out: &mut Out<'_>) {
        let Out { changes, crossings } = out;
        match self {
            Self::Motion(memory) => memory.step(rule, maker, frame, changes),
            Self::Intrusion(memory) => memory.step(rule, maker, frame, changes),
            Self::Line(memory) => memory.step(rule, maker, frame, crossings, changes),
            Self::WrongWay(memory) => memory.step(rule, maker, frame, changes),
            Self::Stopped(memory) => memory.step(rule, maker, frame, changes),
            Self::Loitering(memory) => memory.step(rule, maker, frame, changes),
            Self::Crowd(memory) => memory.step(rule, maker, frame, changes),
            Self::Left(memory) => memory.step(rule, maker, frame, changes),
            Self::Speeding(memory) => memory.step(rule, maker, frame, changes),
            Self::Attribute(memory) => memory.step(rule, frame, changes),
            // They look at the camera's state, not at frames.
            Self::Tamper(_) | Self::Down(_) => {}
        }
    }
    fn idle(&mut self, rule: &Rule, now: MediaTime, out: &mut Vec<EventChange>) {
        match self {
            Self::Motion(memory) => memory.idle(rule, now, out),
            Self::Intrusion(memory) => memory.idle(rule, now, out),
            Self::Line(memory) => memory.idle(rule, now, out),
            Self::WrongWay(memory) => memory.idle(rule, now, out),
            Self::Stopped(memory) => memory.idle(rule, now, out),
            Self::Loitering(memory) => memory.idle(rule, now, out),
            Self::Crowd(memory) => memory.idle(rule, now, out),
            Self::Left(memory) => memory.idle(rule, now, out),
            Self::Speeding(memory) => memory.idle(rule, now, out),
            Self::Attribute(memory) => memory.idle(rule, now, out),
            Self::Tamper(_) | Self::Down(_) => {}
        }
    }
    fn finish(&mut self, out: &mut Vec<EventChange>) {
        match self {
            Self::Motion(memory) => memory.finish(out),
            Self::Intrusion(memory) => memory.finish(out),
            Self::Line(memory) => memory.finish(out),
            Self::WrongWay(memory) => memory.finish(out),
            Self::Stopped(memory) => memory.finish(out),
            Self::Loitering(memory) => memory.finish(out),
            Self::Crowd(memory) => memory.finish(out),
            Self::Left(memory) => memory.finish(out),
            Self::Speeding(memory) => memory.finish(out),
            Self::Attribute(memory) => memory.finish(out),
            Self::Tamper(memory) => memory.finish(out),
            Self::Down(memory) => memory.finish(out),
        }
    }
}

/// Where what the rules say goes.
struct Out<'a> {
    changes: &'a mut Vec<EventChange>,
    crossings: &'a mut Vec<Crossing>,
}

/// The rules of one camera and what they remember.
#[derive(Debug, Clone)]
pub struct Rules {
    maker: Maker,
    last: Option<MediaTime>,
    stitch: stitch::Stitch,
    crossings: Vec<Crossing>,
    rules: Vec<(Rule, Memory)>,
}

impl Rules {
    /// Those of `rules` that watch `camera`; `model_sha256` stands in every event that a model's word made.
    #[must_use]
    pub fn new(camera: CameraId, rules: Vec<Rule>, model_sha256: Option<String>) -> Self {
        let maker = Maker { camera, model_sha256, next: 1 };
        let stitch = stitch::Stitch::default();
        let mut new = Self { maker, last: None, stitch, crossings: Vec::new(), rules: Vec::new() };
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
        let late = self.last.is_some_and(|last| last >= seen.time);
        let time = self.last.filter(|_| late).unwrap_or(seen.time);
        let tracks = if late { &[][..] } else { &seen.tracks };
        let stitched = self.stitch.step(time, tracks, &seen.ended);
        let frame = Frame {
            time,
            motion: (!late).then_some(&seen.motion),
            still: seen.still.as_deref().filter(|_| !late),
            tracks: &stitched.tracks,
            ended: &stitched.ended,
            forgotten: &stitched.forgotten,
        };
        self.last = Some(time);
        for (rule, memory) in &mut self.rules {
            if rule.is_on(time) {
                let mut out = Out { changes: &mut out, crossings: &mut self.crossings };
                memory.step(rule, &mut self.maker, &frame, &mut out);
            } else {
                memory.finish(&mut out);
            }
        }
        self.crossings.truncate(CROSSINGS_MAX);
        for vote in seen.labels.iter().filter(|_| !late) {
            out.extend(self.labelled(vote));
        }
        out
    }

    /// An extra classifier has looked at a picture of a track.
    pub fn labelled(&mut self, vote: &Labelled) -> Vec<EventChange> {
        let mut out = Vec::new();
        let vote = Labelled { track: self.stitch.name_of(vote.track), ..vote.clone() };
        for (rule, memory) in &mut self.rules {
            if let Memory::Attribute(memory) = memory
                && rule.is_on(vote.time)
            {
                memory.vote(rule, &mut self.maker, &vote, &mut out);
            }
        }
        out
    }

    /// How the camera is, whether or not frames come; said about once a second.
    pub fn state(&mut self, state: &CameraState) -> Vec<EventChange> {
        let mut out = Vec::new();
        for (rule, memory) in &mut self.rules {
            match memory {
                Memory::Tamper(memory) if rule.is_on(state.time) => {
                    memory.step(rule, &mut self.maker, state, &mut out);
                }
                Memory::Down(memory) if rule.is_on(state.time) => {
                    memory.step(rule, &mut self.maker, state, &mut out);
                }
                Memory::Tamper(_) | Memory::Down(_) => memory.finish(&mut out),
                _ => {}
            }
        }
        out
    }

    /// Who has crossed lines since this was asked last.
    pub fn take_crossings(&mut self) -> Vec<Crossing> {
        std::mem::take(&mut self.crossings)
    }

    /// The rules were changed: an unchanged one keeps what it remembers, the open events of others close.
    pub fn replace(&mut self, rules: Vec<Rule>) -> Vec<EventChange> {
        let mut out = Vec::new();
        let mut old = std::mem::take(&mut self.rules);
        for rule in rules.into_iter().filter(|r| r.watches(self.maker.camera)) {
            let memory = match old.iter().position(|(kept, _)| *kept == rule) {
                Some(at) => old.remove(at).1,
                None => Memory::new(rule.kind()),
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
            memory.idle(rule, now, &mut out);
        }
        out
    }

    /// Closes everything, at the last time it held.
    pub fn finish(&mut self) -> Vec<EventChange> {
        let mut out = Vec::new();
        self.last = None;
        self.stitch.clear();
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
