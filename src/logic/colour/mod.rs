//! Colours and looks of what was seen, from the pixels of its box.

mod appearance;

pub use appearance::Appearance;
