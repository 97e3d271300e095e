//! Rules over HTTP: tried on what was kept, changed as their verdicts propose, asking extra models that are there.

use serde_json::{Value, json};
use vonglau::{domain::detection::Class, runtime::board::ExtraModel};

use crate::server::{NOW_US, Server};

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 1440 * MINUTE_US;

#[test]
fn a_rule_is_tried_on_the_week_kept_and_nothing_is_changed() {
    let server = Server::start();
    let camera = server.camera("Cổng");
    let code = server.get(&format!("/api/v1/cameras/{camera}")).ok(200)["code"].clone();
    // Each goes right; one of them nine days ago.
    let starts = [9 * DAY_US, 2 * DAY_US, 90 * MINUTE_US, 88 * MINUTE_US];
    let tracks: Vec<i64> = (1..).zip(starts).map(|(n, ago)| server.track(camera, n, NOW_US - ago)).collect();
    let line = |x: f32| {
        json!({"name": "x", "kind": "line_crossing", "camera": code, "line": [[x, 0.0], [x, 1.0]], "margin": 0.0,
               "direction": "both"})
    };
    let tried = server.post("/api/v1/rules/try", &line(0.4)).ok(200);
    assert_eq!((&tried["tracks"], &tried["events"], &tried["all_tracks"]), (&json!(3), &json!(3), &json!(true)));
    let hours: Vec<i64> = tried["hours"].as_array().unwrap().iter().map(|h| h["n"].as_i64().unwrap()).collect();
    assert_eq!(hours.iter().sum::<i64>(), 3, "{tried}");
    let shown: Vec<&Value> = tried["examples"].as_array().unwrap().iter().map(|e| &e["track"]).collect();
    assert_eq!(shown, [&json!(tracks[3]), &json!(tracks[2]), &json!(tracks[1])], "the newest first");
    assert!(tried["examples"][0]["why"]["vi"].as_str().unwrap().contains("qua vạch"), "{tried}");
    assert_eq!(server.post("/api/v1/rules/try", &line(0.9)).ok(200)["events"], 0);
    assert_eq!(server.post("/api/v1/rules/try", &json!({"name": "x", "kind": "tamper"})).refused(400), ["kind"]);
    assert_eq!(server.get("/api/v1/rules").ok(200)["rules"], json!([]));
}

#[test]
fn a_proposal_is_a_whole_rule_to_put_and_is_gone_once_it_is_taken() {
    let server = Server::start();
    let camera = server.camera("Cổng");
    let draft = json!({"name": "Cổng", "kind": "intrusion", "severity": "high", "schedule": ["mon-sun 00:00-24:00"]});
    let rule = server.post("/api/v1/rules", &draft).ok(201)["id"].as_i64().unwrap();
    let say = |start_us: i64, verdict: &str| {
        let event = server.event(camera, rule, start_us);
        server.put(&format!("/api/v1/events/{event}/verdict"), &json!({"verdict": verdict})).ok(200)
    };
    // Local midnight.
    let night = (NOW_US + 7 * 60 * MINUTE_US) / DAY_US * DAY_US - 7 * 60 * MINUTE_US - 3 * DAY_US;
    for i in 0..24 {
        say(night + i * 4 * MINUTE_US, "false");
    }
    for i in 0..10 {
        say(night + 10 * 60 * MINUTE_US + i * 4 * MINUTE_US, "true");
    }
    let verdicts = |server: &Server| server.get(&format!("/api/v1/rules/{rule}/verdicts")).ok(200);
    let before = verdicts(&server);
    assert_eq!((&before["judged"], &before["right"]), (&json!(34), &json!(10)));
    let proposal = &before["proposals"][0];
    assert_eq!((&proposal["spares"], &proposal["loses"]), (&json!(24), &json!(0)), "{before}");
    assert!(proposal["vi"].as_str().unwrap().contains("bớt 24 báo nhầm, mất 0 cảnh báo đúng trong 34 lần"));
    assert_eq!(proposal["change"], json!({"quiet": ["00:00-02:00"]}));
    assert_eq!(
        (&proposal["rule"]["severity"], &proposal["rule"]["schedule"]),
        (&draft["severity"], &draft["schedule"])
    );
    let put = server.put(&format!("/api/v1/rules/{rule}"), &proposal["rule"]).ok(200);
    assert_eq!((&put["version"], &put["quiet"]), (&json!(2), &json!(["00:00-02:00"])));
    let after = verdicts(&server);
    assert_eq!((&after["judged"], &after["right"], &after["proposals"]), (&json!(10), &json!(10), &json!([])));
}

#[test]
fn an_event_says_how_much_it_matters_and_whose_way_can_be_followed() {
    let server = Server::start();
    let camera = server.camera("Cổng");
    let draft = json!({"name": "Cổng", "kind": "intrusion", "severity": "high"});
    let rule = server.post("/api/v1/rules", &draft).ok(201)["id"].as_i64().unwrap();
    let event = server.event(camera, rule, NOW_US - MINUTE_US);
    let changed = json!({"name": "Cổng", "kind": "intrusion", "severity": "low"});
    server.put(&format!("/api/v1/rules/{rule}"), &changed).ok(200);
    let one = server.get(&format!("/api/v1/events/{event}")).ok(200);
    assert_eq!((&one["severity"], &one["track_id"]), (&json!("high"), &Value::Null), "by the rule as it was then");
    let track = server.track(camera, 77, NOW_US - MINUTE_US);
    let mut with =
        server.runtime.block_on(server.state.store.event(vonglau::domain::ids::EventId(event))).unwrap().unwrap();
    (with.track, with.rule_version) = (Some(vonglau::domain::ids::TrackId(77)), 2);
    let id = server.runtime.block_on(server.state.store.insert_event(&with)).unwrap().0;
    let two = server.get(&format!("/api/v1/events/{id}")).ok(200);
    assert_eq!((&two["severity"], &two["track_id"]), (&json!("low"), &json!(track)));
    assert_eq!(server.post("/api/v1/routes", &json!({"track": two["track_id"]})).ok(201)["id"], 1);
}

#[test]
fn a_rule_asks_only_extra_models_that_are_there() {
    let server = Server::start();
    let rule = |model: &str, label: &str| json!({"name": "x", "kind": "attribute", "model": model, "label": label, "classes": ["motorcycle"]});
    assert_eq!(server.post("/api/v1/rules", &rule("helmet.onnx", "none")).refused(400), ["model"]);
    let extra = |file: &str, classes: Vec<Class>, why: Option<&str>| ExtraModel {
        file: file.to_owned(),
        labels: vec!["worn".to_owned(), "none".to_owned()],
        classes,
        why: why.map(str::to_owned),
        ..ExtraModel::default()
    };
    let all = vec![
        extra("broken.onnx", vec![Class::Motorcycle], Some("hỏng / broken")),
        extra("helmet.onnx", vec![Class::Motorcycle, Class::Bicycle], None),
        extra("vest.onnx", vec![Class::Person], None),
    ];
    server.state.board.extra_models.send_replace(all);
    let listed = server.get("/api/v1/models/extra").ok(200);
    assert_eq!(
        (&listed["models"][0]["why"], &listed["models"][1]["file"]),
        (&json!("hỏng / broken"), &json!("helmet.onnx"))
    );
    assert_eq!(server.post("/api/v1/rules", &rule("broken.onnx", "none")).refused(400), ["model"]);
    assert_eq!(server.post("/api/v1/rules", &rule("helmet.onnx", "bare")).refused(400), ["label"]);
    assert_eq!(server.post("/api/v1/rules", &rule("vest.onnx", "none")).refused(400), ["classes"]);
    server.post("/api/v1/rules", &rule("helmet.onnx", "none")).ok(201);
}
