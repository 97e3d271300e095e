//! The listener: who may connect, how many, how long they may hesitate, and how it ends.

use std::{
    any::Any,
    collections::BTreeMap,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
    serve::Listener,
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;

use super::{access::Peer, error::ApiError, state::AppState};
use crate::runtime::{counters::Counters, stop::Stop, tasks::ShortTasks};

/// The most connections at once. A further one takes the place of the one that has hesitated longest to ask for
/// anything; when all are at work it waits.
pub const CONNECTIONS_MAX: usize = 256;

/// How long a client may take to ask, and may stay without asking again.
pub const HEAD_MOST: Duration = Duration::from_secs(10);

/// The most bytes of a request's head; also what a connection may hold of a body or an answer at a time.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// How long after the stop answers under way may still be written. Streams end at once by themselves; this bounds a
/// client that does not read.
const GRACE: Duration = Duration::from_secs(3);

/// Serves everything on `listener` until `stop` is asked; then takes no new connection, ends the streams, lets answers
/// under way finish for a few seconds and returns. A stop by force ends it at once.
pub async fn serve(listener: TcpListener, state: AppState, stop: Stop) {
    serve_router(listener, super::routes::router(state), stop).await;
}

/// [`serve`] with any router.
pub async fn serve_router(mut listener: TcpListener, router: Router, stop: Stop) {
    let (tasks, free, silent) = (ShortTasks::default(), Arc::new(Semaphore::new(CONNECTIONS_MAX)), Silent::default());
    let mut full = false;
    for number in 0.. {
        // Errors of accepting are waited out in there.
        let (stream, peer) = tokio::select! {
            biased;
            () = stop.asked() => break,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        let was_full = std::mem::replace(&mut full, free.available_permits() == 0);
        if full {
            silent.end_oldest();
            if !was_full {
                tracing::warn!(connections = CONNECTIONS_MAX, "all connections are taken; new ones may have to wait");
            }
        }
        let permit = tokio::select! {
            biased;
            () = stop.asked() => break,
            permit = Arc::clone(&free).acquire_owned() => permit.ok(),
        };
        // Small answers should not wait for more (Nagle); a refusal changes nothing but speed.
        let _ = stream.set_nodelay(true);
        let ended = silent.add(number);
        tasks.detach(connection(
            Counted { stream, _permit: permit },
            peer,
            router.clone(),
            (silent.clone(), number, ended),
            stop.clone(),
        ));
    }
    drop(listener);
    tasks.drain().await;
}

/// Answers one connection until it ends, hesitates too long, has to make room or the stop is asked.
async fn connection(
    stream: Counted,
    peer: SocketAddr,
    router: Router,
    (silent, number, ended): (Silent, u64, Arc<Notify>),
    stop: Stop,
) {
    let asked = silent.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        asked.remove(number);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_MOST).max_buf_size(BUFFER_BYTES_MAX);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        biased;
        () = stop.asked() => {
            served.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                () = stop.forced() => {}
                // How it ended is the client's business.
                _ = served => {}
                () = tokio::time::sleep(GRACE) => tracing::debug!(%peer, "did not read its answer to the end; dropped"),
            }
        }
        () = ended.notified() => {}
        _ = served.as_mut() => {}
    }
    silent.remove(number);
}

/// Connections that have not asked for anything yet, in the order in which they came.
#[derive(Debug, Clone, Default)]
struct Silent(Arc<Mutex<BTreeMap<u64, Arc<Notify>>>>);

impl Silent {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// One that is told when it has to make room.
    fn add(&self, number: u64) -> Arc<Notify> {
        self.all().entry(number).or_default().clone()
    }
    fn remove(&self, number: u64) {
        self.all().remove(&number);
    }
    fn end_oldest(&self) {
        if let Some((_, ended)) = self.all().pop_first() {
            ended.notify_one();
        }
    }
}

/// A connection that gives its place back when it ends.
#[derive(Debug)]
struct Counted {
    stream: TcpStream,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A handler that panics answers 500 and is counted.
pub(super) fn catch_panics(
    counters: Arc<Counters>,
) -> CatchPanicLayer<impl Fn(Box<dyn Any + Send>) -> Response + Clone> {
    CatchPanicLayer::custom(move |panic: Box<dyn Any + Send>| {
        counters.panics.add(1);
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        ApiError::Internal(format!("a handler panicked: {}", text.unwrap_or("(no text)"))).into_response()
    })
}
