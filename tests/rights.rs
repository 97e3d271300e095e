//! Who may do what: every row of the table × every role × what is one's own, another's and not there, against a list
//! written by hand; signing in; and what keeps a session the property of its person.

#[allow(dead_code, reason = "what other tests need of it")]
#[path = "common/house.rs"]
mod house;
#[allow(dead_code, reason = "what other tests need of it")]
#[path = "http_api/server.rs"]
mod server;
#[path = "common/wait.rs"]
mod wait;

#[path = "rights/audit.rs"]
mod audit;
#[path = "rights/command_line.rs"]
mod command_line;
#[path = "rights/lists.rs"]
mod lists;
#[path = "rights/matrix.rs"]
mod matrix;
#[path = "rights/people.rs"]
mod people;
#[path = "rights/sessions.rs"]
mod sessions;
#[path = "rights/signing_in.rs"]
mod signing_in;
