//! NAL units: where they begin, what they are, which of them a recorder keeps.

use bytes::Bytes;

use crate::domain::packet::Codec;

/// What the simulator needs to know of a NAL unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SPS, PPS, and VPS of H.265: stand in the sample entry of a recording, never in the stream.
    ParameterSet,
    /// Coded picture data that decoding can start with (IDR; for H.265 types 16 to 21).
    Key,
    /// Access unit delimiter, end of sequence or stream, filler: says nothing, so our clips have none.
    Empty,
    /// Everything else: other slices, SEI.
    Other,
}

/// The kind of a NAL unit (ITU-T H.264 table 7-1, H.265 table 7-1).
pub(crate) fn kind(codec: Codec, nal: &[u8]) -> Kind {
    let first = nal.first().copied().unwrap_or_default();
    match codec {
        Codec::H264 => match first & 0x1f {
            7 | 8 => Kind::ParameterSet,
            5 => Kind::Key,
            9..=12 => Kind::Empty,
            _ => Kind::Other,
        },
        Codec::H265 => match first >> 1 & 0x3f {
            32..=34 => Kind::ParameterSet,
            16..=21 => Kind::Key,
            35..=38 => Kind::Empty,
            _ => Kind::Other,
        },
    }
}

/// The NAL units of an Annex B byte stream, without start codes and trailing zero bytes.
pub(crate) fn split_annex_b(stream: &Bytes) -> Vec<Bytes> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= stream.len() {
        if stream[at..at + 3] == [0, 0, 1] {
            starts.push(at);
            at += 3;
        } else {
            at += 1;
        }
    }
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts.iter().zip(ends).map(|(&start, end)| {
        let unit = stream.slice(start + 3..end);
        let zeros = unit.iter().rev().take_while(|&&b| b == 0).count();
        unit.slice(..unit.len() - zeros)
    });
    units.filter(|unit| !unit.is_empty()).collect()
}

/// The access unit as a recorder keeps it: each NAL unit behind its length as 4 bytes big endian.
pub(crate) fn length_prefixed(nals: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nals.iter().map(|n| n.len() + 4).sum());
    for nal in nals {
        out.extend_from_slice(&(nal.len() as u32).to_be_bytes());
        out.extend_from_slice(nal);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_and_trailing_zeros_are_no_part_of_a_unit() {
        let stream = Bytes::from_static(&[0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 0, 1, 0x65, 0, 3]);
        let units = split_annex_b(&stream);
        assert_eq!(units, [&[0x67, 1][..], &[0x68, 2], &[0x65, 0, 3]]);
        assert_eq!(units.iter().map(|u| kind(Codec::H264, u)).filter(|k| *k == Kind::ParameterSet).count(), 2);
        assert_eq!(kind(Codec::H264, &units[2]), Kind::Key);
        assert_eq!(length_prefixed(&units[..1]), [0, 0, 0, 2, 0x67, 1]);
        assert!(split_annex_b(&Bytes::from_static(&[0, 0])).is_empty());
    }
}
