//! What several test programs share.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod acted;
pub mod drawn;
pub mod drill;
pub mod ffprobe;
pub mod film;
pub mod follow;
pub mod house;
pub mod mp4;
pub mod onnx;
pub mod quiet;
pub mod recorded;
pub mod report;
pub mod sessions;
pub mod street;
pub mod wait;

/// Whether the long form of a proof is asked for.
#[must_use]
pub fn is_drill() -> bool {
    std::env::var("VONGLAU_DRILL").is_ok_and(|v| v == "1")
}

/// Input that nobody on this project made; only assertions about it may be skipped.
#[must_use]
pub fn shared_data(path: &str) -> Option<std::path::PathBuf> {
    let found = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: no ../shared/data");
    None
}
