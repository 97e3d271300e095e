//! `speeding`: faster over measured ground than the limit. All places of the pass are fitted over time, which is better
//! than two lines; the error is said with the speed, and only what is too fast with the error taken off is told. An
//! estimate, never evidence.

use super::{
    objects::{Said, Seen, Watch},
    trail::{Fit, Foot},
};
use crate::domain::{
    geometry::Polygon,
    rule::{Rule, What},
    time::MediaTime,
};

/// Places it takes at least, over so many seconds and metres.
const POINTS_MIN: usize = 4;
const SECONDS_MIN: f64 = 0.6;
const METRES_MIN: f64 = 4.0;
/// What four measured points may be wrong by, a share of the speed.
const MEASURED: f64 = 0.05;
/// Standard errors that are said.
const SIGMAS: f64 = 2.0;
/// Places of one pass that are kept.
const PLACES_MAX: usize = 240;

/// One object's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Passer {
    places: Vec<(MediaTime, [f64; 2])>,
    first: Option<Foot>,
}

/// Kilometres an hour, and by how much that may be wrong.
pub(super) fn speed_kmh(places: &[(MediaTime, [f64; 2])]) -> Option<(f64, f64, Fit)> {
    let fit = Fit::of(places.iter().copied())?;
    let speed = fit.speed[0].hypot(fit.speed[1]);
    let enough = fit.points >= POINTS_MIN && fit.seconds >= SECONDS_MIN && speed * fit.seconds >= METRES_MIN;
    // With few places their spread is known badly.
    let few = 1.0 + 4.0 / fit.points as f64;
    let error = SIGMAS * few * fit.error + MEASURED * speed;
    enough.then_some((speed * 3.6, error * 3.6, fit))
}

impl Watch for Passer {
    const SILENT_US: i64 = super::SILENT_US;
    const ENDS_WITH_TRACK: bool = true;

    fn see(&mut self, rule: &Rule, seen: &Seen<'_>, fired: bool) -> Said {
        let What::Speeding { ground, limit_kmh } = &rule.what else { return Said::Nothing };
        let corners = Polygon::new(ground.picture().to_vec());
        let inside = corners.is_ok_and(|c| c.contains(seen.point.rect.foot())) && seen.foot.rect.corners()[3] < 0.996;
        let place = ground.metres_at(seen.point.rect.foot()).filter(|_| inside && !seen.point.held);
        let Some(place) = place else {
            return if fired { Said::Over } else { Said::Nothing };
        };
        if self.places.len() >= PLACES_MAX {
            return Said::Nothing;
        }
        let first = *self.first.get_or_insert(seen.foot);
        self.places.push((seen.time, place));
        let Some((speed, error, fit)) = speed_kmh(&self.places) else { return Said::Nothing };
        let fast = speed - error > f64::from(*limit_kmh) && seen.point.confirmed && seen.wanted;
        if !fired && !fast {
            return Said::Nothing;
        }
        if !fast {
            return Said::Matters(Vec::new(), Vec::new());
        }
        let metres = speed / 3.6 * fit.seconds;
        let numbers = vec![
            ("speed_kmh", speed),
            ("error_kmh", error),
            ("limit_kmh", f64::from(*limit_kmh)),
            ("metres", metres),
            ("seconds", fit.seconds),
        ];
        Said::Matters(vec![first, seen.foot], numbers)
    }
}
