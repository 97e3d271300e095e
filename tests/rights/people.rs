//! A site of two clusters with one of everything in each, and people with sessions.

use serde_json::json;
use vonglau::{
    domain::{
        account::{AccountDraft, Grant, Role},
        alarm::AlarmKind,
        ids::{AccountId, CameraId, ClusterId},
        query::Actor,
        time::{MediaTime, WallTime},
    },
    runtime::{board::Picture, secrets},
    store::When,
};

use crate::server::{Answer, NOW_US, Server};

/// The hash of no password: these people have sessions already.
const NO_PASSWORD: &str = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$aGFzaGhhc2g";

/// One of everything, all of one camera.
#[derive(Debug, Clone, Copy)]
pub struct Things {
    pub camera: i64,
    pub event: i64,
    pub track: i64,
    pub lock: i64,
}

pub struct Site {
    pub server: Server,
    /// In the cluster `Chợ`.
    pub own: Things,
    /// In the cluster `Trường`.
    pub foreign: Things,
    pub rule: i64,
    pub shape: i64,
    pub planned: i64,
    pub route: i64,
    market: ClusterId,
    sessions: std::cell::Cell<u64>,
}

/// What a browser holds.
#[derive(Debug, Clone)]
pub struct Browser {
    pub cookie: String,
    pub page_token: String,
}

impl Browser {
    pub fn new(token: &str) -> Self {
        Self { cookie: format!("vonglau_session={token}"), page_token: secrets::page_token(token) }
    }
}

impl Site {
    /// Furnished while there are no accounts; the first one, `an`, is an administrator's.
    pub fn new() -> Self {
        let server = Server::start();
        let rule = server.rule();
        let own = things(&server, "Cổng chợ", "Chợ", rule, 1);
        let foreign = things(&server, "Cổng trường", "Trường", rule, 2);
        let camera = own.camera;
        let id = |answer: Answer| answer.ok(201)["id"].as_i64().unwrap();
        let line = json!({"camera": camera, "kind": "line", "name": "vạch", "points": [[0.0, 0.5], [1.0, 0.5]]});
        let shape = id(server.post("/api/v1/shapes", &line));
        let outage = json!({"start_us": NOW_US, "end_us": NOW_US + 60_000_000, "reason": "cắt điện", "cameras": [foreign.camera]});
        let planned = id(server.post("/api/v1/planned", &outage));
        let route = id(server.post("/api/v1/routes", &json!({"track": own.track, "case_number": "VV-7"})));
        let spots: Vec<_> = [own, foreign].iter().map(|t| json!({"camera": t.camera, "x": 0.5, "y": 0.5})).collect();
        let way = json!({"from": own.camera, "to": foreign.camera});
        server.put("/api/v1/plan", &json!({"spots": spots, "ways": [way]})).ok(200);
        let clusters = server.runtime.block_on(server.state.store.clusters()).unwrap();
        let market = clusters.iter().find(|(_, name)| name == "Chợ").unwrap().0;
        let text = ("hỏng".to_owned(), "broken".to_owned());
        server.state.board.raise(AlarmKind::Damaged, Some(CameraId(camera)), 2, text, MediaTime(NOW_US));
        let site = Self { server, own, foreign, rule, shape, planned, route, market, sessions: Default::default() };
        site.account("an", &["admin"]);
        site
    }

    /// An account with these roles; `police@` is police of the market only.
    pub fn account(&self, login: &str, roles: &[&str]) -> AccountId {
        let grant = |role: &&str| {
            let cluster = role.ends_with('@').then_some(self.market);
            Grant { role: Role::from_name(role.trim_end_matches('@')).unwrap(), cluster }
        };
        let draft =
            AccountDraft { login: login.into(), grants: roles.iter().map(grant).collect(), ..Default::default() };
        let (account, actor) = (draft.checked().unwrap(), Actor { name: "test".into() });
        let added = self.server.state.store.add_account(&actor, &account, NO_PASSWORD, When::Any, WallTime(NOW_US));
        self.server.runtime.block_on(added).unwrap()
    }

    /// A new session of an account.
    pub fn session(&self, account: AccountId) -> Browser {
        self.sessions.set(self.sessions.get() + 1);
        let token = format!("{:064x}", self.sessions.get());
        let now = WallTime(self.server.state.clock.media().us());
        let (store, hash) = (&self.server.state.store, secrets::token_hash(&token));
        self.server.runtime.block_on(store.begin_session(&hash, account, "127.0.0.1", now)).unwrap();
        self.server.runtime.block_on(store.set_purpose(&hash, "tin báo của dân")).unwrap();
        Browser::new(&token)
    }

    /// As a page of that session asks.
    pub fn ask(&self, browser: Option<&Browser>, method: &str, path: &str, body: &str) -> Answer {
        let headers = headers(browser, !body.is_empty());
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.server.send(method, path, &headers, body.as_bytes())
    }
}

pub fn headers(browser: Option<&Browser>, body: bool) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let Some(browser) = browser {
        headers.push(("Cookie", browser.cookie.clone()));
        headers.push(("X-Vonglau-Token", browser.page_token.clone()));
    }
    if body {
        headers.push(("Content-Type", "application/json".to_owned()));
    }
    headers
}

fn things(server: &Server, name: &str, cluster: &str, rule: i64, number: i64) -> Things {
    let draft =
        json!({"name": name, "main_url": "rtsp://10.0.0.1/1", "sub_url": "rtsp://10.0.0.1/2", "cluster": cluster});
    let camera = server.post("/api/v1/cameras", &draft).ok(201)["id"].as_i64().unwrap();
    let event = server.event(camera, rule, NOW_US - 60_000_000);
    let track = server.track(camera, number, NOW_US - 60_000_000);
    let lock = json!({"cameras": [camera], "start_us": NOW_US - 60_000_000, "end_us": NOW_US, "reason": "vụ 7"});
    let lock = server.post("/api/v1/locks", &lock).ok(201)["id"].as_i64().unwrap();
    let jpeg = bytes::Bytes::from_static(b"\xff\xd8jpeg\xff\xd9");
    server.state.board.set_picture(CameraId(camera), Picture { time: MediaTime(NOW_US), jpeg });
    Things { camera, event, track, lock }
}
