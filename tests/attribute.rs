//! Extra classifiers on what is tracked: from a file in the folder of models to the event of an `attribute` rule.

mod common;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::{
    film::{CAMERA, Film, HEIGHT, Stage, WIDTH},
    onnx::{CLASSIFIER_SIDE, blue_classifier, red_detector, red_detector_around},
    wait,
};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vonglau::{
    domain::{
        event::{Event, EventChange},
        rule::RuleDraft,
        track::Labelled,
    },
    logic::{
        ballot::LOOKS_MAX,
        rules::{Rules, words},
    },
    vision::{Program, classifier, model::Model},
};

const FPS: u64 = 5;
const PICTURES: u64 = FPS + 2 * CROSSING + 2 * BETWEEN;
/// What is red in the middle, and what is around it.
const CORE: usize = 56;
const AROUND: usize = 80;
/// Y, U, V of BT.601, limited range.
const GREY: [u8; 3] = [110, 128, 128];
const RED: [u8; 3] = [81, 90, 240];
const BLUE: [u8; 3] = [41, 240, 110];
const GREEN: [u8; 3] = [145, 54, 34];

fn block(data: &mut [u8], [x, y, side]: [usize; 3], colour: [u8; 3]) {
    let (w, h) = (WIDTH as usize, HEIGHT as usize);
    for row in y..y + side {
        data[row * w + x..][..side].fill(colour[0]);
    }
    for (plane, level) in [(w * h, colour[1]), (w * h * 5 / 4, colour[2])] {
        for row in y / 2..(y + side) / 2 {
            data[plane + row * w / 2 + x / 2..][..side / 2].fill(level);
        }
    }
}

/// So many pictures each of the two takes to cross, and nothing is there between them.
const CROSSING: u64 = (WIDTH as u64 - AROUND as u64) / STEP;
const BETWEEN: u64 = 10;
const STEP: u64 = 4;

/// Two red things go right, one after the other: the first one has a blue coat, the second one a green one.
fn drawn(index: u64) -> Vec<u8> {
    let (w, h) = (WIDTH as usize, HEIGHT as usize);
    let mut data = vec![GREY[0]; w * h * 3 / 2];
    data[w * h..].fill(GREY[1]);
    let second = FPS + CROSSING + BETWEEN;
    let (since, coat) = if index < second { (index.checked_sub(FPS), BLUE) } else { (Some(index - second), GREEN) };
    let Some(step) = since.filter(|step| *step < CROSSING) else { return data };
    let (x, y, rim) = ((step * STEP) as usize, 50, (AROUND - CORE) / 2);
    block(&mut data, [x, y, AROUND], coat);
    block(&mut data, [x + rim, y + rim, CORE], RED);
    data
}

/// When the second one comes, microseconds from the start.
const SECOND_US: i64 = ((FPS + CROSSING + BETWEEN / 2) * 1_000_000 / FPS) as i64;

/// A folder of models with the detector of red things and the classifier of their coats.
fn models(folder: &Path) -> PathBuf {
    let models = folder.join("models");
    std::fs::create_dir_all(&models).unwrap();
    let around = AROUND as f32 / CORE as f32;
    let detector = red_detector_around(Some("{0: 'motorcycle', 1: 'car'}"), around);
    std::fs::write(models.join("red.onnx"), detector).unwrap();
    std::fs::write(models.join("coat.onnx"), blue_classifier()).unwrap();
    std::fs::write(models.join("coat.toml"), description()).unwrap();
    models
}

fn description() -> String {
    let sha256 = hex::encode(Sha256::digest(blue_classifier()));
    format!(
        "kind = \"classifier\"\nname = \"Màu áo\"\nlicence = \"Apache-2.0\"\nsha256 = \"{sha256}\"\n\
         input = [{CLASSIFIER_SIDE}, {CLASSIFIER_SIDE}]\nlabels = [\"blue\", \"green\"]\nclasses = [\"motorcycle\"]\n\
         margin = 0.0\n[words]\nblue = \"nghi mặc áo xanh\"\n"
    )
}

fn rule() -> Value {
    json!({ "name": "nghi mặc áo xanh", "kind": "attribute", "model": "coat.onnx", "label": "blue",
            "classes": ["motorcycle"] })
}

fn vonglau(args: &[&str]) -> Output {
    wait::output(Command::new(env!("CARGO_BIN_EXE_vonglau")).args(args))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_rule_tells_of_the_thing_that_the_classifier_means_and_not_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let models = models(folder.path());
    let (video, rules) = (folder.path().join("drawn.mp4"), folder.path().join("rules.toml"));
    write_video(&video);
    let rule = rule();
    std::fs::write(&rules, toml::to_string(&json!({ "rule": [rule] })).unwrap()).unwrap();
    let path = |p: &Path| p.display().to_string();
    let ran = |rules: &Path| {
        let (model, models) = (path(&models.join("red.onnx")), path(&models));
        let args =
            ["analyze", "--json", "--rules", &path(rules), "--model", &model, "--models", &models, &path(&video)];
        vonglau(&args)
    };
    let output = ran(&rules);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["tracks"], json!({ "motorcycle": 2 }), "{text}");
    let [event] = &lines[..] else { panic!("one of the two: {text}") };
    assert_eq!((&event["kind"], &event["class"]), (&json!("attribute"), &json!("motorcycle")));
    assert!(event["start_us"].as_i64().unwrap() < SECOND_US, "it is the first one: {event}");
    let number = |name: &str| event["numbers"][name].as_f64().unwrap();
    assert!(number("votes") >= 8.0 && number("votes") <= f64::from(LOOKS_MAX), "{event}");
    let why = format!("nghi mặc áo xanh ({} trên {} lần nhìn)", number("agreeing"), number("votes"));
    assert_eq!(event["why"]["vi"], json!(why));
    println!("{why}");

    for (key, wrong, word) in [("model", "hat.onnx", "hat.onnx"), ("label", "red", "blue, green")] {
        let other = folder.path().join("other.toml");
        let mut rule = rule.clone();
        rule[key] = json!(wrong);
        std::fs::write(&other, toml::to_string(&json!({ "rule": [rule] })).unwrap()).unwrap();
        let output = ran(&other);
        assert!(!output.status.success() && said(&output).contains(word), "{}", said(&output));
    }
}

fn write_video(path: &Path) {
    gst::init().unwrap();
    let text = format!(
        "appsrc name=in format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1 ! \
         x264enc speed-preset=ultrafast key-int-max=10 bframes=0 bitrate=2000 ! h264parse ! mp4mux ! \
         filesink location={}",
        path.display()
    );
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source = pipeline.by_name("in").unwrap().downcast::<AppSrc>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for i in 0..PICTURES {
        let mut buffer = gst::Buffer::from_slice(drawn(i));
        let made = buffer.get_mut().unwrap();
        made.set_pts(gst::ClockTime::from_nseconds(i * 1_000_000_000 / FPS));
        made.set_duration(gst::ClockTime::from_nseconds(1_000_000_000 / FPS));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end =
        pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).expect("it never ends");
    assert!(matches!(end.view(), gst::MessageView::Eos(_)), "{end:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_child_loads_what_the_folder_has_says_what_it_refuses_and_votes_with_each_frame() {
    let folder = tempfile::tempdir().unwrap();
    let models = models(folder.path());
    std::fs::write(models.join("broken.onnx"), b"no graph").unwrap();
    let broken = hex::encode(Sha256::digest(b"no graph"));
    let described = description().lines().filter(|l| !l.starts_with("sha256")).collect::<Vec<_>>().join("\n");
    let described = described.replacen('\n', &format!("\nsha256 = \"{broken}\"\n"), 1);
    std::fs::write(models.join("broken.toml"), described).unwrap();
    std::fs::write(models.join("wrong.onnx"), b"x").unwrap();
    std::fs::write(models.join("wrong.toml"), "kind = \"classifier\"\nlabel = 1\n").unwrap();
    let detector = Model::from_folder(&models).unwrap().unwrap();
    assert_eq!(detector.spec.name, "red", "an extra model is not taken for the detector");
    let program =
        Program { classifiers: classifier::from_folder(&models), ..Program::from(env!("CARGO_BIN_EXE_vonglau")) };
    let mut stage = Stage::with(program, Some(detector), |_| ());
    let board = stage.board.clone();
    let state = |file: &str| board.extra_models.borrow().iter().find(|e| e.file == file).cloned();
    wait::holds(async || state("broken.onnx").is_some_and(|e| e.why.is_some())).await;
    wait::holds(async || board.vision.borrow().detector.is_some()).await;
    assert!(state("broken.onnx").unwrap().why.unwrap().contains("kiểm tra lại tệp"), "{:?}", state("broken.onnx"));
    assert!(state("wrong.onnx").unwrap().why.unwrap().contains("các khóa"), "{:?}", state("wrong.onnx"));
    let coat = state("coat.onnx").unwrap();
    assert_eq!(
        (coat.why, coat.labels, coat.words["blue"].as_str()),
        (None, vec!["blue".into(), "green".into()], "nghi mặc áo xanh")
    );

    let film = Film::draw(PICTURES, FPS, drawn);
    let draft: RuleDraft = serde_json::from_value(rule()).unwrap();
    let mut rules = Rules::new(CAMERA, vec![draft.checked().unwrap()], None);
    let (mut events, mut votes) = (Vec::new(), Vec::<(bool, Labelled)>::new());
    // On a loaded machine few frames are looked at; the film is then played again.
    for _ in 0..4 {
        let begun = stage.time;
        for seen in stage.play(&film).await {
            assert!(seen.labels.iter().all(|l| seen.tracks.iter().any(|t| t.track == l.track)), "{seen:?}");
            let first = seen.time.since(begun) < SECOND_US;
            votes.extend(seen.labels.iter().map(|l| (first, l.clone())));
            events.extend(rules.step(&seen));
        }
        if [true, false].iter().all(|which| votes.iter().filter(|(first, _)| first == which).count() >= 8) {
            break;
        }
    }
    events.extend(rules.finish());
    assert!(votes.len() >= 16, "{votes:?}");
    let wrong: Vec<_> = votes.iter().filter(|(first, l)| *first != (l.label == "blue") || l.score < 0.9).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let blue = |e: &Event| votes.iter().any(|(first, l)| *first && Some(l.track) == e.track);
    let told: Vec<_> = events
        .iter()
        .filter_map(|e| if let EventChange::Open { event, .. } = e { Some(event) } else { None })
        .collect();
    assert!(!told.is_empty() && told.iter().all(|e| blue(e)), "{told:?}");
    let Some(EventChange::Close { event, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(event.model_sha256.as_deref(), Some(hex::encode(Sha256::digest(blue_classifier())).as_str()));
    assert!(words::why(event).0.starts_with("nghi mặc áo xanh ("), "{event:?}");
    stage.end().await;
}

#[test]
fn an_extra_model_is_checked_and_installed_beside_the_detector_and_a_wrong_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, brought) = (folder.path().join("data"), folder.path().join("brought"));
    std::fs::create_dir_all(data.join("models")).unwrap();
    std::fs::create_dir_all(&brought).unwrap();
    std::fs::write(data.join("models/red.onnx"), red_detector(Some("{0: 'person', 1: 'car'}"))).unwrap();
    let file = brought.join("coat.onnx");
    std::fs::write(&file, blue_classifier()).unwrap();
    std::fs::write(file.with_extension("toml"), description()).unwrap();
    let (file, data_arg) = (file.display().to_string(), data.display().to_string());
    let checked = vonglau(&["model", "check", &file]);
    assert!(checked.status.success(), "{}", said(&checked));
    for word in ["Màu áo", "blue = nghi mặc áo xanh", "motorcycle", "Apache-2.0", "ms", "of a core"] {
        assert!(said(&checked).contains(word), "no {word}: {}", said(&checked));
    }
    let sha256 = hex::encode(Sha256::digest(blue_classifier()));
    let add =
        |sha256: &str| vonglau(&["model", "add", &file, "--licence", "MIT", "--sha256", sha256, "--data", &data_arg]);
    let other = add(&"0".repeat(64));
    assert!(!other.status.success() && said(&other).contains(&sha256), "{}", said(&other));
    let added = add(&sha256);
    assert!(added.status.success(), "{}", said(&added));
    let installed = classifier::from_folder(&data.join("models"));
    let [Ok(installed)] = &installed[..] else { panic!("{installed:?}") };
    assert_eq!((installed.spec.licence.as_str(), &installed.spec.sha256), ("MIT", &sha256));
    assert_eq!(
        Model::from_folder(&data.join("models")).unwrap().unwrap().spec.name,
        "red",
        "the detector stays in use"
    );

    let beside = Path::new(&file).with_extension("toml");
    for (from, to, word) in [
        ("[\"blue\", \"green\"]", "[\"blue\", \"green\", \"red\"]", "3 labels"),
        ("input = [32, 32]", "input = [64, 32]", "[1,3,32,64]"),
        ("margin = 0.0", "output = \"probabilities\"", "no score"),
    ] {
        assert!(description().contains(from));
        std::fs::write(&beside, description().replace(from, to)).unwrap();
        let refused = vonglau(&["model", "check", &file]);
        assert!(!refused.status.success() && said(&refused).contains(word), "{to}: {}", said(&refused));
    }
}
