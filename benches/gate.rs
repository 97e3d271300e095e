//! Question: what does each stage of the motion gate keep, and what does it cost? Of pictures: the share of a drawn place
//! in which something is said to move though nothing does, the share of a walker's pictures in which he is found, and of
//! what a detector sees moving in a clip the share that lies in a region. Of packets: the episodes of a clip that the
//! packet gate would have kept, and CPU-seconds of a camera-hour decoded whole and by key frames.
//!
//! Costs are of the build that runs; `theirs` is the same hour with every frame decoded.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use serde_json::{Value, json};
use vonglau::{
    domain::{detection::Detection, frame::Frame, geometry::NormBox, ids::CameraId, packet::Codec, time::MediaTime},
    logic::{
        gate::{Motion, MotionConfig, Small},
        packet_gate::{Offered, PacketGate},
    },
    runtime::clock::process_cpu_us,
    vision::{
        decode::{Decoder, Key, Outlet, Sampler},
        detect::{Detector, Outcome},
        gate::Gate,
        model::Model,
        picture::Scaler,
    },
};

#[path = "../tests/common/mod.rs"]
mod common;

use common::{
    drawn::{H, Sheet, W, night, quiet, swarm, wet, windy},
    shared_data,
};

fn line(name: &str, peer: Option<&str>, ours: f64, theirs: Option<f64>, unit: &str) {
    let ratio = theirs.map(|t| ours / t);
    let argv: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let (peer, theirs, ratio): (Value, Value, Value) = (json!(peer), json!(theirs), json!(ratio));
    println!(
        "{}",
        json!({ "name": name, "peer": peer, "ours": ours, "theirs": theirs, "ratio": ratio, "unit": unit, "argv": argv })
    );
}

fn holds(boxes: &[NormBox], x: f32, y: f32) -> bool {
    boxes.iter().any(|b| {
        let [x0, y0, x1, y1] = b.corners();
        x0 <= x && x <= x1 && y0 <= y && y <= y1
    })
}

/// One drawn place: three minutes to learn it, two in which nothing happens, then a walker.
fn place(name: &str, colour: f32, draw: fn(u64) -> Sheet) {
    let mut gate = Motion::new(MotionConfig::default(), W, H, &[]);
    let mut us = Vec::new();
    let mut show = |i: u64, sheet: &Sheet| {
        let luma = sheet.bytes();
        let start = Instant::now();
        let said = gate.step(&Small { time: MediaTime(i as i64 * 200_000), luma: &luma, colour: Some(colour) });
        us.push(start.elapsed().as_secs_f64() * 1e6);
        said
    };
    (0..900).for_each(|i| drop(show(i, &draw(i))));
    let moved: Vec<_> = (900..1500).map(|i| show(i, &draw(i))).filter(|said| !said.is_empty()).collect();
    let area: f32 = moved.iter().flatten().map(|b| b.area()).sum();
    let mut found = 0;
    for i in 0..100u64 {
        let (x, y) = (10.0 + 1.4 * i as f32, 66.0);
        let mut sheet = draw(1500 + i);
        sheet.thing((x, y), (3.5, 7.5), if colour < 1.0 { 50.0 } else { -45.0 });
        found += u32::from(holds(&show(1500 + i, &sheet), x / W as f32, y / H as f32));
    }
    us.sort_by(f64::total_cmp);
    line(
        &format!("{name}: pictures in which nothing moves with a region"),
        None,
        moved.len() as f64 / 600.0,
        None,
        "share",
    );
    line(&format!("{name}: area of the regions in them"), None, f64::from(area) / 600.0, None, "share of the picture");
    line(&format!("{name}: pictures of a walker in which he is found"), None, f64::from(found) / 100.0, None, "share");
    line(&format!("{name}: a picture of {W} x {H} cells"), None, us[us.len() / 2] / 1e3, None, "ms");
}

/// The packets of a stream.
struct Stream {
    config: Bytes,
    packets: Vec<(MediaTime, bool, Bytes)>,
}

/// Lets `source` (a part of a pipeline's text) run to its end and keeps the packets. `paint` fills an `appsrc` named `in`.
fn packets(source: &str, paint: impl FnOnce(&gst::Pipeline)) -> Stream {
    gst::init().expect("GStreamer is there");
    let text =
        format!("{source} ! h264parse ! video/x-h264,stream-format=avc,alignment=au ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&text).expect("it is a pipeline").downcast::<gst::Pipeline>().expect("it is one");
    let sink = pipeline.by_name("out").and_then(|s| s.downcast::<AppSink>().ok()).expect("it is named");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    paint(&pipeline);
    let (mut all, mut config) = (Vec::new(), Bytes::new());
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(60)) {
        let caps = sample.caps().and_then(|c| c.structure(0)).expect("a sample has caps");
        let record = caps.get::<gst::Buffer>("codec_data").expect("avc has a record");
        config = Bytes::copy_from_slice(&record.map_readable().expect("it can be read"));
        let buffer = sample.buffer().expect("a sample has a buffer");
        let data = Bytes::copy_from_slice(&buffer.map_readable().expect("it can be read"));
        let time = buffer.pts().or(buffer.dts()).expect("a packet has a time").useconds() as i64;
        all.push((MediaTime(time), !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT), data));
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    // From a full second on: times before 1970 are refused, and x264 starts at 1000 hours.
    let first = all.first().map_or(0, |(t, _, _)| t.0) - 1_000_000;
    Stream { config, packets: all.into_iter().map(|(t, key, data)| (t.plus_us(-first), key, data)).collect() }
}

/// What every sampled frame of the stream shows, decoded as in the service: `look` sees them in order.
fn decode(stream: &Stream, only_keys: bool, look: impl FnMut(&Frame, bool) + Send + 'static) {
    let (look, decoded, consumed) = (Mutex::new(look), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let sampler = Arc::new(Sampler::default());
    let keys = sampler.clone();
    let outlet = Outlet {
        camera: CameraId(1),
        sampler: sampler.clone(),
        decoded: decoded.clone(),
        consumed: consumed.clone(),
        frames: Arc::new(move |frame| {
            let key = keys.take_key(frame.time).is_some();
            (look.lock().expect("nobody panicked"))(&frame, key);
        }),
    };
    let decoder = Decoder::new(Codec::H264, &stream.config, outlet).expect("it can be decoded");
    let wanted = || stream.packets.iter().filter(|(_, key, _)| *key || !only_keys);
    for (n, (time, key, data)) in (0u64..).zip(wanted()) {
        // As in the service, where they come one after the other.
        while n > consumed.load(Ordering::Relaxed) + 8 {
            std::thread::sleep(Duration::from_millis(1));
        }
        if *key {
            sampler.expect_key(*time, Key::Shown);
        }
        decoder.push(*time, *key, data.clone()).expect("it can be decoded");
    }
    decoder.end();
    while !decoder.is_over() {
        std::thread::sleep(Duration::from_millis(5));
    }
    // What was cut short says nothing about the whole.
    let (got, all) = (decoded.load(Ordering::Relaxed), wanted().count() as u64);
    let why = stream.packets.first().map(|(time, key, data)| decoder.push(*time, *key, data.clone()));
    assert!(got * 100 >= all * 95, "{got} frames of {all} packets: {why:?}");
}

/// Of the detections that moved since the frame before, how many lie in a region.
fn recall(name: &str, stream: &Stream, model: &Path) {
    let model = Model::load(model).expect("the model can be read");
    let mut detector = Detector::load(&model.bytes, &model.spec).expect("the model can be used");
    let (mut gate, mut scaler, mut before) = (Gate::default(), Scaler::default(), Vec::<Detection>::new());
    let counts = Arc::new(Mutex::new([0u32; 4]));
    let counted = counts.clone();
    decode(stream, false, move |frame, _| {
        let regions = gate.look(frame, &mut scaler);
        let Ok(Outcome::Found(found)) = detector.detect(frame, &mut scaler) else { return };
        let found: Vec<_> = found.into_iter().filter(|d| d.score >= 0.4).collect();
        let mut counts = counted.lock().expect("nobody panicked");
        for d in &found {
            let same = before
                .iter()
                .filter(|b| b.class == d.class)
                .max_by(|a, b| a.rect.iou(d.rect).total_cmp(&b.rect.iou(d.rect)));
            // A box trembles by some hundredths of itself while nothing moves.
            if same.is_some_and(|s| (0.2..0.85).contains(&s.rect.iou(d.rect))) {
                let middle = d.rect.centre();
                let touched = regions.iter().any(|r| r.iou(d.rect) > 0.1) || holds(&regions, middle.x, middle.y);
                counts[0] += 1;
                counts[1] += u32::from(touched);
            }
        }
        counts[2] += 1;
        counts[3] += u32::from(!regions.is_empty());
        before = found;
    });
    let [moving, kept, frames, with] = counts.lock().expect("nobody panicked").map(f64::from);
    line(
        &format!("{name}: moving detections of YOLOX-nano in a region, of {moving}"),
        None,
        kept / moving.max(1.0),
        None,
        "share",
    );
    line(&format!("{name}: frames with a region"), None, with / frames.max(1.0), None, "share");
}

/// The clip again and again through the packet gate, which hears what the picture gate saw.
fn episodes(name: &str, stream: &Stream, times: i64) {
    let looks = Arc::new(Mutex::new(Vec::new()));
    let (mut gate, mut scaler, told) = (Gate::default(), Scaler::default(), looks.clone());
    decode(stream, false, move |frame, key| {
        let key_stirs = key.then(|| gate.key_stirs(frame, &mut scaler));
        let moves = !gate.look(frame, &mut scaler).is_empty();
        told.lock().expect("nobody panicked").push((frame.time, moves, key_stirs));
    });
    let looks = looks.lock().expect("nobody panicked");
    let mut gate = PacketGate::default();
    let long = stream.packets.last().map_or(0, |(t, _, _)| t.0) + 100_000;
    let (mut fed, mut out) = (0, Vec::new());
    for turn in 0..times {
        let mut looks = looks.iter().peekable();
        for (time, key, data) in &stream.packets {
            gate.offer(Offered { time: time.plus_us(turn * long), key: *key, size: data.len(), packet: () }, &mut out);
            fed += out.len();
            out.clear();
            while let Some((t, moves, key_stirs)) = looks.next_if(|(t, _, _)| *t <= *time) {
                gate.tell(t.plus_us(turn * long), *moves, *key_stirs);
            }
        }
    }
    let state = gate.state();
    let kept = f64::from(state.kept) / f64::from(state.episodes.max(1));
    line(&format!("{name} x {times}: episodes kept by packets, of {}", state.episodes), None, kept, None, "share");
    line(&format!("{name} x {times}: open"), None, f64::from(state.open_share), None, "share");
    line(
        &format!("{name} x {times}: packets decoded, gate {}", if state.on { "on" } else { "off" }),
        None,
        fed as f64 / (times as f64 * stream.packets.len() as f64),
        None,
        "share",
    );
}

/// A sub stream's coder: a key frame every two seconds.
const CODER: &str =
    "x264enc speed-preset=veryfast tune=zerolatency bitrate=400 key-int-max=20 option-string=scenecut=0";

/// A drawn place as a sub stream: 640 × 360, 10 frames a second, a key frame every two seconds.
fn drawn(seconds: u64, draw: fn(u64) -> Sheet) -> Stream {
    let source =
        "appsrc name=in format=time block=true caps=video/x-raw,format=I420,width=640,height=360,framerate=10/1";
    packets(&format!("{source} ! {CODER}"), move |pipeline| {
        let source = pipeline.by_name("in").and_then(|s| s.downcast::<AppSrc>().ok()).expect("it is named");
        for i in 0..seconds * 10 {
            let cells = draw(i).bytes();
            let mut data = vec![118u8; 640 * 360 * 3 / 2];
            data[..640 * 360].chunks_mut(640).enumerate().for_each(|(y, row)| {
                row.iter_mut().enumerate().for_each(|(x, v)| *v = cells[y / 4 * W + x / 4]);
            });
            let mut buffer = gst::Buffer::from_mut_slice(data);
            buffer.get_mut().expect("it is ours").set_pts(gst::ClockTime::from_mseconds(i * 100));
            source.push_buffer(buffer).expect("it takes frames");
        }
        source.end_of_stream().expect("it ends");
    })
}

/// CPU-seconds of a camera-hour for decoding and the picture gate.
fn hour(stream: &Stream, only_keys: bool) -> f64 {
    let (mut gate, mut scaler) = (Gate::default(), Scaler::default());
    let frames = Arc::new(AtomicU64::new(0));
    let counted = frames.clone();
    let start = process_cpu_us();
    decode(stream, only_keys, move |frame, _| {
        gate.look(frame, &mut scaler);
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let spent = (process_cpu_us() - start) as f64 / 1e6;
    assert!(frames.load(Ordering::Relaxed) > 0, "nothing was decoded");
    let seconds = stream.packets.last().map_or(1.0, |(t, _, _)| t.0 as f64 / 1e6 - 0.9);
    spent * 3600.0 / seconds
}

fn main() {
    place("quiet yard", 20.0, quiet);
    place("infrared night", 0.3, night);
    place("rain", 20.0, wet);
    place("insects at night", 0.3, swarm);
    place("tree in the wind", 20.0, windy);
    for (name, draw) in [("quiet yard", quiet as fn(u64) -> Sheet), ("infrared night", night)] {
        let stream = drawn(60, draw);
        let (keys, all) = (hour(&stream, true), hour(&stream, false));
        line(
            &format!("{name}: a camera-hour by key frames, gate and all"),
            Some("every frame"),
            keys,
            Some(all),
            "CPU-s",
        );
    }
    for (clip, times) in
        [("intel-car-detection.mp4", 8), ("intel-one-by-one-person.mp4", 4), ("vn-intersection.mp4", 4)]
    {
        let Some(path) = shared_data(&format!("video/{clip}")) else { return };
        // As the sub stream of a camera shows it.
        let source = format!("filesrc location={} ! decodebin ! videoconvert ! videoscale ! videorate", path.display());
        let coding = "video/x-raw,format=I420,width=640,height=360,framerate=10/1,pixel-aspect-ratio=1/1";
        let stream = packets(&format!("{source} ! {coding} ! {CODER}"), |_| {});
        episodes(clip, &stream, times);
        if let Some(model) = shared_data("models/yolox_nano.onnx") {
            recall(clip, &stream, &model);
        }
    }
}
