//! What every room runs on: the clock, named tasks, stopping, counters, the board of live states, a bounded channel.
//!
//! The only place that reads the machine's clocks and the only place that spawns tasks.

pub mod ask;
pub mod board;
pub mod capacity;
pub mod clock;
pub mod counters;
pub mod queue;
pub mod secrets;
pub mod stop;
pub mod tasks;
pub mod throttle;
