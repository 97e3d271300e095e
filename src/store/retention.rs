//! What retention needs: settings, segments by age a page at a time, removal in the order file → row, what waits for a
//! person.

use serde_json::json;

use super::{
    At, Result, Store, StoreError,
    changes::Changed,
    db::Tx,
    segments::{add_to_total, add_to_usage},
    sql::Sql,
    stored, to_json,
};
use crate::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, SegmentId, StreamId},
        query::Actor,
        refusal::Refusal,
        rule::RuleKind,
        time::{Span, WallTime},
    },
    logic::retention::{Class, Keep, Own, PAD_US, Settings},
};

/// An event longer than this is only found in its first part; without a bound every page would read all events.
const EVENT_US_MAX: i64 = 86_400_000_000;
/// The most rows one removal or one page may name: the writer's turn comes soon.
const ROWS_MAX: i64 = 4096;
const DAY_US: i64 = 86_400_000_000;
/// Less than this says nothing about a day.
const MEASURED_US_LEAST: i64 = 60_000_000;

/// A stream and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamUse {
    /// Which.
    pub stream: StreamId,
    /// Whose.
    pub camera: CameraId,
    /// The camera's code.
    pub code: String,
    /// The camera's name.
    pub name: String,
    /// Main or sub.
    pub kind: StreamKind,
    /// Whether it is being recorded now.
    pub recorded: bool,
    /// Closed segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes a day as last measured.
    pub day_bytes: Option<u64>,
    /// Start of its oldest segment, UTC microseconds.
    pub oldest_us: Option<i64>,
}

/// A segment in the order of age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// Which.
    pub id: SegmentId,
    /// When.
    pub span: Span,
    /// Bytes of its file.
    pub bytes: u64,
    /// Still being written.
    pub open: bool,
    /// Under the store folder.
    pub path: String,
}

/// Why so much would be removed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// A setting was changed.
    Settings,
    /// The clock stepped, or the box was off for long.
    Clock,
}

impl StopCause {
    const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Clock => "clock",
        }
    }
    fn from_name(name: &str) -> Option<Self> {
        [Self::Settings, Self::Clock].into_iter().find(|c| c.name() == name)
    }
}

/// A removal that waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Stopped {
    /// Since when; names this very removal when it is confirmed.
    pub stopped_us: i64,
    /// What would remove so much.
    pub cause: StopCause,
    /// How many segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many events, with their pictures.
    pub events: u64,
    /// When a person let it go on.
    pub confirmed_us: Option<i64>,
}

/// What was agreed on last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionState {
    /// Wall clock of the last pass that was believed.
    pub agreed: WallTime,
    /// The settings then in force.
    pub settings: Settings,
    /// What waits.
    pub stopped: Option<Stopped>,
}

type KeepRow = (i64, Option<i64>, String, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
const KEEPS: &str = "select id, camera, kind, continuous_days, motion_days, events_days, bytes from retention order by \
                     camera, kind";

fn settings_of(rows: Vec<KeepRow>) -> Result<Settings> {
    let mut settings = Settings::default();
    for (id, camera, kind, continuous, motion, events, bytes) in rows {
        let at = At { table: "retention", row: id };
        let days = |column, stored: Option<i64>| stored.map(|n| at.narrow(column, n)).transpose();
        let keep = Keep {
            continuous_days: days("continuous_days", continuous)?,
            motion_days: days("motion_days", motion)?,
            events_days: days("events_days", events)?,
            bytes: bytes.map(|n| at.narrow("bytes", n)).transpose()?,
        };
        match (camera.map(CameraId), at.word("kind", &kind, StreamKind::from_name)?) {
            (Some(camera), kind) => settings.cameras.push(Own { camera, kind, keep }),
            (None, StreamKind::Main) => settings.main = keep,
            (None, StreamKind::Sub) => settings.sub = keep,
        }
    }
    Ok(settings)
}

async fn put_keep(tx: &mut Tx, camera: Option<CameraId>, kind: StreamKind, keep: Keep) -> Result<()> {
    let text = "insert into retention (camera, kind, continuous_days, motion_days, events_days, bytes) \
                values ($1, $2, $3, $4, $5, $6)";
    let insert = Sql::new(text)
        .bind(camera.map(|c| c.0))
        .bind(kind.name())
        .bind(keep.continuous_days.map(i64::from))
        .bind(keep.motion_days.map(i64::from))
        .bind(keep.events_days.map(i64::from))
        .bind(keep.bytes.map(stored));
    tx.execute(insert).await.map(drop)
}

impl Store {
    /// The settings in force.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_settings(&self) -> Result<Settings> {
        settings_of(self.db.rows(Sql::new(KEEPS)).await?)
    }

    /// Puts all settings into force; one line of the change log. They must have been checked.
    ///
    /// # Errors
    /// `Refused` for a camera that is not there.
    pub async fn set_keep_settings(&self, actor: &Actor, settings: &Settings, now: WallTime) -> Result<()> {
        let mut settings = settings.clone();
        settings.cameras.sort_by_key(|own| (own.camera, own.kind));
        self.change(actor, "retention.update", now, move |tx| {
            Box::pin(async move {
                let before = settings_of(tx.rows(Sql::new(KEEPS)).await?)?;
                tx.execute(Sql::new("delete from retention")).await?;
                put_keep(tx, None, StreamKind::Main, settings.main).await?;
                put_keep(tx, None, StreamKind::Sub, settings.sub).await?;
                for (i, own) in settings.cameras.iter().enumerate() {
                    let known = Sql::new("select id from camera where id = $1").bind(own.camera.0);
                    if tx.row::<(i64,)>(known).await?.is_none() {
                        return Err(StoreError::Refused(Refusal::new(
                            format!("cameras[{i}].camera"),
                            "không có camera này; hãy chọn trong danh sách",
                            "there is no such camera; take one of the list",
                        )));
                    }
                    put_keep(tx, Some(own.camera), own.kind, own.keep).await?;
                }
                // What waited for a word was reckoned with the settings before.
                let text = "update retention_state set stopped_us = null, cause = null, segments = null, bytes = null, \
                            events = null, confirmed_us = null";
                tx.execute(Sql::new(text)).await?;
                Ok(Changed { object: 0, before: Some(json!(before)), after: Some(json!(settings)), out: () })
            })
        })
        .await
    }

    /// All streams that ever were, by camera, main first, and what they hold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stream_uses(&self) -> Result<Vec<StreamUse>> {
        type Row = (i64, i64, String, String, String, bool, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
        let text = "select s.id, s.camera, c.code, c.name, s.kind, \
                    s.retired_us is null and c.retired_us is null and (s.kind <> 'main' or c.main_off_us is null), \
                    u.segments, u.bytes, u.day_bytes, \
                    (select g.start_us from segment g where g.stream = s.id order by g.start_us limit 1) \
                    from stream s join camera c on c.id = s.camera left join stream_usage u on u.stream = s.id \
                    order by s.camera, s.kind";
        let rows: Vec<Row> = self.db.rows(Sql::new(text)).await?;
        let one = |(id, camera, code, name, kind, recorded, segments, bytes, day_bytes, oldest_us): Row| {
            let at = At { table: "stream", row: id };
            Ok(StreamUse {
                stream: StreamId(id),
                camera: CameraId(camera),
                code,
                name,
                kind: at.word("kind", &kind, StreamKind::from_name)?,
                recorded,
                segments: at.narrow("segments", segments.unwrap_or(0))?,
                bytes: at.narrow("bytes", bytes.unwrap_or(0))?,
                day_bytes: day_bytes.map(|n| at.narrow("day_bytes", n)).transpose()?,
                oldest_us,
            })
        };
        rows.into_iter().map(one).collect()
    }

    /// Segments of a stream behind a place (start and id), oldest first, that start before a time; at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_after(
        &self,
        stream: StreamId,
        after: (i64, SegmentId),
        before_us: i64,
        limit: u32,
    ) -> Result<Vec<HeldRow>> {
        let rows: Vec<(i64, i64, i64, i64, bool, String)> =
            self.db.rows(held_page(stream, after, before_us, limit)).await?;
        let one = |(id, start_us, end_us, bytes, open, path): (i64, i64, i64, i64, bool, String)| {
            let bytes = At { table: "segment", row: id }.narrow("size_bytes", bytes)?;
            Ok(HeldRow { id: SegmentId(id), span: Span { start_us, end_us }, bytes, open, path })
        };
        rows.into_iter().map(one).collect()
    }

    /// What gives the segments of a stream in that span their class: events of the camera and locks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn marks_in(&self, camera: CameraId, stream: StreamId, span: Span) -> Result<Vec<(Class, Span)>> {
        let rows: Vec<(i64, i64, i64, String)> = self.db.rows(events_near(camera, span)).await?;
        let mut marks = Vec::with_capacity(rows.len());
        for (id, start_us, end_us, kind) in rows {
            let class = match (At { table: "event", row: id }).word("kind", &kind, RuleKind::from_name)? {
                RuleKind::Motion => Class::Motion,
                _ => Class::Events,
            };
            marks.push((class, Span { start_us, end_us: end_us.max(start_us.saturating_add(1)) }));
        }
        marks.extend(self.locks_in(stream, span).await?.into_iter().map(|span| (Class::Locked, span)));
        Ok(marks)
    }

    /// Changes whenever a lock is made or released: what was skipped because of one has to be looked at again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn locks_mark(&self) -> Result<(i64, i64)> {
        let text = "select coalesce(max(id), 0), cast(count(released_us) as bigint) from lock";
        Ok(self.db.row(Sql::new(text)).await?.unwrap_or_default())
    }

    /// Notes that the files of these segments are about to be removed; gives those that may be: closed, and not locked
    /// at this very moment. A lock that is made later comes too late and finds the removal noted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_removal(&self, segments: &[SegmentId]) -> Result<Vec<SegmentId>> {
        let ids: Vec<i64> = segments.iter().map(|s| s.0).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.write(move |tx| {
            Box::pin(async move {
                let mut note = Sql::new(
                    "insert into segment_removal (segment) select g.id from segment g \
                     join stream s on s.id = g.stream where not g.open and g.id in ",
                );
                note.push_list(ids.iter().copied());
                note.push(
                    " and not exists (select 1 from lock l where l.camera = s.camera and l.released_us is null \
                     and l.start_us < g.end_us and l.end_us > g.start_us) on conflict (segment) do nothing",
                );
                tx.execute(note).await?;
                let mut noted = Sql::new("select segment from segment_removal where segment in ");
                noted.push_list(ids);
                let rows: Vec<(i64,)> = tx.rows(noted).await?;
                Ok(rows.into_iter().map(|(id,)| SegmentId(id)).collect())
            })
        })
        .await
    }

    /// Removals noted and not yet ended, with the paths of their files; at most 4096.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn removals_begun(&self) -> Result<Vec<(SegmentId, String)>> {
        let text = "select r.segment, g.path from segment_removal r join segment g on g.id = r.segment \
                    order by r.segment limit $1";
        let rows: Vec<(i64, String)> = self.db.rows(Sql::new(text).bind(ROWS_MAX)).await?;
        Ok(rows.into_iter().map(|(id, path)| (SegmentId(id), path)).collect())
    }

    /// Takes the rows of segments whose files are gone for good out of the index; how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_removal(&self, segments: &[SegmentId]) -> Result<u64> {
        let ids: Vec<i64> = segments.iter().map(|s| s.0).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.write(move |tx| {
            Box::pin(async move {
                let mut note = Sql::new("delete from segment_removal where segment in ");
                note.push_list(ids.iter().copied());
                tx.execute(note).await?;
                let mut delete = Sql::new("delete from segment where id in ");
                delete.push_list(ids).push(" returning stream, size_bytes, open");
                let gone: Vec<(i64, i64, bool)> = tx.rows(delete).await?;
                let (mut count, mut bytes) = (0, 0);
                for &(stream, size, open) in &gone {
                    (count, bytes) = (count + 1, bytes + size);
                    if !open {
                        add_to_usage(tx, stream, -1, -size).await?;
                    }
                }
                if count > 0 {
                    add_to_total(tx, -count, -bytes).await?;
                }
                Ok(gone.len() as u64)
            })
        })
        .await
    }

    /// Measures anew what a stream records a day, from its segments of the last day; a younger stream is reckoned up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn measure_day(&self, stream: StreamId, now: WallTime) -> Result<()> {
        let text = "select cast(sum(size_bytes) as bigint), min(start_us) from segment \
                    where stream = $1 and start_us > $2 and start_us <= $3";
        let sql = Sql::new(text).bind(stream.0).bind(now.us().saturating_sub(DAY_US)).bind(now.us());
        let row: Option<(Option<i64>, Option<i64>)> = self.db.row(sql).await?;
        let Some((Some(bytes), Some(first_us))) = row else { return Ok(()) };
        let window_us = now.us().saturating_sub(first_us).min(DAY_US);
        if window_us < MEASURED_US_LEAST {
            return Ok(());
        }
        let day = i128::from(bytes) * i128::from(DAY_US) / i128::from(window_us);
        let text = "insert into stream_usage (stream, segments, bytes, day_bytes, measured_us) values ($1, 0, 0, $2, $3) \
                    on conflict (stream) do update set day_bytes = excluded.day_bytes, \
                    measured_us = excluded.measured_us";
        let put = Sql::new(text).bind(stream.0).bind(i64::try_from(day).unwrap_or(i64::MAX)).bind(now.us());
        self.write(|tx| Box::pin(async move { tx.execute(put).await.map(drop) })).await
    }

    /// What was agreed on last; `None` before the first pass.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retention_state(&self) -> Result<Option<RetentionState>> {
        type Row = (i64, String, Option<i64>, Option<String>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
        let text = "select agreed_us, agreed_keep, stopped_us, cause, segments, bytes, events, confirmed_us \
                    from retention_state";
        let row: Option<Row> = self.db.row(Sql::new(text)).await?;
        let Some((agreed_us, keep, stopped_us, cause, segments, bytes, events, confirmed_us)) = row else {
            return Ok(None);
        };
        let at = At { table: "retention_state", row: 1 };
        let stopped = match (stopped_us, cause) {
            (Some(stopped_us), Some(cause)) => Some(Stopped {
                stopped_us,
                cause: at.word("cause", &cause, StopCause::from_name)?,
                segments: at.narrow("segments", segments.unwrap_or(0))?,
                bytes: at.narrow("bytes", bytes.unwrap_or(0))?,
                events: at.narrow("events", events.unwrap_or(0))?,
                confirmed_us,
            }),
            _ => None,
        };
        let settings = at.json("agreed_keep", &keep)?;
        Ok(Some(RetentionState { agreed: WallTime(agreed_us), settings, stopped }))
    }

    /// Keeps what was agreed on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_retention_state(&self, state: &RetentionState) -> Result<()> {
        let text = "insert into retention_state (id, agreed_us, agreed_keep, stopped_us, cause, segments, bytes, \
                    events, confirmed_us) values (1, $1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do update set \
                    agreed_us = excluded.agreed_us, agreed_keep = excluded.agreed_keep, \
                    stopped_us = excluded.stopped_us, cause = excluded.cause, segments = excluded.segments, \
                    bytes = excluded.bytes, events = excluded.events, confirmed_us = excluded.confirmed_us";
        let stopped = state.stopped;
        let put = Sql::new(text)
            .bind(state.agreed.us())
            .bind(to_json(&state.settings))
            .bind(stopped.map(|s| s.stopped_us))
            .bind(stopped.map(|s| s.cause.name().to_owned()))
            .bind(stopped.map(|s| stored(s.segments)))
            .bind(stopped.map(|s| stored(s.bytes)))
            .bind(stopped.map(|s| stored(s.events)))
            .bind(stopped.and_then(|s| s.confirmed_us));
        self.write(|tx| Box::pin(async move { tx.execute(put).await.map(drop) })).await
    }

    /// Lets the removal that has waited since `stopped_us` go on; one line of the change log.
    ///
    /// # Errors
    /// `Refused` when nothing waits, or something else than that.
    pub async fn confirm_removal(&self, actor: &Actor, stopped_us: i64, now: WallTime) -> Result<()> {
        self.change(actor, "retention.confirm", now, move |tx| {
            Box::pin(async move {
                let select = Sql::new("select stopped_us, cause, segments, bytes from retention_state");
                type Row = (Option<i64>, Option<String>, Option<i64>, Option<i64>);
                let row: Option<Row> = tx.row(select).await?;
                let Some((Some(since), cause, segments, bytes)) = row.filter(|r| r.0 == Some(stopped_us)) else {
                    return Err(StoreError::Refused(Refusal::new(
                        "stopped_us",
                        "không có lần xóa nào đang chờ với số này; hãy tải lại trang Lưu trữ",
                        "no removal with this number waits; load the storage page again",
                    )));
                };
                let put = Sql::new("update retention_state set confirmed_us = $1 where id = 1").bind(now.us());
                tx.execute(put).await?;
                let before = json!({"stopped_us": since, "cause": cause, "segments": segments, "bytes": bytes});
                Ok(Changed { object: 0, before: Some(before), after: Some(json!({"confirmed": true})), out: () })
            })
        })
        .await
    }
}

fn held_page(stream: StreamId, after: (i64, SegmentId), before_us: i64, limit: u32) -> Sql {
    let text = "select id, start_us, end_us, size_bytes, open, path from segment \
                where stream = $1 and (start_us, id) > ($2, $3) and start_us < $4 order by start_us, id limit $5";
    let limit = i64::from(limit).min(ROWS_MAX);
    Sql::new(text).bind(stream.0).bind(after.0).bind(after.1.0).bind(before_us).bind(limit)
}

fn events_near(camera: CameraId, span: Span) -> Sql {
    let text = "select id, start_us, end_us, kind from event \
                where camera = $1 and start_us > $2 and start_us < $3 and end_us > $4";
    let from_us = span.start_us.saturating_sub(PAD_US);
    Sql::new(text)
        .bind(camera.0)
        .bind(from_us.saturating_sub(EVENT_US_MAX))
        .bind(span.end_us.saturating_add(PAD_US))
        .bind(from_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_by_age_and_events_near_them_read_only_their_part_of_an_index() {
        let store = Store::in_memory().await.unwrap();
        let plan = store.plan(held_page(StreamId(1), (5, SegmentId(2)), 9, 10)).await;
        assert!(plan.contains("USING INDEX segment_stream_start (stream=? AND "), "{plan}");
        assert!(plan.contains("start_us") && !plan.contains("TEMP B-TREE"), "{plan}");
        let plan = store.plan(events_near(CameraId(1), Span { start_us: 0, end_us: 1 })).await;
        assert!(plan.contains("event_camera_start (camera=? AND start_us>? AND start_us<?)"), "{plan}");
    }
}
