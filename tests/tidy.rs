//! The house rules of the architecture that no compiler keeps: arrows, crates in their rooms, spawns, clocks, lengths,
//! links. Each rule is a function from a text to complaints (`tidy/rules.rs`); seeded violations prove that each one
//! bites. Reads the source tree with the standard library only.

use std::{fs, path::PathBuf};

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/text.rs"]
mod text;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the repository with their text, by path from the root. What is built or fetched is left out, and so is what
/// is not text.
fn tree() -> Vec<(String, String)> {
    const FETCHED: [&str; 4] = ["target", "node_modules", "dist", "shared"];
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the repository can be read") {
            let entry = entry.expect("the repository can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().expect("the repository can be read");
            if kind.is_dir() && !FETCHED.contains(&name.as_str()) && (!name.starts_with('.') || name == ".ci") {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                let path = entry.path().strip_prefix(root()).expect("inside the root").to_string_lossy().into_owned();
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}

/// Runs a rule over the files that `of` picks, and fails with all complaints together.
fn keeps(of: impl Fn(&str) -> bool, rule: impl Fn(&str, &str) -> Vec<String>) {
    let files: Vec<_> = tree().into_iter().filter(|(path, _)| of(path)).collect();
    assert!(!files.is_empty(), "the rule looked at no file");
    let bad: Vec<String> = files.iter().flat_map(|(path, text)| rule(path, text)).collect();
    assert!(bad.is_empty(), "\n{}\n", bad.join("\n"));
}

fn rust_in(folders: &'static [&str]) -> impl Fn(&str) -> bool {
    move |path| path.ends_with(".rs") && folders.iter().any(|f| path.starts_with(f))
}

/// The names of the packages in `Cargo.toml`, as they are written in code.
fn dependencies() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml can be read");
    let table = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default();
    let names: Vec<String> =
        table.lines().filter_map(|l| l.split_once(" = ")).map(|(name, _)| name.trim().replace('-', "_")).collect();
    assert!(names.contains(&"tokio".to_owned()), "the dependencies were not found in Cargo.toml");
    names
}

fn names_in(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    entries.map(|e| e.expect("the folder can be read").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn arrows_point_downwards() {
    keeps(rust_in(&["src/"]), rules::arrows);
}

#[test]
fn crates_stay_in_their_rooms() {
    let dependencies = dependencies();
    keeps(rust_in(&["src/"]), |path, text| rules::crates(path, text, &dependencies));
}

#[test]
fn tasks_clocks_and_files_have_their_places_and_nothing_is_unsafe() {
    keeps(rust_in(&["src/"]), rules::habits);
}

#[test]
fn files_are_short() {
    let of = |path: &str| {
        let code =
            [".rs", ".ts", ".js", ".mjs", ".svelte", ".css", ".sql", ".py", ".sh"].iter().any(|e| path.ends_with(e));
        code || matches!(path, "dev" | ".ci/run")
    };
    keeps(of, rules::file_length);
}

#[test]
fn functions_are_short() {
    keeps(rust_in(&["src/"]), rules::function_lengths);
}

#[test]
fn nothing_is_left_unfinished() {
    keeps(|path| path.starts_with("src/") || path.starts_with("web/src/"), rules::unfinished);
}

#[test]
fn links_in_documents_lead_somewhere() {
    keeps(|path| path.ends_with(".md"), |path, text| rules::links(path, text, |target| root().join(target).exists()));
}

#[test]
fn both_engines_have_the_same_migrations() {
    let sqlite = names_in("src/store/migrations/sqlite");
    assert!(!sqlite.is_empty(), "the rule looked at no file");
    let bad = rules::migrations(&sqlite, &names_in("src/store/migrations/postgres"));
    assert!(bad.is_empty(), "\n{}\n", bad.join("\n"));
}

#[test]
fn the_npm_lock_names_no_host() {
    keeps(|path| path.ends_with("package-lock.json"), rules::npm_hosts);
}

/// The rules bite: each seeded violation is found, each lawful neighbour is not.
mod seeded {
    use super::rules;

    #[track_caller]
    fn bites(complaints: &[String], lines: &[usize]) {
        let found: Vec<usize> = complaints.iter().map(|c| c.split(':').nth(1).unwrap().parse().unwrap()).collect();
        assert_eq!(found, lines, "{complaints:?}");
    }

    #[test]
    fn an_arrow_upwards_or_sideways() {
        let text = "use crate::domain::ids;\nuse crate::{\n  runtime::{clock, stop},\n  record::{self, X},\n  store,\n};\n\
                    fn f() { crate::http::go(); vonglau::app::x() }\n// crate::http\nuse crate::camera::y;\nuse crate::nowhere;";
        bites(&rules::arrows("src/camera/session.rs", text), &[4, 7, 7, 10]);
        bites(&rules::arrows("src/config/mod.rs", "use crate::runtime::clock;"), &[1]);
        bites(&rules::arrows("src/main.rs", "use vonglau::cli;\nuse vonglau::{app, domain};"), &[]);
        bites(&rules::arrows("src/lib.rs", "use crate::http;"), &[]);
        assert_eq!(rules::arrows("src/helpers/mod.rs", "").len(), 1, "a folder that is no room");
    }

    #[test]
    fn an_arrow_hidden_behind_super() {
        bites(&rules::arrows("src/record/mod.rs", "pub(super) fn f() {}\nuse super::store::X;"), &[2]);
        bites(&rules::arrows("src/record/disk.rs", "use super::Y;\nuse super::super::store::X;"), &[2]);
        bites(&rules::arrows("src/record/mod.rs", "#[cfg(test)]\nmod tests {\n use super::*;\n}"), &[]);
    }

    #[test]
    fn a_crate_outside_its_room() {
        let crates = |path: &str, text: &str| rules::crates(path, text, &["jiff".into(), "serde".into()]);
        for (room, name) in [
            ("record", "retina"),
            ("camera", "gstreamer"),
            ("http", "gstreamer_app"),
            ("sim", "ort"),
            ("http", "sqlx"),
            ("store", "axum"),
            ("app", "tower_http"),
            ("cli", "rust_embed"),
            ("store", "anyhow"),
            ("events", "jpeg_encoder"),
            ("events", "fast_image_resize"),
            ("vision", "mp4_atom"),
            ("vision", "pathfinding"),
        ] {
            let path = format!("src/{room}/x.rs");
            bites(&crates(&path, &format!("\nuse {name}::X;")), &[2]);
            bites(&crates(&path, &format!("use {{std::io, {name}::X}};")), &[1]);
            bites(&crates(&path, &format!("use ::{name}::X; fn f() {{ {name}::x() }}")), &[1, 1]);
            bites(&crates(&path, &format!("use {name} as y;")), &[1]);
            bites(&crates(&path, &format!("use crate::x::{name}::y; // {name}::z\nlet a = \"{name}::b\";")), &[]);
            bites(&crates(&path, &format!("#[cfg(test)]\nmod tests {{ use {name}::X; }}")), &[]);
        }
        bites(&crates("src/camera/session.rs", "use retina::client;"), &[]);
        bites(&crates("src/sim/encode.rs", "use gstreamer as gst;"), &[]);
        bites(&crates("src/domain/time.rs", "use serde::Serialize;\nuse jiff::Zoned;"), &[2]);
        bites(&crates("src/logic/cursor.rs", "use jiff::Zoned;"), &[]);
    }

    #[test]
    fn a_task_a_clock_a_file_or_unsafe_code_out_of_place() {
        let text =
            "tokio::spawn(f());\nstd::thread::spawn(g);\ntokio::task::spawn_blocking(h);\nstd::thread::Builder::new();";
        bites(&rules::habits("src/record/mod.rs", text), &[1, 2, 4, 3]);
        bites(&rules::habits("src/runtime/tasks.rs", text), &[]);
        let text =
            "std::time::Instant::now();\nSystemTime::now();\njiff::Timestamp::now();\ntokio::time::sleep(d).await;";
        bites(&rules::habits("src/http/mod.rs", text), &[2, 1, 3]);
        bites(&rules::habits("src/runtime/clock.rs", text), &[]);
        bites(&rules::habits("src/logic/nms.rs", "\nstd::fs::read(p);"), &[2, 2]);
        bites(&rules::habits("src/domain/ids.rs", "File::open(p);"), &[1]);
        bites(&rules::habits("src/record/mod.rs", "std::fs::read(p);"), &[]);
        bites(&rules::habits("src/record/mod.rs", "unsafe { x() }\n#![forbid(unsafe_code)]"), &[1]);
        bites(&rules::habits("src/http/mod.rs", "x\n .unwrap();\ndbg!(x); y.unwrap_or(1)"), &[2, 3]);
        bites(&rules::habits("src/cli/x.rs", "println!();\nsay!();\neprintln!(\"println!\");"), &[1, 3]);
        bites(&rules::habits("src/logic/rules/tests.rs", "x.unwrap(); std::fs::read(p);"), &[]);
        bites(&rules::habits("src/http/mod.rs", "#[cfg(test)]\nmod t { fn x() { Instant::now().unwrap(); } }"), &[]);
    }

    #[test]
    fn a_long_file_or_function() {
        assert!(rules::file_length("src/x.rs", &"a\n".repeat(500)).is_empty());
        assert_eq!(rules::file_length("src/x.rs", &"a\n".repeat(501)).len(), 1);
        let function = |lines: usize| format!("\nfn f(a: [u8; 3]) -> fn(u8) {{\n{}}}\n", "x();\n".repeat(lines - 2));
        bites(&rules::function_lengths("src/x.rs", &function(70)), &[]);
        bites(&rules::function_lengths("src/x.rs", &function(71)), &[2]);
        bites(&rules::function_lengths("src/x.rs", &format!("#[cfg(test)]\nmod t {{{}}}", function(71))), &[3]);
        bites(&rules::function_lengths("src/x.rs", &format!("trait T {{ fn g();\n}}\n{}", "\n".repeat(80))), &[]);
    }

    #[test]
    fn something_unfinished() {
        for word in
            [concat!("to", "do!()"), concat!("unimple", "mented!()"), concat!("// FIX", "ME"), concat!("// XX", "X")]
        {
            bites(&rules::unfinished("src/x.rs", &format!("a\n{word}\n")), &[2]);
        }
        bites(&rules::unfinished("src/x.rs", "let todo = 1;"), &[]);
    }

    #[test]
    fn a_dead_link() {
        let exists = |path: &std::path::Path| matches!(path.to_str(), Some("README.md" | "src/lib.rs"));
        let text = "[a](src/lib.rs) [b](https://x.vn/y) [c](#d) [e](README.md#f)\n[g](src/gone.rs)\n\
                    `[h](gone)`\n```\n[i](gone)\n```\n[j](../out.md) ![k](/etc/passwd)";
        bites(&rules::links("README.md", text, exists), &[2, 7, 7]);
        bites(&rules::links("models/README.md", "[a](../README.md)\n[b](README.md)", exists), &[2]);
    }

    #[test]
    fn a_migration_of_one_engine_only() {
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(
            rules::migrations(&names(&["0001_a.sql", "0002_b.sql"]), &names(&["0002_b.sql", "0001_a.sql"])).is_empty()
        );
        assert_eq!(rules::migrations(&names(&["0001_a.sql", "0002_b.sql"]), &names(&["0001_a.sql"])).len(), 1);
        assert_eq!(rules::migrations(&names(&["0001_a.sql"]), &names(&[])).len(), 1);
        assert_eq!(rules::migrations(&names(&["1_a.sql", "1_b.sql"]), &names(&["1_a.sql"])).len(), 1);
    }

    #[test]
    fn a_lock_that_names_a_host() {
        let lock = "{\n  \"version\": \"1.0.0\",\n  \"resolved\": \"https://mirror.example/a.tgz\"";
        bites(&rules::npm_hosts("package-lock.json", lock), &[3]);
    }
}
