//! Each wrong input gets one clear sentence naming the place and the remedy; nothing panics, the others go on.

mod common;

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use common::house::{Cameras, House};
use serde_json::json;

/// Runs the program to its end; its exit code and what it said.
fn run(args: &[&str]) -> (Option<i32>, String) {
    let output = common::wait::output(Command::new(env!("CARGO_BIN_EXE_vonglau")).args(args));
    let said = [output.stdout, output.stderr].map(|o| String::from_utf8_lossy(&o).into_owned()).concat();
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    (output.status.code(), said)
}

#[track_caller]
fn assert_refused(args: &[&str], words: &[&str]) {
    let (code, said) = run(args);
    assert_eq!(code, Some(1), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say “{word}”: {said}");
    }
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

#[test]
fn an_unknown_configuration_key_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write(folder.path(), "vonglau.toml", "lissten = \"127.0.0.1:8080\"\n");
    assert_refused(&["serve", "--config", &config], &["lissten"]);
    assert_refused(&["check", "--config", "/nonexistent/vonglau.toml"], &["/nonexistent/vonglau.toml"]);
}

#[test]
fn an_address_other_than_loopback_is_refused_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    assert_refused(&["serve", "--data", &data, "--listen", "0.0.0.0:0"], &["0.0.0.0", "127.0.0.1"]);
}

#[test]
fn a_data_folder_that_cannot_be_written_or_is_in_use_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    // A file where a folder should be refuses even root.
    let file = write(folder.path(), "file", "");
    let below = format!("{file}/data");
    assert_refused(&["serve", "--data", &below, "--listen", "127.0.0.1:0"], &[&below, "--data"]);
    assert_refused(&["camera", "list", "--data", &below], &[&below]);

    let data = folder.path().join("data");
    let house = House::start(&data, &[]);
    let data = data.display().to_string();
    assert_refused(&["serve", "--data", &data, "--listen", "127.0.0.1:0"], &[&data, "in use"]);
    house.stop();
}

#[test]
fn what_only_looks_makes_no_folder_of_a_mistyped_name() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, place) in [("nowhere", folder.path().join("nowhere")), ("empty", folder.path().join("empty"))] {
        if name == "empty" {
            std::fs::create_dir(&place).expect("a folder");
        }
        let text = place.display().to_string();
        for command in [
            &["check"][..],
            &["camera", "list"],
            &["camera", "remove", "C01"],
            &["reindex"],
            &["camera", "list", "--json"],
        ] {
            assert_refused(&[command, &["--data", &text]].concat(), &[&text]);
        }
        let made = std::fs::read_dir(&place).map_or(0, Iterator::count);
        assert!(place.exists() == (name == "empty") && made == 0, "{name}: {made} made");
    }
}

#[test]
fn a_reader_that_has_read_enough_ends_nothing_with_a_panic() {
    let data = tempfile::tempdir().expect("a folder");
    let place = data.path().display().to_string();
    let names: String = (0..50).map(|n| format!("[[camera]]\nname = \"{n}\"\nmain_url = \"rtsp://h/{n}\"\n")).collect();
    let list = write(data.path(), "cameras.toml", names);
    assert_eq!(run(&["camera", "import", "--data", &place, &list]).0, Some(0));
    for (output, code) in [("/dev/full", 1), ("pipe", 0)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vonglau"));
        command.args(["camera", "list", "--data", &place]).stderr(Stdio::piped());
        if output == "pipe" {
            // Nobody reads it from the beginning.
            command.stdout(Stdio::from(std::io::pipe().expect("a pipe").1));
        } else {
            command.stdout(std::fs::File::options().write(true).open(output).expect("it is there"));
        }
        let mut child = command.spawn().expect("the program runs");
        let status = common::wait::ended(&mut child);
        let mut said = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("text");
        assert_eq!(status.code(), Some(code), "{output}: {said}");
        assert_eq!(said.lines().count(), usize::try_from(code).expect("small"), "{output}: {said}");
    }
}

#[test]
fn a_missing_or_wrong_model_file_is_named_and_recording_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let video = write(folder.path(), "clip.mp4", "this is no video");
    assert_refused(&["analyze", &video, "--model", "/nonexistent/x.onnx"], &["/nonexistent/x.onnx"]);
    let wrong = write(folder.path(), "wrong.onnx", "this is no model");
    assert_refused(&["analyze", &video], &[&video]);

    let cameras = Cameras::start(&["--cameras", "1", "--size", "320x180", "--sub-size", "320x180"]);
    for (model, says) in [("/nonexistent/x.onnx", "/nonexistent/x.onnx"), (wrong.as_str(), "wrong: ")] {
        let config = write(folder.path(), "vonglau.toml", format!("model = {model:?}\n"));
        let data = tempfile::tempdir().expect("a folder");
        let house = House::start(data.path(), &["--config", &config]);
        house.add_cameras(&cameras.urls);
        house.wait_until("it is said why there is no detector", |h| {
            let vision = &h.get("/api/v1/status")["vision"];
            vision["detector"].is_null() && vision["why"].as_str().is_some_and(|why| why.contains(says))
        });
        house.wait_until_recorded(50);
        house.wait_until("motion is still looked for", |h| h.counter("frames_analysed") > 5);
        house.stop();
    }
    cameras.program.end();
}

#[test]
fn rules_and_cameras_that_cannot_be_are_refused_at_their_field() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path(), &[]);
    let camera = json!({ "name": "Cổng chợ", "main_url": "rtsp://127.0.0.1:9/main" });
    assert_eq!(house.post("/api/v1/cameras", &camera).0, 201);
    let place = |answer: &serde_json::Value| answer["errors"][0]["place"].as_str().unwrap_or_default().to_owned();

    let (status, answer) = house.post("/api/v1/cameras", &camera);
    assert_eq!((status, place(&answer).as_str()), (409, "name"), "{answer}");
    assert!(answer["errors"][0]["vi"].as_str().is_some_and(|s| s.contains("C01")), "names the other: {answer}");

    let not_rtsp = json!({ "name": "Khác", "main_url": "http://127.0.0.1/main" });
    let (status, answer) = house.post("/api/v1/cameras", &not_rtsp);
    assert_eq!((status, place(&answer).as_str()), (400, "main_url"), "{answer}");

    let bow = json!({ "name": "Vùng", "kind": "motion", "zone": [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]] });
    let (status, answer) = house.post("/api/v1/rules", &bow);
    assert_eq!((status, place(&answer).as_str()), (400, "zone"), "{answer}");
    house.stop();

    let place = data.path().display().to_string();
    let add = ["camera", "add", "--data", &place, "--name", "Khác", "--main-url", "http://user:geheim@h/x"];
    assert_refused(&add, &["main_url", "rtsp://"]);
    assert!(!run(&add).1.contains("geheim"), "the password is repeated");
    assert_refused(&["camera", "remove", "--data", &place, "C99"], &["C99", "C01"]);
    let rules = write(data.path(), "rules.toml", "[[rule]]\nname = \"x\"\nkind = \"flying\"\n");
    let video = write(data.path(), "clip.mp4", "");
    assert_refused(&["analyze", &video, "--rules", &rules], &["rules.toml", "rule[0]", "flying"]);
}

#[test]
fn a_wrong_password_and_a_camera_of_garbage_leave_the_others_untouched() {
    let garbage = TcpListener::bind("127.0.0.1:0").expect("a port");
    let garbage_url = format!("rtsp://{}/main", garbage.local_addr().expect("an address"));
    // Answers every request with bytes that are no RTSP, until the test process ends.
    std::thread::spawn(move || {
        for stream in garbage.incoming() {
            let _ = stream
                .and_then(|mut s| s.write_all(&[0x24, 0xff, 0, 200, b'x', b'\r', b'\n', 0, 0, 1, 0xff].repeat(50)));
        }
    });
    let locked =
        Cameras::start(&["--cameras", "1", "--size", "320x180", "--sub-size", "320x180", "--auth", "admin:right"]);
    let open = Cameras::start(&["--cameras", "1", "--size", "320x180", "--sub-size", "320x180"]);
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path(), &[]);
    house.add_cameras(&open.urls);
    let wrong =
        json!({ "name": "Sai mật khẩu", "main_url": locked.urls[0].0, "username": "admin", "password": "geheim" });
    assert_eq!(house.post("/api/v1/cameras", &wrong).0, 201);
    assert_eq!(house.post("/api/v1/cameras", &json!({ "name": "Rác", "main_url": garbage_url })).0, 201);

    let main = |h: &House, camera: usize| h.get("/api/v1/cameras")["cameras"][camera]["streams"][0]["status"].clone();
    house.wait_until("the login is refused", |h| main(h, 1)["why"]["cause"] == "login");
    house.wait_until("the garbage is seen", |h| main(h, 2)["why"]["cause"] == "camera");
    house.wait_until_recorded(50);
    assert_eq!(main(&house, 0)["state"], "streaming");
    assert!(!house.get("/api/v1/cameras").to_string().contains("geheim"), "a password left the house");
    let summary = house.stop();
    assert_eq!(summary["packets_received"], summary["packets_recorded"], "{summary}");
    locked.program.end();
    open.program.end();
}
