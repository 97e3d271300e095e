//! A wall clock that is stepped under the running program, by an hour, by ten years and back, and over two restarts:
//! nothing is lost, nothing overlaps, nothing is removed, and the time on the pictures is right again at the end.
//!
//! The clock is libfaketime's (Debian package `faketime`), which stands between the service and the C library; the
//! simulator and this test have the true one.

mod common;

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use common::{
    house::{Cameras, House},
    mp4::{Sample, samples},
    recorded::EVER,
};
use serde_json::{Value, json};
use vonglau::{
    domain::{
        camera::{Camera, StreamKind},
        segment::{GapCause, Segment},
        time::Span,
    },
    record::{chain, verify::verify},
    sim::ledger::{self, Entry},
    store::Store,
};

const S: i64 = 1_000_000;
/// Recorded times may be off by this much: what a restart took is not seen by a clock that was set back before it.
const OFF_US: i64 = 60 * S;
/// Units that may be on their way when a run ends.
const ON_ITS_WAY: usize = 60;

/// The clock of the service.
struct FalseClock {
    library: PathBuf,
    offset: PathBuf,
}

impl FalseClock {
    fn new(folder: &Path) -> Self {
        let found = std::fs::read_dir("/usr/lib").expect("a folder").filter_map(Result::ok);
        let library = found.map(|e| e.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
        let library = library.expect("libfaketime of Debian's package faketime");
        let clock = Self { library, offset: folder.join("offset") };
        clock.set("+0");
        clock
    }
    /// Steps it to so far from the true one, at once and as a whole.
    fn set(&self, offset: &str) {
        let next = self.offset.with_extension("next");
        std::fs::write(&next, offset).expect("it is written");
        std::fs::rename(&next, &self.offset).expect("it is stepped");
    }
    fn house(&self, data: &Path) -> House {
        let (library, offset) = (self.library.display().to_string(), self.offset.display().to_string());
        let env = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", offset.as_str()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        House::start_under(&[], data, &["--record-only"], &env)
    }
}

fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("later than 1970").as_micros()).expect("a time")
}

/// What the service takes for now, less what is now.
fn off_us(house: &House) -> i64 {
    house.get("/api/v1/status")["now_us"].as_i64().expect("a time") - now_us()
}

/// So many units more are recorded.
fn go_on(house: &House, units: u64) {
    let before = house.counter("packets_recorded");
    house.wait_until("recording goes on", |h| h.counter("packets_recorded") >= before + units);
}

#[tokio::test]
async fn a_wall_clock_stepped_by_hours_and_years_loses_no_unit_and_lays_nothing_over_anything() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, list) = (folder.path().join("data"), folder.path().join("ledger.jsonl"));
    let small = ["--size", "320x180", "--sub-size", "160x90", "--bitrate", "200", "--gop", "15"];
    let cameras = Cameras::start(&[&["--cameras", "2", "--ledger", &list.display().to_string()], &small[..]].concat());
    let (clock, begun_us) = (FalseClock::new(folder.path()), now_us());

    let house = clock.house(&data);
    let ids = house.add_cameras(&cameras.urls);
    let until_us = begun_us + 1800 * S;
    let span = [begun_us - 60 * S, begun_us + 2 * S];
    let lock =
        json!({ "cameras": ids, "start_us": span[0], "end_us": span[1], "reason": "vụ 12", "until_us": until_us });
    assert_eq!(house.post("/api/v1/locks", &lock).0, 201);
    go_on(&house, 200);
    for step in ["+1h", "+10y", "-1h"] {
        clock.set(step);
        go_on(&house, 150);
        assert!(off_us(&house).abs() < OFF_US, "{step}: times follow a step by hand: {} s", off_us(&house) / S);
    }
    house.stop();

    // Started while the clock is behind what is recorded.
    let house = clock.house(&data);
    go_on(&house, 150);
    assert!(off_us(&house).abs() < OFF_US, "{} s", off_us(&house) / S);
    clock.set("+0");
    go_on(&house, 150);
    house.stop();

    // Started while it is ahead by years: nobody can know that it is wrong, and nothing is removed for it.
    clock.set("+10y");
    let house = clock.house(&data);
    go_on(&house, 150);
    assert!(off_us(&house) > 3600 * 24 * 3600 * S, "{} s", off_us(&house) / S);
    house.wait_until("the brake holds", |h| h.get("/api/v1/storage")["waiting"]["cause"] == "clock");
    assert_eq!(house.get("/api/v1/locks")["locks"].as_array().map(Vec::len), Some(ids.len()), "a lock was let go");
    clock.set("+0");
    house.wait_until("the time is right again", |h| off_us(h).abs() < OFF_US);
    go_on(&house, 300);
    house.wait_until("what is missing is accounted for", |h| ids.iter().all(|id| explained(h, *id)));
    assert_eq!(house.counter("segments_removed"), 0);
    house.stop();
    cameras.program.end();

    let sent = ledger::read(&list).expect("the ledger");
    let store = Store::open(&data.join("vonglau.db")).await.expect("the database");
    let ended_us = now_us();
    for (camera, number) in store.cameras().await.expect("cameras").iter().zip(1..) {
        for kind in [StreamKind::Main, StreamKind::Sub] {
            let sent: Vec<&Entry> = sent.iter().filter(|e| e.camera == number && e.stream == kind).collect();
            check(&store, &data, camera, kind, &sent, Span { start_us: begun_us, end_us: ended_us }).await;
        }
    }
    let locks = store.locks().await.expect("locks");
    assert!(locks.len() == ids.len() && locks.iter().all(|l| l.until_us == Some(until_us)), "{locks:?}");
    store.close().await;
    let report = verify(&data.join("store"), &mut |problem| panic!("{problem:?}")).expect("it can be read");
    assert_eq!(report.problems, 0);
}

/// Whether the time of a camera's streams is recorded or a gap with its row, and nothing is said to have been removed.
fn explained(house: &House, camera: i64) -> bool {
    let report = house.get(&format!("/api/v1/cameras/{camera}/gaps"));
    let streams = report["streams"].as_array().expect("streams");
    let rows = |s: &Value| s["gaps"].as_array().expect("gaps").iter().all(|gap| gap["id"].is_i64());
    streams.iter().all(|s| s["removed_us"] == 0 && rows(s))
}

/// One stream: each run recorded what was sent to it from its first key frame on; recordings and gaps.
async fn check(store: &Store, data: &Path, camera: &Camera, kind: StreamKind, sent: &[&Entry], lived: Span) {
    let what = format!("{} {}", camera.code, kind.name());
    let stream = camera.stream(kind).expect("that stream").id;
    let mut segments = store.segments_in(stream, EVER).await.expect("the index");
    segments.sort_by_key(|s| s.start_us);
    for pair in segments.windows(2) {
        assert!(pair[0].end_us <= pair[1].start_us, "{what}: {} lies over {}", pair[0].path, pair[1].path);
    }
    segments.sort_by_key(|s| s.id);
    let runs = by_run(data, &segments);
    assert_eq!(runs.len(), 3, "{what}");
    let mut sessions = sent.chunk_by(|a, b| a.session == b.session);
    for (n, (run, units)) in runs.iter().enumerate() {
        let mut units = &units[..];
        while !units.is_empty() {
            let session = sessions.next().unwrap_or_else(|| panic!("{what}, run {n}: {} units too many", units.len()));
            let first = session.iter().position(|e| e.key).unwrap_or(session.len());
            let session = &session[first..];
            let same = units.iter().zip(session).take_while(|(unit, sent)| unit.sha256 == sent.sha256).count();
            let lost = session.len() - same;
            assert!(lost <= ON_ITS_WAY, "{what}, run {n}: {lost} of {} units are missing", session.len());
            units = &units[same..];
        }
        let right =
            |segment: &Segment| segment.start_us > lived.start_us - OFF_US && segment.end_us < lived.end_us + OFF_US;
        // Only what the last run began with has a false date.
        assert!(n == 2 || run.iter().all(|s| right(s)), "{what}, run {n}: {run:?}");
        assert!(run.last().is_some_and(|s| right(s)), "{what}: the false year stayed: {run:?}");
    }
    let gaps = store.ledger_gaps(stream, EVER).await.expect("gaps");
    assert!(!gaps.is_empty(), "{what}: no gap around the restarts");
    for gap in &gaps {
        let span = gap.gap.span;
        assert_eq!(gap.gap.cause, GapCause::Service, "{what}: {gap:?}");
        assert!(span.start_us >= lived.start_us - OFF_US && span.end_us <= lived.end_us + OFF_US, "{what}: {gap:?}");
    }
}

/// Segments of one run of the recorder with their units, in the order of recording.
type Run<'a> = (Vec<&'a Segment>, Vec<Sample>);

fn by_run<'a>(data: &Path, segments: &'a [Segment]) -> Vec<Run<'a>> {
    let mut runs: Vec<(String, Run)> = Vec::new();
    for segment in segments {
        let bytes = std::fs::read(data.join("store").join(&segment.path)).expect("the row's file is there");
        let run = chain::read_info(&bytes).expect("the file says what it is").run;
        if runs.last().is_none_or(|(last, _)| *last != run) {
            runs.push((run, Default::default()));
        }
        let (_, (all, units)) = runs.last_mut().expect("one was put");
        all.push(segment);
        units.extend(samples(&bytes));
    }
    runs.into_iter().map(|(_, run)| run).collect()
}
