//! What a rule would have said of the last days, before it is in force.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;

use super::{
    body::Given,
    error::ApiError,
    events::{Said, or_note},
    params::Params,
    rules::checked,
    state::AppState,
};
use crate::{
    domain::{
        detection::Class,
        query::Actor,
        refusal::Refusal,
        rule::{Rule, RuleDraft},
        time::Span,
    },
    logic::{
        back_test::{self, Kept},
        path,
        rules::words,
    },
    store::WAYS_MAX,
};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// A week at a time.
const SPAN_MAX_US: i64 = 7 * DAY_US;
/// Pictures shown.
const EXAMPLES: usize = 24;

#[derive(Serialize)]
pub(super) struct BackTest {
    span: Span,
    tracks: usize,
    all_tracks: bool,
    events: usize,
    hours: Vec<Hour>,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Hour {
    hour_us: i64,
    n: usize,
}

#[derive(Serialize)]
struct Example {
    track: Option<i64>,
    class: Option<Class>,
    start_us: i64,
    end_us: i64,
    why: Said,
}

pub(super) async fn try_rule(
    _: Actor,
    State(state): State<AppState>,
    params: Params,
    Given(draft): Given<RuleDraft>,
) -> Result<Json<BackTest>, ApiError> {
    let cameras = state.store.cameras().await?;
    let rule = checked(&draft, &cameras)?;
    let span = span(&params, state.clock.media().us())?;
    let camera = rule.camera.or_else(|| cameras.first().map(|c| c.id)).filter(|_| back_test::can_try(rule.kind()));
    let Some(camera) = camera else {
        return Err(vec![Refusal::new(
            "kind",
            "loại luật này không thử được trên dữ liệu cũ: chỉ lưu đường đi của người và xe",
            "a rule of this kind cannot be tried on what was kept: only ways of people and vehicles are",
        )]
        .into());
    };
    let ways = state.store.track_ways(camera, span).await?;
    let all_tracks = ways.len() < WAYS_MAX as usize;
    let rows: BTreeMap<i64, i64> = ways.iter().map(|way| (way.number.0, way.id)).collect();
    let tracks = ways.len();
    let rule = Rule { camera: Some(camera), ..rule };
    let played = state.tasks.compute(move || {
        let kept = ways.into_iter().filter_map(|way| {
            let (places, _) = path::decode(&way.path).ok()?;
            Some(Kept { track: way.number, class: way.class, score: way.score, way: places })
        });
        back_test::play(camera, rule, kept)
    });
    let events = played.await.map_err(|join| ApiError::Internal(format!("a rule could not be tried: {join}")))?;
    let mut hours: BTreeMap<i64, usize> = BTreeMap::new();
    for event in &events {
        *hours.entry(event.start_us.div_euclid(HOUR_US) * HOUR_US).or_default() += 1;
    }
    let newest = events.iter().rev().take(EXAMPLES);
    let examples = newest.map(|event| {
        let (vi, en) = words::why(event);
        Example {
            track: event.track.and_then(|track| rows.get(&track.0).copied()),
            class: event.class,
            start_us: event.start_us,
            end_us: event.end_us,
            why: Said { vi, en },
        }
    });
    Ok(Json(BackTest {
        span,
        tracks,
        all_tracks,
        events: events.len(),
        hours: hours.into_iter().map(|(hour_us, n)| Hour { hour_us, n }).collect(),
        examples: examples.collect(),
    }))
}

/// The last week when nothing else is asked for.
fn span(params: &Params, now_us: i64) -> Result<Span, Vec<Refusal>> {
    let mut wrong = Vec::new();
    let end_us = or_note(params.time_us("to"), &mut wrong).unwrap_or(now_us);
    let start_us = or_note(params.time_us("from"), &mut wrong).unwrap_or(end_us.saturating_sub(SPAN_MAX_US));
    if wrong.is_empty() && !(0..=SPAN_MAX_US).contains(&end_us.saturating_sub(start_us)) {
        wrong.push(Refusal::new("from", "khoảng thử phải từ 0 đến 7 ngày", "the span must be 0 to 7 days"));
    }
    if wrong.is_empty() { Ok(Span { start_us, end_us }) } else { Err(wrong) }
}
