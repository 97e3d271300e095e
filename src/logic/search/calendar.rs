//! Days as people name them: *hôm kia*, *thứ bảy*, *20/11*, *tuần trước*, *last saturday*.

use super::{clock::number, fold::Word, starts, time::Days};

/// Days of the week since Monday.
const WEEKDAYS: [(&str, i64); 28] = [
    ("thứ hai", 0),
    ("thứ ba", 1),
    ("thứ tư", 2),
    ("thứ năm", 3),
    ("thứ sáu", 4),
    ("thứ bảy", 5),
    ("chủ nhật", 6),
    ("thứ 2", 0),
    ("thứ 3", 1),
    ("thứ 4", 2),
    ("thứ 5", 3),
    ("thứ 6", 4),
    ("thứ 7", 5),
    ("t2", 0),
    ("t3", 1),
    ("t4", 2),
    ("t5", 3),
    ("t6", 4),
    ("t7", 5),
    ("cn", 6),
    ("monday", 0),
    ("tuesday", 1),
    ("wednesday", 2),
    ("thursday", 3),
    ("friday", 4),
    ("saturday", 5),
    ("sunday", 6),
    ("thứ bẩy", 5),
];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Days back from today.
const NEAR: [(&str, i64); 14] = [
    ("ngày hôm nay", 0),
    ("ngày hôm qua", 1),
    ("day before yesterday", 2),
    ("hôm nay", 0),
    ("hôm qua", 1),
    ("hôm kia", 2),
    ("hôm kìa", 3),
    ("bữa nay", 0),
    ("bữa qua", 1),
    ("hqua", 1),
    ("hnay", 0),
    ("nay", 0),
    ("today", 0),
    ("yesterday", 1),
];

/// 0 is Monday; 1970 began on a Thursday.
pub(super) const fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

fn civil(day: i64) -> jiff::civil::Date {
    jiff::Timestamp::from_second(day.saturating_mul(86_400))
        .map(|t| t.to_zoned(jiff::tz::TimeZone::UTC).date())
        .unwrap_or_default()
}

/// The day of a date; `None` when there is none.
fn of(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year, month, day) = (i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_second().div_euclid(86_400))
}

/// `20/11/2026`.
pub(super) fn written(day: i64) -> String {
    let date = civil(day);
    format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
}

/// A day or days at the beginning; how many words they took.
pub(super) fn day(words: &[Word], today: i64) -> Option<(usize, Days)> {
    let near = NEAR.iter().find_map(|(name, back)| {
        let day = today - back;
        Some((starts(words, name)?, Days::Fixed(day, day)))
    });
    near.or_else(|| period(words, today)).or_else(|| of_week(words, today)).or_else(|| date(words, today))
}

fn period(words: &[Word], today: i64) -> Option<(usize, Days)> {
    let monday = today - weekday(today);
    let of_month = |back: i64| {
        let date = civil(today);
        let month = i64::from(date.year()) * 12 + i64::from(date.month()) - 1 - back;
        let first = |m: i64| of(m.div_euclid(12), m.rem_euclid(12) + 1, 1).unwrap_or(today);
        Days::Fixed(first(month), first(month + 1) - 1)
    };
    let any = |names: &[&str]| names.iter().find_map(|name| starts(words, name));
    let weekend = |back: i64| Days::Fixed(monday + 5 - back, monday + 6 - back);
    // The weekend that has begun last.
    let begun = if weekday(today) >= 5 { 0 } else { 7 };
    any(&["cuối tuần trước", "cuối tuần rồi", "last weekend"])
        .map(|n| (n, weekend(7)))
        .or_else(|| any(&["cuối tuần", "weekend"]).map(|n| (n, weekend(begun))))
        .or_else(|| {
            any(&["tuần trước", "tuần rồi", "tuần qua", "last week"]).map(|n| (n, Days::Fixed(monday - 7, monday - 1)))
        })
        .or_else(|| any(&["tuần này", "this week"]).map(|n| (n, Days::Fixed(monday, monday + 6))))
        .or_else(|| any(&["tháng trước", "tháng rồi", "last month"]).map(|n| (n, of_month(1))))
        .or_else(|| any(&["tháng này", "this month"]).map(|n| (n, of_month(0))))
}

fn of_week(words: &[Word], today: i64) -> Option<(usize, Days)> {
    let lead = starts(words, "last").unwrap_or(0);
    let found = WEEKDAYS.iter().find_map(|(name, day)| Some((starts(&words[lead..], name)?, *day)));
    let (taken, day) = found?;
    let taken = lead + taken;
    let monday = today - weekday(today);
    let back = if ["tuần trước", "tuần rồi"].iter().any(|w| starts(&words[taken..], w).is_some()) {
        Some(7)
    } else {
        starts(&words[taken..], "tuần này").map(|_| 0)
    };
    Some(match back {
        Some(back) => (taken + 2, Days::Fixed(monday + day - back, monday + day - back)),
        None => (taken, Days::Weekday(day)),
    })
}

/// `20/11`, `20/11/2026`, `20-11`, `ngày 20 tháng 11`, `mùng 5`, `20 november`, `nov 20`.
fn date(words: &[Word], today: i64) -> Option<(usize, Days)> {
    let lead = ["ngày mùng", "ngày", "mùng", "mồng", "hôm"].iter().find_map(|w| starts(words, w)).unwrap_or(0);
    let rest = &words[lead..];
    let first = rest.first()?;
    let (day, tail) = number(&first.folded).unwrap_or_default();
    let fixed = |taken: usize, day: Option<i64>| day.map(|day| (lead + taken, Days::Fixed(day, day)));
    let slashed: Vec<i64> = tail.split('/').skip(1).map_while(|part| part.parse().ok()).collect();
    match *slashed {
        [month] if tail.starts_with('/') => return fixed(1, recent(day, month, today)),
        [month, year] if tail.starts_with('/') => {
            return fixed(1, of(if year < 100 { 2000 + year } else { year }, month, day));
        }
        _ => {}
    }
    if tail.is_empty() && day > 0 {
        if let (Some(taken), Some(month)) = (starts(&rest[1..], "tháng"), rest.get(2).and_then(Word::number)) {
            return fixed(1 + taken + 1, recent(day, month, today));
        }
        if let Some(month) = rest.get(1).and_then(month) {
            return fixed(2, recent(day, month, today));
        }
        let dashed = starts(&rest[1..], "-").and_then(|_| rest.get(2)?.number()).filter(|m| (1..=12).contains(m));
        let hours = rest.get(3).is_some_and(|w| matches!(w.folded.as_str(), "h" | "gio" | "phut" | "p"));
        if let Some(month) = dashed.filter(|_| day <= 31 && !hours) {
            return fixed(3, recent(day, month, today));
        }
        if lead > 0 {
            // The day of this month, or of the one before.
            let now = civil(today);
            let (year, month) = (i64::from(now.year()), i64::from(now.month()));
            let this = of(year, month, day).filter(|d| *d <= today);
            let before = if month == 1 { of(year - 1, 12, day) } else { of(year, month - 1, day) };
            return fixed(1, this.or(before));
        }
    }
    let month = month(first)?;
    let (day, _) = number(&rest.get(1)?.folded)?;
    fixed(2, recent(day, month, today))
}

fn month(word: &Word) -> Option<i64> {
    let known = |name: &&str| word.folded == **name || (word.folded.len() == 3 && name.starts_with(&word.folded));
    MONTHS.iter().position(known).map(|at| at as i64 + 1)
}

/// That day and month, the last time it was.
fn recent(day: i64, month: i64, today: i64) -> Option<i64> {
    let year = i64::from(civil(today).year());
    of(year, month, day).filter(|d| *d <= today).or_else(|| of(year - 1, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::search::fold::words;

    #[test]
    fn days_are_the_last_ones_of_their_name() {
        let today = of(2026, 11, 27).unwrap();
        assert_eq!(weekday(today), 4, "a Friday");
        let read = |text: &str| match day(&words(text), today) {
            Some((taken, Days::Fixed(from, to))) => format!("{taken} {}–{}", written(from), written(to)),
            Some((taken, Days::Weekday(day))) => format!("{taken} weekday {day}"),
            None => "nothing".to_owned(),
        };
        for (text, expected) in [
            ("hom kia", "2 25/11/2026–25/11/2026"),
            ("hôm kìa", "2 24/11/2026–24/11/2026"),
            ("20/11", "1 20/11/2026–20/11/2026"),
            ("28/11", "1 28/11/2025–28/11/2025"),
            ("1/2/26", "1 01/02/2026–01/02/2026"),
            ("20-11", "3 20/11/2026–20/11/2026"),
            ("ngày 30", "2 30/10/2026–30/10/2026"),
            ("ngay 5 thang 11", "4 05/11/2026–05/11/2026"),
            ("nov 20", "2 20/11/2026–20/11/2026"),
            ("20 november", "2 20/11/2026–20/11/2026"),
            ("tuan truoc", "2 16/11/2026–22/11/2026"),
            ("tháng trước", "2 01/10/2026–31/10/2026"),
            ("cuối tuần", "2 21/11/2026–22/11/2026"),
            ("t7 tuần trước", "3 21/11/2026–21/11/2026"),
            ("thu bay", "2 weekday 5"),
            ("last sunday", "2 weekday 6"),
            ("31/2", "nothing"),
            ("45", "nothing"),
            ("chợ", "nothing"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
