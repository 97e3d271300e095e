//! The log of who looked at what: writing it before anything is shown, and reading it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, extract::State, http::Uri};
use serde::Serialize;

use super::{
    access::Admitted,
    error::ApiError,
    events::or_note,
    params::Params,
    routes::{Action, Method, Route},
    state::AppState,
};
use crate::{
    domain::{
        audit::{AuditEntry, AuditLine, AuditQuery},
        query::Actor,
        refusal::Refusal,
    },
    runtime::secrets,
};

/// The most lines of one page.
const PAGE_MAX: i64 = 500;
/// A picture that is shown anew, a film that is read piece by piece: one line for so long, microseconds.
const ONE_LOOK_US: i64 = 10 * 60 * 1_000_000;
/// The most looks that are remembered; beyond, each is a line of its own again.
const LOOKS_MAX: usize = 10_000;
/// The longest address of which the log can tell, bytes: what does not fit is not shown.
const WHAT_BYTES_MAX: usize = 4096;

/// Looks that have their line already, and when they got it.
#[derive(Debug, Clone, Default)]
pub struct Looks(Arc<Mutex<HashMap<String, i64>>>);

impl Looks {
    /// Whether that look has its line. What is told here is forgotten with the process: a line too many is no harm.
    fn has(&self, look: &str, now_us: i64) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(look).is_some_and(|at| (0..ONE_LOOK_US).contains(&(now_us - at)))
    }
    fn put(&self, look: String, now_us: i64) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS_MAX {
            looks.retain(|_, at| (0..ONE_LOOK_US).contains(&(now_us - *at)));
        }
        if looks.len() < LOOKS_MAX {
            looks.insert(look, now_us);
        }
    }
}

/// Whether the log tells of it. Names, states and figures are no pictures of people.
const fn is_told(action: Action) -> bool {
    !matches!(action, Action::Public | Action::Signed | Action::State | Action::Uptime)
}

/// Writes the line of what is about to be done.
///
/// # Errors
/// When it cannot be written; then it must not be done.
pub(super) async fn tell(
    state: &AppState,
    row: &Route,
    uri: &Uri,
    params: &Params,
    admitted: &Admitted,
) -> Result<(), ApiError> {
    if !is_told(admitted.action) {
        return Ok(());
    }
    let now = state.now();
    let what = format!("{} {}", row.method.name(), asked(uri));
    if what.len() > WHAT_BYTES_MAX {
        return Err(ApiError::Wrong(vec![Refusal::new(
            "",
            format!("địa chỉ yêu cầu dài quá {WHAT_BYTES_MAX} byte nên không ghi đủ vào nhật ký; hãy rút gọn câu tìm"),
            format!(
                "the address asked for is longer than {WHAT_BYTES_MAX} bytes, more than the log keeps; ask shorter"
            ),
        )]));
    }
    let look = row.method == Method::Get;
    let Admitted { actor, who, action, camera, .. } = admitted;
    let key = format!("{}\n{}\n{:?}\n{action:?} {camera:?}\n{what}", actor.name, who.session_key(), who.purpose);
    let key = secrets::token_hash(&key);
    if look && state.looks.has(&key, now.us()) {
        return Ok(());
    }
    let time = |name: &str| params.time_us(name).ok().flatten();
    let entry = AuditEntry {
        who: admitted.actor.name.clone(),
        role: admitted.role.map(|role| role.name().to_owned()),
        action: admitted.action.name().to_owned(),
        what,
        camera: admitted.camera.map(|camera| camera.0),
        start_us: time("from").or_else(|| time("at")),
        end_us: time("to"),
        reason: admitted.who.purpose.clone(),
        address: admitted.who.address.to_string(),
    };
    state.store.audit(entry, now).await?;
    if look {
        state.looks.put(key, now.us());
    }
    Ok(())
}

/// The address without what only makes a picture's address a new one.
fn asked(uri: &Uri) -> String {
    let query = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("t=") && !part.starts_with("r="));
    let query = query.collect::<Vec<_>>().join("&");
    if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) }
}

#[derive(Serialize)]
pub(super) struct AuditPage {
    lines: Vec<LineJson>,
    /// Goes on from here.
    next: Option<i64>,
}

#[derive(Serialize)]
struct LineJson {
    id: i64,
    time_us: i64,
    who: String,
    role: Option<String>,
    action: String,
    what: String,
    camera: Option<i64>,
    start_us: Option<i64>,
    end_us: Option<i64>,
    reason: Option<String>,
    address: String,
}

impl From<AuditLine> for LineJson {
    fn from(line: AuditLine) -> Self {
        let AuditLine { id, time_us, who, role, action, what, camera, start_us, end_us, reason, address, .. } = line;
        Self { id, time_us, who, role, action, what, camera, start_us, end_us, reason, address }
    }
}

pub(super) async fn list(_: Actor, State(state): State<AppState>, params: Params) -> Result<Json<AuditPage>, ApiError> {
    let mut wrong = Vec::new();
    let limit = or_note(params.int("limit", 1..=PAGE_MAX), &mut wrong).unwrap_or(100);
    let query = AuditQuery {
        who: params.text("who").map(str::to_owned),
        action: params.text("action").map(str::to_owned),
        camera: or_note(params.int("camera", 1..=i64::MAX), &mut wrong),
        from_us: or_note(params.time_us("from"), &mut wrong),
        to_us: or_note(params.time_us("to"), &mut wrong),
        before: or_note(params.int("before", 1..=i64::MAX), &mut wrong),
    };
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    let limit = u32::try_from(limit).unwrap_or(1);
    let mut lines = state.store.audit_lines(&query, limit + 1).await?;
    let more = lines.len() > limit as usize;
    lines.truncate(limit as usize);
    let next = lines.last().filter(|_| more).map(|line| line.id);
    Ok(Json(AuditPage { lines: lines.into_iter().map(LineJson::from).collect(), next }))
}
