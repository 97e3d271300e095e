//! What may be removed, in which order, and what fits on a disk; pure.
//!
//! A segment's class is the highest of what shares time with it: a lock, an event, motion, nothing. Settings say for how
//! many days a class is kept at least *and* at most; no number of days means "as long as it fits". What is older than
//! every number it could claim is expired. When the disk is full, expired recordings go first, then those that nobody
//! promised to keep, then continuous, motion and event recordings, each oldest first; locked ones never.

use serde::{Deserialize, Serialize};

use crate::domain::{
    camera::StreamKind,
    ids::{CameraId, SegmentId, StreamId},
    refusal::Refusal,
    time::{Span, WallTime},
};

const DAY_US: i64 = 86_400_000_000;
/// How much before and after an event is kept with it, so that its clip stays whole.
pub const PAD_US: i64 = 15_000_000;
/// The most days a setting may say: a hundred years.
pub const DAYS_MAX: u32 = 36_500;
/// The least limit in bytes: less would hold a few minutes.
const BYTES_LEAST: u64 = 1_000_000_000;
/// The greatest: what the database's 63 bits hold.
const BYTES_MAX: u64 = i64::MAX as u64;
/// For how long events and tracks are kept, days; their pictures, too, unless the recordings of events go earlier.
pub const EVENT_DAYS: i64 = 365;
/// For how long it is kept what was missing and why, and what was damaged, days.
pub const GAP_DAYS: i64 = 400;
/// At most this much is kept free for its own sake.
const RESERVE_BYTES: u64 = 2_000_000_000;
/// So many seconds of writing must fit into what is kept free: three times a minute.
const RESERVE_S: u64 = 180;

/// Why a segment is worth keeping; a later one is worth more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nothing happened.
    Continuous,
    /// Something moved.
    Motion,
    /// A rule about objects fired.
    Events,
    /// Somebody locked it: it is never removed.
    Locked,
}

impl Class {
    /// Those that have a setting, lowest first.
    pub const SET: [Self; 3] = [Self::Continuous, Self::Motion, Self::Events];
}

/// How urgently a segment goes when the disk is full; a lower rank goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rank {
    /// Nobody promised to keep it (any longer).
    Spare,
    /// Promised as a continuous recording.
    Continuous,
    /// Promised because something moved.
    Motion,
    /// Promised because of an event.
    Events,
}

impl Rank {
    /// All, in the order in which they go.
    pub const ALL: [Self; 4] = [Self::Spare, Self::Continuous, Self::Motion, Self::Events];
}

/// How long one stream of one camera is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Days for everything; `None`: as long as it fits.
    pub continuous_days: Option<u32>,
    /// Days for what moved, if more than the above; `None`: as long as it fits.
    pub motion_days: Option<u32>,
    /// Days for events, if more than the above; `None`: as long as it fits.
    pub events_days: Option<u32>,
    /// At most so many bytes of this stream; `None`: no limit of its own.
    pub bytes: Option<u64>,
}

/// The time so many days before.
#[must_use]
pub fn days_before_us(now: WallTime, days: i64) -> i64 {
    now.us().saturating_sub(days.saturating_mul(DAY_US))
}

impl Keep {
    /// As long as it fits: what main streams are given at first.
    pub const FITS: Self = Self { continuous_days: None, motion_days: None, events_days: None, bytes: None };
    /// Thirty days: what sub streams are given at first.
    pub const MONTH: Self =
        Self { continuous_days: Some(30), motion_days: Some(30), events_days: Some(30), bytes: None };

    const fn days(&self, class: Class) -> Option<u32> {
        match class {
            Class::Continuous => self.continuous_days,
            Class::Motion => self.motion_days,
            Class::Events | Class::Locked => self.events_days,
        }
    }

    /// What ends before this is expired if its class is `class` or lower; `None` when that never expires by age. Every
    /// segment may also claim the days of the lower classes, so that no class is kept shorter than a lower one.
    #[must_use]
    pub fn horizon_us(&self, class: Class, now: WallTime) -> Option<i64> {
        if class == Class::Locked {
            return None;
        }
        // One claim without a number is enough to stay as long as it fits.
        let mut days = 0;
        for claimed in Class::SET.into_iter().filter(|c| *c <= class) {
            days = days.max(self.days(claimed)?);
        }
        Some(days_before_us(now, i64::from(days)))
    }

    /// Whether a segment is older than all it can claim.
    #[must_use]
    pub fn expired(&self, class: Class, span: Span, now: WallTime) -> bool {
        self.horizon_us(class, now).is_some_and(|horizon| span.end_us < horizon)
    }

    /// Nothing that starts at or after this is spare; `None`: anything may be.
    #[must_use]
    pub fn spare_before_us(&self, now: WallTime) -> Option<i64> {
        self.continuous_days.map(|days| days_before_us(now, i64::from(days)))
    }

    /// The rank of a segment; `None` when it is locked.
    #[must_use]
    pub fn rank(&self, class: Class, span: Span, now: WallTime) -> Option<Rank> {
        if class == Class::Locked {
            return None;
        }
        let held = |c: Class| {
            let days = self.days(c)?;
            (c <= class && span.end_us >= days_before_us(now, i64::from(days))).then_some(c)
        };
        Some(match Class::SET.into_iter().rev().find_map(held) {
            None => Rank::Spare,
            Some(Class::Continuous) => Rank::Continuous,
            Some(Class::Motion) => Rank::Motion,
            Some(Class::Events | Class::Locked) => Rank::Events,
        })
    }
}

/// A camera's own setting for one kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OwnGiven")]
pub struct Own {
    /// Whose.
    pub camera: CameraId,
    /// Main or sub.
    pub kind: StreamKind,
    /// How long.
    #[serde(flatten)]
    pub keep: Keep,
}

/// [`Own`] as it is read: flattened fields cannot refuse unknown ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnGiven {
    camera: CameraId,
    kind: StreamKind,
    #[serde(default)]
    continuous_days: Option<u32>,
    #[serde(default)]
    motion_days: Option<u32>,
    #[serde(default)]
    events_days: Option<u32>,
    #[serde(default)]
    bytes: Option<u64>,
}

impl From<OwnGiven> for Own {
    fn from(given: OwnGiven) -> Self {
        let OwnGiven { camera, kind, continuous_days, motion_days, events_days, bytes } = given;
        Self { camera, kind, keep: Keep { continuous_days, motion_days, events_days, bytes } }
    }
}

/// All settings of retention, as stored, logged and given by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Main streams of cameras without a setting of their own.
    pub main: Keep,
    /// Their sub streams.
    pub sub: Keep,
    /// Cameras with a setting of their own.
    pub cameras: Vec<Own>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { main: Keep::FITS, sub: Keep::MONTH, cameras: Vec::new() }
    }
}

impl Settings {
    /// What holds for a stream.
    #[must_use]
    pub fn of(&self, camera: CameraId, kind: StreamKind) -> Keep {
        let own = self.cameras.iter().find(|own| own.camera == camera && own.kind == kind);
        own.map_or(if kind == StreamKind::Main { self.main } else { self.sub }, |own| own.keep)
    }

    /// Checks every number and reports all problems together.
    ///
    /// # Errors
    /// One [`Refusal`] a wrong field, such as `cameras[2].motion_days`.
    pub fn check(&self) -> Result<(), Vec<Refusal>> {
        let mut wrong = Vec::new();
        wrong.extend(self.main.wrong().map(|r| r.within("main")));
        wrong.extend(self.sub.wrong().map(|r| r.within("sub")));
        for (i, own) in self.cameras.iter().enumerate() {
            let place = format!("cameras[{i}]");
            wrong.extend(own.keep.wrong().map(|r| r.within(&place)));
            if self.cameras[..i].iter().any(|o| o.camera == own.camera && o.kind == own.kind) {
                let (vi, en) = ("được ghi hai lần; chỉ ghi một lần", "stands twice; give it once");
                wrong.push(Refusal::new(place, vi, en));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

impl Keep {
    fn wrong(&self) -> impl Iterator<Item = Refusal> {
        let days = [
            ("continuous_days", self.continuous_days),
            ("motion_days", self.motion_days),
            ("events_days", self.events_days),
        ];
        let days = days.into_iter().filter(|(_, days)| days.is_some_and(|d| d == 0 || d > DAYS_MAX));
        let days = days.map(|(name, _)| {
            Refusal::new(
                name,
                format!("phải từ 1 đến {DAYS_MAX} ngày; để trống nghĩa là giữ đến khi đầy đĩa"),
                format!("must be 1 to {DAYS_MAX} days; leave it empty to keep as long as it fits"),
            )
        });
        let bytes = self.bytes.filter(|b| !(BYTES_LEAST..=BYTES_MAX).contains(b)).map(|_| {
            Refusal::new(
                "bytes",
                "phải từ 1 GB (1000000000) trở lên; để trống nghĩa là không giới hạn",
                "must be 1 GB (1000000000) or more; leave it empty for no limit",
            )
        });
        days.chain(bytes)
    }
}

/// What shares time with the segments of one stream.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Disjoint spans by start, one list a class above continuous: motion, events, locked.
    spans: [Vec<Span>; 3],
}

impl Marks {
    /// From spans as they stand in the index, in any order; events and motion get their pads here.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = (Class, Span)>) -> Self {
        let mut marks = Self::default();
        for (class, span) in all {
            let pad = if class == Class::Locked { 0 } else { PAD_US };
            let padded = Span { start_us: span.start_us.saturating_sub(pad), end_us: span.end_us.saturating_add(pad) };
            match class {
                Class::Continuous => {}
                Class::Motion => marks.spans[0].push(padded),
                Class::Events => marks.spans[1].push(padded),
                Class::Locked => marks.spans[2].push(padded),
            }
        }
        for spans in &mut marks.spans {
            spans.sort_unstable_by_key(|s| s.start_us);
            spans.dedup_by(|next, before| {
                let joins = next.start_us <= before.end_us;
                if joins {
                    before.end_us = before.end_us.max(next.end_us);
                }
                joins
            });
        }
        marks
    }

    /// The class of a segment with that span.
    #[must_use]
    pub fn class_of(&self, span: Span) -> Class {
        let meets = |spans: &[Span]| {
            let first = spans.partition_point(|s| s.end_us <= span.start_us);
            spans.get(first).is_some_and(|s| s.meets(span))
        };
        match &self.spans {
            [_, _, locked] if meets(locked) => Class::Locked,
            [_, events, _] if meets(events) => Class::Events,
            [motion, _, _] if meets(motion) => Class::Motion,
            _ => Class::Continuous,
        }
    }
}

/// A closed segment as retention sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub id: SegmentId,
    /// Whose.
    pub stream: StreamId,
    /// When.
    pub span: Span,
    /// What its removal frees.
    pub bytes: u64,
    /// Its class.
    pub class: Class,
}

/// What is to be removed, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Expired ones, oldest first, then what had to make room.
    pub remove: Vec<Held>,
    /// Bytes of all of them.
    pub freed: u64,
    /// How many at the beginning of `remove` are expired.
    pub expired: usize,
}

/// Plans removal: everything expired, and then as little as frees `need_bytes` together with it.
#[must_use]
pub fn plan(held: &[Held], keep: impl Fn(StreamId) -> Keep, now: WallTime, need_bytes: u64) -> Plan {
    let by_age = |h: &Held| (h.span.end_us, h.id);
    let (mut expired, rest): (Vec<Held>, Vec<Held>) =
        held.iter().partition(|h| keep(h.stream).expired(h.class, h.span, now));
    expired.sort_by_key(by_age);
    let mut plan = Plan { freed: expired.iter().map(|h| h.bytes).sum(), expired: expired.len(), remove: expired };
    let ranked = |h: Held| Some((keep(h.stream).rank(h.class, h.span, now)?, h));
    let mut rest: Vec<(Rank, Held)> = rest.into_iter().filter_map(ranked).collect();
    rest.sort_by_key(|(rank, h)| (*rank, by_age(h)));
    for (_, h) in rest {
        if plan.freed >= need_bytes {
            break;
        }
        plan.freed = plan.freed.saturating_add(h.bytes);
        plan.remove.push(h);
    }
    plan
}

/// How much of a disk must stay free: what three minutes of writing take, and not less than 2 GB or, on a small disk,
/// one hundredth; never more than a tenth of the disk.
#[must_use]
pub fn reserve_bytes(disk_bytes: u64, written_per_s: u64) -> u64 {
    let least = RESERVE_BYTES.min(disk_bytes / 100);
    least.max(written_per_s.saturating_mul(RESERVE_S)).min(disk_bytes / 10)
}

/// Whether a removal that nobody foresaw is so large (more than a twentieth of the store) that a person has to agree.
#[must_use]
pub const fn is_mass(removed: u64, all: u64) -> bool {
    removed as u128 * 20 > all as u128
}

/// One stream for [`fits_days`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// Bytes it records a day.
    pub day_bytes: u64,
    /// Days it is kept; `None`: as long as it fits.
    pub days: Option<u32>,
}

/// For how many days the streams that are kept "as long as it fits" fit into `capacity_bytes`, and those with a number
/// of days at most. Promised days go first.
#[must_use]
pub fn fits_days(flows: &[Flow], capacity_bytes: u64) -> Fits {
    let day = |of: fn(&Flow) -> bool| flows.iter().filter(|f| of(f)).map(|f| f.day_bytes as f64).sum::<f64>();
    let spare_day = day(|f| f.days.is_none());
    let promised: f64 = flows.iter().filter_map(|f| Some(f.day_bytes as f64 * f64::from(f.days?))).sum();
    let capacity = capacity_bytes as f64;
    if promised > capacity {
        return Fits { spare: (spare_day > 0.0).then_some(0.0), promised: Some(promised_fits(flows, capacity)) };
    }
    Fits { spare: (spare_day > 0.0).then(|| (capacity - promised) / spare_day), promised: None }
}

/// What fits, in days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fits {
    /// Days of what is kept as long as it fits; `None`: there is no such stream with a known rate.
    pub spare: Option<f64>,
    /// The days at most of what was promised, when not all of that fits; `None`: all of it fits.
    pub promised: Option<f64>,
}

/// The T for which Σ day·min(days, T) is the capacity.
fn promised_fits(flows: &[Flow], capacity: f64) -> f64 {
    let mut steps: Vec<(f64, f64)> =
        flows.iter().filter_map(|f| Some((f64::from(f.days?), f.day_bytes as f64))).filter(|s| s.1 > 0.0).collect();
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rate, mut left, mut at) = (steps.iter().map(|s| s.1).sum::<f64>(), capacity, 0.0);
    for (days, day) in steps {
        let take = (days - at) * rate;
        if take >= left {
            return at + left / rate;
        }
        (left, at, rate) = (left - take, days, rate - day);
    }
    at
}

#[cfg(test)]
#[path = "retention/tests.rs"]
mod tests;
