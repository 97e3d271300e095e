//! Retention with real files and a real index: what goes, what stays, in which order, and what asks first.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use vonglau::{
    domain::{
        alarm::AlarmKind,
        camera::CameraDraft,
        event::Event,
        geometry::NormBox,
        ids::{CameraId, EventId, SegmentId, StreamId},
        packet::Codec,
        query::Actor,
        rule::{RuleDraft, RuleKind},
        segment::Segment,
        time::{Span, WallTime},
    },
    logic::retention::{Keep, Own, Settings},
    record::sweeper::{Parts, Space, Sweeper},
    runtime::{board::Board, clock::Clock, counters::Counters, stop::Stop},
    store::{StopCause, Stopped, Store},
};

const DAY: i64 = 86_400_000_000;
const MINUTE: i64 = 60_000_000;
const NOW: WallTime = WallTime(1_795_183_450_000_000);
const BYTES: u64 = 1000;

fn actor() -> Actor {
    Actor { name: "test:officer".into() }
}

fn days(continuous: u32, motion: u32, events: u32) -> Keep {
    Keep { continuous_days: Some(continuous), motion_days: Some(motion), events_days: Some(events), bytes: None }
}

struct House {
    dir: tempfile::TempDir,
    store: Store,
    clock: Clock,
    counters: Arc<Counters>,
    /// Bytes free beside those removed.
    free: Arc<AtomicU64>,
    /// Removing frees nothing.
    stuck: Arc<AtomicBool>,
    board: Arc<Board>,
    cameras: i64,
    stop: Stop,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("vonglau.db")).await.unwrap();
        let (clock, free) = (Clock::stepped(NOW), Arc::new(AtomicU64::new(u64::MAX)));
        let (counters, stuck, board) = (Arc::default(), Arc::default(), Arc::default());
        Self { dir, store, clock, counters, free, stuck, board, cameras: 0, stop: Stop::new() }
    }
    fn folder(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }
    /// With a disk of 100 000 bytes, of which 1000 must stay free.
    fn sweeper(&self) -> Sweeper {
        let (free, stuck, counters) = (self.free.clone(), self.stuck.clone(), self.counters.clone());
        let parts = Parts {
            store: self.store.clone(),
            folder: self.folder(),
            clock: self.clock.clone(),
            counters: self.counters.clone(),
            board: self.board.clone(),
            space: Arc::new(move |_| {
                let free_bytes = free.load(Ordering::Relaxed).saturating_add(counters.bytes_removed.get());
                let free_bytes = if stuck.load(Ordering::Relaxed) { 0 } else { free_bytes };
                Ok(Space { total_bytes: 100_000, free_bytes })
            }),
        };
        Sweeper::new(parts)
    }
    /// A sweeper that has seen the settings and the clock as they are.
    async fn settled(&self) -> Sweeper {
        let mut sweeper = self.sweeper();
        self.pass(&mut sweeper).await;
        sweeper
    }
    async fn pass(&self, sweeper: &mut Sweeper) -> u64 {
        sweeper.pass(&self.stop).await.unwrap().segments
    }
    async fn room(&self, sweeper: &mut Sweeper) -> u64 {
        sweeper.make_room(&self.stop).await.unwrap().segments
    }
    async fn stopped(&self) -> Option<Stopped> {
        self.store.retention_state().await.unwrap().unwrap().stopped
    }
    async fn set(&self, settings: &Settings) {
        self.store.set_keep_settings(&actor(), settings, NOW).await.unwrap();
    }
    async fn camera(&mut self) -> (CameraId, StreamId, StreamId) {
        self.cameras += 1;
        let (name, url) = (format!("Camera {}", self.cameras), "rtsp://127.0.0.1/1".to_owned());
        let draft = CameraDraft { name, main_url: url.clone(), sub_url: url, ..CameraDraft::default() };
        let id = self.store.add_camera(&actor(), &draft.checked().unwrap(), NOW).await.unwrap();
        let streams = self.store.camera(id).await.unwrap().unwrap().streams;
        (id, streams[0].id, streams[1].id)
    }
    /// A closed segment of a minute that began so long ago, with its file; returns its name.
    async fn segment(&self, stream: StreamId, ago_us: i64) -> String {
        let start_us = NOW.us() - ago_us;
        let path = format!("2026-01-01/C-{stream}/main/{start_us}.mp4");
        let file = self.folder().join(&path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, vec![7; usize::try_from(BYTES).unwrap()]).unwrap();
        let segment = Segment {
            id: SegmentId(0),
            stream,
            path: path.clone(),
            start_us,
            end_us: start_us + MINUTE,
            open: false,
            init_bytes: 1,
            size_bytes: BYTES,
            codec: Codec::H264,
            rfc6381: "avc1".into(),
            width: 1,
            height: 1,
            params_sha256: String::new(),
            fragments: Vec::new(),
        };
        self.store.open_segment(&segment).await.unwrap();
        path
    }
    /// One at each of these ages, in days.
    async fn segments(&self, stream: StreamId, ages: impl IntoIterator<Item = i64>) -> Vec<String> {
        let mut all = Vec::new();
        for age in ages {
            all.push(self.segment(stream, age * DAY).await);
        }
        all
    }
    async fn event(&self, camera: CameraId, kind: RuleKind, ago_us: i64) {
        let zone = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]];
        let draft = serde_json::json!({"name": kind.name(), "kind": kind.name(), "zone": zone});
        let draft: RuleDraft = serde_json::from_value(draft).unwrap();
        let rule = self.store.add_rule(&actor(), &draft.checked().unwrap(), NOW).await.unwrap();
        let start_us = NOW.us() - ago_us;
        let event = Event {
            id: EventId(0),
            camera,
            rule,
            rule_version: 1,
            rule_name: "r".into(),
            kind,
            class: None,
            track: None,
            start_us,
            end_us: start_us + 1_000_000,
            open: false,
            revision: 1,
            score: 0.5,
            rect: NormBox::new(0.0, 0.0, 1.0, 1.0).unwrap(),
            path: Vec::new(),
            model_sha256: None,
            numbers: BTreeMap::new(),
        };
        self.store.insert_event(&event).await.unwrap();
    }
    /// A lock of a minute, straight into the table.
    async fn lock(&self, camera: CameraId, ago_us: i64) {
        let start_us = NOW.us() - ago_us;
        self.raw(&format!(
            "insert into lock (camera, start_us, end_us, reason, actor, made_us) \
             values ({camera}, {start_us}, {}, 'case', 'a', 1)",
            start_us + MINUTE
        ))
        .await;
    }
    async fn raw(&self, sql: &str) {
        use sqlx::{ConnectOptions, Connection};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.dir.path().join("vonglau.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
    /// The paths in the index.
    async fn known(&self, stream: StreamId) -> Vec<String> {
        let rows = self.store.segments_in(stream, Span { start_us: 0, end_us: i64::MAX }).await.unwrap();
        rows.into_iter().map(|row| row.path).collect()
    }
    /// The same; that files and index agree is checked on the way.
    async fn left(&self, stream: StreamId) -> Vec<String> {
        let known = self.known(stream).await;
        for path in &known {
            assert!(self.folder().join(path).is_file(), "{path} points at nothing");
        }
        let folder = self.folder().join(format!("2026-01-01/C-{stream}/main"));
        let is_film = |f: &std::fs::DirEntry| f.path().extension().is_some_and(|e| e == "mp4");
        let films = |files: std::fs::ReadDir| files.filter_map(Result::ok).filter(is_film).count();
        let files = std::fs::read_dir(folder).map_or(0, films);
        assert_eq!(files, known.len(), "a file the index does not know");
        known
    }
    async fn check_totals(&self) {
        let uses = self.store.stream_uses().await.unwrap();
        let sums = uses.iter().fold((0, 0), |sum, s| (sum.0 + s.segments, sum.1 + s.bytes));
        assert_eq!(self.store.segment_totals().await.unwrap(), sums);
        assert_eq!(sums.1, sums.0 * BYTES);
    }
}

#[tokio::test]
async fn each_stream_is_kept_for_the_days_of_its_kind_and_its_camera() {
    let mut house = House::new().await;
    let (_, main, sub) = house.camera().await;
    let (own, own_main, own_sub) = house.camera().await;
    let settings = Settings {
        main: Keep::FITS,
        sub: days(30, 30, 30),
        cameras: vec![Own { camera: own, kind: vonglau::domain::camera::StreamKind::Sub, keep: days(5, 5, 5) }],
    };
    house.set(&settings).await;
    let mut sweeper = house.settled().await;
    for stream in [main, sub, own_main, own_sub] {
        house.segments(stream, [60, 31, 29, 6, 4]).await;
    }
    assert_eq!(house.pass(&mut sweeper).await, 2 + 4);
    let left: Vec<usize> = [
        house.left(main).await.len(),
        house.left(sub).await.len(),
        house.left(own_main).await.len(),
        house.left(own_sub).await.len(),
    ]
    .into();
    assert_eq!(left, [5, 3, 5, 1]);
    assert_eq!(house.pass(&mut sweeper).await, 0);
    house.clock.step(2 * DAY, 2 * DAY);
    assert_eq!(house.pass(&mut sweeper).await, 2, "29 + 2 and 4 + 2 days");
    house.check_totals().await;
    assert_eq!(house.counters.segments_removed.get(), 8);
}

#[tokio::test]
async fn motion_and_events_are_kept_longer_and_locks_for_ever() {
    let mut house = House::new().await;
    let (camera, main, _) = house.camera().await;
    house.set(&Settings { main: days(10, 20, 40), ..Settings::default() }).await;
    let mut sweeper = house.settled().await;
    for (ago, kind) in
        [(15, RuleKind::Motion), (25, RuleKind::Motion), (35, RuleKind::Intrusion), (45, RuleKind::Intrusion)]
    {
        // Shortly after the segment's end: the pad belongs to the event.
        house.event(camera, kind, ago * DAY - MINUTE - 5_000_000).await;
    }
    house.lock(camera, 100 * DAY).await;
    let all = house.segments(main, [100, 45, 35, 25, 15, 11, 9]).await;
    house.segment(main, 100 * DAY - MINUTE).await;
    assert_eq!(house.pass(&mut sweeper).await, 4);
    assert_eq!(house.left(main).await, [&all[0], &all[2], &all[4], &all[6]].map(String::clone));
    house.clock.step(6 * DAY, 6 * DAY);
    assert_eq!(house.pass(&mut sweeper).await, 3, "events 41, motion 21, continuous 15 days old");
    house.raw("update lock set released_us = 2").await;
    assert_eq!(house.pass(&mut sweeper).await, 1);
    assert_eq!(house.left(main).await, Vec::<String>::new());
    house.check_totals().await;
}

#[tokio::test]
async fn on_a_full_disk_the_oldest_of_all_streams_goes_first_and_no_more_than_needed() {
    let mut house = House::new().await;
    let (_, main, _) = house.camera().await;
    let (_, other, sub) = house.camera().await;
    let mut sweeper = house.settled().await;
    for i in (0..100).rev() {
        house.segment(if i % 2 == 0 { main } else { other }, i * 2 * MINUTE + DAY).await;
    }
    house.segments(sub, [2, 3, 31]).await;
    house.free.store(1000, Ordering::Relaxed);
    assert_eq!(house.room(&mut sweeper).await, 0, "the reserve is free");
    house.free.store(0, Ordering::Relaxed);
    // 1000 short, and a little for peace.
    assert_eq!(house.room(&mut sweeper).await, 2);
    assert_eq!(house.left(sub).await.len(), 2, "what is expired goes before all, promised days after all");
    assert_eq!((house.left(main).await.len(), house.left(other).await.len()), (50, 49));
    assert_eq!(house.room(&mut sweeper).await, 0, "room was made");
    house.check_totals().await;
}

#[tokio::test]
async fn a_full_disk_takes_everything_but_what_is_locked_and_the_promised_last() {
    let mut house = House::new().await;
    let (camera, main, sub) = house.camera().await;
    house.set(&Settings { main: Keep { events_days: Some(90), ..Keep::FITS }, ..Settings::default() }).await;
    let mut sweeper = house.settled().await;
    house.segments(main, [100, 80, 60, 40, 20]).await;
    house.segments(sub, [29, 28]).await;
    house.event(camera, RuleKind::Intrusion, 80 * DAY).await;
    house.event(camera, RuleKind::Intrusion, 100 * DAY).await;
    house.lock(camera, 40 * DAY).await;
    house.stuck.store(true, Ordering::Relaxed);
    let mut order = Vec::new();
    while house.room(&mut sweeper).await > 0 {
        order.push((house.left(main).await.len(), house.left(sub).await.len()));
    }
    // 100, 60 | 20, sub 29 | sub 28, 80: the event of 100 days is promised no longer, that of 80 is.
    assert_eq!(order, [(3, 2), (2, 1), (1, 0)]);
    assert!(house.left(main).await[0].contains(&(NOW.us() - 40 * DAY).to_string()));
    assert_eq!(house.counters.segments_removed.get(), 6);
    house.check_totals().await;
    // Nothing more may be removed: that is told until there is room.
    assert_eq!(house.board.alarms().iter().map(|a| a.kind).collect::<Vec<_>>(), [AlarmKind::DiskFull]);
    house.stuck.store(false, Ordering::Relaxed);
    house.room(&mut sweeper).await;
    assert_eq!(house.board.alarms(), []);
}

#[tokio::test]
async fn a_limit_in_bytes_holds_for_its_stream_alone() {
    let mut house = House::new().await;
    let (camera, main, sub) = house.camera().await;
    let mut sweeper = house.settled().await;
    let keep = Keep { bytes: Some(3 * BYTES), ..Keep::FITS };
    let own = |kind| Own { camera, kind, keep };
    house.set(&Settings { cameras: vec![own(vonglau::domain::camera::StreamKind::Main)], ..Settings::default() }).await;
    assert_eq!(house.pass(&mut sweeper).await, 0);
    house.segments(main, [9, 8, 7, 6, 5]).await;
    house.segments(sub, [9, 8, 7, 6, 5]).await;
    house.lock(camera, 9 * DAY).await;
    assert_eq!(house.pass(&mut sweeper).await, 2);
    let left = house.left(main).await;
    assert!(left[0].contains(&(NOW.us() - 9 * DAY).to_string()) && left[1].contains(&(NOW.us() - 6 * DAY).to_string()));
    assert_eq!((left.len(), house.left(sub).await.len()), (3, 5));
    assert_eq!(house.pass(&mut sweeper).await, 0);
}

#[tokio::test]
async fn a_setting_that_would_remove_much_waits_for_a_word() {
    let mut house = House::new().await;
    let (_, _, sub) = house.camera().await;
    let mut sweeper = house.settled().await;
    house.segments(sub, 1..=20).await;
    assert_eq!(house.pass(&mut sweeper).await, 0);
    let shorter = |d| Settings { sub: days(d, d, d), ..Settings::default() };
    house.set(&shorter(19)).await;
    assert_eq!(house.pass(&mut sweeper).await, 1, "a twentieth is not much");
    house.set(&shorter(17)).await;
    for _ in 0..3 {
        assert_eq!(house.pass(&mut sweeper).await, 0, "with what went within the hour it is");
    }
    let stopped = house.stopped().await.unwrap();
    assert_eq!((stopped.cause, stopped.segments, stopped.bytes), (StopCause::Settings, 2, 2 * BYTES));
    // Also a new process waits, and the same word counts.
    let mut sweeper = house.sweeper();
    assert_eq!(house.pass(&mut sweeper).await, 0);
    assert_eq!(house.stopped().await, Some(stopped));
    // Room for recording is made all the same.
    house.stuck.store(true, Ordering::Relaxed);
    assert_eq!(house.room(&mut sweeper).await, 2);
    house.stuck.store(false, Ordering::Relaxed);
    house.set(&shorter(5)).await;
    assert_eq!(house.stopped().await, None, "reckoned with other settings");
    assert_eq!(house.pass(&mut sweeper).await, 0);
    let stopped = house.stopped().await.unwrap();
    assert_eq!(stopped.segments, 12);
    house.store.confirm_removal(&actor(), stopped.stopped_us + 1, NOW).await.unwrap_err();
    assert_eq!(house.pass(&mut sweeper).await, 0);
    house.store.confirm_removal(&actor(), stopped.stopped_us, NOW).await.unwrap();
    assert_eq!(house.pass(&mut sweeper).await, 12);
    assert_eq!((house.stopped().await, house.left(sub).await.len()), (None, 5));
    let log = house.store.changes_after(0, 100).await.unwrap();
    let named = |what: &str| log.iter().filter(|row| row.what == what && row.actor == actor().name).count();
    assert_eq!((named("retention.update"), named("retention.confirm")), (3, 1));
    let last = log.iter().rfind(|row| row.what == "retention.update").unwrap();
    assert!(last.before.as_ref().unwrap().contains("17") && last.after.as_ref().unwrap().contains('5'));
}

#[tokio::test]
async fn a_setting_taken_back_lets_nothing_wait() {
    let mut house = House::new().await;
    let (_, _, sub) = house.camera().await;
    let mut sweeper = house.settled().await;
    house.segments(sub, 1..=20).await;
    house.set(&Settings { sub: days(3, 3, 3), ..Settings::default() }).await;
    assert_eq!(house.pass(&mut sweeper).await, 0);
    assert!(house.stopped().await.is_some());
    house.set(&Settings::default()).await;
    assert_eq!(house.pass(&mut sweeper).await, 0);
    assert_eq!((house.stopped().await, house.left(sub).await.len()), (None, 20));
}

#[tokio::test]
async fn a_clock_that_jumps_removes_nothing_unasked_and_days_that_pass_do() {
    let mut house = House::new().await;
    let (_, _, sub) = house.camera().await;
    let mut sweeper = house.settled().await;
    house.segments(sub, 1..=29).await;
    // Ten years ahead within a second.
    house.clock.step(1_000_000, 3650 * DAY);
    assert_eq!(house.pass(&mut sweeper).await, 0);
    let stopped = house.stopped().await.unwrap();
    assert_eq!((stopped.cause, stopped.segments), (StopCause::Clock, 29));
    // A process started under the wrong clock waits too.
    assert_eq!(house.pass(&mut house.sweeper()).await, 0);
    house.clock.step(1_000_000, -3650 * DAY);
    assert_eq!(house.pass(&mut sweeper).await, 0);
    assert_eq!(house.stopped().await, None);
    // Ten days really go by: a third of the store, and nobody is asked.
    house.clock.step(10 * DAY, 10 * DAY);
    assert_eq!(house.pass(&mut sweeper).await, 9);
    // Off for the better part of an hour: nothing unusual.
    house.clock.step(0, 3_000_000_000);
    assert_eq!(house.pass(&mut house.sweeper()).await, 1);
    assert_eq!(house.stopped().await, None);
}

#[tokio::test]
async fn under_a_clock_that_jumped_room_is_made_of_what_nobody_promised_as_ever() {
    let mut house = House::new().await;
    let (_, main, sub) = house.camera().await;
    let mut sweeper = house.settled().await;
    house.segments(main, [3, 2]).await;
    house.segments(sub, [20, 10]).await;
    house.clock.step(1_000_000, 3650 * DAY);
    house.stuck.store(true, Ordering::Relaxed);
    let mut order = Vec::new();
    for sweeper in [&mut sweeper, &mut house.sweeper()] {
        house.room(sweeper).await;
        order.push((house.left(main).await.len(), house.left(sub).await.len()));
    }
    assert_eq!(order, [(0, 2), (0, 0)]);
}

#[tokio::test]
async fn a_removal_interrupted_between_file_and_row_is_completed_at_the_next_start() {
    let mut house = House::new().await;
    let (camera, main, _) = house.camera().await;
    let paths = house.segments(main, [3, 2, 1]).await;
    let ids: Vec<SegmentId> = {
        let span = Span { start_us: 0, end_us: i64::MAX };
        house.store.segments_in(main, span).await.unwrap().iter().map(|s| s.id).collect()
    };
    house.lock(camera, 2 * DAY).await;
    assert_eq!(house.store.begin_removal(&ids[..2]).await.unwrap(), ids[..1], "a lock is looked at in that moment");
    std::fs::remove_file(house.folder().join(&paths[0])).unwrap();
    // The process ends here. Nobody asks retention for anything, and still:
    let mut sweeper = house.sweeper();
    assert_eq!(house.pass(&mut sweeper).await, 0);
    assert_eq!(house.left(main).await, paths[1..]);
    assert_eq!(house.store.removals_begun().await.unwrap(), []);
    house.check_totals().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_keeps_its_row_and_the_others_go() {
    let mut house = House::new().await;
    let (_, _, sub) = house.camera().await;
    let mut sweeper = house.settled().await;
    let paths = house.segments(sub, [33, 32, 31]).await;
    let file = house.folder().join(&paths[1]);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(house.pass(&mut sweeper).await, 2);
    assert_eq!(house.known(sub).await, [paths[1].clone()]);
    std::fs::remove_dir(&file).unwrap();
    house.pass(&mut sweeper).await;
    assert_eq!(house.left(sub).await, Vec::<String>::new());
    house.check_totals().await;
}
