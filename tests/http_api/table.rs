//! The table, the document made from it, and that answers are what the document says.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vonglau::{
    domain::{
        alarm::AlarmKind,
        camera::{StreamClock, StreamKind, StreamStatus, Trouble, TroubleCause},
        detection::Class,
        event::{LineCount, QUARTER_US},
        health::{Light, Measured, PictureFault, PictureHealth, Reference},
        ids::{CameraId, RuleId, SegmentId},
        packet::Codec,
        rule::Direction,
        segment::{GapCause, Segment},
        time::{MediaTime, Span},
    },
    http::routes::{Answer, Method, Route, TABLE},
    runtime::board::{ExtraModel, Picture},
    store::Gap,
};

use crate::server::{Head, NOW_US, Server};

/// A body that fits each type of body.
fn body(name: &str, camera: i64) -> Value {
    match name {
        "CameraDraft" => json!({"name": "Chợ", "main_url": "rtsp://10.0.0.9/1", "password": "k!n"}),
        "ShapeDraft" => json!({"camera": camera, "kind": "line", "name": "vạch", "points": [[0.0, 0.5], [1.0, 0.5]]}),
        "RuleDraft" => json!({"name": "Chuyển động", "kind": "motion", "zone": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]}),
        "LockDraft" => {
            json!({"cameras": [camera], "start_us": NOW_US - 60_000_000, "end_us": NOW_US, "reason": "vụ 7"})
        }
        "PlannedDraft" => json!({"start_us": NOW_US, "end_us": NOW_US + 60_000_000, "reason": "cắt điện"}),
        "StorageSettings" => {
            let keep = json!({"continuous_days": 30, "motion_days": null, "events_days": null, "bytes": null});
            let mut own = keep.clone();
            (own["camera"], own["kind"]) = (json!(camera), json!("main"));
            json!({"main": keep, "sub": keep, "cameras": [own]})
        }
        "AlarmSeen" => json!({"times": 2}),
        "PlanDraft" => json!({"spots": [{"camera": camera, "x": 0.5, "y": 0.5}], "ways": []}),
        "VerdictDraft" => json!({"verdict": "false"}),
        "RouteDraft" => json!({"track": 1, "case_number": "VV-7"}),
        "RouteStepDraft" => json!({"track": 1, "verdict": "accepted"}),
        "ViewAccepted" => json!({}),
        "StorageConfirm" => json!({"stopped_us": 7}),
        other => panic!("no body for {other}"),
    }
}

/// A server with one of everything; returns ids of a camera, a shape, a rule and an event.
fn furnished() -> (Server, [i64; 4]) {
    let server = Server::start();
    let camera = server.camera("Cổng Bắc");
    let shape = server.post("/api/v1/shapes", &body("ShapeDraft", camera)).ok(201)["id"].as_i64().unwrap();
    let rule = server.rule();
    let event = server.event(camera, rule, NOW_US - 60_000_000);
    assert_eq!(server.track(camera, 7, NOW_US - 60_000_000), event, "each the first of its kind");
    server.put("/api/v1/plan", &body("PlanDraft", camera)).ok(200);
    // Each the first of its kind, so their numbers are the event's.
    assert_eq!(server.post("/api/v1/routes", &body("RouteDraft", camera)).ok(201)["id"], event);
    for (path, draft) in [("/api/v1/locks", "LockDraft"), ("/api/v1/planned", "PlannedDraft")] {
        assert_eq!(server.post(path, &body(draft, camera)).ok(201)["id"], event);
    }
    let jpeg = bytes::Bytes::from_static(b"\xff\xd8jpeg\xff\xd9");
    let pictures = server.state.data_dir.join("pictures/2026-11-20");
    std::fs::create_dir_all(&pictures).unwrap();
    std::fs::write(pictures.join(format!("{event}-boxed.jpg")), &jpeg).unwrap();
    let board = &server.state.board;
    board.set_picture(CameraId(camera), Picture { time: MediaTime(NOW_US), jpeg });
    let extra = ExtraModel { file: "helmet.onnx".into(), why: Some("hỏng".into()), ..ExtraModel::default() };
    board.extra_models.send_replace(vec![extra]);
    let why = Trouble { cause: TroubleCause::Login, detail: "401".into() };
    board.set_status(CameraId(camera), StreamKind::Main, StreamStatus::Retrying { n: 3, why });
    let text = ("hỏng".to_owned(), "broken".to_owned());
    board.raise(AlarmKind::Damaged, Some(CameraId(camera)), 2, text, MediaTime(NOW_US));
    let clock = StreamClock { offset_us: Some(-40_000), lead_us: Some(3_000) };
    board.set_clock(CameraId(camera), StreamKind::Main, clock);
    judged(&server, CameraId(camera));
    hour_ago(&server, camera);
    counted(&server, CameraId(camera), RuleId(rule));
    (server, [camera, shape, rule, event])
}

/// What is said of the camera's picture now and was said before, and how it usually looks.
fn judged(server: &Server, camera: CameraId) {
    let measured = Measured {
        light: Light::Day,
        mean: 90.0,
        high: 200.0,
        saturated: 0.0,
        edges: 9.5,
        parts: 40,
        matching: 0.05,
        vanished: 0.0,
        blurred: 0.0,
        still_us: 0,
        shift: Some((12, -3)),
    };
    let said = |fault, since: i64, time: i64| PictureHealth {
        camera,
        time: MediaTime(NOW_US - time),
        fault,
        since: MediaTime(NOW_US - since),
        measured,
    };
    let now = said(Some(PictureFault::Moved), 60_000_000, 1_000_000);
    server.state.board.set_health(now, MediaTime(NOW_US));
    let luma = vec![90; 160 * 90];
    let (light, pictures, time, size) = (Light::Day, 30, MediaTime(NOW_US), (160, 90));
    let reference = Reference { light, pictures, time, size, luma, fine: vec![4.0; 40] };
    server.runtime.block_on(async {
        let store = &server.state.store;
        store.keep_health(&[said(None, 600_000_000, 61_000_000)]).await.unwrap();
        store.keep_health(&[now]).await.unwrap();
        store.keep_reference(camera, &reference).await.unwrap();
    });
}

/// Two cars over a line an hour ago.
fn counted(server: &Server, camera: CameraId, rule: RuleId) {
    let quarter_us = (NOW_US - 3_600_000_000).div_euclid(QUARTER_US) * QUARTER_US;
    let (class, direction) = (Class::Car, Direction::LeftToRight);
    let count = LineCount { rule, camera, quarter_us, class, direction, n: 2 };
    server.runtime.block_on(server.state.store.add_line_counts(&[count])).unwrap();
}

/// A minute recorded an hour ago and the gap after it, in the index only.
fn hour_ago(server: &Server, camera: i64) {
    let store = &server.state.store;
    let start_us = NOW_US - 3_600_000_000;
    server.runtime.block_on(async {
        let stream = store.camera(CameraId(camera)).await.unwrap().unwrap().streams[0].id;
        let segment = Segment {
            id: SegmentId(0),
            stream,
            path: "a.mp4".into(),
            start_us,
            end_us: start_us + 60_000_000,
            open: false,
            init_bytes: 0,
            size_bytes: 0,
            codec: Codec::H264,
            rfc6381: String::new(),
            width: 16,
            height: 16,
            params_sha256: String::new(),
            fragments: Vec::new(),
        };
        store.open_segment(&segment).await.unwrap();
        let span = Span { start_us: segment.end_us, end_us: segment.end_us + 1_000_000 };
        let gap = Gap { stream, span, cause: GapCause::Network, evidence: "không trả lời".into() };
        store.add_gap(&gap).await.unwrap();
    });
}

/// The query a row cannot do without.
fn needed(row: &Route, camera: i64) -> String {
    let from = NOW_US - if row.path.ends_with("timeline") { 3_600_000_000 } else { 60_000_000 };
    match row.path {
        "/api/v1/shapes" if row.method == Method::Get => format!("?camera={camera}"),
        path if row.query.iter().any(|p| p.about.ends_with("required.")) && !path.ends_with("shapes") => {
            format!("?from={from}&to={NOW_US}")
        }
        _ => String::new(),
    }
}

#[test]
fn every_row_of_the_table_answers_as_it_says() {
    // Accounts and sessions: `rights.rs`.
    let accounts = |row: &&Route| matches!(row.resource, "session" | "account");
    for row in TABLE.iter().filter(|row| !accounts(row)) {
        let (server, [camera, shape, rule, event]) = furnished();
        let id = match row.resource {
            "camera" => camera,
            "shape" => shape,
            "rule" => rule,
            "alarm" => server.state.board.alarms()[0].id,
            _ => event,
        };
        let mut path = row.path.replace("{id}", &id.to_string()).replace("{*path}", "su-kien/7");
        path += &needed(row, camera);
        let at = format!("{} {path}", row.method.name());
        if row.answer == Answer::Bytes("text/event-stream") {
            let head = Head::read(&mut server.open("GET", &path, &[], b""));
            assert_eq!((head.status, head.headers["content-type"].as_str()), (200, "text/event-stream"), "{at}");
            continue;
        }
        let answer = match row.request {
            // A rule about motion cannot be tried on tracks.
            Some(_) if row.path.ends_with("/try") => {
                let json = [("Content-Type", "application/json")];
                let rule = json!({"name": "Người", "kind": "intrusion"}).to_string();
                server.send(row.method.name(), &path, &json, rule.as_bytes())
            }
            Some(name) => {
                let json = [("Content-Type", "application/json")];
                server.send(row.method.name(), &path, &json, body(name, camera).to_string().as_bytes())
            }
            None => server.send(row.method.name(), &path, &[], b""),
        };
        if row.answer == Answer::Socket {
            assert_eq!(answer.refused(400), ["Upgrade"], "{at}");
            continue;
        }
        if row.path.ends_with("clip.mp4") || row.path.contains("/video.") {
            assert_eq!(answer.refused(404), ["clip"], "nothing was recorded");
            continue;
        }
        if row.path.ends_with("/confirm") {
            assert_eq!(answer.refused(409), ["stopped_us"], "nothing waits");
            continue;
        }
        let (status, mime) = match row.answer {
            Answer::Json(_) => (200, "application/json"),
            Answer::Created(_) => (201, "application/json"),
            Answer::Nothing => (204, ""),
            Answer::Bytes(mime) => (200, mime),
            Answer::Socket => unreachable!("looked at above"),
        };
        assert_eq!(answer.status, status, "{at}: {}", answer.text());
        assert!(answer.header("content-type").starts_with(mime), "{at}: {}", answer.header("content-type"));
        if row.method == Method::Get {
            let head = server.send("HEAD", &path, &[], b"");
            assert_eq!(head.status, 200, "HEAD {path}");
            assert_eq!(head.header("content-length"), answer.header("content-length"), "HEAD {path}");
        }
        if matches!(row.answer, Answer::Created(_)) {
            let made = answer.ok(201)["id"].as_i64().unwrap();
            assert_eq!(answer.header("location"), format!("{path}/{made}"));
        }
    }
}

#[test]
fn answers_are_what_the_document_says() {
    let (server, [camera, _, _, event]) = furnished();
    let document = server.get("/api/v1/openapi.json").ok(200);
    let schemas = &document["components"]["schemas"];
    let mut checked = BTreeSet::new();
    for row in TABLE.iter().filter(|row| row.method == Method::Get) {
        let Answer::Json(name) = row.answer else { continue };
        let mut path = row.path.replace("{id}", &if row.resource == "camera" { camera } else { event }.to_string());
        if name == "Video" {
            // It needs a recording: `clips.rs` looks at it.
            continue;
        }
        path += &needed(row, camera);
        let answer = server.get(&path).ok(200);
        fits(&answer, &schemas[name], schemas, name);
        if let Some(list) = answer.as_object().and_then(|o| o.values().find_map(Value::as_array)) {
            let may_be_empty = matches!(name, "ClusterList" | "AccountList" | "Me" | "AuditPage");
            assert!(!list.is_empty() || may_be_empty, "{name} is empty: nothing was compared");
        }
        checked.insert(name);
    }
    assert!(checked.len() >= 9, "{checked:?}");
    fits(&server.get("/api/v1/cameras/999").ok(404), &schemas["Errors"], schemas, "Errors");
}

/// Whether a value is what a schema says: types, keys, no key more, names, references.
pub fn fits(value: &Value, schema: &Value, all: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return fits(value, &all[name], all, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        assert!(choices.len() == 2 && choices[1]["type"] == "null", "{at}: only «or null» is known here");
        if !value.is_null() {
            fits(value, &choices[0], all, at);
        }
        return;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    assert!(types.iter().any(|t| t == kind || (t == "number" && kind == "integer")), "{at}: {kind} is no {types:?}");
    if let Some(names) = schema["enum"].as_array() {
        assert!(names.contains(value), "{at}: {value} is none of {names:?}");
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(item, &schema["items"], all, &format!("{at}[{i}]"));
    }
    let Some(object) = value.as_object() else { return };
    for key in schema["required"].as_array().into_iter().flatten() {
        assert!(object.contains_key(key.as_str().unwrap()), "{at}: {key} is missing");
    }
    for (key, item) in object {
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => panic!("{at}: {key} is not described"),
            (Value::Null, more) if more.is_object() => fits(item, more, all, &format!("{at}.{key}")),
            (Value::Null, _) => {}
            (property, _) => fits(item, property, all, &format!("{at}.{key}")),
        }
    }
}

#[test]
fn the_document_lists_exactly_the_table() {
    let server = Server::start();
    let document = server.get("/api/v1/openapi.json").ok(200);
    let mut listed = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        listed.extend(item.as_object().unwrap().keys().map(|m| format!("{} {path}", m.to_ascii_uppercase())));
    }
    let mut table: Vec<_> =
        TABLE.iter().map(|r| format!("{} {}", r.method.name(), r.path.replace("{*", "{"))).collect();
    listed.sort();
    table.sort();
    assert_eq!(listed, table);
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn an_unknown_address_or_method_is_a_sentence_in_our_shape() {
    let server = Server::start();
    for path in ["/api", "/api/v1", "/api/v2/cameras", "/api/v1/cameras/1/secret"] {
        assert_eq!(server.get(path).refused(404), ["path"], "{path}");
        assert_eq!(server.post(path, &json!({})).refused(404), ["path"], "{path}");
    }
    let answer = server.send("DELETE", "/api/v1/cameras", &[], b"");
    assert_eq!(answer.refused(405), ["method"]);
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
    assert_eq!(server.get("/api/v1/cameras/abc").refused(400), ["id"]);
    assert_eq!(server.get("/api/v1/events/12345").refused(404), ["id"]);
}
