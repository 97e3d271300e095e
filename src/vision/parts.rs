//! A model on its way to the child, part by part.

use super::{
    classifier::{CLASSIFIER_BYTES_MAX, ClassifierSpec},
    model::{MODEL_BYTES_MAX, ModelSpec},
};

/// What was said before the parts.
#[derive(Debug)]
pub enum Announced {
    /// A detector.
    Detector(ModelSpec),
    /// An extra classifier.
    Classifier(ClassifierSpec),
}

/// What has come of it.
#[derive(Debug)]
pub struct Parts {
    what: Announced,
    size: usize,
    bytes: Vec<u8>,
}

impl Parts {
    /// Nothing yet of so many bytes.
    #[must_use]
    pub fn of(what: Announced, size: u64) -> Self {
        let most = match what {
            Announced::Detector(_) => MODEL_BYTES_MAX,
            Announced::Classifier(_) => CLASSIFIER_BYTES_MAX,
        };
        let size = usize::try_from(size.min(most)).unwrap_or(usize::MAX);
        Self { what, size, bytes: Vec::new() }
    }
    /// The next bytes: the whole of it, or what there is so far.
    ///
    /// # Errors
    /// More than was said.
    pub fn add(mut self, data: &[u8]) -> Result<Result<(Vec<u8>, Announced), Self>, &'static str> {
        if self.bytes.len() + data.len() > self.size {
            return Err("more of a model than was said");
        }
        self.bytes.extend_from_slice(data);
        Ok(if self.bytes.len() == self.size { Ok((self.bytes, self.what)) } else { Err(self) })
    }
}
