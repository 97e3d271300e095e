//! What a bar shows of a span: recorded, moving, missing and why.

use axum::{Json, extract::State};
use serde::Serialize;

use super::{
    cameras,
    error::ApiError,
    params::{Id, Params},
    state::AppState,
    video::{self, GapJson},
};
use crate::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, StreamId},
        query::Actor,
        rule::RuleKind,
        segment::GapCause,
        time::Span,
    },
    store::Gap,
};

/// The longest bar, microseconds: a week.
const BAR_US_MAX: i64 = 7 * 24 * 3_600_000_000;
/// Segments that follow each other so closely have no gap between them, microseconds.
const JOINED_US: i64 = 50_000;

/// A bar.
#[derive(Serialize)]
pub(super) struct Timeline {
    stream: StreamKind,
    start_us: i64,
    end_us: i64,
    step_us: i64,
    recorded: Vec<Span>,
    motion: Vec<Span>,
    gaps: Vec<GapJson>,
}

pub(super) async fn show(
    _: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
) -> Result<Json<Timeline>, ApiError> {
    let (span, wish) = (video::span(&params, BAR_US_MAX)?, video::stream(&params)?);
    let step_us = params.int("step", 0..=BAR_US_MAX)?.unwrap_or(0);
    let camera = cameras::find(&state, CameraId(id)).await?;
    let mut found = (wish.unwrap_or(StreamKind::Main), Vec::new(), Vec::new());
    // Without a wish the main stream, or the sub stream of a camera that records nothing else.
    for kind in [StreamKind::Main, StreamKind::Sub] {
        let Some(stream) = camera.stream(kind).filter(|_| wish.is_none_or(|w| w == kind)) else { continue };
        let (recorded, gaps) = of_stream(&state, stream.id, span).await?;
        if found.1.is_empty() && (!recorded.is_empty() || found.2.is_empty()) {
            found = (kind, recorded, gaps);
        }
        if !found.1.is_empty() {
            break;
        }
    }
    let (stream, recorded, gaps) = found;
    let motion = state.store.event_spans(camera.id, RuleKind::Motion, span).await?;
    Ok(Json(Timeline {
        stream,
        start_us: span.start_us,
        end_us: span.end_us,
        step_us,
        recorded: merged(recorded, step_us),
        motion: merged(cut_all(motion, span), step_us),
        gaps: merged_gaps(gaps, step_us),
    }))
}

async fn of_stream(state: &AppState, stream: StreamId, span: Span) -> Result<(Vec<Span>, Vec<Gap>), ApiError> {
    let recorded = state.store.recorded_spans(stream, span).await?;
    let mut gaps = state.store.gaps_in(stream, span).await?;
    gaps.retain_mut(|gap| {
        cut(gap.span, span).is_some_and(|inside| {
            gap.span = inside;
            true
        })
    });
    let missing: Vec<Span> = gaps.iter().map(|g| g.span).collect();
    Ok((without(&merged(cut_all(recorded, span), JOINED_US), &missing), gaps))
}

/// The part of `span` inside `window`, unless there is none.
fn cut(span: Span, window: Span) -> Option<Span> {
    let inside = Span { start_us: span.start_us.max(window.start_us), end_us: span.end_us.min(window.end_us) };
    (inside.start_us < inside.end_us).then_some(inside)
}

fn cut_all(spans: Vec<Span>, window: Span) -> Vec<Span> {
    spans.into_iter().filter_map(|span| cut(span, window)).collect()
}

/// Spans in order of their start; those less than `step_us` apart become one.
fn merged(spans: Vec<Span>, step_us: i64) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::new();
    for span in spans {
        match out.last_mut() {
            Some(last) if span.start_us.saturating_sub(last.end_us) <= step_us => {
                last.end_us = last.end_us.max(span.end_us);
            }
            _ => out.push(span),
        }
    }
    out
}

/// What is left of `spans` without `holes`; both in order of their start, the spans apart from each other.
fn without(spans: &[Span], holes: &[Span]) -> Vec<Span> {
    let mut out = Vec::new();
    for &span in spans {
        let mut rest = span;
        for hole in holes.iter().filter(|hole| hole.meets(span)) {
            if hole.start_us > rest.start_us {
                out.push(Span { start_us: rest.start_us, end_us: hole.start_us });
            }
            rest.start_us = rest.start_us.max(hole.end_us);
        }
        if rest.start_us < rest.end_us {
            out.push(rest);
        }
    }
    out
}

/// Gaps of one cause less than `step_us` apart become one with the evidence of the first.
fn merged_gaps(gaps: Vec<Gap>, step_us: i64) -> Vec<GapJson> {
    let mut out: Vec<Gap> = Vec::new();
    for gap in gaps {
        let near = |last: &Gap| gap.span.start_us.saturating_sub(last.span.end_us) <= step_us;
        let same = |a: GapCause, b: GapCause| a == b;
        match out.last_mut() {
            Some(last) if step_us > 0 && near(last) && same(last.cause, gap.cause) => {
                last.span.end_us = last.span.end_us.max(gap.span.end_us);
            }
            _ => out.push(gap),
        }
    }
    out.into_iter().map(GapJson::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(start_us: i64, end_us: i64) -> Span {
        Span { start_us, end_us }
    }

    #[test]
    fn a_hole_inside_a_recording_is_taken_out_of_it() {
        let recorded = [span(0, 100), span(200, 300)];
        let holes = [span(-5, 10), span(40, 60), span(90, 210), span(299, 400)];
        assert_eq!(without(&recorded, &holes), [span(10, 40), span(60, 90), span(210, 299)]);
        assert_eq!(without(&recorded, &[]), recorded);
        assert_eq!(without(&recorded, &[span(-1, 1000)]), []);
    }

    #[test]
    fn what_lies_closer_than_a_step_is_one_span() {
        let spans = vec![span(0, 10), span(12, 20), span(15, 18), span(31, 40)];
        assert_eq!(merged(spans.clone(), 5), [span(0, 20), span(31, 40)]);
        assert_eq!(merged(spans, 11), [span(0, 40)]);
    }

    proptest! {
        #[test]
        fn what_is_left_and_the_holes_make_up_the_whole(cuts in prop::collection::vec(0..1000_i64, 0..20)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let holes: Vec<Span> = cuts.chunks_exact(2).map(|c| span(c[0], c[1])).filter(|s| s.len_us() > 0).collect();
            let left = without(&[span(0, 1000)], &holes);
            let sum = |spans: &[Span]| spans.iter().map(|s| s.len_us()).sum::<i64>();
            prop_assert_eq!(sum(&left) + sum(&merged(holes, 0)), 1000);
        }
    }
}
