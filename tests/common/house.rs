//! The real program as a user runs it: simulator and service as processes, spoken to over HTTP.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::wait;
pub use super::wait::HANGING;

/// Now, UTC microseconds.
pub fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_micros()).expect("before the year 290 000")
}

/// A program that ends when its standard input is closed.
pub struct Program {
    pub child: Child,
    /// Its output; read beside, so that a program that says nothing keeps nobody waiting for ever.
    lines: Receiver<String>,
}

impl Program {
    pub fn start(args: &[&str]) -> Self {
        Self::start_in(args, &[])
    }
    pub fn start_in(args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start_under(&[], args, env)
    }
    /// The same inside another program, such as `strace` with its options.
    pub fn start_under(wrapper: &[&str], args: &[&str], env: &[(&str, &str)]) -> Self {
        let words: Vec<&str> = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_vonglau")]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(args).envs(env.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("its output is piped");
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            // Nobody listens any more when the test is over.
            lines.take_while(|line| tell.send(line.clone()).is_ok()).for_each(drop);
        });
        Self { child, lines }
    }
    /// The next line of its output as JSON; panics when it has ended.
    pub fn json(&mut self) -> Value {
        let line = self.lines.recv_timeout(HANGING).expect("the program says something and does not end early");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }
    /// Waits for its end: whether it ended well, and the last line of its output if that is JSON.
    pub fn wait(mut self) -> (bool, Option<Value>) {
        let status = wait::ended(&mut self.child);
        let mut last = None;
        while let Ok(line) = self.lines.recv_timeout(HANGING) {
            last = serde_json::from_str(&line).ok();
        }
        (status.success(), last)
    }
    /// Waits while its input stays open.
    pub fn end_by_itself(mut self) -> (bool, Option<Value>) {
        let held = self.child.stdin.take();
        let ended = self.wait();
        drop(held);
        ended
    }
    /// Closes its input and waits.
    pub fn end(mut self) -> (bool, Option<Value>) {
        drop(self.child.stdin.take());
        self.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A failed test leaves nothing running behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Simulated cameras.
pub struct Cameras {
    pub program: Program,
    /// Main and sub address of each.
    pub urls: Vec<(String, String)>,
    /// When they were ready, UTC microseconds: the zero of a script of faults.
    pub ready_us: i64,
}

impl Cameras {
    pub fn start(args: &[&str]) -> Self {
        let all: Vec<&str> = ["sim", "--port", "0", "--until-stdin-ends"].iter().chain(args).copied().collect();
        let mut program = Program::start(&all);
        let mut urls = Vec::new();
        loop {
            let line = program.json();
            if line["ready"] == true {
                let ready_us = line["ready_us"].as_i64().expect("a time");
                return Self { program, urls, ready_us };
            }
            let url = |key: &str| line[key].as_str().expect("an address").to_owned();
            urls.push((url("main"), url("sub")));
        }
    }
}

impl Cameras {
    /// The one port they all are at.
    pub fn port(&self) -> u16 {
        let address = self.urls[0].0.trim_start_matches("rtsp://").split('/').next().expect("an address");
        address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port")
    }
}

/// A serving program.
pub struct House {
    pub program: Program,
    pub base: String,
    /// The set-up link, while there are no accounts.
    pub setup: Option<String>,
}

impl House {
    pub fn start(data: &Path, more: &[&str]) -> Self {
        Self::start_under(&[], data, more, &[])
    }
    pub fn start_under(wrapper: &[&str], data: &Path, more: &[&str], env: &[(&str, &str)]) -> Self {
        let data = data.display().to_string();
        let fixed = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--summary", "--until-stdin-ends"];
        let all: Vec<&str> = fixed.iter().chain(more).copied().collect();
        let mut program = Program::start_under(wrapper, &all, env);
        let said = program.json();
        let base = format!("http://{}", said["listen"].as_str().expect("an address"));
        Self { program, base, setup: said["setup"].as_str().map(str::to_owned) }
    }
    pub fn get(&self, path: &str) -> Value {
        let text = agent().get(format!("{}{path}", self.base)).call().and_then(|mut r| r.body_mut().read_to_string());
        let text = text.unwrap_or_else(|e| panic!("GET {path}: {e}"));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("GET {path}: {e}: {text}"))
    }
    /// Status and body, whatever the status.
    pub fn get_bytes(&self, path: &str) -> (u16, Vec<u8>) {
        let (status, body, _) = self.get_media(path);
        (status, body)
    }
    /// Status, body, and when its first picture was taken if the answer says so.
    pub fn get_media(&self, path: &str) -> (u16, Vec<u8>, Option<i64>) {
        let mut answer = agent().get(format!("{}{path}", self.base)).call().expect("an answer");
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a body");
        let start = answer.headers().get("x-clip-start-us").and_then(|v| v.to_str().ok()?.parse().ok());
        (answer.status().as_u16(), body, start)
    }
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(agent().post(format!("{}{path}", self.base)), body)
    }
    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(agent().put(format!("{}{path}", self.base)), body)
    }
    fn send(&self, request: ureq::RequestBuilder<ureq::typestate::WithBody>, body: &Value) -> (u16, Value) {
        let mut answer = request.header("content-type", "application/json").send(body.to_string()).expect("an answer");
        let text = answer.body_mut().read_to_string().expect("a body");
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }
    pub fn add_cameras(&self, urls: &[(String, String)]) -> Vec<i64> {
        let add = |(i, (main, sub)): (usize, &(String, String))| {
            let draft = serde_json::json!({ "name": format!("Camera {}", i + 1), "main_url": main, "sub_url": sub });
            let (status, camera) = self.post("/api/v1/cameras", &draft);
            assert_eq!(status, 201, "{camera}");
            camera["id"].as_i64().expect("an id")
        };
        urls.iter().enumerate().map(add).collect()
    }
    /// Gives a camera of the running program another login; its name and addresses stay.
    pub fn change_login(&self, camera: i64, username: &str, password: &str, (main, sub): &(String, String)) {
        let path = format!("/api/v1/cameras/{camera}");
        let name = self.get(&path)["name"].clone();
        let draft = serde_json::json!({
            "name": name, "main_url": main, "sub_url": sub, "username": username, "password": password,
        });
        let (status, answer) = self.put(&path, &draft);
        assert_eq!(status, 200, "{answer}");
    }
    pub fn add_rule(&self, rule: &Value) {
        let (status, answer) = self.post("/api/v1/rules", rule);
        assert_eq!(status, 201, "{answer}");
    }
    pub fn counter(&self, name: &str) -> u64 {
        self.get("/api/v1/status")["counters"][name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
    }
    /// Asks again and again until `done` holds.
    pub fn wait_until(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let since = Instant::now();
        while !done(self) {
            assert!(since.elapsed() < HANGING, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    pub fn wait_until_recorded(&self, packets: u64) {
        self.wait_until("packets are recorded", |h| h.counter("packets_recorded") >= packets);
    }
    pub fn wait_until_streaming(&self) {
        self.wait_until("every stream is streaming", |h| {
            let cameras = h.get("/api/v1/cameras");
            let mut streams = cameras["cameras"]
                .as_array()
                .expect("cameras")
                .iter()
                .flat_map(|c| c["streams"].as_array().expect("streams").clone());
            streams.all(|s| s["status"]["state"] == "streaming")
        });
    }
    /// SIGTERM; it must end well. The summary.
    pub fn stop(self) -> Value {
        self.program.signal("TERM");
        let (well, summary) = self.program.wait();
        assert!(well, "serve did not end well: {summary:?}");
        summary.expect("a summary")
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(HANGING)).build().into()
}
