//! `vonglau demo`: the main job by one command, ending by itself with what it did.

mod common;

use common::house::Program;

#[test]
fn the_demo_runs_for_its_seconds_and_ends_with_what_it_did() {
    let (well, summary) = Program::start(&["demo", "--cameras", "2", "--port", "0", "--seconds", "25"]).end_by_itself();
    let summary = summary.expect("a last line");
    assert!(well, "{summary}");
    let number = |key: &str| summary[key].as_f64().unwrap_or_else(|| panic!("no {key} in {summary}"));
    assert_eq!(summary["cameras"], 2);
    for key in ["packets_received", "fragments", "frames_decoded", "events", "cpu_seconds", "rss_bytes_max"] {
        assert!(number(key) > 0.0, "{key} in {summary}");
    }
    assert_eq!(summary["packets_received"], summary["packets_recorded"], "{summary}");
    for key in ["inferences", "tracks"] {
        assert!(number(key) >= 0.0, "{key} in {summary}");
    }
}
