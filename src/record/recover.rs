//! Files an earlier run left open: read on from what the index knows, cut behind the last whole fragment, closed.
//!
//! A fragment counts as whole when its hash, chained to the one before, is right. Files are never removed.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use tokio::sync::oneshot;

use super::{
    chain::{self, Hash, QUARANTINE, SEAL_BYTES, Seal},
    fmp4,
};
use crate::{
    domain::segment::{FragmentEntry, Segment},
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
    /// When the last whole fragment ends, UTC microseconds.
    pub end_us: Option<i64>,
    /// Bytes of the file up to the last whole fragment's seal.
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
    let mended = off_thread(move || open.into_iter().map(|s| found(&root, s)).collect::<Vec<_>>()).await;
    for (progress, path) in &mended {
        if let Some(path) = path {
            store.move_segment(progress.id, path).await?;
        }
    }
    let mended: Vec<_> = mended.into_iter().map(|(progress, _)| progress).collect();
    for batch in mended.chunks(BATCH) {
        store.progress_segments(batch).await?;
    }
    tracing::info!(count, "segments left open by an earlier run were closed");
    Ok(count)
}

/// What is to be entered for an open segment, and its path when that is another than the index has.
fn found(root: &Path, segment: Segment) -> (SegmentProgress, Option<String>) {
    let path = root.join(&segment.path);
    let aside = format!("{}{QUARANTINE}", segment.path);
    if path.exists() || !root.join(&aside).exists() {
        return (mended(&path, &segment), None);
    }
    // Set aside because the disk could not flush it, and ended before the index heard of it: only what was flushed
    // before counts, the rest was written again into the next file.
    let Segment { id, end_us, size_bytes, .. } = segment;
    (SegmentProgress { id, end_us, size_bytes, added: Vec::new(), closed: true }, Some(aside))
}

/// Reading may take a while; the runtime's threads are not made to wait.
pub(super) async fn off_thread<T: Send + Default + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
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

fn mended(path: &Path, segment: &Segment) -> SegmentProgress {
    // Only what is on disk may stand in the index; what a killed process wrote may not be yet.
    let flushed = |tail: Tail| File::open(path)?.sync_all().map(|()| tail);
    let tail = match mend_file(path, segment).and_then(flushed) {
        Ok(tail) => tail,
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "a segment left open cannot be read; closed as the index has it");
            Tail { good_bytes: segment.size_bytes, ..Tail::default() }
        }
    };
    if tail.torn_bytes > 0 {
        tracing::warn!(path = %path.display(), bytes = tail.torn_bytes, "cut off a fragment that was not whole");
    }
    SegmentProgress {
        id: segment.id,
        end_us: tail.end_us.unwrap_or(segment.end_us).max(segment.end_us),
        size_bytes: tail.good_bytes,
        added: tail.added,
        closed: true,
    }
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
    let mut tail = Tail::default();
    while let Some((entry, seal)) = next_fragment(file, at, len, &hash)? {
        tail.added.push(entry);
        tail.end_us = Some(seal.end_us);
        at += u64::from(entry.size_bytes) + SEAL_BYTES as u64;
        hash = seal.hash;
    }
    Ok(Tail { good_bytes: at, ..tail })
}

/// Where the index's knowledge ends, and the hash up to there.
fn known_end(file: &File, segment: &Segment) -> io::Result<(u64, Hash)> {
    let short = || io::Error::new(io::ErrorKind::InvalidData, "the file is shorter or other than the index says");
    match segment.fragments.last() {
        Some(last) => {
            let at = last.offset + u64::from(last.size_bytes);
            let bytes = read(file, at, SEAL_BYTES)?;
            Ok((at + SEAL_BYTES as u64, chain::read_seal(&bytes).ok_or_else(short)?.hash))
        }
        None if segment.init_bytes <= fmp4::INIT_BYTES_MAX => {
            let init = read(file, 0, segment.init_bytes as usize)?;
            let _ = chain::read_info(&init).ok_or_else(short)?;
            Ok((u64::from(segment.init_bytes), chain::chain_start(&init)))
        }
        None => Err(short()),
    }
}

fn next_fragment(file: &File, at: u64, len: u64, hash: &Hash) -> io::Result<Option<(FragmentEntry, Seal)>> {
    let Some((moof, size)) = fragment_size(file, at, len)? else { return Ok(None) };
    let read = read(file, at, size + SEAL_BYTES)?;
    let (fragment, behind) = read.split_at(size);
    let Some(seal) = chain::read_seal(behind) else { return Ok(None) };
    if seal.hash != chain::sealed(hash, fragment, seal.end_us) {
        return Ok(None);
    }
    let entry = u32::try_from(size).ok().and_then(|size| fmp4::read_entry(&fragment[..moof], at, size).ok());
    Ok(entry.map(|entry| (entry, seal)))
}

/// Bytes of `moof`, and of `moof` and `mdat` together, of the fragment at `at`, if one with room for its seal is there.
pub(super) fn fragment_size(file: &File, at: u64, len: u64) -> io::Result<Option<(usize, usize)>> {
    let Some(moof) = head(file, at, len, b"moof")? else { return Ok(None) };
    let Some(mdat) = head(file, at.saturating_add(moof), len, b"mdat")? else { return Ok(None) };
    let size = moof + mdat;
    if size > FRAGMENT_BYTES_MAX || at + size + SEAL_BYTES as u64 > len {
        return Ok(None);
    }
    Ok(usize::try_from(moof).ok().zip(usize::try_from(size).ok()))
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
    use crate::record::testing::{quick_dir, whole};

    #[test]
    fn a_file_cut_at_any_byte_is_recovered_to_its_last_whole_fragment() {
        let dir = quick_dir();
        let path = dir.path().join("x.mp4");
        let (file, segment) = whole();
        let ends = |f: &FragmentEntry| f.offset + u64::from(f.size_bytes) + SEAL_BYTES as u64;
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
