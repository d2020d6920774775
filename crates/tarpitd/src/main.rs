//! A network tarpit.
fn main() {}
