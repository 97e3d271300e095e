//! The nouns of the field, pure: no input, no output, no clock.
//!
//! Everything else in the house speaks in these types. They are checked when they are made, so that a wrong
//! state cannot be written afterwards. May import: std, serde, bytes, thiserror.

pub mod account;
pub mod alarm;
pub mod audit;
pub mod camera;
pub mod colour;
pub mod detection;
pub mod event;
pub mod follow;
pub mod frame;
pub mod geometry;
pub mod ground;
pub mod health;
pub mod ids;
pub mod look;
pub mod mask;
pub mod packet;
pub mod query;
pub mod refusal;
pub mod rule;
pub mod rule_draft;
pub mod schedule;
pub mod search;
pub mod segment;
pub mod time;
pub mod track;
pub mod verdict;
