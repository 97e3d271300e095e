//! The index from files alone: for a database that was lost, or that does not know some files.
//!
//! A file says whose it is and what the index needs; its fragments are those whose seals are right. `reindex` only reads;
//! at a start a file that an earlier run left torn is cut behind its last whole fragment, like any it left open. Nothing
//! is renamed or removed, and a file that cannot be entered is named and left as it is.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    chain::{self, QUARANTINE, SEAL_BYTES},
    folder::{self, FolderError, LOCK},
    reading::{self, Reading},
    recover::off_thread,
};
use crate::{
    domain::{ids::SegmentId, packet::ticks_to_us, refusal::Refusal, segment::Segment},
    runtime::clock::Clock,
    store::{FileStream, Store, StoreError},
};

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Segment files in the folder.
    pub files: u64,
    /// Files entered.
    pub entered: u64,
    /// Files without a single whole fragment; left as they are.
    pub empty: u64,
    /// Files that could not be entered; left as they are.
    pub refused: u64,
}

/// Whether `root` is a store folder of ours, asked before a database is made for it.
///
/// # Errors
/// A [`Refusal`] when it is none.
pub fn check(root: &Path) -> Result<(), Refusal> {
    folder::site_of(root).map(drop)
}

/// Enters every file of the store folder that the index does not know, after taking over the folder's site when the
/// database is new. `tell` hears of each file that could not be entered. Nobody may be recording meanwhile.
///
/// # Errors
/// A [`Refusal`] when the folder is none, is in use or another site's; the database's error.
pub async fn reindex(
    root: &Path,
    store: &Store,
    clock: &Clock,
    tell: &mut (dyn FnMut(&str, &str) + Send),
) -> Result<Report, ReindexError> {
    let site = folder::site_of(root)?;
    let _lock = folder::lock(root, &root.join(LOCK)).map_err(FolderError::into_refusal)?;
    store.adopt_site(&site).await?;
    Pass { root: Arc::from(root), store, clock, site: &site, run: None }.all(tell).await
}

/// Why nothing could be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum ReindexError {
    /// The folder.
    #[error("{0}")]
    Folder(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Enters what an earlier run, or another computer, left in the folder, while `run` records; ends when all files have
/// been looked at.
pub(super) async fn in_background(root: PathBuf, store: &Store, clock: &Clock, site: &str, run: &str) {
    let pass = Pass { root: Arc::from(root), store, clock, site, run: Some(run) };
    let mut tell =
        |path: &str, why: &str| tracing::warn!(path, why, "a file that the index does not know stays unknown");
    match pass.all(&mut tell).await {
        Ok(Report { entered: 0, files, .. }) => tracing::info!(files, "the index knows every file"),
        Ok(report) => tracing::warn!(?report, "files that the index did not know were entered"),
        Err(error) => tracing::error!(%error, "files unknown to the index are looked for at the next start"),
    }
}

struct Pass<'a> {
    root: Arc<Path>,
    store: &'a Store,
    clock: &'a Clock,
    site: &'a str,
    /// The run whose files are being entered by themselves.
    run: Option<&'a str>,
}

/// While something is being recorded, read at most so much a second.
const BYTES_PER_SECOND: u64 = 32_000_000;
/// How often a file is looked at that says nothing yet: it may have been made a moment ago.
const LOOKS: u32 = 2;
/// And how long between.
const PAUSE: Duration = Duration::from_secs(1);

impl Pass<'_> {
    async fn all(&self, tell: &mut (dyn FnMut(&str, &str) + Send)) -> Result<Report, ReindexError> {
        let mut report = Report::default();
        let root = self.root.clone();
        for folders in off_thread(move || chain::stream_folders(&root)).await.into_values() {
            for folder in folders {
                let full = self.root.join(&folder);
                let names = off_thread(move || chain::names(&full)).await;
                let mut files: Vec<_> = names.into_iter().filter_map(|n| Some((chain::stem(&n)?, n))).collect();
                files.sort_unstable();
                let paths: Vec<_> = files.iter().map(|(_, name)| format!("{}/{name}", folder.display())).collect();
                report.files += paths.len() as u64;
                for path in self.store.unknown_paths(&paths).await? {
                    let next = paths.iter().position(|p| *p == path).and_then(|at| files.get(at + 1));
                    match self.one(&path, next.map(|((start_us, _), _)| *start_us)).await? {
                        Outcome::Entered => report.entered += 1,
                        Outcome::Known => {}
                        Outcome::Empty => report.empty += 1,
                        Outcome::Refused(why) => {
                            report.refused += 1;
                            tell(&path, &why);
                        }
                    }
                }
            }
        }
        Ok(report)
    }

    /// Cuts off what is behind the last whole fragment; the file's bytes then.
    async fn cut(&self, path: &str, read: &Reading) -> u64 {
        let Some(last) = read.fragments.last().filter(|_| read.tail.is_some() && read.flaws.is_empty()) else {
            return read.size_bytes;
        };
        if path.ends_with(QUARANTINE) {
            return read.size_bytes;
        }
        let (full, whole) = (self.root.join(path), last.offset + u64::from(last.size_bytes) + SEAL_BYTES as u64);
        let cut =
            off_thread(move || OpenOptions::new().write(true).open(full).and_then(|file| file.set_len(whole)).is_ok());
        match cut.await {
            true => {
                tracing::warn!(path, bytes = read.size_bytes - whole, "cut off a fragment that was not whole");
                whole
            }
            false => read.size_bytes,
        }
    }

    /// `next_us` is where the file after it begins.
    async fn one(&self, path: &str, next_us: Option<i64>) -> Result<Outcome, StoreError> {
        let start_us = path.rsplit_once('/').and_then(|(_, n)| chain::stem(n)).map_or(0, |(start, _)| start);
        let mut looks = 1;
        let mut read = loop {
            let full = self.root.join(path);
            let rate = self.run.map(|_| BYTES_PER_SECOND);
            let read = off_thread(move || Some(reading::read(&full, start_us, &mut |n| slowly(n, rate)))).await;
            match read {
                Some(Ok(read)) if read.info.is_some() || looks == LOOKS => break read,
                Some(Ok(_)) => {
                    looks += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                // Removed meanwhile.
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Known),
                Some(Err(error)) => return Ok(Outcome::Refused(error.to_string())),
                None => return Ok(Outcome::Refused("no thread to read it with".into())),
            }
        };
        if let (true, Some(next_us)) = (path.ends_with(QUARANTINE), next_us) {
            // What was not flushed stands in the next file again.
            keep_before(&mut read, next_us);
        }
        let Some((of, segment)) = row(path, &read) else {
            return Ok(match &read.info {
                Some(_) => Outcome::Empty,
                None => Outcome::Refused("không đọc được phần đầu tệp / its head cannot be read".into()),
            });
        };
        let Some(info) = &read.info else { return Ok(Outcome::Empty) };
        if self.run == Some(info.run.as_str()) {
            return Ok(Outcome::Known);
        }
        if info.site != self.site {
            return Ok(Outcome::Refused("tệp của một hệ thống khác / it is another site's".into()));
        }
        let size_bytes = if self.run.is_some() { self.cut(path, &read).await } else { read.size_bytes };
        let segment = Segment { size_bytes, ..segment };
        match self.store.restore_segment(&of, &segment, self.clock.wall()).await {
            Ok(true) => Ok(Outcome::Entered),
            Ok(false) => Ok(Outcome::Known),
            Err(StoreError::Refused(refusal)) => Ok(Outcome::Refused(refusal.to_string())),
            Err(error) => Err(error),
        }
    }
}

/// Recording comes first.
fn slowly(bytes: usize, rate: Option<u64>) -> bool {
    if let Some(rate) = rate {
        std::thread::sleep(Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / rate));
    }
    true
}

enum Outcome {
    Entered,
    Known,
    Empty,
    Refused(String),
}

fn keep_before(read: &mut Reading, next_us: i64) {
    let Some(info) = &read.info else { return };
    let starts_us =
        |ticks: u64| info.start_us.saturating_add(ticks_to_us(i64::try_from(ticks).unwrap_or(i64::MAX / 1000)));
    // Half a millisecond, for ticks are not whole microseconds.
    read.fragments.retain(|row| starts_us(row.start_90k).saturating_add(500) < next_us);
    read.end_us = read.end_us.map(|end_us| end_us.min(next_us));
}

/// The row of a file; `None` when nothing in it can be played.
fn row(path: &str, read: &Reading) -> Option<(FileStream, Segment)> {
    let info = read.info.as_ref()?;
    let (end_us, _) = (read.end_us?, read.fragments.first()?);
    let of = FileStream { camera: info.camera, code: info.camera_code.clone(), stream: info.stream, kind: info.kind };
    let segment = Segment {
        id: SegmentId(0),
        stream: info.stream,
        path: path.to_owned(),
        start_us: info.start_us,
        end_us,
        open: false,
        init_bytes: read.init_bytes,
        size_bytes: read.size_bytes,
        codec: info.codec,
        rfc6381: info.rfc6381.clone(),
        width: info.width,
        height: info.height,
        params_sha256: info.params_sha256.clone(),
        fragments: read.fragments.clone(),
    };
    Some((of, segment))
}
