//! Real video for the tests of camera and record: encoded here, in memory.

use std::sync::Arc;

use bytes::Bytes;
use gstreamer::{self as gst, prelude::*};
use vonglau::domain::{
    camera::StreamKind,
    ids::{CameraId, StreamId},
    packet::{Codec, Packet, StreamParams, ticks_to_us},
    time::{BootTime, MediaTime},
};

/// One access unit in decoding order.
#[derive(Debug, Clone)]
pub struct Unit {
    pub pts_90k: i64,
    pub key: bool,
    /// NAL units behind 4-byte lengths.
    pub data: Bytes,
}

/// A clip.
#[derive(Debug, Clone)]
pub struct Clip {
    pub params: Arc<StreamParams>,
    pub units: Vec<Unit>,
}

/// `encoder` is a GStreamer element with its properties, ended by a parser.
pub fn encode(codec: Codec, width: u32, height: u32, frames: u32, fps: u32, encoder: &str) -> Clip {
    gst::init().unwrap();
    let (name, format, configuration, entry) = match codec {
        Codec::H264 => ("video/x-h264", "avc", "avcC", "avc1"),
        Codec::H265 => ("video/x-h265", "hvc1", "hvcC", "hvc1"),
    };
    let text = format!(
        "videotestsrc pattern=ball num-buffers={frames} ! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 \
         ! {encoder} ! {name},stream-format={format},alignment=au ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let out = pipeline.by_name("out").unwrap().downcast::<gstreamer_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let (mut units, mut config) = (Vec::new(), Bytes::new());
    let mut zero = None;
    while let Some(sample) = out.try_pull_sample(gst::ClockTime::from_seconds(crate::wait::HANGING.as_secs())) {
        let caps = sample.caps().unwrap().structure(0).unwrap().to_owned();
        let record = caps.get::<gst::Buffer>("codec_data").unwrap();
        config = Bytes::copy_from_slice(&record.map_readable().unwrap());
        let buffer = sample.buffer().unwrap();
        let pts = i64::try_from(u128::from(buffer.pts().unwrap().nseconds()) * 9 / 100_000).unwrap();
        units.push(Unit {
            pts_90k: pts - *zero.get_or_insert(pts),
            key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            data: without_parameter_sets(codec, &buffer.map_readable().unwrap()),
        });
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(units.len(), frames as usize);
    let params = StreamParams {
        codec,
        rfc6381: format!("avc1.{:02X}{:02X}{:02X}", config[1], config[2], config[3]),
        width,
        height,
        sample_entry: sample_entry(entry, configuration, width, height, &config),
        decoder_config: config,
    };
    Clip { params: Arc::new(params), units }
}

/// A camera session gives them in the sample entry only.
fn without_parameter_sets(codec: Codec, data: &[u8]) -> Bytes {
    let (mut out, mut rest) = (Vec::new(), data);
    while let Some((size, tail)) = rest.split_first_chunk::<4>() {
        let (nal, next) = tail.split_at(usize::try_from(u32::from_be_bytes(*size)).unwrap());
        let is_set = match codec {
            Codec::H264 => matches!(nal[0] & 0x1f, 7 | 8),
            Codec::H265 => (32..=34).contains(&(nal[0] >> 1 & 0x3f)),
        };
        if !is_set {
            out.extend_from_slice(size);
            out.extend_from_slice(nal);
        }
        rest = next;
    }
    out.into()
}

fn sample_entry(entry: &str, configuration: &str, width: u32, height: u32, config: &[u8]) -> Bytes {
    let mut out = vec![0; 86];
    out[4..8].copy_from_slice(entry.as_bytes());
    out[15] = 1;
    out[32..34].copy_from_slice(&u16::try_from(width).unwrap().to_be_bytes());
    out[34..36].copy_from_slice(&u16::try_from(height).unwrap().to_be_bytes());
    out[36..44].copy_from_slice(&[0, 0x48, 0, 0, 0, 0x48, 0, 0]);
    out[49] = 1;
    out[82..86].copy_from_slice(&[0, 0x18, 0xff, 0xff]);
    out.extend_from_slice(&u32::try_from(8 + config.len()).unwrap().to_be_bytes());
    out.extend_from_slice(configuration.as_bytes());
    out.extend_from_slice(config);
    let size = u32::try_from(out.len()).unwrap();
    out[..4].copy_from_slice(&size.to_be_bytes());
    out.into()
}

/// The clip as a camera session would give it, its first packet at `start_us`.
#[allow(dead_code, reason = "not every test binary records by hand")]
pub fn packets(clip: &Clip, camera: CameraId, stream: StreamId, session: u32, start_us: i64) -> Vec<Packet> {
    let packet = |unit: &Unit| Packet {
        camera,
        stream,
        kind: StreamKind::Main,
        session,
        pts_90k: unit.pts_90k,
        time: MediaTime(start_us + ticks_to_us(unit.pts_90k)),
        received: BootTime(0),
        key: unit.key,
        loss: 0,
        params: clip.params.clone(),
        data: unit.data.clone(),
    };
    clip.units.iter().map(packet).collect()
}
