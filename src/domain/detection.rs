//! What a detector says about one frame.

use serde::{Deserialize, Serialize};

use super::geometry::NormBox;

/// The classes the product knows; a model's other labels are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A person on foot.
    Person,
    /// A bicycle, with its rider if any.
    Bicycle,
    /// A motorcycle, with its rider if any.
    Motorcycle,
    /// A car.
    Car,
    /// A bus.
    Bus,
    /// A truck.
    Truck,
}

impl Class {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 6] = [Self::Person, Self::Bicycle, Self::Motorcycle, Self::Car, Self::Bus, Self::Truck];

    /// Its name, as stored and as labels of models have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bicycle => "bicycle",
            Self::Motorcycle => "motorcycle",
            Self::Car => "car",
            Self::Bus => "bus",
            Self::Truck => "truck",
        }
    }
    /// The class of a model's label; `motorbike` is a motorcycle.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        let label = label.trim();
        if label.eq_ignore_ascii_case("motorbike") {
            return Some(Self::Motorcycle);
        }
        Self::ALL.into_iter().find(|c| c.name().eq_ignore_ascii_case(label))
    }
}

/// One object seen once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// What.
    pub class: Class,
    /// How sure, 0..=1.
    pub score: f32,
    /// Where.
    pub rect: NormBox,
}
