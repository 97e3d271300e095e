//! Nothing is shown that is not written down before, with the reason; and a log that was bent is found out.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use vonglau::{
    app::audit,
    domain::{
        audit::{AuditEntry, AuditQuery},
        time::WallTime,
    },
    logic::audit::hash,
    runtime::secrets,
    store::Store,
};

use crate::{
    house::House,
    people::{Browser, Site},
    server::NOW_US,
};

fn lines(site: &Site) -> Vec<(String, String, String, Option<String>)> {
    let store = &site.server.state.store;
    let mut all = site.server.runtime.block_on(store.audit_lines(&AuditQuery::default(), 1000)).unwrap();
    all.reverse();
    all.into_iter().map(|l| (l.who, l.role.unwrap_or_default(), l.action, l.reason)).collect()
}

#[test]
fn a_look_stands_in_the_log_with_who_what_which_camera_and_why() {
    let site = Site::new();
    let binh = site.session(site.account("binh", &["police@", "duty"]));
    let path = format!("/api/v1/cameras/{}/video.mp4?from={}&to={NOW_US}", site.own.camera, NOW_US - 9);
    for _ in 0..3 {
        // A film is read piece by piece: one look, one line.
        site.ask(Some(&binh), "GET", &path, "");
    }
    site.ask(Some(&binh), "GET", &format!("{path}&download=1"), "");
    site.ask(Some(&binh), "GET", &format!("/api/v1/cameras/{}/picture.jpg?t=1", site.foreign.camera), "");
    let store = &site.server.state.store;
    let all = site.server.runtime.block_on(store.audit_lines(&AuditQuery::default(), 10)).unwrap();
    let told: Vec<_> = all.iter().map(|l| (l.action.as_str(), l.role.as_deref(), l.camera)).collect();
    let (own, foreign) = (site.own.camera, site.foreign.camera);
    // Roles add up, and the one used is named: the picture by the duty, the film by the police.
    let expected = [
        ("live", Some("duty"), Some(foreign)),
        ("export", Some("police"), Some(own)),
        ("playback", Some("police"), Some(own)),
    ];
    assert_eq!(told, expected);
    let film = &all[2];
    assert_eq!((film.who.as_str(), film.start_us, film.end_us), ("binh", Some(NOW_US - 9), Some(NOW_US)));
    assert_eq!((film.reason.as_deref(), film.address.as_str()), (Some("tin báo của dân"), "127.0.0.1"));
    // What is refused is not shown, and what shows no people is not told.
    site.ask(Some(&binh), "GET", &format!("/api/v1/cameras/{}/timeline?from=1&to=2", site.foreign.camera), "");
    site.ask(Some(&binh), "GET", "/api/v1/status", "");
    assert_eq!(lines(&site).len(), 3);
}

#[test]
fn footage_is_not_served_when_its_line_cannot_be_written() {
    let data = tempfile::tempdir().unwrap();
    let house = House::start(data.path(), &["--record-only"]);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let (link, body) = (house.setup.clone().unwrap(), |token: &str| {
        json!({"token": token, "login": "an", "password": "bờ ao nón lá thứ tư", "police": true}).to_string()
    });
    let token = link.split_once('#').unwrap().1;
    let setup = agent.post(format!("{}/api/v1/setup", house.base)).header("content-type", "application/json");
    let answer = setup.send(body(token)).unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let get = |path: &str| {
        let mut answer = agent.get(format!("{}{path}", house.base)).header("cookie", &cookie).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    assert_eq!(get("/api/v1/events").0, 200);
    // The log's table is taken away from under the running program.
    let file = format!("sqlite://{}", data.path().join("vonglau.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&file).await.unwrap();
        sqlx::raw_sql("alter table audit rename to away").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    let (status, text) = get("/api/v1/tracks?class=car");
    assert_eq!(status, 500);
    assert!(!text.contains("tracks") && !text.contains("audit"), "{text}");
    assert_eq!(get("/api/v1/status").0, 200, "what shows nobody goes on");
}

#[test]
fn playback_export_following_and_the_search_for_people_ask_why_first() {
    let site = Site::new();
    let account = site.account("binh", &["police"]);
    let token = "7".repeat(64);
    let store = &site.server.state.store;
    let begun =
        async { store.begin_session(&secrets::token_hash(&token), account, "127.0.0.1", WallTime(NOW_US)).await };
    site.server.runtime.block_on(begun).unwrap();
    let binh = Browser::new(&token);
    let camera = site.own.camera;
    let person: String = "người áo đỏ".bytes().map(|b| format!("%{b:02x}")).collect();
    let asked = [
        format!("/api/v1/cameras/{camera}/video.mp4?from={}&to={NOW_US}", NOW_US - 9),
        format!("/api/v1/cameras/{camera}/video.mp4?from={}&to={NOW_US}&download=1", NOW_US - 9),
        format!("/api/v1/cameras/{camera}/picture.jpg?at={NOW_US}"),
        format!("/api/v1/events/{}/clip.mp4", site.own.event),
        "/api/v1/routes".to_owned(),
        "/api/v1/search".to_owned(),
        "/api/v1/tracks".to_owned(),
        "/api/v1/tracks?class=car,person&upper=red".to_owned(),
        format!("/api/v1/tracks/{}", site.own.track),
        format!("/api/v1/search?q={person}"),
    ];
    for path in &asked {
        assert_eq!(site.ask(Some(&binh), "GET", path, "").refused(428), ["purpose"], "{path}");
    }
    for path in [
        "/api/v1/events",
        "/api/v1/search?q=xe+do",
        "/api/v1/tracks?class=car",
        &format!("/api/v1/cameras/{camera}/picture.jpg"),
    ] {
        assert_eq!(site.ask(Some(&binh), "GET", path, "").status, 200, "{path}");
    }
    let say = |purpose: &str| {
        site.ask(Some(&binh), "PUT", "/api/v1/session/purpose", &json!({"purpose": purpose}).to_string())
    };
    for bad in ["", "  x ", &"dài ".repeat(100)] {
        assert_eq!(say(bad).refused(400), ["purpose"]);
    }
    assert_eq!(say("Vụ việc số 12").status, 204);
    for path in &asked {
        assert_ne!(site.ask(Some(&binh), "GET", path, "").status, 428, "{path}");
    }
    let why: Vec<_> = lines(&site).into_iter().filter(|l| l.2 == "playback").map(|l| l.3).collect();
    assert!(!why.is_empty() && why.iter().all(|w| w.as_deref() == Some("Vụ việc số 12")), "{why:?}");
}

#[test]
fn the_auditor_reads_the_log_and_nobody_else() {
    let site = Site::new();
    let binh = site.session(site.account("binh", &["police"]));
    site.ask(Some(&binh), "GET", "/api/v1/events", "");
    let auditor = site.session(site.account("kiem", &["auditor"]));
    let page = site.ask(Some(&auditor), "GET", "/api/v1/audit?who=binh&action=search", "").ok(200);
    let told = page["lines"].as_array().unwrap();
    assert_eq!((told.len(), told[0]["what"].as_str()), (1, Some("GET /api/v1/events")));
    let all = site.ask(Some(&auditor), "GET", "/api/v1/audit?limit=1", "").ok(200);
    assert_eq!(all["lines"][0]["action"], json!("audit"), "reading the log is a look too");
    assert_ne!(all["next"], Value::Null);
    assert_eq!(site.ask(Some(&binh), "GET", "/api/v1/audit", "").status, 403);
}

async fn written(data: &Path, n: i64) -> Store {
    let store = Store::open(&data.join("vonglau.db")).await.unwrap();
    for i in 0..n {
        let entry = AuditEntry {
            who: "binh".into(),
            role: None,
            action: "live".into(),
            what: format!("GET /{i}"),
            camera: Some(i),
            start_us: None,
            end_us: None,
            reason: None,
            address: "127.0.0.1".into(),
        };
        store.audit(entry, WallTime(NOW_US + i)).await.unwrap();
    }
    store
}

#[tokio::test]
async fn a_table_that_was_edited_or_put_back_is_found_out_by_its_first_bad_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let store = written(data, 8).await;
    let first = audit::seal(&store, data, WallTime(NOW_US)).await.unwrap().unwrap();
    assert_eq!(first.last, 8);
    store.close().await;
    let kept = data.join("kept.db");
    std::fs::copy(data.join("vonglau.db"), &kept).unwrap();
    let store = written(data, 4).await;
    assert_eq!(audit::seal(&store, data, WallTime(NOW_US)).await.unwrap().unwrap().last, 12);
    let whole = audit::verify(&store, data).await.unwrap();
    assert_eq!((whole.lines.clone(), whole.seals), (Ok(12), 2));
    assert_eq!(whole.fingerprint.as_ref().map(|f| f.len()), Some(39));
    store.close().await;

    let file = format!("sqlite://{}", data.join("vonglau.db").display());
    let bend = async |sql: &'static str| {
        let mut connection = SqliteConnection::connect(&file).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let store = Store::open(&data.join("vonglau.db")).await.unwrap();
        let found = audit::verify(&store, data).await.unwrap().lines;
        store.close().await;
        found.map_err(|broken| broken.line)
    };
    assert_eq!(bend("update audit set camera = 99 where id = 5").await, Err(5));
    assert_eq!(bend("update audit set camera = 4 where id = 5").await, Ok(12), "mended");
    assert_eq!(bend("delete from audit where id = 12").await, Err(12));
    assert_eq!(bend("delete from audit where id > 9; update audit_head set last = 9, sha256 = (select sha256 from audit where id = 9)").await, Err(10), "the seal knows more");
    // The whole database as it was yesterday: the file of seals beside it knows more.
    std::fs::copy(&kept, data.join("vonglau.db")).unwrap();
    for other in ["vonglau.db-wal", "vonglau.db-shm"] {
        let _ = std::fs::remove_file(data.join(other));
    }
    assert_eq!(bend("select 1").await, Err(9));
    assert!(hash(&Store::open(&kept).await.unwrap().audit_after(0).await.unwrap()[0]).len() == 64);
}
