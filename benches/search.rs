//! Question: how long does a page of search results take, whatever is asked for, and how long the figures of a day and a
//! week? Ten million synthetic tracks and events of 37 cameras and 90 days in SQLite (fewer: VONGLAU_BENCH_ROWS), packed
//! but for the last hour; made-up questions of every shape, the newest 50. Limits: 2 ms for half of them, 20 ms for 99 of
//! 100; figures 10 ms.
//!
//! The database takes about 450 bytes a row, in VONGLAU_BENCH_DIR or the system's temporary folder, and is removed.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use vonglau::{
    domain::{
        camera::CameraDraft,
        colour::{Colour, Part},
        detection::Class,
        ids::CameraId,
        query::Actor,
        rule::RuleDraft,
        search::{ColourWish, Heading, Search, Size, Source},
        time::{Span, WallTime},
    },
    store::{Store, TallyStep},
};

const CAMERAS: i64 = 37;
const DAYS: i64 = 90;
const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = 3_600_000_000;
/// A whole local day.
const START_US: i64 = 1_787_158_800_000_000;
const QUESTIONS: usize = 2000;
const FIGURES: usize = 300;
/// Of so many rows one is an event.
const EVENTS_OF: i64 = 10;

fn line(name: &str, ours: f64, limit: Option<f64>, unit: &str) {
    let argv: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let (peer, ratio) = (limit.map(|_| "the limit"), limit.map(|limit| ours / limit));
    println!(
        "{}",
        json!({ "name": name, "peer": peer, "ours": ours, "theirs": limit, "ratio": ratio, "unit": unit, "argv": argv })
    );
}

/// Numbers that look made up and are the same each time (a step of SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.unsigned_abs()).cast_signed()
    }
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as i64)).expect("small")]
    }
}

/// The site and its rows, the latter by SQLite itself: the writing is not what is asked about.
async fn furnish(path: &Path, rows: i64) {
    let store = Store::open(path).await.expect("a database");
    let actor = Actor { name: "bench".into() };
    for n in 1..=CAMERAS {
        let draft =
            CameraDraft { name: format!("Camera {n}"), main_url: "rtsp://10.0.0.1/1".into(), ..CameraDraft::default() };
        store.add_camera(&actor, &draft.checked().expect("a camera"), WallTime(START_US)).await.expect("added");
    }
    for (name, kind) in [("Chợ ban đêm", "motion"), ("Vào kho", "intrusion")] {
        let draft: RuleDraft = serde_json::from_value(json!({"name": name, "kind": kind})).expect("a rule");
        store.add_rule(&actor, &draft.checked().expect("a rule"), WallTime(START_US)).await.expect("added");
    }
    store.close().await;
    let mut raw = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.expect("opened");
    for pragma in ["pragma journal_mode = off", "pragma synchronous = off", "pragma cache_size = -400000"] {
        sqlx::query(pragma).execute(&mut raw).await.expect("set");
    }
    // An index made at the end is made faster than one that grows.
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "select name, sql from sqlite_schema where type = 'index' and tbl_name in ('track', 'event') and sql is not null",
    )
    .fetch_all(&mut raw)
    .await
    .expect("read");
    for (name, _) in &indexes {
        sqlx::query(AssertSqlSafe(format!("drop index {name}"))).execute(&mut raw).await.expect("dropped");
    }
    sqlx::query("begin").execute(&mut raw).await.expect("begun");
    for text in [tracks(rows - rows / EVENTS_OF), events(rows / EVENTS_OF, rows - rows / EVENTS_OF)] {
        sqlx::query(AssertSqlSafe(text)).execute(&mut raw).await.expect("inserted");
    }
    sqlx::query("commit").execute(&mut raw).await.expect("committed");
    for (_, sql) in indexes {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut raw).await.expect("made");
    }
    raw.close().await.expect("closed");
}

/// A number of 0..1024 that depends on `n` and the salt.
fn hash(salt: i64) -> String {
    format!("((((n * 2654435761 + {salt} * 40503) % 4294967296) * 2246822519 % 4294967296) / 4194304)")
}

fn classes(h: &str) -> String {
    format!(
        "case when {h} < 560 then 'motorcycle' when {h} < 770 then 'person' when {h} < 900 then 'car' \
         when {h} < 965 then 'truck' when {h} < 1005 then 'bicycle' else 'bus' end"
    )
}

/// The place of a colour: some often, some seldom, 20 % none (-1).
fn colour(h: &str) -> String {
    format!(
        "case when {h} < 205 then -1 when {h} < 420 then 10 when {h} < 590 then 8 when {h} < 710 then 0 \
         when {h} < 830 then 4 when {h} < 930 then 9 when {h} < 965 then 7 when {h} < 990 then 3 when {h} < 1005 then 2 \
         when {h} < 1012 then 1 when {h} < 1018 then 6 else 5 end"
    )
}

fn tracks(count: i64) -> String {
    let every_us = DAYS * DAY_US / count;
    let names = Colour::ALL
        .iter()
        .enumerate()
        .map(|(i, c)| format!("when {i} then '{}'", c.name()))
        .collect::<Vec<_>>()
        .join(" ");
    format!(
        "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < {count}), \
         drawn as (select n, {camera} % {CAMERAS} + 1 as camera, {class} as class, {first} as first, {second} as second, \
         {START_US} + n * {every_us} as start_us, {dwell} as dwell, {heading} as h, {size} as s from numbers) \
         insert into track (id, camera, number, class, score, box, start_us, end_us, points, open, identity, votes, colours, \
         upper_colours, lower_colours, body_colours, width_px, height_px, path, heading, size) \
         select n, camera, n, class, 0.8, '[0.1,0.2,0.3,0.4]', start_us, \
         start_us + case when dwell < 900 then 2000000 + dwell * 20000 when dwell < 1015 then dwell * 100000 else 900000000 end, \
         12, 0, 0.9, '{{\"' || class || '\":12}}', \
         case when first < 0 then '[]' else '[{{\"part\":\"' || case class when 'person' then 'upper' else 'body' end \
         || '\",\"shares\":[{{\"colour\":\"' || case first {names} end || '\",\"share\":0.6}}]}}]' end, \
         case when class = 'person' and first >= 0 then 1 << first else 0 end, \
         case when class = 'person' and second >= 0 then 1 << second else 0 end, \
         case when class <> 'person' and first >= 0 then 1 << first else 0 end, 64, 48, zeroblob(30), \
         case h % 5 when 0 then 'left' when 1 then 'right' when 2 then 'near' when 3 then 'far' end, \
         case when s < 400 then 'small' when s < 900 then 'middle' else 'large' end from drawn",
        camera = hash(1),
        class = classes(&hash(2)),
        first = colour(&hash(3)),
        second = colour(&hash(4)),
        dwell = hash(5),
        heading = hash(6),
        size = hash(7),
    )
}

fn events(count: i64, tracks: i64) -> String {
    let every = tracks / count;
    format!(
        "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < {count}) \
         insert into event (id, camera, rule, rule_version, rule_name, kind, class, track, start_us, end_us, open, revision, \
         score, box, path, numbers) select n, t.camera, 1 + {kind} / 512, 1, \
         case {kind} / 512 when 0 then 'Chợ ban đêm' else 'Vào kho' end, \
         case {kind} / 512 when 0 then 'motion' else 'intrusion' end, t.class, t.number, t.start_us + 500000, t.end_us, 0, 2, \
         0.8, '[0.1,0.2,0.3,0.4]', '[]', '{{}}' from numbers join track t on t.id = n * {every}",
        kind = hash(8),
    )
}

fn question(random: &mut Random) -> Search {
    let mut search = Search::default();
    let end_us = START_US + DAYS * DAY_US;
    if random.below(3) > 0 {
        let from = random.below(DAYS);
        let span = match random.below(5) {
            0 => Span { start_us: end_us - 7 * DAY_US, end_us },
            1 => Span { start_us: START_US + from * DAY_US, end_us: START_US + (from + 1) * DAY_US },
            2 => Span { start_us: START_US + from * DAY_US + 18 * HOUR_US, end_us: START_US + (from + 1) * DAY_US },
            3 => Span { start_us: START_US + from * DAY_US / 2, end_us: START_US + (from / 2 + 30) * DAY_US },
            _ => Span { start_us: START_US, end_us },
        };
        search.spans = vec![span];
        if random.below(6) == 0 {
            let night = |day: i64| Span {
                start_us: START_US + day * DAY_US + 22 * HOUR_US,
                end_us: START_US + day * DAY_US + 29 * HOUR_US,
            };
            search.spans = (from..from + 7).rev().map(night).collect();
        }
    }
    if random.below(2) == 0 {
        search.cameras = (0..=random.one_of(&[0, 0, 1, 4])).map(|_| CameraId(1 + random.below(CAMERAS))).collect();
    }
    if random.below(2) == 0 {
        search.classes = vec![random.one_of(&Class::ALL)];
    }
    if random.below(2) == 0 {
        let part = random.one_of(&[None, None, Some(Part::Upper), Some(Part::Lower), Some(Part::Body)]);
        search.colours = vec![ColourWish { part, any: vec![random.one_of(&Colour::ALL)] }];
        search.colour_unknown = random.below(8) == 0;
    }
    match random.below(7) {
        0 => search.headings = vec![random.one_of(&Heading::ALL)],
        1 => search.size = Some(random.one_of(&Size::ALL)),
        2 => search.dwell_least_us = Some(random.one_of(&[30, 90, 300, 840, 1000]) * 1_000_000),
        3 => search.kinds = vec![random.one_of(&["motion", "intrusion", "wrong_way"]).to_owned()],
        4 => search.words = vec![random.one_of(&["cho", "kho", "dem"]).to_owned()],
        5 => search.source = Some(random.one_of(&Source::ALL)),
        _ => {}
    }
    search
}

fn at(sorted: &[Duration], share: f64) -> f64 {
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len()) - 1;
    sorted[place].as_secs_f64() * 1e3
}

async fn run(path: &Path, rows: i64) {
    let began = Instant::now();
    furnish(path, rows).await;
    line("rows written", rows as f64 / began.elapsed().as_secs_f64(), None, "rows/s");
    let store = Store::open(path).await.expect("opened");
    let end_us = START_US + DAYS * DAY_US;
    let hours = store.unpacked_hours(end_us - HOUR_US).await.expect("read");
    let began = Instant::now();
    for hour in &hours {
        store.pack_hour(*hour).await.expect("packed");
    }
    line("an hour packed", began.elapsed().as_secs_f64() * 1e3 / hours.len().max(1) as f64, None, "ms");
    let bytes = std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
    line("database", bytes as f64 / 1e9, None, "GB");
    let mut random = Random(11);
    let (mut times, mut found, mut slowest) = (Vec::with_capacity(QUESTIONS), 0, (Duration::ZERO, Search::default()));
    for _ in 0..QUESTIONS {
        let search = question(&mut random);
        let began = Instant::now();
        found += store.search(&search, None, 50).await.expect("found").len();
        times.push(began.elapsed());
        if began.elapsed() > slowest.0 {
            slowest = (began.elapsed(), search);
        }
    }
    times.sort_unstable();
    line("newest 50 of a question: half take at most", at(&times, 0.5), Some(2.0), "ms");
    line("newest 50 of a question: 99 of 100 take at most", at(&times, 0.99), Some(20.0), "ms");
    line("newest 50 of a question: the slowest", at(&times, 1.0), None, "ms");
    line("found of a question", found as f64 / QUESTIONS as f64, None, "rows");
    eprintln!("the slowest: {:?}", slowest.1);
    let mut times = Vec::with_capacity(FIGURES);
    for _ in 0..FIGURES {
        let day = random.below(DAYS - 7);
        let (days, step) = random.one_of(&[(1, TallyStep::Hour), (7, TallyStep::Day), (7, TallyStep::Hour)]);
        let span = Span { start_us: START_US + day * DAY_US, end_us: START_US + (day + days) * DAY_US };
        let cameras = if random.below(2) == 0 { vec![] } else { vec![CameraId(1 + random.below(CAMERAS))] };
        let began = Instant::now();
        assert!(!store.tally(&cameras, span, step).await.expect("counted").is_empty());
        times.push(began.elapsed());
    }
    times.sort_unstable();
    line("figures of a day or a week: half take at most", at(&times, 0.5), None, "ms");
    line("figures of a day or a week: 99 of 100 take at most", at(&times, 0.99), Some(10.0), "ms");
    assert_eq!(counted(&store, path, &mut random).await, 0, "figures that are not those of the rows");
    store.close().await;
}

/// Days of one camera whose figures differ from what the rows themselves say, of a few.
async fn counted(store: &Store, path: &Path, random: &mut Random) -> usize {
    let mut raw = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.expect("opened");
    let mut wrong = 0;
    for _ in 0..12 {
        let (camera, day) = (1 + random.below(CAMERAS), random.below(DAYS));
        let span = Span { start_us: START_US + day * DAY_US, end_us: START_US + (day + 1) * DAY_US };
        let tally = store.tally(&[CameraId(camera)], span, TallyStep::Day).await.expect("counted");
        let mut figures: std::collections::BTreeMap<(Source, String), i64> = std::collections::BTreeMap::new();
        tally.iter().for_each(|t| *figures.entry((t.source, t.word.clone())).or_default() += t.n);
        for (source, text) in [
            (
                Source::Track,
                "select class, count(*) from track where camera = $1 and start_us >= $2 and start_us < $3 group by class",
            ),
            (
                Source::Event,
                "select kind, count(*) from event where camera = $1 and start_us >= $2 and start_us < $3 group by kind",
            ),
        ] {
            let rows: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(text))
                .bind(camera)
                .bind(span.start_us)
                .bind(span.end_us)
                .fetch_all(&mut raw)
                .await
                .expect("counted");
            for (name, n) in rows {
                wrong += usize::from(figures.get(&(source, name)) != Some(&n));
            }
        }
    }
    raw.close().await.expect("closed");
    wrong
}

fn main() {
    let rows = std::env::var("VONGLAU_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(10_000_000);
    let folder = match std::env::var_os("VONGLAU_BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(run(&folder.path().join("vonglau.db"), rows));
}
