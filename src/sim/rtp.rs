//! Access units as RTP packets interleaved in RTSP (RFC 3550, RFC 2326 §10.12; H.264 by RFC 6184, H.265 by RFC 7798).
//!
//! Every unit is cut once when its clip is prepared; a session only stamps the headers of a copy.

use bytes::Bytes;

use crate::domain::packet::Codec;

/// The most bytes of RTP payload in one packet.
pub(crate) const PAYLOAD_MAX: usize = 1400;
/// The payload type in every packet and in the session description.
pub(crate) const PAYLOAD_TYPE: u8 = 96;
/// `$`, channel, length, RTP header.
const HEAD: usize = 4 + 12;

/// One access unit, cut into interleaved packets with empty places for what a session knows.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    bytes: Bytes,
    /// Where each packet starts in `bytes`.
    starts: Vec<u32>,
}

/// What one session counts.
#[derive(Debug, Clone)]
pub(crate) struct Counting {
    pub(crate) channel: u8,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

impl Cut {
    /// Cuts an access unit; the marker stands on its last packet.
    pub(crate) fn new<'a>(codec: Codec, nals: impl IntoIterator<Item = &'a Bytes>) -> Self {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for nal in nals {
            if nal.len() <= PAYLOAD_MAX {
                packet(&mut bytes, &mut starts, &[], nal);
            } else {
                fragments(codec, nal, &mut bytes, &mut starts);
            }
        }
        if let Some(&last) = starts.last() {
            bytes[last as usize + 5] |= 0x80;
        }
        Self { bytes: bytes.into(), starts }
    }
    /// Counts the packets as if they had been sent and lost on the way.
    pub(crate) fn lose(&self, counting: &mut Counting) {
        counting.sequence = counting.sequence.wrapping_add(self.starts.len() as u16);
    }
    /// Appends the packets with this session's headers to `out` and counts them.
    pub(crate) fn stamp(&self, counting: &mut Counting, rtp_time: u32, out: &mut Vec<u8>) {
        let base = out.len();
        out.extend_from_slice(&self.bytes);
        for &start in &self.starts {
            let head = &mut out[base + start as usize..][..HEAD];
            head[1] = counting.channel;
            head[6..8].copy_from_slice(&counting.sequence.to_be_bytes());
            head[8..12].copy_from_slice(&rtp_time.to_be_bytes());
            head[12..16].copy_from_slice(&counting.ssrc.to_be_bytes());
            counting.sequence = counting.sequence.wrapping_add(1);
        }
        let packets = self.starts.len();
        counting.packets = counting.packets.wrapping_add(packets as u32);
        counting.octets = counting.octets.wrapping_add((self.bytes.len() - packets * HEAD) as u32);
    }
}

fn packet(bytes: &mut Vec<u8>, starts: &mut Vec<u32>, prefix: &[u8], payload: &[u8]) {
    starts.push(bytes.len() as u32);
    let length = (12 + prefix.len() + payload.len()) as u16;
    bytes.extend_from_slice(&[b'$', 0]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&[0x80, PAYLOAD_TYPE]);
    bytes.extend_from_slice(&[0; 10]);
    bytes.extend_from_slice(prefix);
    bytes.extend_from_slice(payload);
}

/// FU-A (RFC 6184 §5.8) or fragmentation units (RFC 7798 §4.4.3).
fn fragments(codec: Codec, nal: &[u8], bytes: &mut Vec<u8>, starts: &mut Vec<u32>) {
    let header_len = if codec == Codec::H264 { 1 } else { 2 };
    let (header, body) = nal.split_at(header_len);
    let pieces = body.chunks(PAYLOAD_MAX - header_len - 1);
    let last = pieces.len() - 1;
    for (i, piece) in pieces.enumerate() {
        let edge = if i == 0 { 0x80 } else { 0 } | if i == last { 0x40 } else { 0 };
        match codec {
            Codec::H264 => packet(bytes, starts, &[header[0] & 0xe0 | 28, edge | header[0] & 0x1f], piece),
            Codec::H265 => {
                let kind = header[0] >> 1 & 0x3f;
                packet(bytes, starts, &[header[0] & 0x81 | 49 << 1, header[1], edge | kind], piece);
            }
        }
    }
}

/// Seconds from 1900 (NTP) to 1970.
const NTP_OFFSET_S: i64 = 2_208_988_800;

/// Appends a sender report (RFC 3550 §6.4.1) with the SDES item every compound packet needs, on the odd channel.
pub(crate) fn sender_report(counting: &Counting, utc_us: i64, rtp_time: u32, out: &mut Vec<u8>) {
    let seconds = (utc_us.div_euclid(1_000_000) + NTP_OFFSET_S) as u32;
    let fraction = ((utc_us.rem_euclid(1_000_000) << 32) / 1_000_000) as u32;
    // SDES: one chunk, CNAME `sim`, a null that ends the list, padded to four bytes.
    const SDES: [u8; 8] = [1, 3, b's', b'i', b'm', 0, 0, 0];
    let words = [counting.ssrc, seconds, fraction, rtp_time, counting.packets, counting.octets];
    out.extend_from_slice(&[b'$', counting.channel + 1, 0, 28 + 16]);
    out.extend_from_slice(&[0x80, 200, 0, 6]);
    words.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
    out.extend_from_slice(&[0x81, 202, 0, 3]);
    out.extend_from_slice(&counting.ssrc.to_be_bytes());
    out.extend_from_slice(&SDES);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> Counting {
        Counting { channel: 2, ssrc: 0x0102_0304, sequence: u16::MAX, packets: 0, octets: 0 }
    }

    /// Puts the NAL units together again the way a receiver does.
    fn joined(codec: Codec, mut stream: &[u8]) -> Vec<Vec<u8>> {
        let mut nals: Vec<Vec<u8>> = Vec::new();
        while let [b'$', _, a, b, rest @ ..] = stream {
            let (packet, after) = rest.split_at(usize::from(u16::from_be_bytes([*a, *b])));
            let payload = &packet[12..];
            assert!(payload.len() <= PAYLOAD_MAX);
            match (codec, payload[0] & 0x1f, payload[0] >> 1 & 0x3f) {
                (Codec::H264, 28, _) => {
                    if payload[1] & 0x80 != 0 {
                        nals.push(vec![payload[0] & 0xe0 | payload[1] & 0x1f]);
                    }
                    nals.last_mut().unwrap().extend_from_slice(&payload[2..]);
                }
                (Codec::H265, _, 49) => {
                    if payload[2] & 0x80 != 0 {
                        nals.push(vec![payload[0] & 0x81 | (payload[2] & 0x3f) << 1, payload[1]]);
                    }
                    nals.last_mut().unwrap().extend_from_slice(&payload[3..]);
                }
                _ => nals.push(payload.to_vec()),
            }
            stream = after;
        }
        assert!(stream.is_empty());
        nals
    }

    #[test]
    fn units_of_every_length_around_the_limit_come_back_whole() {
        for codec in [Codec::H264, Codec::H265] {
            for length in [2, 1399, 1400, 1401, 1402, 2795, 2796, 2797, 2798, 2799, 50_000] {
                let nal: Vec<u8> = (0..length).map(|i| if i == 0 { 0x26 } else { (i * 7) as u8 }).collect();
                let nals = [Bytes::from_static(&[0x40, 1, 9]), Bytes::from(nal)];
                let mut out = Vec::new();
                Cut::new(codec, &nals).stamp(&mut counting(), 77, &mut out);
                assert_eq!(joined(codec, &out), nals, "{codec:?} {length}");
            }
        }
    }

    #[test]
    fn only_the_last_packet_has_the_marker_and_the_sequence_wraps() {
        let nals = [Bytes::from(vec![0x65; 3000])];
        let (mut out, mut counting) = (Vec::new(), counting());
        Cut::new(Codec::H264, &nals).stamp(&mut counting, 0xdead_beef, &mut out);
        let mut at = 0;
        let mut seen = Vec::new();
        while at < out.len() {
            assert_eq!(out[at + 1], 2);
            assert_eq!(out[at + 8..at + 16], [0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4]);
            seen.push((out[at + 5] & 0x80 != 0, u16::from_be_bytes([out[at + 6], out[at + 7]])));
            at += 4 + usize::from(u16::from_be_bytes([out[at + 2], out[at + 3]]));
        }
        assert_eq!(seen, [(false, u16::MAX), (false, 0), (true, 1)]);
        assert_eq!((counting.packets, counting.octets, counting.sequence), (3, 2999 + 6, 2));
    }
}
