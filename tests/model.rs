//! Detectors people bring: each layout on a graph made here, and `vonglau model check`.

mod common;

use std::{
    path::Path,
    process::{Command, Output},
};

use common::{
    onnx::{broken_detector, foreign_detector, red_detector, red_detector_of},
    shared_data,
};
use vonglau::{
    domain::{
        detection::{Class, Detection},
        frame::Frame,
        ids::CameraId,
        time::MediaTime,
    },
    vision::{
        detect::{Detector, Outcome},
        model::Model,
        picture::Scaler,
    },
};

const NAMES: &str = "{0: 'person', 1: 'car'}";

/// Grey, with a red block of BT.601 limited range; all numbers even.
fn with_red(width: usize, height: usize, [x, y, w, h]: [usize; 4]) -> Frame {
    let mut data = vec![126u8; width * height * 3 / 2];
    data[width * height..].fill(128);
    let mut block = |from: usize, across: usize, [x, y, w, h]: [usize; 4], level: u8| {
        for row in y..y + h {
            data[from + row * across + x..][..w].fill(level);
        }
    };
    let half = [x / 2, y / 2, w / 2, h / 2];
    block(0, width, [x, y, w, h], 81);
    block(width * height, width / 2, half, 90);
    block(width * height * 5 / 4, width / 2, half, 240);
    Frame { camera: CameraId(1), time: MediaTime(0), width: width as u32, height: height as u32, data: data.into() }
}

fn found(bytes: &[u8], frame: &Frame) -> Vec<Detection> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("red.onnx");
    std::fs::write(&path, bytes).unwrap();
    let model = Model::load(&path).unwrap();
    let mut detector = Detector::load(&model.bytes, &model.spec).unwrap();
    match detector.detect(frame, &mut Scaler::default()).unwrap() {
        Outcome::Found(found) => found,
        Outcome::NotANumber => panic!("numbers that are none"),
    }
}

#[test]
fn every_layout_finds_a_red_cell_where_it_is() {
    // As large as the input; and twice as wide, so that the lower half of the input is border.
    let square = with_red(128, 128, [40, 56, 8, 8]);
    let wide = with_red(256, 128, [80, 48, 16, 16]);
    let models = [
        ("yolox", 4.0, red_detector(Some(NAMES))),
        ("yolov8", 20.0, red_detector_of("yolov8", false, Some(NAMES))),
        ("yolov8 of f16", 20.0, red_detector_of("yolov8", true, Some(NAMES))),
        ("end2end", 20.0, red_detector_of("end2end", false, Some(NAMES))),
        ("end2end of f16", 20.0, red_detector_of("end2end", true, Some(NAMES))),
    ];
    for (name, half, bytes) in models {
        let around = |x: f32, y: f32, height: f32| {
            [(x - half) / 128.0, (y - half) / height, (x + half) / 128.0, (y + half) / height]
        };
        for (frame, expected) in [(&square, around(44.0, 60.0, 128.0)), (&wide, around(44.0, 28.0, 64.0))] {
            let found = found(&bytes, frame);
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            // Colour has half the resolution of brightness, so a block's edge is less red than its middle.
            assert!(found[0].class == Class::Person && found[0].score > 0.8, "{name}: {found:?}");
            let near = found[0].rect.corners().iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 5e-3);
            assert!(near, "{name}: {found:?}, expected {expected:?}");
        }
    }
}

#[test]
fn labels_are_mapped_by_a_description_beside_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xe.onnx");
    std::fs::write(&path, red_detector_of("yolov8", false, Some("xe may, cho"))).unwrap();
    let load = || Model::load(&path).and_then(|m| Detector::load(&m.bytes, &m.spec));
    assert!(load().unwrap_err().en.contains("none of the labels (xe may, cho…)"));
    let text = "family = \"yolov8\"\nlicence = \"MIT\"\n[classes]\n\"xe may\" = \"motorcycle\"\n";
    std::fs::write(folder.path().join("xe.toml"), text).unwrap();
    let mut detector = load().unwrap();
    assert_eq!(detector.describe(), "xe (MIT), 128×128");
    let frame = with_red(128, 128, [40, 56, 8, 8]);
    let Outcome::Found(found) = detector.detect(&frame, &mut Scaler::default()).unwrap() else { panic!() };
    assert_eq!(found.iter().map(|d| d.class).collect::<Vec<_>>(), [Class::Motorcycle]);
}

fn check(path: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_vonglau")).args(["model", "check"]).arg(path).output().unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn model_check_says_what_a_detector_is_and_refuses_what_is_none_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    let checked = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        check(&path)
    };
    let (code, said) = checked(&red_detector_of("yolov8", true, Some(NAMES)));
    assert_eq!(code, Some(0), "{said}");
    for word in ["yolov8", "images f16 [1, 3, 128, 128]", "output f16 [1, 6, 336]", "128×128", "person, car", " ms"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(said.contains("not stated"), "{said}");
    for (bytes, words) in [
        (foreign_detector(), ["[1, 3, 65, 65]", "[1,300,6] (end2end)"]),
        (red_detector_of("end2end", false, None), ["names no labels", "labels"]),
        (b"no model".to_vec(), ["no ONNX model", "check the file"]),
    ] {
        let (code, said) = checked(&bytes);
        assert_eq!(code, Some(1), "{said}");
        assert!(words.iter().all(|w| said.contains(w)), "{said}");
    }
    let (code, said) = checked(&broken_detector());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not a number"), "{said}");
    assert_eq!(check(&folder.path().join("none.onnx")).0, Some(1));
}

fn add(file: &Path, data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonglau"));
    command.args(["model", "add"]).arg(file).arg("--data").arg(data).args(more).stdin(std::process::Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn a_detector_is_installed_with_its_licence_and_only_when_it_is_the_file_its_publisher_means() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("xe.onnx"), folder.path().join("data"));
    let bytes = red_detector_of("yolov8", false, Some(NAMES));
    std::fs::write(&file, &bytes).unwrap();
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    let models = data.join("models");
    for (more, word) in [
        (&["--sha256", &sha256][..], "licence is needed"),
        (&["--sha256", &"0".repeat(64), "--licence", "MIT"], "fetch it again"),
        (&["--licence", "MIT"], "--sha256"),
    ] {
        let (code, said) = add(&file, &data, more);
        assert!(code != Some(0) && said.contains(word), "{word}: {said}");
        assert!(!models.exists(), "{said}");
    }
    let (code, said) = add(&file, &data, &["--sha256", &sha256.to_uppercase(), "--licence", "MIT"]);
    assert_eq!(code, Some(0), "{said}");
    for word in ["giấy phép/licence: MIT", "on a drawn street", "installed", "restart the service"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let installed = Model::from_folder(&models).unwrap().unwrap();
    assert_eq!((installed.sha256.as_str(), installed.spec.licence.as_str()), (sha256.as_str(), "MIT"));
    assert_eq!(installed.spec.input, Some([128, 128]), "found out once and for all");
    std::fs::write(&file, broken_detector()).unwrap();
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(broken_detector()));
    let (code, said) = add(&file, &data, &["--sha256", &sha256, "--licence", "MIT"]);
    assert!(code == Some(1) && said.contains("not a number"), "{said}");
    assert_eq!(Model::from_folder(&models).unwrap().unwrap().sha256, installed.sha256, "the one in use stays");
}

#[test]
fn the_detector_that_is_part_of_the_program_is_installed_by_one_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonglau"));
    let output = command.args(["model", "add", "--own", "--data"]).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let installed = Model::from_folder(&folder.path().join("models")).unwrap().unwrap();
    assert_eq!(installed.sha256, Model::street().sha256);
}

#[test]
fn known_detectors_of_others_are_served_or_refused() {
    let (Some(nano), Some(fastest)) = (shared_data("models/yolox_nano.onnx"), shared_data("models/fastestdet.onnx"))
    else {
        return;
    };
    let (code, said) = check(&nano);
    assert!(code == Some(0) && said.contains("yolox") && said.contains("Apache-2.0"), "{said}");
    println!("{said}");
    let (code, said) = check(&fastest);
    assert!(code == Some(1) && said.contains("[1, 85, 22, 22]") && said.contains("[1,N,5+classes]"), "{said}");
}
