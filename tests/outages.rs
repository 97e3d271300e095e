//! Scripted outages, through the real program: what is missing carries the cause that the script gave it and lies where
//! the script put it, and nothing else is missing. About a minute and a half; 10 minutes when `VONGLAU_DRILL=1`.

mod common;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use common::{
    drill::{BOTH, Drill, Key, fault, say},
    house::{HANGING, now_us},
    report::{after_start, streams},
    sessions::percentile,
};
use vonglau::{
    domain::{camera::StreamKind, time::Span},
    sim::ledger::Entry,
};

/// When the first fault begins, seconds; by then everything is recorded.
const FIRST: f64 = 25.0;
/// From one fault of a camera to its next, seconds.
const EVERY: f64 = 17.0;
/// Cameras that nothing befalls, and the one that leaves out key frames, which costs no picture.
const HEALTHY: [u32; 3] = [1, 2, 8];
const LOGIN: u32 = 7;
/// One that is away from the first fault to the last.
const AWAY: u32 = 9;

struct Scripted {
    camera: u32,
    fault: &'static str,
    at: f64,
    seconds: f64,
}

impl Scripted {
    fn end(&self) -> f64 {
        self.at + self.seconds
    }
    /// What the gap ledger is to say; nothing when no picture is lost.
    fn cause(&self) -> Option<&'static str> {
        match self.fault {
            "silence" | "garbage" => Some("camera"),
            "close" | "reboot" => Some("network"),
            "unauthorized" => Some("login"),
            _ => None,
        }
    }
}

/// Every camera from the third to the eighth has its own kind of fault, again and again at its own time; a refused login once,
/// because it takes a person to end it.
fn script() -> Vec<Scripted> {
    let rounds = if std::env::var("VONGLAU_DRILL").is_ok_and(|v| v == "1") { 34 } else { 4 };
    let kinds = ["silence", "close", "reboot", "garbage", "unauthorized", "no_key"];
    let of = |round: u32| {
        kinds.into_iter().zip(3..).filter(move |(kind, _)| round == 0 || *kind != "unauthorized").map(
            move |(fault, camera)| {
                let at = FIRST + EVERY * f64::from(round) + 0.7 * f64::from(camera - 3);
                Scripted { camera, fault, at, seconds: 5.5 + 0.5 * f64::from((camera + round) % 3) }
            },
        )
    };
    let away = Scripted { camera: AWAY, fault: "close", at: FIRST, seconds: EVERY * f64::from(rounds) - 8.0 };
    (0..rounds).flat_map(of).chain([away]).collect()
}

/// A stretch without a picture, and how much of it carries which cause, microseconds.
#[derive(Debug)]
struct Hole {
    span: Span,
    causes: Vec<(String, Span)>,
}

/// What the running program says is missing of every stream since its first picture.
///
/// # Errors
/// The stream of which something is not yet over and entered.
fn holes(drill: &Drill) -> Result<BTreeMap<Key, Vec<Hole>>, String> {
    let mut all = BTreeMap::new();
    for (id, number) in drill.ids.iter().zip(1..) {
        for stream in streams(&drill.house, *id) {
            let mut holes = Vec::<Hole>::new();
            for gap in after_start(&stream) {
                if !gap["id"].is_i64() || gap["open"] == true {
                    return Err(format!("camera {number}: {stream}"));
                }
                let us = |key: &str| gap[key].as_i64().expect("a time");
                let span = Span { start_us: us("start_us"), end_us: us("end_us") };
                let cause = (gap["cause"].as_str().expect("a cause").to_owned(), span);
                match holes.last_mut() {
                    Some(hole) if hole.span.end_us == span.start_us => {
                        hole.span.end_us = span.end_us;
                        hole.causes.push(cause);
                    }
                    _ => holes.push(Hole { span, causes: vec![cause] }),
                }
            }
            let kind = StreamKind::from_name(stream["kind"].as_str().expect("a kind")).expect("a kind");
            all.insert((number, kind), holes);
        }
    }
    Ok(all)
}

fn shared_us(a: Span, b: Span) -> i64 {
    (a.end_us.min(b.end_us) - a.start_us.max(b.start_us)).max(0)
}

/// How the holes compare with the script.
#[derive(Default)]
struct Score {
    /// Microseconds that are missing by the ledger or by the script, and those of them with the scripted cause.
    missing_us: i64,
    right_us: i64,
    /// How far the edges are off, and how long a camera was not recorded after it served again, seconds.
    off: Vec<f64>,
    back: Vec<f64>,
}

impl Score {
    /// Compares a hole with the outage that began at `truth.start_us` by the script, and ended with the first key frame
    /// sent after it.
    fn compare(&mut self, hole: &Hole, truth: Span, cause: &str) {
        let right = hole.causes.iter().filter(|(c, _)| c == cause).map(|(_, span)| shared_us(*span, truth));
        self.right_us += right.sum::<i64>();
        self.missing_us += hole.span.len_us() + truth.len_us() - shared_us(hole.span, truth);
        for (edge, want) in [(hole.span.start_us, truth.start_us), (hole.span.end_us, truth.end_us)] {
            self.off.push((edge - want).abs() as f64 / 1e6);
        }
    }
}

#[tokio::test]
async fn what_is_missing_has_the_cause_and_the_length_of_the_script_and_nothing_else_is_missing() {
    let script = script();
    let text: String = script.iter().map(|s| fault(s.at, Some(s.camera), s.fault, s.seconds)).collect();
    let drill = Drill::start(9, &text, &["--port-per-camera"]);
    assert!(now_us() < drill.at_us(FIRST), "the first fault came before everything was recorded");
    let refused = script.iter().find(|s| s.camera == LOGIN).expect("a refused login");
    drill.wait_for_second(refused.end() + 0.5);
    // It would be tried again in ten minutes; a changed password is tried at once.
    drill.house.change_login(drill.ids[6], "admin", "new", &drill.cameras.urls[6]);
    drill.wait_for_second(script.iter().map(Scripted::end).fold(0.0, f64::max));
    drill.wait_until_streaming_again(|_| true);
    let since = Instant::now();
    let found = loop {
        match holes(&drill) {
            Ok(found) => break found,
            Err(why) => assert!(since.elapsed() < HANGING, "{why}"),
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    let at_us = |s: &Scripted| [s.at, s.end()].map(|at| drill.at_us(at));
    let times: Vec<_> = script.iter().map(|s| (s, at_us(s))).collect();
    let outcome = drill.end().await;
    outcome.assert_untouched(&HEALTHY);

    let mut score = Score::default();
    for (key, holes) in &found {
        let mine: Vec<_> = times.iter().filter(|(s, _)| s.camera == key.0 && s.cause().is_some()).collect();
        assert_eq!(holes.len(), mine.len(), "{key:?}: {holes:?}");
        for (hole, (scripted, [from_us, until_us])) in holes.iter().zip(mine) {
            let sent = |e: &&Entry| (e.camera, e.stream) == *key && e.key && e.sent_us >= *until_us;
            let back_us = outcome.sent.iter().find(sent).expect("a key frame after it").sent_us;
            let truth = Span { start_us: *from_us, end_us: back_us };
            score.compare(hole, truth, scripted.cause().expect("a cause"));
            if ["close", "reboot", "garbage"].contains(&scripted.fault) {
                score.back.push((hole.span.end_us - until_us) as f64 / 1e6);
            }
        }
    }
    let part = score.right_us as f64 / score.missing_us as f64;
    let [p95, most] = [0.95, 1.0].map(|p| percentile(&score.off, p));
    println!(
        "measured: {:.2} % of {:.1} s missing carry the scripted cause; {} edges off by p95 {p95:.2} s, most {most:.2} s",
        part * 100.0,
        score.missing_us as f64 / 1e6,
        score.off.len(),
    );
    say("close, reboot or garbage of one camera, recorded again after it serves", &score.back);
    assert!(part >= 0.95, "only {part} of what is missing carries the scripted cause: {found:?}");
    assert!(p95 <= 1.0, "edges are off by {:?} s: {found:?}", score.off);
    // The goal is 1.5 s on a quiet machine; a wait that had grown to several seconds would show here on any.
    assert!(score.back.len() >= 20 && percentile(&score.back, 0.95) < 5.0, "{:?}", score.back);
    assert_eq!(found.len(), 9 * BOTH.len());
}
