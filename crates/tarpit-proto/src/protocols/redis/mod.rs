//! Redis (RESP 2 and 3, and inline commands).

mod hold;

pub(super) use hold::REDIS;
