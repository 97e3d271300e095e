//! Vision on drawn pictures and a detector made here: through `analyze`, and through the real child process.

mod common;

use std::{collections::BTreeSet, os::unix::process::CommandExt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use common::wait;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use tokio::sync::mpsc;
use vonglau::{
    domain::{
        camera::StreamKind,
        detection::Class,
        ids::{CameraId, StreamId},
        packet::{Codec, Packet, StreamParams},
        time::MediaTime,
        track::FrameSeen,
    },
    runtime::{ask::SnapshotAsk, board::Board, clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
    vision::{
        Vision, VisionOut,
        analyze::{Method, analyze},
        link::{Up, VERSION},
        model::Model,
    },
};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
const FPS: u64 = 15;
const SQUARE: usize = 40;
const PERSON: &str = "{0: 'person', 1: 'car'}";

/// Where the red square's left edge is in a picture: it stands still for the first second, then goes right.
fn square_x(index: u64) -> Option<usize> {
    index.checked_sub(FPS).map(|i| 20 + i as usize * 4).filter(|x| x + SQUARE < WIDTH as usize)
}

/// One drawn picture, I420: grey, with a red square from the second second on.
fn drawn(index: u64) -> Vec<u8> {
    let (w, h) = (WIDTH as usize, HEIGHT as usize);
    let mut data = vec![110u8; w * h * 3 / 2];
    data[w * h..].fill(128);
    let Some(x) = square_x(index) else { return data };
    for y in 70..70 + SQUARE {
        data[y * w + x..][..SQUARE].fill(81);
    }
    let (u, v) = (w * h, w * h + w * h / 4);
    for y in 35..35 + SQUARE / 2 {
        data[u + y * w / 2 + x / 2..][..SQUARE / 2].fill(90);
        data[v + y * w / 2 + x / 2..][..SQUARE / 2].fill(240);
    }
    data
}

/// H.264 as most cameras send it, with pictures out of order as some do, and H.265.
const PLAIN: &str = "x264enc speed-preset=ultrafast key-int-max=15 bframes=0 bitrate=800 ! h264parse";
const REORDERED: &str = "x264enc speed-preset=veryfast key-int-max=15 bframes=2 b-adapt=false bitrate=800 ! h264parse";
const H265: &str = "x265enc speed-preset=ultrafast key-int-max=15 bitrate=800 ! h265parse";

/// Encodes `pictures` drawn pictures and lets `rest` (a part of a pipeline's text) take them.
fn encode(pictures: u64, encoder: &str, rest: &str) -> gst::Pipeline {
    gst::init().unwrap();
    let text = format!(
        "appsrc name=in format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1 \
         ! {encoder} ! {rest}"
    );
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source = pipeline.by_name("in").unwrap().downcast::<AppSrc>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for i in 0..pictures {
        let mut buffer = gst::Buffer::from_slice(drawn(i));
        let made = buffer.get_mut().unwrap();
        made.set_pts(gst::ClockTime::from_nseconds(i * 1_000_000_000 / FPS));
        made.set_duration(gst::ClockTime::from_nseconds(1_000_000_000 / FPS));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    pipeline
}

fn write_video(path: &Path, pictures: u64) {
    let pipeline = encode(pictures, PLAIN, &format!("mp4mux ! filesink location={}", path.display()));
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end =
        pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).expect("it never ends");
    assert!(matches!(end.view(), gst::MessageView::Eos(_)), "{end:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

/// The drawn pictures as a camera's packets: presentation time in microseconds, key, data; and the parameters.
fn packets(pictures: u64, encoder: &str) -> (Vec<(i64, bool, Bytes)>, Arc<StreamParams>) {
    let (codec, format) = if encoder == H265 {
        (Codec::H265, "h265,stream-format=hvc1")
    } else {
        (Codec::H264, "h264,stream-format=avc")
    };
    let rest = format!("video/x-{format},alignment=au ! appsink name=out sync=false max-buffers=0");
    let pipeline = encode(pictures, encoder, &rest);
    let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
    let (mut out, mut config) = (Vec::new(), Bytes::new());
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(60)) {
        let record = sample.caps().unwrap().structure(0).unwrap().get::<gst::Buffer>("codec_data").unwrap();
        config = Bytes::copy_from_slice(&record.map_readable().unwrap());
        let buffer = sample.buffer().unwrap();
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let data = Bytes::copy_from_slice(&buffer.map_readable().unwrap());
        out.push((buffer.pts().unwrap().useconds() as i64, key, data));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    // x264 starts its times at 1000 hours.
    let first = out[0].0;
    out.iter_mut().for_each(|p| p.0 -= first);
    let params = StreamParams {
        codec,
        rfc6381: "avc1.42c00d".to_owned(),
        width: WIDTH,
        height: HEIGHT,
        sample_entry: Bytes::new(),
        decoder_config: config,
    };
    (out, Arc::new(params))
}

fn red_model(folder: &Path) -> Model {
    let path = folder.join("red.onnx");
    std::fs::write(&path, common::onnx::red_detector(Some(PERSON))).unwrap();
    Model::load(&path).unwrap()
}

/// Whether a frame's persons lie on the square as drawn; the frame's index is its time.
fn on_the_square(seen: &FrameSeen, start_us: i64) -> bool {
    let index = ((seen.time.0 - start_us) as f64 * FPS as f64 / 1e6).round() as u64;
    let Some(x) = square_x(index) else { return seen.tracks.is_empty() };
    let middle = (x + SQUARE / 2) as f32 / WIDTH as f32;
    seen.tracks.iter().all(|t| {
        let c = t.rect.centre();
        (c.x - middle).abs() < 0.06 && (c.y - 0.5).abs() < 0.08
    })
}

#[test]
fn a_red_square_is_found_and_followed_as_one_person_through_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("drawn.mp4");
    write_video(&video, FPS * 5);
    let mut frames = Vec::new();
    let summary =
        analyze(&video, Some(red_model(folder.path())), Method::Gated, &mut |f| frames.push(f.clone())).unwrap();
    assert_eq!((summary.frames, summary.duration_us / 100_000, summary.frames_analysed), (75, 49, 25));
    assert_eq!(frames.len() as u64, summary.frames_analysed);
    assert_eq!(frames[0].time, MediaTime(0));
    assert!(frames.is_sorted_by_key(|f| f.time));
    let quiet = frames.iter().take_while(|f| f.motion.is_empty()).count();
    assert!((5..=6).contains(&quiet), "nothing moves in the first second: {quiet}");
    assert!(summary.inferences <= summary.frames_analysed - quiet as u64 + 1, "it never rests: {}", summary.inferences);
    assert_eq!(summary.tracks.get(&Class::Person), Some(&1), "{:?}", summary.tracks);
    assert_eq!(summary.tracks.len(), 1);
    assert!(frames.iter().filter(|f| !f.tracks.is_empty()).count() >= 7);
    for f in &frames {
        assert!(on_the_square(f, 0), "{f:?}");
    }
    let again = analyze(&video, Some(red_model(folder.path())), Method::Gated, &mut |_| {}).unwrap();
    assert_eq!((again.tracks, again.inferences), (summary.tracks, summary.inferences), "the same file, another result");
}

#[test]
fn without_a_detector_a_file_still_gives_motion() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("drawn.mp4");
    write_video(&video, FPS * 3);
    let mut moving = 0;
    let summary = analyze(&video, None, Method::Gated, &mut |f| moving += usize::from(!f.motion.is_empty())).unwrap();
    assert!(moving >= 8, "{moving}");
    assert_eq!((summary.inferences, summary.tracks.len()), (0, 0));
}

#[test]
fn what_is_no_video_or_no_detector_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let missing = analyze(&at("no.mp4"), None, Method::Gated, &mut |_| {}).unwrap_err();
    assert!(missing.place.ends_with("no.mp4") && missing.en.contains("check its path"), "{missing}");
    std::fs::write(at("text.mp4"), "not a video ".repeat(1000)).unwrap();
    let text = analyze(&at("text.mp4"), None, Method::Gated, &mut |_| {}).unwrap_err();
    assert!(text.place.ends_with("text.mp4") && text.en.contains("convert it"), "{text}");
    let video = at("drawn.mp4");
    write_video(&video, 20);
    let refused = |bytes: &[u8], word: &str| {
        std::fs::write(at("m.onnx"), bytes).unwrap();
        let refusal =
            analyze(&video, Some(Model::load(&at("m.onnx")).unwrap()), Method::Gated, &mut |_| {}).unwrap_err();
        assert!(refusal.en.contains(word) && !refusal.vi.is_empty(), "{refusal}");
    };
    refused(b"this is no graph", "no ONNX model");
    refused(&common::onnx::foreign_detector(), "[1, 3, 65, 65]");
    refused(&common::onnx::red_detector(None), "2 classes but 0 labels");
    refused(&common::onnx::red_detector(Some("cat, dog")), "motorcycle");
}

#[test]
fn a_detector_that_answers_no_numbers_costs_its_frames_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.onnx"), common::onnx::broken_detector()).unwrap();
    let video = folder.path().join("drawn.mp4");
    write_video(&video, FPS * 3);
    let model = Model::from_folder(folder.path()).unwrap();
    let mut moving = 0;
    let summary = analyze(&video, model, Method::Gated, &mut |f| moving += usize::from(!f.motion.is_empty())).unwrap();
    assert!(moving >= 8 && summary.inferences >= 8 && summary.tracks.is_empty(), "{summary:?}");
}

/// A running vision with one camera that is played in a loop.
struct Rig {
    vision: Vision,
    out: VisionOut,
    board: Arc<Board>,
    counters: Arc<Counters>,
    tasks: Tasks,
    stop: Stop,
    sender: mpsc::Sender<Packet>,
    packets: Vec<(i64, bool, Bytes)>,
    params: Arc<StreamParams>,
    clock: Clock,
    start_us: i64,
    sent: usize,
}

const CAMERA: CameraId = CameraId(7);

impl Rig {
    fn new(model: Option<Model>) -> Self {
        Self::playing(PLAIN, model, env!("CARGO_BIN_EXE_vonglau").into())
    }
    fn playing(encoder: &str, model: Option<Model>, program: std::path::PathBuf) -> Self {
        let (clock, board, counters) = (Clock::machine(), Arc::new(Board::default()), Arc::new(Counters::default()));
        let (stop, mut tasks) = (Stop::new(), Tasks::new());
        let (program, model, told) = (program.into(), Ok(model), stop.clone());
        let (vision, out) =
            Vision::start(program, model, clock.clone(), counters.clone(), board.clone(), told, &mut tasks);
        let sender = vision.camera(CAMERA);
        let (packets, params) = packets(FPS * 5, encoder);
        let start_us = clock.media().0;
        Self { vision, out, board, counters, tasks, stop, sender, packets, params, clock, start_us, sent: 0 }
    }
    /// Sends the next packet; the clip begins again at its end, times go on.
    async fn send(&mut self) {
        let (index, length) = (self.sent % self.packets.len(), 5_000_000);
        let (time, key, data) = self.packets[index].clone();
        let round = (self.sent / self.packets.len()) as i64;
        let packet = Packet {
            camera: CAMERA,
            stream: StreamId(1),
            kind: StreamKind::Sub,
            session: 1,
            pts_90k: 0,
            time: MediaTime(self.start_us + round * length + time),
            received: self.clock.boot(),
            key,
            loss: 0,
            params: self.params.clone(),
            data,
        };
        self.sent += 1;
        // Dropped when the queue is full, as the camera's room does.
        let _ = self.sender.try_send(packet);
    }
    /// Sends at about twice the real pace until `enough` says so of a frame.
    async fn until(&mut self, mut enough: impl FnMut(&FrameSeen) -> bool) -> FrameSeen {
        tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                self.send().await;
                tokio::time::sleep(Duration::from_millis(30)).await;
                while let Ok(seen) = self.out.seen.try_recv() {
                    if enough(&seen) {
                        return seen;
                    }
                }
            }
        })
        .await
        .expect("it never came")
    }
    async fn wait_for(&self, what: &str, ready: impl Fn() -> bool) {
        tokio::time::timeout(Duration::from_secs(60), async {
            while !ready() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{what} never came"));
    }
    async fn has_detector(&self) {
        self.wait_for("the detector", || self.board.vision.borrow().detector.is_some()).await;
    }
    async fn end(mut self) -> Vec<FrameSeen> {
        drop(self.sender);
        wait::done(self.vision.finish()).await;
        let mut rest = Vec::new();
        while let Some(seen) = wait::done(self.out.seen.recv()).await {
            rest.push(seen);
        }
        assert!(wait::done(self.tasks.drain()).await.is_empty(), "a task panicked");
        rest
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_follows_the_square_and_gives_pictures_and_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(Some(red_model(folder.path())));
    rig.has_detector().await;
    assert_eq!(rig.board.vision.borrow().detector.as_deref(), Some("red, 128×128"));
    let start_us = rig.start_us;
    let seen = rig.until(|f| {
        assert!(on_the_square(f, start_us) || (f.time.0 - start_us) > 5_000_000, "{f:?}");
        f.tracks.iter().any(|t| t.confirmed)
    });
    let seen = seen.await;
    assert_eq!((seen.camera, seen.tracks[0].class), (CAMERA, Class::Person));
    assert!(seen.tracks[0].track.0 >= start_us - 60_000_000, "ids are counted up from the time of the start");
    let (reply, answer) = tokio::sync::oneshot::channel();
    let boxes = vec![seen.tracks[0].rect];
    rig.out.snapshots.send(SnapshotAsk { camera: CAMERA, time: seen.time, boxes, reply }).await.unwrap();
    let snapshot = tokio::time::timeout(Duration::from_secs(30), answer).await.unwrap().unwrap();
    // The nearest frame kept; the child may be some frames ahead on a slow machine.
    assert!((snapshot.time.0 - seen.time.0).abs() < 1_000_000, "{snapshot:?}");
    let read = |jpeg: &[u8]| image::load_from_memory(jpeg).unwrap().to_rgb8();
    let (plain, boxed) = (read(&snapshot.plain), read(&snapshot.boxed));
    assert_eq!(plain.dimensions(), (WIDTH, HEIGHT));
    let yellow = |i: &image::RgbImage| i.pixels().filter(|p| p.0[0] > 150 && p.0[1] > 150 && p.0[2] < 130).count();
    assert!(yellow(&plain) < 20 && yellow(&boxed) > 200, "{} {}", yellow(&plain), yellow(&boxed));
    let (reply, none) = tokio::sync::oneshot::channel();
    let long_ago = MediaTime(start_us - 100_000_000);
    rig.out.snapshots.send(SnapshotAsk { camera: CAMERA, time: long_ago, boxes: vec![], reply }).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(30), none).await.unwrap().is_err(), "no such frame");
    let picture = rig.board.picture(CAMERA).expect("a picture on the board");
    assert_eq!(read(&picture.jpeg).dimensions(), (WIDTH, HEIGHT));
    let counters = rig.counters.clone();
    let rest = rig.end().await;
    assert!(rest.iter().any(|f| f.ended.contains(&seen.tracks[0].track)), "the track is ended at the end");
    assert!(counters.frames_decoded.get() > counters.frames_analysed.get() && counters.inferences.get() >= 3);
    assert_eq!(counters.vision_restarts.get(), 0);
}

fn signal(pid: u32, name: &str) {
    let status = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_or_frozen_child_is_started_again_and_frames_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(Some(red_model(folder.path())));
    rig.has_detector().await;
    let before = rig.until(|f| f.tracks.iter().any(|t| t.confirmed)).await;
    let first = rig.vision.pid().unwrap();
    let decoded = rig.counters.frames_decoded.get();
    signal(first, "KILL");
    let mut over = BTreeSet::new();
    let track = before.tracks[0].track;
    let last = rig
        .until(|f| {
            over.extend(f.ended.iter().copied());
            over.contains(&track) && f.tracks.iter().any(|t| t.confirmed && t.track > track)
        })
        .await;
    assert!(last.time > before.time);
    let second = rig.vision.pid().unwrap();
    assert_ne!(first, second);
    assert_eq!(rig.counters.vision_restarts.get(), 1);
    assert!(rig.board.vision.borrow().running && rig.board.vision.borrow().detector.is_some());
    rig.wait_for("totals that go on", || rig.counters.frames_decoded.get() > decoded).await;
    signal(second, "STOP");
    rig.until(|f| f.time > last.time && !f.motion.is_empty() && f.time.since(last.time) > 5_000_000).await;
    assert!(rig.counters.vision_restarts.get() >= 2);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_of_one_camera_does_not_disturb_another() {
    let mut rig = Rig::new(None);
    let bad = rig.vision.camera(CameraId(8));
    for i in 0..200i64 {
        let data = Bytes::from((0..400).map(|b| (b * 31 + i * 7) as u8).collect::<Vec<_>>());
        let packet = Packet {
            camera: CameraId(8),
            stream: StreamId(2),
            kind: StreamKind::Sub,
            session: 1,
            pts_90k: 0,
            time: MediaTime(rig.start_us + i * 40_000),
            received: rig.clock.boot(),
            key: i % 10 == 0,
            loss: 0,
            params: rig.params.clone(),
            data,
        };
        let _ = bad.try_send(packet);
        rig.send().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rig.until(|f| f.camera == CAMERA && !f.motion.is_empty()).await;
    assert_eq!(rig.counters.vision_restarts.get(), 0);
    let why = rig.board.vision.borrow().why.clone().unwrap_or_default();
    assert!(!why.is_empty(), "no detector, and says so");
    drop(bad);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_out_of_order_and_h265_are_seen_at_their_own_times() {
    let folder = tempfile::tempdir().unwrap();
    for encoder in [REORDERED, H265] {
        let program = env!("CARGO_BIN_EXE_vonglau").into();
        let mut rig = Rig::playing(encoder, Some(red_model(folder.path())), program);
        let reordered = !rig.packets.is_sorted_by_key(|p| p.0);
        assert!(reordered || encoder == H265, "nothing is out of order");
        rig.has_detector().await;
        let start_us = rig.start_us;
        let first_round = |f: &FrameSeen| f.time.0 - start_us < 5_000_000;
        rig.until(|f| {
            assert!(!first_round(f) || on_the_square(f, start_us), "{encoder}: {f:?}");
            f.tracks.iter().any(|t| t.confirmed)
        })
        .await;
        rig.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_talks_nonsense_is_put_down_again_and_again() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mut unasked_end = bytes::BytesMut::new();
    for message in [Up::Hello, Up::Done] {
        vonglau::vision::link::encode(&message, &mut unasked_end).unwrap();
    }
    // A length of four gigabytes; a message of the right version that is none; a proper end that nobody asked for.
    let (endless, none) = ([0xff, 0xff, 0xff, 0xff, VERSION], [4, 0, 0, 0, VERSION, 0xff, 0xff, 0xff, 0xff]);
    for nonsense in [&endless[..], &none, &unasked_end] {
        let (program, words) = (folder.path().join("liar"), folder.path().join("words"));
        std::fs::write(&words, nonsense).unwrap();
        let script = format!("#!/bin/sh\n[ \"$2\" ] && exit\ncat {} >&0\nexec sleep 60\n", words.display());
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let mut rig = Rig::playing(PLAIN, None, program);
        let counters = rig.counters.clone();
        for _ in 0..3000 {
            if counters.vision_restarts.get() >= 2 {
                break;
            }
            rig.send().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(counters.vision_restarts.get() >= 2);
        let why = rig.board.vision.borrow().why.clone().unwrap_or_default();
        assert!(why.contains("cannot be believed") || rig.board.vision.borrow().running, "{why}");
        assert!(rig.end().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hard_stop_ends_the_child_at_once() {
    let mut rig = Rig::new(None);
    rig.wait_for("the child", || rig.vision.pid().is_some()).await;
    rig.stop.now();
    assert!(wait::done(rig.tasks.drain()).await.is_empty());
    assert!(rig.vision.pid().is_none() && wait::done(rig.out.seen.recv()).await.is_none());
}

#[test]
fn a_child_started_by_hand_says_who_starts_it() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vonglau"));
    let out = wait::output(command.arg("vision").process_group(0));
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("vonglau serve"));
}

#[test]
fn yolox_nano_finds_the_traffic_of_a_vietnamese_crossing() {
    let Some(model) = common::shared_data("models/yolox_nano.onnx") else { return };
    let Some(video) = common::shared_data("video/vn-intersection.mp4") else { return };
    let summary = analyze(&video, Some(Model::load(&model).unwrap()), Method::Gated, &mut |_| {}).unwrap();
    println!("vn-intersection.mp4: {summary:?}");
    for class in [Class::Motorcycle, Class::Car] {
        assert!(summary.tracks.get(&class).is_some_and(|n| *n >= 5), "{class:?}: {:?}", summary.tracks);
    }
}

#[test]
fn a_detector_of_a_foreign_layout_is_refused_with_its_shapes() {
    let Some(foreign) = common::shared_data("models/fastestdet.onnx") else { return };
    let Some(video) = common::shared_data("video/intel-one-by-one-person.mp4") else { return };
    let refusal = analyze(&video, Some(Model::load(&foreign).unwrap()), Method::Gated, &mut |_| {}).unwrap_err();
    assert!(refusal.en.contains("[1, 85, 22, 22]"), "{refusal}");
}
