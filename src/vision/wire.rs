//! The running child as the parent holds it: the process, its socket, what is still to be written.

use std::{collections::VecDeque, os::unix::net::UnixStream as StdStream, path::Path, process::Stdio, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, ChildStderr, Command},
};

use super::{
    classifier::ClassifierModel,
    detect::runtime::TELEMETRY_OFF,
    link::{self, Down, LinkError, MODEL_PART},
    model::Model,
    sandbox::REGISTRY,
};
use crate::{
    domain::{
        ids::CameraId,
        time::{BootTime, MediaTime},
    },
    runtime::throttle::Throttle,
};

/// So many bytes are written without waiting for more; it spares both processes most of their wake-ups.
const WRITE_AT_ONCE: usize = 64 << 10;

/// The most of a line of the child's log that is passed on, bytes.
const LINE_MAX: usize = 1000;
/// Descriptors from this one on are the parent's own business.
const FIRST_OWN: i32 = 3;
/// The parent looks for words this often before it calls the child silent.
const LISTENED_MIN: u32 = 10;

/// What of the parent's environment the child gets, by the beginning of the name: where libraries are and how they behave,
/// the language. The rest may hold what is nobody's business there.
const ENVIRONMENT: [&str; 12] =
    ["LD_", "GST_", "ORC_", "ORT_", "VONGLAU_", "RUST_", "LANG", "LC_", "TZ", "MALLOC_", "GLIBC_", "FAKETIME"];

fn is_for_child(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    ENVIRONMENT.iter().any(|beginning| name.starts_with(beginning))
}

/// Why the child is given up.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It ended, or its socket did.
    #[error("it ended")]
    Ended,
    /// The socket's error.
    #[error("its socket failed: {0}")]
    Socket(#[from] std::io::Error),
    /// It says what cannot be.
    #[error("it cannot be believed: {0}")]
    Link(#[from] LinkError),
    /// Nothing was heard though there was something to say.
    #[error("it was silent for {0} s")]
    Silent(i64),
    /// Its memory grew beyond what it may hold, MiB.
    #[error("it held {0} MiB of memory")]
    Memory(u64),
    /// It does not get on with a camera.
    #[error("it got stuck at camera {0}")]
    Stuck(CameraId),
}

/// A started child.
#[derive(Debug)]
pub struct Wire {
    child: Child,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    log: Option<ChildStderr>,
    lines: BytesMut,
    throttle: Throttle,
    inbox: BytesMut,
    out: BytesMut,
    flush: bool,
    /// What is still to be sent of models, each with what announces it.
    models: VecDeque<(Option<Down>, Bytes)>,
    /// Since when something was said and nothing heard.
    unheard: Option<BootTime>,
    /// How often since then the parent had time to listen.
    listened: u32,
    /// When it was started.
    pub started: BootTime,
    /// What it is still loading, in this order.
    pub loading: VecDeque<Loading>,
}

/// What a child has to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loading {
    /// The detector.
    Detector,
    /// The extra classifier of that file.
    Classifier(String),
}

impl Wire {
    /// Starts `program vision` and greets it.
    ///
    /// # Errors
    /// The system's.
    pub fn start(
        program: &Path,
        registry: Option<&Path>,
        model: Option<&Model>,
        classifiers: &[&ClassifierModel],
        media: MediaTime,
        now: BootTime,
    ) -> Result<Self, WireError> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        // Whatever this process was given by who started it stays with this process.
        close_fds::CloseFdsBuilder::new().cloexecfrom(FIRST_OWN);
        let mut command = Command::new(program);
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_for_child(name)));
        if let Some(registry) = registry {
            // Prepared just now; the child may not write another.
            command.env(REGISTRY, registry).env("GST_REGISTRY_UPDATE", "no");
        }
        let mut child = command
            .arg("vision")
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            // Passed on by this process: the child may write into no file, and not into a terminal either.
            .stderr(Stdio::piped())
            .env(TELEMETRY_OFF.0, TELEMETRY_OFF.1)
            // The helper process of GStreamer's plugin scan would outlive a child that is killed.
            .env("GST_REGISTRY_FORK", "no")
            // Dozens of decoder threads would have an arena each.
            .env("MALLOC_ARENA_MAX", "2")
            // Ctrl-C at a terminal is for the parent: it lets the child finish.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        let mut wire = Self {
            log: child.stderr.take(),
            child,
            reader,
            writer,
            lines: BytesMut::new(),
            throttle: Throttle::default(),
            inbox: BytesMut::new(),
            out: BytesMut::new(),
            flush: true,
            models: VecDeque::new(),
            unheard: None,
            listened: 0,
            started: now,
            loading: VecDeque::new(),
        };
        wire.say(&Down::Hello { start: media }, now)?;
        if let Some(model) = model {
            let announced = Down::Model { spec: model.spec.clone(), size: model.bytes.len() as u64 };
            wire.models.push_back((Some(announced), model.bytes.clone()));
            wire.loading.push_back(Loading::Detector);
        }
        for ClassifierModel { bytes, spec } in classifiers {
            let announced = Down::Classifier { spec: spec.clone(), size: bytes.len() as u64 };
            wire.models.push_back((Some(announced), bytes.clone()));
            wire.loading.push_back(Loading::Classifier(spec.file.clone()));
        }
        Ok(wire)
    }
    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }
    /// Puts a message behind what is to be written.
    ///
    /// # Errors
    /// [`LinkError::TooLarge`].
    pub fn say(&mut self, message: &Down, now: BootTime) -> Result<(), LinkError> {
        if self.unheard.is_none() {
            (self.unheard, self.listened) = (Some(now), 0);
        }
        link::encode(message, &mut self.out)
    }
    /// What is to be written is to be written now.
    pub const fn flush(&mut self) {
        self.flush = true;
    }
    fn wants_to_write(&self) -> bool {
        !self.out.is_empty() && (self.flush || self.out.len() >= WRITE_AT_ONCE)
    }
    /// Puts the next parts of models behind, when there is room: the whole of one is never copied.
    ///
    /// # Errors
    /// None in practice: a part is smaller than the limit.
    pub fn feed_model(&mut self, now: BootTime) -> Result<(), LinkError> {
        while self.out.len() < MODEL_PART
            && let Some((announced, model)) = self.models.front_mut()
        {
            let (announced, data) = (announced.take(), model.split_to(model.len().min(MODEL_PART)));
            if model.is_empty() {
                self.models.pop_front();
            }
            if let Some(announced) = announced {
                self.say(&announced, now)?;
            }
            self.say(&Down::ModelPart { data }, now)?;
            self.flush = true;
        }
        Ok(())
    }
    /// Waits for bytes to come or for room to write, and reads or writes some. Loses nothing when dropped.
    ///
    /// # Errors
    /// [`WireError::Ended`] or the socket's.
    pub async fn turn(&mut self, may_read: bool) -> Result<Turn, WireError> {
        let wants_to_write = self.wants_to_write();
        let (reader, writer, lines) = (&mut self.reader, &mut self.writer, &mut self.lines);
        let log = async {
            match &mut self.log {
                Some(log) => log.read_buf(lines).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = link::read_some(reader, &mut self.inbox), if may_read => match read? {
                0 => Err(WireError::Ended),
                _ => Ok(Turn::Read),
            },
            written = writer.write(&self.out), if wants_to_write => {
                self.out.advance(written?);
                if self.out.is_empty() {
                    self.flush = false;
                }
                Ok(Turn::Written)
            }
            said = log => {
                if !matches!(said, Ok(1..)) {
                    self.log = None;
                }
                Ok(Turn::Said)
            }
            else => std::future::pending().await,
        }
    }
    /// Passes on what the child said in its log, a line a second at most.
    pub fn pass_on(&mut self, now: BootTime) {
        while let Some(end) =
            self.lines.iter().position(|b| *b == b'\n').or((self.lines.len() > LINE_MAX).then_some(LINE_MAX))
        {
            let line = self.lines.split_to((end + 1).min(self.lines.len()));
            let Some(times) = self.throttle.say(1, now) else { continue };
            // What it says may come from a stranger: no control characters reach a terminal.
            let text: String = String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).collect();
            tracing::info!(text, times, "the vision process says");
        }
    }
    /// The next whole message read, believed as far as it can be.
    ///
    /// # Errors
    /// [`LinkError`]: the child must go.
    pub fn hear(&mut self) -> Result<Option<link::Up>, LinkError> {
        let message: Option<link::Up> = link::decode(&mut self.inbox)?;
        if let Some(message) = &message {
            self.forgive();
            message.check()?;
        }
        Ok(message)
    }
    /// Begins to wait for an answer anew: the parent itself did not listen.
    pub const fn forgive(&mut self) {
        (self.unheard, self.listened) = (None, 0);
    }
    /// The parent has had time to listen once more.
    pub const fn listening(&mut self) {
        self.listened = self.listened.saturating_add(1);
    }
    /// Whether it listened often enough to say that nothing was said: it may have been held up itself.
    #[must_use]
    pub const fn is_listened_to(&self) -> bool {
        self.listened >= LISTENED_MIN
    }
    /// How long nothing was heard though something was said, microseconds.
    #[must_use]
    pub fn silent_us(&self, now: BootTime) -> i64 {
        self.unheard.map_or(0, |t| now.since(t))
    }
    /// Ends the child: lets it end by itself for `grace`, then kills it. How it ended, for the log.
    pub async fn end(mut self, grace: Duration) -> String {
        if let Ok(Ok(status)) = tokio::time::timeout(grace, self.child.wait()).await {
            return status.to_string();
        }
        // Fails only when it has ended just now.
        let _ = self.child.start_kill();
        match tokio::time::timeout(Duration::from_secs(2), self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            _ => "killed".to_owned(),
        }
    }
}

/// What [`Wire::turn`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There are new bytes: [`Wire::hear`].
    Read,
    /// Something was written.
    Written,
    /// There is something in its log: [`Wire::pass_on`].
    Said,
}
