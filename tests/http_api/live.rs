//! What moves: pictures, recordings, the stream of changes, and the end.

use std::{
    io::{BufRead, Read},
    sync::Arc,
};

use axum::{body::Body, routing::on};
use vonglau::{
    domain::{
        alarm::AlarmKind,
        ids::{CameraId, EventId},
        time::MediaTime,
    },
    http::routes::{Action, Answer, Method, Route, Scope},
    runtime::board::{Change, Picture},
};

use crate::server::{Head, NOW_US, Server, line};

/// The next event of a stream: its name and its data; comments and empty events are passed over.
fn next_event(stream: &mut impl BufRead) -> (String, String) {
    let (mut name, mut data) = (String::new(), String::new());
    loop {
        // Chunk sizes stand between the lines and are no field.
        let line = line(stream);
        if let Some(value) = line.strip_prefix("event: ") {
            value.clone_into(&mut name);
        } else if let Some(value) = line.strip_prefix("data: ") {
            value.clone_into(&mut data);
        } else if line.is_empty() && !data.is_empty() {
            return (name, data);
        }
    }
}

fn named(name: &str, id: i64) -> (String, String) {
    (name.to_owned(), format!("{{\"id\":{id}}}"))
}

#[test]
fn changes_are_told_in_order_and_a_page_that_lags_is_told_to_reload() {
    let server = Server::start();
    let mut stream = server.open("GET", "/api/v1/changes", &[], b"");
    let head = Head::read(&mut stream);
    assert_eq!((head.status, head.headers["cache-control"].as_str()), (200, "no-store"));
    let board = Arc::clone(&server.state.board);
    board.announce(Change::Event(EventId(7)));
    board.set_picture(CameraId(3), Picture { time: MediaTime(NOW_US), jpeg: bytes::Bytes::new() });
    server.rule();
    let text = ("hỏng".to_owned(), "broken".to_owned());
    server.state.board.raise(AlarmKind::DiskFull, None, 1, text, MediaTime(NOW_US));
    assert_eq!(next_event(&mut stream), named("event", 7));
    assert_eq!(next_event(&mut stream), named("picture", 3));
    assert_eq!(next_event(&mut stream), named("config", 0));
    assert_eq!(next_event(&mut stream), named("alarms", 0));
    // The board keeps 256 changes for each page; nobody polls between these.
    server.runtime.block_on(async {
        let flood = async move {
            for i in 0..600_000 {
                board.announce(Change::Event(EventId(i)));
            }
        };
        flood.await;
    });
    let reloaded = std::iter::repeat_with(|| next_event(&mut stream).0).take(600_000).any(|name| name == "reload");
    assert!(reloaded);
}

#[test]
fn stopping_ends_streams_and_waits_for_no_idle_connection() {
    let mut server = Server::start();
    let mut changes = server.open("GET", "/api/v1/changes", &[], b"");
    assert_eq!(Head::read(&mut changes).status, 200);
    let mut idle = server.open("GET", "/api/v1/status", &[], b"");
    let head = Head::read(&mut idle);
    idle.read_exact(&mut vec![0; head.headers["content-length"].parse().unwrap()]).unwrap();
    let silent = std::net::TcpStream::connect(server.addr).unwrap();

    server.stop.ask();
    let served = server.served.take().unwrap();
    server.runtime.block_on(crate::wait::done(served)).unwrap();
    let mut rest = String::new();
    changes.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "the stream ends as a whole body: {rest:?}");
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "the idle connection was closed");
    assert!(std::net::TcpStream::connect(server.addr).is_err(), "nobody listens any more");
    drop(silent);
}

#[test]
fn the_last_picture_has_its_time_and_ranges_like_any_media() {
    let server = Server::start();
    let camera = server.camera("Cổng Bắc");
    let path = format!("/api/v1/cameras/{camera}/picture.jpg");
    assert_eq!(server.get(&path).refused(404), ["picture"]);
    let jpeg = bytes::Bytes::from_static(b"\xff\xd80123456789\xff\xd9");
    server.state.board.set_picture(CameraId(camera), Picture { time: MediaTime(NOW_US), jpeg: jpeg.clone() });
    let answer = server.get(&format!("{path}?t={NOW_US}"));
    assert_eq!((answer.status, answer.header("content-type")), (200, "image/jpeg"));
    assert_eq!(answer.header("x-picture-time-us"), NOW_US.to_string());
    assert_eq!(answer.body, jpeg);
    let tag = answer.header("etag");
    assert_eq!(server.get_with(&path, &[("If-None-Match", tag)]).status, 304);
    let part = server.get_with(&path, &[("Range", "bytes=2-5"), ("If-Range", tag)]);
    assert_eq!((part.status, part.header("content-range"), part.body.as_slice()), (206, "bytes 2-5/14", &b"0123"[..]));
    assert_eq!(server.get(&format!("/api/v1/cameras/{}/picture.jpg", camera + 1)).refused(404), ["id"]);
}

#[test]
fn an_events_picture_comes_boxed_or_plain_and_is_kept_private() {
    let server = Server::start();
    let (camera, rule) = (server.camera("Cổng Bắc"), server.rule());
    let event = server.event(camera, rule, NOW_US);
    let path = format!("/api/v1/events/{event}/snapshot.jpg");
    assert_eq!(server.get(&path).refused(404), ["snapshot"]);
    // 21:04 in Vietnam is the same date in UTC.
    let folder = server.state.data_dir.join("pictures/2026-11-20");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{event}-boxed.jpg")), b"boxed").unwrap();
    std::fs::write(folder.join(format!("{event}-plain.jpg")), b"plain").unwrap();
    let answer = server.get(&path);
    assert_eq!(answer.body, b"boxed");
    assert!(answer.header("cache-control").contains("private"), "{}", answer.header("cache-control"));
    assert_eq!(server.get(&format!("{path}?boxed=0&r=3")).body, b"plain");
    assert_eq!(server.get(&format!("{path}?boxed=yes")).refused(400), ["boxed"]);
    assert_eq!(server.get(&format!("/api/v1/events/{event}")).ok(200)["has_snapshot"], true);
    assert_eq!(server.get_with(&path, &[("If-None-Match", answer.header("etag"))]).status, 304);
}

#[test]
fn unknown_pages_lead_to_the_app_and_a_lost_asset_does_not() {
    let server = Server::start();
    for path in ["/", "/cameras", "/su-kien/7?x=1", "/..%2f..%2fetc/passwd", "/index.html"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert!(answer.text().contains("Vọng Lâu"), "{path}");
    }
    assert_eq!(server.get("/assets/gone-1234.js").refused(404), ["path"]);
}

static ENDLESS: [Route; 1] = [Route {
    method: Method::Get,
    path: "/endless",
    action: Action::Public,
    scope: Scope::Any,
    resource: "endless",
    handler: |filter| on(filter, endless),
    summary: "Never ends.",
    query: &[],
    request: None,
    answer: Answer::Bytes("text/plain"),
}];

async fn endless() -> Body {
    Body::from_stream(futures::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'x'; 65_536]))
    }))
}

#[test]
fn a_client_that_does_not_read_does_not_hold_a_forced_stop() {
    let mut server = Server::with(Some(&ENDLESS));
    let mut stuck = server.open("GET", "/endless", &[], b"");
    assert_eq!(Head::read(&mut stuck).status, 200);
    server.stop.now();
    let served = server.served.take().unwrap();
    server.runtime.block_on(crate::wait::done(served)).unwrap();
}
