//! Rules and their versions. A version is never changed, so that an old event can be explained.

use serde_json::{Value as Json, json};

use super::{At, Result, Store, StoreError, cameras, changes::Changed, db::Tx, sql::Sql, to_json};
use crate::domain::{
    ids::{CameraId, RuleId},
    query::Actor,
    rule::{Rule, RuleDraft},
    time::WallTime,
};

#[derive(sqlx::FromRow)]
struct RuleRow {
    id: i64,
    version: i64,
    camera: Option<i64>,
    definition: String,
}

const IN_FORCE: &str = "select r.id, v.version, v.camera, v.definition from rule r \
                        join rule_version v on v.rule = r.id and v.version = r.version \
                        left join camera c on c.id = v.camera where r.removed_us is null";

impl RuleRow {
    fn rule(self) -> Result<Rule> {
        let at = At { table: "rule_version", row: self.id };
        let draft: RuleDraft = at.json("definition", &self.definition)?;
        let rule = draft.checked().map_err(|wrong| {
            at.corrupt(wrong.iter().map(|refusal| refusal.en.as_str()).collect::<Vec<_>>().join("; "))
        })?;
        Ok(Rule { id: RuleId(self.id), version: self.version, camera: self.camera.map(CameraId), ..rule })
    }
}

impl Store {
    /// Adds a rule as version 1; its id and version are not looked at.
    ///
    /// # Errors
    /// `NotFound` or `Refused` for a camera that is not there or retired.
    pub async fn add_rule(&self, actor: &Actor, rule: &Rule, now: WallTime) -> Result<RuleId> {
        let rule = rule.clone();
        self.change(actor, "rule.add", now, move |tx| {
            Box::pin(async move {
                let id = RuleId(tx.number(Sql::new("insert into rule (version) values (1) returning id")).await?);
                let rule = Rule { id, version: 1, ..rule };
                insert_version(tx, &rule, now).await?;
                Ok(Changed { object: id.0, before: None, after: Some(logged(&rule)), out: id })
            })
        })
        .await
    }

    /// Makes a new version and returns its number.
    ///
    /// # Errors
    /// `NotFound` for a rule that is not in force; as [`Store::add_rule`] for its camera.
    pub async fn update_rule(&self, actor: &Actor, id: RuleId, rule: &Rule, now: WallTime) -> Result<i64> {
        let rule = rule.clone();
        self.change(actor, "rule.update", now, move |tx| {
            Box::pin(async move {
                let before = in_force(tx, id).await?;
                let rule = Rule { id, version: before.version + 1, ..rule };
                insert_version(tx, &rule, now).await?;
                let update = Sql::new("update rule set version = $2 where id = $1").bind(id.0).bind(rule.version);
                tx.execute(update).await?;
                Ok(Changed {
                    object: id.0,
                    before: Some(logged(&before)),
                    after: Some(logged(&rule)),
                    out: rule.version,
                })
            })
        })
        .await
    }

    /// Takes a rule out of force; its versions stay for the events made under them.
    ///
    /// # Errors
    /// `NotFound` for a rule that is not in force.
    pub async fn remove_rule(&self, actor: &Actor, id: RuleId, now: WallTime) -> Result<()> {
        self.change(actor, "rule.remove", now, move |tx| {
            Box::pin(async move {
                let before = in_force(tx, id).await?;
                tx.execute(Sql::new("update rule set removed_us = $2 where id = $1").bind(id.0).bind(now.us())).await?;
                Ok(Changed { object: id.0, before: Some(logged(&before)), after: None, out: () })
            })
        })
        .await
    }

    /// Those in force, in their newest version, by id; not those that watch only a retired camera.
    ///
    /// # Errors
    /// When the database fails, or a stored rule can no longer be read.
    pub async fn rules(&self) -> Result<Vec<Rule>> {
        let mut sql = Sql::new(IN_FORCE);
        sql.push(" and c.retired_us is null order by r.id");
        let rows: Vec<RuleRow> = self.db.rows(sql).await?;
        rows.into_iter().map(RuleRow::rule).collect()
    }
}

async fn in_force(tx: &mut Tx, id: RuleId) -> Result<Rule> {
    let mut sql = Sql::new(IN_FORCE);
    sql.push(" and r.id = ").push_bind(id.0);
    let row: Option<RuleRow> = tx.row(sql).await?;
    row.ok_or(StoreError::NotFound { what: "rule", id: id.0 })?.rule()
}

async fn insert_version(tx: &mut Tx, rule: &Rule, now: WallTime) -> Result<()> {
    if let Some(camera) = rule.camera {
        cameras::in_use(tx, camera).await?;
    }
    let text = "insert into rule_version (rule, version, camera, name, kind, definition, since_us) \
                values ($1, $2, $3, $4, $5, $6, $7)";
    let insert = Sql::new(text)
        .bind(rule.id.0)
        .bind(rule.version)
        .bind(rule.camera.map(|c| c.0))
        .bind(rule.name.as_str())
        .bind(rule.kind().name())
        .bind(to_json(&rule.to_draft(None)))
        .bind(now.us());
    tx.execute(insert).await.map(drop)
}

fn logged(rule: &Rule) -> Json {
    json!({ "id": rule.id, "version": rule.version, "camera": rule.camera, "rule": rule.to_draft(None) })
}
