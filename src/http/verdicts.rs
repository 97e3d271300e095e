//! Officers' words on events, what they make of rules, what went over lines, and incidents.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json_, json};

use super::{
    body::Given,
    cameras,
    error::ApiError,
    events::{self, EventJson, or_note},
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        camera::Camera,
        event::LineCount,
        geometry::NormBox,
        ids::{CameraId, EventId, RuleId},
        query::{Actor, EventCursor},
        refusal::Refusal,
        rule::{RuleDraft, RuleKind},
        time::Span,
        verdict::{Precision, Verdict},
    },
    logic::{
        cursor,
        verdicts::{self, Change, LOOKED_AT},
    },
    runtime::board,
    store::Incident,
};

/// A day, and the longest span of line counts, microseconds.
const DAY_US: i64 = 86_400_000_000;
const COUNTS_MAX_US: i64 = 31 * DAY_US;

/// An officer's word; null takes it back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerdictDraft {
    verdict: Option<String>,
}

pub(super) async fn say(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    Given(draft): Given<VerdictDraft>,
) -> Result<Json<EventJson>, ApiError> {
    let verdict = match draft.verdict.as_deref() {
        None => None,
        Some(word) => Some(Verdict::from_name(word).ok_or_else(|| {
            Refusal::new(
                "verdict",
                format!("không có kết luận «{word}»; có: true, false, duplicate, unsure"),
                format!("there is no verdict “{word}”; there are true, false, duplicate, unsure"),
            )
        })?),
    };
    state.store.set_verdict(&actor, EventId(id), verdict, state.clock.wall()).await?;
    state.board.announce(board::Change::Event(EventId(id)));
    let event = events::find(&state, id).await?;
    let camera = cameras::find(&state, event.camera).await?;
    Ok(Json(EventJson::new(&state, event, &camera).await?))
}

#[derive(Serialize)]
pub(super) struct RuleVerdicts {
    cameras: Vec<Precision>,
    judged: usize,
    right: usize,
    proposals: Vec<ProposalJson>,
}

#[derive(Serialize)]
struct ProposalJson {
    vi: String,
    en: String,
    spares: usize,
    loses: usize,
    change: Json_,
    rule: RuleDraft,
}

pub(super) async fn of_rule(
    _: Actor,
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<RuleVerdicts>, ApiError> {
    let rules = state.store.rules().await?;
    let rule = rules.iter().find(|r| r.id == RuleId(id)).ok_or_else(|| ApiError::no("rule", id))?;
    let code = match rule.camera {
        Some(camera) => Some(cameras::find(&state, camera).await?.code),
        None => None,
    };
    let mut judged = state.store.judged(rule.id, LOOKED_AT).await?;
    // What a change has dealt with does not speak for another one.
    judged.retain(|(event, _)| verdicts::still_tells(rule, event));
    let fitting = verdicts::proposals(&judged).into_iter().filter(|p| p.change.fits(rule.kind()));
    let proposals = fitting.map(|p| {
        let ((vi, en), (spares, loses)) = (words(&p.change), (p.spares, p.loses));
        ProposalJson {
            vi: format!("{vi}: bớt {spares} báo nhầm, mất {loses} cảnh báo đúng trong {} lần gần nhất", judged.len()),
            en: format!("{en}: {spares} false alarms fewer, {loses} true ones lost among the last {}", judged.len()),
            spares,
            loses,
            change: change(&p.change),
            rule: p.change.applied(rule).to_draft(code.clone()),
        }
    });
    Ok(Json(RuleVerdicts {
        cameras: state.store.precision(rule.id).await?,
        judged: judged.len(),
        right: verdicts::right(&judged),
        proposals: proposals.collect(),
    }))
}

fn words(change: &Change) -> (String, String) {
    match change {
        Change::MinScore(least) => {
            let percent = least * 100.0;
            (format!("Chỉ báo khi rõ từ {percent:.0} %"), format!("Only tell from a score of {percent:.0} % on"))
        }
        Change::Quiet(from, to) => {
            (format!("Không theo dõi từ {from} giờ đến {to} giờ"), format!("No watch from {from}:00 to {to}:00"))
        }
        Change::Mask(_) => ("Bỏ qua một góc của hình".to_owned(), "Leave out a part of the picture".to_owned()),
    }
}

fn change(change: &Change) -> Json_ {
    match change {
        Change::MinScore(least) => json!({ "min_score": least }),
        Change::Quiet(from, to) => json!({ "quiet": [format!("{from:02}:00-{to:02}:00")] }),
        Change::Mask(rect) => json!({ "except": [NormBox::corners(*rect)] }),
    }
}

#[derive(Serialize)]
pub(super) struct LineCounts {
    counts: Vec<LineCount>,
}

pub(super) async fn counts(
    _: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
) -> Result<Json<LineCounts>, ApiError> {
    let mut wrong = Vec::new();
    let to = or_note(params.time_us("to"), &mut wrong).unwrap_or_else(|| state.clock.media().us());
    let from = or_note(params.time_us("from"), &mut wrong).unwrap_or(to.saturating_sub(DAY_US));
    if wrong.is_empty() && !(0..=COUNTS_MAX_US).contains(&to.saturating_sub(from)) {
        wrong.push(Refusal::new("from", "khoảng phải từ 0 đến 31 ngày", "the span must be 0 to 31 days"));
    }
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    if !state.store.rules().await?.iter().any(|r| r.id == RuleId(id)) {
        return Err(ApiError::no("rule", id));
    }
    let counts = state.store.line_counts(RuleId(id), Span { start_us: from, end_us: to }).await?;
    Ok(Json(LineCounts { counts }))
}

#[derive(Serialize)]
pub(super) struct IncidentPage {
    incidents: Vec<IncidentJson>,
    next: Option<String>,
}

#[derive(Serialize)]
struct IncidentJson {
    id: i64,
    camera: CameraId,
    camera_code: String,
    camera_name: String,
    start_us: i64,
    end_us: i64,
    cover: EventId,
    events: Vec<EventJson>,
}

pub(super) async fn incidents(
    _: Actor,
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<IncidentPage>, ApiError> {
    let mut wrong = Vec::new();
    let of: Vec<CameraId> = or_note(params.ids("camera"), &mut wrong).into_iter().map(CameraId).collect();
    let limit = or_note(params.int("limit", 1..=50), &mut wrong).unwrap_or(20);
    let after = or_note(params.text("cursor").map(cursor::decode).transpose(), &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    let limit = u32::try_from(limit).unwrap_or(1);
    let mut found = state.store.incidents(&of, after, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more).map(|i| EventCursor { start_us: i.start_us, id: EventId(i.id) });
    let mut page = Vec::with_capacity(found.len());
    for incident in found {
        let camera = cameras::find(&state, incident.camera).await?;
        page.extend(one(&state, incident, &camera).await?);
    }
    Ok(Json(IncidentPage { incidents: page, next: last.map(cursor::encode) }))
}

/// The incident with its cover; `None` when its events have just gone.
async fn one(state: &AppState, incident: Incident, camera: &Camera) -> Result<Option<IncidentJson>, ApiError> {
    // What somebody asked to be told of stands for it rather than that something moved; then the clearest.
    let rank = |kind: RuleKind| u8::from(kind != RuleKind::Motion);
    let best = incident.events.iter().max_by(|a, b| {
        (rank(a.kind), a.score).partial_cmp(&(rank(b.kind), b.score)).unwrap_or(std::cmp::Ordering::Equal)
    });
    let Some(cover) = best.map(|e| e.id) else { return Ok(None) };
    let mut events = Vec::with_capacity(incident.events.len());
    for event in incident.events {
        events.push(EventJson::new(state, event, camera).await?);
    }
    Ok(Some(IncidentJson {
        id: incident.id,
        camera: incident.camera,
        camera_code: camera.code.clone(),
        camera_name: camera.name.clone(),
        start_us: incident.start_us,
        end_us: incident.end_us,
        cover,
        events,
    }))
}
