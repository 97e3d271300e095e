//! How long a thread of the child has been at one piece of work, and what a run of the detector costs.

use std::sync::atomic::{AtomicI64, Ordering};

/// Since when a thread has been at one piece of work, for the thread that watches it.
#[derive(Debug, Default)]
pub struct Watch {
    since_us: AtomicI64,
    worked_us: AtomicI64,
    inference_us: AtomicI64,
}

impl Watch {
    /// Work begins (boot time in microseconds) or, with 0, ends.
    pub fn at(&self, since_us: i64) {
        self.since_us.store(since_us, Ordering::Relaxed);
    }
    /// Work that began at [`Watch::at`] ends, with so many runs of the detector in it.
    pub fn done(&self, now_us: i64, inferences: u64) {
        let took_us = now_us - self.since_us.swap(0, Ordering::Relaxed);
        self.worked_us.fetch_add(took_us, Ordering::Relaxed);
        if let Some(each_us) = i64::try_from(inferences).ok().and_then(|n| took_us.checked_div(n)) {
            let before = self.inference_us.load(Ordering::Relaxed);
            // A mean in which the last sixteen count most.
            let mean = if before == 0 { each_us } else { (before * 15 + each_us) / 16 };
            self.inference_us.store(mean.max(1), Ordering::Relaxed);
        }
    }
    /// For how long it has worked in all, and what a piece of work costs for each run of the detector in it (0: none
    /// yet), microseconds.
    #[must_use]
    pub fn effort_us(&self) -> (u64, u64) {
        [&self.worked_us, &self.inference_us].map(|us| us.load(Ordering::Relaxed).unsigned_abs()).into()
    }
    /// How long the work at hand has taken.
    #[must_use]
    pub fn busy_us(&self, now_us: i64) -> i64 {
        match self.since_us.load(Ordering::Relaxed) {
            0 => 0,
            since => now_us - since,
        }
    }
}
