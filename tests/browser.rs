//! The pages in headless Chromium, on the real program with simulated cameras: `web/e2e/run.mjs` does what a person does.

mod common;

use std::process::Command;

use common::{
    house::{Cameras, House},
    wait,
};

#[test]
fn a_person_adds_a_camera_filters_events_and_plays_a_clip() {
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
    assert!(
        std::path::Path::new(web).join("dist/index.html").is_file()
            && std::path::Path::new(web).join("node_modules").is_dir(),
        "the pages are not built; run ./dev setup (npm ci and npm run build in web/)"
    );
    let cameras = Cameras::start(&["--cameras", "2"]);
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path(), &[]);
    house.add_cameras(&cameras.urls[..1]);
    house.add_rule(&serde_json::json!({ "name": "Có chuyển động", "kind": "motion" }));
    house.wait_until("an event has ended", |h| {
        let events = h.get("/api/v1/events");
        events["events"].as_array().expect("events").iter().any(|e| e["open"] == false)
    });
    let (main, sub) = &cameras.urls[1];
    let mut command = Command::new("node");
    command
        .arg("e2e/run.mjs")
        .current_dir(web)
        .env("BASE_URL", &house.base)
        .env("SIM_MAIN_URL", main)
        .env("SIM_SUB_URL", sub);
    let status = wait::ended(&mut command.spawn().expect("node runs"));
    assert!(status.success(), "see the lines above");
    house.stop();
    cameras.program.end();
}
