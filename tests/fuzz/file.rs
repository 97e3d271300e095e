//! Any bytes as a segment file: read as `verify` and `reindex` do, and mended as a start does after a crash.

use std::{io::Write, os::fd::AsRawFd, path::PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};
use vonglau::{
    domain::{
        ids::{SegmentId, StreamId},
        packet::Codec,
        segment::{FragmentEntry, Segment},
    },
    record::{
        chain::{self, SEAL_BYTES, Seal},
        fmp4,
        reading::{self, Reading},
        recover,
    },
};

const START_US: i64 = 1_700_000_000_000_000;

/// A file in memory, with its name.
struct File(std::fs::File, PathBuf);

impl File {
    fn of(bytes: &[u8]) -> Self {
        let mut file = std::fs::File::from(memfd_create("segment", MemfdFlags::CLOEXEC).expect("memory"));
        file.write_all(bytes).expect("memory");
        let name = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Self(file, name)
    }
    fn len(&self) -> u64 {
        self.0.metadata().expect("it is there").len()
    }
}

/// Reads a file; whatever it holds, what comes out lies inside it and in order.
pub fn read(bytes: &[u8]) -> Reading {
    let file = File::of(bytes);
    let read = reading::read(&file.1, START_US, &mut |_| true).expect("memory can be read");
    assert_eq!(read.size_bytes, bytes.len() as u64);
    let mut at = u64::from(read.init_bytes);
    for fragment in &read.fragments {
        assert!(fragment.offset >= at, "{read:?}");
        at = end_of(fragment);
    }
    assert!(at <= read.size_bytes && read.ends.len() <= 3, "{read:?}");
    assert!(read.flaws.iter().chain(&read.tail).all(|f| f.span.end_us > f.span.start_us), "{read:?}");
    read
}

fn end_of(fragment: &FragmentEntry) -> u64 {
    fragment.offset + u64::from(fragment.size_bytes) + SEAL_BYTES as u64
}

/// The first byte says whether every fragment is given a right seal first, as only we can write one: then what stands
/// inside the fragments counts.
pub fn run(bytes: &[u8]) {
    let Some((flags, rest)) = bytes.split_first() else { return };
    let mut bytes = rest.to_vec();
    if flags & 1 == 1 {
        seal(&mut bytes);
    }
    let read = read(&bytes);
    let Some(info) = &read.info else { return };
    let init = &bytes[..read.init_bytes as usize];
    // A head that cannot be a clip's is an error, never a panic.
    let _ = fmp4::clip_front(init, &read.fragments);
    let known = usize::from(flags >> 1).min(read.fragments.len());
    let row = Segment {
        id: SegmentId(1),
        stream: StreamId(70),
        path: String::new(),
        start_us: info.start_us,
        end_us: info.start_us,
        open: true,
        init_bytes: read.init_bytes,
        size_bytes: bytes.len() as u64,
        codec: Codec::H264,
        rfc6381: String::new(),
        width: info.width,
        height: info.height,
        params_sha256: String::new(),
        fragments: read.fragments[..known].to_vec(),
    };
    mend(&bytes, &row, &read);
}

/// Mending keeps what is whole, cuts the rest, and has nothing to do the second time.
fn mend(bytes: &[u8], row: &Segment, read: &Reading) {
    let file = File::of(bytes);
    let Ok(tail) = recover::mend_file(&file.1, row) else {
        assert_eq!(file.len(), bytes.len() as u64, "a file that cannot be mended is left as it is");
        return;
    };
    assert_eq!((tail.good_bytes, tail.good_bytes + tail.torn_bytes), (file.len(), bytes.len() as u64));
    let known: Vec<_> = row.fragments.iter().chain(&tail.added).copied().collect();
    assert!(read.fragments.starts_with(&known), "{known:?} of {read:?}");
    assert_eq!(known.last().map_or(u64::from(read.init_bytes), end_of), tail.good_bytes);
    let again = recover::mend_file(&file.1, row).expect("it was mended");
    assert_eq!((again.added, again.end_us, again.torn_bytes), (tail.added, tail.end_us, 0));
}

/// Gives each fragment in a row the seal it should have.
fn seal(bytes: &mut [u8]) {
    let file = File::of(bytes);
    let Ok((init, _)) = chain::read_head(&file.0) else { return };
    let (mut at, mut hash) = (init.len(), chain::chain_start(&init));
    let size = |bytes: &[u8], at: usize| bytes.get(at..).and_then(fmp4::box_head).map(|(size, _)| size);
    while let Some(moof) = size(bytes, at)
        && let Some(mdat) = size(bytes, at.saturating_add(moof))
    {
        let end = at.saturating_add(moof).saturating_add(mdat);
        let Some(place) = bytes.get(end..end.saturating_add(SEAL_BYTES)) else { return };
        let end_us = i64::from_be_bytes(place[24..32].try_into().expect("eight bytes"));
        hash = chain::sealed(&hash, &bytes[at..end], end_us);
        let mut right = Vec::with_capacity(SEAL_BYTES);
        chain::push_seal(&mut right, &Seal { end_us, hash });
        bytes[end..end + SEAL_BYTES].copy_from_slice(&right);
        at = end + SEAL_BYTES;
    }
}
