//! `wrong_way`: a vehicle goes against the arrow in the zone, for some seconds and over some metres. What stands, and what
//! trembles where it stands, goes nowhere.

use super::{
    objects::{Said, Seen, Watch},
    trail::{Foot, Trail, scaled},
};
use crate::domain::{
    rule::{Rule, What},
    time::MediaTime,
};

/// The way it goes now is that of the last two seconds.
const NOW_US: i64 = 2_000_000;
/// Slower than this share of its own height a second is standing.
const STANDS: f64 = 0.2;
/// In the picture it has gone at least this share of its height.
const GONE: f64 = 0.5;
/// A contrary look for less than this is a tremble.
const DOUBT_US: i64 = 1_200_000;

/// One object's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Contrary {
    trail: Trail,
    /// Since when it has gone the wrong way, and when it was last seen to.
    wrong: Option<(MediaTime, MediaTime)>,
}

impl Watch for Contrary {
    const SILENT_US: i64 = super::SILENT_US;
    const ENDS_WITH_TRACK: bool = true;

    fn see(&mut self, rule: &Rule, seen: &Seen<'_>, fired: bool) -> Said {
        let What::WrongWay { allowed, angle_deg, seconds, distance } = rule.what else { return Said::Nothing };
        if !seen.inside || !rule.wants(seen.point.class) {
            self.trail.clear();
            self.wrong = None;
            return if fired { Said::Over } else { Said::Nothing };
        }
        if self.trail.last().is_some_and(|last| seen.time.since(last.time) > 2 * NOW_US) {
            self.trail.clear();
            self.wrong = None;
        }
        self.trail.push(seen.foot);
        let Some([vx, vy]) = self.trail.speed(seen.time.plus_us(-NOW_US)) else { return Said::Nothing };
        let (from, to) = (scaled(allowed[0]), scaled(allowed[1]));
        let (ax, ay) = (to.0 - from.0, to.1 - from.1);
        let speed = vx.hypot(vy);
        let cos = (vx * ax + vy * ay) / (speed * ax.hypot(ay)).max(1e-12);
        let against = speed > STANDS * seen.foot.h && cos < f64::from(angle_deg).to_radians().cos();
        match &mut self.wrong {
            Some((_, last)) if against => *last = seen.time,
            Some((_, last)) if seen.time.since(*last) <= DOUBT_US => {}
            Some(_) => self.wrong = None,
            None if against => {
                // The way was found out over the looks before: it began with the first of them.
                let first = self.trail.since(seen.time.plus_us(-NOW_US)).next().map_or(seen.time, |f| f.time);
                self.wrong = Some((first, seen.time));
            }
            None => {}
        }
        let Some((since, last)) = self.wrong else { return if fired { Said::Over } else { Said::Nothing } };
        let feet: Vec<Foot> = self.trail.since(since).copied().collect();
        let metres = self.trail.metres(since, seen.point.class);
        let lasted = last.since(since) as f64 / 1e6;
        let gone = feet.first().map_or(0.0, |f| f.apart(&seen.foot));
        let proven = lasted >= f64::from(seconds) && metres >= f64::from(distance) && gone >= GONE * seen.foot.h;
        if !(fired || proven && seen.point.confirmed && seen.wanted) {
            return Said::Nothing;
        }
        Said::Matters(
            feet,
            vec![("seconds", lasted), ("metres", metres), ("angle_deg", cos.clamp(-1.0, 1.0).acos().to_degrees())],
        )
    }
}
