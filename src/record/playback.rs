//! A playable MP4 for any range, made on the fly from the index; only the front is new, the rest is read as it is asked for.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::Stream;
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, SeekFrom},
};

use super::fmp4::{self, DECODE_TIME_AT, SEQUENCE_AT};
use crate::{
    domain::{
        ids::StreamId,
        packet::ticks_to_us,
        segment::{FragmentEntry, Segment},
        time::Span,
    },
    store::{Store, StoreError},
};

/// Bytes read at once.
const CHUNK: u64 = 256 << 10;
/// Neighbours further apart than this have a gap between them, microseconds.
const GAP_US: i64 = 50_000;
/// A fragment that reaches less than this into the span is left out: times are rounded, and a part that is asked for by its
/// own start must not begin with the part before it.
const TOUCH_US: i64 = 1000;

/// Why nothing can be played.
#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    /// Nothing was recorded then.
    #[error("nothing was recorded in that span")]
    Nothing,
    /// The picture's parameters change inside the span; one file cannot hold both parts.
    #[error("the camera changed its picture format inside the span")]
    ParametersChange(Vec<Span>),
    /// The index could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first file is not there any more or not what the index says.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// A file that does not exist: its length is known and any range of it can be read.
#[derive(Debug)]
pub struct Media {
    /// Bytes.
    pub len: u64,
    /// Such as `video/mp4; codecs="avc1.4d401e"`.
    pub mime: String,
    /// Strong entity tag, with its quotes.
    pub etag: String,
    /// What it really covers: from the key frame at or before the asked start to the end of the last fragment.
    pub span: Span,
    /// The stretches without a gap it is made of, in order. Gaps are closed in playing time.
    pub parts: Vec<Part>,
    /// How long it plays, microseconds.
    pub duration_us: i64,
    front: Bytes,
    pieces: Vec<Piece>,
}

/// A stretch without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// When it was recorded.
    pub span: Span,
    /// Where it starts in the media, microseconds.
    pub media_start_us: i64,
}

/// A fragment's place in the media.
#[derive(Debug)]
struct Piece {
    path: Arc<Path>,
    offset: u64,
    at: u64,
    size_bytes: u32,
    decode_time: u64,
}

/// A fragment of the plan.
struct Chosen<'a> {
    segment: &'a Segment,
    entry: FragmentEntry,
    span: Span,
}

impl Media {
    /// Plans the media for `span` of a stream from the index alone; of the files only the first one's head is read.
    ///
    /// # Errors
    /// See [`PlaybackError`].
    pub async fn plan(store: &Store, folder: &Path, stream: StreamId, span: Span) -> Result<Self, PlaybackError> {
        if span.len_us() == 0 {
            return Err(PlaybackError::Nothing);
        }
        let segments = store.segments_in(stream, span).await?;
        let chosen = choose(&segments, span);
        let first = chosen.first().ok_or(PlaybackError::Nothing)?;
        check_parameters(&chosen)?;
        let entries: Vec<_> = chosen.iter().map(|c| c.entry).collect();
        let path = folder.join(&first.segment.path);
        let front = front(&path, first.segment.init_bytes, &entries)
            .await
            .map_err(|error| PlaybackError::File { path: path.display().to_string(), why: error.to_string() })?;
        let parts = parts(&chosen);
        let whole = Span { start_us: first.span.start_us, end_us: chosen[chosen.len() - 1].span.end_us };
        let pieces = pieces(folder, &chosen, front.len() as u64);
        Ok(Self {
            len: pieces.last().map_or(0, |p| p.at + u64::from(p.size_bytes)),
            mime: format!("video/mp4; codecs=\"{}\"", first.segment.rfc6381),
            etag: etag(&chosen, span),
            span: whole,
            parts,
            duration_us: media_us(entries.iter().map(|e| u64::from(e.duration_90k)).sum()),
            front: front.into(),
            pieces,
        })
    }
    /// The bytes of `range`, in pieces of at most 256 KiB; files are opened when they are reached. Ends early with an
    /// error naming the path when a file has vanished meanwhile.
    pub fn read(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let end = range.end.min(self.len);
        let reader = Reader { front: self.front, pieces: self.pieces, at: range.start, end, open: None };
        futures::stream::try_unfold(reader, |mut reader| async move {
            Ok(reader.next().await?.map(|bytes| (bytes, reader)))
        })
    }
}

fn choose(segments: &[Segment], span: Span) -> Vec<Chosen<'_>> {
    let mut chosen: Vec<Chosen<'_>> = Vec::new();
    let inner = Span { start_us: span.start_us.saturating_add(TOUCH_US.min(span.len_us() - 1)), end_us: span.end_us };
    for segment in segments {
        let all = segment.fragments.iter().map(|&entry| {
            let us = |ticks: u64| segment.start_us.saturating_add(ticks_to_us(ticks.min(1 << 56).cast_signed()));
            let (start, end) = (entry.start_90k, entry.start_90k.saturating_add(u64::from(entry.duration_90k)));
            Chosen { segment, entry, span: Span { start_us: us(start), end_us: us(end) } }
        });
        let mut all: Vec<_> = all.collect();
        let Some(mut first) = all.iter().position(|c| c.span.meets(inner)) else { continue };
        let last = all.iter().rposition(|c| c.span.meets(inner)).unwrap_or(first);
        if chosen.is_empty() {
            // Decoding starts at a key frame: the one at or before, or else the next one.
            let before = all[..=first].iter().rposition(|c| c.entry.key);
            let Some(key) = before.or_else(|| all[..=last].iter().position(|c| c.entry.key)) else { continue };
            first = key;
        }
        chosen.extend(all.drain(first..=last));
    }
    chosen
}

fn check_parameters(chosen: &[Chosen<'_>]) -> Result<(), PlaybackError> {
    let mut runs: Vec<(&str, Span)> = Vec::new();
    for c in chosen {
        match runs.last_mut() {
            Some((params, span)) if *params == c.segment.params_sha256 => span.end_us = c.span.end_us,
            _ => runs.push((&c.segment.params_sha256, c.span)),
        }
    }
    if runs.len() > 1 {
        let mut spans: Vec<Span> = runs.into_iter().map(|(_, span)| span).collect();
        for i in 1..spans.len() {
            spans[i - 1].end_us = spans[i - 1].end_us.min(spans[i].start_us);
        }
        return Err(PlaybackError::ParametersChange(spans));
    }
    Ok(())
}

fn parts(chosen: &[Chosen<'_>]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut ticks = 0;
    for c in chosen {
        match parts.last_mut() {
            Some(part) if (c.span.start_us - part.span.end_us).abs() <= GAP_US => part.span.end_us = c.span.end_us,
            _ => parts.push(Part { span: c.span, media_start_us: media_us(ticks) }),
        }
        ticks += u64::from(c.entry.duration_90k);
    }
    parts
}

fn media_us(ticks: u64) -> i64 {
    ticks_to_us(ticks.min(1 << 56).cast_signed())
}

fn pieces(folder: &Path, chosen: &[Chosen<'_>], front_bytes: u64) -> Vec<Piece> {
    let (mut at, mut decode_time) = (front_bytes, 0);
    let mut path: Arc<Path> = Arc::from(folder);
    let mut of = None;
    let piece = |c: &Chosen<'_>| {
        if of != Some(c.segment.id) {
            of = Some(c.segment.id);
            path = Arc::from(folder.join(&c.segment.path));
        }
        let FragmentEntry { offset, size_bytes, duration_90k, .. } = c.entry;
        let piece = Piece { path: path.clone(), offset, at, size_bytes, decode_time };
        at += u64::from(size_bytes);
        decode_time += u64::from(duration_90k);
        piece
    };
    chosen.iter().map(piece).collect()
}

fn etag(chosen: &[Chosen<'_>], span: Span) -> String {
    let mut hash = Sha256::new();
    hash.update(span.start_us.to_be_bytes());
    hash.update(span.end_us.to_be_bytes());
    // A file only grows, so where the first fragment starts and the last one ends in it says what lies between.
    for of_one in chosen.chunk_by(|a, b| a.segment.id == b.segment.id) {
        let (first, last) = (of_one[0].entry, of_one[of_one.len() - 1].entry);
        hash.update(of_one[0].segment.id.0.to_be_bytes());
        hash.update(first.offset.to_be_bytes());
        hash.update((last.offset + u64::from(last.size_bytes)).to_be_bytes());
    }
    let hash = hex::encode(hash.finalize());
    format!("\"{}\"", &hash[..32])
}

async fn front(path: &PathBuf, init_bytes: u32, entries: &[FragmentEntry]) -> io::Result<Vec<u8>> {
    if init_bytes > fmp4::INIT_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the index says the file's head is too large"));
    }
    let mut init = vec![0; init_bytes as usize];
    File::open(path).await?.read_exact(&mut init).await?;
    fmp4::clip_front(&init, entries).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

struct Reader {
    front: Bytes,
    pieces: Vec<Piece>,
    at: u64,
    end: u64,
    open: Option<(Arc<Path>, File)>,
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let front = self.front.len() as u64;
        if self.at < front {
            // Both lie inside the front.
            let [from, to] = [self.at, self.end.min(front)].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
            self.at = to as u64;
            return Ok(Some(self.front.slice(from..to)));
        }
        let index = self.pieces.partition_point(|p| p.at <= self.at).saturating_sub(1);
        let Some(piece) = self.pieces.get(index) else { return Ok(None) };
        let within = self.at - piece.at;
        let bytes = CHUNK.min(u64::from(piece.size_bytes) - within).min(self.end - self.at);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", piece.path.display()));
        let mut file = match self.open.take() {
            Some((path, file)) if path == piece.path => file,
            _ => File::open(&piece.path).await.map_err(named)?,
        };
        file.seek(SeekFrom::Start(piece.offset + within)).await.map_err(named)?;
        let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(0)];
        file.read_exact(&mut buffer).await.map_err(named)?;
        let sequence = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        overlay(&mut buffer, within, SEQUENCE_AT, &sequence.to_be_bytes());
        overlay(&mut buffer, within, DECODE_TIME_AT, &piece.decode_time.to_be_bytes());
        self.open = Some((piece.path.clone(), file));
        self.at += bytes;
        Ok(Some(buffer.into()))
    }
}

/// Puts `patch`, which stands at `at` in a fragment, over the part of it that is in `buffer`, which starts at `from`.
fn overlay(buffer: &mut [u8], from: u64, at: u64, patch: &[u8]) {
    for (position, &byte) in (at..).zip(patch) {
        let index = position.checked_sub(from).and_then(|i| usize::try_from(i).ok());
        if let Some(place) = index.and_then(|i| buffer.get_mut(i)) {
            *place = byte;
        }
    }
}
