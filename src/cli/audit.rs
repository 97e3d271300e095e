//! `vonglau audit verify|seal`: is the log of who looked at what as it was written?

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{PlaceArgs, start_log};
use crate::{app, runtime::clock::Clock};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Nhật ký truy cập có còn nguyên vẹn / Is the log as it was written? Names the first bad line
    Verify(VerifyArgs),
    /// Niêm phong ngay, in dòng cuối và dấu khóa để ký, gửi cấp trên / Seal now; prints what to sign or send
    Seal(PlaceArgs),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Dấu khóa đã in trên giấy / The key's fingerprint as it was printed
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
}

pub(super) async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    start_log("warn");
    match command {
        AuditCommand::Verify(args) => verify(args).await,
        AuditCommand::Seal(place) => seal(place).await,
    }
}

async fn verify(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let data = args.place.load(None)?.data;
    let store = app::open_store_there(&data).await?;
    let verified = app::audit::verify(&store, &data).await?;
    store.close().await;
    let lines = match verified.lines {
        Ok(lines) => lines,
        Err(broken) => {
            say!("HỎNG từ dòng {}: nhật ký đã bị sửa, cắt hoặc thay. Giữ nguyên máy, báo cấp trên.", broken.line);
            say!("BROKEN from line {} on: {}.", broken.line, broken.why);
            return Ok(ExitCode::FAILURE);
        }
    };
    say!("Nguyên vẹn: {lines} dòng, {} niêm phong / whole: {lines} lines, {} seals", verified.seals, verified.seals);
    let plain = |text: &str| text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
    match (&verified.fingerprint, &args.fingerprint) {
        (None, None) => say!("Chưa có niêm phong nào / there is no seal yet"),
        (Some(ours), None) => {
            say!("Dấu khóa: {ours} – khóa chưa được xác nhận; so với bản in đã ký bằng --fingerprint");
            say!("Key: {ours}, not confirmed; compare it with the signed print by --fingerprint");
        }
        (ours, Some(theirs)) if ours.as_deref().map(plain) == Some(plain(theirs)) => {
            say!("Dấu khóa khớp bản in / the key is the one printed");
        }
        (ours, Some(_)) => {
            let ours = ours.as_deref().unwrap_or("-");
            say!("KHÁC KHÓA: niêm phong do khóa {ours}, không phải khóa đã in / another key than the one printed");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn seal(place: PlaceArgs) -> anyhow::Result<ExitCode> {
    let data = place.load(None)?.data;
    let store = app::open_store_there(&data).await?;
    let now = Clock::machine().wall();
    let seal = app::audit::seal(&store, &data, now).await?;
    let verified = app::audit::verify(&store, &data).await?;
    store.close().await;
    match seal {
        None => say!("Nhật ký chưa có dòng nào / the log has no line yet"),
        Some(seal) => {
            say!("Dòng cuối / last line: {}", seal.last);
            say!("Mã kiểm tra / SHA-256: {}", seal.sha256);
            say!("Dấu khóa / key: {}", verified.fingerprint.unwrap_or_default());
        }
    }
    Ok(ExitCode::SUCCESS)
}
