//! The two engines, their connections and transactions.

use futures::future::BoxFuture;
use sqlx::{
    Transaction,
    postgres::{PgPool, Postgres},
    sqlite::{Sqlite, SqlitePool},
};

use super::{Result, Store, StoreError, sql::Sql};

/// The engine at hand; cloning shares its connections.
#[derive(Clone)]
pub(super) enum Db {
    /// One writer, since SQLite knows no second one, and readers that never wait for it (WAL).
    Sqlite { read: SqlitePool, write: SqlitePool },
    /// PostgreSQL needs no such division.
    Postgres(PgPool),
}

// Never the options inside: they hold the login.
impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite { .. } => "Sqlite",
            Self::Postgres(_) => "Postgres",
        })
    }
}

/// A transaction that may write.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Db {
    async fn begin(&self) -> Result<Tx> {
        Ok(match self {
            // A deferred transaction that reads before it writes fails at once when another process wrote meanwhile;
            // an immediate one waits its turn.
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }
    /// Closes all connections; the writer last, so that SQLite can fold its log into the file.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// An insert that names its id, which PostgreSQL takes only when told so.
    pub(super) fn with_id(&self, columns: &'static str, values: &'static str) -> Sql {
        let mut sql = Sql::new(columns);
        sql.push(match self {
            Self::Sqlite(_) => " ",
            Self::Postgres(_) => " overriding system value ",
        });
        sql.push(values);
        sql
    }
    /// After such an insert: PostgreSQL goes on counting where it was; SQLite goes on behind the highest id.
    pub(super) async fn raise_identity(&mut self, postgres: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.rows::<(i64,)>(Sql::new(postgres)).await.map(drop),
        }
    }
    /// Nobody else changes tracks or events until this transaction ends. SQLite knows one writer anyway.
    pub(super) async fn hold_still(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.execute(Sql::new("lock table track, event in share mode")).await.map(drop),
        }
    }
    /// Enters the words of a phrase into SQLite's text index; PostgreSQL keeps its own in step.
    pub(super) async fn index_words(&mut self, phrase: i64, folded: &str) -> Result<()> {
        match self {
            Self::Sqlite(_) => {
                let text = "insert into phrase_words (rowid, folded) values ($1, $2)";
                self.execute(Sql::new(text).bind(phrase).bind(folded)).await.map(drop)
            }
            Self::Postgres(_) => Ok(()),
        }
    }
    async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
    async fn rollback(self) {
        let done = match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::Postgres(tx) => tx.rollback().await,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}

impl Store {
    /// One use case in one transaction. It runs to its end even if the caller stops waiting: a dropped sqlx
    /// transaction can leave a connection inside it, and half a use case must not depend on a client's patience.
    pub(super) async fn write<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let db = self.db.clone();
        let done = self.writes.run(async move {
            let mut tx = db.begin().await?;
            match body(&mut tx).await {
                Ok(value) => tx.commit().await.map(|()| value),
                Err(error) => {
                    tx.rollback().await;
                    Err(error)
                }
            }
        });
        done.await.unwrap_or_else(|ended| {
            Err(StoreError::Database(sqlx::Error::Io(std::io::Error::other(format!("a transaction {ended}")))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::time::WallTime, store::sql::Sql};

    #[tokio::test]
    async fn a_panic_within_a_transaction_undoes_it_and_the_next_one_goes_on() {
        let store = Store::in_memory().await.unwrap();
        store.heartbeat("boot", 1, WallTime(1)).await.unwrap();
        let failed: Result<()> = store
            .write(|tx| {
                Box::pin(async move {
                    tx.execute(Sql::new("update heartbeat set utc_us = 2")).await?;
                    panic!("on purpose");
                })
            })
            .await;
        assert!(failed.unwrap_err().to_string().contains("panicked"));
        assert_eq!(store.last_heartbeat().await.unwrap(), Some(WallTime(1)));
        store.heartbeat("boot", 3, WallTime(3)).await.unwrap();
        assert_eq!(store.last_heartbeat().await.unwrap(), Some(WallTime(3)));
    }
}
