//! Numbers that look random and are the same for the same seed, on every machine and for every release.

/// SplitMix64 (Steele, Lea, Flood 2014). Our own, so that a scene never changes with a crate's version.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Numbers that depend on all of `parts`.
    pub(crate) fn of(parts: &[u64]) -> Self {
        let mut random = Self(0x5eed_0f5a_1e57_ee75);
        for part in parts {
            random.0 ^= part.wrapping_mul(0xff51_afd7_ed55_8ccd);
            random.0 = random.next_u64();
        }
        random
    }
    /// The next 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// 0..1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u64 << 24) as f32
    }
    /// Between the two.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
    /// 0..n; `n` must not be 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next_u64() % n
    }
}

/// Where the `index`-th of many things lies in 0..1 so that they spread evenly however many there are (golden ratio).
pub(crate) fn spread(index: u32) -> f64 {
    (f64::from(index) * 0.618_033_988_749_895).fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_seven_cameras_start_at_thirty_seven_different_moments() {
        let mut places: Vec<f64> = (0..37).map(spread).collect();
        assert_eq!(places[0], 0.0, "the first one at once");
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|w| w[1] - w[0] > 0.01), "{places:?}");
        assert!(places.iter().all(|p| (0.0..1.0).contains(p)));
    }
}
