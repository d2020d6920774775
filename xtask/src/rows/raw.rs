//! Clients of no protocol, and the port that serves every protocol.

use crate::client::demand::STAYS;
use crate::client::listener::{AUTO, Listener};
use crate::client::row::{Clients, Row};
use crate::client::scan::{Scan, Wanted};
use crate::client::tool::Tool;

pub(super) static CLIENTS: Clients =
    Clients { rows: ROWS, scans: SCANS, probes: &[], banners: &[] };

static ENDLESS_BANNER: Listener = Listener::of("endless_banner");
static EGSH_AMINOAS: Listener = Listener::of("egsh_aminoas");

static NETCAT: Tool = Tool::debian("netcat", "netcat-openbsd", "nc.openbsd");

const ROWS: &[Row] = &[Row {
    client: "netcat",
    on: &[&ENDLESS_BANNER, &EGSH_AMINOAS],
    demands: STAYS,
    tool: &NETCAT,
    // It prints what it receives: a tarpit that floods it must not fill the disk.
    command: "prlimit --fsize=1048576 nc.openbsd -d {host} {port}",
}];

const SCANS: &[Scan] = &[
    // What speaks first on a port without a usual protocol is drawn for each.
    Scan::of(&AUTO, Wanted::Version(&["OpenSSH", "vsftpd", "Exim smtpd"])),
];
