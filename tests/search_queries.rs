//! What officers type becomes what `fixtures/queries.toml` says, and what is not followed is struck out and said.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use vonglau::{
    domain::{ids::CameraId, search::Heading},
    logic::search::{
        Context, Intent, Understood,
        fold::words,
        places::{Place, PlaceKind},
        time, understand,
    },
};

#[derive(Deserialize)]
struct Table {
    now: String,
    kinds: BTreeSet<String>,
    rule_names: Vec<String>,
    exits: Vec<(String, String, String)>,
    camera: Vec<Camera>,
    vi: Vec<Query>,
    en: Vec<Query>,
}

#[derive(Deserialize)]
struct Camera {
    code: String,
    name: String,
    cluster: String,
    hamlet: String,
}

#[derive(Deserialize)]
struct Query {
    typed: String,
    becomes: String,
    #[serde(default)]
    struck: Vec<String>,
    #[serde(default)]
    other: Vec<String>,
}

fn table() -> Table {
    toml::from_str(include_str!("fixtures/queries.toml")).expect("the table can be read")
}

fn context(table: &Table) -> Context {
    let now: jiff::Timestamp = table.now.parse().expect("a time");
    let id = |code: &str| CameraId(code[1..].parse().expect("a number"));
    let mut places = Vec::new();
    let mut groups: BTreeMap<(&str, bool), Vec<CameraId>> = BTreeMap::new();
    for camera in &table.camera {
        let cameras = vec![id(&camera.code)];
        places.push(Place { name: camera.code.clone(), kind: PlaceKind::Code, cameras: cameras.clone() });
        places.push(Place { name: camera.name.clone(), kind: PlaceKind::Camera, cameras });
        groups.entry((&camera.cluster, true)).or_default().push(id(&camera.code));
        groups.entry((&camera.hamlet, false)).or_default().push(id(&camera.code));
    }
    places.extend(groups.into_iter().map(|((name, cluster), cameras)| Place {
        name: name.to_owned(),
        kind: if cluster { PlaceKind::Cluster } else { PlaceKind::Hamlet },
        cameras,
    }));
    let exit = |(from, to, heading): &(String, String, String)| {
        (id(from), id(to), Heading::from_name(heading).expect("a heading"))
    };
    Context {
        now_us: now.as_microsecond(),
        places,
        kinds: table.kinds.clone(),
        words: table.rule_names.iter().flat_map(|name| words(name)).map(|word| word.folded).collect(),
        exits: table.exits.iter().map(exit).collect(),
    }
}

/// Everything that is looked for, in one line.
fn said(understood: &Understood) -> String {
    let search = &understood.search;
    let mut said = Vec::new();
    let mut add = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            said.push(format!("{name}={}", values.join(",")));
        }
    };
    let code = |camera: &CameraId| format!("C{:02}", camera.0);
    let any = |headings: &[Heading]| headings.iter().map(|h| h.name()).collect::<Vec<_>>().join("|");
    add("class", search.classes.iter().map(|c| c.name().to_owned()).collect());
    let colour = |wish: &vonglau::domain::search::ColourWish| {
        let mut any = wish.any.clone();
        any.sort_unstable();
        let names: Vec<_> = any.iter().map(|c| c.name()).collect();
        format!("{}{}", wish.part.map(|p| format!("{}:", p.name())).unwrap_or_default(), names.join("|"))
    };
    add("colour", search.colours.iter().map(colour).collect());
    add("kind", search.kinds.clone());
    add("heading", search.headings.iter().map(|h| h.name().to_owned()).collect());
    add("towards", search.towards.iter().map(|(c, h)| format!("{}:{}", code(c), any(h))).collect());
    add("size", search.size.iter().map(|s| s.name().to_owned()).collect());
    add("dwell", search.dwell_least_us.iter().map(|us| (us / 60_000_000).to_string()).collect());
    add("place", search.cameras.iter().map(code).collect());
    let default = understood.chips[0].at.is_none();
    add("time", vec![if default { "7d".to_owned() } else { time::written(&search.spans) }]);
    add("words", search.words.clone());
    add("riders", understood.riders.iter().map(ToString::to_string).collect());
    add("plate", understood.plate.iter().cloned().collect());
    if understood.intent == Intent::CameraState {
        said.insert(0, "cameras".to_owned());
    }
    said.join("; ")
}

#[test]
fn every_line_of_the_table_becomes_what_it_says() {
    let table = table();
    let context = context(&table);
    assert!(table.vi.len() >= 60 && table.en.len() >= 20, "{} and {} lines", table.vi.len(), table.en.len());
    let mut wrong = Vec::new();
    for query in table.vi.iter().chain(&table.en) {
        let understood = understand(&query.typed, &context);
        let now = said(&understood);
        if now != query.becomes {
            wrong.push(format!("“{}”\n  must become {}\n  is          {now}", query.typed, query.becomes));
        }
        let struck: Vec<&str> = understood.chips.iter().filter(|c| !c.used).map(|c| c.said.vi.as_str()).collect();
        if struck != query.struck.iter().map(String::as_str).collect::<Vec<_>>() {
            wrong.push(format!("“{}”\n  must strike {:?}\n  strikes     {struck:?}", query.typed, query.struck));
        }
        let others: BTreeSet<&str> =
            understood.chips.iter().flat_map(|c| &c.others).map(|other| other.word.as_str()).collect();
        if let Some(missing) = query.other.iter().find(|other| !others.contains(other.as_str())) {
            wrong.push(format!("“{}”\n  must offer “{missing}”, offers {others:?}", query.typed));
        }
    }
    assert!(wrong.is_empty(), "{} of the table:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn another_reading_chosen_is_understood_as_that_reading() {
    let table = table();
    let context = context(&table);
    let mut chosen = 0;
    for query in table.vi.iter().chain(&table.en) {
        for chip in understand(&query.typed, &context).chips {
            for other in chip.others {
                assert!(other.text.contains(&other.word), "{other:?}");
                assert_ne!(other.text, query.typed);
                chosen += 1;
            }
        }
    }
    assert!(chosen > 40, "{chosen}");
    let first = understand("xm do toi qua cho", &context);
    let dog = first.chips.iter().flat_map(|c| &c.others).find(|o| o.word == "chó").expect("offered");
    let dog = understand(&dog.text, &context);
    assert_eq!(dog.search.cameras, []);
    assert!(dog.chips.iter().any(|c| !c.used && c.said.vi == "chó"), "{:?}", dog.chips);
}

#[test]
fn a_chip_says_where_in_the_line_it_stands() {
    let table = table();
    let context = context(&table);
    for query in table.vi.iter().chain(&table.en) {
        let units: Vec<u16> = query.typed.encode_utf16().collect();
        for chip in understand(&query.typed, &context).chips {
            let Some([from, to]) = chip.at else { continue };
            assert!(from < to && to <= units.len(), "{}: {chip:?}", query.typed);
        }
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_understood_somehow_and_its_spans_are_apart_and_newest_first(
            text in "[a-zàáđêơ0-9:/ –-]{0,80}", minute in 0i64..2_000_000,
        ) {
            let mut context = context(&table());
            context.now_us += minute * 60_000_000;
            let understood = understand(&text, &context);
            prop_assert!(!understood.search.spans.is_empty());
            prop_assert!(understood.search.spans.iter().all(|s| s.start_us < s.end_us), "{:?}", understood.search.spans);
            prop_assert!(understood.search.spans.windows(2).all(|w| w[1].end_us <= w[0].start_us));
        }

        #[test]
        fn words_of_the_table_in_any_order_are_understood(picked in prop::collection::vec((0usize..80, 0usize..9), 1..9)) {
            let table = table();
            let context = context(&table);
            let lines: Vec<&str> = table.vi.iter().chain(&table.en).map(|q| q.typed.as_str()).collect();
            let word = |(line, at): &(usize, usize)| {
                let words: Vec<&str> = lines[line % lines.len()].split(' ').collect();
                words[at % words.len()].to_owned()
            };
            let text = picked.iter().map(word).collect::<Vec<_>>().join(" ");
            let understood = understand(&text, &context);
            prop_assert!(understood.search.spans.windows(2).all(|w| w[1].end_us <= w[0].start_us), "{}", text);
        }
    }
}
