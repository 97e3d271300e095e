//! Search by a typed line, what was not recorded, following from camera to camera, and the plan.

use serde_json::{Value, json};
use vonglau::{
    domain::{detection::Class, ids::CameraId, segment::GapCause, time::Span},
    store::Gap,
};

use crate::server::{NOW_US, Server};

const MINUTE_US: i64 = 60_000_000;

/// A server with a market and a bridge; their cameras.
fn town() -> (Server, i64, i64) {
    let server = Server::start();
    let (market, bridge) = (server.camera("Chợ Đông"), server.camera("Cầu Sắt"));
    (server, market, bridge)
}

fn find(server: &Server, query: &str) -> Value {
    server.get(&format!("/api/v1/search?{query}")).ok(200)
}

fn ids(page: &Value) -> Vec<(String, i64)> {
    let one = |r: &Value| {
        let source = r["source"].as_str().unwrap();
        (source.to_owned(), r[source]["id"].as_i64().unwrap())
    };
    page["results"].as_array().unwrap().iter().map(one).collect()
}

/// One more track like another, as a person.
fn as_person(server: &Server, track: i64) -> i64 {
    server.runtime.block_on(async {
        let mut row = server.state.store.track(track).await.unwrap().unwrap();
        (row.id, row.best.class, row.votes) = (None, Class::Person, [(Class::Person, 9)].into());
        server.state.store.keep_tracks(&[row]).await.unwrap()[0]
    })
}

#[test]
fn a_line_finds_what_it_says_and_shows_how_it_was_understood() {
    let (server, market, bridge) = town();
    let rule = server.rule();
    let red = server.track(market, 1, NOW_US - 30 * MINUTE_US);
    server.track(bridge, 2, NOW_US - 30 * MINUTE_US);
    server.track(market, 3, NOW_US - 5 * 60 * MINUTE_US);
    let event = server.event(market, rule, NOW_US - 20 * MINUTE_US);
    let page = find(&server, "q=xm+do+toi+nay+qua+cho");
    assert_eq!(ids(&page), [("track".to_owned(), red)]);
    let chips = page["understood"]["chips"].as_array().unwrap();
    let said: Vec<&str> = chips.iter().map(|c| c["vi"].as_str().unwrap()).collect();
    assert_eq!(said, ["20/11/2026 18:00–24:00", "xe máy", "đỏ", "Chợ Đông"]);
    assert_eq!((chips[2]["at"].clone(), chips[2]["used"].clone()), (json!([3, 5]), json!(true)));
    assert!(
        chips[2]["others"].as_array().unwrap().iter().any(|o| o["text"] == "xm đổ toi nay qua cho"),
        "{}",
        chips[2]
    );
    assert_eq!((page["understood"]["by_colour"].clone(), page["next"].clone()), (json!(true), Value::Null));
    let all = find(&server, "q=cho+toi+nay");
    assert_eq!(ids(&all), [("event".to_owned(), event), ("track".to_owned(), red)], "the newest first, both kinds");
    let events = find(&server, "q=cho+toi+nay&what=event");
    assert_eq!(ids(&events), [("event".to_owned(), event)]);
    let first = find(&server, "limit=1");
    let next = first["next"].as_str().expect("a second page");
    let rest = find(&server, &format!("limit=3&cursor={next}"));
    assert_eq!([ids(&first), ids(&rest)].concat().len(), 4, "every one once");
    assert_eq!(ids(&find(&server, "q=do&colour=unknown")), [("event".to_owned(), event)], "what has no colour known");
    for (query, place) in
        [("limit=0", "limit"), ("cursor=x", "cursor"), ("what=both", "what"), ("colour=red", "colour")]
    {
        assert_eq!(server.get(&format!("/api/v1/search?{query}")).refused(400), [place], "{query}");
    }
}

#[test]
fn what_was_not_recorded_in_the_time_is_said_of_the_cameras_asked_for() {
    let (server, market, bridge) = town();
    let span = Span { start_us: NOW_US - 40 * MINUTE_US, end_us: NOW_US - 26 * MINUTE_US };
    server.runtime.block_on(async {
        let store = &server.state.store;
        for camera in [market, bridge] {
            for (i, stream) in store.camera(CameraId(camera)).await.unwrap().unwrap().streams.iter().enumerate() {
                // At the bridge the main stream was there all the while.
                if camera == market || i > 0 {
                    let evidence = "không trả lời".to_owned();
                    store.add_gap(&Gap { stream: stream.id, span, cause: GapCause::Network, evidence }).await.unwrap();
                }
            }
        }
    });
    let missing = |query: &str| find(&server, query)["coverage"]["not_recorded"].clone();
    let said = missing("q=xe+toi+nay");
    assert_eq!(said.as_array().unwrap().len(), 1, "{said}");
    assert_eq!((&said[0]["camera"], &said[0]["us"]), (&json!(market), &json!(14 * MINUTE_US)));
    assert_eq!(said[0]["holes"], json!([{"start_us": span.start_us, "end_us": span.end_us}]));
    assert_eq!(missing("q=xe+toi+nay+cau"), json!([]), "not of others");
    assert_eq!(missing("q=xe+sang+nay"), json!([]), "not of another time");
    let half = missing("q=xe+tu+20:30+den+21:00");
    assert_eq!(half[0]["us"], 8 * MINUTE_US + 10_000_000, "{half}");
}

#[test]
fn the_state_of_cameras_is_no_picture_search() {
    let (server, ..) = town();
    let page = find(&server, "q=cam+nao+chet");
    assert_eq!((&page["understood"]["intent"], &page["results"]), (&json!("camera_state"), &json!([])));
}

#[test]
fn how_many_passed_is_counted_by_step() {
    let (server, market, bridge) = town();
    for (n, camera) in [(1, market), (2, market), (3, bridge)] {
        server.track(camera, n, NOW_US - 30 * MINUTE_US);
    }
    let tally = |query: &str| {
        let answer = server.get(&format!("/api/v1/search/tally?{query}")).ok(200);
        answer["tallies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| (t["word"].to_string(), t["n"].as_i64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(tally(""), [("\"motorcycle\"".to_owned(), 3)]);
    assert_eq!(tally(&format!("camera={bridge}&step=day")), [("\"motorcycle\"".to_owned(), 1)]);
    assert_eq!(server.get("/api/v1/search/tally?step=week").refused(400), ["step"]);
    assert_eq!(server.get("/api/v1/search/tally?from=9&to=5").refused(400), ["end_us"]);
}

#[test]
fn a_vehicle_is_followed_to_the_next_camera_and_what_is_confirmed_is_learned() {
    let (server, market, bridge) = town();
    let plan = json!({"spots": [{"camera": market, "x": 0.2, "y": 0.5}], "ways": [{"from": market, "to": bridge, "drawn_s": 60}]});
    server.put("/api/v1/plan", &plan).ok(200);
    let start_us = NOW_US - 30 * MINUTE_US;
    let first = server.track(market, 1, start_us);
    let (next, other) =
        (server.track(bridge, 2, start_us + MINUTE_US), server.track(bridge, 3, start_us + 130_000_000));
    let route = server.post("/api/v1/routes", &json!({"track": first})).ok(201);
    let suggested = |route: &Value| {
        route["suggestions"].as_array().unwrap().iter().map(|s| s["track"]["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(suggested(&route), [next, other], "{route}");
    let id = route["id"].as_i64().unwrap();
    let say = |track: i64, verdict: &str| {
        server.post(&format!("/api/v1/routes/{id}/steps"), &json!({"track": track, "verdict": verdict})).ok(200)
    };
    assert_eq!(suggested(&say(other, "rejected")), [next], "what was said is not asked again");
    let route = say(next, "accepted");
    assert_eq!((suggested(&route), route["steps"].as_array().unwrap().len()), (vec![], 3));
    assert_eq!(route["steps"][1]["took_s"], 58);
    assert_eq!(server.get("/api/v1/plan").ok(200)["ways"][0]["times"], 1);
    assert_eq!(say(next, "none")["steps"].as_array().unwrap().len(), 2);
    assert_eq!(server.get("/api/v1/plan").ok(200)["ways"][0]["times"], 0);
    assert_eq!(server.get("/api/v1/routes").ok(200)["routes"][0]["id"], id);
    assert_eq!(server.delete(&format!("/api/v1/routes/{id}")).status, 204);
    assert_eq!(server.get(&format!("/api/v1/routes/{id}")).refused(404), ["id"]);
    assert_eq!(server.post("/api/v1/routes", &json!({"track": 999})).refused(404), ["id"]);
}

#[test]
fn a_person_is_followed_only_in_a_case_and_with_a_reason() {
    let (server, market, _) = town();
    let person = as_person(&server, server.track(market, 1, NOW_US - MINUTE_US));
    let begin = |body: Value| server.post("/api/v1/routes", &body);
    assert_eq!(begin(json!({"track": person})).refused(400), ["case_number", "reason"]);
    assert_eq!(begin(json!({"track": person, "case_number": " ", "reason": "mất xe"})).refused(400), ["case_number"]);
    let long = "x".repeat(61);
    assert_eq!(begin(json!({"track": person, "case_number": long, "reason": "mất xe"})).refused(400), ["case_number"]);
    let route = begin(json!({"track": person, "case_number": "VV-12", "reason": "mất xe"})).ok(201);
    assert_eq!((&route["class"], &route["case_number"]), (&json!("person"), &json!("VV-12")));
}

#[test]
fn a_plan_that_cannot_be_is_refused_with_its_places() {
    let (server, market, bridge) = town();
    let plan = json!({
        "spots": [{"camera": market, "x": 1.5, "y": 0.5}, {"camera": 99, "x": 0.5, "y": 0.5}],
        "ways": [
            {"from": market, "to": market}, {"from": market, "to": bridge, "drawn_s": 0}, {"from": market, "to": bridge},
        ],
    });
    let places = ["spots[0]", "spots[1].camera", "ways[0].to", "ways[1].drawn_s", "ways[2]"];
    assert_eq!(server.put("/api/v1/plan", &plan).refused(400), places);
    assert_eq!(server.get("/api/v1/plan").ok(200), json!({"spots": [], "ways": []}));
}
