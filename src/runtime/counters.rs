//! What was done and what was dropped, as plain counters that any thread may add to.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// All counters of one serving process; shared behind an `Arc`.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)+
        }
        impl Counters {
            /// Every counter with its name, in declaration order.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get()),)+]
            }
        }
    };
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    /// Takes over a total counted elsewhere (the vision child), if it is larger.
    pub fn raise_to(&self, total: u64) {
        self.0.fetch_max(total, Ordering::Relaxed);
    }
}

counters! {
    /// Access units received from cameras.
    packets_received,
    /// Access units written to disk.
    packets_recorded,
    /// Access units received before the first key frame of a session, which no player could show.
    packets_before_key,
    /// Access units that could not be recorded; each such span is a gap.
    packets_lost,
    /// Fragments the disk refused to take.
    disk_refusals,
    /// Times the disk could not flush what was written.
    flush_failures,
    /// Segment files set aside because the disk could not flush them.
    files_quarantined,
    /// Places in closed segment files that are not what was written there.
    damages_found,
    /// RTP packets missing between those received.
    rtp_lost,
    /// Fragments on disk.
    fragments,
    /// Bytes written to segment files.
    bytes_written,
    /// Segments removed by retention.
    segments_removed,
    /// Their bytes.
    bytes_removed,
    /// Sub-stream access units not handed to vision, whatever the reason.
    vision_skipped,
    /// Frames decoded by the child.
    frames_decoded,
    /// Frames looked at by the gate.
    frames_analysed,
    /// Runs of the detector that were wanted.
    inferences_asked,
    /// Runs of the detector.
    inferences,
    /// Frames dropped because the detector's answer held a number that is none.
    frames_not_a_number,
    /// Confirmed tracks.
    tracks,
    /// Events opened.
    events,
    /// Events that could not be stored; each is also said in the log.
    events_lost,
    /// Confirmed tracks that could not be stored.
    tracks_lost,
    /// Pictures of events that could not be had or written.
    pictures_lost,
    /// Pictures of tracks left out or not written.
    crops_lost,
    /// Fragments left out for those who watch live over a line too slow for it.
    live_skipped,
    /// Restarts of the vision child.
    vision_restarts,
    /// Panics caught.
    panics,
}
