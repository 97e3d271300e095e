//! Who asks, whether they may, and how far their right reaches.
//!
//! While there is no account the machine's own user may do everything and nobody else anything. From the first account on
//! everything but the page itself, signing in and `/health` needs a session.

use std::{collections::BTreeSet, net::IpAddr, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{Extensions, HeaderMap, Method, header, request::Parts},
};

use super::{
    error::ApiError,
    params::Params,
    routes::{Action, Route, Scope},
    state::AppState,
};
use crate::{
    domain::{
        account::{Account, Role},
        ids::{CameraId, EventId},
        query::Actor,
        refusal::Refusal,
    },
    logic::rights::{self, Right},
    runtime::secrets,
    store::Session,
};

/// The name of the cookie. On plain HTTP, as on this machine itself, a browser refuses the prefix `__Host-` and `Secure`.
pub(super) const COOKIE: &str = "vonglau_session";
/// The header that proves a change comes from a page of the session: another site's page can send the cookie's request,
/// but cannot read this.
pub(super) const PAGE_TOKEN: &str = "x-vonglau-token";
/// A session ends so long after its person last did something, and so long after it began, microseconds.
pub(super) const IDLE_US: i64 = 15 * 60 * 1_000_000;
pub(super) const ABSOLUTE_US: i64 = 12 * 3_600 * 1_000_000;
/// A clock may be set back by so much without ending a session, microseconds.
const CLOCK_US: i64 = 60 * 1_000_000;
/// That its person is there is not written more often than this.
const SEEN_EVERY_US: i64 = 30 * 1_000_000;
/// How often what goes on for long is asked whether it still may.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The protocol a page names when it opens a WebSocket; beside it stands its token.
pub(super) const SOCKET_PROTOCOL: &str = "vonglau";

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Who {
    /// `None`: the machine's own user while there are no accounts, or somebody who has not signed in yet.
    pub(super) account: Option<Account>,
    /// What the browser holds; never logged.
    pub(super) token: Option<Token>,
    /// When the session ends at the latest, UTC microseconds.
    pub(super) ends_us: Option<i64>,
    /// Why they look, as said last.
    pub(super) purpose: Option<String>,
    /// From where. What a header says of it is not looked at.
    pub(super) address: IpAddr,
}

impl Who {
    /// Names the session without giving it away.
    pub(super) fn session_key(&self) -> String {
        self.token.as_ref().map(|token| secrets::token_hash(&token.0)).unwrap_or_default()
    }
    /// Whether somebody has still to say why.
    pub(super) fn owes_a_reason(&self) -> bool {
        self.account.is_some() && self.purpose.is_none()
    }
}

/// What a browser holds of its session; never shown.
#[derive(Clone)]
pub(super) struct Token(pub(super) String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("•••")
    }
}

/// The cameras a right reaches.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    All,
    Only(Arc<BTreeSet<CameraId>>),
}

impl Reach {
    pub(super) fn has(&self, camera: CameraId) -> bool {
        match self {
            Self::All => true,
            Self::Only(cameras) => cameras.contains(&camera),
        }
    }
    /// What is about that camera, or about none of them.
    pub(super) fn has_any(&self, camera: Option<CameraId>) -> bool {
        camera.is_none_or(|camera| self.has(camera))
    }
}

/// Somebody who may.
pub(super) struct Admitted {
    pub(super) actor: Actor,
    pub(super) reach: Reach,
    pub(super) who: Who,
    /// The role it is done by; `None` without an account.
    pub(super) role: Option<Role>,
    /// What it needed the right for.
    pub(super) action: Action,
    /// The camera it is about, if it is about one.
    pub(super) camera: Option<CameraId>,
}

/// Whether whoever asks may; all of it is decided here.
///
/// # Errors
/// `SignIn` without a session, `Forbidden` without the right, `NotFound` for what is not within reach, as for what is
/// not there.
pub(super) async fn admit(
    state: &AppState,
    row: &Route,
    parts: (&Method, &HeaderMap, &Extensions),
    id: Option<i64>,
    params: &mut Params,
) -> Result<Admitted, ApiError> {
    let (method, headers, extensions) = parts;
    let Some(address) = extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical()) else { return Err(not_here()) };
    let nobody = Who { account: None, token: None, ends_us: None, purpose: None, address };
    if !state.store.has_accounts().await? {
        if !address.is_loopback() {
            return Err(not_here());
        }
        let actor = Actor { name: "local-admin".to_owned() };
        return Ok(Admitted { actor, reach: Reach::All, who: nobody, role: None, action: row.action, camera: None });
    }
    if row.action == Action::Public {
        let actor = Actor { name: "(nobody)".to_owned() };
        return Ok(Admitted {
            actor,
            reach: Reach::Only(Arc::default()),
            who: nobody,
            role: None,
            action: row.action,
            camera: None,
        });
    }
    let Some((token, session)) = session(state, headers).await? else { return Err(ApiError::SignIn) };
    is_from_page(method, headers, &token)?;
    let action = needed(row, params);
    let Some(right) = rights::right(&session.account.grants, action) else { return Err(no_right(action)) };
    let role = right.role;
    let reach = within(state, row, right, id, params).await?;
    if *method != Method::GET && *method != Method::HEAD {
        see(state, &token, session.seen_us).await?;
    }
    let actor = Actor { name: session.account.login.clone() };
    let ends_us = Some(session.made_us + ABSOLUTE_US);
    let purpose = session.purpose;
    let who = Who { account: Some(session.account), token: Some(token), ends_us, purpose, address };
    // After what is not within reach: whether a thing is there is nobody's business but theirs who may see it.
    let asks_why =
        matches!(action, Action::Playback | Action::Export | Action::Follow) || shows_people(row, action, params);
    if asks_why && who.owes_a_reason() {
        return Err(ApiError::Purpose);
    }
    let camera = match (row.scope, id) {
        (Scope::Thing, Some(id)) => camera_of(state, row.resource, id).await?,
        _ => None,
    };
    Ok(Admitted { actor, reach, who, role: Some(role), action, camera })
}

/// What a request needs the right for: a file to take away is an export, a moment past is playback, whatever the row says
/// of what it gives otherwise.
pub(super) fn needed(row: &Route, params: &Params) -> Action {
    match row.action {
        Action::Playback if params.text("download") == Some("1") => Action::Export,
        Action::Live if params.text("at").is_some() => Action::Playback,
        action => action,
    }
}

/// Whether people may be among what passers-by it gives: only who names other classes looks for vehicles alone.
fn shows_people(row: &Route, action: Action, params: &Params) -> bool {
    let vehicles = |classes: &str| !classes.is_empty() && classes.split(',').all(|class| class.trim() != "person");
    action == Action::Search && row.resource == "track" && !params.text("class").is_some_and(vehicles)
}

/// The session that holds.
async fn session(state: &AppState, headers: &HeaderMap) -> Result<Option<(Token, Session)>, ApiError> {
    let Some(token) = cookie(headers) else { return Ok(None) };
    let session = state.store.session(&secrets::token_hash(&token.0)).await?;
    let now_us = state.now().us();
    Ok(session.filter(|session| holds(session, now_us)).map(|session| (token, session)))
}

/// Whether its time has not come. The wall of live pictures may stand unattended: its session can do nothing else. One from
/// a time that is still to come was begun under a wrong clock, and would never end.
fn holds(session: &Session, now_us: i64) -> bool {
    if session.made_us.max(session.seen_us) > now_us + CLOCK_US {
        return false;
    }
    let idle = now_us - session.seen_us >= IDLE_US && !rights::is_wall_only(&session.account.grants);
    !idle && now_us - session.made_us < ABSOLUTE_US
}

/// The token of our cookie. Two of that name are nobody's: one was put there by somebody else.
pub(super) fn cookie(headers: &HeaderMap) -> Option<Token> {
    let mut found = None;
    for pair in headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';')) {
        if let Some((COOKIE, value)) = pair.trim().split_once('=') {
            let fits = value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit());
            if found.is_some() || !fits {
                return None;
            }
            found = Some(Token(value.to_owned()));
        }
    }
    found
}

/// A change carries the token of its session's pages in a header; a WebSocket, for which a page can set none, among the
/// protocols.
fn is_from_page(method: &Method, headers: &HeaderMap, token: &Token) -> Result<(), ApiError> {
    let socket = headers.contains_key(header::UPGRADE);
    if !socket && matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let expected = secrets::page_token(&token.0);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let given = if socket { text("sec-websocket-protocol") } else { text(PAGE_TOKEN) };
    if given.split(',').any(|one| secrets::same(one.trim(), &expected)) {
        return Ok(());
    }
    Err(ApiError::Forbidden(Refusal::new(
        "X-Vonglau-Token",
        "yêu cầu không đến từ trang đang đăng nhập; hãy tải lại trang rồi làm lại",
        "not asked for by a page of this session; load the page again and repeat",
    )))
}

/// The cameras a right reaches, and the thing asked for within them.
async fn within(
    state: &AppState,
    row: &Route,
    right: Right,
    id: Option<i64>,
    params: &mut Params,
) -> Result<Reach, ApiError> {
    let Some(clusters) = right.clusters else { return Ok(Reach::All) };
    let cameras: BTreeSet<CameraId> = state.store.cameras_within(clusters).await?.into_iter().collect();
    match row.scope {
        Scope::Any | Scope::Listed => {}
        Scope::Site => {
            return Err(ApiError::Forbidden(Refusal::new(
                "",
                "việc này cần quyền trên mọi camera; tài khoản này chỉ được giao một số cụm",
                "this needs the right for all cameras; the account has it for some clusters only",
            )));
        }
        Scope::Thing => {
            let id = id.unwrap_or_default();
            let camera = camera_of(state, row.resource, id).await?;
            if !camera.is_some_and(|camera| cameras.contains(&camera)) {
                return Err(ApiError::no(row.resource, id));
            }
        }
        Scope::Filter => {
            let asked = params.ids("camera")?;
            if let Some(foreign) = asked.iter().find(|id| !cameras.contains(&CameraId(**id))) {
                return Err(ApiError::no("camera", *foreign));
            }
            if cameras.is_empty() {
                return Err(ApiError::Forbidden(Refusal::new(
                    "camera",
                    "cụm được giao cho tài khoản này chưa có camera nào",
                    "the clusters of this account have no camera yet",
                )));
            }
            // Whatever stood there: a list of nothing but commas names no camera, and would be read as all of them.
            let named: Vec<i64> =
                if asked.is_empty() { cameras.iter().map(|camera| camera.0).collect() } else { asked };
            params.put_ids("camera", &named);
        }
    }
    Ok(Reach::Only(Arc::new(cameras)))
}

/// The camera a thing belongs to; `None` when there is no such thing.
async fn camera_of(state: &AppState, resource: &str, id: i64) -> Result<Option<CameraId>, ApiError> {
    let store = &state.store;
    Ok(match resource {
        "camera" => store.camera(CameraId(id)).await?.map(|camera| camera.id),
        "event" => store.event(EventId(id)).await?.map(|event| event.camera),
        "track" => store.track(id).await?.map(|track| track.camera),
        "lock" => store.locks().await?.into_iter().find(|lock| lock.id.0 == id).map(|lock| lock.camera),
        // What is not known here is out of everybody's reach but those who reach everything.
        _ => None,
    })
}

/// Writes that somebody is there, now and then.
pub(super) async fn see(state: &AppState, token: &Token, seen_us: i64) -> Result<(), ApiError> {
    let now = state.now();
    if now.us() - seen_us >= SEEN_EVERY_US {
        state.store.session_seen(&secrets::token_hash(&token.0), now).await?;
    }
    Ok(())
}

fn not_here() -> ApiError {
    ApiError::Forbidden(Refusal::new(
        "",
        "chỉ dùng được trên chính máy này vì chưa có tài khoản đăng nhập; hãy mở trang trên máy chạy Vọng Lâu",
        "only this very machine may ask while there are no accounts; open the page on the machine that runs Vọng Lâu",
    ))
}

fn no_right(action: Action) -> ApiError {
    let name = action.name();
    ApiError::Forbidden(Refusal::new(
        "",
        format!("tài khoản này không có quyền làm việc này ({name}); cần thì nhờ người quản trị thêm vai trò"),
        format!("this account has no right to do that ({name}); the administrator can add a role"),
    ))
}

/// What goes on for long (a stream of changes, a live view, a film) and must end when whoever asked no longer may.
#[derive(Debug, Clone)]
pub(super) struct Lasting {
    state: AppState,
    token: Option<Token>,
}

impl Lasting {
    pub(super) fn new(state: &AppState, who: &Who) -> Self {
        Self { state: state.clone(), token: who.token.clone() }
    }
    /// Returns when the session has ended, or, of somebody without one, when accounts have come to be.
    pub(super) async fn ended(self) {
        let hash = self.token.as_ref().map(|token| secrets::token_hash(&token.0));
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let may = match &hash {
                Some(hash) => self
                    .state
                    .store
                    .session(hash)
                    .await
                    .map(|session| session.is_some_and(|session| holds(&session, self.state.now().us()))),
                None => self.state.store.has_accounts().await.map(|any| !any),
            };
            match may {
                Ok(true) => {}
                Ok(false) => return,
                // A database that is busy for a moment ends no live view.
                Err(error) => tracing::warn!(%error, "whether a session still holds cannot be read"),
            }
        }
    }
}

macro_rules! put_there_by_the_gate {
    ($($what:ty),+) => {$(
        /// The gate in front of every row has put it there; a handler outside the table gets nobody.
        impl<S: Sync> FromRequestParts<S> for $what {
            type Rejection = ApiError;
            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
                let there = parts.extensions.get::<Self>().cloned();
                there.ok_or_else(|| ApiError::Internal("a handler outside the table asked who is there".to_owned()))
            }
        }
    )+};
}

put_there_by_the_gate!(Actor, Reach, Who, Lasting);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cookies: &[&str]) -> Option<String> {
        let headers = cookies.iter().map(|c| (header::COOKIE, c.parse().unwrap())).collect();
        cookie(&headers).map(|token| token.0)
    }

    #[test]
    fn one_cookie_of_the_right_shape_is_taken_and_nothing_else() {
        let token = "0123456789abcdef".repeat(4);
        let ours = format!("{COOKIE}={token}");
        assert_eq!(of(&[&ours]).as_deref(), Some(token.as_str()));
        assert_eq!(of(&["theme=dark", &format!("a=b; {ours}; c=d")]).as_deref(), Some(token.as_str()));
        // A neighbour on another port or subdomain can add a second one: "cookie tossing".
        assert_eq!(of(&[&format!("{ours}; {ours}")]), None);
        for bad in ["", "vonglau_session=", "vonglau_session=xyz", &format!("{ours}0"), &ours.to_uppercase()] {
            assert_eq!(of(&[bad]), None, "{bad}");
        }
    }
}
