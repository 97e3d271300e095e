//! What makes files provable: what each says about itself, and the seals that tie fragments and files together.
//!
//! Behind each fragment stands a seal: when the fragment ends and a SHA-256 over the seal before, the fragment and that
//! time. The first seal of a file stands on the file's head, and the head names the file before and its last seal: one
//! chain a stream, in which no byte, no fragment and no file can be changed, taken out, put in or swapped unseen.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::fmp4::{self, INIT_BYTES_MAX};
use crate::domain::{
    camera::StreamKind,
    ids::{CameraId, StreamId},
    packet::Codec,
};

/// The type of the box that says what the file is.
const INFO_BOX: [u8; 16] = *b"\x6f\x1c\x52\xd0\x9b\x3e\x4a\x4d\xa1vonglau";
/// The type of the box behind each fragment.
const SEAL_BOX: [u8; 16] = *b"\x2a\x90\xe7\x14\xc6\x58\x47\x0b\x8fvonglah";
/// Bytes of a seal's box: head, type, end time, hash.
pub const SEAL_BYTES: usize = 8 + 16 + 8 + 32;
/// What is added to the name of a file that the disk would not flush.
pub const QUARANTINE: &str = ".quarantine";
/// Day folders looked through for a stream's last file.
const DAYS_LOOKED: usize = 400;
/// Files without a single fragment passed over in that search.
const EMPTY_FILES: usize = 20;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What stands behind a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// UTC microseconds of the fragment's end; ticks alone would not give the index's times back to the microsecond.
    pub end_us: i64,
    /// See [`sealed`].
    pub hash: Hash,
}

/// The file before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its path under the store folder.
    pub path: String,
    /// Its last seal's hash, hex.
    pub hash: String,
}

/// What a file says about itself, so that the index can be rebuilt from files alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Which installation.
    pub site: String,
    /// Which run of the recorder made it.
    pub run: String,
    /// Camera.
    pub camera: CameraId,
    /// Its code at that time.
    pub camera_code: String,
    /// Stream.
    pub stream: StreamId,
    /// Main or sub.
    pub kind: StreamKind,
    /// UTC microseconds of tick 0 of the file.
    pub start_us: i64,
    /// Codec.
    pub codec: Codec,
    /// RFC 6381 codec string.
    pub rfc6381: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// SHA-256 of the sample entry, hex.
    pub params_sha256: String,
    /// The stream's file before this one; `None` for its first.
    pub previous: Option<Link>,
}

/// The hash of a seal: over the one before, the fragment (`moof` and `mdat`) and when it ends.
#[must_use]
pub fn sealed(before: &Hash, fragment: &[u8], end_us: i64) -> Hash {
    Sha256::new().chain_update(before).chain_update(fragment).chain_update(end_us.to_be_bytes()).finalize().into()
}

/// What the first seal of a file stands on: the hash of everything before the first fragment.
#[must_use]
pub fn chain_start(init: &[u8]) -> Hash {
    Sha256::digest(init).into()
}

/// Appends the box that says what the file is.
pub fn push_info(out: &mut Vec<u8>, info: &Info) -> Result<(), serde_json::Error> {
    let text = serde_json::to_vec(info)?;
    fmp4::push_box_head(out, 24 + text.len(), b"uuid");
    out.extend_from_slice(&INFO_BOX);
    out.extend_from_slice(&text);
    Ok(())
}

/// Appends the box behind a fragment.
pub fn push_seal(out: &mut Vec<u8>, seal: &Seal) {
    fmp4::push_box_head(out, SEAL_BYTES, b"uuid");
    out.extend_from_slice(&SEAL_BOX);
    out.extend_from_slice(&seal.end_us.to_be_bytes());
    out.extend_from_slice(&seal.hash);
}

/// The seal at the start of `bytes`, or `None` when there is none.
#[must_use]
pub fn read_seal(bytes: &[u8]) -> Option<Seal> {
    let rest = bytes.get(..SEAL_BYTES)?.strip_prefix(&seal_head())?;
    let (end_us, hash) = rest.split_at(8);
    Some(Seal { end_us: i64::from_be_bytes(end_us.try_into().ok()?), hash: hash.try_into().ok()? })
}

/// The bytes every seal begins with.
#[must_use]
pub fn seal_head() -> [u8; 24] {
    let mut head = [0; 24];
    head[..4].copy_from_slice(&(SEAL_BYTES as u32).to_be_bytes());
    head[4..8].copy_from_slice(b"uuid");
    head[8..].copy_from_slice(&SEAL_BOX);
    head
}

/// What the file with this `init` says about itself.
#[must_use]
pub fn read_info(init: &[u8]) -> Option<Info> {
    fmp4::boxes(init).find_map(|(kind, body)| {
        if kind != *b"uuid" {
            return None;
        }
        serde_json::from_slice(body.strip_prefix(&INFO_BOX)?).ok()
    })
}

/// Reads a file's head: everything up to its first fragment, and what it says.
///
/// # Errors
/// `InvalidData` when it is no file of ours.
pub fn read_head(file: &File) -> io::Result<(Vec<u8>, Info)> {
    let foreign = || io::Error::new(io::ErrorKind::InvalidData, "the file does not say what it is");
    let (len, mut at) = (file.metadata()?.len(), 0u64);
    while at < len && at < u64::from(INIT_BYTES_MAX) {
        let mut head = [0; 24];
        file.read_exact_at(&mut head, at).map_err(|_| foreign())?;
        let (size, kind) = fmp4::box_head(&head).ok_or_else(foreign)?;
        at = at.saturating_add(size as u64);
        if at > len || at > u64::from(INIT_BYTES_MAX) {
            break;
        }
        if kind == *b"uuid" && head[8..] == INFO_BOX {
            let mut init = vec![0; usize::try_from(at).unwrap_or(0)];
            file.read_exact_at(&mut init, 0)?;
            let info = read_info(&init).ok_or_else(foreign)?;
            return Ok((init, info));
        }
    }
    Err(foreign())
}

/// The last whole seal of a file, without checking what is before it; `None` when it has no fragment.
fn last_seal(path: &Path) -> io::Result<Option<Seal>> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut bytes = [0; SEAL_BYTES];
    if let Some(at) = len.checked_sub(SEAL_BYTES as u64) {
        file.read_exact_at(&mut bytes, at)?;
        if let Some(seal) = read_seal(&bytes) {
            return Ok(Some(seal));
        }
    }
    let (init, _) = read_head(&file)?;
    let (mut at, mut last) = (init.len() as u64, None);
    while at + 8 <= len {
        let bytes = &mut bytes[..SEAL_BYTES.min(usize::try_from(len - at).unwrap_or(SEAL_BYTES))];
        file.read_exact_at(bytes, at)?;
        last = read_seal(bytes).or(last);
        let Some((size, _)) = fmp4::box_head(bytes) else { break };
        at = at.saturating_add(size as u64);
    }
    Ok(last)
}

/// A stream's last file in the store folder and its last seal; `None` when there is none or it cannot be read.
#[must_use]
pub fn last_link(root: &Path, camera: CameraId, kind: StreamKind) -> Option<Link> {
    let (camera, mut empty) = (format!("-{camera}"), 0);
    for day in names(root).into_iter().rev().filter(|n| is_day(n)).take(DAYS_LOOKED) {
        let mut files: Vec<(Stem, String)> = Vec::new();
        for folder in names(&root.join(&day)).into_iter().filter(|n| n.ends_with(&camera)) {
            let folder = format!("{day}/{folder}/{}", kind.name());
            let found = names(&root.join(&folder)).into_iter();
            files.extend(found.filter_map(|n| Some((stem(&n)?, format!("{folder}/{n}")))));
        }
        files.sort_unstable();
        for (_, path) in files.into_iter().rev() {
            match last_seal(&root.join(&path)) {
                Ok(Some(seal)) => return Some(Link { path, hash: hex::encode(seal.hash) }),
                Ok(None) | Err(_) if empty < EMPTY_FILES => empty += 1,
                Ok(None) | Err(_) => return None,
            }
        }
    }
    None
}

/// Start and attempt of a segment's name, for sorting.
pub type Stem = (i64, u32);

/// Start and attempt from a name such as `1796000000000000-2.mp4` or with [`QUARANTINE`] behind; `None` for other names.
#[must_use]
pub fn stem(name: &str) -> Option<Stem> {
    let name = name.strip_suffix(QUARANTINE).unwrap_or(name).strip_suffix(".mp4")?;
    match name.rsplit_once('-') {
        Some((start, attempt)) if !start.is_empty() => Some((start.parse().ok()?, attempt.parse().ok()?)),
        _ => Some((name.parse().ok()?, 1)),
    }
}

/// Whether a folder's name is a day's.
#[must_use]
pub fn is_day(name: &str) -> bool {
    name.len() == 10
        && name.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() })
}

/// Names in a folder, sorted; none when it cannot be read.
#[must_use]
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// Every folder of one stream, by camera and kind: `<day>/<code>-<id>/<main|sub>`.
#[must_use]
pub fn stream_folders(root: &Path) -> std::collections::BTreeMap<(i64, &'static str), Vec<PathBuf>> {
    let mut found = std::collections::BTreeMap::<_, Vec<PathBuf>>::new();
    for day in names(root).into_iter().filter(|n| is_day(n)) {
        for camera in names(&root.join(&day)) {
            let Some(id) = camera.rsplit_once('-').and_then(|(_, id)| id.parse::<i64>().ok()) else { continue };
            for kind in [StreamKind::Main, StreamKind::Sub] {
                let folder = Path::new(&day).join(&camera).join(kind.name());
                if root.join(&folder).is_dir() {
                    found.entry((id, kind.name())).or_default().push(folder);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_read_back_and_nothing_else_is() {
        let (seal, mut out) = (Seal { end_us: -3, hash: [9; 32] }, Vec::new());
        push_seal(&mut out, &seal);
        assert_eq!((out.len(), read_seal(&out)), (SEAL_BYTES, Some(seal)));
        out[9] ^= 1;
        assert_eq!(read_seal(&out), None);
        assert_eq!(read_seal(&[]), None);
    }

    #[test]
    fn names_sort_by_time_and_then_by_attempt() {
        let mut names =
            ["9.mp4", "10-10.mp4", "10-2.mp4.quarantine", "10.mp4", "-5.mp4", "x.mp4", "10.mp4.part", "-.mp4"];
        names.sort_by_key(|n| stem(n));
        let known: Vec<_> = names.iter().filter_map(|n| stem(n)).collect();
        assert_eq!(known, [(-5, 1), (9, 1), (10, 1), (10, 2), (10, 10)]);
    }
}
