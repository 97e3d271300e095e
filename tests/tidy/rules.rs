//! The rules: each a function from a text (or a list of names) to complaints.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use crate::text::{Token, close, lines_with, tokens, without_tests};

/// Room and rank: import only a lower rank. Equal ranks never meet.
const RANKS: [(&str, u8); 17] = [
    ("domain", 0),
    ("logic", 1),
    ("config", 1),
    ("runtime", 1),
    ("store", 2),
    ("camera", 3),
    ("record", 3),
    ("vision", 3),
    ("events", 3),
    ("search", 3),
    ("uptime", 3),
    ("hub", 3),
    ("sim", 3),
    ("http", 4),
    ("app", 5),
    ("cli", 6),
    ("main", 7),
];

/// Third-party crates (`*`: every crate with this beginning) that live only in these rooms.
const CRATES: [(&str, &[&str]); 16] = [
    ("retina", &["camera"]),
    ("gstreamer*", &["vision", "sim"]),
    ("ort", &["vision"]),
    ("jpeg_encoder", &["vision"]),
    ("fast_image_resize", &["vision"]),
    ("landlock", &["vision"]),
    ("seccompiler", &["vision"]),
    ("close_fds", &["vision"]),
    ("mp4_atom", &["record"]),
    ("sqlx", &["store"]),
    ("axum*", &["http"]),
    ("hyper*", &["http"]),
    ("tower*", &["http"]),
    ("rust_embed", &["http"]),
    ("pathfinding", &["logic"]),
    ("anyhow", &["app", "cli", "main"]),
];

/// What `domain` may use besides itself.
const DOMAIN_CRATES: [&str; 7] = ["std", "core", "alloc", "crate", "serde", "bytes", "thiserror"];
const SPAWNS: [&str; 7] = [
    "tokio::spawn",
    "task::spawn",
    "thread::spawn",
    "thread::scope",
    "thread::Builder",
    "spawn_blocking",
    "spawn_local",
];
const CLOCKS: [&str; 6] =
    ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", "Utc::now", "clock_gettime"];
const FILES: [&str; 5] = ["std::fs", "tokio::fs", "fs::read", "fs::File", "File::open"];
// In two halves, so that this file does not hold what it refuses.
const UNFINISHED: [&str; 4] =
    [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("FIX", "ME"), concat!("XX", "X")];
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// The room of a file under `src/`; `None` for `lib.rs`, the table of contents.
fn room(path: &str) -> Option<&str> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first)).filter(|r| *r != "lib")
}

fn rank(room: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank)
}

/// The product's own tokens; a file of tests has none.
fn product(path: &str, text: &str) -> Vec<Token> {
    let test_file = ["tests.rs", "testing.rs"].iter().any(|end| path.ends_with(end)) || path.contains("/tests/");
    if test_file { Vec::new() } else { without_tests(&tokens(text)) }
}

/// The rooms named after `crate::`, also in nested braces.
fn imports(all: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for i in 0..all.len().saturating_sub(2) {
        if !(matches!(all[i].word.as_str(), "crate" | "vonglau") && all[i + 1].word == "::") {
            continue;
        }
        if all[i + 2].word != "{" {
            found.push((all[i + 2].line, all[i + 2].word.clone()));
            continue;
        }
        let (mut j, end) = (i + 3, close(all, i + 2) - 1);
        while j < end {
            found.push((all[j].line, all[j].word.clone()));
            // On to the next name of this brace, over the deeper ones.
            while j < end && all[j].word != "," {
                j = if all[j].word == "{" { close(all, j) } else { j + 1 };
            }
            j += 1;
        }
    }
    found
}

/// Arrows point downwards only, also in tests.
pub fn arrows(path: &str, text: &str) -> Vec<String> {
    let Some(from) = room(path) else { return Vec::new() };
    let Some(own) = rank(from) else { return vec![format!("{path}: the room {from} has no rank")] };
    let all = tokens(text);
    let mut bad = Vec::new();
    for (line, to) in imports(&all).into_iter().filter(|(_, to)| to != from && to != "self") {
        match rank(&to) {
            Some(other) if other < own => {}
            Some(_) => bad.push(format!("{path}:{line}: {from} imports {to}, which is not lower")),
            None => bad.push(format!("{path}:{line}: {to} is not a room")),
        }
    }
    // `super::super::store` would be an arrow nobody sees: what leaves the room is written from `crate::`.
    let depth = path.split('/').count() - 1 - usize::from(path.ends_with("/mod.rs"));
    let climb = "super::".repeat(depth);
    let product = product(path, text);
    bad.extend(
        lines_with(&product, &climb).iter().map(|l| format!("{path}:{l}: {climb} leaves the room; write crate::")),
    );
    bad
}

/// Third-party crates stay in their rooms; `domain` uses next to none.
pub fn crates(path: &str, text: &str, dependencies: &[String]) -> Vec<String> {
    let Some(room) = room(path) else { return Vec::new() };
    let all = product(path, text);
    let mut bad = Vec::new();
    for (i, token) in all.iter().enumerate() {
        let next = |word: &str| all.get(i + 1).is_some_and(|t| t.word == word);
        let before = |words: &[&str]| i > 0 && words.contains(&all[i - 1].word.as_str());
        // `x::retina` is a name inside x; `use ::retina` is the crate.
        if before(&["::"]) && i > 1 && all[i - 2].word != "use" && all[i - 2].word.starts_with(char::is_alphanumeric) {
            continue;
        }
        if !(next("::") || before(&["use", "crate"]) && (next(";") || next("as"))) {
            continue;
        }
        let name = token.word.as_str();
        let rule = CRATES.iter().find(|(krate, _)| match krate.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *krate,
        });
        if rule.is_some_and(|(_, rooms)| !rooms.contains(&room)) {
            bad.push(format!("{path}:{}: {name} does not belong in {room}", token.line));
        } else if room == "domain" && !DOMAIN_CRATES.contains(&name) && dependencies.iter().any(|d| d == name) {
            bad.push(format!("{path}:{}: domain is pure and does without {name}", token.line));
        }
    }
    bad
}

/// Tasks begin in `runtime/tasks`, time in `runtime/clock`; `domain` and `logic` touch no file; nothing is unwrapped
/// without a reason; nothing is unsafe.
pub fn habits(path: &str, text: &str) -> Vec<String> {
    let Some(room) = room(path) else { return Vec::new() };
    let all = product(path, text);
    let mut bad = Vec::new();
    let mut refuse = |paths: &[&str], why: &str| {
        for p in paths {
            bad.extend(lines_with(&all, p).iter().map(|line| format!("{path}:{line}: {p}: {why}")));
        }
    };
    if path != "src/runtime/tasks.rs" {
        refuse(&SPAWNS, "only runtime/tasks.rs starts tasks and threads");
    }
    if path != "src/runtime/clock.rs" {
        refuse(&CLOCKS, "only runtime/clock.rs reads a clock");
    }
    if matches!(room, "domain" | "logic") {
        refuse(&FILES, "no file is read here");
    }
    refuse(&[".unwrap()"], "say by expect(\"…\") why it cannot fail, or handle it");
    refuse(&["dbg!"], "say it by tracing");
    refuse(&["println!", "print!", "eprintln!", "eprint!"], "panics when the reader has gone; cli/say.rs does not");
    let unsafe_lines = lines_with(&tokens(text), "unsafe");
    bad.extend(unsafe_lines.iter().map(|line| format!("{path}:{line}: unsafe code")));
    bad
}

/// Files of at most 500 lines.
pub fn file_length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > FILE_LINES { vec![format!("{path}: {lines} lines, at most {FILE_LINES}")] } else { Vec::new() }
}

/// Functions of at most 70 lines, tests too.
pub fn function_lengths(path: &str, text: &str) -> Vec<String> {
    let all = tokens(text);
    let mut bad = Vec::new();
    for i in 0..all.len().saturating_sub(1) {
        let name = &all[i + 1].word;
        if all[i].word != "fn" || name == "(" {
            continue;
        }
        let mut body = i + 2;
        while body < all.len() && !matches!(all[body].word.as_str(), "{" | ";") {
            body = if matches!(all[body].word.as_str(), "(" | "[") { close(&all, body) } else { body + 1 };
        }
        if all.get(body).is_some_and(|t| t.word == "{") {
            let lines = all[close(&all, body) - 1].line - all[i].line + 1;
            if lines > FUNCTION_LINES {
                bad.push(format!("{path}:{}: fn {name} has {lines} lines, at most {FUNCTION_LINES}", all[i].line));
            }
        }
    }
    bad
}

/// Nothing is left unfinished.
pub fn unfinished(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(n, line)| {
            UNFINISHED.iter().filter(|w| line.contains(**w)).map(move |w| format!("{path}:{}: {w}", n + 1))
        })
        .collect()
}

/// Relative links of a document lead to something in the repository. `exists` is asked for paths from the root.
pub fn links(path: &str, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut bad = Vec::new();
    let mut fenced = false;
    for (n, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        // Every second piece between backquotes is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for target in prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let from = Path::new(path).parent().unwrap_or(Path::new(""));
            if !inside(&from.join(file)).is_some_and(|p| exists(&p)) {
                bad.push(format!("{path}:{}: dead link {target}", n + 1));
            }
        }
    }
    bad
}

/// The path without `.` and `..`; `None` when it leaves the repository.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => out.pop().then_some(())?,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(out)
}

/// The two engines have migrations of the same numbers, each number once.
pub fn migrations(sqlite: &[String], postgres: &[String]) -> Vec<String> {
    let number = |name: &String| name.chars().take_while(char::is_ascii_digit).collect::<String>();
    let numbers = |names: &[String]| names.iter().map(number).collect::<BTreeSet<_>>();
    let (left, right) = (numbers(sqlite), numbers(postgres));
    let mut bad: Vec<String> =
        left.symmetric_difference(&right).map(|n| format!("migration {n:?} exists for one engine only")).collect();
    if left.len() != sqlite.len() || right.len() != postgres.len() {
        bad.push("a migration number stands twice".into());
    }
    bad
}

/// The lock names no host: packages come from whatever registry the machine is set up for, and are known by their hash.
pub fn npm_hosts(path: &str, text: &str) -> Vec<String> {
    let named = text.lines().enumerate().filter(|(_, line)| line.trim().starts_with("\"resolved\":"));
    named.map(|(n, line)| format!("{path}:{}: names a host: {}", n + 1, line.trim())).collect()
}
