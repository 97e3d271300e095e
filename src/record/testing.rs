//! Packets made by hand, for the tests of this room.

use std::sync::Arc;

use crate::domain::{
    camera::StreamKind,
    ids::{CameraId, StreamId},
    packet::{Codec, Packet, StreamParams, ticks_to_us},
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
