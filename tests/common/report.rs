//! The report of a running program on what is missing.

use serde_json::Value;

use super::house::House;

/// The report on each stream; the sum is the window, and nothing was removed.
pub fn streams(house: &House, camera: i64) -> Vec<Value> {
    let report = house.get(&format!("/api/v1/cameras/{camera}/gaps"));
    let streams = report["streams"].as_array().expect("streams").clone();
    assert_eq!(streams.len(), 2, "{report}");
    for stream in &streams {
        let n = |key: &str| stream[key].as_i64().expect("a number");
        assert_eq!(n("recorded_us") + n("gap_us") + n("removed_us"), n("end_us") - n("start_us"), "{stream}");
        assert_eq!(n("removed_us"), 0, "{stream}");
        let gaps: i64 = gaps(stream).iter().map(length).sum();
        assert_eq!(gaps, n("gap_us"), "{stream}");
    }
    streams
}

pub fn gaps(stream: &Value) -> Vec<Value> {
    stream["gaps"].as_array().expect("gaps").clone()
}

pub fn length(gap: &Value) -> i64 {
    gap["end_us"].as_i64().expect("an end") - gap["start_us"].as_i64().expect("a start")
}

/// The gaps of a stream but that of the start-up.
pub fn after_start(stream: &Value) -> Vec<Value> {
    let start = &stream["start_us"];
    gaps(stream).into_iter().filter(|gap| gap["start_us"] != *start).collect()
}
