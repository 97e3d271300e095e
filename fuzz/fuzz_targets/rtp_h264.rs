//! RTP of H264 into files: see tests/fuzz/rtp.rs.
#![no_main]

#[path = "../../tests/fuzz/all.rs"]
mod all;

libfuzzer_sys::fuzz_target!(init: all::survive_libraries(|panic| {
    eprintln!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
    std::process::abort();
}), |bytes: &[u8]| {
    all::rtp::run(vonglau::domain::packet::Codec::H264, bytes);
});
