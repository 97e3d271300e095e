//! What is on disk, entered into the store; retried while recording goes on.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Mutex, mpsc::UnboundedReceiver};

use crate::{
    domain::{
        ids::SegmentId,
        segment::{FragmentEntry, Segment},
    },
    runtime::{counters::Counters, tasks::ShortTasks},
    store::{Gap, SegmentProgress, Store, StoreError},
};

/// What the writer tells.
#[derive(Debug)]
pub(super) enum Note {
    /// A file was made; `local` is its number within this run.
    Open { local: u64, segment: Box<Segment> },
    /// Fragments reached the disk; `path` when the file was set aside under another name.
    Progress { local: u64, end_us: i64, size_bytes: u64, added: Vec<FragmentEntry>, closed: bool, path: Option<String> },
    /// Something was not recorded.
    Gap(Gap),
}

/// Fragments that may wait for a store that does not answer: three hours of 37 cameras.
const FRAGMENTS_MAX: usize = 1_000_000;
/// Gaps that may wait.
const GAPS_MAX: usize = 10_000;
/// The first and the longest wait after an error.
const WAIT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Tries after the writer has ended; what is left then is mended at the next start.
const TRIES_AT_END: u32 = 12;
/// Segments in one transaction.
const BATCH: usize = 200;

#[derive(Debug, Default)]
struct Waiting {
    end_us: i64,
    size_bytes: u64,
    added: Vec<FragmentEntry>,
    closed: bool,
    path: Option<String>,
}

/// Enters notes into the store, in order.
pub(super) struct Indexer {
    store: Store,
    notes: UnboundedReceiver<Note>,
    ids: HashMap<u64, SegmentId>,
    opens: VecDeque<(u64, Box<Segment>)>,
    gaps: VecDeque<Gap>,
    progress: BTreeMap<u64, Waiting>,
    fragments: usize,
    /// Whether a batch was refused: then rows go in one by one, so that one bad row does not hold up the others.
    one_by_one: bool,
    /// Panics to come.
    #[cfg(test)]
    panics: u32,
}

impl Indexer {
    pub(super) fn new(store: Store, notes: UnboundedReceiver<Note>) -> Self {
        Self {
            store,
            notes,
            ids: HashMap::new(),
            opens: VecDeque::new(),
            gaps: VecDeque::new(),
            progress: BTreeMap::new(),
            fragments: 0,
            one_by_one: false,
            #[cfg(test)]
            panics: 0,
        }
    }

    /// Works as [`Indexer::run`] does, also through panics: recording waits for nobody here.
    pub(super) async fn supervised(self, counters: Arc<Counters>) {
        let (indexer, work, mut wait) = (Arc::new(Mutex::new(self)), ShortTasks::default(), WAIT.0);
        loop {
            let mine = indexer.clone();
            if work.run(async move { mine.lock().await.run().await }).await.is_ok() {
                return;
            }
            counters.panics.add(1);
            tracing::error!("entering recordings into the index panicked; it is begun again, recording goes on");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WAIT.1);
        }
    }

    /// Works until the writer has ended and everything is entered, or the store does not answer any more.
    async fn run(&mut self) {
        let (mut wait, mut ended, mut tries_left) = (WAIT.0, false, TRIES_AT_END);
        loop {
            if self.is_empty() {
                match self.notes.recv().await {
                    Some(note) => self.take(note),
                    None => return,
                }
            }
            while let Ok(note) = self.notes.try_recv() {
                self.take(note);
            }
            let Err(error) = self.enter().await else {
                wait = WAIT.0;
                continue;
            };
            tracing::warn!(%error, waiting = self.fragments, "the index could not be written; recording goes on");
            if ended {
                tries_left -= 1;
                if tries_left == 0 {
                    tracing::error!(
                        segments = self.progress.len(),
                        "left for the next start: the index is not complete"
                    );
                    return;
                }
                tokio::time::sleep(WAIT.0).await;
                continue;
            }
            let deadline = tokio::time::sleep(wait);
            tokio::pin!(deadline);
            loop {
                tokio::select! {
                    () = &mut deadline => break,
                    note = self.notes.recv() => match note {
                        Some(note) => self.take(note),
                        None => { ended = true; break }
                    },
                }
            }
            wait = (wait * 2).min(WAIT.1);
        }
    }

    fn is_empty(&self) -> bool {
        self.opens.is_empty() && self.gaps.is_empty() && self.progress.is_empty()
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Open { local, segment } => self.opens.push_back((local, segment)),
            Note::Gap(gap) => {
                self.gaps.push_back(gap);
                if self.gaps.len() > GAPS_MAX {
                    self.gaps.pop_front();
                }
            }
            Note::Progress { local, end_us, size_bytes, added, closed, path } => {
                self.fragments += added.len();
                let waiting = self.progress.entry(local).or_default();
                waiting.added.extend(added);
                (waiting.end_us, waiting.size_bytes, waiting.closed) = (end_us, size_bytes, closed);
                waiting.path = path.or(waiting.path.take());
                while self.fragments > FRAGMENTS_MAX && self.progress.len() > 1 {
                    self.forget_oldest();
                }
            }
        }
    }

    /// The file keeps everything; its row, if it has one, stays open and is completed at the next start.
    fn forget_oldest(&mut self) {
        if let Some((local, waiting)) = self.progress.pop_first() {
            self.fragments -= waiting.added.len();
            self.ids.remove(&local);
            tracing::error!(
                local,
                fragments = waiting.added.len(),
                "too much waits for the index; the file is read again at the next start"
            );
        }
    }

    async fn enter(&mut self) -> Result<(), StoreError> {
        #[cfg(test)]
        if self.panics > 0 {
            self.panics -= 1;
            panic!("on purpose");
        }
        while let Some((local, segment)) = self.opens.front() {
            match self.store.open_segment(segment).await {
                Ok(id) => {
                    self.ids.insert(*local, id);
                    self.opens.pop_front();
                }
                Err(error) if error.is_lasting() => {
                    let path = self.opens.pop_front().map(|(_, s)| s.path);
                    tracing::error!(?path, %error, "a segment could not be entered into the index");
                }
                Err(error) => return Err(error),
            }
        }
        while let Some(gap) = self.gaps.front() {
            match self.store.add_gap(gap).await {
                Ok(()) => drop(self.gaps.pop_front()),
                Err(error) if error.is_lasting() => {
                    tracing::error!(%error, gap = ?self.gaps.pop_front(), "a gap could not be entered");
                }
                Err(error) => return Err(error),
            }
        }
        while !self.progress.is_empty() {
            self.enter_batch().await?;
        }
        self.one_by_one = false;
        Ok(())
    }

    async fn enter_batch(&mut self) -> Result<(), StoreError> {
        let size = if self.one_by_one { 1 } else { BATCH };
        let locals: Vec<u64> = self.progress.keys().copied().take(size).collect();
        let row = |local: &u64| {
            let (id, waiting) = (*self.ids.get(local)?, self.progress.get(local)?);
            let Waiting { end_us, size_bytes, ref added, closed, .. } = *waiting;
            Some(SegmentProgress { id, end_us, size_bytes, added: added.clone(), closed })
        };
        let rows: Vec<_> = locals.iter().filter_map(row).collect();
        if let Err(error) = self.store.progress_segments(&rows).await {
            if !error.is_lasting() {
                return Err(error);
            }
            self.one_by_one = true;
            if let [local] = locals[..] {
                tracing::error!(%error, "a segment's progress could not be entered; its file is read again at the next start");
                self.done(local, true);
            }
            return Ok(());
        }
        for local in locals {
            let moved = self.progress.get_mut(&local).and_then(|w| w.path.take());
            if let (Some(path), Some(id)) = (moved, self.ids.get(&local))
                && let Err(error) = self.store.move_segment(*id, &path).await
            {
                tracing::error!(path, %error, "the index has a file that was set aside under its old name");
            }
            self.done(local, false);
        }
        Ok(())
    }

    fn done(&mut self, local: u64, forget: bool) {
        if let Some(waiting) = self.progress.remove(&local) {
            self.fragments -= waiting.added.len();
            if waiting.closed || forget {
                self.ids.remove(&local);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            camera::CameraDraft,
            query::Actor,
            time::{Span, WallTime},
        },
        record::testing::whole,
    };

    #[tokio::test]
    async fn a_panic_while_entering_rows_loses_none_of_them() {
        let store = Store::in_memory().await.unwrap();
        let draft = CameraDraft { name: "A".into(), main_url: "rtsp://127.0.0.1/1".into(), ..CameraDraft::default() };
        let actor = Actor { name: "test".into() };
        let camera = store.add_camera(&actor, &draft.checked().unwrap(), WallTime(1)).await.unwrap();
        let stream = store.camera(camera).await.unwrap().unwrap().streams[0].id;
        let (tell, notes) = tokio::sync::mpsc::unbounded_channel();
        let (_, whole) = whole();
        let row = Segment { stream, fragments: Vec::new(), ..whole.clone() };
        let progress = |n: usize, closed| Note::Progress {
            local: 1,
            end_us: whole.start_us + 1,
            size_bytes: whole.size_bytes,
            added: whole.fragments[n..=n].to_vec(),
            closed,
            path: None,
        };
        tell.send(Note::Open { local: 1, segment: Box::new(row) }).unwrap();
        for n in 0..whole.fragments.len() {
            tell.send(progress(n, n + 1 == whole.fragments.len())).unwrap();
        }
        drop(tell);
        let counters = Arc::<Counters>::default();
        let indexer = Indexer { panics: 2, ..Indexer::new(store.clone(), notes) };
        indexer.supervised(counters.clone()).await;
        assert_eq!(counters.panics.get(), 2);
        let rows = store.segments_in(stream, Span { start_us: 0, end_us: i64::MAX }).await.unwrap();
        assert_eq!((rows.len(), rows[0].open, &rows[0].fragments), (1, false, &whole.fragments));
    }
}
