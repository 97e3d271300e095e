//! Everything counted, for Prometheus.
//!
//! The text exposition format 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>): base units, a
//! camera by its id, no text of a person's as a label.

use std::fmt::{Display, Write};

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::state::AppState;
use crate::{
    domain::query::Actor,
    runtime::{
        board::{Board, VisionState},
        capacity::{Admitted, Capacity, Flow, Skip},
        counters::Counters,
    },
};

/// The media type of the format.
pub(super) const MIME: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn show(_: Actor, State(state): State<AppState>) -> Response {
    let text = text(&state.counters, &state.board);
    ([(header::CONTENT_TYPE, HeaderValue::from_static(MIME))], text).into_response()
}

fn text(counters: &Counters, board: &Board) -> String {
    let mut page = Page::default();
    page.one("build_info", "gauge", "The running version.", &[("version", &env!("CARGO_PKG_VERSION"))], 1);
    for (name, value) in counters.all() {
        page.one(&format!("{name}_total"), "counter", "As `counters` of /api/v1/status.", &[], value);
    }
    vision(&mut page, &board.vision.borrow(), &board.capacity.borrow());
    page.0
}

fn vision(page: &mut Page, state: &VisionState, capacity: &Capacity) {
    let seconds = |us: i64| us as f64 / 1e6;
    page.one("vision_up", "gauge", "Whether the analysis process runs.", &[], u8::from(state.running));
    let lacks = state.lacks.len();
    page.one("vision_sandbox_lacks", "gauge", "Parts of the sandbox this kernel does not do.", &[], lacks);
    page.one("vision_busy_ratio", "gauge", "Share of the last seconds the analysis worked.", &[], capacity.busy);
    let lag = seconds(capacity.lag_us);
    page.one("vision_lag_seconds", "gauge", "Age of the newest analysed frame, middle camera.", &[], lag);
    if let Some(us) = capacity.inference_us {
        page.one("inference_seconds", "gauge", "What a run of the detector costs.", &[], us as f64 / 1e6);
    }
    if let Some(spare) = capacity.spare_per_second {
        let help = "Runs of the detector a second that would still fit.";
        page.one("vision_spare_inferences_per_second", "gauge", help, &[], spare);
    }
    page.one(
        "vision_load_level",
        "gauge",
        "What is given up for a slow machine; 0: nothing.",
        &[],
        capacity.load_level,
    );
    page.one("vision_memory_bytes", "gauge", "Memory the analysis process holds.", &[], capacity.memory_bytes);
    let most = capacity.memory_max_bytes;
    page.one("vision_memory_max_bytes", "gauge", "Memory at which it is started anew.", &[], most);
    type Of = fn(&Flow) -> Option<f64>;
    let of_cameras: [(&str, &str, &str, Of); 7] = [
        ("packets_received_total", "counter", "Packets of the analysed stream.", |f| Some(f.received as f64)),
        ("packets_sent_total", "counter", "Of these went to the analysis.", |f| Some(f.sent as f64)),
        ("frames_decoded_total", "counter", "Frames decoded.", |f| Some(f.decoded as f64)),
        ("frames_analysed_total", "counter", "Frames analysed.", |f| Some(f.analysed as f64)),
        ("lag_seconds", "gauge", "Age of the last analysed frame at its answer.", |f| Some(f.lag_us? as f64 / 1e6)),
        ("analysis_restricted", "gauge", "1 when it is kept out for having stopped the analysis.", |f| {
            Some(f64::from(u8::from(f.admitted != Admitted::Full)))
        }),
        ("packet_gate_on", "gauge", "1 when only key frames are decoded while nothing happens.", |f| {
            Some(f64::from(u8::from(f.packet_gate.on)))
        }),
    ];
    for (name, kind, help, of) in of_cameras {
        let name = format!("camera_{name}");
        page.head(&name, kind, help);
        for (camera, flow) in &capacity.cameras {
            if let Some(value) = of(flow) {
                page.line(&name, &[("camera", &camera.0)], value);
            }
        }
    }
    let name = "camera_skipped_total";
    page.head(name, "counter", "Packets and frames not analysed, by reason.");
    for (camera, flow) in &capacity.cameras {
        for why in Skip::ALL {
            let times = flow.skipped.get(&why).copied().unwrap_or(0);
            page.line(name, &[("camera", &camera.0), ("reason", &why.name())], times);
        }
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text does not fail.
        let _ = write!(self.0, "# HELP vonglau_{name} {help}\n# TYPE vonglau_{name} {kind}\n");
    }
    fn line(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "vonglau_{name}{labels} {value}");
    }
    fn one(&mut self, name: &str, kind: &str, help: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.head(name, kind, help);
        self.line(name, labels, value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::domain::ids::CameraId;

    #[test]
    fn every_metric_has_one_head_and_every_line_is_in_the_format() {
        let (counters, board) = (Counters::default(), Board::default());
        counters.inferences.add(7);
        let skipped = BTreeMap::from([(Skip::QueueFull, 3)]);
        let flow = Flow { received: 12, skipped, lag_us: Some(250_000), ..Flow::default() };
        let cameras = BTreeMap::from([(CameraId(3), flow), (CameraId(4), Flow::default())]);
        board.capacity.send_replace(Capacity {
            busy: 0.25,
            inference_us: Some(20_000),
            cameras,
            ..Capacity::default()
        });
        let text = text(&counters, &board);
        let (mut heads, mut lines) = (BTreeSet::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (name, kind) = typed.split_once(' ').unwrap();
                assert!(heads.insert(name.to_owned()), "{name} twice");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                let name = series.split('{').next().unwrap();
                assert!(heads.contains(name), "{name} has no head before it");
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
                assert!(lines.insert(series.to_owned()), "{series} twice");
            }
        }
        for expected in [
            "vonglau_inferences_total 7",
            "vonglau_vision_busy_ratio 0.25",
            "vonglau_inference_seconds 0.02",
            "vonglau_camera_packets_received_total{camera=\"3\"} 12",
            "vonglau_camera_lag_seconds{camera=\"3\"} 0.25",
            "vonglau_camera_skipped_total{camera=\"3\",reason=\"queue_full\"} 3",
            "vonglau_camera_skipped_total{camera=\"4\",reason=\"load\"} 0",
        ] {
            assert!(text.lines().any(|l| l == expected), "{expected}\n{text}");
        }
        assert!(!text.contains("vonglau_camera_lag_seconds{camera=\"4\"}"), "nothing was analysed");
    }
}
