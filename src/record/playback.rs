//! A playable MP4 for any range, made on the fly.

use std::{ops::Range, path::Path};

use bytes::Bytes;
use futures::Stream;

use crate::{
    domain::{ids::StreamId, time::Span},
    store::{Store, StoreError},
};

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
}

#[expect(missing_docs, unused_variables, clippy::missing_errors_doc, reason = "stub")]
impl Media {
    pub async fn plan(store: &Store, folder: &Path, stream: StreamId, span: Span) -> Result<Self, PlaybackError> {
        todo!()
    }
    pub fn read(self, range: Range<u64>) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        futures::stream::empty()
    }
}
