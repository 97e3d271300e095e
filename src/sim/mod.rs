//! Cameras to play with: a small RTSP server on loopback whose every sent byte is known.
//!
//! **In:** [`Options`]. **Out:** for each camera `rtsp://127.0.0.1:PORT/cam01/main` and `/cam01/sub`, a ledger of every
//! access unit sent ([`ledger`]) and, for drawn streets, the truth of what they show ([`truth`]).
//!
//! Clips are encoded once at the start and cut into RTP packets once; a session stamps headers and writes whole access
//! units, so that 40 cameras cost a small part of a core. Files in the order of flow: [`scene`] → [`draw`] (with
//! `canvas` and `shapes`) → `encode` and [`clip`] → `rtp` → `server` and `session` (with `rtsp` and `auth`).
//!
//! **Limits:** 200 cameras, 8 different drawn scenes, 2000 clients, 300 s of a video file.
//! **Refuses:** UDP, pausing and seeking, addresses other than loopback, playing faster than real time. What cameras do
//! wrong is written in a script (`faults`); the ledger lists what was sent all the same.

mod auth;
mod canvas;
pub mod clip;
mod door;
pub mod draw;
mod encode;
mod faults;
pub mod ledger;
mod nal;
mod options;
mod prepare;
mod random;
mod rtp;
mod rtsp;
pub mod scene;
mod server;
mod session;
mod shapes;
pub mod truth;

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU32},
};

use tokio::sync::oneshot;

pub use options::{CAMERAS_MAX, Options};
pub use server::Served;

use crate::{
    domain::{camera::StreamKind, refusal::Refusal, time::MediaTime},
    runtime::{clock::Clock, stop::Stop, tasks::Tasks, throttle::Throttle},
};

/// A running simulator. It stops when its `stop` is asked or by [`Sim::finish`].
#[derive(Debug)]
pub struct Sim {
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    /// What was served so far.
    pub served: Arc<Served>,
    /// When the cameras were ready: the zero of the script of faults.
    pub ready: MediaTime,
    cameras: u32,
    stop: Stop,
    done: oneshot::Receiver<()>,
}

impl Sim {
    /// Address of the large picture of a camera (from 1), without user and password.
    #[must_use]
    pub fn main_url(&self, camera: u32) -> String {
        self.url(camera, StreamKind::Main)
    }
    /// Address of the small picture of a camera (from 1).
    #[must_use]
    pub fn sub_url(&self, camera: u32) -> String {
        self.url(camera, StreamKind::Sub)
    }
    /// Main and sub address of every camera.
    #[must_use]
    pub fn urls(&self) -> Vec<(String, String)> {
        (1..=self.cameras).map(|camera| (self.main_url(camera), self.sub_url(camera))).collect()
    }
    fn url(&self, camera: u32, kind: StreamKind) -> String {
        format!("rtsp://127.0.0.1:{}/cam{camera:02}/{}", self.port, kind.name())
    }
    /// Disconnects all clients and returns when the ledger is complete on disk.
    pub async fn finish(self) {
        self.stop.ask();
        // An error means that the task is gone already.
        let _ = self.done.await;
    }
}

/// Prepares the clips (seconds; progress is logged), then accepts clients on 127.0.0.1 until `stop` is asked.
///
/// # Errors
/// A [`Refusal`] when an option cannot be used, the port is taken, a file cannot be read or written, or GStreamer
/// lacks an element.
pub async fn start(options: Options, stop: Stop, tasks: &mut Tasks) -> Result<Sim, Refusal> {
    options.check()?;
    let faults = match &options.faults {
        Some(path) => faults::Faults::read(path, options.cameras)?,
        None => faults::Faults::default(),
    };
    let stop = stop.child();
    let (socket, port) = door::bind(options.port).map_err(|e| port_refused(options.port, &e))?;
    let (ledger, written) = ledger::Ledger::open(options.ledger.as_deref())?;
    if let Some(path) = &options.truth {
        write_truth(path, &options)?;
    }
    let tracks = prepare::tracks(&options, &faults, &stop).await?;
    // Only now, so that whoever can connect is also answered.
    let door = door::Door::open(socket, port).map_err(|e| port_refused(options.port, &e))?;
    let clock = Clock::machine();
    let both = |camera| [StreamKind::Main, StreamKind::Sub].map(|kind| ((camera, kind), AtomicU32::new(0)));
    let served = Arc::<Served>::default();
    let shared = Arc::new(server::Shared {
        auth: options.auth,
        seed: options.seed,
        started: clock.boot(),
        clock: clock.clone(),
        faults,
        ledger,
        counters: Arc::clone(&served),
        refused: Throttle::default(),
        tracks,
        sessions: (1..=options.cameras).flat_map(both).collect(),
    });
    let (sender, done) = oneshot::channel();
    let ready = clock.media_at(shared.started);
    tasks.spawn("sim", server::accept(door, shared, written, stop.clone(), sender));
    tracing::info!(port, cameras = options.cameras, "simulated cameras are ready");
    Ok(Sim { port, served, ready, cameras: options.cameras, stop, done })
}

fn port_refused(port: u16, error: &std::io::Error) -> Refusal {
    Refusal::new(
        format!("--port {port}"),
        format!("không mở được cổng ({error}); chọn cổng khác, hoặc 0 để lấy cổng trống bất kỳ"),
        format!("the port cannot be opened ({error}); choose another one, or 0 for any free one"),
    )
}

fn write_truth(path: &Path, options: &Options) -> Result<(), Refusal> {
    let loop_us = options.scene(1).loop_us();
    let head = truth::Head { loop_us, sub_fps: options.sub_fps, cameras: options.cameras };
    truth::write(path, head, |camera| options.scene(camera)).map_err(|e| {
        Refusal::new(
            format!("--truth {}", path.display()),
            format!("không ghi được tệp này ({e}); chọn một thư mục có quyền ghi"),
            format!("cannot be written ({e}); choose a folder you may write to"),
        )
    })
}
