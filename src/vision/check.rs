//! What the parent does not believe a child.

use bytes::Bytes;

use super::link::{ITEMS_MAX, LinkError, TEXT_MAX, Up};
use crate::domain::track::{FrameSeen, LABEL_BYTES_MAX, LABELS_MAX};

impl Up {
    /// Refuses what a sound child never says. The parent believes nothing before.
    ///
    /// # Errors
    /// [`LinkError::Impossible`].
    pub fn check(&self) -> Result<(), LinkError> {
        let jpeg = |bytes: &Bytes| bytes.starts_with(&[0xff, 0xd8]);
        let sound = match self {
            Self::Seen(seen) => {
                if [seen.motion.len(), seen.tracks.len(), seen.ended.len()].iter().any(|n| *n > ITEMS_MAX) {
                    return Err(LinkError::Impossible("a frame with thousands of objects"));
                }
                let scores = seen.tracks.iter().all(|t| [t.score, t.identity].iter().all(|v| (0.0..=1.0).contains(v)));
                scores && labels_are_sound(seen)
            }
            Self::Look(look) => return look.check().map_err(LinkError::Impossible),
            Self::Picture { jpeg: picture, .. } => jpeg(picture),
            Self::Health(health) => health.measured.is_sound() && health.since <= health.time,
            Self::Reference { reference, .. } => reference.is_sound(),
            Self::SnapshotDone { plain, boxed, .. } => jpeg(plain) && jpeg(boxed),
            Self::StillDone { jpeg: still, .. } => still.as_ref().is_none_or(jpeg),
            Self::Detector { name, why } => [name, why].into_iter().flatten().all(|t| t.len() <= TEXT_MAX),
            Self::Classifier { file, why } => {
                file.len() <= LABEL_BYTES_MAX && why.as_ref().is_none_or(|t| t.len() <= TEXT_MAX)
            }
            Self::Failure { text } => text.len() <= TEXT_MAX,
            Self::Effort(effort) => {
                effort.cameras.len() <= ITEMS_MAX
                    && effort.cameras.iter().all(|f| f.replaced <= f.due && f.due <= f.decoded)
            }
            Self::Sandbox { lacks } => lacks.is_sorted_by(|a, b| a < b),
            Self::Hello | Self::Ack { .. } | Self::SnapshotGone { .. } | Self::Totals(_) | Self::Done => true,
        };
        if sound { Ok(()) } else { Err(LinkError::Impossible("a score, picture or text out of bounds")) }
    }
}

/// Words of classifiers are on things of this very frame, each short and with a score.
fn labels_are_sound(seen: &FrameSeen) -> bool {
    let short = |text: &str| text.len() <= LABEL_BYTES_MAX;
    seen.labels.len() <= LABELS_MAX
        && seen.labels.iter().all(|l| {
            (l.camera, l.time) == (seen.camera, seen.time)
                && (0.0..=1.0).contains(&l.score)
                && [&l.model, &l.model_sha256, &l.label].into_iter().all(|text| short(text))
        })
}
