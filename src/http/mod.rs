//! The HTTP interface: what a page, a script and a neighbouring system may ask for.
//!
//! Purpose: serve `/api/v1` and the embedded web app. Inputs: the store, the board of live states, the folders of
//! recordings and pictures. Outputs: JSON, JPEG, MP4 ranges and a stream of changes; configuration changes poke
//! [`state::AppState::on_config`].
//!
//! Every route is one row of [`routes::TABLE`]; router and OpenAPI document both come from it. One file a resource;
//! [`error`] alone decides statuses; all media leaves through `media::serve_media`.
//!
//! Limits: 256 KiB and 30 s a body, 256 connections, 10 s to ask, 16 live views, 24 h a film, 200 events a page, 3 s for answers under way when it stops.
//!
//! What it refuses to do: answer without a session once there is an account, answer another host name, change
//! anything for a page of another origin, say a password, show an inside error to the outside, write SQL.

mod access;
mod accounts;
mod audit;
mod back_test;
mod body;
mod cameras;
mod changes;
/// Errors to statuses and sentences.
pub mod error;
mod events;
mod gaps;
mod guard;
mod health;
mod live;
mod locks;
mod media;
mod metrics;
mod openapi;
mod params;
mod plan;
mod range;
/// The one table.
pub mod routes;
mod routes_followed;
mod rules;
mod search;
mod serve;
mod session;
mod shapes;
/// What handlers may use.
pub mod state;
mod status;
mod stills;
mod storage;
mod timeline;
mod tracks;
mod verdicts;
mod video;
mod web;

pub use access::Peer;
pub use audit::Looks;
pub use routes::{router, router_of};
pub use serve::{CONNECTIONS_MAX, HEAD_MOST, serve, serve_router};
pub use state::AppState;
pub use stills::Stills;
