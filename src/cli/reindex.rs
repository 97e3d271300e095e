//! `vonglau reindex`: the recordings' rows again from the files alone, also into a new database.

use std::process::ExitCode;

use super::{PlaceArgs, start_log};
use crate::{app, record::reindex, runtime::clock::Clock};

/// One line a file that could not be entered, then a summary; exit code 1 when there was one.
pub(super) async fn run(args: PlaceArgs) -> anyhow::Result<ExitCode> {
    start_log("warn");
    let config = args.load(None)?;
    reindex::check(&config.store)?;
    let store = app::open_store(&config.data).await?;
    let mut tell = |path: &str, why: &str| say!("{path}: {why}");
    let outcome = reindex::reindex(&config.store, &store, &Clock::machine(), &mut tell).await;
    store.close().await;
    let report = outcome?;
    say!(
        "{} tệp/files · ghi vào chỉ mục/entered {} · rỗng/empty {} · không nhận/refused {}",
        report.files,
        report.entered,
        report.empty,
        report.refused
    );
    Ok(if report.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
