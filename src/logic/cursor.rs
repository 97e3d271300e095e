//! A place in the list of events or of tracks as a short text that can stand in an address.
//!
//! Opaque to clients: a version letter, the 16 bytes of the place and 2 check bytes, in hexadecimal. The check finds a
//! text that was cut or mistyped; it is no secret, and a made-up place gives no more than a list from there.

use crate::domain::{
    ids::EventId,
    query::{EventCursor, TrackCursor},
    refusal::Refusal,
    search::{SearchCursor, Source},
};

const EVENTS: char = 'e';
const TRACKS: char = 't';
const FOUND_TRACK: char = 'x';
const FOUND_EVENT: char = 'y';

/// The text of a place.
#[must_use]
pub fn encode(cursor: EventCursor) -> String {
    write(EVENTS, cursor.start_us, cursor.id.0)
}

/// The place a text stands for.
///
/// # Errors
/// A [`Refusal`] when it is not one that [`encode`] made.
pub fn decode(text: &str) -> Result<EventCursor, Refusal> {
    read(EVENTS, text).map(|(start_us, id)| EventCursor { start_us, id: EventId(id) })
}

/// The text of a place in the list of tracks.
#[must_use]
pub fn encode_track(cursor: TrackCursor) -> String {
    write(TRACKS, cursor.start_us, cursor.id)
}

/// The place in the list of tracks that a text stands for.
///
/// # Errors
/// A [`Refusal`] when it is not one that [`encode_track`] made.
pub fn decode_track(text: &str) -> Result<TrackCursor, Refusal> {
    read(TRACKS, text).map(|(start_us, id)| TrackCursor { start_us, id })
}

/// The text of a place in what a search found.
#[must_use]
pub fn encode_found(cursor: SearchCursor) -> String {
    let version = if cursor.source == Source::Event { FOUND_EVENT } else { FOUND_TRACK };
    write(version, cursor.start_us, cursor.id)
}

/// The place in what a search found that a text stands for.
///
/// # Errors
/// A [`Refusal`] when it is not one that [`encode_found`] made.
pub fn decode_found(text: &str) -> Result<SearchCursor, Refusal> {
    let (version, source) =
        if text.starts_with(FOUND_EVENT) { (FOUND_EVENT, Source::Event) } else { (FOUND_TRACK, Source::Track) };
    read(version, text).map(|(start_us, id)| SearchCursor { start_us, source, id })
}

fn write(version: char, start_us: i64, id: i64) -> String {
    let (start, id) = (start_us.cast_unsigned(), id.cast_unsigned());
    format!("{version}{start:016x}{id:016x}{:04x}", check(start, id))
}

fn read(version: char, text: &str) -> Result<(i64, i64), Refusal> {
    let place = || {
        let digits = text.strip_prefix(version)?;
        if digits.len() != 36 || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let start = u64::from_str_radix(&digits[..16], 16).ok()?;
        let id = u64::from_str_radix(&digits[16..32], 16).ok()?;
        let checked = u64::from_str_radix(&digits[32..], 16).ok()? == check(start, id);
        checked.then(|| (start.cast_signed(), id.cast_signed()))
    };
    place().ok_or_else(|| {
        Refusal::new(
            "cursor",
            "vị trí trong danh sách không đúng; hãy mở lại danh sách từ đầu",
            "the place in the list is wrong; open the list from its beginning again",
        )
    })
}

/// CRC-16/CCITT over both numbers: finds every single wrong character and every swap of neighbours.
fn check(start: u64, id: u64) -> u64 {
    let bytes = start.to_be_bytes().into_iter().chain(id.to_be_bytes());
    let crc = bytes.fold(0xffff_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    u64::from(crc)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_comes_back_from_its_text(start_us: i64, id: i64) {
            let cursor = EventCursor { start_us, id: EventId(id) };
            let text = encode(cursor);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()), "{}", text);
            prop_assert_eq!(decode(&text), Ok(cursor));
            prop_assert!(decode_track(&text).is_err(), "a place among events is none among tracks");
            let cursor = TrackCursor { start_us, id };
            prop_assert_eq!(decode_track(&encode_track(cursor)), Ok(cursor));
            for source in Source::ALL {
                let cursor = SearchCursor { start_us, source, id };
                prop_assert_eq!(decode_found(&encode_found(cursor)), Ok(cursor));
            }
        }

        #[test]
        fn a_text_with_one_wrong_character_is_refused(start_us: i64, id: i64, at in 0..37_usize, other in 1..16_u32) {
            let mut wrong = encode(EventCursor { start_us, id: EventId(id) });
            let right = u32::from_str_radix(&wrong[at..=at], 16).unwrap();
            wrong.replace_range(at..=at, &format!("{:x}", (right + other) % 16));
            prop_assert!(decode(&wrong).is_err(), "{}", wrong);
        }

        #[test]
        fn any_other_text_is_refused_without_a_panic(text: String) {
            prop_assert!(decode(&text).is_err());
        }
    }

    #[test]
    fn a_cut_a_longer_and_a_foreign_text_are_refused_with_their_place() {
        let text = encode(EventCursor { start_us: 1, id: EventId(2) });
        for wrong in
            ["", "e", &text[..20], &format!("{text}0"), &text.to_uppercase(), "eé000000000000000000000000000000000000"]
        {
            assert_eq!(decode(wrong).unwrap_err().place, "cursor", "{wrong}");
        }
    }
}
