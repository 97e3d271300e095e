//! `vonglau verify`: every file of a store folder against its own seals and against the file before; no database.
//!
//! A file that is missing is found by the file after it, unless all older files of the stream or its whole day are gone
//! too, or it stands in the folder's list of [`removed`](note_removed) files: that is how old recordings go.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

pub use super::reading::{Flaw, Wrong};
use super::{
    chain::{self, Hash, Link, QUARANTINE, Stem},
    folder::{LOCK, camera_of, site_of},
    reading::{self, Reading},
};
use crate::domain::{refusal::Refusal, time::Span};

/// Names of files that were removed on purpose, one a line, in the folder they were in.
pub(super) const REMOVED: &str = "removed";

/// Something wrong in a store folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The camera's code, or its folder's name when the file does not say it.
    pub camera: String,
    /// Main or sub.
    pub kind: String,
    /// The file, under the store folder.
    pub path: String,
    /// What and when.
    pub flaw: Flaw,
}

impl Problem {
    /// The second it is about, local time of the site, such as `2026-11-29 14:03:22`.
    #[must_use]
    pub fn second(&self) -> String {
        second(self.flaw.span.start_us)
    }
}

/// A time as a person reads it, local time of the site, such as `2026-11-29 14:03:22`.
pub(super) fn second(time_us: i64) -> String {
    let zone = jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").unwrap_or(jiff::tz::TimeZone::UTC);
    jiff::Timestamp::from_microsecond(time_us)
        .map_or_else(|_| "?".to_owned(), |t| t.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Segment files.
    pub files: u64,
    /// Whole fragments.
    pub fragments: u64,
    /// Bytes.
    pub bytes: u64,
    /// Files set aside because the disk could not flush them.
    pub quarantined: u64,
    /// What is wrong.
    pub problems: u64,
}

/// Reads the whole store folder; `tell` hears of each problem as it is found. A folder that is being written to can be
/// verified too.
///
/// # Errors
/// A [`Refusal`] when it is no store folder.
pub fn verify(root: &Path, tell: &mut dyn FnMut(&Problem)) -> Result<Report, Refusal> {
    site_of(root)?;
    let mut all = Verify { root, in_use: is_in_use(root), report: Report::default(), tell };
    for ((_, kind), folders) in chain::stream_folders(root) {
        let paths = folders.iter().map(|f| f.to_string_lossy().into_owned());
        all.stream(kind, &paths.collect::<Vec<_>>());
    }
    Ok(all.report)
}

fn is_in_use(root: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).open(root.join(LOCK)) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err()
}

struct Verify<'a> {
    root: &'a Path,
    in_use: bool,
    report: Report,
    tell: &'a mut dyn FnMut(&Problem),
}

/// What is remembered of a file until its stream is read.
struct Seen {
    camera: String,
    path: String,
    stem: Stem,
    start_us: i64,
    ends: Vec<Hash>,
    previous: Option<Link>,
    tail: Option<Flaw>,
}

impl Verify<'_> {
    fn stream(&mut self, kind: &'static str, folders: &[String]) {
        let mut files: Vec<(Stem, &String, String)> = Vec::new();
        for folder in folders {
            let names = chain::names(&self.root.join(folder));
            files.extend(names.into_iter().filter_map(|n| Some((chain::stem(&n)?, folder, n))));
        }
        files.sort_unstable();
        let newest = files.len().saturating_sub(1);
        let mut seen = HashMap::new();
        for (i, (stem, folder, name)) in files.iter().enumerate() {
            let path = format!("{folder}/{name}");
            if let Some(one) = self.file(kind, *stem, path, i == newest) {
                seen.insert(plain(&one.path).to_owned(), one);
            }
        }
        let oldest = files.first().map_or((i64::MIN, 0), |(stem, ..)| *stem);
        let mut by_time: Vec<_> = seen.values().collect();
        by_time.sort_unstable_by_key(|one| one.stem);
        // An end that is not whole and that the next file stands on was so when that was begun: the power went, or the
        // disk was full. What was cut off later is missed by the next file.
        let stood_on: HashSet<_> = seen.values().filter_map(|one| one.previous.as_ref()).map(|l| &l.hash).collect();
        for one in by_time {
            let tail = one.tail.clone().filter(|_| !one.ends.iter().any(|end| stood_on.contains(&hex::encode(end))));
            if let Some(flaw) = tail {
                self.problem(&one.camera, kind, &one.path, flaw);
            }
            if let Some(wrong) = one.previous.as_ref().and_then(|link| self.link(link, &seen, oldest)) {
                let start_us = match &wrong {
                    Wrong::Missing(path) => path.rsplit_once('/').and_then(|(_, n)| chain::stem(n)).map(|s| s.0),
                    _ => None,
                };
                let span = Span { start_us: start_us.unwrap_or(one.start_us).min(one.start_us), end_us: one.start_us };
                self.problem(&one.camera, kind, &one.path, Flaw { span, wrong });
            }
        }
    }

    fn problem(&mut self, camera: &str, kind: &str, path: &str, flaw: Flaw) {
        self.report.problems += 1;
        (self.tell)(&Problem { camera: camera.to_owned(), kind: kind.to_owned(), path: path.to_owned(), flaw });
    }

    fn file(&mut self, kind: &str, stem: Stem, path: String, newest: bool) -> Option<Seen> {
        let folder = path.split('/').nth(1).unwrap_or_default().to_owned();
        let read = match reading::read(&self.root.join(&path), stem.0, &mut |_| true) {
            Ok(read) => read,
            // Old recordings go while this reads.
            Err(error) if self.in_use && error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let span = Span { start_us: stem.0, end_us: stem.0 };
                self.problem(&folder, kind, &path, Flaw { span, wrong: Wrong::Unreadable(error.to_string()) });
                return None;
            }
        };
        let quarantined = path.ends_with(QUARANTINE);
        self.report.files += 1;
        self.report.quarantined += u64::from(quarantined);
        self.report.bytes += read.size_bytes;
        self.report.fragments += read.fragments.len() as u64;
        let camera = read.info.as_ref().map_or(folder, |info| info.camera_code.clone());
        // The run that writes into the newest file has not ended; a file set aside may end anywhere.
        let tail = read.tail.clone().filter(|_| !(quarantined || newest && self.in_use));
        for flaw in read.flaws.iter().cloned().chain(misnamed(&path, stem, kind, &read)) {
            self.problem(&camera, kind, &path, flaw);
        }
        let (start_us, previous) = read.info.map_or((stem.0, None), |info| (info.start_us, info.previous));
        Some(Seen { camera, path, stem, start_us, ends: read.ends, previous, tail })
    }

    fn link(&self, link: &Link, seen: &HashMap<String, Seen>, oldest: Stem) -> Option<Wrong> {
        let path = plain(&link.path);
        let Some(before) = seen.get(path) else {
            let (folder, name) = path.rsplit_once('/')?;
            let (folder, gone) = (self.root.join(folder), chain::stem(name)? < oldest);
            let known = gone || !folder.is_dir() || removed(&folder).contains(name);
            return (!known).then(|| Wrong::Missing(path.to_owned()));
        };
        let ends_so = |hash: &Hash| hex::encode(hash) == link.hash;
        if before.path.ends_with(QUARANTINE) || before.ends.iter().any(ends_so) {
            return None;
        }
        // It may have been read while it was written.
        let again = || reading::read(&self.root.join(&before.path), before.stem.0, &mut |_| true);
        if self.in_use && again().is_ok_and(|read| read.ends.iter().any(ends_so)) {
            return None;
        }
        Some(Wrong::Before(path.to_owned()))
    }
}

fn plain(path: &str) -> &str {
    path.strip_suffix(QUARANTINE).unwrap_or(path)
}

/// A file whose name says another camera, stream or time than itself.
pub(super) fn misnamed(path: &str, stem: Stem, kind: &str, read: &Reading) -> Option<Flaw> {
    let info = read.info.as_ref()?;
    let camera = camera_of(path).map(|(_, camera)| camera);
    let fits = info.start_us == stem.0 && camera == Some(info.camera) && info.kind.name() == kind;
    let end_us = read.end_us.unwrap_or(stem.0).max(stem.0);
    (!fits).then_some(Flaw { span: Span { start_us: stem.0, end_us }, wrong: Wrong::Name })
}

fn removed(folder: &Path) -> HashSet<String> {
    fs::read_to_string(folder.join(REMOVED)).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Notes in a file's folder that it is about to be removed on purpose, so that it is not missed later. Call it before
/// the file is removed; `path` is the one in the index.
///
/// # Errors
/// The disk's; the file may be removed all the same, [`verify`] will then say that it is missing.
pub fn note_removed(root: &Path, path: &str) -> io::Result<()> {
    let Some((folder, name)) = plain(path).rsplit_once('/') else { return Ok(()) };
    let mut list = OpenOptions::new().create(true).append(true).open(root.join(folder).join(REMOVED))?;
    list.write_all(format!("{name}\n").as_bytes())
}
