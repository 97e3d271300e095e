//! Incidents: events of one camera that follow each other closely are reviewed as one.

use super::{Result, Store, db::Tx, page::Page, sql::Sql};
use crate::domain::{event::Event, ids::CameraId, query::EventCursor};

/// Events further apart than this are two incidents.
const APART_US: i64 = 60_000_000;
/// An incident takes up no further events when it began so long before.
const LONG_US: i64 = 1_800_000_000;
/// The most events of one incident that are read.
const EVENTS_MAX: u32 = 200;

/// One incident and its events, oldest first (at most 200).
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number.
    pub id: i64,
    /// Whose picture.
    pub camera: CameraId,
    /// When its first event began, UTC microseconds.
    pub start_us: i64,
    /// When its last one ended.
    pub end_us: i64,
    /// Its events.
    pub events: Vec<Event>,
}

/// The incident an event belongs to: one that is going on, or a new one.
pub(super) async fn join(tx: &mut Tx, camera: CameraId, start_us: i64, end_us: i64) -> Result<i64> {
    let text = "select id from incident where camera = $1 and end_us >= $2 and start_us <= $3 and start_us >= $4 \
                order by end_us desc, id desc limit 1";
    let find = Sql::new(text)
        .bind(camera.0)
        .bind(start_us.saturating_sub(APART_US))
        .bind(end_us.saturating_add(APART_US))
        .bind(start_us.saturating_sub(LONG_US));
    let going_on: Option<(i64,)> = tx.row(find).await?;
    match going_on {
        Some((id,)) => {
            let text = "update incident set start_us = case when start_us > $2 then $2 else start_us end, \
                        end_us = case when end_us < $3 then $3 else end_us end where id = $1";
            tx.execute(Sql::new(text).bind(id).bind(start_us).bind(end_us)).await?;
            Ok(id)
        }
        None => {
            let text = "insert into incident (camera, start_us, end_us) values ($1, $2, $3) returning id";
            tx.number(Sql::new(text).bind(camera.0).bind(start_us).bind(end_us)).await
        }
    }
}

/// An event of an incident has gone on until then.
pub(super) async fn extend(tx: &mut Tx, event: i64, end_us: i64) -> Result<()> {
    let text =
        "update incident set end_us = $2 where end_us < $2 and id = (select incident_id from event where id = $1)";
    tx.execute(Sql::new(text).bind(event).bind(end_us)).await.map(drop)
}

/// Takes out incidents up to that start that have no event left.
pub(super) async fn sweep(tx: &mut Tx, until_us: i64) -> Result<()> {
    let text = "delete from incident where start_us <= $1 \
                and not exists (select 1 from event e where e.incident_id = incident.id)";
    tx.execute(Sql::new(text).bind(until_us)).await.map(drop)
}

impl Store {
    /// Newest first by (start, id), those after the cursor, at most `limit` (and never more than 200).
    ///
    /// # Errors
    /// `Refused` when the question names more than 1000 cameras.
    pub async fn incidents(
        &self,
        cameras: &[CameraId],
        after: Option<EventCursor>,
        limit: u32,
    ) -> Result<Vec<Incident>> {
        let page = Page {
            select: "select id, camera, start_us, end_us from incident",
            of_camera: "select * from (select id, start_us from incident where camera = ",
            cameras,
            after: after.map(|after| (after.start_us, after.id.0)),
            limit: limit.min(200),
        };
        page.check()?;
        let rows: Vec<(i64, i64, i64, i64)> = self.db.rows(page.sql(|_| {})).await?;
        let mut found = Vec::with_capacity(rows.len());
        for (id, camera, start_us, end_us) in rows {
            let ids =
                Sql::new("select id from event where incident_id = $1 order by id limit $2").bind(id).bind(EVENTS_MAX);
            let ids: Vec<(i64,)> = self.db.rows(ids).await?;
            let ids: Vec<i64> = ids.into_iter().map(|(id,)| id).collect();
            let mut events = self.events_by_id(&ids).await?;
            events.sort_unstable_by_key(|e| (e.start_us, e.id));
            found.push(Incident { id, camera: CameraId(camera), start_us, end_us, events });
        }
        Ok(found)
    }
}
