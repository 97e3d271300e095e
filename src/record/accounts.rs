//! What became of a window of a stream, for a person: recorded, gaps with their causes, and what was removed by its age.

use std::collections::BTreeMap;

use super::ledger::{ON_ITS_WAY_US, seen};
use crate::{
    domain::{
        ids::{CameraId, StreamId},
        segment::GapCause,
        time::Span,
    },
    logic::{
        gaps::Seen,
        timeline::{Piece, TOLERANCE_US, What, account},
    },
    runtime::board::Board,
    store::{Gap, LedgerGap, LedgerStream, Store, StoreError},
};

/// What became of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounted {
    /// The window that can be accounted for: as asked, but within the stream's life and up to what is on disk now.
    pub window: Span,
    /// Microseconds of it that are recorded.
    pub recorded_us: i64,
    /// Microseconds that are gaps.
    pub gap_us: i64,
    /// Microseconds once recorded or a gap, and removed by their age.
    pub removed_us: i64,
    /// The gaps by start, cut to the window; the last one may go on.
    pub gaps: Vec<LedgerGap>,
    /// Whether the last gap goes on.
    pub open: bool,
}

/// What became of a window of one stream.
///
/// # Errors
/// `Refused` when there are more than 20 000 recordings or gaps in it.
pub async fn accounted(
    store: &Store,
    board: &Board,
    stream: &LedgerStream,
    asked: Span,
    now_us: i64,
) -> Result<Accounted, StoreError> {
    let end_us = asked.end_us.min(stream.retired_us.unwrap_or(now_us)).min(now_us);
    let start_us = asked.start_us.max(stream.since_us).min(end_us.max(stream.since_us));
    let mut window = Span { start_us, end_us: end_us.max(start_us) };
    let mut rows = store.ledger_gaps(stream.stream, window).await?;
    let recorded = store.recorded_spans(stream.stream, window).await?;
    let spans: Vec<Span> = rows.iter().map(|g| g.gap.span).collect();
    let mut pieces = account(window, &recorded, &spans, TOLERANCE_US);
    let ends_now = window.end_us > now_us - ON_ITS_WAY_US;
    if let Some(tail) = pieces.last().copied().filter(|tail| ends_now && tail.what == What::Nothing) {
        let before = pieces.len().checked_sub(2).map(|i| pieces[i].what);
        let more = match (seen(board, stream.camera, stream.kind), before) {
            // The row of a trouble that goes on is a few seconds behind.
            (Seen::Wrong(..), Some(What::Gap(i))) => Some(rows[i].clone()),
            (Seen::Wrong(cause, evidence), _) => {
                let gap = Gap { stream: stream.stream, span: tail.span, cause, evidence };
                Some(LedgerGap { id: None, gap, planned_by: None })
            }
            _ => None,
        };
        pieces.pop();
        match more {
            Some(row) => {
                pieces.push(Piece { span: tail.span, what: What::Gap(rows.len()) });
                rows.push(row);
            }
            // It may be on its way to the disk: the window ends where something is known.
            None => window.end_us = tail.span.start_us,
        }
    }
    // It is over when something after it is recorded.
    let open = ends_now && matches!(pieces.last(), Some(Piece { what: What::Gap(_), .. }));
    Ok(summed(window, &pieces, rows, stream, open))
}

fn summed(window: Span, pieces: &[Piece], rows: Vec<LedgerGap>, stream: &LedgerStream, open: bool) -> Accounted {
    let mut out = Accounted { window, recorded_us: 0, gap_us: 0, removed_us: 0, gaps: Vec::new(), open };
    let until_us = stream.until_us.unwrap_or(stream.since_us);
    for Piece { span, what } in pieces.iter().copied() {
        let mut gap = |one: LedgerGap| {
            out.gap_us += span.len_us();
            match out.gaps.last_mut() {
                Some(last) if last.gap.span.end_us == span.start_us && last.is_like(&one) => {
                    last.gap.span.end_us = span.end_us
                }
                _ => out.gaps.push(LedgerGap { gap: Gap { span, ..one.gap }, ..one }),
            }
        };
        match what {
            What::Recorded => out.recorded_us += span.len_us(),
            What::Gap(i) => gap(rows[i].clone()),
            What::Nothing if span.end_us <= until_us => out.removed_us += span.len_us(),
            What::Nothing => {
                let evidence = "just found; its cause is being looked for".to_owned();
                let found = Gap { stream: stream.stream, span, cause: GapCause::Unknown, evidence };
                gap(LedgerGap { id: None, gap: found, planned_by: None });
            }
        }
    }
    out
}

/// The streams of a camera with what became of a window of each, by their ids.
///
/// # Errors
/// As [`accounted`].
pub async fn of_camera(
    store: &Store,
    board: &Board,
    camera: CameraId,
    asked: Span,
    now_us: i64,
) -> Result<BTreeMap<StreamId, (LedgerStream, Accounted)>, StoreError> {
    let mut out = BTreeMap::new();
    for stream in store.ledger_streams(Some(camera)).await? {
        let accounted = accounted(store, board, &stream, asked, now_us).await?;
        out.insert(stream.stream, (stream, accounted));
    }
    Ok(out)
}
