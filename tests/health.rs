//! The picture's health from a drawn stream through the real child to spans, alarms and the reference kept.

mod common;

use std::sync::Arc;

use common::{
    film::{CAMERA, Film, HEIGHT, Stage, WIDTH},
    wait,
};
use vonglau::{
    domain::{
        alarm::AlarmKind,
        camera::CameraDraft,
        health::{Light, PictureFault},
        ids::CameraId,
        query::Actor,
        time::{Span, WallTime},
    },
    events::health,
    runtime::{stop::Stop, tasks::Tasks},
    store::Store,
};

/// Xorshift (Marsaglia, 2003), from a seed that is no zero.
fn dice(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    z ^= z << 13;
    z ^= z >> 7;
    z ^ z << 17
}

/// A street of houses by daylight, with a sensor's noise, `dx` pixels to the right; a clock in the corner ticks.
fn street(second: u64, noise: u64, dx: i64) -> Vec<u8> {
    let (w, h) = (WIDTH as usize, HEIGHT as usize);
    let mut data = vec![140u8; w * h * 3 / 2];
    for y in 0..h {
        for x in 0..w {
            let (sx, sy) = ((x as i64 - dx + 4000) as u64, y as u64);
            let house = 60 + dice(sx / 23 * 31 + sy / 19 * 7919) % 90;
            let window = if sx % 23 > 6 && sx % 23 < 13 && sy % 19 > 5 && sy % 19 < 12 { 40 } else { 0 };
            let grain = dice(noise * 65_537 + (y * w + x) as u64) % 7;
            data[y * w + x] = (house - window + grain) as u8;
        }
    }
    for y in 0..14 {
        for x in 0..60 {
            data[y * w + x] =
                if dice((x / 3 + y / 3 * 77) as u64 + second * 1009).is_multiple_of(2) { 16 } else { 235 };
        }
    }
    data
}

fn black(index: u64) -> Vec<u8> {
    let mut data = vec![128u8; (WIDTH * HEIGHT * 3 / 2) as usize];
    for (i, level) in data[..(WIDTH * HEIGHT) as usize].iter_mut().enumerate() {
        *level = 17 + (dice(index * 65_537 + i as u64) % 3) as u8;
    }
    data
}

async fn store() -> Store {
    let store = Store::in_memory().await.unwrap();
    // The camera of the stage is the seventh.
    for i in 1..=CAMERA.0 {
        let (name, main_url) = (format!("camera {i}"), format!("rtsp://10.0.0.{i}/1"));
        let camera = CameraDraft { name, main_url, ..CameraDraft::default() }.checked().unwrap();
        let id = store.add_camera(&Actor { name: "test".into() }, &camera, WallTime(1)).await.unwrap();
        assert_eq!(id, CameraId(i));
    }
    store
}

/// A stage, and behind it what enters the word on its pictures into a store.
struct Post {
    stage: Stage,
    store: Store,
    stop: Stop,
    tasks: Tasks,
}

impl Post {
    async fn open() -> Self {
        let (stage, store) = (Stage::open(|_| {}), store().await);
        let (stop, mut tasks) = (Stop::new(), Tasks::new());
        let ledger = health::run(store.clone(), stage.board.clone(), stage.clock.clone(), stop.clone());
        tasks.spawn("picture-health", ledger);
        stage.runs().await;
        Self { stage, store, stop, tasks }
    }
    /// Plays so many seconds, a picture each, until that is said. A decoder gives pictures out by twos, and only the newest
    /// is looked at: half of them count.
    async fn until(&mut self, fault: Option<PictureFault>, seconds: u64, draw: impl Fn(u64) -> Vec<u8>) {
        let film = Film::draw(seconds, 1, draw);
        self.stage.play(&film).await;
        let board = Arc::clone(&self.stage.board);
        let said = || board.health(CAMERA).map(|j| j.health.fault);
        wait::holds(async || said() == Some(fault)).await;
        let alarmed =
            || board.alarms().iter().any(|a| (a.kind, a.camera) == (AlarmKind::PictureUnusable, Some(CAMERA)));
        wait::holds(async || alarmed() == fault.is_some()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_a_picture_come_and_go_as_they_are_drawn_and_are_kept_as_spans() {
    let mut post = Post::open().await;
    let good = |i: u64| street(i, i, 0);
    post.until(None, 120, good).await;
    assert_eq!(post.stage.board.health(CAMERA).unwrap().health.measured.light, Light::Day);
    let holds = async || !post.store.references(Some(CAMERA)).await.unwrap().is_empty();
    wait::holds(holds).await;
    post.until(Some(PictureFault::Black), 30, black).await;
    post.until(None, 25, good).await;
    // It stands, but the clock ticks.
    post.until(Some(PictureFault::Frozen), 90, |i| street(i, 1, 0)).await;
    post.until(None, 25, good).await;
    post.until(Some(PictureFault::Moved), 80, |i| street(i, i, 35)).await;
    // A new child knows how the camera looked: what was turned stays turned.
    let child = post.stage.vision.pid();
    let killed = std::process::Command::new("kill").args(["-KILL", &child.unwrap().to_string()]).status();
    assert!(killed.unwrap().success());
    wait::holds(async || post.stage.vision.pid().is_some_and(|pid| Some(pid) != child)).await;
    post.until(Some(PictureFault::Moved), 80, |i| street(i, i, 35)).await;
    post.until(None, 25, good).await;

    post.stop.ask();
    assert!(wait::done(post.tasks.drain()).await.is_empty());
    let all = Span { start_us: 0, end_us: i64::MAX };
    let spans = post.store.health_spans(CAMERA, all).await.unwrap();
    let said: Vec<_> = spans.iter().map(|s| s.fault).collect();
    let (black, frozen, moved) = (PictureFault::Black, PictureFault::Frozen, PictureFault::Moved);
    let expected = [None, Some(black), None, Some(frozen), None, Some(moved), None];
    let mut without_repeats = said.clone();
    // While the new child began nothing was known.
    without_repeats.dedup();
    assert_eq!(without_repeats, expected, "{spans:?}");
    for pair in spans.windows(2) {
        assert!(pair[0].span.end_us <= pair[1].span.start_us, "{pair:?}");
    }
    assert!(spans.iter().all(|s| s.span.start_us <= s.span.end_us));
    post.stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_a_person_takes_for_right_is_the_new_reference() {
    let mut post = Post::open().await;
    post.until(None, 120, |i| street(i, i, 0)).await;
    post.until(Some(PictureFault::Moved), 80, |i| street(i, i, 35)).await;
    post.store.accept_view(&Actor { name: "test".into() }, CAMERA, WallTime(2)).await.unwrap();
    post.stage.board.forget_health(CAMERA);
    post.stage.vision.accept_view(CAMERA);
    assert!(post.store.references(Some(CAMERA)).await.unwrap().is_empty());
    post.until(None, 120, |i| street(i, i, 35)).await;
    wait::holds(async || !post.store.references(Some(CAMERA)).await.unwrap().is_empty()).await;
    post.until(Some(PictureFault::Moved), 80, |i| street(i, i, 0)).await;
    post.stop.ask();
    assert!(wait::done(post.tasks.drain()).await.is_empty());
    post.stage.end().await;
}
