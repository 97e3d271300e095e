//! What stands in the index of an hour: which tracks and events, and sets of them, in few bytes; pure.
//!
//! Keys: a version byte, then by (start, source, id) for each one in LEB128 how much later it starts than the one before
//! (the first: than the hour), and twice the zigzag difference of its id to the last of its source plus 1 for an event.
//! A set: a byte 0 and a bit for each key, or a byte 1 and the distances of its members, whichever is shorter.

use crate::domain::search::{SearchCursor, Source};

const VERSION: u8 = 1;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;

/// A set of places in an hour's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// None of `n`.
    pub(super) fn none(n: usize) -> Self {
        Self(vec![0; n.div_ceil(64)])
    }
    /// All of `n`.
    pub(super) fn all(n: usize) -> Self {
        let mut bits = Self(vec![u64::MAX; n.div_ceil(64)]);
        if let Some(last) = bits.0.last_mut().filter(|_| !n.is_multiple_of(64)) {
            *last = (1 << (n % 64)) - 1;
        }
        bits
    }
    pub(super) fn set(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
    pub(super) fn and(&mut self, other: &Self) {
        for (i, word) in self.0.iter_mut().enumerate() {
            *word &= other.0.get(i).copied().unwrap_or(0);
        }
    }
    pub(super) fn or(&mut self, other: &Self) {
        for (word, theirs) in self.0.iter_mut().zip(&other.0) {
            *word |= theirs;
        }
    }
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
    /// The places from the last to the first.
    pub(super) fn backwards(&self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().copied().enumerate().rev();
        words.flat_map(|(i, word)| (0..64).rev().filter(move |bit| word >> bit & 1 == 1).map(move |bit| i * 64 + bit))
    }

    /// As bytes.
    pub(super) fn pack(&self, n: usize) -> Vec<u8> {
        let mut sparse = vec![SPARSE];
        let mut before = 0;
        let mut members: Vec<usize> = self.backwards().collect();
        members.reverse();
        let dense_bytes = 1 + n.div_ceil(8);
        for at in members {
            put(&mut sparse, (at - before) as u64);
            before = at;
            if sparse.len() >= dense_bytes {
                let mut dense = vec![DENSE];
                dense.extend(self.0.iter().flat_map(|word| word.to_le_bytes()).take(n.div_ceil(8)));
                return dense;
            }
        }
        sparse
    }

    /// The set of `n` that the bytes stand for; `None` when they stand for none.
    pub(super) fn unpack(bytes: &[u8], n: usize) -> Option<Self> {
        let mut bits = Self::none(n);
        let (kind, mut rest) = bytes.split_first()?;
        match *kind {
            DENSE if rest.len() == n.div_ceil(8) => {
                for (word, chunk) in bits.0.iter_mut().zip(rest.chunks(8)) {
                    let mut eight = [0; 8];
                    eight[..chunk.len()].copy_from_slice(chunk);
                    *word = u64::from_le_bytes(eight);
                }
                bits.and(&Self::all(n));
            }
            SPARSE => {
                let mut at = 0usize;
                while !rest.is_empty() {
                    at = at.checked_add(usize::try_from(take(&mut rest)?).ok()?)?;
                    (at < n).then(|| bits.set(at))?;
                }
            }
            _ => return None,
        }
        Some(bits)
    }
}

/// Keys in their order, the first start counted from `hour_us`.
pub(super) fn pack_keys(keys: &[SearchCursor], hour_us: i64) -> Vec<u8> {
    let mut out = vec![VERSION];
    let (mut start, mut ids) = (hour_us, [0i64; 2]);
    for key in keys {
        put(&mut out, key.start_us.saturating_sub(start).max(0).unsigned_abs());
        start = key.start_us;
        let last = &mut ids[usize::from(key.source == Source::Event)];
        let difference = key.id.wrapping_sub(*last);
        *last = key.id;
        let zigzag = (difference << 1 ^ difference >> 63).cast_unsigned();
        put(&mut out, zigzag << 1 | u64::from(key.source == Source::Event));
    }
    out
}

/// The keys that the bytes stand for; `None` when they stand for none.
pub(super) fn unpack_keys(bytes: &[u8], hour_us: i64) -> Option<Vec<SearchCursor>> {
    let (version, mut rest) = bytes.split_first()?;
    (*version == VERSION).then_some(())?;
    let (mut start_us, mut ids, mut keys) = (hour_us, [0i64; 2], Vec::new());
    while !rest.is_empty() {
        start_us = start_us.checked_add(i64::try_from(take(&mut rest)?).ok()?)?;
        let id = take(&mut rest)?;
        let source = if id & 1 == 1 { Source::Event } else { Source::Track };
        let zigzag = id >> 1;
        let difference = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        let last = &mut ids[usize::from(source == Source::Event)];
        *last = last.wrapping_add(difference);
        keys.push(SearchCursor { start_us, source, id: *last });
    }
    Some(keys)
}

/// A number by which one packing is told from another (FNV-1a).
pub(super) fn stamp<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for part in parts {
        for byte in part.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash.cast_signed()
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = SearchCursor> {
        (0i64..3_600_000_000, any::<bool>(), 0i64..1 << 40).prop_map(|(start_us, event, id)| SearchCursor {
            start_us,
            source: if event { Source::Event } else { Source::Track },
            id,
        })
    }

    proptest! {
        #[test]
        fn keys_and_sets_come_back_from_their_bytes(mut keys in prop::collection::vec(key(), 0..200), seed: u64) {
            keys.sort_unstable();
            prop_assert_eq!(unpack_keys(&pack_keys(&keys, 0), 0), Some(keys.clone()));
            let n = keys.len();
            for every in [1u64, 2, 50] {
                let mut bits = Bits::none(n);
                (0..n).filter(|at| (*at as u64 ^ seed).is_multiple_of(every)).for_each(|at| bits.set(at));
                let bytes = bits.pack(n);
                prop_assert!(bytes.len() <= 1 + n.div_ceil(8));
                prop_assert_eq!(Bits::unpack(&bytes, n), Some(bits.clone()));
                let members: Vec<usize> = bits.backwards().collect();
                prop_assert_eq!(members.len(), bits.count());
                prop_assert!(members.windows(2).all(|w| w[0] > w[1]));
            }
            prop_assert_eq!(Bits::all(n).count(), n);
        }

        #[test]
        fn bytes_of_another_kind_give_nothing_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), n in 0usize..300) {
            if let Some(bits) = Bits::unpack(&bytes, n) {
                prop_assert!(bits.backwards().all(|at| at < n));
            }
            let _ = unpack_keys(&bytes, 5);
        }
    }
}
