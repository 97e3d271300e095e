//! The walk through a line: at each word the longest of a time, a place and a phrase.

mod named;
mod numbers;

use super::{
    Context, Intent, Understood,
    chips::{self, About, Chip, Other, Said},
    fold::Word,
    lexicon::{self, Meaning, is_one_of},
    places::{self, Gazetteer, Named},
    time::{self, Time},
};
use crate::domain::{
    colour::{Colour, Part},
    detection::Class,
    ids::CameraId,
    search::{ColourWish, Search},
};

/// What the word before was, where that decides about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    /// Something that has a colour and a size: a class, a part, a colour.
    Thing,
    Or,
    Stand,
}

pub(super) struct Reader<'a> {
    text: &'a str,
    context: &'a Context,
    gazetteer: Gazetteer,
    words: Vec<Word>,
    at: usize,
    last: Last,
    part: Option<Part>,
    time: Time,
    time_at: Option<[usize; 2]>,
    /// Classes in the order they were said; "xe" alone is all vehicles.
    classes: Vec<Class>,
    any_vehicle: bool,
    make: bool,
    on_vehicle: bool,
    either: bool,
    /// The cameras of each place that was named.
    places: Vec<Vec<CameraId>>,
    /// Behind which word a colour ended, for English: the part follows it.
    coloured: Option<usize>,
    out: Understood,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, context: &'a Context) -> Self {
        let search = Search::default();
        let out = Understood { intent: Intent::Find, search, riders: None, plate: None, chips: Vec::new() };
        Self {
            text,
            context,
            gazetteer: Gazetteer::new(&context.places),
            words: places::typed(text),
            at: 0,
            last: Last::Nothing,
            part: None,
            time: Time::default(),
            time_at: None,
            classes: Vec::new(),
            any_vehicle: false,
            make: false,
            on_vehicle: false,
            either: false,
            places: Vec::new(),
            coloured: None,
            out,
        }
    }

    pub(super) fn read(mut self) -> Understood {
        while self.at < self.words.len() {
            let taken = self.step().max(1);
            self.at += taken;
        }
        self.finish();
        self.out
    }

    fn rest(&self, ahead: usize) -> &[Word] {
        self.words.get(self.at + ahead..).unwrap_or_default()
    }

    fn before(&self) -> Option<&Word> {
        self.at.checked_sub(1).map(|i| &self.words[i])
    }

    /// Understands what begins here; how many words that was.
    fn step(&mut self) -> usize {
        if let Some(taken) = self.plate(0).or_else(|| self.riders(0)).or_else(|| self.dwell()) {
            return taken;
        }
        let time = Time::read(self.rest(0), self.context.now_us);
        let mut phrases = lexicon::longest(self.rest(0));
        if phrases.iter().all(|p| p.1 > 1 && p.0 == Meaning::Filler) && self.time_follows() {
            // "cho tối nay" is no "cho tôi".
            phrases.clear();
        }
        let phrase = phrases.first().map_or(0, |(_, taken, ..)| *taken);
        let reading = (phrase <= 1).then(|| self.reading()).flatten();
        let landmark = phrases.iter().any(|p| p.0 == Meaning::Landmark);
        let kind_of_place = match reading {
            Some("chợ" | "cầu" | "đền") => 1,
            None if landmark => phrase,
            _ => 0,
        };
        let place = self.place(kind_of_place, reading);
        let place_took = place.as_ref().map_or(0, |p| p.taken);
        if let Some((taken, said)) = time.filter(|(taken, _)| *taken >= phrase.max(place_took)) {
            return self.said_time(taken, said);
        }
        if let Some(named) = place.filter(|named| named.taken >= phrase && named.taken > 0) {
            return self.said_place(named);
        }
        if let Some(reading) = reading {
            return self.said_reading(reading);
        }
        let exact = phrases.iter().any(|p| p.2);
        let fits = |p: &&(Meaning, usize, bool, &str)| (p.2 || !exact) && self.fits(p.0);
        match phrases.iter().find(fits).or(phrases.first()).copied() {
            Some((meaning, taken, ..)) => self.said(meaning, taken),
            None => self.unknown(),
        }
    }

    /// Whether a meaning suits what stood before: "cam" is a colour behind a thing, otherwise a camera.
    fn fits(&self, meaning: Meaning) -> bool {
        match meaning {
            Meaning::Size(_) => self.last == Last::Thing || !is_one_of(self.words.get(self.at), &["to", "be"]),
            Meaning::Colour(_) => self.last != Last::Nothing && self.last != Last::Stand,
            Meaning::Camera => self.last == Last::Nothing || self.last == Last::Stand,
            _ => true,
        }
    }

    /// Whether the second word from here begins a time of several words.
    fn time_follows(&self) -> bool {
        Time::read(self.rest(1), self.context.now_us).is_some_and(|(taken, _)| taken > 1)
    }

    fn place(&self, landmark: usize, reading: Option<&str>) -> Option<Named> {
        // A word that means something else here is no place.
        if reading.is_some_and(|r| !matches!(r, "chợ" | "cầu" | "đền" | "bắc"))
            && self.gazetteer.read(self.rest(0), 0)?.taken < 2
        {
            return None;
        }
        self.gazetteer.read(self.rest(0), landmark)
    }

    /// Which of its readings a word without accents has here; `None` when it has one only.
    fn reading(&self) -> Option<&'static str> {
        let word = self.words.get(self.at).filter(|w| !w.accented())?;
        let (before, next) = (self.before(), self.words.get(self.at + 1));
        let thing = self.last == Last::Thing || self.last == Last::Or;
        let number = next.is_some_and(|w| w.number().is_some()) || is_one_of(next, &["hai", "ba", "bon"]);
        let vehicle = is_one_of(next, &["xe", "xm", "oto", "o"]);
        Some(match word.folded.as_str() {
            "cho" if is_one_of(before, &["con", "bat", "trom", "tha", "danh", "cau"]) => "chó",
            "cho"
                if is_one_of(
                    before,
                    &[
                        "qua", "gan", "truoc", "cong", "cua", "ngoai", "sau", "trong", "tai", "den", "khu", "huong",
                        "ve", "o", "vao",
                    ],
                ) =>
            {
                "chợ"
            }
            "cho"
                if number || is_one_of(next, &["nguoi", "hang", "do", "theo", "nhau", "thang", "go", "cat", "vat"]) =>
            {
                "chở"
            }
            "cho" if is_one_of(next, &["toi", "xem", "em", "anh", "biet"]) && !self.time_follows() => "cho",
            "cho" if self.gazetteer.read(self.rest(0), 1).is_some() => "chợ",
            "cho" => "cho",
            "do" if thing || is_one_of(before, &["mau"]) => "đỏ",
            "do" if is_one_of(next, &["trom", "phe", "xuong", "ra"]) => "đổ",
            "do" if is_one_of(next, &["o", "truoc", "gan", "tai", "ben"]) => "đỗ",
            "do" => "đỏ",
            "den" if thing => "đen",
            "den" if self.gazetteer.read(self.rest(0), 1).is_some() => "đền",
            "den" => "đến",
            "mat" if vehicle => "mất",
            "mat" => "mắt",
            "bac" if thing => "bạc",
            "bac" => "bắc",
            "hong" if is_one_of(before, &["cam", "camera", "mat", "bi"]) => "hỏng",
            "hong" => "hồng",
            "tim" if thing => "tím",
            "tim" => "tìm",
            "cau" => "cầu",
            "trang" if thing => "trắng",
            _ => return None,
        })
    }

    fn said_reading(&mut self, reading: &'static str) -> usize {
        let word = [Word::new(reading)];
        let meaning = match reading {
            "cho" | "đến" | "bắc" => Meaning::Filler,
            "mất" | "chó" => {
                let found = lexicon::longest(&[Word::new("trộm")]);
                if reading == "mất" {
                    found.first().map_or(Meaning::Filler, |p| p.0)
                } else {
                    lexicon::longest(&word)[0].0
                }
            }
            _ => lexicon::longest(&word).iter().find(|p| p.2).map_or(Meaning::Filler, |p| p.0),
        };
        if reading == "chở"
            && let Some(taken) = self.riders(1)
        {
            return taken;
        }
        self.said(meaning, 1)
    }

    /// A chip for the next `taken` words, with their other readings.
    fn chip(&mut self, taken: usize, mut chip: Chip) {
        let end = (self.at + taken.max(1)).min(self.words.len());
        let words = &self.words[self.at..end];
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        chip.at = Some([first.from, last.to]);
        let own: Vec<&str> = chip.said.vi.split([' ', ',']).collect();
        let readings = chips::others(self.text, words, None);
        chip.others.extend(readings.into_iter().filter(|o| !own.contains(&o.word.as_str()) && o.text != self.text));
        self.out.chips.push(chip);
    }

    fn said_time(&mut self, taken: usize, said: Time) -> usize {
        self.time.merge(said);
        let (from, to) = (self.words[self.at].from, self.words[self.at + taken - 1].to);
        self.time_at = Some(self.time_at.map_or([from, to], |[a, b]| [a.min(from), b.max(to)]));
        self.last = Last::Nothing;
        taken
    }

    fn said(&mut self, meaning: Meaning, taken: usize) -> usize {
        let last = std::mem::replace(&mut self.last, Last::Nothing);
        let used = |about, (vi, en): (&str, &str)| Chip::used(about, Said::new(vi, en));
        match meaning {
            Meaning::Class(classes) => self.said_class(classes, taken),
            Meaning::Make => {
                self.make = true;
                let note = Said::new(
                    "máy không phân biệt được hiệu xe; tìm xe máy",
                    "makes cannot be told apart; motorcycles are looked for",
                );
                let text = self.typed(taken);
                self.chip(taken, Chip::unused(About::Ignored, Said::new(text.clone(), text), note));
                self.last = Last::Thing;
            }
            Meaning::Colour(colours) => self.said_colour(colours, taken, last == Last::Or),
            Meaning::Part(part) => self.said_part(part),
            Meaning::Kind(kind) => self.said_kind(kind, taken),
            Meaning::Attribute => self.said_attribute(taken),
            Meaning::Unseen(vi, en, instead) => self.said_unseen(Said::new(vi, en), instead, taken),
            Meaning::Heading(heading) => {
                self.out.search.headings.push(heading);
                self.chip(taken, used(About::Direction, chips::heading_name(heading)));
            }
            Meaning::Size(size) if last == Last::Thing || !is_one_of(self.words.get(self.at), &["to", "be"]) => {
                self.out.search.size = Some(size);
                self.chip(taken, used(About::Size, chips::size_name(size)));
            }
            Meaning::Riders => return self.riders(taken).unwrap_or(taken),
            Meaning::Towards => return self.towards(taken),
            Meaning::Landmark => {
                let text = self.typed(taken);
                let note = Said::new(
                    "chưa có camera, cụm hay thôn nào mang tên này",
                    "no camera, cluster or hamlet has this name",
                );
                self.chip(taken, Chip::unused(About::Place, Said::new(text.clone(), text), note));
            }
            Meaning::Plate => return self.plate(taken).unwrap_or(taken),
            Meaning::CameraState => {
                self.out.intent = Intent::CameraState;
                self.chip(taken, used(About::Cameras, ("tình trạng camera", "state of the cameras")));
            }
            Meaning::Camera => return self.numbered(taken),
            Meaning::Or => (self.last, self.either) = (Last::Or, true),
            Meaning::Filler => {
                let word = &self.words[self.at].folded;
                self.on_vehicle |= matches!(word.as_str(), "di" | "chay" | "riding");
                self.last = match word.as_str() {
                    "dung" | "o" | "lai" | "standing" | "staying" | "for" => Last::Stand,
                    "mau" | "con" | "chiec" | "mac" => Last::Thing,
                    _ if last == Last::Thing && matches!(word.as_str(), "va" | "and" | "with" | "wearing") => {
                        Last::Thing
                    }
                    _ => Last::Nothing,
                };
            }
            Meaning::Longer | Meaning::Size(_) => {}
        }
        taken
    }

    /// The next words as they were typed.
    fn typed(&self, taken: usize) -> String {
        let units: Vec<u16> = self.text.encode_utf16().collect();
        let (from, to) = (self.words[self.at].from, self.words[(self.at + taken - 1).min(self.words.len() - 1)].to);
        String::from_utf16_lossy(units.get(from..to).unwrap_or_default())
    }

    fn said_class(&mut self, classes: &'static [Class], taken: usize) {
        (self.part, self.last) = (None, Last::Thing);
        if classes.len() > 1 {
            self.any_vehicle = true;
        } else {
            self.classes.extend(classes);
        }
        let said = if classes.len() > 1 {
            Said::new("xe các loại", "vehicles")
        } else {
            chips::listed(classes.iter().map(|c| chips::class_name(*c)), (", ", ", "))
        };
        self.chip(taken, Chip::used(About::Class, said));
    }

    /// "Áo đỏ", but "red shirt".
    fn said_part(&mut self, part: Part) {
        self.last = Last::Thing;
        let english = is_one_of(self.words.get(self.at), &["shirt", "jacket", "top", "trousers", "pants", "skirt"]);
        let wish = self.out.search.colours.last_mut().filter(|_| english && self.coloured == Some(self.at));
        let Some(wish) = wish else {
            self.part = Some(part);
            return;
        };
        (wish.part, self.part) = (Some(part), None);
        let (vi, en) = chips::part_name(Some(part));
        if let Some(chip) = self.out.chips.last_mut() {
            chip.said = Said::new(format!("{vi}{}", chip.said.vi), format!("{en}{}", chip.said.en));
        }
    }

    fn said_colour(&mut self, colours: &'static [Colour], taken: usize, or: bool) {
        (self.last, self.coloured) = (Last::Thing, Some(self.at + taken));
        let wishes = &mut self.out.search.colours;
        match wishes.last_mut().filter(|_| or) {
            Some(wish) => wish.any.extend(colours),
            None => wishes.push(ColourWish { part: self.part, any: colours.to_vec() }),
        }
        let names = chips::listed(colours.iter().map(|c| chips::colour_name(*c)), (" hoặc ", " or "));
        let (vi, en) = chips::part_name(self.part);
        self.chip(
            taken,
            Chip::used(About::Colour, Said::new(format!("{vi}{}", names.vi), format!("{en}{}", names.en))),
        );
    }

    fn said_kind(&mut self, kind: &'static str, taken: usize) {
        self.out.search.kinds.push(kind.to_owned());
        let (vi, en) = chips::kind_name(kind);
        let mut chip = Chip::used(About::Event, Said::new(vi, en));
        if !self.context.kinds.contains(kind) {
            chip.note = Some(Said::new("chưa có luật loại này đang chạy", "no rule of this kind is in force"));
        }
        self.chip(taken, chip);
        self.last = Last::Stand;
    }

    fn said_attribute(&mut self, taken: usize) {
        if self.context.kinds.contains("attribute") {
            self.said_kind("attribute", taken);
            return;
        }
        let (vi, en) = chips::kind_name("attribute");
        let note = Said::new(
            "chưa có máy nhận dạng mũ bảo hiểm; hiện xe máy",
            "there is no classifier of helmets; motorcycles are shown",
        );
        self.make = true;
        self.chip(taken, Chip::unused(About::Event, Said::new(vi, en), note));
    }

    fn said_unseen(&mut self, why: Said, instead: &[&str], taken: usize) {
        let typed = self.typed(taken);
        let mut chip = Chip::unused(About::Behaviour, Said::new(typed.clone(), typed), why);
        let (from, to) = (self.words[self.at].from, self.words[self.at + taken - 1].to);
        let place = Word { from, to, ..Word::new("") };
        chip.others = instead
            .iter()
            .map(|text| Other { word: (*text).to_owned(), text: chips::replaced(self.text, &place, text) })
            .collect();
        self.chip(taken, chip);
    }

    fn unknown(&mut self) -> usize {
        self.last = Last::Nothing;
        let word = self.words[self.at].clone();
        if word.folded == "-" || word.folded == ">" {
            return 1;
        }
        let text = self.typed(1);
        if self.context.words.contains(&word.folded) {
            self.out.search.words.push(word.folded);
            self.chip(1, Chip::used(About::Words, Said::new(text.clone(), text)));
        } else {
            let note = Said::new("không hiểu từ này, bỏ qua", "this word is not known and left out");
            self.chip(1, Chip::unused(About::Ignored, Said::new(text.clone(), text), note));
        }
        1
    }

    fn finish(&mut self) {
        self.places_together();
        let spans = self.time.spans(self.context.now_us);
        let written = time::written(&spans);
        let said = if self.time.is_empty() {
            Said::new("7 ngày gần đây (không ghi thời gian)", "the last 7 days (no time given)")
        } else {
            Said::new(written.clone(), written)
        };
        let chip = Chip { at: self.time_at, ..Chip::used(About::Time, said) };
        self.out.chips.insert(0, chip);
        let search = &mut self.out.search;
        search.spans = spans;
        let mut classes = std::mem::take(&mut self.classes);
        let vehicle = classes.iter().any(|c| *c != Class::Person);
        let riding = self.out.riders.is_some() && !vehicle;
        let two_wheels = if self.any_vehicle { self.out.plate.is_none() } else { self.on_vehicle };
        if self.make || (riding && two_wheels) {
            classes.push(Class::Motorcycle);
        } else if riding && !self.any_vehicle {
            classes.push(Class::Person);
        }
        if classes.iter().any(|c| *c != Class::Person) && !self.either {
            // "người đi xe máy" looks for the motorcycle.
            classes.retain(|c| *c != Class::Person);
        }
        if self.any_vehicle && !classes.iter().any(|c| *c != Class::Person) {
            classes = Class::ALL.into_iter().filter(|c| *c != Class::Person).collect();
        }
        classes.sort_unstable();
        classes.dedup();
        if !classes.is_empty() && !classes.contains(&Class::Person) {
            search.colours.retain(|wish| wish.part.is_none());
            for chip in self.out.chips.iter_mut().filter(|c| c.about == About::Colour && c.said.en.contains(' ')) {
                let dressed = ["top ", "trousers "].iter().any(|part| chip.said.en.starts_with(part));
                if dressed {
                    chip.used = false;
                    chip.note = Some(Said::new(
                        "màu áo, quần của người trên xe chưa được ghi",
                        "what riders wear is not kept yet",
                    ));
                }
            }
        }
        search.classes = classes;
        search.kinds.sort_unstable();
        search.kinds.dedup();
    }
}
