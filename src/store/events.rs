//! Events: what rules said matters.

use std::collections::BTreeMap;

use super::{At, Result, Store, StoreError, incidents, page::Page, search, sql::Sql, to_json};
use crate::domain::{
    detection::Class,
    event::Event,
    ids::{CameraId, EventId, RuleId, TrackId},
    query::{EventCursor, EventQuery},
    rule::RuleKind,
};

#[derive(sqlx::FromRow)]
struct EventRow {
    id: i64,
    camera: i64,
    rule: i64,
    rule_version: i64,
    rule_name: String,
    kind: String,
    class: Option<String>,
    track: Option<i64>,
    start_us: i64,
    end_us: i64,
    open: bool,
    revision: i64,
    score: f64,
    #[sqlx(rename = "box")]
    rect: String,
    path: String,
    model_sha256: Option<String>,
    numbers: String,
}

const EVENTS: &str = "select id, camera, rule, rule_version, rule_name, kind, class, track, start_us, end_us, open, \
                      revision, score, box, path, model_sha256, numbers from event";

impl EventRow {
    fn event(self) -> Result<Event> {
        let at = At { table: "event", row: self.id };
        Ok(Event {
            id: EventId(self.id),
            camera: CameraId(self.camera),
            rule: RuleId(self.rule),
            rule_version: self.rule_version,
            rule_name: self.rule_name,
            kind: at.word("kind", &self.kind, RuleKind::from_name)?,
            class: self.class.map(|class| at.word("class", &class, Class::from_label)).transpose()?,
            track: self.track.map(TrackId),
            start_us: self.start_us,
            end_us: self.end_us,
            open: self.open,
            revision: self.revision,
            score: self.score as f32,
            rect: at.json("box", &self.rect)?,
            path: at.json("path", &self.path)?,
            model_sha256: self.model_sha256,
            numbers: at.json("numbers", &self.numbers)?,
        })
    }
}

impl Store {
    /// Enters an event; its id is not looked at.
    ///
    /// # Errors
    /// A database error for a camera or a rule version that is not there.
    pub async fn insert_event(&self, event: &Event) -> Result<EventId> {
        let text = "insert into event (camera, rule, rule_version, rule_name, kind, class, track, start_us, end_us, open, \
                    revision, score, box, path, model_sha256, numbers, incident_id) \
                    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) returning id";
        let insert = Sql::new(text)
            .bind(event.camera.0)
            .bind(event.rule.0)
            .bind(event.rule_version)
            .bind(event.rule_name.as_str())
            .bind(event.kind.name())
            .bind(event.class.map(|class| class.name().to_owned()))
            .bind(event.track.map(|track| track.0))
            .bind(event.start_us)
            .bind(event.end_us)
            .bind(event.open)
            .bind(event.revision)
            .bind(f64::from(event.score))
            .bind(to_json(&event.rect))
            .bind(to_json(&event.path))
            .bind(event.model_sha256.clone())
            .bind(numbers_json(&event.numbers));
        let (name, over) = (event.rule_name.clone(), (!event.open).then_some(event.start_us));
        let (camera, start_us, end_us) = (event.camera, event.start_us, event.end_us);
        self.write(move |tx| {
            Box::pin(async move {
                let incident = incidents::join(tx, camera, start_us, end_us).await?;
                let id = tx.number(insert.bind(incident)).await?;
                search::enter_phrases(tx, [name]).await?;
                tx.unpack_hours(over).await?;
                Ok(EventId(id))
            })
        })
        .await
    }

    /// Writes the event's newer state; an older or equal revision than the stored one changes nothing. Camera and rule
    /// stay what they were.
    ///
    /// # Errors
    /// `NotFound` when there is no such event.
    pub async fn update_event(&self, event: &Event) -> Result<()> {
        let text = "update event set class = $3, track = $4, start_us = $5, end_us = $6, open = $7, score = $8, \
                    box = $9, path = $10, model_sha256 = $11, numbers = $12, revision = $2 \
                    where id = $1 and revision < $2";
        let id = event.id.0;
        let update = Sql::new(text)
            .bind(id)
            .bind(event.revision)
            .bind(event.class.map(|class| class.name().to_owned()))
            .bind(event.track.map(|track| track.0))
            .bind(event.start_us)
            .bind(event.end_us)
            .bind(event.open)
            .bind(f64::from(event.score))
            .bind(to_json(&event.rect))
            .bind(to_json(&event.path))
            .bind(event.model_sha256.clone())
            .bind(numbers_json(&event.numbers));
        let over = (!event.open).then_some(event.start_us);
        let end_us = event.end_us;
        self.write(move |tx| {
            Box::pin(async move {
                let before = Sql::new("select start_us from event where id = $1").bind(id);
                let there: Option<(i64,)> = tx.row(before).await?;
                let (before_us,) = there.ok_or(StoreError::NotFound { what: "event", id })?;
                if tx.execute(update).await? > 0 {
                    incidents::extend(tx, id, end_us).await?;
                    tx.unpack_hours(over.into_iter().flat_map(|start_us| [start_us, before_us])).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// One event.
    ///
    /// # Errors
    /// When the database fails, or the stored event can no longer be read.
    pub async fn event(&self, id: EventId) -> Result<Option<Event>> {
        let mut sql = Sql::new(EVENTS);
        sql.push(" where id = ").push_bind(id.0);
        let row: Option<EventRow> = self.db.row(sql).await?;
        row.map(EventRow::event).transpose()
    }

    /// Newest first by (start, id), those after the cursor, at most `limit` (and never more than 1000).
    ///
    /// # Errors
    /// `Refused` when the question names more than 1000 cameras.
    pub async fn events(&self, query: &EventQuery, after: Option<EventCursor>, limit: u32) -> Result<Vec<Event>> {
        let page = page(query, after, limit);
        page.check()?;
        let rows: Vec<EventRow> = self.db.rows(page.sql(|sql| push_filters(sql, query))).await?;
        rows.into_iter().map(EventRow::event).collect()
    }

    /// Closes events left open by a run that did not end well; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_open_events(&self) -> Result<u64> {
        let close = Sql::new("update event set open = false, revision = revision + 1 where open returning start_us");
        self.change_packed(close).await
    }

    /// Several events, in any order; those that are gone are left out.
    pub(super) async fn events_by_id(&self, ids: &[i64]) -> Result<Vec<Event>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(EVENTS);
        sql.push(" where id in ").push_list(ids.iter().copied());
        let rows: Vec<EventRow> = self.db.rows(sql).await?;
        rows.into_iter().map(EventRow::event).collect()
    }
}

fn page<'a>(query: &'a EventQuery, after: Option<EventCursor>, limit: u32) -> Page<'a> {
    Page {
        select: EVENTS,
        of_camera: "select * from (select id, start_us from event where camera = ",
        cameras: &query.cameras,
        after: after.map(|after| (after.start_us, after.id.0)),
        limit,
    }
}

fn push_filters(sql: &mut Sql, query: &EventQuery) {
    if let Some(kind) = query.kind {
        sql.push(" and kind = ").push_bind(kind.name());
    }
    if let Some(class) = query.class {
        sql.push(" and class = ").push_bind(class.name());
    }
    if let Some(from_us) = query.from_us {
        sql.push(" and start_us >= ").push_bind(from_us);
    }
    if let Some(to_us) = query.to_us {
        sql.push(" and start_us < ").push_bind(to_us);
    }
}

/// JSON has no word for infinity and "not a number"; such a number is left out, so that the rest can be read.
fn numbers_json(numbers: &BTreeMap<String, f64>) -> String {
    to_json(&numbers.iter().filter(|(_, number)| number.is_finite()).collect::<BTreeMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn plan(query: EventQuery, after: Option<EventCursor>) -> String {
        let store = Store::in_memory().await.unwrap();
        store.plan(page(&query, after, 50).sql(|sql| push_filters(sql, &query))).await
    }

    #[tokio::test]
    async fn every_usual_question_reads_an_index_in_order() {
        let after = Some(EventCursor { start_us: 5, id: EventId(5) });
        let camera = EventQuery { cameras: vec![CameraId(1)], ..EventQuery::default() };
        let kind = EventQuery { kind: Some(RuleKind::Motion), ..EventQuery::default() };
        let class = EventQuery { class: Some(Class::Person), ..EventQuery::default() };
        let span = EventQuery { from_us: Some(1), to_us: Some(9), ..EventQuery::default() };
        for (query, index) in [
            (EventQuery::default(), "event_start"),
            (camera, "event_camera_start (camera=?"),
            (kind, "event_kind_start (kind=?"),
            (class, "event_class_start (class=?"),
            (span, "event_start (start_us>? AND start_us<?)"),
        ] {
            for after in [None, after] {
                let plan = plan(query.clone(), after).await;
                assert!(plan.contains(&format!("USING INDEX {index}")), "{plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
    }

    #[tokio::test]
    async fn a_question_for_two_cameras_reads_each_ones_index() {
        let query = EventQuery { cameras: vec![CameraId(1), CameraId(2)], ..EventQuery::default() };
        let plan = plan(query, None).await;
        assert_eq!(plan.matches("event_camera_start (camera=?").count(), 2, "{plan}");
        assert!(!plan.contains("SCAN event"), "{plan}");
    }
}
