//! What changes, told to pages as it changes (server-sent events).

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt, stream};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use super::{access::Reach, state::AppState};
use crate::{runtime::board::Change, store::Store};

/// A comment this often keeps the line open and finds out who left.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a page should come back after a restart.
const COME_BACK: Duration = Duration::from_secs(2);

pub(super) async fn stream(
    reach: Reach,
    State(state): State<AppState>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // Listening begins before the answer: nothing that changes after a page has its answer is missed.
    let store = state.store.clone();
    let changes = BroadcastStream::new(state.board.listen()).filter_map(move |change| {
        let (store, reach) = (store.clone(), reach.clone());
        async move { is_within(&store, &reach, &change).await.then(|| Ok(named(change))) }
    });
    let hello = stream::once(async { Ok(Event::default().retry(COME_BACK).comment("xin chào")) });
    let stop = state.stop.clone();
    let until_stop = hello.chain(changes).take_until(async move { stop.asked().await });
    Sse::new(until_stop).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// Whether what changed is of a camera within reach.
async fn is_within(store: &Store, reach: &Reach, change: &Result<Change, BroadcastStreamRecvError>) -> bool {
    match (reach, change) {
        (Reach::All, _) => true,
        (_, Ok(Change::Status(camera) | Change::Picture(camera))) => reach.has(*camera),
        (_, Ok(Change::Event(event))) => {
            matches!(store.event(*event).await, Ok(Some(event)) if reach.has(event.camera))
        }
        _ => true,
    }
}

fn named(change: Result<Change, BroadcastStreamRecvError>) -> Event {
    let (name, id) = match change {
        Ok(Change::Config) => ("config", 0),
        Ok(Change::Status(camera)) => ("status", camera.0),
        Ok(Change::Picture(camera)) => ("picture", camera.0),
        Ok(Change::Event(event)) => ("event", event.0),
        // What there is stands in the status.
        Ok(Change::Alarms) => ("alarms", 0),
        // The page lagged behind what is kept for it; it has to read everything again.
        Err(BroadcastStreamRecvError::Lagged(_)) => ("reload", 0),
    };
    Event::default().event(name).data(format!("{{\"id\":{id}}}"))
}
