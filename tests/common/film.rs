//! Drawn pictures as a camera's packets, played into the real vision child on their own times: as fast as it takes them.
#![allow(dead_code, reason = "each test program plays its own part of it")]

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use tokio::sync::mpsc;
use vonglau::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, StreamId},
        packet::{Codec, Packet, StreamParams},
        time::MediaTime,
        track::FrameSeen,
    },
    runtime::{board::Board, clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
    vision::{Program, Vision, VisionOut, model::Model},
};

use super::wait;

pub const WIDTH: u32 = 320;
pub const HEIGHT: u32 = 180;
pub const CAMERA: CameraId = CameraId(7);
/// Frames a decoder may hold back until more packets come.
const HELD_BACK: usize = 2;
/// How often it is looked whether the child is still the same, and how often at most without a frame: a child that lost the
/// key frame sees nothing until the next one, which is not sent while it is waited for.
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: u32 = 100;

/// An encoded film: time from its start in microseconds, key, data; and how it is coded.
pub struct Film {
    packets: Vec<(i64, bool, Bytes)>,
    params: Arc<StreamParams>,
}

impl Film {
    /// Encodes `pictures` drawn pictures (I420 of [`WIDTH`] × [`HEIGHT`]) at `fps` a second, a key frame every 10.
    pub fn draw(pictures: u64, fps: u64, draw: impl Fn(u64) -> Vec<u8>) -> Self {
        gst::init().unwrap();
        let text = format!(
            "appsrc name=in format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={fps}/1 \
             ! x264enc speed-preset=ultrafast key-int-max=10 bframes=0 bitrate=2000 ! h264parse \
             ! video/x-h264,stream-format=avc,alignment=au ! appsink name=out sync=false max-buffers=0"
        );
        let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let source = pipeline.by_name("in").unwrap().downcast::<AppSrc>().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        for i in 0..pictures {
            let mut buffer = gst::Buffer::from_slice(draw(i));
            let made = buffer.get_mut().unwrap();
            made.set_pts(gst::ClockTime::from_nseconds(i * 1_000_000_000 / fps));
            made.set_duration(gst::ClockTime::from_nseconds(1_000_000_000 / fps));
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
        let (mut packets, mut config) = (Vec::new(), Bytes::new());
        while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(60)) {
            let record = sample.caps().unwrap().structure(0).unwrap().get::<gst::Buffer>("codec_data").unwrap();
            config = Bytes::copy_from_slice(&record.map_readable().unwrap());
            let buffer = sample.buffer().unwrap();
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            let data = Bytes::copy_from_slice(&buffer.map_readable().unwrap());
            packets.push((buffer.pts().unwrap().useconds() as i64, key, data));
        }
        pipeline.set_state(gst::State::Null).unwrap();
        let first = packets[0].0;
        packets.iter_mut().for_each(|p| p.0 -= first);
        let params = StreamParams {
            codec: Codec::H264,
            rfc6381: "avc1.42c00d".to_owned(),
            width: WIDTH,
            height: HEIGHT,
            sample_entry: Bytes::new(),
            decoder_config: config,
        };
        Self { packets, params: Arc::new(params) }
    }
    /// The first key frame: decoder configuration and data.
    pub fn key_frame(&self) -> (Bytes, Bytes) {
        (self.params.decoder_config.clone(), self.packets[0].2.clone())
    }
}

/// A running vision child with one camera.
pub struct Stage {
    pub vision: Vision,
    pub out: VisionOut,
    pub board: Arc<Board>,
    pub counters: Arc<Counters>,
    pub clock: Clock,
    pub sender: mpsc::Sender<Packet>,
    tasks: Tasks,
    /// Where the next film begins.
    pub time: MediaTime,
}

impl Stage {
    /// `before` is done before the camera is there.
    pub fn open(before: impl FnOnce(&Vision)) -> Self {
        Self::with(PathBuf::from(env!("CARGO_BIN_EXE_vonglau")).into(), None, before)
    }
    /// With a detector and what else the program is given.
    pub fn with(program: Program, model: Option<Model>, before: impl FnOnce(&Vision)) -> Self {
        let (clock, board, counters) = (Clock::machine(), Arc::new(Board::default()), Arc::new(Counters::default()));
        let (stop, mut tasks) = (Stop::new(), Tasks::new());
        let (vision, out) =
            Vision::start(program, Ok(model), clock.clone(), counters.clone(), board.clone(), stop, &mut tasks);
        before(&vision);
        let sender = vision.camera(CAMERA);
        let time = clock.media();
        Self { vision, out, board, counters, clock, sender, tasks, time }
    }
    /// Waits until a child runs.
    pub async fn runs(&self) {
        wait::holds(async || self.vision.pid().is_some()).await;
    }
    /// Plays a film once; times go on. What was seen of it until its last packets went: not always the last frames.
    pub async fn play(&mut self, film: &Film) -> Vec<FrameSeen> {
        let mut seen = Vec::new();
        let restarts = self.counters.vision_restarts.get();
        let (start, mut sent) = (self.time, VecDeque::from([self.time; HELD_BACK]));
        'film: for (time, key, data) in &film.packets {
            let packet = Packet {
                camera: CAMERA,
                stream: StreamId(1),
                kind: StreamKind::Sub,
                session: 1,
                pts_90k: 0,
                time: start.plus_us(*time),
                received: self.clock.boot(),
                key: *key,
                loss: 0,
                params: film.params.clone(),
                data: data.clone(),
            };
            wait::done(self.sender.send(packet)).await.expect("vision takes packets");
            sent.push_back(start.plus_us(*time));
            // Only the newest frame waits for the analysis: of a film that runs ahead only parts would be seen.
            let mut waited = 0;
            let reached = sent.pop_front().filter(|time| *time > start);
            while reached.is_some_and(|time| seen.last().is_none_or(|f: &FrameSeen| f.time < time)) {
                let Ok(frame) = tokio::time::timeout(LOOK, self.out.seen.recv()).await else {
                    // A child that was started anew on a loaded machine sees nothing before the next key frame.
                    if self.counters.vision_restarts.get() > restarts {
                        break;
                    }
                    if waited >= PATIENCE {
                        break 'film;
                    }
                    waited += 1;
                    continue;
                };
                let frame = frame.expect("vision goes on");
                // One of the film before may come late.
                seen.extend((frame.time >= start).then_some(frame));
            }
        }
        self.time = sent.back().copied().unwrap_or(start).plus_us(1_000_000);
        seen
    }
    /// The camera's picture on the board, once it is of that time or later. The film is played again when none comes: a
    /// child that was started anew on a loaded machine has lost what it was sent.
    pub async fn picture(&mut self, since: MediaTime, film: &Film) -> image::RgbImage {
        for _ in 0..10 {
            for _ in 0..100 {
                if let Some(picture) = self.board.picture(CAMERA).filter(|p| p.time >= since) {
                    return read(&picture.jpeg);
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            self.play(film).await;
        }
        panic!("no picture comes")
    }
    pub async fn end(mut self) {
        drop(self.sender);
        wait::done(self.vision.finish()).await;
        while wait::done(self.out.seen.recv()).await.is_some() {}
        assert!(wait::done(self.tasks.drain()).await.is_empty(), "a task panicked");
    }
}

pub fn read(jpeg: &[u8]) -> image::RgbImage {
    image::load_from_memory(jpeg).expect("a JPEG").to_rgb8()
}
