//! A segment's table of fragments in a few bytes a row, pure.
//!
//! A version byte, then for each fragment four LEB128 numbers: how far its offset lies from the end of the one before
//! (zigzag), its size, how far its start lies from the end of the one before (zigzag), and twice its duration plus the
//! key flag. Neighbours touch, so a row takes about 9 bytes instead of 25. An empty table is no bytes.

use crate::domain::segment::FragmentEntry;

const VERSION: u8 = 1;
/// A day at ten fragments a second; a longer table is not one of ours.
const ENTRIES_MAX: usize = 864_000;
const NOTHING: FragmentEntry = FragmentEntry { offset: 0, size_bytes: 0, start_90k: 0, duration_90k: 0, key: false };

/// The table as bytes.
pub(super) fn pack(entries: &[FragmentEntry]) -> Vec<u8> {
    if entries.is_empty() {
        return Vec::new();
    }
    let mut table = Vec::with_capacity(1 + entries.len() * 10);
    table.push(VERSION);
    let mut before = NOTHING;
    for &entry in entries {
        put(&mut table, zigzag(entry.offset.wrapping_sub(end_offset(before))));
        put(&mut table, u64::from(entry.size_bytes));
        put(&mut table, zigzag(entry.start_90k.wrapping_sub(end_90k(before))));
        put(&mut table, u64::from(entry.duration_90k) << 1 | u64::from(entry.key));
        before = entry;
    }
    table
}

/// The table the bytes stand for.
///
/// # Errors
/// What is wrong with them, for the person who reads the log.
pub(super) fn unpack(table: &[u8]) -> Result<Vec<FragmentEntry>, String> {
    let Some((&version, mut rest)) = table.split_first() else { return Ok(Vec::new()) };
    if version != VERSION {
        return Err(format!("fragment table of version {version}, this program reads {VERSION}"));
    }
    let mut entries: Vec<FragmentEntry> = Vec::with_capacity(rest.len() / 4);
    let mut before = NOTHING;
    while !rest.is_empty() {
        if entries.len() == ENTRIES_MAX {
            return Err(format!("fragment table with more than {ENTRIES_MAX} rows"));
        }
        let mut take = || take(&mut rest).ok_or_else(|| format!("fragment table ends within row {}", entries.len()));
        let (gap, size, skew, duration) = (take()?, take()?, take()?, take()?);
        let narrow = |n: u64| u32::try_from(n).map_err(|_| format!("fragment table row {}: too large", entries.len()));
        before = FragmentEntry {
            offset: end_offset(before).wrapping_add(unzigzag(gap)),
            size_bytes: narrow(size)?,
            start_90k: end_90k(before).wrapping_add(unzigzag(skew)),
            duration_90k: narrow(duration >> 1)?,
            key: duration & 1 == 1,
        };
        entries.push(before);
    }
    Ok(entries)
}

fn end_offset(entry: FragmentEntry) -> u64 {
    entry.offset.wrapping_add(u64::from(entry.size_bytes))
}

fn end_90k(entry: FragmentEntry) -> u64 {
    entry.start_90k.wrapping_add(u64::from(entry.duration_90k))
}

/// Small differences of either sign become small numbers.
fn zigzag(difference: u64) -> u64 {
    let signed = difference.cast_signed();
    (signed << 1 ^ signed >> 63).cast_unsigned()
}

fn unzigzag(n: u64) -> u64 {
    (n >> 1) ^ (n & 1).wrapping_neg()
}

fn put(table: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        table.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    table.push(n as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for i in 0..10 {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte holds the last bit only.
        if i == 9 && bits > 1 {
            return None;
        }
        n |= bits << (7 * i);
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = FragmentEntry> {
        (any::<u64>(), any::<u32>(), any::<u64>(), any::<u32>(), any::<bool>()).prop_map(
            |(offset, size_bytes, start_90k, duration_90k, key)| FragmentEntry {
                offset,
                size_bytes,
                start_90k,
                duration_90k,
                key,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked_whatever_the_numbers(entries in prop::collection::vec(entry(), 0..40)) {
            prop_assert_eq!(unpack(&pack(&entries)), Ok(entries));
        }

        #[test]
        fn bytes_that_are_no_table_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(entries) = unpack(&bytes) {
                prop_assert!(entries.len() <= bytes.len() / 4);
            }
        }

        #[test]
        fn a_table_cut_short_is_an_error(entries in prop::collection::vec(entry(), 1..20)) {
            let whole = pack(&entries);
            let last_row = pack(&entries[..entries.len() - 1]).len().max(1);
            for end in last_row + 1..whole.len() {
                prop_assert!(unpack(&whole[..end]).is_err(), "{} of {}", end, whole.len());
            }
        }
    }

    #[test]
    fn a_row_of_an_ordinary_segment_takes_at_most_ten_bytes() {
        let entries: Vec<_> = (0..60_u64)
            .map(|i| FragmentEntry {
                offset: 900 + i * 250_056,
                size_bytes: 250_000,
                start_90k: i * 90_000,
                duration_90k: 90_000,
                key: true,
            })
            .collect();
        assert!(pack(&entries).len() <= 60 * 10, "{}", pack(&entries).len());
    }

    #[test]
    fn a_table_of_a_later_version_is_refused() {
        assert!(unpack(&[2, 0, 0, 0, 0]).unwrap_err().contains("version 2"));
    }
}
