//! Times of day as people write them: `21h30`, `9r` (half past nine), `9:30 pm`, `9 giờ rưỡi`.

use super::{fold::Word, starts};

/// Minutes of an hour and of half a day.
const HOUR: i64 = 60;
const NOON: i64 = 12 * HOUR;

/// A time of day: minutes since midnight, and whether morning or afternoon was said with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) minute: i64,
    pub(super) exact: bool,
}

impl Clock {
    /// Reads one at the beginning; how many words it took.
    pub(super) fn read(words: &[Word]) -> Option<(usize, Self)> {
        let first = words.first()?;
        let (hour, rest) = number(&first.folded)?;
        let (mut taken, minute, half) = match after_hour(rest)? {
            After::Minute(minute, half) => (1, minute, half),
            After::Open => open(words),
            After::Nothing => {
                let hour_word = ["giờ", "h", "g"].iter().any(|w| starts(&words[1..], w).is_some());
                let half = starts(&words[1..], "rưỡi").is_some();
                if hour_word {
                    let (more, minute, half) = open(&words[1..]);
                    (1 + more, minute, half)
                } else if half {
                    (2, 30, None)
                } else if let Some(half) = words.get(1).and_then(|w| half_of_day(&w.folded)) {
                    (2, 0, Some(half))
                } else {
                    return None;
                }
            }
        };
        let mut half = half;
        if half.is_none()
            && let Some(said) = words.get(taken).and_then(|w| half_of_day(&w.folded))
        {
            (half, taken) = (Some(said), taken + 1);
        }
        let clock = Self::of(hour, minute, half)?;
        Some((taken, clock))
    }

    /// A number alone, where a time of day is expected.
    pub(super) fn bare(words: &[Word]) -> Option<(usize, Self)> {
        let hour = words.first()?.number()?;
        Some((1, Self::of(hour, 0, None)?))
    }

    fn of(hour: i64, minute: i64, half: Option<i64>) -> Option<Self> {
        if hour > 24 || minute > 59 || (half.is_some() && hour > 12) {
            return None;
        }
        let hour = half.map_or(hour, |half| hour % 12 + half);
        Some(Self { minute: hour * HOUR + minute, exact: half.is_some() || hour > 12 })
    }

    /// The minute meant by it in a part of the day that goes from one minute to another.
    pub(super) fn within(self, part: (i64, i64)) -> i64 {
        if self.exact {
            return self.minute;
        }
        let fits = |minute: i64| part.0 - HOUR <= minute && minute <= part.1 + HOUR;
        let all = [self.minute, self.minute + NOON, self.minute + 2 * NOON];
        all.into_iter().find(|m| fits(*m)).unwrap_or(self.minute)
    }
}

/// What stands behind the hour in the same word.
enum After {
    Minute(i64, Option<i64>),
    /// `9h`: minutes may follow as a word.
    Open,
    Nothing,
}

fn after_hour(rest: &str) -> Option<After> {
    if rest.is_empty() {
        return Some(After::Nothing);
    }
    if let Some(half) = half_of_day(rest) {
        return Some(After::Minute(0, Some(half)));
    }
    if matches!(rest, "r" | "ruoi" | "hr" | "h30p") {
        return Some(After::Minute(30, None));
    }
    let rest = rest.strip_prefix(['h', 'g', ':'])?;
    if rest.is_empty() {
        return Some(After::Open);
    }
    let (minute, rest) = number(rest)?;
    let rest = rest.strip_prefix(":00").unwrap_or(rest);
    match rest.strip_suffix('p').unwrap_or(rest) {
        "" => Some(After::Minute(minute, None)),
        _ => half_of_day(rest).map(|half| After::Minute(minute, Some(half))),
    }
}

/// Minutes that follow `9h` or `9 giờ` as words of their own; `words` begins with the hour's word.
fn open(words: &[Word]) -> (usize, i64, Option<i64>) {
    if starts(&words[1..], "rưỡi").is_some() {
        return (2, 30, None);
    }
    let minute = words.get(1).and_then(Word::number).filter(|m| (1..60).contains(m));
    match minute {
        Some(minute) if ["phút", "p"].iter().any(|w| starts(&words[2..], w).is_some()) => (3, minute, None),
        _ => (1, 0, None),
    }
}

fn half_of_day(word: &str) -> Option<i64> {
    match word {
        "am" => Some(0),
        "pm" => Some(12),
        _ => None,
    }
}

/// The number a word begins with, and the rest.
pub(super) fn number(word: &str) -> Option<(i64, &str)> {
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let digits = &word[..end];
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    Some((digits.parse().ok()?, &word[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::search::fold::words;

    #[test]
    fn every_way_to_write_a_time_of_day_is_read() {
        for (text, taken, minute) in [
            ("21h", 1, 1260),
            ("21h30", 1, 1290),
            ("21g05p", 1, 1265),
            ("9r", 1, 570),
            ("9 rưỡi", 2, 570),
            ("9h ruoi", 2, 570),
            ("9 giờ", 2, 540),
            ("9 gio 15 phut", 4, 555),
            ("21:45", 1, 1305),
            ("9pm", 1, 1260),
            ("9:30 pm", 2, 1290),
            ("12am", 1, 0),
            ("9 pm", 2, 1260),
            ("24h", 1, 1440),
        ] {
            let (took, clock) = Clock::read(&words(text)).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((took, clock.minute), (taken, minute), "{text}");
        }
        for text in ["25h", "9h75", "13pm", "9", "c07", "20/11", "36b1", "h", "99999h"] {
            assert_eq!(Clock::read(&words(text)), None, "{text}");
        }
    }

    #[test]
    fn a_part_of_the_day_tells_morning_from_evening() {
        let clock = |text: &str| Clock::read(&words(text)).unwrap().1;
        assert_eq!(clock("9r").within((1080, 1440)), 1290, "in the evening");
        assert_eq!(clock("2h").within((780, 1080)), 840, "in the afternoon");
        assert_eq!(clock("1h").within((1320, 1740)), 1500, "in the night, past midnight");
        assert_eq!(clock("12h").within((1320, 1740)), 1440, "midnight");
        assert_eq!(clock("8h").within((300, 660)), 480, "in the morning");
        assert_eq!(clock("22h").within((1080, 1440)), 1320);
    }
}
