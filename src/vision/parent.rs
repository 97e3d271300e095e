//! The serving process's side: starts the child, feeds it, believes little of what it says, starts it anew.
//!
//! One task, no lock: it reads packets of all cameras, questions, and the child, whichever is ready. It never waits
//! for the child: what does not fit is dropped up to the next key frame and counted. When `events` is slow it stops
//! reading the child, which then slows down by itself.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use tokio_stream::{StreamExt, StreamMap, StreamNotifyClose, wrappers::ReceiverStream};

use super::{
    asked::{Asked, Asker},
    lane::{Lane, Offer},
    link::{Down, LinkError, MESSAGE_MAX, Totals, Up},
    looks::Looks,
    model::Model,
    wire::{Turn, Wire, WireError},
};
use crate::{
    domain::{
        ids::CameraId,
        packet::Packet,
        refusal::Refusal,
        time::{BootTime, MediaTime},
        track::FrameSeen,
    },
    runtime::{
        ask::{Snapshot, SnapshotAsk, StillAsk},
        board::{Board, Picture, VisionState},
        clock::Clock,
        counters::Counters,
        stop::Stop,
        throttle::Throttle,
    },
};

/// Bytes of all cameras together that may be under way.
const ALL_LANES_BYTES_MAX: usize = 64 << 20;
/// A child that says nothing for so long though packets were sent is given up, seconds.
const SILENCE_S: i64 = 5;
/// What little there is to write is written so often.
const TICK: Duration = Duration::from_millis(25);
/// Waiting times before the first restarts and before all later ones, milliseconds.
const BACKOFF_MS: [i64; 6] = [200, 500, 1000, 2000, 2000, 2000];
const BACKOFF_LATER_MS: i64 = 15_000;
/// After running so long a child has proven itself.
const PROVEN_US: i64 = 60_000_000;
/// A model that killed so many children while loading is not loaded again.
const MODEL_DEATHS_MAX: u32 = 3;
/// How long the sources get to end, and the child to finish, microseconds.
const SOURCES_US: i64 = 1_000_000;
const FINISH_US: i64 = 4_000_000;

const NO_DETECTOR: &str =
    "chưa cài mô hình nhận dạng, chỉ phát hiện chuyển động / no detector installed: only motion is seen";
const DEADLY_MODEL: &str = "mô hình nhận dạng làm tiến trình phân tích dừng đột ngột; hãy đổi mô hình / the detector's \
                            model crashes the analysis; use another one";

/// What the handle says to the task.
#[derive(Debug)]
pub(super) enum Control {
    /// A camera's packets come here.
    Camera(CameraId, mpsc::Receiver<Packet>),
    /// Finish; answered when it is.
    Finish(oneshot::Sender<()>),
}

/// What the task is given.
#[derive(Debug)]
pub(super) struct Given {
    pub program: PathBuf,
    pub model: Option<Model>,
    /// Why there is no model though there should be one.
    pub refused: Option<Refusal>,
    pub clock: Clock,
    pub counters: Arc<Counters>,
    pub board: Arc<Board>,
    pub stop: Stop,
    /// As many as there are calls of `Vision::camera`, so without a limit of its own.
    pub control: mpsc::UnboundedReceiver<Control>,
    pub asks: mpsc::Receiver<SnapshotAsk>,
    pub stills: mpsc::Receiver<StillAsk>,
    pub seen: mpsc::Sender<FrameSeen>,
    pub looks: Looks,
    /// 0 while no child runs.
    pub pid: Arc<AtomicU32>,
}

type Inlet = StreamNotifyClose<ReceiverStream<Packet>>;

#[derive(Debug)]
enum Happened {
    Forced,
    Control(Option<Control>),
    Room,
    Wire(Result<Turn, WireError>),
    Packet(CameraId, Option<Packet>),
    Ask(SnapshotAsk),
    Still(StillAsk),
    Tick,
}

#[derive(Debug)]
struct Closing {
    reply: Option<oneshot::Sender<()>>,
    since: BootTime,
    told: Option<BootTime>,
}

pub(super) struct Parent {
    given: Given,
    wire: Option<Wire>,
    retry: BootTime,
    failures: usize,
    model_deaths: u32,
    generation: u32,
    lanes: BTreeMap<CameraId, Lane>,
    inlets: StreamMap<CameraId, Inlet>,
    pending: VecDeque<FrameSeen>,
    asked: Asked,
    /// Of the children before this one.
    base: Totals,
    totals: Totals,
    closing: Option<Closing>,
    over: bool,
    throttle: Throttle,
    /// For what the child says went wrong.
    failed: Throttle,
}

impl Parent {
    pub fn new(given: Given) -> Self {
        let retry = given.clock.boot();
        Self {
            given,
            wire: None,
            retry,
            failures: 0,
            model_deaths: 0,
            generation: 0,
            lanes: BTreeMap::new(),
            inlets: StreamMap::new(),
            pending: VecDeque::new(),
            asked: Asked::default(),
            base: Totals::default(),
            totals: Totals::default(),
            closing: None,
            over: false,
            throttle: Throttle::default(),
            failed: Throttle::default(),
        }
    }
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.over {
            let happened = self.wait(&mut tick).await;
            if let Err(why) = self.handle(happened) {
                self.down(&why).await;
            }
        }
        // Whoever reads the frames gets a moment to read the last ones.
        for seen in std::mem::take(&mut self.pending) {
            if !matches!(tokio::time::timeout(Duration::from_secs(1), self.given.seen.send(seen)).await, Ok(Ok(()))) {
                break;
            }
        }
        if let Some(wire) = self.wire.take() {
            let how = wire.end(Duration::from_secs(1)).await;
            tracing::info!(how, "vision ended");
        }
        self.given.pid.store(0, Ordering::Relaxed);
        self.given.board.vision.send_modify(|state| state.running = false);
        if let Some(reply) = self.closing.take().and_then(|c| c.reply) {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(());
        }
    }
    async fn wait(&mut self, tick: &mut tokio::time::Interval) -> Happened {
        let may_read = self.pending.is_empty();
        let wire = &mut self.wire;
        let turn = async {
            match wire {
                Some(wire) => wire.turn(may_read).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.given.stop.forced() => Happened::Forced,
            control = self.given.control.recv(), if self.closing.is_none() => Happened::Control(control),
            // Before the child's words, so that a child that never stops talking holds up nothing.
            _ = tick.tick() => Happened::Tick,
            // This task alone sends, so the room found is still there.
            _ = self.given.seen.reserve(), if !may_read => Happened::Room,
            Some((camera, packet)) = self.inlets.next() => Happened::Packet(camera, packet),
            Some(ask) = self.given.asks.recv() => Happened::Ask(ask),
            Some(ask) = self.given.stills.recv() => Happened::Still(ask),
            turn = turn => Happened::Wire(turn),
        }
    }
    fn now(&self) -> BootTime {
        self.given.clock.boot()
    }
    fn handle(&mut self, happened: Happened) -> Result<(), WireError> {
        match happened {
            Happened::Forced => self.over = true,
            Happened::Control(Some(Control::Camera(camera, packets))) => {
                self.forget(camera)?;
                self.lanes.insert(camera, Lane::default());
                self.inlets.insert(camera, StreamNotifyClose::new(ReceiverStream::new(packets)));
            }
            Happened::Control(Some(Control::Finish(reply))) => self.close(Some(reply)),
            // All handles are gone.
            Happened::Control(None) => self.close(None),
            Happened::Room => self.hand_on(),
            Happened::Wire(turn) => {
                if turn? == Turn::Read {
                    self.hear()?;
                }
            }
            Happened::Packet(camera, Some(packet)) => self.packet(camera, &packet)?,
            Happened::Packet(camera, None) => {
                self.forget(camera)?;
                self.lanes.remove(&camera);
            }
            Happened::Ask(ask) => self.ask(ask)?,
            Happened::Still(ask) => self.ask_still(ask)?,
            Happened::Tick => self.tick()?,
        }
        Ok(())
    }
    fn close(&mut self, reply: Option<oneshot::Sender<()>>) {
        self.closing = Some(Closing { reply, since: self.now(), told: None });
    }
    /// Hands frames on as long as there is room.
    fn hand_on(&mut self) {
        while let Some(seen) = self.pending.pop_front() {
            match self.given.seen.try_send(seen) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(seen)) => {
                    self.pending.push_front(seen);
                    // It is not the child that is silent.
                    if let Some(wire) = &mut self.wire {
                        wire.forgive();
                    }
                    return;
                }
                // Nobody wants frames any more.
                Err(mpsc::error::TrySendError::Closed(_)) => self.pending.clear(),
            }
        }
    }
    fn packet(&mut self, camera: CameraId, packet: &Packet) -> Result<(), WireError> {
        let now = self.now();
        let told = self.closing.as_ref().is_some_and(|c| c.told.is_some());
        let under_way: usize = self.lanes.values().map(Lane::bytes).sum();
        let room = if told || self.wire.is_none() { 0 } else { ALL_LANES_BYTES_MAX.saturating_sub(under_way) };
        let Some(lane) = self.lanes.get_mut(&camera) else { return Ok(()) };
        match (lane.offer(packet, room, now), &mut self.wire) {
            (Offer::Send { camera: fresh, params }, Some(wire)) => {
                if fresh {
                    self.generation = self.generation.wrapping_add(1);
                    lane.generation = self.generation;
                    wire.say(&Down::Camera { camera, generation: self.generation }, now)?;
                }
                if params {
                    let p = &packet.params;
                    let (codec, width, height) = (p.codec, p.width, p.height);
                    let decoder_config = p.decoder_config.clone();
                    wire.say(&Down::Params { camera, codec, width, height, decoder_config }, now)?;
                }
                let data = packet.data.clone();
                wire.say(&Down::Packet { camera, time: packet.time, key: packet.key, data }, now)?;
            }
            (Offer::Early, _) => {}
            (Offer::Skip | Offer::Send { .. }, _) => {
                self.given.counters.vision_skipped.add(1);
                if let Some(times) = self.throttle.say(1, now) {
                    tracing::warn!(camera = %camera, times, "packets skipped by vision");
                }
            }
        }
        Ok(())
    }
    /// Takes a camera away from the child and ends its tracks.
    fn forget(&mut self, camera: CameraId) -> Result<(), WireError> {
        let now = self.now();
        let Some(lane) = self.lanes.get_mut(&camera) else { return Ok(()) };
        let ended = lane.restart();
        self.end_tracks(camera, ended);
        if let Some(wire) = &mut self.wire {
            wire.say(&Down::CameraGone { camera }, now)?;
        }
        Ok(())
    }
    fn end_tracks(&mut self, camera: CameraId, ended: Option<(MediaTime, Vec<crate::domain::ids::TrackId>)>) {
        if let Some((time, ended)) = ended {
            self.pending.push_back(FrameSeen { camera, time, motion: Vec::new(), tracks: Vec::new(), ended });
        }
    }
    fn ask(&mut self, ask: SnapshotAsk) -> Result<(), WireError> {
        let now = self.now();
        // Dropping the reply says that there is no such picture.
        let Some(wire) = self.wire.as_mut().filter(|_| self.asked.has_room()) else { return Ok(()) };
        let SnapshotAsk { camera, time, boxes, reply } = ask;
        let id = self.asked.note(Asker::Snapshot(reply), now);
        wire.say(&Down::Snapshot { id, camera, time, boxes }, now)?;
        wire.flush();
        Ok(())
    }
    fn ask_still(&mut self, ask: StillAsk) -> Result<(), WireError> {
        let now = self.now();
        let fits = ask.data.len() + ask.decoder_config.len() < MESSAGE_MAX - 1024;
        let Some(wire) = self.wire.as_mut().filter(|_| fits && self.asked.has_room()) else { return Ok(()) };
        let StillAsk { codec, decoder_config, data, reply } = ask;
        let id = self.asked.note(Asker::Still(reply), now);
        wire.say(&Down::Still { id, codec, decoder_config, data }, now)?;
        wire.flush();
        Ok(())
    }
    fn hear(&mut self) -> Result<(), WireError> {
        while let Some(wire) = &mut self.wire
            && let Some(message) = wire.hear()?
        {
            self.believe(message)?;
        }
        self.hand_on();
        Ok(())
    }
    fn believe(&mut self, message: Up) -> Result<(), WireError> {
        let now = self.now();
        match message {
            Up::Hello => {}
            Up::Ack { camera, generation, packets } => {
                if let Some(lane) = self.lanes.get_mut(&camera) {
                    lane.ack(generation, packets, now);
                }
            }
            Up::Seen(seen) => {
                // A camera taken away while its frame was on its way is no longer listed.
                if let Some(lane) = self.lanes.get_mut(&seen.camera)
                    && lane.admit(&seen).map_err(LinkError::Impossible)?
                {
                    self.pending.push_back(seen);
                }
            }
            Up::Look(look) => {
                if self.lanes.contains_key(&look.camera) {
                    self.given.looks.take(look, now);
                }
            }
            Up::Picture { camera, time, jpeg } => {
                if self.lanes.contains_key(&camera) {
                    self.given.board.set_picture(camera, Picture { time, jpeg });
                }
            }
            Up::SnapshotDone { id, time, plain, boxed } => {
                self.asked.snapshot(id, Some(Snapshot { time, plain, boxed }));
            }
            Up::SnapshotGone { id } => self.asked.snapshot(id, None),
            Up::StillDone { id, jpeg } => self.asked.still(id, jpeg),
            Up::Totals(totals) => self.count(totals),
            Up::Detector { name, why } => {
                if let Some(wire) = &mut self.wire {
                    wire.loading = false;
                }
                self.model_deaths = 0;
                match (&name, &why) {
                    (Some(name), _) => tracing::info!(detector = name, "detector loaded"),
                    (None, why) => tracing::warn!(why = why.as_deref(), "no detector: only motion is seen"),
                }
                let state = VisionState { running: true, detector: name, why };
                self.given.board.vision.send_replace(state);
            }
            Up::Failure { text } => {
                if let Some(times) = self.failed.say(1, self.now()) {
                    tracing::warn!(text, times, "vision");
                }
                self.given.board.vision.send_modify(|state| state.why = Some(text));
            }
            Up::Done if self.closing.as_ref().is_some_and(|c| c.told.is_some()) => self.over = true,
            // The end of this task ends the service: the child may not bring it about unasked.
            Up::Done => return Err(LinkError::Impossible("an end nobody asked for").into()),
        }
        Ok(())
    }
    fn count(&mut self, totals: Totals) {
        self.totals = totals;
        let (base, now, counters) = (self.base, self.totals, &self.given.counters);
        counters.frames_decoded.raise_to(base.frames_decoded.saturating_add(now.frames_decoded));
        counters.frames_analysed.raise_to(base.frames_analysed.saturating_add(now.frames_analysed));
        counters.inferences.raise_to(base.inferences.saturating_add(now.inferences));
        counters.frames_not_a_number.raise_to(base.frames_not_a_number.saturating_add(now.frames_not_a_number));
    }
    fn tick(&mut self) -> Result<(), WireError> {
        let now = self.now();
        self.asked.expire(now);
        self.step_closing(now)?;
        let Some(wire) = &mut self.wire else {
            if now >= self.retry && self.closing.is_none() {
                self.start(now)?;
            }
            return Ok(());
        };
        wire.feed_model(now)?;
        wire.flush();
        if !self.pending.is_empty() {
            wire.forgive();
        }
        if wire.silent_us(now) > SILENCE_S * 1_000_000 {
            return Err(WireError::Silent(SILENCE_S));
        }
        let stuck: Vec<_> = self.lanes.iter().filter(|(_, l)| l.is_stuck(now)).map(|(c, _)| *c).collect();
        for camera in stuck {
            tracing::warn!(camera = %camera, "its decoder is stuck; it begins anew");
            self.forget(camera)?;
        }
        Ok(())
    }
    /// First the sources get a moment to end, then the child gets one to finish.
    fn step_closing(&mut self, now: BootTime) -> Result<(), WireError> {
        let Some(closing) = &mut self.closing else { return Ok(()) };
        let Some(wire) = &mut self.wire else {
            self.over = true;
            return Ok(());
        };
        match closing.told {
            None if self.inlets.is_empty() || now.since(closing.since) > SOURCES_US => {
                closing.told = Some(now);
                wire.say(&Down::Finish, now)?;
            }
            Some(told) if now.since(told) > FINISH_US => {
                tracing::warn!("vision does not finish in time");
                self.over = true;
            }
            _ => {}
        }
        Ok(())
    }
    fn start(&mut self, now: BootTime) -> Result<(), WireError> {
        let model = self.given.model.as_ref().filter(|_| self.model_deaths < MODEL_DEATHS_MAX);
        let why = match (&self.given.model, model) {
            (None, _) => Some(self.given.refused.as_ref().map_or_else(|| NO_DETECTOR.to_owned(), Refusal::to_string)),
            (Some(_), None) => Some(DEADLY_MODEL.to_owned()),
            (Some(_), Some(_)) => None,
        };
        let wire = Wire::start(&self.given.program, model, self.given.clock.media(), now)?;
        let pid = wire.pid().unwrap_or_default();
        self.given.pid.store(pid, Ordering::Relaxed);
        tracing::info!(pid, "vision started");
        let state = VisionState { running: true, detector: None, why };
        self.given.board.vision.send_replace(state);
        self.wire = Some(wire);
        Ok(())
    }
    /// The child is gone or must go.
    async fn down(&mut self, why: &WireError) {
        let now = self.now();
        self.given.pid.store(0, Ordering::Relaxed);
        if let Some(wire) = self.wire.take() {
            if wire.loading {
                self.model_deaths += 1;
            }
            if now.since(wire.started) > PROVEN_US {
                self.failures = 0;
            }
            let grace = if matches!(why, WireError::Ended) { Duration::from_millis(300) } else { Duration::ZERO };
            let how = wire.end(grace).await;
            tracing::warn!(why = %why, how, "vision failed");
        } else {
            tracing::warn!(why = %why, program = %self.given.program.display(), "vision cannot be started");
        }
        self.given.counters.vision_restarts.add(1);
        let (base, now_totals) = (&mut self.base, std::mem::take(&mut self.totals));
        base.frames_decoded = base.frames_decoded.saturating_add(now_totals.frames_decoded);
        base.frames_analysed = base.frames_analysed.saturating_add(now_totals.frames_analysed);
        base.inferences = base.inferences.saturating_add(now_totals.inferences);
        base.frames_not_a_number = base.frames_not_a_number.saturating_add(now_totals.frames_not_a_number);
        self.asked.clear();
        let ended: Vec<_> = self.lanes.iter_mut().map(|(c, lane)| (*c, lane.restart())).collect();
        for (camera, ended) in ended {
            self.end_tracks(camera, ended);
        }
        let wait_ms = BACKOFF_MS.get(self.failures).copied().unwrap_or(BACKOFF_LATER_MS);
        self.failures += 1;
        self.retry = now.plus_us(wait_ms * 1000);
        let state = VisionState { running: false, detector: None, why: Some(why.to_string()) };
        self.given.board.vision.send_replace(state);
    }
}
