//! The simulator seen by clients that are not ours: retina, GStreamer's `rtspsrc`, and bare sockets.

#[path = "common/wait.rs"]
mod wait;

use std::{
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::StreamExt;
use gstreamer::{self as gst, prelude::*};
use retina::{
    client::{Credentials, PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions, Transport},
    codec::{CodecItem, FrameFormat},
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use vonglau::{
    domain::{
        camera::{Secret, StreamKind},
        packet::Codec,
    },
    runtime::{stop::Stop, tasks::Tasks},
    sim::{
        self, Options, Sim, clip,
        ledger::{self, Entry},
        scene::Scene,
        truth,
    },
};

/// Nothing here takes this long unless it hangs.
const HANGS: Duration = Duration::from_secs(60);

/// Two small cameras whose clips are short, so that a session passes the loop's end soon.
fn small(folder: &Path) -> Options {
    Options {
        cameras: 2,
        size: (320, 192),
        sub_size: (160, 96),
        loop_s: 2,
        gop: 8,
        ledger: Some(folder.join("ledger.jsonl")),
        ..Options::default()
    }
}

async fn started(options: Options) -> (Sim, Tasks) {
    let mut tasks = Tasks::new();
    let sim = sim::start(options, Stop::new(), &mut tasks).await.expect("the simulator starts");
    (sim, tasks)
}

/// One access unit as retina gave it.
#[derive(Debug)]
struct Got {
    ticks: i64,
    rtp_time: u32,
    sha256: String,
}

/// Plays `url` until `count` units have come; the last value is the codec and size retina found.
async fn play(url: &str, login: Option<(&str, &str)>, count: usize) -> Result<(Vec<Got>, String), retina::Error> {
    let creds = login.map(|(user, pass)| Credentials { username: user.to_owned(), password: pass.to_owned() });
    let options = SessionOptions::default().creds(creds);
    let mut session = Session::describe(url.parse().unwrap(), options).await?;
    let transport = Transport::Tcp(TcpTransportOptions::default());
    session.setup(0, SetupOptions::default().transport(transport).frame_format(FrameFormat::MP4)).await?;
    let mut stream = pin!(session.play(PlayOptions::default()).await?.demuxed()?);
    let (mut got, mut reports) = (Vec::new(), 0);
    while got.len() < count {
        let item = tokio::time::timeout(HANGS, stream.next()).await.expect("frames come").expect("does not end")?;
        let frame = match item {
            CodecItem::VideoFrame(frame) => frame,
            CodecItem::Rtcp(report) => {
                reports += usize::from(report.rtp_timestamp().is_some() && report.pkts().count() == 2);
                continue;
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(frame.loss(), 0);
        got.push(Got {
            ticks: frame.timestamp().elapsed(),
            rtp_time: frame.timestamp().timestamp() as u32,
            sha256: hex::encode(Sha256::digest(frame.data())),
        });
    }
    assert!(count < 2 || reports >= 1, "a sender report comes before the second unit");
    let parameters = match stream.streams()[0].parameters() {
        Some(retina::codec::ParametersRef::Video(v)) => format!("{} {:?}", v.rfc6381_codec(), v.pixel_dimensions()),
        other => panic!("{other:?}"),
    };
    Ok((got, parameters))
}

fn of(entries: &[Entry], camera: u32, stream: StreamKind) -> Vec<&Entry> {
    entries.iter().filter(|e| e.camera == camera && e.stream == stream).collect()
}

fn assert_unbroken(got: &[Got], sent: &[&Entry]) {
    assert!(sent[0].key && sent.len() >= got.len(), "{} received, {} sent", got.len(), sent.len());
    for (i, (got, sent)) in got.iter().zip(sent).enumerate() {
        assert_eq!((&got.sha256, got.rtp_time), (&sent.sha256, sent.rtp_time), "unit {i}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retina_receives_is_one_unbroken_run_of_the_ledger_on_both_streams_of_every_camera() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(folder.path());
    let path = options.ledger.clone().unwrap();
    let (sim, mut tasks) = started(options).await;
    let urls = sim.urls();
    assert_eq!(urls[1], (sim.main_url(2), sim.sub_url(2)));
    let (a, b, c) = tokio::join!(
        play(&urls[0].0, None, 70),
        play(&urls[0].1, None, 45),
        play(&urls[1].1, None, 45), // the loop's end passes twice
    );
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    wait::done(sim.finish()).await;
    assert!(wait::done(tasks.drain()).await.is_empty(), "nothing panicked");
    let entries = ledger::read(&path).unwrap();
    assert_unbroken(&a.0, &of(&entries, 1, StreamKind::Main));
    assert_unbroken(&b.0, &of(&entries, 1, StreamKind::Sub));
    assert_unbroken(&c.0, &of(&entries, 2, StreamKind::Sub));
    assert!(of(&entries, 2, StreamKind::Main).is_empty(), "nobody asked for it");
    assert!(entries.iter().all(|e| e.session == 1 && e.sent_us > 1_600_000_000_000_000));
    assert!(a.1.ends_with("(320, 192)") && b.1.ends_with("(160, 96)"), "{} {}", a.1, b.1);
    assert_ne!(b.0[0].rtp_time, c.0[0].rtp_time, "every session has a start of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timestamps_keep_rising_by_one_frame_over_the_jump_of_the_loop() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(folder.path());
    let path = options.ledger.clone().unwrap();
    let (sim, _tasks) = started(options).await;
    let (got, _) = play(&sim.main_url(1), None, 65).await.unwrap();
    wait::done(sim.finish()).await;
    let entries = ledger::read(&path).unwrap();
    let jumps = entries.windows(2).filter(|w| w[1].clip_us < w[0].clip_us).collect::<Vec<_>>();
    assert!(jumps.len() >= 2 && jumps.iter().all(|w| w[1].key && w[1].clip_us == 0), "{jumps:?}");
    let steps: Vec<_> = got.windows(2).map(|w| w[1].ticks - w[0].ticks).collect();
    assert!(steps.iter().all(|&s| s == 6000), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h265_and_b_frames_play_and_every_unit_is_in_the_ledger() {
    for (codec, b_frames, name) in [(Codec::H265, 0, "hvc1"), (Codec::H265, 2, "hvc1"), (Codec::H264, 2, "avc1")] {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { cameras: 1, codec, b_frames, ..small(folder.path()) };
        let path = options.ledger.clone().unwrap();
        let (sim, _tasks) = started(options).await;
        let (got, parameters) = play(&sim.sub_url(1), None, 45).await.unwrap();
        wait::done(sim.finish()).await;
        assert_unbroken(&got, &of(&ledger::read(&path).unwrap(), 1, StreamKind::Sub));
        assert!(parameters.starts_with(name), "{parameters}");
        let mut ticks: Vec<_> = got[..40].iter().map(|g| g.ticks).collect();
        assert_eq!(ticks.is_sorted(), b_frames == 0, "{codec:?} {b_frames}");
        ticks.sort_unstable();
        let expected: Vec<i64> = (0..40).map(|i| i * 9000).collect();
        // The last groups may wait for a picture between two others.
        assert_eq!(ticks[..32], expected[..32], "{codec:?} {b_frames}: every frame has its own time");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_auth_only_the_right_password_plays() {
    let folder = tempfile::tempdir().unwrap();
    let auth = Some(("admin".to_owned(), Secret::new("mật khẩu")));
    let (sim, _tasks) = started(Options { cameras: 1, auth, ..small(folder.path()) }).await;
    let url = sim.sub_url(1);
    for login in [Some(("admin", "sai")), Some(("root", "mật khẩu"))] {
        let error = play(&url, login, 1).await.expect_err("refused");
        assert!(error.to_string().contains("401") || error.to_string().contains("nauthorized"), "{error}");
    }
    assert!(play(&url, None, 1).await.is_err());
    play(&url, Some(("admin", "mật khẩu")), 3).await.expect("Digest");

    let mut bare = Bare::connect(&sim).await;
    let describe = format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n");
    let refused = bare.ask(&format!("{describe}\r\n")).await;
    assert!(refused.starts_with("RTSP/1.0 401") && refused.contains("Digest realm="), "{refused}");
    assert!(refused.contains("Basic realm="), "both are offered: {refused}");
    for (password, status) in [("sai", "401"), ("mật khẩu", "200")] {
        let basic = BASE64_STANDARD.encode(format!("admin:{password}"));
        let answer = bare.ask(&format!("{describe}Authorization: Basic {basic}\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("RTSP/1.0 {status}")), "{answer}");
    }
    wait::done(sim.finish()).await;
}

/// A client that speaks by hand.
struct Bare(TcpStream);

impl Bare {
    async fn connect(sim: &Sim) -> Self {
        Self(TcpStream::connect(("127.0.0.1", sim.port)).await.unwrap())
    }
    /// Sends a request and reads an answer's head (these answers have no body worth reading).
    async fn ask(&mut self, request: &str) -> String {
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let n = tokio::time::timeout(HANGS, self.0.read(&mut bytes)).await.expect("an answer").unwrap();
            answer.extend_from_slice(&bytes[..n]);
            let text = String::from_utf8_lossy(&answer);
            let body = text.split("Content-Length: ").nth(1).and_then(|t| t.split("\r\n").next());
            let body: usize = body.map_or(0, |l| l.parse().unwrap());
            match text.find("\r\n\r\n") {
                Some(head) if text.len() >= head + 4 + body => return text.into_owned(),
                _ if n == 0 => return text.into_owned(),
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_make_no_sense_get_their_status_and_harm_no_other_client() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, mut tasks) = started(Options { cameras: 1, ..small(folder.path()) }).await;
    let url = sim.main_url(1);
    let other = play(&url, None, 30);
    let bad = async {
        let mut bare = Bare::connect(&sim).await;
        let tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
        let cam1 = format!("rtsp://127.0.0.1:{}/cam1/main/trackID=1", sim.port);
        for (request, status) in [
            ("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_owned(), "200"),
            (format!("DESCRIBE {} RTSP/1.0\r\nCSeq: 2\r\n\r\n", sim.main_url(2)), "404"),
            (format!("PLAY {url} RTSP/1.0\r\nCSeq: 3\r\n\r\n"), "455"),
            (format!("RECORD {url} RTSP/1.0\r\nCSeq: 4\r\n\r\n"), "501"),
            (format!("SETUP {url} RTSP/1.0\r\nCSeq: 5\r\nTransport: RTP/AVP;unicast;client_port=9-10\r\n\r\n"), "461"),
            (format!("SETUP {url} RTSP/1.0\r\n{tcp}\r\n"), "400"),
            (format!("SETUP {cam1} RTSP/1.0\r\nCSeq: 6\r\n{tcp}\r\n"), "200"),
            (format!("PLAY {url} RTSP/1.0\r\nCSeq: 7\r\nSession: 1234\r\n\r\n"), "454"),
            (format!("GET_PARAMETER {url} RTSP/1.0\r\nCSeq: 8\r\n\r\n"), "200"),
            (format!("SET_PARAMETER {url} RTSP/1.0\r\nCSeq: 9\r\nContent-Length: 2\r\n\r\nab"), "200"),
            (format!("TEARDOWN {url} RTSP/1.0\r\nCSeq: 10\r\n\r\n"), "200"),
        ] {
            let answer = bare.ask(&request).await;
            assert!(answer.starts_with(&format!("RTSP/1.0 {status} ")), "{request}{answer}");
        }
        let answer = Bare::connect(&sim).await.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("RTSP/1.0 400 "), "{answer}");
    };
    let (other, ()) = tokio::join!(other, bad);
    other.expect("undisturbed");
    wait::done(sim.finish()).await;
    assert!(wait::done(tasks.drain()).await.is_empty(), "nothing panicked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_no_data_is_disconnected_and_only_what_it_was_handed_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    // Key frames only, many and large, so that the socket is full soon.
    let options =
        Options { cameras: 1, size: (1280, 720), fps: 60, gop: 1, bitrate_kbps: 50_000, ..small(folder.path()) };
    let path = options.ledger.clone().unwrap();
    let (sim, _tasks) = started(options).await;
    let url = sim.main_url(1);
    let mut bare = Bare::connect(&sim).await;
    let tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    bare.ask(&format!("SETUP {url} RTSP/1.0\r\nCSeq: 1\r\n{tcp}\r\n")).await;
    bare.0.write_all(format!("PLAY {url} RTSP/1.0\r\nCSeq: 2\r\n\r\n").as_bytes()).await.unwrap();
    let slow = async {
        while sim.served.slow_clients.get() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(HANGS, slow).await.expect("it is disconnected");
    let sent = sim.served.units_sent.get();
    wait::done(sim.finish()).await;
    assert_eq!(ledger::read(&path).unwrap().len() as u64, sent);
    // What lies in the client's socket is at least what the ledger says was handed over.
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(HANGS, bare.0.read_to_end(&mut bytes)).await.expect("the connection is closed");
    assert!(sent > 0 && !bytes.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_decodes_what_we_serve() {
    let folder = tempfile::tempdir().unwrap();
    for (codec, depay) in
        [(Codec::H264, "rtph264depay ! h264parse ! avdec_h264"), (Codec::H265, "rtph265depay ! h265parse ! avdec_h265")]
    {
        let auth = Some(("admin".to_owned(), Secret::new("abc")));
        let (sim, _tasks) = started(Options { cameras: 1, codec, auth, ..small(folder.path()) }).await;
        let url = sim.sub_url(1);
        // 45 frames are more than two rounds of the loop.
        let decoded = tokio::task::spawn_blocking(move || {
            gst::init().unwrap();
            let line = format!(
                "rtspsrc location={url} user-id=admin user-pw=abc protocols=tcp latency=0 ! {depay} ! \
                 identity name=count eos-after=45 ! fakesink sync=false"
            );
            let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
            let size = std::sync::Arc::new(std::sync::Mutex::new((0, String::new())));
            let seen = std::sync::Arc::clone(&size);
            let pad = pipeline.by_name("count").unwrap().static_pad("sink").unwrap();
            pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
                let mut seen = seen.lock().unwrap();
                seen.0 += 1;
                seen.1 = pad.current_caps().map(|c| c.to_string()).unwrap_or_default();
                gst::PadProbeReturn::Ok
            });
            pipeline.set_state(gst::State::Playing).unwrap();
            let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
            let wait = gst::ClockTime::from_seconds(HANGS.as_secs());
            let message = pipeline.bus().unwrap().timed_pop_filtered(wait, &wanted);
            pipeline.set_state(gst::State::Null).unwrap();
            let message = message.expect("it does not hang");
            assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
            size.lock().unwrap().clone()
        })
        .await
        .unwrap();
        assert!(decoded.0 >= 45 && decoded.1.contains("width=(int)160"), "{decoded:?}");
        wait::done(sim.finish()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_video_file_is_shared_by_all_cameras_and_the_truth_tells_of_drawn_ones_only() {
    let folder = tempfile::tempdir().unwrap();
    let video: PathBuf = folder.path().join("tên có dấu.mp4");
    let scene = Scene::lasting(3, 1, 3);
    clip::write_mp4(&scene, (320, 192), 15, 4, &video).expect("an MP4 file");

    let both = Options { videos: vec![video.clone()], truth: Some(folder.path().join("t")), ..small(folder.path()) };
    let refusal = sim::start(both, Stop::new(), &mut Tasks::new()).await.unwrap_err();
    assert_eq!(refusal.place, "--truth");

    let options = Options { videos: vec![video.clone()], ..small(folder.path()) };
    let path = options.ledger.clone().unwrap();
    let (sim, _tasks) = started(options).await;
    let urls = sim.urls();
    let (got, other) = tokio::join!(play(&urls[0].1, None, 45), play(&urls[1].1, None, 1));
    wait::done(sim.finish()).await;
    let entries = ledger::read(&path).unwrap();
    assert_unbroken(&got.unwrap().0, &of(&entries, 1, StreamKind::Sub));
    let other = &other.unwrap().0[0].sha256;
    assert!(of(&entries, 1, StreamKind::Sub).iter().any(|e| &e.sha256 == other), "one clip for both");
    let last_us = entries.iter().map(|e| e.clip_us).max().unwrap();
    assert_eq!(last_us, 3_900_000, "four seconds at ten frames a second");

    let wrong = Options { videos: vec![path], ..small(folder.path()) };
    let refusal = sim::start(wrong, Stop::new(), &mut Tasks::new()).await.unwrap_err();
    assert!(refusal.place.starts_with("--video ") && refusal.en.contains("check that the file"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_truth_file_says_where_everything_drawn_is_in_every_frame_of_the_sub_stream() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("truth.jsonl");
    let options = Options { loop_s: 4, truth: Some(file.clone()), ..small(folder.path()) };
    let scene = options.scene(2);
    let (sim, _tasks) = started(options).await;
    wait::done(sim.finish()).await;
    let (head, rows) = truth::read(&file).unwrap();
    assert_eq!(head, truth::Head { loop_us: 4_000_000, sub_fps: 10, cameras: 2 });
    for frame in 0..40 {
        let t_us = clip::frame_us(frame, 10);
        let told: Vec<_> = rows.iter().filter(|r| r.camera == 2 && r.t_us == t_us).collect();
        let drawn = scene.objects_at(t_us);
        assert_eq!(
            told.iter().map(|r| (r.id, r.class)).collect::<Vec<_>>(),
            drawn.iter().map(|d| (d.0, d.1)).collect::<Vec<_>>()
        );
        assert!(told.iter().zip(&drawn).all(|(told, drawn)| told.rect.iou(drawn.2) > 0.999));
    }
    assert!(rows.iter().any(|r| r.camera == 1) && rows.iter().any(|r| r.camera == 2));
}

#[tokio::test]
async fn a_taken_port_and_a_folder_that_is_not_there_are_refused_by_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refusal = sim::start(Options { port, ..Options::default() }, Stop::new(), &mut Tasks::new()).await.unwrap_err();
    assert_eq!(refusal.place, format!("--port {port}"));
    let nowhere = Some(PathBuf::from("/nowhere/at/all"));
    for (place, options) in [
        ("--ledger", Options { ledger: nowhere.clone(), ..Options::default() }),
        ("--truth", Options { truth: nowhere.clone(), ..Options::default() }),
    ] {
        let refusal = sim::start(options, Stop::new(), &mut Tasks::new()).await.unwrap_err();
        assert!(refusal.place.starts_with(place) && !refusal.vi.is_empty(), "{refusal}");
    }
    let stop = Stop::new();
    stop.ask();
    let refusal = sim::start(Options::default(), stop, &mut Tasks::new()).await.unwrap_err();
    assert!(refusal.en.contains("stopped"), "{refusal}");
}
