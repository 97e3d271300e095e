//! Cameras, shapes, rules and pages of events, as a page uses them.

use serde_json::{Value, json};

use crate::server::{NOW_US, Server};

#[test]
fn a_camera_is_added_changed_and_retired_and_its_password_is_never_said() {
    let server = Server::start();
    let draft = json!({
        "name": " Chợ – cổng Bắc ", "main_url": "rtsp://admin:tu%21kin@10.0.0.5:8554/1", "sub_url": "rtsp://10.0.0.5:8554/2",
        "cluster": "Chợ", "hamlet": "Thôn 3",
    });
    let added = server.post("/api/v1/cameras", &draft);
    let camera = added.ok(201);
    assert_eq!(camera["name"], "Chợ – cổng Bắc");
    assert_eq!(camera["code"], "C01");
    assert_eq!(camera["streams"][0]["url"], "rtsp://10.0.0.5:8554/1");
    assert_eq!((&camera["username"], &camera["has_password"]), (&json!("admin"), &json!(true)));
    assert_eq!((&camera["cluster"], &camera["hamlet"]), (&json!("Chợ"), &json!("Thôn 3")));
    let path = format!("/api/v1/cameras/{}", camera["id"]);

    // Without a password the old one stays, whether absent or null; an empty one takes it away.
    let mut change = json!({"name": "Chợ", "main_url": "rtsp://10.0.0.5:8554/1", "username": "admin"});
    let changed = server.put(&path, &change);
    assert_eq!(changed.ok(200)["has_password"], true);
    assert_eq!(changed.ok(200)["code"], "C01", "a code that is not given stays");
    assert_eq!(changed.ok(200)["streams"].as_array().unwrap().len(), 1, "the sub stream was left out");
    change["password"] = Value::Null;
    assert_eq!(server.put(&path, &change).ok(200)["has_password"], true);
    let password = server.runtime.block_on(server.state.store.cameras()).unwrap()[0].streams[0].password.clone();
    assert_eq!(password.expose(), "tu!kin");
    for text in [added.text(), changed.text(), server.get(&path).text(), server.get("/api/v1/cameras").text()] {
        assert!(!text.contains("tu!kin") && !text.contains("tu%21kin"), "{text}");
    }
    change["password"] = json!("");
    assert_eq!(server.put(&path, &change).ok(200)["has_password"], false);

    assert_eq!(server.get("/api/v1/clusters").ok(200)["clusters"][0]["name"], "Chợ");
    assert_eq!(server.delete(&path).status, 204);
    assert_eq!(server.get("/api/v1/cameras").ok(200)["cameras"], json!([]));
    assert_eq!(server.get(&path).ok(200)["retired_us"], NOW_US, "old events still show its name");
    server.delete(&path).refused(409);
    assert_eq!(server.put("/api/v1/cameras/999", &change).refused(404), ["id"]);
}

#[test]
fn what_is_wrong_with_a_camera_is_said_by_field_in_vietnamese() {
    let server = Server::start();
    server.camera("Cổng Bắc");
    let twin = server.post("/api/v1/cameras", &json!({"name": "Cổng Bắc", "main_url": "rtsp://10.0.0.7/1"}));
    let error = &twin.ok(409)["errors"][0];
    assert_eq!(error["place"], "name");
    assert!(
        error["vi"].as_str().unwrap().contains("Cổng Bắc") || error["vi"].as_str().unwrap().contains("C01"),
        "{error}"
    );

    let wrong = server.post("/api/v1/cameras", &json!({"name": "Chợ", "main_url": "http://x:matkhau@10.0.0.7/1"}));
    assert_eq!(wrong.refused(400), ["main_url"]);
    assert!(wrong.text().contains("rtsp://") && !wrong.text().contains("matkhau"), "{}", wrong.text());
    assert_eq!(server.post("/api/v1/cameras", &json!({})).refused(400), ["name", "main_url"]);
    assert_eq!(server.post("/api/v1/cameras", &json!({"nmae": "x"})).refused(400), ["nmae"]);
    assert_eq!(server.post("/api/v1/cameras", &json!({"name": 7})).refused(400), ["name"]);
    let broken = server.send("POST", "/api/v1/cameras", &[("Content-Type", "application/json")], b"{\"name\":");
    assert_eq!(broken.refused(400), ["body"]);
}

#[test]
fn each_change_pokes_the_process_and_is_logged_with_its_actor() {
    let server = Server::start();
    let poked = || {
        let long = std::time::Duration::from_secs(60);
        let poke = async { tokio::time::timeout(long, server.state.on_config.notified()).await };
        server.runtime.block_on(poke).expect("a change pokes");
    };
    let camera = server.camera("Cổng Bắc");
    poked();
    server.rule();
    poked();
    server.delete(&format!("/api/v1/cameras/{camera}"));
    poked();
    let rows = server.runtime.block_on(server.state.store.changes_after(0, 100)).unwrap();
    assert!(rows.len() >= 3);
    assert!(rows.iter().all(|row| row.actor == "local-admin"), "{rows:?}");
}

#[test]
fn shapes_belong_to_a_camera_and_must_be_drawable() {
    let server = Server::start();
    let camera = server.camera("Cổng Bắc");
    let mut shape = json!({"camera": camera, "kind": "privacy_mask", "name": "nhà", "points": [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]});
    let id = server.post("/api/v1/shapes", &shape).ok(201)["id"].clone();
    shape["name"] = json!("nhà dân");
    let changed = server.put(&format!("/api/v1/shapes/{id}"), &shape).ok(200);
    let listed = server.get(&format!("/api/v1/shapes?camera={camera}")).ok(200);
    assert_eq!(listed["shapes"], json!([changed]));
    shape["points"] = json!([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]);
    assert_eq!(server.post("/api/v1/shapes", &shape).refused(400), ["points"]);
    let line = json!({"camera": camera, "kind": "line", "name": " ", "points": [[0.5, 0.5], [0.5, 0.5]]});
    assert_eq!(server.post("/api/v1/shapes", &line).refused(400), ["name", "points"]);
    let nobody = json!({"camera": 999, "kind": "line", "name": "x", "points": [[0.0, 0.5], [1.0, 0.5]]});
    assert_eq!(server.post("/api/v1/shapes", &nobody).refused(400), ["camera"]);
    assert_eq!(server.get("/api/v1/shapes").refused(400), ["camera"]);
    assert_eq!(server.delete(&format!("/api/v1/shapes/{id}")).status, 204);
    assert_eq!(server.delete(&format!("/api/v1/shapes/{id}")).refused(404), ["id"]);
}

#[test]
fn gaps_are_reported_of_all_cameras_or_of_some() {
    let server = Server::start();
    let ids = ["Cổng Bắc", "Cổng Nam"].map(|name| server.camera(name));
    let reports = |query: &str| server.get(&format!("/api/v1/gaps{query}")).ok(200)["cameras"].clone();
    let one = |id: i64| server.get(&format!("/api/v1/cameras/{id}/gaps")).ok(200);
    assert_eq!(reports(""), json!(ids.map(one)));
    assert_eq!(reports(&format!("?camera={}", ids[1])), json!([one(ids[1])]));
    assert_eq!(server.delete(&format!("/api/v1/cameras/{}", ids[0])).status, 204);
    assert_eq!(reports(""), json!([one(ids[1])]), "only those that take part");
    assert_eq!(reports(&format!("?camera={}", ids[0])), json!([one(ids[0])]), "unless it is asked for");
    assert_eq!(server.get("/api/v1/gaps?camera=999").refused(404), ["id"]);
    assert_eq!(server.get("/api/v1/gaps?from=2000&to=1000").refused(400), ["end_us"]);
}

#[test]
fn a_rule_is_kept_in_versions_and_a_zone_that_crosses_itself_is_refused() {
    let server = Server::start();
    server.camera("Cổng Bắc");
    let mut draft = json!({
        "name": "Vào bãi", "kind": "intrusion", "camera": "C01", "classes": ["person", "motorbike"],
        "zone": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]], "min_score": 0.5,
    });
    let added = server.post("/api/v1/rules", &draft).ok(201);
    assert_eq!((&added["version"], &added["camera"]), (&json!(1), &json!("C01")));
    assert_eq!(added["classes"], json!(["person", "motorcycle"]));
    let path = format!("/api/v1/rules/{}", added["id"]);
    draft["name"] = json!("Vào bãi xe");
    assert_eq!(server.put(&path, &draft).ok(200)["version"], 2);
    assert_eq!(server.get("/api/v1/rules").ok(200)["rules"][0]["name"], "Vào bãi xe");

    draft["zone"] = json!([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]);
    assert_eq!(server.put(&path, &draft).refused(400), ["zone"]);
    draft["camera"] = json!("C77");
    assert_eq!(server.post("/api/v1/rules", &draft).refused(400), ["zone", "camera"]);
    assert_eq!(server.get("/api/v1/rules").ok(200)["rules"][0]["version"], 2, "a refused change changes nothing");
    assert_eq!(server.delete(&path).status, 204);
    assert_eq!(server.get("/api/v1/rules").ok(200)["rules"], json!([]));
}

#[test]
fn pages_of_events_put_together_are_the_list_and_a_place_survives_new_events() {
    let server = Server::start();
    let (first, second) = (server.camera("Cổng Bắc"), server.camera("Cổng Nam"));
    let rule = server.rule();
    // Three share a start: the id decides.
    let mut expected: Vec<(i64, i64)> = (0..23)
        .map(|i| {
            let start_us = NOW_US + (i / 3) * 1_000_000;
            (start_us, server.event(if i % 2 == 0 { first } else { second }, rule, start_us))
        })
        .collect();
    expected.sort_unstable();
    expected.reverse();
    let (mut found, mut next) = (Vec::new(), Value::Null);
    loop {
        let cursor = next.as_str().map_or(String::new(), |c| format!("&cursor={c}"));
        let page = server.get(&format!("/api/v1/events?limit=4{cursor}")).ok(200);
        let events = page["events"].as_array().unwrap();
        assert!((1..=4).contains(&events.len()));
        found.extend(events.iter().map(|e| (e["start_us"].as_i64().unwrap(), e["id"].as_i64().unwrap())));
        // Newer events do not move what comes after a place.
        server.event(first, rule, NOW_US + 900_000_000 + found.len() as i64);
        next = page["next"].clone();
        if next.is_null() {
            break;
        }
    }
    assert_eq!(found, expected);

    let of_second = server.get(&format!("/api/v1/events?camera={second}&to={}", NOW_US + 900_000_000)).ok(200);
    assert_eq!(of_second["events"].as_array().unwrap().len(), 11);
    assert_eq!(of_second["next"], Value::Null);
    let event = &of_second["events"][0];
    assert_eq!((&event["camera_code"], &event["camera_name"]), (&json!("C02"), &json!("Cổng Nam")));
    assert_eq!(event["clip"]["start_us"].as_i64(), event["start_us"].as_i64().map(|us| us - 5_000_000));
    // Its time is still to come: nothing of it is recorded.
    assert_eq!(event["clip"]["end_us"], event["clip"]["start_us"]);
    assert_eq!((&event["has_snapshot"], &event["verdict"]), (&json!(false), &Value::Null));
    let both = server.get(&format!("/api/v1/events?camera={first},{second}&limit=200&kind=intrusion&class=person"));
    assert_eq!(both.ok(200)["events"].as_array().unwrap().len(), 23 + 6);
    assert_eq!(server.get("/api/v1/events?kind=motion").ok(200)["events"], json!([]));
    assert_eq!(&server.get(&format!("/api/v1/events/{}", event["id"])).ok(200), event);
}

#[test]
fn tracks_are_paged_filtered_and_have_their_pictures_and_path() {
    let server = Server::start();
    let (first, second) = (server.camera("Cổng Bắc"), server.camera("Cổng Nam"));
    let ids: Vec<i64> =
        (0..7).map(|i| server.track(if i % 2 == 0 { first } else { second }, i, NOW_US + i / 2 * 1_000_000)).collect();
    let (mut found, mut next) = (Vec::new(), Value::Null);
    loop {
        let cursor = next.as_str().map_or(String::new(), |c| format!("&cursor={c}"));
        let page = server.get(&format!("/api/v1/tracks?limit=3{cursor}")).ok(200);
        found.extend(page["tracks"].as_array().unwrap().iter().map(|t| t["id"].as_i64().unwrap()));
        next = page["next"].clone();
        if next.is_null() {
            break;
        }
    }
    assert_eq!(found, ids.iter().rev().copied().collect::<Vec<_>>());

    let of = |query: &str| server.get(&format!("/api/v1/tracks?{query}")).ok(200)["tracks"].as_array().unwrap().len();
    assert_eq!(of(&format!("camera={second}")), 3);
    assert_eq!(of(&format!("camera={first},{second}&class=motorcycle")), 7);
    assert_eq!((of("body=red"), of("upper=red"), of("colour=red"), of("colour=blue")), (7, 0, 7, 0));
    assert_eq!((of("identity=90"), of("identity=91"), of("class=person")), (7, 0, 0));
    let track = server.get(&format!("/api/v1/tracks/{}", ids[0])).ok(200);
    assert_eq!((&track["camera_code"], &track["pictures"]), (&json!("C01"), &json!(["largest"])));
    assert_eq!((&track["votes"], &track["width_px"]), (&json!({"motorcycle": 9}), &json!(64)));
    assert_eq!(track["colours"][0]["shares"][0]["colour"], "red");
    let path = server.get(&format!("/api/v1/tracks/{}/path", ids[0])).ok(200);
    let points = path["points"].as_array().unwrap();
    assert_eq!((&points[0]["time_us"], points.len()), (&json!(NOW_US), 2));
    assert!(path["error"].as_f64().unwrap() < 0.005);
    let picture = format!("/api/v1/tracks/{}/picture.jpg", ids[0]);
    assert_eq!(server.get(&picture).body, server.get(&format!("{picture}?of=largest")).body);
    assert!(server.get(&picture).body.starts_with(b"\xff\xd8"));
    assert_eq!(server.get(&format!("{picture}?of=sharpest")).refused(404), ["snapshot"]);
    assert_eq!(server.get(&format!("{picture}?of=both")).refused(400), ["of"]);
    assert_eq!(server.get("/api/v1/tracks/999").refused(404), ["id"]);
    for (query, places) in [
        ("colour=mauve&upper=đỏ", vec!["colour", "upper"]),
        ("identity=101", vec!["identity"]),
        ("kind=motion", vec!["kind"]),
        ("from=2&to=1", vec!["to"]),
        ("cursor=e00", vec!["cursor"]),
    ] {
        assert_eq!(server.get(&format!("/api/v1/tracks?{query}")).refused(400), places, "{query}");
    }
}

#[test]
fn wrong_filters_and_foreign_places_are_refused_by_name() {
    let server = Server::start();
    for (query, places) in [
        ("colour=red", vec!["colour"]),
        ("limit=0", vec!["limit"]),
        ("limit=201", vec!["limit"]),
        ("camera=C01", vec!["camera"]),
        ("kind=speed&class=elephant", vec!["kind", "class"]),
        ("from=yesterday", vec!["from"]),
        ("from=2026-11-20T21:04:10Z&to=2026-11-20T21:04:09Z", vec!["to"]),
        ("cursor=abc", vec!["cursor"]),
        ("cursor=%00%ff", vec!["cursor"]),
        ("limit=5&limit=6", vec!["limit"]),
    ] {
        assert_eq!(server.get(&format!("/api/v1/events?{query}")).refused(400), places, "{query}");
    }
    assert_eq!(server.get("/api/v1/cameras?x=1").refused(400), ["x"]);
    assert_eq!(
        server.get("/api/v1/events?kind=&class=&camera=&from=&cursor=").status,
        200,
        "an empty field is no filter"
    );
}
