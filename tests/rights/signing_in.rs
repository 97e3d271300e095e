//! The first account, passwords, and guessing them.

use serde_json::{Value, json};
use vonglau::{
    domain::{
        account::{AccountDraft, Grant, Role},
        query::Actor,
        time::WallTime,
    },
    runtime::secrets,
    store::{Store, When},
};

use crate::{
    people::Browser,
    server::{Answer, NOW_US, SETUP, Server},
};

const PASSWORD: &str = "bờ ao nón lá thứ tư";

fn set_up(server: &Server, token: &str) -> Answer {
    server.post(
        "/api/v1/setup",
        &json!({"token": token, "login": "An", "name": "Anh An", "password": PASSWORD, "police": true}),
    )
}

fn sign_in(server: &Server, login: &str, password: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = headers.iter().copied().chain([("Content-Type", "application/json")]).collect();
    server.send(
        "POST",
        "/api/v1/session",
        &headers,
        json!({"login": login, "password": password}).to_string().as_bytes(),
    )
}

/// The browser that took this answer's cookie.
fn browser(answer: &Answer) -> Browser {
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    Browser::new(cookie.strip_prefix("vonglau_session=").unwrap())
}

fn me(server: &Server, browser: &Browser) -> Answer {
    server.get_with("/api/v1/session", &[("Cookie", &browser.cookie)])
}

#[test]
fn the_link_of_the_console_makes_the_first_account_and_then_nothing_any_more() {
    let server = Server::start();
    assert_eq!(server.get("/api/v1/session").ok(200)["open"], true);
    // Without the link nobody at the machine can take it over for good.
    let draft = json!({"login": "kẻ", "password": PASSWORD, "grants": [{"role": "admin"}]});
    assert_eq!(server.post("/api/v1/accounts", &draft).refused(400), ["login"]);
    let draft = json!({"login": "ke", "password": PASSWORD, "grants": [{"role": "admin"}]});
    assert_eq!(server.post("/api/v1/accounts", &draft).refused(409), ["account"]);
    assert_eq!(set_up(&server, "wrong").refused(403), ["token"]);
    assert_eq!(set_up(&server, "").refused(403), ["token"]);
    let made = set_up(&server, SETUP);
    let said = made.ok(200);
    let document = server.get_with("/api/v1/openapi.json", &[("Cookie", &browser(&made).cookie)]).ok(200);
    for key in said.as_object().unwrap().keys() {
        assert!(document["components"]["schemas"]["Me"]["properties"][key].is_object(), "{key} is not described");
    }
    assert_eq!((said["login"].as_str(), said["open"].as_bool()), (Some("An"), Some(false)));
    let actions: Vec<_> = said["actions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(actions.contains(&"users") && actions.contains(&"playback") && !actions.contains(&"audit"), "{actions:?}");
    assert_eq!(me(&server, &browser(&made)).ok(200)["token"], said["token"]);
    assert_eq!(set_up(&server, SETUP).refused(409), ["account"]);
    assert_eq!(server.get("/api/v1/cameras").refused(401), ["session"]);
    assert_eq!((server.get("/health").status, server.get("/health").text()), (200, "ok\n".to_owned()));
}

#[test]
fn the_cookie_is_for_this_server_alone_and_new_with_each_signing_in() {
    let server = Server::start();
    set_up(&server, SETUP);
    // Session fixation: what the browser brings along is not made a session.
    let planted = format!("vonglau_session={}", "ab".repeat(32));
    let answer = sign_in(&server, "an", PASSWORD, &[("Cookie", &planted)]);
    let cookie = answer.header("set-cookie");
    assert!(!cookie.contains("abab"), "{cookie}");
    for part in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(cookie.split("; ").any(|p| p == part), "{part} is not in {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(server.get_with("/api/v1/session", &[("Cookie", &planted)]).status, 401);
    let again = sign_in(&server, "AN", &PASSWORD.replace("ờ", "ơ\u{300}"), &[]);
    assert_ne!(browser(&again).cookie, browser(&answer).cookie);
    assert_eq!((me(&server, &browser(&answer)).status, me(&server, &browser(&again)).status), (200, 200));
}

#[test]
fn a_wrong_login_and_a_wrong_password_are_told_alike() {
    let server = Server::start();
    set_up(&server, SETUP);
    let told = |login: &str, password: &str| {
        let answer = sign_in(&server, login, password, &[]);
        (answer.refused(403), answer.text())
    };
    let known = told("an", "sai mật khẩu rồi");
    assert_eq!(known, told("khong-co", "sai mật khẩu rồi"));
    assert_eq!(known, told(&"a".repeat(10_000), "x"));
    assert_eq!(known, told("an", &"x".repeat(10_000)));
    assert!(!known.1.contains("sai mật khẩu rồi"));
}

#[test]
fn guessing_has_to_wait_whatever_address_a_header_claims() {
    let server = Server::start();
    set_up(&server, SETUP);
    for n in 0..5 {
        let claimed = format!("10.0.0.{n}");
        let answer =
            sign_in(&server, "an", "đoán mò một hai ba", &[("X-Forwarded-For", &claimed), ("X-Real-IP", &claimed)]);
        assert_eq!(answer.status, 403, "{n}");
    }
    let answer = sign_in(&server, "an", PASSWORD, &[("X-Forwarded-For", "10.0.0.99"), ("Forwarded", "for=10.0.0.98")]);
    assert_eq!((answer.refused(429), answer.header("retry-after")), (vec!["password".to_owned()], "3"));
    server.state.clock.step(2_000_000, 2_000_000);
    assert_eq!(sign_in(&server, "an", PASSWORD, &[]).status, 200, "an account is not closed for good");
}

#[tokio::test]
async fn a_restart_forgives_no_failure_and_the_database_signs_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vonglau.db");
    let (token, now) = (secrets::token().unwrap(), WallTime(NOW_US));
    let hash = secrets::hash(vonglau::domain::camera::Secret::new(PASSWORD)).await.unwrap();
    let store = Store::open(&file).await.unwrap();
    let draft = AccountDraft {
        login: "an".into(),
        grants: vec![Grant { role: Role::Admin, cluster: None }],
        ..AccountDraft::default()
    };
    let by = Actor { name: "test".into() };
    let an = store.add_account(&by, &draft.checked().unwrap(), &hash, When::First, now).await.unwrap();
    store.begin_session(&secrets::token_hash(&token), an, "127.0.0.1", now).await.unwrap();
    for _ in 0..7 {
        store.try_sign_in("an", "127.0.0.1", now).await.unwrap();
    }
    store.close().await;
    let store = Store::open(&file).await.unwrap();
    assert!(store.try_sign_in("an", "127.0.0.1", now).await.unwrap() > 0);
    assert!(store.session(&secrets::token_hash(&token)).await.unwrap().is_some(), "who is signed in stays so");
    store.close().await;
    let bytes = std::fs::read(&file).unwrap();
    for secret in [PASSWORD.as_bytes(), token.as_bytes(), secrets::page_token(&token).as_bytes()] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a secret stands in the database");
    }
}

#[test]
fn ones_own_password_is_changed_with_the_old_one_and_other_sessions_end() {
    let server = Server::start();
    let first = browser(&set_up(&server, SETUP));
    let second = browser(&sign_in(&server, "an", PASSWORD, &[]));
    let change = |browser: &Browser, old: &str, new: &str| {
        let headers = [
            ("Cookie", browser.cookie.as_str()),
            ("X-Vonglau-Token", &browser.page_token),
            ("Content-Type", "application/json"),
        ];
        let body = json!({"old_password": old, "password": new}).to_string();
        server.send("PUT", "/api/v1/session/password", &headers, body.as_bytes())
    };
    assert_eq!(change(&second, "sai rồi sai rồi", "cây đa giếng nước").refused(400), ["old_password"]);
    assert_eq!(change(&second, PASSWORD, "12345").refused(400), ["password"]);
    assert_eq!(change(&second, PASSWORD, "cây đa giếng nước").status, 204);
    assert_eq!((me(&server, &first).status, me(&server, &second).status), (401, 200));
    assert_eq!(sign_in(&server, "an", PASSWORD, &[]).status, 403);
    assert_eq!(sign_in(&server, "an", "cây đa giếng nước", &[]).status, 200);
}
