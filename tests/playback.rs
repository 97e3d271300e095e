//! What was recorded comes back over HTTP, and what is shown live: the real program with simulated cameras.

mod common;

use common::{
    ffprobe::probe,
    house::{Cameras, House},
    mp4::samples,
};
use serde_json::Value;
use tungstenite::Message;
use vonglau::{
    domain::camera::StreamKind,
    sim::ledger::{self, Entry},
};

const SECOND_US: i64 = 1_000_000;

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Where in what was sent to a stream these units stand; they must be one unbroken run of it.
fn place_of(hashes: &[String], sent: &[&Entry]) -> usize {
    let at = sent.iter().position(|e| e.sha256 == hashes[0]).expect("the first unit was sent");
    for (i, (got, sent)) in hashes.iter().zip(&sent[at..]).enumerate() {
        assert_eq!(*got, sent.sha256, "unit {i} of {} differs from the ledger", hashes.len());
    }
    assert!(sent[at].key, "it begins with a key frame");
    at
}

#[test]
fn a_span_is_played_unit_for_unit_in_any_ranges_and_its_pictures_and_its_bar_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.jsonl");
    let cameras = Cameras::start(&["--cameras", "1", "--ledger", &ledger.display().to_string()]);
    let house = House::start(&folder.path().join("data"), &[]);
    let id = house.add_cameras(&cameras.urls)[0];
    // Both streams, 15 and 10 units a second, about 20 s.
    house.wait_until_recorded(25 * 20);
    let now = number(&house.get("/api/v1/status")["now_us"]);
    let at = |name: &str, more: &str| format!("/api/v1/cameras/{id}/{name}?{more}");
    let whole = at("video.json", &format!("from={}&to={now}&stream=main", now - 60 * SECOND_US));
    let first = number(&house.get(&whole)["start_us"]);

    // From the middle of one group of pictures into another.
    let query = format!("from={}&to={}&stream=main", first + 3_300_000, first + 11_000_000);
    let described = house.get(&at("video.json", &query));
    let (start, end) = (number(&described["start_us"]), number(&described["end_us"]));
    assert!(start <= first + 3_300_000 && end >= first + 11_000_000, "{described}");
    let path = at("video.mp4", &query);
    let (status, film) = house.get_bytes(&path);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&film[..film.len().min(300)]));
    assert_eq!(film.len() as i64, number(&described["bytes"]));

    let etag = |range: &str| {
        let mut answer = ureq::get(format!("{}{path}", house.base)).header("Range", range).call().expect("an answer");
        assert_eq!(answer.status().as_u16(), 206);
        let tag = answer.headers()["etag"].to_str().expect("a tag").to_owned();
        (tag, answer.body_mut().read_to_vec().expect("a body"))
    };
    let mut joined = Vec::new();
    let mut tags = std::collections::BTreeSet::new();
    let cuts = [0, 1, 700, film.len() / 3, film.len() / 2 + 17, film.len()];
    for pair in cuts.windows(2) {
        let (tag, bytes) = etag(&format!("bytes={}-{}", pair[0], pair[1] - 1));
        joined.extend(bytes);
        tags.insert(tag);
    }
    assert!(joined == film, "the ranges put together are not the whole");
    assert_eq!(tags.len(), 1, "{tags:?}");

    let file = folder.path().join("film.mp4");
    std::fs::write(&file, &film).expect("the film is written");
    let units = samples(&film);
    let (frames, seconds) = probe(&file);
    assert_eq!(frames, units.len(), "every unit is a picture");
    assert!((seconds - number(&described["duration_us"]) as f64 / 1e6).abs() < 0.05, "{seconds} s: {described}");

    for stream in ["main", "sub"] {
        let picture = at("picture.jpg", &format!("at={}&stream={stream}", first + 6 * SECOND_US));
        let (status, jpeg) = house.get_bytes(&picture);
        assert_eq!(status, 200, "{stream}: {}", String::from_utf8_lossy(&jpeg[..jpeg.len().min(300)]));
        let shown = image::load_from_memory(&jpeg).expect("a JPEG");
        assert!(shown.width() >= 320, "{stream}: {} wide", shown.width());
    }
    let (status, said) = house.get_bytes(&at("picture.jpg", &format!("at={}", first - 3600 * SECOND_US)));
    assert_eq!(status, 404, "{}", String::from_utf8_lossy(&said));

    let bar = house.get(&at("timeline", &format!("from={start}&to={end}&stream=main")));
    let sum: i64 = ["recorded", "gaps"]
        .iter()
        .flat_map(|of| bar[*of].as_array().expect("a list").clone())
        .map(|s| number(&s["end_us"]) - number(&s["start_us"]))
        .sum();
    assert_eq!(sum, end - start, "{bar}");

    house.stop();
    cameras.program.end();
    let sent = ledger::read(&ledger).expect("the ledger");
    let main: Vec<&Entry> = sent.iter().filter(|e| e.stream == StreamKind::Main).collect();
    place_of(&units.iter().map(|u| u.sha256.clone()).collect::<Vec<_>>(), &main);
}

#[test]
fn a_live_view_starts_at_once_with_a_key_frame_and_shows_what_the_camera_sends() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.jsonl");
    let cameras = Cameras::start(&["--cameras", "1", "--ledger", &ledger.display().to_string()]);
    let house = House::start(&folder.path().join("data"), &["--record-only"]);
    let id = house.add_cameras(&cameras.urls)[0];
    house.wait_until_recorded(25 * 4);
    let address = house.base.replace("http://", "ws://");
    let stream = std::net::TcpStream::connect(house.base.trim_start_matches("http://")).expect("it listens");
    stream.set_read_timeout(Some(common::house::HANGING)).expect("a bound for hanging");
    let (mut socket, _) =
        tungstenite::client(format!("{address}/api/v1/cameras/{id}/live?stream=sub"), stream).expect("it is opened");
    let mut next = || loop {
        match socket.read().expect("a message") {
            Message::Ping(_) => {}
            message => break message,
        }
    };
    let said: Value = match next() {
        Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
        other => panic!("{other:?} before the words"),
    };
    assert!(said["mime"].as_str().is_some_and(|m| m.starts_with("video/mp4; codecs=\"avc1.")), "{said}");
    assert!(number(&said["start_us"]) > 1_700_000_000_000_000, "{said}");
    let mut film = Vec::new();
    for _ in 0..6 {
        match next() {
            Message::Binary(bytes) => film.extend_from_slice(&bytes),
            other => panic!("{other:?} in the film"),
        }
    }
    let file = folder.path().join("live.mp4");
    std::fs::write(&file, &film).expect("the film is written");
    let units = samples(&film);
    assert_eq!(probe(&file).0, units.len());
    assert_eq!(units[0].pts, 0, "its times start at 0");
    house.program.signal("TERM");
    // The program says good-bye, or is gone.
    loop {
        match socket.read() {
            Ok(Message::Close(frame)) => {
                assert!(frame.is_some_and(|f| f.reason == "stopping"));
                break;
            }
            Ok(_) => {}
            Err(error) => panic!("the line was cut: {error}"),
        }
    }
    house.program.wait();
    cameras.program.end();
    let sent = ledger::read(&ledger).expect("the ledger");
    let sub: Vec<&Entry> = sent.iter().filter(|e| e.stream == StreamKind::Sub).collect();
    place_of(&units.iter().map(|u| u.sha256.clone()).collect::<Vec<_>>(), &sub);
}
