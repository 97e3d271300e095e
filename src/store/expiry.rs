//! What hangs on recordings and goes by age: events, gaps, places that were damaged (tracks: `tracks.rs`). A page or a batch at a time,
//! so that nobody waits long for the writer.

use super::{Result, Store, incidents, sql::Sql};
use crate::domain::ids::{CameraId, EventId};

/// An event that may go: closed, and nobody has locked its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldEvent {
    /// Which.
    pub id: EventId,
    /// Whose.
    pub camera: CameraId,
    /// When it began, UTC microseconds.
    pub start_us: i64,
}

/// A lock that holds over an event `e`.
const LOCKED: &str = "exists (select 1 from lock l where l.camera = e.camera and l.released_us is null \
                      and l.start_us <= e.end_us and l.end_us > e.start_us)";

impl Store {
    /// Events behind a place (start and id) that began before a time, oldest first; of one camera, or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn old_events(
        &self,
        camera: Option<CameraId>,
        after: (i64, EventId),
        before_us: i64,
        limit: u32,
    ) -> Result<Vec<OldEvent>> {
        let rows: Vec<(i64, i64, i64)> = self.db.rows(old_events(camera, after, before_us, limit)).await?;
        let event = |(id, camera, start_us)| OldEvent { id: EventId(id), camera: CameraId(camera), start_us };
        Ok(rows.into_iter().map(event).collect())
    }

    /// Takes events out whose pictures are gone, but for those locked at this very moment; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_events(&self, events: &[EventId]) -> Result<u64> {
        if events.is_empty() {
            return Ok(0);
        }
        let mut delete = Sql::new("delete from event where id in (select e.id from event e where e.id in ");
        delete.push_list(events.iter().map(|id| id.0));
        delete.push(" and not ").push(LOCKED).push(") returning start_us");
        self.write(|tx| {
            Box::pin(async move {
                let gone: Vec<(i64,)> = tx.rows(delete).await?;
                let newest = gone.iter().map(|(start_us,)| *start_us).max();
                tx.unpack_hours(gone.iter().map(|(start_us,)| *start_us)).await?;
                if let Some(newest) = newest {
                    incidents::sweep(tx, newest).await?;
                }
                Ok(gone.len() as u64)
            })
        })
        .await
    }

    /// How many events began before a time, and how many there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_before(&self, before_us: i64) -> Result<(u64, u64)> {
        let text =
            "select cast(count(case when start_us < $1 then 1 end) as bigint), cast(count(*) as bigint) from event";
        let row: Option<(i64, i64)> = self.db.row(Sql::new(text).bind(before_us)).await?;
        let (old, all) = row.unwrap_or_default();
        Ok((old.unsigned_abs(), all.unsigned_abs()))
    }

    /// Removes at most `limit` gaps that ended before a time; how many. What a ledger has accounted for and has no row any
    /// more is "removed".
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_gaps_before(&self, before_us: i64, limit: u32) -> Result<u64> {
        self.remove(old_gaps(before_us, limit)).await
    }

    /// Removes at most `limit` damages that were found before a time; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_damages_before(&self, before_us: i64, limit: u32) -> Result<u64> {
        let text = "delete from damage where id in (select id from damage where found_us < $1 order by id limit $2)";
        self.remove(Sql::new(text).bind(before_us).bind(limit)).await
    }

    async fn remove(&self, delete: Sql) -> Result<u64> {
        self.write(|tx| Box::pin(async move { tx.execute(delete).await })).await
    }
}

fn old_events(camera: Option<CameraId>, after: (i64, EventId), before_us: i64, limit: u32) -> Sql {
    let mut sql = Sql::new("select e.id, e.camera, e.start_us from event e where ");
    if let Some(camera) = camera {
        sql.push("e.camera = ").push_bind(camera.0);
        sql.push(" and ");
    }
    sql.push("(e.start_us, e.id) > ").push_list([after.0, after.1.0]);
    sql.push(" and e.start_us < ").push_bind(before_us);
    sql.push(" and not e.open and not ").push(LOCKED);
    sql.push(" order by e.start_us, e.id limit ").push_bind(limit);
    sql
}

// The index begins with the stream, so each is looked at by itself.
fn old_gaps(before_us: i64, limit: u32) -> Sql {
    let text = "delete from gap where id in (select g.id from stream s cross join gap g \
                where g.stream = s.id and g.start_us < $1 and g.end_us < $1 limit $2)";
    Sql::new(text).bind(before_us).bind(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_by_age_is_found_by_an_index() {
        let store = Store::in_memory().await.unwrap();
        let after = (5, EventId(2));
        for (sql, index) in [
            (old_events(None, after, 9, 10), "USING INDEX event_start ("),
            (old_events(Some(CameraId(1)), after, 9, 10), "event_camera_start (camera=?"),
            (old_gaps(9, 10), "gap_stream_start (stream=? AND "),
        ] {
            let plan = store.plan(sql).await;
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
