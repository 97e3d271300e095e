//! The two engines have one schema: the same tables, columns, keys and indexes, and the same reasons beside them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use vonglau::store::Store;

#[path = "store_contract/engines.rs"]
#[expect(dead_code, reason = "only the private schema is needed here")]
mod engines;

/// What stands in a schema, one readable line each.
type Lines = BTreeSet<String>;

fn folder(engine: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations").join(engine)
}

/// The migrations of an engine by file name.
fn migrations(engine: &str) -> BTreeMap<String, String> {
    std::fs::read_dir(folder(engine))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

async fn sqlite() -> (tempfile::TempDir, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vonglau.db");
    Store::open(&path).await.unwrap().close().await;
    let connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    (folder, connection)
}

/// The tables, but for those that SQLite's text index keeps for itself.
async fn sqlite_tables(connection: &mut SqliteConnection) -> Vec<String> {
    let text = "select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' \
                and name <> '_sqlx_migrations' and name not like 'phrase\\_words%' escape '\\' order by name";
    let rows: Vec<(String,)> = sqlx::query_as(text).fetch_all(connection).await.unwrap();
    rows.into_iter().map(|row| row.0).collect()
}

async fn sqlite_lines(connection: &mut SqliteConnection) -> Lines {
    let mut lines = Lines::new();
    for table in sqlite_tables(connection).await {
        let text = format!("select name, type, \"notnull\", pk from pragma_table_info('{table}') order by pk");
        let columns: Vec<(String, String, bool, i64)> =
            sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut *connection).await.unwrap();
        let key: Vec<_> = columns.iter().filter(|c| c.3 > 0).map(|c| c.0.as_str()).collect();
        lines.insert(format!("{table}: key {}", key.join(", ")));
        for (column, kind, not_null, _) in &columns {
            lines.insert(format!("{table}.{column}: {}{}", kind.to_lowercase(), null(*not_null)));
        }
        let text = format!("select \"from\", \"table\", \"to\" from pragma_foreign_key_list('{table}')");
        let keys: Vec<(String, String, String)> =
            sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut *connection).await.unwrap();
        lines.extend(keys.into_iter().map(|(from, to, column)| format!("{table}.{from} refers to {to}.{column}")));
        let text = format!("select name, \"unique\", partial from pragma_index_list('{table}') where origin = 'c'");
        let indexes: Vec<(String, bool, bool)> =
            sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut *connection).await.unwrap();
        for (index, unique, partial) in indexes {
            let text = format!("select name from pragma_index_info('{index}') order by seqno");
            let columns: Vec<(String,)> =
                sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut *connection).await.unwrap();
            let columns = columns.into_iter().map(|c| c.0).collect();
            lines.insert(index_line(&table, &index, unique, partial, columns));
        }
    }
    lines
}

async fn postgres_lines(connection: &mut PgConnection) -> Lines {
    let columns: Vec<(String, String, String, bool)> = sqlx::query_as(
        "select table_name::text, column_name::text, data_type::text, is_nullable = 'NO' \
         from information_schema.columns where table_schema = current_schema() and table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let mut lines: Lines = columns
        .iter()
        .map(|(table, column, kind, not_null)| format!("{table}.{column}: {kind}{}", null(*not_null)))
        .collect();
    let keys: Vec<(String, String)> = sqlx::query_as(
        "select c.conrelid::regclass::text, string_agg(a.attname, ', ' order by k.place) from pg_constraint c \
         cross join unnest(c.conkey) with ordinality k (number, place) \
         join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number \
         where c.contype = 'p' and c.connamespace = current_schema()::regnamespace group by 1",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    lines.extend(keys.iter().filter(|k| k.0 != "_sqlx_migrations").map(|(table, key)| format!("{table}: key {key}")));
    let foreign: Vec<(String, String, String, String)> = sqlx::query_as(
        "select c.conrelid::regclass::text, a.attname::text, c.confrelid::regclass::text, b.attname::text \
         from pg_constraint c cross join unnest(c.conkey, c.confkey) k (here, there) \
         join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.here \
         join pg_attribute b on b.attrelid = c.confrelid and b.attnum = k.there \
         where c.contype = 'f' and c.connamespace = current_schema()::regnamespace",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    lines.extend(foreign.iter().map(|(table, from, to, column)| format!("{table}.{from} refers to {to}.{column}")));
    let indexes: Vec<(String, String, bool, bool, Vec<String>)> = sqlx::query_as(
        "select i.indrelid::regclass::text, i.indexrelid::regclass::text, i.indisunique, i.indpred is not null, \
         array_agg(a.attname::text order by k.place) from pg_index i \
         join pg_class c on c.oid = i.indrelid and c.relnamespace = current_schema()::regnamespace \
         cross join unnest(i.indkey) with ordinality k (number, place) \
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number \
         where not i.indisprimary group by i.indrelid, i.indexrelid, i.indisunique, i.indpred",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    lines.extend(
        indexes
            .into_iter()
            .map(|(table, name, unique, partial, columns)| index_line(&table, &name, unique, partial, columns)),
    );
    lines
}

fn null(not_null: bool) -> &'static str {
    if not_null { " not null" } else { "" }
}

fn index_line(table: &str, index: &str, unique: bool, partial: bool, columns: Vec<String>) -> String {
    let (unique, partial) = (if unique { " unique" } else { "" }, if partial { " where …" } else { "" });
    format!("{table}: index {index}{unique} ({}){partial}", columns.join(", "))
}

/// A PostgreSQL line as SQLite would say it. SQLite knows no boolean: those are integers with a check.
fn as_sqlite(line: &str) -> String {
    for (postgres, sqlite) in
        [(": bigint", ": integer"), (": boolean", ": integer"), (": double precision", ": real"), (": bytea", ": blob")]
    {
        if line.contains(postgres) {
            return line.replacen(postgres, sqlite, 1);
        }
    }
    line.to_owned()
}

#[tokio::test]
async fn sqlite_and_postgresql_have_the_same_tables_columns_keys_and_indexes() {
    let (_folder, mut connection) = sqlite().await;
    let ours = sqlite_lines(&mut connection).await;
    connection.close().await.unwrap();
    for line in [
        "camera.retired_us: integer",
        "event.score: real not null",
        "event.rule refers to rule_version.rule",
        "rule_version: key rule, version",
        "camera: index camera_name unique (name_fold) where …",
    ] {
        assert!(ours.contains(line), "the introspection itself: {line} is not in {ours:#?}");
    }
    let Some(schema) = engines::Schema::fresh().await else { return };
    Store::postgres(&schema.url).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&schema.url).await.unwrap();
    let theirs: Lines = postgres_lines(&mut connection).await.iter().map(|line| as_sqlite(line)).collect();
    connection.close().await.unwrap();
    schema.remove().await;
    let only = |a: &Lines, b: &Lines| a.difference(b).cloned().collect::<Vec<_>>();
    assert!(ours == theirs, "only SQLite: {:#?}\nonly PostgreSQL: {:#?}", only(&ours, &theirs), only(&theirs, &ours));
}

#[tokio::test]
async fn every_sqlite_table_is_strict_and_fills_in_nothing_by_itself() {
    let (_folder, mut connection) = sqlite().await;
    let tables = sqlite_tables(&mut connection).await;
    assert!(tables.len() >= 16, "{tables:?}");
    for table in tables {
        let text = format!("select strict from pragma_table_list('{table}') where schema = 'main'");
        let (strict,): (bool,) = sqlx::query_as(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap();
        assert!(strict, "{table}");
        let text = format!("select count(*) from pragma_table_info('{table}') where dflt_value is not null");
        let (defaults,): (i64,) = sqlx::query_as(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap();
        assert_eq!(defaults, 0, "{table}");
    }
    let text = "select count(*) from sqlite_schema where type in ('trigger', 'view')";
    let (others,): (i64,) = sqlx::query_as(text).fetch_one(&mut connection).await.unwrap();
    assert_eq!(others, 0);
    for (engine, migrations) in [("sqlite", migrations("sqlite")), ("postgres", migrations("postgres"))] {
        for (name, sql) in migrations {
            let code: String = sql.lines().filter_map(|line| line.split("--").next()).collect();
            for word in [" default ", "now(", "trigger"] {
                assert!(!code.to_lowercase().contains(word), "{engine}/{name} has “{word}”");
            }
        }
    }
}

/// Each table or column of a migration with the reason beside it.
fn reasons(sql: &str) -> Vec<(String, String)> {
    let (mut reasons, mut table, mut above) = (Vec::new(), String::new(), String::new());
    let mut split: Option<String> = None;
    for line in sql.lines() {
        let (code, reason) =
            line.split_once("--").map_or((line, ""), |(code, reason)| (code.trim_end(), reason.trim()));
        let first = code.split_whitespace().next().unwrap_or_default();
        if let Some(name) = code.strip_prefix("create table ") {
            table = name.trim_end_matches(" (").to_owned();
            reasons.push((table.clone(), std::mem::take(&mut above)));
        } else if let Some((name, column)) =
            code.strip_prefix("alter table ").and_then(|rest| rest.split_once(" add column "))
        {
            reasons.push((format!("{name}.{}", column.split(' ').next().unwrap_or_default()), reason.to_owned()));
        } else if code.is_empty() {
            above = reason.to_owned();
        } else if let Some(column) = split.take_if(|_| code.starts_with("    )")) {
            reasons.push((column, reason.to_owned()));
        } else if code.starts_with("    ")
            && !code.starts_with("     ")
            && !["primary", "foreign", "select"].contains(&first)
        {
            let column = format!("{table}.{first}");
            // A long check goes over several lines; the reason stands at its end.
            if code.ends_with('(') { split = Some(column) } else { reasons.push((column, reason.to_owned())) }
        }
    }
    reasons
}

#[tokio::test]
async fn every_table_and_column_has_the_same_reason_beside_it_in_both_folders() {
    let (sqlite_files, postgres_files) = (migrations("sqlite"), migrations("postgres"));
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&sqlite_files), names(&postgres_files), "migrations have equal numbers and names");
    let all: Vec<_> = sqlite_files.values().flat_map(|sql| reasons(sql)).collect();
    for (place, reason) in &all {
        assert!(reason.len() > 2, "{place} has no reason beside it");
    }
    assert_eq!(all, postgres_files.values().flat_map(|sql| reasons(sql)).collect::<Vec<_>>());
    // That the reading above misses nothing: as many as the database itself knows.
    let (_folder, mut connection) = sqlite().await;
    let mut known = Lines::new();
    for line in sqlite_lines(&mut connection).await {
        let place = line.split([':', ' ']).next().unwrap_or_default();
        known.insert(place.to_owned());
    }
    assert_eq!(all.into_iter().map(|r| r.0).collect::<Lines>(), known);
}

#[tokio::test]
async fn a_second_opening_changes_nothing_in_the_schema() {
    let (folder, mut connection) = sqlite().await;
    let text = "select count(*), cast(sum(version) as bigint) from _sqlx_migrations";
    let before = sqlite_lines(&mut connection).await;
    let migrated: (i64, i64) = sqlx::query_as(text).fetch_one(&mut connection).await.unwrap();
    Store::open(&folder.path().join("vonglau.db")).await.unwrap().close().await;
    assert_eq!(sqlite_lines(&mut connection).await, before);
    assert_eq!(sqlx::query_as::<_, (i64, i64)>(text).fetch_one(&mut connection).await.unwrap(), migrated);
    assert_eq!(migrated.0, i64::try_from(migrations("sqlite").len()).unwrap());
}
