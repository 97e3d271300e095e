//! What goes on beside recording: a store whose disk is not there is waited for, files the index does not know are entered,
//! old ones are read again.

use std::{path::Path, sync::mpsc::Sender, time::Duration};

use super::{
    alarms,
    disk::Job,
    folder::{Folder, FolderError},
    recover, reindex,
    scrub::Scrub,
};
use crate::{
    domain::{alarm::AlarmKind, ids::SegmentId, refusal::Refusal},
    runtime::{stop::Stop, tasks::ShortTasks},
    store::{Store, StoreError},
};

/// How often a disk that is not there is looked for.
const RETRY: Duration = Duration::from_secs(3);
/// Rows looked at in one go when a new disk is taken.
const BATCH: u32 = 500;

/// Works until `stop` is asked; a panic in here must stop no recording. `waits` is where the store folder goes when its
/// disk is there at last.
pub(super) async fn look_after(scrub: Scrub, site: String, run: String, waits: Option<Sender<Job>>, stop: Stop) {
    let (work, asked, counters) = (ShortTasks::default(), stop.clone(), scrub.counters.clone());
    let looking = work.run(async move {
        let at_start = async {
            if let Some(writer) = waits {
                wait_for_disk(&scrub, &site, &writer).await;
            }
            reindex::in_background(scrub.root.clone(), &scrub.store, &scrub.clock, &site, &run).await;
        };
        tokio::select! {
            () = at_start => {}
            () = stop.asked() => return,
        }
        scrub.run(stop).await;
    });
    if looking.await.is_err() {
        counters.panics.add(1);
        tracing::error!("looking after old recordings panicked; it is begun again at the next start");
        asked.asked().await;
    }
}

async fn wait_for_disk(scrub: &Scrub, site: &str, writer: &Sender<Job>) {
    loop {
        tokio::time::sleep(RETRY).await;
        let (root, mine) = (scrub.root.clone(), site.to_owned());
        match recover::off_thread(move || Some(Folder::open(&root, &mine, true))).await {
            Some(Ok(folder)) => match recover::mend(&scrub.store, folder.root()).await {
                Ok(_) => {
                    tracing::info!(folder = %scrub.root.display(), "the store's disk is there; recording begins");
                    scrub.board.clear(AlarmKind::DiskMissing, None);
                    // A writer that is gone needs none.
                    let _ = writer.send(Job::Folder(folder));
                    return;
                }
                Err(error) => tracing::warn!(%error, "segments left open cannot be mended; trying again"),
            },
            Some(Err(error)) => alarms::missing(&scrub.board, error.refusal(), scrub.clock.media()),
            None => {}
        }
    }
}

/// Why a disk cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The folder.
    #[error("{0}")]
    Folder(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes a new disk as the store: marks its folder, and takes out of the index the recordings whose files are not on it;
/// how many. Should the old disk come back, they are entered again from its files.
///
/// # Errors
/// When the folder cannot be written, is another site's or in use; the database's.
pub async fn accept_disk(root: &Path, store: &Store) -> Result<u64, AcceptError> {
    let site = store.site_uuid().await?;
    let folder = Folder::open(root, &site, false).map_err(FolderError::into_refusal)?;
    let (mut next, mut forgotten) = (SegmentId(0), 0);
    loop {
        let segments = store.segments_from(next, BATCH).await?;
        let Some(last) = segments.last() else { return Ok(forgotten) };
        next = SegmentId(last.id.0 + 1);
        let gone = segments.iter().filter(|s| !folder.root().join(&s.path).exists());
        forgotten += store.end_removal(&gone.map(|s| s.id).collect::<Vec<_>>()).await?;
    }
}
