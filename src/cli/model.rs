//! `vonglau model check`: is this file a detector this program can use, what is it, how fast is it here?

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::{start_log, without_telemetry};
use crate::vision::{
    detect::About,
    examine::{Examined, examine},
    model::Model,
};

#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// Tệp này có dùng được không? / Can this file be used? Exit code 0 when it can, 1 with the reason when not
    Check {
        /// Tệp ONNX / The ONNX file; a .toml beside it may describe it
        file: PathBuf,
    },
}

pub(super) fn run(command: &ModelCommand) -> anyhow::Result<ExitCode> {
    without_telemetry()?;
    start_log("error");
    let ModelCommand::Check { file } = command;
    let checked = Model::load(file).and_then(|model| examine(&model).map(|examined| (model.sha256, examined)));
    match checked {
        Ok((sha256, Examined { about, cpu_us, wall_us })) => {
            say(&about, &sha256);
            let ms = |us: i64| us as f64 / 1e3;
            say!(
                "một lần chạy/one inference: {:.1} ms (CPU {:.1} ms)\ndùng được / it can be used",
                ms(wall_us),
                ms(cpu_us)
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            say!("không dùng được / it cannot be used\n{refusal}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn say(about: &About, sha256: &str) {
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
}
