//! Framing that patterns share: how each protocol's lines, packets and records are made and read.

pub(crate) mod text;
