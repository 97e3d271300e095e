//! Pictures of moments long past: decoded once, kept a while, never more than a few at once.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, oneshot};

use super::error::ApiError;
use crate::{
    domain::{geometry::Polygon, refusal::Refusal},
    record::still::KeyPlace,
    runtime::ask::{StillAsk, Stills as Decoder},
};

/// Decoded at once; the others wait.
const AT_ONCE: usize = 2;
/// Pictures kept, and bytes of them.
const KEPT_MAX: usize = 256;
const KEPT_BYTES_MAX: usize = 16 << 20;

/// The decoder of key frames, and what it made last.
#[derive(Debug)]
pub struct Stills {
    decoder: Option<Decoder>,
    places: Semaphore,
    kept: Mutex<Kept>,
}

/// Segment, offset in it, and what of the picture is hidden.
type Name = (i64, u64, String);

/// A short name of what is hidden, so that a picture made with other masks is another one; empty for nothing.
pub(super) fn hidden(privacy: &[Polygon]) -> String {
    if privacy.is_empty() {
        return String::new();
    }
    let corners =
        privacy.iter().flat_map(|mask| mask.corners().iter().map(|p| format!("{},{} ", p.x, p.y)).chain([";".into()]));
    let mut mark = hex::encode(Sha256::digest(corners.collect::<String>()));
    mark.truncate(16);
    mark
}

/// Newest last.
#[derive(Debug, Default)]
struct Kept {
    pictures: VecDeque<(Name, Bytes)>,
    bytes: usize,
}

impl Kept {
    fn put(&mut self, name: Name, jpeg: &Bytes) {
        self.bytes += jpeg.len();
        self.pictures.push_back((name, jpeg.clone()));
        while self.pictures.len() > KEPT_MAX || self.bytes > KEPT_BYTES_MAX {
            let Some((_, oldest)) = self.pictures.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

impl Stills {
    /// With what decodes, or nothing where analysis does not run.
    #[must_use]
    pub fn new(decoder: Option<Decoder>) -> Self {
        Self { decoder, places: Semaphore::new(AT_ONCE), kept: Mutex::default() }
    }

    /// The picture of that key frame, without what must not be shown.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] when it cannot be decoded, [`ApiError::Internal`] when its file cannot be read.
    pub(super) async fn picture(&self, place: &KeyPlace, privacy: Vec<Polygon>) -> Result<Bytes, ApiError> {
        let name = (place.segment.0, place.offset, hidden(&privacy));
        if let Some(jpeg) = self.find(&name) {
            return Ok(jpeg);
        }
        // It is never closed.
        let _place = self.places.acquire().await;
        // Another may have asked for the same meanwhile.
        if let Some(jpeg) = self.find(&name) {
            return Ok(jpeg);
        }
        let key = place.read().await?;
        let (reply, answer) = oneshot::channel();
        let ask = StillAsk { codec: place.codec, decoder_config: key.decoder_config, data: key.data, privacy, reply };
        let sent = match &self.decoder {
            Some(decoder) => decoder.send(ask).await.is_ok(),
            None => false,
        };
        let jpeg = if sent { answer.await.ok() } else { None };
        let jpeg = jpeg.ok_or_else(|| {
            let vi = "khung hình này chưa giải mã được (phần phân tích hình có thể đang dừng); hãy phát đoạn hình, hoặc thử lại";
            let en = "that frame could not be decoded (the analysis may be stopped); play the recording, or try again";
            ApiError::NotFound(Refusal::new("picture", vi, en))
        })?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).put(name, &jpeg);
        Ok(jpeg)
    }

    fn find(&self, name: &Name) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.pictures.iter().find(|(n, _)| n == name).map(|(_, jpeg)| jpeg.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_with_other_masks_is_another_picture() {
        let strip = |x: f32| Polygon::new([[0.0, 0.0], [x, 0.0], [x, 1.0]].map(Into::into).to_vec()).unwrap();
        let names = [vec![], vec![strip(0.2)], vec![strip(0.3)], vec![strip(0.2), strip(0.3)]].map(|m| hidden(&m));
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!((different.len(), names[0].as_str()), (4, ""));
        assert_eq!(hidden(&[strip(0.2)]), names[1]);
    }

    #[test]
    fn only_so_many_pictures_and_bytes_are_kept_and_the_oldest_go_first() {
        let mut kept = Kept::default();
        for n in 0..1000 {
            kept.put((n, 0, String::new()), &Bytes::from(vec![0; if n < 500 { 10 } else { 1 << 20 }]));
            assert!(kept.pictures.len() <= KEPT_MAX && kept.bytes <= KEPT_BYTES_MAX);
        }
        assert_eq!(kept.pictures.len(), 16);
        assert_eq!(kept.pictures.front().map(|(name, _)| name.0), Some(984));
        assert_eq!(kept.bytes, 16 << 20);
    }
}
