//! A disk that cannot flush, and one that is full: what is lost is said, what is not lost is there, recording goes on.

mod common;
#[allow(dead_code, reason = "only its encoder is needed here")]
mod media;

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use common::{
    house::{Cameras, House},
    mp4::samples,
    recorded::{EVER, assert_unbroken},
    wait,
};
use media::{encode, packets};
use vonglau::{
    domain::{
        camera::{CameraDraft, StreamKind},
        packet::{Codec, Packet},
        query::Actor,
        segment::{GapCause, Segment},
        time::WallTime,
    },
    record::{RecordedStream, Recorder, reindex::reindex, verify::verify},
    runtime::{
        board::{Board, Change},
        clock::Clock,
        counters::Counters,
        tasks::Tasks,
    },
    sim::ledger::{self, Entry},
    store::Store,
};

/// `strace` lets single system calls of the real program fail.
fn strace_works() -> bool {
    let works = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).status().is_ok_and(|s| s.success());
    if !works {
        println!("skipped: no strace, or it may not trace");
    }
    works
}

/// Serves `cameras` simulated cameras with `faults` injected until enough is recorded after `failed`; the counters at
/// the end and the trace of the flushing calls.
async fn serve_with(faults: &[&str], cameras: &str, failed: &str, folder: &Path) -> (serde_json::Value, String) {
    let (ledger, data, trace) = (folder.join("ledger.jsonl"), folder.join("data"), folder.join("trace"));
    let text = |path: &Path| path.display().to_string();
    let small = ["--size", "320x240", "--sub-size", "160x120", "--fps", "10", "--gop", "20", "--bitrate", "300"];
    let (ledger_text, trace_text) = (text(&ledger), text(&trace));
    let options: Vec<&str> = ["--cameras", cameras, "--ledger", &ledger_text].into_iter().chain(small).collect();
    let cameras = Cameras::start(&options);
    let mut wrapper =
        vec!["strace", "-f", "-qq", "-y", "--seccomp-bpf", "-o", &trace_text, "-e", "trace=fdatasync,syncfs"];
    for fault in faults {
        wrapper.extend(["-e", fault]);
    }
    let house = House::start_under(&wrapper, &data, &["--record-only"], &[]);
    house.add_cameras(&cameras.urls);
    house.wait_until_streaming();
    house.wait_until("a flush has failed", |h| h.counter(failed) > 0);
    let then = house.counter("packets_recorded");
    house.wait_until_recorded(then + 100);
    let status = house.get("/api/v1/status");
    let (counters, alarms) = (status["counters"].clone(), status["alarms"].clone());
    let (well, summary) = house.program.end();
    assert!(well, "{summary:?}");
    cameras.program.end();
    let summary = summary.unwrap();
    assert_eq!(summary["packets_received"], summary["packets_recorded"], "{summary}");

    // Every unit is there, once and in order, wherever the disk failed.
    let sent = ledger::read(&ledger).unwrap();
    let store = Store::open(&data.join("vonglau.db")).await.unwrap();
    for (camera, number) in store.cameras().await.unwrap().iter().zip(1..) {
        for stream in &camera.streams {
            let sent: Vec<&Entry> = sent.iter().filter(|e| e.camera == number && e.stream == stream.kind).collect();
            let mut units = Vec::new();
            for segment in store.segments_in(stream.id, EVER).await.unwrap() {
                let file = std::fs::read(data.join("store").join(&segment.path)).unwrap();
                // Behind what the index knows, a file set aside may hold what stands in the next one too.
                units.extend(samples(&file[..usize::try_from(segment.size_bytes).unwrap()]));
            }
            let (before, after) = assert_unbroken(&units, &sent);
            assert!(before == 0 && after <= 20, "{before} and {after} units are missing at the ends");
            // The time before a stream's first picture is the only one without a recording.
            let gaps = store.gaps_in(stream.id, EVER).await.unwrap();
            let first_us = store.segments_in(stream.id, EVER).await.unwrap()[0].start_us;
            assert!(gaps.iter().all(|g| g.cause == GapCause::Service && g.span.end_us <= first_us), "{gaps:?}");
        }
    }
    // What was set aside is told, and still is after the end.
    let told = |times: i64| times == counters["files_quarantined"].as_i64().unwrap();
    assert!(alarms.as_array().unwrap().iter().all(|a| a["kind"] == "disk_flush_failed"), "{alarms}");
    assert!(told(alarms.as_array().unwrap().iter().map(|a| a["times"].as_i64().unwrap()).sum()), "{alarms}");
    let kept = store.alarms().await.unwrap();
    assert!(told(kept.iter().map(|a| i64::try_from(a.times).unwrap()).sum()), "{kept:?}");
    let report = verify(&data.join("store"), &mut |problem| panic!("{problem:?}")).unwrap();
    assert_same_from_files(&store, &data.join("store")).await;
    assert_eq!(report.quarantined, counters["files_quarantined"].as_u64().unwrap());
    (counters, std::fs::read_to_string(trace).unwrap())
}

/// Asserts that the files alone give the same rows; only the bytes of a file set aside are those it has.
async fn assert_same_from_files(store: &Store, folder: &Path) {
    let again = Store::in_memory().await.unwrap();
    reindex(folder, &again, &Clock::machine(), &mut |path, why| panic!("{path}: {why}")).await.unwrap();
    for stream in store.cameras().await.unwrap().iter().flat_map(|c| &c.streams) {
        let [rows, from_files] = [store, &again].map(|s| s.segments_in(stream.id, EVER));
        let (rows, from_files) = (rows.await.unwrap(), from_files.await.unwrap());
        assert_eq!(rows.len(), from_files.len(), "{rows:?} {from_files:?}");
        for (row, from_file) in rows.into_iter().zip(from_files) {
            let aside = row.path.ends_with(".quarantine");
            let size_bytes = if aside { row.size_bytes } else { from_file.size_bytes };
            assert_eq!(Segment { id: row.id, size_bytes, ..from_file }, row);
        }
    }
}

/// Asserts that no file was flushed again after that had failed, and gives how many had.
fn assert_never_retried(trace: &str) -> usize {
    let file = |line: &str| {
        line.split_once('<').and_then(|(_, rest)| rest.split_once(".mp4")).map(|(path, _)| path.to_owned())
    };
    let lines: Vec<&str> = trace.lines().filter(|l| l.contains("fdatasync(")).collect();
    let failed: Vec<_> = lines.iter().enumerate().filter(|(_, l)| l.contains("EIO")).collect();
    for (at, line) in &failed {
        let path = file(line).unwrap_or_else(|| panic!("{line}"));
        assert!(!lines[at + 1..].iter().any(|later| file(later).as_ref() == Some(&path)), "{path} was flushed again");
    }
    failed.len()
}

#[tokio::test]
async fn a_file_that_cannot_be_flushed_is_set_aside_and_nothing_of_it_is_lost() {
    if !strace_works() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let faults = ["inject=fdatasync:error=EIO:when=5"];
    let (counters, trace) = serve_with(&faults, "1", "files_quarantined", folder.path()).await;
    assert_eq!((assert_never_retried(&trace), counters["files_quarantined"].as_u64()), (1, Some(1)), "{counters}");
}

#[tokio::test]
async fn when_the_whole_disk_cannot_flush_each_file_is_asked_once_and_only_those_hit_are_set_aside() {
    if !strace_works() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let faults = ["inject=syncfs:error=EIO:when=2", "inject=fdatasync:error=EIO:when=3"];
    let (counters, trace) = serve_with(&faults, "6", "flush_failures", folder.path()).await;
    assert_eq!(counters["flush_failures"], 1, "{counters}");
    assert!(assert_never_retried(&trace) <= 1);
    assert!(trace.lines().filter(|l| l.contains("syncfs(")).count() > 2, "the disk was not asked again");
}

/// A small file system in memory, gone when this is dropped.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn mount(at: &'a Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        let done = command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at).output();
        if !done.is_ok_and(|out| out.status.success()) {
            println!("skipped: a tmpfs cannot be mounted here");
            return None;
        }
        Some(Self(at))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_a_gap_and_recording_goes_on_by_itself_when_there_is_room() {
    const START_US: i64 = 1_700_000_000_000_000;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("recordings");
    let Some(_mounted) = Tmpfs::mount(&folder, "2m") else { return };
    let store = Store::open(&dir.path().join("index.db")).await.unwrap();
    let draft = CameraDraft { name: "Chợ".into(), main_url: "rtsp://127.0.0.1/1".into(), ..CameraDraft::default() };
    let actor = Actor { name: "test".into() };
    let camera = store.add_camera(&actor, &draft.checked().unwrap(), WallTime(1)).await.unwrap();
    let stream = store.camera(camera).await.unwrap().unwrap().streams[0].id;
    let named = RecordedStream { camera, camera_code: "C01".into(), stream, kind: StreamKind::Main };
    let (counters, board, mut tasks) = (Arc::<Counters>::default(), Arc::<Board>::default(), Tasks::new());
    let mut told = board.listen();
    let recorder =
        Recorder::start(folder.clone(), store.clone(), Clock::machine(), counters.clone(), board.clone(), &mut tasks)
            .await
            .unwrap();
    let encoder = "x264enc key-int-max=25 bframes=0 speed-preset=ultrafast bitrate=400 ! h264parse";
    let clip = encode(Codec::H264, 320, 240, 250, 25, encoder);
    let bytes: usize = clip.units.iter().map(|u| u.data.len()).sum();
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![7; (2 << 20) - bytes / 2 - 65_536]).unwrap();
    let sender = recorder.stream(named);
    let all: Vec<Packet> = packets(&clip, camera, stream, 1, START_US);
    let refused = || counters.disk_refusals.get();
    let mut lost = 0;
    for packet in &all {
        sender.send(packet.clone()).await.unwrap();
        if refused() > lost {
            lost = refused();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    wait::holds(async || refused() > 0).await;
    std::fs::remove_file(&ballast).unwrap();
    for packet in packets(&clip, camera, stream, 2, START_US + 60_000_000).into_iter().take(120) {
        sender.send(packet).await.unwrap();
    }
    drop(sender);
    wait::done(recorder.finish()).await;
    wait::done(tasks.drain()).await;
    // An alarm went up when the disk refused, and down when it took again.
    assert!(told.try_recv() == Ok(Change::Alarms) && told.try_recv() == Ok(Change::Alarms));
    assert_eq!(board.alarms(), []);

    let rows: Vec<Segment> = store.segments_in(stream, EVER).await.unwrap();
    assert!(rows[0].start_us == START_US && rows.iter().any(|r| r.start_us == START_US + 60_000_000), "{rows:?}");
    let recorded: u64 = counters.packets_recorded.get();
    assert_eq!(recorded + counters.packets_lost.get(), 370);
    let gaps = store.gaps_in(stream, EVER).await.unwrap();
    assert!(
        !gaps.is_empty() && gaps.iter().all(|g| g.cause == GapCause::Disk && g.evidence.contains("No space")),
        "{gaps:?}"
    );
    // Recorded and gap together are all that was sent.
    let mut spans: Vec<_> = rows.iter().map(|r| (r.start_us, r.end_us)).collect();
    spans.extend(gaps.iter().map(|g| (g.span.start_us, g.span.end_us)));
    let mut pieces: Vec<(i64, i64)> = Vec::new();
    spans.sort_unstable();
    for (start, end) in spans {
        match pieces.last_mut() {
            Some(last) if (start - last.1).abs() <= 1000 => last.1 = end,
            _ => pieces.push((start, end)),
        }
    }
    let whole = |from: i64, us: i64| (START_US + from, START_US + from + us);
    assert_eq!(pieces, [whole(0, 10_000_000), whole(60_000_000, 4_800_000)]);
    let report = verify(&folder, &mut |problem| panic!("{problem:?}")).unwrap();
    assert_eq!(report.files, rows.len() as u64, "files without a recording were left behind");
}
