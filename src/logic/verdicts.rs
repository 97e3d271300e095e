//! What officers' words make of a rule: a rule that is wrong more often than right proposes a change, with what it would
//! have cost. In: its last judged events. Out: at most one proposal of each sort, the most useful first. Decides nothing:
//! a person takes a proposal or leaves it.

use crate::domain::{
    event::Event,
    geometry::{NormBox, Point},
    rule::{Rule, RuleKind},
    schedule::{LOCAL_US, Schedule},
    time::MediaTime,
};

/// So many of the newest judged events are looked at.
pub const LOOKED_AT: u32 = 50;
/// Fewer prove nothing.
const JUDGED_MIN: usize = 20;
/// A rule that is right less often than this proposes a change.
const RIGHT_MIN: f64 = 0.5;
/// A proposal loses at most this share of what was right …
const LOSES_MAX: f64 = 0.1;
/// … and spares at least this share of what was wrong.
const SPARES_MIN: f64 = 0.3;
/// The picture in so many parts across and down, for a mask.
const PARTS: usize = 8;
const HOUR_US: i64 = 3_600_000_000;

/// What may be changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A higher least score.
    MinScore(f32),
    /// No watch in these local hours: from (included) to (excluded), perhaps over midnight.
    Quiet(u8, u8),
    /// No watch in this part of the picture.
    Mask(NormBox),
}

/// A change and what it would have cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// What.
    pub change: Change,
    /// Wrong events it would have spared.
    pub spares: usize,
    /// Right events it would have lost.
    pub loses: usize,
}

/// One judged event, as far as it matters here.
#[derive(Debug, Clone, Copy)]
struct Judged {
    score: f32,
    hour: u8,
    foot: Point,
    right: bool,
}

impl Change {
    /// The rule with this change; it keeps what it had beside it.
    #[must_use]
    pub fn applied(&self, rule: &Rule) -> Rule {
        let mut changed = rule.clone();
        match self {
            Self::MinScore(least) => changed.min_score = changed.min_score.max(*least),
            Self::Quiet(from, to) => {
                let mut texts = rule.quiet.texts().to_vec();
                texts.push(format!("{from:02}:00-{to:02}:00"));
                // One that cannot be read any more, for there are too many spans, changes nothing.
                changed.quiet = Schedule::new(&texts).unwrap_or(changed.quiet);
            }
            Self::Mask(part) => changed.except.push(*part),
        }
        changed
    }
    /// Whether a rule of that kind can be changed so.
    #[must_use]
    pub const fn fits(&self, kind: RuleKind) -> bool {
        match self {
            Self::MinScore(_) => kind.is_about_objects(),
            Self::Quiet(..) => true,
            Self::Mask(_) => kind.has_zone(),
        }
    }
}

/// Whether the rule as it stands would still tell of that event, as far as its score, hour and place say.
#[must_use]
pub fn still_tells(rule: &Rule, event: &Event) -> bool {
    let clear = !rule.kind().is_about_objects() || event.score >= rule.min_score;
    let there = !rule.kind().has_zone() || !rule.except.iter().any(|part| part.contains(event.rect.foot()));
    clear && there && rule.is_on(MediaTime(event.start_us))
}

/// Right events among judged ones.
#[must_use]
pub fn right(judged: &[(Event, bool)]) -> usize {
    judged.iter().filter(|(_, right)| *right).count()
}

/// Proposals of a rule with these events, newest word first; none when it is right often enough or too few were judged.
#[must_use]
pub fn proposals(judged: &[(Event, bool)]) -> Vec<Proposal> {
    let right = right(judged);
    if judged.len() < JUDGED_MIN || right as f64 >= RIGHT_MIN * judged.len() as f64 {
        return Vec::new();
    }
    let all: Vec<Judged> = judged
        .iter()
        .map(|(event, right)| Judged {
            score: event.score,
            hour: ((event.start_us + LOCAL_US).div_euclid(HOUR_US)).rem_euclid(24) as u8,
            foot: event.rect.foot(),
            right: *right,
        })
        .collect();
    let best = |changes: Changes| {
        let weighed = changes.into_iter().map(|(change, drops)| {
            let count = |right: bool| all.iter().filter(|j| j.right == right && drops(j)).count();
            Proposal { change, spares: count(false), loses: count(true) }
        });
        weighed
            .filter(|p| p.loses as f64 <= LOSES_MAX * right as f64)
            .filter(|p| p.spares as f64 >= SPARES_MIN * (all.len() - right) as f64)
            .reduce(|best, p| if worth(&p) > worth(&best) { p } else { best })
    };
    let mut out: Vec<_> = [scores(), hours(), parts()].into_iter().filter_map(best).collect();
    out.sort_by_key(|p| std::cmp::Reverse(worth(p)));
    out
}

/// A right event that is lost weighs as much as three wrong ones that are spared.
fn worth(p: &Proposal) -> i64 {
    p.spares as i64 - 3 * p.loses as i64
}

/// A change, and which events it would drop.
type Changes = Vec<(Change, Box<dyn Fn(&Judged) -> bool>)>;

fn scores() -> Changes {
    let steps = (1..=19_u8).map(|i| f32::from(i) * 0.05);
    steps.map(|least| (Change::MinScore(least), Box::new(move |j: &Judged| j.score < least) as _)).collect()
}

/// Two to twelve hours at a stretch, the shortest first: of two that spare the same, less is given up.
fn hours() -> Changes {
    let spans = (2..=12_u8).flat_map(|long| (0..24_u8).map(move |from| (from, (from + long) % 24, long)));
    spans
        .map(|(from, to, long)| {
            (Change::Quiet(from, to), Box::new(move |j: &Judged| (j.hour + 24 - from) % 24 < long) as _)
        })
        .collect()
}

/// Parts of the picture up to a quarter of it.
fn parts() -> Changes {
    let mut out: Changes = Vec::new();
    let at = |n: usize| n as f32 / PARTS as f32;
    for (x0, y0) in (0..PARTS).flat_map(|x| (0..PARTS).map(move |y| (x, y))) {
        for (x1, y1) in (x0 + 1..=PARTS).flat_map(|x| (y0 + 1..=PARTS).map(move |y| (x, y))) {
            if (x1 - x0) * (y1 - y0) > PARTS * PARTS / 4 {
                continue;
            }
            let Some(rect) = NormBox::new(at(x0), at(y0), at(x1), at(y1)) else { continue };
            let [left, top, right, bottom] = rect.corners();
            let inside = move |j: &Judged| (left..=right).contains(&j.foot.x) && (top..=bottom).contains(&j.foot.y);
            out.push((Change::Mask(rect), Box::new(inside)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{
        ids::{CameraId, EventId, RuleId},
        rule::RuleDraft,
    };

    fn event(local_hour: i64, score: f32, x: f32) -> Event {
        let rect = NormBox::new(x, 0.7, x + 0.02, 0.8).unwrap();
        let start_us = local_hour * HOUR_US - LOCAL_US + 86_400_000_000;
        Event {
            id: EventId(0),
            camera: CameraId(1),
            rule: RuleId(1),
            rule_version: 1,
            rule_name: String::new(),
            kind: RuleKind::Intrusion,
            class: None,
            track: None,
            start_us,
            end_us: start_us,
            open: false,
            revision: 1,
            score,
            rect,
            path: Vec::new(),
            model_sha256: None,
            numbers: BTreeMap::new(),
        }
    }

    #[test]
    fn a_rule_that_is_wrong_at_night_proposes_to_sleep_then_and_says_what_that_costs() {
        let mut judged: Vec<_> = (0..30).map(|i| (event(22 + i % 4, 0.5, 0.1 + 0.02 * i as f32), false)).collect();
        judged.extend((0..12).map(|i| (event(8 + i % 5, 0.5, 0.1 + 0.05 * i as f32), true)));
        let proposals = proposals(&judged);
        assert_eq!(proposals[0], Proposal { change: Change::Quiet(22, 2), spares: 30, loses: 0 });
        assert!(
            proposals.iter().all(|p| !matches!(p.change, Change::MinScore(_))),
            "scores tell nothing: {proposals:?}"
        );
    }

    #[test]
    fn a_rule_with_weak_false_alarms_in_one_corner_proposes_a_score_and_a_mask() {
        let mut judged: Vec<_> = (0..30).map(|i| (event(i % 24, 0.3, 0.02), false)).collect();
        judged.extend((0..20).map(|i| (event(i % 24, 0.7, 0.5), true)));
        let changes: Vec<_> = proposals(&judged).into_iter().map(|p| (p.change, p.spares, p.loses)).collect();
        assert_eq!(changes.len(), 2, "{changes:?}");
        assert!(changes.iter().all(|(_, spares, loses)| (*spares, *loses) == (30, 0)));
        assert!(changes.iter().any(|(c, ..)| matches!(c, Change::MinScore(s) if (0.3..0.7).contains(s))));
        assert!(changes.iter().any(|(c, ..)| matches!(c, Change::Mask(rect) if rect.corners()[2] < 0.5)));
    }

    #[test]
    fn a_proposal_that_was_taken_leaves_out_what_it_said_it_would_and_is_not_made_again() {
        let draft: RuleDraft = serde_json::from_str(r#"{"name":"x","kind":"intrusion"}"#).unwrap();
        let mut rule = draft.checked().unwrap();
        let mut judged: Vec<_> = (0..30).map(|i| (event(22 + i % 4, 0.3, 0.02), false)).collect();
        judged.extend((0..12).map(|i| (event(8 + i % 5, 0.7, 0.5), true)));
        let first = proposals(&judged);
        assert_eq!(first.len(), 3, "{first:?}");
        for proposal in &first {
            let changed = proposal.change.applied(&rule);
            assert!(proposal.change.fits(rule.kind()));
            let left: Vec<_> = judged.iter().filter(|(event, _)| still_tells(&changed, event)).cloned().collect();
            let of = |right: bool| judged.iter().chain(&left).filter(|j| j.1 == right).count();
            assert_eq!(judged.len() - left.len(), proposal.spares + proposal.loses, "{proposal:?} of {}", of(true));
            assert_eq!(proposals(&left), []);
            assert_eq!(changed.to_draft(None).checked().unwrap(), changed, "it can be kept");
        }
        for proposal in &first {
            rule = proposal.change.applied(&rule);
        }
        assert!(
            rule.min_score > 0.3 && rule.except.len() == 1 && rule.quiet.texts().len() == 1,
            "all of them together"
        );
        assert!(
            !Change::MinScore(0.5).fits(RuleKind::Motion)
                && !Change::Mask(event(0, 0.5, 0.1).rect).fits(RuleKind::Tamper)
        );
    }

    #[test]
    fn a_rule_that_is_right_half_the_time_or_hardly_judged_proposes_nothing() {
        let half: Vec<_> = (0..40).map(|i| (event(i % 24, 0.3, 0.02), i % 2 == 0)).collect();
        assert_eq!(proposals(&half), []);
        let few: Vec<_> = (0..10).map(|i| (event(i, 0.3, 0.02), false)).collect();
        assert_eq!(proposals(&few), []);
    }
}
