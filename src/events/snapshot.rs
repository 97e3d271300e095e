//! The pictures of an event: where they lie, and writing them so that a reader sees a whole one or none.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::{domain::ids::EventId, runtime::ask::Snapshot};

/// Where an event's picture lies: `{data_dir}/pictures/{UTC date of its start}/{id}-plain.jpg`, or `-boxed.jpg`.
///
/// A start that is no date (no camera says such a thing) lies under `undated`.
#[must_use]
pub fn path(data_dir: &Path, id: EventId, start_us: i64, boxed: bool) -> PathBuf {
    let kind = if boxed { "boxed" } else { "plain" };
    data_dir.join("pictures").join(day(start_us)).join(format!("{id}-{kind}.jpg"))
}

/// The folder of a start: its UTC date.
pub(super) fn day(start_us: i64) -> String {
    jiff::Timestamp::from_microsecond(start_us)
        .map_or_else(|_| "undated".to_owned(), |t| t.strftime("%Y-%m-%d").to_string())
}

/// Writes both pictures, over older ones if there are any.
///
/// # Errors
/// The disk's; what was there before is still whole then.
pub(super) async fn write(data_dir: &Path, id: EventId, start_us: i64, snapshot: &Snapshot) -> io::Result<()> {
    for (boxed, jpeg) in [(false, &snapshot.plain), (true, &snapshot.boxed)] {
        put(&path(data_dir, id, start_us, boxed), jpeg).await?;
    }
    Ok(())
}

/// Writes one picture.
///
/// # Errors
/// The disk's; what was there before is still whole then.
pub(super) async fn put(path: &Path, jpeg: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let unfinished = path.with_extension("jpg.part");
    tokio::fs::write(&unfinished, jpeg).await?;
    tokio::fs::rename(&unfinished, path).await
}

/// Removes the pictures of events (with their starts) and makes that durable; gives those whose pictures are gone.
pub(super) async fn remove(data_dir: &Path, events: impl Iterator<Item = (EventId, i64)>) -> Vec<EventId> {
    remove_files(events.map(|(id, start_us)| (id, [false, true].map(|boxed| path(data_dir, id, start_us, boxed)))))
        .await
}

/// Removes the two pictures of each and makes that durable; gives those whose pictures are gone. Folders that are empty
/// then go too.
pub(super) async fn remove_files<I>(pictures: impl Iterator<Item = (I, [PathBuf; 2])>) -> Vec<I> {
    let mut folders: BTreeMap<PathBuf, Vec<I>> = BTreeMap::new();
    for (id, [one, other]) in pictures {
        let unfinished = [&one, &other].map(|path| path.with_extension("jpg.part"));
        let folder = one.parent().unwrap_or(&one).to_owned();
        let mut gone = true;
        for path in [one, other].into_iter().chain(unfinished) {
            match tokio::fs::remove_file(&path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::error!(path = %path.display(), %error, "a picture could not be removed");
                    gone = false;
                }
                _ => {}
            }
        }
        if gone {
            folders.entry(folder).or_default().push(id);
        }
    }
    let mut gone = Vec::new();
    for (folder, ids) in folders {
        match flush(&folder).await {
            Ok(()) => gone.extend(ids),
            Err(error) => tracing::error!(folder = %folder.display(), %error, "a removal is not on disk yet"),
        }
        // Mostly it is not empty yet.
        let _ = tokio::fs::remove_dir(&folder).await;
    }
    gone
}

/// Waits until the removals in a folder are on disk; a folder that is gone needs none.
async fn flush(folder: &Path) -> io::Result<()> {
    match tokio::fs::File::open(folder).await {
        Ok(folder) => folder.sync_all().await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_lie_under_the_utc_day_of_the_start() {
        let at = |start_us, boxed| path(Path::new("/data"), EventId(42), start_us, boxed);
        // 2026-03-01T23:59:59.999999Z and one microsecond later.
        assert_eq!(at(1_772_409_599_999_999, false), Path::new("/data/pictures/2026-03-01/42-plain.jpg"));
        assert_eq!(at(1_772_409_600_000_000, true), Path::new("/data/pictures/2026-03-02/42-boxed.jpg"));
        assert_eq!(at(i64::MAX, true), Path::new("/data/pictures/undated/42-boxed.jpg"));
    }
}
