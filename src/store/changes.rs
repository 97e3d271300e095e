//! The change log: every configuration change is one row, written in the change's own transaction.

use futures::future::BoxFuture;
use serde_json::Value as Json;

use super::{Result, Store, db::Tx, sql::Sql};
use crate::domain::{query::Actor, time::WallTime};

/// The most rows one call gives.
const ROWS_MAX: u32 = 1000;

/// One line of the change log.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ChangeRow {
    /// Grows.
    pub id: i64,
    /// When, UTC microseconds.
    pub time_us: i64,
    /// Who.
    pub actor: String,
    /// Such as `camera.add`.
    pub what: String,
    /// Id of the thing changed.
    pub object: i64,
    /// JSON before, without secrets; `None` for an addition.
    #[sqlx(rename = "before_json")]
    pub before: Option<String>,
    /// JSON after, without secrets; `None` for a removal.
    #[sqlx(rename = "after_json")]
    pub after: Option<String>,
}

/// What a change did, for its row in the log.
pub(super) struct Changed<T> {
    /// Id of the thing.
    pub object: i64,
    /// How it was.
    pub before: Option<Json>,
    /// How it is.
    pub after: Option<Json>,
    /// What the caller gets.
    pub out: T,
}

/// First of all in a change: holding this row makes changes wait for each other, so that what is checked afterwards stays
/// true until the end and ids appear to readers in their order. Gives the change's id.
pub(super) async fn take_turn(tx: &mut Tx) -> Result<i64> {
    tx.number(Sql::new("update site set last_change = last_change + 1 where id = 1 returning last_change")).await
}

/// Last of all in a change: its row in the log.
pub(super) async fn log<T>(
    tx: &mut Tx,
    id: i64,
    actor: &str,
    what: &'static str,
    now: WallTime,
    changed: Changed<T>,
) -> Result<T> {
    let text = "insert into change_log (id, time_us, actor, what, object, before_json, after_json) \
                values ($1, $2, $3, $4, $5, $6, $7)";
    let row = Sql::new(text)
        .bind(id)
        .bind(now.us())
        .bind(actor)
        .bind(what)
        .bind(changed.object)
        .bind(changed.before.map(|json| json.to_string()))
        .bind(changed.after.map(|json| json.to_string()));
    tx.execute(row).await?;
    Ok(changed.out)
}

impl Store {
    /// Makes one configuration change and logs it.
    pub(super) async fn change<T, F>(&self, actor: &Actor, what: &'static str, now: WallTime, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Changed<T>>> + Send + 'static,
    {
        let actor = actor.name.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let id = take_turn(tx).await?;
                let changed = body(&mut *tx).await?;
                log(tx, id, &actor, what, now, changed).await
            })
        })
        .await
    }

    /// The id of the newest change; 0 before the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest_change(&self) -> Result<i64> {
        let row: Option<(i64,)> = self.db.row(Sql::new("select last_change from site where id = 1")).await?;
        Ok(row.map_or(0, |(id,)| id))
    }

    /// Changes with a greater id, oldest first, at most `limit` (and never more than 1000). Ids have no holes and
    /// appear in their order, so the last one seen is enough to go on from, also when another process changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changes_after(&self, id: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        let text = "select id, time_us, actor, what, object, before_json, after_json \
                    from change_log where id > $1 order by id limit $2";
        self.db.rows(Sql::new(text).bind(id).bind(limit.min(ROWS_MAX))).await
    }
}
