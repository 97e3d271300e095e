//! `vonglau accept-disk`: a new disk as the store, also while the service waits for one.

use std::process::ExitCode;

use super::{PlaceArgs, start_log};
use crate::{app, record::care};

/// Marks the store folder of the configuration and says how many recordings left the index because they are not on it.
pub(super) async fn run(args: PlaceArgs) -> anyhow::Result<ExitCode> {
    start_log("warn");
    let config = args.load(None)?;
    let store = app::open_store(&config.data).await?;
    let outcome = care::accept_disk(&config.store, &store).await;
    store.close().await;
    say!(
        "{}: đã nhận ổ; {forgotten} tệp không có ở đây được bỏ khỏi chỉ mục / taken; {forgotten} files that are not here left \
         the index",
        config.store.display(),
        forgotten = outcome?,
    );
    Ok(ExitCode::SUCCESS)
}
