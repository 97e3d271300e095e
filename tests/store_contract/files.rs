//! What belongs to files and servers: opening, refusing, two at once, leaving early, closing.

use std::{os::unix::fs::PermissionsExt, path::Path};

use sqlx::{ConnectOptions, Connection, PgConnection, sqlite::SqliteConnectOptions};
use vonglau::{
    domain::{
        query::{EventQuery, TrackQuery},
        refusal::Refusal,
        time::{Span, WallTime},
    },
    store::Store,
};

use crate::engines::{NOW, Schema, actor, camera, checked, on_every_engine, refusal};

async fn refused(path: &Path) -> Refusal {
    let refusal = refusal(Store::open(path).await);
    assert_eq!(refusal.place, path.display().to_string());
    refusal
}

async fn raw(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn what_was_written_is_there_after_closing_and_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vonglau.db");
    let store = Store::open(&path).await.unwrap();
    let uuid = store.site_uuid().await.unwrap();
    let (id, ..) = camera(&store, "a").await;
    let cameras = store.cameras().await.unwrap();
    store.close().await;
    assert!(!folder.path().join("vonglau.db-wal").exists(), "the log is folded into the file");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let store = Store::open(&path).await.unwrap();
    assert_eq!(store.site_uuid().await.unwrap(), uuid);
    assert_eq!(uuid.len(), 36);
    assert_eq!(store.cameras().await.unwrap(), cameras);
    assert_eq!(store.changes_after(0, 9).await.unwrap()[0].object, id.0);
    store.close().await;
}

#[tokio::test]
async fn a_change_by_another_process_is_seen_through_the_change_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vonglau.db");
    let serving = Store::open(&path).await.unwrap();
    camera(&serving, "a").await;
    let seen = serving.latest_change().await.unwrap();
    let command = Store::open(&path).await.unwrap();
    let (id, ..) = camera(&command, "b").await;
    command.close().await;
    let changes = serving.changes_after(seen, 10).await.unwrap();
    assert_eq!(changes.iter().map(|c| (c.what.as_str(), c.object)).collect::<Vec<_>>(), [("camera.add", id.0)]);
    assert_eq!(serving.cameras().await.unwrap().len(), 2);
    serving.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_make_and_write_one_file_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vonglau.db");
    let tasks: Vec<_> = (0..6)
        .map(|i| {
            let path = path.clone();
            tokio::spawn(async move {
                let store = Store::open(&path).await.unwrap();
                camera(&store, &format!("camera {i}")).await;
                let uuid = store.site_uuid().await.unwrap();
                store.close().await;
                uuid
            })
        })
        .collect();
    let mut uuids = Vec::new();
    for task in tasks {
        uuids.push(task.await.unwrap());
    }
    uuids.dedup();
    assert_eq!(uuids.len(), 1);
    let store = Store::open(&path).await.unwrap();
    assert_eq!((store.cameras().await.unwrap().len(), store.latest_change().await.unwrap()), (6, 6));
    store.close().await;
}

#[tokio::test]
async fn a_folder_that_is_absent_or_not_writable_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(&folder.path().join("nowhere/vonglau.db")).await.en.contains("no such folder"));
    assert!(refused(folder.path()).await.en.contains("is a folder"));
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut path = folder.path().join("vonglau.db");
    if std::fs::File::create(folder.path().join("probe")).is_ok() {
        // Root may write there; in a mounted /sys nobody may.
        path = "/sys/vonglau.db".into();
        if !Path::new("/sys/kernel").exists() {
            println!("skipped: root, and no /sys to be refused by");
            return;
        }
    }
    let refusal = refused(&path).await;
    assert!(refusal.en.contains("write permission") && refusal.vi.contains("quyền ghi"), "{refusal}");
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("letter.db");
    std::fs::write(&text, "Kính gửi Ủy ban nhân dân xã\n".repeat(100)).unwrap();
    let foreign = folder.path().join("foreign.db");
    raw(&foreign, "create table moz_places (id integer primary key)").await;
    for (path, says) in [(&text, "not a database"), (&foreign, "another program")] {
        let before = std::fs::read(path).unwrap();
        assert!(refused(path).await.en.contains(says));
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
}

const NEWER: &str = "insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
                     select 7000, 'later', installed_on, success, checksum, 0 from _sqlx_migrations where version = 1";

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vonglau.db");
    Store::open(&path).await.unwrap().close().await;
    raw(&path, NEWER).await;
    let refusal = refused(&path).await;
    assert!(refusal.en.contains("schema 7000") && refusal.vi.contains("7000"), "{refusal}");

    let Some(schema) = Schema::fresh().await else { return };
    Store::postgres(&schema.url).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&schema.url).await.unwrap();
    sqlx::raw_sql(NEWER).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let refusal = self::refusal(Store::postgres(&schema.url).await);
    assert!(refusal.place.starts_with("postgres ") && refusal.en.contains("schema 7000"), "{refusal}");
    schema.remove().await;
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_refused_without_its_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for url in [format!("postgres://u:geheim@127.0.0.1:{port}/d"), "no address:geheim".to_owned()] {
        let refusal = refusal(Store::postgres(&url).await);
        assert!(refusal.place.starts_with("postgres"), "{refusal}");
        assert!(!refusal.to_string().contains("geheim"), "{refusal}");
    }
}

#[tokio::test]
async fn a_write_whose_caller_leaves_is_still_done_before_closing() {
    on_every_engine(|store| async move {
        // One poll starts the write, then the caller is gone.
        let draft = checked("a");
        let actor = actor();
        let mut leaving = Box::pin(store.add_camera(&actor, &draft, NOW));
        assert!(futures::poll!(&mut leaving).is_pending());
        drop(leaving);
        camera(&store, "b").await;
        // PostgreSQL may do the second before the first; SQLite does them in their order.
        let both = async {
            loop {
                let names: Vec<_> = store.cameras().await.unwrap().into_iter().map(|c| c.name).collect();
                if names.len() == 2 {
                    return names;
                }
                tokio::task::yield_now().await;
            }
        };
        let mut names = tokio::time::timeout(std::time::Duration::from_secs(60), both).await.expect("both are written");
        names.sort();
        assert_eq!(names, ["a", "b"]);
    })
    .await;
}

#[tokio::test]
async fn closing_waits_for_writes_and_ends_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vonglau.db");
    let store = Store::open(&path).await.unwrap();
    for i in 0..20 {
        let mut leaving = Box::pin(store.heartbeat("boot", i, WallTime(i)));
        assert!(futures::poll!(&mut leaving).is_pending());
    }
    store.close().await;
    assert!(store.heartbeat("boot", 99, NOW).await.is_err());
    assert!(store.last_heartbeat().await.is_err());
    let store = Store::open(&path).await.unwrap();
    assert_eq!(store.last_heartbeat().await.unwrap(), Some(WallTime(19)));
    store.close().await;
}

#[tokio::test]
async fn every_function_may_run_in_a_task_of_its_own() {
    // That this compiles is the point: a future that only looks sendable fails where it is spawned.
    let task = async move {
        let store = Store::in_memory().await.unwrap();
        let (id, main, _) = camera(&store, "a").await;
        let span = Span { start_us: 0, end_us: 1 };
        store.update_camera(&actor(), id, &checked("b"), NOW).await.unwrap();
        store.shapes(id).await.unwrap();
        store.rules().await.unwrap();
        store.clusters().await.unwrap();
        store.changes_after(0, 1).await.unwrap();
        store.progress_segments(&[]).await.unwrap();
        store.segments_in(main, span).await.unwrap();
        store.gaps_in(main, span).await.unwrap();
        store.events(&EventQuery::default(), None, 1).await.unwrap();
        store.keep_tracks(&[]).await.unwrap();
        store.tracks(&TrackQuery::default(), None, 1).await.unwrap();
        store.retire_camera(&actor(), id, NOW).await.unwrap();
        store.close().await;
        if let Err(error) = Store::postgres("no address").await {
            drop(error);
        }
    };
    tokio::spawn(task).await.unwrap();
}
