//! sim
pub mod scene; pub mod draw; mod canvas; mod random; mod shapes;
pub mod clip; pub mod ledger; pub mod truth; mod nal; mod rtp; mod encode;
