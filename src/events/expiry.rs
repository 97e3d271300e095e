//! Events, their pictures and tracks go by age: pictures with the recordings of events of their camera, everything after
//! [`EVENT_DAYS`]. File before row, so that no row of the future points at nothing and no file is forgotten.
//!
//! The time is the one that retention last believed: while a clock that jumped waits for a person, nothing goes here either.
//! Events in a span that somebody locked stay with their pictures.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{crops, snapshot};
use crate::{
    domain::ids::{CameraId, EventId},
    logic::retention::{Class, EVENT_DAYS, GAP_DAYS, days_before_us},
    runtime::stop::Stop,
    store::{OldEvent, OldTrack, Store, StoreError},
};

/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_secs(60);
/// What was said of pictures is kept as long as what was missing of recordings.
const HEALTH_DAYS: i64 = GAP_DAYS;
/// Events or tracks in one batch.
const BATCH: u32 = 200;

/// A place in the events by age: start and id of the last one passed.
type Place = (i64, EventId);
const BEGINNING: Place = (i64::MIN, EventId(0));

/// What one pass removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Events.
    pub events: u64,
    /// Events whose pictures were looked for alone, the event stays.
    pub pictures: u64,
    /// Tracks.
    pub tracks: u64,
    /// Tracks whose pictures were looked for alone, the track stays.
    pub crops: u64,
}

/// The state of the walk. All of it can be lost.
#[derive(Debug)]
pub struct Expiry {
    store: Store,
    data_dir: PathBuf,
    /// Before this place no event of a camera has pictures that are to go.
    pictures_to: HashMap<CameraId, Place>,
    /// The same of tracks.
    crops_to: HashMap<CameraId, (i64, i64)>,
    locks: (i64, i64),
}

/// Works until `stop` is asked.
pub async fn run(store: Store, data_dir: PathBuf, stop: Stop) {
    let mut expiry = Expiry::new(store, &data_dir);
    loop {
        match expiry.pass(&stop).await {
            Ok(gone) if gone != Expired::default() => tracing::info!(?gone, "removed what was too old"),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "events could not be removed by age; trying again"),
        }
        tokio::select! {
            () = stop.asked() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

impl Expiry {
    /// Nothing looked at yet.
    #[must_use]
    pub fn new(store: Store, data_dir: &Path) -> Self {
        Self {
            store,
            data_dir: data_dir.to_owned(),
            pictures_to: HashMap::new(),
            crops_to: HashMap::new(),
            locks: (0, 0),
        }
    }

    /// Removes all that is too old; ends early when `stop` is asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pass(&mut self, stop: &Stop) -> Result<Expired, StoreError> {
        let mut gone = Expired::default();
        // Before the first pass of retention no time is believed.
        let Some(state) = self.store.retention_state().await? else { return Ok(gone) };
        let locks = self.store.locks_mark().await?;
        if locks != self.locks {
            // What was passed because of a lock may go now.
            self.pictures_to.clear();
            self.crops_to.clear();
            self.locks = locks;
        }
        let horizon_us = days_before_us(state.agreed, EVENT_DAYS);
        gone.events = self.events(horizon_us, stop).await?;
        gone.tracks = self.tracks(horizon_us, stop).await?;
        let health_us = days_before_us(state.agreed, HEALTH_DAYS);
        while !stop.is_asked() && self.store.remove_health_before(health_us, BATCH).await? > 0 {}
        let mut horizons: HashMap<CameraId, Option<i64>> = HashMap::new();
        for stream in self.store.stream_uses().await? {
            let keep = state.settings.of(stream.camera, stream.kind);
            let horizon = keep.horizon_us(Class::Events, state.agreed);
            // A picture stays as long as one of its camera's streams would.
            let longest = horizons.entry(stream.camera).or_insert(Some(i64::MAX));
            *longest = longest.and_then(|longest| horizon.map(|h| h.min(longest)));
        }
        for (camera, horizon_us) in horizons {
            if let Some(horizon_us) = horizon_us {
                gone.pictures += self.pictures(camera, horizon_us, stop).await?;
                gone.crops += self.crops(camera, horizon_us, stop).await?;
            }
        }
        Ok(gone)
    }

    async fn events(&self, horizon_us: i64, stop: &Stop) -> Result<u64, StoreError> {
        let (mut place, mut removed) = (BEGINNING, 0);
        while !stop.is_asked() {
            let old = self.store.old_events(None, place, horizon_us, BATCH).await?;
            let Some(last) = old.last() else { break };
            // One whose picture cannot be removed is passed and tried again by the next pass.
            place = (last.start_us, last.id);
            let gone = self.without_pictures(&old).await;
            removed += self.store.remove_events(&gone).await?;
        }
        Ok(removed)
    }

    async fn pictures(&mut self, camera: CameraId, horizon_us: i64, stop: &Stop) -> Result<u64, StoreError> {
        let mut removed = 0;
        while !stop.is_asked() {
            let place = *self.pictures_to.get(&camera).unwrap_or(&BEGINNING);
            let old = self.store.old_events(Some(camera), place, horizon_us, BATCH).await?;
            let Some(last) = old.last() else { break };
            let gone = self.without_pictures(&old).await;
            removed += gone.len() as u64;
            if gone.len() < old.len() {
                break;
            }
            self.pictures_to.insert(camera, (last.start_us, last.id));
        }
        Ok(removed)
    }

    async fn tracks(&self, horizon_us: i64, stop: &Stop) -> Result<u64, StoreError> {
        let (mut place, mut removed) = ((i64::MIN, 0), 0);
        while !stop.is_asked() {
            let old = self.store.old_tracks(None, place, horizon_us, BATCH).await?;
            let Some(last) = old.last() else { break };
            place = (last.start_us, last.id);
            let gone = self.without_crops(&old).await;
            removed += self.store.remove_tracks(&gone).await?;
        }
        Ok(removed)
    }

    async fn crops(&mut self, camera: CameraId, horizon_us: i64, stop: &Stop) -> Result<u64, StoreError> {
        let mut removed = 0;
        while !stop.is_asked() {
            let place = *self.crops_to.get(&camera).unwrap_or(&(i64::MIN, 0));
            let old = self.store.old_tracks(Some(camera), place, horizon_us, BATCH).await?;
            let Some(last) = old.last() else { break };
            let gone = self.without_crops(&old).await;
            removed += gone.len() as u64;
            if gone.len() < old.len() {
                break;
            }
            self.crops_to.insert(camera, (last.start_us, last.id));
        }
        Ok(removed)
    }

    async fn without_crops(&self, tracks: &[OldTrack]) -> Vec<i64> {
        crops::remove(&self.data_dir, tracks).await
    }

    async fn without_pictures(&self, events: &[OldEvent]) -> Vec<EventId> {
        snapshot::remove(&self.data_dir, events.iter().map(|e| (e.id, e.start_us))).await
    }
}
