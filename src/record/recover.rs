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
    let tail = match mend_file(&path, segment) {
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
        file.sync_all()?;
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
