//! What is wrong with recording, in the status, and that a person has seen it.

use serde_json::json;
use vonglau::{
    domain::{alarm::AlarmKind, ids::CameraId, time::MediaTime},
    store::Store,
};

use crate::server::{NOW_US, Server};

fn raise(server: &Server, kind: AlarmKind, camera: Option<i64>) {
    let text = ("hỏng".to_owned(), "broken".to_owned());
    server.state.board.raise(kind, camera.map(CameraId), 1, text, MediaTime(NOW_US));
}

#[test]
fn an_alarm_about_damage_stays_in_the_status_until_it_was_seen() {
    let server = Server::start();
    let camera = server.camera("Chợ");
    assert_eq!(server.get("/api/v1/status").ok(200)["alarms"], json!([]));
    raise(&server, AlarmKind::Damaged, Some(camera));
    raise(&server, AlarmKind::Damaged, Some(camera));
    let status = server.get("/api/v1/status").ok(200);
    let expected = json!({
        "id": NOW_US, "kind": "damaged", "camera": camera, "since_us": NOW_US, "times": 2, "until_seen": true,
        "text_vi": "hỏng", "text_en": "broken",
    });
    assert_eq!(status["alarms"], json!([expected]));
    let seen = format!("/api/v1/alarms/{NOW_US}/seen");
    assert_eq!(server.post(&seen, &json!({"times": 1})).refused(409), ["times"], "it has happened again");
    assert_eq!(server.post(&seen, &json!({"times": 2})).status, 204);
    assert_eq!(server.get("/api/v1/status").ok(200)["alarms"], json!([]));
    assert_eq!(server.post(&seen, &json!({})).refused(404), ["id"]);
    let store: &Store = &server.state.store;
    let log = server.runtime.block_on(store.changes_after(0, 100)).unwrap();
    assert_eq!(log.last().unwrap().what, "alarm.seen");
}

#[test]
fn an_alarm_that_goes_with_its_cause_cannot_be_waved_away() {
    let server = Server::start();
    raise(&server, AlarmKind::DiskMissing, None);
    let alarm = server.get("/api/v1/status").ok(200)["alarms"][0].clone();
    assert_eq!((&alarm["until_seen"], &alarm["camera"]), (&json!(false), &json!(null)));
    let seen = format!("/api/v1/alarms/{}/seen", alarm["id"]);
    assert_eq!(server.post(&seen, &json!({})).refused(409), ["id"]);
    server.state.board.clear(AlarmKind::DiskMissing, None);
    assert_eq!(server.get("/api/v1/status").ok(200)["alarms"], json!([]));
}
