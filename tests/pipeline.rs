//! The main job end to end: drawn streets over real RTSP through the real program, and back out as events and clips.

mod common;

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use common::{
    ffprobe::probe,
    house::{Cameras, House},
    recorded::{assert_unbroken, recorded},
    wait,
};
use serde_json::{Value, json};
use vonglau::{
    domain::camera::StreamKind,
    sim::{
        ledger::{self, Entry},
        truth,
    },
    store::Store,
};

/// Objects of this share of the picture must be noticed; smaller ones may be.
const AREA_NOTICED: f32 = 0.002;
/// How far a sending time may lie from the media time of the same unit.
const SLACK_US: i64 = 1_000_000;

/// The tests here run one after the other: each keeps two cores busy by itself.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::test]
async fn drawn_streets_are_recorded_unit_for_unit_and_their_motion_is_found_with_clips() {
    let alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let (ledger, truth) = (folder.path().join("ledger.jsonl"), folder.path().join("truth.jsonl"));
    let text = |path: &Path| path.display().to_string();
    let cameras =
        Cameras::start(&["--cameras", "2", "--seed", "7", "--ledger", &text(&ledger), "--truth", &text(&truth)]);
    let data = folder.path().join("data");
    let house = House::start(&data, &[]);
    let ids = house.add_cameras(&cameras.urls);
    house.add_rule(&json!({ "name": "Có chuyển động", "kind": "motion" }));
    // Two loops of 20 s and some more, of the slower (sub) stream: 15 + 10 units a second and camera.
    house.wait_until_recorded(2 * 25 * 45);
    house.wait_until("an event of each camera has ended", |h| ids.iter().all(|id| !closed_events(h, *id).is_empty()));
    for id in &ids {
        for event in closed_events(&house, *id) {
            assert_clip_shows(&house, &event, folder.path());
        }
    }
    let summary = house.stop();
    cameras.program.end();
    // The rest reads files; no lock is held over an await.
    drop(alone);

    assert_eq!(summary["packets_received"], summary["packets_recorded"], "{summary}");
    let sent = ledger::read(&ledger).expect("the ledger");
    let drawn = truth::read(&truth).expect("the truth");
    let store = Store::open(&data.join("vonglau.db")).await.expect("the database");
    for (camera, number) in store.cameras().await.expect("cameras").iter().zip(1..) {
        for kind in [StreamKind::Main, StreamKind::Sub] {
            let sent: Vec<&Entry> = sent.iter().filter(|e| e.camera == number && e.stream == kind).collect();
            let units = recorded(&store, &data, camera, kind).await;
            let (before, after) = assert_unbroken(&units, &sent);
            assert_eq!(before, 0, "the simulator starts with a key frame");
            // What was on its way when the signal came may be missing; more than some seconds of it may not.
            assert!(after <= 60, "{after} units at the end of {} {} are missing", camera.code, kind.name());
        }
        let busy = Timeline::of(&sent, &drawn.1, number);
        let query = vonglau::domain::query::EventQuery { cameras: vec![camera.id], ..Default::default() };
        let events = store.events(&query, None, 1000).await.expect("events");
        assert!(events.iter().all(|e| !e.open), "an event was left open");
        busy.assert_found(&events.iter().map(|e| (e.start_us, e.end_us)).collect::<Vec<_>>());
    }
    store.close().await;
}

/// A red square that comes in from the left at second 2 and goes through the grey picture until second 9.
fn write_red_square(file: &Path) {
    let over = "[0][1]overlay=x='90*(t-2)-80':y=140:enable='between(t,2,9)'";
    let made = wait::output(
        Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=gray:s=640x360:r=10:d=14"])
            .args(["-f", "lavfi", "-i", "color=red:s=80x80:r=10:d=14", "-filter_complex", over])
            .args(["-c:v", "libx264", "-pix_fmt", "yuv420p"])
            .arg(file),
    );
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn a_detector_made_here_turns_a_red_square_into_an_intrusion_of_a_person() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let video = folder.path().join("red.mp4");
    write_red_square(&video);
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("models")).expect("a folder");
    let model = common::onnx::red_detector(Some("{0: 'person', 1: 'car'}"));
    std::fs::write(data.join("models/red.onnx"), &model).expect("the model is written");
    let cameras = Cameras::start(&["--cameras", "1", "--video", &video.display().to_string()]);
    let house = House::start(&data, &[]);
    let ids = house.add_cameras(&cameras.urls);
    let right_half = json!([[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]);
    house.add_rule(&json!({ "name": "Cổng", "kind": "intrusion", "classes": ["person"], "zone": right_half }));
    house.wait_until("an intrusion has ended", |h| !closed_events(h, ids[0]).is_empty());
    let event = &closed_events(&house, ids[0])[0];
    assert_eq!((&event["kind"], &event["class"]), (&json!("intrusion"), &json!("person")), "{event}");
    let sha256 = <sha2::Sha256 as sha2::Digest>::digest(&model);
    assert_eq!(event["model_sha256"], json!(hex::encode(sha256)));
    let corner = |i: usize| event["box"][i].as_f64().expect("a box");
    assert!((corner(0) + corner(2)) / 2.0 >= 0.5, "its foot is in the right half: {event}");
    assert!((0.4..0.6).contains(&((corner(1) + corner(3)) / 2.0)), "it lies on the square: {event}");
    assert_clip_shows(&house, event, folder.path());
    let summary = house.stop();
    assert!(summary["inferences"].as_u64() > Some(10) && summary["tracks"].as_u64() >= Some(1), "{summary}");
    cameras.program.end();
}

#[test]
fn persons_who_come_one_by_one_are_as_many_events_as_were_counted_by_hand() {
    let Some(model) = common::shared_data("models/yolox_nano.onnx") else { return };
    let Some(video) = common::shared_data("video/intel-one-by-one-person.mp4") else { return };
    let _alone = alone();
    let counted: toml::Table = include_str!("fixtures/hand_counts.toml").parse().expect("the counts");
    let counted = counted["intel-one-by-one-person.mp4"]["persons"].as_integer().expect("a count");
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[[rule]]\nname = \"Người\"\nkind = \"intrusion\"\nclasses = [\"person\"]\n")
        .expect("rules");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonglau"));
    command.args(["analyze", "--json", "--rules"]).arg(&rules).arg("--model").args([&model, &video]);
    let output = wait::output(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<Value> = said.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let summary = lines.pop().expect("a summary");
    println!("intel-one-by-one-person.mp4: {} events, {counted} by hand; {summary}", lines.len());
    assert!(lines.iter().all(|e| e["kind"] == "intrusion" && e["class"] == "person"), "{said}");
    assert!((lines.len() as i64 - counted).abs() <= 1, "{counted} were counted: {said}");
}

fn closed_events(house: &House, camera: i64) -> Vec<Value> {
    let events = house.get(&format!("/api/v1/events?camera={camera}"));
    events["events"].as_array().expect("events").iter().filter(|e| e["open"] == false).cloned().collect()
}

/// The clip decodes to its last frame, holds the whole event by its own clock, and there is a picture.
fn assert_clip_shows(house: &House, event: &Value, folder: &Path) {
    let number = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("no number in {event}"));
    let (start_us, end_us) = (number(&event["start_us"]), number(&event["end_us"]));
    let address = format!("/api/v1/events/{}", event["id"]);
    house.wait_until("the event's end is recorded", |h| number(&h.get(&address)["clip"]["end_us"]) >= end_us);
    for stream in ["main", "sub"] {
        let path = format!("{address}/clip.mp4?stream={stream}");
        let (status, bytes, first_us) = house.get_media(&path);
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(300)]));
        let first_us = first_us.expect("the answer says when the clip begins");
        let file = folder.join("clip.mp4");
        std::fs::write(&file, &bytes).expect("the clip is written");
        let (frames, seconds) = probe(&file);
        let last_us = first_us + (seconds * 1e6) as i64;
        assert!(first_us <= start_us && last_us >= end_us, "{path}: from {first_us} to {last_us} for {event}");
        let least = seconds * if stream == "main" { 15.0 } else { 10.0 } * 0.9;
        assert!(frames as f64 >= least, "{path}: only {frames} frames decode in {seconds} s");
    }
    house.wait_until("it has a snapshot", |h| h.get(&address)["has_snapshot"] == true);
    let (status, jpeg) = house.get_bytes(&format!("{address}/snapshot.jpg"));
    assert_eq!((status, jpeg.get(..3)), (200, Some(&[0xff, 0xd8, 0xff][..])), "no snapshot of {event}");
}

/// How much was drawn in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawn {
    Nothing,
    Little,
    Enough,
}

/// What was in the pictures that were sent.
struct Timeline {
    /// Sending time and how much was there, in order.
    frames: Vec<(i64, Drawn)>,
}

impl Timeline {
    fn of(sent: &[Entry], drawn: &[truth::Row], camera: u32) -> Self {
        let mut area_at: BTreeMap<u64, f32> = BTreeMap::new();
        for row in drawn.iter().filter(|r| r.camera == camera) {
            let area = area_at.entry(row.t_us).or_default();
            *area = area.max(row.rect.area());
        }
        let much = |e: &Entry| match area_at.get(&e.clip_us) {
            None => Drawn::Nothing,
            Some(area) if *area > AREA_NOTICED => Drawn::Enough,
            Some(_) => Drawn::Little,
        };
        let of_camera = sent.iter().filter(|e| e.camera == camera && e.stream == StreamKind::Sub);
        Self { frames: of_camera.map(|e| (e.sent_us, much(e))).collect() }
    }

    /// Stretches of at least `least_us` of frames like that, without the first and the last frame's.
    fn stretches(&self, like: Drawn, least_us: i64) -> Vec<(i64, i64)> {
        let mut all: Vec<(Drawn, i64, i64)> = Vec::new();
        for (at, much) in &self.frames {
            match all.last_mut() {
                Some(last) if last.0 == *much => last.2 = *at,
                _ => all.push((*much, *at, *at)),
            }
        }
        let whole = all.len().saturating_sub(1);
        let inner = all.get(1..whole).unwrap_or_default();
        inner.iter().filter(|s| s.0 == like && s.2 - s.1 >= least_us).map(|s| (s.1, s.2)).collect()
    }

    fn assert_found(&self, events: &[(i64, i64)]) {
        let (busy, quiet) = (self.stretches(Drawn::Enough, 2_000_000), self.stretches(Drawn::Nothing, 3_500_000));
        assert!(!busy.is_empty() && quiet.len() > 1, "a poor scene: busy {busy:?}, quiet {quiet:?}");
        for (start, end) in busy {
            let found = events.iter().any(|(a, b)| *a < end + SLACK_US && *b > start - SLACK_US);
            assert!(found, "nothing was found from {start} to {end}: {events:?}");
        }
        // A motion event ends with its last motion and closes after 2 quiet seconds.
        // What stood in the very first picture may seem to move for some seconds after it has left.
        let learned = self.frames[0].0 + 20_000_000;
        for (start, end) in quiet.into_iter().filter(|(start, _)| *start > learned) {
            let through = events.iter().find(|(a, b)| *a < start + SLACK_US && *b > end - SLACK_US);
            assert!(through.is_none(), "an event lasts through the quiet from {start} to {end}: {through:?}");
        }
        for (a, b) in events {
            let near = |at: i64| (a - SLACK_US..=b + SLACK_US).contains(&at);
            let something = self.frames.iter().any(|(at, much)| *much != Drawn::Nothing && near(*at));
            assert!(something, "an event from {a} to {b} where nothing was drawn");
        }
    }
}
