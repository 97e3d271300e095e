//! Hostile bytes that have taken over the vision child get nowhere: every way out is tried from inside, and the child
//! that `serve` starts is the one that is shut in.

mod common;

use std::{path::Path, process::Command, sync::Arc};

use common::wait;
use rustix::io::{FdFlags, fcntl_setfd};
use vonglau::{
    runtime::{board::Board, clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
    vision::{
        Vision,
        model::Model,
        sandbox::{Lack, ways::Tried},
    },
};

#[test]
fn every_way_out_of_the_sandbox_is_refused_and_nothing_was_touched() {
    let folder = tempfile::tempdir().unwrap();
    let private = folder.path().join("private");
    std::fs::write(&private, "private").unwrap();
    let out = wait::output(Command::new(env!("CARGO_BIN_EXE_vonglau")).args(["vision", "ways"]).arg(&private));
    assert!(out.status.success(), "{out:?}");
    let (lacks, tried): (Vec<Lack>, Vec<Tried>) = serde_json::from_slice(&out.stdout).unwrap();
    for Tried { what, refused, said } in &tried {
        println!("{what}: {said}");
        assert!(*refused || !lacks.is_empty(), "{what}: {said}");
    }
    assert!(tried.len() > 30, "{}", tried.len());
    if lacks.is_empty() {
        assert_eq!(std::fs::read(&private).unwrap(), b"private");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    } else {
        println!("skipped: this kernel lacks {lacks:?}");
    }
}

fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
    line.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_with_a_loaded_detector_is_shut_in_has_no_file_open_and_none_of_the_parents_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let leaky = folder.path().join("inherited");
    let inherited = std::fs::File::create(&leaky).unwrap();
    // As what a shell or a service manager hands down.
    fcntl_setfd(&inherited, FdFlags::empty()).unwrap();
    let path = folder.path().join("red.onnx");
    std::fs::write(&path, common::onnx::red_detector(Some("person, car"))).unwrap();
    let (board, counters, mut tasks) = (Arc::new(Board::default()), Arc::new(Counters::default()), Tasks::new());
    let program = env!("CARGO_BIN_EXE_vonglau").into();
    let (clock, model) = (Clock::machine(), Ok(Some(Model::load(&path).unwrap())));
    let (vision, _out) = Vision::start(program, model, clock, counters, board.clone(), Stop::new(), &mut tasks);
    wait::holds(async || board.vision.borrow().detector.is_some()).await;

    let process = Path::new("/proc").join(vision.pid().unwrap().to_string());
    let lacks = board.vision.borrow().lacks.clone();
    let status = std::fs::read_to_string(process.join("status")).unwrap();
    if lacks.is_empty() {
        assert_eq!((field(&status, "Seccomp:"), field(&status, "NoNewPrivs:")), ("2".into(), "1".into()));
    } else {
        println!("skipped: {lacks:?}");
    }
    let limits = std::fs::read_to_string(process.join("limits")).unwrap();
    let hard = |name: &str| field(&limits, name).split_whitespace().nth(1).map(str::to_owned);
    assert_eq!([hard("Max core file size"), hard("Max file size")], [Some("0".into()), Some("0".into())]);
    let open: Vec<_> = std::fs::read_dir(process.join("fd")).unwrap().map(|fd| fd.unwrap().path()).collect();
    for fd in open {
        let target = std::fs::read_link(&fd).unwrap().display().to_string();
        let harmless = ["socket:", "pipe:", "anon_inode:", "/dev/null"].iter().any(|kind| target.starts_with(kind));
        assert!(harmless, "{} is {target}", fd.display());
    }
    wait::done(vision.finish()).await;
    assert!(wait::done(tasks.drain()).await.is_empty());
    // Or it would have been closed before the child was started.
    drop(inherited);
}
