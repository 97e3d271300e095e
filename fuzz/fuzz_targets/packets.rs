//! See tests/fuzz/packets.rs.
#![no_main]

#[path = "../../tests/fuzz/all.rs"]
mod all;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| all::packets::run(bytes));
