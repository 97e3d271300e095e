//! Notices that a camera has come back while its next try is still waited for.
//!
//! Opening a connection and closing it costs a camera nothing, unlike a session; so this may be done often, and the waits
//! between sessions may stay long.

use std::time::Duration;

use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// The longest time between two knocks, and the longest one may take: each is a fresh SYN, where one connection that
/// waits would repeat its own after 1, 3 and 7 s only.
const EVERY: Duration = Duration::from_millis(500);

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
    use tokio::net::TcpListener;

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
}
