//! What keeps strangers, floods and our own mistakes from doing harm.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::on,
};
use serde_json::json;
use tower::Service;
use vonglau::http::{
    CONNECTIONS_MAX, Peer,
    routes::{self, Action, Answer, Method, Route, Scope, TABLE},
};

use crate::server::Server;

#[test]
fn a_foreign_host_or_origin_is_refused_and_changes_nothing() {
    let server = Server::start();
    let foreign_host = [("Host", "evil.example")];
    for path in ["/api/v1/cameras", "/", "/api/v1/changes"] {
        assert_eq!(server.get_with(path, &foreign_host).refused(403), ["Host"], "{path}");
    }
    let body = json!({"name": "x", "main_url": "rtsp://10.0.0.1/1"}).to_string();
    let json_type = ("Content-Type", "application/json");
    for header in [("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        let answer = server.send("POST", "/api/v1/cameras", &[json_type, header], body.as_bytes());
        assert_eq!(answer.refused(403), ["Origin"], "{header:?}");
    }
    let as_a_form = server.send("POST", "/api/v1/cameras", &[("Content-Type", "text/plain")], body.as_bytes());
    assert_eq!(as_a_form.refused(415), ["Content-Type"]);
    assert_eq!(server.get("/api/v1/cameras").ok(200)["cameras"], json!([]));

    let own = format!("http://{}", server.addr);
    let headers = [json_type, ("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(server.send("POST", "/api/v1/cameras", &headers, body.as_bytes()).status, 201);
}

#[test]
fn a_body_that_is_too_large_is_refused_in_our_shape() {
    let server = Server::start();
    let body = json!({"name": "x".repeat(300 * 1024)}).to_string();
    let json_type = [("Content-Type", "application/json")];
    assert_eq!(server.send("POST", "/api/v1/cameras", &json_type, body.as_bytes()).refused(413), ["body"]);
    let long_field = json!({"name": "x".repeat(200 * 1024), "main_url": "rtsp://h/1"}).to_string();
    assert_eq!(server.send("POST", "/api/v1/cameras", &json_type, long_field.as_bytes()).refused(400), ["name"]);
}

#[test]
fn a_connection_that_ends_gives_its_place_back() {
    let server = Server::start();
    for _ in 0..CONNECTIONS_MAX + 10 {
        assert_eq!(server.get("/api/v1/status").status, 200);
    }
}

#[test]
fn a_thousand_clients_that_never_finish_asking_keep_nobody_out_and_are_let_go() {
    const CLIENTS: u64 = 1000;
    // Client and server are this one process here; the program itself never holds more than its most connections.
    let mut files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    files.current = files.maximum.map_or(Some(8192), |most| Some(most.min(8192)));
    rustix::process::setrlimit(rustix::process::Resource::Nofile, files).unwrap();
    let server = Server::start();
    let half = |n: u64| {
        let mut stream = TcpStream::connect(server.addr).unwrap();
        // Only so that a hanging server fails the test instead of hanging it.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let text = ["", "GET / HT", "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX: "][(n % 3) as usize];
        // One that had to make room already does not take it.
        let _ = stream.write_all(text.as_bytes());
        stream
    };
    let all: Vec<TcpStream> = (0..CLIENTS).map(half).collect();
    for _ in 0..3 {
        assert_eq!(server.get("/api/v1/status").status, 200);
    }
    for mut stream in all {
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "left hanging"),
        }
    }
    assert_eq!(server.get("/api/v1/status").status, 200);
}

#[test]
fn every_answer_carries_the_security_headers() {
    let server = Server::start();
    for path in ["/", "/api/v1/status", "/api/v1/cameras/999", "/assets/none.js"] {
        let answer = server.get(path);
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(
            !policy.contains("unsafe-inline") && !answer.headers.contains_key("access-control-allow-origin"),
            "{path}"
        );
    }
    assert_eq!(server.get("/api/v1/status").header("cache-control"), "no-store");
    assert_eq!(server.get("/api/v1/cameras/999").header("cache-control"), "no-store");
    assert_eq!(server.get_with("/", &[("Host", "evil.example")]).header("x-content-type-options"), "nosniff");
}

static PANICS: [Route; 1] = [Route {
    method: Method::Get,
    path: "/api/v1/panic",
    action: Action::Public,
    scope: Scope::Any,
    resource: "panic",
    handler: |filter| on(filter, panics),
    summary: "Panics.",
    query: &[],
    request: None,
    answer: Answer::Nothing,
}];

async fn panics() -> StatusCode {
    panic!("a secret of the inside")
}

#[test]
fn a_panic_in_a_handler_is_a_500_that_says_nothing_and_the_server_lives() {
    let server = Server::with(Some(&PANICS));
    for n in 1..=3 {
        let answer = server.get("/api/v1/panic");
        assert_eq!(answer.refused(500), [""]);
        assert!(!answer.text().contains("secret"));
        assert_eq!(server.state.counters.panics.get(), n);
    }
    assert_eq!(server.get("/api/v1/nothing").refused(404), ["path"]);
}

/// Straight into the router, as if from `peer`: nothing but loopback can be listened on.
fn status_from(server: &Server, router: &mut Router, row: &Route, peer: &str) -> StatusCode {
    let path = row.path.replace("{id}", "1").replace("{*path}", "x");
    let request = Request::builder()
        .method(row.method.name())
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .extension(Peer(peer.parse().unwrap()))
        .body(Body::empty())
        .unwrap();
    server.runtime.block_on(router.call(request)).unwrap().status()
}

#[test]
fn from_another_machine_every_row_is_refused() {
    let server = Server::start();
    let mut router = routes::router(server.state.clone());
    for row in TABLE {
        for peer in ["192.168.1.20:5000", "[2001:db8::1]:5000", "[::ffff:10.0.0.1]:5000"] {
            let status = status_from(&server, &mut router, row, peer);
            assert_eq!(status, StatusCode::FORBIDDEN, "{} {} from {peer}", row.method.name(), row.path);
        }
        let status = status_from(&server, &mut router, row, "[::ffff:127.0.0.1]:5000");
        assert_ne!(status, StatusCode::FORBIDDEN, "{} {}", row.method.name(), row.path);
    }
}
