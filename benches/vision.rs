//! Question: what does the analysis find of what brute force finds, and what does it cost?
//!
//! `judge`: tracks of brute force found again by the gated looks, and by one whole frame five times a second (the peer), with
//! their runs of the detector a frame: of each clip as a sub stream shows it (640×360) and as it is, and of the busiest one by
//! brute force itself a tenth of a second later, which is as much as can be asked. `kinds`: CPU-seconds of a camera-hour at 640×360, 10 frames a second, on a quiet scene,
//! an infrared night and a busy road, beside (a) every frame decoded and detected whole at five a second and (b) ffmpeg, frame
//! difference, the same detector. `fleet`: 37 cameras, main recorded and sub analysed, the simulator on the same machine:
//! packets lost, lag, CPU. `BENCH_PARTS=judge,kinds,fleet` chooses; `BENCH_SECONDS` is the length of `fleet`.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use vonglau::{
    domain::{frame::Frame, ids::CameraId, time::MediaTime, track::FrameSeen},
    logic::score::recall::{Courses, recall},
    runtime::clock::process_cpu_us,
    vision::{
        analyze::{Method, Summary, analyze},
        detect::{Detector, Outcome},
        model::Model,
        picture::Scaler,
    },
};

#[path = "../tests/common/mod.rs"]
mod common;

use common::shared_data;

/// The clips that are judged.
const CLIPS: [&str; 4] =
    ["vn-intersection.mp4", "intel-car-detection.mp4", "intel-one-by-one-person.mp4", "left-bag.avi"];
const CAMERAS: usize = 37;
const BUSY: usize = 8;

fn line(name: &str, peer: Option<&str>, ours: f64, theirs: Option<f64>, unit: &str) {
    let argv: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let (ratio, peer, theirs): (Value, Value, Value) = (json!(theirs.map(|t| ours / t)), json!(peer), json!(theirs));
    println!(
        "{}",
        json!({ "name": name, "peer": peer, "ours": ours, "theirs": theirs, "ratio": ratio, "unit": unit, "argv": argv })
    );
}

fn main() {
    let Some(data) = shared_data("models").map(|models| models.parent().expect("a folder").to_owned()) else { return };
    if !vonglau::vision::telemetry_is_off() {
        // ONNX Runtime is not loaded otherwise, and a running program cannot set it for itself.
        let mut again = Command::new(std::env::current_exe().expect("a path"));
        let status =
            again.args(std::env::args().skip(1)).env("ORT_DISABLE_TELEMETRY", "1").status().expect("it starts");
        std::process::exit(status.code().unwrap_or(1));
    }
    let model = Model::load(&data.join("models/yolox_nano.onnx")).expect("the model");
    let parts = std::env::var("BENCH_PARTS").unwrap_or_else(|_| "judge,kinds,fleet".to_owned());
    let scratch = tempfile::tempdir().expect("a folder");
    for part in parts.split(',') {
        match part {
            "judge" => {
                judge("sub stream", &subs(&data.join("video"), scratch.path()), &model);
                judge("own size", &CLIPS.map(|clip| data.join("video").join(clip)), &model);
                again(&subs(&data.join("video"), scratch.path())[0], &model, scratch.path());
            }
            "kinds" => kinds(&data.join("video"), &model, scratch.path()),
            "fleet" => fleet(&data, scratch.path()),
            other => panic!("no part {other}"),
        }
    }
}

fn run(file: &Path, model: &Model, method: Method) -> (Courses, Summary) {
    run_later(file, model, method, 0)
}

/// As [`run`], the film's times counted from `later_us`.
fn run_later(file: &Path, model: &Model, method: Method, later_us: i64) -> (Courses, Summary) {
    let mut courses = Courses::default();
    let summary = analyze(file, Some(model.clone()), method, &mut |seen| {
        courses.add(&FrameSeen { time: seen.time.plus_us(later_us), ..seen.clone() });
    });
    (courses, summary.expect("the clip is analysed"))
}

/// The clips as a camera's sub stream shows them.
fn subs(videos: &Path, folder: &Path) -> [PathBuf; 4] {
    CLIPS.map(|clip| {
        let out = folder.join(clip).with_extension("mp4");
        let coding = ["-an", "-vf", "scale=640:360", "-c:v", "libx264", "-preset", "veryfast", "-crf", "16"];
        let input = videos.join(clip).display().to_string();
        ffmpeg(&[&["-i", &input][..], &coding, &["-pix_fmt", "yuv420p"]].concat(), &out);
        out
    })
}

/// Brute force judged by brute force over the pictures between: two runs of the same way never agree in everything.
fn again(file: &Path, model: &Model, folder: &Path) {
    let out = folder.join("later.mp4");
    let filter = ["-vf", "select='gte(n,3)',setpts=PTS-STARTPTS", "-an", "-c:v", "libx264", "-crf", "10"];
    ffmpeg(&[&["-i", &file.display().to_string()][..], &filter].concat(), &out);
    let (judge, _) = run(file, model, Method::Brute);
    let (later, _) = run_later(&out, model, Method::Brute, 100_000);
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    let recall = recall(&judge, &later);
    line(
        "sub stream, busiest clip: found by brute force 0.1 s later",
        None,
        share(recall.found, recall.asked),
        None,
        "share",
    );
}

fn judge(kind: &str, files: &[PathBuf; 4], model: &Model) {
    let peer = Some("one whole frame, 5 a second");
    let mut sums = [[0usize; 3]; 2];
    for (file, clip) in files.iter().zip(CLIPS) {
        let clip = format!("{kind}, {clip}");
        let (judge, _) = run(file, model, Method::Brute);
        let results = [Method::Gated, Method::Whole].map(|method| {
            let (courses, summary) = run(file, model, method);
            let runs = summary.inferences as f64 / summary.frames_analysed.max(1) as f64;
            (recall(&judge, &courses), runs, courses.believed().count() as f64)
        });
        let [(ours, our_runs, our_tracks), (theirs, their_runs, their_tracks)] = results;
        let share = |n: usize| n as f64 / ours.asked.max(1) as f64;
        line(&format!("{clip}: tracks of brute force"), None, ours.asked as f64, None, "count");
        line(&format!("{clip}: found"), peer, share(ours.found), Some(share(theirs.found)), "share");
        line(
            &format!("{clip}: followed by one track"),
            peer,
            share(ours.followed),
            Some(share(theirs.followed)),
            "share",
        );
        line(&format!("{clip}: runs of the detector a frame"), peer, our_runs, Some(their_runs), "count");
        line(&format!("{clip}: tracks"), peer, our_tracks, Some(their_tracks), "count");
        for (sum, r) in sums.iter_mut().zip([ours, theirs]) {
            *sum = [sum[0] + r.asked, sum[1] + r.found, sum[2] + r.followed];
        }
    }
    let share = |s: [usize; 3], i: usize| s[i] as f64 / s[0].max(1) as f64;
    line(&format!("{kind}, all clips: found"), peer, share(sums[0], 1), Some(share(sums[1], 1)), "share");
    line(
        &format!("{kind}, all clips: followed by one track"),
        peer,
        share(sums[0], 2),
        Some(share(sums[1], 2)),
        "share",
    );
}

fn ffmpeg(args: &[&str], out: &Path) {
    let status = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(args).arg(out).status();
    assert!(status.expect("ffmpeg runs").success(), "ffmpeg {args:?}");
}

/// Three scenes as cameras send them, so many seconds each, in that size and rate.
fn scenes(videos: &Path, folder: &Path, (size, fps): (&str, &str), seconds: u32) -> [(&'static str, PathBuf); 3] {
    let road = videos.join("vn-intersection.mp4").display().to_string();
    let made = |name: &'static str, input: &[&str], filter: &str| {
        let out = folder.join(format!("{name}-{size}-{seconds}.mp4"));
        let filter = format!("scale={size},fps={fps},{filter}");
        let gop = (2 * fps.parse::<u32>().expect("a rate")).to_string();
        let coding =
            ["-an", "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-b:v", "512k", "-pix_fmt", "yuv420p"];
        let length = seconds.to_string();
        let args = [input, &["-t", &length, "-vf", &filter, "-g", &gop], &coding].concat();
        ffmpeg(&args, &out);
        (name, out)
    };
    let still = folder.join("still.png");
    ffmpeg(&["-i", &road, "-frames:v", "1"], &still);
    let still = still.display().to_string();
    [
        made("quiet", &["-loop", "1", "-i", &still], "noise=alls=3:allf=t"),
        made("night", &["-loop", "1", "-i", &still], "hue=s=0,eq=brightness=-0.25,noise=alls=14:allf=t"),
        made("busy", &["-stream_loop", "-1", "-i", &road], "null"),
    ]
}

fn kinds(videos: &Path, model: &Model, folder: &Path) {
    let goals = [("quiet", 25.0), ("night", 60.0), ("busy", 300.0)];
    // Of a long film less a short one that begins alike: loading and the first pictures are no cost of an hour.
    let [short, long] = [20, 140].map(|seconds| scenes(videos, folder, ("640x360", "10"), seconds));
    for (((name, short), (_, long)), (_, goal)) in short.into_iter().zip(long).zip(goals) {
        let cost = |method| {
            let [(_, short), (_, long)] = [&short, &long].map(|file| run(file, model, method));
            let seconds = (long.duration_us - short.duration_us) as f64 / 1e6;
            (long.cpu_seconds - short.cpu_seconds) / seconds * 3600.0
        };
        let (ours, naive, difference) = (cost(Method::Gated), cost(Method::Whole), by_difference(&long, model));
        let unit = "cpu_s_per_camera_hour";
        line(&format!("{name}: cpu"), Some("limit"), ours, Some(goal), unit);
        line(&format!("{name}: cpu"), Some("every frame decoded, one whole frame 5 a second"), ours, Some(naive), unit);
        line(&format!("{name}: cpu"), Some("ffmpeg, frame difference, same detector"), ours, Some(difference), unit);
    }
}

/// The peer: ffmpeg decodes, five frames a second are compared with the one before, what differs is detected whole.
fn by_difference(file: &Path, model: &Model) -> f64 {
    const SIZE: (u32, u32) = (640, 360);
    let mut detector = Detector::load(&model.bytes, &model.spec).expect("the model");
    let (before, children) = (process_cpu_us(), children_cpu_seconds());
    let mut child = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-threads", "1", "-i"])
        .arg(file)
        .args(["-vf", "fps=5", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg runs");
    let mut out = child.stdout.take().expect("output");
    let (mut scaler, mut last, mut frames) = (Scaler::default(), Vec::new(), 0u32);
    let mut data = vec![0u8; Frame::size_bytes(SIZE.0, SIZE.1)];
    while out.read_exact(&mut data).is_ok() {
        frames += 1;
        let time = MediaTime(i64::from(frames) * 200_000);
        let frame = Frame { camera: CameraId(0), time, width: SIZE.0, height: SIZE.1, data: data.clone().into() };
        let small = scaler.averaged(frame.luma(), SIZE, (160, 90));
        let moved = small.iter().zip(&last).filter(|(a, b): &(&u8, &u8)| a.abs_diff(**b) > 15).count();
        if moved > 8 {
            let found = detector.detect(&frame, &mut scaler).expect("the detector runs");
            assert!(matches!(found, Outcome::Found(_)));
        }
        last = small;
    }
    child.wait().expect("ffmpeg ends");
    let spent = (process_cpu_us() - before) as f64 / 1e6 + children_cpu_seconds() - children;
    spent / (f64::from(frames) / 5.0) * 3600.0
}

/// CPU seconds of children that were waited for (proc(5): cutime and cstime are fields 16 and 17).
fn children_cpu_seconds() -> f64 {
    stat_seconds("self", 13)
}

/// Two neighbouring times of `/proc/PID/stat`, seconds.
fn stat_seconds(pid: &str, skip: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, after_name)) = stat.rsplit_once(')') else { return 0.0 };
    after_name.split_whitespace().skip(skip).take(2).filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// A child whose output is read line by line as JSON.
fn start(command: &mut Command) -> (Child, impl Iterator<Item = Value> + use<>) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("output"));
    (child, out.lines().map_while(Result::ok).filter_map(|l| serde_json::from_str(&l).ok()))
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vonglau"))
}

fn fleet(data: &Path, folder: &Path) {
    let [(_, quiet), _, (_, busy)] = scenes(&data.join("video"), folder, ("1920x1080", "25"), 30);
    let videos = (0..CAMERAS).flat_map(|i| ["--video".into(), if i < BUSY { busy.clone() } else { quiet.clone() }]);
    let n = CAMERAS.to_string();
    let args = ["sim", "--port", "0", "--until-stdin-ends", "--cameras", &n, "--size", "1920x1080", "--fps", "25"];
    let (mut sim, mut lines) = start(program().args(args).args(["--bitrate", "4000"]).args(videos));
    let mut list = String::new();
    loop {
        let line = lines.next().expect("the simulator ended early");
        if line["ready"] == true {
            break;
        }
        let (main, sub) = (line["main"].as_str().expect("url"), line["sub"].as_str().expect("url"));
        list += &format!("[[camera]]\nname = \"{main}\"\nmain_url = \"{main}\"\nsub_url = \"{sub}\"\n");
    }
    let (place, cameras) = (folder.join("data").display().to_string(), folder.join("cameras.toml"));
    std::fs::write(&cameras, list).expect("the list is written");
    let imported = program().args(["camera", "import", "--data", &place]).arg(&cameras).stdout(Stdio::null()).status();
    assert!(imported.expect("import runs").success());
    let args = ["serve", "--data", &place, "--listen", "127.0.0.1:0", "--summary", "--until-stdin-ends", "--model"];
    let model = data.join("models/yolox_nano.onnx");
    let (mut serve, mut lines) = start(program().args(args).arg(model).env("RUST_LOG", "error"));
    let ready = lines.next().expect("it serves");
    let address = ready["listen"].as_str().unwrap_or_else(|| panic!("no address in {ready}")).to_owned();
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|v| v.parse().ok()).unwrap_or(60);
    let (lags, vision_cpu) = watch(&address, serve.id(), seconds);
    drop(serve.stdin.take());
    let summary = lines.last().expect("a summary");
    assert!(serve.wait().expect("it ends").success());
    drop(sim.stdin.take());
    sim.wait().expect("the simulator ends");
    report(&summary, &lags, vision_cpu, seconds);
}

/// Looks at the counters once a second: the lags of all cameras in seconds, and what the analysis took, CPU-seconds.
fn watch(address: &str, pid: u32, seconds: u64) -> (Vec<f64>, f64) {
    let url = format!("http://{}/metrics", address.trim_start_matches("http://").trim_end_matches('/'));
    let (since, mut lags, mut cpu) = (Instant::now(), Vec::new(), 0.0f64);
    while since.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_secs(1));
        let text = ureq::get(&url).call().expect("metrics").body_mut().read_to_string().expect("a text");
        let lag = |l: &str| -> Option<f64> {
            l.strip_prefix("vonglau_camera_lag_seconds{")?.rsplit(' ').next()?.parse().ok()
        };
        // The first seconds are those of loading and of the first pictures.
        if since.elapsed() > Duration::from_secs(10) {
            lags.extend(text.lines().filter_map(lag));
        }
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let spent: f64 = children.split_whitespace().map(|child| stat_seconds(child, 11)).sum();
        cpu = cpu.max(spent);
    }
    lags.sort_by(f64::total_cmp);
    (lags, cpu)
}

fn report(summary: &Value, lags: &[f64], vision_cpu: f64, seconds: u64) {
    let number = |key: &str| summary[key].as_f64().unwrap_or_else(|| panic!("no {key} in {summary}"));
    let quantile = |share: f64| lags.get(((lags.len() as f64 * share) as usize).min(lags.len().saturating_sub(1)));
    let hours = CAMERAS as f64 * seconds as f64 / 3600.0;
    line("fleet: packets lost", None, number("packets_received") - number("packets_recorded"), None, "count");
    line("fleet: lag p50", None, quantile(0.5).copied().unwrap_or(f64::NAN), None, "s");
    line("fleet: lag p95", Some("limit"), quantile(0.95).copied().unwrap_or(f64::NAN), Some(1.0), "s");
    let unit = "cpu_s_per_camera_hour";
    line("fleet: analysis cpu", None, vision_cpu / hours, None, unit);
    line("fleet: recording and serving cpu", None, (number("cpu_seconds") - vision_cpu) / hours, None, unit);
    for key in ["frames_decoded", "inferences"] {
        line(&format!("fleet: {key} a camera and second"), None, number(key) / hours / 3600.0, None, "count");
    }
}
