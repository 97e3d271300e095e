//! Who is signed in, and who has failed to. Of what a browser holds only the hash is known here.

use super::{Result, Store, db::Tx, sql::Sql};
use crate::{
    domain::{account::Account, ids::AccountId, time::WallTime},
    logic::sign_in::{FORGOTTEN_US, Failures, Of},
};

/// The most sessions of one account at a time; the oldest makes room.
const SESSIONS_MAX: i64 = 20;

/// A session that is there; whether it still holds is decided by its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub account: Account,
    /// When it began, UTC microseconds.
    pub made_us: i64,
    /// When its person last did something, UTC microseconds.
    pub seen_us: i64,
    /// Why its person looks, as said last.
    pub purpose: Option<String>,
}

impl Store {
    /// Whether signing in may be tried now: 0, or how long to wait, microseconds. A try that may be made is counted as
    /// failed before it is made, so that neither a crash nor tries side by side are free.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn try_sign_in(&self, login: &str, address: &str, now: WallTime) -> Result<i64> {
        let keys = [(Of::Account, account_key(login)), (Of::Address, format!("address:{address}"))];
        self.write(move |tx| {
            Box::pin(async move {
                let old = Sql::new("delete from sign_in_failure where last_us < $1").bind(now.us() - FORGOTTEN_US);
                tx.execute(old).await?;
                let mut wait_us = 0;
                for (of, key) in &keys {
                    wait_us = wait_us.max(failures(tx, key).await?.wait_us(*of, now.us()));
                }
                if wait_us > 0 {
                    return Ok(wait_us);
                }
                for (_, key) in &keys {
                    let more = failures(tx, key).await?.and_one(now.us());
                    let text = "insert into sign_in_failure (who, n, last_us) values ($1, $2, $3) \
                                on conflict (who) do update set n = excluded.n, last_us = excluded.last_us";
                    tx.execute(Sql::new(text).bind(key.clone()).bind(more.count).bind(more.last_us)).await?;
                }
                Ok(0)
            })
        })
        .await
    }

    /// Takes back the try that succeeded: the account's failures are forgotten, the address has one less.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in_succeeded(&self, login: &str, address: &str) -> Result<()> {
        let (account, address) = (account_key(login), format!("address:{address}"));
        self.write(move |tx| {
            Box::pin(async move {
                tx.execute(Sql::new("delete from sign_in_failure where who = $1").bind(account)).await?;
                let less = Sql::new("update sign_in_failure set n = n - 1 where who = $1 and n > 0").bind(address);
                tx.execute(less).await.map(drop)
            })
        })
        .await
    }

    /// Begins a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_session(&self, token_sha256: &str, account: AccountId, peer: &str, now: WallTime) -> Result<()> {
        let (token, peer) = (token_sha256.to_owned(), peer.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let text = "delete from session where account = $1 and token_sha256 not in (select token_sha256 from session \
                            where account = $1 order by made_us desc, token_sha256 limit $2)";
                tx.execute(Sql::new(text).bind(account.0).bind(SESSIONS_MAX - 1)).await?;
                let text = "insert into session (token_sha256, account, made_us, seen_us, peer) values ($1, $2, $3, $4, $5)";
                let row = Sql::new(text).bind(token).bind(account.0).bind(now.us()).bind(now.us()).bind(peer);
                tx.execute(row).await?;
                let text = "update account set signed_in_us = $1 where id = $2";
                tx.execute(Sql::new(text).bind(now.us()).bind(account.0)).await.map(drop)
            })
        })
        .await
    }

    /// The session of that hash, if its account may be used.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    pub async fn session(&self, token_sha256: &str) -> Result<Option<Session>> {
        let text = "select account, made_us, seen_us, purpose from session where token_sha256 = $1";
        let row: Option<(i64, i64, i64, Option<String>)> = self.db.row(Sql::new(text).bind(token_sha256)).await?;
        let Some((account, made_us, seen_us, purpose)) = row else { return Ok(None) };
        let account = self.account(AccountId(account)).await?.filter(|a| a.disabled_us.is_none());
        Ok(account.map(|account| Session { account, made_us, seen_us, purpose }))
    }

    /// Its person says why they look.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_purpose(&self, token_sha256: &str, purpose: &str) -> Result<()> {
        let text = "update session set purpose = $1 where token_sha256 = $2";
        let row = Sql::new(text).bind(purpose).bind(token_sha256);
        self.write(move |tx| Box::pin(async move { tx.execute(row).await.map(drop) })).await
    }

    /// Its person does something.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_seen(&self, token_sha256: &str, now: WallTime) -> Result<()> {
        let text = "update session set seen_us = $1 where token_sha256 = $2 and seen_us < $1";
        let row = Sql::new(text).bind(now.us()).bind(token_sha256);
        self.write(move |tx| Box::pin(async move { tx.execute(row).await.map(drop) })).await
    }

    /// Ends a session, at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, token_sha256: &str) -> Result<()> {
        let row = Sql::new("delete from session where token_sha256 = $1").bind(token_sha256);
        self.write(move |tx| Box::pin(async move { tx.execute(row).await.map(drop) })).await
    }
}

fn account_key(login: &str) -> String {
    format!("account:{}", login.to_lowercase())
}

async fn failures(tx: &mut Tx, key: &str) -> Result<Failures> {
    let row: Option<(i64, i64)> =
        tx.row(Sql::new("select n, last_us from sign_in_failure where who = $1").bind(key)).await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(row.map_or_else(Failures::default, |(n, last_us)| Failures { count: count(n), last_us }))
}
