//! What vision says about frames becomes events in the store, with their pictures on disk.
//!
//! In: [`FrameSeen`]s of all cameras, [`TrackLook`]s, the rules in force. Out: events and confirmed tracks in the store, two
//! JPEG files an event (asked of vision through [`Snapshots`]) and a track, a word on the board for each change of an event.
//!
//! What must not wait does not: frames are taken while one piece of work (a row, a picture) is under way. A store that
//! fails is tried again, with growing pauses; meanwhile only the newest state of each event is kept, so the queue grows
//! with the number of events and not with their updates. Limits: 10 000 events and 5 000 tracks not yet stored, 64
//! pictures asked for or held, [`CAMERAS_MAX`] cameras; what goes beyond is counted and said. Refuses to decide what
//! matters (`logic::rules`) and to look at pixels.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use crate::{
    domain::{look::TrackLook, rule::Rule, track::FrameSeen},
    runtime::{ask::Snapshots, board::Board, clock::Clock, counters::Counters},
    store::Store,
};

pub mod crops;
pub mod expiry;
pub mod health;
mod lifecycle;
mod lines;
mod outbox;
pub mod snapshot;
mod states;
mod track_queue;
mod tracks;

/// The most cameras whose frames are looked at; those of further ones are dropped and said.
pub const CAMERAS_MAX: usize = 1000;

/// How long the room tries to store what is left when the frames have ended.
const FLUSH: Duration = Duration::from_secs(6);

/// What the room is told at the start.
#[derive(Debug, Clone)]
pub struct EventsConfig {
    /// The data folder; pictures go under `pictures/`.
    pub data_dir: PathBuf,
    /// SHA-256 (hex) of the detector's model; `None` without a detector.
    pub model_sha256: Option<String>,
}

/// Runs the room until `seen` ends: then every event is closed, what is left is stored (6 s at most), and it returns.
///
/// Events left open by a run that did not end well are closed before anything else is stored.
#[expect(clippy::too_many_arguments, reason = "one door to each neighbour; only app calls it")]
pub async fn run(
    mut seen: mpsc::Receiver<FrameSeen>,
    mut looks: mpsc::Receiver<TrackLook>,
    mut rules: watch::Receiver<Arc<Vec<Rule>>>,
    snapshots: Option<Snapshots>,
    store: Store,
    clock: Clock,
    counters: Arc<Counters>,
    board: Arc<Board>,
    cfg: EventsConfig,
) {
    let in_force = rules.borrow_and_update().clone();
    let mut room = lifecycle::Room::new(in_force, snapshots, store, clock, counters, board, cfg);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut rules_may_change = true;
    loop {
        tokio::select! {
            frame = seen.recv() => match frame {
                Some(frame) => {
                    // A look comes before the frame that ends its track.
                    while let Ok(look) = looks.try_recv() {
                        room.look(look);
                    }
                    room.frame(&frame);
                }
                None => break,
            },
            changed = rules.changed(), if rules_may_change => match changed {
                Ok(()) => room.replace_rules(rules.borrow_and_update().clone()),
                Err(_) => rules_may_change = false,
            },
            _ = tick.tick() => room.tick(),
            () = room.work() => {}
        }
    }
    while let Ok(look) = looks.try_recv() {
        room.look(look);
    }
    room.finish();
    if tokio::time::timeout(FLUSH, room.drain()).await.is_err() {
        room.give_up();
    }
}
