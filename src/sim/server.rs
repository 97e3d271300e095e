//! What all connections share, and the tasks that accept them.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU32},
};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use super::{
    clip::{Clip, Settings},
    door::Door,
    faults::{Faults, Kind},
    ledger::{Ledger, Written},
    prepare::Tracks,
    rtp::Cut,
    session::{self, End},
};
use crate::{
    domain::{
        camera::{Secret, StreamKind},
        time::BootTime,
    },
    runtime::{clock::Clock, counters::Counter, stop::Stop, tasks::Tasks, throttle::Throttle},
};

/// Clients at the same time; more are turned away.
const CLIENTS_MAX: usize = 2000;

/// A clip ready to be sent.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) settings: Settings,
    pub(crate) parameter_sets: Vec<Bytes>,
    pub(crate) units: Vec<Ready>,
}

/// One access unit ready to be sent.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) key: bool,
    pub(crate) frame: u32,
    pub(crate) size: u32,
    pub(crate) sha256: String,
    pub(crate) cut: Cut,
}

impl From<Clip> for Track {
    fn from(clip: Clip) -> Self {
        let Clip { settings, parameter_sets, units } = clip;
        let ready = |unit: super::clip::Unit| {
            // As cameras do: the parameter sets before every key frame.
            let sets = if unit.key { &parameter_sets[..] } else { &[] };
            Ready {
                key: unit.key,
                frame: unit.frame,
                size: unit.data().len() as u32,
                sha256: unit.sha256(),
                cut: Cut::new(settings.codec, sets.iter().chain(&unit.nals)),
            }
        };
        let units = units.into_iter().map(ready).collect();
        Self { settings, parameter_sets, units }
    }
}

/// What was done and what was refused.
#[derive(Debug, Default)]
pub struct Served {
    /// Sessions that began to play.
    pub sessions: Counter,
    /// Access units handed to a socket.
    pub units_sent: Counter,
    /// Clients disconnected because they took no data.
    pub slow_clients: Counter,
    /// Clients turned away because there were too many.
    pub turned_away: Counter,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) auth: Option<(String, Secret)>,
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    pub(crate) started: BootTime,
    pub(crate) ledger: Ledger,
    pub(crate) counters: Arc<Served>,
    pub(crate) refused: Throttle,
    /// By camera (from 0).
    pub(crate) tracks: Vec<Tracks>,
    pub(crate) faults: Faults,
    pub(crate) sessions: HashMap<(u32, StreamKind), AtomicU32>,
}

impl Shared {
    /// The stream of a camera (from 1), as it is now.
    pub(crate) fn track(&self, camera: u32, kind: StreamKind) -> Option<Arc<Track>> {
        let Tracks { own, other } = self.tracks.get(camera.checked_sub(1)? as usize)?;
        let changed = other.as_ref().filter(|_| self.faults.has_other_params(camera, self.since_ready_us()));
        Some(Arc::clone(&changed.unwrap_or(own)[kind as usize]))
    }
    /// Now, in the script's time.
    pub(crate) fn since_ready_us(&self) -> i64 {
        self.clock.boot().since(self.started)
    }
    /// What is wrong with a camera at a moment.
    pub(crate) fn fault(&self, camera: u32, at: BootTime) -> Option<Kind> {
        self.faults.on(camera, at.since(self.started))
    }
    /// When that changes.
    pub(crate) fn fault_changes(&self, camera: Option<u32>, at: BootTime) -> Option<BootTime> {
        Some(self.started.plus_us(self.faults.next_change_us(camera, at.since(self.started))?))
    }
    /// How many sessions that stream has had.
    pub(crate) fn sessions_of(&self, camera: u32, kind: StreamKind) -> &AtomicU32 {
        &self.sessions[&(camera, kind)]
    }
}

/// Accepts clients at all doors until it is asked to stop, then ends their connections and completes the ledger.
pub(crate) async fn serve(
    doors: Vec<Door>,
    shared: Arc<Shared>,
    written: Written,
    stop: Stop,
    done: oneshot::Sender<()>,
) {
    let (mut open, places) = (Tasks::new(), Arc::new(Semaphore::new(CLIENTS_MAX)));
    for door in doors {
        open.spawn("sim-door", accept(door, Arc::clone(&shared), Arc::clone(&places), stop.clone()));
    }
    open.drain().await;
    drop(shared);
    written.wait().await;
    // Nobody waiting is fine.
    let _ = done.send(());
}

async fn accept(mut door: Door, shared: Arc<Shared>, places: Arc<Semaphore>, stop: Stop) {
    let mut clients = Tasks::new();
    loop {
        tokio::select! {
            () = stop.asked() => break,
            Some(_) = clients.next_ended() => {}
            accepted = door.next(&shared) => match accepted {
                Ok((socket, peer)) if let Ok(place) = Arc::clone(&places).try_acquire_owned() => {
                    let (shared, stop) = (Arc::clone(&shared), stop.clone());
                    clients.spawn(format!("sim-client-{peer}"), async move {
                        let _place = place;
                        let end = session::serve(Arc::clone(&shared), socket, stop).await;
                        if end == End::Slow {
                            shared.counters.slow_clients.add(1);
                            tracing::warn!(%peer, "a client took no data for 5 s and was disconnected");
                        } else {
                            tracing::debug!(%peer, ?end, "a client's connection ended");
                        }
                    });
                }
                Ok(_) => {
                    shared.counters.turned_away.add(1);
                    say(&shared, "a client was turned away: too many connections");
                }
                Err(error) => {
                    // Out of file descriptors: wait for some to come back instead of spinning.
                    say(&shared, &format!("no client can be accepted: {error}"));
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
        }
    }
    clients.drain().await;
}

fn say(shared: &Shared, what: &str) {
    if let Some(times) = shared.refused.say(1, shared.clock.boot()) {
        tracing::warn!(times, "{what}");
    }
}
