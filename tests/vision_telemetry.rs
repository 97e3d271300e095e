//! ONNX Runtime does not phone home: the child with a loaded and used detector has written no file, runs no thread of
//! its own making and holds no socket but the one to its parent. The library's uploader would start a thread and
//! write files when its environment is made, and look up an outside host about ten seconds later.

mod common;

use std::{
    collections::BTreeSet,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use common::wait;
use vonglau::{
    domain::time::MediaTime,
    runtime::{board::Board, clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
    vision::{
        Vision,
        detect::runtime::TELEMETRY_OFF,
        link::{Down, Up, encode, read_message},
        model::Model,
    },
};

/// Has GStreamer list its plugins, as `serve` does before it starts a child: shut in, the child can write no list.
fn list_plugins(folder: &Path) {
    std::fs::create_dir_all(folder.join("gst")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonglau"));
    command.args(["vision", "registry"]).env("GST_REGISTRY", folder.join("gst/registry.bin"));
    let out = wait::output(command.env("GST_REGISTRY_FORK", "no"));
    assert!(out.status.success(), "{out:?}");
}

/// A child with a home, cache and temporary folder of its own; `telemetry_off` as `serve` starts it, or not.
fn child(folder: &Path, telemetry_off: bool) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let home = folder.join("home");
    for place in ["home", "home/cache", "home/tmp", "gst"] {
        std::fs::create_dir_all(folder.join(place)).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonglau"));
    command.arg("vision").stdin(Stdio::from(OwnedFd::from(theirs))).env_remove(TELEMETRY_OFF.0);
    command.env("HOME", &home).env("XDG_CACHE_HOME", home.join("cache")).env("TMPDIR", home.join("tmp"));
    // What GStreamer keeps is not what is looked for here.
    command.env("GST_REGISTRY", folder.join("gst/registry.bin")).env("GST_REGISTRY_FORK", "no");
    if telemetry_off {
        command.env(TELEMETRY_OFF.0, TELEMETRY_OFF.1);
    }
    (command.spawn().unwrap(), ours)
}

/// Sends the tiny detector and waits for what the child says of it.
fn load(socket: &mut UnixStream, model: &Model) -> (Option<String>, Option<String>) {
    let mut out = BytesMut::new();
    encode(&Down::Hello { start: MediaTime(1) }, &mut out).unwrap();
    encode(&Down::Model { spec: model.spec.clone(), size: model.bytes.len() as u64 }, &mut out).unwrap();
    encode(&Down::ModelPart { data: model.bytes.clone() }, &mut out).unwrap();
    std::io::Write::write_all(socket, &out).unwrap();
    let mut buffer = BytesMut::new();
    loop {
        if let Up::Detector { name, why } = read_message(socket, &mut buffer).unwrap().expect("it ended") {
            return (name, why);
        }
    }
}

fn model(folder: &Path) -> Model {
    let path = folder.join("red.onnx");
    std::fs::write(&path, common::onnx::red_detector(Some("person, car"))).unwrap();
    Model::load(&path).unwrap()
}

fn files_under(folder: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            out.extend(files_under(&entry.path()));
        } else {
            out.push(entry.path().display().to_string());
        }
    }
    out
}

#[test]
fn the_detector_writes_no_file_starts_no_thread_and_opens_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    // GStreamer's first look at its plugins loads all of them, and one (libusb's) starts a thread.
    list_plugins(folder.path());
    let (mut child, mut socket) = child(folder.path(), true);
    let (name, why) = load(&mut socket, &model(folder.path()));
    assert!(name.is_some(), "{why:?}");
    let process = Path::new("/proc").join(child.id().to_string());
    // Past the time at which the uploader would look up its host.
    for _ in 0..13 {
        std::thread::sleep(Duration::from_secs(1));
        let tasks = std::fs::read_dir(process.join("task")).unwrap();
        let mut threads: Vec<String> =
            tasks.map(|t| std::fs::read_to_string(t.unwrap().path().join("comm")).unwrap().trim().to_owned()).collect();
        threads.sort();
        // Counted, not only named: a library's thread bears the name of the one that started it.
        assert_eq!(threads, ["look", "pulse", "stills", "vonglau"], "threads nobody here started");
        let links =
            std::fs::read_dir(process.join("fd")).unwrap().filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
        let sockets: BTreeSet<_> = links.filter(|l| l.to_string_lossy().starts_with("socket:")).collect();
        let to_parent = std::fs::read_link(process.join("fd/0")).unwrap();
        assert_eq!(sockets, BTreeSet::from([to_parent]), "sockets nobody here opened");
    }
    assert_eq!(files_under(&folder.path().join("home")), Vec::<String>::new());
    drop(socket);
    assert!(wait::ended(&mut child).success());
}

#[test]
fn without_the_variable_onnx_runtime_is_not_loaded_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut socket) = child(folder.path(), false);
    let (name, why) = load(&mut socket, &model(folder.path()));
    assert_eq!(name, None);
    assert!(why.unwrap().contains("ORT_DISABLE_TELEMETRY=1"));
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", child.id())).unwrap();
    assert!(!maps.contains("libonnxruntime"), "it was loaded all the same");
    drop(socket);
    wait::ended(&mut child);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_serving_process_gives_its_child_the_variable() {
    let (board, counters, mut tasks) = (Arc::new(Board::default()), Arc::new(Counters::default()), Tasks::new());
    let program = env!("CARGO_BIN_EXE_vonglau").into();
    let clock = Clock::machine();
    let (vision, _out) = Vision::start(program, Ok(None), clock, counters, board, Stop::new(), &mut tasks);
    let environment = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            // Empty until the new program has taken the process over.
            let read = vision.pid().and_then(|pid| std::fs::read(format!("/proc/{pid}/environ")).ok());
            if let Some(read) = read.filter(|r| !r.is_empty()) {
                return Bytes::from(read);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert!(environment.split(|b| *b == 0).any(|v| v == b"ORT_DISABLE_TELEMETRY=1"));
    wait::done(vision.finish()).await;
    assert!(wait::done(tasks.drain()).await.is_empty());
}
