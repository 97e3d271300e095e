//! Counting: how many tracks of which class and events of which kind began, by the hour or the day.

use std::collections::{BTreeMap, BTreeSet};

use super::{HOUR_US, hour_of, hour_us};
use crate::{
    domain::{ids::CameraId, refusal::Refusal, search::Source, time::Span},
    store::{Result, Store, StoreError, sql::Sql},
};

/// The most steps of one answer.
const STEPS_MAX: i64 = 1000;
/// The most cameras of one question.
const CAMERAS_MAX: usize = 64;

/// How wide a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TallyStep {
    /// An hour.
    Hour,
    /// 24 hours, from the beginning of the span.
    Day,
}

impl TallyStep {
    /// Microseconds of one.
    #[must_use]
    pub const fn us(self) -> i64 {
        match self {
            Self::Hour => HOUR_US,
            Self::Day => 24 * HOUR_US,
        }
    }
}

/// How many began in a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally {
    /// When the step begins.
    pub start_us: i64,
    /// Tracks or events.
    pub source: Source,
    /// The class of the tracks, the kind of the events.
    pub word: String,
    /// How many.
    pub n: i64,
}

/// Sums by step, source and word.
struct Sums {
    span: Span,
    step_us: i64,
    sums: BTreeMap<(i64, Source, String), i64>,
}

impl Sums {
    fn add(&mut self, start_us: i64, source: Source, word: String, n: i64) {
        let step = (start_us - self.span.start_us).div_euclid(self.step_us);
        *self.sums.entry((self.span.start_us + step * self.step_us, source, word)).or_insert(0) += n;
    }
}

impl Store {
    /// How many tracks of each class and events of each kind began in each step of a span, at these cameras (none: at all
    /// together). Steps in which none began are left out.
    ///
    /// # Errors
    /// `Refused` for more than 1000 steps or 64 cameras.
    pub async fn tally(&self, cameras: &[CameraId], span: Span, step: TallyStep) -> Result<Vec<Tally>> {
        if span.len_us() / step.us() > STEPS_MAX || cameras.len() > CAMERAS_MAX {
            return Err(StoreError::Refused(Refusal::new(
                "to",
                format!("khoảng thống kê quá dài; tối đa {STEPS_MAX} bước và {CAMERAS_MAX} camera"),
                format!("the span is too long; at most {STEPS_MAX} steps and {CAMERAS_MAX} cameras"),
            )));
        }
        let mut sums = Sums { span, step_us: step.us(), sums: BTreeMap::new() };
        // Whole hours of the span that lie in one step each are added up from what was counted when they were packed.
        let first = hour_of(span.start_us.saturating_add(HOUR_US - 1));
        let whole = Span { start_us: hour_us(first), end_us: hour_us(hour_of(span.end_us)) };
        let aligned = span.start_us.rem_euclid(HOUR_US) == 0;
        let packed = if aligned && whole.start_us < whole.end_us {
            self.packed_tallies(cameras, whole, &mut sums).await?
        } else {
            BTreeSet::new()
        };
        let mut rest: Vec<Span> = Vec::new();
        let mut from_us = span.start_us;
        for hour in packed {
            if hour_us(hour) > from_us {
                rest.push(Span { start_us: from_us, end_us: hour_us(hour) });
            }
            from_us = hour_us(hour + 1);
        }
        if from_us < span.end_us {
            rest.push(Span { start_us: from_us, end_us: span.end_us });
        }
        // What goes on stands in no packed hour.
        self.count_rows(cameras, span, true, &mut sums).await?;
        for part in rest {
            self.count_rows(cameras, part, false, &mut sums).await?;
        }
        let tally = |((start_us, source, word), n)| Tally { start_us, source, word, n };
        Ok(sums.sums.into_iter().filter(|(_, n)| *n > 0).map(tally).collect())
    }

    /// Adds what was counted of the packed hours of a span; which they are.
    async fn packed_tallies(&self, cameras: &[CameraId], span: Span, sums: &mut Sums) -> Result<BTreeSet<i64>> {
        let (low, high) = (hour_of(span.start_us), hour_of(span.end_us));
        let text = "select hour, stamp from search_hour where hour >= $1 and hour < $2";
        let rows: Vec<(i64, i64)> = self.db.rows(Sql::new(text).bind(low).bind(high)).await?;
        let hours: BTreeMap<i64, i64> = rows.into_iter().collect();
        let mut sql = Sql::new("select word, hour, stamp, n from search_tally where camera in ");
        sql.push_list(if cameras.is_empty() { vec![0] } else { cameras.iter().map(|c| c.0).collect() });
        sql.push(" and word in ").push_list(known_words());
        sql.push(" and hour >= ").push_bind(low).push(" and hour < ").push_bind(high);
        let rows: Vec<(String, i64, i64, i64)> = self.db.rows(sql).await?;
        let broken: BTreeSet<i64> =
            rows.iter().filter(|(_, hour, stamp, _)| hours.get(hour) != Some(stamp)).map(|row| row.1).collect();
        for (word, hour, _, n) in rows.into_iter().filter(|row| !broken.contains(&row.1)) {
            let Some((source, word)) = word.split_once(':') else { continue };
            let Some(source) = Source::from_name(source) else { continue };
            sums.add(hour_us(hour), source, word.to_owned(), n);
        }
        Ok(hours.into_keys().filter(|hour| !broken.contains(hour)).collect())
    }

    /// Adds what a look at the rows themselves counts: those that go on, or the others.
    async fn count_rows(&self, cameras: &[CameraId], span: Span, open: bool, sums: &mut Sums) -> Result<()> {
        for source in Source::ALL {
            let mut sql = Sql::new("select word, step, cast(count(*) as bigint) from (select ");
            sql.push(match source {
                Source::Track => "class as word, (start_us - ",
                Source::Event => "kind as word, (start_us - ",
            });
            sql.push_bind(span.start_us).push(") / ").push_bind(HOUR_US).push(" as step from ");
            sql.push(match (source, open) {
                (Source::Track, true) => "track where id in (select id from track where open)",
                (Source::Track, false) => "track where open is not true",
                (Source::Event, true) => "event where id in (select id from event where open)",
                (Source::Event, false) => "event where not open",
            });
            sql.push(" and start_us >= ").push_bind(span.start_us);
            sql.push(" and start_us < ").push_bind(span.end_us);
            if !cameras.is_empty() {
                sql.push(" and camera in ").push_list(cameras.iter().map(|camera| camera.0));
            }
            sql.push(") as counted group by word, step");
            let rows: Vec<(String, i64, i64)> = self.db.rows(sql).await?;
            for (word, hours, n) in rows {
                sums.add(span.start_us + hours * HOUR_US, source, word, n);
            }
        }
        Ok(())
    }
}

/// Words that are counted; named, so that each is a range of the index.
fn known_words() -> Vec<String> {
    use crate::domain::{detection::Class, rule::RuleKind};
    let tracks = Class::ALL.iter().map(|class| format!("track:{}", class.name()));
    tracks.chain(RuleKind::EACH_NAME.iter().map(|kind| format!("event:{kind}"))).collect()
}
