//! Alarms as the running program has them, for the command line and the next start.

use serde_json::json;

use super::{At, Result, Store, changes::Changed, sql::Sql, stored};
use crate::domain::{
    alarm::{Alarm, AlarmKind},
    ids::CameraId,
    query::Actor,
    time::WallTime,
};

impl Store {
    /// All alarms kept, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alarms(&self) -> Result<Vec<Alarm>> {
        type Row = (i64, String, Option<i64>, i64, i64, String, String);
        let text = "select id, kind, camera, since_us, times, text_vi, text_en from alarm order by id";
        let rows: Vec<Row> = self.db.rows(Sql::new(text)).await?;
        let alarm = |(id, kind, camera, since_us, times, text_vi, text_en): Row| {
            let at = At { table: "alarm", row: id };
            let kind = at.word("kind", &kind, AlarmKind::from_name)?;
            let times = at.narrow("times", times)?;
            Ok(Alarm { id, kind, camera: camera.map(CameraId), since_us, times, text_vi, text_en })
        };
        rows.into_iter().map(alarm).collect()
    }

    /// Keeps these alarms in place of those kept before.
    ///
    /// # Errors
    /// When the database fails, also for a camera that is not there.
    pub async fn keep_alarms(&self, alarms: &[Alarm]) -> Result<()> {
        let text = "insert into alarm (id, kind, camera, since_us, times, text_vi, text_en) \
                    values ($1, $2, $3, $4, $5, $6, $7)";
        let insert = |a: &Alarm| {
            Sql::new(text)
                .bind(a.id)
                .bind(a.kind.name())
                .bind(a.camera.map(|c| c.0))
                .bind(a.since_us)
                .bind(stored(a.times))
                .bind(a.text_vi.as_str())
                .bind(a.text_en.as_str())
        };
        let inserts: Vec<Sql> = alarms.iter().map(insert).collect();
        self.write(|tx| {
            Box::pin(async move {
                tx.execute(Sql::new("delete from alarm")).await?;
                for insert in inserts {
                    tx.execute(insert).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Notes in the change log that a person has seen an alarm, and keeps it no longer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alarm_seen(&self, actor: &Actor, alarm: &Alarm, now: WallTime) -> Result<()> {
        let (id, before) = (alarm.id, json!(alarm));
        self.change(actor, "alarm.seen", now, move |tx| {
            Box::pin(async move {
                tx.execute(Sql::new("delete from alarm where id = $1").bind(id)).await?;
                Ok(Changed { object: id, before: Some(before), after: None, out: () })
            })
        })
        .await
    }
}
