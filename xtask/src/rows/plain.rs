//! Clients of no protocol.

use super::{Row, STAYS};
use crate::client::listener::{EGSH_AMINOAS, ENDLESS_BANNER};
use crate::client::tool::NETCAT;

pub(super) static ROWS: &[Row] = &[Row {
    client: "netcat",
    on: &[&ENDLESS_BANNER, &EGSH_AMINOAS],
    demands: STAYS,
    tool: &NETCAT,
    // It prints what it receives: a tarpit that floods it must not fill the disk.
    command: "prlimit --fsize=1048576 nc.openbsd -d {host} {port}",
}];
