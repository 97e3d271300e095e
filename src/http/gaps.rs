//! What is missing of one camera or of all, and why.

use axum::{Json, extract::State};
use serde::Serialize;

use super::{
    cameras,
    error::ApiError,
    locks,
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, GapId, StreamId},
        query::Actor,
        refusal::Refusal,
        segment::GapCause,
        time::Span,
    },
    record::accounts::{self, Accounted},
    store::{LedgerGap, LedgerStream},
};

/// The most gaps one answer lists.
const GAPS_MAX: usize = 20_000;

#[derive(Serialize)]
pub(super) struct GapReports {
    cameras: Vec<GapReport>,
}

#[derive(Serialize)]
pub(super) struct GapReport {
    camera: CameraId,
    streams: Vec<StreamReport>,
}

#[derive(Serialize)]
struct StreamReport {
    id: StreamId,
    kind: StreamKind,
    start_us: i64,
    end_us: i64,
    recorded_us: i64,
    gap_us: i64,
    removed_us: i64,
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct GapJson {
    id: Option<GapId>,
    start_us: i64,
    end_us: i64,
    cause: GapCause,
    evidence: String,
    planned_by: Option<String>,
    open: bool,
}

impl StreamReport {
    fn new((stream, accounted): (LedgerStream, Accounted)) -> Self {
        let Accounted { window, recorded_us, gap_us, removed_us, gaps, open } = accounted;
        let last = gaps.len().wrapping_sub(1);
        let gap = |(i, LedgerGap { id, gap, planned_by }): (usize, LedgerGap)| GapJson {
            id,
            start_us: gap.span.start_us,
            end_us: gap.span.end_us,
            cause: gap.cause,
            evidence: gap.evidence,
            planned_by,
            open: open && i == last,
        };
        Self {
            id: stream.stream,
            kind: stream.kind,
            start_us: window.start_us,
            end_us: window.end_us,
            recorded_us,
            gap_us,
            removed_us,
            gaps: gaps.into_iter().enumerate().map(gap).collect(),
        }
    }
}

/// The span asked for, by default the last day, and now.
fn asked(state: &AppState, params: &Params) -> Result<(Span, i64), Refusal> {
    let now_us = state.clock.media().us();
    let end_us = params.time_us("to")?.unwrap_or(now_us);
    let start_us = params.time_us("from")?.unwrap_or(end_us.saturating_sub(locks::DAY_US));
    Ok((locks::span(start_us, end_us)?, now_us))
}

async fn report(state: &AppState, camera: CameraId, asked: Span, now_us: i64) -> Result<GapReport, ApiError> {
    let streams = accounts::of_camera(&state.store, &state.board, camera, asked, now_us).await?;
    Ok(GapReport { camera, streams: streams.into_values().map(StreamReport::new).collect() })
}

pub(super) async fn of_camera(
    _: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
) -> Result<Json<GapReport>, ApiError> {
    let camera = cameras::find(&state, CameraId(id)).await?.id;
    let (asked, now_us) = asked(&state, &params)?;
    Ok(Json(report(&state, camera, asked, now_us).await?))
}

pub(super) async fn of_all(
    _: Actor,
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<GapReports>, ApiError> {
    let mut wanted: Vec<CameraId> = params.ids("camera")?.into_iter().map(CameraId).collect();
    let (asked, now_us) = asked(&state, &params)?;
    if wanted.is_empty() {
        wanted = state.store.cameras().await?.into_iter().map(|camera| camera.id).collect();
    }
    let (mut reports, mut gaps) = (Vec::with_capacity(wanted.len()), 0);
    for camera in wanted {
        let report = report(&state, cameras::find(&state, camera).await?.id, asked, now_us).await?;
        gaps += report.streams.iter().map(|stream| stream.gaps.len()).sum::<usize>();
        if gaps > GAPS_MAX {
            return Err(Refusal::new(
                "to",
                format!("có hơn {GAPS_MAX} đoạn không ghi hình; hãy chọn khoảng ngắn hơn hoặc ít camera hơn"),
                format!("there are more than {GAPS_MAX} gaps; ask for a shorter span or fewer cameras"),
            )
            .into());
        }
        reports.push(report);
    }
    Ok(Json(GapReports { cameras: reports }))
}
