//! What hangs on recordings goes by age: events with their pictures, tracks, gaps, damages; what is locked stays.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use vonglau::{
    domain::{
        camera::CameraDraft,
        detection::Class,
        event::Event,
        geometry::NormBox,
        ids::{CameraId, EventId, StreamId, TrackId},
        query::{Actor, EventQuery},
        rule::{Rule, RuleDraft, RuleKind},
        segment::GapCause,
        time::{Span, WallTime},
        track::TrackPoint,
    },
    events::{
        crops::{self, CropKind},
        expiry::{Expired, Expiry},
        snapshot,
    },
    logic::retention::{Keep, Settings},
    record::sweeper::{Parts, Space, Sweeper},
    runtime::{clock::Clock, stop::Stop},
    store::{Damage, Gap, RetentionState, StopCause, Store, TrackRow},
};

const DAY: i64 = 86_400_000_000;
const NOW: WallTime = WallTime(1_795_183_450_000_000);

fn actor() -> Actor {
    Actor { name: "test".into() }
}

struct House {
    dir: tempfile::TempDir,
    store: Store,
    camera: CameraId,
    streams: [StreamId; 2],
    rule: Rule,
    stop: Stop,
}

impl House {
    async fn new() -> Self {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory().await.unwrap());
        let url = "rtsp://127.0.0.1/1".to_owned();
        let draft = CameraDraft { name: "Chợ".into(), main_url: url.clone(), sub_url: url, ..CameraDraft::default() };
        let camera = store.add_camera(&actor(), &draft.checked().unwrap(), NOW).await.unwrap();
        let streams = store.camera(camera).await.unwrap().unwrap().streams;
        let draft: RuleDraft = serde_json::from_str(r#"{"name": "luật", "kind": "motion"}"#).unwrap();
        store.add_rule(&actor(), &draft.checked().unwrap(), NOW).await.unwrap();
        let rule = store.rules().await.unwrap().remove(0);
        let house = Self { dir, store, camera, streams: [streams[0].id, streams[1].id], rule, stop: Stop::new() };
        house.agree(NOW, Settings::default()).await;
        house
    }
    fn data(&self) -> &Path {
        self.dir.path()
    }
    /// The time and the settings that retention believes.
    async fn agree(&self, agreed: WallTime, settings: Settings) {
        self.store.set_retention_state(&RetentionState { agreed, settings, stopped: None }).await.unwrap();
    }
    fn pictures(&self, id: EventId, days_ago: i64) -> [PathBuf; 2] {
        [false, true].map(|boxed| snapshot::path(self.data(), id, NOW.us() - days_ago * DAY, boxed))
    }
    /// A closed event that began so many days ago, with its pictures.
    async fn event(&self, days_ago: i64) -> EventId {
        let start_us = NOW.us() - days_ago * DAY;
        let rect = NormBox::new(0.1, 0.1, 0.2, 0.2).unwrap();
        let event = Event {
            id: EventId(0),
            camera: self.camera,
            rule: self.rule.id,
            rule_version: self.rule.version,
            rule_name: self.rule.name.clone(),
            kind: RuleKind::Motion,
            class: None,
            track: None,
            start_us,
            end_us: start_us + 1_000_000,
            open: false,
            revision: 1,
            score: 0.5,
            rect,
            path: Vec::new(),
            model_sha256: None,
            numbers: std::collections::BTreeMap::new(),
        };
        let id = self.store.insert_event(&event).await.unwrap();
        for path in self.pictures(id, days_ago) {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"jpeg").unwrap();
        }
        id
    }
    fn crops(&self, id: i64, days_ago: i64) -> [PathBuf; 2] {
        CropKind::ALL.map(|kind| crops::path(self.data(), id, NOW.us() - days_ago * DAY, kind))
    }
    /// A track that began so many days ago, with its pictures.
    async fn track(&self, days_ago: i64) -> i64 {
        let best = TrackPoint {
            track: TrackId(days_ago),
            class: Class::Person,
            score: 0.5,
            rect: NormBox::new(0.1, 0.1, 0.2, 0.2).unwrap(),
            confirmed: true,
            held: false,
            identity: 1.0,
        };
        let start_us = NOW.us() - days_ago * DAY;
        let row = TrackRow {
            id: None,
            camera: self.camera,
            span: Span { start_us, end_us: start_us + 1 },
            best,
            points: 1,
            open: false,
            votes: std::collections::BTreeMap::new(),
            colours: vec![],
            size_px: None,
            path: vec![],
        };
        let id = self.store.keep_tracks(&[row]).await.unwrap()[0];
        for path in self.crops(id, days_ago) {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"jpeg").unwrap();
        }
        id
    }
    async fn events(&self) -> Vec<EventId> {
        let mut ids: Vec<_> =
            self.store.events(&EventQuery::default(), None, 1000).await.unwrap().iter().map(|e| e.id).collect();
        ids.sort_unstable();
        ids
    }
    async fn pass(&self, expiry: &mut Expiry) -> Expired {
        expiry.pass(&self.stop).await.unwrap()
    }
}

fn all_there(paths: &[PathBuf]) -> bool {
    paths.iter().all(|p| p.exists())
}

#[tokio::test]
async fn events_and_tracks_go_after_a_year_with_their_pictures_and_what_is_locked_stays() {
    let house = House::new().await;
    let mut old = Vec::new();
    // More than one batch.
    for _ in 0..250 {
        old.push(house.event(366).await);
    }
    let (locked, young) = (house.event(400).await, house.event(364).await);
    let at_us = NOW.us() - 400 * DAY;
    let span = Span { start_us: at_us - 1000, end_us: at_us + 1000 };
    let lock = house.store.add_lock(&actor(), &[house.camera], span, "vụ 7", None, NOW).await.unwrap()[0];
    let [year_old, older, young_track, locked_track] =
        [house.track(366).await, house.track(367).await, house.track(364).await, house.track(400).await];

    let mut expiry = Expiry::new(house.store.clone(), house.data());
    assert_eq!(house.pass(&mut expiry).await, Expired { events: 250, tracks: 2, ..Expired::default() });
    assert_eq!(house.events().await, [locked, young]);
    assert!(old.iter().all(|id| house.pictures(*id, 366).iter().all(|p| !p.exists())));
    assert!(!house.pictures(old[0], 366)[0].parent().unwrap().exists(), "an empty folder was left");
    assert!(all_there(&house.pictures(locked, 400)) && all_there(&house.pictures(young, 364)));
    assert!(
        [(year_old, 366), (older, 367)].iter().all(|(id, days)| house.crops(*id, *days).iter().all(|p| !p.exists()))
    );
    assert!(all_there(&house.crops(young_track, 364)) && all_there(&house.crops(locked_track, 400)));
    assert_eq!(house.pass(&mut expiry).await, Expired::default());

    // Released, it goes too.
    house.store.remove_lock(&actor(), lock, NOW).await.unwrap();
    let gone = house.pass(&mut expiry).await;
    assert_eq!((gone.events, gone.tracks), (1, 1));
    assert_eq!(house.events().await, [young]);
    assert!(house.store.track(young_track).await.unwrap().is_some());
    assert!(house.store.track(locked_track).await.unwrap().is_none());
}

#[tokio::test]
async fn a_picture_that_cannot_be_removed_keeps_its_event() {
    let house = House::new().await;
    let id = house.event(366).await;
    // A folder in the picture's place can be removed by nobody who removes files.
    let [plain, _] = house.pictures(id, 366);
    std::fs::remove_file(&plain).unwrap();
    std::fs::create_dir(&plain).unwrap();
    let mut expiry = Expiry::new(house.store.clone(), house.data());
    assert_eq!(house.pass(&mut expiry).await.events, 0);
    assert_eq!(house.events().await, [id]);
    std::fs::remove_dir(&plain).unwrap();
    assert_eq!(house.pass(&mut expiry).await.events, 1);
}

#[tokio::test]
async fn pictures_go_when_no_stream_keeps_recordings_of_events_so_long() {
    let house = House::new().await;
    let days = |n| Keep { continuous_days: Some(1), motion_days: Some(1), events_days: Some(n), bytes: None };
    let (old, young) = (house.event(61).await, house.event(59).await);
    let (old_track, young_track) = (house.track(61).await, house.track(59).await);
    let mut expiry = Expiry::new(house.store.clone(), house.data());
    house.agree(NOW, Settings { main: Keep::FITS, sub: days(30), cameras: Vec::new() }).await;
    assert_eq!(house.pass(&mut expiry).await, Expired::default(), "the main stream is kept as long as it fits");
    house.agree(NOW, Settings { main: days(60), sub: days(30), cameras: Vec::new() }).await;
    assert_eq!(house.pass(&mut expiry).await, Expired { pictures: 1, crops: 1, ..Expired::default() });
    assert!(!house.pictures(old, 61)[0].exists() && all_there(&house.pictures(young, 59)));
    assert_eq!(house.events().await, [old, young], "the events themselves stay a year");
    assert!(!house.crops(old_track, 61)[0].exists() && all_there(&house.crops(young_track, 59)));
    assert!(house.store.track(old_track).await.unwrap().is_some(), "the track itself stays a year");
}

fn sweeper(house: &House, clock: &Clock) -> Sweeper {
    Sweeper::new(Parts {
        store: house.store.clone(),
        folder: house.data().join("store"),
        clock: clock.clone(),
        counters: Arc::default(),
        board: Arc::default(),
        space: Arc::new(|_| Ok(Space { total_bytes: 100_000, free_bytes: u64::MAX })),
    })
}

#[tokio::test]
async fn gaps_and_damages_go_after_four_hundred_days() {
    let house = House::new().await;
    let span = |days: i64| Span { start_us: NOW.us() - days * DAY, end_us: NOW.us() - days * DAY + 1_000_000 };
    for (stream, days) in [(0, 401), (1, 402), (0, 399)] {
        let (stream, evidence) = (house.streams[stream], "không trả lời".to_owned());
        house.store.add_gap(&Gap { stream, span: span(days), cause: GapCause::Network, evidence }).await.unwrap();
    }
    // One that began long ago and goes on.
    let on = Span { start_us: NOW.us() - 500 * DAY, end_us: NOW.us() - DAY };
    let going_on = Gap { stream: house.streams[1], span: on, cause: GapCause::Camera, evidence: "hỏng".into() };
    house.store.add_gap(&going_on).await.unwrap();
    for days in [401, 399] {
        let path = format!("{days}.mp4");
        let damage = Damage { stream: house.streams[0], path, span: span(days), what: "hỏng".into() };
        house.store.add_damages(&[damage], WallTime(NOW.us() - days * DAY)).await.unwrap();
    }
    sweeper(&house, &Clock::stepped(NOW)).pass(&house.stop).await.unwrap();
    let ever = Span { start_us: 0, end_us: i64::MAX };
    let left = house.store.gaps_in(house.streams[0], ever).await.unwrap();
    assert_eq!(left.iter().map(|g| g.span).collect::<Vec<_>>(), [span(399)]);
    assert_eq!(house.store.gaps_in(house.streams[1], ever).await.unwrap(), [going_on]);
    assert_eq!(house.store.damages().await.unwrap().iter().map(|d| d.span).collect::<Vec<_>>(), [span(399)]);
}

#[tokio::test]
async fn a_clock_that_jumps_years_asks_before_events_go_though_no_recording_would() {
    let house = House::new().await;
    house.store.set_keep_settings(&actor(), &Settings { sub: Keep::FITS, ..Settings::default() }, NOW).await.unwrap();
    let all = [house.event(10).await, house.event(20).await];
    let clock = Clock::stepped(NOW);
    let (mut sweeper, mut expiry) = (sweeper(&house, &clock), Expiry::new(house.store.clone(), house.data()));
    sweeper.pass(&house.stop).await.unwrap();
    clock.step(1_000_000, 3650 * DAY);
    sweeper.pass(&house.stop).await.unwrap();
    let stopped = house.store.retention_state().await.unwrap().unwrap().stopped.unwrap();
    assert_eq!((stopped.cause, stopped.events, stopped.segments), (StopCause::Clock, 2, 0));
    assert_eq!(house.pass(&mut expiry).await, Expired::default());
    assert_eq!(house.events().await, all);
    // A person says that it is right.
    house.store.confirm_removal(&actor(), stopped.stopped_us, NOW).await.unwrap();
    sweeper.pass(&house.stop).await.unwrap();
    assert_eq!(house.pass(&mut expiry).await.events, 2);
}
