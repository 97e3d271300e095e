//! **Vọng Lâu** (`vonglau`, "watchtower"): cameras in, recorded, seen, indexed, found.
//!
//! The rooms in flow order; a room may import only rooms of a lower rank (`tests/tidy.rs` refuses the rest).

/// Rank 5. The one file that wires the stages and owns the stop order.
pub mod app;
/// Rank 3. RTSP sessions to packets, with retries and status.
pub mod camera;
/// Rank 5. Arguments to actions.
pub mod cli;
/// Rank 1. One section a file: raw TOML to checked configuration.
pub mod config;
/// Rank 0. The nouns of the field, pure.
pub mod domain;
/// Rank 3. What vision says to events, with snapshots.
pub mod events;
/// Rank 4. Every route is one row of one table.
pub mod http;
/// Rank 1. The verbs, pure: motion, non-maximum suppression, tracker, rules, cursor, backoff.
pub mod logic;
/// Rank 3. Packets to segments on disk, and segments to playable media.
pub mod record;
/// Rank 1. Clock, tasks, stopping, counters and the board of live states.
pub mod runtime;
/// Rank 3. Packing what is over for the search; where something went next.
pub mod search;
/// Rank 3. Cameras to play with: a small RTSP server over clips or drawn scenes.
pub mod sim;
/// Rank 2. The only SQL, on SQLite and PostgreSQL.
pub mod store;
/// Rank 3. The child process: packets to tracks and pictures.
pub mod vision;
