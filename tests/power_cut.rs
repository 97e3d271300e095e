//! The plug is pulled: images of a disk are taken while it is recorded to, and read as after a loss of power.
//!
//! A real ext4 on a loop device, the real program, simulated cameras. An image counts when the device wrote nothing
//! while it was taken, so that it is the disk at one moment; what was only in memory at that moment is not in it.

mod common;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use common::{
    house::{Cameras, HANGING, House},
    mp4::{Sample, samples},
    quiet::now_us,
    recorded::EVER,
    wait,
};
use vonglau::{
    domain::segment::Segment,
    record::{Recorder, verify::verify},
    runtime::{clock::Clock, counters::Counters, tasks::Tasks},
    sim::ledger::{self, Entry},
    store::Store,
};

/// Lost at most, microseconds.
const LOST_MOST_US: i64 = 2_000_000;

fn run(program: &str, args: &[&str]) -> Option<String> {
    let out = wait::output(Command::new(program).args(args));
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// A file as a mounted ext4; unmounted when dropped.
struct Disk {
    device: String,
    at: PathBuf,
}

impl Disk {
    fn mount(image: &Path, at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).ok()?;
        let device = run("losetup", &["-f", "--show", image.to_str()?])?;
        let mounted = run("mount", &["-t", "ext4", &device, at.to_str()?]).is_some();
        let disk = Self { device, at };
        mounted.then_some(disk)
    }
    /// Writes done and requests on their way.
    fn activity(&self) -> Option<(u64, u64)> {
        let name = self.device.strip_prefix("/dev/")?;
        let text = std::fs::read_to_string(format!("/sys/block/{name}/stat")).ok()?;
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        Some((*numbers.get(4)?, *numbers.get(8)?))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", &self.at.display().to_string()]);
        let _ = run("losetup", &["-d", &self.device]);
    }
}

/// Takes an image of the disk at one moment; gives that moment.
fn image(disk: &Disk, from: &Path, to: &Path) -> i64 {
    for _ in 0..500 {
        let (before, then_us) = (disk.activity().unwrap(), now_us());
        run("cp", &["--sparse=always", from.to_str().unwrap(), to.to_str().unwrap()]).expect("the image is copied");
        if before.1 == 0 && disk.activity() == Some(before) {
            return then_us;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the disk was never quiet for long enough to be copied");
}

/// What a file still holds of what its row says, up to the first fragment that is not there.
fn units(store: &Path, segment: &Segment) -> (Vec<Sample>, bool) {
    let (file, mut found) = (std::fs::read(store.join(&segment.path)).unwrap_or_default(), Vec::new());
    for row in &segment.fragments {
        let from = usize::try_from(row.offset).unwrap();
        match file.get(from..from + row.size_bytes as usize) {
            Some(bytes) if bytes[4..8] == *b"moof" => found.extend(samples(bytes)),
            _ => return (found, false),
        }
    }
    (found, true)
}

/// Reads an image as the next start would; for each stream how much of what had been sent at `then_us` is lost, and
/// whether everything the index says is there.
async fn lost(image: &Path, at: PathBuf, then_us: i64, sent: &[Entry]) -> (Vec<i64>, bool) {
    let disk = Disk::mount(image, at).expect("the image can be mounted");
    let (data, mut tasks) = (disk.at.join("data"), Tasks::new());
    let store = Store::open(&data.join("vonglau.db")).await.expect("the database survives");
    let counters = Arc::<Counters>::default();
    let recorder =
        Recorder::start(data.join("store"), store.clone(), Clock::machine(), counters, Arc::default(), &mut tasks)
            .await
            .unwrap();
    wait::done(recorder.finish()).await;
    wait::done(tasks.drain()).await;
    let (mut lost_us, mut all_there) = (Vec::new(), true);
    for (camera, number) in store.cameras().await.unwrap().iter().zip(1..) {
        for stream in &camera.streams {
            let sent: Vec<_> = sent.iter().filter(|e| e.camera == number && e.stream == stream.kind).collect();
            let run = &sent[sent.iter().position(|e| e.key).expect("a key frame was sent")..];
            let mut found = Vec::new();
            for segment in store.segments_in(stream.id, EVER).await.unwrap() {
                let (units, whole) = units(&data.join("store"), &segment);
                found.extend(units);
                all_there &= whole;
            }
            let same = found.iter().zip(run).take_while(|(got, sent)| got.sha256 == sent.sha256).count();
            all_there &= same == found.len();
            let until = run.iter().take_while(|e| e.sent_us <= then_us).count();
            let from_us = if same == 0 { run[0].sent_us } else { run[same - 1].sent_us };
            lost_us.push(if until > same { run[until - 1].sent_us - from_us } else { 0 });
        }
    }
    if all_there {
        let report = verify(&data.join("store"), &mut |problem| println!("{problem:?}")).unwrap();
        all_there &= report.problems == 0;
    }
    store.close().await;
    (lost_us, all_there)
}

/// Records on a disk of its own and takes `images`; what each lost, or `None` where that cannot be done.
async fn pull_the_plug(images: usize, env: &[(&str, &str)]) -> Option<Vec<(Vec<i64>, bool)>> {
    // In memory where there is such a place: copying must be quick.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (disk_image, ledger) = (folder.path().join("disk.img"), folder.path().join("ledger.jsonl"));
    std::fs::File::create(&disk_image).unwrap().set_len(192 << 20).unwrap();
    let text = disk_image.to_str().unwrap();
    let disk =
        run("mkfs.ext4", &["-q", "-F", text]).and_then(|_| Disk::mount(&disk_image, folder.path().join("mount")));
    let Some(disk) = disk.filter(|d| d.activity().is_some()) else {
        println!("skipped: no ext4 on a loop device can be mounted here");
        return None;
    };
    let small = ["--size", "320x240", "--sub-size", "160x120", "--fps", "15", "--bitrate", "300"];
    let ledger_text = ledger.display().to_string();
    let options: Vec<&str> = ["--cameras", "5", "--ledger", &ledger_text].into_iter().chain(small).collect();
    let cameras = Cameras::start(&options);
    let house = House::start_under(&[], &disk.at.join("data"), &["--record-only"], env);
    house.add_cameras(&cameras.urls);
    house.wait_until_streaming();
    house.wait_until_recorded(5 * 25 * 3);
    let mut taken = Vec::new();
    for n in 0..images {
        // Anywhere between two flushes.
        tokio::time::sleep(Duration::from_millis(300 + fastrand::u64(..800))).await;
        let to = folder.path().join(format!("{n}.img"));
        taken.push((image(&disk, &disk_image, &to), to));
    }
    let (well, summary) = house.program.end();
    assert!(well, "{summary:?}");
    cameras.program.end();
    drop(disk);
    let sent = ledger::read(&ledger).unwrap();
    let mut all = Vec::new();
    for (n, (then_us, image)) in taken.into_iter().enumerate() {
        let reading = lost(&image, folder.path().join(format!("mount-{n}")), then_us, &sent);
        all.push(tokio::time::timeout(HANGING, reading).await.expect("an image can be read"));
        std::fs::remove_file(&image).unwrap();
    }
    Some(all)
}

/// The rule: at most two seconds a stream, and the index promises nothing that is not there.
fn is_kept(images: &[(Vec<i64>, bool)]) -> bool {
    images.iter().all(|(lost_us, all_there)| *all_there && lost_us.iter().all(|us| *us <= LOST_MOST_US))
}

fn worst(images: &[(Vec<i64>, bool)]) -> f64 {
    images.iter().flat_map(|(lost_us, _)| lost_us).copied().max().unwrap_or(0) as f64 / 1e6
}

#[tokio::test]
async fn a_power_cut_costs_two_seconds_a_stream_at_most() {
    let count = if common::is_drill() { 20 } else { 5 };
    let Some(images) = pull_the_plug(count, &[]).await else { return };
    println!("power cut: {count} images, 10 streams each, at most {:.2} s lost", worst(&images));
    assert!(is_kept(&images), "{images:?}");
}

#[tokio::test]
async fn the_same_cut_is_seen_to_cost_more_when_nothing_is_flushed() {
    let Some(images) = pull_the_plug(2, &[("VONGLAU_TEST_NEVER_FLUSH", "1")]).await else { return };
    println!("power cut without flushing: at most {:.2} s lost", worst(&images));
    assert!(!is_kept(&images), "{images:?}");
}
