//! What a stopped service left behind, against what the simulator says it sent.

use std::path::Path;

use vonglau::{
    domain::{
        camera::{Camera, StreamKind},
        time::Span,
    },
    sim::ledger::Entry,
    store::Store,
};

use super::mp4::{Sample, samples};

/// All time.
pub const EVER: Span = Span { start_us: 0, end_us: i64::MAX };

/// Every recorded sample of one stream of a data folder, in order.
pub async fn recorded(store: &Store, data: &Path, camera: &Camera, kind: StreamKind) -> Vec<Sample> {
    let stream = camera.stream(kind).expect("that stream");
    let segments = store.segments_in(stream.id, EVER).await.expect("the index");
    assert!(segments.iter().all(|s| !s.open), "a segment was left open");
    let mut all = Vec::new();
    for segment in segments {
        let bytes = std::fs::read(data.join("store").join(&segment.path)).expect("the segment's file");
        assert_eq!(bytes.len() as u64, segment.size_bytes, "{}", segment.path);
        all.extend(samples(&bytes));
    }
    all
}

/// Asserts that `recorded` is one unbroken run of what was sent to one stream, from a key frame on. Returns how many
/// units were sent before and after that run.
pub fn assert_unbroken(recorded: &[Sample], sent: &[&Entry]) -> (usize, usize) {
    assert!(!recorded.is_empty(), "nothing was recorded");
    let first = sent.iter().position(|e| e.key).expect("a key frame was sent");
    let run = &sent[first..];
    assert!(run.len() >= recorded.len(), "more recorded ({}) than sent ({})", recorded.len(), run.len());
    for (i, (got, sent)) in recorded.iter().zip(run).enumerate() {
        assert_eq!(got.sha256, sent.sha256, "unit {i} of {} differs from the ledger", recorded.len());
    }
    (first, run.len() - recorded.len())
}
