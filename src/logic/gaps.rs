//! Why something was not recorded: what was seen at the time, laid over a hole.
//!
//! A hole begins with the last picture and ends with the first one after it; what is seen of the trouble in between is
//! late (a stalled camera is found out after seconds) and may change (the connection breaks, then nothing answers). So
//! a hole belongs to the first trouble seen in it, from its very start, until another trouble of another cause has
//! lasted [`SHORT_US`].

use crate::domain::{
    segment::GapCause,
    time::{Span, WallTime},
};

/// A trouble shorter than this before another one is that other one's beginning.
pub const SHORT_US: i64 = 2_000_000;

/// What was seen of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Pictures come, or at least nothing is known to be wrong.
    Fine,
    /// It is being set up: the trouble that follows, if one does, was there already; else it was our doing.
    Starting(String),
    /// Something is wrong.
    Wrong(GapCause, String),
}

/// Something seen, and holding until the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// From when on, media time in microseconds.
    pub from_us: i64,
    /// What.
    pub seen: Seen,
}

/// An outage somebody declared beforehand, as far as it concerns a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excuse {
    /// When it excuses: not before it was declared.
    pub span: Span,
    /// Who declared it.
    pub actor: String,
    /// What is done.
    pub reason: String,
}

/// A piece of a hole with its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// When.
    pub span: Span,
    /// Why.
    pub cause: GapCause,
    /// What says so.
    pub evidence: String,
    /// Who declared it beforehand.
    pub planned_by: Option<String>,
}

/// Explains a hole by what was seen (in order of time) and what was declared. The pieces follow each other and are the
/// hole.
#[must_use]
pub fn explain(hole: Span, sights: &[Sight], excuses: &[Excuse]) -> Vec<Explained> {
    if hole.len_us() <= 0 {
        return Vec::new();
    }
    let mut starts = troubles(hole, sights);
    if starts.is_empty() {
        let evidence = "pictures were said to come, yet none of them was recorded".to_owned();
        starts.push((hole.start_us, GapCause::Unknown, evidence));
    }
    starts[0].0 = hole.start_us;
    let ends: Vec<i64> = starts.iter().skip(1).map(|s| s.0).chain([hole.end_us]).collect();
    let mut out = Vec::new();
    for ((start_us, cause, evidence), end_us) in starts.into_iter().zip(ends) {
        let piece = Explained { span: Span { start_us, end_us }, cause, evidence, planned_by: None };
        excused(piece, excuses, &mut out);
    }
    out
}

/// The troubles seen in a hole with their starts, short ones given to the one that follows.
fn troubles(hole: Span, sights: &[Sight]) -> Vec<(i64, GapCause, String)> {
    let first = sights.iter().rposition(|s| s.from_us <= hole.start_us).unwrap_or(0);
    let mut out: Vec<(i64, GapCause, String)> = Vec::new();
    let mut weak = false;
    for sight in sights.iter().skip(first).take_while(|s| s.from_us < hole.end_us) {
        let (cause, evidence) = match &sight.seen {
            Seen::Fine => continue,
            Seen::Starting(evidence) if out.is_empty() => {
                weak = true;
                (GapCause::Service, evidence)
            }
            Seen::Starting(_) => continue,
            Seen::Wrong(cause, evidence) => (*cause, evidence),
        };
        let from_us = sight.from_us.max(hole.start_us);
        let is_weak = matches!(sight.seen, Seen::Starting(_));
        match out.last_mut() {
            // The last one was only the beginning of this one.
            Some(last) if !is_weak && (weak || from_us - last.0 < SHORT_US) => {
                *last = (last.0, cause, evidence.clone())
            }
            Some(last) if last.1 == cause => {}
            _ => out.push((from_us, cause, evidence.clone())),
        }
        weak &= is_weak;
        // Giving it the name of the one that follows may have made it the same as the one before.
        if let [.., before, last] = &out[..]
            && before.1 == last.1
        {
            out.pop();
        }
    }
    out
}

/// Cuts out of a piece what was declared beforehand.
fn excused(piece: Explained, excuses: &[Excuse], out: &mut Vec<Explained>) {
    let mut at = piece.span.start_us;
    let mut sorted: Vec<&Excuse> = excuses.iter().filter(|e| e.span.len_us() > 0 && e.span.meets(piece.span)).collect();
    sorted.sort_by_key(|e| e.span.start_us);
    for excuse in sorted {
        let (start_us, end_us) = (excuse.span.start_us.max(at), excuse.span.end_us.min(piece.span.end_us));
        if start_us >= end_us {
            continue;
        }
        if start_us > at {
            out.push(Explained { span: Span { start_us: at, end_us: start_us }, ..piece.clone() });
        }
        out.push(Explained {
            span: Span { start_us, end_us },
            cause: GapCause::Planned,
            evidence: format!("{} ({}: {})", excuse.reason, piece.cause.name(), piece.evidence),
            planned_by: Some(excuse.actor.clone()),
        });
        at = end_us;
    }
    if at < piece.span.end_us {
        out.push(Explained { span: Span { start_us: at, end_us: piece.span.end_us }, ..piece });
    }
}

/// The last sign of life of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The boot it was in.
    pub boot_id: String,
    /// When, UTC microseconds.
    pub utc_us: i64,
    /// How it ended, when it ended well.
    pub ended: Option<String>,
}

/// Why nothing ran between an earlier run's last sign of life and this run's start. `booted` is when the machine
/// started, by the clock of now.
#[must_use]
pub fn absence(last: &Life, boot_id: &str, booted: WallTime, started: WallTime) -> (GapCause, String) {
    let rebooted = last.boot_id != boot_id;
    let (alive, booted, started) = (clock(last.utc_us), clock(booted.us()), clock(started.us()));
    match &last.ended {
        Some(how) if rebooted => (
            GapCause::Service,
            format!("{how} at {alive}; the machine was started at {booted}, the program at {started}"),
        ),
        Some(how) => (GapCause::Service, format!("{how} at {alive}; started again at {started}")),
        None if rebooted => (
            GapCause::Power,
            format!("the last sign of life was at {alive}, then the machine was off; it started at {booted}"),
        ),
        None => (
            GapCause::Service,
            format!(
                "the last sign of life was at {alive} and the machine stayed on: the program had ended by force; started again at {started}"
            ),
        ),
    }
}

/// A time for a sentence.
fn clock(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us).map_or_else(|_| format!("{us} µs"), |t| format!("{t:.0}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: i64 = 1_000_000;

    fn wrong(at_s: i64, cause: GapCause) -> Sight {
        Sight { from_us: at_s * S, seen: Seen::Wrong(cause, cause.name().to_owned()) }
    }

    fn fine(at_s: i64) -> Sight {
        Sight { from_us: at_s * S, seen: Seen::Fine }
    }

    fn causes(start_s: i64, end_s: i64, sights: &[Sight], excuses: &[Excuse]) -> Vec<(i64, i64, GapCause)> {
        let hole = Span { start_us: start_s * S, end_us: end_s * S };
        let pieces = explain(hole, sights, excuses);
        pieces.iter().map(|p| (p.span.start_us / S, p.span.end_us / S, p.cause)).collect()
    }

    #[test]
    fn a_trouble_found_out_late_has_caused_the_hole_from_its_start() {
        let sights = [fine(0), wrong(13, GapCause::Camera), fine(20)];
        assert_eq!(causes(10, 21, &sights, &[]), [(10, 21, GapCause::Camera)]);
    }

    #[test]
    fn a_break_just_before_nothing_answers_is_the_same_trouble() {
        let sights = [fine(0), wrong(10, GapCause::Camera), wrong(11, GapCause::Network)];
        assert_eq!(causes(10, 60, &sights, &[]), [(10, 60, GapCause::Network)]);
        let sights = [wrong(0, GapCause::Network), wrong(30, GapCause::Camera), wrong(31, GapCause::Network)];
        assert_eq!(causes(10, 60, &sights, &[]), [(10, 60, GapCause::Network)]);
    }

    #[test]
    fn a_second_trouble_that_stays_has_its_own_part() {
        let sights = [wrong(5, GapCause::Network), wrong(40, GapCause::Login), fine(60)];
        assert_eq!(causes(10, 61, &sights, &[]), [(10, 40, GapCause::Network), (40, 61, GapCause::Login)]);
    }

    #[test]
    fn what_nobody_saw_is_unknown_and_not_blamed_on_what_came_later() {
        assert_eq!(causes(10, 20, &[fine(0), wrong(20, GapCause::Login)], &[]), [(10, 20, GapCause::Unknown)]);
        assert_eq!(causes(10, 20, &[], &[]), [(10, 20, GapCause::Unknown)]);
    }

    #[test]
    fn setting_up_is_ours_unless_a_trouble_follows() {
        let starting = |at_s: i64| Sight { from_us: at_s * S, seen: Seen::Starting("set up".into()) };
        assert_eq!(causes(10, 12, &[starting(10), fine(11)], &[]), [(10, 12, GapCause::Service)]);
        let refused = [starting(10), wrong(20, GapCause::Login)];
        assert_eq!(causes(10, 50, &refused, &[]), [(10, 50, GapCause::Login)]);
        let away = [wrong(0, GapCause::Power), starting(10), fine(12)];
        assert_eq!(causes(5, 12, &away, &[]), [(5, 12, GapCause::Power)]);
    }

    #[test]
    fn what_was_declared_is_planned_and_the_rest_is_not() {
        let excuse = |start_s: i64, end_s: i64| Excuse {
            span: Span { start_us: start_s * S, end_us: end_s * S },
            actor: "a".into(),
            reason: "r".into(),
        };
        let sights = [wrong(10, GapCause::Network)];
        assert_eq!(
            causes(10, 50, &sights, &[excuse(30, 40), excuse(20, 35), excuse(50, 90)]),
            [
                (10, 20, GapCause::Network),
                (20, 35, GapCause::Planned),
                (35, 40, GapCause::Planned),
                (40, 50, GapCause::Network)
            ]
        );
        let hole = Span { start_us: 30 * S, end_us: 31 * S };
        let piece = &explain(hole, &sights, &[excuse(30, 40)])[0];
        assert_eq!((piece.planned_by.as_deref(), piece.evidence.as_str()), (Some("a"), "r (network: network)"));
    }

    #[test]
    fn an_absence_is_the_services_unless_the_machine_went_without_a_word() {
        let life = |ended: Option<&str>| Life { boot_id: "a".into(), utc_us: S, ended: ended.map(str::to_owned) };
        let cause = |life: &Life, boot: &str| absence(life, boot, WallTime(2 * S), WallTime(3 * S));
        assert_eq!(cause(&life(None), "b").0, GapCause::Power);
        assert_eq!(cause(&life(None), "a").0, GapCause::Service);
        assert_eq!(cause(&life(Some("stopped")), "a").0, GapCause::Service);
        let (service, evidence) = cause(&life(Some("stopped by SIGTERM")), "b");
        assert_eq!(service, GapCause::Service);
        assert!(evidence.starts_with("stopped by SIGTERM at 1970-01-01T00:00:01Z"), "{evidence}");
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_hole(
            start in 0i64..50, len in 0i64..50,
            steps in proptest::collection::vec((0i64..10, 0usize..10), 0..20),
            excuses in proptest::collection::vec((0i64..100, 0i64..30), 0..4),
        ) {
            let mut at = 0;
            let sights: Vec<Sight> = steps.into_iter().map(|(wait, what)| {
                at += wait;
                GapCause::ALL.get(what).map_or_else(|| fine(at), |cause| wrong(at, *cause))
            }).collect();
            let excuses: Vec<Excuse> = excuses.into_iter().map(|(s, len)| Excuse {
                span: Span { start_us: s * S, end_us: (s + len) * S }, actor: "a".into(), reason: "r".into(),
            }).collect();
            let hole = Span { start_us: start * S, end_us: (start + len) * S };
            let mut at = hole.start_us;
            for piece in explain(hole, &sights, &excuses) {
                prop_assert_eq!(piece.span.start_us, at);
                prop_assert!(piece.span.len_us() > 0);
                let declared = excuses.iter().any(|e| e.span.meets(piece.span));
                prop_assert_eq!(piece.planned_by.is_some(), declared && piece.cause == GapCause::Planned && piece.evidence.starts_with("r ("));
                at = piece.span.end_us;
            }
            prop_assert_eq!(at, hole.end_us);
        }
    }
}
