//! Rules: what an officer wants to be told about.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::Serialize;

use super::{
    access::Reach,
    body::{Given, created},
    cameras,
    error::ApiError,
    params::Id,
    state::AppState,
};
use crate::domain::{
    camera::Camera,
    ids::RuleId,
    query::Actor,
    refusal::Refusal,
    rule::{Rule, RuleDraft, What},
};
use crate::runtime::board::ExtraModel;

#[derive(Serialize)]
pub(super) struct RuleList {
    rules: Vec<RuleJson>,
}

#[derive(Serialize)]
pub(super) struct RuleJson {
    id: RuleId,
    version: i64,
    #[serde(flatten)]
    draft: RuleDraft,
}

impl RuleJson {
    async fn new(state: &AppState, rule: &Rule, cameras: &[Camera]) -> Result<Self, ApiError> {
        let code = match rule.camera {
            None => None,
            Some(id) => match cameras.iter().find(|c| c.id == id) {
                Some(camera) => Some(camera.code.clone()),
                None => Some(cameras::find(state, id).await?.code),
            },
        };
        Ok(Self { id: rule.id, version: rule.version, draft: rule.to_draft(code) })
    }
}

pub(super) async fn list(reach: Reach, State(state): State<AppState>) -> Result<Json<RuleList>, ApiError> {
    let cameras = state.store.cameras().await?;
    let mut rules = Vec::new();
    for rule in state.store.rules().await?.into_iter().filter(|rule| reach.has_any(rule.camera)) {
        rules.push(RuleJson::new(&state, &rule, &cameras).await?);
    }
    Ok(Json(RuleList { rules }))
}

pub(super) async fn add(
    actor: Actor,
    State(state): State<AppState>,
    Given(draft): Given<RuleDraft>,
) -> Result<Response, ApiError> {
    let cameras = state.store.cameras().await?;
    let mut rule = checked(&draft, &cameras)?;
    can_be_asked(&rule, &state.board.extra_models.borrow())?;
    let (store, now, new) = (state.store.clone(), state.clock.wall(), rule.clone());
    rule.id = state.change(async move { store.add_rule(&actor, &new, now).await }).await?;
    Ok(created("/api/v1/rules", rule.id, RuleJson::new(&state, &rule, &cameras).await?))
}

pub(super) async fn change(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    Given(draft): Given<RuleDraft>,
) -> Result<Json<RuleJson>, ApiError> {
    let cameras = state.store.cameras().await?;
    let mut rule = checked(&draft, &cameras)?;
    can_be_asked(&rule, &state.board.extra_models.borrow())?;
    rule.id = RuleId(id);
    let (store, now, new) = (state.store.clone(), state.clock.wall(), rule.clone());
    rule.version = state.change(async move { store.update_rule(&actor, new.id, &new, now).await }).await?;
    Ok(Json(RuleJson::new(&state, &rule, &cameras).await?))
}

pub(super) async fn remove(actor: Actor, State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    let (store, now) = (state.store.clone(), state.clock.wall());
    state.change(async move { store.remove_rule(&actor, RuleId(id), now).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
pub(super) struct ExtraModels {
    models: Vec<ExtraModel>,
}

/// What rules of the kind `attribute` can ask.
pub(super) async fn extra_models(_: Actor, State(state): State<AppState>) -> Json<ExtraModels> {
    let models = state.board.extra_models.borrow().clone();
    Json(ExtraModels { models })
}

/// Whether the extra model that a rule asks is there and says such a thing.
fn can_be_asked(rule: &Rule, models: &[ExtraModel]) -> Result<(), Vec<Refusal>> {
    let What::Attribute { model, label, .. } = &rule.what else { return Ok(()) };
    let there = models.iter().filter(|m| m.why.is_none());
    let Some(extra) = there.clone().find(|m| m.file == *model) else {
        let names: Vec<_> = there.map(|m| m.file.as_str()).collect();
        let (vi, en) =
            if names.is_empty() { ("chưa có".into(), "none".into()) } else { (names.join(", "), names.join(", ")) };
        return Err(vec![Refusal::new(
            "model",
            format!("không có mô hình phụ «{model}» (có: {vi}); cài bằng vonglau model add rồi khởi động lại dịch vụ"),
            format!(
                "there is no extra model “{model}” (there are: {en}); install it by vonglau model add and restart the service"
            ),
        )]);
    };
    if !extra.labels.contains(label) {
        let labels = extra.labels.join(", ");
        return Err(vec![Refusal::new(
            "label",
            format!("mô hình phụ «{model}» không có nhãn «{label}»; có: {labels}"),
            format!("the extra model “{model}” has no label “{label}”; there are: {labels}"),
        )]);
    }
    if extra.classes.iter().any(|class| rule.wants(*class)) {
        return Ok(());
    }
    let classes: Vec<_> = extra.classes.iter().map(|c| c.name()).collect();
    let classes = classes.join(", ");
    Err(vec![Refusal::new(
        "classes",
        format!("mô hình phụ «{model}» chỉ xem: {classes}"),
        format!("the extra model “{model}” looks only at: {classes}"),
    )])
}

/// A usable rule; the camera's code is looked up here, where the codes are known.
pub(super) fn checked(draft: &RuleDraft, cameras: &[Camera]) -> Result<Rule, Vec<Refusal>> {
    let code = draft.camera.as_deref().map(str::trim).filter(|code| !code.is_empty());
    let camera = code.map(|code| cameras.iter().find(|c| c.code.eq_ignore_ascii_case(code)).map(|c| c.id).ok_or(code));
    let unknown = match camera {
        Some(Err(code)) => Some(Refusal::new(
            "camera",
            format!("không có camera mã «{code}»; hãy chọn trong danh sách camera"),
            format!("there is no camera with the code “{code}”; take one of the list of cameras"),
        )),
        _ => None,
    };
    match (draft.checked(), unknown) {
        (Ok(rule), None) => Ok(Rule { camera: camera.and_then(Result::ok), ..rule }),
        (Ok(_), Some(unknown)) => Err(vec![unknown]),
        (Err(wrong), unknown) => Err(wrong.into_iter().chain(unknown).collect()),
    }
}
