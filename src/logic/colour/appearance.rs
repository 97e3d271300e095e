//! What something looks like in a few numbers, so that it is known again a few seconds later by the same camera.
//!
//! Histograms of Y, U and V of the box's upper and lower half, each value shared between its two nearest bins, so that
//! a little more light moves the numbers a little. Compared by the coefficient of Bhattacharyya ("On a measure of
//! divergence between two statistical populations", 1943). Not a person's identity: two people in like clothes look
//! the same, and are meant to.

/// Bins a channel.
const BINS: usize = 8;
/// Halves times channels.
const PARTS: usize = 6;

/// The histograms of one object; each of the six sums to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Appearance([[f32; BINS]; PARTS]);

impl Appearance {
    /// From the pixels (Y, U, V) of the upper and of the lower half; `None` when one of them has none.
    #[must_use]
    pub fn of(upper: impl IntoIterator<Item = [u8; 3]>, lower: impl IntoIterator<Item = [u8; 3]>) -> Option<Self> {
        let mut parts = [[0.0f32; BINS]; PARTS];
        let (above, below) = parts.split_at_mut(PARTS / 2);
        fill(above, upper)?;
        fill(below, lower)?;
        Some(Self(parts))
    }
    /// How unlike: 0 for the same, 1 for nothing in common.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f32 {
        let alike = |a: &[f32; BINS], b: &[f32; BINS]| a.iter().zip(b).map(|(a, b)| (a * b).sqrt()).sum::<f32>();
        let alike: f32 = self.0.iter().zip(&other.0).map(|(a, b)| alike(a, b)).sum();
        (1.0 - alike / PARTS as f32).clamp(0.0, 1.0).sqrt()
    }
    /// Moves by `share` (0..=1) towards another.
    pub fn follow(&mut self, other: &Self, share: f32) {
        for (mine, theirs) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *mine += share * (theirs - *mine);
        }
    }
}

/// Fills the three histograms of one half.
fn fill(parts: &mut [[f32; BINS]], pixels: impl IntoIterator<Item = [u8; 3]>) -> Option<()> {
    let mut count = 0.0f32;
    for pixel in pixels {
        count += 1.0;
        for (channel, (bins, value)) in parts.iter_mut().zip(pixel).enumerate() {
            // Chroma keeps to the middle of its range: its bins are half as wide, the outermost take the rest.
            let value = if channel == 0 { f32::from(value) } else { (f32::from(value) - 64.0).clamp(0.0, 127.0) * 2.0 };
            let at = (value / 256.0 * BINS as f32 - 0.5).clamp(0.0, (BINS - 1) as f32);
            let (low, part) = (at as usize, at.fract());
            bins[low] += 1.0 - part;
            bins[(low + 1).min(BINS - 1)] += part;
        }
    }
    parts.iter_mut().flatten().for_each(|bin| *bin /= count.max(1.0));
    (count > 0.0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(upper: [u8; 3], lower: [u8; 3]) -> Appearance {
        Appearance::of([upper; 50], [lower; 50]).unwrap()
    }

    #[test]
    fn the_same_under_a_little_more_light_is_nearer_than_another_colour() {
        let red_on_blue = plain([80, 100, 200], [60, 180, 110]);
        let lighter = plain([90, 100, 198], [70, 178, 112]);
        let white_on_black = plain([220, 128, 128], [30, 128, 128]);
        assert!(red_on_blue.distance(&red_on_blue) < 1e-3);
        assert!(red_on_blue.distance(&lighter) < 0.4, "{}", red_on_blue.distance(&lighter));
        assert!(red_on_blue.distance(&white_on_black) > 0.7, "{}", red_on_blue.distance(&white_on_black));
        let swapped = plain([60, 180, 110], [80, 100, 200]);
        assert!(red_on_blue.distance(&swapped) > 0.5, "halves do not count");
    }

    #[test]
    fn nothing_to_see_gives_none_and_following_ends_at_the_other() {
        assert!(Appearance::of([], [[1, 2, 3]]).is_none());
        let (mut a, b) = (plain([10, 20, 30], [40, 50, 60]), plain([200, 120, 130], [1, 255, 0]));
        a.follow(&b, 1.0);
        assert!(a.distance(&b) < 1e-3);
    }
}
