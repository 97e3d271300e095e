//! The pages in headless Chromium, on the real program with simulated cameras: `web/e2e/run.mjs` does what a person does.

mod common;

use std::{path::Path, process::Command};

use common::{
    house::{Cameras, House},
    wait,
};
use serde_json::{Value, json};

/// A hole in what the first camera sends, found out after three seconds: a gap to be shown, explained and played across.
const SILENCE: &str = "[[fault]]\nat = 35\ncamera = 1\nfault = \"silence\"\nseconds = 8\n";

#[test]
fn a_person_finds_watches_keeps_and_takes_away_what_was_recorded() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    for (part, what) in [("dist/index.html", "the pages are not built"), ("node_modules", "npm packages are missing")] {
        assert!(web.join(part).exists(), "{what} (web/{part}); run: ./dev setup");
    }
    let data = tempfile::tempdir().expect("a folder");
    let faults = data.path().join("faults.toml");
    std::fs::write(&faults, SILENCE).expect("the script is written");
    let cameras = Cameras::start(&["--cameras", "2", "--faults", &faults.display().to_string()]);
    let small = ["--cameras", "1", "--size", "320x180", "--fps", "5", "--sub-size", "320x180", "--sub-fps", "5"];
    let h265 = Cameras::start(&[&small[..], &["--codec", "h265", "--sub-codec", "h264"]].concat());
    let house = House::start(&data.path().join("data"), &[]);
    let (h265_main, h264_sub) = h265.urls[0].clone();
    let urls = [cameras.urls[0].clone(), (h265_main.clone(), h264_sub), (h265_main, String::new())];
    let ids = house.add_cameras(&urls);
    house.add_rule(&json!({ "name": "Có chuyển động", "kind": "motion", "camera": "C01" }));
    let list = |value: &Value, key: &str| value[key].as_array().expect("a list").clone();
    house.wait_until("an event has ended", |h| {
        list(&h.get("/api/v1/events"), "events").iter().any(|e| e["open"] == false)
    });
    house.wait_until("the silence is a gap that is over", |h| {
        let report = h.get(&format!("/api/v1/gaps?camera={}", ids[0]));
        let is_over = |gap: &Value| gap["cause"] == "camera" && gap["open"] == false;
        list(&report["cameras"][0], "streams").iter().all(|stream| list(stream, "gaps").iter().any(is_over))
    });
    let (main, sub) = &cameras.urls[1];
    let mut command = Command::new("node");
    command
        .arg("e2e/run.mjs")
        .current_dir(web)
        .env("BASE_URL", &house.base)
        .env("SIM_MAIN_URL", main)
        .env("SIM_SUB_URL", sub)
        .env("H265_CAMERA", ids[1].to_string())
        .env("H265_ONLY", ids[2].to_string());
    let status = wait::ended(&mut command.spawn().expect("node runs"));
    assert!(status.success(), "see the lines above");
    house.stop();
    cameras.program.end();
    h265.program.end();
}

#[test]
fn a_person_makes_the_first_account_gives_rights_and_signs_in() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let data = tempfile::tempdir().expect("a folder");
    let cameras = Cameras::start(&["--cameras", "1", "--size", "320x180", "--fps", "5", "--sub-size", "320x180"]);
    let house = House::start(data.path(), &["--record-only"]);
    house.add_cameras(&cameras.urls);
    let setup = house.setup.clone().expect("a link while there are no accounts");
    let mut command = Command::new("node");
    command.arg("e2e/accounts.mjs").current_dir(web).env("BASE_URL", &house.base).env("SETUP_URL", setup);
    let output = wait::output(&mut command);
    println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    house.stop();
}
