//! A store whose disk is not there, and a disk that is slow to flush: what is recorded, what is said, what is lost.

mod common;

use std::{
    path::Path,
    process::{Command, Stdio},
};

use common::{
    house::{Cameras, House},
    quiet::{now_us, wait_until_dealt_with, wait_until_stopped},
    recorded::EVER,
    sessions::{by_session, segments},
};
use serde_json::Value;
use vonglau::{
    domain::{camera::StreamKind, segment::GapCause},
    sim::ledger,
    store::Store,
};

const SMALL: [&str; 8] = ["--size", "320x240", "--sub-size", "160x120", "--gop", "10", "--bitrate", "300"];

fn kinds(house: &House) -> Vec<String> {
    let status = house.get("/api/v1/status");
    let alarms = status["alarms"].as_array().expect("alarms");
    alarms.iter().map(|a| a["kind"].as_str().expect("a kind").to_owned()).collect()
}

/// A command of the program: whether it ended well, and what it said.
fn command(args: &[&str]) -> (bool, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_vonglau")).args(args).stdin(Stdio::null()).output().expect("it runs");
    (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("the folder").next().is_none()
}

/// How many rows there are, and how many of them have no file.
async fn rows(data: &Path) -> (usize, usize) {
    let store = Store::open(&data.join("vonglau.db")).await.expect("the database");
    let (mut all, mut without) = (0, 0);
    for stream in store.cameras().await.unwrap().iter().flat_map(|c| &c.streams) {
        for segment in store.segments_in(stream.id, EVER).await.unwrap() {
            (all, without) = (all + 1, without + usize::from(!data.join("store").join(segment.path).exists()));
        }
    }
    store.close().await;
    (all, without)
}

#[tokio::test]
async fn a_store_whose_disk_is_not_mounted_is_waited_for_and_nothing_is_written_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (data, away) = (folder.path().join("data"), folder.path().join("away"));
    let (store, data_text) = (data.join("store"), data.display().to_string());
    let cameras = Cameras::start(&[&["--cameras", "1"][..], &SMALL].concat());
    let house = House::start(&data, &["--record-only"]);
    let camera = house.add_cameras(&cameras.urls)[0];
    house.wait_until_recorded(60);
    assert_eq!(kinds(&house), Vec::<String>::new());
    house.stop();
    let before = rows(&data).await.0;

    // The mount point of a disk that is not mounted is an empty folder.
    std::fs::rename(&store, &away).unwrap();
    std::fs::create_dir(&store).unwrap();
    let house = House::start(&data, &["--record-only"]);
    assert_eq!(kinds(&house), ["disk_missing"]);
    house.wait_until("pictures that come are refused", |h| h.counter("packets_lost") > 60);
    let gap = |house: &House| {
        let report = house.get(&format!("/api/v1/cameras/{camera}/gaps"));
        let gaps = report["streams"][0]["gaps"].as_array().expect("gaps").clone();
        gaps.last().cloned().unwrap_or(Value::Null)
    };
    house.wait_until("the gap has its cause", |h| gap(h)["cause"] == "disk" && gap(h)["open"] == true);
    assert!(is_empty(&store) && house.counter("packets_recorded") == 0);
    let (well, said) = command(&["check", "--data", &data_text]);
    assert!(!well && said.contains("not mounted"), "{said}");

    // Mounted, it is recorded to without a restart.
    std::fs::remove_dir(&store).unwrap();
    std::fs::rename(&away, &store).unwrap();
    house.wait_until_recorded(60);
    assert_eq!(kinds(&house), Vec::<String>::new());
    house.stop();
    let after = rows(&data).await;
    assert!(after.0 > before && after.1 == 0, "{after:?}");
    let index = Store::open(&data.join("vonglau.db")).await.unwrap();
    let stream = index.cameras().await.unwrap()[0].streams[0].id;
    let gaps = index.gaps_in(stream, EVER).await.unwrap();
    assert!(gaps.iter().any(|g| g.cause == GapCause::Disk && g.span.len_us() > 2_000_000), "{gaps:?}");
    assert!(gaps.iter().all(|g| matches!(g.cause, GapCause::Disk | GapCause::Service)), "{gaps:?}");
    index.close().await;
    cameras.program.end();
}

#[tokio::test]
async fn a_new_disk_is_taken_by_a_word_and_what_was_on_the_old_one_leaves_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let (data, old) = (folder.path().join("data"), folder.path().join("old"));
    let (store, data_text) = (data.join("store"), data.display().to_string());
    let cameras = Cameras::start(&[&["--cameras", "1"][..], &SMALL].concat());
    let house = House::start(&data, &["--record-only"]);
    house.add_cameras(&cameras.urls);
    house.wait_until_recorded(60);
    house.stop();
    std::fs::rename(&store, &old).unwrap();

    let house = House::start(&data, &["--record-only"]);
    assert_eq!(kinds(&house), ["disk_missing"]);
    let (well, said) = command(&["accept-disk", "--data", &data_text]);
    assert!(well, "{said}");
    house.wait_until_recorded(60);
    assert_eq!(kinds(&house), Vec::<String>::new());
    house.stop();
    let (all, without) = rows(&data).await;
    assert!(all > 0 && without == 0, "{all} rows, {without} without a file");

    // The old disk back in its place: its files are entered again.
    std::fs::rename(&store, folder.path().join("new")).unwrap();
    std::fs::rename(&old, &store).unwrap();
    let house = House::start(&data, &["--record-only"]);
    house.wait_until_recorded(60);
    let mut found = 0;
    for _ in 0..100 {
        let (all, without) = rows(&data).await;
        found = all - without;
        if found > 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    house.stop();
    cameras.program.end();
    assert!(found > 2, "the old files were not entered: {found}");
}

/// `strace` lets single system calls of the real program wait.
fn strace_works() -> bool {
    let works = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).status().is_ok_and(|s| s.success());
    if !works {
        println!("skipped: no strace, or it may not trace");
    }
    works
}

#[tokio::test]
async fn a_flush_that_takes_seconds_holds_back_no_fragment_from_a_process_that_is_killed() {
    if !strace_works() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, list) = (folder.path().join("data"), folder.path().join("ledger.jsonl"));
    let list_text = list.display().to_string();
    let cameras = Cameras::start(&[&["--cameras", "1", "--ledger", &list_text][..], &SMALL].concat());
    // The first calls make the database and enter the camera; after that each flush takes four seconds.
    let slow = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fdatasync"];
    let wrapper = [&slow[..], &["-e", "inject=fdatasync:delay_enter=4000000:when=40+"]].concat();
    let mut house = House::start_under(&wrapper, &data, &["--record-only"], &[]);
    house.add_cameras(&cameras.urls);
    house.wait_until_recorded(200);
    let tracer = house.program.child.id();
    let child = std::fs::read_to_string(format!("/proc/{tracer}/task/{tracer}/children")).expect("its child");
    let pid: u32 = child.trim().parse().expect("one child");
    cameras.program.signal("STOP");
    wait_until_stopped(cameras.program.child.id());
    let halted_us = now_us();
    wait_until_dealt_with(pid, cameras.port());
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().expect("kill runs").success());
    house.program.child.wait().expect("it is gone");
    cameras.program.signal("CONT");
    drop(house);
    cameras.program.end();

    let house = House::start(&data, &["--record-only"]);
    house.stop();
    let (sent, store) = (ledger::read(&list).unwrap(), Store::open(&data.join("vonglau.db")).await.unwrap());
    let camera = &store.cameras().await.unwrap()[0];
    for (kind, fragment) in [(StreamKind::Main, 15), (StreamKind::Sub, 10)] {
        let sent: Vec<_> = sent.iter().filter(|e| e.stream == kind).collect();
        let found = by_session(kind.name(), &segments(&store, &data, camera, kind).await, &sent);
        let lost = found[0].lost_at(halted_us);
        println!("measured: {} of {} units of {} were held back", lost, found[0].recorded + lost, kind.name());
        assert!(lost <= fragment, "{found:?}");
    }
    store.close().await;
}
