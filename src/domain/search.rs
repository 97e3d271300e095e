//! What a person looks for among what passed and what rules said, and a place in the list of what was found.

use serde::{Deserialize, Serialize};

use super::{
    colour::{Colour, Part},
    detection::Class,
    ids::CameraId,
    time::Span,
};

/// Which way something goes in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heading {
    /// To the left edge.
    Left,
    /// To the right edge.
    Right,
    /// Towards the camera, downwards.
    Near,
    /// Away from the camera, upwards.
    Far,
}

impl Heading {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Left, Self::Right, Self::Near, Self::Far];

    /// Its name, as stored and in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Near => "near",
            Self::Far => "far",
        }
    }
    /// The heading of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|heading| heading.name() == name)
    }
}

/// How large something looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// At most 1 % of the picture.
    Small,
    /// Between the two.
    Middle,
    /// At least 8 % of the picture.
    Large,
}

impl Size {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Small, Self::Middle, Self::Large];

    /// The size of a box of that area, 0..=1 of the picture.
    #[must_use]
    pub fn of(area: f32) -> Self {
        match area {
            a if a <= 0.01 => Self::Small,
            a if a < 0.08 => Self::Middle,
            _ => Self::Large,
        }
    }
    /// Its name, as stored and in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Middle => "middle",
            Self::Large => "large",
        }
    }
    /// The size of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.name() == name)
    }
}

/// What a find is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An object that passed.
    Track,
    /// What a rule said matters.
    Event,
}

impl Source {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Track, Self::Event];

    /// Its name, as stored and in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Event => "event",
        }
    }
    /// The source of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// Colours of which one is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColourWish {
    /// On that part; `None` means on any.
    pub part: Option<Part>,
    /// One of these.
    pub any: Vec<Colour>,
}

impl ColourWish {
    /// The set of its colours.
    #[must_use]
    pub fn bits(&self) -> i64 {
        self.any.iter().fold(0, |bits, colour| bits | colour.bit())
    }
}

/// What is looked for; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Search {
    /// Only tracks or only events; `None` means both.
    pub source: Option<Source>,
    /// At one of these cameras; empty means any.
    pub cameras: Vec<CameraId>,
    /// Of one of these kinds of rule (then only events), by name; empty means any.
    pub kinds: Vec<String>,
    /// Of one of these classes; empty means any.
    pub classes: Vec<Class>,
    /// With each of these colours.
    pub colours: Vec<ColourWish>,
    /// Instead of `colours`: such that no colour is known (infrared, too small).
    pub colour_unknown: bool,
    /// Going one of these ways; empty means any.
    pub headings: Vec<Heading>,
    /// Going, at that camera, one of these ways: towards a place. Empty means anywhere.
    pub towards: Vec<(CameraId, Vec<Heading>)>,
    /// Looking that large.
    pub size: Option<Size>,
    /// In sight at least that long, microseconds.
    pub dwell_least_us: Option<i64>,
    /// Begun in one of these spans, apart from each other, the newest first; empty means at any time.
    pub spans: Vec<Span>,
    /// Events in whose words all of these stand, without accents.
    pub words: Vec<String>,
}

/// A place in the newest-first list of what was found: just after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SearchCursor {
    /// Start of the last one shown.
    pub start_us: i64,
    /// What it is.
    pub source: Source,
    /// Its number.
    pub id: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_and_sizes_have_no_hole() {
        assert!(Heading::ALL.iter().all(|h| Heading::from_name(h.name()) == Some(*h)));
        assert!(Size::ALL.iter().all(|s| Size::from_name(s.name()) == Some(*s)));
        assert!(Source::ALL.iter().all(|s| Source::from_name(s.name()) == Some(*s)));
        let sizes = [0.0, 0.01, 0.011, 0.079, 0.08, 1.0].map(Size::of);
        let expected = [Size::Small, Size::Small, Size::Middle, Size::Middle, Size::Large, Size::Large];
        assert_eq!(sizes, expected);
    }
}
