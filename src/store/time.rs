//! Signs of life and clock anchors.

use super::{Result, Store, sql::Sql};
use crate::domain::time::WallTime;

impl Store {
    /// The site's name for the world: ids seen outside are (site uuid, id). Made with the database, never changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn site_uuid(&self) -> Result<String> {
        let row: Option<(String,)> = self.db.row(Sql::new("select uuid from site where id = 1")).await?;
        row.map(|(uuid,)| uuid).ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Says that the box is alive; to be called at least every 5 s.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heartbeat(&self, boot_id: &str, boot_us: i64, now: WallTime) -> Result<()> {
        let text = "insert into heartbeat (boot_id, boot_us, utc_us, beat) \
                    values ($1, $2, $3, (select coalesce(max(beat), 0) + 1 from heartbeat)) \
                    on conflict (boot_id) do update \
                    set boot_us = excluded.boot_us, utc_us = excluded.utc_us, beat = excluded.beat, ended = null";
        let beat = Sql::new(text).bind(boot_id).bind(boot_us).bind(now.us());
        self.write(|tx| Box::pin(async move { tx.execute(beat).await.map(drop) })).await
    }

    /// When the box was last said to be alive, by the clock it then had; the last one said, not the greatest time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_heartbeat(&self) -> Result<Option<WallTime>> {
        let text = "select utc_us from heartbeat order by beat desc limit 1";
        let row: Option<(i64,)> = self.db.row(Sql::new(text)).await?;
        Ok(row.map(|(utc_us,)| WallTime(utc_us)))
    }

    /// Keeps where the boot clock and UTC met.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_anchor(&self, boot_id: &str, boot_us: i64, utc_us: i64, error_us: i64) -> Result<()> {
        let text = "insert into clock_anchor (boot_id, boot_us, utc_us, error_us) values ($1, $2, $3, $4)";
        let anchor = Sql::new(text).bind(boot_id).bind(boot_us).bind(utc_us).bind(error_us);
        self.write(|tx| Box::pin(async move { tx.execute(anchor).await.map(drop) })).await
    }
}
