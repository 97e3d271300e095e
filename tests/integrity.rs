//! Are the files what was recorded, and can everything be had back from them alone?

mod common;
#[allow(dead_code, reason = "only its encoder is needed here")]
mod media;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::Duration,
};

use common::wait;
use media::{Clip, encode, packets};
use tempfile::TempDir;
use vonglau::{
    domain::{
        alarm::AlarmKind,
        camera::{CameraDraft, StreamKind},
        ids::SegmentId,
        packet::Codec,
        query::Actor,
        segment::Segment,
        time::{Span, WallTime},
    },
    record::{
        RecordedStream, Recorder,
        reindex::reindex,
        scrub::{Pace, Scrub},
        verify::{self, Problem, Wrong, verify},
    },
    runtime::{board::Board, clock::Clock, counters::Counters, tasks::Tasks},
    store::Store,
};

/// Ten seconds before midnight, UTC.
const START_US: i64 = 1_700_006_390_000_000;
const SECOND_US: i64 = 1_000_000;
const ALWAYS: Span = Span { start_us: 0, end_us: i64::MAX };

/// Two cameras' folders and index, filled through the recorder.
struct House {
    dir: TempDir,
    store: Store,
    streams: Vec<RecordedStream>,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("index.db")).await.unwrap();
        let mut streams = Vec::new();
        for code in ["C01", "C02"] {
            let draft = CameraDraft {
                name: format!("Chợ {code}"),
                code: code.into(),
                main_url: "rtsp://127.0.0.1/1".into(),
                ..CameraDraft::default()
            };
            let actor = Actor { name: "test".into() };
            let camera = store.add_camera(&actor, &draft.checked().unwrap(), WallTime(1)).await.unwrap();
            let stream = store.camera(camera).await.unwrap().unwrap().streams[0].id;
            streams.push(RecordedStream { camera, camera_code: code.into(), stream, kind: StreamKind::Main });
        }
        Self { dir, store, streams }
    }
    /// Five files of four seconds of each camera, over midnight, in two runs.
    async fn filled() -> Self {
        let house = Self::new().await;
        for sessions in [0..3u32, 3..5] {
            house.record(&house.streams, sessions).await;
        }
        house
    }
    fn folder(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }
    async fn record(&self, streams: &[RecordedStream], sessions: std::ops::Range<u32>) {
        let mut tasks = Tasks::new();
        let recorder = self.recorder(&self.store, Arc::default(), &mut tasks).await;
        for stream in streams {
            let sender = recorder.stream(stream.clone());
            for n in sessions.clone() {
                let start_us = START_US + i64::from(n) * 5 * SECOND_US;
                for packet in packets(clip(), stream.camera, stream.stream, n, start_us) {
                    sender.send(packet).await.unwrap();
                }
            }
        }
        wait::done(recorder.finish()).await;
        wait::done(tasks.drain()).await;
    }
    async fn recorder(&self, store: &Store, counters: Arc<Counters>, tasks: &mut Tasks) -> Recorder {
        Recorder::start(self.folder(), store.clone(), Clock::machine(), counters, Arc::default(), tasks).await.unwrap()
    }
    async fn rows(&self, store: &Store) -> Vec<Segment> {
        let mut all = Vec::new();
        for stream in &self.streams {
            let rows = store.segments_in(stream.stream, ALWAYS).await.unwrap();
            all.extend(rows.into_iter().map(|row| Segment { id: SegmentId(0), ..row }));
        }
        all
    }
    fn problems(&self) -> Vec<Problem> {
        let mut all = Vec::new();
        let report = verify(&self.folder(), &mut |problem| all.push(problem.clone())).unwrap();
        assert_eq!(report.problems, all.len() as u64);
        all
    }
}

/// Four seconds, 25 frames a second, a key frame a second.
fn clip() -> &'static Clip {
    static CLIP: OnceLock<Clip> = OnceLock::new();
    CLIP.get_or_init(|| {
        let encoder = "x264enc key-int-max=25 bframes=0 speed-preset=ultrafast ! h264parse";
        encode(Codec::H264, 160, 120, 100, 25, encoder)
    })
}

#[tokio::test]
async fn a_byte_flipped_anywhere_is_named_with_its_camera_file_and_second() {
    let house = House::filled().await;
    assert_eq!(house.problems(), []);
    let rows = house.rows(&house.store).await;
    assert_eq!(rows.len(), 10);
    for _ in 0..60 {
        let row = &rows[fastrand::usize(..rows.len())];
        let path = house.folder().join(&row.path);
        let file = std::fs::read(&path).unwrap();
        let at = fastrand::usize(..file.len());
        let mut flipped = file.clone();
        flipped[at] ^= 1 << fastrand::u8(..8);
        std::fs::write(&path, flipped).unwrap();
        let ticks = row.fragments.iter().rfind(|f| f.offset <= at as u64).map_or(0, |f| f.start_90k);
        let second_us = row.start_us + i64::try_from(ticks).unwrap() * 100 / 9;
        let problems = house.problems();
        let here = problems.iter().find(|p| p.path == row.path && p.flaw.span.start_us == second_us);
        let found = here.unwrap_or_else(|| panic!("byte {at} of {}: {problems:?}", row.path));
        let code = row.path.split('/').nth(1).unwrap();
        // A flip in the head can change the code itself; then the folder still says which camera it is.
        assert!(at < row.init_bytes as usize || code.starts_with(&found.camera), "{found:?}");
        std::fs::write(&path, file).unwrap();
    }
    assert_eq!(house.problems(), []);
}

#[tokio::test]
async fn files_cut_swapped_missing_or_put_in_each_others_place_are_found() {
    let house = House::filled().await;
    let rows = house.rows(&house.store).await;
    let path = |n: usize| house.folder().join(&rows[n].path);
    let wrongs = || house.problems().into_iter().map(|p| (p.path, p.flaw.wrong)).collect::<Vec<_>>();
    let second = std::fs::read(path(1)).unwrap();

    // Cut inside a fragment, and between two, where the file itself is flawless.
    std::fs::write(path(1), &second[..second.len() - 7]).unwrap();
    assert!(wrongs().contains(&(rows[1].path.clone(), Wrong::Tail)));
    let end = usize::try_from(rows[1].fragments[3].offset).unwrap();
    std::fs::write(path(1), &second[..end]).unwrap();
    assert_eq!(wrongs(), [(rows[2].path.clone(), Wrong::Before(rows[1].path.clone()))]);

    // Missing; the file after the midnight stands on one before it.
    std::fs::remove_file(path(1)).unwrap();
    let missing = house.problems();
    assert_eq!(missing[0].flaw.wrong, Wrong::Missing(rows[1].path.clone()));
    assert_eq!(missing[0].flaw.span, Span { start_us: rows[1].start_us, end_us: rows[2].start_us });
    // Removed on purpose: by name, or because it is older than all the rest.
    verify::note_removed(&house.folder(), &rows[1].path).unwrap();
    assert_eq!(wrongs(), []);
    std::fs::remove_file(path(0)).unwrap();
    assert_eq!(wrongs(), []);

    // Two files of one stream change places, then two of two streams.
    for (a, b) in [(6, 7), (3, 8)] {
        let (one, other) = (std::fs::read(path(a)).unwrap(), std::fs::read(path(b)).unwrap());
        std::fs::write(path(a), &other).unwrap();
        std::fs::write(path(b), &one).unwrap();
        let found = wrongs();
        for n in [a, b] {
            assert!(found.contains(&(rows[n].path.clone(), Wrong::Name)), "{found:?}");
        }
        std::fs::write(path(a), &one).unwrap();
        std::fs::write(path(b), &other).unwrap();
    }
    assert_eq!(wrongs(), []);
}

#[tokio::test]
async fn the_command_says_camera_and_local_second_and_ends_with_one_when_something_is_wrong() {
    let house = House::filled().await;
    let run = |folder: &Path| {
        let out = wait::output(Command::new(env!("CARGO_BIN_EXE_vonglau")).arg("verify").arg(folder));
        (out.status.code(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
    };
    let (code, text) = run(&house.folder());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("10 tệp/files · 40 đoạn/fragments"), "{text}");
    let row = &house.rows(&house.store).await[1];
    let path = house.folder().join(&row.path);
    let mut file = std::fs::read(&path).unwrap();
    file[usize::try_from(row.fragments[2].offset).unwrap() + 200] ^= 4;
    std::fs::write(&path, file).unwrap();
    let (code, text) = run(&house.folder());
    assert_eq!(code, Some(1), "{text}");
    // 23:59:57 UTC is the next day's morning in Vietnam.
    assert!(text.starts_with("C01 main 2023-11-15 06:59:57  2023-11-14/C01-"), "{text}");
    let (code, text) = run(house.dir.path());
    assert_eq!(code, Some(1));
    assert!(text.contains("no store folder"), "{text}");
}

#[tokio::test]
async fn a_lost_database_is_built_again_from_the_files_with_exactly_the_same_rows() {
    let house = House::filled().await;
    let (rows, totals) = (house.rows(&house.store).await, house.store.segment_totals().await.unwrap());
    let data = house.dir.path().join("new");
    std::fs::create_dir(&data).unwrap();
    let config = house.dir.path().join("vonglau.toml");
    std::fs::write(&config, format!("store = {:?}\n", house.folder())).unwrap();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vonglau"));
        let out = wait::output(command.arg("reindex").arg("--config").arg(&config).arg("--data").arg(&data));
        (out.status.success(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
    };
    let (well, text) = run();
    assert!(well && text.contains("10 tệp/files · ghi vào chỉ mục/entered 10 "), "{text}");
    let (well, text) = run();
    assert!(well && text.contains("entered 0 "), "{text}");

    let store = Store::open(&data.join("vonglau.db")).await.unwrap();
    assert_eq!(house.rows(&store).await, rows);
    assert_eq!(store.segment_totals().await.unwrap(), totals);
    assert_eq!(store.site_uuid().await.unwrap(), house.store.site_uuid().await.unwrap());
    assert_eq!(store.cameras().await.unwrap(), []);
    for stream in &house.streams {
        let camera = store.camera(stream.camera).await.unwrap().unwrap();
        assert_eq!((camera.code.as_str(), camera.streams.len()), (stream.camera_code.as_str(), 0));
        assert!(camera.retired_us.is_some());
    }
    // New cameras do not get in their way.
    let draft = CameraDraft { name: "Mới".into(), main_url: "rtsp://127.0.0.1/9".into(), ..CameraDraft::default() };
    let actor = Actor { name: "test".into() };
    let camera = store.add_camera(&actor, &draft.checked().unwrap(), WallTime(2)).await.unwrap();
    assert!(house.streams.iter().all(|s| s.camera != camera));
    // Recording goes on in the folder, which is still this site's.
    let mut tasks = Tasks::new();
    wait::done(house.recorder(&store, Arc::default(), &mut tasks).await.finish()).await;
    wait::done(tasks.drain()).await;
    assert_eq!(house.problems(), []);
}

#[tokio::test]
async fn a_folder_of_another_site_or_in_use_is_not_indexed() {
    let house = House::filled().await;
    let mut none = |path: &str, why: &str| panic!("{path}: {why}");
    let mut tasks = Tasks::new();
    let recorder = house.recorder(&house.store, Arc::default(), &mut tasks).await;
    let refused = reindex(&house.folder(), &house.store, &Clock::machine(), &mut none).await.unwrap_err();
    assert!(refused.to_string().contains("another vonglau process"), "{refused}");
    wait::done(recorder.finish()).await;
    wait::done(tasks.drain()).await;
    let other = House::new().await;
    let refused = reindex(&house.folder(), &other.store, &Clock::machine(), &mut none).await.unwrap_err();
    assert!(refused.to_string().contains("another site"), "{refused}");
}

#[tokio::test]
async fn files_the_index_does_not_know_are_entered_while_recording_runs() {
    let house = House::filled().await;
    // As if an older copy of the database had been put back: cameras, but no recordings.
    let (rows, site) = (house.rows(&house.store).await, house.store.site_uuid().await.unwrap());
    let restored = Store::open(&house.dir.path().join("old.db")).await.unwrap();
    restored.adopt_site(&site).await.unwrap();
    let broken = house.folder().join(Path::new(&rows[0].path).parent().unwrap()).join("17.mp4");
    std::fs::write(&broken, "no recording").unwrap();
    // The power went while the last file of the first camera was written.
    let last = house.folder().join(&rows[4].path);
    let whole = std::fs::read(&last).unwrap();
    std::fs::write(&last, [&whole[..], &[0, 0, 1, 0, b'm', b'o', b'o', b'f', 7]].concat()).unwrap();
    assert_eq!(house.problems().iter().map(|p| &p.flaw.wrong).collect::<Vec<_>>(), [&Wrong::Head, &Wrong::Tail]);
    let mut tasks = Tasks::new();
    let recorder = house.recorder(&restored, Arc::default(), &mut tasks).await;
    wait::holds(async || restored.segment_totals().await.unwrap().0 >= rows.len() as u64).await;
    wait::done(recorder.finish()).await;
    wait::done(tasks.drain()).await;
    assert_eq!(house.rows(&restored).await, rows);
    assert_eq!(std::fs::read(&last).unwrap(), whole);
    assert!(broken.exists(), "a file nobody knows was removed");
}

#[tokio::test]
async fn the_scrub_finds_what_went_bad_says_it_once_and_goes_on_where_it_stopped() {
    let house = House::filled().await;
    let rows = house.rows(&house.store).await;
    let (counters, board) = (Arc::<Counters>::default(), Arc::<Board>::default());
    let scrub = || Scrub {
        root: house.folder(),
        store: house.store.clone(),
        clock: Clock::machine(),
        counters: counters.clone(),
        board: board.clone(),
        pace: Pace { first_wait: Duration::ZERO, bytes_per_second: 1 << 40 },
    };
    wait::holds(async || !scrub().some().await.unwrap()).await;
    assert_eq!((house.store.damages().await.unwrap(), counters.damages_found.get()), (vec![], 0));
    let (next, began) = house.store.scrub_place().await.unwrap().unwrap();
    assert_eq!(next, SegmentId(11));

    let flipped = house.folder().join(&rows[2].path);
    let mut file = std::fs::read(&flipped).unwrap();
    file[usize::try_from(rows[2].fragments[1].offset).unwrap() + 300] ^= 1;
    std::fs::write(&flipped, file).unwrap();
    let cut = house.folder().join(&rows[7].path);
    let len = rows[7].fragments[3].offset;
    std::fs::File::options().write(true).open(&cut).unwrap().set_len(len).unwrap();
    std::fs::remove_file(house.folder().join(&rows[9].path)).unwrap();
    // Behind the place where the last pass stopped nothing is looked at again.
    wait::holds(async || !scrub().some().await.unwrap()).await;
    assert_eq!(counters.damages_found.get(), 0);
    for _ in 0..2 {
        house.store.set_scrub_place(SegmentId(0), began).await.unwrap();
        wait::holds(async || !scrub().some().await.unwrap()).await;
    }
    let mut damages = house.store.damages().await.unwrap();
    damages.sort_by_key(|d| rows.iter().position(|r| r.path == d.path));
    let found: Vec<_> = damages.iter().map(|d| (d.stream, d.path.as_str(), d.span.start_us)).collect();
    let expected = |n: usize, us: i64| (rows[n].stream, rows[n].path.as_str(), rows[n].start_us + us);
    assert_eq!(found, [expected(2, SECOND_US), expected(7, 3 * SECOND_US), expected(9, 0)]);
    assert_eq!(counters.damages_found.get(), 3);
    let alarms = board.alarms();
    assert!(alarms.iter().all(|a| a.kind == AlarmKind::Damaged && a.camera.is_some()), "{alarms:?}");
    assert_eq!(alarms.iter().map(|a| a.times).sum::<u64>(), 3, "each place is told once: {alarms:?}");

    // A disk that is not mounted is not a damaged one: nothing is looked at before it is there again.
    std::fs::rename(house.folder(), house.folder().with_extension("away")).unwrap();
    std::fs::create_dir(house.folder()).unwrap();
    house.store.set_scrub_place(SegmentId(0), began).await.unwrap();
    assert!(!scrub().some().await.unwrap());
    assert_eq!(house.store.scrub_place().await.unwrap(), Some((SegmentId(0), began)));
    assert_eq!((counters.damages_found.get(), board.alarms()), (3, alarms));
}
