//! Keeps one stream's session running: retries, backoff, status. A panic in a session restarts that stream only.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    Outputs,
    session::{self, End, Shared},
    trouble::trouble,
};
use crate::{
    domain::camera::{Stream, StreamStatus, Trouble, TroubleCause},
    logic::backoff::Backoff,
    runtime::{clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
};

/// Keeps one stream's session running until `stop` is asked. A changed address or password is a new call.
pub async fn run(stream: Stream, out: Outputs, clock: Clock, counters: Arc<Counters>, stop: Stop) {
    let (camera, kind) = (stream.camera, stream.kind);
    out.status.send_replace(StreamStatus::Connecting);
    let shared = Arc::new(Shared { stream, out, clock, counters, stop, params: Mutex::new(None) });
    let mut backoff = Backoff::new();
    let mut said: Option<Trouble> = None;
    while let End::Broken { trouble, streamed_us } = caught(&shared).await {
        let wait_us = backoff.failed(trouble.cause, streamed_us, fastrand::f64());
        let n = backoff.failures();
        if said.as_ref() != Some(&trouble) || n.is_power_of_two() {
            // The same trouble every 15 s for a week is one thing, not forty thousand.
            tracing::warn!(%camera, kind = kind.name(), n, cause = ?trouble.cause, detail = trouble.detail, wait_us, "stream broken");
        }
        said = Some(trouble.clone());
        shared.out.status.send_replace(StreamStatus::Retrying { n, why: trouble });
        let wait = Duration::from_micros(u64::try_from(wait_us).unwrap_or(0));
        tokio::select! {
            biased;
            () = shared.stop.asked() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    shared.out.status.send_replace(StreamStatus::Stopped);
}

/// Runs one session in a task of its own, so that a panic in it ends only it.
async fn caught(shared: &Arc<Shared>) -> End {
    let mut tasks = Tasks::new();
    let (tell, told) = oneshot::channel();
    let mine = shared.clone();
    let name = format!("camera-{}-{}", shared.stream.camera, shared.stream.kind.name());
    tasks.spawn(name, async move {
        // The supervisor is gone when nobody listens.
        let _ = tell.send(session::run(mine).await);
    });
    let ended = tasks.next_ended().await;
    if let Ok(end) = told.await {
        return end;
    }
    if ended.is_some_and(|e| e.panicked) {
        shared.counters.panics.add(1);
    }
    let detail = "an error inside the program ended this stream's session; it is started again";
    End::Broken { trouble: trouble(TroubleCause::Camera, detail), streamed_us: 0 }
}
