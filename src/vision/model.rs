//! What a detector is: bytes, layout, labels, licence.

use std::path::Path;

use crate::domain::refusal::Refusal;

/// A detector ready to be loaded.
#[derive(Debug, Clone)]
pub struct Model {
    /// The ONNX file.
    pub bytes: bytes::Bytes,
    /// SHA-256, hex.
    pub sha256: String,
}

#[expect(missing_docs, unused_variables, clippy::missing_errors_doc, reason = "stub")]
impl Model {
    pub fn load(path: &Path) -> Result<Self, Refusal> {
        todo!()
    }
}
