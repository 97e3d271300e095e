//! The serving process's side: starts the child, feeds it, believes little of what it says, starts it anew.
//!
//! One task, no lock: it reads packets of all cameras, questions, and the child, whichever is ready. It never waits
//! for the child: what does not fit is dropped up to the next key frame and counted. When `events` is slow it stops
//! reading the child, which then slows down by itself.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::Ordering,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use tokio_stream::{StreamExt, StreamMap, StreamNotifyClose, wrappers::ReceiverStream};

mod duty;
mod extra;
mod flows;
mod heard;
mod life;
mod registry;

use duty::Duty;
use flows::Flows;
use registry::Registry;

use super::{
    asked::{Asked, Asker},
    given::{Control, Given},
    lane::{Lane, Offer},
    link::{Down, MESSAGE_MAX, POLYGON_BYTES, Totals},
    model::{DEADLY_MODEL, NO_DETECTOR},
    sight::Sight,
    wire::{Loading, Turn, Wire, WireError},
};
use crate::{
    domain::{
        ids::CameraId,
        packet::Packet,
        time::{BootTime, MediaTime},
        track::FrameSeen,
    },
    logic::{load::Load, suspects::Suspects},
    runtime::{
        ask::{SnapshotAsk, StillAsk},
        board::VisionState,
        capacity::Skip,
        throttle::Throttle,
    },
};

/// Bytes of all cameras together that may be under way.
const ALL_LANES_BYTES_MAX: usize = 64 << 20;
/// What little there is to write is written so often.
const TICK: Duration = Duration::from_millis(25);

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
    registry: Registry,
    wire: Option<Wire>,
    retry: BootTime,
    failures: usize,
    model_deaths: u32,
    /// By file of the extra classifier.
    classifier_deaths: BTreeMap<String, u32>,
    generation: u32,
    lanes: BTreeMap<CameraId, Lane>,
    inlets: StreamMap<CameraId, Inlet>,
    pending: VecDeque<FrameSeen>,
    asked: Asked,
    sight: Sight,
    /// Of the children before this one.
    base: Totals,
    totals: Totals,
    /// Whether this child has said anything.
    greeted: bool,
    /// Whether this child was told how often to look.
    paced: bool,
    flows: Flows,
    duty: Duty,
    load: Load,
    suspects: Suspects,
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
            registry: Registry::new(given.program.cache.clone()),
            given,
            wire: None,
            retry,
            failures: 0,
            model_deaths: 0,
            classifier_deaths: BTreeMap::new(),
            generation: 0,
            lanes: BTreeMap::new(),
            inlets: StreamMap::new(),
            pending: VecDeque::new(),
            asked: Asked::default(),
            sight: Sight::default(),
            base: Totals::default(),
            totals: Totals::default(),
            greeted: false,
            paced: false,
            flows: Flows::default(),
            duty: Duty::default(),
            load: Load::default(),
            suspects: Suspects::default(),
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
            Happened::Control(Some(Control::Saved(camera))) => {
                self.suspects.pardon(camera);
                self.post();
            }
            Happened::Control(Some(Control::Masks(masks))) => {
                let now = self.now();
                self.sight.mask(masks, &self.given.board, self.wire.as_mut(), now)?;
            }
            Happened::Control(Some(Control::Remember(camera, reference))) => self.sight.learn(camera, reference),
            Happened::Control(Some(Control::Accept(camera))) => {
                let now = self.now();
                self.sight.accept(camera, self.wire.as_mut(), now)?;
            }
            Happened::Control(Some(Control::Finish(reply))) => self.close(Some(reply)),
            // All handles are gone.
            Happened::Control(None) => self.close(None),
            Happened::Room => self.hand_on(),
            Happened::Wire(turn) => match turn? {
                Turn::Read => self.hear()?,
                Turn::Said => {
                    let now = self.now();
                    if let Some(wire) = &mut self.wire {
                        wire.pass_on(now);
                    }
                }
                Turn::Written => {}
            },
            Happened::Packet(camera, Some(packet)) => self.packet(camera, &packet)?,
            Happened::Packet(camera, None) => {
                self.forget(camera)?;
                self.lanes.remove(&camera);
                self.suspects.keep(|c| self.lanes.contains_key(&c));
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
        self.flows.received(camera);
        let told = self.closing.as_ref().is_some_and(|c| c.told.is_some());
        if let Some(why) = self.kept_out(camera, packet.key, now) {
            self.skip(camera, why, now);
            // What has no turn needs no decoder either; a lane of key frames stays.
            let gives_up = why != Skip::KeyFramesOnly && self.lanes.get(&camera).is_some_and(Lane::is_announced);
            return if gives_up { self.forget(camera) } else { Ok(()) };
        }
        let under_way: usize = self.lanes.values().map(Lane::bytes).sum();
        let room = if told || self.wire.is_none() { 0 } else { ALL_LANES_BYTES_MAX.saturating_sub(under_way) };
        let Some(lane) = self.lanes.get_mut(&camera) else { return Ok(()) };
        match (lane.offer(packet, room, now), &mut self.wire) {
            (Offer::Send { camera: fresh, params }, Some(wire)) => {
                if fresh {
                    self.generation = self.generation.wrapping_add(1);
                    lane.generation = self.generation;
                    wire.say(&Down::Camera { camera, generation: self.generation }, now)?;
                    self.sight.introduce(camera, wire, now)?;
                }
                if params {
                    let p = &packet.params;
                    let (codec, width, height) = (p.codec, p.width, p.height);
                    let decoder_config = p.decoder_config.clone();
                    wire.say(&Down::Params { camera, codec, width, height, decoder_config }, now)?;
                }
                let data = packet.data.clone();
                wire.say(&Down::Packet { camera, time: packet.time, key: packet.key, data }, now)?;
                self.flows.sent(camera);
                self.suspects.fed(camera, now);
            }
            (Offer::Early, _) => self.flows.skipped(camera, Skip::WaitingForKeyFrame),
            (_, None) => self.skip(camera, Skip::NoProcess, now),
            (Offer::Full, _) => self.skip(camera, Skip::QueueFull, now),
            (Offer::Broken, _) => self.skip(camera, Skip::WaitingForKeyFrame, now),
        }
        Ok(())
    }
    fn skip(&mut self, camera: CameraId, why: Skip, now: BootTime) {
        self.flows.skipped(camera, why);
        self.given.counters.vision_skipped.add(1);
        // What is left out on purpose is said where it is decided.
        let on_purpose = matches!(why, Skip::Suspect | Skip::KeyFramesOnly | Skip::Load);
        if !on_purpose && let Some(times) = self.throttle.say(1, now) {
            tracing::warn!(camera = %camera, why = why.name(), times, "packets skipped by vision");
        }
    }
    /// Takes a camera away from the child and ends its tracks.
    fn forget(&mut self, camera: CameraId) -> Result<(), WireError> {
        let now = self.now();
        let Some(lane) = self.lanes.get_mut(&camera) else { return Ok(()) };
        let ended = lane.restart();
        self.flows.begins(camera);
        self.end_tracks(camera, ended);
        if let Some(wire) = &mut self.wire {
            wire.say(&Down::CameraGone { camera }, now)?;
        }
        Ok(())
    }
    fn end_tracks(&mut self, camera: CameraId, ended: Option<(MediaTime, Vec<crate::domain::ids::TrackId>)>) {
        if let Some((time, ended)) = ended {
            self.pending.push_back(FrameSeen {
                camera,
                time,
                motion: Vec::new(),
                tracks: Vec::new(),
                ended,
                still: None,
                labels: Vec::new(),
            });
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
        let fits = ask.data.len() + ask.decoder_config.len() + ask.privacy.len() * POLYGON_BYTES < MESSAGE_MAX - 1024;
        let Some(wire) = self.wire.as_mut().filter(|_| fits && self.asked.has_room()) else { return Ok(()) };
        let StillAsk { codec, decoder_config, data, privacy, reply } = ask;
        let id = self.asked.note(Asker::Still(reply), now);
        wire.say(&Down::Still { id, codec, decoder_config, data, privacy }, now)?;
        wire.flush();
        Ok(())
    }
}
