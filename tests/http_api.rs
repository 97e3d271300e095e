//! The HTTP interface over real connections: every row of the table, refusals, pages, streams, stopping.

#[path = "http_api/search.rs"]
mod search;
#[path = "http_api/server.rs"]
mod server;
#[path = "common/wait.rs"]
mod wait;

#[path = "http_api/alarms.rs"]
mod alarms;
#[path = "http_api/clips.rs"]
mod clips;
#[path = "http_api/guards.rs"]
mod guards;
#[path = "http_api/lists.rs"]
mod lists;
#[path = "http_api/live.rs"]
mod live;
#[path = "http_api/rules.rs"]
mod rules;
#[path = "http_api/storage.rs"]
mod storage;
#[path = "http_api/table.rs"]
mod table;
