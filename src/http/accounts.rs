//! Accounts: who may use the site, and what they are.

use axum::{Json, extract::State, response::Response};
use serde::Serialize;

use super::{
    body::{Given, created},
    error::ApiError,
    params::Id,
    session,
    state::AppState,
};
use crate::{
    domain::{
        account::{Account, AccountDraft, Grant},
        ids::AccountId,
        query::Actor,
        refusal::Refusal,
    },
    store::When,
};

#[derive(Serialize)]
pub(super) struct AccountList {
    accounts: Vec<AccountJson>,
}

/// An account as shown. It has no field for a password on purpose.
#[derive(Serialize)]
struct AccountJson {
    id: AccountId,
    login: String,
    name: String,
    grants: Vec<Grant>,
    made_us: i64,
    disabled_us: Option<i64>,
    signed_in_us: Option<i64>,
}

impl From<Account> for AccountJson {
    fn from(account: Account) -> Self {
        let Account { id, login, name, grants, made_us, disabled_us, signed_in_us } = account;
        Self { id, login, name, grants, made_us, disabled_us, signed_in_us }
    }
}

async fn find(state: &AppState, id: AccountId) -> Result<AccountJson, ApiError> {
    let account = state.store.account(id).await?.ok_or_else(|| ApiError::no("account", id.0))?;
    Ok(account.into())
}

pub(super) async fn list(_: Actor, State(state): State<AppState>) -> Result<Json<AccountList>, ApiError> {
    let accounts = state.store.accounts().await?.into_iter().map(AccountJson::from).collect();
    Ok(Json(AccountList { accounts }))
}

pub(super) async fn add(
    actor: Actor,
    State(state): State<AppState>,
    Given(draft): Given<AccountDraft>,
) -> Result<Response, ApiError> {
    let account = draft.checked()?;
    let Some(password) = &draft.password else {
        return Err(Refusal::new("password", "chưa đặt mật khẩu", "give a password").into());
    };
    let hash = session::hashed(password, &account.login).await?;
    let (store, now) = (state.store.clone(), state.now());
    let made = async move { store.add_account(&actor, &account, &hash, When::Further, now).await };
    let id = state.change(made).await?;
    Ok(created("/api/v1/accounts", id, find(&state, id).await?))
}

pub(super) async fn change(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    Given(draft): Given<AccountDraft>,
) -> Result<Json<impl Serialize>, ApiError> {
    let id = AccountId(id);
    let account = draft.checked()?;
    find(&state, id).await?;
    let hash = match &draft.password {
        Some(password) => Some(session::hashed(password, &account.login).await?),
        None => None,
    };
    let (store, now) = (state.store.clone(), state.now());
    let changed = async move {
        store.update_account(&actor, id, &account, now).await?;
        match hash {
            Some(hash) => store.set_password(&actor, id, &hash, None, now).await,
            None => Ok(()),
        }
    };
    state.change(changed).await?;
    Ok(Json(find(&state, id).await?))
}
