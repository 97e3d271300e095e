//! Places in a line: where it was, and where it went.

use super::{Last, Reader};
use crate::logic::search::{
    chips::{About, Chip, Said},
    fold::Word,
    lexicon::{self, Meaning},
    places::Named,
};

impl Reader<'_> {
    pub(super) fn said_place(&mut self, named: Named) -> usize {
        let name = named.names.join(" · ");
        self.places.push(named.cameras);
        self.chip(named.taken, Chip::used(About::Place, Said::new(name.clone(), name)));
        self.last = Last::Nothing;
        named.taken
    }

    /// A camera by its number, or by the name that follows.
    pub(super) fn numbered(&mut self, taken: usize) -> usize {
        let number = self.words.get(self.at + taken).and_then(Word::number);
        if let Some(named) = number.and_then(|n| self.gazetteer.numbered(n)) {
            return self.said_place(Named { taken: taken + 1, ..named });
        }
        if let Some(number) = number {
            let said = Said::new(format!("camera {number}"), format!("camera {number}"));
            let note = Said::new("không có camera số này", "there is no camera of this number");
            self.chip(taken + 1, Chip::unused(About::Place, said, note));
            return taken + 1;
        }
        taken
    }

    /// Where it goes: a place, and by which sides of the pictures that is reached.
    pub(super) fn towards(&mut self, lead: usize) -> usize {
        let rest = self.rest(lead);
        let landmark = lexicon::longest(rest).into_iter().find(|p| p.0 == Meaning::Landmark).map_or(0, |p| p.1);
        let Some(named) = self.gazetteer.read(rest, landmark) else {
            if landmark > 0 {
                let text = self.typed(lead + landmark);
                let note = Said::new("chưa có camera nào mang tên này", "no camera has this name");
                self.chip(lead + landmark, Chip::unused(About::Direction, Said::new(text.clone(), text), note));
                return lead + landmark;
            }
            return lead;
        };
        for (from, to, heading) in &self.context.exits {
            if !named.cameras.contains(to) {
                continue;
            }
            let known = &mut self.out.search.towards;
            match known.iter_mut().find(|(camera, _)| camera == from) {
                Some((_, headings)) => headings.push(*heading),
                None => known.push((*from, vec![*heading])),
            }
        }
        let name = named.names.join(" · ");
        let said = Said::new(format!("đi về {name}"), format!("towards {name}"));
        let chip = if self.out.search.towards.is_empty() {
            let note = Said::new(
                "chưa biết phía nào của hình dẫn tới đó; hãy ghi ở Sơ đồ camera",
                "which side of the pictures leads there is not known; say it on the plan of cameras",
            );
            Chip::unused(About::Direction, said, note)
        } else {
            Chip::used(About::Direction, said)
        };
        self.chip(lead + named.taken, chip);
        lead + named.taken
    }

    /// The cameras of all places that were named: those in all of them ("cổng ubnd"), or else in any ("chợ, cầu").
    pub(super) fn places_together(&mut self) {
        let places = std::mem::take(&mut self.places);
        let Some((first, rest)) = places.split_first() else { return };
        let mut common = first.clone();
        common.retain(|camera| rest.iter().all(|other| other.contains(camera)));
        let cameras = &mut self.out.search.cameras;
        *cameras = if common.is_empty() || self.either { places.concat() } else { common };
        cameras.sort_unstable();
        cameras.dedup();
    }
}
