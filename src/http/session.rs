//! Signing in and out, and one's own password.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    access::{ABSOLUTE_US, COOKIE, Token, Who},
    body::Given,
    error::ApiError,
    state::AppState,
};
use crate::{
    domain::{
        account::{Account, AccountDraft, Action, Grant, LOGIN_CHARS_MAX, Role},
        audit::AuditEntry,
        camera::Secret,
        ids::AccountId,
        query::Actor,
        refusal::Refusal,
    },
    logic::{password, rights},
    runtime::secrets::{self, SecretError},
    store::When,
};

/// What is typed to sign in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    login: String,
    password: Secret,
}

/// One's own password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    old_password: Secret,
    password: Secret,
}

/// The first account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUp {
    token: Secret,
    login: String,
    #[serde(default)]
    name: String,
    password: Secret,
    /// Whether the administrator is of the commune's police too.
    #[serde(default)]
    police: bool,
}

/// Who is signed in.
#[derive(Debug, Serialize)]
pub(super) struct Me {
    /// There are no accounts yet: whoever sits at the machine may do everything.
    open: bool,
    login: String,
    name: String,
    grants: Vec<Grant>,
    actions: Vec<Action>,
    wall_only: bool,
    purpose: Option<String>,
    token: String,
    ends_us: Option<i64>,
}

/// A hand on the page: nothing to say beside it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Here {}

/// Why somebody looks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PurposeDraft {
    purpose: String,
}

/// The longest purpose, in characters.
const PURPOSE_CHARS_MAX: usize = 200;

impl Me {
    fn of(account: Account, token: &Token, ends_us: Option<i64>, purpose: Option<String>) -> Self {
        Self {
            open: false,
            actions: rights::actions(&account.grants),
            wall_only: rights::is_wall_only(&account.grants),
            login: account.login,
            name: account.name,
            grants: account.grants,
            purpose,
            token: secrets::page_token(&token.0),
            ends_us,
        }
    }
    /// The machine's own user.
    fn anybody() -> Self {
        Self {
            open: true,
            login: String::new(),
            name: String::new(),
            grants: Vec::new(),
            actions: Action::ALL.to_vec(),
            wall_only: false,
            purpose: None,
            token: String::new(),
            ends_us: None,
        }
    }
}

impl From<SecretError> for ApiError {
    fn from(error: SecretError) -> Self {
        Self::Internal(error.to_string())
    }
}

pub(super) async fn me(who: Who) -> Json<Me> {
    Json(match (who.account, who.token) {
        (Some(account), Some(token)) => Me::of(account, &token, who.ends_us, who.purpose),
        _ => Me::anybody(),
    })
}

pub(super) async fn sign_in(
    who: Who,
    State(state): State<AppState>,
    Given(given): Given<SignIn>,
) -> Result<Response, ApiError> {
    let wrong = || {
        ApiError::Forbidden(Refusal::new(
            "password",
            "tên đăng nhập hoặc mật khẩu không đúng; hãy gõ lại (kiểm tra bộ gõ tiếng Việt và phím Caps Lock)",
            "the login or the password is wrong; type them again (look at the keyboard's language and Caps Lock)",
        ))
    };
    let (login, typed) = (given.login.trim().to_owned(), given.password);
    // What cannot be a login or a password costs neither a hash nor a row.
    if login.chars().count() > LOGIN_CHARS_MAX || login.is_empty() || typed.expose().len() > password::BYTES_MAX {
        return Err(wrong());
    }
    let address = who.address.to_string();
    let wait_us = state.store.try_sign_in(&login, &address, state.now()).await?;
    if wait_us > 0 {
        return Err(ApiError::TooMany(wait_us.div_euclid(1_000_000) + 1));
    }
    let known = state.store.password_of(&login).await?;
    let hash = known.as_ref().map(|(_, hash)| hash.clone());
    let fits = secrets::verify(Secret::new(password::normal(typed.expose())), hash).await?;
    let Some((id, _)) = known.filter(|_| fits) else {
        tracing::warn!(login, %address, "signing in failed");
        tell(&state, &login, "sign_in_failed", "POST /api/v1/session", &address).await?;
        return Err(wrong());
    };
    state.store.sign_in_succeeded(&login, &address).await?;
    tracing::info!(login, %address, "signed in");
    tell(&state, &login, "sign_in", "POST /api/v1/session", &address).await?;
    begin(&state, id, &address).await
}

/// A new session, whatever the browser held before.
async fn begin(state: &AppState, id: AccountId, address: &str) -> Result<Response, ApiError> {
    let token = Token(secrets::token()?);
    let now = state.now();
    state.store.begin_session(&secrets::token_hash(&token.0), id, address, now).await?;
    let account = state.store.account(id).await?.ok_or_else(|| ApiError::no("account", id.0))?;
    let cookie =
        format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", token.0, ABSOLUTE_US / 1_000_000);
    Ok((set_cookie(&cookie)?, Json(Me::of(account, &token, Some(now.us() + ABSOLUTE_US), None))).into_response())
}

fn set_cookie(cookie: &str) -> Result<[(header::HeaderName, HeaderValue); 1], ApiError> {
    let value = HeaderValue::from_str(cookie).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok([(header::SET_COOKIE, value)])
}

pub(super) async fn sign_out(who: Who, State(state): State<AppState>) -> Result<Response, ApiError> {
    if let (Some(token), Some(account)) = (&who.token, &who.account) {
        let address = who.address.to_string();
        tell(&state, &account.login, "sign_out", "DELETE /api/v1/session", &address).await?;
        state.store.end_session(&secrets::token_hash(&token.0)).await?;
    }
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, set_cookie(&gone)?).into_response())
}

/// What is shown from now on is shown for this.
pub(super) async fn set_purpose(
    who: Who,
    State(state): State<AppState>,
    Given(given): Given<PurposeDraft>,
) -> Result<StatusCode, ApiError> {
    let purpose = given.purpose.trim();
    let count = purpose.chars().count();
    if !(3..=PURPOSE_CHARS_MAX).contains(&count) || purpose.chars().any(char::is_control) {
        return Err(Refusal::new(
            "purpose",
            format!("mục đích cần từ 3 đến {PURPOSE_CHARS_MAX} ký tự"),
            format!("a purpose has 3 to {PURPOSE_CHARS_MAX} characters"),
        )
        .into());
    }
    if let Some(token) = &who.token {
        state.store.set_purpose(&secrets::token_hash(&token.0), purpose).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A line about signing in or out, which no row of the table writes.
async fn tell(state: &AppState, login: &str, action: &str, what: &str, address: &str) -> Result<(), ApiError> {
    let entry = AuditEntry {
        who: login.to_owned(),
        role: None,
        action: action.to_owned(),
        what: what.to_owned(),
        camera: None,
        start_us: None,
        end_us: None,
        reason: None,
        address: address.to_owned(),
    };
    state.store.audit(entry, state.now()).await?;
    Ok(())
}

/// That it is a change has been seen by the gate already, and that its person is there is written.
pub(super) async fn seen(_: Who, _: Given<Here>) -> StatusCode {
    StatusCode::NO_CONTENT
}

pub(super) async fn change_password(
    actor: Actor,
    who: Who,
    State(state): State<AppState>,
    Given(given): Given<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let (Some(account), Some(token)) = (&who.account, &who.token) else { return Err(no_accounts()) };
    // Whoever finds a signed-in page must not be able to guess the old password here.
    let address = who.address.to_string();
    let wait_us = state.store.try_sign_in(&account.login, &address, state.now()).await?;
    if wait_us > 0 {
        return Err(ApiError::TooMany(wait_us.div_euclid(1_000_000) + 1));
    }
    let hash = state.store.password_of(&account.login).await?.map(|(_, hash)| hash);
    let old = password::normal(given.old_password.expose());
    if old.len() > 3 * password::BYTES_MAX || !secrets::verify(Secret::new(old), hash).await? {
        return Err(
            Refusal::new("old_password", "mật khẩu hiện tại không đúng", "that is not the present password").into()
        );
    }
    state.store.sign_in_succeeded(&account.login, &address).await?;
    let hash = hashed(&given.password, &account.login).await?;
    let kept = secrets::token_hash(&token.0);
    state.store.set_password(&actor, account.id, &hash, Some(&kept), state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The hash of a new password that will do.
pub(super) async fn hashed(typed: &Secret, login: &str) -> Result<String, ApiError> {
    password::check(typed.expose(), login)?;
    Ok(secrets::hash(Secret::new(password::normal(typed.expose()))).await?)
}

fn no_accounts() -> ApiError {
    ApiError::Clash(vec![Refusal::new(
        "account",
        "chưa có tài khoản nào; hãy tạo tài khoản đầu tiên bằng liên kết thiết lập in trên màn hình máy chủ",
        "there are no accounts yet; make the first one by the set-up link printed on the console",
    )])
}

pub(super) async fn set_up(
    who: Who,
    State(state): State<AppState>,
    Given(given): Given<SetUp>,
) -> Result<Response, ApiError> {
    let fits =
        state.setup.as_deref().is_some_and(|hash| secrets::same(hash, &secrets::token_hash(given.token.expose())));
    if !fits {
        return Err(ApiError::Forbidden(Refusal::new(
            "token",
            "liên kết thiết lập không đúng hoặc đã cũ; mỗi lần khởi động máy chủ in một liên kết mới, hãy dùng liên kết mới nhất",
            "the set-up link is wrong or old; each start prints a new one, use the newest",
        )));
    }
    let roles = [Some(Role::Admin), given.police.then_some(Role::Police)];
    let grants = roles.into_iter().flatten().map(|role| Grant { role, cluster: None }).collect();
    let draft = AccountDraft { login: given.login, name: given.name, grants, ..AccountDraft::default() };
    let account = draft.checked()?;
    let hash = hashed(&given.password, &account.login).await?;
    let actor = Actor { name: "setup".to_owned() };
    let (store, now) = (state.store.clone(), state.now());
    let made = async move { store.add_account(&actor, &account, &hash, When::First, now).await };
    let id = state.change(made).await?;
    begin(&state, id, &who.address.to_string()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_to_sign_in_is_ever_printed() {
        let given: SignIn = serde_json::from_str(r#"{"login":"an","password":"chim hoàng yến"}"#).unwrap();
        assert!(!format!("{given:?}").contains("chim"));
        assert_eq!(format!("{:?}", Token("0f".repeat(32))), "•••");
    }
}
