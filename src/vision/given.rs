//! What the parent's task is given at its start, and what the handle says to it later.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU32},
};

use tokio::sync::{mpsc, oneshot};

use super::{Program, looks::Looks, model::Model};
use crate::{
    domain::{health::Reference, ids::CameraId, mask::Masks, packet::Packet, refusal::Refusal, track::FrameSeen},
    runtime::{
        ask::{SnapshotAsk, StillAsk},
        board::Board,
        clock::Clock,
        counters::Counters,
        stop::Stop,
    },
};

/// What the handle says to the task.
#[derive(Debug)]
pub(super) enum Control {
    /// A camera's packets come here.
    Camera(CameraId, mpsc::Receiver<Packet>),
    /// The masks in force.
    Masks(BTreeMap<CameraId, Masks>),
    /// How a camera usually looks.
    Remember(CameraId, Reference),
    /// How it looks now is right.
    Accept(CameraId),
    /// Somebody saved a camera's settings.
    Saved(CameraId),
    /// Finish; answered when it is.
    Finish(oneshot::Sender<()>),
}

/// What the task is given.
#[derive(Debug)]
pub(super) struct Given {
    pub program: Program,
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
