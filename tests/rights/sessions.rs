//! What ends a session, and what keeps it the property of its person.

use std::io::Read;

use serde_json::json;
use vonglau::domain::{account::AccountDraft, query::Actor, time::WallTime};

use crate::{
    people::{Browser, Site, headers},
    server::{Head, NOW_US},
};

const MINUTE_US: i64 = 60_000_000;

fn step(site: &Site, us: i64) {
    site.server.state.clock.step(us, us);
}

fn status(site: &Site, browser: &Browser) -> u16 {
    site.ask(Some(browser), "GET", "/api/v1/session", "").status
}

#[test]
fn a_session_ends_when_its_person_is_away_and_in_any_case_after_half_a_day() {
    let site = Site::new();
    let binh = site.session(site.account("binh", &["police"]));
    step(&site, 14 * MINUTE_US);
    assert_eq!(status(&site, &binh), 200);
    step(&site, MINUTE_US);
    assert_eq!(status(&site, &binh), 401, "reading alone, as pages do by themselves, keeps nobody signed in");

    let chi = site.session(site.account("chi", &["police"]));
    for _ in 0..12 * 6 {
        assert_eq!(site.ask(Some(&chi), "PUT", "/api/v1/session/seen", "{}").status, 204);
        step(&site, 10 * MINUTE_US);
    }
    assert_eq!(status(&site, &chi), 401, "twelve hours");
}

#[test]
fn the_wall_of_live_pictures_may_stand_unattended() {
    let site = Site::new();
    let duty = site.session(site.account("dung", &["duty", "duty@"]));
    let both = site.session(site.account("em", &["duty", "police"]));
    step(&site, 60 * MINUTE_US);
    assert_eq!((status(&site, &duty), status(&site, &both)), (200, 401));
    step(&site, 11 * 60 * MINUTE_US);
    assert_eq!(status(&site, &duty), 401);
}

#[test]
fn signing_out_and_disabling_end_what_is_open_at_once() {
    let site = Site::new();
    let account = site.account("binh", &["police"]);
    let open = |browser: &Browser| {
        let headers = headers(Some(browser), false);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut stream = site.server.open("GET", "/api/v1/changes", &headers, b"");
        assert_eq!(Head::read(&mut stream).status, 200);
        stream
    };
    let (first, second) = (site.session(account), site.session(account));
    let (mut first_open, mut second_open) = (open(&first), open(&second));
    assert_eq!(site.ask(Some(&first), "DELETE", "/api/v1/session", "").status, 204);
    assert_eq!((status(&site, &first), status(&site, &second)), (401, 200));
    first_open.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(status(&site, &second), 200, "only one's own");

    let state = &site.server.state;
    let now = site.server.runtime.block_on(state.store.account(account)).unwrap().unwrap();
    let draft = AccountDraft { login: now.login, grants: now.grants, disabled: true, ..AccountDraft::default() };
    let (checked, by) = (draft.checked().unwrap(), Actor { name: "test".into() });
    site.server.runtime.block_on(state.store.update_account(&by, account, &checked, WallTime(NOW_US))).unwrap();
    assert_eq!(status(&site, &second), 401);
    second_open.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn what_was_open_to_everybody_ends_with_the_first_account() {
    let server = crate::server::Server::start();
    let mut stream = server.open("GET", "/api/v1/changes", &[], b"");
    assert_eq!(Head::read(&mut stream).status, 200);
    let draft = json!({"token": crate::server::SETUP, "login": "an", "password": "bờ ao nón lá thứ tư"});
    server.post("/api/v1/setup", &draft).ok(200);
    assert_eq!(server.get("/api/v1/cameras").refused(401), ["session"]);
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_change_carries_the_token_of_its_own_session() {
    let site = Site::new();
    let account = site.account("binh", &["police"]);
    let (mine, other) = (site.session(account), site.session(account));
    let path = format!("/api/v1/events/{}/verdict", site.own.event);
    let say = |headers: &[(&str, &str)]| site.server.send("PUT", &path, headers, br#"{"verdict":"true"}"#);
    let (cookie, json) = (("Cookie", mine.cookie.as_str()), ("Content-Type", "application/json"));
    // Moonfire 0.7.3 and Frigate 14d2b79c7 took changes that only carried the cookie.
    for token in ["", "0", other.page_token.as_str(), &mine.page_token[..63], mine.cookie.as_str()] {
        let answer = say(&[cookie, json, ("X-Vonglau-Token", token)]);
        assert_eq!(answer.refused(403), ["X-Vonglau-Token"], "{token}");
    }
    assert_eq!(say(&[cookie, json]).refused(403), ["X-Vonglau-Token"]);
    let token = ("X-Vonglau-Token", mine.page_token.as_str());
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        assert_eq!(say(&[cookie, json, token, ("Origin", origin)]).refused(403), ["Origin"], "{origin}");
    }
    // A form of another site: text/plain needs no question beforehand.
    assert_eq!(say(&[cookie, ("Content-Type", "text/plain"), token]).refused(415), ["Content-Type"]);
    say(&[cookie, json, token]).ok(200);
}

#[test]
fn a_socket_is_opened_by_a_page_of_the_session_only() {
    let site = Site::new();
    let mine = site.session(site.account("binh", &["police"]));
    let path = format!("/api/v1/cameras/{}/live", site.own.camera);
    let own = format!("http://{}", site.server.addr);
    let open = |protocol: &str, origin: &str| {
        let headers = [
            ("Cookie", mine.cookie.as_str()),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Origin", origin),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", protocol),
        ];
        let head = Head::read(&mut site.server.open("GET", &path, &headers, b""));
        (head.status, head.headers.get("sec-websocket-protocol").cloned())
    };
    let right = format!("vonglau, {}", mine.page_token);
    assert_eq!(open(&right, &own), (101, Some("vonglau".to_owned())));
    assert_eq!(open("vonglau", &own).0, 403, "the cookie alone");
    // Cross-site WebSocket hijacking: the browser sends the cookie whatever page opens the socket.
    assert_eq!(open(&right, "http://evil.example").0, 403);
}

#[test]
fn what_somebody_signed_in_was_given_is_kept_by_no_browser() {
    let site = Site::new();
    let mine = site.session(site.account("binh", &["police"]));
    for path in [
        "cameras",
        "session",
        &format!("cameras/{}/picture.jpg", site.own.camera),
        &format!("tracks/{}/picture.jpg", site.own.track),
    ] {
        let answer = site.ask(Some(&mine), "GET", &format!("/api/v1/{path}"), "");
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{path}");
    }
}

#[test]
fn an_account_given_by_the_page_works_and_a_guessed_number_does_not() {
    let site = Site::new();
    let an = site.server.runtime.block_on(site.server.state.store.accounts()).unwrap()[0].id;
    let draft =
        json!({"login": "giang", "name": "Giang", "password": "cây đa giếng nước", "grants": [{"role": "police"}]});
    let ask = |method: &str, path: &str, body: &str| site.ask(Some(&site.session(an)), method, path, body);
    let made = ask("POST", "/api/v1/accounts", &draft.to_string()).ok(201);
    assert_eq!(made["grants"], json!([{"role": "police", "cluster": null}]));
    assert!(!made.to_string().contains("argon2") && !made.to_string().contains("password"));
    assert_eq!(ask("POST", "/api/v1/accounts", &draft.to_string()).refused(409), ["login"]);
    let weak = json!({"login": "hoa", "password": "12345678901", "grants": [{"role": "duty"}]}).to_string();
    assert_eq!(ask("POST", "/api/v1/accounts", &weak).refused(400), ["password"]);
    assert_eq!(ask("PUT", "/api/v1/accounts/999", &draft.to_string()).refused(404), ["id"]);
    let mut other = draft.clone();
    other["password"] = json!(null);
    other["grants"] = json!([{"role": "duty"}, {"role": "auditor"}]);
    let path = format!("/api/v1/accounts/{}", made["id"]);
    ask("PUT", &path, &other.to_string()).ok(200);
    let all = ask("GET", "/api/v1/accounts", "").ok(200);
    assert_eq!(all["accounts"].as_array().unwrap().len(), 2);
}
