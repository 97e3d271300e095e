//! What a list, a stream or a file says to somebody whose right ends at a cluster.

use serde_json::{Value, json};
use vonglau::{
    domain::ids::{CameraId, EventId},
    http::routes::{Answer, Method, TABLE},
    runtime::board::Change,
};

use crate::{
    people::{Site, headers},
    server::{Head, NOW_US, line},
};

/// Whether a camera is told of anywhere in an answer.
fn names(value: &Value, camera: i64) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let about = matches!(key.as_str(), "camera" | "from" | "to" | "cameras")
                && (value == camera
                    || value.as_array().is_some_and(|a| a.contains(&json!(camera)))
                    || value.get(camera.to_string()).is_some());
            about || names(value, camera)
        }),
        Value::Array(all) => all.iter().any(|value| names(value, camera)),
        Value::String(text) => text.contains("trường") || text.contains("Trường"),
        _ => false,
    }
}

#[test]
fn no_list_tells_of_a_camera_out_of_reach() {
    let site = Site::new();
    let (near, far) = (site.account("binh", &["police@"]), site.account("chi", &["police"]));
    let mut told = Vec::new();
    for row in TABLE
        .iter()
        .filter(|row| row.method == Method::Get && matches!(row.answer, Answer::Json(_)) && !row.path.contains('{'))
    {
        let path = if row.path.ends_with("shapes") {
            format!("{}?camera={}", row.path, site.own.camera)
        } else {
            row.path.to_owned()
        };
        let reader = site.session(near);
        let near = site.ask(Some(&reader), "GET", &path, "");
        let far = site.ask(Some(&site.session(far)), "GET", &path, "");
        if far.status == 200 && names(&far.ok(200), site.foreign.camera) {
            told.push(row.path);
        }
        if near.status == 200 {
            assert!(!names(&near.ok(200), site.foreign.camera), "{path}: {}", near.text());
        }
        // A list that names nothing is no way around the clusters.
        for nothing in [",", "%2C", ",,", "+,+"] {
            let path = format!("{}{}camera={nothing}", path, if path.contains('?') { '&' } else { '?' });
            let near = site.ask(Some(&reader), "GET", &path, "");
            assert!(near.status != 200 || !names(&near.ok(200), site.foreign.camera), "{path}: {}", near.text());
        }
    }
    // That the looking itself finds something: these do tell whoever reaches everything.
    for path in ["cameras", "clusters", "gaps", "locks", "planned", "events", "tracks", "search", "plan"] {
        assert!(told.contains(&format!("/api/v1/{path}").as_str()), "{path}: {told:?}");
    }
}

#[test]
fn a_search_that_names_another_camera_finds_nothing_of_it() {
    let site = Site::new();
    let near = site.account("binh", &["police@"]);
    for typed in ["", "xe máy", "cổng trường", "C02", "xe máy ở cổng trường"] {
        let typed: String = typed.bytes().map(|b| format!("%{b:02x}")).collect();
        let page = site.ask(Some(&site.session(near)), "GET", &format!("/api/v1/search?q={typed}"), "").ok(200);
        assert!(
            !names(&page["results"], site.foreign.camera) && !names(&page["coverage"], site.foreign.camera),
            "{page}"
        );
    }
}

#[test]
fn a_lock_holds_no_camera_out_of_reach() {
    let site = Site::new();
    let near = site.account("binh", &["police@"]);
    let lock = |cameras: &[i64]| {
        let draft = json!({"cameras": cameras, "start_us": NOW_US - 9, "end_us": NOW_US, "reason": "vụ 8"}).to_string();
        site.ask(Some(&site.session(near)), "POST", "/api/v1/locks", &draft)
    };
    let (foreign, unknown) = (lock(&[site.own.camera, site.foreign.camera]), lock(&[site.own.camera, 77]));
    assert_eq!((foreign.refused(404), unknown.refused(404)), (vec!["id".to_owned()], vec!["id".to_owned()]));
    lock(&[site.own.camera]).ok(201);
}

#[test]
fn another_clusters_thing_is_answered_exactly_as_one_that_is_not_there() {
    let site = Site::new();
    let near = site.account("binh", &["police@"]);
    // Frigate served pictures of any event to whoever knew its id (CVE-2026-33470 in the limits, part C).
    let paths = [
        ("camera", "picture.jpg"),
        ("camera", "video.mp4?from=1&to=2"),
        ("camera", "video.mp4?from=x"),
        ("event", "snapshot.jpg"),
        ("event", "clip.mp4"),
        ("event", "clip.mp4?stream=zzz"),
        ("track", "picture.jpg"),
        ("track", "path"),
    ];
    for (what, rest) in paths {
        let foreign = if what == "camera" {
            site.foreign.camera
        } else if what == "event" {
            site.foreign.event
        } else {
            site.foreign.track
        };
        let get = |id: i64| {
            let answer = site.ask(Some(&site.session(near)), "GET", &format!("/api/v1/{what}s/{id}/{rest}"), "");
            (answer.status, answer.text().replace(&id.to_string(), "#"))
        };
        assert_eq!(get(foreign), get(555_555), "{what} {rest}");
        assert_eq!(get(foreign).0, 404, "{what} {rest}");
    }
}

#[test]
fn a_file_to_take_away_and_a_moment_past_need_their_own_right() {
    let site = Site::new();
    let (duty, police) = (site.account("dung", &["duty"]), site.account("binh", &["police"]));
    let camera = site.own.camera;
    let status = |account, path: String| site.ask(Some(&site.session(account)), "GET", &path, "").status;
    assert_eq!(status(duty, format!("/api/v1/cameras/{camera}/picture.jpg")), 200);
    let past = format!("/api/v1/cameras/{camera}/picture.jpg?at={}", NOW_US - 9);
    assert_eq!((status(duty, past.clone()), status(police, past)), (403, 404), "nothing was recorded");
}

#[test]
fn the_stream_of_changes_is_silent_about_what_is_out_of_reach() {
    let site = Site::new();
    let near = site.account("binh", &["police@"]);
    let headers = headers(Some(&site.session(near)), false);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut stream = site.server.open("GET", "/api/v1/changes", &headers, b"");
    assert_eq!(Head::read(&mut stream).status, 200);
    let board = &site.server.state.board;
    for things in [site.foreign, site.own] {
        board.announce(Change::Status(CameraId(things.camera)));
        board.announce(Change::Event(EventId(things.event)));
    }
    board.announce(Change::Config);
    let mut heard = Vec::new();
    while !heard.iter().any(|l: &String| l == "data: {\"id\":0}") {
        heard.push(line(&mut stream));
    }
    let data: Vec<_> = heard.iter().filter_map(|l| l.strip_prefix("data: ")).collect();
    let own = [site.own.camera, site.own.event].map(|id| format!("{{\"id\":{id}}}"));
    assert_eq!(data, [own[0].as_str(), own[1].as_str(), "{\"id\":0}"]);
}
