//! Any bytes as everything a camera ever says on a connection: through one whole session of the camera room.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use vonglau::{
    camera::{self, Outputs},
    domain::{
        camera::{RtspUrl, Secret, Stream, StreamClock, StreamKind, StreamStatus},
        ids::{CameraId, StreamId},
        packet::Packet,
    },
    runtime::{clock::Clock, counters::Counters, queue, stop::Stop, tasks::Tasks},
};

/// Nothing here takes this long unless it hangs: every phase of a session ends with the connection.
const HANGS: Duration = Duration::from_secs(60);

/// How a session went.
#[derive(Debug)]
pub struct Went {
    pub packets: u64,
    pub ended: StreamStatus,
    pub panics: u64,
}

/// Runs a session with a camera that says `bytes` at once, whatever it is asked, and hangs up.
pub async fn run(bytes: &[u8]) -> Went {
    // A port of its own: nothing that is remembered of this camera is met again.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (mut talks, bytes) = (JoinSet::new(), Arc::<[u8]>::from(bytes));
    talks.spawn(async move {
        let mut talks = JoinSet::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let bytes = bytes.clone();
            talks.spawn(async move {
                // The client may have had enough of it already.
                let _ = socket.write_all(&bytes).await;
                let _ = socket.shutdown().await;
                let _ = socket.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    session(port, StreamKind::Main).await
}

/// Runs one session with the camera at `port` to its end.
pub async fn session(port: u16, kind: StreamKind) -> Went {
    let (record, mut packets) = queue::bounded(64, usize::MAX, |packet: &Packet| packet.data.len());
    let (tell, mut status) = watch::channel(StreamStatus::Stopped);
    let (counters, stop, mut tasks) = (Arc::<Counters>::default(), Stop::new(), Tasks::new());
    let stream = Stream {
        id: StreamId(70),
        camera: CameraId(7),
        kind,
        url: RtspUrl::parse(&format!("rtsp://127.0.0.1:{port}/x")).expect("an address").0,
        username: "admin".to_owned(),
        password: Secret::new("geheim"),
    };
    let out = Outputs { record, vision: None, status: tell, clock: watch::channel(StreamClock::default()).0 };
    tasks.spawn("camera", camera::run(stream, out, Clock::machine(), counters.clone(), stop.clone()));
    tasks.spawn("packets", async move { while packets.recv().await.is_some() {} });
    let ended = status.wait_for(|s| matches!(s, StreamStatus::Retrying { .. }));
    let ended = timeout(HANGS, ended).await.expect("the session ends").expect("it says so").clone();
    stop.ask();
    timeout(HANGS, tasks.drain()).await.expect("it stops");
    assert!(!format!("{ended:?}").contains("geheim"), "a password is told");
    Went { packets: counters.packets_received.get(), ended, panics: counters.panics.get() }
}
