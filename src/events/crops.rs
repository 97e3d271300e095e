//! The pictures of a track: where they lie, writing and removing them as those of events.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{snapshot, track_queue::Crops};
use crate::store::OldTrack;

/// Which picture of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CropKind {
    /// Of its largest sighting.
    Largest,
    /// Of its sharpest one.
    Sharpest,
}

impl CropKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Largest, Self::Sharpest];

    /// Its name in addresses and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Largest => "largest",
            Self::Sharpest => "sharpest",
        }
    }
    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where a track's picture lies: `{data_dir}/tracks/{UTC date of its start}/{number in the store}-largest.jpg`, or
/// `-sharpest.jpg`.
#[must_use]
pub fn path(data_dir: &Path, id: i64, start_us: i64, kind: CropKind) -> PathBuf {
    data_dir.join("tracks").join(snapshot::day(start_us)).join(format!("{id}-{}.jpg", kind.name()))
}

/// Writes those that are there, over older ones.
///
/// # Errors
/// The disk's; what was there before is still whole then.
pub(super) async fn write(data_dir: &Path, crops: &Crops) -> io::Result<()> {
    for (kind, jpeg) in CropKind::ALL.into_iter().zip(&crops.pictures) {
        if let Some(jpeg) = jpeg {
            snapshot::put(&path(data_dir, crops.id, crops.start_us, kind), jpeg).await?;
        }
    }
    Ok(())
}

/// Removes the pictures of tracks and makes that durable; gives those whose pictures are gone.
pub(super) async fn remove(data_dir: &Path, tracks: &[OldTrack]) -> Vec<i64> {
    let files = |t: &OldTrack| (t.id, CropKind::ALL.map(|kind| path(data_dir, t.id, t.start_us, kind)));
    snapshot::remove_files(tracks.iter().map(files)).await
}
