//! Clips out of a recording made by the recorder itself, from packets made by hand.

use std::{io::Read, sync::Arc};

use vonglau::{
    domain::{
        camera::{Camera, StreamKind},
        ids::CameraId,
        packet::{Codec, Packet, StreamParams, ticks_to_us},
        segment::GapCause,
        time::{BootTime, MediaTime, Span},
    },
    record::{RecordedStream, Recorder},
    runtime::tasks::Tasks,
    store::Gap,
};

use crate::{
    server::{Head, NOW_US, Server},
    table::fits,
};

const FPS: i64 = 10;

/// Parameters with an `avc1` box around a made-up configuration.
fn params(width: u16) -> Arc<StreamParams> {
    let config = [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1e, 1, 0, 4, 0x68, 0xce, 0x3c, 0x80];
    let mut entry = vec![0_u8; 86];
    entry[4..8].copy_from_slice(b"avc1");
    entry[15] = 1;
    entry[32..34].copy_from_slice(&width.to_be_bytes());
    entry[34..36].copy_from_slice(&480_u16.to_be_bytes());
    entry.extend(27_u32.to_be_bytes());
    entry.extend(b"avcC");
    entry.extend(config);
    let size = u32::try_from(entry.len()).unwrap();
    entry[..4].copy_from_slice(&size.to_be_bytes());
    Arc::new(StreamParams {
        codec: Codec::H264,
        rfc6381: "avc1.42C01E".into(),
        width: width.into(),
        height: 480,
        sample_entry: entry.into(),
        decoder_config: config.to_vec().into(),
    })
}

/// What is recorded of one stream: from `start_us`, `seconds` long, `size` bytes a picture, a key frame each second.
struct Take {
    kind: StreamKind,
    session: u32,
    start_us: i64,
    seconds: i64,
    size: usize,
    width: u16,
}

impl Take {
    fn packets(&self, camera: &Camera) -> Vec<Packet> {
        let stream = camera.stream(self.kind).unwrap().id;
        let params = params(self.width);
        let packet = |n: i64| {
            let pts_90k = n * 90_000 / FPS;
            let mut data = vec![0x41_u8; self.size];
            data[..4].copy_from_slice(&u32::try_from(self.size - 4).unwrap().to_be_bytes());
            data[4..12].copy_from_slice(&n.to_be_bytes());
            Packet {
                camera: camera.id,
                stream,
                kind: self.kind,
                session: self.session,
                pts_90k,
                time: MediaTime(self.start_us + ticks_to_us(pts_90k)),
                received: BootTime(self.start_us - NOW_US + 1_000_000_000 + ticks_to_us(pts_90k)),
                key: n % FPS == 0,
                loss: 0,
                params: Arc::clone(&params),
                data: data.into(),
            }
        };
        (0..self.seconds * FPS).map(packet).collect()
    }
}

/// Records the takes of one camera, one after the other.
fn record(server: &Server, camera: i64, takes: &[Take]) {
    let state = &server.state;
    server.runtime.block_on(async {
        let camera = state.store.camera(CameraId(camera)).await.unwrap().unwrap();
        let mut tasks = Tasks::new();
        let (store, clock, counters) = (state.store.clone(), state.clock.clone(), Arc::clone(&state.counters));
        std::fs::create_dir_all(&state.store_dir).unwrap();
        let recorder =
            Recorder::start(state.store_dir.clone(), store, clock, counters, Arc::default(), &mut tasks).await.unwrap();
        for kind in [StreamKind::Main, StreamKind::Sub] {
            let Some(stream) = camera.stream(kind) else { continue };
            let to = recorder.stream(RecordedStream {
                camera: camera.id,
                camera_code: camera.code.clone(),
                stream: stream.id,
                kind,
            });
            for take in takes.iter().filter(|take| take.kind == kind) {
                for packet in take.packets(&camera) {
                    to.send(packet).await.unwrap();
                }
            }
        }
        crate::wait::done(recorder.finish()).await;
        crate::wait::done(tasks.drain()).await;
    });
}

fn take(kind: StreamKind, start_us: i64, seconds: i64) -> Take {
    Take { kind, session: 1, start_us, seconds, size: 2000, width: 640 }
}

#[test]
fn any_range_of_a_clip_is_a_piece_of_the_whole() {
    let server = Server::start();
    let (camera, rule) = (server.camera("Cổng Bắc"), server.rule());
    record(
        &server,
        camera,
        &[take(StreamKind::Main, NOW_US - 20_000_000, 40), take(StreamKind::Sub, NOW_US - 20_000_000, 40)],
    );
    let event = server.event(camera, rule, NOW_US);
    let path = format!("/api/v1/events/{event}/clip.mp4");

    let whole = server.get(&path);
    assert_eq!(whole.status, 200, "{}", String::from_utf8_lossy(&whole.body));
    assert!(whole.header("content-type").starts_with("video/mp4"), "{}", whole.header("content-type"));
    assert_eq!((whole.header("accept-ranges"), &whole.body[4..8]), ("bytes", &b"ftyp"[..]));
    assert_eq!(whole.header("x-clip-start-us"), (NOW_US - 5_000_000).to_string());
    let tag = whole.header("etag");
    assert!(tag.starts_with('"') && tag.len() > 4, "{tag}");
    // 5 s before, 2 s of event, 5 s after, 10 pictures a second of 2000 bytes.
    let len = whole.body.len();
    assert!((12 * 20_000..16 * 20_000).contains(&len), "{len}");

    let head = server.send("HEAD", &path, &[("Range", "bytes=0-9")], b"");
    assert_eq!((head.status, head.header("content-length"), head.header("etag")), (200, len.to_string().as_str(), tag));
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=100-4999", 100..5000),
        ("bytes=70000-", 70_000..len),
        ("bytes=-777", len - 777..len),
        ("bytes=5-999999999", 5..len),
    ] {
        let answer = server.get_with(&path, &[("Range", range)]);
        assert_eq!(answer.status, 206, "{range}");
        let expected = format!("bytes {}-{}/{len}", part.start, part.end - 1);
        assert_eq!(answer.header("content-range"), expected);
        assert!(answer.body == whole.body[part], "{range}: other bytes than those of the whole");
    }
    let outside = server.get_with(&path, &[("Range", &format!("bytes={len}-"))]);
    assert_eq!(outside.refused(416), ["Range"]);
    assert_eq!(outside.header("content-range"), format!("bytes */{len}"));
    let ranged = |if_range| server.get_with(&path, &[("Range", "bytes=0-9"), ("If-Range", if_range)]).status;
    assert_eq!((ranged(tag), ranged("\"other\"")), (206, 200));
    assert_eq!(server.get_with(&path, &[("If-None-Match", tag)]).status, 304);
}

#[test]
fn a_clip_is_taken_away_under_a_name_that_says_camera_and_local_time() {
    let server = Server::start();
    let (camera, rule) = (server.camera("Cổng Bắc"), server.rule());
    record(&server, camera, &[take(StreamKind::Main, NOW_US - 20_000_000, 40)]);
    let path = format!("/api/v1/events/{}/clip.mp4", server.event(camera, rule, NOW_US));
    let kept = server.get(&format!("{path}?download=1"));
    // 21:04:10 is the event; the clip begins 5 s earlier, at a key frame.
    assert_eq!(kept.header("content-disposition"), "attachment; filename=\"C01_2026-11-20_21-04-05.mp4\"");
    assert!(server.get(&path).header("content-disposition").starts_with("inline"));
    assert_eq!(server.get(&format!("{path}?stream=third")).refused(400), ["stream"]);
}

#[test]
fn without_a_wish_the_sub_stream_steps_in_and_an_unrecorded_span_is_a_sentence() {
    let server = Server::start();
    let (camera, rule) = (server.camera("Cổng Bắc"), server.rule());
    record(&server, camera, &[take(StreamKind::Sub, NOW_US - 20_000_000, 40)]);
    let path = format!("/api/v1/events/{}/clip.mp4", server.event(camera, rule, NOW_US));
    assert_eq!(server.get(&path).status, 200);
    assert_eq!(server.get(&format!("{path}?stream=sub")).status, 200);
    assert_eq!(server.get(&format!("{path}?stream=main")).refused(404), ["clip"]);
    let earlier = server.event(camera, rule, NOW_US - 3_600_000_000);
    assert_eq!(server.get(&format!("/api/v1/events/{earlier}/clip.mp4")).refused(404), ["clip"]);
}

#[test]
fn a_recording_gone_from_the_disk_is_a_500_that_names_no_file_and_the_sub_stream_steps_in() {
    let server = Server::start();
    let (camera, rule) = (server.camera("Cổng Bắc"), server.rule());
    let start_us = NOW_US - 20_000_000;
    record(&server, camera, &[take(StreamKind::Main, start_us, 40), take(StreamKind::Sub, start_us, 40)]);
    let store = &server.state.store;
    server.runtime.block_on(async {
        let camera = store.camera(CameraId(camera)).await.unwrap().unwrap();
        let main = camera.stream(StreamKind::Main).unwrap().id;
        let span = Span { start_us, end_us: NOW_US };
        for segment in store.segments_in(main, span).await.unwrap() {
            std::fs::remove_file(server.state.store_dir.join(&segment.path)).unwrap();
        }
    });
    let path = format!("/api/v1/events/{}/clip.mp4", server.event(camera, rule, NOW_US));
    let gone = server.get(&format!("{path}?stream=main"));
    assert_eq!(gone.refused(500), [""]);
    assert!(!gone.text().contains("mp4"), "{}", gone.text());
    assert_eq!(server.get(&path).status, 200);
}

#[test]
fn a_clip_across_a_change_of_the_picture_is_a_conflict_said_in_a_sentence() {
    let server = Server::start();
    let (camera, rule) = (server.camera("Cổng Bắc"), server.rule());
    let first = take(StreamKind::Main, NOW_US - 20_000_000, 20);
    let second = Take { session: 2, width: 704, ..take(StreamKind::Main, NOW_US, 20) };
    record(&server, camera, &[first, second]);
    let path = format!("/api/v1/events/{}/clip.mp4", server.event(camera, rule, NOW_US));
    assert_eq!(server.get(&path).refused(409), ["clip"]);
}

#[test]
fn a_film_across_a_change_of_the_picture_lists_the_parts_that_can_be_had() {
    let server = Server::start();
    let camera = server.camera("Cổng Bắc");
    let first = take(StreamKind::Main, NOW_US - 40_000_000, 20);
    let second = Take { session: 2, width: 704, ..take(StreamKind::Main, NOW_US - 20_000_000, 10) };
    record(&server, camera, &[first, second]);
    let film = |name: &str, from: i64, to: i64| format!("/api/v1/cameras/{camera}/{name}?from={from}&to={to}");
    let whole = server.get(&film("video.mp4", NOW_US - 60_000_000, NOW_US - 10_000_000));
    assert_eq!(whole.refused(409), ["clip"]);
    let parts = whole.ok(409)["parts"].as_array().unwrap().clone();
    assert_eq!(parts.len(), 2);
    for (part, seconds) in parts.iter().zip([20, 10]) {
        let (from, to) = (part["start_us"].as_i64().unwrap(), part["end_us"].as_i64().unwrap());
        assert_eq!(server.get(&film("video.mp4", from, to)).status, 200);
        let described = server.get(&film("video.json", from, to)).ok(200);
        let schemas = server.get("/api/v1/openapi.json").ok(200)["components"]["schemas"].clone();
        fits(&described, &schemas["Video"], &schemas, "Video");
        assert_eq!(described["duration_us"], seconds * 1_000_000);
        assert_eq!((&described["start_us"], &described["end_us"]), (&part["start_us"], &part["end_us"]));
    }
}

#[test]
fn gaps_are_closed_in_playing_time_and_listed() {
    let server = Server::start();
    let camera = server.camera("Cổng Bắc");
    let first = take(StreamKind::Main, NOW_US - 400_000_000, 20);
    let second = Take { session: 2, ..take(StreamKind::Main, NOW_US - 300_000_000, 10) };
    record(&server, camera, &[first, second]);
    let span = Span { start_us: NOW_US - 380_000_000, end_us: NOW_US - 300_000_000 };
    server.runtime.block_on(async {
        let store = &server.state.store;
        let stream = store.camera(CameraId(camera)).await.unwrap().unwrap().streams[0].id;
        let gap = Gap { stream, span, cause: GapCause::Network, evidence: "không trả lời".into() };
        store.add_gap(&gap).await.unwrap();
    });
    let query = format!("from={}&to={}", NOW_US - 400_000_000, NOW_US - 290_000_000);
    let film = server.get(&format!("/api/v1/cameras/{camera}/video.json?{query}")).ok(200);
    assert_eq!(film["duration_us"], 30_000_000);
    let starts: Vec<_> = film["parts"].as_array().unwrap().iter().map(|p| p["media_start_us"].clone()).collect();
    assert_eq!(starts, [0, 20_000_000]);
    assert_eq!((&film["gaps"][0]["start_us"], &film["gaps"][0]["cause"]), (&span.start_us.into(), &"network".into()));

    let bar = server.get(&format!("/api/v1/cameras/{camera}/timeline?{query}")).ok(200);
    let sum = |of: &str| -> i64 {
        let length = |s: &serde_json::Value| s["end_us"].as_i64().unwrap() - s["start_us"].as_i64().unwrap();
        bar[of].as_array().unwrap().iter().map(length).sum()
    };
    assert_eq!((sum("recorded"), sum("gaps")), (30_000_000, 80_000_000), "together they are the window: {bar}");
}

#[test]
fn a_film_that_grows_is_fixed_by_a_redirect_and_a_too_long_one_is_refused() {
    let server = Server::start();
    let camera = server.camera("Cổng Bắc");
    record(&server, camera, &[take(StreamKind::Main, NOW_US - 20_000_000, 15)]);
    let path = |to: i64| format!("/api/v1/cameras/{camera}/video.mp4?from={}&to={to}&download=1", NOW_US - 20_000_000);
    let growing = server.get(&path(NOW_US + 1_000_000));
    assert_eq!(growing.status, 307);
    assert!(growing.header("location").contains(&format!("&to={}&stream=main&download=1", NOW_US - 5_000_000)));
    assert_eq!(server.get(growing.header("location")).status, 200);
    assert_eq!(server.get(&path(NOW_US + 24 * 3_600_000_000)).refused(400), ["to"]);
    assert_eq!(server.get(&path(NOW_US - 30_000_000)).refused(400), ["to"]);
    assert_eq!(server.get(&format!("/api/v1/cameras/{camera}/video.mp4")).refused(400), ["from", "to"]);
    assert_eq!(server.get(&format!("/api/v1/cameras/{camera}/picture.jpg?at=1000")).refused(404), ["at"]);
}

#[test]
fn a_clip_under_way_breaks_off_when_the_program_stops() {
    let mut server = Server::start();
    let (camera, rule) = (server.camera("Cổng Bắc"), server.rule());
    // More than any socket holds.
    let large = Take { size: 400_000, ..take(StreamKind::Main, NOW_US - 20_000_000, 40) };
    record(&server, camera, &[large]);
    let path = format!("/api/v1/events/{}/clip.mp4", server.event(camera, rule, NOW_US));
    let mut stream = server.open("GET", &path, &[], b"");
    let length: usize = Head::read(&mut stream).headers["content-length"].parse().unwrap();
    server.stop.ask();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.len() < length, "{} of {length} bytes came", rest.len());
    let served = server.served.take().unwrap();
    server.runtime.block_on(crate::wait::done(served)).unwrap();
}
