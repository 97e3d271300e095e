//! What several tests share. Each test binary uses its own part of it.
#![allow(dead_code, reason = "every test binary compiles all of it and uses a part")]

pub mod house;
pub mod mp4;
pub mod recorded;
