//! One SQL text for both engines: a statement with its values, and rows that either engine can fill.
//!
//! The one place that dispatches over the engines. Text comes only from `&'static str`, values are only bound, so no
//! input can become SQL.

use std::borrow::Cow;

use sqlx::{
    Arguments, AssertSqlSafe, FromRow,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{
    Result, StoreError,
    db::{Db, Tx},
};

/// A value to bind; an absent one still knows its type, which PostgreSQL asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
    Real(f64),
    Bool(bool),
}

macro_rules! values {
    ($($from:ty => |$v:ident| $to:expr),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from($v: $from) -> Self {
                $to
            }
        }
    )+};
}

values! {
    i64 => |v| Self::Int(Some(v)),
    Option<i64> => |v| Self::Int(v),
    u32 => |v| Self::Int(Some(i64::from(v))),
    &str => |v| Self::Text(Some(v.to_owned())),
    String => |v| Self::Text(Some(v)),
    Option<String> => |v| Self::Text(v),
    Vec<u8> => |v| Self::Bytes(v),
    f64 => |v| Self::Real(v),
    bool => |v| Self::Bool(v),
}

/// A statement and the values for its `$1`, `$2`, …
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sql {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

impl Sql {
    /// A statement whose values follow with [`Sql::bind`].
    pub(super) fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), values: Vec::new() }
    }
    /// The value of the next `$n` standing in the text.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
    /// Adds text.
    pub(super) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }
    /// Adds the next `$n` and its value.
    pub(super) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let place = format!("${}", self.values.len());
        self.text.to_mut().push_str(&place);
        self
    }
    /// Adds `($n, $m, …)`.
    pub(super) fn push_list(&mut self, values: impl IntoIterator<Item = impl Into<Value>>) -> &mut Self {
        for (i, value) in values.into_iter().enumerate() {
            self.push(if i == 0 { "(" } else { ", " }).push_bind(value);
        }
        self.push(")")
    }
}

/// What either engine can fill; `#[derive(sqlx::FromRow)]` and tuples do.
pub(super) trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

macro_rules! arguments {
    ($arguments:ty, $values:expr) => {{
        let mut arguments = <$arguments>::default();
        for value in $values {
            match value {
                Value::Int(v) => Arguments::add(&mut arguments, v),
                Value::Text(v) => Arguments::add(&mut arguments, v),
                Value::Bytes(v) => Arguments::add(&mut arguments, v),
                Value::Real(v) => Arguments::add(&mut arguments, v),
                Value::Bool(v) => Arguments::add(&mut arguments, v),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        arguments
    }};
}

type Text = AssertSqlSafe<Cow<'static, str>>;

impl Sql {
    fn for_sqlite(self) -> Result<(Text, SqliteArguments)> {
        Ok((AssertSqlSafe(self.text), arguments!(SqliteArguments, self.values)))
    }
    fn for_postgres(self) -> Result<(Text, PgArguments)> {
        Ok((AssertSqlSafe(self.text), arguments!(PgArguments, self.values)))
    }
}

impl Db {
    /// All rows of a reading statement.
    pub(super) async fn rows<R: Row>(&self, sql: Sql) -> Result<Vec<R>> {
        Ok(match self {
            Self::Sqlite { read, .. } => {
                let (text, arguments) = sql.for_sqlite()?;
                sqlx::query_as_with(text, arguments).fetch_all(read).await?
            }
            Self::Postgres(pool) => {
                let (text, arguments) = sql.for_postgres()?;
                sqlx::query_as_with(text, arguments).fetch_all(pool).await?
            }
        })
    }
    /// The first row, if any.
    pub(super) async fn row<R: Row>(&self, sql: Sql) -> Result<Option<R>> {
        Ok(self.rows(sql).await?.into_iter().next())
    }
}

impl Tx {
    /// All rows of a statement, also of one with `returning`.
    pub(super) async fn rows<R: Row>(&mut self, sql: Sql) -> Result<Vec<R>> {
        Ok(match self {
            Self::Sqlite(tx) => {
                let (text, arguments) = sql.for_sqlite()?;
                sqlx::query_as_with(text, arguments).fetch_all(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                let (text, arguments) = sql.for_postgres()?;
                sqlx::query_as_with(text, arguments).fetch_all(&mut **tx).await?
            }
        })
    }
    /// The first row, if any.
    pub(super) async fn row<R: Row>(&mut self, sql: Sql) -> Result<Option<R>> {
        Ok(self.rows(sql).await?.into_iter().next())
    }
    /// The one number of a statement that always gives one row, such as `… returning id`.
    pub(super) async fn number(&mut self, sql: Sql) -> Result<i64> {
        let row: Option<(i64,)> = self.row(sql).await?;
        row.map(|(n,)| n).ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }
    /// Runs a statement; how many rows it touched.
    pub(super) async fn execute(&mut self, sql: Sql) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(tx) => {
                let (text, arguments) = sql.for_sqlite()?;
                sqlx::query_with(text, arguments).execute(&mut **tx).await?.rows_affected()
            }
            Self::Postgres(tx) => {
                let (text, arguments) = sql.for_postgres()?;
                sqlx::query_with(text, arguments).execute(&mut **tx).await?.rows_affected()
            }
        })
    }
}

#[cfg(test)]
impl crate::store::Store {
    /// How SQLite would run a statement, one step a line.
    pub(super) async fn plan(&self, sql: Sql) -> String {
        let mut explained = Sql::new("explain query plan ");
        explained.text.to_mut().push_str(&sql.text);
        explained.values = sql.values;
        let rows: Vec<(i64, i64, i64, String)> = self.db.rows(explained).await.expect("a plan");
        rows.into_iter().map(|row| row.3 + "\n").collect()
    }
}
