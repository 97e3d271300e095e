//! `motion`: something moved in the zone in `k` of the last `n` analysed frames. Needs no detector.

use std::collections::VecDeque;

use super::{
    Frame, Maker,
    clip::shared_area,
    open::{Open, Sighting},
};
use crate::domain::{event::EventChange, geometry::NormBox, rule::Rule, time::MediaTime};

/// Less than this share of the picture is a touch, not a movement.
const AREA_MIN: f64 = 1e-9;

/// What moved in the zone in one frame.
#[derive(Debug, Clone, Copy)]
struct Moved {
    /// Around all regions that reach into the zone.
    rect: NormBox,
    /// Their part inside the zone, 0..=1 of the picture.
    area: f64,
}

/// One rule's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Motion {
    window: VecDeque<(MediaTime, Option<Moved>)>,
    open: Option<Open>,
}

fn moved_in(rule: &Rule, regions: &[NormBox]) -> Option<Moved> {
    let inside = regions.iter().map(|&r| (r, watched_area(rule, r))).filter(|&(_, area)| area > AREA_MIN);
    let all = inside.reduce(|(a, area), (b, more)| (a.union(b), area + more));
    // Regions may overlap each other; more than the zone cannot move.
    all.map(|(rect, area)| Moved { rect, area: area.min(f64::from(rule.zone.area())) })
}

/// The area that the zone and a region share, without the parts that are left out.
fn watched_area(rule: &Rule, region: NormBox) -> f64 {
    let [x0, y0, x1, y1] = region.corners();
    let within = |part: &NormBox| {
        let [a0, b0, a1, b1] = part.corners();
        NormBox::new(x0.max(a0), y0.max(b0), x1.min(a1), y1.min(b1)).map_or(0.0, |both| shared_area(&rule.zone, both))
    };
    (shared_area(&rule.zone, region) - rule.except.iter().map(within).sum::<f64>()).max(0.0)
}

/// The share of the zone that moved: what tells a large movement from a small one, as a score does for an object.
fn sighting(rule: &Rule, time: MediaTime, moved: Moved) -> Sighting {
    let share = (moved.area / f64::from(rule.zone.area())).clamp(0.0, 1.0);
    Sighting { time, rect: moved.rect, score: share as f32 }
}

impl Motion {
    pub fn step(&mut self, rule: &Rule, maker: &mut Maker, frame: &Frame<'_>, out: &mut Vec<EventChange>) {
        let Some(regions) = frame.motion else { return };
        let moved = moved_in(rule, regions);
        if self.window.back().is_some_and(|(last, _)| frame.time.since(*last) > super::STALE_US) {
            self.window.clear();
        }
        self.window.push_back((frame.time, moved));
        while self.window.len() > rule.k_of_n().1 as usize {
            self.window.pop_front();
        }
        if let (Some(open), Some(moved)) = (&mut self.open, moved)
            && !super::is_over(rule, open.event.end_us, frame.time, super::FRAME_US)
        {
            open.hold(sighting(rule, frame.time, moved));
            count(open, 1, moved.area);
            out.extend(open.update(frame.time));
            return;
        }
        // A quiet frame, or the first movement after a long silence: the old event may be over.
        let slack = if moved.is_some() { super::FRAME_US } else { 0 };
        self.close_if_over(rule, frame.time, slack, out);
        if self.open.is_none() {
            self.open_if_proven(rule, maker, frame.time, out);
        }
    }

    /// Frames have stopped.
    pub fn idle(&mut self, rule: &Rule, now: MediaTime, out: &mut Vec<EventChange>) {
        self.close_if_over(rule, now, super::SILENT_US, out);
    }

    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        self.window.clear();
        out.extend(self.open.take().map(Open::close));
    }

    fn close_if_over(&mut self, rule: &Rule, now: MediaTime, slack_us: i64, out: &mut Vec<EventChange>) {
        if let Some(open) = self.open.take_if(|open| super::is_over(rule, open.event.end_us, now, slack_us)) {
            // What moved before the end belongs to the old event; this frame's movement may begin the next one.
            self.window.retain(|(time, _)| time.us() > open.event.end_us);
            out.push(open.close());
        }
    }

    fn open_if_proven(&mut self, rule: &Rule, maker: &mut Maker, now: MediaTime, out: &mut Vec<EventChange>) {
        let hits: Vec<_> = self.window.iter().filter_map(|&(time, moved)| moved.map(|m| (time, m))).collect();
        let now_moves = self.window.back().is_some_and(|(_, moved)| moved.is_some());
        if hits.len() < rule.k_of_n().0 as usize || !now_moves {
            return;
        }
        let sightings: Vec<_> = hits.iter().map(|&(time, moved)| sighting(rule, time, moved)).collect();
        let (key, event) = maker.event(rule, sightings[0]);
        let mut open = Open::new(key, event, &sightings, now);
        let area = hits.iter().map(|(_, m)| m.area).fold(0.0, f64::max);
        count(&mut open, hits.len(), area);
        out.push(open.opened());
        self.open = Some(open);
    }
}

fn count(open: &mut Open, frames: usize, area: f64) {
    let before = |open: &Open, name: &str| open.event.numbers.get(name).copied().unwrap_or(0.0);
    let (seen, most) = (before(open, "motion_frames"), before(open, "motion_area_max"));
    open.number("motion_frames", seen + frames as f64);
    open.number("motion_area_max", most.max(area));
    open.number("seconds", super::seconds(&open.event));
}
