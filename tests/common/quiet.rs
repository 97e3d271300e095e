//! Whether a process has dealt with everything that was sent to it, seen from outside.

use std::{
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::house::HANGING;

/// So many looks in a row must find nothing to do.
const LOOKS: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(10);

/// UTC microseconds.
pub fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros()).expect("a time")
}

/// The states of a process's threads, as `/proc` has them.
fn states(pid: u32) -> Vec<char> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let state = |stat: String| stat.rsplit_once(") ")?.1.chars().next();
    threads.filter_map(|t| state(fs::read_to_string(t.path().join("stat")).ok()?)).collect()
}

/// Bytes that a server on loopback at `port` has sent and nobody has read.
fn unread(port: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/tcp").expect("the system's sockets");
    let number = |hex: &str| u64::from_str_radix(hex, 16).unwrap_or(0);
    let port_of = |address: &str| address.rsplit_once(':').map_or(0, |(_, port)| number(port));
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (sending, received) = words.get(4)?.split_once(':')?;
        let (from, to) = (port_of(words[1]) == u64::from(port), port_of(words[2]) == u64::from(port));
        Some(if from { number(sending) } else { 0 } + if to { number(received) } else { 0 })
    };
    table.lines().skip(1).filter_map(line).sum()
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let (since, mut looks) = (Instant::now(), 0);
    while looks < LOOKS {
        assert!(since.elapsed() < HANGING, "waited in vain until {what}");
        looks = if done() { looks + 1 } else { 0 };
        std::thread::sleep(BETWEEN);
    }
}

/// Waits until every thread of a process has stopped after a SIGSTOP.
pub fn wait_until_stopped(pid: u32) {
    wait_until("it has stopped", || states(pid).iter().all(|s| *s == 'T'));
}

/// Waits until `pid` has read all that came from the server at `port` and no thread of it is at work.
pub fn wait_until_dealt_with(pid: u32, port: u16) {
    wait_until("everything is dealt with", || unread(port) == 0 && !states(pid).iter().any(|s| matches!(s, 'R' | 'D')));
}
