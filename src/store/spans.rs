//! What was recorded and what moved, as spans alone: a bar of a day needs neither tables of fragments nor paths.

use super::{
    At, Result, Store,
    segments::{ROWS_MAX, SEGMENT_US_MAX, check_bound},
    sql::Sql,
};
use crate::domain::{
    ids::{CameraId, StreamId},
    rule::RuleKind,
    time::Span,
};

/// Events longer than this are found only by their start, microseconds.
const EVENT_US_MAX: i64 = 3_600_000_000;

impl Store {
    /// The spans of the segments that share time with `span`, by start; not cut to it.
    ///
    /// # Errors
    /// `Refused` when they are more than 20 000.
    pub async fn recorded_spans(&self, stream: StreamId, span: Span) -> Result<Vec<Span>> {
        let rows: Vec<(i64, i64, i64)> = self.db.rows(recorded(stream, span)).await?;
        check_bound(rows.len())?;
        let read = |(id, start_us, end_us)| {
            let at = At { table: "segment", row: id };
            Span::new(start_us, end_us).ok_or_else(|| at.corrupt("ends before it starts"))
        };
        rows.into_iter().map(read).collect()
    }

    /// The spans of a camera's events of one kind that share time with `span`, by start; not cut to it.
    ///
    /// # Errors
    /// `Refused` when they are more than 20 000.
    pub async fn event_spans(&self, camera: CameraId, kind: RuleKind, span: Span) -> Result<Vec<Span>> {
        let rows: Vec<(i64, i64)> = self.db.rows(seen(camera, kind, span)).await?;
        check_bound(rows.len())?;
        Ok(rows.into_iter().map(|(start_us, end_us)| Span { start_us, end_us: end_us.max(start_us) }).collect())
    }
}

fn recorded(stream: StreamId, span: Span) -> Sql {
    let text = "select id, start_us, end_us from segment where stream = $1 and start_us < $2 and start_us > $3 \
                and end_us > $4 order by start_us, id limit $5";
    let earliest = span.start_us.saturating_sub(SEGMENT_US_MAX);
    Sql::new(text).bind(stream.0).bind(span.end_us).bind(earliest).bind(span.start_us).bind(ROWS_MAX + 1)
}

fn seen(camera: CameraId, kind: RuleKind, span: Span) -> Sql {
    let text = "select start_us, end_us from event where camera = $1 and start_us < $2 and start_us > $3 \
                and end_us >= $4 and kind = $5 order by start_us limit $6";
    let earliest = span.start_us.saturating_sub(EVENT_US_MAX);
    let sql = Sql::new(text).bind(camera.0).bind(span.end_us).bind(earliest).bind(span.start_us);
    sql.bind(kind.name()).bind(ROWS_MAX + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bar_reads_only_its_own_span_of_the_index() {
        let store = Store::in_memory().await.unwrap();
        let span = Span { start_us: 0, end_us: 1 };
        let plan = store.plan(recorded(StreamId(1), span)).await;
        assert!(plan.contains("USING INDEX segment_stream_start (stream=? AND start_us>? AND start_us<?)"), "{plan}");
        let plan = store.plan(seen(CameraId(1), RuleKind::Motion, span)).await;
        assert!(plan.contains("USING INDEX event_camera_start (camera=? AND start_us>? AND start_us<?)"), "{plan}");
    }
}
