//! One segment file being written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use tokio::sync::OwnedSemaphorePermit;

use super::{
    RecordedStream,
    chain::{self, Hash, Info, Link, QUARANTINE, Seal},
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
    local: u64,
    file: File,
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
    flushed: (Hash, u64, i64),
    /// Its directory entry may not be on disk yet.
    fresh: bool,
    unflushed: Vec<(FragmentEntry, Held)>,
}

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
        let params_sha256 = fmp4::params_sha256(params);
        let info = Info {
            site: folder.site().to_owned(),
            run: run.to_owned(),
            camera: stream.camera,
            camera_code: stream.camera_code.clone(),
            stream: stream.stream,
            kind: stream.kind,
            start_us,
            codec: params.codec,
            rfc6381: params.rfc6381.clone(),
            width: params.width,
            height: params.height,
            params_sha256: params_sha256.clone(),
            previous,
        };
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
            params_sha256,
            fragments: Vec::new(),
        };
        let hash = chain::chain_start(&init);
        let open = Self {
            stream: stream.clone(),
            local,
            file,
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
        if let Err(error) = self.file.write_all(buffer) {
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
    pub(super) fn discard(self, root: &Path) {
        debug_assert!(self.is_empty());
        // What cannot be removed is a file without fragments, which harms nobody.
        let _ = fs::remove_file(root.join(&self.path));
    }

    /// Waits until the file is on disk. After an error this may not be asked again: the system forgets what it could
    /// not write, and says yes the second time.
    ///
    /// # Errors
    /// When something of it could not be written.
    pub(super) fn flush(&self, root: &Path) -> io::Result<()> {
        self.file.sync_data()?;
        if self.fresh {
            for folder in Path::new(&self.path).ancestors().skip(1) {
                File::open(root.join(folder))?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Everything written so far is on disk: what the index is told.
    pub(super) fn flushed(&mut self, closed: bool) -> Vec<Note> {
        self.fresh = false;
        self.flushed = (self.hash, self.size_bytes, self.end_us);
        let added: Vec<_> = std::mem::take(&mut self.unflushed).into_iter().map(|(entry, _)| entry).collect();
        if self.is_empty() {
            return Vec::new();
        }
        let open = self.segment.take().map(|segment| Note::Open { local: self.local, segment });
        let progress = Note::Progress {
            local: self.local,
            end_us: self.end_us,
            size_bytes: self.size_bytes,
            added,
            closed,
            path: None,
        };
        open.into_iter().chain([progress]).collect()
    }

    /// The disk could not flush this file: it is set aside under another name and nothing more is written into it.
    /// Gives what the index is told (what was flushed before stays as it is), the link for the file that takes over,
    /// and what is still in memory.
    pub(super) fn quarantine(self, root: &Path) -> (Option<Note>, Link, Vec<Held>) {
        let aside = format!("{}{QUARANTINE}", self.path);
        let path = match fs::rename(root.join(&self.path), root.join(&aside)) {
            Ok(()) => aside,
            Err(error) => {
                tracing::error!(path = self.path, %error, "the file could not be renamed; it stays where it is");
                self.path
            }
        };
        let (hash, size_bytes, end_us) = self.flushed;
        let link = Link { path: path.clone(), hash: hex::encode(hash) };
        let note =
            Note::Progress { local: self.local, end_us, size_bytes, added: Vec::new(), closed: true, path: Some(path) };
        let told = self.segment.is_none();
        (told.then_some(note), link, self.unflushed.into_iter().map(|(_, held)| held).collect())
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
