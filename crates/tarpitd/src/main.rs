//! A network tarpit.

mod config;

fn main() {}
