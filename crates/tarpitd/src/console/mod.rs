//! What a person at a terminal sees.

pub(crate) mod patterns;
pub(crate) mod welcome;
