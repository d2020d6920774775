//! The installation's identity: its seed, its host keys, its certificates.

pub(crate) mod certificates;
pub(crate) mod host_keys;
pub(crate) mod identity;
mod machine_certificate;
pub(crate) mod state_dir;
