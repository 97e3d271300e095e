//! Question: how well are objects followed, and what does it cost? IDF1 and MOTA on the detections of TUD (MOT15) beside
//! the tracker whose answer came with them, scored by the same scorer; on a made-up street at 2 to 10 looks a second;
//! microseconds of one step.

use std::time::Instant;

use serde_json::{Value, json};
use vonglau::logic::score::{Score, score};

#[path = "../tests/common/mod.rs"]
mod common;

use common::{
    follow::{WALKS, Walk, follow_street},
    shared_data,
    street::street,
};

fn line(name: &str, peer: Option<&str>, ours: f64, theirs: Option<f64>, unit: &str) {
    let ratio = theirs.map(|t| ours / t);
    let argv: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let (peer, theirs, ratio): (Value, Value, Value) = (json!(peer), json!(theirs), json!(ratio));
    println!(
        "{}",
        json!({ "name": name, "peer": peer, "ours": ours, "theirs": theirs, "ratio": ratio, "unit": unit, "argv": argv })
    );
}

fn mean(scores: &[Score], of: impl Fn(&Score) -> f64) -> f64 {
    scores.iter().map(of).sum::<f64>() / scores.len() as f64
}

fn main() {
    if let Some(folder) = shared_data("mot") {
        for name in WALKS {
            let walk = Walk::read(&folder, name);
            let other = score(&walk.truth, &walk.other);
            let peer = Some("the tracker of the .test.txt");
            for step in [1, 3, 5, 10] {
                let follow = |phase| walk.follow(step, phase);
                let scores: Vec<_> = (0..step).map(follow).map(|(truth, found)| score(&truth, &found)).collect();
                let every = if step == 1 { String::new() } else { format!(", 1 frame of {step}") };
                line(&format!("{name}{every}: IDF1"), peer, mean(&scores, Score::idf1), Some(other.idf1()), "share");
                line(&format!("{name}{every}: MOTA"), peer, mean(&scores, Score::mota), Some(other.mota()), "share");
                let switches = mean(&scores, |s| s.switches as f64);
                line(&format!("{name}{every}: switches"), peer, switches, Some(other.switches as f64), "count");
            }
        }
    }
    for rate in [2.0, 3.0, 5.0, 10.0] {
        let streets: Vec<_> = (1..=8).map(|seed| street(seed, 120.0, rate)).collect();
        let steps: usize = streets.iter().map(|(_, moments)| moments.len()).sum();
        let start = Instant::now();
        let found: Vec<_> = streets.iter().map(|(_, moments)| follow_street(moments)).collect();
        let us = start.elapsed().as_secs_f64() * 1e6 / steps as f64;
        let scores: Vec<_> = streets.iter().zip(&found).map(|((truth, _), found)| score(truth, found)).collect();
        line(&format!("street, {rate} looks a second: IDF1"), None, mean(&scores, Score::idf1), None, "share");
        line(&format!("street, {rate} looks a second: MOTA"), None, mean(&scores, Score::mota), None, "share");
        line(&format!("street, {rate} looks a second: a step"), None, us, None, "us");
    }
}
