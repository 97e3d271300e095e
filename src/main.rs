//! The `vonglau` program.

fn main() {}
