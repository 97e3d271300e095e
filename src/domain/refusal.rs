//! What a person gets when something they gave cannot be used: where, what is wrong, what to do.

use std::fmt;

use serde::Serialize;

/// One refused input. Vietnamese is the source language, English the translation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Refusal {
    /// Where: a key path, a field name, a file or an address (never with a password in it).
    pub place: String,
    /// What is wrong and what to do, in Vietnamese.
    pub vi: String,
    /// The same in English.
    pub en: String,
}

impl Refusal {
    /// A refusal naming its place, with both sentences.
    pub fn new(place: impl Into<String>, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { place: place.into(), vi: vi.into(), en: en.into() }
    }
    /// The same refusal under an outer place: `rule[2]` + `zone` reads `rule[2].zone`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.place = if self.place.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.place) };
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} / {}", self.place, self.vi, self.en)
    }
}
