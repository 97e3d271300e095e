//! Whatever happens to the vision child, recording goes on and the child is back: it is killed, stopped, starved and
//! grows beyond its memory while cameras are recorded, and what is on disk is compared with what the cameras sent.

mod common;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{
    house::{Cameras, HANGING, House},
    recorded::{assert_unbroken, recorded},
    wait,
};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use vonglau::{
    domain::{camera::StreamKind, ids::CameraId, packet::Codec, time::MediaTime},
    runtime::{board::Board, clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
    sim::ledger,
    store::Store,
    vision::{
        Program, Vision,
        decode::{self, Decoder, Outlet, Sampler},
    },
};

/// The vision child of a running house: a process that it started, called with `vision` alone.
fn child(house: &House) -> Option<u32> {
    let parent = house.program.child.id();
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|e| e.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        status.lines().any(|l| l == format!("PPid:\t{parent}"))
            && !status.lines().any(|l| l.starts_with("State:\tZ"))
            && words.ends_with(b"\0vision\0")
    })
}

fn signal(pid: u32, name: &str) {
    let status = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// Waits for another child than `old`, and until every camera is let in again and analysed. How long the first took, s.
fn wait_for_another(house: &House, old: u32) -> f64 {
    let since = Instant::now();
    while child(house).is_none_or(|new| new == old) {
        assert!(since.elapsed() < HANGING, "no new child");
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = since.elapsed().as_secs_f64();
    let before = house.counter("frames_analysed");
    house.wait_until("all cameras are analysed again", |h| {
        let vision = &h.get("/api/v1/status")["vision"];
        let cameras = vision["capacity"]["cameras"].as_object().unwrap().clone();
        vision["running"] == true
            && h.counter("frames_analysed") > before
            && cameras.values().all(|c| c["admitted"] == "full")
    });
    took
}

#[tokio::test]
async fn killed_stopped_or_starved_the_child_costs_no_recording_and_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (data, list) = (folder.path().join("data"), folder.path().join("ledger.jsonl"));
    let list_text = list.display().to_string();
    let small = ["--size", "320x180", "--sub-size", "320x180", "--bitrate", "300", "--gop", "15"];
    let cameras = Cameras::start(&[&["--cameras", "3", "--ledger", &list_text], &small[..]].concat());
    let house = House::start(&data, &[]);
    house.add_cameras(&cameras.urls);
    house.wait_until_streaming();
    house.wait_until("frames are analysed", |h| h.counter("frames_analysed") > 10);

    let (mut killed, mut stopped) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let pid = child(&house).expect("a child");
        signal(pid, "KILL");
        killed.push(wait_for_another(&house, pid));
        let pid = child(&house).expect("a child");
        signal(pid, "STOP");
        stopped.push(wait_for_another(&house, pid));
    }
    assert!(house.counter("vision_restarts") >= 4);

    // A tenth of the time for ten seconds, in pieces too short to be called silence.
    let pid = child(&house).expect("a child");
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(10) && child(&house) == Some(pid) {
        signal(pid, "STOP");
        std::thread::sleep(Duration::from_millis(450));
        signal(pid, "CONT");
        std::thread::sleep(Duration::from_millis(50));
    }
    let starved = house.get("/api/v1/status")["vision"]["capacity"].clone();
    println!("measured: killed, a new child after {killed:.2?} s; stopped, after {stopped:.2?} s; starved: {starved}");
    let metrics = String::from_utf8(house.get_bytes("/metrics").1).unwrap();
    assert!(metrics.lines().any(|l| l.starts_with("vonglau_camera_frames_analysed_total{camera=")), "{metrics}");

    let summary = house.stop();
    cameras.program.end();
    assert_eq!(summary["packets_received"], summary["packets_recorded"], "{summary}");
    assert_nothing_lost(&data, &list).await;
}

/// What was recorded of each stream is one unbroken run of what it sent.
async fn assert_nothing_lost(data: &Path, list: &Path) {
    let sent = ledger::read(list).unwrap();
    let store = Store::open(&data.join("vonglau.db")).await.unwrap();
    let cameras = store.cameras().await.unwrap();
    assert_eq!(cameras.len(), 3);
    for (camera, number) in cameras.iter().zip(1..) {
        for kind in [StreamKind::Main, StreamKind::Sub] {
            let of = |e: &&ledger::Entry| e.camera == number && e.stream == kind;
            let sent: Vec<_> = sent.iter().filter(of).collect();
            assert!(sent.iter().all(|e| e.session == 1), "{}: a session ended", camera.code);
            let kept = recorded(&store, data, camera, kind).await;
            let (before, after) = assert_unbroken(&kept, &sent);
            println!(
                "measured: {} {kind:?}: {} units recorded, 0 lost ({before} before, {after} after)",
                camera.code,
                kept.len()
            );
        }
    }
    store.close().await;
}

/// A test picture by an encoder: the decoder configuration record, and packets with their times.
fn encoded(encoder: &str, caps: &str) -> (Vec<u8>, Vec<(i64, bool, Bytes)>) {
    let text = format!(
        "videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=320,height=180,framerate=10/1 ! {encoder} ! \
         video/{caps},alignment=au ! appsink name=out sync=false max-buffers=0"
    );
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let (mut config, mut packets) = (Vec::new(), Vec::new());
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(60)) {
        let record = sample.caps().unwrap().structure(0).unwrap().get::<gst::Buffer>("codec_data").unwrap();
        config = record.map_readable().unwrap().to_vec();
        let buffer = sample.buffer().unwrap();
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let data = Bytes::copy_from_slice(&buffer.map_readable().unwrap());
        packets.push((buffer.pts().unwrap().useconds() as i64, key, data));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    (config, packets)
}

#[test]
fn a_packet_counts_as_dealt_with_when_the_decoder_comes_back_from_it_and_the_last_one_too() {
    decode::start().unwrap();
    for (codec, encoder, caps) in [
        (Codec::H264, "x264enc key-int-max=5 bframes=0 ! h264parse", "x-h264,stream-format=avc"),
        (Codec::H264, "x264enc key-int-max=5 bframes=2 ! h264parse", "x-h264,stream-format=avc"),
        (Codec::H265, "x265enc speed-preset=ultrafast key-int-max=5 ! h265parse", "x-h265,stream-format=hvc1"),
    ] {
        let (config, packets) = encoded(encoder, caps);
        let (consumed, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (at_frame, counted) = (consumed.clone(), seen.clone());
        let outlet = Outlet {
            camera: CameraId(1),
            sampler: Arc::new(Sampler::default()),
            decoded: Arc::default(),
            consumed: consumed.clone(),
            // Called while the decoder is at a packet: that one must not count yet.
            frames: Arc::new(move |_| {
                counted.fetch_max(at_frame.load(Ordering::Relaxed), Ordering::Relaxed);
            }),
        };
        let decoder = Decoder::new(codec, &config, outlet).unwrap();
        for (time, key, data) in &packets {
            decoder.push(MediaTime(*time), *key, data.clone()).unwrap();
        }
        wait::until(|| consumed.load(Ordering::Relaxed) == packets.len() as u64);
        assert!(seen.load(Ordering::Relaxed) < packets.len() as u64, "{encoder}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_holds_more_memory_than_it_may_is_started_anew() {
    let (board, counters, mut tasks) = (Arc::new(Board::default()), Arc::new(Counters::default()), Tasks::new());
    // Less than any process takes: the first look at it is one too much.
    let program = Program { memory_max: Some(1 << 20), ..Program::from(env!("CARGO_BIN_EXE_vonglau")) };
    let (clock, counted) = (Clock::machine(), counters.clone());
    let mut said = board.vision.subscribe();
    let (vision, _out) = Vision::start(program, Ok(None), clock, counted, board, Stop::new(), &mut tasks);
    wait::done(said.wait_for(|state| state.why.as_ref().is_some_and(|why| why.contains("MiB of memory"))))
        .await
        .unwrap();
    wait::holds(async || counters.vision_restarts.get() >= 2).await;
    wait::done(vision.finish()).await;
    assert!(wait::done(tasks.drain()).await.is_empty());
}
