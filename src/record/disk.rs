//! The one thread that writes into a store folder.
//!
//! A complete fragment is appended at once, with one write; about once a second everything is flushed by a thread of its
//! own ([`Flusher`]), and only what has reached the disk is told to the index. When the disk refuses a write, the segment is closed at its last whole fragment, the loss
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
    RecordedStream, alarms,
    chain::{self, Link},
    file::{Held, Open},
    flusher::{Answers, Flusher, Gone},
    folder::Folder,
    index::Note,
    lost::Lost,
    segmenter::Fragment,
};
use crate::{
    domain::{alarm::AlarmKind, ids::StreamId, segment::GapCause},
    runtime::{board::Board, clock::Clock, counters::Counters, throttle::Throttle},
    store::Gap,
};

/// How often what was written is flushed, microseconds. At risk on a loss of power are a fragment of a second that is
/// not complete and what came since the last flush: with this, two seconds.
const SYNC_US: i64 = 800_000;
/// How often it is looked whether a flush is over, microseconds.
const ANSWER_US: i64 = 20_000;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Append; `room` is the fragment's part of the queue, given back when it is written.
    Append { stream: Arc<RecordedStream>, fragment: Fragment, room: OwnedSemaphorePermit },
    /// The stream ended: finish its file.
    Close(StreamId),
    /// A gap found elsewhere, for the index.
    Gap(Gap),
    /// The store folder is there; before that everything is refused.
    Folder(Folder),
    /// Finish everything and end.
    Stop,
}

/// The thread's state.
pub(super) struct Writer {
    /// `None` while the store's disk is not there.
    folder: Option<Arc<Folder>>,
    flusher: Flusher,
    /// Names this run in every file.
    run: String,
    notes: UnboundedSender<Note>,
    clock: Clock,
    counters: Arc<Counters>,
    board: Arc<Board>,
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
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn new(
        run: String,
        notes: UnboundedSender<Note>,
        clock: Clock,
        counters: Arc<Counters>,
        board: Arc<Board>,
    ) -> io::Result<Self> {
        Ok(Self {
            folder: None,
            flusher: Flusher::start(counters.clone())?,
            run,
            notes,
            clock,
            counters,
            board,
            throttle: Throttle::default(),
            open: HashMap::new(),
            closing: Vec::new(),
            last: HashMap::new(),
            lost: HashMap::new(),
            next_local: 1,
            buffer: Vec::new(),
        })
    }

    /// Works until it is told to stop or nobody can tell it anything any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        if self.work(jobs).and_then(|()| self.end()).is_err() {
            tracing::error!("the thread that flushes is gone; recording ends, to be started anew");
        }
        for stream in self.lost.keys().copied().collect::<Vec<_>>() {
            self.told_lost(stream);
        }
        // The folder is unlocked before the index hears that this was all.
        let Self { folder, notes, .. } = self;
        drop(folder);
        drop(notes);
    }

    fn work(&mut self, jobs: &Receiver<Job>) -> Result<(), Gone> {
        let mut synced = self.clock.boot();
        loop {
            let left_us = SYNC_US - self.clock.boot().since(synced).clamp(0, SYNC_US);
            let left_us = if self.flusher.is_busy() { ANSWER_US } else { left_us };
            match jobs.recv_timeout(Duration::from_micros(left_us.unsigned_abs())) {
                Ok(Job::Append { stream, fragment, room }) => {
                    self.append(&stream, Held { fragment, _room: room, again: false });
                }
                Ok(Job::Close(stream)) => {
                    self.close(stream);
                    self.told_lost(stream);
                }
                Ok(Job::Gap(gap)) => self.note(Note::Gap(gap)),
                Ok(Job::Folder(folder)) => self.folder = Some(Arc::new(folder)),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(answers) = self.flusher.come()? {
                self.flushed(answers);
            }
            if !self.flusher.is_busy() && self.clock.boot().since(synced) >= SYNC_US {
                synced = self.clock.boot();
                self.flush()?;
            }
        }
    }

    /// Finishes every file.
    fn end(&mut self) -> Result<(), Gone> {
        for stream in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(stream);
        }
        // Again for what a failed flush sends into new files.
        while self.flusher.is_busy() || self.flush()? {
            let answers = self.flusher.wait()?;
            self.flushed(answers);
        }
        Ok(())
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
            return open.discard();
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
            None => self.create(stream, fragment, None),
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

    /// The store folder, if its disk is there.
    fn folder(&self) -> Option<&Arc<Folder>> {
        self.folder.as_ref().filter(|folder| folder.is_there())
    }

    /// A disk that was taken away leaves an empty folder of the system's own disk in its place; mounted again it is
    /// another file system, on which nothing is open.
    fn look_for_disk(&mut self) {
        let Some(folder) = self.folder.clone().filter(|folder| !folder.is_there()) else { return };
        match Folder::open(folder.root(), folder.site(), true) {
            Err(error) => alarms::missing(&self.board, error.refusal(), self.clock.media()),
            Ok(again) => {
                self.folder = Some(Arc::new(again));
                self.board.clear(AlarmKind::DiskMissing, None);
                let error = io::Error::other("its disk was taken away");
                for open in std::mem::take(&mut self.open).into_values() {
                    if open.is_dirty() { self.set_aside(open, false, &error) } else { self.finish(open) }
                }
                for open in self.closing.extract_if(.., |open| open.is_dirty()).collect::<Vec<_>>() {
                    self.set_aside(open, true, &error);
                }
            }
        }
    }

    /// `before` is the stream's file before; not given, it is this run's or looked up in the folder.
    fn create(&mut self, stream: &Arc<RecordedStream>, fragment: &Fragment, before: Option<Link>) -> io::Result<Open> {
        let folder = self.folder().cloned().ok_or_else(|| io::Error::other("the store's disk is not there"))?;
        let found = || chain::last_link(folder.root(), stream.camera, stream.kind);
        let before = before.or_else(|| self.last.entry(stream.stream).or_insert_with(found).clone());
        let (open, bytes) = Open::create(&folder, &self.run, stream, fragment, before, self.next_local)?;
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
        // The first refusal says why; those after it wait for a key frame.
        if self.lost.is_empty() && self.folder().is_some() {
            alarms::refused(&self.board, error, self.clock.media());
        }
        let lost = || Lost::new(stream.stream, GapCause::Disk, error.to_string());
        self.lost.entry(stream.stream).or_insert_with(lost).add(fragment);
    }

    fn told_lost(&mut self, stream: StreamId) {
        if let Some(lost) = self.lost.remove(&stream) {
            self.note(Note::Gap(lost.gap()));
            if self.lost.is_empty() {
                self.board.clear(AlarmKind::DiskRefused, None);
            }
        }
    }

    /// Asks for a flush of everything that is not on disk; whether there was something.
    fn flush(&mut self) -> Result<bool, Gone> {
        self.tell_closed();
        self.look_for_disk();
        let Some(folder) = self.folder.clone() else { return Ok(false) };
        // Finished ones first, so that the rows of a stream are entered in the order of its files.
        let all = self.closing.iter_mut().chain(self.open.values_mut());
        let files: Vec<_> = all.filter_map(Open::begin_flush).collect();
        if files.is_empty() {
            return Ok(false);
        }
        self.flusher.ask(folder, files)?;
        Ok(true)
    }

    /// Tells the index what is on disk, and sets aside what could not be flushed.
    fn flushed(&mut self, answers: Answers) {
        for (local, result) in answers {
            let mut all = self.open.values_mut().chain(&mut self.closing);
            let Some(open) = all.find(|open| open.local == local) else { continue };
            match result {
                Ok(()) => open.flushed().into_iter().for_each(|note| self.note(note)),
                Err(error) => {
                    let (stream, at) = (open.stream.stream, self.closing.iter().position(|o| o.local == local));
                    let aside = match at {
                        Some(at) => Some(self.closing.remove(at)),
                        None => self.open.remove(&stream),
                    };
                    if let Some(aside) = aside {
                        self.set_aside(aside, at.is_some(), &error);
                    }
                }
            }
        }
        self.tell_closed();
    }

    /// Tells the index of finished files that are on disk as a whole.
    fn tell_closed(&mut self) {
        for open in self.closing.extract_if(.., |open| !open.is_dirty()).collect::<Vec<_>>() {
            self.note(open.closed());
            tracing::debug!(path = open.path(), "segment finished");
        }
    }

    /// Sets a file aside that could not be flushed; what is still in memory goes into a new one.
    fn set_aside(&mut self, open: Open, closed: bool, error: &io::Error) {
        self.counters.files_quarantined.add(1);
        let stream = open.stream.clone();
        alarms::flush_failed(&self.board, &stream, error, self.clock.media());
        let (note, link, held) = open.quarantine();
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
                        if open.is_empty() { open.discard() } else { fresh = Some(open) }
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
