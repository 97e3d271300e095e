//! The key frame nearest to a moment, with what a decoder needs to show it.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use mp4_atom::{Decode, Moof};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, SeekFrom},
};

use super::{fmp4, playback::PlaybackError};
use crate::{
    domain::{
        ids::{SegmentId, StreamId},
        packet::{Codec, ticks_to_us},
        segment::{FragmentEntry, Segment},
        time::{MediaTime, Span},
    },
    store::Store,
};

/// What was shown at a moment may have ended so much earlier, microseconds: the newest fragment is not on disk at once.
const BEFORE_US: i64 = 5_000_000;
/// The largest `moof` that is read.
const MOOF_BYTES_MAX: usize = 1 << 20;

/// Where a key frame lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// In which file …
    pub segment: SegmentId,
    /// … and where its fragment starts there; with `segment` a name that never comes back for another picture.
    pub offset: u64,
    /// When it was taken.
    pub time: MediaTime,
    /// How it is coded.
    pub codec: Codec,
    path: PathBuf,
    init_bytes: u32,
    size_bytes: u32,
}

/// A picture that can be decoded alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFrame {
    /// AVC or HEVC decoder configuration record.
    pub decoder_config: Bytes,
    /// NAL units behind 4-byte lengths.
    pub data: Bytes,
}

impl KeyPlace {
    /// The key frame at or before `at` in what was recorded then; from the index alone.
    ///
    /// # Errors
    /// [`PlaybackError::Nothing`] when nothing was recorded then.
    pub async fn find(store: &Store, folder: &Path, stream: StreamId, at: MediaTime) -> Result<Self, PlaybackError> {
        let span = Span { start_us: at.us().saturating_sub(BEFORE_US), end_us: at.us().saturating_add(1) };
        let segments = store.segments_in(stream, span).await?;
        let shown = segments.iter().rev().find_map(|s| key_before(s, span)).ok_or(PlaybackError::Nothing)?;
        let (segment, entry) = shown;
        Ok(Self {
            segment: segment.id,
            offset: entry.offset,
            time: time_of(segment, entry.start_90k),
            codec: segment.codec,
            path: folder.join(&segment.path),
            init_bytes: segment.init_bytes,
            size_bytes: entry.size_bytes,
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`PlaybackError::File`] when the file is not there any more or not what the index says.
    pub async fn read(&self) -> Result<KeyFrame, PlaybackError> {
        let read = self.read_file().await;
        read.map_err(|error| PlaybackError::File { path: self.path.display().to_string(), why: error.to_string() })
    }

    async fn read_file(&self) -> io::Result<KeyFrame> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if self.init_bytes > fmp4::INIT_BYTES_MAX {
            return Err(wrong("the index says the file's head is too large"));
        }
        let mut file = File::open(&self.path).await?;
        let mut init = vec![0; self.init_bytes as usize];
        file.read_exact(&mut init).await?;
        let decoder_config = decoder_config(&init).ok_or_else(|| wrong("no decoder configuration"))?;
        file.seek(SeekFrom::Start(self.offset)).await?;
        let mut size = [0; 4];
        file.read_exact(&mut size).await?;
        let moof_bytes = u32::from_be_bytes(size) as usize;
        if !(8..=MOOF_BYTES_MAX).contains(&moof_bytes) || moof_bytes + 8 > self.size_bytes as usize {
            return Err(wrong("no fragment where the index says"));
        }
        let mut moof = vec![0; moof_bytes];
        moof[..4].copy_from_slice(&size);
        file.read_exact(&mut moof[4..]).await?;
        let sample = first_sample_bytes(&moof).filter(|n| moof_bytes + 8 + n <= self.size_bytes as usize);
        // Behind `moof` stand the 8 bytes of the head of `mdat`.
        let mut data = vec![0; 8 + sample.ok_or_else(|| wrong("no sample where the index says"))?];
        file.read_exact(&mut data).await?;
        Ok(KeyFrame { decoder_config, data: Bytes::from(data).slice(8..) })
    }
}

fn time_of(segment: &Segment, ticks: u64) -> MediaTime {
    MediaTime(segment.start_us.saturating_add(ticks_to_us(ticks.min(1 << 56).cast_signed())))
}

fn key_before(segment: &Segment, span: Span) -> Option<(&Segment, FragmentEntry)> {
    let starts_in_time = |e: &FragmentEntry| time_of(segment, e.start_90k).us() < span.end_us;
    let last = segment.fragments.iter().rposition(starts_in_time)?;
    let shown = segment.fragments[last];
    let end = time_of(segment, shown.start_90k.saturating_add(u64::from(shown.duration_90k)));
    let key = segment.fragments[..=last].iter().rfind(|e| e.key)?;
    (end.us() > span.start_us).then_some((segment, *key))
}

fn first_sample_bytes(moof: &[u8]) -> Option<usize> {
    let moof = Moof::decode(&mut &moof[..]).ok()?;
    usize::try_from(moof.traf.first()?.trun.first()?.samples.get(0)?.size?).ok()
}

/// The AVC or HEVC decoder configuration record in the sample entry of an `init` of ours.
fn decoder_config(init: &[u8]) -> Option<Bytes> {
    let mut within = init;
    for kind in [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"] {
        within = fmp4::boxes(within).find(|(found, _)| found == kind)?.1;
    }
    // ISO/IEC 14496-12 §8.5.2: version, flags and count before the entries; §12.1.3: 78 bytes before an entry's boxes.
    let (_, entry) = fmp4::boxes(within.get(8..)?).next()?;
    let config = fmp4::boxes(entry.get(78..)?).find(|(kind, _)| matches!(kind, b"avcC" | b"hvcC"))?.1;
    Some(Bytes::copy_from_slice(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{info, params};

    #[test]
    fn the_decoder_configuration_is_found_in_the_head_of_a_file() {
        let init = fmp4::init(&params(), &info()).unwrap();
        assert_eq!(decoder_config(&init), Some(params().decoder_config.clone()));
        for cut in 0..init.len() {
            // Cut anywhere it is found or not, but nothing panics.
            let _ = decoder_config(&init[..cut]);
        }
        assert_eq!(decoder_config(b"nothing"), None);
    }
}
