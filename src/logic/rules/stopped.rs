//! `stopped`: a vehicle stands in the zone for long. Hidden for a while, or lost and found again where it stands, it has
//! stood there all the time; a box that trembles has not moved.

use super::{
    objects::{Said, Seen, Watch},
    trail::Foot,
};
use crate::domain::rule::{Rule, What};

/// So far from where it stands, in sizes of its box, twice in a row, it has moved off …
const OFF: f64 = 0.31;
/// … and so far at once.
const AWAY: f64 = 1.03;
/// Sightings after which the place it stands at is known.
const KNOWN: u32 = 8;

/// One object's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Stander {
    place: Option<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    first: Foot,
    x: f64,
    y: f64,
    seen: u32,
    off: u32,
}

impl Place {
    const fn new(first: Foot) -> Self {
        Self { first, x: first.x, y: first.y, seen: 1, off: 0 }
    }
    /// Whether it still stands here.
    fn holds(&mut self, foot: &Foot) -> bool {
        let off = (foot.x - self.x).hypot(foot.y - self.y) / foot.size().max(1e-6);
        if off > OFF {
            self.off += 1;
            return off <= AWAY && self.off < 2;
        }
        self.off = 0;
        if self.seen < KNOWN {
            self.seen += 1;
            self.x += (foot.x - self.x) / f64::from(self.seen);
            self.y += (foot.y - self.y) / f64::from(self.seen);
        }
        true
    }
}

impl Watch for Stander {
    const SILENT_US: i64 = 60_000_000;
    const ENDS_WITH_TRACK: bool = false;

    fn see(&mut self, rule: &Rule, seen: &Seen<'_>, fired: bool) -> Said {
        let What::Stopped { seconds } = rule.what else { return Said::Nothing };
        let foot = seen.foot;
        let stays = self.place.as_mut().is_some_and(|place| place.holds(&foot));
        if !stays || !seen.inside {
            self.place = seen.inside.then(|| Place::new(foot));
            return if fired { Said::Over } else { Said::Nothing };
        }
        let Some(place) = &self.place else { return Said::Nothing };
        let stood = seen.time.since(place.first.time) as f64 / 1e6;
        if stood < f64::from(seconds) || !(fired || seen.point.confirmed && seen.wanted) {
            return if fired { Said::Over } else { Said::Nothing };
        }
        Said::Matters(vec![place.first, foot], vec![("seconds", stood)])
    }
}
