//! See tests/fuzz/file.rs.
#![no_main]

#[path = "../../tests/fuzz/all.rs"]
mod all;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| all::file::run(bytes));
