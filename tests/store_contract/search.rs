//! Search and counting: packed or not, what they say is what a look at every row says.

use std::collections::{BTreeMap, BTreeSet};

use vonglau::{
    domain::{
        colour::{Colour, Part},
        detection::Class,
        event::Event,
        geometry::NormBox,
        ids::{CameraId, EventId, RuleId},
        rule::RuleKind,
        search::{ColourWish, Heading, Search, SearchCursor, Size, Source},
        time::{MediaTime, Span},
    },
    logic::path::Way,
    store::{Found, Store, StoreError, Tally, TallyStep, TrackRow},
};

use crate::{
    engines::{NOW, actor, camera, on_every_engine},
    events::event,
    rules::rule,
    tracks::{coloured, track},
};

const HOUR_US: i64 = 3_600_000_000;
const HOURS: i64 = 8;
/// A whole hour, so that the last of the hours is [`HOURS`] later.
const START_US: i64 = 1_795_176_000_000_000;

/// Numbers that look made up and are the same each time (a step of SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below.unsigned_abs()).cast_signed()
    }
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.next(all.len() as i64)).unwrap()]
    }
}

/// What a row is, for a search by looking at each.
#[derive(Debug, Clone)]
struct Known {
    cursor: SearchCursor,
    camera: CameraId,
    class: Option<Class>,
    kind: Option<RuleKind>,
    name: String,
    looks: Option<Looks>,
    end_us: i64,
}

#[derive(Debug, Clone)]
struct Looks {
    colours: Vec<(Part, Colour)>,
    heading: Option<Heading>,
    size: Size,
}

fn random_track(random: &mut Random, cameras: &[CameraId], number: i64) -> (TrackRow, Looks) {
    let start_us = START_US + random.next(HOURS * HOUR_US / 1000) * 1000;
    let mut row = track(random.one_of(cameras), number, start_us);
    row.best.class = random.one_of(&Class::ALL);
    row.span.end_us = start_us + random.next(90_000_000);
    row.open = random.next(20) == 0;
    let size = random.one_of(&[0.05f32, 0.2, 0.6]);
    row.best.rect = NormBox::new(0.1, 0.1, 0.1 + size, 0.1 + size).unwrap();
    let mut way = Way::default();
    let (from, to) = random.one_of(&[
        ((0.1, 0.4), (0.7, 0.4)),
        ((0.7, 0.4), (0.1, 0.4)),
        ((0.4, 0.1), (0.4, 0.7)),
        ((0.4, 0.7), (0.4, 0.1)),
        ((0.4, 0.4), (0.42, 0.4)),
    ]);
    for (i, (x, y)) in [from, to].into_iter().enumerate() {
        way.push(MediaTime(start_us + i as i64 * 1_000_000), NormBox::new(x, y, x + 0.1, y + 0.1).unwrap());
    }
    row.path = way.encode();
    let parts: &[Part] = if row.best.class == Class::Person { &[Part::Upper, Part::Lower] } else { &[Part::Body] };
    let mut colours = Vec::new();
    if random.next(4) > 0 {
        for part in parts {
            let colour = random.one_of(&Colour::ALL);
            row.colours.push(coloured(*part, &[(colour, 0.75)]));
            colours.push((*part, colour));
        }
    } else {
        row.colours.clear();
    }
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let heading = match (x.abs() > 0.1, y.abs() > 0.1) {
        (true, _) if x > 0.0 => Some(Heading::Right),
        (true, _) => Some(Heading::Left),
        (_, true) if y > 0.0 => Some(Heading::Near),
        (_, true) => Some(Heading::Far),
        _ => None,
    };
    (row, Looks { colours, heading, size: Size::of(size * size) })
}

fn random_event(random: &mut Random, rules: &[(RuleId, &str, RuleKind)], of: &TrackRow) -> Event {
    let (rule, name, kind) = random.one_of(rules);
    let with_track = random.next(3) > 0;
    let start_us = of.span.start_us + random.next(2_000_000);
    Event {
        rule_name: name.into(),
        kind,
        class: with_track.then_some(of.best.class),
        track: with_track.then_some(of.best.track),
        end_us: start_us + random.next(100_000_000),
        open: random.next(15) == 0,
        ..event(of.camera, rule, start_us)
    }
}

fn fits(known: &Known, search: &Search) -> bool {
    let has = |wish: &ColourWish| {
        let of = |(part, colour): &(Part, Colour)| wish.part.is_none_or(|p| p == *part) && wish.any.contains(colour);
        known.looks.as_ref().is_some_and(|looks| looks.colours.iter().any(of))
    };
    let colours = known.looks.as_ref().map_or(0, |looks| looks.colours.len());
    let heading = known.looks.as_ref().and_then(|looks| looks.heading);
    let headed = |headings: &[Heading]| heading.is_some_and(|h| headings.contains(&h));
    let inside = |span: &Span| span.start_us <= known.cursor.start_us && known.cursor.start_us < span.end_us;
    search.source.is_none_or(|source| source == known.cursor.source)
        && (search.cameras.is_empty() || search.cameras.contains(&known.camera))
        && (search.kinds.is_empty() || known.kind.is_some_and(|k| search.kinds.iter().any(|name| name == k.name())))
        && (search.classes.is_empty() || known.class.is_some_and(|c| search.classes.contains(&c)))
        && if search.colour_unknown { colours == 0 } else { search.colours.iter().all(has) }
        && (search.headings.is_empty() || headed(&search.headings))
        && (search.towards.is_empty() || search.towards.iter().any(|(c, h)| *c == known.camera && headed(h)))
        && search.size.is_none_or(|size| known.looks.as_ref().is_some_and(|looks| looks.size == size))
        && search.dwell_least_us.is_none_or(|least| known.end_us - known.cursor.start_us >= least)
        && (search.spans.is_empty() || search.spans.iter().any(inside))
        && search.words.iter().all(|word| known.name.split(' ').any(|w| w.starts_with(word.as_str())))
        && (search.words.is_empty() || known.cursor.source == Source::Event)
}

fn random_search(random: &mut Random, cameras: &[CameraId]) -> Search {
    let mut search = Search::default();
    if random.next(4) == 0 {
        search.source = Some(random.one_of(&Source::ALL));
    }
    if random.next(3) == 0 {
        search.cameras = (0..=random.next(2)).map(|_| random.one_of(cameras)).collect();
    }
    if random.next(5) == 0 {
        search.kinds = vec![random.one_of(&["motion", "intrusion"]).to_owned()];
    }
    if random.next(3) == 0 {
        search.classes = (0..=random.next(2)).map(|_| random.one_of(&Class::ALL)).collect();
    }
    if random.next(3) == 0 {
        let part = random.one_of(&[None, Some(Part::Upper), Some(Part::Lower), Some(Part::Body)]);
        search.colours = vec![ColourWish { part, any: (0..2).map(|_| random.one_of(&Colour::ALL)).collect() }];
        search.colour_unknown = random.next(4) == 0;
    }
    match random.next(8) {
        0 => search.headings = vec![random.one_of(&Heading::ALL)],
        1 => search.towards = cameras.iter().take(2).map(|c| (*c, vec![random.one_of(&Heading::ALL)])).collect(),
        2 => search.size = Some(random.one_of(&Size::ALL)),
        3 => search.dwell_least_us = Some(random.next(80) * 1_000_000),
        4 => search.words = vec![random.one_of(&["cho", "cau", "ban", "khong"]).to_owned()],
        _ => {}
    }
    if random.next(2) == 0 {
        let mut ends: Vec<i64> = (0..4).map(|_| START_US + random.next(HOURS * HOUR_US)).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        search.spans = ends.chunks(2).map(|pair| Span { start_us: pair[1], end_us: pair[0] }).collect();
    }
    search
}

async fn pages(store: &Store, search: &Search, limit: u32) -> Vec<SearchCursor> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.search(search, after, limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        let Some(last) = page.last() else { return all };
        after = Some(last.cursor());
        all.extend(page.iter().map(Found::cursor));
    }
}

/// Looks the store and the list through by the same questions.
async fn compare(store: &Store, known: &[Known], random: &mut Random, cameras: &[CameraId]) {
    let mut found = 0;
    for _ in 0..60 {
        let search = random_search(random, cameras);
        let mut expected: Vec<SearchCursor> = known.iter().filter(|k| fits(k, &search)).map(|k| k.cursor).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        found += expected.len();
        for limit in [7, 500] {
            assert_eq!(pages(store, &search, limit).await, expected, "{search:?}");
        }
    }
    assert!(found > 100, "the questions find too little: {found}");
    tallies(store, known, random, cameras).await;
}

async fn tallies(store: &Store, known: &[Known], random: &mut Random, cameras: &[CameraId]) {
    for _ in 0..10 {
        let step = random.one_of(&[TallyStep::Hour, TallyStep::Day]);
        let cut_us = random.one_of(&[0, 0, 1_234_567]);
        let span = Span {
            start_us: START_US + random.next(3) * HOUR_US - cut_us,
            end_us: START_US + (4 + random.next(6)) * HOUR_US - random.one_of(&[0, 17]),
        };
        let of: Vec<CameraId> = if random.next(2) == 0 { vec![] } else { vec![cameras[0], cameras[1]] };
        let mut sums: BTreeMap<(i64, Source, String), i64> = BTreeMap::new();
        for k in known {
            let start_us = k.cursor.start_us;
            if start_us < span.start_us || start_us >= span.end_us || !(of.is_empty() || of.contains(&k.camera)) {
                continue;
            }
            let word = k.kind.map_or_else(|| k.class.map(Class::name), |kind| Some(kind.name())).unwrap().to_owned();
            let at = span.start_us + (start_us - span.start_us) / step.us() * step.us();
            *sums.entry((at, k.cursor.source, word)).or_insert(0) += 1;
        }
        let expected: Vec<Tally> =
            sums.into_iter().map(|((start_us, source, word), n)| Tally { start_us, source, word, n }).collect();
        assert_eq!(store.tally(&of, span, step).await.unwrap(), expected, "{span:?} {step:?} {of:?}");
    }
}

/// Tracks and events in a store, and the list of them.
async fn furnish(store: &Store, random: &mut Random) -> (Vec<CameraId>, Vec<(TrackRow, Looks)>, Vec<Known>) {
    let mut cameras = Vec::new();
    for name in ["a", "b", "c"] {
        cameras.push(camera(store, name).await.0);
    }
    let mut rules = Vec::new();
    for (name, kind) in [("Chợ ban đêm", RuleKind::Motion), ("Cầu, không được vào", RuleKind::Intrusion)] {
        rules.push((store.add_rule(&actor(), &rule(name, None), NOW).await.unwrap(), name, kind));
    }
    let mut tracks: Vec<(TrackRow, Looks)> = (1..=400).map(|n| random_track(random, &cameras, n)).collect();
    let rows: Vec<TrackRow> = tracks.iter().map(|(row, _)| row.clone()).collect();
    let ids = store.keep_tracks(&rows).await.unwrap();
    let mut known = Vec::new();
    for ((row, looks), id) in tracks.iter_mut().zip(ids) {
        row.id = Some(id);
        known.push(Known {
            cursor: SearchCursor { start_us: row.span.start_us, source: Source::Track, id },
            camera: row.camera,
            class: Some(row.best.class),
            kind: None,
            name: String::new(),
            looks: Some(looks.clone()),
            end_us: row.span.end_us,
        });
    }
    for _ in 0..120 {
        let (row, looks) = &tracks[usize::try_from(random.next(400)).unwrap()];
        let event = random_event(random, &rules, row);
        let id = store.insert_event(&event).await.unwrap();
        known.push(Known {
            cursor: SearchCursor { start_us: event.start_us, source: Source::Event, id: id.0 },
            camera: event.camera,
            class: event.class,
            kind: Some(event.kind),
            name: vonglau::logic::search::fold::fold(&event.rule_name).replace(',', ""),
            looks: event.track.map(|_| looks.clone()),
            end_us: event.end_us,
        });
    }
    (cameras, tracks, known)
}

#[tokio::test]
async fn what_is_found_and_counted_is_what_a_look_at_every_row_says_packed_or_not() {
    on_every_engine(|store| async move {
        let mut random = Random(7);
        let (cameras, mut tracks, mut known) = furnish(&store, &mut random).await;
        compare(&store, &known, &mut random, &cameras).await;
        let before_us = START_US + (HOURS - 1) * HOUR_US;
        let hours = store.unpacked_hours(before_us).await.unwrap();
        assert_eq!(hours.len() as i64, HOURS - 1);
        for hour in &hours {
            store.pack_hour(*hour).await.unwrap();
        }
        assert_eq!(store.unpacked_hours(before_us).await.unwrap(), Vec::<i64>::new());
        compare(&store, &known, &mut random, &cameras).await;
        // One that goes on and is closed takes its hour out, one that is removed does too.
        let at = tracks.iter().position(|(row, _)| row.open && row.span.start_us < before_us).expect("one goes on");
        tracks[at].0.open = false;
        let closed = tracks[at].0.clone();
        store.keep_tracks(std::slice::from_ref(&closed)).await.unwrap();
        let hour = closed.span.start_us / HOUR_US;
        assert_eq!(store.unpacked_hours(before_us).await.unwrap(), [hour]);
        compare(&store, &known, &mut random, &cameras).await;
        store.pack_hour(hour).await.unwrap();
        let gone: Vec<i64> = tracks.iter().step_by(9).filter_map(|(row, _)| row.id).collect();
        store.remove_tracks(&gone).await.unwrap();
        let gone: BTreeSet<i64> = gone.into_iter().collect();
        known.retain(|k| k.cursor.source != Source::Track || !gone.contains(&k.cursor.id));
        let of_gone = |k: &Known| {
            tracks.iter().any(|(row, _)| {
                row.id.is_some_and(|id| gone.contains(&id))
                    && k.camera == row.camera
                    && k.looks.is_some()
                    && k.cursor.source == Source::Event
                    && (k.cursor.start_us - row.span.start_us).abs() < 2_000_000
            })
        };
        let events: Vec<EventId> = known.iter().filter(|k| of_gone(k)).map(|k| EventId(k.cursor.id)).collect();
        store.remove_events(&events).await.unwrap();
        let events: BTreeSet<i64> = events.into_iter().map(|id| id.0).collect();
        known.retain(|k| k.cursor.source != Source::Event || !events.contains(&k.cursor.id));
        compare(&store, &known, &mut random, &cameras).await;
        assert!(store.close_open_tracks().await.unwrap() > 0 && store.close_open_events().await.unwrap() > 0);
        compare(&store, &known, &mut random, &cameras).await;
        for hour in store.unpacked_hours(before_us).await.unwrap() {
            store.pack_hour(hour).await.unwrap();
        }
        compare(&store, &known, &mut random, &cameras).await;
        assert_eq!(
            store.phrase_words().await.unwrap().iter().map(String::as_str).collect::<Vec<_>>(),
            ["ban", "cau", "cho", "dem", "duoc", "khong", "vao"]
        );
    })
    .await;
}

#[tokio::test]
async fn an_event_that_changes_its_hour_leaves_both() {
    on_every_engine(|store| async move {
        let (id, ..) = camera(&store, "a").await;
        let rule = store.add_rule(&actor(), &rule("Vào vùng cấm", None), NOW).await.unwrap();
        let given = Event { open: false, ..event(id, rule, START_US) };
        let event = store.insert_event(&given).await.unwrap();
        for hour in [0, 1] {
            store.pack_hour(START_US / HOUR_US + hour).await.unwrap();
        }
        let later = Event { id: event, revision: 2, start_us: START_US + HOUR_US, ..given };
        store.update_event(&later).await.unwrap();
        let found = store.search(&Search::default(), None, 9).await.unwrap();
        assert_eq!(found, [Found::Event(later)]);
        assert_eq!(
            store.unpacked_hours(START_US + 2 * HOUR_US).await.unwrap().len(),
            1,
            "the older hour has nothing left"
        );
        store.forget_old_hours().await.unwrap();
        assert_eq!(store.search(&Search::default(), None, 9).await.unwrap().len(), 1);
        assert_eq!(store.search(&Search { spans: vec![], ..Search::default() }, None, 0).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_question_that_names_too_much_is_refused() {
    on_every_engine(|store| async move {
        let search = Search { cameras: (0..1001).map(CameraId).collect(), ..Search::default() };
        assert!(matches!(store.search(&search, None, 5).await, Err(StoreError::Refused(_))));
        let week = Span { start_us: 0, end_us: 3000 * HOUR_US };
        assert!(matches!(store.tally(&[], week, TallyStep::Hour).await, Err(StoreError::Refused(_))));
        let hostile = Search { words: vec!["\" OR 1=1 --".into(), "'); drop".into()], ..Search::default() };
        assert_eq!(store.search(&hostile, None, 5).await.unwrap(), []);
    })
    .await;
}
