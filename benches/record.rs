//! Question: what does recording cost, and is anything lost? CPU seconds per camera-hour of `vonglau serve --record-only`
//! against `ffmpeg -c copy` on the same streams (main and sub) of the same simulator in the same run, A-B-A-B.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vonglau"))
}

fn main() {
    let (seconds, rounds) = (setting("BENCH_SECONDS", 20), setting("BENCH_ROUNDS", 2));
    for cameras in [4, 37] {
        bench(cameras, seconds, rounds);
    }
}

/// A child whose output is read line by line as JSON.
fn start(command: &mut Command) -> (Child, impl Iterator<Item = Value> + use<>) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("output"));
    (child, out.lines().map_while(Result::ok).filter_map(|l| serde_json::from_str(&l).ok()))
}

fn bench(cameras: u64, seconds: u64, rounds: u64) {
    let n = cameras.to_string();
    let sim_args = ["sim", "--port", "0", "--until-stdin-ends", "--cameras", &n, "--size", "1920x1080", "--fps", "25"];
    let (mut sim, mut lines) = start(program().args(sim_args).args(["--bitrate", "4000"]));
    let mut urls = Vec::new();
    loop {
        let line = lines.next().expect("the simulator ended early");
        if line["ready"] == true {
            break;
        }
        urls.push((line["main"].as_str().expect("url").to_owned(), line["sub"].as_str().expect("url").to_owned()));
    }
    let (mut ours, mut theirs) = (Cost::default(), Cost::default());
    for _ in 0..rounds {
        ours.add(&record_ours(&urls, seconds));
        theirs.add(&record_ffmpeg(&urls, seconds));
    }
    // The whole fleet is the question; fewer cameras carry their number.
    let name = |what: &str| if cameras == 37 { format!("record_{what}") } else { format!("record_{what}_{cameras}") };
    let hours = |cost: &Cost| cameras as f64 * cost.seconds / 3600.0;
    let (a, b) = (ours.cpu_seconds / hours(&ours), theirs.cpu_seconds / hours(&theirs));
    print_line(&name("cpu"), a, b, "cpu_s_per_camera_hour");
    print_line(&name("memory"), ours.megabytes, theirs.megabytes, "MB_resident_max");
    println!(
        "{}",
        json!({ "name": name("lost"), "peer": null, "ours": ours.lost, "theirs": null, "ratio": null,
                "unit": "packets", "argv": argv() })
    );
    assert_eq!(ours.lost, 0, "packets were lost");
    drop(sim.stdin.take());
    sim.wait().expect("the simulator ends");
}

fn argv() -> Vec<String> {
    std::env::args().collect()
}

fn print_line(name: &str, ours: f64, theirs: f64, unit: &str) {
    let round = |x: f64| (x * 1000.0).round() / 1000.0;
    println!(
        "{}",
        json!({ "name": name, "peer": "ffmpeg", "ours": round(ours), "theirs": round(theirs), "ratio": round(ours / theirs),
                "unit": unit, "argv": argv() })
    );
}

#[derive(Default)]
struct Cost {
    cpu_seconds: f64,
    seconds: f64,
    megabytes: f64,
    lost: u64,
}

impl Cost {
    fn add(&mut self, other: &Self) {
        self.cpu_seconds += other.cpu_seconds;
        self.seconds += other.seconds;
        self.megabytes = self.megabytes.max(other.megabytes);
        self.lost += other.lost;
    }
}

fn record_ours(urls: &[(String, String)], seconds: u64) -> Cost {
    let data = tempfile::tempdir().expect("a folder");
    let list: String = urls
        .iter()
        .enumerate()
        .map(|(i, (main, sub))| format!("[[camera]]\nname = \"{i}\"\nmain_url = \"{main}\"\nsub_url = \"{sub}\"\n"))
        .collect();
    let (file, folder) = (data.path().join("cameras.toml"), data.path().display().to_string());
    std::fs::write(&file, list).expect("the list is written");
    let imported = program().args(["camera", "import", "--data", &folder]).arg(&file).stdout(Stdio::null()).status();
    assert!(imported.expect("import runs").success());
    let args =
        ["serve", "--record-only", "--data", &folder, "--listen", "127.0.0.1:0", "--summary", "--until-stdin-ends"];
    let (mut serve, mut lines) = start(program().args(args).env("RUST_LOG", "error"));
    lines.next().expect("it serves");
    let since = Instant::now();
    std::thread::sleep(Duration::from_secs(seconds));
    drop(serve.stdin.take());
    let summary = lines.last().expect("a summary");
    let seconds = since.elapsed().as_secs_f64();
    assert!(serve.wait().expect("it ends").success());
    let number = |key: &str| summary[key].as_f64().unwrap_or_else(|| panic!("no {key} in {summary}"));
    assert!(number("packets_recorded") > 0.0, "nothing was recorded: {summary}");
    Cost {
        cpu_seconds: number("cpu_seconds"),
        seconds,
        megabytes: number("rss_bytes_max") / 1e6,
        lost: (number("packets_received") - number("packets_recorded")) as u64,
    }
}

/// One ffmpeg a camera, both streams copied into segments of a minute.
fn record_ffmpeg(urls: &[(String, String)], seconds: u64) -> Cost {
    let data = tempfile::tempdir().expect("a folder");
    let cpu_before = children_cpu_seconds();
    let since = Instant::now();
    let start_one = |(i, (main, sub)): (usize, &(String, String))| {
        let file = |kind: &str| data.path().join(format!("{i}-{kind}-%03d.mp4")).display().to_string();
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error"]);
        for url in [main, sub] {
            command.args(["-rtsp_transport", "tcp", "-i", url]);
        }
        for (input, kind) in ["main", "sub"].iter().enumerate() {
            let map = format!("{input}:v");
            command.args(["-map", &map, "-c", "copy", "-f", "segment", "-segment_time", "60"]).arg(file(kind));
        }
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ffmpeg runs")
    };
    let mut all: Vec<Child> = urls.iter().enumerate().map(start_one).collect();
    std::thread::sleep(Duration::from_secs(seconds));
    let bytes: f64 = all.iter().map(|c| resident_bytes(c.id())).sum();
    for child in &all {
        let stopped = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(stopped.expect("kill runs").success());
    }
    for child in &mut all {
        child.wait().expect("ffmpeg ends");
    }
    let seconds = since.elapsed().as_secs_f64();
    let written = folder_bytes(data.path());
    assert!(written > 10_000 * urls.len() as u64, "the peer recorded only {written} bytes: its figure would not count");
    Cost { cpu_seconds: children_cpu_seconds() - cpu_before, seconds, megabytes: bytes / 1e6, lost: 0 }
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("the folder");
    entries.filter_map(|e| e.ok()?.metadata().ok()).map(|m| m.len()).sum()
}

/// CPU seconds of children that were waited for (proc(5): cutime and cstime are fields 16 and 17).
fn children_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    after_name.split_whitespace().skip(13).take(2).filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn resident_bytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) * 1024.0
}
