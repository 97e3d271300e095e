//! The verbs, pure: `(state, input, now) -> (state, outputs)`. No clock, no file, no socket.

pub mod motion;
pub mod nms;
pub mod tracker;
