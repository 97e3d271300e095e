//! What became of a stretch of time: recorded, a gap, or neither.
//!
//! [`account`] cuts a window into pieces that follow each other without hole or overlap, so that the sum of what is
//! recorded, missing and not yet known is the window, however the rows lie. What is recorded stands above a gap, and an
//! earlier gap above a later one: two rows over one second count it once.

use crate::domain::time::Span;

/// Two recordings this close are one, microseconds: half a second and a frame of 25 a second. Within a session segments
/// join exactly; this bridges a session that is begun anew at once.
pub const TOLERANCE_US: i64 = 540_000;

/// What a piece of the window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// There is a recording.
    Recorded,
    /// The gap with this place in the list given.
    Gap(usize),
    /// Nothing is known of it.
    Nothing,
}

/// A piece of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// When; never empty.
    pub span: Span,
    /// What.
    pub what: What,
}

/// Cuts `window` by what was recorded and the gaps known, both in any order, overlapping or not. Holes between two
/// recordings of at most `tolerance_us` in which no gap lies count as recorded. Neighbours are never of one kind.
#[must_use]
pub fn account(window: Span, recorded: &[Span], gaps: &[Span], tolerance_us: i64) -> Vec<Piece> {
    let recorded = joined(recorded, gaps, tolerance_us);
    let mut pieces = Vec::new();
    let mut at = window.start_us;
    for span in recorded.iter().filter_map(|s| clipped(*s, window)) {
        between(Span { start_us: at, end_us: span.start_us }, gaps, &mut pieces);
        push(&mut pieces, span, What::Recorded);
        at = span.end_us;
    }
    between(Span { start_us: at, end_us: window.end_us }, gaps, &mut pieces);
    pieces
}

/// Sorted recordings without overlaps, near ones put together.
fn joined(recorded: &[Span], gaps: &[Span], tolerance_us: i64) -> Vec<Span> {
    let mut sorted: Vec<Span> = recorded.iter().copied().filter(|s| s.len_us() > 0).collect();
    sorted.sort_unstable_by_key(|s| (s.start_us, s.end_us));
    let mut out: Vec<Span> = Vec::with_capacity(sorted.len());
    for span in sorted {
        if let Some(last) = out.last_mut() {
            let hole = Span { start_us: last.end_us, end_us: span.start_us };
            let is_known = || gaps.iter().any(|g| g.len_us() > 0 && g.meets(hole));
            if hole.len_us() <= 0 || (hole.len_us() <= tolerance_us && !is_known()) {
                last.end_us = last.end_us.max(span.end_us);
                continue;
            }
        }
        out.push(span);
    }
    out
}

/// Fills a stretch without recording with the gaps that lie in it.
fn between(hole: Span, gaps: &[Span], pieces: &mut Vec<Piece>) {
    if hole.len_us() <= 0 {
        return;
    }
    let mut inside: Vec<(Span, usize)> =
        gaps.iter().enumerate().filter_map(|(i, g)| clipped(*g, hole).map(|g| (g, i))).collect();
    inside.sort_unstable_by_key(|(span, i)| (span.start_us, *i));
    let mut at = hole.start_us;
    for (span, i) in inside {
        if span.start_us > at {
            push(pieces, Span { start_us: at, end_us: span.start_us }, What::Nothing);
            at = span.start_us;
        }
        if span.end_us > at {
            push(pieces, Span { start_us: at, end_us: span.end_us }, What::Gap(i));
            at = span.end_us;
        }
    }
    if at < hole.end_us {
        push(pieces, Span { start_us: at, end_us: hole.end_us }, What::Nothing);
    }
}

fn push(pieces: &mut Vec<Piece>, span: Span, what: What) {
    match pieces.last_mut() {
        Some(last) if last.what == what && last.span.end_us == span.start_us => last.span.end_us = span.end_us,
        _ => pieces.push(Piece { span, what }),
    }
}

fn clipped(span: Span, within: Span) -> Option<Span> {
    let (start_us, end_us) = (span.start_us.max(within.start_us), span.end_us.min(within.end_us));
    (start_us < end_us).then_some(Span { start_us, end_us })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn span(start_us: i64, end_us: i64) -> Span {
        Span { start_us, end_us }
    }

    #[test]
    fn near_recordings_are_one_unless_a_gap_says_otherwise() {
        let recorded = [span(0, 10), span(12, 20), span(23, 30)];
        let kinds = |gaps: &[Span]| {
            let pieces = account(span(0, 30), &recorded, gaps, 2);
            pieces.iter().map(|p| (p.span.start_us, p.span.end_us, p.what)).collect::<Vec<_>>()
        };
        let nothing = (20, 23, What::Nothing);
        assert_eq!(kinds(&[]), [(0, 20, What::Recorded), nothing, (23, 30, What::Recorded)]);
        assert_eq!(kinds(&[span(11, 12)])[1..3], [(10, 11, What::Nothing), (11, 12, What::Gap(0))]);
    }

    #[test]
    fn an_empty_window_has_no_pieces() {
        assert_eq!(account(span(5, 5), &[span(0, 10)], &[span(0, 10)], 0), []);
    }

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        proptest::collection::vec((-20i64..120, 0i64..40).prop_map(|(s, len)| span(s, s + len)), 0..12)
    }

    /// What a microsecond is, found by looking at every span.
    fn oracle(t: i64, recorded: &[Span], gaps: &[Span], tolerance_us: i64) -> &'static str {
        let covers = |all: &[Span], t: i64| all.iter().any(|s| s.start_us <= t && t < s.end_us);
        if covers(recorded, t) {
            return "recorded";
        }
        let before = (t - 300..t).rev().take_while(|&u| !covers(recorded, u)).last().unwrap_or(t);
        let after = (t..t + 300).take_while(|&u| !covers(recorded, u)).last().unwrap_or(t);
        let hole = before..=after;
        let bounded = before > t - 300 && after < t + 299;
        if bounded && after - before < tolerance_us && !hole.clone().any(|u| covers(gaps, u)) {
            return "recorded";
        }
        if covers(gaps, t) { "gap" } else { "nothing" }
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_window_and_every_microsecond_is_what_it_is(
            start in -20i64..60, len in 0i64..100, recorded in spans(), gaps in spans(), tolerance in 0i64..8,
        ) {
            let window = span(start, start + len);
            let pieces = account(window, &recorded, &gaps, tolerance);
            let mut at = window.start_us;
            for piece in &pieces {
                prop_assert_eq!(piece.span.start_us, at);
                prop_assert!(piece.span.len_us() > 0);
                at = piece.span.end_us;
                for t in piece.span.start_us..piece.span.end_us {
                    let kind = match piece.what {
                        What::Recorded => "recorded",
                        What::Gap(i) => {
                            prop_assert!(gaps[i].start_us <= t && t < gaps[i].end_us);
                            "gap"
                        }
                        What::Nothing => "nothing",
                    };
                    prop_assert_eq!(kind, oracle(t, &recorded, &gaps, tolerance), "at {}", t);
                }
            }
            prop_assert_eq!(at, window.end_us);
            prop_assert!(pieces.windows(2).all(|p| p[0].what != p[1].what));
        }

        #[test]
        fn cutting_the_window_changes_nothing(cut in 0i64..100, recorded in spans(), gaps in spans(), tolerance in 0i64..8) {
            let sums = |windows: &[Span]| {
                let mut sums = [0; 3];
                for piece in windows.iter().flat_map(|w| account(*w, &recorded, &gaps, tolerance)) {
                    let i = match piece.what { What::Recorded => 0, What::Gap(_) => 1, What::Nothing => 2 };
                    sums[i] += piece.span.len_us();
                }
                sums
            };
            prop_assert_eq!(sums(&[span(0, 100)]), sums(&[span(0, cut), span(cut, 100)]));
        }
    }
}
