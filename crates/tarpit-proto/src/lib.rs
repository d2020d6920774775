//! What a tarpit says, and when.
#![no_std]
#![forbid(unsafe_code)]
