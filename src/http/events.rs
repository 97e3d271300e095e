//! The list of events and one event.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;

use super::{
    cameras,
    error::ApiError,
    media,
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        camera::Camera,
        detection::Class,
        event::{Event, PathPoint},
        geometry::NormBox,
        ids::{CameraId, EventId, RuleId, TrackId},
        query::{Actor, EventCursor, EventQuery},
        refusal::Refusal,
        rule::{RuleKind, Severity},
        time::Span,
        verdict::Verdict,
    },
    logic::{cursor, rules::words},
};

/// The most events of one page.
pub(super) const PAGE_MAX: i64 = 200;
const PAGE_DEFAULT: i64 = 50;
/// How far the index may be behind the camera at most, microseconds: fragments of a second, flushed every second.
const INDEX_BEHIND_US: i64 = 4_000_000;
/// What a clip shows before and after its event, microseconds.
const CLIP_MARGIN_US: i64 = 5_000_000;

#[derive(Serialize)]
pub(super) struct EventPage {
    events: Vec<EventJson>,
    next: Option<String>,
}

/// A sentence in both languages.
#[derive(Serialize)]
pub(super) struct Said {
    pub(super) vi: String,
    pub(super) en: String,
}

#[derive(Serialize)]
pub(super) struct EventJson {
    id: EventId,
    camera: CameraId,
    camera_code: String,
    camera_name: String,
    rule: RuleId,
    rule_version: i64,
    rule_name: String,
    kind: RuleKind,
    class: Option<Class>,
    track: Option<TrackId>,
    start_us: i64,
    end_us: i64,
    open: bool,
    revision: i64,
    score: f32,
    #[serde(rename = "box")]
    rect: NormBox,
    path: Vec<PathPoint>,
    model_sha256: Option<String>,
    numbers: BTreeMap<String, f64>,
    incident_id: Option<i64>,
    verdict: Option<Verdict>,
    verdict_us: Option<i64>,
    verdict_by: Option<String>,
    severity: Severity,
    track_id: Option<i64>,
    why: Said,
    caution: Option<Said>,
    has_snapshot: bool,
    clip: Span,
}

impl EventJson {
    pub(super) async fn new(state: &AppState, event: Event, camera: &Camera) -> Result<Self, ApiError> {
        let review = state.store.reviews(&[event.id]).await?.remove(&event.id).unwrap_or_default();
        let said = |(vi, en): (String, String)| Said { vi, en };
        let caution = words::caution(event.kind).map(|(vi, en)| said((vi.to_owned(), en.to_owned())));
        Ok(Self {
            why: said(words::why(&event)),
            caution,
            has_snapshot: media::has_snapshot(state, &event).await,
            clip: recorded(clip_span(&event), state.clock.media().us()),
            id: event.id,
            camera: event.camera,
            camera_code: camera.code.clone(),
            camera_name: camera.name.clone(),
            rule: event.rule,
            rule_version: event.rule_version,
            rule_name: event.rule_name,
            kind: event.kind,
            class: event.class,
            track: event.track,
            start_us: event.start_us,
            end_us: event.end_us,
            open: event.open,
            revision: event.revision,
            score: event.score,
            rect: event.rect,
            path: event.path,
            model_sha256: event.model_sha256,
            numbers: event.numbers,
            incident_id: review.incident,
            verdict: review.verdict,
            verdict_us: review.verdict_us,
            verdict_by: review.verdict_by,
            severity: review.severity,
            track_id: review.track,
        })
    }
}

/// What the clip of an event covers: a little before it and a little after.
pub(super) fn clip_span(event: &Event) -> Span {
    Span {
        start_us: event.start_us.saturating_sub(CLIP_MARGIN_US),
        end_us: event.end_us.max(event.start_us).saturating_add(CLIP_MARGIN_US),
    }
}

/// The part of a clip that is recorded and indexed by now; it grows while its event is young.
fn recorded(clip: Span, now_us: i64) -> Span {
    Span { end_us: clip.end_us.min(now_us - INDEX_BEHIND_US).max(clip.start_us), ..clip }
}

/// An event or the 404 that says there is none.
pub(super) async fn find(state: &AppState, id: i64) -> Result<Event, ApiError> {
    state.store.event(EventId(id)).await?.ok_or_else(|| ApiError::no("event", id))
}

pub(super) async fn list(_: Actor, State(state): State<AppState>, params: Params) -> Result<Json<EventPage>, ApiError> {
    let (query, after, limit) = read(&params)?;
    // One more than asked tells whether there is a next page.
    let mut events = state.store.events(&query, after, limit + 1).await?;
    let more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let last = events.last().filter(|_| more).map(|e| EventCursor { start_us: e.start_us, id: e.id });
    let mut cameras: Vec<Camera> = Vec::new();
    let mut page = Vec::with_capacity(events.len());
    for event in events {
        let known = cameras.iter().position(|camera| camera.id == event.camera);
        let at = match known {
            Some(at) => at,
            None => {
                cameras.push(cameras::find(&state, event.camera).await?);
                cameras.len() - 1
            }
        };
        page.push(EventJson::new(&state, event, &cameras[at]).await?);
    }
    Ok(Json(EventPage { events: page, next: last.map(cursor::encode) }))
}

pub(super) async fn one(_: Actor, State(state): State<AppState>, Id(id): Id) -> Result<Json<EventJson>, ApiError> {
    let event = find(&state, id).await?;
    let camera = cameras::find(&state, event.camera).await?;
    Ok(Json(EventJson::new(&state, event, &camera).await?))
}

/// The filters, the place to go on from and the size of the page; all mistakes at once.
fn read(params: &Params) -> Result<(EventQuery, Option<EventCursor>, u32), Vec<Refusal>> {
    let mut wrong = Vec::new();
    let classes = Class::ALL.map(Class::name).join(", ");
    let query = EventQuery {
        cameras: or_note(params.ids("camera"), &mut wrong).into_iter().map(CameraId).collect(),
        kind: or_note(params.one_of("kind", RuleKind::from_name, RuleKind::NAMES), &mut wrong),
        class: or_note(params.one_of("class", Class::from_label, &classes), &mut wrong),
        from_us: or_note(params.time_us("from"), &mut wrong),
        to_us: or_note(params.time_us("to"), &mut wrong),
    };
    if matches!((query.from_us, query.to_us), (Some(from), Some(to)) if to < from) {
        wrong.push(Refusal::new("to", "phải sau thời điểm «từ»", "must not be before “from”"));
    }
    let limit = or_note(params.int("limit", 1..=PAGE_MAX), &mut wrong).unwrap_or(PAGE_DEFAULT);
    let after = or_note(params.text("cursor").map(cursor::decode).transpose(), &mut wrong);
    if wrong.is_empty() { Ok((query, after, u32::try_from(limit).unwrap_or(1))) } else { Err(wrong) }
}

pub(super) fn or_note<T: Default>(value: Result<T, Refusal>, wrong: &mut Vec<Refusal>) -> T {
    value.unwrap_or_else(|refusal| {
        wrong.push(refusal);
        T::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_ends_where_the_recording_of_a_young_event_ends() {
        const S: i64 = 1_000_000;
        let whole = Span { start_us: 95 * S, end_us: 115 * S };
        for (now_s, end_s) in [(200, 115), (119, 115), (110, 106), (99, 95), (50, 95)] {
            assert_eq!(recorded(whole, now_s * S), Span { end_us: end_s * S, ..whole });
        }
    }
}
