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
mod dress;
mod encode;
mod faults;
pub mod ledger;
mod nal;
mod options;
pub mod pictures;
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

use tokio::{net::TcpSocket, sync::oneshot};

pub use options::{CAMERAS_MAX, Options};
pub use server::Served;

use crate::{
    domain::{camera::StreamKind, refusal::Refusal, time::MediaTime},
    runtime::{clock::Clock, stop::Stop, tasks::Tasks, throttle::Throttle},
};

/// A running simulator. It stops when its `stop` is asked or by [`Sim::finish`].
#[derive(Debug)]
pub struct Sim {
    /// The TCP port on 127.0.0.1; with a port for each camera, that of the first.
    pub port: u16,
    /// What was served so far.
    pub served: Arc<Served>,
    /// When the cameras were ready: the zero of the script of faults.
    pub ready: MediaTime,
    /// By camera (from 0).
    ports: Vec<u16>,
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
        (1..).take(self.ports.len()).map(|camera| (self.main_url(camera), self.sub_url(camera))).collect()
    }
    fn url(&self, camera: u32, kind: StreamKind) -> String {
        let port = (camera as usize).checked_sub(1).and_then(|i| self.ports.get(i)).unwrap_or(&self.port);
        format!("rtsp://127.0.0.1:{port}/cam{camera:02}/{}", kind.name())
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
    let (stop, cameras) = (stop.child(), options.cameras as usize);
    let sockets = bind(&options)?;
    let port = sockets[0].1;
    let (ledger, written) = ledger::Ledger::open(options.ledger.as_deref())?;
    if let Some(path) = &options.truth {
        write_truth(path, &options)?;
    }
    let tracks = prepare::tracks(&options, &faults, &stop).await?;
    // Only now, so that whoever can connect is also answered.
    let ports = if options.port_per_camera { sockets.iter().map(|s| s.1).collect() } else { vec![port; cameras] };
    let open = |(i, (socket, port)): (usize, (TcpSocket, u16))| {
        let camera = options.port_per_camera.then_some(i as u32 + 1);
        door::Door::open(socket, port, camera).map_err(|e| port_refused(port, &e))
    };
    let doors = sockets.into_iter().enumerate().map(open).collect::<Result<Vec<_>, _>>()?;
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
    tasks.spawn("sim", server::serve(doors, shared, written, stop.clone(), sender));
    tracing::info!(port, cameras, "simulated cameras are ready");
    Ok(Sim { port, served, ready, ports, stop, done })
}

/// Takes the ports: one, or one for each camera.
fn bind(options: &Options) -> Result<Vec<(TcpSocket, u16)>, Refusal> {
    let count = if options.port_per_camera { options.cameras as u16 } else { 1 };
    let port = |i| if options.port == 0 { 0 } else { options.port + i };
    (0..count).map(|i| door::bind(port(i)).map_err(|e| port_refused(port(i), &e))).collect()
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
