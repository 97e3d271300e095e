//! Numbers in a line that are no time: riders, plates, how long something stayed.

use super::{Last, Reader};
use crate::logic::search::{
    chips::{About, Chip, Said},
    fold::Word,
    lexicon::{self, Meaning},
    starts,
    time::{self, Time},
};

impl Reader<'_> {
    /// "chở 3", "2 thằng": how many ride.
    pub(super) fn riders(&mut self, lead: usize) -> Option<usize> {
        let rest = self.rest(lead);
        let first = rest.first()?;
        let said = [("hai", 2), ("ba", 3), ("bốn", 4), ("two", 2), ("three", 3)];
        let spelled = said.iter().find(|(word, _)| first.may_be(&Word::new(word))).map(|(_, n)| *n);
        let number = first.number().filter(|n| (1..=9).contains(n)).or(spelled)?;
        let person = [
            "người",
            "thằng",
            "đứa",
            "ông",
            "bà",
            "thanh niên",
            "đối tượng",
            "người lớn",
            "people",
            "men",
            "riders",
            "persons",
        ];
        let who = person.iter().filter_map(|w| starts(&rest[1..], w)).max();
        if lead == 0 && who.is_none() {
            return None;
        }
        self.out.riders = Some(number);
        let taken = lead + 1 + who.unwrap_or(0);
        if lead > 0 {
            self.on_vehicle = true;
        }
        let note = Said::new("máy chưa đếm được số người trên xe", "riders cannot be counted yet");
        let said = Said::new(format!("{number} người trên xe"), format!("{number} riders"));
        self.chip(taken, Chip::unused(About::Riders, said, note));
        self.last = Last::Nothing;
        Some(taken)
    }

    /// A number plate or a part of one.
    pub(super) fn plate(&mut self, lead: usize) -> Option<usize> {
        let rest = self.rest(lead);
        let first = rest.first()?;
        let at = |place: usize| first.folded.as_bytes().get(place).copied();
        let series = first.folded.len() >= 3
            && first.folded.is_ascii()
            && first.folded.bytes().take(2).all(|b| b.is_ascii_digit())
            && at(2).is_some_and(|b| b.is_ascii_lowercase() && !matches!(b, b'h' | b'g' | b'r' | b'p'))
            && at(3).is_none_or(|b| b.is_ascii_alphanumeric())
            && first.folded.len() <= 9;
        let digits = |w: &Word| w.folded.bytes().all(|b| b.is_ascii_digit() || b == b'.') && w.folded.len() <= 7;
        if !(series || lead > 0 && digits(first)) {
            return None;
        }
        let mut parts = vec![first.folded.to_uppercase()];
        let mut taken = 1;
        for word in &rest[1..] {
            if word.folded == "-" {
                taken += 1;
            } else if digits(word) && parts.len() < 3 {
                parts.push(word.folded.replace('.', ""));
                taken += 1;
            } else {
                break;
            }
        }
        let plate = parts.join(" … ");
        let note = Said::new("chưa đọc biển số; hiện các xe", "plates are not read yet; vehicles are shown");
        self.out.plate = Some(plate.clone());
        self.any_vehicle = true;
        self.chip(
            lead + taken,
            Chip::unused(About::Plate, Said::new(format!("biển số {plate}"), format!("plate {plate}")), note),
        );
        self.last = Last::Nothing;
        Some(lead + taken)
    }

    /// "hơn 5 phút", "đứng 10 phút".
    pub(super) fn dwell(&mut self) -> Option<usize> {
        let longer = lexicon::longest(self.rest(0)).into_iter().find(|p| p.0 == Meaning::Longer).map_or(0, |p| p.1);
        let sign = usize::from(self.words[self.at].folded == ">");
        let lead = longer.max(sign);
        let (count, taken, minutes) = time::amount(self.rest(lead))?;
        let timed = Time::read(self.rest(0), self.context.now_us);
        if lead == 0
            && (timed.as_ref().is_some_and(|(t, _)| *t > taken) || (timed.is_some() && self.last != Last::Stand))
        {
            return None;
        }
        if minutes > 24 * 60 {
            return None;
        }
        let minutes = count.saturating_mul(minutes);
        self.out.search.dwell_least_us = Some(minutes.saturating_mul(60_000_000));
        let said =
            Said::new(format!("ở trong hình từ {minutes} phút"), format!("in sight for {minutes} minutes or more"));
        self.chip(lead + taken, Chip::used(About::Dwell, said));
        self.last = Last::Nothing;
        Some(lead + taken)
    }
}
