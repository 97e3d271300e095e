//! Search by a typed line, and how many passed.

use std::collections::{BTreeMap, btree_map::Entry};

use axum::{Json, extract::State};
use serde::Serialize;

use super::{
    access::{Reach, Who},
    cameras,
    error::ApiError,
    events::{EventJson, or_note},
    locks::{self, DAY_US},
    params::Params,
    state::AppState,
    tracks::TrackJson,
};
use crate::{
    domain::{
        camera::Camera,
        detection::Class,
        ids::{CameraId, StreamId},
        query::Actor,
        refusal::Refusal,
        search::{Search, SearchCursor, Source},
        segment::GapCause,
        time::Span,
    },
    logic::{
        cursor,
        search::{Chip, Intent, Understood, understand},
    },
    record::accounts,
    search,
    store::{Found, LedgerStream, StoreError, TallyStep},
};

/// The most results of one page.
const PAGE_MAX: i64 = 200;
const PAGE_DEFAULT: i64 = 50;
/// An id no camera has.
const NO_CAMERA: CameraId = CameraId(0);
/// The most holes listed of one camera.
const HOLES_MAX: usize = 20;
/// Holes that together are shorter are not worth a word, microseconds.
const HOLES_US_LEAST: i64 = 1_000_000;

#[derive(Serialize)]
pub(super) struct SearchPage {
    understood: UnderstoodJson,
    results: Vec<FoundJson>,
    next: Option<String>,
    coverage: Coverage,
}

#[derive(Serialize)]
struct UnderstoodJson {
    intent: Intent,
    chips: Vec<Chip>,
    spans: Vec<Span>,
    cameras: Vec<CameraId>,
    by_colour: bool,
}

#[derive(Serialize)]
struct FoundJson {
    source: Source,
    track: Option<TrackJson>,
    event: Option<EventJson>,
}

/// What a list of results leaves out: what was not recorded in its time; asked for the state of cameras, those that are down.
#[derive(Serialize)]
struct Coverage {
    not_recorded: Vec<NotRecorded>,
    down: Vec<Down>,
}

#[derive(Serialize)]
struct NotRecorded {
    camera: CameraId,
    camera_code: String,
    camera_name: String,
    /// `None`: more holes than can be looked through.
    us: Option<i64>,
    holes: Vec<Span>,
}

#[derive(Serialize)]
struct Down {
    camera: CameraId,
    camera_code: String,
    camera_name: String,
    since_us: i64,
    cause: GapCause,
    evidence: String,
}

#[derive(Serialize)]
pub(super) struct SearchTally {
    start_us: i64,
    end_us: i64,
    tallies: Vec<TallyJson>,
}

#[derive(Serialize)]
struct TallyJson {
    start_us: i64,
    source: Source,
    word: String,
    n: i64,
}

/// What a page is asked by besides its line.
struct Asked {
    source: Option<Source>,
    colour_unknown: bool,
    limit: u32,
    after: Option<SearchCursor>,
}

fn read(params: &Params) -> Result<Asked, Vec<Refusal>> {
    let mut wrong = Vec::new();
    let source = or_note(params.one_of("what", Source::from_name, "track, event"), &mut wrong);
    let unknown = or_note(params.one_of("colour", |word| (word == "unknown").then_some(()), "unknown"), &mut wrong);
    let limit = or_note(params.int("limit", 1..=PAGE_MAX), &mut wrong).unwrap_or(PAGE_DEFAULT);
    let after = or_note(params.text("cursor").map(cursor::decode_found).transpose(), &mut wrong);
    let asked = Asked { source, colour_unknown: unknown.is_some(), limit: u32::try_from(limit).unwrap_or(1), after };
    if wrong.is_empty() { Ok(asked) } else { Err(wrong) }
}

pub(super) async fn find(
    (reach, who): (Reach, Who),
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<SearchPage>, ApiError> {
    let asked = read(&params)?;
    let now_us = state.clock.media().us();
    let context = search::context(&state.store, now_us).await?;
    let understood = understand(params.text("q").unwrap_or_default(), &context);
    let classes = &understood.search.classes;
    if (classes.is_empty() || classes.contains(&Class::Person)) && who.owes_a_reason() {
        return Err(ApiError::Purpose);
    }
    let by_colour = !understood.search.colours.is_empty();
    let mut wanted = Search { source: asked.source, colour_unknown: asked.colour_unknown, ..understood.search.clone() };
    let mut cameras = search::cameras_asked(&state.store, &wanted.cameras).await?;
    if let Reach::Only(within) = &reach {
        let named = !wanted.cameras.is_empty();
        let searched = within.iter().copied().filter(|camera| !named || wanted.cameras.contains(camera));
        wanted.cameras = searched.collect();
        cameras.retain(|camera| reach.has(camera.id));
        if wanted.cameras.is_empty() {
            // No camera means any: what names only others finds nothing.
            wanted.cameras.push(NO_CAMERA);
        }
    }
    let (mut found, mut coverage) = (Vec::new(), Coverage { not_recorded: Vec::new(), down: Vec::new() });
    if understood.intent == Intent::CameraState {
        coverage.down = down(&state, &cameras, now_us).await?;
    } else {
        // One more than asked tells whether there is a next page.
        found = state.store.search(&wanted, asked.after, asked.limit + 1).await?;
        if asked.after.is_none() {
            coverage.not_recorded = not_recorded(&state, &cameras, &wanted.spans, now_us).await?;
        }
    }
    let more = found.len() > asked.limit as usize;
    found.truncate(asked.limit as usize);
    let next = found.last().filter(|_| more).map(|last| cursor::encode_found(last.cursor()));
    let results = shown(&state, found).await?;
    let Understood { intent, chips, .. } = understood;
    let understood = UnderstoodJson { intent, chips, spans: wanted.spans, cameras: wanted.cameras, by_colour };
    Ok(Json(SearchPage { understood, results, next, coverage }))
}

async fn shown(state: &AppState, found: Vec<Found>) -> Result<Vec<FoundJson>, ApiError> {
    let mut cameras: BTreeMap<CameraId, Camera> = BTreeMap::new();
    let mut results = Vec::with_capacity(found.len());
    for one in found {
        let id = match &one {
            Found::Track(track) => track.camera,
            Found::Event(event) => event.camera,
        };
        if let Entry::Vacant(vacant) = cameras.entry(id) {
            vacant.insert(cameras::find(state, id).await?);
        }
        let camera = &cameras[&id];
        let source = one.cursor().source;
        let (track, event) = match one {
            Found::Track(track) => (Some(TrackJson::new(state, track, camera).await), None),
            Found::Event(event) => (None, Some(EventJson::new(state, event, camera).await?)),
        };
        results.push(FoundJson { source, track, event });
    }
    Ok(results)
}

/// What none of a camera's streams recorded in these spans, the camera with most first.
async fn not_recorded(
    state: &AppState,
    cameras: &[Camera],
    spans: &[Span],
    now_us: i64,
) -> Result<Vec<NotRecorded>, ApiError> {
    let mut asked: Vec<Span> = spans.iter().map(|s| Span { end_us: s.end_us.min(now_us), ..*s }).collect();
    asked.retain(|span| span.start_us < span.end_us);
    asked.reverse();
    let (Some(first), Some(last)) = (asked.first(), asked.last()) else { return Ok(Vec::new()) };
    let window = Span { start_us: first.start_us, end_us: last.end_us };
    let mut streams: BTreeMap<CameraId, Vec<LedgerStream>> = BTreeMap::new();
    for stream in state.store.ledger_streams(None).await? {
        streams.entry(stream.camera).or_default().push(stream);
    }
    let mut all = Vec::new();
    for camera in cameras {
        let mut missing: Option<Vec<Span>> = Some(asked.clone());
        for stream in streams.get(&camera.id).map(Vec::as_slice).unwrap_or_default() {
            missing = match (missing, gaps(state, stream.stream, window).await?) {
                (Some(missing), Some(gaps)) => Some(search::common(&missing, &gaps)),
                _ => None,
            };
        }
        if !streams.contains_key(&camera.id) {
            continue;
        }
        let us = missing.as_ref().map(|holes| holes.iter().map(|hole| hole.len_us()).sum::<i64>());
        if us.is_none_or(|us| us >= HOLES_US_LEAST) {
            let mut holes = missing.unwrap_or_default();
            holes.truncate(HOLES_MAX);
            let (camera_code, camera_name) = (camera.code.clone(), camera.name.clone());
            all.push(NotRecorded { camera: camera.id, camera_code, camera_name, us, holes });
        }
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.us.unwrap_or(i64::MAX)));
    Ok(all)
}

/// The gaps of a stream, by start; `None` when they are too many to be read.
async fn gaps(state: &AppState, stream: StreamId, window: Span) -> Result<Option<Vec<Span>>, ApiError> {
    match state.store.ledger_gaps(stream, window).await {
        Ok(rows) => {
            let cut = |g: Span| Span { start_us: g.start_us.max(window.start_us), end_us: g.end_us.min(window.end_us) };
            Ok(Some(rows.into_iter().map(|row| cut(row.gap.span)).filter(|g| g.start_us < g.end_us).collect()))
        }
        Err(StoreError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The cameras of which no stream is recorded now, since when and why.
async fn down(state: &AppState, cameras: &[Camera], now_us: i64) -> Result<Vec<Down>, ApiError> {
    let day = Span { start_us: now_us.saturating_sub(DAY_US), end_us: now_us };
    let mut all = Vec::new();
    for camera in cameras {
        let streams = accounts::of_camera(&state.store, &state.board, camera.id, day, now_us).await?;
        let open: Vec<_> = streams.values().map(|(_, a)| a.gaps.last().filter(|_| a.open)).collect();
        // It is down since the last of its streams is.
        let newest = open.iter().flatten().max_by_key(|gap| gap.gap.span.start_us);
        if let Some(gap) = newest.filter(|_| open.iter().all(Option::is_some)) {
            all.push(Down {
                camera: camera.id,
                camera_code: camera.code.clone(),
                camera_name: camera.name.clone(),
                since_us: gap.gap.span.start_us,
                cause: gap.gap.cause,
                evidence: gap.gap.evidence.clone(),
            });
        }
    }
    Ok(all)
}

pub(super) async fn tally(
    _: Actor,
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<SearchTally>, ApiError> {
    let cameras: Vec<CameraId> = params.ids("camera")?.into_iter().map(CameraId).collect();
    let read = |word: &str| match word {
        "hour" => Some(TallyStep::Hour),
        "day" => Some(TallyStep::Day),
        _ => None,
    };
    let step = params.one_of("step", read, "hour, day")?.unwrap_or(TallyStep::Hour);
    let end_us = params.time_us("to")?.unwrap_or_else(|| state.clock.media().us());
    let start_us = params.time_us("from")?.unwrap_or_else(|| end_us.saturating_sub(DAY_US));
    let span = locks::span(start_us, end_us)?;
    let tallies = state.store.tally(&cameras, span, step).await?;
    let tallies = tallies
        .into_iter()
        .map(|t| TallyJson { start_us: t.start_us, source: t.source, word: t.word, n: t.n })
        .collect();
    Ok(Json(SearchTally { start_us: span.start_us, end_us: span.end_us, tallies }))
}
