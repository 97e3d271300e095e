//! `vonglau sim`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use super::{Signals, start_log};
use crate::{
    domain::{camera::Secret, packet::Codec},
    runtime::{stop::Stop, tasks::Tasks},
    sim::{self, Options},
};

#[derive(Debug, Args)]
pub(super) struct SimArgs {
    /// Số camera / How many cameras
    #[arg(long, default_value_t = 4)]
    cameras: u32,
    /// Cổng RTSP trên máy này, 0 là cổng trống bất kỳ / RTSP port on loopback, 0 for any free one
    #[arg(long, default_value_t = 8554)]
    port: u16,
    /// Mỗi camera một cổng riêng, liền nhau từ --port / A port for each camera, from --port on
    #[arg(long)]
    port_per_camera: bool,
    /// Tệp video thay cho cảnh vẽ, dùng được nhiều lần / A clip instead of a drawn street; may be repeated
    #[arg(long, value_name = "FILE")]
    video: Vec<PathBuf>,
    /// Cỡ hình luồng chính / Size of the main stream
    #[arg(long, value_name = "WxH", value_parser = size, default_value = "1280x720")]
    size: (u32, u32),
    /// Hình mỗi giây của luồng chính / Frames a second of the main stream
    #[arg(long, default_value_t = 15)]
    fps: u32,
    /// kbit/s của luồng chính / Bit rate of the main stream, kbit/s
    #[arg(long, default_value_t = 2000)]
    bitrate: u32,
    /// Số hình giữa hai hình khóa; mặc định 2 giây / Frames from key frame to key frame; 2 seconds by default
    #[arg(long)]
    gop: Option<u32>,
    /// Cỡ hình luồng phụ / Size of the sub stream
    #[arg(long, value_name = "WxH", value_parser = size, default_value = "640x360")]
    sub_size: (u32, u32),
    /// Hình mỗi giây của luồng phụ / Frames a second of the sub stream
    #[arg(long, default_value_t = 10)]
    sub_fps: u32,
    /// h264 hoặc h265 / h264 or h265
    #[arg(long, value_parser = codec, default_value = "h264")]
    codec: Codec,
    /// Mã hóa của luồng phụ; mặc định như luồng chính / Of the sub stream; as the main stream by default
    #[arg(long, value_parser = codec)]
    sub_codec: Option<Codec>,
    /// Bắt đăng nhập / Ask for a login (Digest and Basic)
    #[arg(long, value_name = "USER:PASS", value_parser = login)]
    auth: Option<(String, Secret)>,
    /// Hạt giống của cảnh vẽ / Seed of the drawn streets
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ghi mọi khung đã gửi vào tệp này / List every access unit sent
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Ghi vị trí thật của các vật trong cảnh vẽ / Where the drawn objects truly are, JSON lines
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Kịch bản hỏng hóc của camera / Script of what the cameras do wrong: [[fault]] at, camera, fault, seconds
    #[arg(long, value_name = "SCRIPT.toml")]
    faults: Option<PathBuf>,
    /// Thay vì phát: viết ảnh vẽ kèm vị trí thật để huấn luyện / Instead of serving: write drawn pictures with their
    /// truth, to train a detector with
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// Số phố vẽ cho --pictures, mỗi phố 24 ảnh / How many drawn towns for --pictures, 24 pictures each
    #[arg(long, default_value_t = 26, value_parser = clap::value_parser!(u64).range(1..=1000), requires = "pictures")]
    towns: u64,
    /// Stop when standard input ends (for a parent process)
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parsed.ok_or_else(|| format!("“{text}” is no size; write it as 1280x720"))
}

fn codec(text: &str) -> Result<Codec, String> {
    Codec::from_name(text).ok_or_else(|| format!("“{text}” is no codec; h264 or h265"))
}

fn login(text: &str) -> Result<(String, Secret), String> {
    let (user, password) = text.split_once(':').ok_or("write it as USER:PASS")?;
    Ok((user.to_owned(), Secret::new(password)))
}

pub(super) async fn run(args: SimArgs) -> anyhow::Result<ExitCode> {
    start_log("info");
    if let Some(folder) = &args.pictures {
        let written = sim::pictures::write(folder, args.seed, args.towns).context(folder.display().to_string())?;
        say!("{written} ảnh trong/pictures in {}", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let (stop, mut tasks, signals) = (Stop::new(), Tasks::new(), Signals::watch(args.until_stdin_ends)?);
    let defaults = Options::default();
    let options = Options {
        cameras: args.cameras,
        port: args.port,
        port_per_camera: args.port_per_camera,
        videos: args.video,
        size: args.size,
        fps: args.fps,
        bitrate_kbps: args.bitrate,
        gop: args.gop.unwrap_or(0),
        sub_size: args.sub_size,
        sub_fps: args.sub_fps,
        codec: args.codec,
        sub_codec: args.sub_codec,
        auth: args.auth,
        seed: args.seed,
        ledger: args.ledger,
        truth: args.truth,
        faults: args.faults,
        ..defaults
    };
    let playing = async {
        // Drawing and encoding may be left at once; nothing of it is worth keeping.
        let sim = tokio::select! {
            started = sim::start(options, stop.clone(), &mut tasks) => started?,
            () = stop.asked() => return Ok(()),
        };
        for (main, sub) in sim.urls() {
            say!("{}", serde_json::json!({ "main": main, "sub": sub }));
        }
        say!("{}", serde_json::json!({ "port": sim.port, "ready": true, "ready_us": sim.ready.us() }));
        stop.asked().await;
        sim.finish().await;
        tasks.drain().await;
        anyhow::Ok(())
    };
    tokio::select! {
        played = playing => played?,
        never = signals.obey(stop.clone()) => match never {},
    }
    Ok(ExitCode::SUCCESS)
}
