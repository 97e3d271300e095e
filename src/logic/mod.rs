//! The verbs, pure: `(state, input, now) -> (state, outputs)`. No clock, no file, no socket.

pub mod anchor;
pub mod attention;
pub mod back_test;
pub mod backoff;
pub mod colour;
pub mod cursor;
pub mod follow;
pub mod gaps;
pub mod gate;
pub mod health;
pub mod load;
pub mod nms;
pub mod pack;
pub mod packet_gate;
pub mod path;
pub mod quota;
pub mod retention;
pub mod rules;
pub mod score;
pub mod seams;
pub mod search;
pub mod suspects;
pub mod timeline;
pub mod tracker;
pub mod turns;
pub mod verdicts;
