//! Cameras that fail, through the real program: what one camera does costs no other one a unit, and what came back is
//! recorded again. Figures are printed as `measured:` lines; nothing about speed is asserted.

mod common;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use common::{
    house::{Cameras, HANGING, House},
    sessions::{Session, by_session, percentile, segments},
};
use tempfile::TempDir;
use vonglau::{
    domain::camera::StreamKind,
    sim::ledger::{self, Entry},
    store::Store,
};

const BOTH: [StreamKind; 2] = [StreamKind::Main, StreamKind::Sub];
const SMALL: [&str; 8] = ["--size", "320x180", "--sub-size", "160x90", "--bitrate", "200", "--gop", "15"];

/// Camera (from 1) and stream.
type Key = (u32, StreamKind);

/// A service that records simulated cameras with a script of faults.
struct Drill {
    folder: TempDir,
    cameras: Cameras,
    house: House,
}

/// What was recorded of each stream: session by session; when each segment began; the widths of its pictures.
struct Outcome {
    sessions: BTreeMap<Key, Vec<Session>>,
    starts_us: BTreeMap<Key, Vec<i64>>,
    widths: BTreeMap<Key, Vec<u32>>,
}

fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros()).expect("a time")
}

fn fault(at: u32, camera: Option<u32>, fault: &str, seconds: u32) -> String {
    let camera = camera.map(|c| format!("camera = {c}\n")).unwrap_or_default();
    format!("[[fault]]\nat = {at}\n{camera}fault = \"{fault}\"\nseconds = {seconds}\n")
}

impl Drill {
    /// Starts both and waits until every stream is streaming.
    fn start(cameras: u32, script: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("faults.toml"), script).expect("the script is written");
        let (list, faults, count) = (path("ledger.jsonl"), path("faults.toml"), cameras.to_string());
        let mut args = vec!["--cameras", &count, "--ledger", &list];
        if !script.is_empty() {
            args.extend(["--faults", &faults]);
        }
        args.extend(SMALL.iter().chain(more));
        let cameras = Cameras::start(&args);
        let house = House::start(&folder.path().join("data"), &["--record-only"]);
        house.add_cameras(&cameras.urls);
        house.wait_until_streaming();
        house.wait_until_recorded(50);
        Self { folder, cameras, house }
    }
    fn list(&self) -> PathBuf {
        self.folder.path().join("ledger.jsonl")
    }
    /// State of every stream, and why it is not streaming.
    fn states(&self) -> BTreeMap<Key, (String, String)> {
        let cameras = self.house.get("/api/v1/cameras");
        let mut states = BTreeMap::new();
        for (camera, number) in cameras["cameras"].as_array().expect("cameras").iter().zip(1..) {
            for stream in camera["streams"].as_array().expect("streams") {
                let kind = StreamKind::from_name(stream["kind"].as_str().expect("a kind")).expect("a kind");
                let status = &stream["status"];
                let why = format!("{} {}", status["why"]["cause"], status["why"]["detail"]);
                states.insert((number, kind), (status["state"].as_str().expect("a state").to_owned(), why));
            }
        }
        states
    }
    /// Watches until every one of `of` has left streaming; when each was seen to, UTC microseconds, and why.
    fn wait_until_broken(&self, of: impl Fn(Key) -> bool) -> BTreeMap<Key, (i64, String)> {
        let (since, mut seen) = (Instant::now(), BTreeMap::new());
        loop {
            let states = self.states();
            let wanted = states.keys().filter(|k| of(**k)).count();
            for (key, (state, why)) in states {
                if of(key) && state != "streaming" {
                    seen.entry(key).or_insert_with(|| (now_us(), why));
                }
            }
            if seen.len() == wanted {
                return seen;
            }
            assert!(since.elapsed() < HANGING, "only these streams broke: {seen:?}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
    fn wait_until_streaming_again(&self, of: impl Fn(Key) -> bool) {
        let all = |h: &Self| h.states().iter().all(|(key, (state, _))| !of(*key) || state == "streaming");
        let since = Instant::now();
        while !all(self) {
            assert!(since.elapsed() < HANGING, "not all came back: {:?}", self.states());
            std::thread::sleep(Duration::from_millis(50));
        }
        // So that something of it is on disk.
        std::thread::sleep(Duration::from_secs(3));
    }
    /// Waits until that many seconds of the script have passed.
    fn wait_for_second(&self, second: u32) {
        let left = self.cameras.ready_us + i64::from(second) * 1_000_000 - now_us();
        std::thread::sleep(Duration::from_micros(u64::try_from(left).unwrap_or(0)));
    }
    /// Stops both, and compares everything with the ledger.
    async fn end(self) -> Outcome {
        let list = self.list();
        let summary = self.house.stop();
        assert_eq!(summary["packets_received"], summary["packets_recorded"], "{summary}");
        self.cameras.program.end();
        let sent = ledger::read(&list).expect("the ledger");
        let data = self.folder.path().join("data");
        let store = Store::open(&data.join("vonglau.db")).await.expect("the database");
        let mut outcome = Outcome { sessions: BTreeMap::new(), starts_us: BTreeMap::new(), widths: BTreeMap::new() };
        for (camera, number) in store.cameras().await.expect("cameras").iter().zip(1..) {
            for kind in BOTH {
                let what = format!("camera {number} {}", kind.name());
                let sent: Vec<&Entry> = sent.iter().filter(|e| e.camera == number && e.stream == kind).collect();
                let recorded = segments(&store, &data, camera, kind).await;
                outcome.starts_us.insert((number, kind), recorded.iter().map(|(s, _)| s.start_us).collect());
                outcome.widths.insert((number, kind), recorded.iter().map(|(s, _)| s.width).collect());
                outcome.sessions.insert((number, kind), by_session(&what, &recorded, &sent));
            }
        }
        store.close().await;
        outcome
    }
}

impl Outcome {
    /// These cameras had one session each, recorded unit for unit; only what was on its way at the end is missing.
    fn assert_untouched(&self, cameras: &[u32]) {
        for key in cameras.iter().flat_map(|c| BOTH.map(|kind| (*c, kind))) {
            let sessions = &self.sessions[&key];
            assert_eq!(sessions.len(), 1, "{key:?}: {sessions:?}");
            assert!(sessions[0].recorded > 0 && sessions[0].lost() <= 16, "{key:?}: {sessions:?}");
        }
    }
    /// Seconds from `since_us` to the first recorded picture after it, of each stream of `of`.
    fn back_after(&self, since_us: i64, of: impl Fn(Key) -> bool) -> Vec<f64> {
        let first = |(key, starts): (&Key, &Vec<i64>)| {
            let start = starts.iter().find(|s| **s >= since_us);
            (*start.unwrap_or_else(|| panic!("{key:?} was not recorded again")) - since_us) as f64 / 1e6
        };
        self.starts_us.iter().filter(|(key, _)| of(**key)).map(first).collect()
    }
}

fn say(what: &str, seconds: &[f64]) {
    println!(
        "measured: {what}: p50 {:.2} s, p95 {:.2} s, most {:.2} s of {} streams",
        percentile(seconds, 0.5),
        percentile(seconds, 0.95),
        percentile(seconds, 1.0),
        seconds.len()
    );
}

fn after(seen: &BTreeMap<Key, (i64, String)>, since_us: i64) -> Vec<f64> {
    seen.values().map(|(us, _)| (us - since_us) as f64 / 1e6).collect()
}

#[tokio::test]
async fn cameras_that_are_stopped_are_found_and_recorded_again_when_they_go_on() {
    let drill = Drill::start(4, "", &[]);
    drill.cameras.program.signal("STOP");
    let stopped_us = now_us();
    let found = drill.wait_until_broken(|_| true);
    assert!(found.values().all(|(_, why)| why.contains("no picture for")), "{found:?}");
    drill.cameras.program.signal("CONT");
    let going_us = now_us();
    drill.wait_until_streaming_again(|_| true);
    let outcome = drill.end().await;
    say("SIGSTOP of the cameras, stall found", &after(&found, stopped_us));
    say("SIGCONT of the cameras, recorded again", &outcome.back_after(going_us, |_| true));
}

#[tokio::test]
async fn thirty_seven_cameras_that_reboot_at_once_all_come_back_with_pictures_of_another_size() {
    const AT: u32 = 20;
    const SECONDS: u32 = 6;
    let script = fault(AT, None, "reboot", SECONDS) + "params = true\n";
    let drill = Drill::start(37, &script, &[]);
    let found = drill.wait_until_broken(|_| true);
    drill.wait_for_second(AT + SECONDS);
    drill.wait_until_streaming_again(|_| true);
    let ready_us = drill.cameras.ready_us;
    let outcome = drill.end().await;
    for (key, widths) in &outcome.widths {
        let [before, after] = if key.1 == StreamKind::Main { [320, 160] } else { [160, 80] };
        assert!(widths.contains(&before) && widths.last() == Some(&after), "{key:?}: {widths:?}");
    }
    let [from_us, until_us] = [AT, AT + SECONDS].map(|s| ready_us + i64::from(s) * 1_000_000);
    say("reboot of 37 cameras, break found", &after(&found, from_us));
    say("reboot of 37 cameras, recorded again after they serve", &outcome.back_after(until_us, |_| true));
}

#[tokio::test]
async fn what_goes_wrong_with_one_camera_costs_no_other_one_a_unit() {
    const AT: u32 = 15;
    const SECONDS: u32 = 8;
    let kinds = ["silence", "close", "reboot", "garbage", "slow", "no_key", "unauthorized"];
    let script: String = kinds.iter().zip(3..).map(|(kind, camera)| fault(AT, Some(camera), kind, SECONDS)).collect();
    let drill = Drill::start(9, &script, &[]);
    // Without key frames pictures go on.
    let broken = drill.wait_until_broken(|(camera, _)| camera > 2 && camera != 8);
    for (key, (_, why)) in &broken {
        println!("{key:?} {}: {why}", kinds[key.0 as usize - 3]);
    }
    drill.house.wait_until("the refused login is named", |_| {
        drill.states().iter().all(|(key, (_, why))| key.0 != 9 || why.contains("login"))
    });
    drill.wait_for_second(AT + SECONDS);
    // A refused login is not tried again for ten minutes.
    drill.wait_until_streaming_again(|(camera, _)| camera != 9);
    let ready_us = drill.cameras.ready_us;
    let outcome = drill.end().await;
    outcome.assert_untouched(&[1, 2, 8]);
    let [from_us, until_us] = [AT, AT + SECONDS].map(|s| ready_us + i64::from(s) * 1_000_000);
    for (kind, camera) in kinds.iter().zip(3..).filter(|(_, camera)| *camera != 8) {
        let of: Vec<f64> = after(&broken, from_us);
        let of: Vec<f64> = broken.keys().zip(of).filter(|(key, _)| key.0 == camera).map(|(_, s)| s).collect();
        say(&format!("{kind} of one camera, found"), &of);
        if camera != 9 {
            let back = outcome.back_after(until_us, |key| key.0 == camera);
            say(&format!("{kind} of one camera, recorded again after it serves"), &back);
        }
    }
}
