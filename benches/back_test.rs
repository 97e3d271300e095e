//! Question: how long does it take to try a rule on a camera's week? A camera on which something passes every half minute of
//! the day and seldom at night, its tracks with their ways in SQLite; read, unpacked and played by four kinds of rules.
//! Limit: 2 s.

use std::{collections::BTreeMap, time::Instant};

use serde_json::{Value, json};
use vonglau::{
    domain::{
        camera::CameraDraft,
        detection::Class,
        geometry::NormBox,
        ids::{CameraId, TrackId},
        query::Actor,
        rule::RuleDraft,
        time::{MediaTime, Span, WallTime},
        track::TrackPoint,
    },
    logic::{
        back_test::{self, Kept},
        path::{self, Way},
    },
    store::{Store, TrackRow},
};

const DAY_US: i64 = 86_400_000_000;
/// A local midnight.
const START_US: i64 = 1_787_158_800_000_000;

fn line(name: &str, ours: f64, limit: Option<f64>, unit: &str) {
    let argv: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let (peer, ratio) = (limit.map(|_| "the limit"), limit.map(|limit| ours / limit));
    println!(
        "{}",
        json!({ "name": name, "peer": peer, "ours": ours, "theirs": limit, "ratio": ratio, "unit": unit, "argv": argv })
    );
}

/// A thing that crosses the picture in eight to forty seconds, weaving a little; one of twenty stands for minutes.
fn track(camera: CameraId, n: i64, start_us: i64) -> TrackRow {
    let class = Class::ALL[(n % 6) as usize];
    let lasts_us = if n % 20 == 0 { 180_000_000 } else { 8_000_000 + n % 33 * 1_000_000 };
    let (steps, lane) = (lasts_us / 400_000, 0.3 + 0.05 * (n % 10) as f32);
    let mut way = Way::default();
    for step in 0..=steps {
        let part = step as f32 / steps as f32;
        let x = if n % 20 == 0 {
            0.5
        } else if n % 2 == 0 {
            part * 0.9
        } else {
            (1.0 - part) * 0.9
        };
        let y = lane + 0.02 * (part * 12.0).sin();
        let rect = NormBox::new(x, y, x + 0.08, y + 0.12).expect("a box");
        way.push(MediaTime(start_us + step * 400_000), rect);
    }
    let rect = NormBox::new(0.4, lane, 0.48, lane + 0.12).expect("a box");
    let best = TrackPoint { track: TrackId(n), class, score: 0.8, rect, confirmed: true, held: false, identity: 0.9 };
    TrackRow {
        id: None,
        camera,
        span: Span { start_us, end_us: start_us + lasts_us },
        best,
        points: steps as u32,
        open: false,
        votes: BTreeMap::from([(class, steps as u32)]),
        colours: Vec::new(),
        size_px: Some([64, 48]),
        path: way.encode(),
    }
}

async fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("vonglau.db")).await.expect("a database");
    let actor = Actor { name: "bench".into() };
    let draft = CameraDraft { name: "Chợ".into(), main_url: "rtsp://10.0.0.1/1".into(), ..CameraDraft::default() };
    let camera =
        store.add_camera(&actor, &draft.checked().expect("a camera"), WallTime(START_US)).await.expect("added");
    let mut starts = Vec::new();
    for day in 0..7 {
        for half_minute in 0..2880 {
            let night = !(600..2400).contains(&half_minute);
            if !night || half_minute % 8 == 0 {
                starts.push(START_US + day * DAY_US + half_minute * 30_000_000);
            }
        }
    }
    let rows: Vec<TrackRow> = (1..).zip(&starts).map(|(n, start)| track(camera, n, *start)).collect();
    for some in rows.chunks(500) {
        store.keep_tracks(some).await.expect("kept");
    }
    line("tracks of the week", rows.len() as f64, None, "tracks");
    let half = json!([[0.0, 0.2], [0.6, 0.2], [0.6, 1.0], [0.0, 1.0]]);
    let rules: [Value; 4] = [
        json!({"name": "x", "kind": "line_crossing", "line": [[0.5, 0.0], [0.5, 1.0]]}),
        json!({"name": "x", "kind": "intrusion", "zone": half}),
        json!({"name": "x", "kind": "wrong_way", "allowed": [[0.1, 0.5], [0.9, 0.5]], "zone": half}),
        json!({"name": "x", "kind": "stopped", "seconds": 60}),
    ];
    for draft in rules {
        let rule = serde_json::from_value::<RuleDraft>(draft).expect("a draft").checked().expect("a rule");
        let kind = rule.kind().name();
        let began = Instant::now();
        let span = Span { start_us: START_US, end_us: START_US + 7 * DAY_US };
        let ways = store.track_ways(camera, span).await.expect("read");
        let kept = ways.into_iter().filter_map(|way| {
            let (places, _) = path::decode(&way.path).ok()?;
            Some(Kept { track: way.number, class: way.class, score: way.score, way: places })
        });
        let events = back_test::play(camera, rule, kept);
        let took = began.elapsed().as_secs_f64();
        line(&format!("a camera's week, {kind}, {} events", events.len()), took, Some(2.0), "s");
    }
    store.close().await;
}

fn main() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(run());
}
