//! The registry: every pattern by its name, one line each, in alphabetical order.

mod endless_banner;

use core::time::Duration;

use crate::{
    pacer::{Pace, Unit},
    script::Pattern,
};

/// All patterns.
pub const ALL: &[&dyn Pattern] = &[&endless_banner::EndlessBanner];

/// The pattern called `name`, in any case.
pub fn named(name: &str) -> Option<&'static dyn Pattern> {
    ALL.iter().copied().find(|pattern| pattern.name().eq_ignore_ascii_case(name))
}

/// A line or packet every 8 seconds: below every inactivity limit that was measured, and no more
/// packets than that takes.
pub(crate) const EVERY_8_SECONDS: Pace =
    Pace { unit: Unit::Chunk, interval: Duration::from_secs(8) };

/// A byte every 8 seconds, for headers and records that a client reads as they come.
pub(crate) const BYTE_EVERY_8_SECONDS: Pace =
    Pace { unit: Unit::Byte, interval: Duration::from_secs(8) };
