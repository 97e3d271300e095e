//! Question: does a month of 37 cameras in the index slow anything down? The real program on a synthetic index: how long
//! until it records again with a million segments in it, and how long from a request to the first bytes of a picture
//! with 30 days × 37 cameras × 2 streams (3.2 million segments, about 2.5 GB of database in the temporary folder): of ten
//! minutes, and of a whole day as one film.
//!
//! `BENCH_DAYS`, `BENCH_CAMERAS` and `BENCH_SEEKS` make it smaller. Every row is a copy of one that was really recorded,
//! at another time; the files of the spans that are asked for are links to the one file that was recorded.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use sqlx::{Connection, Row, SqliteConnection};

/// What the limits are, milliseconds.
const SEEK_MS: f64 = 50.0;
const START_MS: f64 = 2000.0;
/// With so many segments the program is started.
const START_SEGMENTS: i64 = 1_000_000;
/// Time from segment to segment.
const STEP_US: i64 = 60_000_000;
/// Length of an asked span.
const ASKED_US: i64 = 600_000_000;
/// The longest film.
const DAY_US: i64 = 86_400_000_000;

fn setting(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(bench());
}

async fn bench() {
    let (days, cameras) = (setting("BENCH_DAYS", 30), setting("BENCH_CAMERAS", 37));
    let folder = tempfile::tempdir().expect("a folder");
    let (_sim, urls) = simulate();
    import(folder.path(), &urls, cameras);
    let mut serve = Serving::start(folder.path());
    // The first whole segment ends after a minute.
    std::thread::sleep(Duration::from_secs(66));
    serve.stop();

    let file = folder.path().join("vonglau.db");
    let mut index = Index::open(&file, days).await;
    let each = days * 86_400_000_000 / STEP_US;
    let first = (START_SEGMENTS / (2 * cameras)).min(each);
    let mut rows = index.fill(0..first).await;
    index.close().await;
    let mut serve = Serving::start(folder.path());
    let started = serve.recording_ms();
    print_line(&format!("start_with_{rows}_segments"), started, START_MS, "ms_until_recording");
    serve.stop();

    let mut index = Index::open(&file, days).await;
    rows += index.fill(first..each).await;
    let seeks = setting("BENCH_SEEKS", 500);
    let asked = index.spans(folder.path(), seeks, ASKED_US).await;
    let films = index.spans(folder.path(), seeks / 10, DAY_US).await;
    index.close().await;
    let mut serve = Serving::start(folder.path());
    let started = serve.recording_ms();
    print_line(&format!("start_with_{rows}_segments"), started, START_MS, "ms_until_recording");
    for (what, asked) in [("seek", asked), ("day", films)] {
        let seek = || asked.iter().map(|path| serve.first_media_ms(path)).collect::<Vec<f64>>();
        // The limit holds for what is warm: asked for a second time.
        let (_cold, mut seeks) = (seek(), seek());
        seeks.sort_by(f64::total_cmp);
        let part = |p: f64| seeks[((seeks.len() as f64 * p).ceil() as usize).clamp(1, seeks.len()) - 1];
        print_line(&format!("{what}_p50_{rows}_segments"), part(0.5), SEEK_MS, "ms_to_first_media_byte");
        print_line(&format!("{what}_p99_{rows}_segments"), part(0.99), SEEK_MS, "ms_to_first_media_byte");
    }
    serve.stop();
}

fn print_line(name: &str, ours: f64, limit: f64, unit: &str) {
    let round = |x: f64| (x * 1000.0).round() / 1000.0;
    let argv: Vec<String> = std::env::args().collect();
    println!(
        "{}",
        json!({ "name": name, "peer": "limit", "ours": round(ours), "theirs": limit, "ratio": round(ours / limit),
                "unit": unit, "argv": argv })
    );
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vonglau"))
}

/// A child that ends when its input is closed, and never outlives this program.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> (Kept, impl Iterator<Item = Value> + use<>) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("output"));
    (Kept(child), out.lines().map_while(Result::ok).filter_map(|l| serde_json::from_str(&l).ok()))
}

/// One camera of 1080p25 at 4 Mbit/s.
fn simulate() -> (Kept, (String, String)) {
    let args = ["sim", "--port", "0", "--until-stdin-ends", "--cameras", "1", "--size", "1920x1080", "--fps", "25"];
    let (sim, mut lines) = start(program().args(args).args(["--bitrate", "4000"]));
    let line = lines.next().expect("an address");
    assert!(lines.any(|l| l["ready"] == true), "the simulator ended early");
    let url = |key: &str| line[key].as_str().expect("url").to_owned();
    (sim, (url("main"), url("sub")))
}

/// The real camera first; the others are somewhere nobody listens.
fn import(data: &Path, real: &(String, String), cameras: i64) {
    let nobody = ("rtsp://127.0.0.1:9/main".to_owned(), "rtsp://127.0.0.1:9/sub".to_owned());
    let list: String = (0..cameras)
        .map(|i| (i, if i == 0 { real } else { &nobody }))
        .map(|(i, (main, sub))| format!("[[camera]]\nname = \"{i}\"\nmain_url = \"{main}\"\nsub_url = \"{sub}\"\n"))
        .collect();
    let file = data.join("cameras.toml");
    std::fs::write(&file, list).expect("the list is written");
    let import = program().args(["camera", "import", "--data"]).arg(data).arg(&file).stdout(Stdio::null()).status();
    assert!(import.expect("import runs").success());
}

struct Serving {
    program: Kept,
    address: String,
    since: Instant,
}

impl Serving {
    fn start(data: &Path) -> Self {
        let since = Instant::now();
        let args = ["serve", "--record-only", "--listen", "127.0.0.1:0", "--summary", "--until-stdin-ends", "--data"];
        let (program, mut lines) = start(program().args(args).arg(data).env("RUST_LOG", "off"));
        let address = lines.next().expect("it serves")["listen"].as_str().expect("an address").to_owned();
        // Somebody has to read what it says at its end.
        std::thread::spawn(move || lines.count());
        Self { program, address, since }
    }
    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("it takes the request");
        stream
    }
    /// Milliseconds from the program's start to the first packet received into a recording.
    fn recording_ms(&self) -> f64 {
        loop {
            let mut answer = String::new();
            self.ask("/api/v1/status").read_to_string(&mut answer).expect("an answer");
            let body = answer.split_once("\r\n\r\n").expect("a body").1;
            let status: Value = serde_json::from_str(body).expect("JSON");
            if status["counters"]["packets_received"].as_u64() > Some(0) {
                return self.since.elapsed().as_secs_f64() * 1000.0;
            }
            assert!(self.since.elapsed() < Duration::from_secs(300), "it does not record");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    /// Milliseconds from the request (and its connection) to the first bytes of a picture in the answer.
    fn first_media_ms(&self, path: &str) -> f64 {
        let since = Instant::now();
        let mut answer = BufReader::new(self.ask(path));
        let mut line = String::new();
        answer.read_line(&mut line).expect("an answer");
        assert!(line.starts_with("HTTP/1.1 200"), "{path}: {line}");
        while line != "\r\n" {
            line.clear();
            answer.read_line(&mut line).expect("headers");
        }
        let (mut body, mut part, mut looked) = (Vec::new(), [0; 16 << 10], 0);
        while !body[looked..].windows(4).any(|w| w == b"mdat") {
            looked = body.len().saturating_sub(3);
            let count = answer.read(&mut part).expect("a body");
            assert!(count > 0, "{path}: no picture in {} bytes", body.len());
            body.extend_from_slice(&part[..count]);
        }
        since.elapsed().as_secs_f64() * 1000.0
    }
    fn stop(&mut self) {
        drop(self.program.0.stdin.take());
        assert!(self.program.0.wait().expect("it ends").success());
    }
}

/// The program's database, written to while the program does not run.
struct Index {
    database: SqliteConnection,
    begin_us: i64,
    /// Camera, kind, stream, and the row to copy.
    streams: Vec<(i64, String, i64, i64)>,
}

impl Index {
    async fn open(file: &Path, days: i64) -> Self {
        let url = format!("sqlite://{}", file.display());
        let mut database = SqliteConnection::connect(&url).await.expect("the database");
        sqlx::query("pragma synchronous = off").execute(&mut database).await.expect("a pragma");
        let select = "select s.camera, s.kind, s.id, (select g.id from segment g join stream t on t.id = g.stream \
                      where t.kind = s.kind and not g.open order by g.end_us - g.start_us desc, g.id limit 1) \
                      from stream s order by s.id";
        let streams = sqlx::query(select).fetch_all(&mut database).await.expect("the streams");
        let streams = streams.iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3))).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        // The last of them ends before anything that was really recorded.
        let begin_us = i64::try_from(now).expect("a time") / STEP_US * STEP_US - days * 86_400_000_000 - 60 * STEP_US;
        Self { database, begin_us, streams }
    }

    /// Copies the recorded rows to these places of every stream; how many there are.
    async fn fill(&mut self, places: std::ops::Range<i64>) -> i64 {
        let columns = sqlx::query("select name from pragma_table_info('segment')").fetch_all(&mut self.database).await;
        let columns: Vec<String> = columns.expect("the columns").iter().map(|r| r.get(0)).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).filter(|c| *c != "id").collect();
        let value = |column: &&str| match *column {
            "stream" => "?1".to_owned(),
            "path" => "'bench/' || ?1 || '/' || (?3 + n.i * ?4) || '.mp4'".to_owned(),
            "start_us" => "?3 + n.i * ?4".to_owned(),
            "end_us" => "?3 + n.i * ?4 + t.end_us - t.start_us".to_owned(),
            // Nothing of it lies on the disk, so none of it is to be made room for.
            "size_bytes" => "1".to_owned(),
            other => format!("t.{other}"),
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        let text = format!(
            "with recursive n(i) as (select ?5 union all select i + 1 from n where i + 1 < ?6) \
             insert into segment ({}) select {} from n cross join segment t where t.id = ?2",
            columns.join(", "),
            values.join(", ")
        );
        let mut rows = 0;
        for (_, _, stream, like) in &self.streams {
            let insert = sqlx::query(sqlx::AssertSqlSafe(text.clone())).bind(stream).bind(like).bind(self.begin_us);
            let insert = insert.bind(STEP_US).bind(places.start).bind(places.end);
            if !places.is_empty() {
                rows += insert.execute(&mut self.database).await.expect("rows").rows_affected();
            }
        }
        let total = "update segment_total set segments = segments + ?1, bytes = bytes + ?1";
        let rows = i64::try_from(rows).expect("a count");
        sqlx::query(total).bind(rows).execute(&mut self.database).await.expect("the total");
        rows
    }

    /// Addresses of spans of a length anywhere in the index, whose first files are made.
    async fn spans(&mut self, data: &Path, count: i64, long_us: i64) -> Vec<String> {
        let mut random = fastrand::Rng::with_seed(2026);
        let last = "select max(start_us) from segment where path like 'bench/%' and stream = ?1";
        let mut asked = Vec::new();
        for _ in 0..count {
            let (camera, kind, stream, like) = &self.streams[random.usize(..self.streams.len())];
            let row = sqlx::query(last).bind(stream).fetch_one(&mut self.database).await.expect("the last");
            let from = random.i64(self.begin_us..=(row.get::<i64, _>(0) - long_us).max(self.begin_us));
            // A segment may be a little longer than a minute.
            let paths = "select a.path, b.path from segment a, segment b \
                         where a.stream = ?1 and a.start_us between ?2 and ?3 and b.id = ?4";
            let paths = sqlx::query(paths).bind(stream).bind(from - 2 * STEP_US).bind(from + ASKED_US).bind(like);
            for row in paths.fetch_all(&mut self.database).await.expect("paths") {
                let [link, real] = [0, 1].map(|i| data.join("store").join(row.get::<String, _>(i)));
                std::fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
                if !link.exists() {
                    std::fs::hard_link(real, link).expect("a link");
                }
            }
            asked.push(format!("/api/v1/cameras/{camera}/video.mp4?from={from}&to={}&stream={kind}", from + long_us));
        }
        asked
    }

    async fn close(self) {
        self.database.close().await.expect("it closes");
    }
}
