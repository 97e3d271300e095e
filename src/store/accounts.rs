//! Accounts and their roles. A row is never deleted: logs name it. There is always an administrator who may sign in,
//! from the first account on.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{At, Result, Store, StoreError, changes::Changed, db::Tx, sql::Sql};
use crate::domain::{
    account::{Account, CheckedAccount, Grant, Role},
    ids::{AccountId, CameraId, ClusterId},
    query::Actor,
    refusal::Refusal,
    time::WallTime,
};

/// When an account may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only as the first one: by the link of the console.
    First,
    /// Only when there is one already: by somebody who is signed in.
    Further,
    /// In either case: by the command line.
    Any,
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: i64,
    login: String,
    name: String,
    made_us: i64,
    disabled_us: Option<i64>,
    signed_in_us: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct RoleRow {
    id: i64,
    account: i64,
    role: String,
    cluster: Option<i64>,
}

const ACCOUNTS: &str = "select id, login, name, made_us, disabled_us, signed_in_us from account";
const ORDERED: &str = "select id, login, name, made_us, disabled_us, signed_in_us from account order by login_fold";
const ROLES: &str = "select id, account, role, cluster from account_role";

impl AccountRow {
    fn account(self, grants: Vec<Grant>) -> Account {
        Account {
            id: AccountId(self.id),
            login: self.login,
            name: self.name,
            grants,
            made_us: self.made_us,
            disabled_us: self.disabled_us,
            signed_in_us: self.signed_in_us,
        }
    }
}

/// Roles by account, each account's in their order.
fn by_account(rows: Vec<RoleRow>) -> Result<BTreeMap<i64, Vec<Grant>>> {
    let mut all: BTreeMap<i64, Vec<Grant>> = BTreeMap::new();
    for row in rows {
        let role = At { table: "account_role", row: row.id }.word("role", &row.role, Role::from_name)?;
        all.entry(row.account).or_default().push(Grant { role, cluster: row.cluster.map(ClusterId) });
    }
    all.values_mut().for_each(|grants| grants.sort_unstable());
    Ok(all)
}

impl Store {
    /// Whether there are accounts; from then on everything needs one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_accounts(&self) -> Result<bool> {
        Ok(self.db.row::<(i64,)>(Sql::new("select id from account limit 1")).await?.is_some())
    }

    /// All accounts, by login.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let rows: Vec<AccountRow> = self.db.rows(Sql::new(ORDERED)).await?;
        let mut roles = by_account(self.db.rows(Sql::new(ROLES)).await?)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let grants = roles.remove(&row.id).unwrap_or_default();
                row.account(grants)
            })
            .collect())
    }

    /// One account.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        let mut sql = Sql::new(ACCOUNTS);
        sql.push(" where id = ").push_bind(id.0);
        let Some(row) = self.db.row::<AccountRow>(sql).await? else { return Ok(None) };
        let mut sql = Sql::new(ROLES);
        sql.push(" where account = ").push_bind(id.0);
        let grants = by_account(self.db.rows(sql).await?)?.remove(&id.0).unwrap_or_default();
        Ok(Some(row.account(grants)))
    }

    /// The account with that login that may be used, and its password's hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password_of(&self, login: &str) -> Result<Option<(AccountId, String)>> {
        let text = "select id, password from account where login_fold = $1 and disabled_us is null";
        let row: Option<(i64, String)> = self.db.row(Sql::new(text).bind(login.to_lowercase())).await?;
        Ok(row.map(|(id, password)| (AccountId(id), password)))
    }

    /// The cameras of some clusters, also retired ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cameras_within(&self, clusters: impl IntoIterator<Item = ClusterId>) -> Result<Vec<CameraId>> {
        let clusters: Vec<i64> = clusters.into_iter().map(|cluster| cluster.0).collect();
        if clusters.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new("select id from camera where cluster in ");
        sql.push_list(clusters);
        Ok(self.db.rows::<(i64,)>(sql).await?.into_iter().map(|(id,)| CameraId(id)).collect())
    }

    /// Adds an account with the hash of its password.
    ///
    /// # Errors
    /// `Refused` for a login in use, a cluster that is not there, a first account that is no administrator's, or one
    /// that comes at another time than `when`.
    pub async fn add_account(
        &self,
        actor: &Actor,
        account: &CheckedAccount,
        hash: &str,
        when: When,
        now: WallTime,
    ) -> Result<AccountId> {
        let (account, hash) = (account.clone(), hash.to_owned());
        self.change(actor, "account.add", now, move |tx| {
            Box::pin(async move {
                let any: Option<(i64,)> = tx.row(Sql::new("select id from account limit 1")).await?;
                in_time(when, any.is_some())?;
                let text = "insert into account (login, login_fold, name, password, made_us, disabled_us) \
                            values ($1, $2, $3, $4, $5, $6) returning id";
                let row = Sql::new(text)
                    .bind(account.login.clone())
                    .bind(account.login.to_lowercase())
                    .bind(account.name.clone())
                    .bind(hash)
                    .bind(now.us())
                    .bind(account.disabled.then_some(now.us()));
                let id = tx.number(row).await.map_err(taken)?;
                grant(tx, id, &account.grants).await?;
                someone_may_govern(tx).await?;
                let after = Some(shown(&account.login, &account.name, &account.grants, account.disabled));
                Ok(Changed { object: id, before: None, after, out: AccountId(id) })
            })
        })
        .await
    }

    /// Changes an account; its sessions end when what it may do changed.
    ///
    /// # Errors
    /// `NotFound`; `Refused` for a login in use, a cluster that is not there, or when nobody would be left to govern.
    pub async fn update_account(
        &self,
        actor: &Actor,
        id: AccountId,
        account: &CheckedAccount,
        now: WallTime,
    ) -> Result<()> {
        let account = account.clone();
        let Some(before) = self.account(id).await? else {
            return Err(StoreError::NotFound { what: "account", id: id.0 });
        };
        self.change(actor, "account.change", now, move |tx| {
            Box::pin(async move {
                let since = if account.disabled { Some(before.disabled_us.unwrap_or(now.us())) } else { None };
                let text = "update account set login = $1, login_fold = $2, name = $3, disabled_us = $4 where id = $5";
                let row = Sql::new(text)
                    .bind(account.login.clone())
                    .bind(account.login.to_lowercase())
                    .bind(account.name.clone())
                    .bind(since)
                    .bind(id.0);
                tx.execute(row).await.map_err(taken)?;
                tx.execute(Sql::new("delete from account_role where account = $1").bind(id.0)).await?;
                grant(tx, id.0, &account.grants).await?;
                someone_may_govern(tx).await?;
                if account.disabled || account.grants != before.grants {
                    tx.execute(Sql::new("delete from session where account = $1").bind(id.0)).await?;
                }
                let was = shown(&before.login, &before.name, &before.grants, before.disabled_us.is_some());
                let after = shown(&account.login, &account.name, &account.grants, account.disabled);
                Ok(Changed { object: id.0, before: Some(was), after: Some(after), out: () })
            })
        })
        .await
    }

    /// Gives an account another password. All its sessions end but the one named by `kept`.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub async fn set_password(
        &self,
        actor: &Actor,
        id: AccountId,
        hash: &str,
        kept: Option<&str>,
        now: WallTime,
    ) -> Result<()> {
        let (hash, kept) = (hash.to_owned(), kept.unwrap_or_default().to_owned());
        self.change(actor, "account.password", now, move |tx| {
            Box::pin(async move {
                let set = Sql::new("update account set password = $1 where id = $2").bind(hash).bind(id.0);
                if tx.execute(set).await? == 0 {
                    return Err(StoreError::NotFound { what: "account", id: id.0 });
                }
                let end =
                    Sql::new("delete from session where account = $1 and token_sha256 <> $2").bind(id.0).bind(kept);
                tx.execute(end).await?;
                Ok(Changed { object: id.0, before: None, after: None, out: () })
            })
        })
        .await
    }
}

fn in_time(when: When, any: bool) -> Result<()> {
    let refuse = |vi, en| Err(StoreError::Refused(Refusal::new("account", vi, en)));
    match when {
        When::First if any => refuse(
            "đã có tài khoản quản trị; liên kết thiết lập không còn dùng được, hãy đăng nhập",
            "there is an account already; the set-up link can no longer be used, sign in",
        ),
        When::Further if !any => refuse(
            "tài khoản đầu tiên được tạo bằng liên kết thiết lập in trên màn hình máy chủ, hoặc lệnh vonglau user add",
            "the first account is made by the set-up link printed on the console, or by vonglau user add",
        ),
        _ => Ok(()),
    }
}

fn taken(error: StoreError) -> StoreError {
    match &error {
        StoreError::Database(inner) if inner.as_database_error().is_some_and(|e| e.is_unique_violation()) => {
            StoreError::Refused(Refusal::new(
                "login",
                "tên đăng nhập này đã có người dùng; hãy chọn tên khác",
                "that login is in use; choose another",
            ))
        }
        _ => error,
    }
}

async fn grant(tx: &mut Tx, account: i64, grants: &[Grant]) -> Result<()> {
    for grant in grants {
        if let Some(cluster) = grant.cluster {
            let known: Option<(i64,)> =
                tx.row(Sql::new("select id from cluster where id = $1").bind(cluster.0)).await?;
            if known.is_none() {
                return Err(StoreError::Refused(Refusal::new(
                    "grants",
                    "không có cụm camera này; hãy tải lại danh sách cụm",
                    "there is no such cluster; load the list of clusters again",
                )));
            }
        }
        let text = "insert into account_role (account, role, cluster) values ($1, $2, $3)";
        tx.execute(Sql::new(text).bind(account).bind(grant.role.name()).bind(grant.cluster.map(|c| c.0))).await?;
    }
    Ok(())
}

/// Without an administrator who may sign in nobody could ever mend anything by the pages.
async fn someone_may_govern(tx: &mut Tx) -> Result<()> {
    let text = "select a.id from account a join account_role r on r.account = a.id \
                where r.role = 'admin' and a.disabled_us is null limit 1";
    if tx.row::<(i64,)>(Sql::new(text)).await?.is_some() {
        return Ok(());
    }
    Err(StoreError::Refused(Refusal::new(
        "grants",
        "phải còn ít nhất một tài khoản Quản trị hệ thống đang dùng được",
        "at least one administrator who may sign in has to be left",
    )))
}

/// An account in the change log.
fn shown(login: &str, name: &str, grants: &[Grant], disabled: bool) -> Json {
    json!({ "login": login, "name": name, "grants": grants, "disabled": disabled })
}
