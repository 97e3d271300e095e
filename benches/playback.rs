//! Question: how long from asking for a moment to the first byte of its film, with 30 days of 37 cameras in the index?
//! The real handler over loopback HTTP, a synthetic index (each row is a minute of 60 fragments), real bytes for the files
//! that are reached. `BENCH_DAYS` and `BENCH_REQUESTS` make it smaller or larger.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Instant,
};

use serde_json::json;
use sqlx::Connection;
use tokio::{net::TcpListener, sync::Notify};
use vonglau::{
    domain::{
        camera::{CameraDraft, StreamKind},
        ids::{CameraId, SegmentId, StreamId},
        packet::{Codec, Packet, StreamParams, ticks_to_us},
        query::Actor,
        segment::{FragmentEntry, Segment},
        time::{BootTime, MediaTime, Span},
    },
    http::{self, AppState},
    record::{RecordedStream, Recorder, live::Live},
    runtime::{
        board::Board,
        clock::Clock,
        counters::Counters,
        stop::Stop,
        tasks::{ShortTasks, Tasks},
    },
    store::Store,
};

const CAMERAS: i64 = 37;
const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 24 * 60 * MINUTE_US;

fn setting(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let (days, requests) = (setting("BENCH_DAYS", 30), setting("BENCH_REQUESTS", 400));
    let folder = tempfile::tempdir().expect("a folder");
    let (database, files) = (folder.path().join("vonglau.db"), folder.path().join("store"));
    let end_us = Clock::machine().wall().us() / MINUTE_US * MINUTE_US - 10 * MINUTE_US;
    let streams = furnish(&database, &files, end_us, days).await;

    let store = Store::open(&database).await.expect("the database");
    let stop = Stop::new();
    let state = AppState {
        store: store.clone(),
        board: Arc::new(Board::default()),
        counters: Arc::new(Counters::default()),
        clock: Clock::machine(),
        data_dir: folder.path().to_owned(),
        store_dir: files.clone(),
        live: Live::new(Arc::default()),
        stills: Arc::new(http::Stills::new(None)),
        site: String::new(),
        stop: stop.clone(),
        tasks: ShortTasks::default(),
        on_config: Arc::new(Notify::new()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = tokio::spawn(http::serve(listener, state, stop.clone()));
    let rows = store.segment_totals().await.expect("the index").0;
    for (name, length_us, kind) in [
        ("seek_10_min", 10 * MINUTE_US, "video.mp4"),
        ("seek_24_h", DAY_US - MINUTE_US, "video.mp4"),
        ("timeline_24_h", DAY_US - MINUTE_US, "timeline"),
    ] {
        let span_us = days * DAY_US - length_us - MINUTE_US;
        let mut times = Vec::new();
        for n in 0..requests {
            // Anywhere and in no order, the same each time.
            let (camera, part) = streams[(n * 7919 % CAMERAS) as usize];
            let from = end_us - days * DAY_US + (n * 104_729 % 9973) * (span_us / 9973);
            reach(&store, &files, part, Span { start_us: from, end_us: from + length_us }).await;
            let path = format!("/api/v1/cameras/{}/{kind}?from={from}&to={}", camera.0, from + length_us);
            let took = tokio::task::spawn_blocking(move || first_byte(address, &path)).await.expect("an answer");
            times.push(took);
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "{}",
            json!({ "name": name, "peer": null, "ours": at(0.99), "theirs": null, "ratio": null, "unit": "ms_p99",
                    "p50": at(0.5), "max": at(1.0), "requests": requests, "segments": rows,
                    "argv": std::env::args().collect::<Vec<_>>() })
        );
    }
    stop.now();
    served.await.expect("it ends").expect("it served");
    store.close().await;
}

/// Cameras, one real file, and a row a minute for each camera that says it is like that file.
async fn furnish(database: &Path, files: &Path, end_us: i64, days: i64) -> Vec<(CameraId, StreamId)> {
    let store = Store::open(database).await.expect("the database");
    let actor = Actor { name: "bench".to_owned() };
    let mut streams = Vec::new();
    for n in 1..=CAMERAS {
        let url = format!("rtsp://10.0.0.{n}/1");
        let draft = CameraDraft { name: format!("Camera {n}"), main_url: url, ..CameraDraft::default() };
        let draft = draft.checked().expect("a camera");
        let id = store.add_camera(&actor, &draft, Clock::machine().wall()).await.expect("a camera");
        let camera = store.camera(id).await.expect("a camera").expect("a camera");
        streams.push((id, camera.stream(StreamKind::Main).expect("a stream").id));
    }
    let (camera, stream) = streams[0];
    record_minute(&store, files, camera, stream, end_us).await;
    let one = store.segments_in(stream, Span { start_us: 0, end_us: i64::MAX }).await.expect("the index");
    let fragments: Vec<FragmentEntry> = one[0].fragments.clone();
    let model = Segment { fragments, start_us: 0, end_us: MINUTE_US, ..one[0].clone() };
    let path = files.join(&model.path);
    std::fs::rename(path, files.join("minute.mp4")).expect("the file");
    store.close().await;
    multiply(database, &model, end_us, days).await;
    streams
}

/// Ten pictures a second of 20 kB, a key frame every two seconds, by the recorder itself.
async fn record_minute(store: &Store, files: &Path, camera: CameraId, stream: StreamId, start_us: i64) {
    let mut tasks = Tasks::new();
    let (clock, counters) = (Clock::machine(), Arc::<Counters>::default());
    let recorder =
        Recorder::start(files.to_owned(), store.clone(), clock, counters, &mut tasks).await.expect("a folder");
    let to = recorder.stream(RecordedStream { camera, camera_code: "C01".into(), stream, kind: StreamKind::Main });
    let params = params();
    for n in 0..600 {
        let pts_90k = n * 9000;
        let mut data = vec![0x41_u8; 20_000];
        data[..4].copy_from_slice(&19_996_u32.to_be_bytes());
        let packet = Packet {
            camera,
            stream,
            kind: StreamKind::Main,
            session: 1,
            pts_90k,
            time: MediaTime(start_us + ticks_to_us(pts_90k)),
            received: BootTime(ticks_to_us(pts_90k)),
            key: n % 20 == 0,
            loss: 0,
            params: Arc::clone(&params),
            data: data.into(),
        };
        to.send(packet).await.expect("the recorder takes it");
    }
    drop(to);
    recorder.finish().await;
    tasks.drain().await;
}

fn params() -> Arc<StreamParams> {
    let config = [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1e, 1, 0, 4, 0x68, 0xce, 0x3c, 0x80];
    let mut entry = vec![0_u8; 86];
    entry[4..8].copy_from_slice(b"avc1");
    entry[15] = 1;
    entry.extend(27_u32.to_be_bytes());
    entry.extend(b"avcC");
    entry.extend(config);
    let size = u32::try_from(entry.len()).expect("a few bytes");
    entry[..4].copy_from_slice(&size.to_be_bytes());
    Arc::new(StreamParams {
        codec: Codec::H264,
        rfc6381: "avc1.42C01E".into(),
        width: 1920,
        height: 1080,
        sample_entry: entry.into(),
        decoder_config: config.to_vec().into(),
    })
}

/// Rows like the first one, for every camera and minute, in the order in which they would have come.
async fn multiply(database: &Path, model: &Segment, end_us: i64, days: i64) {
    let url = format!("sqlite://{}", database.display());
    let mut to = sqlx::SqliteConnection::connect(&url).await.expect("the database");
    let run = async |to: &mut sqlx::SqliteConnection, text: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(to).await.expect("a statement");
    };
    let first = end_us - days * DAY_US;
    let bytes = model.size_bytes;
    run(&mut to, format!(
        "pragma synchronous = off; create temp table one as select * from segment;
         delete from segment;
         with recursive minute(n) as (select 0 union all select n + 1 from minute where n + 1 < {days} * 1440)
         insert into segment (stream, path, start_us, end_us, open, init_bytes, size_bytes, codec, rfc6381, width, height,
                              params_sha256, fragments)
         select s.id, s.id || '/' || n, {first} + n * {MINUTE_US}, {first} + (n + 1) * {MINUTE_US}, 0, one.init_bytes,
                one.size_bytes, one.codec, one.rfc6381, one.width, one.height, one.params_sha256, one.fragments
         from minute cross join stream s cross join one order by n, s.id;
         update segment_total set segments = (select count(*) from segment), bytes = (select count(*) from segment) * {bytes};"
    )).await;
    to.close().await.expect("it closes");
}

/// Makes the first files of a span real ones.
async fn reach(store: &Store, files: &Path, stream: StreamId, span: Span) {
    // What is sent before the asker leaves may reach into the next file.
    let first = Span { start_us: span.start_us, end_us: span.start_us + MINUTE_US };
    for segment in store.segments_in(stream, first).await.expect("the index") {
        debug_assert_ne!(segment.id, SegmentId(0));
        let path = files.join(&segment.path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        if !path.exists() {
            std::fs::hard_link(files.join("minute.mp4"), path).expect("a link");
        }
    }
}

/// Milliseconds from a new connection to the first bytes of media (or of the answer, when it is none).
fn first_byte(address: SocketAddr, path: &str) -> f64 {
    let since = Instant::now();
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it takes the question");
    let mark: &[u8] = if path.contains(".mp4") { b"mdat" } else { b"\r\n\r\n" };
    let (mut got, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let read = stream.read(&mut buffer).expect("an answer");
        let new = got.len().saturating_sub(3);
        got.extend_from_slice(&buffer[..read]);
        assert!(
            got.len() < 15 || got.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&got[..200.min(got.len())])
        );
        let there = got[new..].windows(4).any(|w| w == mark);
        if there {
            return since.elapsed().as_secs_f64() * 1000.0;
        }
        assert!(read > 0, "{path} ended early after {} bytes", got.len());
    }
}
