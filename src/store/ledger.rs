//! What the gap ledger reads and writes: streams to account for, what was recorded, its gaps and how far it has come.

use super::{
    At, Result, Store,
    db::Tx,
    segments::{ROWS_MAX, check_bound},
    sql::Sql,
};
use crate::domain::{
    camera::StreamKind,
    ids::{CameraId, GapId, StreamId},
    segment::GapCause,
    time::{Span, WallTime},
};

/// A stream to be accounted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerStream {
    /// Which.
    pub stream: StreamId,
    /// Whose.
    pub camera: CameraId,
    /// Main or sub.
    pub kind: StreamKind,
    /// Since when it is to be recorded, UTC microseconds.
    pub since_us: i64,
    /// Since when it no longer is.
    pub retired_us: Option<i64>,
    /// Everything before is accounted for; `None` before the ledger has looked at it.
    pub until_us: Option<i64>,
}

/// A span without recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Whose.
    pub stream: StreamId,
    /// When.
    pub span: Span,
    /// Why.
    pub cause: GapCause,
    /// What says so, for a person.
    pub evidence: String,
}

/// A gap with its number and who declared it beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerGap {
    /// Its number; `None` before the store has given one.
    pub id: Option<GapId>,
    /// The gap.
    pub gap: Gap,
    /// Who declared it, when its cause is `planned`.
    pub planned_by: Option<String>,
}

impl LedgerGap {
    /// The same with its number.
    #[must_use]
    pub fn numbered(self, id: GapId) -> Self {
        Self { id: Some(id), ..self }
    }
    /// Whether another one says the same of another time.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.planned_by == other.planned_by
            && self.gap.cause == other.gap.cause
            && self.gap.evidence == other.gap.evidence
    }
}

/// The last sign of life there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastLife {
    /// The boot it was in.
    pub boot_id: String,
    /// UTC at it, microseconds.
    pub utc_us: i64,
    /// How the run ended, when it ended well.
    pub ended: Option<String>,
}

/// One step of the ledger, entered as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerStep {
    /// Gaps to enter, or to change where they have a number.
    pub put: Vec<LedgerGap>,
    /// Gaps that were none.
    pub remove: Vec<GapId>,
    /// How far each stream is accounted for now.
    pub until: Vec<(StreamId, i64)>,
}

#[derive(sqlx::FromRow)]
struct StreamRow {
    id: i64,
    camera: i64,
    kind: String,
    since_us: i64,
    retired_us: Option<i64>,
    until_us: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct GapRow {
    id: i64,
    start_us: i64,
    end_us: i64,
    cause: String,
    evidence: String,
    planned_by: Option<String>,
}

impl Store {
    /// Every stream that is in use (a camera retires, and on a thin line its main stream is left out, without the stream's
    /// own row saying so), or went out of use before the ledger had come to its end; of one camera, all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_streams(&self, camera: Option<CameraId>) -> Result<Vec<LedgerStream>> {
        let mut sql = Sql::new(
            "select s.id, s.camera, s.kind, coalesce(s.since_us, c.enabled_us) as since_us, \
             coalesce(case when s.kind = 'main' then c.main_off_us end, s.retired_us, c.retired_us) as retired_us, l.until_us from stream s \
             join camera c on c.id = s.camera left join ledger l on l.stream = s.id where ",
        );
        match camera {
            Some(camera) => sql.push("s.camera = ").push_bind(camera.0),
            None => sql.push(
                "coalesce(case when s.kind = 'main' then c.main_off_us end, s.retired_us, c.retired_us) is null or \
                 coalesce(case when s.kind = 'main' then c.main_off_us end, s.retired_us, c.retired_us) > \
                 coalesce(l.until_us, s.since_us, c.enabled_us)",
            ),
        };
        sql.push(" order by s.id");
        let rows: Vec<StreamRow> = self.db.rows(sql).await?;
        let stream = |row: StreamRow| {
            let at = At { table: "stream", row: row.id };
            Ok(LedgerStream {
                stream: StreamId(row.id),
                camera: CameraId(row.camera),
                kind: at.word("kind", &row.kind, StreamKind::from_name)?,
                since_us: row.since_us,
                retired_us: row.retired_us,
                until_us: row.until_us,
            })
        };
        rows.into_iter().map(stream).collect()
    }

    /// The latest end of what was recorded of any stream, or of one that started before a time; `None` when nothing was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_recorded_us(&self, stream: Option<StreamId>, before_us: i64) -> Result<Option<i64>> {
        // The newest start is found by the index; the newest end is that segment's, since they do not overlap.
        let text = "select end_us from segment where stream = $1 and start_us < $2 order by start_us desc limit 1";
        let streams = match stream {
            Some(stream) => vec![(stream.0,)],
            None => self.db.rows::<(i64,)>(Sql::new("select id from stream")).await?,
        };
        let mut last = None;
        for (id,) in streams {
            let row: Option<(i64,)> = self.db.row(Sql::new(text).bind(id).bind(before_us)).await?;
            last = last.max(row.map(|(end_us,)| end_us));
        }
        Ok(last)
    }

    /// Gaps that share time with the span, by start, with their numbers.
    ///
    /// # Errors
    /// `Refused` when they are more than 20 000.
    pub async fn ledger_gaps(&self, stream: StreamId, within: Span) -> Result<Vec<LedgerGap>> {
        let text = "select id, start_us, end_us, cause, evidence, planned_by from gap \
                    where stream = $1 and start_us < $2 and end_us > $3 order by start_us, id limit $4";
        let sql = Sql::new(text).bind(stream.0).bind(within.end_us).bind(within.start_us).bind(ROWS_MAX + 1);
        let rows: Vec<GapRow> = self.db.rows(sql).await?;
        check_bound(rows.len())?;
        let gap = |row: GapRow| {
            let at = At { table: "gap", row: row.id };
            let span = Span::new(row.start_us, row.end_us).ok_or_else(|| at.corrupt("ends before it starts"))?;
            let cause = at.word("cause", &row.cause, GapCause::from_name)?;
            let gap = Gap { stream, span, cause, evidence: row.evidence };
            Ok(LedgerGap { id: Some(GapId(row.id)), gap, planned_by: row.planned_by })
        };
        rows.into_iter().map(gap).collect()
    }

    /// The same without their numbers.
    ///
    /// # Errors
    /// As [`Store::ledger_gaps`].
    pub async fn gaps_in(&self, stream: StreamId, within: Span) -> Result<Vec<Gap>> {
        Ok(self.ledger_gaps(stream, within).await?.into_iter().map(|row| row.gap).collect())
    }

    /// Enters a span without recording; one of no length is left out.
    ///
    /// # Errors
    /// When the database fails, also for a stream that is not there.
    pub async fn add_gap(&self, gap: &Gap) -> Result<()> {
        if gap.span.len_us() == 0 {
            return Ok(());
        }
        let row = LedgerGap { id: None, gap: gap.clone(), planned_by: None };
        self.write(|tx| Box::pin(async move { put(tx, row).await.map(drop) })).await
    }

    /// Forgets the gaps of a stream that reach beyond a time: they were entered when the clock was ahead. Gives up to when
    /// the stream is accounted for then; `None` when nothing is known of it before that time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_gaps_ahead(&self, stream: StreamId, now_us: i64) -> Result<Option<i64>> {
        let text = "delete from gap where stream = $1 and end_us > $2 returning start_us";
        let forget = Sql::new(text).bind(stream.0).bind(now_us);
        let gone: Vec<(i64,)> = self.write(|tx| Box::pin(async move { tx.rows(forget).await })).await?;
        // The first of them begins where the right time ended.
        if let Some(first_us) = gone.into_iter().map(|(start_us,)| start_us).min().filter(|us| *us <= now_us) {
            return Ok(Some(first_us));
        }
        let text = "select max(end_us) from gap where stream = $1";
        let gap: Option<(Option<i64>,)> = self.db.row(Sql::new(text).bind(stream.0)).await?;
        Ok(gap.and_then(|(end_us,)| end_us).max(self.last_recorded_us(Some(stream), now_us).await?))
    }

    /// Enters a step in one transaction; gives the numbers of the gaps put, in their order.
    ///
    /// # Errors
    /// When the database fails; then nothing is entered.
    pub async fn step_ledger(&self, step: LedgerStep) -> Result<Vec<GapId>> {
        self.write(move |tx| {
            Box::pin(async move {
                let mut ids = Vec::with_capacity(step.put.len());
                for one in step.put {
                    ids.push(put(tx, one).await?);
                }
                for id in step.remove {
                    tx.execute(Sql::new("delete from gap where id = $1").bind(id.0)).await?;
                }
                for (stream, until_us) in step.until {
                    let text = "insert into ledger (stream, until_us) values ($1, $2) \
                                on conflict (stream) do update set until_us = excluded.until_us";
                    tx.execute(Sql::new(text).bind(stream.0).bind(until_us)).await?;
                }
                Ok(ids)
            })
        })
        .await
    }

    /// The last sign of life of this or an earlier run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_life(&self) -> Result<Option<LastLife>> {
        let text = "select boot_id, utc_us, ended from heartbeat order by beat desc limit 1";
        let row: Option<(String, i64, Option<String>)> = self.db.row(Sql::new(text)).await?;
        Ok(row.map(|(boot_id, utc_us, ended)| LastLife { boot_id, utc_us, ended }))
    }

    /// The last sign of life of a run that ends well, and how it ended; nothing is written after it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_life(&self, boot_id: &str, boot_us: i64, now: WallTime, how: &str) -> Result<()> {
        self.heartbeat(boot_id, boot_us, now).await?;
        let ended = Sql::new("update heartbeat set ended = $2 where boot_id = $1").bind(boot_id).bind(how);
        self.write(|tx| Box::pin(async move { tx.execute(ended).await.map(drop) })).await
    }
}

/// Enters a gap or changes it; one that was removed meanwhile (by its age) is entered anew.
async fn put(tx: &mut Tx, LedgerGap { id, gap, planned_by }: LedgerGap) -> Result<GapId> {
    let bound = |text: &'static str, first: i64| {
        Sql::new(text)
            .bind(first)
            .bind(gap.span.start_us)
            .bind(gap.span.end_us)
            .bind(gap.cause.name())
            .bind(gap.evidence.as_str())
            .bind(planned_by.clone())
    };
    if let Some(id) = id {
        let text = "update gap set start_us = $2, end_us = $3, cause = $4, evidence = $5, planned_by = $6 \
                    where id = $1";
        if tx.execute(bound(text, id.0)).await? > 0 {
            return Ok(id);
        }
    }
    let text = "insert into gap (stream, start_us, end_us, cause, evidence, planned_by) \
                values ($1, $2, $3, $4, $5, $6) returning id";
    Ok(GapId(tx.number(bound(text, gap.stream.0)).await?))
}
