//! A reader of fragmented MP4 that shares no code with the writer: ISO/IEC 14496-12 boxes, just what the tests need.

use sha2::{Digest, Sha256};

/// One sample of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Decoding time plus composition offset, in the track's time scale.
    pub pts: i64,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The boxes of a range: type, start of the box, start and end of its body.
fn boxes(bytes: &[u8], from: usize, to: usize) -> Vec<([u8; 4], usize, usize, usize)> {
    let (mut out, mut at) = (Vec::new(), from);
    while at + 8 <= to {
        let (mut size, mut head) = (u32_at(bytes, at) as usize, 8);
        if size == 1 {
            (size, head) = (u64_at(bytes, at + 8) as usize, 16);
        }
        assert!(size >= head && at + size <= to, "a box of {size} bytes at {at} of {to}");
        out.push((bytes[at + 4..at + 8].try_into().expect("a type"), at, at + head, at + size));
        at += size;
    }
    assert_eq!(at, to, "bytes left over");
    out
}

/// Every sample of a fragmented file with one track, in file order.
pub fn samples(bytes: &[u8]) -> Vec<Sample> {
    let mut out = Vec::new();
    for (kind, moof, body, end) in boxes(bytes, 0, bytes.len()) {
        if &kind == b"moof" {
            for (kind, _, body, end) in boxes(bytes, body, end) {
                if &kind == b"traf" {
                    read_traf(bytes, moof, body, end, &mut out);
                }
            }
        }
    }
    out
}

fn read_traf(bytes: &[u8], moof: usize, from: usize, to: usize, out: &mut Vec<Sample>) {
    let mut dts = 0_i64;
    for (kind, _, body, _) in boxes(bytes, from, to) {
        let (version, flags) = (bytes[body], u32_at(bytes, body) & 0x00ff_ffff);
        match &kind {
            b"tfhd" => assert_eq!(flags & 0x0000_0019, 0, "defaults are not read here: {flags:x}"),
            b"tfdt" => {
                assert_eq!(version, 1);
                dts = i64::try_from(u64_at(bytes, body + 4)).expect("a time");
            }
            b"trun" => {
                assert_eq!(flags & 0x301, 0x301, "offset, duration and size of each sample: {flags:x}");
                let count = u32_at(bytes, body + 4);
                let mut data = moof + u32_at(bytes, body + 8) as usize;
                let mut at = body + 12 + if flags & 4 == 0 { 0 } else { 4 };
                for _ in 0..count {
                    let (duration, size) = (u32_at(bytes, at), u32_at(bytes, at + 4) as usize);
                    at += 8 + if flags & 0x400 == 0 { 0 } else { 4 };
                    let mut offset = 0;
                    if flags & 0x800 != 0 {
                        offset = i64::from(u32_at(bytes, at).cast_signed());
                        at += 4;
                    }
                    let sha256 = hex::encode(Sha256::digest(&bytes[data..data + size]));
                    out.push(Sample { pts: dts + offset, sha256 });
                    data += size;
                    dts += i64::from(duration);
                }
            }
            _ => {}
        }
    }
}
