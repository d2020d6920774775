//! The chores: one file for each word behind `cargo xtask`.

pub(crate) mod banners;
pub(crate) mod bench;
pub(crate) mod clients;
pub(crate) mod dist;
pub(crate) mod docs;
pub(crate) mod form;
pub(crate) mod install;
pub(crate) mod report;
pub(crate) mod score;
pub(crate) mod soak;
pub(crate) mod test;
pub(crate) mod vanish;
