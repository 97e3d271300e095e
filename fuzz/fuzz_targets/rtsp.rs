//! A whole conversation with a camera: see tests/fuzz/rtsp.rs.
#![no_main]

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

#[path = "../../tests/fuzz/all.rs"]
mod all;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

libfuzzer_sys::fuzz_target!(init: all::survive_libraries(|panic| {
    eprintln!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
    std::process::abort();
}), |bytes: &[u8]| {
    RUNTIME.block_on(all::rtsp::run(bytes));
});
