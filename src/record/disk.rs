//! The one thread that writes into a store folder.
//!
//! Fragments are appended with one write each; about once a second everything is flushed, and only what has reached the
//! disk is told to the index. When the disk refuses a write, the segment is closed at its last whole fragment, the loss
//! becomes a gap, and a new file is tried at the next key frame. When the disk cannot flush, each file is asked once for
//! itself; one that was hit is set aside and never written again, and what it should have held is written into a new
//! file from memory. A failed flush is never tried again: the system would say yes and have forgotten the bytes.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, mpsc::UnboundedSender};

use super::{
    RecordedStream,
    chain::{self, Link},
    file::{Held, Open},
    folder::Folder,
    index::Note,
    lost::Lost,
    segmenter::Fragment,
};
use crate::{
    domain::{ids::StreamId, segment::GapCause},
    runtime::{clock::Clock, counters::Counters, throttle::Throttle},
    store::Gap,
};

/// How often what was written is flushed, microseconds. At risk on a loss of power are a fragment of a second that is
/// not complete and what came since the last flush: with this, two seconds.
const SYNC_US: i64 = 800_000;
/// Up to so many files are flushed one by one; flushing the whole file system would wait for strangers' files too.
const FILES_ONE_BY_ONE: usize = 8;

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

/// The thread's state.
pub(super) struct Writer {
    folder: Folder,
    /// Names this run in every file.
    run: String,
    notes: UnboundedSender<Note>,
    clock: Clock,
    counters: Arc<Counters>,
    throttle: Throttle,
    open: HashMap<StreamId, Open>,
    /// Finished files whose last fragments are not flushed yet.
    closing: Vec<Open>,
    /// The last finished file of each stream; `None` for a stream's first.
    last: HashMap<StreamId, Option<Link>>,
    /// What the disk refused, per stream, until it takes again.
    lost: HashMap<StreamId, Lost>,
    next_local: u64,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(
        folder: Folder,
        run: String,
        notes: UnboundedSender<Note>,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            folder,
            run,
            notes,
            clock,
            counters,
            throttle: Throttle::default(),
            open: HashMap::new(),
            closing: Vec::new(),
            last: HashMap::new(),
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
                    self.append(&stream, Held { fragment, _room: room, again: false });
                }
                Ok(Job::Close(stream)) => {
                    self.close(stream);
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
        for stream in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(stream);
        }
        self.sync();
        // What a failed flush sent into new files.
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

    fn close(&mut self, stream: StreamId) {
        if let Some(open) = self.open.remove(&stream) {
            self.finish(open);
        }
    }

    fn finish(&mut self, open: Open) {
        if open.is_empty() {
            return open.discard(self.folder.root());
        }
        self.last.insert(open.stream.stream, Some(open.link()));
        self.closing.push(open);
    }

    fn append(&mut self, stream: &Arc<RecordedStream>, held: Held) {
        let fragment = &held.fragment;
        // The fragment that should have opened a file may have been shed: its followers do not belong into the old one.
        if fragment.opens || self.open.get(&stream.stream).is_some_and(|open| !open.fits(fragment)) {
            self.close(stream.stream);
        }
        let open = match self.open.remove(&stream.stream) {
            Some(open) => Ok(open),
            // After a refusal nothing can be shown before the next key frame.
            None if !fragment.opens && !fragment.key => {
                return self.refused(stream, fragment, &io::Error::other("waiting for a key frame"));
            }
            None => {
                let before = self.before(stream);
                self.create(stream, fragment, before)
            }
        };
        let mut open = match open {
            Ok(open) => open,
            Err(error) => return self.refused(stream, fragment, &error),
        };
        let samples = fragment.samples.len() as u64;
        match open.write(held, &mut self.buffer) {
            Ok(bytes) => {
                self.told_lost(stream.stream);
                self.counters.bytes_written.add(bytes);
                self.counters.packets_recorded.add(samples);
                self.counters.fragments.add(1);
                self.open.insert(stream.stream, open);
            }
            Err((held, error)) => {
                self.finish(open);
                self.refused(stream, &held.fragment, &error);
            }
        }
    }

    /// The stream's file before; looked up in the folder for the first of this run.
    fn before(&mut self, stream: &RecordedStream) -> Option<Link> {
        let root = self.folder.root();
        let found = || chain::last_link(root, stream.camera, stream.kind);
        self.last.entry(stream.stream).or_insert_with(found).clone()
    }

    fn create(&mut self, stream: &Arc<RecordedStream>, fragment: &Fragment, before: Option<Link>) -> io::Result<Open> {
        let (open, bytes) = Open::create(&self.folder, &self.run, stream, fragment, before, self.next_local)?;
        self.next_local += 1;
        self.counters.bytes_written.add(bytes);
        Ok(open)
    }

    fn refused(&mut self, stream: &RecordedStream, fragment: &Fragment, error: &io::Error) {
        self.counters.packets_lost.add(fragment.samples.len() as u64);
        self.counters.disk_refusals.add(1);
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
        // Finished ones first, so that the rows of a stream are entered in the order of its files.
        let mut dirty: Vec<_> = std::mem::take(&mut self.closing).into_iter().map(|open| (open, true)).collect();
        dirty.extend(self.open.extract_if(|_, open| open.is_dirty()).map(|(_, open)| (open, false)));
        if dirty.is_empty() {
            return;
        }
        let results = self.flush(&dirty);
        for ((mut open, closed), result) in dirty.into_iter().zip(results) {
            if let Err(error) = result {
                self.set_aside(open, closed, &error);
                continue;
            }
            for note in open.flushed(closed) {
                self.note(note);
            }
            if closed {
                tracing::debug!(path = open.path(), "segment finished");
            } else {
                self.open.insert(open.stream.stream, open);
            }
        }
    }

    /// One answer a file.
    fn flush(&self, dirty: &[(Open, bool)]) -> Vec<io::Result<()>> {
        if self.folder.is_never_flushed() {
            return dirty.iter().map(|_| Ok(())).collect();
        }
        if dirty.len() > FILES_ONE_BY_ONE {
            let Err(error) = self.folder.sync() else { return dirty.iter().map(|_| Ok(())).collect() };
            self.counters.flush_failures.add(1);
            tracing::error!(%error, files = dirty.len(), "the disk could not flush; each open file is asked once");
        }
        dirty.iter().map(|(open, _)| open.flush(self.folder.root())).collect()
    }

    /// Sets a file aside that could not be flushed; what is still in memory goes into a new one.
    fn set_aside(&mut self, open: Open, closed: bool, error: &io::Error) {
        self.counters.files_quarantined.add(1);
        let stream = open.stream.clone();
        let (note, link, held) = open.quarantine(self.folder.root());
        tracing::error!(
            camera = %stream.camera, path = link.path, fragments = held.len(), %error,
            "the disk could not flush this file; it is set aside and a new one is begun; check the disk"
        );
        if let Some(note) = note {
            self.note(note);
        }
        let mut fresh: Option<Open> = None;
        for held in held {
            if held.again {
                self.refused(&stream, &held.fragment, error);
                continue;
            }
            // In place of a key frame: the file set aside has the group's beginning.
            let open = match fresh.take() {
                Some(open) => Ok(open),
                None => self.create(&stream, &held.fragment, Some(link.clone())),
            };
            match open {
                Err(error) => self.refused(&stream, &held.fragment, &error),
                Ok(mut open) => match open.write(Held { again: true, ..held }, &mut self.buffer) {
                    Ok(bytes) => {
                        self.counters.bytes_written.add(bytes);
                        fresh = Some(open);
                    }
                    Err((held, error)) => {
                        self.refused(&stream, &held.fragment, &error);
                        if open.is_empty() { open.discard(self.folder.root()) } else { fresh = Some(open) }
                    }
                },
            }
        }
        match fresh {
            // The stream has gone on in another file already.
            Some(fresh) if closed => self.closing.push(fresh),
            Some(fresh) => drop(self.open.insert(stream.stream, fresh)),
            None if !closed => drop(self.last.insert(stream.stream, Some(link))),
            None => {}
        }
    }
}
