//! Fragmented MP4 (ISO/IEC 14496-12), written so that it can be patched, checked and found again.
//!
//! The layout of a fragment's head is fixed: `mfhd.sequence_number` and `tfdt.baseMediaDecodeTime` stand at
//! [`SEQUENCE_AT`] and [`DECODE_TIME_AT`], so that a clip is made of fragments by patching twelve bytes of each.

use mp4_atom::{
    Decode, Dinf, Dref, DrefEntry, Encode, FixedPoint, Ftyp, Hdlr, Matrix, Mdhd, Mdia, Mehd, Minf, Moof, Moov, Mvex,
    Mvhd, SegmentReference, Sidx, Stbl, Stco, Tkhd, Trak, Trex, Url, Vmhd,
};
use sha2::{Digest, Sha256};

use super::{
    chain::{self, Info, SEAL_BYTES},
    segmenter::Fragment,
};
use crate::domain::{packet::StreamParams, segment::FragmentEntry};

/// Ticks a second of every scale in our files.
const TIMESCALE: u32 = 90_000;
/// Where `mfhd.sequence_number` (4 bytes) stands behind the start of `moof`.
pub const SEQUENCE_AT: u64 = 20;
/// Where `tfdt.baseMediaDecodeTime` (8 bytes, version 1) stands behind the start of `moof`.
pub const DECODE_TIME_AT: u64 = 60;
/// Bytes of `moof` before the first entry of `trun`.
const MOOF_HEAD: usize = 88;
/// Bytes of an entry of `trun`: duration, size, flags, composition offset.
const TRUN_ENTRY: usize = 16;
/// `sample_flags` of a key frame: depends on no other.
const FLAGS_KEY: u32 = 0x0200_0000;
/// `sample_flags` of any other frame: depends on others, is no sync sample.
const FLAGS_DELTA: u32 = 0x0101_0000;
/// The most bytes an `init` may have when one is read back.
pub const INIT_BYTES_MAX: u32 = 1 << 20;

/// Why a file cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A box could not be encoded or decoded.
    #[error("MP4 box: {0}")]
    Box(#[from] mp4_atom::Error),
    /// Something is missing or does not fit.
    #[error("MP4: {0}")]
    Shape(&'static str),
}

/// SHA-256 (hex) of a sample entry: two segments with the same one can be joined.
#[must_use]
pub fn params_sha256(params: &StreamParams) -> String {
    hex::encode(Sha256::digest(&params.sample_entry))
}

/// What a file of ours begins with: [`head`] and the box that says what the file is.
///
/// # Errors
/// When the sample entry is too large.
pub fn init(params: &StreamParams, info: &Info) -> Result<Vec<u8>, FormatError> {
    let mut out = head(params)?;
    chain::push_info(&mut out, info).map_err(|_| FormatError::Shape("the info box cannot be written"))?;
    Ok(out)
}

/// `ftyp` and `moov`: all that a player needs before the first fragment.
///
/// # Errors
/// When the sample entry is too large.
pub fn head(params: &StreamParams) -> Result<Vec<u8>, FormatError> {
    let mut out = Vec::with_capacity(1024);
    Ftyp { major_brand: b"iso6".into(), minor_version: 0, compatible_brands: vec![b"iso6".into(), b"mp41".into()] }
        .encode(&mut out)?;
    let mut moov = Vec::with_capacity(800);
    movie(params)?.encode(&mut moov)?;
    // The sample entry goes in as retina made it, byte for byte; mp4-atom would decode and encode it again.
    let stsd = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"];
    insert(&mut moov, &stsd, &params.sample_entry)?;
    let count_at = find(&moov, &stsd)?.0 + 12;
    moov[count_at..count_at + 4].copy_from_slice(&1u32.to_be_bytes());
    out.extend_from_slice(&moov);
    Ok(out)
}

fn movie(params: &StreamParams) -> Result<Moov, FormatError> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| FormatError::Shape("the picture is too large"));
    let (width, height) = (side(params.width)?, side(params.height)?);
    Ok(Moov {
        mvhd: Mvhd {
            creation_time: 0,
            modification_time: 0,
            timescale: TIMESCALE,
            duration: 0,
            rate: FixedPoint::from(1),
            volume: FixedPoint::from(1),
            matrix: Matrix::default(),
            next_track_id: 2,
        },
        meta: None,
        mvex: Some(Mvex {
            mehd: None,
            trex: vec![Trex {
                track_id: 1,
                default_sample_description_index: 1,
                default_sample_duration: 0,
                default_sample_size: 0,
                default_sample_flags: FLAGS_DELTA,
            }],
        }),
        trak: vec![Trak {
            tkhd: Tkhd {
                track_id: 1,
                enabled: true,
                in_movie: true,
                width: FixedPoint::from(width),
                height: FixedPoint::from(height),
                ..Tkhd::default()
            },
            mdia: Mdia {
                mdhd: Mdhd { timescale: TIMESCALE, language: "und".into(), ..Mdhd::default() },
                hdlr: Hdlr { handler: b"vide".into(), name: "Vong Lau".into() },
                minf: Minf {
                    vmhd: Some(Vmhd::default()),
                    dinf: Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } },
                    stbl: Stbl { stco: Some(Stco::default()), ..Stbl::default() },
                    ..Minf::default()
                },
            },
            ..Trak::default()
        }],
        udta: None,
        ainf: None,
    })
}

/// Appends `moof` and `mdat`. `base_90k` is the session tick at which the segment starts.
///
/// # Errors
/// When the fragment is larger than 32 bits can say.
pub fn push_fragment(out: &mut Vec<u8>, fragment: &Fragment, base_90k: i64, sequence: u32) -> Result<u32, FormatError> {
    const TOO_LARGE: FormatError = FormatError::Shape("the fragment is too large");
    let start = out.len();
    let samples = &fragment.samples;
    let moof = MOOF_HEAD + TRUN_ENTRY * samples.len();
    let total = u32::try_from(moof + 8 + fragment.size_bytes()).map_err(|_| TOO_LARGE)?;
    out.reserve(moof + 8 + fragment.size_bytes() + SEAL_BYTES);
    let decode_time = u64::try_from(fragment.start_90k.saturating_sub(base_90k)).unwrap_or(0);
    let mut word = |value: u32| out.extend_from_slice(&value.to_be_bytes());
    let size = |bytes: usize| u32::try_from(bytes).map_err(|_| TOO_LARGE);
    for value in [size(moof)?, tag(b"moof"), 16, tag(b"mfhd"), 0, sequence] {
        word(value);
    }
    // tfhd: default-base-is-moof; tfdt: version 1; trun: version 1, data offset and all four fields of each sample.
    let decode_time = decode_time.to_be_bytes();
    let [high, low] = [&decode_time[..4], &decode_time[4..]].map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    for value in [size(moof - 24)?, tag(b"traf"), 16, tag(b"tfhd"), 0x0002_0000, 1] {
        word(value);
    }
    for value in [20, tag(b"tfdt"), 0x0100_0000, high, low] {
        word(value);
    }
    for value in [size(moof - 68)?, tag(b"trun"), 0x0100_0f01, size(samples.len())?, size(moof + 8)?] {
        word(value);
    }
    for sample in samples {
        let packet = &sample.packet;
        let offset = packet.pts_90k.saturating_sub(sample.dts_90k);
        let offset = offset.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        word(sample.duration_90k);
        word(size(packet.data.len())?);
        word(if packet.key { FLAGS_KEY } else { FLAGS_DELTA });
        // Two's complement; clamped above.
        word(u32::from_be_bytes(i32::try_from(offset).unwrap_or_default().to_be_bytes()));
    }
    push_box_head(out, 8 + fragment.size_bytes(), b"mdat");
    for sample in samples {
        out.extend_from_slice(&sample.packet.data);
    }
    debug_assert_eq!(out.len() - start, total as usize);
    Ok(total)
}

/// The row of the table for a `moof` of ours that stands at `offset` and has `size_bytes` with its `mdat`.
///
/// # Errors
/// When it is not of our making.
pub fn read_entry(moof: &[u8], offset: u64, size_bytes: u32) -> Result<FragmentEntry, FormatError> {
    let moof = Moof::decode(&mut &moof[..])?;
    let traf = moof.traf.first().ok_or(FormatError::Shape("no traf"))?;
    let start_90k = traf.tfdt.as_ref().ok_or(FormatError::Shape("no tfdt"))?.base_media_decode_time;
    let run = traf.trun.first().ok_or(FormatError::Shape("no trun"))?;
    let duration: u64 = run.samples.iter().map(|s| u64::from(s.duration.unwrap_or(0))).sum();
    let key = run.samples.get(0).is_some_and(|s| s.flags == Some(FLAGS_KEY));
    Ok(FragmentEntry { offset, size_bytes, start_90k, duration_90k: u32::try_from(duration).unwrap_or(u32::MAX), key })
}

/// The front of a clip: `ftyp`, `moov` with the clip's length, `sidx` with a reference a group of pictures.
///
/// # Errors
/// When `init` is not of our making or the clip does not fit into one `sidx`.
pub fn clip_front(init: &[u8], fragments: &[FragmentEntry]) -> Result<Vec<u8>, FormatError> {
    let duration = fragments.iter().map(|f| u64::from(f.duration_90k)).sum();
    let mut out = Vec::with_capacity(init.len() + 64 + fragments.len() * 12);
    for (kind, body) in boxes(init).filter(|(kind, _)| matches!(kind, b"ftyp" | b"moov")) {
        let at = out.len();
        push_box_head(&mut out, 8 + body.len(), &kind);
        out.extend_from_slice(body);
        if kind == *b"moov" {
            let mut moov = out.split_off(at);
            let mut mehd = Vec::with_capacity(20);
            Mehd { fragment_duration: duration }.encode(&mut mehd)?;
            // Chromium takes the first fragment's length for the whole when it finds neither `mehd` nor `sidx`.
            insert(&mut moov, &[b"moov", b"mvex"], &mehd)?;
            out.extend_from_slice(&moov);
        }
    }
    // A player jumps to where a reference starts, so each one starts with a key frame: a browser sent to a fragment in
    // the middle of a group shows smeared pictures. A `sidx` counts to 65 535; longer clips put groups together.
    let groups: Vec<&[FragmentEntry]> = fragments.chunk_by(|_, next| !next.key).collect();
    let together = groups.len().div_ceil(usize::from(u16::MAX)).max(1);
    let references = groups.chunks(together).map(|groups| {
        let inside = || groups.iter().copied().flatten();
        let key = inside().next().is_some_and(|f| f.key);
        SegmentReference {
            reference_type: false,
            referenced_size: inside().fold(0u32, |sum, f| sum.saturating_add(f.size_bytes)),
            subsegment_duration: inside().fold(0u32, |sum, f| sum.saturating_add(f.duration_90k)),
            starts_with_sap: key,
            sap_type: u8::from(key),
            sap_delta_time: 0,
        }
    });
    Sidx {
        reference_id: 1,
        timescale: TIMESCALE,
        earliest_presentation_time: 0,
        first_offset: 0,
        references: references.collect(),
    }
    .encode(&mut out)?;
    Ok(out)
}

/// The top-level boxes of `bytes`, type and body; stops at the first that is not whole.
pub fn boxes(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (size, kind) = box_head(rest)?;
        let body = rest.get(8..size)?;
        rest = &rest[size..];
        Some((kind, body))
    })
}

/// Size (with head) and type of the box at the start of `bytes`. We write no 64-bit and no open-ended sizes.
#[must_use]
pub fn box_head(bytes: &[u8]) -> Option<(usize, [u8; 4])> {
    let size = usize::try_from(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = bytes.get(4..8)?.try_into().ok()?;
    (size >= 8).then_some((size, kind))
}

/// Appends a box's head; `size` counts it.
pub fn push_box_head(out: &mut Vec<u8>, size: usize, kind: &[u8; 4]) {
    // Callers have bounded the size.
    out.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(kind);
}

const fn tag(kind: &[u8; 4]) -> u32 {
    u32::from_be_bytes(*kind)
}

/// Start and end of the box at `path`.
fn find(bytes: &[u8], path: &[&[u8; 4]]) -> Result<(usize, usize), FormatError> {
    let (mut at, mut end) = (0, bytes.len());
    for (depth, kind) in path.iter().enumerate() {
        if depth > 0 {
            at += 8;
        }
        loop {
            let (size, found) = box_head(&bytes[at..end]).ok_or(FormatError::Shape("a box is missing"))?;
            if found == **kind {
                end = (at + size).min(end);
                break;
            }
            at += size;
            if at >= end {
                return Err(FormatError::Shape("a box is missing"));
            }
        }
    }
    Ok((at, end))
}

/// Puts `extra` at the end of the box at `path` and makes it and those around it larger.
fn insert(bytes: &mut Vec<u8>, path: &[&[u8; 4]], extra: &[u8]) -> Result<(), FormatError> {
    for depth in 1..=path.len() {
        let (at, end) = find(bytes, &path[..depth])?;
        let size = u32::try_from(end - at + extra.len()).map_err(|_| FormatError::Shape("a box is too large"))?;
        bytes[at..at + 4].copy_from_slice(&size.to_be_bytes());
        if depth == path.len() {
            bytes.splice(end..end, extra.iter().copied());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Any, ReadFrom};
    use proptest::prelude::*;

    use super::*;
    use crate::record::{
        segmenter::Segmenter,
        testing::{Picture, info, packets, params, stream},
    };

    #[test]
    fn the_sample_entry_is_in_the_file_byte_for_byte_and_the_file_says_what_it_is() {
        let init = init(&params(), &info()).unwrap();
        assert!(init.windows(params().sample_entry.len()).any(|w| w == &params().sample_entry[..]));
        assert_eq!(chain::read_info(&init), Some(info()));
        let mut reader = &init[..];
        let Any::Ftyp(_) = Any::read_from(&mut reader).unwrap() else { panic!() };
        let Any::Moov(moov) = Any::read_from(&mut reader).unwrap() else { panic!() };
        let mp4_atom::Codec::Avc1(avc1) = &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else { panic!() };
        assert_eq!((avc1.visual.width, avc1.visual.height), (640, 480));
        assert_eq!(moov.mvex.unwrap().trex.len(), 1);
    }

    #[test]
    fn a_clips_front_has_its_length_and_every_reference_starts_with_a_key_frame() {
        let init = init(&params(), &info()).unwrap();
        let row = |key, n: u64| FragmentEntry { offset: n, size_bytes: 10, start_90k: 0, duration_90k: 90_000, key };
        let front = clip_front(&init, &[row(true, 0), row(false, 10), row(true, 20)]).unwrap();
        let mut reader = &front[..];
        let Any::Ftyp(_) = Any::read_from(&mut reader).unwrap() else { panic!() };
        let Any::Moov(moov) = Any::read_from(&mut reader).unwrap() else { panic!() };
        assert_eq!(moov.mvex.unwrap().mehd.unwrap().fragment_duration, 270_000);
        let Any::Sidx(sidx) = Any::read_from(&mut reader).unwrap() else { panic!() };
        let references: Vec<_> = sidx.references.iter().map(|r| (r.starts_with_sap, r.referenced_size)).collect();
        assert_eq!(references, [(true, 20), (true, 10)]);
        assert!(reader.is_empty());
        // A clip of more than 65 535 groups refers to several at once.
        let long = clip_front(&init, &vec![row(true, 0); 70_000]).unwrap();
        assert!(long.len() > 12 * 35_000);
    }

    #[test]
    fn the_numbers_to_be_patched_stand_where_they_should() {
        let mut segmenter = Segmenter::default();
        for packet in stream(10, 10, 25) {
            segmenter.push(packet);
        }
        let fragment = segmenter.end().remove(0);
        let mut out = Vec::new();
        push_fragment(&mut out, &fragment, fragment.start_90k - 0x1_2345_6789, 0x0bad_cafe).unwrap();
        let at = |at: u64, n: usize| &out[usize::try_from(at).unwrap()..][..n];
        assert_eq!(at(SEQUENCE_AT, 4), [0x0b, 0xad, 0xca, 0xfe]);
        assert_eq!(at(DECODE_TIME_AT, 8), 0x1_2345_6789u64.to_be_bytes());
    }

    proptest! {
        #[test]
        fn fragments_read_back_give_the_same_samples_and_times(
            steps in proptest::collection::vec((-3i64..8, any::<bool>(), 1usize..60), 1..80)
        ) {
            let mut pts = 0;
            let pictures: Vec<_> = steps.iter().map(|&(step, key, size)| {
                pts += step * 1500;
                Picture { pts, key, size }
            }).collect();
            let pushed = packets(&pictures);
            let mut segmenter = Segmenter::default();
            let mut fragments: Vec<_> = pushed.iter().flat_map(|p| segmenter.push(p.clone())).collect();
            fragments.extend(segmenter.end());
            let mut read = Vec::new();
            let base = fragments[0].start_90k;
            for (n, fragment) in fragments.iter().enumerate() {
                let mut out = Vec::new();
                let size = push_fragment(&mut out, fragment, base, u32::try_from(n).unwrap()).unwrap();
                prop_assert_eq!(out.len(), size as usize);
                let row = read_entry(&out, 0, size).unwrap();
                prop_assert_eq!(row.duration_90k, fragment.duration_90k);
                prop_assert_eq!(i64::try_from(row.start_90k).unwrap(), fragment.start_90k - base);
                prop_assert_eq!(row.key, fragment.key);
                let moof = Moof::decode(&mut &out[..]).unwrap();
                prop_assert_eq!(moof.mfhd.sequence_number as usize, n);
                let run = &moof.traf[0].trun[0];
                let mut data = &out[usize::try_from(run.data_offset.unwrap()).unwrap()..];
                let mut dts = base + i64::try_from(row.start_90k).unwrap();
                for sample in run.samples.iter() {
                    let (bytes, rest) = data.split_at(sample.size.unwrap() as usize);
                    read.push((dts + sample.cts.unwrap(), sample.flags == Some(FLAGS_KEY), bytes.to_vec()));
                    dts += i64::from(sample.duration.unwrap());
                    data = rest;
                }
                prop_assert!(data.is_empty());
            }
            let pushed: Vec<_> = pushed.iter().map(|p| (p.pts_90k, p.key, p.data.to_vec())).collect();
            prop_assert_eq!(read, pushed);
        }

        #[test]
        fn no_bytes_break_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = chain::read_info(&bytes);
            let _ = read_entry(&bytes, 0, 0);
            let _ = clip_front(&bytes, &[]);
            boxes(&bytes).count();
        }
    }
}
