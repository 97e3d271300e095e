//! The vision child: reads packets from the socket that is its standard input, decodes, analyses, answers.
//!
//! Threads: this one reads and feeds the decoders; GStreamer has one a camera; `look` analyses; `stills` decodes single
//! key frames; `pulse` acknowledges, is the sign of life, and ends the process when one of the others has been stuck for
//! long. The process ends with its parent (end of file), after `Finish`, or for a damaged message. A camera that cannot be
//! decoded never ends it.

use std::{
    collections::{BTreeMap, VecDeque},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};

use super::{
    decode::{self, DecodeError, Decoder, Key, Outlet, Sampler},
    desk::{Ask, Desk, Told, Uplink, Worker},
    link::{self, Down, Effort, Frames, Totals, Up},
    parts::{Announced, Parts},
    sandbox::{self, Lack},
    sluice::{Look, Resting, Sluice},
    still::{Darkroom, Negative},
    watch::Watch,
};
use crate::{
    domain::{ids::CameraId, packet::Codec, time::MediaTime},
    logic::packet_gate::{PacketGateState, Way, Why},
    runtime::{capacity::PacketGate, clock::Clock, tasks, throttle::Throttle},
};

/// How often the child acknowledges and shows that it lives.
const PULSE: Duration = Duration::from_millis(250);
const BEATS_A_SECOND: u32 = 4;
/// The process ends when one message or one frame has taken so long, microseconds.
const STUCK_US: i64 = 20_000_000;
/// How long decoders get to give out what they hold back at the end.
const DRAIN_STEPS: u32 = 200;
const DRAIN_STEP: Duration = Duration::from_millis(10);
/// Cameras at a time at most.
pub(super) const CAMERAS_MAX: usize = 512;

/// The `vision` command: never typed by a person. The exit code: 0 after `Finish` or when the parent is gone, 2 when
/// standard input is no socket, 3 for a message that makes no sense, 4 when something got stuck or panicked, 5 when it
/// could not shut itself in.
#[must_use]
pub fn child_main() -> i32 {
    // A subscriber that is there already is as good.
    let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).try_init();
    let socket = std::io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let pair = socket.and_then(|s| s.local_addr().and_then(|_| Ok((s.try_clone()?, s))));
    let Ok((reading, writing)) = pair else {
        tracing::error!("`vonglau vision` is started by `vonglau serve`, with a socket as standard input");
        return 2;
    };
    // Before the first thread and the first foreign byte.
    let lacks = match sandbox::enter() {
        Ok(lacks) => lacks,
        Err(e) => {
            tracing::error!("{e}");
            return 5;
        }
    };
    match Child::run(reading, writing, lacks) {
        Ok(()) => 0,
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            tracing::error!("the serving process cannot be understood: {e}");
            3
        }
        // The parent was killed.
        Err(_) => 0,
    }
}

/// The `vision registry` command: has GStreamer write the list of its plugins to where `GST_REGISTRY` says, which the
/// child, shut in, could not. Loads every plugin that is new, so it is a process of its own. The exit code.
#[must_use]
pub fn registry_main() -> i32 {
    i32::from(decode::start().is_err())
}

/// What `pulse` needs to know of a camera.
#[derive(Debug)]
struct Meter {
    generation: u32,
    consumed: Arc<AtomicU64>,
    sampler: Arc<Sampler>,
    gate: PacketGateState,
    told: u64,
}

#[derive(Debug, Default)]
struct Shared {
    meters: Mutex<BTreeMap<CameraId, Meter>>,
    decoded: Arc<AtomicU64>,
    reading: Watch,
    stills: Arc<Watch>,
    over: AtomicBool,
}

/// The stream parameters in force.
#[derive(Debug)]
struct Params {
    codec: Codec,
    config: Bytes,
}

#[derive(Debug)]
struct Camera {
    params: Option<Params>,
    decoder: Option<Decoder>,
    /// The time of the packet that went into it last.
    fed: Option<MediaTime>,
    sampler: Arc<Sampler>,
    /// Packets received since `Camera`.
    received: u64,
    consumed: Arc<AtomicU64>,
    throttle: Throttle,
    sluice: Sluice,
}

struct Child {
    clock: Clock,
    desk: Arc<Desk>,
    darkroom: Darkroom,
    up: Arc<Uplink>,
    shared: Arc<Shared>,
    cameras: BTreeMap<CameraId, Camera>,
    resting: Resting,
    parts: Option<Parts>,
    every_us: Arc<AtomicI64>,
}

fn nonsense(what: &'static str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, link::LinkError::Impossible(what))
}

impl Child {
    fn run(mut reading: UnixStream, writing: UnixStream, lacks: Vec<Lack>) -> std::io::Result<()> {
        let clock = Clock::machine();
        let up = Arc::new(Uplink::new(writing));
        up.send(&Up::Hello);
        up.send(&Up::Sandbox { lacks });
        let mut buffer = BytesMut::new();
        let start = match link::read_message(&mut reading, &mut buffer)? {
            Some(Down::Hello { start }) => start,
            Some(_) => return Err(nonsense("the first message is no greeting")),
            None => return Ok(()),
        };
        let (desk, shared) = (Arc::new(Desk::default()), Arc::new(Shared::default()));
        let watch = Arc::new(Watch::default());
        let pulse = {
            let (clock, desk, up, shared, watch) =
                (clock.clone(), desk.clone(), up.clone(), shared.clone(), watch.clone());
            tasks::thread("pulse", move || pulse(&clock, &desk, &up, &shared, &watch))?
        };
        // The first scan of the plugins may take seconds; the pulse beats already.
        if let Err(e) = decode::start() {
            up.send(&Up::Failure { text: link::cut(&e.to_string()) });
        }
        let worker = Worker::new(desk.clone(), up.clone(), watch, clock.clone(), start);
        let worker = tasks::thread("look", move || {
            let body = std::panic::AssertUnwindSafe(|| worker.run());
            if std::panic::catch_unwind(body).is_err() {
                // Half of what it knew may be wrong: the parent starts a new process.
                std::process::exit(4);
            }
        })?;
        let darkroom = Darkroom::open(up.clone(), shared.stills.clone(), clock.clone())?;
        let every_us = Arc::new(AtomicI64::new(decode::SAMPLE_EVERY_US));
        let (cameras, resting) = (BTreeMap::new(), Resting::default());
        let mut child = Self { clock, desk, darkroom, up, shared, cameras, resting, parts: None, every_us };
        loop {
            child.shared.reading.at(0);
            let Some(message) = link::read_message(&mut reading, &mut buffer)? else { return Ok(()) };
            child.shared.reading.at(child.clock.boot().us());
            if matches!(message, Down::Finish) {
                break;
            }
            child.take(message)?;
        }
        child.drain();
        child.desk.finish();
        // A worker that panicked has ended the process.
        let _ = worker.join();
        child.shared.over.store(true, Ordering::Release);
        let _ = pulse.join();
        child.up.send(&Up::Done);
        Ok(())
    }
    fn take(&mut self, message: Down) -> std::io::Result<()> {
        match message {
            Down::Hello { .. } | Down::Finish => return Err(nonsense("a second greeting")),
            Down::Camera { camera, generation } => self.add(camera, generation)?,
            Down::CameraGone { camera } => self.remove(camera),
            Down::Masks { camera, masks } => self.tell(camera, Told::Masks(masks)),
            Down::Reference { camera, reference } => self.tell(camera, Told::Usual(reference)),
            Down::ViewAccepted { camera } => self.tell(camera, Told::Accepted),
            Down::Params { camera, codec, width, height, decoder_config } => {
                if let Some(camera) = self.cameras.get_mut(&camera) {
                    camera.renew();
                    camera.sluice.stream(codec, width, height);
                    camera.params = Some(Params { codec, config: decoder_config });
                }
            }
            Down::Packet { camera, time, key, data } => self.packet(camera, time, key, data),
            Down::Model { spec, size } => self.parts = Some(Parts::of(Announced::Detector(spec), size)),
            Down::Classifier { spec, size } => self.parts = Some(Parts::of(Announced::Classifier(spec), size)),
            Down::ModelPart { data } => self.model_part(&data)?,
            Down::Pace { every_us } => self.every_us.store(every_us.max(0), Ordering::Relaxed),
            Down::Still { id, codec, decoder_config, data, privacy } => {
                if !self.darkroom.take(Negative { id, codec, decoder_config, data, privacy }) {
                    self.up.send(&Up::StillDone { id, jpeg: None });
                }
            }
            Down::Snapshot { id, camera, time, boxes } => {
                if !self.desk.ask(Ask { id, camera, time, boxes }) {
                    self.up.send(&Up::SnapshotGone { id });
                }
            }
        }
        Ok(())
    }
    fn add(&mut self, camera: CameraId, generation: u32) -> std::io::Result<()> {
        self.remove(camera);
        if self.cameras.len() >= CAMERAS_MAX {
            return Err(nonsense("more cameras than anybody has"));
        }
        let consumed = Arc::new(AtomicU64::new(0));
        let sampler = Arc::new(Sampler::paced(self.every_us.clone()));
        let gate = PacketGateState::default();
        let meter = Meter { generation, consumed: consumed.clone(), sampler: sampler.clone(), gate, told: 0 };
        self.shared.meters.lock().unwrap_or_else(PoisonError::into_inner).insert(camera, meter);
        let throttle = Throttle::default();
        let sluice = self.resting.wake(camera);
        let camera_of =
            Camera { params: None, decoder: None, fed: None, sampler, received: 0, consumed, throttle, sluice };
        self.cameras.insert(camera, camera_of);
        Ok(())
    }
    fn remove(&mut self, camera: CameraId) {
        if let Some(gone) = self.cameras.remove(&camera) {
            self.resting.rest(camera, gone.sluice);
            self.shared.meters.lock().unwrap_or_else(PoisonError::into_inner).remove(&camera);
            self.desk.gone(camera);
        }
    }
    /// Of a camera that begins later it is said again.
    fn tell(&self, camera: CameraId, told: Told) {
        if self.cameras.contains_key(&camera) {
            self.desk.tell(camera, told);
        }
    }
    fn packet(&mut self, id: CameraId, time: MediaTime, key: bool, data: Bytes) {
        let Some(camera) = self.cameras.get_mut(&id) else { return };
        camera.received += 1;
        let (desk, sampler) = (self.desk.clone(), camera.sampler.clone());
        let outlet = Outlet {
            camera: id,
            sampler: camera.sampler.clone(),
            decoded: self.shared.decoded.clone(),
            consumed: camera.consumed.clone(),
            frames: Arc::new(move |frame| {
                let key = sampler.take_key(frame.time);
                if desk.frame(frame, key) {
                    sampler.replaced.fetch_add(1, Ordering::Relaxed);
                }
            }),
        };
        let looks = self.desk.looks.hear(id);
        let fed = camera.feed(time, key, data, &outlet, &looks);
        let gate = camera.sluice.state();
        if let Some(meter) = self.shared.meters.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id) {
            let turned = std::mem::replace(&mut meter.gate, gate).on != gate.on;
            if turned {
                tracing::info!(camera = %id, ?gate, "packet gate");
            }
        }
        if let Err(e) = fed
            && let Some(times) = camera.throttle.say(1, self.clock.boot())
        {
            self.up.send(&Up::Failure { text: link::cut(&format!("camera {id}: {e} ({times} times)")) });
        }
    }
    fn model_part(&mut self, data: &[u8]) -> std::io::Result<()> {
        let Some(parts) = self.parts.take() else { return Err(nonsense("a part of no model")) };
        match parts.add(data).map_err(nonsense)? {
            Ok((bytes, Announced::Detector(spec))) => self.desk.model(bytes, spec),
            Ok((bytes, Announced::Classifier(spec))) => self.desk.classifier(bytes, spec),
            Err(more) => self.parts = Some(more),
        }
        Ok(())
    }
    /// Lets every decoder give out what it holds back.
    fn drain(&self) {
        let decoders: Vec<_> = self.cameras.values().filter_map(|c| c.decoder.as_ref()).collect();
        decoders.iter().for_each(|d| d.end());
        for _ in 0..DRAIN_STEPS {
            if decoders.iter().all(|d| d.is_over()) {
                return;
            }
            std::thread::sleep(DRAIN_STEP);
        }
    }
}

impl Camera {
    /// Takes the decoder down; what it had not consumed is gone, and counts as consumed.
    fn renew(&mut self) {
        self.decoder = None;
        self.sluice.broke();
        self.consumed.store(self.received, Ordering::Relaxed);
    }
    /// What was held comes after all, from a key frame on that is earlier than the last one decoded. A decoder gives no
    /// time before the last it gave, so it is another one. All that came before the packet at hand is dealt with or held.
    fn go_back(&mut self) {
        self.decoder = None;
        self.consumed.store(self.received.saturating_sub(1), Ordering::Relaxed);
    }
    /// Decodes what the packet gate lets pass. What it keeps counts as dealt with, until it lets it pass after all.
    fn feed(
        &mut self,
        time: MediaTime,
        key: bool,
        data: Bytes,
        outlet: &Outlet,
        looks: &VecDeque<Look>,
    ) -> Result<(), DecodeError> {
        let passed = self.sluice.pass(time, key, data, looks);
        if passed.first().is_some_and(|p| self.fed.is_some_and(|fed| p.time < fed) && p.why == Why::Later) {
            self.go_back();
        }
        if passed.iter().all(|p| p.why == Why::Later) {
            self.consumed.fetch_add(1, Ordering::Relaxed);
        }
        for p in passed {
            match p.why {
                Why::Later => {
                    self.consumed.fetch_sub(1, Ordering::Relaxed);
                }
                Why::Now if p.key => self.sampler.expect_key(p.time, Key::Shown),
                Why::Now => {}
                Why::Asked => self.sampler.expect_key(p.time, Key::Asked),
            }
            let fed = self.try_feed(p.time, p.key, p.data, outlet);
            if !matches!(fed, Ok(true)) {
                self.renew();
                return fed.map(|_| ());
            }
        }
        Ok(())
    }
    /// Whether the packet went into a decoder; without one, packets before a key frame go away.
    fn try_feed(&mut self, time: MediaTime, key: bool, data: Bytes, outlet: &Outlet) -> Result<bool, DecodeError> {
        if self.decoder.is_none() {
            let Some(params) = self.params.as_ref().filter(|_| key) else { return Ok(false) };
            self.decoder = Some(Decoder::new(params.codec, &params.config, outlet.clone())?);
        }
        let Some(decoder) = &self.decoder else { return Ok(false) };
        self.fed = Some(time);
        decoder.push(time, key, data).map(|()| true)
    }
}

fn effort(shared: &Shared, worker: &Watch) -> Effort {
    let (busy_us, inference_us) = worker.effort_us();
    let frames = |(camera, meter): (&CameraId, &Meter)| {
        let s = &meter.sampler;
        let [replaced, due, decoded] = [&s.replaced, &s.chosen, &s.decoded].map(|n| n.load(Ordering::Relaxed));
        // They grow meanwhile; no part may be greater than its whole.
        let due = due.max(replaced);
        let decoded = decoded.max(due);
        let g = &meter.gate;
        let key_frames = g.way == Way::KeyOnly;
        let gate = PacketGate { on: g.on, key_frames, episodes: g.episodes, kept: g.kept };
        Frames { camera: *camera, generation: meter.generation, decoded, due, replaced, quiet: g.skipped, gate }
    };
    let meters = shared.meters.lock().unwrap_or_else(PoisonError::into_inner);
    Effort { busy_us, inference_us, cameras: meters.iter().map(frames).collect() }
}

/// Acknowledges and says the totals until the process is over; ends it when another thread is stuck.
fn pulse(clock: &Clock, desk: &Desk, up: &Uplink, shared: &Shared, worker: &Watch) {
    for beat in 0u32.. {
        let over = shared.over.load(Ordering::Acquire);
        let mut acks = Vec::new();
        for (camera, meter) in shared.meters.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            let packets = meter.consumed.load(Ordering::Relaxed);
            if packets != meter.told {
                meter.told = packets;
                acks.push(Up::Ack { camera: *camera, generation: meter.generation, packets });
            }
        }
        for ack in &acks {
            up.send(ack);
        }
        let frames_decoded = shared.decoded.load(Ordering::Relaxed);
        up.send(&Up::Totals(Totals { frames_decoded, ..desk.totals() }));
        if over || beat % BEATS_A_SECOND == 0 {
            up.send(&Up::Effort(effort(shared, worker)));
        }
        if over {
            return;
        }
        let now = clock.boot().us();
        if [worker, &shared.reading, &shared.stills].iter().any(|w| w.busy_us(now) > STUCK_US) {
            tracing::error!("vision is stuck; a new process will take over");
            std::process::exit(4);
        }
        std::thread::sleep(PULSE);
    }
}

#[cfg(test)]
mod tests {
    use gstreamer as gst;
    use gstreamer::prelude::*;
    use gstreamer_app::AppSink;

    use super::*;

    /// Six seconds of a test picture, a key frame every two seconds: the record, and times in seconds.
    fn encoded() -> (Bytes, Vec<(MediaTime, bool, Bytes)>) {
        let text = "videotestsrc num-buffers=60 pattern=ball ! video/x-raw,format=I420,width=320,height=180,framerate=10/1 \
                    ! x264enc key-int-max=20 bframes=0 option-string=scenecut=0 ! h264parse \
                    ! video/x-h264,stream-format=avc,alignment=au ! appsink name=out sync=false max-buffers=0";
        let pipeline = gst::parse::launch(text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let (mut config, mut packets) = (Bytes::new(), Vec::new());
        while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(60)) {
            let record = sample.caps().unwrap().structure(0).unwrap().get::<gst::Buffer>("codec_data").unwrap();
            config = Bytes::copy_from_slice(&record.map_readable().unwrap());
            let buffer = sample.buffer().unwrap();
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            let time = MediaTime(1_000_000 + packets.len() as i64 * 100_000);
            packets.push((time, key, Bytes::copy_from_slice(&buffer.map_readable().unwrap())));
        }
        pipeline.set_state(gst::State::Null).unwrap();
        (config, packets)
    }

    #[test]
    fn decoding_that_goes_back_gives_the_frames_between_two_key_frames_with_their_own_times() {
        decode::start().unwrap();
        let (config, packets) = encoded();
        let (times, sampler) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Sampler::default()));
        let (consumed, seen, keys) = (Arc::new(AtomicU64::new(0)), times.clone(), sampler.clone());
        let outlet = Outlet {
            camera: CameraId(1),
            sampler: sampler.clone(),
            decoded: Arc::default(),
            consumed: consumed.clone(),
            frames: Arc::new(move |frame| {
                keys.take_key(frame.time);
                seen.lock().unwrap().push(frame.time);
            }),
        };
        let params = Some(Params { codec: Codec::H264, config });
        let (throttle, sluice) = (Throttle::default(), Sluice::default());
        let mut camera = Camera { params, decoder: None, fed: None, sampler, received: 0, consumed, throttle, sluice };
        let push = |camera: &mut Camera, i: usize| {
            let (time, key, data) = packets[i].clone();
            assert!(camera.try_feed(time, key, data, &outlet).unwrap());
        };
        let decoded = |n: usize| {
            while times.lock().unwrap().len() < n {
                std::thread::sleep(DRAIN_STEP);
            }
        };
        // Two key frames are asked about; the second shows something, and what is between comes.
        for (n, key) in [(1, 0), (2, 20)] {
            camera.sampler.expect_key(packets[key].0, Key::Asked);
            push(&mut camera, key);
            decoded(n);
        }
        camera.go_back();
        (0..40).for_each(|i| push(&mut camera, i));
        decoded(2 + 20);
        let again: Vec<i64> = times.lock().unwrap()[2..22].iter().map(|t| (t.0 - 1_000_000) / 1000).collect();
        assert_eq!(again, (0..20).map(|i| i * 200).collect::<Vec<_>>());
    }
}
