//! Plays scenarios.
fn main() {}
