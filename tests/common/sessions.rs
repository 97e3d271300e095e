//! A recording with breaks in it, against what the simulator sent in each of its sessions.

use std::{collections::BTreeMap, path::Path};

use vonglau::{
    domain::{
        camera::{Camera, StreamKind},
        segment::Segment,
    },
    sim::ledger::Entry,
    store::Store,
};

use super::{
    mp4::{Sample, samples},
    recorded::EVER,
};

/// A unit is entered in the ledger after it was sent, so that it may have been received a little earlier.
const EARLIER_US: i64 = 300_000;

/// One session of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The simulator's number of it.
    pub number: u32,
    /// Units sent from the first key frame on.
    pub sent: usize,
    /// Units recorded: the first so many of those sent.
    pub recorded: usize,
    /// When the first was sent, UTC microseconds.
    pub first_us: i64,
    /// When each of those sent from the first key frame on was, UTC microseconds.
    pub sent_us: Vec<i64>,
}

impl Session {
    /// Units sent and not recorded, all at the session's end.
    pub fn lost(&self) -> usize {
        self.sent - self.recorded
    }
    /// Units sent up to a time and not recorded.
    pub fn lost_at(&self, time_us: i64) -> usize {
        self.sent_us.iter().filter(|us| **us <= time_us).count().saturating_sub(self.recorded)
    }
}

/// Every recorded segment of a stream with its samples; each row's file is there and as long as the row says.
pub async fn segments(store: &Store, data: &Path, camera: &Camera, kind: StreamKind) -> Vec<(Segment, Vec<Sample>)> {
    let stream = camera.stream(kind).expect("that stream");
    let all = store.segments_in(stream.id, EVER).await.expect("the index");
    assert!(all.iter().all(|s| !s.open), "a segment was left open");
    let read = |segment: Segment| {
        let bytes = std::fs::read(data.join("store").join(&segment.path)).expect("the row's file is there");
        assert_eq!(bytes.len() as u64, segment.size_bytes, "{}", segment.path);
        let found = samples(&bytes);
        (segment, found)
    };
    all.into_iter().map(read).collect()
}

/// Each session that anything was sent in, with what of it was recorded. Panics when a recorded unit differs from the
/// ledger, stands in another order, or was recorded twice.
pub fn by_session(what: &str, segments: &[(Segment, Vec<Sample>)], sent: &[&Entry]) -> Vec<Session> {
    let mut sessions: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
    for entry in sent {
        sessions.entry(entry.session).or_default().push(entry);
    }
    let mut recorded: BTreeMap<u32, Vec<&Sample>> = BTreeMap::new();
    for (segment, samples) in segments {
        let begun = |(_, units): &(&u32, &Vec<&Entry>)| units[0].sent_us - EARLIER_US <= segment.start_us;
        let number = sessions.iter().filter(begun).map(|(number, _)| *number).next_back();
        let number = number.unwrap_or_else(|| panic!("{what}: {} was recorded before anything was sent", segment.path));
        recorded.entry(number).or_default().extend(samples);
    }
    let session = |(number, units): (u32, Vec<&Entry>)| {
        let first = units.iter().position(|e| e.key).unwrap_or(units.len());
        let (run, got) = (&units[first..], recorded.remove(&number).unwrap_or_default());
        assert!(got.len() <= run.len(), "{what}, session {number}: {} recorded of {} sent", got.len(), run.len());
        for (i, (got, sent)) in got.iter().zip(run).enumerate() {
            assert_eq!(got.sha256, sent.sha256, "{what}, session {number}: unit {i} of {} differs", run.len());
        }
        let sent_us = run.iter().map(|e| e.sent_us).collect();
        Session { number, sent: run.len(), recorded: got.len(), first_us: units[0].sent_us, sent_us }
    };
    sessions.into_iter().map(session).collect()
}

/// The `part` (0 to 1) smallest of some figures.
pub fn percentile(figures: &[f64], part: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
