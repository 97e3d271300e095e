//! The OpenAPI 3.1 document, made from the table and the types in `schemas.json`.

use std::sync::OnceLock;

use axum::Json;
use serde_json::{Map, Value, json};

use super::routes::{Action, Answer, Kind, Param, Route, TABLE};
use crate::domain::query::Actor;

/// The JSON types, written by hand beside the structs; `tests/http_api.rs` compares them with real answers.
const SCHEMAS: &str = include_str!("schemas.json");

pub(super) async fn show(_: Actor) -> Json<&'static Value> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    Json(DOCUMENT.get_or_init(|| document(TABLE)))
}

fn document(rows: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for row in rows {
        let path = row.path.replace("{*", "{");
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[row.method.name().to_ascii_lowercase()] = operation(row);
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).expect("schemas.json is JSON: a test reads it");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vọng Lâu",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Times are whole microseconds, UTC. Without accounts everything is for this machine itself; with accounts everything needs the session of POST /api/v1/session, and every change its token in X-Vonglau-Token.",
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn operation(row: &Route) -> Value {
    let mut parameters: Vec<Value> = path_names(row.path)
        .map(|(name, number)| {
            let kind = if number { json!({"type": "integer"}) } else { json!({"type": "string"}) };
            json!({"name": name, "in": "path", "required": true, "schema": kind})
        })
        .collect();
    parameters.extend(row.query.iter().map(query));
    let mut responses = Map::new();
    let (status, good) = answer(row.answer);
    responses.insert(status.to_owned(), good);
    let refused = json!({
        "description": "Refused, with the reason.",
        "content": {"application/json": {"schema": reference("Errors")}},
    });
    responses.insert("default".to_owned(), refused);
    let mut operation = json!({
        "operationId": operation_id(row),
        "summary": row.summary,
        "tags": [row.resource],
        "responses": responses,
    });
    if row.action != Action::Public {
        operation["x-action"] = json!(format!("{:?}", row.action).to_ascii_lowercase());
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(name) = row.request {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": reference(name)}}});
    }
    operation
}

/// Such as `get_cameras_id`: stable, unique.
fn operation_id(row: &Route) -> String {
    let path = row.path.trim_start_matches("/api/v1");
    let words = path.split(['/', '{', '}', '*', '.']).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_");
    let name = if name.is_empty() { "index" } else { &name };
    format!("{}_{name}", row.method.name().to_ascii_lowercase())
}

/// The names in a path and whether each is a number.
fn path_names(path: &str) -> impl Iterator<Item = (&str, bool)> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        match name.strip_prefix('*') {
            Some(rest) => (rest, false),
            None => (name, true),
        }
    })
}

fn query(param: &Param) -> Value {
    let schema = match param.kind {
        Kind::Int => json!({"type": "integer"}),
        Kind::Ids => json!({"type": "array", "items": {"type": "integer"}}),
        Kind::Time => json!({"oneOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}]}),
        Kind::Flag => json!({"type": "integer", "enum": [0, 1]}),
        Kind::Text => json!({"type": "string"}),
        Kind::OneOf(names) => json!({"type": "string", "enum": names}),
    };
    let mut value = json!({"name": param.name, "in": "query", "description": param.about, "schema": schema});
    if param.kind == Kind::Ids {
        value["explode"] = json!(false);
    }
    value
}

fn answer(answer: Answer) -> (&'static str, Value) {
    let json_of =
        |name: &str| json!({"description": name, "content": {"application/json": {"schema": reference(name)}}});
    match answer {
        Answer::Json(name) => ("200", json_of(name)),
        Answer::Created(name) => ("201", json_of(name)),
        Answer::Nothing => ("204", json!({"description": "Done."})),
        Answer::Socket => ("101", json!({"description": "A WebSocket."})),
        Answer::Bytes(mime) => ("200", json!({"description": mime, "content": {mime: {}}})),
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::routes::Method;

    #[test]
    fn the_document_lists_exactly_the_table() {
        let document = document(TABLE);
        let mut listed = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            listed.extend(item.as_object().unwrap().keys().map(|m| format!("{} {path}", m.to_ascii_uppercase())));
        }
        let table: BTreeSet<_> =
            TABLE.iter().map(|r| format!("{} {}", r.method.name(), r.path.replace("{*", "{"))).collect();
        assert_eq!(listed, table);
        assert_eq!(table.len(), TABLE.len(), "a row stands twice");
        let ids: BTreeSet<_> = TABLE.iter().map(operation_id).collect();
        assert_eq!(ids.len(), TABLE.len(), "two rows share an operationId");
    }

    #[test]
    fn every_type_named_by_a_row_is_described_and_every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|v| references(v, found));
                }
                Value::Array(list) => list.iter().for_each(|v| references(v, found)),
                _ => {}
            }
        }
        let document = document(TABLE);
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(found.contains(&format!("#/components/schemas/{name}")), "nobody uses {name}");
        }
    }

    #[test]
    fn only_reads_have_no_body() {
        for row in TABLE {
            assert_eq!(row.request.is_some(), matches!(row.method, Method::Post | Method::Put), "{}", row.path);
        }
    }
}
