//! The room at work: rules step, rows are written, pictures are asked for and put on disk.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use futures::{StreamExt, future::OptionFuture, stream::FuturesUnordered};
use tokio::sync::oneshot;

use super::{
    CAMERAS_MAX, EventsConfig, crops,
    lines::Lines,
    outbox::{ATTEMPTS_MAX, Came, Outbox, Shot},
    snapshot, states,
    track_queue::{Lost, TrackQueue, Waiting},
    tracks::{Brought, Early, Tracks},
};
use crate::{
    domain::{
        event::{EventChange, LineCount},
        ids::{CameraId, EventId},
        look::TrackLook,
        rule::Rule,
        time::{BootTime, MediaTime},
        track::FrameSeen,
    },
    logic::rules::Rules,
    runtime::{
        ask::{Snapshot, SnapshotAsk, Snapshots},
        board::{Board, Change},
        clock::Clock,
        counters::Counters,
        throttle::Throttle,
    },
    store::{Store, StoreError},
};

/// The first pause after the store failed; doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A disk that does not take a picture for this long has failed, and of a store that does not answer for so long it is
/// said. Its answer is waited for all the same: what it may have done already must not be asked for twice.
const WORK_MAX: Duration = Duration::from_secs(30);
/// Vision keeps frames for a few seconds only: a picture that takes longer does not come.
const SHOT_MAX: Duration = Duration::from_secs(10);
/// How long pictures are waited for when everything else is done.
const LAST_SHOTS: Duration = Duration::from_secs(2);
/// The most pictures asked for at a time.
const SHOTS_OUT_MAX: usize = 64;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One piece of work, done.
enum Done {
    Saved { key: u64, result: Result<EventId, StoreError> },
    Tracks { batch: Vec<Waiting>, result: Result<Vec<i64>, StoreError> },
    Crops { lost: u64, result: std::io::Result<()> },
    Picture { id: EventId, result: std::io::Result<()> },
    LeftOpen { result: Result<u64, StoreError> },
    Lines { counts: Vec<LineCount>, result: Result<(), StoreError> },
}

/// An answer to a [`Shot`].
struct ShotCame {
    key: u64,
    number: u8,
    snapshot: Option<Snapshot>,
}

struct CameraState {
    rules: Rules,
    tracks: Tracks,
    /// The newest frame's time, and when it came; the machine's time while none has come.
    last: (MediaTime, BootTime),
}

impl CameraState {
    /// Where the frames would be by now, had they not stopped.
    fn now(&self, boot: BootTime) -> MediaTime {
        self.last.0.plus_us(boot.since(self.last.1).max(0))
    }
}

#[derive(Default)]
struct Said {
    store: Throttle,
    cameras: Throttle,
    pictures: Throttle,
    tracks: Throttle,
    crops: Throttle,
}

/// The room. [`Room::work`] may be dropped at any await: what it does is kept in the room.
pub(super) struct Room {
    in_force: Arc<Vec<Rule>>,
    cameras: HashMap<CameraId, CameraState>,
    /// Whether events of an earlier run may still be open. Nothing is stored before they are closed: they are told from
    /// this run's by that alone.
    left_open: bool,
    outbox: Outbox,
    lines: Lines,
    tracks: TrackQueue,
    early: Early,
    /// How often the first of them failed while the store took other things, and what it had taken then.
    tracks_failed: (u32, u64),
    /// How much the store has taken.
    taken: u64,
    /// No more frames will come.
    ends: bool,
    /// The one piece of work under way, and since when.
    current: Option<(Boxed<Done>, BootTime)>,
    /// When the store may be tried again, and how long the pause was.
    pause: Option<(BootTime, Duration)>,
    shots: FuturesUnordered<Boxed<ShotCame>>,
    snapshots: Option<Snapshots>,
    store: Store,
    clock: Clock,
    counters: Arc<Counters>,
    board: Arc<Board>,
    cfg: EventsConfig,
    said: Said,
}

impl Room {
    pub fn new(
        in_force: Arc<Vec<Rule>>,
        snapshots: Option<Snapshots>,
        store: Store,
        clock: Clock,
        counters: Arc<Counters>,
        board: Arc<Board>,
        cfg: EventsConfig,
    ) -> Self {
        Self {
            in_force,
            cameras: HashMap::new(),
            left_open: true,
            outbox: Outbox::default(),
            lines: Lines::default(),
            tracks: TrackQueue::default(),
            early: Early::default(),
            tracks_failed: (0, 0),
            taken: 0,
            ends: false,
            current: None,
            pause: None,
            shots: FuturesUnordered::new(),
            snapshots,
            store,
            clock,
            counters,
            board,
            cfg,
            said: Said::default(),
        }
    }

    /// What a track looks like; before the frame that ends it.
    pub fn look(&mut self, look: TrackLook) {
        let tracks = self.cameras.get_mut(&look.camera).map(|camera| &mut camera.tracks);
        let crops = Tracks::look(tracks, look, &mut self.early);
        self.lose(Lost { tracks: 0, crops });
    }

    /// One analysed frame.
    pub fn frame(&mut self, frame: &FrameSeen) {
        let boot = self.clock.boot();
        if !self.knows(frame.camera, frame.time) {
            return;
        }
        let Some(camera) = self.cameras.get_mut(&frame.camera) else { return };
        camera.last = (frame.time, boot);
        let changes = camera.rules.step(frame);
        let lost = self.lines.add(camera.rules.take_crossings());
        self.counters.events_lost.add(lost);
        let Brought { confirmed, rows } = camera.tracks.frame(frame, &mut self.early);
        self.counters.tracks.add(confirmed);
        self.keep(rows);
        self.take(changes);
    }

    /// Begins to remember a camera, unless there are too many.
    fn knows(&mut self, camera: CameraId, time: MediaTime) -> bool {
        let boot = self.clock.boot();
        if self.cameras.contains_key(&camera) {
            return true;
        }
        if self.cameras.len() >= CAMERAS_MAX {
            if let Some(frames) = self.said.cameras.say(1, boot) {
                tracing::error!(frames, "frames of more than {CAMERAS_MAX} cameras are not looked at");
            }
            return false;
        }
        let rules = Rules::new(camera, self.in_force.to_vec(), self.cfg.model_sha256.clone());
        self.cameras.insert(camera, CameraState { rules, tracks: Tracks::new(camera), last: (time, boot) });
        true
    }

    /// Other rules are in force.
    pub fn replace_rules(&mut self, rules: Arc<Vec<Rule>>) {
        let changes: Vec<_> = self.cameras.values_mut().flat_map(|c| c.rules.replace(rules.to_vec())).collect();
        self.in_force = rules;
        self.take(changes);
    }

    /// Once a second: events and tracks of cameras whose frames have stopped come to an end.
    pub fn tick(&mut self) {
        let boot = self.clock.boot();
        let (mut changes, mut over) = (Vec::new(), Vec::new());
        let media = self.clock.media();
        for camera in self.board.cameras() {
            self.knows(camera, media);
        }
        for (id, camera) in &mut self.cameras {
            changes.extend(camera.rules.state(&states::of(&self.board, *id, media)));
            let now = camera.now(boot);
            changes.extend(camera.rules.idle(now));
            over.extend(camera.tracks.idle(now));
        }
        self.keep(over);
        self.take(changes);
        let waited = self.current.as_ref().map_or(0, |(_, since)| boot.since(*since));
        if waited >= WORK_MAX.as_micros() as i64
            && let Some(times) = self.said.store.say(1, boot)
        {
            tracing::warn!(times, seconds = waited / 1_000_000, "database or disk do not answer; events wait");
        }
    }

    /// No more frames will come.
    pub fn finish(&mut self) {
        self.ends = true;
        let (mut changes, mut over) = (Vec::new(), Vec::new());
        for camera in self.cameras.values_mut() {
            changes.extend(camera.rules.finish());
            over.extend(camera.tracks.finish());
        }
        self.keep(over);
        self.take(changes);
    }

    fn take(&mut self, changes: Vec<EventChange>) {
        for change in changes {
            let opened = match &change {
                EventChange::Open { event, .. } => Some((event.camera, event.rule, event.start_us)),
                _ => None,
            };
            let put = self.outbox.put(change);
            if let Some((camera, rule, start_us)) = opened {
                self.counters.events.add(1);
                if put.lost {
                    self.counters.events_lost.add(1);
                    tracing::error!(%camera, %rule, start_us, "an event is lost: too many wait for the store");
                }
            }
            if let Some(shot) = put.shot {
                self.ask(shot);
            }
        }
    }

    fn keep(&mut self, rows: Vec<Waiting>) {
        let now = self.clock.boot();
        for row in rows {
            let lost = self.tracks.put(row, now);
            self.lose(lost);
        }
    }

    fn lose(&self, Lost { tracks, crops }: Lost) {
        self.counters.tracks_lost.add(tracks);
        self.counters.crops_lost.add(crops);
        if tracks > 0
            && let Some(tracks) = self.said.tracks.say(tracks, self.clock.boot())
        {
            tracing::error!(tracks, "tracks are lost: the store does not take them");
        }
    }

    /// Asks vision for a picture; the answer comes out of [`Room::work`].
    fn ask(&mut self, shot: Shot) {
        let (key, number) = (shot.key, shot.number);
        let Some(snapshots) = self.snapshots.clone() else {
            self.outbox.shot_came(key, number, None);
            return;
        };
        if self.shots.len() >= SHOTS_OUT_MAX {
            self.shot_came(ShotCame { key, number, snapshot: None });
            return;
        }
        let answer = async move {
            let (reply, answer) = oneshot::channel();
            let ask = SnapshotAsk { camera: shot.camera, time: shot.time, boxes: vec![shot.rect], reply };
            snapshots.send(ask).await.ok()?;
            answer.await.ok()
        };
        self.shots.push(Box::pin(async move {
            let snapshot = tokio::time::timeout(SHOT_MAX, answer).await.ok().flatten();
            ShotCame { key, number, snapshot }
        }));
    }

    fn shot_came(&mut self, came: ShotCame) {
        match self.outbox.shot_came(came.key, came.number, came.snapshot) {
            Came::Useful => {}
            Came::Again(shot) => self.ask(shot),
            Came::Useless => self.lose_picture("vision has none or none can be held"),
        }
    }

    fn lose_picture(&self, why: &str) {
        self.counters.pictures_lost.add(1);
        if let Some(pictures) = self.said.pictures.say(1, self.clock.boot()) {
            tracing::warn!(pictures, why, "pictures of events are missing");
        }
    }

    /// Begins the next piece of work, if none is under way: pictures first, they are held in memory.
    fn begin(&mut self) {
        if self.current.is_some() {
            return;
        }
        let paused = self.pause.is_some_and(|(until, _)| self.clock.boot() < until);
        let next = self.next_picture().or_else(|| if paused { None } else { self.next_for_store() });
        self.current = next.map(|work| (work, self.clock.boot()));
    }

    fn next_picture(&mut self) -> Option<Boxed<Done>> {
        let Some(picture) = self.outbox.next_picture() else { return self.next_crops() };
        let data_dir = self.cfg.data_dir.clone();
        Some(Box::pin(async move {
            let write = snapshot::write(&data_dir, picture.id, picture.start_us, &picture.snapshot);
            let result = tokio::time::timeout(WORK_MAX, write).await.unwrap_or_else(|late| Err(late.into()));
            Done::Picture { id: picture.id, result }
        }))
    }

    fn next_crops(&mut self) -> Option<Boxed<Done>> {
        let crops = self.tracks.next_crops()?;
        let data_dir = self.cfg.data_dir.clone();
        Some(Box::pin(async move {
            let write = crops::write(&data_dir, &crops);
            let result = tokio::time::timeout(WORK_MAX, write).await.unwrap_or_else(|late| Err(late.into()));
            Done::Crops { lost: crops.pictures.iter().flatten().count() as u64, result }
        }))
    }

    fn next_for_store(&mut self) -> Option<Boxed<Done>> {
        let store = self.store.clone();
        if self.left_open {
            return Some(Box::pin(async move {
                let closed = async { Ok(store.close_open_events().await? + store.close_open_tracks().await?) };
                Done::LeftOpen { result: closed.await }
            }));
        }
        if let Some((key, event)) = self.outbox.next_save() {
            return Some(Box::pin(async move {
                let result = match event.id {
                    EventId(0) => store.insert_event(&event).await,
                    id => store.update_event(&event).await.map(|()| id),
                };
                Done::Saved { key, result }
            }));
        }
        let batch = self.tracks.take();
        if batch.is_empty() {
            let counts = self.lines.take(self.clock.boot(), self.ends)?;
            return Some(Box::pin(async move {
                let result = store.add_line_counts(&counts).await;
                Done::Lines { counts, result }
            }));
        }
        Some(Box::pin(async move {
            let rows: Vec<_> = batch.iter().map(|w| w.row.clone()).collect();
            let result = store.keep_tracks(&rows).await;
            Done::Tracks { batch, result }
        }))
    }

    /// Does the next thing; waits for ever when there is nothing to do and nothing to wait for.
    pub async fn work(&mut self) {
        self.begin();
        let left = |until: BootTime| Duration::from_micros(until.since(self.clock.boot()).max(0).unsigned_abs());
        let pause = self.pause.filter(|_| self.current.is_none()).map(|(until, _)| tokio::time::sleep(left(until)));
        tokio::select! {
            Some(done) = OptionFuture::from(self.current.as_mut().map(|(work, _)| work)) => {
                self.current = None;
                self.done(done);
            }
            Some(came) = self.shots.next() => self.shot_came(came),
            Some(()) = OptionFuture::from(pause) => {
                // What waits may be tried; a further failure doubles the pause.
                self.begin();
                if self.current.is_none() {
                    self.pause = None;
                }
            }
            else => std::future::pending().await,
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Saved { key, result: Ok(id) } => {
                (self.pause, self.taken) = (None, self.taken + 1);
                self.outbox.saved(key, id);
                self.board.announce(Change::Event(id));
            }
            Done::Saved { key, result: Err(failed) } => {
                if let Some(event) = self.outbox.failed(key, failed.is_lasting(), self.taken) {
                    self.counters.events_lost.add(1);
                    let (camera, rule, start_us) = (event.camera, event.rule, event.start_us);
                    tracing::error!(%camera, %rule, start_us, %failed, "an event is lost: the store does not take it");
                }
                self.store_failed(&failed, failed.is_lasting());
            }
            Done::Tracks { batch, result: Ok(ids) } => {
                (self.pause, self.taken) = (None, self.taken + 1);
                self.tracks_failed = (0, self.taken);
                self.tracks.stored(batch, &ids);
            }
            Done::Tracks { batch, result: Err(failed) } => {
                self.tracks_failed.0 += u32::from(self.taken > self.tracks_failed.1);
                self.tracks_failed.1 = self.taken;
                // One by one then, so that a row the store cannot take holds up no other.
                let lost = if batch.len() == 1 && (failed.is_lasting() || self.tracks_failed.0 >= ATTEMPTS_MAX) {
                    self.tracks_failed.0 = 0;
                    self.tracks.refused(&batch)
                } else {
                    self.tracks.failed(batch)
                };
                self.lose(lost);
                self.store_failed(&failed, failed.is_lasting());
            }
            Done::LeftOpen { result: Ok(closed) } => {
                (self.pause, self.left_open) = (None, false);
                if closed > 0 {
                    tracing::info!(closed, "closed events and tracks that an earlier run had left open");
                }
            }
            Done::LeftOpen { result: Err(failed) } => self.store_failed(&failed, false),
            Done::Lines { result: Ok(()), .. } => self.pause = None,
            Done::Lines { counts, result: Err(failed) } => {
                self.lines.put_back(counts, failed.is_lasting());
                self.store_failed(&failed, failed.is_lasting());
            }
            Done::Crops { result: Ok(()), .. } => {}
            Done::Crops { lost, result: Err(error) } => {
                self.counters.crops_lost.add(lost);
                if let Some(times) = self.said.crops.say(1, self.clock.boot()) {
                    tracing::warn!(times, %error, "pictures of tracks are missing");
                }
            }
            Done::Picture { id, result: Ok(()) } => self.board.announce(Change::Event(id)),
            Done::Picture { result: Err(error), .. } => self.lose_picture(&error.to_string()),
        }
    }

    /// `lasting`: the next thing may be tried at once.
    fn store_failed(&mut self, failed: &StoreError, lasting: bool) {
        let pause = self.pause.map_or(PAUSE_MIN, |(_, last)| (last * 2).min(PAUSE_MAX));
        let until = self.clock.boot().plus_us(pause.as_micros() as i64);
        self.pause = (!lasting).then_some((until, pause));
        if let Some(times) = self.said.store.say(1, self.clock.boot()) {
            tracing::warn!(times, %failed, "the store did not take events or tracks");
        }
    }

    /// Works until everything is stored and no picture is to be expected any more.
    pub async fn drain(&mut self) {
        let mut patience = std::pin::pin!(tokio::time::sleep(LAST_SHOTS));
        loop {
            self.begin();
            if self.current.is_some() || self.pause.is_some() {
                self.work().await;
            } else if self.shots.is_empty() {
                return;
            } else {
                tokio::select! {
                    () = self.work() => continue,
                    () = &mut patience => {}
                }
                self.counters.pictures_lost.add(self.shots.len() as u64);
                return;
            }
        }
    }

    /// Time is up: counts and says what could not be stored.
    pub fn give_up(&self) {
        let events = self.outbox.unsaved().count() as u64;
        let tracks = self.tracks.len();
        if events > 0 || tracks > 0 {
            self.counters.events_lost.add(events);
            self.counters.tracks_lost.add(tracks as u64);
            tracing::error!(events, tracks, "not stored before the end");
        }
    }
}
