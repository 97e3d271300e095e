//! Taking segments off the disk: noted, file, folder flushed, row. Whatever point it is interrupted at, the next start
//! finds the note and goes on; no row is left that points at nothing, and no file is lost from the index.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::ErrorKind,
    path::{Component, Path, PathBuf},
};

use super::{Sweeper, Swept};
use crate::{
    domain::{ids::SegmentId, time::WallTime},
    logic::retention::Held,
    record::verify::{self, REMOVED},
    store::StoreError,
};

/// Removals in one batch.
const BATCH: usize = 32;
/// Empty folders older than this go; a younger one may be about to be written into.
const FOLDER_US: i64 = 3 * 86_400_000_000;

impl Sweeper {
    /// Removes segments in the given order. `room`: also when the note cannot be written, since a full disk refuses it.
    pub(super) async fn remove(
        &self,
        segments: &[Held],
        paths: &HashMap<SegmentId, String>,
        room: bool,
    ) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for batch in segments.chunks(BATCH) {
            let ids: Vec<SegmentId> = batch.iter().map(|h| h.id).collect();
            let noted: HashSet<SegmentId> = match self.parts.store.begin_removal(&ids).await {
                Ok(noted) => noted.into_iter().collect(),
                Err(error) if room => {
                    tracing::warn!(%error, "a removal could not be noted; the disk needs room first");
                    ids.into_iter().collect()
                }
                Err(error) => return Err(error),
            };
            let these: Vec<(SegmentId, String)> =
                batch.iter().filter(|h| noted.contains(&h.id)).map(|h| (h.id, paths[&h.id].clone())).collect();
            let gone = self.remove_begun(&these).await?;
            swept.segments += gone.len() as u64;
            let bytes: u64 = batch.iter().filter(|h| gone.contains(&h.id)).map(|h| h.bytes).sum();
            swept.bytes += bytes;
            self.parts.counters.segments_removed.add(gone.len() as u64);
            self.parts.counters.bytes_removed.add(bytes);
        }
        Ok(swept)
    }

    /// Removes the files, makes that durable, then removes the rows; gives those whose file and row are gone.
    pub(super) async fn remove_begun(
        &self,
        segments: &[(SegmentId, String)],
    ) -> Result<HashSet<SegmentId>, StoreError> {
        let mut folders: BTreeMap<PathBuf, Vec<SegmentId>> = BTreeMap::new();
        for (id, name) in segments {
            let Some(path) = inside(&self.parts.folder, name) else {
                tracing::error!(segment = %id, path = name, "a path leaves the store folder; its file is not touched");
                continue;
            };
            // Written before the file goes, so that its absence is never taken for a theft.
            if let Err(error) = verify::note_removed(&self.parts.folder, name) {
                tracing::debug!(path = name, %error, "a removal could not be noted in its folder");
            }
            match tokio::fs::remove_file(&path).await {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => {
                    if let Some(times) = self.failed.say(1, self.parts.clock.boot()) {
                        tracing::error!(path = %path.display(), times, %error, "a recording could not be removed");
                    }
                    continue;
                }
            }
            folders.entry(path.parent().unwrap_or(&self.parts.folder).to_owned()).or_default().push(*id);
        }
        let mut gone = HashSet::new();
        for (folder, ids) in folders {
            match flush(&folder).await {
                Ok(()) => gone.extend(ids),
                Err(error) => tracing::error!(folder = %folder.display(), %error, "a removal is not on disk yet"),
            }
            self.remove_empty(&folder).await;
        }
        let ids: Vec<SegmentId> = gone.iter().copied().collect();
        self.parts.store.end_removal(&ids).await?;
        Ok(gone)
    }

    /// Removes the folder of a stream, its camera's and its day's when they are empty and the day is over.
    async fn remove_empty(&self, folder: &Path) {
        let Ok(inner) = folder.strip_prefix(&self.parts.folder) else { return };
        let day = inner.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        if !is_over(&day, self.parts.clock.wall()) {
            return;
        }
        // The list of what was removed outlives the last recording for nothing.
        if only_the_list(folder).await {
            let _ = tokio::fs::remove_file(folder.join(REMOVED)).await;
        }
        for folder in folder.ancestors().take_while(|f| *f != self.parts.folder) {
            // Not empty yet is what is mostly said here.
            if tokio::fs::remove_dir(folder).await.is_err() {
                return;
            }
        }
    }
}

/// Whether nothing but the list of removed files is left in a folder.
async fn only_the_list(folder: &Path) -> bool {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return false };
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name() != REMOVED {
            return false;
        }
    }
    true
}

/// Whether the day of a folder's name ended long ago.
fn is_over(day: &str, now: WallTime) -> bool {
    jiff::Timestamp::from_microsecond(now.us().saturating_sub(FOLDER_US))
        .is_ok_and(|then| day < then.strftime("%Y-%m-%d").to_string().as_str())
}

/// The path under the store folder; `None` when it would lead out of it.
fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    (plain && path.components().next().is_some()).then(|| folder.join(path))
}

/// Waits until the removals in a folder are on disk; a folder that is gone needs none.
async fn flush(folder: &Path) -> std::io::Result<()> {
    match tokio::fs::File::open(folder).await {
        Ok(folder) => folder.sync_all().await,
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_folder_is_not_touched() {
        let folder = Path::new("/s");
        assert_eq!(inside(folder, "2026-11-20/C-1/main/1.mp4"), Some(PathBuf::from("/s/2026-11-20/C-1/main/1.mp4")));
        for bad in ["/etc/passwd", "../x", "a/../../x", ""] {
            assert_eq!(inside(folder, bad), None, "{bad}");
        }
    }

    #[test]
    fn only_folders_of_days_long_over_go() {
        let now = WallTime(1_795_183_450_000_000); // 2026-11-20
        assert!(is_over("2026-11-16", now) && is_over("2025-12-31", now));
        assert!(!is_over("2026-11-20", now) && !is_over("2026-11-18", now) && !is_over("9999-01-01", now));
    }
}
