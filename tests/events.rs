//! The events room on a real store, with made-up frames and a made-up vision.

#[path = "common/wait.rs"]
mod wait;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::sync::{broadcast, mpsc, watch};
use vonglau::{
    domain::{
        camera::CameraDraft,
        colour::{Colour, ColourShare, Part, PartColours},
        detection::Class,
        event::Event,
        geometry::NormBox,
        ids::{CameraId, EventId, RuleId, TrackId},
        look::TrackLook,
        query::{Actor, EventQuery, TrackQuery},
        rule::{Rule, RuleDraft, RuleKind},
        time::{MediaTime, WallTime},
        track::{FrameSeen, TrackPoint},
    },
    events::{
        self, EventsConfig,
        crops::{self, CropKind},
        snapshot,
    },
    logic::path,
    runtime::{
        ask::{Snapshot, SnapshotAsk},
        board::{Board, Change},
        clock::Clock,
        counters::Counters,
        tasks::Tasks,
    },
    store::{Store, TrackRow},
};

/// 2026-03-01 08:00 UTC.
const START_US: i64 = 1_772_352_000_000_000;
/// Bound for what would otherwise hang.
const HANGS: Duration = Duration::from_secs(60);

fn actor() -> Actor {
    Actor { name: "test".into() }
}

async fn camera(store: &Store, name: &str) -> CameraId {
    let draft = CameraDraft { name: name.into(), main_url: format!("rtsp://10.0.0.1/{name}"), ..Default::default() };
    store.add_camera(&actor(), &draft.checked().unwrap(), WallTime(START_US)).await.unwrap()
}

async fn rule(store: &Store, kind: RuleKind) -> Rule {
    let text = format!(r#"{{"name": "luật {0}", "kind": "{0}"}}"#, kind.name());
    let rule = serde_json::from_str::<RuleDraft>(&text).unwrap().checked().unwrap();
    let id = store.add_rule(&actor(), &rule, WallTime(START_US)).await.unwrap();
    store.rules().await.unwrap().into_iter().find(|r| r.id == id).unwrap()
}

fn rect(x: f32) -> NormBox {
    NormBox::new(x, 0.25, x + 0.125, 0.5).unwrap()
}

fn frame(camera: CameraId, ms: i64) -> FrameSeen {
    FrameSeen {
        camera,
        time: MediaTime(START_US + ms * 1000),
        motion: vec![],
        tracks: vec![],
        ended: vec![],
        still: None,
        labels: Vec::new(),
    }
}

fn moving(camera: CameraId, ms: i64) -> FrameSeen {
    FrameSeen { motion: vec![rect(0.5)], ..frame(camera, ms) }
}

fn person(camera: CameraId, ms: i64, score: f32, x: f32) -> FrameSeen {
    let (track, class, confirmed) = (TrackId(5), Class::Person, ms >= 400);
    let point = TrackPoint { track, class, score, rect: rect(x), confirmed, held: false, identity: 1.0 };
    FrameSeen { tracks: vec![point], ..frame(camera, ms) }
}

/// A room at work.
struct Room {
    seen: mpsc::Sender<FrameSeen>,
    looks: mpsc::Sender<TrackLook>,
    rules: watch::Sender<Arc<Vec<Rule>>>,
    asks: mpsc::Receiver<SnapshotAsk>,
    changes: broadcast::Receiver<Change>,
    clock: Clock,
    counters: Arc<Counters>,
    tasks: Tasks,
}

fn room(store: &Store, data_dir: &Path, rules: Vec<Rule>) -> Room {
    let (seen, frames) = mpsc::channel(64);
    let (rules, in_force) = watch::channel(Arc::new(rules));
    let (snapshots, asks) = mpsc::channel(16);
    let (clock, counters) = (Clock::stepped(WallTime(START_US)), Arc::new(Counters::default()));
    let board = Arc::new(Board::default());
    let changes = board.listen();
    let cfg = EventsConfig { data_dir: data_dir.to_owned(), model_sha256: Some("abc".into()) };
    let mut tasks = Tasks::new();
    let (looks, told) = mpsc::channel(64);
    let (at, count) = (clock.clone(), counters.clone());
    let run = events::run(frames, told, in_force, Some(snapshots), store.clone(), at, count, board, cfg);
    tasks.spawn("events", run);
    Room { seen, looks, rules, asks, changes, clock, counters, tasks }
}

impl Room {
    async fn send(&self, frames: impl IntoIterator<Item = FrameSeen>) {
        for frame in frames {
            self.seen.send(frame).await.unwrap();
        }
    }
    /// Answers the next question for a picture with texts that say which one it is.
    async fn answer(&mut self) -> SnapshotAsk {
        let mut ask = tokio::time::timeout(HANGS, self.asks.recv()).await.expect("asked for a picture").unwrap();
        let (reply, _) = tokio::sync::oneshot::channel();
        let reply = std::mem::replace(&mut ask.reply, reply);
        let text = |kind: &str| Bytes::from(format!("{kind} {}", ask.time.us() - START_US));
        reply.send(Snapshot { time: ask.time, plain: text("plain"), boxed: text("boxed") }).unwrap();
        ask
    }
    /// Ends the frames and waits for the room.
    async fn end(self) -> (Arc<Counters>, broadcast::Receiver<Change>) {
        let Self { seen, mut tasks, counters, changes, asks, .. } = self;
        drop((seen, asks));
        assert_eq!(tokio::time::timeout(HANGS, tasks.drain()).await.expect("the room ends"), Vec::<String>::new());
        (counters, changes)
    }
}

async fn all(store: &Store) -> Vec<Event> {
    store.events(&EventQuery::default(), None, 100).await.unwrap()
}

async fn until(store: &Store, what: &str, holds: impl Fn(&[Event]) -> bool) -> Vec<Event> {
    let wait = async {
        loop {
            let events = all(store).await;
            if holds(&events) {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(HANGS, wait).await.unwrap_or_else(|_| panic!("never: {what}"))
}

fn picture(data_dir: &Path, id: EventId, boxed: bool) -> String {
    std::fs::read_to_string(snapshot::path(data_dir, id, START_US, boxed)).unwrap_or_default()
}

#[tokio::test]
async fn events_are_kept_with_their_pictures_and_tracks_are_counted() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::in_memory().await.unwrap();
    let (gate, yard) = (camera(&store, "gate").await, camera(&store, "yard").await);
    let (motion, intrusion) = (rule(&store, RuleKind::Motion).await, rule(&store, RuleKind::Intrusion).await);
    let mut room = room(&store, data.path(), vec![motion.clone(), intrusion.clone()]);

    room.send((0..4).map(|i| moving(gate, i * 200))).await;
    let ask = room.answer().await;
    assert_eq!((ask.camera, ask.time.us() - START_US, ask.boxes), (gate, 400_000, vec![rect(0.5)]));

    room.send([(0, 0.5, 0.1), (200, 0.55, 0.2), (400, 0.5, 0.3)].map(|(ms, score, x)| person(yard, ms, score, x)))
        .await;
    let ask = room.answer().await;
    assert_eq!(
        (ask.camera, ask.time.us() - START_US, ask.boxes),
        (yard, 200_000, vec![rect(0.2)]),
        "its best sighting"
    );
    room.send([person(yard, 600, 0.7, 0.4), FrameSeen { ended: vec![TrackId(5)], ..frame(yard, 2700) }]).await;
    assert_eq!(room.answer().await.time.us() - START_US, 600_000, "a notably better sighting");

    let (counters, mut changes) = room.end().await;
    let events = all(&store).await;
    let [inside, moved] =
        [1, 0].map(|i| events.iter().find(|e| e.kind == [RuleKind::Motion, RuleKind::Intrusion][i]).unwrap());
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|e| !e.open && e.start_us == START_US));
    assert_eq!((moved.camera, moved.rule, moved.end_us), (gate, motion.id, START_US + 600_000));
    assert_eq!((inside.camera, inside.rule, inside.end_us), (yard, intrusion.id, START_US + 600_000));
    assert_eq!((inside.class, inside.track, inside.score), (Some(Class::Person), Some(TrackId(5)), 0.7));
    assert_eq!((inside.path.len(), inside.model_sha256.as_deref()), (4, Some("abc")));
    assert_eq!(inside.numbers["frames_in_zone"], 4.0);
    assert_eq!(picture(data.path(), moved.id, false), "plain 400000");
    assert_eq!(picture(data.path(), inside.id, false), "plain 600000");
    assert_eq!(picture(data.path(), inside.id, true), "boxed 600000");
    assert_eq!((counters.events.get(), counters.tracks.get()), (2, 1));
    let lost = [&counters.events_lost, &counters.tracks_lost, &counters.pictures_lost].map(|c| c.get());
    assert_eq!(lost, [0, 0, 0]);
    let mut told = Vec::new();
    while let Ok(change) = changes.try_recv() {
        told.push(change);
    }
    assert!([inside.id, moved.id].iter().all(|id| told.contains(&Change::Event(*id))));
    let folder = snapshot::path(data.path(), moved.id, START_US, false);
    let names = std::fs::read_dir(folder.parent().unwrap()).unwrap();
    assert_eq!(names.count(), 4, "two pictures an event and nothing unfinished");
}

#[tokio::test]
async fn a_track_can_be_found_while_it_goes_on_and_has_its_looks_and_pictures_when_it_is_over() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::in_memory().await.unwrap();
    let yard = camera(&store, "yard").await;
    let room = room(&store, data.path(), vec![]);
    let look = |largest: Option<&'static str>, sharpest: Option<&'static str>, votes| TrackLook {
        camera: yard,
        track: TrackId(5),
        votes: vec![(Class::Person, votes)],
        colours: vec![PartColours { part: Part::Upper, shares: vec![ColourShare { colour: Colour::Red, share: 0.9 }] }],
        size_px: [80, 90],
        largest: largest.map(Bytes::from),
        sharpest: sharpest.map(Bytes::from),
    };
    room.send([person(yard, 0, 0.5, 0.1), person(yard, 200, 0.5, 0.2)]).await;
    // Of a track that nobody saw.
    room.looks.send(TrackLook { track: TrackId(99), ..look(Some("x"), None, 1) }).await.unwrap();
    room.looks.send(look(Some("one"), None, 2)).await.unwrap();
    room.send([person(yard, 400, 0.5, 0.3)]).await;
    let red = TrackQuery { colours: vec![(Some(Part::Upper), Colour::Red)], ..TrackQuery::default() };
    let found = wait::done(async {
        loop {
            let found = store.tracks(&red, None, 10).await.unwrap();
            let path = |t: &TrackRow| crops::path(data.path(), t.id.unwrap(), START_US, CropKind::Largest);
            if found.first().is_some_and(|t| path(t).exists()) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!((found.len(), found[0].open, found[0].points), (1, true, 3));
    room.send([person(yard, 600, 0.7, 0.4)]).await;
    room.looks.send(look(Some("two"), Some("sharp"), 4)).await.unwrap();
    room.send([FrameSeen { ended: vec![TrackId(5)], ..frame(yard, 2700) }]).await;
    let (counters, _) = room.end().await;

    let [over] = &store.tracks(&red, None, 10).await.unwrap()[..] else { panic!("not one track") };
    assert_eq!((over.id, over.open, over.points), (found[0].id, false, 4), "the same row, brought up to date");
    assert_eq!((over.best.score, over.best.rect, over.size_px), (0.7, rect(0.4), Some([80, 90])));
    assert_eq!(over.votes, std::collections::BTreeMap::from([(Class::Person, 4)]));
    let id = over.id.unwrap();
    let (places, bound) = path::decode(&store.track_path(id).await.unwrap().unwrap()).unwrap();
    assert_eq!((places[0].time.us(), places.last().unwrap().time.us()), (START_US, START_US + 600_000));
    assert!((places.last().unwrap().rect.corners()[0] - 0.4).abs() <= bound);
    let read = |kind| std::fs::read_to_string(crops::path(data.path(), id, START_US, kind)).unwrap();
    assert_eq!((read(CropKind::Largest), read(CropKind::Sharpest)), ("two".into(), "sharp".into()));
    assert_eq!([&counters.tracks, &counters.tracks_lost, &counters.crops_lost].map(|c| c.get()), [1, 0, 0]);
}

#[tokio::test]
async fn a_store_reopened_after_an_unclean_end_has_no_open_event() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("vonglau.db");
    let store = Store::open(&path).await.unwrap();
    let gate = camera(&store, "gate").await;
    let motion = rule(&store, RuleKind::Motion).await;
    let mut first = room(&store, data.path(), vec![motion.clone()]);
    first.send((0..3).map(|i| moving(gate, i * 200))).await;
    let open = until(&store, "the event is stored", |events| events.len() == 1).await;
    assert!(open[0].open);
    first.tasks.abort_all();
    wait::done(first.tasks.drain()).await;
    store.close().await;

    let store = Store::open(&path).await.unwrap();
    assert!(all(&store).await[0].open);
    let second = room(&store, data.path(), vec![motion]);
    second.send((50..53).map(|i| moving(gate, i * 200))).await;
    second.end().await;
    let events = all(&store).await;
    assert_eq!((events.len(), events.iter().filter(|e| e.open).count()), (2, 0));
    assert_eq!(events.iter().find(|e| e.id == open[0].id).unwrap().end_us, START_US + 400_000);
}

#[tokio::test]
async fn what_was_left_open_is_closed_however_often_the_store_refuses_and_nothing_new_is_closed_with_it() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("vonglau.db");
    let store = Store::open(&path).await.unwrap();
    let gate = camera(&store, "gate").await;
    let motion = rule(&store, RuleKind::Motion).await;
    let mut first = room(&store, data.path(), vec![motion.clone()]);
    first.send((0..3).map(|i| moving(gate, i * 200))).await;
    let old = until(&store, "the event is stored", |events| events.len() == 1).await[0].id;
    first.tasks.abort_all();
    first.tasks.drain().await;

    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let refusing = "create trigger refusing before update on event begin select raise(fail, 'not now'); end";
    sqlx::query(refusing).execute(&mut other).await.unwrap();
    let second = room(&store, data.path(), vec![motion]);
    second.send((50..53).map(|i| moving(gate, i * 200))).await;
    // Pauses of 0.2, 0.4, … s: more than five tries.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(all(&store).await.len(), 1, "stored before the old ones were closed");
    sqlx::query("drop trigger refusing").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let events = until(&store, "the new one is stored", |events| events.len() == 2).await;
    let open = |id: EventId| events.iter().find(|e| e.id == id).unwrap().open;
    assert!(!open(old) && events.iter().any(|e| e.id != old && e.open));
    second.end().await;
    store.close().await;
}

#[tokio::test]
async fn an_event_the_store_does_not_take_holds_up_no_other_and_is_counted() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::in_memory().await.unwrap();
    let gate = camera(&store, "gate").await;
    let motion = rule(&store, RuleKind::Motion).await;
    let room = room(&store, data.path(), vec![motion]);
    room.send((0..3).map(|i| moving(CameraId(999), i * 200))).await;
    for minute in 0..4 {
        room.send((0..3).map(|i| moving(gate, minute * 60_000 + i * 200))).await;
    }
    until(&store, "the others are stored", |events| events.len() == 4).await;
    let (counters, _) = room.end().await;
    let events = all(&store).await;
    assert!(events.len() == 4 && events.iter().all(|e| e.camera == gate && !e.open));
    assert_eq!((counters.events.get(), counters.events_lost.get()), (5, 1));
}

#[tokio::test]
async fn an_event_closes_when_frames_stop_and_when_its_rule_is_removed() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::in_memory().await.unwrap();
    let (gate, yard) = (camera(&store, "gate").await, camera(&store, "yard").await);
    let motion = rule(&store, RuleKind::Motion).await;
    let other = rule(&store, RuleKind::Motion).await;
    let (gate_only, yard_only) = (Rule { camera: Some(gate), ..motion }, Rule { camera: Some(yard), ..other });
    let room = room(&store, data.path(), vec![gate_only.clone(), yard_only.clone()]);
    room.send((0..3).map(|i| moving(gate, i * 200))).await;
    room.send((0..3).map(|i| moving(yard, i * 200))).await;
    until(&store, "both are stored", |events| events.len() == 2).await;

    room.rules.send(Arc::new(vec![gate_only])).unwrap();
    let open = |id: RuleId| move |events: &[Event]| events.iter().any(|e| e.rule == id && e.open);
    let (gate_open, yard_open) = (open(RuleId(1)), open(yard_only.id));
    let events = until(&store, "the removed rule's event closes", |events| !yard_open(events)).await;
    assert!(gate_open(&events));
    room.clock.step(3_000_000, 3_000_000);
    until(&store, "the event of the silent camera closes", |events| !gate_open(events)).await;
    let (counters, _) = room.end().await;
    assert_eq!((counters.events.get(), counters.events_lost.get()), (2, 0));
    assert_eq!(counters.pictures_lost.get(), 2, "nobody answered");
}

#[tokio::test]
async fn a_vision_that_never_answers_holds_up_neither_events_nor_the_end() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::in_memory().await.unwrap();
    let gate = camera(&store, "gate").await;
    let motion = rule(&store, RuleKind::Motion).await;
    let mut room = room(&store, data.path(), vec![motion]);
    room.send((0..3).map(|i| moving(gate, i * 200))).await;
    let unanswered = tokio::time::timeout(HANGS, room.asks.recv()).await.unwrap();
    let (counters, _) = room.end().await;
    assert!(unanswered.is_some());
    assert!(all(&store).await.iter().all(|e| !e.open));
    assert_eq!((counters.events_lost.get(), counters.pictures_lost.get()), (0, 1));
}
