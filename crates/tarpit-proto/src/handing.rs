//! Hands a client on to another pattern, greeting first.
//!
//! ```text
//!            the pattern greets                  sent
//! hand_on() ────────────────────► Send(greeting) ────► arrive() ──► Become(pattern)
//!     │  it does not, or has                                              ▲
//!     └───────────────────────────────────────────────────────────────────┘
//! ```
//! Between the two the pattern's place in the registry is [`Run::count`], so that a client amid its
//! greeting can be written down. What it has said and nobody took is heard by the pattern.

use alloc::vec::Vec;

use crate::{
    patterns,
    script::{Chunk, Cx, Manner, Pattern, Run, Step},
};

/// Sends the greeting of `pattern`, whole and at once, in the phase `greeting`; or lets it take
/// over at once if there is none. On [`Heard::Sent`](crate::script::Heard::Sent) in that phase,
/// answer [`arrive`].
///
/// The pattern must be in the registry.
pub(crate) fn hand_on(
    run: &mut Run,
    greeting: impl Into<u8>,
    pattern: &'static dyn Pattern,
    cx: &mut Cx<'_>,
) -> Step {
    match greet(run, greeting, pattern, cx) {
        Some(step) => step,
        None => Step::Become(pattern),
    }
}

/// Lets the pattern take over that was greeted for.
pub(crate) fn arrive(run: &Run) -> Step {
    // Only what was saved by another binary could lead elsewhere, and that is not resumed.
    patterns::at(run.count).map_or(Step::REST, Step::Become)
}

/// Sends the greeting of `pattern` like [`hand_on`]; `None` if there is none.
pub(crate) fn greet(
    run: &mut Run,
    greeting: impl Into<u8>,
    pattern: &'static dyn Pattern,
    cx: &mut Cx<'_>,
) -> Option<Step> {
    let mut words = Vec::new();
    run.count = patterns::place(pattern)?;
    if !pattern.greet(cx, &mut words) || words.is_empty() {
        return None;
    }
    run.enter(greeting);
    Some(Step::Send(Manner::Whole, Chunk::Boxed(words.into())))
}
