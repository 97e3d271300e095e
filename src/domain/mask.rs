//! What of a camera's picture is never shown, and where nothing is taken for motion.

use serde::{Deserialize, Serialize};

use super::geometry::{NormBox, Point, Polygon};

/// The masks in force on one camera's picture.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Masks {
    /// Black in every picture made of it; nothing in it is told.
    pub privacy: Vec<Polygon>,
    /// Seen, but never taken for motion.
    pub motion: Vec<Polygon>,
}

impl Masks {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.privacy.is_empty() && self.motion.is_empty()
    }
    /// Whether that point is never shown.
    #[must_use]
    pub fn hides(&self, at: Point) -> bool {
        self.privacy.iter().any(|mask| mask.contains(at))
    }
    /// Whether the middle of that box is never shown: what stands there is not told.
    #[must_use]
    pub fn hides_box(&self, rect: NormBox) -> bool {
        self.hides(rect.centre())
    }
    /// All areas in which nothing may be taken for motion: those that are never shown too.
    #[must_use]
    pub fn blind(&self) -> Vec<Polygon> {
        self.privacy.iter().chain(&self.motion).cloned().collect()
    }
}
