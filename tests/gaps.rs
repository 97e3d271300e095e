//! What is missing has its cause and its length, with the real program and simulated cameras.

mod common;

use std::{path::Path, time::Duration};

use common::{
    house::{Cameras, House, Program, now_us},
    report::{after_start, gaps, length, streams},
};
use serde_json::{Value, json};
use vonglau::sim::ledger;

const SMALL: [&str; 12] =
    ["--cameras", "1", "--size", "320x180", "--fps", "10", "--sub-size", "160x90", "--sub-fps", "10", "--gop", "10"];
const S: i64 = 1_000_000;

fn cameras(more: &[&str]) -> Cameras {
    Cameras::start(&SMALL.iter().chain(more).copied().collect::<Vec<_>>())
}

/// A folder for the data and, in it, a ledger of what the simulator sends.
fn folder() -> (tempfile::TempDir, String) {
    let data = tempfile::tempdir().expect("a folder");
    let ledger = data.path().join("sent.jsonl").display().to_string();
    (data, ledger)
}

/// The same cameras again at the port they had.
fn cameras_again(urls: &[(String, String)], ledger: &str) -> Program {
    let port = urls[0].0.rsplit(':').next().and_then(|rest| rest.split('/').next()).expect("a port").to_owned();
    let fixed = ["sim", "--port", &port, "--until-stdin-ends", "--ledger", ledger];
    let mut program = Program::start(&fixed.iter().chain(&SMALL).copied().collect::<Vec<_>>());
    while program.json()["ready"] != true {}
    program
}

/// Ends the simulator; when the first key frame of a later session than `session` was sent to each stream.
fn back_again(program: Program, ledger: &str, session: u32) -> impl Fn(&str) -> i64 {
    program.end();
    let sent = ledger::read(Path::new(ledger)).expect("the ledger");
    move |kind| {
        let back = sent.iter().find(|e| e.stream.name() == kind && e.key && e.session > session);
        back.expect("a key frame of a new session").sent_us
    }
}

fn house(data: &tempfile::TempDir) -> House {
    House::start(data.path(), &["--record-only"])
}

/// Whether both streams have one gap more than the start-up, it is over and in the ledger.
fn has_ended_gap(house: &House, camera: i64) -> bool {
    streams(house, camera).iter().all(|stream| {
        let gaps = after_start(stream);
        gaps.len() == 1 && gaps[0]["id"].is_i64() && gaps[0]["open"] == false
    })
}

/// Asserts the one gap of each stream: its cause, and where it lies to a second. What says so.
fn assert_gap(report: &[Value], cause: &str, start_us: i64, end_us: impl Fn(&str) -> i64) -> Vec<String> {
    let near = |gap: &Value, key: &str, truth: i64| {
        let off = gap[key].as_i64().expect("a time") - truth;
        println!("{key} is {off} µs off");
        assert!(off.abs() <= S, "{key} is {off} µs off: {gap}");
    };
    let check = |stream: &Value| {
        let gaps = after_start(stream);
        assert_eq!(gaps.len(), 1, "{stream}");
        let gap = &gaps[0];
        assert_eq!(gap["cause"], cause, "{gap}");
        near(gap, "start_us", start_us);
        near(gap, "end_us", end_us(stream["kind"].as_str().expect("a kind")));
        gap["evidence"].as_str().expect("evidence").to_owned()
    };
    report.iter().map(check).collect()
}

fn start_of_stream(stream: &Value) -> Value {
    let first = gaps(stream).first().cloned().unwrap_or_default();
    assert!(first["start_us"] == stream["start_us"], "{stream}");
    first
}

fn sleep(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

fn wait_for_recording(house: &House, camera: i64, seconds: i64) {
    house.wait_until("it records", |h| {
        streams(h, camera).iter().all(|s| s["recorded_us"].as_i64().expect("a number") >= seconds * S)
    });
}

#[test]
fn a_camera_that_stands_still_is_one_gap_with_its_cause_and_its_length() {
    let (data, ledger) = folder();
    let cameras = cameras(&["--ledger", &ledger]);
    let house = house(&data);
    let camera = house.add_cameras(&cameras.urls)[0];
    wait_for_recording(&house, camera, 4);
    // What comes before the first picture is the setting up.
    house.wait_until("it is explained", |h| streams(h, camera).iter().all(|s| start_of_stream(s)["id"].is_i64()));
    for stream in streams(&house, camera) {
        assert_eq!(start_of_stream(&stream)["cause"], "service", "{stream}");
    }
    let from = now_us();
    cameras.program.signal("STOP");
    house.wait_until("the gap is seen while it lasts", |h| {
        streams(h, camera).iter().all(|s| after_start(s).last().is_some_and(|gap| gap["open"] == true))
    });
    while now_us() < from + 6 * S {
        std::thread::sleep(Duration::from_millis(20));
    }
    cameras.program.signal("CONT");
    house.wait_until("the gap is over", |h| has_ended_gap(h, camera));
    let report = streams(&house, camera);
    assert_gap(&report, "camera", from, back_again(cameras.program, &ledger, 1));
    house.stop();
}

#[test]
fn a_camera_that_goes_and_comes_back_is_a_gap_of_the_network() {
    let (data, ledger) = folder();
    let cameras = cameras(&[]);
    let house = house(&data);
    let camera = house.add_cameras(&cameras.urls)[0];
    wait_for_recording(&house, camera, 4);
    let from = now_us();
    let urls = cameras.urls.clone();
    drop(cameras);
    sleep(6);
    let again = cameras_again(&urls, &ledger);
    house.wait_until("the gap is over", |h| has_ended_gap(h, camera));
    let report = streams(&house, camera);
    // The simulator sends its sender reports from the same clock as ours.
    house.wait_until("the camera's clock is known", |h| {
        let streams = h.get(&format!("/api/v1/cameras/{camera}"))["streams"].clone();
        streams
            .as_array()
            .expect("streams")
            .iter()
            .all(|s| s["clock_offset_us"].as_i64().is_some_and(|us| us.abs() < S))
    });
    let clocks = house.get("/api/v1/status")["clocks"].as_array().expect("clocks").clone();
    assert!(
        clocks.len() == 2 && clocks.iter().all(|c| c["lead_us"].as_i64().is_some_and(|us| us <= 2 * S)),
        "{clocks:?}"
    );
    for evidence in assert_gap(&report, "network", from, back_again(again, &ledger, 0)) {
        assert!(evidence.contains("cannot connect"), "{evidence}");
    }
    house.stop();
}

#[test]
fn a_stop_and_an_end_by_force_are_gaps_of_the_service_with_the_evidence_of_each() {
    let (data, ledger) = folder();
    let cameras = cameras(&["--ledger", &ledger]);
    let first = house(&data);
    let camera = first.add_cameras(&cameras.urls)[0];
    wait_for_recording(&first, camera, 4);
    let from = now_us();
    first.stop();
    sleep(3);
    let second = house(&data);
    second.wait_until("the gap is over", |h| has_ended_gap(h, camera));
    let (stopped, report) = (from, streams(&second, camera));
    // The same once more, without a word.
    wait_for_recording(&second, camera, 10);
    let from = now_us();
    second.program.signal("KILL");
    drop(second);
    sleep(3);
    let third = house(&data);
    third.wait_until("the second gap is over", |h| {
        streams(h, camera).iter().all(|s| after_start(s).len() == 2 && after_start(s)[1]["id"].is_i64())
    });
    for stream in streams(&third, camera) {
        let gap = &after_start(&stream)[1];
        assert_eq!(gap["cause"], "service", "{gap}");
        assert!(gap["evidence"].as_str().expect("evidence").contains("the machine stayed on"), "{gap}");
        // Up to two seconds may not have reached the disk; they are part of the gap.
        let off = from - gap["start_us"].as_i64().expect("a start");
        assert!((-S..=4 * S).contains(&off), "{off}: {gap}");
    }
    third.stop();
    for evidence in assert_gap(&report, "service", stopped, back_again(cameras.program, &ledger, 1)) {
        assert!(evidence.starts_with("stopped by a person or the service manager"), "{evidence}");
    }
}

#[test]
fn a_wrong_password_is_a_gap_of_the_login_that_goes_on() {
    let (cameras, data) = (cameras(&["--auth", "admin:right"]), tempfile::tempdir().expect("a folder"));
    let house = house(&data);
    let url = |kind: &str| kind.replace("rtsp://", "rtsp://admin:wrong@");
    let (main, sub) = &cameras.urls[0];
    let draft = json!({ "name": "Cổng", "main_url": url(main), "sub_url": url(sub) });
    let (status, made) = house.post("/api/v1/cameras", &draft);
    assert_eq!(status, 201, "{made}");
    let camera = made["id"].as_i64().expect("an id");
    house.wait_until("the gap has a row", |h| {
        streams(h, camera).iter().all(|s| gaps(s).first().is_some_and(|gap| gap["id"].is_i64() && length(gap) > 8 * S))
    });
    for stream in streams(&house, camera) {
        let gaps = gaps(&stream);
        assert_eq!(gaps.len(), 1, "{stream}");
        assert_eq!((&gaps[0]["cause"], &gaps[0]["open"]), (&json!("login"), &json!(true)), "{stream}");
        assert_eq!((&gaps[0]["start_us"], &stream["recorded_us"]), (&stream["start_us"], &json!(0)));
        assert_eq!(gaps[0]["end_us"], stream["end_us"]);
        assert!(!stream.to_string().contains("wrong"), "a password is never shown");
    }
    house.stop();
}

#[test]
fn a_password_corrected_in_the_running_service_is_tried_at_once() {
    let (cameras, data) = (cameras(&["--auth", "admin:right"]), tempfile::tempdir().expect("a folder"));
    let house = house(&data);
    let url = |kind: &str| kind.replace("rtsp://", "rtsp://admin:wrong@");
    let (main, sub) = &cameras.urls[0];
    let draft = json!({ "name": "Cổng", "main_url": url(main), "sub_url": url(sub) });
    let camera = house.post("/api/v1/cameras", &draft).1["id"].as_i64().expect("an id");
    // Three refusals of both streams together: the next try would come in ten minutes, which no wait here lasts.
    house.wait_until("the login was refused three times", |h| {
        let streams = h.get(&format!("/api/v1/cameras/{camera}"))["streams"].clone();
        let tries = |s: &Value| s["status"]["n"].as_i64().unwrap_or(0);
        streams.as_array().expect("streams").iter().map(tries).sum::<i64>() >= 3
    });
    sleep(2);
    house.change_login(camera, "admin", "right", &cameras.urls[0]);
    wait_for_recording(&house, camera, 3);
    house.wait_until("the gap is explained", |h| streams(h, camera).iter().all(|s| start_of_stream(s)["id"].is_i64()));
    for stream in streams(&house, camera) {
        assert_eq!(start_of_stream(&stream)["cause"], "login", "{stream}");
    }
    house.stop();
}

#[test]
fn an_outage_that_was_declared_is_planned_and_says_by_whom() {
    let (cameras, data) = (cameras(&[]), tempfile::tempdir().expect("a folder"));
    let house = house(&data);
    let camera = house.add_cameras(&cameras.urls)[0];
    wait_for_recording(&house, camera, 3);
    let planned = json!({
        "cameras": [camera], "start_us": now_us(), "end_us": now_us() + 600 * S, "reason": "thay dây mạng",
    });
    assert_eq!(house.post("/api/v1/planned", &planned).0, 201);
    drop(cameras);
    house.wait_until("the gap has a row", |h| {
        streams(h, camera).iter().all(|s| after_start(s).iter().any(|gap| gap["id"].is_i64() && length(gap) > 4 * S))
    });
    for stream in streams(&house, camera) {
        let gap = after_start(&stream).pop().expect("a gap");
        assert_eq!((gap["cause"].as_str(), gap["planned_by"].is_string()), (Some("planned"), true), "{gap}");
        assert!(gap["evidence"].as_str().is_some_and(|e| e.starts_with("thay dây mạng (network:")), "{gap}");
    }
    house.stop();
}
