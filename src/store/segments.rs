//! The recording's index: media files and their fragments.

use super::{At, Result, Store, StoreError, db::Tx, packed, sql::Sql, stored};
use crate::domain::{
    ids::{SegmentId, StreamId},
    packet::Codec,
    refusal::Refusal,
    segment::{FragmentEntry, Segment},
    time::Span,
};

/// No segment is longer (they are about a minute), so that an index over starts finds all that reach into a span.
pub(super) const SEGMENT_US_MAX: i64 = 3_600_000_000;
/// The most segments or gaps one call gives: two weeks of one stream.
pub(super) const ROWS_MAX: i64 = 20_000;

/// New fragments of an open segment, on disk already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentProgress {
    /// Which.
    pub id: SegmentId,
    /// The new end, UTC microseconds.
    pub end_us: i64,
    /// Bytes of the file now.
    pub size_bytes: u64,
    /// The new rows of its table.
    pub added: Vec<FragmentEntry>,
    /// Whether the file is finished.
    pub closed: bool,
}

#[derive(sqlx::FromRow)]
pub(super) struct SegmentRow {
    id: i64,
    stream: i64,
    path: String,
    start_us: i64,
    end_us: i64,
    open: bool,
    init_bytes: i64,
    size_bytes: i64,
    codec: String,
    rfc6381: String,
    width: i64,
    height: i64,
    params_sha256: String,
    fragments: Vec<u8>,
}

pub(super) const SEGMENTS: &str = "select id, stream, path, start_us, end_us, open, init_bytes, size_bytes, codec, rfc6381, width, \
                        height, params_sha256, fragments from segment";

impl SegmentRow {
    pub(super) fn segment(self) -> Result<Segment> {
        let at = At { table: "segment", row: self.id };
        Ok(Segment {
            id: SegmentId(self.id),
            stream: StreamId(self.stream),
            path: self.path,
            start_us: self.start_us,
            end_us: self.end_us,
            open: self.open,
            init_bytes: at.narrow("init_bytes", self.init_bytes)?,
            size_bytes: at.narrow("size_bytes", self.size_bytes)?,
            codec: at.word("codec", &self.codec, Codec::from_name)?,
            rfc6381: self.rfc6381,
            width: at.narrow("width", self.width)?,
            height: at.narrow("height", self.height)?,
            params_sha256: self.params_sha256,
            fragments: packed::unpack(&self.fragments).map_err(|why| at.corrupt(why))?,
        })
    }
}

impl Store {
    /// Enters a segment, with the fragments it may have already; its id is not looked at.
    ///
    /// # Errors
    /// `Refused` when another segment has that path; a database error for a stream that is not there.
    pub async fn open_segment(&self, segment: &Segment) -> Result<SegmentId> {
        let segment = segment.clone();
        self.write(|tx| {
            Box::pin(async move {
                if is_known(tx, &segment.path).await? {
                    return Err(StoreError::Refused(Refusal::new(
                        segment.path,
                        "đã có một đoạn ghi hình với đường dẫn này; hãy đặt tên khác",
                        "there is a segment with this path already; give it another name",
                    )));
                }
                insert(tx, &segment).await
            })
        })
        .await
    }

    /// Enters what has reached the disk; all segments in one transaction. A fragment that stands in the table already
    /// is not entered twice, so that a call whose answer was lost can be made again.
    ///
    /// # Errors
    /// `NotFound` for a segment that is not there, `Corrupt` for a fragment that contradicts the table; then nothing
    /// of this call is entered.
    pub async fn progress_segments(&self, progress: &[SegmentProgress]) -> Result<()> {
        if progress.is_empty() {
            return Ok(());
        }
        let progress = progress.to_vec();
        self.write(move |tx| {
            Box::pin(async move {
                let mut grown = 0;
                for one in &progress {
                    grown += enter(tx, one).await?;
                }
                if grown == 0 { Ok(()) } else { add_to_total(tx, 0, grown).await }
            })
        })
        .await
    }

    /// Those that share time with the span, by start.
    ///
    /// # Errors
    /// `Refused` when they are more than 20 000.
    pub async fn segments_in(&self, stream: StreamId, span: Span) -> Result<Vec<Segment>> {
        let rows: Vec<SegmentRow> = self.db.rows(within(stream, span)).await?;
        check_bound(rows.len())?;
        rows.into_iter().map(SegmentRow::segment).collect()
    }

    /// Those left open by a run that did not end well, by id.
    ///
    /// # Errors
    /// When the database fails, or a stored table cannot be read.
    pub async fn open_segments(&self) -> Result<Vec<Segment>> {
        let mut sql = Sql::new(SEGMENTS);
        sql.push(" where open order by id");
        let rows: Vec<SegmentRow> = self.db.rows(sql).await?;
        rows.into_iter().map(SegmentRow::segment).collect()
    }

    /// How many segments there are and how many bytes they take together; does not look at each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segment_totals(&self) -> Result<(u64, u64)> {
        let row: Option<(i64, i64)> = self.db.row(Sql::new("select segments, bytes from segment_total")).await?;
        let (segments, bytes) = row.unwrap_or_default();
        let at = At { table: "segment_total", row: 1 };
        Ok((at.narrow("segments", segments)?, at.narrow("bytes", bytes)?))
    }
}

fn within(stream: StreamId, span: Span) -> Sql {
    let mut sql = Sql::new(SEGMENTS);
    sql.push(" where stream = ").push_bind(stream.0);
    sql.push(" and start_us < ").push_bind(span.end_us);
    sql.push(" and start_us > ").push_bind(span.start_us.saturating_sub(SEGMENT_US_MAX));
    sql.push(" and end_us > ").push_bind(span.start_us);
    sql.push(" order by start_us, id limit ").push_bind(ROWS_MAX + 1);
    sql
}

/// Nothing is left out in silence.
pub(super) fn check_bound(rows: usize) -> Result<()> {
    if i64::try_from(rows).is_ok_and(|rows| rows <= ROWS_MAX) {
        return Ok(());
    }
    Err(StoreError::Refused(Refusal::new(
        "span",
        format!("khoảng thời gian quá dài (hơn {ROWS_MAX} đoạn); hãy chọn khoảng ngắn hơn"),
        format!("the span is too long (more than {ROWS_MAX} pieces); ask for a shorter one"),
    )))
}

/// Whether a segment has that path.
pub(super) async fn is_known(tx: &mut Tx, path: &str) -> Result<bool> {
    let known: Option<(i64,)> = tx.row(Sql::new("select id from segment where path = $1").bind(path)).await?;
    Ok(known.is_some())
}

/// Enters a segment and counts it.
pub(super) async fn insert(tx: &mut Tx, segment: &Segment) -> Result<SegmentId> {
    let text = "insert into segment (stream, path, start_us, end_us, open, init_bytes, size_bytes, codec, rfc6381, \
                width, height, params_sha256, fragments) \
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning id";
    let (stream, bytes) = (segment.stream.0, stored(segment.size_bytes));
    let insert = Sql::new(text)
        .bind(stream)
        .bind(segment.path.as_str())
        .bind(segment.start_us)
        .bind(segment.end_us)
        .bind(segment.open)
        .bind(segment.init_bytes)
        .bind(bytes)
        .bind(segment.codec.name())
        .bind(segment.rfc6381.as_str())
        .bind(segment.width)
        .bind(segment.height)
        .bind(segment.params_sha256.as_str())
        .bind(packed::pack(&segment.fragments));
    let id = tx.number(insert).await?;
    add_to_total(tx, 1, bytes).await?;
    if !segment.open {
        add_to_usage(tx, stream, 1, bytes).await?;
    }
    Ok(SegmentId(id))
}

/// Enters one segment's progress; how many bytes it grew.
async fn enter(tx: &mut Tx, progress: &SegmentProgress) -> Result<i64> {
    let id = progress.id.0;
    let select = Sql::new("select stream, open, size_bytes, fragments from segment where id = $1").bind(id);
    let row: Option<(i64, bool, i64, Vec<u8>)> = tx.row(select).await?;
    let (stream, open, size_before, table) = row.ok_or(StoreError::NotFound { what: "segment", id })?;
    let at = At { table: "segment", row: id };
    let mut fragments = packed::unpack(&table).map_err(|why| at.corrupt(why))?;
    for &entry in &progress.added {
        match fragments.last() {
            Some(last) if entry.offset <= last.offset => {
                if !fragments.contains(&entry) {
                    return Err(at.corrupt(format!("the fragment at {} contradicts the table", entry.offset)));
                }
            }
            _ => fragments.push(entry),
        }
    }
    let size = stored(progress.size_bytes);
    // Closing is for good: a late report of an open file does not open it again.
    let text = "update segment set end_us = $2, size_bytes = $3, fragments = $4, open = (open and $5) where id = $1";
    let update =
        Sql::new(text).bind(id).bind(progress.end_us).bind(size).bind(packed::pack(&fragments)).bind(!progress.closed);
    tx.execute(update).await?;
    let grown = size.saturating_sub(size_before);
    match (open, progress.closed) {
        (true, true) => add_to_usage(tx, stream, 1, size).await?,
        (false, _) if grown != 0 => add_to_usage(tx, stream, 0, grown).await?,
        _ => {}
    }
    Ok(grown)
}

/// Keeps the sum over a stream's closed segments; once a segment, not once a fragment.
pub(super) async fn add_to_usage(tx: &mut Tx, stream: i64, segments: i64, bytes: i64) -> Result<()> {
    let text = "insert into stream_usage (stream, segments, bytes) values ($1, $2, $3) on conflict (stream) do update \
                set segments = stream_usage.segments + excluded.segments, bytes = stream_usage.bytes + excluded.bytes";
    tx.execute(Sql::new(text).bind(stream).bind(segments).bind(bytes)).await.map(drop)
}

pub(super) async fn add_to_total(tx: &mut Tx, segments: i64, bytes: i64) -> Result<()> {
    let text = "update segment_total set segments = segments + $1, bytes = bytes + $2 where id = 1";
    tx.execute(Sql::new(text).bind(segments).bind(bytes)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn segments_of_a_span_are_found_by_their_start_without_reading_the_rest() {
        let store = Store::in_memory().await.unwrap();
        let plan = store.plan(within(StreamId(1), Span { start_us: 0, end_us: 1 })).await;
        assert!(plan.contains("USING INDEX segment_stream_start (stream=? AND start_us>? AND start_us<?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
