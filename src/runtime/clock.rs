//! The only source of time. Media time is the monotonic boot clock through an anchor to UTC, so that a step of the
//! wall clock moves no recording.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::time::{BootTime, MediaTime, WallTime};

/// Where boot time and UTC met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The kernel's boot id; boot times of different boots do not compare.
    pub boot_id: String,
    /// Boot clock, microseconds.
    pub boot: BootTime,
    /// UTC at that moment, microseconds.
    pub utc: WallTime,
    /// How long the reading took: the anchor's error, microseconds.
    pub error_us: i64,
}

impl Anchor {
    /// A boot time as media time by this anchor.
    #[must_use]
    pub const fn media_at(&self, boot: BootTime) -> MediaTime {
        MediaTime(self.utc.us().saturating_add(boot.since(self.boot)))
    }
}

/// Reads the clocks. Cloning shares the anchor.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
    anchor: Arc<Mutex<Anchor>>,
    anchorings: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum Source {
    Machine,
    Stepped(Arc<Mutex<(BootTime, WallTime)>>),
}

fn timespec_us(id: ClockId) -> i64 {
    let t = clock_gettime(id);
    t.tv_sec * 1_000_000 + t.tv_nsec / 1000
}

/// The wall clock by the C library and not past it, so that a test of the whole program can set a false one.
fn wall_us() -> i64 {
    let us = |passed: std::time::Duration| i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
    SystemTime::now().duration_since(UNIX_EPOCH).map_or_else(|before| -us(before.duration()), us)
}

impl Clock {
    /// The machine's clocks, anchored now.
    #[must_use]
    pub fn machine() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        let before = timespec_us(ClockId::Boottime);
        let utc = WallTime(wall_us());
        let after = timespec_us(ClockId::Boottime);
        let anchor = Anchor { boot_id, boot: BootTime(before + (after - before) / 2), utc, error_us: after - before };
        Self { source: Source::Machine, anchor: Arc::new(Mutex::new(anchor)), anchorings: Arc::default() }
    }
    /// A clock that moves only by [`Clock::step`]; for tests.
    #[must_use]
    pub fn stepped(utc: WallTime) -> Self {
        let boot = BootTime(1_000_000);
        let anchor = Anchor { boot_id: "test".into(), boot, utc, error_us: 0 };
        Self {
            source: Source::Stepped(Arc::new(Mutex::new((boot, utc)))),
            anchor: Arc::new(Mutex::new(anchor)),
            anchorings: Arc::default(),
        }
    }
    /// Moves a stepped clock; does nothing to the machine's.
    pub fn step(&self, boot_us: i64, wall_us: i64) {
        if let Source::Stepped(now) = &self.source {
            let mut now = now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *now = (now.0.plus_us(boot_us), now.1.plus_us(wall_us));
        }
    }
    /// Microseconds since boot.
    #[must_use]
    pub fn boot(&self) -> BootTime {
        match &self.source {
            Source::Machine => BootTime(timespec_us(ClockId::Boottime)),
            Source::Stepped(now) => now.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0,
        }
    }
    /// UTC as the machine believes it now; may step.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        match &self.source {
            Source::Machine => WallTime(wall_us()),
            Source::Stepped(now) => now.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1,
        }
    }
    /// The anchor in force.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.anchor.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
    /// Anchors media time anew: now is `utc`. Whoever has times of the old anchor under way keeps to it until it can
    /// begin something new; [`Clock::anchorings`] tells.
    pub fn anchor_at(&self, utc: WallTime) {
        let mut anchor = self.anchor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (anchor.boot, anchor.utc) = (self.boot(), utc);
        self.anchorings.fetch_add(1, Ordering::Release);
    }
    /// How often the clock was anchored anew.
    #[must_use]
    pub fn anchorings(&self) -> u64 {
        self.anchorings.load(Ordering::Acquire)
    }
    /// A boot time as media time.
    #[must_use]
    pub fn media_at(&self, boot: BootTime) -> MediaTime {
        self.anchor().media_at(boot)
    }
    /// Now, as media time.
    #[must_use]
    pub fn media(&self) -> MediaTime {
        self.media_at(self.boot())
    }
}

/// Processor time of this process and all its threads so far, microseconds.
#[must_use]
pub fn process_cpu_us() -> i64 {
    timespec_us(ClockId::ProcessCPUTime)
}
