//! Behaviour in virtual time: transcripts for each pattern, and what holds for all of them.

#![expect(clippy::expect_used, reason = "a test that finds nothing has failed")]

mod all_patterns;
mod endless_banner;
mod stage;
