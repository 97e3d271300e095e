//! Question: what does the analysis find of what brute force finds, and what does it cost?
//!
//! `judge`: tracks of brute force found again by the gated looks, and by one whole frame five times a second (the peer), with
//! their runs of the detector a frame: of each clip as a sub stream shows it (640×360) and as it is, and of the busiest one by
//! brute force itself a tenth of a second later, which is as much as can be asked. `kinds`: CPU-seconds that the service's
//! analysis takes for a camera-hour at 640×360, 10 frames a second, on a quiet scene, an infrared night and a busy road,
//! beside (a) every frame decoded and detected whole at five a second and (b) ffmpeg, frame difference, the same detector.
//! `fleet`: 37 cameras, main recorded and sub analysed, the simulator on the same machine: packets lost, lag, how long after
//! its beginning an event can be found, CPU. Both first let something go past every few seconds for [`LEARN_S`], for the
//! packet gate decides only where it has proved itself. `BENCH_PARTS=judge,kinds,fleet` and
//! `BENCH_KINDS=quiet,night,busy` choose; `BENCH_SECONDS` is the length of what is measured.

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
/// So long something goes past every few seconds before anything is measured, seconds.
const LEARN_S: u64 = 270;
/// … and so long nothing does.
const SETTLE_S: u64 = 100;

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
            "kinds" => kinds(&data, &model, scratch.path()),
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

/// A scene as a sub stream shows it, 640 × 360, 10 frames a second, so many seconds; with passers, something goes past for
/// two and a half seconds in every eight and a half.
fn scene(kind: &str, passers: bool, seconds: u32, videos: &Path, folder: &Path) -> PathBuf {
    let out = folder.join(format!("{kind}-{passers}.mp4"));
    let road = videos.join("vn-intersection.mp4").display().to_string();
    let [still, thing] = ["still.png", "thing.png"].map(|name| folder.join(name));
    if !still.exists() {
        ffmpeg(&["-i", &road, "-frames:v", "1", "-vf", "scale=640:360"], &still);
        ffmpeg(&["-i", &still.display().to_string(), "-vf", "crop=48:64:300:180"], &thing);
    }
    let [still, thing] = [still, thing].map(|path| path.display().to_string());
    let light = match kind {
        "night" => "hue=s=0,eq=brightness=-0.25,noise=c0s=14:c0f=t",
        _ => "noise=alls=3:allf=t",
    };
    let past =
        "overlay=x='-48+690*mod(t,8.5)/2.5':y='150+20*mod(floor(t/8.5),5)':enable='lt(mod(t,8.5),2.5)':eval=frame";
    let filter = format!("[0]fps=10[a];[1]fps=10[b];[a][b]{past},{light}");
    let images = ["-loop", "1", "-i", &still, "-loop", "1", "-i", &thing, "-filter_complex", &filter];
    let input: Vec<&str> = match (kind, passers) {
        ("busy", _) => vec!["-stream_loop", "-1", "-i", &road, "-vf", "scale=640:360,fps=10"],
        (_, true) => images.to_vec(),
        (_, false) => vec!["-loop", "1", "-i", &still, "-vf", light, "-r", "10"],
    };
    let coding = ["-an", "-g", "20", "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-b:v", "512k"];
    let length = seconds.to_string();
    ffmpeg(&[&input[..], &coding, &["-pix_fmt", "yuv420p", "-t", &length]].concat(), &out);
    out
}

fn kinds(data: &Path, model: &Model, folder: &Path) {
    let videos = data.join("video");
    let asked = std::env::var("BENCH_KINDS").unwrap_or_else(|_| "quiet,night,busy".to_owned());
    let all = [("quiet", 25.0, 4), ("night", 60.0, 4), ("busy", 300.0, 2)];
    for (name, goal, cameras) in all.into_iter().filter(|(name, ..)| asked.split(',').any(|a| a == *name)) {
        let film = scene(name, false, if name == "busy" { 60 } else { 200 }, &videos, folder);
        let passing = (name != "busy").then(|| scene(name, true, 51, &videos, folder));
        let unit = "cpu_s_per_camera_hour";
        let cost = |learn: Option<Vec<&Path>>| {
            let play: Vec<&Path> = vec![&film; cameras];
            let served = serve(&Played { learn, play, size: "640x360", fps: "10" }, data, folder);
            let [decoded, runs] = [served.decoded_a_second, served.runs_a_second].map(|n| n / cameras as f64);
            let ours = served.vision_cpu / (cameras as f64 * served.seconds / 3600.0);
            let how = format!("{decoded:.2} frames decoded, {runs:.2} runs a second, gated {}", served.gated);
            line(&format!("{name}: cpu, {how}"), None, ours, None, unit);
            ours
        };
        // One minute of ten all is decoded, to see whether the packet gate still holds.
        let all = cost(None);
        let ours = passing.map_or(all, |passing| 0.9 * cost(Some(vec![&passing; cameras])) + 0.1 * all);
        let (_, whole) = run(&film, model, Method::Whole);
        let naive = whole.cpu_seconds / (whole.duration_us as f64 / 1e6) * 3600.0;
        let difference = by_difference(&film, model);
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

/// What the simulated cameras play, each its film.
struct Played<'a> {
    /// First, where the packet gate has to learn.
    learn: Option<Vec<&'a Path>>,
    play: Vec<&'a Path>,
    size: &'a str,
    fps: &'a str,
}

/// What a service did with it.
struct Served {
    /// How long it was measured.
    seconds: f64,
    vision_cpu: f64,
    decoded_a_second: f64,
    /// Runs of the detector.
    runs_a_second: f64,
    /// Cameras whose packet gate is in force at the end.
    gated: f64,
    /// Of all cameras at all moments, seconds, in order.
    lags: Vec<f64>,
    /// From the beginning of an event until it can be found, seconds, in order.
    waits: Vec<f64>,
    summary: Value,
}

/// Starts the simulator; with the addresses of the cameras, as a list to import.
fn simulate(films: &[&Path], port: &str, played: &Played<'_>) -> (Child, String) {
    let videos = films.iter().flat_map(|film| [Path::new("--video"), *film]);
    let n = films.len().to_string();
    let args = ["sim", "--port", port, "--until-stdin-ends", "--cameras", &n, "--bitrate", "2048"];
    let (sim, mut lines) = start(program().args(args).args(["--size", played.size, "--fps", played.fps]).args(videos));
    let mut list = String::new();
    loop {
        let line = lines.next().expect("the simulator ended early");
        if line["ready"] == true {
            return (sim, list);
        }
        let (main, sub) = (line["main"].as_str().expect("url"), line["sub"].as_str().expect("url"));
        list += &format!("[[camera]]\nname = \"{main}\"\nmain_url = \"{main}\"\nsub_url = \"{sub}\"\n");
    }
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}

fn serve(played: &Played<'_>, data: &Path, folder: &Path) -> Served {
    let home = tempfile::tempdir_in(folder).expect("a folder");
    let (place, cameras) = (home.path().join("data").display().to_string(), home.path().join("cameras.toml"));
    let (mut sim, list) = simulate(played.learn.as_ref().unwrap_or(&played.play), "0", played);
    let port = list.split("127.0.0.1:").nth(1).and_then(|l| l.split('/').next()).expect("a port").to_owned();
    std::fs::write(&cameras, list).expect("the list is written");
    let imported = program().args(["camera", "import", "--data", &place]).arg(&cameras).stdout(Stdio::null()).status();
    assert!(imported.expect("import runs").success());
    let models = home.path().join("data/models");
    std::fs::create_dir_all(&models).expect("a folder for the model");
    std::fs::copy(data.join("models/yolox_nano.onnx"), models.join("yolox_nano.onnx")).expect("the model is copied");
    let args = ["serve", "--data", &place, "--listen", "127.0.0.1:0", "--summary", "--until-stdin-ends"];
    let (mut serve, mut lines) = start(program().args(args).env("RUST_LOG", "warn,vonglau::vision=info"));
    let ready = lines.next().expect("it serves");
    let address = ready["listen"].as_str().unwrap_or_else(|| panic!("no address in {ready}"));
    let root = format!("http://{}", address.trim_start_matches("http://").trim_end_matches('/'));
    let rule = r#"{"name": "motion", "kind": "motion"}"#;
    ureq::post(format!("{root}/api/v1/rules")).content_type("application/json").send(rule).expect("a rule is made");
    if played.learn.is_some() {
        std::thread::sleep(Duration::from_secs(LEARN_S));
        end(sim);
        (sim, _) = simulate(&played.play, &port, played);
    }
    // Loading, connecting and the first pictures are no cost of an hour.
    std::thread::sleep(Duration::from_secs(SETTLE_S));
    let served = watch(&root, serve.id());
    drop(serve.stdin.take());
    let summary = lines.last().expect("a summary");
    assert!(serve.wait().expect("it ends").success());
    end(sim);
    Served { summary, ..served }
}

fn get(url: &str) -> String {
    ureq::get(url).call().expect("an answer").body_mut().read_to_string().expect("a text")
}

/// Looks at the counters and at the newest events for [`seconds`].
fn watch(root: &str, pid: u32) -> Served {
    let vision_cpu = || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let of = |list: String| list.split_whitespace().map(|child| stat_seconds(child, 11)).sum::<f64>();
        children.map(of).sum::<f64>()
    };
    // Of all cameras together.
    let sum = |metrics: &str, name: &str| -> f64 {
        let lines = metrics.lines().filter(|l| l.starts_with(name) && !l[name.len()..].starts_with('_'));
        lines.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let metrics = || get(&format!("{root}/metrics"));
    let (since, before, first) = (Instant::now(), vision_cpu(), metrics());
    let (mut lags, mut waits, mut known, mut beat) = (Vec::new(), Vec::new(), std::collections::BTreeSet::new(), 0u32);
    while since.elapsed() < Duration::from_secs(seconds()) {
        std::thread::sleep(Duration::from_millis(200));
        let now_us =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_micros();
        let events: Value = serde_json::from_str(&get(&format!("{root}/api/v1/events"))).expect("a list");
        for event in events["events"].as_array().expect("events") {
            let new = known.insert(event["id"].as_i64().expect("an id"));
            // Those that are there at the first look began at any time.
            if new && beat > 0 {
                waits.push((now_us as f64 - event["start_us"].as_f64().expect("a time")) / 1e6);
            }
        }
        if beat.is_multiple_of(5) {
            let lag = |l: &str| -> Option<f64> {
                l.strip_prefix("vonglau_camera_lag_seconds{")?.rsplit(' ').next()?.parse().ok()
            };
            lags.extend(metrics().lines().filter_map(lag));
        }
        beat += 1;
    }
    let seconds = since.elapsed().as_secs_f64();
    lags.sort_by(f64::total_cmp);
    waits.sort_by(f64::total_cmp);
    let last = metrics();
    let a_second = |name: &str| (sum(&last, name) - sum(&first, name)) / seconds;
    Served {
        seconds,
        vision_cpu: vision_cpu() - before,
        decoded_a_second: a_second("vonglau_frames_decoded_total"),
        runs_a_second: a_second("vonglau_inferences_total"),
        gated: sum(&last, "vonglau_camera_packet_gate_on"),
        lags,
        waits,
        summary: Value::Null,
    }
}

fn seconds() -> u64 {
    std::env::var("BENCH_SECONDS").ok().and_then(|v| v.parse().ok()).unwrap_or(60)
}

fn fleet(data: &Path, folder: &Path) {
    let videos = data.join("video");
    let [quiet, passing, busy] = [("quiet", false, 60), ("quiet", true, 51), ("busy", false, 60)]
        .map(|(k, p, s)| scene(k, p, s, &videos, folder));
    let films = |rest| (0..CAMERAS).map(|i| if i < BUSY { busy.as_path() } else { rest }).collect::<Vec<_>>();
    let played = Played { learn: Some(films(&passing)), play: films(&quiet), size: "1920x1080", fps: "25" };
    let served = serve(&played, data, folder);
    let number = |key: &str| served.summary[key].as_f64().unwrap_or_else(|| panic!("no {key} in {}", served.summary));
    let quantile = |of: &[f64], share: f64| {
        of.get(((of.len() as f64 * share) as usize).min(of.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    };
    line("fleet: packets lost", None, number("packets_received") - number("packets_recorded"), None, "count");
    line("fleet: lag p50", None, quantile(&served.lags, 0.5), None, "s");
    line("fleet: lag p95", Some("limit"), quantile(&served.lags, 0.95), Some(1.0), "s");
    line("fleet: events seen to begin", None, served.waits.len() as f64, None, "count");
    line(
        "fleet: from its beginning until it is found p50",
        Some("limit"),
        quantile(&served.waits, 0.5),
        Some(0.8),
        "s",
    );
    line(
        "fleet: from its beginning until it is found p99",
        Some("limit"),
        quantile(&served.waits, 0.99),
        Some(2.5),
        "s",
    );
    let hours = CAMERAS as f64 * served.seconds / 3600.0;
    line("fleet: analysis cpu", None, served.vision_cpu / hours, None, "cpu_s_per_camera_hour");
    line("fleet: frames decoded a camera and second", None, served.decoded_a_second / CAMERAS as f64, None, "count");
}
