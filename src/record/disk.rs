//! The one thread that writes into a store folder.
//!
//! Fragments are appended with one write each; once a second everything is flushed, and only what has reached the disk is
//! told to the index. When the disk refuses, the segment is closed at its last whole fragment, the loss becomes a gap, and
//! a new file is tried at the next key frame.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, mpsc::UnboundedSender};

use super::{
    RecordedStream,
    fmp4::{self, Hash, Info},
    folder::{Folder, segment_path},
    index::Note,
    lost::Lost,
    segmenter::Fragment,
};
use crate::{
    domain::{
        ids::{SegmentId, StreamId},
        packet::StreamParams,
        segment::{FragmentEntry, GapCause, Segment},
    },
    runtime::{clock::Clock, counters::Counters, throttle::Throttle},
    store::Gap,
};

/// How often what was written is flushed, microseconds.
const SYNC_US: i64 = 1_000_000;
/// Up to so many files are flushed one by one; flushing the whole file system would wait for strangers' files too.
const FILES_ONE_BY_ONE: usize = 8;
/// How many names are tried for a file.
const NAMES_TRIED: u32 = 10;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Append; `room` is the fragment's part of the queue, given back when it is written.
    Append { stream: Arc<RecordedStream>, fragment: Fragment, room: OwnedSemaphorePermit },
    /// The stream ended: finish its file.
    Close(StreamId),
    /// A gap found elsewhere, for the index.
    Gap(Gap),
    /// Finish everything and end.
    Stop,
}

/// A file being written.
struct Open {
    local: u64,
    file: File,
    path: String,
    /// What all of its fragments share.
    session: u32,
    params: Arc<StreamParams>,
    /// Session tick at which the segment starts.
    base_90k: i64,
    sequence: u32,
    hash: Hash,
    size_bytes: u64,
    end_us: i64,
    /// Its directory entry may not be on disk yet.
    fresh: bool,
    unsynced: Vec<FragmentEntry>,
}

/// The thread's state.
pub(super) struct Writer {
    folder: Folder,
    notes: UnboundedSender<Note>,
    clock: Clock,
    counters: Arc<Counters>,
    throttle: Throttle,
    open: HashMap<StreamId, Open>,
    /// Finished files whose last fragments are not flushed yet.
    closing: Vec<Open>,
    /// What the disk refused, per stream, until it takes again.
    lost: HashMap<StreamId, Lost>,
    next_local: u64,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(folder: Folder, notes: UnboundedSender<Note>, clock: Clock, counters: Arc<Counters>) -> Self {
        Self {
            folder,
            notes,
            clock,
            counters,
            throttle: Throttle::default(),
            open: HashMap::new(),
            closing: Vec::new(),
            lost: HashMap::new(),
            next_local: 1,
            buffer: Vec::new(),
        }
    }

    /// Works until it is told to stop or nobody can tell it anything any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut synced = self.clock.boot();
        loop {
            let left_us = SYNC_US - self.clock.boot().since(synced).clamp(0, SYNC_US);
            match jobs.recv_timeout(Duration::from_micros(u64::try_from(left_us).unwrap_or(0))) {
                Ok(Job::Append { stream, fragment, room }) => {
                    self.append(&stream, &fragment);
                    drop(room);
                }
                Ok(Job::Close(stream)) => {
                    self.closing.extend(self.open.remove(&stream));
                    self.told_lost(stream);
                }
                Ok(Job::Gap(gap)) => self.note(Note::Gap(gap)),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.clock.boot().since(synced) >= SYNC_US {
                self.sync();
                synced = self.clock.boot();
            }
        }
        self.closing.extend(self.open.drain().map(|(_, open)| open));
        self.sync();
        for stream in self.lost.keys().copied().collect::<Vec<_>>() {
            self.told_lost(stream);
        }
        // The folder is unlocked before the index hears that this was all.
        let Self { folder, notes, .. } = self;
        drop(folder);
        drop(notes);
    }

    fn note(&self, note: Note) {
        // The index is gone only when the process ends by force; files can be read without it.
        let _ = self.notes.send(note);
    }

    fn append(&mut self, stream: &RecordedStream, fragment: &Fragment) {
        // The fragment that should have opened a file may have been shed: its followers do not belong into the old one.
        let (params, session) = (&fragment.params, session_of(fragment));
        if self.open.get(&stream.stream).is_some_and(|o| fragment.opens || o.session != session || o.params != *params)
        {
            self.closing.extend(self.open.remove(&stream.stream));
        }
        let open = match self.open.remove(&stream.stream) {
            Some(open) => Ok(open),
            // After a refusal nothing can be shown before the next key frame.
            None if !fragment.opens && !fragment.key => {
                return self.refused(stream, fragment, &io::Error::other("waiting for a key frame"));
            }
            None => self.open_file(stream, fragment),
        };
        match open.map(|open| self.write(open, fragment)) {
            Ok((open, Ok(()))) => {
                self.told_lost(stream.stream);
                self.counters.packets_recorded.add(fragment.samples.len() as u64);
                self.counters.fragments.add(1);
                self.open.insert(stream.stream, open);
            }
            Ok((open, Err(error))) => {
                self.closing.push(open);
                self.refused(stream, fragment, &error);
            }
            Err(error) => self.refused(stream, fragment, &error),
        }
    }

    fn open_file(&mut self, stream: &RecordedStream, fragment: &Fragment) -> io::Result<Open> {
        let (params, start_us) = (&fragment.params, fragment.start.us());
        let params_sha256 = fmp4::params_sha256(params);
        let info = Info {
            site: self.folder.site().to_owned(),
            camera: stream.camera,
            camera_code: stream.camera_code.clone(),
            stream: stream.stream,
            kind: stream.kind,
            start_us,
            params_sha256: params_sha256.clone(),
        };
        let init = fmp4::init(params, &info).map_err(io::Error::other)?;
        let (path, mut file) = create(self.folder.root(), stream, start_us)?;
        if let Err(error) = file.write_all(&init) {
            // An empty file holds no recording.
            let _ = fs::remove_file(self.folder.root().join(&path));
            return Err(error);
        }
        self.counters.bytes_written.add(init.len() as u64);
        let local = self.next_local;
        self.next_local += 1;
        let segment = Segment {
            id: SegmentId(0),
            stream: stream.stream,
            path: path.clone(),
            start_us,
            end_us: start_us,
            open: true,
            init_bytes: u32::try_from(init.len()).map_err(io::Error::other)?,
            size_bytes: init.len() as u64,
            codec: params.codec,
            rfc6381: params.rfc6381.clone(),
            width: params.width,
            height: params.height,
            params_sha256,
            fragments: Vec::new(),
        };
        self.note(Note::Open { local, segment: Box::new(segment) });
        Ok(Open {
            local,
            file,
            path,
            session: session_of(fragment),
            params: fragment.params.clone(),
            base_90k: fragment.start_90k,
            sequence: 1,
            hash: fmp4::chain_start(&init),
            size_bytes: init.len() as u64,
            end_us: start_us,
            fresh: true,
            unsynced: Vec::new(),
        })
    }

    fn write(&mut self, mut open: Open, fragment: &Fragment) -> (Open, io::Result<()>) {
        self.buffer.clear();
        let size_bytes = match fmp4::push_fragment(&mut self.buffer, fragment, open.base_90k, open.sequence) {
            Ok(size) => size,
            Err(error) => return (open, Err(io::Error::other(error))),
        };
        let hash = fmp4::chained(&open.hash, &self.buffer);
        fmp4::push_hash(&mut self.buffer, &hash);
        if let Err(error) = open.file.write_all(&self.buffer) {
            // The file ends at its last whole fragment again; if not, its table does.
            let _ = open.file.set_len(open.size_bytes);
            return (open, Err(error));
        }
        open.unsynced.push(FragmentEntry {
            offset: open.size_bytes,
            size_bytes,
            start_90k: u64::try_from(fragment.start_90k.saturating_sub(open.base_90k)).unwrap_or(0),
            duration_90k: fragment.duration_90k,
            key: fragment.key,
        });
        open.size_bytes += self.buffer.len() as u64;
        open.sequence = open.sequence.wrapping_add(1);
        open.hash = hash;
        open.end_us = fragment.end.us();
        self.counters.bytes_written.add(self.buffer.len() as u64);
        (open, Ok(()))
    }

    fn refused(&mut self, stream: &RecordedStream, fragment: &Fragment, error: &io::Error) {
        self.counters.packets_lost.add(fragment.samples.len() as u64);
        if let Some(times) = self.throttle.say(1, self.clock.boot()) {
            tracing::error!(camera = %stream.camera, kind = stream.kind.name(), times, %error, "the disk refused a fragment");
        }
        let lost = || Lost::new(stream.stream, GapCause::Disk, error.to_string());
        self.lost.entry(stream.stream).or_insert_with(lost).add(fragment);
    }

    fn told_lost(&mut self, stream: StreamId) {
        if let Some(lost) = self.lost.remove(&stream) {
            self.note(Note::Gap(lost.gap()));
        }
    }

    /// Flushes, then tells the index what is on disk.
    fn sync(&mut self) {
        let closing = std::mem::take(&mut self.closing);
        let dirty = || self.open.values().filter(|o| !o.unsynced.is_empty()).chain(&closing);
        let result = if dirty().count() > FILES_ONE_BY_ONE {
            self.folder.sync()
        } else {
            dirty().try_for_each(|open| flush(self.folder.root(), open))
        };
        if let Err(error) = result {
            // What is on disk now is unknown. Unflushed fragments stay unindexed; if they are whole, the next start
            // finds them. Everything goes on in new files.
            tracing::error!(%error, "the disk could not flush the recordings; new files are begun");
            self.open.clear();
            return;
        }
        for open in self.open.values_mut().filter(|o| !o.unsynced.is_empty()) {
            let _ = self.notes.send(open.progress(false));
        }
        for mut open in closing {
            tracing::debug!(path = open.path, bytes = open.size_bytes, "segment finished");
            self.note(open.progress(true));
        }
    }
}

impl Open {
    fn progress(&mut self, closed: bool) -> Note {
        self.fresh = false;
        let added = std::mem::take(&mut self.unsynced);
        Note::Progress { local: self.local, end_us: self.end_us, size_bytes: self.size_bytes, added, closed }
    }
}

/// A fragment holds packets of one session.
fn session_of(fragment: &Fragment) -> u32 {
    fragment.samples.first().map_or(0, |s| s.packet.session)
}

fn flush(root: &Path, open: &Open) -> io::Result<()> {
    open.file.sync_data()?;
    if open.fresh {
        for folder in Path::new(&open.path).ancestors().skip(1) {
            File::open(root.join(folder))?.sync_all()?;
        }
    }
    Ok(())
}

fn create(root: &Path, stream: &RecordedStream, start_us: i64) -> io::Result<(String, File)> {
    let mut attempt = 0;
    loop {
        let path = segment_path(stream, start_us, attempt);
        let full = root.join(&path);
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent)?;
        }
        match OpenOptions::new().append(true).create_new(true).open(&full) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && attempt < NAMES_TRIED => attempt += 1,
            Err(e) => return Err(e),
        }
    }
}
