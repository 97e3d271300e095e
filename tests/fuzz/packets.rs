//! Packets of every shape through the segmenter and the box writer: what stands in the files is what was sent.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use vonglau::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, StreamId},
        packet::{Codec, Packet, StreamParams, ticks_to_us},
        time::{BootTime, MediaTime},
    },
    record::{
        RecordedStream,
        chain::{self, Info, Seal},
        fmp4,
        segmenter::{Fragment, Segmenter},
    },
};

use super::{file, mp4};

const START_US: i64 = 1_700_000_000_000_000;

/// Packets out of bytes, three each: flags (1 key; 28 all set: other parameters; 224 all set: a new session), size, and
/// the step of the presentation time in hundredths of a second, with a sign.
pub fn packets(bytes: &[u8], stream: &RecordedStream, params: &[Arc<StreamParams>; 2]) -> Vec<Packet> {
    let (mut session, mut pts_90k, mut other, mut begin_us) = (1, 0i64, 0, START_US);
    let packet = |(n, three): (usize, &[u8])| {
        let [flags, size, step] = three else { unreachable!("chunks of three") };
        if flags & 224 == 224 {
            begin_us += ticks_to_us(pts_90k.max(0)) + 1_000_000;
            (session, pts_90k) = (session + 1, 0);
        }
        other ^= usize::from(flags & 28 == 28);
        pts_90k += i64::from(step.cast_signed()) * 900;
        let data: Vec<u8> = (0..=usize::from(*size)).map(|i| (i + n) as u8).collect();
        Packet {
            camera: stream.camera,
            stream: stream.stream,
            kind: stream.kind,
            session,
            pts_90k,
            time: MediaTime(begin_us + ticks_to_us(pts_90k)),
            received: BootTime(begin_us + n as i64 * 1000),
            key: flags & 1 == 1,
            loss: 0,
            params: params[other].clone(),
            data: Bytes::from(data),
        }
    };
    bytes.chunks_exact(3).enumerate().map(packet).collect()
}

/// Parameters around a made-up `avc1` box.
pub fn params(width: u16) -> Arc<StreamParams> {
    let config = [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1e, 1, 0, 4, 0x68, 0xce, 0x3c, 0x80];
    let mut entry = [&[0, 0, 0, 113][..], b"avc1", &[0; 78], &[0, 0, 0, 27], b"avcC", &config].concat();
    entry[15] = 1;
    entry[32..34].copy_from_slice(&width.to_be_bytes());
    entry[34..36].copy_from_slice(&[1, 0xe0]);
    Arc::new(StreamParams {
        codec: Codec::H264,
        rfc6381: "avc1.42C01E".into(),
        width: width.into(),
        height: 480,
        sample_entry: entry.into(),
        decoder_config: config.to_vec().into(),
    })
}

pub fn stream() -> RecordedStream {
    RecordedStream { camera: CameraId(7), camera_code: "C07".into(), stream: StreamId(70), kind: StreamKind::Main }
}

pub fn run(bytes: &[u8]) {
    check(packets(bytes, &stream(), &[params(640), params(320)]));
}

/// Writes packets as the recorder does and reads them back twice: by our reader and by one that shares no code with it.
pub fn check(all: Vec<Packet>) {
    let sent: Vec<String> = all.iter().map(|p| hex::encode(Sha256::digest(&p.data))).collect();
    let mut found = Vec::new();
    for (bytes, fragments) in files(all) {
        found.extend(mp4::samples(&bytes).into_iter().map(|s| s.sha256));
        let read = file::read(&bytes);
        assert!(read.flaws.is_empty() && read.tail.is_none(), "{read:?}");
        assert_eq!(read.fragments.len(), fragments, "{read:?}");
    }
    assert!(found == sent, "other bytes or another order: {} of {}", found.len(), sent.len());
}

/// The files of packets of one stream, with how many fragments are in each.
pub fn files(all: Vec<Packet>) -> Vec<(Vec<u8>, usize)> {
    let mut segmenter = Segmenter::default();
    let mut fragments: Vec<Fragment> = all.into_iter().flat_map(|p| segmenter.push(p)).collect();
    fragments.extend(segmenter.end());
    let (mut out, mut before): (Vec<(Vec<u8>, usize)>, _) = (Vec::new(), None);
    let mut base_90k = 0;
    for fragment in &fragments {
        let session = fragment.samples[0].packet.session;
        let goes_on = before.as_ref().is_some_and(|(s, p, _)| (*s, p) == (session, &fragment.params));
        if fragment.opens || !goes_on {
            // A camera may claim pictures that no file can hold.
            let Ok(head) = fmp4::init(&fragment.params, &info(fragment)) else { return Vec::new() };
            base_90k = fragment.start_90k;
            before = Some((session, fragment.params.clone(), chain::chain_start(&head)));
            out.push((head, 0));
        }
        let (Some((bytes, count)), Some((_, _, hash))) = (out.last_mut(), &mut before) else { unreachable!() };
        let at = bytes.len();
        let sequence = u32::try_from(*count + 1).expect("few fragments");
        let size = fmp4::push_fragment(bytes, fragment, base_90k, sequence).expect("small enough");
        assert_eq!(bytes.len() - at, size as usize);
        let end_us = fragment.end.us();
        *hash = chain::sealed(hash, &bytes[at..], end_us);
        chain::push_seal(bytes, &Seal { end_us, hash: *hash });
        *count += 1;
    }
    out
}

fn info(fragment: &Fragment) -> Info {
    let (params, stream) = (&fragment.params, stream());
    Info {
        site: "b3b0".into(),
        run: "1".into(),
        camera: stream.camera,
        camera_code: stream.camera_code,
        stream: stream.stream,
        kind: stream.kind,
        start_us: fragment.start.us(),
        codec: params.codec,
        rfc6381: params.rfc6381.clone(),
        width: params.width,
        height: params.height,
        params_sha256: fmp4::params_sha256(params),
        previous: None,
    }
}
