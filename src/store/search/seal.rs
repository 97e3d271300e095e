//! Packing an hour for the search, and taking it out again when something of it changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DWELLS_S, HOUR_US, hour_of, hour_us,
    packed::{self, Bits},
    words,
};
use crate::{
    domain::{
        colour::{Colour, Part},
        search::{SearchCursor, Source},
    },
    store::{Result, Store, db::Tx, sql::Sql},
};

/// Facets written by one statement.
const FACETS_AT_ONCE: usize = 500;

/// What of a track or an event the index keeps.
#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    camera: i64,
    start_us: i64,
    end_us: i64,
    class: Option<String>,
    kind: Option<String>,
    rule_name: Option<String>,
    upper: i64,
    lower: i64,
    body: i64,
    heading: Option<String>,
    size: Option<String>,
}

const LOOKS: &str = "coalesce(t.upper_colours, 0) as upper, coalesce(t.lower_colours, 0) as lower, \
                     coalesce(t.body_colours, 0) as body, t.heading, t.size";

impl Store {
    /// The hours with tracks or events, up to `before_us`, that are not packed; the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unpacked_hours(&self, before_us: i64) -> Result<Vec<i64>> {
        let Some(oldest_us) = self.oldest_us().await? else { return Ok(Vec::new()) };
        let rows: Vec<(i64,)> = self.db.rows(Sql::new("select hour from search_hour")).await?;
        let packed: BTreeSet<i64> = rows.into_iter().map(|(hour,)| hour).collect();
        let (first, end) = (hour_of(oldest_us), hour_of(before_us));
        Ok((first..end).rev().filter(|hour| !packed.contains(hour)).collect())
    }

    /// Takes out of the index the hours before the oldest track and event; how many rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_old_hours(&self) -> Result<u64> {
        let first = self.oldest_us().await?.map_or(i64::MAX, hour_of);
        let of = |text| Sql::new(text).bind(first);
        let deletes = [
            of("delete from search_hour where hour < $1"),
            of("delete from search_facet where hour < $1"),
            of("delete from search_tally where hour < $1"),
        ];
        self.write(|tx| {
            Box::pin(async move {
                let mut gone = 0;
                for delete in deletes {
                    gone += tx.execute(delete).await?;
                }
                Ok(gone)
            })
        })
        .await
    }

    /// When the oldest track or event began.
    pub(super) async fn oldest_us(&self) -> Result<Option<i64>> {
        let text = "select min(start_us) from (select min(start_us) as start_us from track \
                    union all select min(start_us) from event) as oldest";
        let row: Option<(Option<i64>,)> = self.db.row(Sql::new(text)).await?;
        Ok(row.and_then(|(start_us,)| start_us))
    }

    /// Packs an hour: its tracks and events that are over. How many they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pack_hour(&self, hour: i64) -> Result<u64> {
        let (start_us, end_us) = (hour_us(hour), hour_us(hour.saturating_add(1)));
        self.write(move |tx| {
            Box::pin(async move {
                tx.hold_still().await?;
                let rows = read(tx, start_us, end_us).await?;
                let phrases = words::enter(tx, rows.iter().filter_map(|(_, row)| row.rule_name.clone())).await?;
                let sealed = Sealed::of(&rows, &phrases, start_us);
                sealed.write(tx, hour).await?;
                Ok(rows.len() as u64)
            })
        })
        .await
    }
}

/// The rows of an hour that are over, in the order of their keys.
async fn read(tx: &mut Tx, start_us: i64, end_us: i64) -> Result<Vec<(SearchCursor, Row)>> {
    let mut tracks = Sql::new(
        "select t.id, t.camera, t.start_us, t.end_us, t.class, cast(null as text) as kind, \
         cast(null as text) as rule_name, ",
    );
    tracks.push(LOOKS).push(" from track t where t.start_us >= ").push_bind(start_us);
    tracks.push(" and t.start_us < ").push_bind(end_us).push(" and t.open is not true");
    let mut events = Sql::new("select e.id, e.camera, e.start_us, e.end_us, e.class, e.kind, e.rule_name, ");
    events.push(LOOKS).push(" from event e left join track t on t.camera = e.camera and t.number = e.track");
    events.push(super::SAME_TIME).push(" where e.start_us >= ").push_bind(start_us);
    events.push(" and e.start_us < ").push_bind(end_us).push(" and not e.open");
    let mut rows = BTreeMap::new();
    for (source, sql) in [(Source::Track, tracks), (Source::Event, events)] {
        let found: Vec<Row> = tx.rows(sql).await?;
        for row in found {
            rows.insert(SearchCursor { start_us: row.start_us, source, id: row.id }, row);
        }
    }
    Ok(rows.into_iter().collect())
}

/// An hour, packed.
struct Sealed {
    count: usize,
    stamp: i64,
    keys: Vec<u8>,
    facets: Vec<(String, Vec<u8>)>,
    tallies: BTreeMap<(i64, String), i64>,
}

impl Sealed {
    fn of(rows: &[(SearchCursor, Row)], phrases: &BTreeMap<String, i64>, start_us: i64) -> Self {
        let mut facets: BTreeMap<String, Bits> = BTreeMap::new();
        let mut tallies = BTreeMap::new();
        for (at, (key, row)) in rows.iter().enumerate() {
            for facet in row.facets(key.source, phrases) {
                facets.entry(facet).or_insert_with(|| Bits::none(rows.len())).set(at);
            }
            if let Some(word) = row.word(key.source) {
                *tallies.entry((0, word.clone())).or_insert(0) += 1;
                *tallies.entry((row.camera, word)).or_insert(0) += 1;
            }
        }
        let keys: Vec<SearchCursor> = rows.iter().map(|(key, _)| *key).collect();
        let keys = packed::pack_keys(&keys, start_us);
        let facets: Vec<(String, Vec<u8>)> =
            facets.into_iter().map(|(facet, bits)| (facet, bits.pack(rows.len()))).collect();
        let parts = facets.iter().flat_map(|(facet, bits)| [facet.as_bytes(), bits]);
        let stamp = packed::stamp(parts.chain([keys.as_slice()]));
        Self { count: rows.len(), stamp, keys, facets, tallies }
    }

    async fn write(self, tx: &mut Tx, hour: i64) -> Result<()> {
        for text in ["delete from search_facet where hour = $1", "delete from search_tally where hour = $1"] {
            tx.execute(Sql::new(text).bind(hour)).await?;
        }
        let text = "insert into search_hour (hour, stamp, count, keys) values ($1, $2, $3, $4) \
                    on conflict (hour) do update set stamp = excluded.stamp, count = excluded.count, keys = excluded.keys";
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        tx.execute(Sql::new(text).bind(hour).bind(self.stamp).bind(count).bind(self.keys)).await?;
        for facets in self.facets.chunks(FACETS_AT_ONCE) {
            let mut sql = Sql::new("insert into search_facet (facet, hour, stamp, bits) values ");
            for (i, (facet, bits)) in facets.iter().enumerate() {
                sql.push(if i == 0 { "(" } else { ", (" }).push_bind(facet.as_str());
                sql.push(", ").push_bind(hour).push(", ").push_bind(self.stamp);
                sql.push(", ").push_bind(bits.clone()).push(")");
            }
            tx.execute(sql).await?;
        }
        let tallies: Vec<_> = self.tallies.into_iter().collect();
        for tallies in tallies.chunks(FACETS_AT_ONCE) {
            let mut sql = Sql::new("insert into search_tally (camera, word, hour, stamp, n) values ");
            for (i, ((camera, word), n)) in tallies.iter().enumerate() {
                sql.push(if i == 0 { "(" } else { ", (" }).push_bind(*camera);
                sql.push(", ").push_bind(word.as_str()).push(", ").push_bind(hour);
                sql.push(", ").push_bind(self.stamp).push(", ").push_bind(*n).push(")");
            }
            tx.execute(sql).await?;
        }
        Ok(())
    }
}

impl Row {
    fn word(&self, source: Source) -> Option<String> {
        let what = if source == Source::Event { &self.kind } else { &self.class };
        what.as_ref().map(|what| format!("{}:{what}", source.name()))
    }

    fn facets(&self, source: Source, phrases: &BTreeMap<String, i64>) -> Vec<String> {
        let mut all = vec![format!("source:{}", source.name()), format!("camera:{}", self.camera)];
        let named = [("class", &self.class), ("kind", &self.kind), ("heading", &self.heading), ("size", &self.size)];
        all.extend(named.iter().filter_map(|(name, word)| word.as_ref().map(|word| format!("{name}:{word}"))));
        for (part, bits) in [(Part::Upper, self.upper), (Part::Lower, self.lower), (Part::Body, self.body)] {
            let colours = Colour::ALL.iter().filter(|colour| bits & colour.bit() != 0);
            all.extend(colours.map(|colour| format!("{}:{}", part.name(), colour.name())));
        }
        if self.upper | self.lower | self.body == 0 {
            all.push("colour:none".to_owned());
        }
        let dwell_s = self.end_us.saturating_sub(self.start_us) / 1_000_000;
        all.extend(DWELLS_S.iter().filter(|s| dwell_s >= **s).map(|s| format!("dwell:{s}")));
        all.extend(self.rule_name.as_ref().and_then(|name| phrases.get(name)).map(|id| format!("phrase:{id}")));
        all
    }
}

impl Store {
    /// Makes a change that returns the starts of the rows it changed, and takes their hours out of the index with it; how
    /// many rows.
    pub(in crate::store) async fn change_packed(&self, change: Sql) -> Result<u64> {
        self.write(|tx| {
            Box::pin(async move {
                let changed: Vec<(i64,)> = tx.rows(change).await?;
                tx.unpack_hours(changed.iter().map(|(start_us,)| *start_us)).await?;
                Ok(changed.len() as u64)
            })
        })
        .await
    }
}

impl Tx {
    /// Takes the hours of these starts out of the index, because something that was packed changes.
    pub(in crate::store) async fn unpack_hours(&mut self, starts_us: impl IntoIterator<Item = i64>) -> Result<()> {
        let hours: BTreeSet<i64> = starts_us.into_iter().map(hour_of).collect();
        if hours.is_empty() {
            return Ok(());
        }
        for hours in hours.into_iter().collect::<Vec<_>>().chunks(FACETS_AT_ONCE) {
            let mut delete = Sql::new("delete from search_hour where hour in ");
            delete.push_list(hours.iter().copied());
            self.execute(delete).await?;
        }
        Ok(())
    }
}

const _: () = assert!(HOUR_US == 3_600_000_000);
