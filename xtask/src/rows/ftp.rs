//! Clients of FTP.

use super::tools::{CURL, HYDRA, MEDUSA, NCRACK, NMAP_SCRIPTS, PYTHON};
use crate::client::banner::Banner;
use crate::client::demand::{Demand, STAYS_UNSERVED};
use crate::client::listener::Listener;
use crate::client::probe::Probe;
use crate::client::row::{Clients, Row};
use crate::client::scan::{CAMERA, DEBIAN, NMAP, Scan, WINDOWS, Wanted};
use crate::client::tool::Tool;

pub(super) static CLIENTS: Clients =
    Clients { rows: ROWS, scans: SCANS, probes: PROBES, banners: BANNERS };

static AUTO_FTP: Listener = Listener::auto("auto, port 2121", 2121);
static FTP_ENDLESS_MOTD: Listener = Listener::of("ftp_endless_motd");
static FTP_FAST: Listener = Listener::fast("ftp_hold, fast", "ftp_hold");
static FTP_HOLD: Listener = Listener::of("ftp_hold");

static LFTP: Tool = Tool::debian("lftp", "lftp", "lftp");

const HOLDS: &[&Listener] = &[&FTP_HOLD, &AUTO_FTP];

const CURL_COMMAND: &str = "curl --silent --show-error --output /dev/null ftp://{host}:{port}/";

const ROWS: &[Row] = &[
    Row {
        client: "ftplib",
        on: &[&FTP_ENDLESS_MOTD, &FTP_HOLD, &AUTO_FTP],
        demands: STAYS_UNSERVED,
        tool: &PYTHON,
        command: "{python} {scripts}/ftplib_login.py {host} {port}",
    },
    Row {
        client: "lftp",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &LFTP,
        command: "lftp -u admin,admin -p {port} -e ls;exit {host}",
    },
    Row {
        client: "curl ftp",
        on: &[&FTP_ENDLESS_MOTD],
        demands: &[Demand::until(120, "it waits 120 s for each whole reply")],
        tool: &CURL,
        command: CURL_COMMAND,
    },
    Row {
        client: "curl ftp",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &CURL,
        command: CURL_COMMAND,
    },
    Row {
        client: "hydra ftp",
        on: HOLDS,
        demands: &[
            Demand::until(
                32,
                "it tries its seven passwords side by side, and gives up each after a refusal or \
                 32 s of silence",
            ),
            Demand::NoSuccess,
        ],
        tool: &HYDRA,
        command: "hydra -I -V -l admin -P {scripts}/seven.txt -s {port} {host} ftp",
    },
    Row {
        client: "ncrack ftp",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &NCRACK,
        command: "ncrack --user admin -P {scripts}/seven.txt ftp://{host}:{port}",
    },
    Row {
        client: "medusa ftp",
        on: HOLDS,
        demands: &[Demand::NoSuccess, Demand::guess(15)],
        tool: &MEDUSA,
        command: "medusa -M ftp -u admin -P {scripts}/seven.txt -h {host} -n {port}",
    },
    Row {
        client: "nmap -sV -sC",
        on: HOLDS,
        demands: &[Demand::connection(4_000), Demand::Names("vsftpd 3.0.5")],
        tool: &NMAP,
        command: NMAP_SCRIPTS,
    },
];

const VSFTPD: Wanted = Wanted::Version(&["vsftpd"]);

const SCANS: &[Scan] = &[
    Scan::of(&FTP_ENDLESS_MOTD, VSFTPD),
    Scan::of(&FTP_HOLD, VSFTPD),
    Scan::of(&AUTO_FTP, VSFTPD),
    Scan { on: &FTP_HOLD, persona: DEBIAN, wanted: VSFTPD },
    Scan { on: &FTP_HOLD, persona: WINDOWS, wanted: Wanted::Product(&["Microsoft ftpd"]) },
    Scan { on: &FTP_HOLD, persona: CAMERA, wanted: VSFTPD },
];

/// Openings of a server of files. Where a rate is set nothing waits, and the scripts get further.
const OPENINGS: Probe = Probe {
    on: &FTP_HOLD,
    scripts: &[
        "ftp-anon",
        "ftp-bounce",
        "ftp-syst",
        "ftp-libopie",
        "ftp-proftpd-backdoor",
        "ftp-vsftpd-backdoor",
    ],
    arguments: "ftp-bounce.checkhost=127.0.0.1",
    openings: &["login allowed", "bounce working", "low ports", "VULNERABLE"],
};

const PROBES: &[Probe] =
    &[Probe { on: &FTP_HOLD, ..OPENINGS }, Probe { on: &FTP_FAST, ..OPENINGS }];

const BANNERS: &[Banner] = &[Banner { on: &FTP_HOLD, port: 21, wanted: "220 (vsFTPd 3.0.5)" }];
