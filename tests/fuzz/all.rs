//! What is fed with hostile bytes: by seeded mutations in `tests/fuzz.rs`, by libFuzzer in `fuzz/`. One corpus serves both.
#![allow(dead_code, reason = "each program feeds a part of it")]

pub mod file;
pub mod link;
pub mod packets;
pub mod rtp;
pub mod rtsp;

#[path = "../common/mp4.rs"]
pub mod mp4;

use std::{
    collections::BTreeSet,
    panic::PanicHookInfo,
    sync::{Mutex, PoisonError},
};

/// Where a library panicked.
static SURVIVED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A panic inside a library that a camera's bytes are given to ends that camera's session and nothing else: it is told
/// once and survived. One of ours goes to `finding`.
pub fn survive_libraries(finding: impl Fn(&PanicHookInfo) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        if !place.contains("/registry/src/") {
            return finding(panic);
        }
        if SURVIVED.lock().unwrap_or_else(PoisonError::into_inner).insert(place) {
            eprintln!("survived {panic}");
        }
    }));
}
