//! A decoded picture in main memory.

use std::sync::Arc;

use super::{ids::CameraId, time::MediaTime};

/// One decoded picture, I420 (BT.601 planes Y, U, V), rows packed without padding.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Whose.
    pub camera: CameraId,
    /// When it was taken.
    pub time: MediaTime,
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// `width*height` luma bytes, then two chroma planes of a quarter each.
    pub data: Arc<[u8]>,
}

impl Frame {
    /// The bytes an I420 picture of that size takes.
    #[must_use]
    pub const fn size_bytes(width: u32, height: u32) -> usize {
        let luma = width as usize * height as usize;
        luma + 2 * (width as usize).div_ceil(2) * (height as usize).div_ceil(2)
    }
    /// The luma plane, row by row.
    #[must_use]
    pub fn luma(&self) -> &[u8] {
        &self.data[..self.width as usize * self.height as usize]
    }
    /// The two chroma planes U and V, each `ceil(width/2) × ceil(height/2)`.
    #[must_use]
    pub fn chroma(&self) -> (&[u8], &[u8]) {
        let luma = self.width as usize * self.height as usize;
        let quarter = (self.width as usize).div_ceil(2) * (self.height as usize).div_ceil(2);
        (&self.data[luma..luma + quarter], &self.data[luma + quarter..luma + 2 * quarter])
    }
}
