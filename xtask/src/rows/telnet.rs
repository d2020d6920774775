//! Clients of Telnet.

use super::tools::{HYDRA, MEDUSA, NCRACK, NMAP_SCRIPTS};
use crate::client::banner::Banner;
use crate::client::demand::{Demand, STAYS_UNSERVED};
use crate::client::listener::Listener;
use crate::client::probe::Probe;
use crate::client::row::{Clients, Row};
use crate::client::scan::{CAMERA, DEBIAN, NMAP, Scan, WINDOWS, Wanted};
use crate::client::tool::Tool;

pub(super) static CLIENTS: Clients =
    Clients { rows: ROWS, scans: SCANS, probes: PROBES, banners: BANNERS };

static AUTO_TELNET: Listener = Listener::auto("auto, port 2323", 2323);
static TELNET_LOGIN: Listener = Listener::of("telnet_login");

static TELNET: Tool = Tool::debian("telnet", "inetutils-telnet", "telnet");

const HOLDS: &[&Listener] = &[&TELNET_LOGIN, &AUTO_TELNET];

const ROWS: &[Row] = &[
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
        demands: &[Demand::NoSuccess, Demand::guess(15)],
        tool: &MEDUSA,
        command: "medusa -M telnet -u admin -P {scripts}/seven.txt -h {host} -n {port}",
    },
    Row {
        client: "nmap -sV -sC",
        on: HOLDS,
        demands: &[Demand::connection(4_000), Demand::Names("Linux telnetd")],
        tool: &NMAP,
        command: NMAP_SCRIPTS,
    },
];

const LINUX_TELNETD: Wanted = Wanted::Product(&["Linux telnetd"]);

const SCANS: &[Scan] = &[
    Scan::of(&TELNET_LOGIN, LINUX_TELNETD),
    // nmap goes on with other protocols' probes, none of which may be served there.
    Scan::of(&AUTO_TELNET, LINUX_TELNETD),
    Scan { on: &TELNET_LOGIN, persona: DEBIAN, wanted: LINUX_TELNETD },
    Scan {
        on: &TELNET_LOGIN,
        persona: WINDOWS,
        wanted: Wanted::Product(&["Microsoft Windows XP telnetd", "Microsoft telnetd"]),
    },
    Scan {
        on: &TELNET_LOGIN,
        persona: CAMERA,
        wanted: Wanted::Product(&["BusyBox telnetd", "security DVR telnetd"]),
    },
];

const PROBES: &[Probe] = &[Probe {
    on: &TELNET_LOGIN,
    scripts: &["telnet-brute", "telnet-encryption"],
    arguments: "userdb={scripts}/users.txt,passdb={scripts}/seven.txt,\
                    telnet-brute.timeout=20s",
    openings: &["Valid credentials", "supports encryption"],
}];

const BANNERS: &[Banner] = &[Banner { on: &TELNET_LOGIN, port: 23, wanted: "login:" }];
