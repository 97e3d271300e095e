//! The store folder: whose it is, that nobody else writes into it, and the names in it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::RecordedStream;
use crate::domain::{ids::CameraId, refusal::Refusal};

const MARKER: &str = "vonglau-store.toml";
pub(super) const LOCK: &str = "vonglau-store.lock";
const TRIAL: &str = "vonglau-store.trial";
/// Set in the environment by a test alone: nothing is ever flushed, so that the test sees what a loss of power costs then.
const TEST_NEVER_FLUSH: &str = "VONGLAU_TEST_NEVER_FLUSH";
/// The longest folded camera code in a path, characters.
const CODE_CHARS_MAX: usize = 40;

/// What the marker file says.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    site: String,
}

/// A store folder that is ours as long as this lives.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    site: String,
    dir: File,
    never_flush: bool,
    /// Unlocked when it is closed.
    _lock: File,
}

/// Why a folder cannot be recorded into.
#[derive(Debug)]
pub enum FolderError {
    /// Its disk is not there or takes nothing: it may be there again later.
    Away(Refusal),
    /// It is another's or in use: a person has to choose.
    Refused(Refusal),
}

impl FolderError {
    /// What to tell a person.
    #[must_use]
    pub const fn refusal(&self) -> &Refusal {
        let (Self::Away(refusal) | Self::Refused(refusal)) = self;
        refusal
    }
    /// The same, kept.
    #[must_use]
    pub fn into_refusal(self) -> Refusal {
        let (Self::Away(refusal) | Self::Refused(refusal)) = self;
        refusal
    }
}

impl Folder {
    /// Opens the folder for this site. It is made and marked when it is new, unless recordings are `known` to be in it:
    /// then a folder without its marker is the empty place where its disk is not mounted.
    ///
    /// # Errors
    /// When it is not there or cannot be written, belongs to another site or is in use.
    pub fn open(root: &Path, site: &str, known: bool) -> Result<Self, FolderError> {
        let away = |error: io::Error| FolderError::Away(unwritable(root, &error));
        let is_marked = is_marked(root, site)?;
        if known && !is_marked {
            return Err(FolderError::Away(absent(root)));
        }
        fs::create_dir_all(root).map_err(away)?;
        let lock = lock(root, &root.join(LOCK))?;
        let trial = root.join(TRIAL);
        File::create(&trial).and_then(|mut f| f.write_all(b"trial\n")).map_err(away)?;
        fs::remove_file(&trial).map_err(away)?;
        if !is_marked {
            mark(root, site).map_err(away)?;
        }
        let dir = File::open(root).map_err(away)?;
        Ok(Self { root: root.to_owned(), site: site.to_owned(), dir, never_flush: never_flush(), _lock: lock })
    }
    /// Whether what was opened is still what the path leads to.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let which = |about: fs::Metadata| (about.dev(), about.ino());
        let (now, then) = (fs::metadata(&self.root), self.dir.metadata());
        now.is_ok_and(|now| then.is_ok_and(|then| which(now) == which(then)))
    }
    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The site's uuid.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }
    /// Whether a test has switched flushing off.
    #[must_use]
    pub fn is_never_flushed(&self) -> bool {
        self.never_flush
    }
    /// Waits until everything written to the folder's file system is on disk.
    ///
    /// # Errors
    /// When a write could not be carried out.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.dir)?)
    }
}

fn unwritable(root: &Path, error: &io::Error) -> Refusal {
    refuse(
        root,
        format!("không ghi được vào thư mục lưu trữ ({error}); hãy kiểm tra đĩa và quyền ghi, hoặc chọn thư mục khác"),
        format!(
            "the store folder cannot be written ({error}); check the disk and the permissions, or name another folder"
        ),
    )
}

fn absent(root: &Path) -> Refusal {
    refuse(
        root,
        "ổ lưu hình không có ở đây (chưa gắn?); hãy cắm và gắn ổ, việc ghi tự tiếp tục. Nếu đây là ổ mới, chạy: vonglau \
         accept-disk",
        "the store's disk is not there (not mounted?); connect and mount it, recording goes on by itself. If this is a new \
         disk, run: vonglau accept-disk",
    )
}

/// Takes the folder until the file is closed.
pub(super) fn lock(root: &Path, path: &Path) -> Result<File, FolderError> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let lock = lock.map_err(|error| FolderError::Away(unwritable(root, &error)))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(FolderError::Refused(refuse(
            root,
            "thư mục lưu trữ đang được một tiến trình vonglau khác dùng; hãy dừng tiến trình đó hoặc chọn thư mục khác",
            "another vonglau process uses this store folder; stop that one or name another folder",
        ))),
        Err(error) => Err(FolderError::Away(unwritable(root, &error.into()))),
    }
}

/// What is wrong with a store folder in which recordings are `known` to be, or not; changes nothing in it.
///
/// # Errors
/// The [`Refusal`] that recording would be refused with.
pub fn look_at(root: &Path, site: &str, known: bool) -> Result<(), Refusal> {
    if !is_marked(root, site).map_err(FolderError::into_refusal)? && known {
        return Err(absent(root));
    }
    match rustix::fs::access(root, rustix::fs::Access::WRITE_OK) {
        Ok(()) => Ok(()),
        // It is made at the first start.
        Err(rustix::io::Errno::NOENT) if !known => Ok(()),
        Err(error) => Err(unwritable(root, &error.into())),
    }
}

/// Whose a store folder is, by its marker.
///
/// # Errors
/// A [`Refusal`] when it is no store folder.
pub(super) fn site_of(root: &Path) -> Result<String, Refusal> {
    let text = fs::read_to_string(root.join(MARKER)).ok();
    text.and_then(|text| toml::from_str::<Marker>(&text).ok()).map(|marker| marker.site).ok_or_else(|| {
        refuse(
            root,
            format!("đây không phải thư mục lưu trữ của Vọng Lâu (không đọc được {MARKER}); hãy chọn đúng thư mục"),
            format!("this is no store folder of Vọng Lâu ({MARKER} cannot be read); name the right folder"),
        )
    })
}

fn never_flush() -> bool {
    let never = std::env::var_os(TEST_NEVER_FLUSH).is_some();
    if never {
        tracing::error!("{TEST_NEVER_FLUSH} is set: a loss of power loses recordings; this is for a test only");
    }
    never
}

/// Whether the folder has the marker of this site; one that is not there has none.
fn is_marked(root: &Path, site: &str) -> Result<bool, FolderError> {
    let path = root.join(MARKER);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(error) => return Err(FolderError::Away(unwritable(root, &error))),
    };
    match toml::from_str::<Marker>(&text) {
        Ok(marker) if marker.site == site => Ok(true),
        Ok(_) => Err(FolderError::Refused(refuse(
            root,
            "thư mục lưu trữ này thuộc về một hệ thống khác; hãy chọn thư mục khác, không ghi đè lên hình của họ",
            "this store folder belongs to another site; name another folder, so that its recordings are not mixed",
        ))),
        Err(_) => Err(FolderError::Refused(refuse(
            &path,
            "không đọc được tệp đánh dấu của thư mục lưu trữ; hãy khôi phục tệp này hoặc chọn thư mục khác",
            "the store folder's marker cannot be read; restore this file or name another folder",
        ))),
    }
}

/// Marks the folder as this site's; whole or not at all.
fn mark(root: &Path, site: &str) -> io::Result<()> {
    let text = toml::to_string(&Marker { site: site.to_owned() }).map_err(io::Error::other)?;
    let unfinished = root.join(TRIAL);
    let mut file = File::create(&unfinished)?;
    file.write_all(format!("# Recordings of one Vong Lau site. Do not edit.\n{text}").as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, root.join(MARKER))?;
    File::open(root)?.sync_all()
}

fn refuse(place: &Path, vi: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::new(place.display().to_string(), vi, en)
}

/// Path under the store folder of a segment that starts at `start_us`: `2026-11-29/C07-7/main/1796…000.mp4`, the date
/// being UTC. `attempt` tells apart files that would have the same name (a clock set back).
#[must_use]
pub fn segment_path(stream: &RecordedStream, start_us: i64, attempt: u32) -> String {
    let date = jiff::Timestamp::from_microsecond(start_us)
        .map_or_else(|_| "0000-00-00".to_owned(), |t| t.strftime("%Y-%m-%d").to_string());
    let code = folded(&stream.camera_code);
    let suffix = if attempt == 0 { String::new() } else { format!("-{}", attempt + 1) };
    format!("{date}/{code}-{}/{}/{start_us}{suffix}.mp4", stream.camera, stream.kind.name())
}

/// The camera in a segment's path: its code as folded there, and its id.
#[must_use]
pub fn camera_of(path: &str) -> Option<(&str, CameraId)> {
    let (code, id) = path.split('/').nth(1)?.rsplit_once('-')?;
    Some((code, CameraId(id.parse().ok()?)))
}

/// A code as every file system takes it; the id beside it keeps it unique.
fn folded(code: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let folded: String = code.chars().take(CODE_CHARS_MAX).map(safe).collect();
    if folded.is_empty() { "camera".to_owned() } else { folded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{camera::StreamKind, ids::StreamId};

    #[test]
    fn a_folder_of_another_site_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(Folder::open(dir.path(), "ours", false).unwrap());
        drop(Folder::open(dir.path(), "ours", false).unwrap());
        let refusal = Folder::open(dir.path(), "theirs", false).unwrap_err();
        let refusal = refusal.refusal();
        assert!(refusal.en.contains("another site"), "{refusal}");
        assert!(fs::read_to_string(dir.path().join(MARKER)).unwrap().contains("ours"));
    }

    #[test]
    fn an_empty_folder_where_recordings_should_be_is_left_empty() {
        let dir = tempfile::tempdir().unwrap();
        for place in [dir.path().to_owned(), dir.path().join("not-there")] {
            let error = Folder::open(&place, "ours", true).unwrap_err();
            assert!(matches!(error, FolderError::Away(_)) && error.refusal().en.contains("not mounted"), "{error:?}");
            assert_eq!(look_at(&place, "ours", true).unwrap_err(), *error.refusal());
            look_at(&place, "ours", false).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        drop(Folder::open(dir.path(), "ours", false).unwrap());
        look_at(dir.path(), "ours", true).unwrap();
        let folder = Folder::open(dir.path(), "ours", true).unwrap();
        assert!(folder.is_there());
        fs::remove_dir_all(dir.path()).unwrap();
        fs::create_dir(dir.path()).unwrap();
        assert!(!folder.is_there(), "another folder under the same path");
    }

    #[test]
    fn a_folder_in_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = Folder::open(dir.path(), "ours", false).unwrap();
        assert!(Folder::open(dir.path(), "ours", false).unwrap_err().refusal().en.contains("another vonglau process"));
        drop(first);
        Folder::open(dir.path(), "ours", false).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_written_and_a_broken_marker_are_refused() {
        assert!(
            Folder::open(Path::new("/proc/vonglau"), "ours", false)
                .unwrap_err()
                .refusal()
                .en
                .contains("cannot be written")
        );
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MARKER), "site = 3").unwrap();
        assert!(Folder::open(dir.path(), "ours", false).unwrap_err().refusal().place.ends_with(MARKER));
    }

    #[test]
    fn paths_are_plain_ascii_and_dated_in_utc() {
        let stream = RecordedStream {
            camera: CameraId(7),
            camera_code: "Chợ/../Bắc 1".into(),
            stream: StreamId(70),
            kind: StreamKind::Sub,
        };
        assert_eq!(
            segment_path(&stream, 1_700_000_000_000_000, 0),
            "2023-11-14/Ch_____B_c_1-7/sub/1700000000000000.mp4"
        );
        assert!(segment_path(&stream, 0, 1).ends_with("/0-2.mp4"));
        assert_eq!(camera_of(&segment_path(&stream, 0, 1)), Some(("Ch_____B_c_1", CameraId(7))));
    }
}
