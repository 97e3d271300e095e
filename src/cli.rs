//! Arguments to actions. Every command is one file; this one only says what each takes.

#[macro_use]
mod say;

mod accept_disk;
mod analyze;
mod audit;
mod camera;
mod capacity;
mod check;
mod classifier;
mod demo;
mod model;
mod reindex;
mod serve;
mod sim;
mod user;
mod verify;
mod ways;

use std::{
    convert::Infallible,
    io::IsTerminal,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{self, ExitCode},
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tokio::{
    io::AsyncReadExt,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    config::Config,
    domain::{query::Actor, refusal::Refusal},
    runtime::stop::Stop,
    vision::{self, detect::runtime::TELEMETRY_OFF},
};

/// Vọng Lâu: ghi hình, phân tích và tìm lại hình của các camera trong xã trên một máy tính nhỏ.
///
/// Records, analyses and indexes a commune's cameras on one small PC.
#[derive(Debug, Parser)]
#[command(name = "vonglau", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Chạy: ghi hình, phân tích, mở trang web / Record, analyse and serve the pages
    Serve(serve::ServeArgs),
    /// Camera giả lập để thử / Cameras to play with, on loopback
    Sim(sim::SimArgs),
    /// Chạy thử với camera giả lập / The main job on simulated cameras, in a temporary data folder
    Demo(demo::DemoArgs),
    /// Phân tích một tệp video / A video file through the very code of the service
    Analyze(analyze::AnalyzeArgs),
    /// Kiểm tra: cấu hình, bộ nhận dạng, dữ liệu, ổ đĩa, từng camera / What is fine, what is not, what to do
    Check(PlaceArgs),
    /// Thêm, nhập, liệt kê, gỡ camera / Add, import, list and remove cameras
    #[command(subcommand)]
    Camera(camera::CameraCommand),
    /// Thêm, đặt mật khẩu, khóa, liệt kê tài khoản / Add, disable and list accounts, set passwords
    #[command(subcommand)]
    User(user::UserCommand),
    /// Nhật ký ai đã xem gì: kiểm tra, niêm phong / The log of who looked at what: verify, seal
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Dùng ổ lưu hình mới, trống / Take a new, empty disk as the store
    AcceptDisk(PlaceArgs),
    /// Bộ nhận dạng mang đến có dùng được không / Can a detector be used?
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Dựng lại chỉ mục ghi hình từ các tệp / Build the recordings' index again from the files alone
    Reindex(PlaceArgs),
    /// Kiểm tra mọi tệp đã ghi có còn nguyên vẹn / Every recorded file: is it what was recorded?
    Verify(verify::VerifyArgs),
    /// The child process; started by `serve`, not by people
    #[command(hide = true)]
    Vision {
        /// Something else than analysing, which must be a process of its own
        #[command(subcommand)]
        what: Option<VisionCommand>,
    },
}

#[derive(Debug, Subcommand)]
enum VisionCommand {
    /// Writes the list of GStreamer's plugins
    Registry,
    /// Tries every way out of the sandbox
    Ways {
        /// A file of the account's that is there
        private: PathBuf,
    },
}

/// Where the configuration and the data are.
#[derive(Debug, Clone, Default, Args)]
struct PlaceArgs {
    /// Tệp cấu hình TOML / The TOML configuration; none is needed for daily work
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Thư mục dữ liệu / The data folder; stands above the configuration
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl PlaceArgs {
    fn load(&self, listen: Option<SocketAddr>) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref()).map_err(refused)?;
        if let Some(data) = &self.data {
            config = config.with_data(data.clone());
        }
        if let Some(listen) = listen {
            config.listen = listen;
        }
        Ok(config)
    }
}

/// Several refusals as one error, a line each.
fn refused(refusals: Vec<Refusal>) -> anyhow::Error {
    let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(lines.join("\n"))
}

/// Who uses the command line, for the change log.
fn actor() -> Actor {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "?".to_owned());
    Actor { name: format!("cli:{user}") }
}

/// Runs the command the arguments name; the exit code is the process's.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Vision { what } = &cli.command {
        let code = match what {
            None => vision::child_main(),
            Some(VisionCommand::Registry) => vision::registry_main(),
            Some(VisionCommand::Ways { private }) => ways::run(private),
        };
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    // Recordings, pictures and the database are for the account that runs this and for nobody else on the machine.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let outcome = match cli.command {
        Command::Serve(args) => in_runtime(serve::run(args)),
        Command::Sim(args) => in_runtime(sim::run(args)),
        Command::Demo(args) => in_runtime(demo::run(args)),
        Command::Analyze(args) => analyze::run(&args),
        Command::Check(args) => in_runtime(check::run(args)),
        Command::Camera(command) => in_runtime(camera::run(command)),
        Command::User(command) => in_runtime(user::run(command)),
        Command::Audit(command) => in_runtime(audit::run(command)),
        Command::AcceptDisk(args) => in_runtime(accept_disk::run(args)),
        Command::Model(command) => model::run(&command),
        Command::Reindex(args) => in_runtime(reindex::run(args)),
        Command::Verify(args) => verify::run(&args),
        Command::Vision { .. } => Ok(ExitCode::FAILURE),
    };
    match outcome {
        Ok(_) if !say::all_said() => ExitCode::FAILURE,
        Ok(code) => code,
        Err(error) => {
            // A person reads this: the sentence first, its chain behind it, no back trace.
            say::err(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn in_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(work);
    // Everything that matters has ended; a read of standard input that never returns may not hold the process.
    runtime.shutdown_background();
    outcome
}

/// Starts this very command again with ONNX Runtime's telemetry off, unless it is off already: the library reads the
/// variable when it is loaded, and only a new process can be given one safely.
fn without_telemetry() -> anyhow::Result<()> {
    if vision::telemetry_is_off() {
        return Ok(());
    }
    let (name, value) = TELEMETRY_OFF;
    let error =
        process::Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(name, value).exec();
    Err(error).context("starting again without telemetry")
}

/// Sends log lines to standard error; `RUST_LOG` stands above `level`.
fn start_log(level: &str) {
    // The RTSP library tells of every odd camera habit at `info`; our own lines say what matters of it.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .or_else(|_| tracing_subscriber::EnvFilter::try_new(format!("{level},retina=warn")))
        .unwrap_or_default();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal());
    // A line that cannot be written is lost; the library would say so on the very same closed pipe, and panic there.
    // A second start (tests in one process) keeps the first log.
    let _ = log.with_writer(std::io::stderr).log_internal_errors(false).try_init();
}

/// SIGTERM and SIGINT, watched from the moment this is made: make it before anything that takes time.
struct Signals {
    term: Signal,
    int: Signal,
    /// Whether standard input is watched too.
    stdin: bool,
}

impl Signals {
    /// With `stdin` the end of standard input counts as a first signal, so that a child never outlives its parent.
    fn watch(stdin: bool) -> anyhow::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())?, stdin })
    }

    async fn one(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }

    /// Asks `stop` at the first signal, forces it at the second; never returns.
    async fn obey(mut self, stop: Stop) -> Infallible {
        let stdin = self.stdin;
        let parent_gone = async {
            if !stdin {
                return std::future::pending().await;
            }
            let (mut input, mut buffer) = (tokio::io::stdin(), [0; 64]);
            while matches!(input.read(&mut buffer).await, Ok(n) if n > 0) {}
        };
        tokio::select! {
            () = self.one() => {}
            () = parent_gone => {}
        }
        stop.ask();
        self.one().await;
        stop.now();
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_has_no_clashing_arguments() {
        super::Cli::command().debug_assert();
    }
}
