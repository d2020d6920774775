//! What is told of clients and of the daemon: trace, log, totals.

pub(crate) mod accounts;
pub(crate) mod live;
pub(crate) mod log;
pub(crate) mod record;
pub(crate) mod refusal;
pub(crate) mod timestamp;
pub(crate) mod totals;
pub(crate) mod trace;
pub(crate) mod trace_bound;
pub(crate) mod writer;
