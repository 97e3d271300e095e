//! Words of events: the names of their rules, each kept once, found by FTS5 on SQLite and by a text index on PostgreSQL.
//! The program folds accents away itself, so both find the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    logic::search::fold::{fold, words},
    store::{
        Result, Store,
        db::{Db, Tx},
        sql::Sql,
    },
};

/// The most phrases that one question may mean.
const PHRASES_MAX: u32 = 200;

/// Enters phrases that are not there yet; the numbers of all.
pub(in crate::store) async fn enter(
    tx: &mut Tx,
    phrases: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, i64>> {
    let mut known = BTreeMap::new();
    for phrase in phrases.into_iter().collect::<BTreeSet<_>>() {
        let there: Option<(i64,)> =
            tx.row(Sql::new("select id from phrase where text = $1").bind(phrase.as_str())).await?;
        let id = match there {
            Some((id,)) => id,
            None => {
                let folded = fold(&phrase);
                let text = "insert into phrase (text, folded) values ($1, $2) \
                            on conflict (text) do update set folded = excluded.folded returning id";
                let id = tx.number(Sql::new(text).bind(phrase.as_str()).bind(folded.as_str())).await?;
                tx.index_words(id, &folded).await?;
                id
            }
        };
        known.insert(phrase, id);
    }
    Ok(known)
}

impl Store {
    /// The phrases in which all these words stand, whole or as beginnings: number and text.
    pub(super) async fn phrases_with(&self, wanted: &[String]) -> Result<Vec<(i64, String)>> {
        let wanted: Vec<String> = wanted.iter().flat_map(|text| words(text)).map(|word| word.folded).collect();
        let plain: Vec<String> = wanted.into_iter().filter(|word| word.chars().all(char::is_alphanumeric)).collect();
        if plain.is_empty() {
            return Ok(Vec::new());
        }
        let sql = match &self.db {
            Db::Sqlite { .. } => {
                let query = plain.iter().map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" AND ");
                let text = "select id, text from phrase where id in (select rowid from phrase_words where phrase_words match $1) \
                            order by id limit $2";
                Sql::new(text).bind(query)
            }
            Db::Postgres(_) => {
                let query = plain.iter().map(|word| format!("'{word}':*")).collect::<Vec<_>>().join(" & ");
                let text = "select id, text from phrase \
                            where to_tsvector('simple'::regconfig, folded) @@ to_tsquery('simple'::regconfig, $1) \
                            order by id limit $2";
                Sql::new(text).bind(query)
            }
        };
        self.db.rows(sql.bind(PHRASES_MAX)).await
    }

    /// All words, folded, that stand in the names of rules of events.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn phrase_words(&self) -> Result<BTreeSet<String>> {
        let rows: Vec<(String,)> =
            self.db.rows(Sql::new("select folded from phrase order by id desc limit 1000")).await?;
        Ok(rows.iter().flat_map(|(folded,)| words(folded)).map(|word| word.folded).collect())
    }
}
