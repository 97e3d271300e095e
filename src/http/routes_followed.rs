//! Where did it go next? Routes from camera to camera, and what a person says of the sightings.
//!
//! A person is followed only inside a named case and with a reason, and each look at such a route is written to the log.

use std::collections::BTreeSet;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};

use super::{
    body::{Given, created},
    cameras,
    error::ApiError,
    params::Id,
    state::AppState,
    tracks::TrackJson,
};
use crate::{
    domain::{
        detection::Class,
        follow::{Route, RouteDraft, RouteStep, Sighting, StepDraft},
        query::Actor,
        refusal::Refusal,
    },
    logic::follow::Candidate,
    search::follow,
};

/// Sightings suggested at a time.
const SUGGESTIONS: usize = 10;
/// The most characters of a case's number and of a reason.
const CASE_CHARS_MAX: usize = 60;
const REASON_CHARS_MAX: usize = 500;

#[derive(Serialize)]
pub(super) struct RouteList {
    routes: Vec<RouteHead>,
}

#[derive(Serialize)]
pub(super) struct RouteHead {
    id: i64,
    class: Class,
    case_number: Option<String>,
    reason: Option<String>,
    actor: String,
    made_us: i64,
}

#[derive(Serialize)]
pub(super) struct RouteJson {
    #[serde(flatten)]
    head: RouteHead,
    steps: Vec<StepJson>,
    suggestions: Vec<SuggestionJson>,
}

#[derive(Serialize)]
struct StepJson {
    track: TrackJson,
    accepted: bool,
    took_s: Option<u32>,
}

#[derive(Serialize)]
struct SuggestionJson {
    track: TrackJson,
    score: f64,
    took_s: f64,
    usual_s: f64,
    /// How alike the colours are, 0 to 1; `None` when not known.
    colours: Option<f64>,
    class: f64,
    exit: Option<bool>,
}

/// What a page begins a route with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginDraft {
    track: i64,
    #[serde(default)]
    case_number: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// What a person says of a sighting.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SayDraft {
    track: i64,
    verdict: Verdict,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Accepted,
    Rejected,
    /// Takes back what was said.
    None,
}

impl From<Route> for RouteHead {
    fn from(route: Route) -> Self {
        let Route { id, class, case_number, reason, actor, made_us } = route;
        Self { id, class, case_number, reason, actor, made_us }
    }
}

async fn find(state: &AppState, id: i64) -> Result<Route, ApiError> {
    state.store.route(id).await?.ok_or_else(|| ApiError::no("route", id))
}

pub(super) async fn list(_: Actor, State(state): State<AppState>) -> Result<Json<RouteList>, ApiError> {
    let routes = state.store.routes().await?;
    Ok(Json(RouteList { routes: routes.into_iter().map(RouteHead::from).collect() }))
}

pub(super) async fn begin(
    actor: Actor,
    State(state): State<AppState>,
    Given(draft): Given<BeginDraft>,
) -> Result<Response, ApiError> {
    let sighting = state.store.sighting(draft.track).await?.ok_or_else(|| ApiError::no("track", draft.track))?;
    let draft = draft.checked(sighting.class)?;
    let now = state.now();
    let id = state.store.begin_route(&actor, &draft, now).await?;
    let route = find(&state, id).await?;
    Ok(created("/api/v1/routes", id, shown(&state, &actor, route).await?))
}

pub(super) async fn one(actor: Actor, State(state): State<AppState>, Id(id): Id) -> Result<Json<RouteJson>, ApiError> {
    let route = find(&state, id).await?;
    Ok(Json(shown(&state, &actor, route).await?))
}

pub(super) async fn remove(_: Actor, State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    find(&state, id).await?;
    state.store.remove_route(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn say(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    Given(draft): Given<SayDraft>,
) -> Result<Json<RouteJson>, ApiError> {
    let route = find(&state, id).await?;
    let sighting = state.store.sighting(draft.track).await?.ok_or_else(|| ApiError::no("track", draft.track))?;
    let step = |accepted| StepDraft { track: draft.track, accepted };
    let (step, steps) = match draft.verdict {
        Verdict::Accepted => (Some(step(true)), state.store.route_steps(id).await?),
        Verdict::Rejected => (Some(step(false)), Vec::new()),
        Verdict::None => (None, Vec::new()),
    };
    match step {
        Some(step) => {
            let before = before(&steps, &sighting);
            state.store.take_step(&actor, id, step, before, state.now()).await?;
        }
        None => state.store.untake_step(id, draft.track).await?,
    }
    Ok(Json(shown(&state, &actor, route).await?))
}

/// The accepted sighting that came just before.
fn before<'a>(steps: &'a [RouteStep], sighting: &Sighting) -> Option<&'a Sighting> {
    let earlier = |step: &&RouteStep| {
        step.accepted && step.sighting.track != sighting.track && step.sighting.span.start_us <= sighting.span.start_us
    };
    steps.iter().rev().find(earlier).map(|step| &step.sighting)
}

/// A route with its steps, and the sightings that may come after its last one.
async fn shown(state: &AppState, actor: &Actor, route: Route) -> Result<RouteJson, ApiError> {
    if route.class == Class::Person {
        tracing::info!(
            actor = %actor.name,
            route = route.id,
            case = route.case_number.as_deref().unwrap_or_default(),
            reason = route.reason.as_deref().unwrap_or_default(),
            "the route of a person is looked at"
        );
    }
    let steps = state.store.route_steps(route.id).await?;
    let said: BTreeSet<i64> = steps.iter().map(|step| step.sighting.track).collect();
    let last = steps.iter().rev().find(|step| step.accepted).map(|step| &step.sighting);
    let candidates = match last {
        Some(last) => follow::candidates(&state.store, last, &said, SUGGESTIONS).await?,
        None => Vec::new(),
    };
    let mut shown = RouteJson { head: route.into(), steps: Vec::new(), suggestions: Vec::new() };
    for RouteStep { sighting, accepted, took_s } in steps {
        if let Some(track) = track(state, sighting.track).await? {
            shown.steps.push(StepJson { track, accepted, took_s });
        }
    }
    for Candidate { sighting, score, why } in candidates {
        if let Some(track) = track(state, sighting.track).await? {
            let (took_s, usual_s, colours, class, exit) = (why.took_s, why.usual_s, why.colours, why.class, why.exit);
            shown.suggestions.push(SuggestionJson { track, score, took_s, usual_s, colours, class, exit });
        }
    }
    Ok(shown)
}

/// A track as shown; `None` when it is gone meanwhile.
async fn track(state: &AppState, id: i64) -> Result<Option<TrackJson>, ApiError> {
    let Some(track) = state.store.track(id).await? else { return Ok(None) };
    let camera = cameras::find(state, track.camera).await?;
    Ok(Some(TrackJson::new(state, track, &camera).await))
}

impl BeginDraft {
    fn checked(self, class: Class) -> Result<RouteDraft, Vec<Refusal>> {
        let text = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
        let (case_number, reason) = (text(self.case_number), text(self.reason));
        let mut wrong = Vec::new();
        let texts = [("case_number", &case_number, CASE_CHARS_MAX), ("reason", &reason, REASON_CHARS_MAX)];
        for (name, text, most) in texts {
            match text {
                None if class == Class::Person => wrong.push(Refusal::new(
                    name,
                    "theo dõi hành trình của người chỉ trong một vụ việc, có số và lý do; hãy ghi đủ cả hai",
                    "a person is followed only in a case, with its number and a reason; give both",
                )),
                Some(text) if text.chars().count() > most => {
                    wrong.push(Refusal::new(
                        name,
                        format!("quá dài; tối đa {most} ký tự"),
                        format!("too long; at most {most} characters"),
                    ));
                }
                _ => {}
            }
        }
        if wrong.is_empty() { Ok(RouteDraft { track: self.track, class, case_number, reason }) } else { Err(wrong) }
    }
}
