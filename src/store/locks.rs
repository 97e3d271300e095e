//! Spans that retention must not remove, and outages declared beforehand.

use serde_json::{Value as Json, json};

use super::{At, Result, Store, StoreError, cameras, changes::Changed, sql::Sql};
use crate::domain::{
    camera::NAME_CHARS_MAX,
    ids::{CameraId, LockId, PlannedId, StreamId},
    query::Actor,
    refusal::Refusal,
    time::{Span, WallTime},
};

/// The most locks or outages one call gives.
const ROWS_MAX: i64 = 20_000;
/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 5 * NAME_CHARS_MAX;

/// A span of a camera (both its streams) that retention must not remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Its number.
    pub id: LockId,
    /// Whose recordings.
    pub camera: CameraId,
    /// Which.
    pub span: Span,
    /// The case or request.
    pub reason: String,
    /// Who locked it.
    pub actor: String,
    /// When, UTC microseconds.
    pub made_us: i64,
    /// When it is to be released by itself; `None`: only by a person.
    pub until_us: Option<i64>,
    /// When it was released; `None` while it holds.
    pub released_us: Option<i64>,
}

/// An outage declared beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its number.
    pub id: PlannedId,
    /// Whose; `None`: the whole site.
    pub camera: Option<CameraId>,
    /// When.
    pub span: Span,
    /// What is done.
    pub reason: String,
    /// Who declared it.
    pub actor: String,
    /// When it was declared, UTC microseconds.
    pub made_us: i64,
}

#[derive(sqlx::FromRow)]
struct LockRow {
    id: i64,
    camera: i64,
    start_us: i64,
    end_us: i64,
    reason: String,
    actor: String,
    made_us: i64,
    until_us: Option<i64>,
    released_us: Option<i64>,
}

const LOCKS: &str = "select id, camera, start_us, end_us, reason, actor, made_us, until_us, released_us from lock";

impl LockRow {
    fn lock(self) -> Result<Lock> {
        Ok(Lock {
            id: LockId(self.id),
            camera: CameraId(self.camera),
            span: span(At { table: "lock", row: self.id }, self.start_us, self.end_us)?,
            reason: self.reason,
            actor: self.actor,
            made_us: self.made_us,
            until_us: self.until_us,
            released_us: self.released_us,
        })
    }
}

fn span(at: At, start_us: i64, end_us: i64) -> Result<Span> {
    Span::new(start_us, end_us).ok_or_else(|| at.corrupt("ends before it starts"))
}

impl Store {
    /// Locks a span of some cameras, all or none of them: one lock each, in their order. With `until_us` it is to be
    /// released by [`Store::release_locks_due`].
    ///
    /// # Errors
    /// `Refused` for an empty span, a reason that cannot be, no camera at all, or an `until_us` that has passed;
    /// `NotFound` for a camera that is not there (a retired one can be locked, its recordings stay).
    pub async fn add_lock(
        &self,
        actor: &Actor,
        cameras: &[CameraId],
        span: Span,
        reason: &str,
        until_us: Option<i64>,
        now: WallTime,
    ) -> Result<Vec<LockId>> {
        let reason = checked(span, reason)?;
        if until_us.is_some_and(|until| until <= now.us()) {
            return Err(StoreError::Refused(Refusal::new(
                "until_us",
                "thời hạn khóa đã qua; hãy chọn thời điểm sau bây giờ hoặc để trống",
                "the time until which to keep it has passed; give a later one or none",
            )));
        }
        if cameras.is_empty() {
            return Err(StoreError::Refused(Refusal::new(
                "cameras",
                "chưa chọn camera nào; hãy chọn ít nhất một",
                "no camera is named; name at least one",
            )));
        }
        let (cameras, by) = (cameras.to_vec(), actor.name.clone());
        self.change(actor, "lock.add", now, move |tx| {
            Box::pin(async move {
                let mut ids = Vec::with_capacity(cameras.len());
                for camera in &cameras {
                    cameras::found(tx, *camera).await?;
                    let text = "insert into lock (camera, start_us, end_us, reason, actor, made_us, until_us) \
                                values ($1, $2, $3, $4, $5, $6, $7) returning id";
                    let insert = Sql::new(text)
                        .bind(camera.0)
                        .bind(span.start_us)
                        .bind(span.end_us)
                        .bind(reason.as_str())
                        .bind(by.as_str())
                        .bind(now.us())
                        .bind(until_us);
                    ids.push(LockId(tx.number(insert).await?));
                }
                let after = json!({
                    "ids": ids, "cameras": cameras, "start_us": span.start_us, "end_us": span.end_us,
                    "reason": reason, "until_us": until_us,
                });
                Ok(Changed { object: ids[0].0, before: None, after: Some(after), out: ids })
            })
        })
        .await
    }

    /// Locks that hold, newest first, at most 20 000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn locks(&self) -> Result<Vec<Lock>> {
        let mut sql = Sql::new(LOCKS);
        sql.push(" where released_us is null order by id desc limit ").push_bind(ROWS_MAX);
        let rows: Vec<LockRow> = self.db.rows(sql).await?;
        rows.into_iter().map(LockRow::lock).collect()
    }

    /// Releases a lock; its row stays.
    ///
    /// # Errors
    /// `NotFound` when no such lock holds.
    pub async fn remove_lock(&self, actor: &Actor, id: LockId, now: WallTime) -> Result<()> {
        self.change(actor, "lock.remove", now, move |tx| {
            Box::pin(async move {
                let mut sql = Sql::new(LOCKS);
                sql.push(" where released_us is null and id = ").push_bind(id.0);
                let row: Option<LockRow> = tx.row(sql).await?;
                let before = row.ok_or(StoreError::NotFound { what: "lock", id: id.0 })?.lock()?;
                tx.execute(Sql::new("update lock set released_us = $2 where id = $1").bind(id.0).bind(now.us()))
                    .await?;
                Ok(Changed { object: id.0, before: Some(logged(&before)), after: None, out: () })
            })
        })
        .await
    }

    /// Releases the locks whose time has come; how many. Until this is called they hold: nothing is removed because a
    /// clock was wrong for a moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_locks_due(&self, now: WallTime) -> Result<u64> {
        // Asked first: a writing transaction a second would be for nothing.
        let due = "select id from lock where released_us is null and until_us <= $1 limit 1";
        if self.db.row::<(i64,)>(Sql::new(due).bind(now.us())).await?.is_none() {
            return Ok(0);
        }
        let text = "update lock set released_us = $1 where released_us is null and until_us <= $1";
        let release = Sql::new(text).bind(now.us());
        self.write(|tx| Box::pin(async move { tx.execute(release).await })).await
    }

    /// Locked spans of a stream that share time with `span`, by start; they may overlap and reach out of it.
    ///
    /// # Errors
    /// When the database fails, or there are more than 20 000 (then nothing may be removed).
    pub async fn locks_in(&self, stream: StreamId, within: Span) -> Result<Vec<Span>> {
        let text = "select l.id, l.start_us, l.end_us from lock l join stream s on s.camera = l.camera \
                    where s.id = $1 and l.start_us < $2 and l.end_us > $3 and l.released_us is null \
                    order by l.start_us, l.id limit $4";
        let sql = Sql::new(text).bind(stream.0).bind(within.end_us).bind(within.start_us).bind(ROWS_MAX + 1);
        let rows: Vec<(i64, i64, i64)> = self.db.rows(sql).await?;
        super::segments::check_bound(rows.len())?;
        rows.into_iter().map(|(id, start_us, end_us)| span(At { table: "lock", row: id }, start_us, end_us)).collect()
    }

    /// Declares an outage of some cameras, or of the whole site when none is named. It excuses what is missing from
    /// now on, never what was missing before it was declared.
    ///
    /// # Errors
    /// `Refused` for an empty span, one that is over, or a reason that cannot be; `NotFound` for a camera that is not
    /// there.
    pub async fn add_planned(
        &self,
        actor: &Actor,
        cameras: &[CameraId],
        span: Span,
        reason: &str,
        now: WallTime,
    ) -> Result<Vec<PlannedId>> {
        let reason = checked(span, reason)?;
        if span.end_us <= now.us() {
            return Err(StoreError::Refused(Refusal::new(
                "end_us",
                "khoảng này đã qua; chỉ khai báo được việc sắp làm",
                "this span is over; only what is to come can be declared",
            )));
        }
        let wanted: Vec<Option<CameraId>> =
            if cameras.is_empty() { vec![None] } else { cameras.iter().copied().map(Some).collect() };
        let by = actor.name.clone();
        self.change(actor, "planned.add", now, move |tx| {
            Box::pin(async move {
                let mut ids = Vec::with_capacity(wanted.len());
                for camera in &wanted {
                    if let Some(camera) = camera {
                        cameras::in_use(tx, *camera).await?;
                    }
                    let text = "insert into planned (camera, start_us, end_us, reason, actor, made_us) \
                                values ($1, $2, $3, $4, $5, $6) returning id";
                    let insert = Sql::new(text)
                        .bind(camera.map(|c| c.0))
                        .bind(span.start_us)
                        .bind(span.end_us)
                        .bind(reason.as_str())
                        .bind(by.as_str())
                        .bind(now.us());
                    ids.push(PlannedId(tx.number(insert).await?));
                }
                let after = json!({
                    "ids": ids, "cameras": wanted, "start_us": span.start_us, "end_us": span.end_us, "reason": reason,
                });
                Ok(Changed { object: ids[0].0, before: None, after: Some(after), out: ids })
            })
        })
        .await
    }

    /// Calls a declared outage off.
    ///
    /// # Errors
    /// `NotFound` when there is no such outage in force.
    pub async fn remove_planned(&self, actor: &Actor, id: PlannedId, now: WallTime) -> Result<()> {
        self.change(actor, "planned.remove", now, move |tx| {
            Box::pin(async move {
                let text = "update planned set removed_us = $2 where id = $1 and removed_us is null";
                if tx.execute(Sql::new(text).bind(id.0).bind(now.us())).await? == 0 {
                    return Err(StoreError::NotFound { what: "planned", id: id.0 });
                }
                Ok(Changed { object: id.0, before: Some(json!({ "id": id })), after: None, out: () })
            })
        })
        .await
    }

    /// Declared outages in force that share time with the span, by start.
    ///
    /// # Errors
    /// `Refused` when they are more than 20 000.
    pub async fn planned_in(&self, within: Span) -> Result<Vec<Planned>> {
        type Row = (i64, Option<i64>, i64, i64, String, String, i64);
        let text = "select id, camera, start_us, end_us, reason, actor, made_us from planned \
                    where start_us < $1 and end_us > $2 and removed_us is null order by start_us, id limit $3";
        let rows: Vec<Row> =
            self.db.rows(Sql::new(text).bind(within.end_us).bind(within.start_us).bind(ROWS_MAX + 1)).await?;
        super::segments::check_bound(rows.len())?;
        let planned = |(id, camera, start_us, end_us, reason, actor, made_us): Row| {
            let span = span(At { table: "planned", row: id }, start_us, end_us)?;
            Ok(Planned { id: PlannedId(id), camera: camera.map(CameraId), span, reason, actor, made_us })
        };
        rows.into_iter().map(planned).collect()
    }
}

fn logged(lock: &Lock) -> Json {
    json!({
        "id": lock.id, "camera": lock.camera, "start_us": lock.span.start_us, "end_us": lock.span.end_us,
        "reason": lock.reason, "until_us": lock.until_us,
    })
}

fn checked(span: Span, reason: &str) -> Result<String> {
    if span.len_us() <= 0 {
        return Err(StoreError::Refused(Refusal::new(
            "end_us",
            "khoảng thời gian trống; thời điểm cuối phải sau thời điểm đầu",
            "the span is empty; it must end after it starts",
        )));
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        return Err(StoreError::Refused(Refusal::new(
            "reason",
            format!("lý do trống hoặc quá dài; cần từ 1 đến {REASON_CHARS_MAX} ký tự"),
            format!("the reason is empty or too long; give 1 to {REASON_CHARS_MAX} characters"),
        )));
    }
    Ok(reason.to_owned())
}
