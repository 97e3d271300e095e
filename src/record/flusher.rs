//! The thread that waits for the disk, so that the one that writes does not: what is complete is in the system's hands
//! at once, however long a flush takes, and a process that is killed loses nothing of it.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
};

use super::folder::Folder;
use crate::runtime::{counters::Counters, tasks::thread};

/// Up to so many files are flushed one by one; flushing the whole file system would wait for strangers' files too.
const FILES_ONE_BY_ONE: usize = 8;

/// A file to be flushed. After an error this may not be asked again: the system forgets what it could not write, and
/// says yes the second time.
pub(super) struct ToFlush {
    /// Its number within this run.
    pub local: u64,
    pub file: Arc<File>,
    /// Folders whose entries are new, the innermost first.
    pub folders: Vec<PathBuf>,
}

/// One answer a file.
pub(super) type Answers = Vec<(u64, io::Result<()>)>;

struct Batch {
    folder: Arc<Folder>,
    files: Vec<ToFlush>,
}

/// The writer's end. One batch at a time.
pub(super) struct Flusher {
    asks: Sender<Batch>,
    answers: Receiver<Answers>,
    busy: bool,
}

/// The thread is gone.
#[derive(Debug)]
pub(super) struct Gone;

impl Flusher {
    /// Starts the thread; it ends with this.
    pub(super) fn start(counters: Arc<Counters>) -> io::Result<Self> {
        let (asks, asked) = channel::<Batch>();
        let (tell, answers) = channel();
        thread("record-flush", move || {
            for batch in asked {
                let done = flush(&batch, &counters);
                // The folder is given back before the answer, so that who has all answers holds it alone.
                drop(batch);
                if tell.send(done).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { asks, answers, busy: false })
    }
    /// Whether an answer is still to come.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy
    }
    /// Asks; none may be busy.
    pub(super) fn ask(&mut self, folder: Arc<Folder>, files: Vec<ToFlush>) -> Result<(), Gone> {
        self.busy = true;
        self.asks.send(Batch { folder, files }).map_err(|_| Gone)
    }
    /// The answers, if they have come.
    pub(super) fn come(&mut self) -> Result<Option<Answers>, Gone> {
        match self.answers.try_recv() {
            Ok(answers) => {
                self.busy = false;
                Ok(Some(answers))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Gone),
        }
    }
    /// Waits for the answers.
    pub(super) fn wait(&mut self) -> Result<Answers, Gone> {
        self.busy = false;
        self.answers.recv().map_err(|_| Gone)
    }
}

fn flush(batch: &Batch, counters: &Counters) -> Answers {
    let Batch { folder, files } = batch;
    let all_well = || files.iter().map(|f| (f.local, Ok(()))).collect();
    if folder.is_never_flushed() {
        return all_well();
    }
    if files.len() > FILES_ONE_BY_ONE {
        let Err(error) = folder.sync() else { return all_well() };
        counters.flush_failures.add(1);
        tracing::error!(%error, files = files.len(), "the disk could not flush; each open file is asked once");
    }
    files.iter().map(|f| (f.local, flush_one(folder, f))).collect()
}

fn flush_one(root: &Folder, ToFlush { file, folders, .. }: &ToFlush) -> io::Result<()> {
    file.sync_data()?;
    for folder in folders {
        File::open(root.root().join(folder))?.sync_all()?;
    }
    Ok(())
}
