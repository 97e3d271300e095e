//! Training goes from pictures to a file that the program takes. Needs python3 with what `models/training` is written
//! for; without it the test says so and is left out.

use std::{path::Path, process::Command};

use vonglau::sim::pictures;

/// The interpreter that `./dev train` and `./dev test` set up, else the machine's own, if it has what is needed.
fn python() -> Option<&'static str> {
    const ALL: &str = "import cv2, numpy, onnx, onnxruntime, torch";
    let has =
        |python: &&str| Command::new(python).args(["-c", ALL]).output().is_ok_and(|output| output.status.success());
    let found = [concat!(env!("CARGO_MANIFEST_DIR"), "/.tools/train/bin/python"), "python3"].into_iter().find(has);
    if found.is_none() {
        println!("skipped: no python3 with torch, opencv, onnx and onnxruntime (./dev train fetches them)");
    }
    found
}

fn run(python: &str, module: &str, args: &[&str]) -> String {
    let training = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/training");
    let output = Command::new(python)
        .args(["-B", "-m", module])
        .args(args)
        .current_dir(training)
        .env("OMP_NUM_THREADS", "1")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{module}: {said}");
    said
}

#[test]
fn a_few_steps_are_repeatable_can_be_interrupted_and_end_in_a_file_the_program_takes() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    pictures::write(folder.path(), 3, 1).expect("pictures");
    let train = |out: &str, more: &[&str]| {
        let data = folder.path().display().to_string();
        let plan = ["--plan", "0.5:64x2,1:96x2", "--size", "tiny", "--warm", "2", "--threads", "1"];
        let args = ["--data", &data, "--out", out, "--steps", "4"];
        run(python, "street.train", &[&args[..], &plan, more].concat())
    };
    // In one go, against stopped after two steps of four and taken up again.
    let (one, other) = (at("one"), at("other"));
    train(&one, &[]);
    train(&other, &["--stop-after", "2"]);
    let said = train(&other, &[]);
    assert!(said.contains("going on from step 2"), "{said}");
    let weights = |out: &str| format!("{out}/weights.npz");
    let bytes = |out: &str| std::fs::read(weights(out)).expect("weights");
    assert!(bytes(&one) == bytes(&other), "the same seed gives the same weights");
    let onnx = at("tiny.onnx");
    run(python, "street.export", &["--weights", &weights(&one), "--out", &onnx, "--size", "tiny", "--side", "96"]);
    run(python, "street.evaluate", &["--data", &at(""), "--weights", &weights(&one), "--size", "tiny", "--side", "96"]);
    let output =
        Command::new(env!("CARGO_BIN_EXE_vonglau")).args(["model", "check", &onnx]).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("yolov8, 96×96") && said.contains("truck"), "{said}");
}
