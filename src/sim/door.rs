//! A port: opened, and closed while a fault keeps every camera behind it away.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::sleep,
};

use super::server::Shared;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How soon a port that was taken meanwhile is asked for again.
const AGAIN: Duration = Duration::from_millis(50);

/// Takes the port without listening yet.
pub(crate) fn bind(port: u16) -> io::Result<(TcpSocket, u16)> {
    let socket = TcpSocket::new_v4()?;
    // Connections of the last run may still linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}

enum State {
    Open(TcpListener),
    /// Nobody can connect; the bound socket keeps the port from being given to another program.
    Closed(TcpSocket),
    /// Neither; the port could not be had.
    Lost,
}

pub(crate) struct Door {
    port: u16,
    /// The camera behind it; all of them without one.
    camera: Option<u32>,
    state: State,
}

impl Door {
    /// Listens.
    pub(crate) fn open(socket: TcpSocket, port: u16, camera: Option<u32>) -> io::Result<Self> {
        Ok(Self { port, camera, state: State::Open(socket.listen(BACKLOG)?) })
    }

    /// The next client. May be dropped and called again at any time.
    pub(crate) async fn next(&mut self, shared: &Shared) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let now = shared.clock.boot();
            let wait = shared.fault_changes(self.camera, now).map(|at| at.since(now).max(0) as u64 + 1);
            let change = async {
                match wait {
                    Some(us) => sleep(Duration::from_micros(us)).await,
                    None => std::future::pending().await,
                }
            };
            let away = shared.faults.away(self.camera, shared.since_ready_us());
            match (std::mem::replace(&mut self.state, State::Lost), away) {
                (State::Open(listener), true) => {
                    drop(listener);
                    self.state = State::Closed(bind(self.port)?.0);
                }
                (State::Open(listener), false) => {
                    self.state = State::Open(listener);
                    let State::Open(listener) = &self.state else { continue };
                    tokio::select! {
                        accepted = listener.accept() => return accepted,
                        () = change => {}
                    }
                }
                (State::Closed(socket), false) => self.state = State::Open(socket.listen(BACKLOG)?),
                (State::Closed(socket), true) => {
                    self.state = State::Closed(socket);
                    change.await;
                }
                (State::Lost, _) => match bind(self.port) {
                    Ok((socket, _)) => self.state = State::Closed(socket),
                    Err(_) => sleep(AGAIN).await,
                },
            }
        }
    }
}
