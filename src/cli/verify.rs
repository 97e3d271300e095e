//! `vonglau verify`: every file of a store folder against what was written into it.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::start_log;
use crate::record::verify;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Thư mục lưu trữ / The store folder, such as DATA/store; may be in use
    store: PathBuf,
}

/// One line a problem, then a summary; exit code 1 when something is wrong.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    start_log("error");
    let report = verify::verify(&args.store, &mut |problem| {
        say!(
            "{} {} {}  {}: {} / {}",
            problem.camera,
            problem.kind,
            problem.second(),
            problem.path,
            problem.flaw.wrong.vi(),
            problem.flaw.wrong.en()
        );
    })?;
    say!(
        "{} tệp/files · {} đoạn/fragments · {:.2} GB · cách ly/quarantined {} · hỏng/problems {}",
        report.files,
        report.fragments,
        report.bytes as f64 / 1e9,
        report.quarantined,
        report.problems
    );
    Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
