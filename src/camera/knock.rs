//! Opening connections and closing them again: whether a camera is there, and whether it has come back while its next
//! try is still waited for.
//!
//! That costs a camera nothing, unlike a session; so this may be done often, and the waits between sessions may become
//! long.

use std::{io, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// The longest time between two knocks, and the longest one may take: each is a fresh SYN, where one connection that
/// waits would repeat its own after 1, 3 and 7 s only.
const EVERY: Duration = Duration::from_millis(500);

/// Resolves when a connection could be made or was refused; never when nothing answers. Earlier knocks are waited for
/// too, so that a line slower than [`EVERY`] is no reason to fail.
pub(super) async fn answered(host: &str, port: u16) -> io::Result<()> {
    let mut knocks = FuturesUnordered::new();
    loop {
        knocks.push(TcpStream::connect((host, port)));
        tokio::select! {
            Some(answer) = knocks.next() => return answer.map(drop),
            () = sleep(EVERY) => {}
        }
    }
}

/// Resolves when the port has opened after it had not been open; never when it is open all the time.
pub(super) async fn opened(host: &str, port: u16) {
    let mut away = false;
    loop {
        match timeout(EVERY, TcpStream::connect((host, port))).await {
            Ok(Ok(_)) if away => return,
            Ok(Ok(_)) => {}
            _ => away = true,
        }
        // Cameras that went together do not come back together.
        sleep(EVERY.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    const SOME_KNOCKS: Duration = Duration::from_millis(1600);
    const HANGS: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_port_that_opens_is_noticed_and_one_that_is_open_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(timeout(SOME_KNOCKS, opened("127.0.0.1", address.port())).await.is_err(), "it was open all the time");
        drop(listener);
        let mut waiting = Box::pin(opened("127.0.0.1", address.port()));
        assert!(timeout(SOME_KNOCKS, &mut waiting).await.is_err(), "it is closed");
        let _listener = TcpListener::bind(address).await.unwrap();
        timeout(HANGS, waiting).await.unwrap();
    }

    #[tokio::test]
    async fn a_knock_is_answered_refused_or_answered_late() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let port = socket.local_addr().unwrap().port();
        let refused = timeout(HANGS, answered("127.0.0.1", port)).await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        // Room for one that nobody takes: further ones are not answered until somebody does.
        let listener = socket.listen(0).unwrap();
        let _first = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut waiting = Box::pin(answered("127.0.0.1", port));
        assert!(timeout(SOME_KNOCKS, &mut waiting).await.is_err(), "nobody answers");
        let _taken = listener.accept().await.unwrap();
        timeout(HANGS, waiting).await.unwrap().unwrap();
    }
}
