//! Files an earlier run left open: read on from what the index knows, cut behind the last whole fragment, closed.
//!
//! A fragment counts as whole when its hash, chained to the one before, is right. Files are never removed.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use tokio::sync::oneshot;

use super::fmp4::{self, HASH_BOX_BYTES, Hash};
use crate::{
    domain::{
        packet::ticks_to_us,
        segment::{FragmentEntry, Segment},
    },
    runtime::tasks,
    store::{SegmentProgress, Store, StoreError},
};

/// A fragment of ours is never larger (16 MiB of samples and one more).
const FRAGMENT_BYTES_MAX: u64 = 256 << 20;
/// Segments entered in one transaction.
const BATCH: usize = 100;

/// What a file holds beyond what the index knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Whole fragments.
    pub added: Vec<FragmentEntry>,
    /// Bytes of the file behind the last whole fragment's hash.
    pub good_bytes: u64,
    /// Bytes behind that were cut off.
    pub torn_bytes: u64,
}

/// Mends and closes every open segment; gives how many.
///
/// # Errors
/// When the store fails.
pub async fn mend(store: &Store, folder: &Path) -> Result<usize, StoreError> {
    let open = store.open_segments().await?;
    if open.is_empty() {
        return Ok(0);
    }
    let (count, root) = (open.len(), folder.to_owned());
    let mended = off_thread(move || open.into_iter().map(|s| mended(&root, &s)).collect::<Vec<_>>()).await;
    for batch in mended.chunks(BATCH) {
        store.progress_segments(batch).await?;
    }
    tracing::info!(count, "segments left open by an earlier run were closed");
    Ok(count)
}

/// Reading may take a while; the runtime's threads are not made to wait.
async fn off_thread<T: Send + Default + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = oneshot::channel();
    let started = tasks::thread("record-recover", move || {
        // Nobody waits any more when the process ends.
        let _ = tell.send(work());
    });
    match started {
        Ok(_) => told.await.unwrap_or_default(),
        Err(error) => {
            tracing::error!(%error, "no thread to mend segments with; they are mended at the next start");
            T::default()
        }
    }
}

fn mended(folder: &Path, segment: &Segment) -> SegmentProgress {
    let path: PathBuf = folder.join(&segment.path);
    // Only what is on disk may stand in the index; what a killed process wrote may not be yet.
    let flushed = |tail: Tail| File::open(&path)?.sync_all().map(|()| tail);
    let tail = match mend_file(&path, segment).and_then(flushed) {
        Ok(tail) => tail,
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "a segment left open cannot be read; closed as the index has it");
            Tail { good_bytes: segment.size_bytes, ..Tail::default() }
        }
    };
    if tail.torn_bytes > 0 {
        tracing::warn!(path = %path.display(), bytes = tail.torn_bytes, "cut off a fragment that was not whole");
    }
    let end_us = tail.added.iter().chain(&segment.fragments).map(|f| end_us(segment, f)).max();
    SegmentProgress {
        id: segment.id,
        end_us: end_us.unwrap_or(segment.end_us).max(segment.end_us),
        size_bytes: tail.good_bytes,
        added: tail.added,
        closed: true,
    }
}

fn end_us(segment: &Segment, fragment: &FragmentEntry) -> i64 {
    let end = fragment.start_90k.saturating_add(u64::from(fragment.duration_90k));
    let end = i64::try_from(end).unwrap_or(i64::MAX).min(i64::MAX / 1000);
    segment.start_us.saturating_add(ticks_to_us(end))
}

/// Reads a file on from what the index knows and cuts it behind the last whole fragment.
///
/// # Errors
/// When the file cannot be read or is shorter than what the index knows.
pub fn mend_file(path: &Path, segment: &Segment) -> io::Result<Tail> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.metadata()?.len();
    let mut tail = read_tail(&file, len, segment)?;
    tail.torn_bytes = len - tail.good_bytes;
    if tail.torn_bytes > 0 {
        file.set_len(tail.good_bytes)?;
    }
    Ok(tail)
}

fn read_tail(file: &File, len: u64, segment: &Segment) -> io::Result<Tail> {
    let (mut at, mut hash) = known_end(file, segment)?;
    let mut added = Vec::new();
    while let Some((entry, next)) = next_fragment(file, at, len, &hash)? {
        added.push(entry);
        at += u64::from(entry.size_bytes) + HASH_BOX_BYTES as u64;
        hash = next;
    }
    Ok(Tail { added, good_bytes: at, torn_bytes: 0 })
}

/// Where the index's knowledge ends, and the hash up to there.
fn known_end(file: &File, segment: &Segment) -> io::Result<(u64, Hash)> {
    let short = || io::Error::new(io::ErrorKind::InvalidData, "the file is shorter or other than the index says");
    match segment.fragments.last() {
        Some(last) => {
            let at = last.offset + u64::from(last.size_bytes);
            let bytes = read(file, at, HASH_BOX_BYTES)?;
            Ok((at + HASH_BOX_BYTES as u64, fmp4::read_hash(&bytes).ok_or_else(short)?))
        }
        None if segment.init_bytes <= fmp4::INIT_BYTES_MAX => {
            let init = read(file, 0, segment.init_bytes as usize)?;
            let _ = fmp4::read_info(&init).ok_or_else(short)?;
            Ok((u64::from(segment.init_bytes), fmp4::chain_start(&init)))
        }
        None => Err(short()),
    }
}

fn next_fragment(file: &File, at: u64, len: u64, hash: &Hash) -> io::Result<Option<(FragmentEntry, Hash)>> {
    let Some(moof) = head(file, at, len, b"moof")? else { return Ok(None) };
    let Some(mdat) = head(file, at + moof, len, b"mdat")? else { return Ok(None) };
    let size = moof + mdat;
    if size > FRAGMENT_BYTES_MAX || at + size + HASH_BOX_BYTES as u64 > len {
        return Ok(None);
    }
    let (Ok(bytes), Ok(moof)) = (usize::try_from(size), usize::try_from(moof)) else { return Ok(None) };
    let read = read(file, at, bytes + HASH_BOX_BYTES)?;
    let (fragment, behind) = read.split_at(bytes);
    let next = fmp4::chained(hash, fragment);
    if fmp4::read_hash(behind) != Some(next) {
        return Ok(None);
    }
    let entry = u32::try_from(size).ok().and_then(|size| fmp4::read_entry(&fragment[..moof], at, size).ok());
    Ok(entry.map(|entry| (entry, next)))
}

/// Size of the box at `at` if it is a `kind`.
fn head(file: &File, at: u64, len: u64, kind: &[u8; 4]) -> io::Result<Option<u64>> {
    if at.saturating_add(8) > len {
        return Ok(None);
    }
    let bytes = read(file, at, 8)?;
    Ok(fmp4::box_head(&bytes).filter(|(_, k)| k == kind).map(|(size, _)| size as u64))
}

fn read(file: &File, at: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    file.read_exact_at(&mut buffer, at)?;
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            camera::StreamKind,
            ids::{CameraId, SegmentId, StreamId},
        },
        record::{
            fmp4::{Info, chain_start, chained, init, params_sha256, push_fragment, push_hash},
            segmenter::Segmenter,
            testing::{START_US, params, stream},
        },
    };

    /// A whole file and its row.
    fn whole() -> (Vec<u8>, Segment) {
        let params = params();
        let info = Info {
            site: "s".into(),
            camera: CameraId(7),
            camera_code: "C07".into(),
            stream: StreamId(70),
            kind: StreamKind::Main,
            start_us: START_US,
            params_sha256: params_sha256(&params),
        };
        let mut file = init(&params, &info).unwrap();
        let init_bytes = u32::try_from(file.len()).unwrap();
        let mut hash = chain_start(&file);
        let mut segmenter = Segmenter::default();
        let mut all: Vec<_> = stream(10, 10, 35).into_iter().flat_map(|p| segmenter.push(p)).collect();
        all.extend(segmenter.end());
        let mut fragments = Vec::new();
        for (n, fragment) in (1..).zip(&all) {
            let at = file.len();
            let size_bytes = push_fragment(&mut file, fragment, all[0].start_90k, n).unwrap();
            hash = chained(&hash, &file[at..]);
            push_hash(&mut file, &hash);
            fragments.push(FragmentEntry {
                offset: at as u64,
                size_bytes,
                start_90k: u64::try_from(fragment.start_90k).unwrap(),
                duration_90k: fragment.duration_90k,
                key: fragment.key,
            });
        }
        let segment = Segment {
            id: SegmentId(1),
            stream: StreamId(70),
            path: "x.mp4".into(),
            start_us: START_US,
            end_us: START_US,
            open: true,
            init_bytes,
            size_bytes: file.len() as u64,
            codec: params.codec,
            rfc6381: params.rfc6381.clone(),
            width: 640,
            height: 480,
            params_sha256: params_sha256(&params),
            fragments,
        };
        (file, segment)
    }

    /// In memory where there is such a place: thousands of truncated files are slow on a disk.
    fn quick_dir() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
    }

    #[test]
    fn a_file_cut_at_any_byte_is_recovered_to_its_last_whole_fragment() {
        let dir = quick_dir();
        let path = dir.path().join("x.mp4");
        let (file, segment) = whole();
        let ends = |f: &FragmentEntry| f.offset + u64::from(f.size_bytes) + HASH_BOX_BYTES as u64;
        for len in segment.init_bytes as usize..=file.len() {
            let good = segment.fragments.iter().filter(|f| ends(f) <= len as u64).count();
            for known in [0, good / 2, good] {
                std::fs::write(&path, &file[..len]).unwrap();
                let row = Segment { fragments: segment.fragments[..known].to_vec(), ..segment.clone() };
                let tail = mend_file(&path, &row).unwrap();
                assert_eq!(tail.added, segment.fragments[known..good]);
                let end = good.checked_sub(1).map_or(u64::from(segment.init_bytes), |n| ends(&segment.fragments[n]));
                assert_eq!((tail.good_bytes, tail.good_bytes + tail.torn_bytes), (end, len as u64));
                assert_eq!(std::fs::read(&path).unwrap(), file[..usize::try_from(end).unwrap()]);
            }
        }
    }

    #[test]
    fn a_fragment_with_a_wrong_byte_is_not_whole() {
        let dir = quick_dir();
        let path = dir.path().join("x.mp4");
        let (file, segment) = whole();
        let row = Segment { fragments: Vec::new(), ..segment.clone() };
        let third = segment.fragments[2];
        for at in [0, 30, 100, u64::from(third.size_bytes) - 1, u64::from(third.size_bytes) + 40] {
            let mut bytes = file.clone();
            bytes[usize::try_from(third.offset + at).unwrap()] ^= 0x40;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(mend_file(&path, &row).unwrap().added, segment.fragments[..2]);
        }
    }

    #[test]
    fn a_file_shorter_than_its_row_is_left_as_it_is() {
        let dir = quick_dir();
        let path = dir.path().join("x.mp4");
        let (file, segment) = whole();
        std::fs::write(&path, &file[..file.len() / 2]).unwrap();
        mend_file(&path, &segment).unwrap_err();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), file.len() as u64 / 2);
    }
}
