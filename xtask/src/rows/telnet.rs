//! Clients of Telnet.

use super::{Row, STAYS_UNSERVED, guess};
use crate::client::demand::Demand;
use crate::client::listener::{AUTO_TELNET, Listener, TELNET_LOGIN};
use crate::client::tool::{HYDRA, MEDUSA, NCRACK, TELNET};

const HOLDS: &[&Listener] = &[&TELNET_LOGIN, &AUTO_TELNET];

pub(super) static ROWS: &[Row] = &[
    Row {
        // Somebody types a name and a password.
        client: "telnet",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &TELNET,
        command: "{scripts}/type.sh root admin -- telnet {host} {port}",
    },
    Row {
        client: "hydra telnet",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &HYDRA,
        command: "hydra -I -V -l admin -P {scripts}/seven.txt -s {port} {host} telnet",
    },
    Row {
        client: "ncrack telnet",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &NCRACK,
        command: "ncrack --user admin -P {scripts}/seven.txt telnet://{host}:{port}",
    },
    Row {
        client: "medusa telnet",
        on: HOLDS,
        demands: &[Demand::NoSuccess, guess(15)],
        tool: &MEDUSA,
        command: "medusa -M telnet -u admin -P {scripts}/seven.txt -h {host} -n {port}",
    },
];
