//! Keeps one stream's session running: retries, backoff, status. A panic in a session restarts that stream only.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    Outputs, knock,
    session::{self, End, Shared},
    trouble::panicked,
};
use crate::{
    domain::camera::{Stream, StreamStatus, Trouble, TroubleCause},
    logic::backoff::Backoff,
    runtime::{clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
};

/// In a wait longer than this it is looked whether the camera's port opens again.
const KNOCKED: Duration = Duration::from_secs(1);

/// Keeps one stream's session running until `stop` is asked. A changed address or password is a new call.
pub async fn run(stream: Stream, out: Outputs, clock: Clock, counters: Arc<Counters>, stop: Stop) {
    let (camera, kind) = (stream.camera, stream.kind);
    out.status.send_replace(StreamStatus::Connecting);
    let address = session::Address::of(&stream.url);
    // Held between sessions, so that what is known of the host is not forgotten.
    let peer = address.peer();
    let shared = Arc::new(Shared {
        login: peer.logins.of(&stream),
        refused: AtomicBool::new(false),
        stream,
        out,
        clock,
        counters,
        stop,
        params: Mutex::new(None),
        latest: Mutex::new(None),
    });
    let mut backoff = Backoff::new();
    let mut said: Option<Trouble> = None;
    while let End::Broken { trouble, streamed_us } = caught(&shared).await {
        let wait_us = backoff.failed(streamed_us, fastrand::f64());
        let n = backoff.failures();
        if said.as_ref() != Some(&trouble) || n.is_power_of_two() {
            // The same trouble every 15 s for a week is one thing, not forty thousand.
            tracing::warn!(%camera, kind = kind.name(), n, cause = ?trouble.cause, detail = trouble.detail, wait_us, "stream broken");
        }
        said = Some(trouble.clone());
        let refused = trouble.cause == TroubleCause::Login;
        shared.refused.store(refused, Ordering::Relaxed);
        shared.out.status.send_replace(StreamStatus::Retrying { n, why: trouble });
        let wait = Duration::from_micros(u64::try_from(wait_us).unwrap_or(0));
        tokio::select! {
            biased;
            () = shared.stop.asked() => break,
            () = tokio::time::sleep(wait) => {}
            () = knock::opened(&address.host, address.port), if wait > KNOCKED && !refused => backoff.came_back(),
        }
    }
    shared.out.status.send_replace(StreamStatus::Stopped);
}

/// Runs one session in a task of its own, so that a panic in it ends only it.
async fn caught(shared: &Arc<Shared>) -> End {
    let name = format!("camera-{}-{}", shared.stream.camera, shared.stream.kind.name());
    isolated(name, &shared.counters, session::run(shared.clone())).await
}

async fn isolated(name: String, counters: &Counters, session: impl Future<Output = End> + Send + 'static) -> End {
    let mut tasks = Tasks::new();
    let (tell, told) = oneshot::channel();
    tasks.spawn(name, async move {
        // The supervisor is gone when nobody listens.
        let _ = tell.send(session.await);
    });
    let ended = tasks.next_ended().await;
    if let Ok(end) = told.await {
        return end;
    }
    if ended.is_some_and(|e| e.panicked) {
        counters.panics.add(1);
    }
    End::Broken { trouble: panicked(), streamed_us: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_session_is_trouble_and_nothing_more() {
        let counters = Counters::default();
        let end = isolated("x".into(), &counters, async { panic!("on purpose") }).await;
        let End::Broken { trouble, .. } = end else { panic!("{end:?}") };
        assert_eq!((trouble.cause, counters.panics.get()), (TroubleCause::Camera, 1));
        let end = isolated("x".into(), &counters, async { End::Stopped }).await;
        assert!(matches!(end, End::Stopped));
    }
}
