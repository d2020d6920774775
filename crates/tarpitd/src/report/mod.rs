//! Reports about clients and the daemon: trace, log, totals.

pub(crate) mod anonymize;
mod backlog;
pub(crate) mod busiest;
pub(crate) mod counter;
pub(crate) mod geoip;
pub(crate) mod held;
pub(crate) mod live_line;
pub(crate) mod log;
pub(crate) mod markup;
pub(crate) mod observed;
pub(crate) mod origins;
pub(crate) mod record;
pub(crate) mod refusal;
pub(crate) mod sketch;
pub(crate) mod target;
pub(crate) mod timestamp;
pub(crate) mod totals;
pub(crate) mod trace;
pub(crate) mod trace_bound;
pub(crate) mod units;
pub(crate) mod world;
pub(crate) mod writer;
