//! `vonglau demo`: a sim process and a serve process on a temporary data folder with ready rules.

use std::{
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{Signals, actor, refused, say, start_log};
use crate::{
    app,
    domain::{
        camera::CameraDraft,
        rule::{RuleDraft, RuleKind},
    },
    runtime::{clock::Clock, stop::Stop},
    store::Store,
};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Số camera / How many cameras
    #[arg(long, default_value_t = 4)]
    cameras: u32,
    /// Tệp video thay cho cảnh vẽ, dùng được nhiều lần / A clip instead of a drawn street; may be repeated
    #[arg(long, value_name = "FILE")]
    video: Vec<PathBuf>,
    /// Cổng trang web, 0 là cổng trống bất kỳ / Port of the pages, 0 for any free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Tự dừng sau số giây này và in tổng kết / Stop by itself after so many seconds and print what was done
    #[arg(long)]
    seconds: Option<u64>,
    /// Kịch bản hỏng hóc của camera, xem README / Script of what the cameras do wrong, see the README
    #[arg(long, value_name = "SCRIPT.toml")]
    faults: Option<PathBuf>,
    /// Bộ nhận dạng ONNX / An ONNX detector
    #[arg(long, value_name = "MODEL.onnx")]
    model: Option<PathBuf>,
}

/// A child that ends when its standard input is closed.
struct Part {
    name: &'static str,
    child: Child,
    /// Held apart from `child`, whose `wait` would close it.
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn start(name: &'static str, args: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let stdout = child.stdout.take().context("the child's output")?;
        let stdin = child.stdin.take();
        Ok(Self { name, child, stdin, lines: BufReader::new(stdout).lines() })
    }
    /// The next line as JSON.
    async fn json(&mut self) -> anyhow::Result<serde_json::Value> {
        match self.lines.next_line().await? {
            Some(line) => serde_json::from_str(&line).with_context(|| format!("{}: {line}", self.name)),
            None => bail!("{} đã dừng sớm, xem các dòng trên / ended early, see the lines above", self.name),
        }
    }
    /// Closes its input, and waits for its end.
    async fn end(mut self) -> anyhow::Result<Option<serde_json::Value>> {
        drop(self.stdin.take());
        let mut last = None;
        while let Some(line) = self.lines.next_line().await? {
            last = serde_json::from_str(&line).ok();
        }
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "{}: {status}", self.name);
        Ok(last)
    }
}

pub(super) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    start_log("info");
    let (stop, signals) = (Stop::new(), Signals::watch(false)?);
    let folder = tempfile::Builder::new().prefix("vonglau-demo-").tempdir().context("a temporary data folder")?;
    say::err(format_args!("Đang dựng cảnh giả lập… / Drawing the streets…"));
    let mut sim = Part::start("sim", &sim_args(&args))?;
    let mut urls = Vec::new();
    loop {
        let line = sim.json().await?;
        if line["ready"] == true {
            break;
        }
        let url = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        urls.push((url("main"), url("sub")));
    }
    prepare(folder.path(), &urls, args.model.as_deref()).await?;

    let listen = format!("127.0.0.1:{}", args.port);
    let data = folder.path().display().to_string();
    let serve_args = ["serve", "--data", &data, "--listen", &listen, "--summary", "--until-stdin-ends"];
    let mut serve = Part::start("serve", &serve_args.map(str::to_owned))?;
    let address = serve.json().await?["listen"].as_str().unwrap_or_default().to_owned();
    // Standard output: what a script reads; a person sees it too.
    say!("Mở trong trình duyệt / Open in a browser: http://{address}/");
    for (main, sub) in &urls {
        say!("camera: {main} {sub}");
    }

    let time_up = async {
        match args.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time_up => {}
        never = signals.obey(stop.clone()) => match never {},
        () = stop.asked() => {}
        // It ends by itself only when something went wrong; `end` says what.
        _ = serve.child.wait() => {}
    }
    let summary = serve.end().await?;
    sim.end().await?;
    say!("{}", summary.context("serve printed no summary")?);
    Ok(ExitCode::SUCCESS)
}

fn sim_args(args: &DemoArgs) -> Vec<String> {
    let mut out: Vec<String> = ["sim", "--port", "0", "--until-stdin-ends", "--cameras"].map(str::to_owned).to_vec();
    out.push(args.cameras.to_string());
    for video in &args.video {
        out.extend(["--video".to_owned(), video.display().to_string()]);
    }
    if let Some(faults) = &args.faults {
        out.extend(["--faults".to_owned(), faults.display().to_string()]);
    }
    out
}

/// Fills the data folder: the cameras, a motion rule and an intrusion rule for all of them, and the detector.
async fn prepare(data: &Path, urls: &[(String, String)], model: Option<&Path>) -> anyhow::Result<()> {
    let store = app::open_store(data).await?;
    let (actor, now) = (actor(), Clock::machine().wall());
    for (i, (main, sub)) in urls.iter().enumerate() {
        let draft = CameraDraft {
            name: format!("Đường số {}", i + 1),
            main_url: main.clone(),
            sub_url: sub.clone(),
            cluster: "Cảnh giả lập".to_owned(),
            ..CameraDraft::default()
        };
        store.add_camera(&actor, &draft.checked().map_err(refused)?, now).await?;
    }
    add_ready_rules(&store).await?;
    store.close().await;
    if let Some(model) = model {
        let folder = data.join("models");
        std::fs::create_dir_all(&folder)?;
        let name = model.file_name().context("--model names a file")?;
        std::fs::copy(model, folder.join(name)).with_context(|| model.display().to_string())?;
        let described = model.with_extension("toml");
        if described.is_file() {
            std::fs::copy(&described, folder.join(name).with_extension("toml"))?;
        }
    }
    Ok(())
}

async fn add_ready_rules(store: &Store) -> anyhow::Result<()> {
    let ready = [(RuleKind::Motion, "Có chuyển động"), (RuleKind::Intrusion, "Vào vùng theo dõi")];
    for (kind, name) in ready {
        let draft = RuleDraft { name: name.to_owned(), kind: kind.name().to_owned(), ..RuleDraft::default() };
        store.add_rule(&actor(), &draft.checked().map_err(refused)?, Clock::machine().wall()).await?;
    }
    Ok(())
}
