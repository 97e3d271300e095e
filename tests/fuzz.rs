//! Hostile bytes: committed corpora and seeded mutations of them, a hundred a file, a thousand when `VONGLAU_DRILL=1`.
//!
//! What is fed stands in `tests/fuzz`; `./dev fuzz` feeds the same by libFuzzer, from the same corpora. Here besides: what
//! a camera sends after PLAY goes through whole sessions, and packets of every shape through the recorder to disk.

#[path = "fuzz/all.rs"]
mod all;
#[allow(dead_code, reason = "only its encoder is used here")]
mod media;
#[path = "common/wait.rs"]
mod wait;

use std::{
    path::PathBuf,
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use all::{file, link, mp4, packets, rtp, rtsp};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use vonglau::{
    domain::{
        camera::{CameraDraft, StreamKind},
        packet::{Codec, Packet},
        query::Actor,
        time::WallTime,
    },
    record::{RecordedStream, Recorder},
    runtime::{clock::Clock, counters::Counters, tasks::Tasks},
    store::Store,
};

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

/// Panics of ours so far; those of libraries that a camera's bytes are given to are told and survived.
fn findings() -> u64 {
    static FINDINGS: AtomicU64 = AtomicU64::new(0);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        all::survive_libraries(move |panic| {
            FINDINGS.fetch_add(1, Ordering::Relaxed);
            told(panic);
        });
    });
    FINDINGS.load(Ordering::Relaxed)
}

/// Feeds a corpus and its mutations; a panic says by which.
fn feed(name: &str, feed: impl Fn(&[u8])) {
    for (file, bytes) in corpus(name) {
        for round in 0..rounds() {
            let bytes = mutated(&bytes, round);
            let fed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| feed(&bytes)));
            assert!(fed.is_ok(), "round {round} of {name}/{file}");
        }
    }
}

#[test]
fn no_bytes_in_the_place_of_a_segment_file_make_reading_or_mending_panic() {
    feed("file", file::run);
}

#[test]
fn no_bytes_of_the_child_make_the_link_panic() {
    feed("link", link::run);
}

#[test]
fn no_rtp_makes_the_camera_room_panic_and_what_comes_out_of_it_can_be_recorded() {
    findings();
    feed("rtp_h264", |bytes| rtp::run(Codec::H264, bytes));
    feed("rtp_h265", |bytes| rtp::run(Codec::H265, bytes));
}

#[test]
fn packets_of_any_shape_stand_in_the_files_as_they_were() {
    feed("packets", packets::run);
}

#[tokio::test]
async fn nothing_that_a_camera_may_say_makes_a_session_panic_or_hang() {
    let (mut sessions, mut packets, before) = (0, 0, findings());
    for (name, bytes) in corpus("rtsp") {
        for round in 0..rounds() {
            let went = rtsp::run(&mutated(&bytes, round)).await;
            assert_eq!(findings(), before, "round {round} of rtsp/{name}: {went:?}");
            assert!(round > 0 || !name.starts_with("whole") || went.packets == 6, "{name}: {went:?}");
            (sessions, packets) = (sessions + 1, packets + went.packets);
        }
    }
    println!("measured: {sessions} hostile conversations, {packets} packets came out of them");
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

async fn sessions_with(codec: Codec) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (send, all) = mpsc::channel(1);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(camera_sending(listener, codec, all));
    let (mut sessions, mut packets, before) = (0, 0, findings());
    for (name, bytes) in corpus(&format!("rtp_{}", codec.name())) {
        for round in 0..rounds() {
            timeout(HANGS, send.send(mutated(&bytes, round))).await.expect("it is taken").expect("the camera is there");
            let went = rtsp::session(port, StreamKind::Main).await;
            assert_eq!(findings(), before, "round {round} of {name}: {went:?}");
            assert!(round > 0 || name != "whole.bin" || went.packets == 6, "the whole stream gave {went:?}, not 6");
            (sessions, packets) = (sessions + 1, packets + went.packets);
        }
    }
    println!("measured: {sessions} hostile {} sessions, {packets} packets came out of them", codec.name());
}

#[tokio::test]
async fn no_rtp_of_h264_makes_a_session_panic_or_hang() {
    sessions_with(Codec::H264).await;
}

#[tokio::test]
async fn no_rtp_of_h265_makes_a_session_panic_or_hang() {
    sessions_with(Codec::H265).await;
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
            let all = packets::packets(&mutated(&bytes, round), &stream, &params);
            let sender = recorder.stream(stream.clone());
            for packet in &all {
                timeout(HANGS, sender.send(packet.clone())).await.expect("it is taken").expect("somebody records");
            }
            expected.push((draft.name, stream.stream, all));
        }
    }
    timeout(HANGS, recorder.finish()).await.expect("it ends");
    assert!(timeout(HANGS, tasks.drain()).await.expect("all ends").is_empty(), "nothing panicked");
    for (name, stream, packets) in expected {
        let ever = vonglau::domain::time::Span { start_us: i64::MIN / 4, end_us: i64::MAX };
        let mut segments = store.segments_in(stream, ever).await.expect("the index");
        segments.sort_by_key(|s| s.id);
        let mut found = Vec::new();
        for segment in segments {
            let bytes = std::fs::read(folder.path().join("store").join(&segment.path)).expect("its file");
            found.extend(mp4::samples(&bytes).into_iter().map(|s| s.sha256));
        }
        let hash = |p: &Packet| hex::encode(Sha256::digest(&p.data));
        let sent: Vec<String> = packets.iter().map(hash).collect();
        assert_eq!(found.len(), sent.len(), "{name}");
        assert!(found == sent, "{name}: other bytes or another order");
    }
}
