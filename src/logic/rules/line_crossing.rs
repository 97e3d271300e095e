//! `line_crossing`: an object's foot goes over a line, once an object. A still object whose box trembles never does: the
//! line has a band on both sides, as wide as the rule's margin and as boxes of that size tremble.

use std::collections::BTreeMap;

use super::{
    Frame, Maker,
    objects::{Objects, Said, Seen, Watch},
    trail::{Foot, Trail, scaled},
};
use crate::domain::{
    event::{Crossing, EventChange},
    ids::TrackId,
    rule::{Direction, Rule, Severity, What},
    time::MediaTime,
};

/// Boxes tremble by less than this share of their height …
const TREMBLE: f64 = 0.06;
/// … and what has gone this share of it in the last two seconds travels: for that the rule's margin is enough.
const TRAVELS: f64 = 0.25;
const LATELY_US: i64 = 2_000_000;

/// One object's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Crosser {
    trail: Trail,
    /// Where it was last for certain: on the walker's right, or not.
    side: Option<(bool, Foot)>,
    /// Crossed before it was believed.
    waits: Option<(Direction, Foot)>,
    /// Since it has crossed, it is counted or has its event.
    done: bool,
}

/// What one crossing was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossed {
    pub direction: Direction,
    pub from: Foot,
}

impl Crosser {
    /// Takes a sighting; says when the object has crossed, once.
    pub fn look(&mut self, rule: &Rule, seen: &Seen<'_>) -> Option<Crossed> {
        let What::LineCrossing { line, margin, .. } = &rule.what else { return None };
        if self.done || !rule.wants(seen.point.class) {
            return None;
        }
        let (a, b) = (scaled(line[0]), scaled(line[1]));
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let foot = seen.foot;
        // Above 0 on the right hand of one who walks from a to b: y points down.
        let off = (dx * (foot.y - a.1) - dy * (foot.x - a.0)) / dx.hypot(dy);
        self.trail.push(foot);
        let lately = self.trail.since(foot.time.plus_us(-LATELY_US)).next();
        let travels = lately.is_some_and(|from| from.apart(&foot) >= TRAVELS * foot.h);
        let margin = f64::from(*margin);
        let band = if travels { margin } else { margin.max(TREMBLE * foot.h) };
        if off.abs() > band {
            let right = off > 0.0;
            if let Some((was_right, from)) = self.side
                && was_right != right
                && crosses((from.x, from.y), (foot.x, foot.y), a, b)
            {
                let direction = if right { Direction::LeftToRight } else { Direction::RightToLeft };
                self.waits = Some((direction, from));
            }
            self.side = Some((right, foot));
        }
        // A single weak sighting does not take a crossing back; one that was never good enough is none.
        if !seen.point.confirmed || !seen.wanted {
            return None;
        }
        let (direction, from) = self.waits.take()?;
        self.done = true;
        Some(Crossed { direction, from })
    }
}

/// Whether the way from p to q meets the line from a to b between its ends.
fn crosses(p: (f64, f64), q: (f64, f64), a: (f64, f64), b: (f64, f64)) -> bool {
    let turn = |u: (f64, f64), v: (f64, f64), w: (f64, f64)| (v.0 - u.0) * (w.1 - u.1) - (v.1 - u.1) * (w.0 - u.0);
    turn(p, q, a) * turn(p, q, b) <= 0.0 && turn(a, b, p) * turn(a, b, q) <= 0.0
}

impl Watch for Crosser {
    const SILENT_US: i64 = super::SILENT_US;
    const ENDS_WITH_TRACK: bool = true;

    fn see(&mut self, rule: &Rule, seen: &Seen<'_>, fired: bool) -> Said {
        if fired {
            return Said::Over;
        }
        let What::LineCrossing { direction, .. } = rule.what else { return Said::Nothing };
        let Some(crossed) = self.look(rule, seen) else { return Said::Nothing };
        if direction.is_some_and(|asked| asked != crossed.direction) {
            // It may still come back.
            self.done = false;
            return Said::Nothing;
        }
        let numbers = Direction::ALL.map(|d| (d.name(), f64::from(u8::from(d == crossed.direction))));
        Said::Matters(vec![crossed.from, seen.foot], numbers.to_vec())
    }
}

/// One rule's memory: who crosses is counted in both directions, whether or not it is an event.
#[derive(Debug, Clone, Default)]
pub(super) struct LineCrossing {
    events: Objects<Crosser>,
    counted: BTreeMap<TrackId, Crosser>,
}

impl LineCrossing {
    pub fn step(
        &mut self,
        rule: &Rule,
        maker: &mut Maker,
        frame: &Frame<'_>,
        crossings: &mut Vec<Crossing>,
        out: &mut Vec<EventChange>,
    ) {
        frame.forgotten.iter().for_each(|id| drop(self.counted.remove(id)));
        for point in frame.tracks {
            let wanted = rule.wants(point.class) && point.score >= rule.min_score;
            let foot = Foot::new(frame.time, point.rect, point.score);
            let seen = Seen { time: frame.time, point, foot, wanted, inside: true };
            if let Some(crossed) = self.counted.entry(point.track).or_default().look(rule, &seen) {
                crossings.push(Crossing {
                    camera: maker.camera,
                    rule: rule.id,
                    time: frame.time,
                    class: point.class,
                    direction: crossed.direction,
                });
            }
        }
        if rule.severity != Severity::Count {
            self.events.step(rule, maker, frame, out);
        }
    }
    pub fn idle(&mut self, rule: &Rule, now: MediaTime, out: &mut Vec<EventChange>) {
        self.events.idle(rule, now, out);
    }
    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        self.counted.clear();
        self.events.finish(out);
    }
}
