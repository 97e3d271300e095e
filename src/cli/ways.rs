//! `vonglau vision ways FILE`: every way out of the vision child's sandbox, tried from inside; and what `check` says of it.

use std::{path::Path, process::Command};

use super::check::Report;
use crate::vision::{
    detect::runtime::TELEMETRY_OFF,
    sandbox::{
        Lack,
        ways::{Tried, try_all},
    },
};

/// Prints what the kernel lacks and how each way went, as one JSON line. The exit code.
pub(super) fn run(private: &Path) -> i32 {
    match try_all(private) {
        Ok(outcome) => match serde_json::to_string(&outcome) {
            Ok(line) => {
                say!("{line}");
                0
            }
            Err(_) => 1,
        },
        Err(_) => 1,
    }
}

fn ask() -> anyhow::Result<(Vec<Lack>, Vec<Tried>)> {
    // What would be read and written stands here for what must not be.
    let folder = tempfile::tempdir()?;
    let private = folder.path().join("private");
    std::fs::write(&private, "private")?;
    let mut command = Command::new(std::env::current_exe()?);
    let out = command.args(["vision", "ways"]).arg(&private).env(TELEMETRY_OFF.0, TELEMETRY_OFF.1).output()?;
    anyhow::ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Ok(serde_json::from_slice(&out.stdout)?)
}

/// Starts the sandbox as `serve` does and tries to get out.
pub(super) fn check(report: &mut Report) {
    const WHAT: &str = "hộp cát/sandbox";
    let (lacks, tried) = match ask() {
        Ok(outcome) => outcome,
        Err(error) => return report.wrong(WHAT, format!("{error:#}")),
    };
    for (vi, en) in lacks.iter().map(|l| l.says()) {
        report.note(WHAT, format!("{vi} / {en}"));
    }
    let open: Vec<&str> = tried.iter().filter(|t| !t.refused).map(|t| t.what.as_str()).collect();
    if open.is_empty() {
        let n = tried.len();
        report.fine(
            WHAT,
            format!(
                "tiến trình phân tích không thoát ra được ({n} cách thử) / the analysis cannot get out ({n} ways tried)"
            ),
        );
    } else {
        report.note(WHAT, format!("tiến trình phân tích vẫn làm được / the analysis can still: {}", open.join(", ")));
    }
}
