//! Sessions with a server that is not ours (gst-rtsp-server) and with cameras that misbehave.

#[path = "media/fake.rs"]
mod fake;
#[path = "common/ffprobe.rs"]
mod ffprobe;
mod media;
#[path = "common/wait.rs"]
mod wait;

use std::{sync::Arc, time::Duration};

use fake::{Fake, Manner, Step, steps};
use ffprobe::probe;
use gstreamer::{self as gst, glib};
use gstreamer_rtsp_server::{self as gst_server, prelude::*};
use media::{Clip, encode};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use vonglau::{
    camera::{self, Outputs},
    domain::{
        camera::{CameraDraft, RtspUrl, Secret, Stream, StreamClock, StreamKind, StreamStatus, Trouble, TroubleCause},
        ids::{CameraId, StreamId},
        packet::{Codec, Packet},
        query::Actor,
        time::{Span, WallTime},
    },
    record::{RecordedStream, Recorder, playback::Media},
    runtime::{clock::Clock, counters::Counters, queue, stop::Stop, tasks::Tasks},
    store::Store,
};

/// A bound for what hangs; nothing is measured by it.
const HANGS: Duration = Duration::from_secs(60);
const PASSWORD: &str = "s3cret-pa55";

/// A running stream.
struct Running {
    packets: queue::Receiver<Packet>,
    vision: mpsc::Receiver<Packet>,
    status: watch::Receiver<StreamStatus>,
    counters: Arc<Counters>,
    stop: Stop,
    tasks: Tasks,
}

fn stream_at(port: u16) -> Stream {
    stream_of(StreamKind::Sub, port)
}

fn stream_of(kind: StreamKind, port: u16) -> Stream {
    Stream {
        id: StreamId(70 + i64::from(kind == StreamKind::Sub)),
        camera: CameraId(7),
        kind,
        url: RtspUrl::parse(&format!("rtsp://127.0.0.1:{port}/{}", kind.name())).unwrap().0,
        username: "admin".into(),
        password: Secret::new(PASSWORD),
    }
}

fn run(stream: Stream, vision_room: usize) -> Running {
    let (record, packets) = queue::bounded(1000, usize::MAX, |packet: &Packet| packet.data.len());
    let (to_vision, vision) = mpsc::channel(vision_room);
    let (tell, status) = watch::channel(StreamStatus::Stopped);
    let (counters, stop, mut tasks) = (Arc::<Counters>::default(), Stop::new(), Tasks::new());
    let out =
        Outputs { record, vision: Some(to_vision), status: tell, clock: watch::channel(StreamClock::default()).0 };
    tasks.spawn("camera", camera::run(stream, out, Clock::machine(), counters.clone(), stop.clone()));
    Running { packets, vision, status, counters, stop, tasks }
}

impl Running {
    async fn packet(&mut self) -> Packet {
        match timeout(HANGS, self.packets.recv()).await {
            Ok(packet) => packet.expect("the stream ended"),
            Err(_) => panic!("no packet came: {:?}, {:?}", *self.status.borrow(), self.counters),
        }
    }
    async fn some_packets(&mut self, count: usize) -> Vec<Packet> {
        let mut all = Vec::new();
        while all.len() < count {
            all.push(self.packet().await);
        }
        all
    }
    /// Waits for the `n`-th failure in a row.
    async fn trouble(&mut self, nth: u32) -> Trouble {
        let is = |s: &StreamStatus| matches!(s, StreamStatus::Retrying { n, .. } if *n >= nth);
        let status = timeout(HANGS, self.status.wait_for(is)).await.expect("no such trouble").unwrap().clone();
        assert!(!format!("{status:?}").contains(PASSWORD));
        let StreamStatus::Retrying { why, .. } = status else { unreachable!() };
        why
    }
    async fn stop(mut self) {
        self.stop.ask();
        timeout(HANGS, self.tasks.drain()).await.expect("did not stop");
        assert_eq!(*self.status.borrow(), StreamStatus::Stopped);
    }
}

fn h264(width: u32, frames: u32, gop: u32) -> Clip {
    let encoder = format!("x264enc key-int-max={gop} bframes=2 b-adapt=false speed-preset=ultrafast ! h264parse");
    encode(Codec::H264, width, 240, frames, 25, &encoder)
}

const TICK: Duration = Duration::from_millis(2);

/// gst-rtsp-server with an x264 stream behind Digest.
struct GstServer {
    port: u16,
    main_loop: glib::MainLoop,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl GstServer {
    fn start(launch: &'static str) -> Self {
        gst::init().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let context = glib::MainContext::new();
            let main_loop = glib::MainLoop::new(Some(&context), false);
            let server = gst_server::RTSPServer::new();
            server.set_address("127.0.0.1");
            server.set_service("0");
            let auth = gst_server::RTSPAuth::new();
            auth.set_supported_methods(gst_server::gst_rtsp::RTSPAuthMethod::Digest);
            let token = gst_server::RTSPToken::builder().field("media.factory.role", "user").build();
            auth.add_digest("admin", PASSWORD, &token);
            server.set_auth(Some(&auth));
            let factory = gst_server::RTSPMediaFactory::new();
            factory.set_launch(launch);
            factory.set_shared(true);
            let role = gst::Structure::builder("user")
                .field("media.factory.access", true)
                .field("media.factory.construct", true)
                .build();
            factory.add_role_from_structure(&role);
            server.mount_points().unwrap().add_factory("/test", factory);
            let _id = server.attach(Some(&context)).unwrap();
            tell.send((u16::try_from(server.bound_port()).unwrap(), main_loop.clone())).unwrap();
            main_loop.run();
        });
        let (port, main_loop) = told.recv_timeout(HANGS).unwrap();
        Self { port, main_loop, thread: Some(thread) }
    }
}

impl Drop for GstServer {
    fn drop(&mut self) {
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

const GST_H264: &str = "( videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 \
     ! x264enc key-int-max=25 bframes=2 b-adapt=false tune=0 speed-preset=ultrafast ! rtph264pay name=pay0 pt=96 )";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_gst_rtsp_server_behind_digest_is_recorded_and_played() {
    let server = GstServer::start(GST_H264);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::in_memory().await.unwrap();
    let url = format!("rtsp://127.0.0.1:{}/test", server.port);
    let draft = CameraDraft {
        name: "x".into(),
        main_url: url,
        username: "admin".into(),
        password: Some(Secret::new(PASSWORD)),
        ..CameraDraft::default()
    };
    let actor = Actor { name: "test".into() };
    let id = store.add_camera(&actor, &draft.checked().unwrap(), WallTime(1)).await.unwrap();
    let camera = store.camera(id).await.unwrap().unwrap();
    let stream = camera.streams[0].clone();

    let found = camera::probe(&stream.url, &stream.username, &stream.password).await.unwrap();
    assert_eq!((found.codec, found.width, found.height), (Codec::H264, 320, 240));

    let (counters, stop, mut tasks) = (Arc::<Counters>::default(), Stop::new(), Tasks::new());
    let folder = dir.path().join("recordings");
    let clock = Clock::machine();
    let recorder =
        Recorder::start(folder.clone(), store.clone(), clock.clone(), counters.clone(), Arc::default(), &mut tasks);
    let recorder = recorder.await.unwrap();
    let recorded = RecordedStream { camera: id, camera_code: camera.code, stream: stream.id, kind: stream.kind };
    let (tell, mut status) = watch::channel(StreamStatus::Stopped);
    let out = Outputs {
        record: recorder.stream(recorded),
        vision: None,
        status: tell,
        clock: watch::channel(StreamClock::default()).0,
    };
    let begun = clock.media();
    let mut sessions = Tasks::new();
    sessions.spawn("camera", camera::run(stream.clone(), out, clock.clone(), counters.clone(), stop.clone()));
    timeout(HANGS, status.wait_for(|s| *s == StreamStatus::Streaming)).await.unwrap().unwrap();
    wait::holds(async || counters.packets_received.get() >= 80).await;
    stop.ask();
    wait::done(sessions.drain()).await;
    wait::done(recorder.finish()).await;
    assert_eq!(*status.borrow(), StreamStatus::Stopped);
    let received = counters.packets_received.get();
    assert_eq!((counters.packets_recorded.get(), counters.packets_lost.get()), (received, 0));

    let always = Span { start_us: 0, end_us: i64::MAX };
    let media = Media::plan(&store, &folder, stream.id, always).await.unwrap();
    assert!(media.span.start_us >= begun.us() && media.span.end_us <= clock.media().us() + 2_000_000);
    assert_eq!(media.parts.len(), 1);
    let path = dir.path().join("clip.mp4");
    let len = media.len;
    let chunks: Vec<_> = futures::TryStreamExt::try_collect::<Vec<_>>(media.read(0..len)).await.unwrap();
    std::fs::write(&path, chunks.concat()).unwrap();
    assert_eq!(probe(&path).0 as u64, received);
}

#[tokio::test]
async fn packets_are_what_the_camera_sent_and_start_at_its_first_key_frame() {
    let clip = h264(320, 60, 20);
    // Joined in the middle of a group of pictures, RTP time about to wrap.
    let fake = Fake::start(vec![Manner::Play(Codec::H264, steps(&clip, 7..60, u32::MAX - 100_000, TICK))]).await;
    let mut running = run(stream_at(fake.port), 1000);
    // The last unit is complete only when the next one begins or is marked; ours are marked.
    let packets = running.some_packets(40).await;
    assert_eq!(running.counters.packets_before_key.get(), 13);
    let first = clip.units[7].pts_90k;
    for (packet, unit) in packets.iter().zip(&clip.units[20..]) {
        assert_eq!((packet.key, packet.pts_90k + first), (unit.key, unit.pts_90k));
        assert!(packet.data == unit.data, "other bytes at {}", unit.pts_90k);
        assert_eq!(packet.session, packets[0].session);
        assert!(Arc::ptr_eq(&packet.params, &packets[0].params), "the same parameters are the same");
    }
    assert_eq!(packets[0].params.decoder_config, clip.params.decoder_config);
    assert_eq!((packets[0].params.width, packets[0].params.height), (320, 240));
    running.stop().await;
    assert_eq!(fake.count("TEARDOWN"), 1);
}

#[tokio::test]
async fn an_open_group_of_pictures_of_h265_starts_at_its_clean_random_access_picture() {
    let encoder = "x265enc speed-preset=ultrafast option-string=\"open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0:scenecut=0\" ! h265parse";
    let clip = encode(Codec::H265, 320, 240, 60, 25, encoder);
    let kind = |data: &[u8]| {
        let mut rest = data;
        while let Some((size, tail)) = rest.split_first_chunk::<4>() {
            let kind = tail[0] >> 1 & 0x3f;
            if kind < 32 {
                return kind;
            }
            rest = &tail[usize::try_from(u32::from_be_bytes(*size)).unwrap()..];
        }
        panic!("no picture")
    };
    let clean: Vec<_> = (1..60).filter(|&n| kind(&clip.units[n].data) == 21).collect();
    assert!(clean.len() > 2, "the encoder made no open groups");
    let fake = Fake::start(vec![Manner::Play(Codec::H265, steps(&clip, 3..60, 5, TICK))]).await;
    let mut running = run(stream_at(fake.port), 1000);
    let packets = running.some_packets(60 - clean[0]).await;
    for (packet, unit) in packets.iter().zip(&clip.units[clean[0]..]) {
        assert_eq!(packet.key, kind(&unit.data) == 21);
        assert!(packet.data == unit.data, "other bytes at {}", unit.pts_90k);
    }
    assert_eq!(packets[0].params.codec, Codec::H265);
    assert!(packets[0].params.rfc6381.starts_with("hvc1."));
    running.stop().await;
}

#[tokio::test]
async fn parameters_that_change_in_the_stream_change_in_the_packets() {
    let (small, large) = (h264(320, 20, 10), h264(640, 20, 10));
    let mut all = steps(&small, 0..20, 0, TICK);
    all.extend(steps(&large, 0..20, 20 * 3600, TICK));
    let fake = Fake::start(vec![Manner::Play(Codec::H264, all)]).await;
    let mut running = run(stream_at(fake.port), 1000);
    let packets = running.some_packets(40).await;
    let widths: Vec<_> = packets.iter().map(|p| p.params.width).collect();
    assert_eq!(widths, [[320; 20], [640; 20]].concat());
    assert!(packets.iter().all(|p| p.session == packets[0].session));
    running.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_tried_three_times_for_both_streams_of_a_camera_together() {
    let fake = Fake::start(vec![Manner::RefuseLogins]).await;
    let mut both = [StreamKind::Main, StreamKind::Sub].map(|kind| run(stream_of(kind, fake.port), 1));
    for running in &mut both {
        let trouble = running.trouble(1).await;
        assert_eq!(trouble.cause, TroubleCause::Login);
        assert!(trouble.detail.contains("password"), "{}", trouble.detail);
    }
    // Each try asks once without and once with the login.
    while fake.count("DESCRIBE") < 6 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // An ordinary wait for a fourth try would be a second at most.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(fake.count("DESCRIBE"), 6);
    // Another password is another matter.
    let [main, sub] = both;
    main.stop().await;
    let corrected = Stream { password: Secret::new("other"), ..stream_of(StreamKind::Main, fake.port) };
    let mut main = run(corrected, 1);
    main.trouble(1).await;
    assert_eq!(fake.count("DESCRIBE"), 8);
    main.stop().await;
    sub.stop().await;
}

#[tokio::test]
async fn a_stream_behind_basic_authentication_is_recorded() {
    let clip = h264(320, 20, 10);
    // admin:s3cret-pa55
    let login = "YWRtaW46czNjcmV0LXBhNTU=";
    let fake = Fake::start(vec![Manner::Basic(login, Codec::H264, steps(&clip, 0..20, 0, TICK))]).await;
    let mut running = run(stream_at(fake.port), 1000);
    for (packet, unit) in running.some_packets(20).await.iter().zip(&clip.units) {
        assert!(packet.data == unit.data);
    }
    running.stop().await;
    let wrong = Stream { password: Secret::new("s3cret"), ..stream_at(fake.port) };
    let mut running = run(wrong, 1);
    assert_eq!(running.trouble(1).await.cause, TroubleCause::Login);
    running.stop().await;
}

/// A port whose one place for a connection that nobody takes is taken: further ones get no answer.
async fn deaf_port() -> (u16, (TcpListener, TcpStream)) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((std::net::Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let port = listener.local_addr().unwrap().port();
    let first = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    (port, (listener, first))
}

#[tokio::test]
async fn each_phase_of_a_session_has_its_own_deadline_and_its_own_sentence() {
    let (deaf, _held) = deaf_port().await;
    let mut cases = vec![(deaf, None, TroubleCause::Network, "nothing answers at 127.0.0.1")];
    for (manner, sentence) in [
        (Manner::MuteAt("DESCRIBE"), "did not answer DESCRIBE within 10 s"),
        (Manner::MuteAt("SETUP"), "did not answer SETUP within 10 s"),
        (Manner::MuteAt("PLAY"), "did not answer PLAY within 10 s"),
        (Manner::Play(Codec::H264, vec![Step::Silence]), "no picture within 10 s of PLAY"),
        (
            Manner::Play(Codec::H264, [steps(&h264(320, 5, 5), 0..5, 0, TICK), vec![Step::Silence]].concat()),
            "no picture for 3 s",
        ),
    ] {
        let fake = Fake::start(vec![manner]).await;
        cases.push((fake.port, Some(fake), TroubleCause::Camera, sentence));
    }
    // All at once: each takes as long as its deadline.
    let checks = cases.into_iter().map(|(port, fake, cause, sentence)| async move {
        let (since, mut running) = (std::time::Instant::now(), run(stream_at(port), 1000));
        let trouble = running.trouble(1).await;
        assert_eq!(trouble.cause, cause, "{}", trouble.detail);
        assert!(trouble.detail.contains(sentence), "{}", trouble.detail);
        // No sooner than that; later is the machine's affair.
        assert!(
            since.elapsed() >= Duration::from_secs(if sentence == "no picture for 3 s" { 3 } else { 10 }),
            "{sentence}"
        );
        running.stop().await;
        drop(fake);
    });
    futures::future::join_all(checks).await;
}

#[tokio::test]
async fn an_access_unit_without_measure_ends_the_session_and_is_not_kept() {
    let clip = h264(320, 20, 10);
    let mut all = steps(&clip, 0..20, 0, TICK);
    all.push(Step::Unit(vec![vec![0x41; 9 << 20]], 100 * 3600));
    let fake = Fake::start(vec![Manner::Play(Codec::H264, all)]).await;
    let mut running = run(stream_at(fake.port), 1000);
    running.some_packets(20).await;
    let trouble = running.trouble(1).await;
    assert_eq!(trouble.cause, TroubleCause::Camera);
    assert!(trouble.detail.contains("a picture of 9 MiB"), "{}", trouble.detail);
    running.stop().await;
}

#[tokio::test]
async fn nobody_there_and_nonsense_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut running = run(stream_at(closed), 1);
    let trouble = running.trouble(1).await;
    assert_eq!(trouble.cause, TroubleCause::Network);
    assert!(trouble.detail.contains("refused"), "{}", trouble.detail);
    running.stop().await;

    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0xff; 4000],
        b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nhello",
        b"$\0\xff\xff",
    ];
    for answer in answers {
        let fake = Fake::start(vec![Manner::Answer(answer.to_vec())]).await;
        let mut running = run(stream_at(fake.port), 1);
        let trouble = running.trouble(1).await;
        assert_eq!(trouble.cause, TroubleCause::Camera, "{answer:?}: {}", trouble.detail);
        assert!(!trouble.detail.is_empty() && !trouble.detail.contains('\n'));
        running.stop().await;
    }
}

#[tokio::test]
async fn an_address_without_video_of_ours_is_refused_with_what_it_offers() {
    let sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:t\r\n";
    let head = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{sdp}", sdp.len()).into_bytes();
    let fake = Fake::start(vec![Manner::Answer(answer)]).await;
    let stream = stream_at(fake.port);
    let trouble = camera::probe(&stream.url, &stream.username, &stream.password).await.unwrap_err();
    assert_eq!(trouble.cause, TroubleCause::Camera);
    assert!(trouble.detail.contains("video/jpeg"), "{}", trouble.detail);
}

#[tokio::test]
async fn a_camera_that_falls_silent_is_tried_again_as_a_new_session() {
    let clip = h264(320, 20, 10);
    let with = |end: Step| {
        let mut all = steps(&clip, 0..20, 0, TICK);
        all.push(end);
        Manner::Play(Codec::H264, all)
    };
    let silent_from_the_start = Manner::Play(Codec::H264, vec![Step::Silence]);
    let fake =
        Fake::start(vec![with(Step::Silence), with(Step::Close), silent_from_the_start, with(Step::Silence)]).await;
    let mut running = run(stream_at(fake.port), 1000);
    let first = running.some_packets(20).await;
    let trouble = running.trouble(1).await;
    assert_eq!(trouble.cause, TroubleCause::Camera);
    assert!(trouble.detail.contains("no picture for 3 s"), "{}", trouble.detail);
    let second = running.some_packets(20).await;
    assert!(second[0].session > first[0].session);
    assert!(Arc::ptr_eq(&second[0].params, &first[0].params));
    let third = running.some_packets(20).await;
    assert!(third[0].session > second[0].session);
    assert!(third[0].time > first[19].time);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_camera_that_says_nothing() {
    let fake = Fake::start(vec![Manner::MuteAt("DESCRIBE")]).await;
    let running = run(stream_at(fake.port), 1);
    wait::holds(async || fake.count("DESCRIBE") > 0).await;
    running.stop().await;
}

#[tokio::test]
async fn vision_that_is_behind_skips_to_the_next_key_frame_and_recording_misses_nothing() {
    let clip = h264(320, 60, 20);
    let fake = Fake::start(vec![Manner::Play(Codec::H264, steps(&clip, 0..60, 0, TICK))]).await;
    // Room for 25, and nobody takes any before all have come.
    let mut running = run(stream_at(fake.port), 25);
    assert_eq!(running.some_packets(60).await.len(), 60);
    // 25 fit; the rest of the second group is skipped, and the third has no room either.
    assert_eq!(running.counters.vision_skipped.get(), 35);
    let seen: Vec<_> = std::iter::from_fn(|| running.vision.try_recv().ok()).map(|p| p.pts_90k).collect();
    assert_eq!(seen, clip.units[..25].iter().map(|u| u.pts_90k).collect::<Vec<_>>());
    running.stop().await;
}
