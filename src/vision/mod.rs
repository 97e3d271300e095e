//! The child process: packets to tracks and pictures.
//!
//! Purpose: hostile bytes can kill the child, never the recording. In: packets of the sub streams, a [`model::Model`],
//! questions for snapshots. Out: a [`FrameSeen`] for every analysed frame, pictures and the state on the board,
//! counters. Parent side: `parent` over `wire`, `lane` and `link`. Child side: `child` (reading), `decode` (GStreamer),
//! `desk` (the analysis thread), `mask`, `still` (single key frames), `worker` (gate → looks → track), `classifier` (extra
//! words on what is tracked), `picture`; all of it shut in by [`sandbox`]. [`analyze`] runs the same code over a file.
//!
//! Limits: 64 packets queued and 8 MiB under way a camera, 64 MiB for all; 5 analysed frames a second a camera; only
//! the newest waits. It refuses to decode in the serving process, to believe the child unchecked, and to load ONNX
//! Runtime while that could phone home.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        health::Reference, ids::CameraId, look::TrackLook, mask::Masks, packet::Packet, refusal::Refusal,
        track::FrameSeen,
    },
    runtime::{
        ask::{Snapshots, Stills},
        board::Board,
        clock::Clock,
        counters::Counters,
        stop::Stop,
        tasks::Tasks,
    },
};

pub mod analyze;
mod asked;
pub mod brute;
mod check;
pub mod child;
pub mod classifier;
pub mod decode;
pub mod desk;
pub mod detect;
pub mod examine;
pub mod gate;
mod given;
pub mod health;
pub mod install;
pub mod kept;
pub mod lane;
pub mod link;
mod looks;
pub mod mask;
pub mod model;
mod parent;
mod parts;
pub mod picture;
pub mod sandbox;
mod sight;
pub mod sluice;
pub mod still;
pub mod watch;
pub mod wire;
pub mod worker;

pub use child::{child_main, registry_main};
pub use detect::runtime::telemetry_is_off;

/// Packets of one camera that may wait to be taken up.
const CAMERA_QUEUE: usize = 64;
/// Analysed frames that may wait to be read.
const SEEN_QUEUE: usize = 256;
/// Looks of tracks that may wait to be read.
const LOOKS_QUEUE: usize = 256;
/// Questions for snapshots that may wait.
const ASK_QUEUE: usize = 32;
/// Key frames to be decoded that may wait.
const STILLS_QUEUE: usize = 4;

/// What is started as the child.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program; it is called with the word `vision`.
    pub path: PathBuf,
    /// Where what makes its start quick is kept, in a folder that only this account may write; `None`: nowhere.
    pub cache: Option<PathBuf>,
    /// The most memory it may hold, bytes; `None`: by the number of cameras.
    pub memory_max: Option<u64>,
    /// The site's extra classifiers, and those that are refused by the name of their file. Without a detector none is
    /// loaded: there is nothing to look at.
    pub classifiers: Vec<Result<classifier::ClassifierModel, (String, Refusal)>>,
}

impl From<PathBuf> for Program {
    fn from(path: PathBuf) -> Self {
        Self { path, cache: None, memory_max: None, classifiers: Vec::new() }
    }
}

impl From<&str> for Program {
    fn from(path: &str) -> Self {
        PathBuf::from(path).into()
    }
}

/// The parent's hold on the child.
#[derive(Debug, Clone)]
pub struct Vision {
    control: mpsc::UnboundedSender<given::Control>,
    pid: Arc<AtomicU32>,
}

/// What comes out.
#[derive(Debug)]
pub struct VisionOut {
    /// One for every analysed frame, in time order for each camera; ends when the child is stopped. Only after a clock
    /// that was set back by more than 10 s does a camera's time go back.
    pub seen: mpsc::Receiver<FrameSeen>,
    /// The looks of tracks; those of a track that is over stand here before the frame that ends it can be read.
    pub looks: mpsc::Receiver<TrackLook>,
    /// Where to ask for snapshots of recent frames.
    pub snapshots: Snapshots,
    /// Where to have key frames decoded.
    pub stills: Stills,
}

impl Vision {
    /// Starts the child (`program vision`), keeps it running, puts pictures and its state on the board. A refused model
    /// is said there too; everything else goes on without a detector.
    ///
    /// Returns at once; a program that cannot be started is tried again and said on the board.
    pub fn start(
        program: Program,
        model: Result<Option<model::Model>, Refusal>,
        clock: Clock,
        counters: Arc<Counters>,
        board: Arc<Board>,
        stop: Stop,
        tasks: &mut Tasks,
    ) -> (Self, VisionOut) {
        let (to_control, control) = mpsc::unbounded_channel();
        let (snapshots, asks) = mpsc::channel(ASK_QUEUE);
        let (to_stills, stills) = mpsc::channel(STILLS_QUEUE);
        let (seen, out) = mpsc::channel(SEEN_QUEUE);
        let (to_looks, looks) = mpsc::channel(LOOKS_QUEUE);
        let pid = Arc::new(AtomicU32::new(0));
        let (model, refused) = match model {
            Ok(model) => (model, None),
            Err(refusal) => (None, Some(refusal)),
        };
        let given = given::Given {
            program,
            model,
            refused,
            clock,
            looks: looks::Looks::new(to_looks, counters.clone()),
            counters,
            board,
            stop,
            control,
            asks,
            stills,
            seen,
            pid: pid.clone(),
        };
        tasks.spawn("vision", parent::Parent::new(given).run());
        (Self { control: to_control, pid }, VisionOut { seen: out, looks, snapshots, stills: to_stills })
    }
    /// Where a camera's sub-stream packets go (`try_send`; full means dropped and counted). Dropping the sender takes the camera away.
    #[must_use]
    pub fn camera(&self, camera: CameraId) -> mpsc::Sender<Packet> {
        let (sender, packets) = mpsc::channel(CAMERA_QUEUE);
        // After the end nobody listens; the sender says so by being closed.
        let _ = self.control.send(given::Control::Camera(camera, packets));
        sender
    }
    /// Somebody saved a camera's settings: nothing that it did to the child is held against it any more.
    pub fn saved(&self, camera: CameraId) {
        // After the end nobody listens.
        let _ = self.control.send(given::Control::Saved(camera));
    }
    /// The masks in force on all cameras, those without one left out; in place of those before, for the next frame looked
    /// at. To be said before the cameras they are of.
    pub fn masks(&self, masks: BTreeMap<CameraId, Masks>) {
        // After the end nothing is shown.
        let _ = self.control.send(given::Control::Masks(masks));
    }
    /// How a camera usually looks, as learned by an earlier run. To be said before that camera.
    pub fn remember(&self, camera: CameraId, reference: Reference) {
        let _ = self.control.send(given::Control::Remember(camera, reference));
    }
    /// A person says that how a camera looks now is right.
    pub fn accept_view(&self, camera: CameraId) {
        let _ = self.control.send(given::Control::Accept(camera));
    }
    /// Process id of the child, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }
    /// Lets the child finish what it has and waits for its end. Drop the cameras' senders before: it waits a second for
    /// that, then 4 s for the child.
    pub async fn finish(self) {
        let (reply, done) = oneshot::channel();
        if self.control.send(given::Control::Finish(reply)).is_ok() {
            // An error means that the task has ended: as good.
            let _ = done.await;
        }
    }
}
