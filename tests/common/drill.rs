//! Cameras that fail by a script, recorded by the real program.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use vonglau::{
    domain::camera::StreamKind,
    sim::ledger::{self, Entry},
    store::Store,
};

use super::{
    house::{Cameras, HANGING, House, now_us},
    sessions::{Session, by_session, percentile, segments},
};

pub const BOTH: [StreamKind; 2] = [StreamKind::Main, StreamKind::Sub];
const SMALL: [&str; 8] = ["--size", "320x180", "--sub-size", "160x90", "--bitrate", "200", "--gop", "15"];

/// Camera (from 1) and stream.
pub type Key = (u32, StreamKind);

/// A service that records simulated cameras with a script of faults.
pub struct Drill {
    folder: TempDir,
    pub cameras: Cameras,
    pub house: House,
    /// Ids of the cameras.
    pub ids: Vec<i64>,
}

/// What was recorded of each stream: session by session; when each segment began; the widths of its pictures.
pub struct Outcome {
    pub sessions: BTreeMap<Key, Vec<Session>>,
    pub starts_us: BTreeMap<Key, Vec<i64>>,
    pub widths: BTreeMap<Key, Vec<u32>>,
    /// Every unit that the simulator sent.
    pub sent: Vec<Entry>,
}

/// A fault of a script.
pub fn fault(at: f64, camera: Option<u32>, fault: &str, seconds: f64) -> String {
    let camera = camera.map(|c| format!("camera = {c}\n")).unwrap_or_default();
    format!("[[fault]]\nat = {at}\n{camera}fault = \"{fault}\"\nseconds = {seconds}\n")
}

impl Drill {
    /// Starts both and waits until every stream is streaming.
    pub fn start(cameras: u32, script: &str, more: &[&str]) -> Self {
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
        let ids = house.add_cameras(&cameras.urls);
        house.wait_until_streaming();
        house.wait_until_recorded(50);
        Self { folder, cameras, house, ids }
    }
    fn list(&self) -> PathBuf {
        self.folder.path().join("ledger.jsonl")
    }
    /// State of every stream, and why it is not streaming.
    pub fn states(&self) -> BTreeMap<Key, (String, String)> {
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
    pub fn wait_until_broken(&self, of: impl Fn(Key) -> bool) -> BTreeMap<Key, (i64, String)> {
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
    pub fn wait_until_streaming_again(&self, of: impl Fn(Key) -> bool) {
        let all = |h: &Self| h.states().iter().all(|(key, (state, _))| !of(*key) || state == "streaming");
        let since = Instant::now();
        while !all(self) {
            assert!(since.elapsed() < HANGING, "not all came back: {:?}", self.states());
            std::thread::sleep(Duration::from_millis(50));
        }
        // So that something of it is on disk.
        std::thread::sleep(Duration::from_secs(3));
    }
    /// A moment of the script, UTC microseconds.
    pub fn at_us(&self, second: f64) -> i64 {
        self.cameras.ready_us + (second * 1e6) as i64
    }
    /// Waits until that many seconds of the script have passed.
    pub fn wait_for_second(&self, second: f64) {
        let left = self.at_us(second) - now_us();
        std::thread::sleep(Duration::from_micros(u64::try_from(left).unwrap_or(0)));
    }
    /// Stops both, and compares everything with the ledger.
    pub async fn end(self) -> Outcome {
        let list = self.list();
        let summary = self.house.stop();
        assert_eq!(summary["packets_received"], summary["packets_recorded"], "{summary}");
        self.cameras.program.end();
        let sent = ledger::read(&list).expect("the ledger");
        let data = self.folder.path().join("data");
        let store = Store::open(&data.join("vonglau.db")).await.expect("the database");
        let (sessions, starts_us, widths) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut outcome = Outcome { sessions, starts_us, widths, sent };
        for (camera, number) in store.cameras().await.expect("cameras").iter().zip(1..) {
            for kind in BOTH {
                let what = format!("camera {number} {}", kind.name());
                let sent: Vec<&Entry> =
                    outcome.sent.iter().filter(|e| e.camera == number && e.stream == kind).collect();
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
    pub fn assert_untouched(&self, cameras: &[u32]) {
        for key in cameras.iter().flat_map(|c| BOTH.map(|kind| (*c, kind))) {
            let sessions = &self.sessions[&key];
            assert_eq!(sessions.len(), 1, "{key:?}: {sessions:?}");
            assert!(sessions[0].recorded > 0 && sessions[0].lost() <= 16, "{key:?}: {sessions:?}");
        }
    }
    /// Seconds from `since_us` to the first recorded picture after it, of each stream of `of`.
    pub fn back_after(&self, since_us: i64, of: impl Fn(Key) -> bool) -> Vec<f64> {
        let first = |(key, starts): (&Key, &Vec<i64>)| {
            let start = starts.iter().find(|s| **s >= since_us);
            (*start.unwrap_or_else(|| panic!("{key:?} was not recorded again")) - since_us) as f64 / 1e6
        };
        self.starts_us.iter().filter(|(key, _)| of(**key)).map(first).collect()
    }
}

/// Prints figures.
pub fn say(what: &str, seconds: &[f64]) {
    println!(
        "measured: {what}: p50 {:.2} s, p95 {:.2} s, most {:.2} s of {} streams",
        percentile(seconds, 0.5),
        percentile(seconds, 0.95),
        percentile(seconds, 1.0),
        seconds.len()
    );
}

/// Seconds from `since_us` until each was seen.
pub fn after(seen: &BTreeMap<Key, (i64, String)>, since_us: i64) -> Vec<f64> {
    seen.values().map(|(us, _)| (us - since_us) as f64 / 1e6).collect()
}
