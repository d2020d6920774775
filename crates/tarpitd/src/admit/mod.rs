//! Admission, eviction and budgets.

pub(crate) mod access;
pub(crate) mod admission;
pub(crate) mod cpu;
pub(crate) mod egress;
pub(crate) mod eviction;
pub(crate) mod forwarded;
pub(crate) mod load;
pub(crate) mod relays;
pub(crate) mod room;
