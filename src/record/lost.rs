//! Packets that could not be recorded, gathered into one gap.

use super::segmenter::Fragment;
use crate::{
    domain::{ids::StreamId, segment::GapCause, time::Span},
    store::Gap,
};

/// A row of lost fragments of one stream.
#[derive(Debug)]
pub(super) struct Lost {
    stream: StreamId,
    cause: GapCause,
    why: String,
    span: Option<Span>,
    packets: usize,
}

impl Lost {
    /// Nothing is lost yet.
    pub(super) fn new(stream: StreamId, cause: GapCause, why: String) -> Self {
        Self { stream, cause, why, span: None, packets: 0 }
    }
    /// Adds a fragment.
    pub(super) fn add(&mut self, fragment: &Fragment) {
        let (start_us, end_us) = (fragment.start.us(), fragment.end.us().max(fragment.start.us()));
        self.span = Some(match self.span {
            Some(span) => Span { start_us: span.start_us.min(start_us), end_us: span.end_us.max(end_us) },
            None => Span { start_us, end_us },
        });
        self.packets += fragment.samples.len();
    }
    /// The row for the gap ledger.
    pub(super) fn gap(self) -> Gap {
        let span = self.span.unwrap_or(Span { start_us: 0, end_us: 0 });
        Gap {
            stream: self.stream,
            span,
            cause: self.cause,
            evidence: format!("{} packets: {}", self.packets, self.why),
        }
    }
}
