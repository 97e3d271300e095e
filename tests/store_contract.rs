//! Every function of the store, on SQLite (in memory and in a file) and, when `TEST_POSTGRES_URL` names a server, on
//! PostgreSQL.

#[path = "store_contract/accounts.rs"]
mod accounts;
#[path = "store_contract/alarms.rs"]
mod alarms;
#[path = "store_contract/audit.rs"]
mod audit;
#[path = "store_contract/cameras.rs"]
mod cameras;
#[path = "store_contract/engines.rs"]
mod engines;
#[path = "store_contract/events.rs"]
mod events;
#[path = "store_contract/files.rs"]
mod files;
#[path = "store_contract/follow.rs"]
mod follow;
#[path = "store_contract/gaps.rs"]
mod gaps;
#[path = "store_contract/health.rs"]
mod health;
#[path = "store_contract/integrity.rs"]
mod integrity;
#[path = "store_contract/masks.rs"]
mod masks;
#[path = "store_contract/recording.rs"]
mod recording;
#[path = "store_contract/retention.rs"]
mod retention;
#[path = "store_contract/rules.rs"]
mod rules;
#[path = "store_contract/search.rs"]
mod search;
#[path = "store_contract/tracks.rs"]
mod tracks;
#[path = "store_contract/verdicts.rs"]
mod verdicts;
