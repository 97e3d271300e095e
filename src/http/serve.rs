//! The listener: who may connect, how many, and how it ends.

use std::{
    any::Any,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    response::{IntoResponse, Response},
    serve::Listener,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{access::Peer, error::ApiError, state::AppState};
use crate::{
    domain::refusal::Refusal,
    runtime::{counters::Counters, stop::Stop},
};

/// The most connections at once; a further one waits in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 256;

/// How long after the stop answers under way may still be written. Streams end at once by themselves; this bounds a
/// client that does not read.
const GRACE: Duration = Duration::from_secs(3);

/// Whether the program may listen there.
///
/// # Errors
/// A [`Refusal`] for any address but loopback, as long as there are no accounts.
pub fn check_listen(addr: SocketAddr) -> Result<(), Refusal> {
    if addr.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Refusal::new(
        "listen",
        format!(
            "chưa thể mở tại {addr}: chưa có tài khoản đăng nhập nên ai trong mạng cũng xem được camera; \
             hãy dùng 127.0.0.1:{}",
            addr.port()
        ),
        format!(
            "cannot listen on {addr}: there are no accounts yet, so anybody on the network could watch the cameras; \
             use 127.0.0.1:{}",
            addr.port()
        ),
    ))
}

/// Serves everything on `listener` until `stop` is asked; then takes no new connection, ends the streams, lets answers
/// under way finish for a few seconds and returns. A stop by force ends it at once.
///
/// # Errors
/// None that a running listener gives today; accept errors are waited out.
pub async fn serve(listener: TcpListener, state: AppState, stop: Stop) -> io::Result<()> {
    serve_router(listener, super::routes::router(state), stop).await
}

/// [`serve`] with any router.
///
/// # Errors
/// As [`serve`].
pub async fn serve_router(listener: TcpListener, router: Router, stop: Stop) -> io::Result<()> {
    let asked = {
        let stop = stop.clone();
        async move { stop.asked().await }
    };
    let limited = Limited { listener, free: Arc::new(Semaphore::new(CONNECTIONS_MAX)), full: false };
    let service = router.into_make_service_with_connect_info::<Peer>();
    let served = axum::serve(limited, service).with_graceful_shutdown(asked);
    let too_late = async {
        stop.asked().await;
        tokio::select! {
            () = stop.forced() => {}
            () = tokio::time::sleep(GRACE) => {}
        }
    };
    tokio::select! {
        done = served => done,
        () = too_late => {
            tracing::info!("some clients did not read their answers to the end; their connections are dropped");
            Ok(())
        }
    }
}

/// A listener that holds at most [`CONNECTIONS_MAX`] connections.
#[derive(Debug)]
pub(super) struct Limited {
    listener: TcpListener,
    free: Arc<Semaphore>,
    /// Whether it was full at the last connection; said once each time it fills.
    full: bool,
}

impl Listener for Limited {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        let full = self.free.available_permits() == 0;
        if full && !self.full {
            tracing::warn!(connections = CONNECTIONS_MAX, "all connections are taken; new ones wait");
        }
        self.full = full;
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        // Small answers should not wait for more (Nagle); a refusal changes nothing but speed.
        let _ = stream.set_nodelay(true);
        (Counted { stream, _permit: permit }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that gives its place back when it ends.
#[derive(Debug)]
pub(super) struct Counted {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        for good in ["127.0.0.1:8080", "127.8.8.8:1", "[::1]:8080", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(check_listen(good.parse().unwrap()), Ok(()), "{good}");
        }
        for bad in ["0.0.0.0:8080", "192.168.1.5:8080", "[::]:8080", "8.8.8.8:80"] {
            let refusal = check_listen(bad.parse().unwrap()).unwrap_err();
            assert!(refusal.vi.contains("tài khoản") && refusal.en.contains("accounts"), "{refusal}");
        }
    }
}
