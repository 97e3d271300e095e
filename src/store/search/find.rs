//! Finding: the newest that fit, a page at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    filter::{self, Groups},
    hour_of, hour_us,
    packed::{self, Bits},
};
use crate::{
    domain::{
        event::Event,
        refusal::Refusal,
        search::{Search, SearchCursor, Source},
        time::Span,
    },
    store::{Result, Store, StoreError, TrackRow, sql::Sql},
};

/// The most one call gives.
const LIMIT_MAX: u32 = 500;
/// The most cameras, kinds or spans one question may name.
const NAMES_MAX: usize = 1000;
/// Hours looked through in one step: few at first, since most questions are answered by the last day.
const STEPS: [i64; 5] = [24, 96, 384, 1536, 6144];

/// Something found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// An object that passed; without its path.
    Track(TrackRow),
    /// What a rule said matters.
    Event(Event),
}

impl Found {
    /// Its place in the list.
    #[must_use]
    pub fn cursor(&self) -> SearchCursor {
        match self {
            Self::Track(track) => {
                SearchCursor { start_us: track.span.start_us, source: Source::Track, id: track.id.unwrap_or_default() }
            }
            Self::Event(event) => SearchCursor { start_us: event.start_us, source: Source::Event, id: event.id.0 },
        }
    }
    /// When it ended, or was last seen.
    #[must_use]
    pub fn end_us(&self) -> i64 {
        match self {
            Self::Track(track) => track.span.end_us,
            Self::Event(event) => event.end_us,
        }
    }
}

/// One question on its way backwards through time.
struct Walk<'a> {
    store: &'a Store,
    search: &'a Search,
    sources: Vec<Source>,
    groups: Groups,
    phrases: Vec<(i64, String)>,
    /// Only what stands before this is given.
    before: SearchCursor,
    /// As many are wanted.
    want: usize,
    /// Candidates that are not yet behind the walk.
    seen: BTreeSet<SearchCursor>,
}

impl Store {
    /// The newest tracks and events that fit, behind the cursor, at most `limit` (and never more than 500).
    ///
    /// # Errors
    /// `Refused` when the question names too much.
    pub async fn search(&self, search: &Search, after: Option<SearchCursor>, limit: u32) -> Result<Vec<Found>> {
        check(search)?;
        let phrases = self.phrases_with(&search.words).await?;
        let Some(oldest_us) = self.oldest_us().await? else { return Ok(Vec::new()) };
        let only_events = !search.kinds.is_empty() || !search.words.is_empty();
        let source = if only_events { Some(Source::Event) } else { search.source };
        if (!search.words.is_empty() && phrases.is_empty()) || (only_events && search.source == Some(Source::Track)) {
            return Ok(Vec::new());
        }
        let last = SearchCursor { start_us: i64::MAX, source: Source::Event, id: i64::MAX };
        let walk = Walk {
            store: self,
            search,
            sources: source.map_or(Source::ALL.to_vec(), |source| vec![source]),
            groups: filter::groups(search, source, &phrases),
            phrases,
            before: after.unwrap_or(last),
            want: limit.min(LIMIT_MAX) as usize,
            seen: BTreeSet::new(),
        };
        walk.run(oldest_us).await
    }
}

fn check(search: &Search) -> Result<()> {
    let counts =
        [search.cameras.len(), search.kinds.len(), search.spans.len(), search.towards.len(), search.words.len()];
    if counts.iter().all(|n| *n <= NAMES_MAX) {
        return Ok(());
    }
    Err(StoreError::Refused(Refusal::new(
        "search",
        format!("câu hỏi quá dài; tối đa {NAMES_MAX} camera hoặc khoảng thời gian"),
        format!("the question is too long; at most {NAMES_MAX} cameras or spans of time"),
    )))
}

impl Walk<'_> {
    async fn run(mut self, oldest_us: i64) -> Result<Vec<Found>> {
        let newest_us = match self.search.spans.first() {
            Some(span) => span.end_us,
            None => self.newest_us().await?.saturating_add(1),
        };
        let top_us = newest_us.min(self.before.start_us.saturating_add(1));
        let floor_us = self.search.spans.last().map_or(oldest_us, |span| span.start_us.max(oldest_us));
        let mut found = Vec::new();
        if top_us <= floor_us || self.want == 0 {
            return Ok(found);
        }
        self.going_on(Span { start_us: floor_us, end_us: top_us }).await?;
        let (mut hour, floor) = (hour_of(top_us - 1) + 1, hour_of(floor_us));
        let mut steps = STEPS.iter().copied();
        let mut step = STEPS[STEPS.len() - 1];
        while hour > floor && found.len() < self.want {
            step = steps.next().unwrap_or(step);
            // Nobody asks for what lies between the spans.
            let Some(next) = self.next_hour(hour) else { break };
            hour = next;
            let low = (hour - step).max(floor);
            let reached = self.hours(low, hour, found.len()).await?;
            let reached_us = hour_us(reached);
            let done: Vec<SearchCursor> =
                self.seen.iter().rev().take_while(|c| c.start_us >= reached_us).copied().collect();
            for few in done.chunks(self.want.max(1)) {
                if found.len() < self.want {
                    found.extend(self.fetch(few).await?);
                }
            }
            self.seen.retain(|cursor| cursor.start_us < reached_us);
            hour = reached;
        }
        found.truncate(self.want);
        Ok(found)
    }

    async fn newest_us(&self) -> Result<i64> {
        let text = "select max(start_us) from (select max(start_us) as start_us from track \
                    union all select max(start_us) from event) as newest";
        let row: Option<(Option<i64>,)> = self.store.db.row(Sql::new(text)).await?;
        Ok(row.and_then(|(start_us,)| start_us).unwrap_or(i64::MIN))
    }

    /// The highest hour bound at or under `hour` below which a span lies.
    fn next_hour(&self, hour: i64) -> Option<i64> {
        if self.search.spans.is_empty() {
            return Some(hour);
        }
        let top = |span: &Span| (hour_of(span.start_us) < hour).then(|| hour.min(hour_of(span.end_us - 1) + 1));
        self.search.spans.iter().filter(|span| span.len_us() > 0).find_map(top)
    }

    /// The parts of a span that are asked for, the newest first.
    fn asked(&self, span: Span) -> Vec<Span> {
        let end_us = span.end_us.min(self.before.start_us.saturating_add(1));
        let cut = |s: &Span| Span { start_us: s.start_us.max(span.start_us), end_us: s.end_us.min(end_us) };
        if self.search.spans.is_empty() {
            return [cut(&span)].into_iter().filter(|s| s.start_us < s.end_us).collect();
        }
        self.search.spans.iter().map(cut).filter(|s| s.start_us < s.end_us).collect()
    }

    fn is_asked(&self, cursor: &SearchCursor) -> bool {
        let inside = |span: &Span| span.start_us <= cursor.start_us && cursor.start_us < span.end_us;
        *cursor < self.before && (self.search.spans.is_empty() || self.search.spans.iter().any(inside))
    }

    /// Tracks and events that are not over stand in no packed hour; they are few.
    async fn going_on(&mut self, span: Span) -> Result<()> {
        for source in self.sources.clone() {
            self.candidates(source, true, span).await?;
        }
        Ok(())
    }

    /// Rows asked for in SQL.
    async fn candidates(&mut self, source: Source, open: bool, span: Span) -> Result<()> {
        let sql = candidates(source, open, span, self.before, self.search, &self.phrases, self.want);
        let rows: Vec<(i64, i64)> = self.store.db.rows(sql).await?;
        let cursors = rows.into_iter().map(|(id, start_us)| SearchCursor { start_us, source, id });
        let asked: Vec<SearchCursor> = cursors.filter(|cursor| self.is_asked(cursor)).collect();
        self.seen.extend(asked);
        Ok(())
    }

    /// Looks through hours from `high` down to `low`, or until there is enough; the lowest hour it looked at.
    async fn hours(&mut self, low: i64, high: i64, have: usize) -> Result<i64> {
        let packed = self.matches(low, high).await?;
        let want = self.want.saturating_sub(have);
        let (mut reached, mut enough) = (low, 0);
        for (hour, bits) in packed.iter().rev() {
            let whole = Span { start_us: hour_us(*hour), end_us: hour_us(hour + 1) };
            // Of an hour that the cursor or a span cuts nobody knows yet how many are asked for.
            if self.asked(whole) == [whole] {
                enough += bits.as_ref().map_or(0, Bits::count);
            }
            if enough >= want {
                reached = *hour;
                break;
            }
        }
        let wanted: Vec<i64> = packed
            .range(reached..)
            .filter(|(_, bits)| bits.as_ref().is_some_and(|bits| bits.count() > 0))
            .map(|(hour, _)| *hour)
            .collect();
        let mut packed = packed;
        for hour in self.keys(&wanted, &packed).await? {
            // Its keys are of another packing: it is asked for in SQL.
            packed.insert(hour, None);
        }
        for span in self.unpacked(reached, high, &packed) {
            for source in self.sources.clone() {
                self.candidates(source, false, span).await?;
            }
        }
        Ok(reached)
    }

    /// The packed hours with the rows that fit; `None` for one that cannot be used.
    async fn matches(&self, low: i64, high: i64) -> Result<BTreeMap<i64, Option<Bits>>> {
        let text = "select hour, stamp, count from search_hour where hour >= $1 and hour < $2";
        let rows: Vec<(i64, i64, i64)> = self.store.db.rows(Sql::new(text).bind(low).bind(high)).await?;
        let mut hours: BTreeMap<i64, (i64, usize)> =
            rows.into_iter().map(|(hour, stamp, count)| (hour, (stamp, usize::try_from(count).unwrap_or(0)))).collect();
        hours.retain(|hour, _| !self.asked(Span { start_us: hour_us(*hour), end_us: hour_us(hour + 1) }).is_empty());
        let names: BTreeSet<&str> = self.groups.iter().flatten().flatten().map(String::as_str).collect();
        let mut sets: BTreeMap<(i64, String), Bits> = BTreeMap::new();
        let mut broken = BTreeSet::new();
        if !names.is_empty() && !hours.is_empty() {
            let mut sql = Sql::new("select facet, hour, stamp, bits from search_facet where facet in ");
            sql.push_list(names.iter().copied());
            sql.push(" and hour >= ").push_bind(low).push(" and hour < ").push_bind(high);
            let rows: Vec<(String, i64, i64, Vec<u8>)> = self.store.db.rows(sql).await?;
            for (facet, hour, stamp, bytes) in rows {
                let Some((_, count)) = hours.get(&hour).filter(|(known, _)| *known == stamp) else {
                    broken.insert(hour);
                    continue;
                };
                match Bits::unpack(&bytes, *count) {
                    Some(bits) => drop(sets.insert((hour, facet), bits)),
                    None => drop(broken.insert(hour)),
                }
            }
        }
        let mut matches = BTreeMap::new();
        for (hour, (_, count)) in hours {
            let bits = (!broken.contains(&hour)).then(|| together(&self.groups, hour, count, &sets));
            matches.insert(hour, bits);
        }
        Ok(matches)
    }

    /// Adds the keys of hours; those whose keys are of another packing are given back.
    async fn keys(&mut self, hours: &[i64], packed: &BTreeMap<i64, Option<Bits>>) -> Result<Vec<i64>> {
        let mut broken = Vec::new();
        for few in hours.chunks(200) {
            let mut sql = Sql::new("select hour, keys from search_hour where hour in ");
            sql.push_list(few.iter().copied());
            let rows: Vec<(i64, Vec<u8>)> = self.store.db.rows(sql).await?;
            broken.extend(few.iter().filter(|hour| !rows.iter().any(|(known, _)| known == *hour)));
            for (hour, bytes) in rows {
                let Some(Some(bits)) = packed.get(&hour) else { continue };
                let keys = packed::unpack_keys(&bytes, hour_us(hour)).unwrap_or_default();
                let cursors: Option<Vec<SearchCursor>> = bits.backwards().map(|at| keys.get(at).copied()).collect();
                match cursors {
                    Some(cursors) => {
                        let asked: Vec<_> = cursors.into_iter().filter(|cursor| self.is_asked(cursor)).collect();
                        self.seen.extend(asked);
                    }
                    None => broken.push(hour),
                }
            }
        }
        Ok(broken)
    }

    /// What of these hours is asked for and not packed, as long spans as may be, the newest first.
    fn unpacked(&self, low: i64, high: i64, packed: &BTreeMap<i64, Option<Bits>>) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let missing = |hour: &i64| !matches!(packed.get(hour), Some(Some(_)));
        for hour in (low..high).filter(missing) {
            let span = Span { start_us: hour_us(hour), end_us: hour_us(hour + 1) };
            match spans.last_mut().filter(|last| last.end_us == span.start_us) {
                Some(last) => last.end_us = span.end_us,
                None => spans.push(span),
            }
        }
        spans.iter().rev().flat_map(|span| self.asked(*span)).collect()
    }

    /// The rows of those found that still are what they were, in the same order.
    async fn fetch(&self, cursors: &[SearchCursor]) -> Result<Vec<Found>> {
        let ids = |source| cursors.iter().filter(move |c| c.source == source).map(|c| c.id).collect::<Vec<_>>();
        let mut rows: BTreeMap<SearchCursor, Found> = BTreeMap::new();
        for track in self.store.tracks_by_id(&ids(Source::Track)).await? {
            let found = Found::Track(track);
            rows.insert(found.cursor(), found);
        }
        for event in self.store.events_by_id(&ids(Source::Event)).await? {
            let found = Found::Event(event);
            rows.insert(found.cursor(), found);
        }
        let long_enough = |found: &Found| {
            self.search
                .dwell_least_us
                .is_none_or(|least| found.end_us().saturating_sub(found.cursor().start_us) >= least)
        };
        Ok(cursors.iter().filter_map(|cursor| rows.remove(cursor)).filter(long_enough).collect())
    }
}

/// The newest ids and starts of a span that fit and stand behind `before`: of all rows, or of those that are not over.
fn candidates(
    source: Source,
    open: bool,
    span: Span,
    before: SearchCursor,
    search: &Search,
    phrases: &[(i64, String)],
    limit: usize,
) -> Sql {
    let [text, from, to, behind, order] = match source {
        Source::Track => [
            "select t.id, t.start_us from track t where ",
            "t.start_us >= ",
            " and t.start_us < ",
            " and (t.start_us, t.id) < ",
            " order by t.start_us desc, t.id desc limit ",
        ],
        Source::Event => [
            "select e.id, e.start_us from event e where ",
            "e.start_us >= ",
            " and e.start_us < ",
            " and (e.start_us, e.id) < ",
            " order by e.start_us desc, e.id desc limit ",
        ],
    };
    let mut sql = Sql::new(text);
    // Said so, the few are found by their own index, whatever else is asked.
    match (open, source) {
        (true, Source::Track) => drop(sql.push("t.id in (select id from track where open) and ")),
        (true, Source::Event) => drop(sql.push("e.id in (select id from event where open) and ")),
        (false, _) => {}
    }
    sql.push(from).push_bind(span.start_us).push(to).push_bind(span.end_us);
    if before.start_us < i64::MAX {
        // Of the same start an event comes before a track.
        let id = match (before.source, source) {
            (before_source, own) if before_source == own => before.id,
            (Source::Event, Source::Track) => i64::MAX,
            _ => i64::MIN,
        };
        sql.push(behind).push_list([before.start_us, id]);
    }
    match source {
        Source::Track => filter::push_tracks(&mut sql, search),
        Source::Event => filter::push_events(&mut sql, search, phrases),
    }
    sql.push(order).push_bind(u32::try_from(limit).unwrap_or(LIMIT_MAX));
    sql
}

/// The rows of an hour in which every group holds.
fn together(groups: &Groups, hour: i64, count: usize, sets: &BTreeMap<(i64, String), Bits>) -> Bits {
    let mut all = Bits::all(count);
    for group in groups {
        let mut any = Bits::none(count);
        for facets in group {
            let mut each = Bits::all(count);
            for facet in facets {
                match sets.get(&(hour, facet.clone())) {
                    Some(bits) => each.and(bits),
                    None => each = Bits::none(count),
                }
            }
            any.or(&each);
        }
        all.and(&any);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        colour::Colour,
        detection::Class,
        ids::CameraId,
        search::{ColourWish, Heading},
    };

    #[tokio::test]
    async fn what_is_not_packed_is_read_by_its_time_and_what_goes_on_by_its_own_index() {
        let store = Store::in_memory().await.unwrap();
        let last = SearchCursor { start_us: i64::MAX, source: Source::Event, id: i64::MAX };
        let span = Span { start_us: 5, end_us: 9 };
        let searches = [
            Search::default(),
            Search { classes: vec![Class::Bus], cameras: vec![CameraId(1), CameraId(2)], ..Search::default() },
            Search {
                colours: vec![ColourWish { part: None, any: vec![Colour::Red] }],
                headings: vec![Heading::Left],
                ..Search::default()
            },
        ];
        for search in searches {
            for source in Source::ALL {
                let name = source.name();
                let plan = store.plan(candidates(source, false, span, last, &search, &[], 50)).await;
                assert!(plan.contains("start_us>? AND start_us<?)"), "{plan}");
                let plan = store.plan(candidates(source, true, span, last, &search, &[], 50)).await;
                assert!(plan.contains(&format!("{name}_open")), "{plan}");
                assert!(!plan.contains(&format!("{name}_start (start_us")), "{plan}");
            }
        }
    }

    #[tokio::test]
    async fn facets_are_read_by_their_key() {
        let store = Store::in_memory().await.unwrap();
        let mut sql = Sql::new("select facet, hour, stamp, bits from search_facet where facet in ");
        sql.push_list(["class:bus", "camera:7"]);
        sql.push(" and hour >= ").push_bind(5i64).push(" and hour < ").push_bind(9i64);
        let plan = store.plan(sql).await;
        assert!(plan.contains("PRIMARY KEY (facet=? AND hour>? AND hour<?)"), "{plan}");
    }
}
