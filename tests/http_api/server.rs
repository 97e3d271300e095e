//! A running server on loopback and a client that sends exactly what a test says.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime, sync::Notify, task::JoinHandle};
use vonglau::{
    domain::{
        colour::{Colour, ColourShare, Part, PartColours},
        detection::Class,
        event::{Event, PathPoint},
        geometry::NormBox,
        ids::{CameraId, EventId, RuleId, TrackId},
        rule::RuleKind,
        time::{MediaTime, Span, WallTime},
        track::TrackPoint,
    },
    events::crops::{self, CropKind},
    http::{self, AppState, routes::Route},
    logic::path::Way,
    record::live::Live,
    runtime::{board::Board, clock::Clock, counters::Counters, secrets, stop::Stop, tasks::ShortTasks},
    store::{Store, TrackRow},
};

/// 2026-11-20 21:04:10 in Vietnam.
pub const NOW_US: i64 = 1_795_183_450_000_000;

/// The token of the set-up link.
pub const SETUP: &str = "5e7";

pub struct Server {
    pub runtime: Runtime,
    pub addr: SocketAddr,
    pub state: AppState,
    pub stop: Stop,
    pub served: Option<JoinHandle<()>>,
    /// Holds the data folder.
    _folder: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        Self::with(None)
    }
    /// With other rows than the program's.
    pub fn with(rows: Option<&'static [Route]>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let stop = Stop::new();
        let state = AppState {
            store: runtime.block_on(Store::in_memory()).unwrap(),
            board: Arc::new(Board::default()),
            counters: Arc::new(Counters::default()),
            clock: Clock::stepped(WallTime(NOW_US)),
            data_dir: folder.path().join("data"),
            store_dir: folder.path().join("store"),
            live: Live::new(Arc::default()),
            stills: Arc::new(http::Stills::new(None)),
            vision: None,
            setup: Some(secrets::token_hash(SETUP).into()),
            looks: http::Looks::default(),
            site: "Xã Thử".into(),
            stop: stop.clone(),
            tasks: ShortTasks::default(),
            on_config: Arc::new(Notify::new()),
        };
        let router = match rows {
            Some(rows) => http::router_of(rows, state.clone()),
            None => http::router(state.clone()),
        };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let served = runtime.spawn(http::serve_router(listener, router, stop.clone()));
        Self { runtime, addr, state, stop, served: Some(served), _folder: folder }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, b"")
    }
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"")
    }
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }
    /// One request on a connection of its own. A `Host` among the headers replaces the right one.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.open(method, path, headers, body);
        let head = Head::read(&mut stream);
        let mut answer = Answer { status: head.status, headers: head.headers, body: Vec::new() };
        if method != "HEAD" {
            answer.body = read_body(&mut stream, &answer.headers);
        }
        answer
    }
    /// Sends a request and leaves the connection open.
    pub fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        // Only so that a hanging server fails the test instead of hanging it.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text += &format!("Host: {}\r\n", self.addr);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text += "\r\n";
        stream.write_all(text.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        BufReader::new(stream)
    }

    /// A camera called `name`; returns its id.
    pub fn camera(&self, name: &str) -> i64 {
        let draft = json!({"name": name, "main_url": "rtsp://10.0.0.1/1", "sub_url": "rtsp://10.0.0.1/2"});
        self.post("/api/v1/cameras", &draft).ok(201)["id"].as_i64().unwrap()
    }
    /// A rule for every camera; returns its id.
    pub fn rule(&self) -> i64 {
        self.post("/api/v1/rules", &json!({"name": "Cổng", "kind": "intrusion"})).ok(201)["id"].as_i64().unwrap()
    }
    /// A track of a camera with one picture; returns its id.
    pub fn track(&self, camera: i64, number: i64, start_us: i64) -> i64 {
        let rect = NormBox::new(0.1, 0.2, 0.3, 0.4).unwrap();
        let (track, class) = (TrackId(number), Class::Motorcycle);
        let best = TrackPoint { track, class, score: 0.8, rect, confirmed: true, held: false, identity: 0.9 };
        let mut way = Way::default();
        for (second, x) in [(0, 0.1), (2, 0.5)] {
            way.push(MediaTime(start_us + second * 1_000_000), NormBox::new(x, 0.2, x + 0.2, 0.4).unwrap());
        }
        let shares = vec![ColourShare { colour: Colour::Red, share: 0.8 }];
        let row = TrackRow {
            id: None,
            camera: CameraId(camera),
            span: Span { start_us, end_us: start_us + 2_000_000 },
            best,
            points: 9,
            open: false,
            votes: BTreeMap::from([(class, 9)]),
            colours: vec![PartColours { part: Part::Body, shares }],
            size_px: Some([64, 36]),
            path: way.encode(),
        };
        let id = self.runtime.block_on(self.state.store.keep_tracks(&[row])).unwrap()[0];
        let path = crops::path(&self.state.data_dir, id, start_us, CropKind::Largest);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"\xff\xd8jpeg\xff\xd9").unwrap();
        id
    }
    /// An event of a camera; returns its id.
    pub fn event(&self, camera: i64, rule: i64, start_us: i64) -> i64 {
        let rect = NormBox::new(0.1, 0.2, 0.3, 0.4).unwrap();
        let event = Event {
            id: EventId(0),
            camera: CameraId(camera),
            rule: RuleId(rule),
            rule_version: 1,
            rule_name: "Cổng".into(),
            kind: RuleKind::Intrusion,
            class: Some(Class::Person),
            track: None,
            start_us,
            end_us: start_us + 2_000_000,
            open: false,
            revision: 2,
            score: 0.8,
            rect,
            path: vec![PathPoint { time_us: start_us, rect }],
            model_sha256: None,
            numbers: BTreeMap::from([("k".to_owned(), 2.0)]),
        };
        self.runtime.block_on(self.state.store.insert_event(&event)).unwrap().0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.now();
        if let Some(served) = self.served.take() {
            self.runtime.block_on(crate::wait::done(served)).unwrap();
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
    /// The JSON of an answer that must have this status.
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
    /// The places of a refusal that must have this status; each has both sentences.
    pub fn refused(&self, status: u16) -> Vec<String> {
        let json = self.ok(status);
        let errors = json["errors"].as_array().unwrap();
        assert!(!errors.is_empty());
        for error in errors {
            assert!(error["vi"].as_str().unwrap().len() > 5 && error["en"].as_str().unwrap().len() > 5, "{error}");
        }
        errors.iter().map(|e| e["place"].as_str().unwrap().to_owned()).collect()
    }
}

/// Status and headers of an answer.
pub struct Head {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
}

impl Head {
    pub fn read(stream: &mut impl BufRead) -> Self {
        let status = line(stream);
        let status = status.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {status:?}")).parse().unwrap();
        let mut headers = BTreeMap::new();
        loop {
            let line = line(stream);
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Self { status, headers }
    }
}

/// One line without its end; empty at the end of the stream.
pub fn line(stream: &mut impl BufRead) -> String {
    let mut bytes = Vec::new();
    stream.read_until(b'\n', &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap().trim_end().to_owned()
}

fn read_body(stream: &mut impl BufRead, headers: &BTreeMap<String, String>) -> Vec<u8> {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|v| v == "chunked") {
        loop {
            let size = usize::from_str_radix(&line(stream), 16).unwrap();
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).unwrap();
            line(stream);
            body.extend(chunk);
            if size == 0 {
                return body;
            }
        }
    }
    let length = headers.get("content-length").map_or(0, |v| v.parse().unwrap());
    body.resize(length, 0);
    stream.read_exact(&mut body).unwrap();
    body
}
