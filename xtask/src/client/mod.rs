//! What a row of real clients is made of: the tool, the listener, and what is demanded.

pub(crate) mod banner;
pub(crate) mod demand;
pub(crate) mod dialect;
pub(crate) mod listener;
pub(crate) mod probe;
pub(crate) mod row;
pub(crate) mod scan;
pub(crate) mod span;
pub(crate) mod tool;
