//! A fresh store on each engine, and the nouns the tests put into it.

use std::future::Future;

use sqlx::{Connection, PgConnection};
use vonglau::{
    domain::{
        camera::{CameraDraft, CheckedCamera, Secret},
        ids::{CameraId, StreamId},
        query::Actor,
        refusal::Refusal,
        time::WallTime,
    },
    store::{Store, StoreError},
};

/// The tests' time.
pub const NOW: WallTime = WallTime(1_700_000_000_000_000);

pub fn now_plus(us: i64) -> WallTime {
    NOW.plus_us(us)
}

pub fn actor() -> Actor {
    Actor { name: "test:officer".into() }
}

/// Runs `body` on a fresh store of each engine; says which one when it fails.
pub async fn on_every_engine<F, B>(body: B)
where
    B: Fn(Store) -> F,
    F: Future<Output = ()>,
{
    println!("engine: SQLite in memory");
    let store = Store::in_memory().await.unwrap();
    body(store.clone()).await;
    store.close().await;

    println!("engine: SQLite in a file");
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("vonglau.db")).await.unwrap();
    body(store.clone()).await;
    store.close().await;

    if let Some(schema) = Schema::fresh().await {
        println!("engine: PostgreSQL");
        let store = Store::postgres(&schema.url).await.unwrap();
        body(store.clone()).await;
        store.close().await;
        schema.remove().await;
    }
}

/// A schema of its own on the server that `TEST_POSTGRES_URL` names.
pub struct Schema {
    server: String,
    pub name: String,
    /// The server's address with this schema as the only one looked at.
    pub url: String,
}

impl Schema {
    pub async fn fresh() -> Option<Self> {
        let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
            println!("skipped: no TEST_POSTGRES_URL");
            return None;
        };
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&server).await.expect("the server of TEST_POSTGRES_URL");
        let create = sqlx::AssertSqlSafe(format!("create schema {name}"));
        sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let mark = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{mark}options[search_path]={name}");
        Some(Self { server, name, url })
    }
    pub async fn remove(self) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        let drop = sqlx::AssertSqlSafe(format!("drop schema {} cascade", self.name));
        sqlx::raw_sql(drop).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// A draft with both streams and a login.
pub fn draft(name: &str) -> CameraDraft {
    CameraDraft {
        name: name.into(),
        main_url: "rtsp://10.0.0.7/main".into(),
        sub_url: "rtsp://10.0.0.7/sub".into(),
        username: "admin".into(),
        password: Some(Secret::new("bí mật 7")),
        ..CameraDraft::default()
    }
}

pub fn checked(name: &str) -> CheckedCamera {
    draft(name).checked().unwrap()
}

/// Adds a camera; its id and the ids of its main and sub stream.
pub async fn camera(store: &Store, name: &str) -> (CameraId, StreamId, StreamId) {
    let id = store.add_camera(&actor(), &checked(name), NOW).await.unwrap();
    let streams = store.camera(id).await.unwrap().unwrap().streams;
    (id, streams[0].id, streams[1].id)
}

/// The refusal in a result that must be one; it says something in both languages.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Refusal {
    match result {
        Err(StoreError::Refused(refusal)) => {
            assert!(!refusal.vi.is_empty() && !refusal.en.is_empty(), "{refusal}");
            refusal
        }
        other => panic!("not a refusal: {other:?}"),
    }
}

/// That a result says there is no such thing.
pub fn assert_not_found<T: std::fmt::Debug>(result: Result<T, StoreError>, thing: &str) {
    match result {
        Err(StoreError::NotFound { what, .. }) => assert_eq!(what, thing),
        other => panic!("not “no such {thing}”: {other:?}"),
    }
}
