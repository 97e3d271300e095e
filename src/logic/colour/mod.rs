//! Colours and looks of what was seen, from the pixels of its box.

mod appearance;
pub mod named;

pub use appearance::Appearance;
