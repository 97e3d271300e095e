//! When a rule watches: spans of the week in local time, as people write them.
//!
//! In: texts such as `22:00-05:00`, `mon-fri 07:00-11:30`, `sat,sun`. A span that ends before it begins goes over
//! midnight and belongs to the day on which it begins. Vietnam keeps one time all year, seven hours before UTC.

use super::{refusal::Refusal, time::MediaTime};

/// Local time is so much later than UTC, microseconds.
pub const LOCAL_US: i64 = 7 * 3_600_000_000;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_US: i64 = 86_400_000_000;
const MINUTE_US: i64 = 60_000_000;
const DAY_MINUTES: u32 = 24 * 60;
/// The most spans of one schedule.
const SPANS_MAX: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WeekSpan {
    /// A bit a day, Monday first.
    days: u8,
    from: u32,
    to: u32,
}

/// When a rule watches; without a span: always.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    spans: Vec<WeekSpan>,
    texts: Vec<String>,
}

impl Schedule {
    /// A checked schedule.
    ///
    /// # Errors
    /// A [`Refusal`] whose place is the span that cannot be read.
    pub fn new(texts: &[String]) -> Result<Self, Refusal> {
        if texts.len() > SPANS_MAX {
            let (vi, en) = (format!("tối đa {SPANS_MAX} khoảng"), format!("at most {SPANS_MAX} spans"));
            return Err(Refusal::new("", vi, en));
        }
        let mut spans = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            spans.push(span(text).ok_or_else(|| {
                Refusal::new(
                    format!("[{i}]"),
                    format!("không hiểu «{text}»; viết như \"22:00-05:00\", \"mon-fri 07:00-11:30\" hoặc \"sat,sun\""),
                    format!("“{text}” is not understood; write “22:00-05:00”, “mon-fri 07:00-11:30” or “sat,sun”"),
                )
            })?);
        }
        Ok(Self { spans, texts: texts.to_vec() })
    }
    /// As typed.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
    /// Whether it watches at that time.
    #[must_use]
    pub fn watches(&self, time: MediaTime) -> bool {
        if self.spans.is_empty() {
            return true;
        }
        let local = time.us().saturating_add(LOCAL_US);
        // The first of January 1970 was a Thursday.
        let day = (local.div_euclid(DAY_US) + 3).rem_euclid(7) as u8;
        let minute = (local.rem_euclid(DAY_US) / MINUTE_US) as u32;
        let before = (day + 6) % 7;
        self.spans.iter().any(|s| {
            let on = |day: u8| s.days & (1 << day) != 0;
            if s.from < s.to {
                on(day) && (s.from..s.to).contains(&minute)
            } else {
                on(day) && minute >= s.from || on(before) && minute < s.to
            }
        })
    }
}

fn span(text: &str) -> Option<WeekSpan> {
    let (mut days, mut times) = (None, None);
    for word in text.split_whitespace() {
        if word.contains(':') {
            let (from, to) = word.split_once('-')?;
            let read = (minute(from)?, minute(to)?);
            if read.0 == read.1 || read.0 == DAY_MINUTES || times.replace(read).is_some() {
                return None;
            }
        } else if days.replace(days_of(&word.to_ascii_lowercase())?).is_some() {
            return None;
        }
    }
    if days.is_none() && times.is_none() {
        return None;
    }
    let (from, to) = times.unwrap_or((0, DAY_MINUTES));
    Some(WeekSpan { days: days.unwrap_or(0x7f), from, to })
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60 || hour == 24 && minute == 0).then_some(hour * 60 + minute)
}

fn days_of(text: &str) -> Option<u8> {
    let day = |name: &str| DAYS.iter().position(|d| *d == name);
    let mut days = 0;
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (day(from)?, day(to)?);
        let many = (to + 7 - from) % 7;
        (0..=many).for_each(|i| days |= 1 << ((from + i) % 7));
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Local time of the week that began on Monday, 30 November 2026.
    fn at(day: i64, hour: i64, minute: i64) -> MediaTime {
        const MONDAY_US: i64 = 1_795_996_800_000_000;
        MediaTime(MONDAY_US + day * DAY_US + (hour * 60 + minute) * MINUTE_US - LOCAL_US)
    }

    fn schedule(texts: &[&str]) -> Schedule {
        Schedule::new(&texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_night_begins_on_its_day_and_goes_over_midnight() {
        let friday_night = schedule(&["fri 22:00-05:00"]);
        for (day, hour, minute, watches) in [
            (4, 21, 59, false),
            (4, 22, 0, true),
            (5, 4, 59, true),
            (5, 5, 0, false),
            (4, 3, 0, false),
            (5, 22, 0, false),
        ] {
            assert_eq!(friday_night.watches(at(day, hour, minute)), watches, "day {day} {hour}:{minute}");
        }
    }

    #[test]
    fn days_alone_and_times_alone_are_enough_and_nothing_is_always() {
        let weekend = schedule(&["sat,sun"]);
        assert!(weekend.watches(at(5, 0, 0)) && weekend.watches(at(6, 23, 59)) && !weekend.watches(at(4, 23, 59)));
        let mornings = schedule(&["07:00-11:30", "sun-mon 13:00-24:00"]);
        assert!(mornings.watches(at(2, 7, 0)) && !mornings.watches(at(2, 13, 0)));
        assert!(mornings.watches(at(0, 13, 0)) && mornings.watches(at(6, 23, 59)));
        assert!(Schedule::default().watches(at(3, 3, 3)));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for bad in ["", "25:00-26:00", "22:00", "mon-", "funday", "08:00-08:00", "mon tue", "7-9"] {
            let texts = ["sat".to_owned(), bad.to_owned()];
            assert_eq!(Schedule::new(&texts).unwrap_err().place, "[1]", "{bad}");
        }
    }
}
