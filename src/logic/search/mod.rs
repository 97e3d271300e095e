//! What a person types into the search box, to what is looked for.
//!
//! In: one line in Vietnamese or English, with or without accents, the time, the names of places, the kinds of rules in
//! force. Out: a [`Search`] and chips that show, word by word, how the line was understood, which other readings it has
//! (`cho` may be *chợ*, *chó*, *chở*) and what was left out and why. Words are resolved by phrase: the longest one that
//! stands in the lexicon, then by what stands before and behind. Refuses nothing: what it does not know it says so.

pub mod fold;
pub mod places;
pub mod time;

mod calendar;
mod chips;
mod clock;
mod lexicon;
mod reader;

use std::collections::BTreeSet;

pub use chips::{About, Chip, Other, Said, colour_name};

use self::{fold::Word, places::Place};
use crate::domain::{
    ids::CameraId,
    search::{Heading, Search},
};

/// The most characters of a line that are read.
pub const TEXT_CHARS_MAX: usize = 300;

/// What is known when a line is read.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Now, UTC microseconds.
    pub now_us: i64,
    /// The names people gave to places.
    pub places: Vec<Place>,
    /// Kinds of rules in force, by name; others are understood but marked.
    pub kinds: BTreeSet<String>,
    /// Words, without accents, that stand in the names of rules.
    pub words: BTreeSet<String>,
    /// Which way of a camera's picture leads to which camera.
    pub exits: Vec<(CameraId, CameraId, Heading)>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Pictures.
    Find,
    /// Which cameras are down, since when and why.
    CameraState,
}

/// How a line was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Understood {
    /// What is asked for.
    pub intent: Intent,
    /// What is looked for.
    pub search: Search,
    /// How many riders were said; nobody counts them yet.
    pub riders: Option<i64>,
    /// The plate that was said; nobody reads them yet.
    pub plate: Option<String>,
    /// Word by word.
    pub chips: Vec<Chip>,
}

/// Reads a line; what goes beyond [`TEXT_CHARS_MAX`] is left out.
#[must_use]
pub fn understand(text: &str, context: &Context) -> Understood {
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    reader::Reader::new(&text, context).read()
}

/// How many words at the beginning say the phrase, typed with or without its accents.
fn starts(words: &[Word], phrase: &str) -> Option<usize> {
    let mut taken = 0;
    for meant in phrase.split(' ') {
        let typed = words.get(taken)?;
        if meant == "-" {
            (typed.folded == "-").then_some(())?;
        } else if !typed.may_be(&Word::new(meant)) {
            return None;
        }
        taken += 1;
    }
    Some(taken)
}
