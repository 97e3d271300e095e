//! Packets made by hand, for the tests of this room.

use std::sync::Arc;

use super::{
    chain::{Info, Seal, chain_start, push_seal, sealed},
    fmp4::{init, params_sha256, push_fragment},
    segmenter::Segmenter,
};
use crate::domain::{
    camera::StreamKind,
    ids::{CameraId, SegmentId, StreamId},
    packet::{Codec, Packet, StreamParams, ticks_to_us},
    segment::{FragmentEntry, Segment},
    time::{BootTime, MediaTime},
};

/// A picture to be made into a packet.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    pub pts: i64,
    pub key: bool,
    pub size: usize,
}

/// Where test streams start.
pub const START_US: i64 = 1_700_000_000_000_000;

/// Parameters with a real `avc1` box around a made-up configuration.
pub fn params() -> Arc<StreamParams> {
    let config = [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1e, 1, 0, 4, 0x68, 0xce, 0x3c, 0x80];
    let mut entry = vec![0u8; 86];
    entry[4..8].copy_from_slice(b"avc1");
    entry[15] = 1;
    entry[32..36].copy_from_slice(&[0x02, 0x80, 0x01, 0xe0]);
    entry.extend_from_slice(&(8 + 19u32).to_be_bytes());
    entry.extend_from_slice(b"avcC");
    entry.extend_from_slice(&config);
    let size = u32::try_from(entry.len()).unwrap();
    entry[..4].copy_from_slice(&size.to_be_bytes());
    Arc::new(StreamParams {
        codec: Codec::H264,
        rfc6381: "avc1.42C01E".into(),
        width: 640,
        height: 480,
        sample_entry: entry.into(),
        decoder_config: config.to_vec().into(),
    })
}

/// Packets in the given (decoding) order.
pub fn packets(pictures: &[Picture]) -> Vec<Packet> {
    let params = params();
    let packet = |(n, p): (usize, &Picture)| Packet {
        camera: CameraId(7),
        stream: StreamId(70),
        kind: StreamKind::Main,
        session: 1,
        pts_90k: p.pts,
        time: MediaTime(START_US + ticks_to_us(p.pts)),
        received: BootTime(ticks_to_us(p.pts)),
        key: p.key,
        loss: 0,
        params: params.clone(),
        data: (0..p.size).map(|i| u8::try_from((n * 31 + i * 7) % 251).unwrap()).collect::<Vec<_>>().into(),
    };
    pictures.iter().enumerate().map(packet).collect()
}

/// `count` pictures at `fps`, a key frame every `gop`.
pub fn stream(fps: i64, gop: usize, count: usize) -> Vec<Packet> {
    let picture = |n: usize| Picture {
        pts: i64::try_from(n).unwrap() * 90_000 / fps,
        key: n.is_multiple_of(gop),
        size: 20 + n % 50,
    };
    packets(&(0..count).map(picture).collect::<Vec<_>>())
}

/// What a file of these streams says about itself.
pub fn info() -> Info {
    let params = params();
    Info {
        site: "b3b0".into(),
        run: "1".into(),
        camera: CameraId(7),
        camera_code: "C07".into(),
        stream: StreamId(70),
        kind: StreamKind::Main,
        start_us: START_US,
        codec: params.codec,
        rfc6381: params.rfc6381.clone(),
        width: params.width,
        height: params.height,
        params_sha256: params_sha256(&params),
        previous: None,
    }
}

/// A whole file and its row.
pub fn whole() -> (Vec<u8>, Segment) {
    let params = params();
    let mut file = init(&params, &info()).unwrap();
    let init_bytes = u32::try_from(file.len()).unwrap();
    let mut hash = chain_start(&file);
    let mut segmenter = Segmenter::default();
    let mut all: Vec<_> = stream(10, 10, 35).into_iter().flat_map(|p| segmenter.push(p)).collect();
    all.extend(segmenter.end());
    let mut fragments = Vec::new();
    for (n, fragment) in (1..).zip(&all) {
        let at = file.len();
        let size_bytes = push_fragment(&mut file, fragment, all[0].start_90k, n).unwrap();
        let end_us = fragment.end.us();
        hash = sealed(&hash, &file[at..], end_us);
        push_seal(&mut file, &Seal { end_us, hash });
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
pub fn quick_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
