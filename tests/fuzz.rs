//! Hostile bytes: committed corpora and seeded mutations of them, a hundred a file, a thousand when `VONGLAU_DRILL=1`.
//!
//! Two targets: what a camera sends after PLAY goes through our session code and its depacketiser; packets of every
//! shape go through the recorder and its box writer, and come back byte for byte.

#[allow(dead_code, reason = "only its encoder is used here")]
mod media;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use vonglau::{
    camera::{self, Outputs},
    domain::{
        camera::{CameraDraft, RtspUrl, Secret, Stream, StreamClock, StreamKind, StreamStatus},
        ids::{CameraId, StreamId},
        packet::{Codec, Packet, StreamParams, ticks_to_us},
        query::Actor,
        time::{BootTime, MediaTime, WallTime},
    },
    record::{RecordedStream, Recorder},
    runtime::{clock::Clock, counters::Counters, queue, stop::Stop, tasks::Tasks},
    store::Store,
};

#[path = "common/mp4.rs"]
mod mp4;
#[path = "common/wait.rs"]
mod wait;

/// Nothing here takes this long unless it hangs.
const HANGS: Duration = Duration::from_secs(60);

fn rounds() -> u64 {
    if std::env::var("VONGLAU_DRILL").is_ok_and(|v| v == "1") { 1000 } else { 100 }
}

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz").join(name);
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        (path.file_name().expect("a name").to_string_lossy().into_owned(), std::fs::read(&path).expect("its bytes"))
    };
    let mut all: Vec<_> = std::fs::read_dir(folder).expect("the corpus").map(read).collect();
    all.sort();
    assert!(all.len() > 5, "the corpus is larger than that");
    all
}

/// The bytes as they are at round 0, otherwise with some of them changed, cut out, doubled or made up.
fn mutated(bytes: &[u8], round: u64) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut random = fastrand::Rng::with_seed(round);
    for _ in 0..if round == 0 { 0 } else { random.usize(1..8) } {
        if out.is_empty() {
            out.push(random.u8(..));
        }
        let at = random.usize(..out.len());
        let end = (at + random.usize(1..64)).min(out.len());
        match random.u8(..5) {
            0 => out[at] ^= 1 << random.u8(..8),
            1 => out[at] = [0, 1, 0x7f, 0x80, 0xff, b'$'][random.usize(..6)],
            2 => drop(out.drain(at..end)),
            3 => drop(out.splice(at..at, bytes.iter().copied().skip(at).take(end - at).collect::<Vec<_>>())),
            _ => out[at..end].iter_mut().for_each(|b| *b = random.u8(..)),
        }
    }
    out
}

/// A camera that sends what comes next after PLAY and closes; one connection after the other.
async fn camera_sending(listener: TcpListener, codec: Codec, mut all: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = all.recv().await {
        let mut socket = loop {
            let (socket, _) = listener.accept().await.expect("a client");
            // One that asks for nothing only looked whether somebody is there.
            if let Some(socket) = until_play(socket, codec).await {
                break socket;
            }
        };
        // The client may have had enough of it already.
        let _ = socket.write_all(&bytes).await;
        let _ = socket.shutdown().await;
        let _ = timeout(HANGS, socket.read_to_end(&mut Vec::new())).await;
    }
}

/// Answers a client up to its PLAY; `None` when it leaves before.
async fn until_play(mut socket: TcpStream, codec: Codec) -> Option<TcpStream> {
    loop {
        let mut inbox = Vec::new();
        while !inbox.ends_with(b"\r\n\r\n") {
            if !socket.read_buf(&mut inbox).await.is_ok_and(|n| n > 0) {
                return None;
            }
        }
        let text = String::from_utf8_lossy(&inbox);
        let method = text.split(' ').next().unwrap_or_default();
        let cseq = text.lines().find_map(|l| l.strip_prefix("CSeq: ")).unwrap_or("0");
        let name = codec.name().to_uppercase();
        let sdp = format!(
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {name}/90000\r\n"
        );
        let (more, body) = match method {
            "DESCRIBE" => (format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len()), sdp),
            "SETUP" => ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n".to_owned(), String::new()),
            _ => Default::default(),
        };
        let answer = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 1\r\n{more}\r\n{body}");
        socket.write_all(answer.as_bytes()).await.ok()?;
        if method == "PLAY" {
            return Some(socket);
        }
    }
}

/// Runs one session over `bytes` to its end; how many packets came out.
async fn session(port: u16, kind: StreamKind) -> u64 {
    let (record, mut packets) = queue::bounded(64, usize::MAX, |packet: &Packet| packet.data.len());
    let (tell, mut status) = watch::channel(StreamStatus::Stopped);
    let (counters, stop, mut tasks) = (Arc::<Counters>::default(), Stop::new(), Tasks::new());
    let stream = Stream {
        id: StreamId(70),
        camera: CameraId(7),
        kind,
        url: RtspUrl::parse(&format!("rtsp://127.0.0.1:{port}/x")).expect("an address").0,
        username: String::new(),
        password: Secret::new(""),
    };
    let out = Outputs { record, vision: None, status: tell, clock: watch::channel(StreamClock::default()).0 };
    tasks.spawn("camera", camera::run(stream, out, Clock::machine(), counters.clone(), stop.clone()));
    tasks.spawn("packets", async move { while packets.recv().await.is_some() {} });
    let ended = status.wait_for(|s| matches!(s, StreamStatus::Retrying { .. }));
    let ended = timeout(HANGS, ended).await.expect("the session ends").expect("it says so").clone();
    stop.ask();
    timeout(HANGS, tasks.drain()).await.expect("it stops");
    assert_eq!(counters.panics.get(), 0, "{ended:?}");
    counters.packets_received.get()
}

async fn depacketise(codec: Codec) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (send, all) = mpsc::channel(1);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(camera_sending(listener, codec, all));
    let (mut sessions, mut packets) = (0, 0);
    for (name, bytes) in corpus(&format!("rtp_{}", codec.name())) {
        for round in 0..rounds() {
            send.send(mutated(&bytes, round)).await.expect("the camera is there");
            let came = session(port, StreamKind::Main).await;
            assert!(round > 0 || name != "whole.bin" || came == 6, "the whole stream gave {came} of 6 packets");
            (sessions, packets) = (sessions + 1, packets + came);
        }
    }
    println!("measured: {sessions} hostile {} sessions, {packets} packets came out of them", codec.name());
}

#[tokio::test]
async fn no_rtp_of_h264_makes_a_session_panic_or_hang() {
    depacketise(Codec::H264).await;
}

#[tokio::test]
async fn no_rtp_of_h265_makes_a_session_panic_or_hang() {
    depacketise(Codec::H265).await;
}

/// Packets out of bytes, three each: flags (1 key; 28 all set: other parameters; 224 all set: a new session), size, and
/// the step of the presentation time in hundredths of a second, with a sign.
fn packets(bytes: &[u8], stream: &RecordedStream, params: &[Arc<StreamParams>; 2]) -> Vec<Packet> {
    const START_US: i64 = 1_700_000_000_000_000;
    let (mut session, mut pts_90k, mut other, mut begin_us) = (1, 0i64, 0, START_US);
    let packet = |(n, three): (usize, &[u8])| {
        let [flags, size, step] = three else { unreachable!("chunks of three") };
        if flags & 224 == 224 {
            begin_us += ticks_to_us(pts_90k.max(0)) + 1_000_000;
            (session, pts_90k) = (session + 1, 0);
        }
        other ^= usize::from(flags & 28 == 28);
        pts_90k += i64::from(step.cast_signed()) * 900;
        let data: Vec<u8> = (0..=usize::from(*size)).map(|i| (i + n) as u8).collect();
        Packet {
            camera: stream.camera,
            stream: stream.stream,
            kind: stream.kind,
            session,
            pts_90k,
            time: MediaTime(begin_us + ticks_to_us(pts_90k)),
            received: BootTime(begin_us + n as i64 * 1000),
            key: flags & 1 == 1,
            loss: 0,
            params: params[other].clone(),
            data: Bytes::from(data),
        }
    };
    bytes.chunks_exact(3).enumerate().map(packet).collect()
}

#[tokio::test]
async fn packets_of_any_shape_are_recorded_and_read_back_byte_for_byte() {
    let encoder = "x264enc key-int-max=5 bframes=0 speed-preset=ultrafast ! h264parse";
    let params = [320, 640].map(|width| media::encode(Codec::H264, width, 240, 2, 25, encoder).params);
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let store = Store::in_memory().await.expect("a database");
    let actor = Actor { name: "test".into() };
    let (counters, clock) = (Arc::<Counters>::default(), Clock::machine());
    let mut expected = Vec::new();
    let mut tasks = Tasks::new();
    let recorder =
        Recorder::start(folder.path().join("store"), store.clone(), clock, counters, Arc::default(), &mut tasks)
            .await
            .expect("it starts");
    for (name, bytes) in corpus("packets") {
        for round in 0..rounds() / 10 {
            let draft = CameraDraft {
                name: format!("{name} {round}"),
                main_url: "rtsp://127.0.0.1/1".into(),
                ..CameraDraft::default()
            };
            let camera = store.add_camera(&actor, &draft.checked().expect("usable"), WallTime(1)).await.expect("added");
            let camera = store.camera(camera).await.expect("a camera").expect("it is there");
            let stream = camera.stream(StreamKind::Main).expect("its stream").id;
            let stream = RecordedStream { camera: camera.id, camera_code: camera.code, stream, kind: StreamKind::Main };
            let all = packets(&mutated(&bytes, round), &stream, &params);
            let sender = recorder.stream(stream.clone());
            for packet in &all {
                sender.send(packet.clone()).await.expect("it is taken");
            }
            expected.push((draft.name, stream.stream, all));
        }
    }
    timeout(HANGS, recorder.finish()).await.expect("it ends");
    assert!(tasks.drain().await.is_empty(), "nothing panicked");
    for (name, stream, packets) in expected {
        let ever = vonglau::domain::time::Span { start_us: i64::MIN / 4, end_us: i64::MAX };
        let mut segments = store.segments_in(stream, ever).await.expect("the index");
        segments.sort_by_key(|s| s.id);
        let mut found = Vec::new();
        for segment in segments {
            let bytes = std::fs::read(folder.path().join("store").join(&segment.path)).expect("its file");
            found.extend(mp4::samples(&bytes).into_iter().map(|s| s.sha256));
        }
        let hash = |p: &Packet| Sha256::digest(&p.data).iter().map(|b| format!("{b:02x}")).collect::<String>();
        let sent: Vec<String> = packets.iter().map(hash).collect();
        assert_eq!(found.len(), sent.len(), "{name}");
        assert!(found == sent, "{name}: other bytes or another order");
    }
}
