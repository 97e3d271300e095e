//! How long recordings are kept, and the removal that waits.

use serde_json::{Value, json};
use vonglau::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, SegmentId, StreamId},
        packet::Codec,
        segment::Segment,
        time::WallTime,
    },
    logic::retention::Settings,
    store::{RetentionState, StopCause, Stopped},
};

use crate::server::{NOW_US, Server};

const GB: u64 = 1_000_000_000;

fn keep(continuous: Option<u32>, motion: Option<u32>, events: Option<u32>) -> Value {
    json!({"continuous_days": continuous, "motion_days": motion, "events_days": events, "bytes": null})
}

/// Enters a closed segment of the last twelve hours and measures its stream.
fn recorded(server: &Server, camera: i64, kind: StreamKind, bytes: u64) -> StreamId {
    server.runtime.block_on(async {
        let store = &server.state.store;
        let stream = store.camera(CameraId(camera)).await.unwrap().unwrap().stream(kind).unwrap().id;
        let start_us = NOW_US - 43_200_000_000;
        let segment = Segment {
            id: SegmentId(0),
            stream,
            path: format!("{stream}.mp4"),
            start_us,
            end_us: start_us + 60_000_000,
            open: false,
            init_bytes: 1,
            size_bytes: bytes,
            codec: Codec::H264,
            rfc6381: "avc1".into(),
            width: 1,
            height: 1,
            params_sha256: String::new(),
            fragments: Vec::new(),
        };
        store.open_segment(&segment).await.unwrap();
        store.measure_day(stream, WallTime(NOW_US)).await.unwrap();
        stream
    })
}

#[test]
fn what_is_measured_says_what_fits_on_which_disk() {
    let server = Server::start();
    std::fs::create_dir_all(&server.state.store_dir).unwrap();
    let camera = server.camera("Chợ");
    let empty = server.get("/api/v1/storage").ok(200);
    assert_eq!(empty["fits"]["spare_days"], Value::Null, "nothing measured");
    assert_eq!(empty["settings"]["sub"], keep(Some(30), Some(30), Some(30)));
    assert_eq!(empty["settings"]["main"], keep(None, None, None));
    recorded(&server, camera, StreamKind::Main, 20 * GB);
    recorded(&server, camera, StreamKind::Sub, 2 * GB);
    let storage = server.get("/api/v1/storage").ok(200);
    let streams = storage["streams"].as_array().unwrap();
    let measured: Vec<_> = streams.iter().map(|s| (s["kind"].as_str().unwrap(), s["day_bytes"].as_u64())).collect();
    assert_eq!(measured, [("main", Some(40 * GB)), ("sub", Some(4 * GB))], "reckoned up from half a day");
    assert_eq!((storage["bytes"].as_u64(), storage["segments"].as_u64()), (Some(22 * GB), Some(2)));
    // 95 % of a terabyte, less 2 GB to stay free and 120 GB of the sub stream's thirty days, at 40 GB a day.
    let disks = storage["disks"].as_array().unwrap();
    assert_eq!(disks[0], json!({"bytes": 1000 * GB, "spare_days": 20.7, "promised_days": null}));
    assert_eq!(disks[4]["spare_days"], 376.9);
    let disk = &storage["disk"];
    let room = 22 * GB + disk["free_bytes"].as_u64().unwrap() - disk["reserve_bytes"].as_u64().unwrap();
    let days = storage["fits"]["spare_days"].as_f64().unwrap();
    let expected = (room as f64 - (120 * GB) as f64).max(0.0) / (40 * GB) as f64;
    assert!((days - expected).abs() < 1.0, "{days} and not {expected}");
}

#[test]
fn settings_are_kept_for_all_and_for_one_camera_and_logged_with_who_changed_them() {
    let server = Server::start();
    let camera = server.camera("Chợ");
    let mut own = keep(Some(7), Some(30), Some(90));
    (own["camera"], own["kind"], own["bytes"]) = (json!(camera), json!("main"), json!(500 * GB));
    let given = json!({"main": keep(None, Some(60), Some(90)), "sub": keep(Some(14), None, None), "cameras": [own]});
    assert_eq!(server.put("/api/v1/storage", &given).ok(200), given);
    let storage = server.get("/api/v1/storage").ok(200);
    assert_eq!(storage["settings"], given);
    assert_eq!(storage["streams"][0]["keep"]["continuous_days"], 7);
    assert_eq!(storage["streams"][1]["keep"]["continuous_days"], 14);
    let log = server.runtime.block_on(server.state.store.changes_after(0, 100)).unwrap();
    let last = log.last().unwrap();
    assert_eq!((last.what.as_str(), last.actor.is_empty()), ("retention.update", false));
}

#[test]
fn wrong_settings_are_named_all_together_and_change_nothing() {
    let server = Server::start();
    let camera = server.camera("Chợ");
    let mut own = keep(Some(0), None, None);
    (own["camera"], own["kind"]) = (json!(camera), json!("sub"));
    let given = json!({"main": keep(Some(40_000), None, None), "sub": keep(None, None, None), "cameras": [own, own]});
    let places = server.put("/api/v1/storage", &given).refused(400);
    assert_eq!(
        places,
        ["main.continuous_days", "cameras[0].continuous_days", "cameras[1].continuous_days", "cameras[1]"]
    );
    let mut own = keep(Some(1), None, None);
    (own["camera"], own["kind"]) = (json!(camera + 1), json!("sub"));
    let given = json!({"main": keep(None, None, None), "sub": keep(None, None, None), "cameras": [own]});
    assert_eq!(server.put("/api/v1/storage", &given).refused(409), ["cameras[0].camera"]);
    let tiny = json!({"main": {"bytes": 5}, "sub": keep(None, None, None), "cameras": []});
    assert_eq!(server.put("/api/v1/storage", &tiny).refused(400), ["main.bytes"]);
    let mut typo = keep(None, None, None);
    typo["day"] = json!(3);
    server.put("/api/v1/storage", &json!({"main": typo, "sub": keep(None, None, None), "cameras": []})).refused(400);
    (typo["camera"], typo["kind"]) = (json!(camera), json!("sub"));
    let fine = keep(None, None, None);
    server.put("/api/v1/storage", &json!({"main": fine, "sub": fine, "cameras": [typo]})).refused(400);
    assert_eq!(server.get("/api/v1/storage").ok(200)["settings"]["cameras"], json!([]));
}

#[test]
fn a_waiting_removal_is_shown_and_goes_on_when_it_is_confirmed() {
    let server = Server::start();
    let stopped =
        Stopped { stopped_us: 5, cause: StopCause::Clock, segments: 3, bytes: 9, events: 2, confirmed_us: None };
    let state = RetentionState { agreed: WallTime(1), settings: Settings::default(), stopped: Some(stopped) };
    server.runtime.block_on(server.state.store.set_retention_state(&state)).unwrap();
    let shown =
        json!({"stopped_us": 5, "cause": "clock", "segments": 3, "bytes": 9, "events": 2, "confirmed_us": null});
    assert_eq!(server.get("/api/v1/storage").ok(200)["waiting"], shown);
    let confirm = |us: i64| server.post("/api/v1/storage/confirm", &json!({"stopped_us": us}));
    assert_eq!(confirm(4).refused(409), ["stopped_us"]);
    assert_eq!(confirm(5).status, 204);
    assert_eq!(server.get("/api/v1/storage").ok(200)["waiting"], Value::Null);
    let state = server.runtime.block_on(server.state.store.retention_state()).unwrap().unwrap();
    assert_eq!(state.stopped.unwrap().confirmed_us, Some(NOW_US));
}

#[test]
fn a_camera_on_a_thin_line_records_its_sub_stream_only() {
    let server = Server::start();
    let camera = server.camera("Chợ");
    let path = format!("/api/v1/cameras/{camera}");
    assert_eq!(server.get(&path).ok(200)["record_main"], true);
    let mut draft = json!({"name": "Chợ", "main_url": "rtsp://10.0.0.1/1", "sub_url": "rtsp://10.0.0.1/2"});
    draft["record_main"] = json!(false);
    assert_eq!(server.put(&path, &draft).ok(200)["record_main"], false);
    draft.as_object_mut().unwrap().remove("record_main");
    assert_eq!(server.put(&path, &draft).ok(200)["record_main"], false, "not given: as it was");
    draft["sub_url"] = json!("");
    assert_eq!(server.put(&path, &draft).refused(409), ["record_main"]);
    draft["record_main"] = json!(true);
    assert_eq!(server.put(&path, &draft).ok(200)["record_main"], true);
}
