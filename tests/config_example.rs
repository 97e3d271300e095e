//! `config/example.toml` shows every key with its default, and what is written wrongly is refused with its key and
//! what to do.

use std::collections::BTreeSet;

use vonglau::{
    config::{Config, KEYS, LogLevel, ModelChoice},
    domain::refusal::Refusal,
};

const EXAMPLE: &str = include_str!("../config/example.toml");

/// The example with the line of one key replaced.
fn example_with(key: &str, line: &str) -> String {
    let start = format!("{key} = ");
    assert_eq!(EXAMPLE.lines().filter(|l| l.starts_with(&start)).count(), 1, "{key} stands once in the example");
    let lines = EXAMPLE.lines().map(|l| if l.starts_with(&start) { line } else { l });
    lines.collect::<Vec<_>>().join("\n")
}

fn refused(text: &str) -> Vec<Refusal> {
    Config::parse(text).expect_err("this text must be refused")
}

#[test]
fn the_example_equals_the_defaults() {
    assert_eq!(Config::parse(EXAMPLE), Ok(Config::default()));
    assert_eq!(Config::parse(""), Ok(Config::default()));
    assert_eq!(Config::parse(&format!("\u{feff}{EXAMPLE}")), Ok(Config::default()), "as saved on Windows");
    assert_eq!(Config::load(None), Ok(Config::default()));
}

#[test]
fn every_key_stands_in_the_example_with_a_comment_above_it() {
    let table: toml::Table = EXAMPLE.parse().unwrap();
    let written: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    assert_eq!(written, BTreeSet::from(KEYS));
    // A new field of the checked configuration does not compile here until it has a line in this table, and each
    // line proves that its key is the one that moves the field.
    let Config { listen: _, data: _, store: _, model: _, log: _ } = Config::default();
    for (key, line) in [
        ("listen", "listen = \"[::1]:9000\""),
        ("data", "data = \"/srv/v\""),
        ("store", "store = \"/mnt/disk1\""),
        ("model", "model = \"/srv/m.onnx\""),
        ("log", "log = \"debug\""),
    ] {
        assert_ne!(Config::parse(&example_with(key, line)), Ok(Config::default()), "{key} has an effect");
    }
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for (i, line) in lines.iter().enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with('#')) {
        assert!(lines[i - 1].starts_with("# ") && lines[i - 2].starts_with("# "), "no comment above: {line}");
    }
}

#[test]
fn values_are_taken_as_written() {
    let text = "listen = \"[::1]:0\"\ndata = \"/srv/v\"\nstore = \"rec\"\nmodel = \"/srv/m.onnx\"\nlog = \"trace\"";
    let expected = Config {
        listen: "[::1]:0".parse().unwrap(),
        data: "/srv/v".into(),
        store: "/srv/v/rec".into(),
        model: ModelChoice::File("/srv/m.onnx".into()),
        log: LogLevel::Trace,
    };
    assert_eq!(Config::parse(text), Ok(expected));
    let off = Config::parse("model = \"none\"").unwrap();
    assert_eq!((off.model, Config::default().model), (ModelChoice::Off, ModelChoice::Auto));
}

#[test]
fn an_unknown_key_is_refused_with_its_name_and_the_keys_there_are() {
    let all = refused(&format!("{EXAMPLE}\nlisten_port = 8080\n"));
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].place, "listen_port");
    for key in KEYS {
        assert!(all[0].en.contains(key) && all[0].vi.contains(key), "{}", all[0]);
    }
}

#[test]
fn a_wrong_type_is_refused_with_the_key_and_the_right_form() {
    for key in KEYS {
        for wrong in ["8080", "true", "[\"x\"]", "{ x = 1 }"] {
            let all = refused(&example_with(key, &format!("{key} = {wrong}")));
            assert_eq!(all.len(), 1, "{key} = {wrong}: {all:?}");
            assert_eq!(all[0].place, key);
            let form = format!("{key} = \"");
            assert!(all[0].en.contains(&form) && all[0].vi.contains(&form), "{}", all[0]);
        }
    }
}

#[test]
fn a_wrong_value_is_refused_with_the_key_and_the_remedy() {
    for (key, value, remedy) in [
        ("listen", "localhost", "127.0.0.1:8080"),
        ("listen", "127.0.0.1", "127.0.0.1:8080"),
        ("listen", "0.0.0.0:8080", "does not speak TLS yet"),
        ("listen", "[::]:8080", "does not speak TLS yet"),
        ("listen", "192.168.1.10:80", "127.0.0.1:80"),
        ("data", "", "data = \"/var/lib/vonglau\""),
        ("data", "data", "Begin it with"),
        ("store", " ", "store = \"/mnt/disk1/vonglau\""),
        ("model", "yolox.onnx", "Begin it with"),
        ("model", "/srv/yolox.pt", "\"auto\""),
        ("log", "loud", "error, warn, info, debug, trace"),
        ("log", "INFO", "error, warn, info, debug, trace"),
    ] {
        let all = refused(&example_with(key, &format!("{key} = {value:?}")));
        assert_eq!(all.len(), 1, "{key} = {value}: {all:?}");
        assert_eq!(all[0].place, key);
        assert!(all[0].en.contains(remedy), "{key} = {value}: {}", all[0]);
        assert!(!all[0].vi.is_empty());
    }
}

#[test]
fn all_problems_are_reported_together() {
    let all = refused("listen = \"0.0.0.0:1\"\ndata = 1\nstore = \"\"\nmodel = \"x.pt\"\nlog = \"loud\"\nport = 1\n");
    let places: Vec<&str> = all.iter().map(|r| r.place.as_str()).collect();
    assert_eq!(places, ["listen", "data", "store", "model", "log", "port"]);
}
