//! What officers said of events: the word itself, and what it makes of rules.

use std::collections::BTreeMap;

use serde_json::json;

use super::{At, Result, Store, StoreError, changes::Changed, sql::Sql};
use crate::domain::{
    event::Event,
    ids::{CameraId, EventId, RuleId},
    query::Actor,
    rule::{RuleDraft, Severity},
    time::WallTime,
    verdict::{Precision, Verdict},
};

/// What is known of an event beside itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Review {
    /// The incident it belongs to.
    pub incident: Option<i64>,
    /// What was said of it.
    pub verdict: Option<Verdict>,
    /// When, UTC microseconds.
    pub verdict_us: Option<i64>,
    /// By whom.
    pub verdict_by: Option<String>,
    /// How much it matters, by the rule as it was then.
    pub severity: Severity,
    /// The row of its track, while that is kept.
    pub track: Option<i64>,
}

impl Store {
    /// Enters an officer's word on an event, or takes it back (`None`); a row of the change log.
    ///
    /// # Errors
    /// `NotFound` when there is no such event.
    pub async fn set_verdict(&self, actor: &Actor, id: EventId, verdict: Option<Verdict>, now: WallTime) -> Result<()> {
        let by = actor.name.clone();
        self.change(actor, "event.verdict", now, move |tx| {
            Box::pin(async move {
                let before = Sql::new("select verdict from event where id = $1").bind(id.0);
                let before: Option<(Option<String>,)> = tx.row(before).await?;
                let (before,) = before.ok_or(StoreError::NotFound { what: "event", id: id.0 })?;
                let text = "update event set verdict = $2, verdict_us = $3, verdict_by = $4 where id = $1";
                let set = Sql::new(text)
                    .bind(id.0)
                    .bind(verdict.map(|v| v.name().to_owned()))
                    .bind(verdict.map(|_| now.us()))
                    .bind(verdict.map(|_| by));
                tx.execute(set).await?;
                Ok(Changed {
                    object: id.0,
                    before: Some(json!({ "verdict": before })),
                    after: Some(json!({ "verdict": verdict })),
                    out: (),
                })
            })
        })
        .await
    }

    /// What is known of these events beside themselves; those that are gone are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reviews(&self, ids: &[EventId]) -> Result<BTreeMap<EventId, Review>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut sql = Sql::new(
            "select e.id, e.incident_id, e.verdict, e.verdict_us, e.verdict_by, v.definition, \
             (select max(t.id) from track t where t.camera = e.camera and t.number = e.track) \
             from event e left join rule_version v on v.rule = e.rule and v.version = e.rule_version where e.id in ",
        );
        sql.push_list(ids.iter().map(|id| id.0));
        type Row = (i64, Option<i64>, Option<String>, Option<i64>, Option<String>, Option<String>, Option<i64>);
        let rows: Vec<Row> = self.db.rows(sql).await?;
        let one = |(id, incident, verdict, verdict_us, verdict_by, definition, track): Row| {
            let at = At { table: "event", row: id };
            let verdict = verdict.map(|word| at.word("verdict", &word, Verdict::from_name)).transpose()?;
            let rule: Option<RuleDraft> = definition.map(|text| at.json("rule", &text)).transpose()?;
            let severity = rule.and_then(|rule| Severity::from_name(&rule.severity?)).unwrap_or_default();
            Ok((EventId(id), Review { incident, verdict, verdict_us, verdict_by, severity, track }))
        };
        rows.into_iter().map(one).collect()
    }

    /// How often a rule was right, by camera; of cameras on which it has no event nothing is said.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn precision(&self, rule: RuleId) -> Result<Vec<Precision>> {
        let text = "select camera, cast(count(*) as bigint), \
                    cast(count(case when verdict = 'true' then 1 end) as bigint), \
                    cast(count(case when verdict = 'false' then 1 end) as bigint), \
                    cast(count(case when verdict = 'duplicate' then 1 end) as bigint), \
                    cast(count(case when verdict = 'unsure' then 1 end) as bigint) \
                    from event where rule = $1 group by camera order by camera";
        let rows: Vec<(i64, i64, i64, i64, i64, i64)> = self.db.rows(Sql::new(text).bind(rule.0)).await?;
        let one = |(camera, events, right, wrong, duplicate, unsure): (i64, i64, i64, i64, i64, i64)| {
            let [events, right, wrong, duplicate, unsure] =
                [events, right, wrong, duplicate, unsure].map(|n| n.unsigned_abs());
            Precision { rule, camera: CameraId(camera), events, right, wrong, duplicate, unsure }
        };
        Ok(rows.into_iter().map(one).collect())
    }

    /// A rule's events of which somebody said last that they were right or wrong, newest word first.
    ///
    /// # Errors
    /// When the database fails, or a stored event can no longer be read.
    pub async fn judged(&self, rule: RuleId, limit: u32) -> Result<Vec<(Event, bool)>> {
        let text = "select id, verdict from event where rule = $1 and verdict is not null \
                    and verdict in ('true', 'false') order by verdict_us desc, id desc limit $2";
        let rows: Vec<(i64, String)> = self.db.rows(Sql::new(text).bind(rule.0).bind(limit.min(1000))).await?;
        let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
        let mut events: BTreeMap<i64, Event> =
            self.events_by_id(&ids).await?.into_iter().map(|event| (event.id.0, event)).collect();
        Ok(rows.into_iter().filter_map(|(id, word)| Some((events.remove(&id)?, word == "true"))).collect())
    }
}
