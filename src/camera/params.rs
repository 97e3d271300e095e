//! What retina knows of a stream, in the words of the house; and which access units are key frames.

use std::sync::Arc;

use bytes::Bytes;
use retina::codec::{VideoParameters, VideoParametersCodec};

use crate::domain::packet::{Codec, StreamParams};

/// The parameters, or `None` for a codec that is not recorded or a sample entry that cannot be built.
pub(super) fn stream_params(video: &VideoParameters) -> Option<StreamParams> {
    let codec = match video.codec_params() {
        VideoParametersCodec::H264 { .. } => Codec::H264,
        VideoParametersCodec::H265 { .. } => Codec::H265,
        _ => return None,
    };
    let (width, height) = video.pixel_dimensions();
    Some(StreamParams {
        codec,
        rfc6381: video.rfc6381_codec().to_owned(),
        width,
        height,
        sample_entry: Bytes::from(video.mp4_sample_entry().build().ok()?),
        decoder_config: Bytes::copy_from_slice(video.extra_data()),
    })
}

/// Keeps one `Arc` until the parameters really change: cameras repeat them at every key frame.
pub fn renew(current: &mut Option<Arc<StreamParams>>, video: &VideoParameters) {
    if let Some(new) = stream_params(video)
        && current.as_deref() != Some(&new)
    {
        *current = Some(Arc::new(new));
    }
}

/// Whether decoding can start at this access unit (NAL units behind 4-byte lengths): an IDR slice of H.264 (type 5), or
/// any H.265 slice of types 16..=21. Retina marks only IDR, and an open-GOP H.265 stream has none.
#[must_use]
pub fn is_key(codec: Codec, data: &[u8]) -> bool {
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some(&header) = tail.first().filter(|_| length > 0) else { return false };
        let key = match codec {
            Codec::H264 => header & 0x1f == 5,
            Codec::H265 => (16..=21).contains(&(header >> 1 & 0x3f)),
        };
        if key {
            return true;
        }
        let Some(next) = tail.get(length..) else { return false };
        rest = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|n| [&u32::try_from(n.len()).unwrap().to_be_bytes()[..], n].concat()).collect()
    }

    #[test]
    fn key_frames_are_told_by_nal_type() {
        assert!(is_key(Codec::H264, &unit(&[&[0x06, 1], &[0x65, 2]])));
        assert!(!is_key(Codec::H264, &unit(&[&[0x06, 1], &[0x41, 2]])));
        // CRA (21), BLA (16) and IDR (19) of H.265; TRAIL (1) and the parameter sets (32..) are none.
        for (kind, key) in [(21u8, true), (16, true), (19, true), (1, false), (15, false), (22, false), (32, false)] {
            assert_eq!(is_key(Codec::H265, &unit(&[&[kind << 1, 1, 9]])), key, "{kind}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_look_for_key_frames(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = is_key(Codec::H264, &data);
            let _ = is_key(Codec::H265, &data);
        }
    }
}
