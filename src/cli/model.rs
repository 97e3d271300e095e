//! `vonglau model check` and `add`: is this file a detector or an extra classifier that this program can use, what is it,
//! how fast is it here?

use std::{
    collections::BTreeMap,
    io::{BufRead, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::{PlaceArgs, classifier, say, start_log, without_telemetry};
use crate::{
    domain::{detection::Class, frame::Frame, ids::CameraId, refusal::Refusal, time::MediaTime},
    sim::{draw::draw, scene::Scene},
    vision::{
        classifier::{ClassifierModel, is_classifier},
        detect::{About, Detector, Outcome},
        examine::{Examined, examine},
        install::{Installed, install},
        model::Model,
        picture::Scaler,
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// Tệp này có dùng được không? / Can this file be used? Exit code 0 when it can, 1 with the reason when not
    Check {
        /// Tệp ONNX / The ONNX file; a .toml beside it may describe it
        file: PathBuf,
    },
    /// Cài bộ nhận dạng vào thư mục dữ liệu / Install a detector into the data folder
    Add(AddArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Tệp ONNX / The ONNX file; a .toml beside it may describe it
    #[arg(required_unless_present = "own")]
    file: Option<PathBuf>,
    /// Bộ nhận dạng có sẵn trong chương trình này / The detector that is part of this program
    #[arg(long, conflicts_with_all = ["file", "licence", "sha256"])]
    own: bool,
    /// Giấy phép của bộ nhận dạng, ví dụ Apache-2.0; thiếu thì hỏi / Its licence, for example Apache-2.0; asked for when
    /// left out
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// SHA-256 mà nơi phát hành công bố / The SHA-256 its publisher states
    #[arg(long, value_name = "HEX", required_unless_present = "own")]
    sha256: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn run(command: &ModelCommand) -> anyhow::Result<ExitCode> {
    without_telemetry()?;
    start_log("error");
    let done = match command {
        ModelCommand::Check { file } if is_classifier(file) => {
            classifier::check(file).map_err(|refusal| (UNUSABLE, refusal))
        }
        ModelCommand::Check { file } => check(file),
        ModelCommand::Add(args) => {
            let folder = args.place.load(None)?.data.join("models");
            let added = match &args.file {
                Some(file) if is_classifier(file) => brought_classifier(args, file, &folder),
                _ => add(args, &folder),
            };
            added.map_err(|refusal| ("không cài / not installed", refusal))
        }
    };
    Ok(done.map_or_else(
        |(what, refusal)| {
            say!("{what}\n{refusal}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    ))
}

const UNUSABLE: &str = "không dùng được / it cannot be used";

fn check(file: &Path) -> Result<(), (&'static str, Refusal)> {
    let checked = Model::load(file).and_then(|model| examine(&model).map(|examined| (model.sha256, examined)));
    let (sha256, examined) = checked.map_err(|refusal| (UNUSABLE, refusal))?;
    say_examined(&examined, &sha256);
    say!("dùng được / it can be used");
    Ok(())
}

fn add(args: &AddArgs, folder: &Path) -> Result<(), Refusal> {
    let (model, file) = match &args.file {
        Some(file) => (brought(args, file)?, file.as_path()),
        None => (Model::street(), Path::new("street.onnx")),
    };
    let examined = examine(&model)?;
    say_examined(&examined, &model.sha256);
    say!("trên một phố vẽ/on a drawn street: {}", seen_on_a_street(&model)?);
    let Installed { path, aside } = install(&model, &examined.about, file, folder)?;
    for other in aside {
        say!("để riêng, không dùng nữa / set aside, no longer used: {}", other.display());
    }
    say!("đã cài/installed: {}\nkhởi động lại dịch vụ để dùng / restart the service to use it", path.display());
    Ok(())
}

/// A file that is the one its publisher means, with the licence it came under.
fn brought(args: &AddArgs, file: &Path) -> Result<Model, Refusal> {
    let mut model = Model::load(file)?;
    is_meant(args, &model.sha256)?;
    model.spec.licence = licence(args.licence.clone(), &model.spec.licence)?;
    Ok(model)
}

fn is_meant(args: &AddArgs, sha256: &str) -> Result<(), Refusal> {
    if args.sha256.as_deref().unwrap_or_default().trim().eq_ignore_ascii_case(sha256) {
        return Ok(());
    }
    Err(Refusal::new(
        "--sha256",
        format!("tệp có SHA-256 khác: {sha256}; tải lại tệp từ nơi phát hành"),
        format!("the file's SHA-256 is another one: {sha256}; fetch it again from its publisher"),
    ))
}

fn brought_classifier(args: &AddArgs, file: &Path, folder: &Path) -> Result<(), Refusal> {
    let mut model = ClassifierModel::load(file)?;
    is_meant(args, &model.spec.sha256)?;
    model.spec.licence = licence(args.licence.clone(), &model.spec.licence)?;
    classifier::add(&model, folder)
}

/// The licence given, else the one a person types.
fn licence(given: Option<String>, known: &str) -> Result<String, Refusal> {
    let asked = || {
        if !std::io::stdin().is_terminal() {
            return String::new();
        }
        let hint = if known.is_empty() { String::new() } else { format!(" [{known}]") };
        say::err(format_args!("Giấy phép của bộ nhận dạng / The detector's licence{hint}:"));
        let mut line = String::new();
        // What cannot be read is nothing typed.
        let _ = std::io::stdin().lock().read_line(&mut line);
        if line.trim().is_empty() { known.to_owned() } else { line }
    };
    let licence = given.unwrap_or_else(asked).trim().to_owned();
    if licence.is_empty() || licence.chars().count() > 200 {
        return Err(Refusal::new(
            "--licence",
            "cần ghi giấy phép của bộ nhận dạng (nhiều trọng số YOLO là AGPL-3.0); hỏi tác giả khi không rõ",
            "the detector's licence is needed (many YOLO weights are AGPL-3.0); ask its author when it is not stated",
        ));
    }
    Ok(licence)
}

/// What it finds on a street drawn here, with what is there.
fn seen_on_a_street(model: &Model) -> Result<String, Refusal> {
    const SIZE: (u32, u32) = (1280, 720);
    let scene = Scene::new(7, 1);
    let crowded = |t_us: &u64| scene.objects_at(*t_us).len();
    let t_us = (0..scene.loop_us()).step_by(500_000).max_by_key(crowded).unwrap_or(0);
    let data = draw(&scene, t_us, SIZE.0, SIZE.1);
    let frame = Frame { camera: CameraId(0), time: MediaTime(0), width: SIZE.0, height: SIZE.1, data: data.into() };
    let mut detector = Detector::load(&model.bytes, &model.spec)?;
    let found = match detector.detect(&frame, &mut Scaler::default()) {
        Ok(Outcome::Found(found)) => found,
        Ok(Outcome::NotANumber) | Err(_) => Vec::new(),
    };
    let there = counted(scene.objects_at(t_us).iter().map(|(_, class, _)| *class));
    let found = counted(found.iter().filter(|d| d.score >= 0.3).map(|d| d.class));
    Ok(format!("tìm thấy/found {found}; có/there are {there}"))
}

fn counted(classes: impl Iterator<Item = Class>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    classes.for_each(|class| *counts.entry(class.name()).or_default() += 1);
    let words: Vec<String> = counts.iter().map(|(class, n)| format!("{n} {class}")).collect();
    if words.is_empty() { "0".to_owned() } else { words.join(", ") }
}

fn say_examined(Examined { about, cpu_us, wall_us }: &Examined, sha256: &str) {
    let About { name, licence, family, input: [width, height], shapes, looked_at, others } = about;
    let labels: Vec<String> = looked_at
        .iter()
        .map(|(label, class)| if label == class.name() { label.clone() } else { format!("{label} = {}", class.name()) })
        .collect();
    let licence =
        if licence.is_empty() { "không rõ, hãy hỏi tác giả / not stated, ask its author" } else { licence };
    say!("mô hình/model: {name}\nSHA-256: {sha256}");
    say!("kiểu/layout: {}, {width}×{height}; {shapes}", family.name());
    say!("loại/classes: {} (không dùng/not looked at: {others})", labels.join(", "));
    say!("giấy phép/licence: {licence}");
    let ms = |us: &i64| *us as f64 / 1e3;
    say!("một lần chạy/one inference: {:.1} ms (CPU {:.1} ms)", ms(wall_us), ms(cpu_us));
}
