//! The list of every access unit that was sent, so that a recording can be compared with it byte by byte.
//!
//! One JSON line a unit, written by a thread of its own: a slow disk holds up the sending, it never loses a line.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{camera::StreamKind, refusal::Refusal},
    runtime::tasks,
};

/// One access unit whose last byte was handed to the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the camera, from 1.
    pub camera: u32,
    /// Main or sub.
    pub stream: StreamKind,
    /// Number of the RTSP session of this stream, from 1.
    pub session: u32,
    /// RTP timestamp as sent, 90 kHz, wraps.
    pub rtp_time: u32,
    /// When its last byte was handed over, UTC microseconds.
    pub sent_us: i64,
    /// Whether decoding can start here.
    pub key: bool,
    /// Bytes of the unit as a recorder keeps it: NAL units each behind 4 bytes of length, no parameter sets.
    pub size: u32,
    /// SHA-256 of those bytes, hexadecimal.
    pub sha256: String,
    /// The moment of the clip it shows, microseconds from the clip's first frame; matches `t_us` of the truth.
    pub clip_us: u64,
}

/// Reads a ledger.
///
/// # Errors
/// The file's error, or `InvalidData` naming the line that is no entry.
pub fn read(path: &Path) -> std::io::Result<Vec<Entry>> {
    let parse = |(i, line): (usize, std::io::Result<String>)| {
        let wrong = |e| std::io::Error::new(std::io::ErrorKind::InvalidData, format!("line {}: {e}", i + 1));
        serde_json::from_str(&line?).map_err(wrong)
    };
    BufReader::new(File::open(path)?).lines().enumerate().map(parse).collect()
}

/// Units that may wait for the disk before sending waits too.
const WAITING_MAX: usize = 4096;

/// The way in; cloned into every session.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Option<mpsc::Sender<Entry>>);

/// Resolves when every line is in the file, after the last [`Ledger`] is dropped.
#[derive(Debug)]
pub(crate) struct Written(Option<oneshot::Receiver<()>>);

impl Ledger {
    /// Starts the file; without a path nothing is kept.
    pub(crate) fn open(path: Option<&Path>) -> Result<(Self, Written), Refusal> {
        let Some(path) = path else { return Ok((Self(None), Written(None))) };
        let refuse = |e: std::io::Error| {
            Refusal::new(
                format!("--ledger {}", path.display()),
                format!("không ghi được tệp này ({e}); chọn một thư mục có quyền ghi"),
                format!("cannot be written ({e}); choose a folder you may write to"),
            )
        };
        let file = BufWriter::new(File::create(path).map_err(refuse)?);
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let (done, written) = oneshot::channel();
        let write_all = move || {
            if let Err(error) = write_lines(file, receiver) {
                tracing::error!(%error, "the ledger is incomplete: its file cannot be written");
            }
            // Nobody waiting is fine.
            let _ = done.send(());
        };
        tasks::thread("sim-ledger", write_all).map_err(refuse)?;
        Ok((Self(Some(sender)), Written(Some(written))))
    }
    /// Enters one unit.
    pub(crate) async fn enter(&self, entry: impl FnOnce() -> Entry) {
        if let Some(sender) = &self.0 {
            // The writer ends early only when its disk fails, which it has said.
            let _ = sender.send(entry()).await;
        }
    }
}

impl Written {
    pub(crate) async fn wait(self) {
        if let Some(written) = self.0 {
            let _ = written.await;
        }
    }
}

fn write_lines(mut file: BufWriter<File>, mut entries: mpsc::Receiver<Entry>) -> std::io::Result<()> {
    while let Some(entry) = entries.blocking_recv() {
        serde_json::to_writer(&mut file, &entry)?;
        file.write_all(b"\n")?;
        if entries.is_empty() {
            // Whoever reads along sees whole lines up to now.
            file.flush()?;
        }
    }
    file.flush()
}
