//! The verbs, pure: `(state, input, now) -> (state, outputs)`. No clock, no file, no socket.

pub mod backoff;
pub mod cursor;
pub mod motion;
pub mod nms;
pub mod retention;
pub mod rules;
pub mod tracker;
