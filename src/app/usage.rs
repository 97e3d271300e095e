//! What this process and its vision child cost: CPU seconds and the most memory held at once.

use std::sync::atomic::{AtomicU64, Ordering};

/// Clock ticks a second in `/proc/*/stat`; Linux gives user space 100 on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The peak of resident memory over time, sampled from outside.
#[derive(Debug, Default)]
pub struct PeakMemory(AtomicU64);

impl PeakMemory {
    /// Adds up the resident memory of this process and of `child`, and keeps the largest sum seen.
    pub fn sample(&self, child: Option<u32>) {
        let sum = resident_bytes("self") + child.map_or(0, |pid| resident_bytes(&pid.to_string()));
        self.0.fetch_max(sum, Ordering::Relaxed);
    }
    /// The largest sum seen, bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Resident memory of a process in bytes; 0 when it is gone.
fn resident_bytes(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

/// CPU seconds of this process and of its children that have ended and were waited for.
#[must_use]
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold blanks; fields count from behind it (proc(5): utime is field 14).
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = after_name.split_whitespace().skip(11).take(4).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_memory_and_has_used_the_processor() {
        let peak = PeakMemory::default();
        peak.sample(None);
        assert!(peak.bytes() > 1_000_000, "{}", peak.bytes());
        let before = cpu_seconds();
        let mut x = 1_u64;
        while cpu_seconds() <= before {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
        assert_ne!(x, 0);
    }
}
