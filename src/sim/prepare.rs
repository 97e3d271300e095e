//! Encodes every clip that is needed, each once, on two threads.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{
    clip,
    faults::Faults,
    options::{Options, Wanted},
    server::Track,
};
use crate::{
    domain::{camera::StreamKind, refusal::Refusal},
    runtime::{stop::Stop, tasks},
};

/// Encoders at work at the same time.
const ENCODERS: usize = 2;

/// Tells the encoders to give up when the one who waits for them is gone.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a camera plays, main and sub, and what after a reboot that changed its parameter sets, if there is one.
#[derive(Debug)]
pub(crate) struct Tracks {
    pub(crate) own: [Arc<Track>; 2],
    pub(crate) other: Option<[Arc<Track>; 2]>,
}

/// The tracks of every camera.
pub(crate) async fn tracks(options: &Options, faults: &Faults, stop: &Stop) -> Result<Vec<Tracks>, Refusal> {
    const BOTH: [StreamKind; 2] = [StreamKind::Main, StreamKind::Sub];
    let wanted = |c: u32| {
        let other = faults.changes_params(c).then(|| BOTH.map(|kind| options.wanted_other(c, kind)));
        (BOTH.map(|kind| options.wanted(c, kind)), other)
    };
    let wanted: Vec<_> = (1..=options.cameras).map(wanted).collect();
    let mut jobs: Vec<Wanted> = Vec::new();
    for one in wanted.iter().flat_map(|(own, other)| own.iter().chain(other.iter().flatten())) {
        if !jobs.contains(one) {
            jobs.push(one.clone());
        }
    }
    let all = jobs.len();
    let mut encoded = encode_all(options, jobs, stop)?;
    let mut done: HashMap<Wanted, Arc<Track>> = HashMap::new();
    while let Some(result) = encoded.0.recv().await {
        let (one, track) = result?;
        done.insert(one, Arc::new(track));
        tracing::info!(ready = done.len(), all, "clip encoded");
    }
    let find = |one: &Wanted| done.get(one).cloned().ok_or_else(|| lost("an encoder ended early"));
    let pair = |[main, sub]: &[Wanted; 2]| Ok([find(main)?, find(sub)?]);
    wanted
        .iter()
        .map(|(own, other)| Ok(Tracks { own: pair(own)?, other: other.as_ref().map(pair).transpose()? }))
        .collect()
}

type Encoded = Result<(Wanted, Track), Refusal>;

fn encode_all(options: &Options, jobs: Vec<Wanted>, stop: &Stop) -> Result<(mpsc::Receiver<Encoded>, GiveUp), Refusal> {
    let (sender, receiver) = mpsc::channel(jobs.len().max(1));
    let give_up = GiveUp(Arc::default());
    let jobs = Arc::new(Mutex::new(jobs.into_iter()));
    for number in 1..=ENCODERS {
        let (jobs, sender, stop) = (Arc::clone(&jobs), sender.clone(), stop.clone());
        let (options, gave_up) = (options.clone(), Arc::clone(&give_up.0));
        let work = move || {
            let cancelled = || stop.is_asked() || gave_up.load(Ordering::Relaxed);
            let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some(one) = next() {
                let source = options.source(&one);
                let clip = clip::encode(&source, &one.settings, &cancelled);
                if sender.blocking_send(clip.map(|clip| (one, Track::from(clip)))).is_err() {
                    break;
                }
            }
        };
        tasks::thread(&format!("sim-encode-{number}"), work).map_err(|e| lost(&e.to_string()))?;
    }
    Ok((receiver, give_up))
}

fn lost(why: &str) -> Refusal {
    Refusal::new(
        "sim",
        format!("không chuẩn bị được hình để phát ({why}); thử lại với ít camera hơn"),
        format!("the clips could not be made ({why}); try again with fewer cameras"),
    )
}
