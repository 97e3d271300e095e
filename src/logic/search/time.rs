//! Days and times as people say them, to spans: *tối qua*, *sáng 20/11*, *từ 22h đến 2h*, *last week*.
//!
//! Morning (sáng) is 5 to 11, noon (trưa) 11 to 13, afternoon (chiều) 13 to 18, evening (tối) 18 to 24, night (đêm) 22 to 5.
//! A time of day is a quarter of an hour before and after. A day without its month, a month without its year and a day of
//! the week are the last such one that has begun. Viet Nam is UTC+7 the year round, without summer time since 1975.

use super::{calendar, clock::Clock, fold::Word, starts};
use crate::domain::time::Span;

/// Minutes.
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
const MINUTE_US: i64 = 60_000_000;
/// How far local time is ahead of UTC.
pub const OFFSET_US: i64 = 7 * HOUR * MINUTE_US;
/// Around a time of day, minutes before and after.
const AROUND: i64 = 15;
/// Days when nothing is said.
const DEFAULT_DAYS: i64 = 7;
/// At most so many days are cut into a span each.
const DAYS_APART_MAX: i64 = 62;

/// Parts of the day; those of several words first.
const PARTS: [(&str, i64, i64); 24] = [
    ("rạng sáng", 3, 6),
    ("sáng sớm", 5, 7),
    ("buổi sáng", 5, 11),
    ("buổi trưa", 11, 13),
    ("buổi chiều", 13, 18),
    ("buổi tối", 18, 24),
    ("ban đêm", 22, 29),
    ("nửa đêm", 23, 25),
    ("đêm khuya", 22, 29),
    ("chiều tối", 17, 19),
    ("in the morning", 5, 11),
    ("in the afternoon", 13, 18),
    ("in the evening", 18, 24),
    ("at night", 22, 29),
    ("sáng", 5, 11),
    ("trưa", 11, 13),
    ("chiều", 13, 18),
    ("tối", 18, 24),
    ("đêm", 22, 29),
    ("khuya", 22, 29),
    ("morning", 5, 11),
    ("noon", 11, 13),
    ("afternoon", 13, 18),
    ("evening", 18, 24),
];

/// What was said about the time so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Time {
    /// Minutes of the day, from and to; the latter may lie behind midnight.
    window: Option<(i64, i64)>,
    clock: Option<Clock>,
    days: Option<Days>,
    /// UTC microseconds.
    absolute: Option<(i64, i64)>,
}

/// Local days since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    /// From one to another, both within.
    Fixed(i64, i64),
    /// The last such day of the week that has begun; 0 is Monday.
    Weekday(i64),
}

/// The local day and minute of it.
fn local(now_us: i64) -> (i64, i64) {
    let minute = now_us.saturating_add(OFFSET_US).div_euclid(MINUTE_US);
    (minute.div_euclid(DAY), minute.rem_euclid(DAY))
}

fn utc_us(local_minute: i64) -> i64 {
    local_minute * MINUTE_US - OFFSET_US
}

impl Time {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads what is said about the time at the beginning; how many words it took.
    #[must_use]
    pub fn read(words: &[Word], now_us: i64) -> Option<(usize, Self)> {
        let range = range(words, now_us);
        let one = last(words, now_us).or_else(|| bounded(words, now_us)).or_else(|| moment(words, now_us));
        range.into_iter().chain(one).max_by_key(|(taken, _)| *taken)
    }

    /// Adds what was said elsewhere; what was said first stays.
    pub fn merge(&mut self, other: Self) {
        if let (Some(Days::Weekday(day)), Some(Days::Fixed(from, to)))
        | (Some(Days::Fixed(from, to)), Some(Days::Weekday(day))) = (self.days, other.days)
            && to - from >= 6
        {
            let that = from + (day - calendar::weekday(from)).rem_euclid(7);
            self.days = Some(Days::Fixed(that, that));
        }
        self.window = self.window.or(other.window);
        self.clock = self.clock.or(other.clock);
        self.days = self.days.or(other.days);
        self.absolute = self.absolute.or(other.absolute);
    }

    fn window(&self) -> Option<(i64, i64)> {
        let around = |minute: i64| (minute - AROUND, minute + AROUND);
        match (self.clock, self.window) {
            (Some(clock), Some(part)) => Some(around(clock.within(part))),
            (Some(clock), None) => Some(around(clock.minute)),
            (None, window) => window,
        }
    }

    /// The spans, the newest first; the last week when nothing was said. None lies wholly in the future, unless just that
    /// was asked for.
    #[must_use]
    pub fn spans(&self, now_us: i64) -> Vec<Span> {
        let (today, minute) = local(now_us);
        let now = today * DAY + minute;
        let span = |from: i64, to: i64| Span { start_us: utc_us(from), end_us: utc_us(to) };
        if let Some((start_us, end_us)) = self.absolute {
            return vec![Span { start_us, end_us }];
        }
        let window = self.window();
        let begin = window.map_or(0, |(from, _)| from);
        let begun = |day: i64| day * DAY + begin <= now;
        let days = match self.days {
            Some(Days::Fixed(from, to)) => Some((from, to)),
            Some(Days::Weekday(weekday)) => {
                let back = (calendar::weekday(today) - weekday).rem_euclid(7);
                let day = today - back;
                let day = if begun(day) { day } else { day - 7 };
                Some((day, day))
            }
            None => window.map(|_| if begun(today) { today } else { today - 1 }).map(|day| (day, day)),
        };
        match (days, window) {
            (None, _) => vec![Span { start_us: now_us.saturating_sub(DEFAULT_DAYS * DAY * MINUTE_US), end_us: now_us }],
            (Some((from, to)), None) => vec![span(from * DAY, (to + 1) * DAY)],
            (Some((from, to)), Some((first, last))) => {
                let newest = (from..=to).rev().find(|day| begun(*day)).unwrap_or(to);
                let oldest = from.max(newest - DAYS_APART_MAX + 1);
                (oldest..=newest).rev().map(|day| span(day * DAY + first, day * DAY + last)).collect()
            }
        }
    }
}

/// One thing said: a time of day, a part of the day and a day, each at most once, in any order.
fn moment(words: &[Word], now_us: i64) -> Option<(usize, Time)> {
    let (mut time, mut taken) = (Time::default(), 0);
    loop {
        let rest = &words[taken..];
        let (today, _) = local(now_us);
        if let Some((more, window, days)) = evening(rest, today).filter(|_| time.window.is_none()) {
            (time.window, time.days) = (Some(window), time.days.or(Some(days)));
            taken += more;
            continue;
        }
        let part = PARTS.iter().find_map(|(name, from, to)| Some((starts(rest, name)?, (from * HOUR, to * HOUR))));
        if let Some((more, window)) = part.filter(|_| time.window.is_none()) {
            time.window = Some(window);
            taken += more;
            let after = &words[taken..];
            if let Some(more) =
                ["qua", "hôm qua"].iter().rev().find_map(|w| starts(after, w)).filter(|_| time.days.is_none())
            {
                let day = today - 1;
                (time.days, taken) = (Some(Days::Fixed(day, day)), taken + more);
            }
            continue;
        }
        if let Some((more, days)) = calendar::day(rest, today).filter(|_| time.days.is_none()) {
            (time.days, taken) = (Some(days), taken + more);
            continue;
        }
        let at = ["vào lúc", "lúc", "vào", "khoảng", "tầm", "at", "around", "about", "on", "hôm", "ngày"];
        let lead = at.iter().find_map(|w| starts(rest, w)).unwrap_or(0);
        if let Some((more, clock)) = Clock::read(&rest[lead..]).filter(|_| time.clock.is_none()) {
            (time.clock, taken) = (Some(clock), taken + lead + more);
            continue;
        }
        if lead > 0 && taken + lead < words.len() && moment_begins(&rest[lead..], today) && time.days.is_none() {
            taken += lead;
            continue;
        }
        break;
    }
    (taken > 0 && !time.is_empty()).then_some((taken, time))
}

fn moment_begins(words: &[Word], today: i64) -> bool {
    calendar::day(words, today).is_some() || PARTS.iter().any(|(name, ..)| starts(words, name).is_some())
}

/// English says day and part in one.
fn evening(words: &[Word], today: i64) -> Option<(usize, (i64, i64), Days)> {
    const WORDS: [(&str, i64, i64, i64); 5] = [
        ("last night", 18, 29, 1),
        ("tonight", 18, 29, 0),
        ("this morning", 5, 11, 0),
        ("this afternoon", 13, 18, 0),
        ("this evening", 18, 24, 0),
    ];
    WORDS.iter().find_map(|(name, from, to, back)| {
        let day = today - back;
        Some((starts(words, name)?, (from * HOUR, to * HOUR), Days::Fixed(day, day)))
    })
}

/// `sau 22h`, `trước 6h sáng`, `after 10pm`.
fn bounded(words: &[Word], now_us: i64) -> Option<(usize, Time)> {
    let behind = ["sau", "after"].iter().find_map(|w| starts(words, w));
    let before = ["trước", "before"].iter().find_map(|w| starts(words, w));
    let lead = behind.or(before)?;
    let (taken, mut time) = moment(&words[lead..], now_us)?;
    let clock = time.clock.take()?;
    let minute = time.window.map_or(clock.minute, |part| clock.within(part));
    let to = time.window.map_or(DAY, |part| part.1).max(minute);
    time.window =
        Some(if behind.is_some() { (minute, to) } else { (time.window.map_or(0, |part| part.0.min(minute)), minute) });
    Some((lead + taken, time))
}

/// `từ 22h đến 2h`, `21:00–23:00`, `từ 20/11 đến 22/11`, `between 9 and 11 pm`.
fn range(words: &[Word], now_us: i64) -> Option<(usize, Time)> {
    let lead = ["từ", "trong khoảng", "khoảng", "from", "between"].iter().find_map(|w| starts(words, w)).unwrap_or(0);
    let side = |words: &[Word]| {
        moment(words, now_us).or_else(|| {
            let (taken, clock) = Clock::bare(words).filter(|_| lead > 0)?;
            Some((taken, Time { clock: Some(clock), ..Time::default() }))
        })
    };
    let (first_took, first) = side(&words[lead..])?;
    let at = lead + first_took;
    let joint =
        ["cho đến", "đến", "tới", "-", "to", "and", "until", "till"].iter().find_map(|w| starts(&words[at..], w))?;
    let (second_took, second) = side(&words[at + joint..])?;
    Some((at + joint + second_took, joined(&first, &second)?))
}

fn joined(first: &Time, second: &Time) -> Option<Time> {
    if let (Some(from), Some(to)) = (first.clock, second.clock) {
        let to_minute = second.window.map_or(to.minute, |part| to.within(part));
        let guess = first.window.or(second.window.filter(|_| !from.exact));
        let mut from_minute = guess.map_or(from.minute, |part| from.within(part));
        // "Between 9 and 11 pm": what makes the second an evening makes the first one too.
        let alone = guess.is_none() && second.window.is_none() && second.days.is_none();
        if to.exact && !from.exact && alone && from_minute + DAY / 2 < to_minute {
            from_minute += DAY / 2;
        }
        let mut to_minute = to_minute;
        if let (Some(Days::Fixed(a, _)), Some(Days::Fixed(b, _))) = (first.days, second.days)
            && b > a
        {
            return Some(Time {
                absolute: Some((utc_us(a * DAY + from_minute), utc_us(b * DAY + to_minute % DAY))),
                ..Time::default()
            });
        }
        if to_minute <= from_minute {
            to_minute += DAY;
        }
        return Some(Time {
            window: Some((from_minute, to_minute)),
            days: first.days.or(second.days),
            ..Time::default()
        });
    }
    if first.clock.is_some() || second.clock.is_some() {
        return None;
    }
    match (first.days, second.days, first.window, second.window) {
        (Some(Days::Fixed(from, _)), Some(Days::Fixed(_, to)), None, None) if from <= to => {
            Some(Time { days: Some(Days::Fixed(from, to)), ..Time::default() })
        }
        (days, None, Some(from), Some(to)) if to.1 > from.0 => {
            Some(Time { window: Some((from.0, to.1)), days, ..Time::default() })
        }
        (None, days @ Some(_), Some(from), Some(to)) if to.1 > from.0 => {
            Some(Time { window: Some((from.0, to.1)), days, ..Time::default() })
        }
        _ => None,
    }
}

/// `2 giờ qua`, `30 phút trước`, `3 ngày nay`, `last 2 hours`, `vừa rồi`.
fn last(words: &[Word], now_us: i64) -> Option<(usize, Time)> {
    let ago = |taken: usize, minutes: i64| {
        let from = now_us.saturating_sub(minutes.saturating_mul(MINUTE_US));
        Some((taken, Time { absolute: Some((from, now_us)), ..Time::default() }))
    };
    if let Some(taken) = ["vừa rồi", "vừa nãy", "vừa xong", "nãy giờ", "just now"].iter().find_map(|w| starts(words, w))
    {
        return ago(taken, HOUR);
    }
    if let Some(taken) = ["mấy ngày nay", "mấy hôm nay", "mấy ngày qua"].iter().find_map(|w| starts(words, w))
    {
        return ago(taken, 3 * DAY);
    }
    let lead = ["trong", "in the last", "the last", "last", "past"].iter().find_map(|w| starts(words, w)).unwrap_or(0);
    let rest = &words[lead..];
    let (count, unit_at, unit) = amount(rest)?;
    let behind = ["vừa qua", "vừa rồi", "gần đây", "gần nhất", "qua", "nay", "trước", "ago"];
    let tail = behind.iter().find_map(|w| starts(&rest[unit_at..], w));
    match tail {
        Some(more) => ago(lead + unit_at + more, count * unit),
        None if lead > 0 && !words[0].folded.starts_with("tr") => ago(lead + unit_at, count * unit),
        None => None,
    }
}

/// `2 giờ`, `2h`, `30 phút`: the number, how many words, minutes of the unit.
pub(super) fn amount(words: &[Word]) -> Option<(i64, usize, i64)> {
    const UNITS: [(&str, i64); 19] = [
        ("phút", 1),
        ("p", 1),
        ("giờ", HOUR),
        ("tiếng", HOUR),
        ("h", HOUR),
        ("ngày", DAY),
        ("hôm", DAY),
        ("tuần", 7 * DAY),
        ("tháng", 30 * DAY),
        ("minutes", 1),
        ("minute", 1),
        ("min", 1),
        ("hours", HOUR),
        ("hour", HOUR),
        ("days", DAY),
        ("day", DAY),
        ("weeks", 7 * DAY),
        ("week", 7 * DAY),
        ("months", 30 * DAY),
    ];
    let first = words.first()?;
    let (count, rest) = super::clock::number(&first.folded)?;
    if !rest.is_empty() {
        let unit = UNITS.iter().find(|(name, _)| Word::new(name).folded == rest)?.1;
        return Some((count, 1, unit));
    }
    let (taken, unit) = UNITS.iter().find_map(|(name, unit)| Some((starts(&words[1..], name)?, *unit)))?;
    Some((count, 1 + taken, unit))
}

/// How a person writes spans: `26/11/2026 18:00–24:00`.
#[must_use]
pub fn written(spans: &[Span]) -> String {
    let minute = |us: i64| us.saturating_add(OFFSET_US).div_euclid(MINUTE_US);
    let (Some(newest), Some(oldest)) = (spans.first(), spans.last()) else { return String::new() };
    let (from, to) = (minute(oldest.start_us), minute(newest.end_us));
    let day = |m: i64| calendar::written(m.div_euclid(DAY));
    let clock = |m: i64| format!("{:02}:{:02}", m.rem_euclid(DAY) / HOUR, m.rem_euclid(HOUR));
    // The end of a day is said as 24:00 of that day.
    let last_day = |m: i64| if m.rem_euclid(DAY) == 0 { m - 1 } else { m };
    let until = |m: i64| if m.rem_euclid(DAY) == 0 { "24:00".to_owned() } else { clock(m) };
    if spans.len() > 1 {
        let (first, last) = (minute(newest.start_us), minute(newest.end_us));
        return format!("{}–{}, {}–{}", day(from), day(first), clock(first), until(last));
    }
    let whole = from.rem_euclid(DAY) == 0 && to.rem_euclid(DAY) == 0;
    match (whole, from.div_euclid(DAY) == last_day(to).div_euclid(DAY)) {
        (true, true) => day(from),
        (true, false) => format!("{}–{}", day(from), day(last_day(to))),
        (false, true) => format!("{} {}–{}", day(from), clock(from), until(to)),
        (false, false) => format!("{} {} – {} {}", day(from), clock(from), day(last_day(to)), until(to)),
    }
}
