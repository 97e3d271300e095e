//! Chips: how a line was understood, for the person who typed it, in Vietnamese and English.

use serde::Serialize;

use super::{fold::Word, lexicon::AMBIGUOUS};
use crate::domain::{
    colour::{Colour, Part},
    detection::Class,
    search::{Heading, Size},
};

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Said {
    /// Both.
    pub fn new(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { vi: vi.into(), en: en.into() }
    }
}

/// What a chip is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Days and times.
    Time,
    /// What.
    Class,
    /// Of which colour.
    Colour,
    /// Said by which rules.
    Event,
    /// Where.
    Place,
    /// Going where.
    Direction,
    /// How large.
    Size,
    /// How long in sight.
    Dwell,
    /// How many on it.
    Riders,
    /// A number plate.
    Plate,
    /// What people do, which no machine here says.
    Behaviour,
    /// Words that stand in the names of rules.
    Words,
    /// The state of cameras.
    Cameras,
    /// Not understood, or not needed.
    Ignored,
}

/// Another reading: the whole line with that word written out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Other {
    /// The word as it would be written.
    pub word: String,
    /// The line.
    pub text: String,
}

/// How a part of the line was understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chip {
    /// What it is about.
    pub about: About,
    /// What was understood.
    #[serde(flatten)]
    pub said: Said,
    /// Whether the search follows it.
    pub used: bool,
    /// Why not, or what to bear in mind.
    pub note: Option<Said>,
    /// Where in the line, in UTF-16 units; `null` when it was not typed.
    pub at: Option<[usize; 2]>,
    /// Other readings, and what can be looked for instead.
    pub others: Vec<Other>,
}

impl Chip {
    /// One that the search follows.
    pub(super) fn used(about: About, said: Said) -> Self {
        Self { about, said, used: true, note: None, at: None, others: Vec::new() }
    }
    /// One that it does not follow, and why.
    pub(super) fn unused(about: About, said: Said, note: Said) -> Self {
        Self { used: false, note: Some(note), ..Self::used(about, said) }
    }
}

/// The other readings of the words typed without accents, each as the whole line.
pub(super) fn others(text: &str, words: &[Word], skip: Option<&str>) -> Vec<Other> {
    let mut found = Vec::new();
    for word in words.iter().filter(|w| !w.accented()) {
        let Some((_, readings)) = AMBIGUOUS.iter().find(|(letters, _)| *letters == word.folded) else { continue };
        for reading in readings.iter().filter(|r| Some(**r) != skip) {
            found.push(Other { word: (*reading).to_owned(), text: replaced(text, word, reading) });
        }
    }
    found
}

/// The line with a word written otherwise.
pub(super) fn replaced(text: &str, word: &Word, by: &str) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    let part = |from: usize, to: usize| String::from_utf16_lossy(units.get(from..to).unwrap_or_default());
    format!("{}{by}{}", part(0, word.from), part(word.to, units.len()))
}

/// A class's name.
pub(super) fn class_name(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Person => ("người", "person"),
        Class::Bicycle => ("xe đạp", "bicycle"),
        Class::Motorcycle => ("xe máy", "motorcycle"),
        Class::Car => ("ô tô con", "car"),
        Class::Bus => ("xe khách", "bus"),
        Class::Truck => ("xe tải", "truck"),
    }
}

/// A colour's name in both languages.
#[must_use]
pub const fn colour_name(colour: Colour) -> (&'static str, &'static str) {
    match colour {
        Colour::Red => ("đỏ", "red"),
        Colour::Orange => ("cam", "orange"),
        Colour::Yellow => ("vàng", "yellow"),
        Colour::Green => ("xanh lá", "green"),
        Colour::Blue => ("xanh dương", "blue"),
        Colour::Purple => ("tím", "purple"),
        Colour::Pink => ("hồng", "pink"),
        Colour::Brown => ("nâu", "brown"),
        Colour::White => ("trắng", "white"),
        Colour::Grey => ("xám, bạc", "grey"),
        Colour::Black => ("đen", "black"),
    }
}

pub(super) const fn part_name(part: Option<Part>) -> (&'static str, &'static str) {
    match part {
        Some(Part::Upper) => ("áo ", "top "),
        Some(Part::Lower) => ("quần ", "trousers "),
        Some(Part::Body) | None => ("", ""),
    }
}

/// A kind of rule, as a screen says it.
pub(super) fn kind_name(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "motion" => ("có chuyển động", "motion"),
        "intrusion" => ("vào vùng theo dõi", "intrusion"),
        "line_crossing" => ("qua vạch ảo", "line crossing"),
        "wrong_way" => ("nghi đi ngược chiều", "wrong way"),
        "stopped" => ("dừng, đỗ lâu", "stopped"),
        "loitering" => ("ở lại lâu", "loitering"),
        "crowd" => ("tập trung đông người", "crowd"),
        "left_object" => ("đồ vật để lại (nghi đổ rác, vật liệu)", "left object"),
        "speeding" => ("nghi chạy nhanh (ước tính)", "speeding (estimate)"),
        "attribute" => ("nghi không đội mũ bảo hiểm", "no helmet"),
        "tamper" => ("camera bị che, lệch, mờ", "tamper"),
        _ => ("camera mất tín hiệu", "camera down"),
    }
}

pub(super) const fn heading_name(heading: Heading) -> (&'static str, &'static str) {
    match heading {
        Heading::Left => ("sang trái", "to the left"),
        Heading::Right => ("sang phải", "to the right"),
        Heading::Near => ("lại gần camera", "towards the camera"),
        Heading::Far => ("ra xa camera", "away from the camera"),
    }
}

pub(super) const fn size_name(size: Size) -> (&'static str, &'static str) {
    match size {
        Size::Small => ("nhỏ trong hình", "small in the picture"),
        Size::Middle => ("vừa trong hình", "middling in the picture"),
        Size::Large => ("lớn trong hình", "large in the picture"),
    }
}

/// Several names with commas, both languages.
pub(super) fn listed(names: impl IntoIterator<Item = (&'static str, &'static str)>, or: (&str, &str)) -> Said {
    let (vi, en): (Vec<_>, Vec<_>) = names.into_iter().unzip();
    Said::new(vi.join(or.0), en.join(or.1))
}
