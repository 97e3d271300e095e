//! One segment file being written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::OwnedSemaphorePermit;

use super::{
    RecordedStream,
    chain::{self, Hash, Info, Link, QUARANTINE, Seal},
    flusher::ToFlush,
    fmp4,
    folder::{Folder, segment_path},
    index::Note,
    segmenter::Fragment,
};
use crate::domain::{
    ids::SegmentId,
    packet::StreamParams,
    segment::{FragmentEntry, Segment},
};

/// How many names are tried for a file.
const NAMES_TRIED: u32 = 10;

/// A fragment that is not known to be on disk yet. It stays in memory, and its room in the queue with it, until it is.
#[derive(Debug)]
pub(super) struct Held {
    pub fragment: Fragment,
    /// The fragment's part of the queue, given back when this is dropped.
    pub _room: OwnedSemaphorePermit,
    /// Written for a second time, after the disk could not flush the first file; there is no third time.
    pub again: bool,
}

/// A file being written.
pub(super) struct Open {
    pub stream: Arc<RecordedStream>,
    pub local: u64,
    file: Arc<File>,
    /// The store folder, and the path under it.
    root: PathBuf,
    path: String,
    /// What all of its fragments share.
    session: u32,
    params: Arc<StreamParams>,
    /// The row, until the index has heard of it: that waits for a fragment on disk, so that no row is without media.
    segment: Option<Box<Segment>>,
    /// Session tick at which the segment starts.
    base_90k: i64,
    sequence: u32,
    hash: Hash,
    size_bytes: u64,
    end_us: i64,
    /// Hash, size and end at the last flush that went well.
    flushed: Point,
    /// Those when the flush under way was asked for, and how many of `unflushed` it is about.
    asked: Option<(Point, usize)>,
    /// Its directory entry may not be on disk yet.
    fresh: bool,
    /// Written and not known to be on disk.
    unflushed: Vec<(FragmentEntry, Held)>,
}

/// How far a file has come: hash, size in bytes, end in UTC microseconds.
type Point = (Hash, u64, i64);

/// A fragment holds packets of one session.
fn session_of(fragment: &Fragment) -> u32 {
    fragment.samples.first().map_or(0, |s| s.packet.session)
}

impl Open {
    /// Whether a fragment can go on in this file.
    pub(super) fn fits(&self, fragment: &Fragment) -> bool {
        self.session == session_of(fragment) && self.params == fragment.params
    }
    /// Makes the file and writes its head; how many bytes that is.
    ///
    /// # Errors
    /// When the disk refuses; then no file is left.
    pub(super) fn create(
        folder: &Folder,
        run: &str,
        stream: &Arc<RecordedStream>,
        fragment: &Fragment,
        previous: Option<Link>,
        local: u64,
    ) -> io::Result<(Self, u64)> {
        let (params, start_us) = (&fragment.params, fragment.start.us());
        let info = info(folder, run, stream, fragment, previous);
        let init = fmp4::init(params, &info).map_err(io::Error::other)?;
        let (path, mut file) = new_file(folder.root(), stream, start_us)?;
        if let Err(error) = file.write_all(&init) {
            // An empty file holds no recording.
            let _ = fs::remove_file(folder.root().join(&path));
            return Err(error);
        }
        let size_bytes = init.len() as u64;
        let segment = Segment {
            id: SegmentId(0),
            stream: stream.stream,
            path: path.clone(),
            start_us,
            end_us: start_us,
            open: true,
            init_bytes: u32::try_from(size_bytes).map_err(io::Error::other)?,
            size_bytes,
            codec: params.codec,
            rfc6381: params.rfc6381.clone(),
            width: params.width,
            height: params.height,
            params_sha256: info.params_sha256,
            fragments: Vec::new(),
        };
        let hash = chain::chain_start(&init);
        let open = Self {
            stream: stream.clone(),
            local,
            file: Arc::new(file),
            root: folder.root().to_owned(),
            path,
            segment: Some(Box::new(segment)),
            session: session_of(fragment),
            params: fragment.params.clone(),
            base_90k: fragment.start_90k,
            sequence: 1,
            hash,
            size_bytes,
            end_us: start_us,
            flushed: (hash, size_bytes, start_us),
            asked: None,
            fresh: true,
            unflushed: Vec::new(),
        };
        Ok((open, size_bytes))
    }

    /// Appends a fragment with one write and keeps it until it is flushed; how many bytes were written.
    ///
    /// # Errors
    /// When the disk refuses; the fragment comes back.
    pub(super) fn write(&mut self, held: Held, buffer: &mut Vec<u8>) -> Result<u64, (Held, io::Error)> {
        buffer.clear();
        let fragment = &held.fragment;
        let size_bytes = match fmp4::push_fragment(buffer, fragment, self.base_90k, self.sequence) {
            Ok(size) => size,
            Err(error) => return Err((held, io::Error::other(error))),
        };
        let end_us = fragment.end.us();
        let hash = chain::sealed(&self.hash, buffer, end_us);
        chain::push_seal(buffer, &Seal { end_us, hash });
        if let Err(error) = (&*self.file).write_all(buffer) {
            // The file ends at its last whole fragment again; if not, its table does.
            let _ = self.file.set_len(self.size_bytes);
            return Err((held, error));
        }
        let entry = FragmentEntry {
            offset: self.size_bytes,
            size_bytes,
            start_90k: u64::try_from(fragment.start_90k.saturating_sub(self.base_90k)).unwrap_or(0),
            duration_90k: fragment.duration_90k,
            key: fragment.key,
        };
        self.unflushed.push((entry, held));
        self.size_bytes += buffer.len() as u64;
        self.sequence = self.sequence.wrapping_add(1);
        self.hash = hash;
        self.end_us = end_us;
        Ok(buffer.len() as u64)
    }

    /// Whether it has fragments that are not known to be on disk.
    pub(super) fn is_dirty(&self) -> bool {
        !self.unflushed.is_empty()
    }
    /// Whether it has no fragment at all.
    pub(super) fn is_empty(&self) -> bool {
        self.sequence == 1
    }
    /// What the stream's next file names as the one before.
    pub(super) fn link(&self) -> Link {
        Link { path: self.path.clone(), hash: hex::encode(self.hash) }
    }
    /// Its path under the store folder.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
    /// Removes the file, which holds no recording yet.
    pub(super) fn discard(self) {
        debug_assert!(self.is_empty());
        // What cannot be removed is a file without fragments, which harms nobody.
        let _ = fs::remove_file(self.root.join(&self.path));
    }

    /// What is to be flushed now; `None` when nothing is.
    pub(super) fn begin_flush(&mut self) -> Option<ToFlush> {
        if !self.is_dirty() {
            return None;
        }
        self.asked = Some(((self.hash, self.size_bytes, self.end_us), self.unflushed.len()));
        let folders = Path::new(&self.path).ancestors().skip(1).filter(|_| self.fresh).map(PathBuf::from).collect();
        Some(ToFlush { local: self.local, file: self.file.clone(), folders })
    }

    /// What was to be flushed is on disk: what the index is told. What was written since waits for the next flush.
    pub(super) fn flushed(&mut self) -> Vec<Note> {
        let Some((point, count)) = self.asked.take() else { return Vec::new() };
        self.fresh = false;
        self.flushed = point;
        let added = self.unflushed.drain(..count).map(|(entry, _)| entry).collect();
        let open = self.segment.take().map(|segment| Note::Open { local: self.local, segment });
        open.into_iter().chain([self.progress(added, false, None)]).collect()
    }

    /// Nothing more will be written and everything is on disk: what the index is told.
    pub(super) fn closed(&self) -> Note {
        self.progress(Vec::new(), true, None)
    }

    fn progress(&self, added: Vec<FragmentEntry>, closed: bool, path: Option<String>) -> Note {
        let (_, size_bytes, end_us) = self.flushed;
        Note::Progress { local: self.local, end_us, size_bytes, added, closed, path }
    }

    /// The disk could not flush this file: it is set aside under another name and nothing more is written into it.
    /// Gives what the index is told (what was flushed before stays as it is), the link for the file that takes over,
    /// and what is still in memory.
    pub(super) fn quarantine(self) -> (Option<Note>, Link, Vec<Held>) {
        let aside = format!("{}{QUARANTINE}", self.path);
        let path = match fs::rename(self.root.join(&self.path), self.root.join(&aside)) {
            Ok(()) => aside,
            Err(error) => {
                tracing::error!(path = self.path, %error, "the file could not be renamed; it stays where it is");
                self.path.clone()
            }
        };
        let link = Link { path: path.clone(), hash: hex::encode(self.flushed.0) };
        let note = self.segment.is_none().then(|| self.progress(Vec::new(), true, Some(path)));
        (note, link, self.unflushed.into_iter().map(|(_, held)| held).collect())
    }
}

/// What the file says about itself.
fn info(folder: &Folder, run: &str, stream: &RecordedStream, fragment: &Fragment, previous: Option<Link>) -> Info {
    let params = &fragment.params;
    Info {
        site: folder.site().to_owned(),
        run: run.to_owned(),
        camera: stream.camera,
        camera_code: stream.camera_code.clone(),
        stream: stream.stream,
        kind: stream.kind,
        start_us: fragment.start.us(),
        codec: params.codec,
        rfc6381: params.rfc6381.clone(),
        width: params.width,
        height: params.height,
        params_sha256: fmp4::params_sha256(params),
        previous,
    }
}

fn new_file(root: &Path, stream: &RecordedStream, start_us: i64) -> io::Result<(String, File)> {
    let mut attempt = 0;
    loop {
        let path = segment_path(stream, start_us, attempt);
        let full = root.join(&path);
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent)?;
        }
        if attempt < NAMES_TRIED && root.join(format!("{path}{QUARANTINE}")).exists() {
            attempt += 1;
            continue;
        }
        match OpenOptions::new().append(true).create_new(true).open(&full) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && attempt < NAMES_TRIED => attempt += 1,
            Err(e) => return Err(e),
        }
    }
}
