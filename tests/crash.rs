//! `kill -9` at random moments while 8 cameras record: 10 times, 100 times when `VONGLAU_DRILL=1`.
//!
//! Every other kill comes after the cameras have been halted and the program has read and dealt with all they sent: then
//! what is missing is exactly what the program held back, and that may be one fragment a stream.

mod common;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::{
    house::{Cameras, House},
    quiet::{now_us, wait_until_dealt_with, wait_until_stopped},
    sessions::{Session, by_session, percentile, segments},
};
use vonglau::{
    domain::{camera::StreamKind, segment::FragmentEntry},
    sim::ledger::{self, Entry},
    store::Store,
};

const CAMERAS: usize = 8;
const BOTH: [StreamKind; 2] = [StreamKind::Main, StreamKind::Sub];

/// What the index had acknowledged, by the file's path.
type Acknowledged = BTreeMap<String, Vec<FragmentEntry>>;

async fn acknowledged(data: &Path) -> Acknowledged {
    let store = Store::open(&data.join("vonglau.db")).await.expect("the database opens after a kill");
    let mut all = Acknowledged::new();
    for camera in store.cameras().await.expect("cameras") {
        for kind in BOTH {
            let stream = camera.stream(kind).expect("that stream").id;
            for segment in store.segments_in(stream, common::recorded::EVER).await.expect("the index") {
                all.insert(segment.path, segment.fragments);
            }
        }
    }
    store.close().await;
    all
}

/// Every media file with its length.
fn media(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let (mut all, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the store's folder") {
            let entry = entry.expect("an entry");
            let about = entry.metadata().expect("its metadata");
            if about.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|e| e == "mp4") {
                all.insert(entry.path(), about.len());
            }
        }
    }
    all
}

/// Waits until a counter is above 0; seconds since `since`.
fn first(house: &House, counter: &str, since: Instant) -> f64 {
    while house.counter(counter) == 0 {
        assert!(since.elapsed() < common::house::HANGING, "recording never began again");
        std::thread::sleep(Duration::from_millis(20));
    }
    since.elapsed().as_secs_f64()
}

#[tokio::test]
async fn after_kill_9_at_any_moment_every_acknowledged_fragment_is_there_and_recording_goes_on() {
    let kills = if common::is_drill() { 100 } else { 10 };
    let folder = tempfile::tempdir().expect("a folder");
    let (data, list) = (folder.path().join("data"), folder.path().join("ledger.jsonl"));
    let small = ["--size", "320x180", "--sub-size", "160x90", "--bitrate", "300", "--gop", "20"];
    let count = CAMERAS.to_string();
    let list_text = list.display().to_string();
    let cameras = Cameras::start(&[&["--cameras", &count, "--ledger", &list_text], &small[..]].concat());

    let mut random = fastrand::Rng::with_seed(2026);
    let (mut received, mut on_disk) = (Vec::new(), Vec::new());
    let (mut known, mut files) = (Acknowledged::new(), BTreeMap::new());
    let mut halts = Vec::new();
    for kill in 0..kills {
        let (since, started_us) = (Instant::now(), now_us());
        let mut house = House::start(&data, &["--record-only"]);
        if kill == 0 {
            house.add_cameras(&cameras.urls);
        }
        received.push(first(&house, "packets_received", since));
        // Some kills come before anything of that run is on disk.
        if random.u8(..4) > 0 {
            on_disk.push(first(&house, "packets_recorded", since));
        }
        std::thread::sleep(Duration::from_millis(random.u64(0..2500)));
        if kill % 2 == 1 {
            halts.push((started_us, halt(&cameras, house.program.child.id())));
        }
        house.program.child.kill().expect("it is killed");
        common::wait::ended(&mut house.program.child);
        drop(house);
        cameras.program.signal("CONT");
        let (now, there) = (acknowledged(&data).await, media(&data.join("store")));
        assert_kept(&known, &now);
        assert!(files.keys().all(|f| there.contains_key(f)), "media was deleted after kill {kill}");
        (known, files) = (now, there);
    }
    let since = Instant::now();
    let house = House::start(&data, &["--record-only"]);
    on_disk.push(first(&house, "packets_recorded", since));
    house.stop();
    cameras.program.end();

    println!(
        "measured: {kills} kills; first picture in hand p50 {:.2} s p95 {:.2} s, on disk p50 {:.2} s p95 {:.2} s",
        percentile(&received, 0.5),
        percentile(&received, 0.95),
        percentile(&on_disk, 0.5),
        percentile(&on_disk, 0.95)
    );
    let there = media(&data.join("store"));
    assert!(files.keys().all(|f| there.contains_key(f)), "media was deleted");
    assert_kept(&known, &acknowledged(&data).await);
    assert_ledger(&data, &ledger::read(&list).expect("the ledger"), kills, &halts).await;
}

/// Halts the cameras and waits until `pid` has dealt with all they have sent; when they had been halted.
fn halt(cameras: &Cameras, pid: u32) -> i64 {
    cameras.program.signal("STOP");
    wait_until_stopped(cameras.program.child.id());
    let halted_us = now_us();
    wait_until_dealt_with(pid, cameras.port());
    halted_us
}

/// What was acknowledged once stands in the index unchanged.
fn assert_kept(before: &Acknowledged, now: &Acknowledged) {
    for (path, fragments) in before {
        let kept = now.get(path).unwrap_or_else(|| panic!("{path} was acknowledged and is gone from the index"));
        assert_eq!(kept.get(..fragments.len()), Some(&fragments[..]), "{path}");
    }
}

/// Units of a fragment, which is at most a second.
const fn fragment(kind: StreamKind) -> usize {
    match kind {
        StreamKind::Main => 15,
        StreamKind::Sub => 10,
    }
}

/// Every recorded unit is the ledger's, in order, and no kill cost a stream more of what had arrived than one fragment.
async fn assert_ledger(data: &Path, sent: &[Entry], kills: usize, halts: &[(i64, i64)]) {
    let store = Store::open(&data.join("vonglau.db")).await.expect("the database");
    let (mut lost, mut held_back, mut sessions_seen, mut units) = (Vec::new(), Vec::new(), 0, 0);
    for (camera, number) in store.cameras().await.expect("cameras").iter().zip(1..) {
        for kind in BOTH {
            let what = format!("camera {number} {}", kind.name());
            let sent: Vec<&Entry> = sent.iter().filter(|e| e.camera == number && e.stream == kind).collect();
            let found = by_session(&what, &segments(&store, data, camera, kind).await, &sent);
            for session in &found {
                // Printed only: in full flow it is the machine that says how much is still under way.
                lost.push(session.lost() as f64);
            }
            for (started_us, halted_us) in halts {
                // A stream that had not begun yet could lose nothing.
                let alive = |s: &&Session| (started_us..=halted_us).contains(&&s.first_us);
                let Some(session) = found.iter().find(alive) else { continue };
                let lost = session.lost_at(*halted_us);
                assert!(lost <= fragment(kind), "{what}: {lost} units were held back at a kill: {session:?}");
                held_back.push(lost as f64);
            }
            sessions_seen += found.len();
            units += found.iter().map(|s| s.recorded).sum::<usize>();
            assert!(found.iter().any(|s| s.recorded > 0), "{what}: nothing was recorded");
        }
    }
    store.close().await;
    println!(
        "measured: {units} units recorded in {sessions_seen} sessions of {kills} kills; lost at a kill p50 {} p95 {} most {} units",
        percentile(&lost, 0.5),
        percentile(&lost, 0.95),
        percentile(&lost, 1.0)
    );
    println!(
        "measured: held back at a kill, nothing being under way: p50 {} p95 {} most {} units of a fragment's 15 or 10",
        percentile(&held_back, 0.5),
        percentile(&held_back, 0.95),
        percentile(&held_back, 1.0)
    );
}
