//! Patterns that answer any client.

pub(crate) mod egsh_aminoas;
pub(crate) mod endless_banner;
