//! RTSP sessions to packets, with retries and status.
//!
//! *Takes* one stream's address and login; *gives* access units to the recorder (awaited: recording may not skip) and to
//! vision (offered: vision may), and a status. *Limits*: 10 s for each phase of a session (connecting, DESCRIBE, SETUP,
//! PLAY, the first frame), `max(3 s, 3 frame intervals)` for the next frame, a second between tries in the first half
//! minute and then up to 15 s (none when the camera's port opens again), one try in 10 minutes after three refused
//! logins of a camera, 8 MiB for an access unit. *Refuses* anything but H.264 and H.265 over RTSP/1.0 in TCP (no RTSPS, no
//! HTTP tunnel, no MPEG-4 part 2), and never prints a password or an address with one in it.
//!
//! Everything a camera sends is hostile until retina has parsed it; a panic restarts that stream only.

use tokio::sync::{mpsc, watch};

use crate::{
    domain::{
        camera::{StreamClock, StreamStatus},
        packet::Packet,
    },
    runtime::queue,
};

mod knock;
mod login;
// Hidden and not private: whoever feeds this room with hostile bytes (tests/fuzz) begins here.
#[doc(hidden)]
pub mod params;
mod probe;
mod quirks;
mod session;
mod supervise;
#[doc(hidden)]
pub mod timeline;
mod trouble;

pub use probe::{Probe, probe};
pub use supervise::run;

/// Where a stream's packets and states go.
#[derive(Debug)]
pub struct Outputs {
    /// To the recorder; awaited when full.
    pub record: queue::Sender<Packet>,
    /// To vision; dropped and counted when full.
    pub vision: Option<mpsc::Sender<Packet>>,
    /// How it is doing.
    pub status: watch::Sender<StreamStatus>,
    /// What is known of its clock.
    pub clock: watch::Sender<StreamClock>,
}
