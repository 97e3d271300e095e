//! config

pub mod rules;
