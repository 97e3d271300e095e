//! `tests/rights.csv`: a cell says what that role gets. `yes`: let in (what it asked may still be wrong); a number: that
//! status. `police@` is police of one cluster, whose camera is `own`.

use std::collections::{BTreeMap, BTreeSet};

use vonglau::http::routes::{Answer, Method, Route, Scope, TABLE};

use crate::{
    people::{Browser, Site, Things, headers},
    server::{Head, NOW_US},
};

const NOT_THERE: i64 = 999_999;

struct Row {
    route: &'static Route,
    object: String,
    /// By the column's name.
    cells: BTreeMap<String, String>,
}

fn rows() -> Vec<Row> {
    let text = include_str!("../rights.csv");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let route = |method: &str, path: &str| {
        let found = TABLE.iter().find(|r| r.method.name() == method && r.path == path);
        found.unwrap_or_else(|| panic!("rights.csv has {method} {path}, the table has not"))
    };
    lines
        .map(|line| Row {
            route: route(&line[0], &line[1]),
            object: line[2].clone(),
            cells: head[3..].iter().cloned().zip(line[3..].iter().cloned()).collect(),
        })
        .collect()
}

#[test]
fn every_row_of_the_table_has_its_line_and_each_object() {
    let mut listed: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for row in rows() {
        assert_eq!(row.cells.len(), 10, "{} {}", row.route.method.name(), row.route.path);
        let fresh = listed.entry((row.route.method.name(), row.route.path)).or_default().insert(row.object.clone());
        assert!(fresh, "twice: {} {} {}", row.route.method.name(), row.route.path, row.object);
    }
    for row in TABLE {
        let objects = listed.remove(&(row.method.name(), row.path)).unwrap_or_default();
        let each = ["foreign", "own", "unknown"].map(str::to_owned);
        match row.scope {
            Scope::Thing => assert_eq!(objects, each.into(), "{} {}", row.method.name(), row.path),
            Scope::Filter => assert!(objects.is_superset(&each.into()), "{} {}", row.method.name(), row.path),
            _ => assert_eq!(objects, ["-".to_owned()].into(), "{} {}", row.method.name(), row.path),
        }
    }
    assert!(listed.is_empty());
}

#[test]
fn without_a_session_there_is_signing_in_a_sign_of_life_and_the_page() {
    let open: BTreeSet<_> =
        rows().iter().filter(|r| r.cells["nobody"] == "yes").map(|r| (r.route.method.name(), r.route.path)).collect();
    let expected =
        [("POST", "/api/v1/session"), ("POST", "/api/v1/setup"), ("GET", "/health"), ("GET", "/"), ("GET", "/{*path}")];
    assert_eq!(open, expected.into());
}

#[test]
fn each_role_gets_what_the_list_says() {
    let all = rows();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for column in all[0].cells.keys() {
        let site = Site::new();
        let account = (column != "nobody").then(|| site.account("binh", &[column]));
        // What takes away comes last.
        let (removals, others): (Vec<&Row>, Vec<&Row>) = all.iter().partition(|r| r.route.method == Method::Delete);
        for row in others.into_iter().chain(removals) {
            let browser = account.map(|account| site.session(account));
            let got = outcome(&site, row, browser.as_ref());
            if got != row.cells[column] {
                let (method, path) = (row.route.method.name(), row.route.path);
                wrong.push(format!("{method} {path} {} {column}: {got}, listed {}", row.object, row.cells[column]));
            }
            asked += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{asked} cells");
}

fn outcome(site: &Site, row: &Row, browser: Option<&Browser>) -> String {
    let things = match row.object.as_str() {
        "foreign" => site.foreign,
        "unknown" => Things { camera: NOT_THERE, event: NOT_THERE, track: NOT_THERE, lock: NOT_THERE },
        _ => site.own,
    };
    let path = address(site, row, things);
    let method = row.route.method.name();
    let body = if row.route.request.is_some() || row.route.method == Method::Put { "{}" } else { "" };
    if row.route.answer == Answer::Bytes("text/event-stream") {
        let headers = headers(browser, false);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let head = Head::read(&mut site.server.open(method, &path, &headers, b""));
        return if head.status == 200 { "yes".into() } else { head.status.to_string() };
    }
    let answer = site.ask(browser, method, &path, body);
    match answer.status {
        // Of a thing that is there, what was asked of it need not be.
        404 if answer.refused(404) != ["id"] => "yes".into(),
        // Only the set-up and sign-in rows refuse a body of nobody by 403, which `{}` never gets to.
        status @ (401 | 403 | 404 | 500) => status.to_string(),
        _ => "yes".into(),
    }
}

fn address(site: &Site, row: &Row, things: Things) -> String {
    let id = match row.route.resource {
        "camera" => things.camera,
        "event" => things.event,
        "track" => things.track,
        "lock" => things.lock,
        "rule" => site.rule,
        "shape" => site.shape,
        "planned" => site.planned,
        "route" => site.route,
        "alarm" => site.server.state.board.alarms()[0].id,
        _ => 1,
    };
    let mut query = Vec::new();
    for param in row.route.query.iter().filter(|param| param.about.ends_with("required.")) {
        match param.name {
            "from" => query.push(format!("from={}", NOW_US - 60_000_000)),
            "to" => query.push(format!("to={NOW_US}")),
            _ => {}
        }
    }
    if row.route.scope == Scope::Filter && row.object != "-" {
        query.push(format!("camera={}", things.camera));
    }
    if row.route.path.ends_with("reference.jpg") {
        query.push("light=day".to_owned());
    }
    let path = row.route.path.replace("{id}", &id.to_string()).replace("{*path}", "live");
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}
