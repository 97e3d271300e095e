//! Before a new track is taken for a new object: is it one that was lost? Trackers lose what is hidden, and a parked car
//! that is found again under another number is no other car.
//!
//! In: the points of each frame and the ends of tracks. Out: the same points under the number with which the object began,
//! and the numbers of objects that are lost for good. A lost object is taken up again when something of its kind and
//! size begins where it was last seen (if it stood there) or where it must be by now (if it moved, for a moment only).

use std::collections::BTreeMap;

use crate::domain::{
    detection::Class,
    geometry::{NormBox, Point},
    ids::TrackId,
    time::MediaTime,
    track::TrackPoint,
};

/// Lost objects remembered at a time; of more, the one lost for longest goes.
const LOST_MAX: usize = 400;
/// What moved when it was lost is looked for so long …
const MOVING_US: i64 = 2_000_000;
/// … a person who stood so long …
const STANDING_US: i64 = 60_000_000;
/// … and a vehicle that stood so long.
const PARKED_US: i64 = 600_000_000;
/// Unseen for less than this it may only not have been looked at: it is not lost.
const UNSEEN_US: i64 = 800_000;
/// Looks back this far for a speed.
const SPEED_US: i64 = 1_500_000;
/// Slower than this share of its own height a second it stands.
const STANDS: f32 = 0.1;
/// It begins at most so many of its own heights from where it is expected.
const NEAR: f32 = 0.61;
/// A standing one is found again in a box that shares so much of both.
const SAME_PLACE: f32 = 0.5;
/// The size of both, at most so many times each other's.
const SIZES: f32 = 1.6;

#[derive(Debug, Clone)]
struct Object {
    /// The number under which it is followed now; `None` when that track has ended.
    raw: Option<TrackId>,
    class: Class,
    rect: NormBox,
    seen: MediaTime,
    /// Where its foot was a moment ago, for its speed.
    earlier: (MediaTime, Point),
    later: (MediaTime, Point),
    confirmed: bool,
}

/// Objects by the number with which each began.
#[derive(Debug, Clone, Default)]
pub(super) struct Stitch {
    objects: BTreeMap<TrackId, Object>,
    /// Followed now: the tracker's number to the object's.
    names: BTreeMap<TrackId, TrackId>,
}

/// A frame under the objects' numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Stitched {
    pub tracks: Vec<TrackPoint>,
    pub ended: Vec<TrackId>,
    /// Lost for good.
    pub forgotten: Vec<TrackId>,
}

fn kin(a: Class, b: Class) -> bool {
    let wheels = |c: Class| match c {
        Class::Person => 0,
        Class::Bicycle | Class::Motorcycle => 2,
        Class::Car | Class::Bus | Class::Truck => 4,
    };
    wheels(a) == wheels(b)
}

impl Object {
    fn new(point: &TrackPoint, now: MediaTime) -> Self {
        let foot = (now, point.rect.foot());
        Self {
            raw: Some(point.track),
            class: point.class,
            rect: point.rect,
            seen: now,
            earlier: foot,
            later: foot,
            confirmed: point.confirmed,
        }
    }
    fn see(&mut self, point: &TrackPoint, now: MediaTime) {
        (self.raw, self.class, self.rect, self.seen) = (Some(point.track), point.class, point.rect, now);
        self.confirmed |= point.confirmed;
        if now.since(self.later.0) >= SPEED_US {
            self.earlier = self.later;
            self.later = (now, point.rect.foot());
        }
    }
    /// Of its foot, a second.
    fn speed(&self) -> (f32, f32) {
        let (from, at) = self.earlier;
        let foot = self.rect.foot();
        let seconds = self.seen.since(from) as f32 / 1e6;
        if seconds < 0.3 { (0.0, 0.0) } else { ((foot.x - at.x) / seconds, (foot.y - at.y) / seconds) }
    }
    fn stands(&self) -> bool {
        let (vx, vy) = self.speed();
        vx.hypot(vy) < STANDS * self.rect.height()
    }
    /// How long it is looked for.
    fn patience_us(&self) -> i64 {
        match (self.stands(), self.class) {
            (false, _) => MOVING_US,
            (true, Class::Person) => STANDING_US,
            (true, _) => PARKED_US,
        }
    }
    fn is_lost(&self, now: MediaTime) -> bool {
        self.raw.is_none() || now.since(self.seen) >= UNSEEN_US
    }
    /// How well a new track continues it, 0..=1; `None` not at all.
    fn continued_by(&self, point: &TrackPoint, now: MediaTime) -> Option<f32> {
        let gap_us = now.since(self.seen);
        if !self.confirmed || !kin(self.class, point.class) || gap_us > self.patience_us() || !self.is_lost(now) {
            return None;
        }
        let ratio = self.rect.height() / point.rect.height();
        if !(1.0 / SIZES..=SIZES).contains(&ratio) {
            return None;
        }
        if self.stands() {
            let iou = self.rect.iou(point.rect);
            return (iou >= SAME_PLACE).then_some(iou);
        }
        let ((vx, vy), seconds, foot, other) = (self.speed(), gap_us as f32 / 1e6, self.rect.foot(), point.rect.foot());
        let off = (foot.x + vx * seconds - other.x).hypot(foot.y + vy * seconds - other.y);
        let reach = NEAR * self.rect.height();
        (off <= reach).then(|| 1.0 - off / reach)
    }
}

impl Stitch {
    /// Takes the next frame.
    pub fn step(&mut self, now: MediaTime, tracks: &[TrackPoint], ended: &[TrackId]) -> Stitched {
        let mut out = Stitched::default();
        for point in tracks {
            let name = match self.names.get(&point.track) {
                Some(name) => *name,
                None => self.name(point, now, &mut out.forgotten),
            };
            // Of two tracks that claim to be one object the first is believed.
            let claimed = self.names.iter().any(|(raw, n)| *n == name && *raw != point.track);
            if claimed {
                continue;
            }
            self.names.insert(point.track, name);
            self.objects.entry(name).or_insert_with(|| Object::new(point, now)).see(point, now);
            out.tracks.push(TrackPoint { track: name, ..*point });
        }
        for raw in ended {
            let name = self.names.remove(raw).unwrap_or(*raw);
            if let Some(object) = self.objects.get_mut(&name).filter(|o| o.raw == Some(*raw)) {
                object.raw = None;
            }
            out.ended.push(name);
        }
        self.forget(now, &mut out.forgotten);
        out
    }

    /// The number with which that track's object began.
    pub fn name_of(&self, track: TrackId) -> TrackId {
        self.names.get(&track).copied().unwrap_or(track)
    }

    /// Everything begins anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn name(&mut self, point: &TrackPoint, now: MediaTime, forgotten: &mut Vec<TrackId>) -> TrackId {
        let fits = self.objects.iter().filter_map(|(name, o)| o.continued_by(point, now).map(|fit| (*name, fit)));
        let best = fits.reduce(|best, other| if other.1 > best.1 { other } else { best });
        if let Some((name, _)) = best {
            self.names.retain(|_, n| *n != name);
            return name;
        }
        // A number that comes back for something else: what it was before is gone.
        if self.objects.remove(&point.track).is_some() {
            self.names.retain(|_, n| *n != point.track);
            forgotten.push(point.track);
        }
        point.track
    }

    fn forget(&mut self, now: MediaTime, forgotten: &mut Vec<TrackId>) {
        let names = &mut self.names;
        self.objects.retain(|name, object| {
            // One whose end was never told is over all the same.
            let gone =
                now.since(object.seen) > object.patience_us().max(super::FORGET_US * i64::from(object.raw.is_some()));
            if gone {
                names.retain(|_, n| n != name);
                forgotten.push(*name);
            }
            !gone
        });
        while self.objects.len() > LOST_MAX {
            let oldest = self.objects.iter().min_by_key(|(name, o)| (o.seen, **name)).map(|(name, _)| *name);
            let Some(oldest) = oldest else { break };
            self.objects.remove(&oldest);
            self.names.retain(|_, n| *n != oldest);
            forgotten.push(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(track: i64, class: Class, x: f32, y: f32) -> TrackPoint {
        let rect = NormBox::new(x - 0.05, y - 0.1, x + 0.05, y).unwrap();
        TrackPoint { track: TrackId(track), class, score: 0.5, rect, confirmed: true, held: false, identity: 1.0 }
    }
    fn s(seconds: f64) -> MediaTime {
        MediaTime((seconds * 1e6) as i64)
    }
    fn names(stitched: &Stitched) -> Vec<i64> {
        stitched.tracks.iter().map(|p| p.track.0).collect()
    }

    #[test]
    fn a_parked_car_found_again_after_minutes_is_the_same_and_another_kind_of_thing_is_not() {
        let mut stitch = Stitch::default();
        for i in 0..10 {
            stitch.step(s(f64::from(i)), &[at(1, Class::Car, 0.5, 0.5)], &[]);
        }
        stitch.step(s(10.0), &[], &[TrackId(1)]);
        assert_eq!(names(&stitch.step(s(200.0), &[at(2, Class::Motorcycle, 0.5, 0.5)], &[])), [2]);
        assert_eq!(names(&stitch.step(s(300.0), &[at(3, Class::Truck, 0.51, 0.5)], &[])), [1]);
        let over = stitch.step(s(301.0), &[at(3, Class::Truck, 0.51, 0.5)], &[TrackId(3)]);
        assert_eq!((names(&over), over.ended), (vec![1], vec![TrackId(1)]));
        assert!(stitch.step(s(1000.0), &[], &[]).forgotten.contains(&TrackId(1)));
    }

    #[test]
    fn what_moved_is_found_again_where_it_must_be_by_now_and_only_for_a_moment() {
        for (gap, x, same) in [(1.0, 0.7, true), (1.0, 0.5, false), (4.0, 0.7, false)] {
            let mut stitch = Stitch::default();
            for i in 0..5 {
                stitch.step(s(f64::from(i) / 2.0), &[at(1, Class::Motorcycle, 0.1 + i as f32 * 0.1, 0.5)], &[]);
            }
            stitch.step(s(2.1), &[], &[TrackId(1)]);
            let found = stitch.step(s(2.0 + gap), &[at(2, Class::Motorcycle, x, 0.5)], &[]);
            assert_eq!(names(&found) == [1], same, "after {gap} s at {x}");
        }
    }
}
