//! The verbs, pure: `(state, input, now) -> (state, outputs)`. No clock, no file, no socket.

pub mod anchor;
pub mod backoff;
pub mod colour;
pub mod cursor;
pub mod gaps;
pub mod gate;
pub mod nms;
pub mod packet_gate;
pub mod retention;
pub mod rules;
pub mod score;
pub mod timeline;
pub mod tracker;
