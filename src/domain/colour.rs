//! The colours that a witness names, and where on an object they are.

use serde::{Deserialize, Serialize};

/// The eleven basic colour terms of Vietnamese streets: those of Berlin and Kay ("Basic Color Terms", 1969), with blue
/// and green told apart by what follows *xanh*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Đỏ.
    Red,
    /// Cam.
    Orange,
    /// Vàng.
    Yellow,
    /// Xanh lá.
    Green,
    /// Xanh dương.
    Blue,
    /// Tím.
    Purple,
    /// Hồng.
    Pink,
    /// Nâu.
    Brown,
    /// Trắng.
    White,
    /// Xám.
    Grey,
    /// Đen.
    Black,
}

impl Colour {
    /// All of them, in a fixed order: a colour's place is its bit in [`Colour::bit`].
    pub const ALL: [Self; 11] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Purple,
        Self::Pink,
        Self::Brown,
        Self::White,
        Self::Grey,
        Self::Black,
    ];

    /// Its name, as stored and in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
            Self::Brown => "brown",
            Self::White => "white",
            Self::Grey => "grey",
            Self::Black => "black",
        }
    }
    /// The colour of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|colour| colour.name() == name)
    }
    /// Its bit in a set of colours.
    #[must_use]
    pub const fn bit(self) -> i64 {
        1 << self as i64
    }
}

/// Where on an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What a person wears above the belt.
    Upper,
    /// What a person wears below it.
    Lower,
    /// The bodywork of a vehicle.
    Body,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Upper, Self::Lower, Self::Body];

    /// Its name, as stored and in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upper => "upper",
            Self::Lower => "lower",
            Self::Body => "body",
        }
    }
    /// The part of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// How much of a part has a colour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ColourShare {
    /// Which.
    pub colour: Colour,
    /// 0..=1 of the part's pixels over the track.
    pub share: f32,
}

/// The colours of one part, the greatest share first; small shares are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartColours {
    /// Which part.
    pub part: Part,
    /// Its colours.
    pub shares: Vec<ColourShare>,
}

/// A part has a colour, as one looks for it, from this share on.
pub const SHARE_COUNTS: f32 = 0.3;

impl PartColours {
    /// The set of colours by which the part is found: those of at least [`SHARE_COUNTS`], at any rate the greatest.
    #[must_use]
    pub fn bits(&self) -> i64 {
        let enough = |(i, s): &(usize, &ColourShare)| *i == 0 || s.share >= SHARE_COUNTS;
        self.shares.iter().enumerate().filter(enough).fold(0, |bits, (_, s)| bits | s.colour.bit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_and_part_comes_back_from_its_name_and_has_a_bit_of_its_own() {
        for colour in Colour::ALL {
            assert_eq!(Colour::from_name(colour.name()), Some(colour));
        }
        for part in Part::ALL {
            assert_eq!(Part::from_name(part.name()), Some(part));
        }
        assert_eq!(Colour::ALL.iter().fold(0, |bits, c| bits | c.bit()).count_ones(), 11);
    }

    #[test]
    fn a_part_is_found_by_its_main_colours_only() {
        let share = |colour, share| ColourShare { colour, share };
        let of = |shares: Vec<_>| PartColours { part: Part::Upper, shares }.bits();
        assert_eq!(of(vec![]), 0);
        assert_eq!(of(vec![share(Colour::Red, 0.25), share(Colour::Blue, 0.2)]), Colour::Red.bit());
        let both = vec![share(Colour::Red, 0.5), share(Colour::White, 0.3), share(Colour::Black, 0.2)];
        assert_eq!(of(both), Colour::Red.bit() | Colour::White.bit());
    }
}
