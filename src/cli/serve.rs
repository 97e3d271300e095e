//! `vonglau serve`.

use std::{net::SocketAddr, process::ExitCode};

use clap::Args;

use super::{PlaceArgs, Signals, start_log};
use crate::{app, runtime::stop::Stop};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Địa chỉ trang web / Where the pages are; stands above the configuration
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// In tổng kết khi dừng / Print one JSON object with what was done when it ends
    #[arg(long, hide = true)]
    summary: bool,
    /// Chỉ ghi hình, không phân tích / Record only, no analysis
    #[arg(long)]
    record_only: bool,
    /// Stop when standard input ends (for a parent process)
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.place.load(args.listen)?;
    start_log(config.log.as_str());
    let (stop, signals) = (Stop::new(), Signals::watch(args.until_stdin_ends)?);
    let summary = args.summary;
    let serving = app::serve(config, args.record_only, stop.clone(), move |addr, setup| {
        if summary {
            let setup = setup.map(|token| format!("http://{addr}/setup#{token}"));
            say!("{}", serde_json::json!({ "listen": addr.to_string(), "setup": setup }));
        } else {
            say!("Vọng Lâu: http://{addr}/");
            if let Some(token) = setup {
                say!("Chưa có tài khoản: ai dùng máy này cũng xem được mọi camera. Tạo tài khoản quản trị (một lần):");
                say!(
                    "There are no accounts yet: whoever uses this machine sees every camera. Make the first one here:"
                );
                say!("  http://{addr}/setup#{token}");
            }
        }
    });
    let done = tokio::select! {
        outcome = serving => outcome?,
        never = signals.obey(stop) => match never {},
    };
    if summary {
        say!("{}", serde_json::to_string(&done)?);
    }
    Ok(ExitCode::SUCCESS)
}
