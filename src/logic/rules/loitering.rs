//! `loitering`: somebody stays in the zone for long, walking about or not. Stepping out for a moment, or being hidden for a
//! while, does not begin it anew.

use super::{
    objects::{Said, Seen, Watch},
    trail::Foot,
};
use crate::domain::{
    rule::{Rule, What},
    time::MediaTime,
};

/// Out of the zone for longer is gone.
const OUT_US: i64 = 3_000_000;
/// Unseen for longer is gone.
const UNSEEN_US: i64 = 20_000_000;

/// One object's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Stayer {
    /// Its first sighting in the zone, and the newest.
    stay: Option<(Foot, MediaTime)>,
    last: Option<MediaTime>,
}

impl Watch for Stayer {
    const SILENT_US: i64 = 20_000_000;
    const ENDS_WITH_TRACK: bool = false;

    fn see(&mut self, rule: &Rule, seen: &Seen<'_>, fired: bool) -> Said {
        let What::Loitering { seconds } = rule.what else { return Said::Nothing };
        let unseen = self.last.replace(seen.time).map_or(0, |last| seen.time.since(last));
        if self.stay.is_some_and(|(_, inside)| seen.time.since(inside) > OUT_US && !seen.inside) || unseen > UNSEEN_US {
            self.stay = None;
        }
        if !seen.inside {
            return if fired && self.stay.is_none() { Said::Over } else { Said::Nothing };
        }
        let (first, inside) = self.stay.get_or_insert((seen.foot, seen.time));
        *inside = seen.time;
        let stayed = seen.time.since(first.time) as f64 / 1e6;
        if stayed < f64::from(seconds) || !(fired || seen.point.confirmed && seen.wanted) {
            return Said::Nothing;
        }
        Said::Matters(vec![*first, seen.foot], vec![("seconds", stayed)])
    }
}
