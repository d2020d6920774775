//! The protocols that are held, a folder each.

pub(crate) mod ftp;
pub(crate) mod http;
pub(crate) mod raw;
pub(crate) mod shell;
pub(crate) mod smtp;
pub(crate) mod ssh;
pub(crate) mod telnet;
pub(crate) mod tls;
