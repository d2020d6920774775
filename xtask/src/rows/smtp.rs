//! Clients of SMTP.

use super::tools::{CURL, HYDRA, MEDUSA, NMAP_SCRIPTS, PYTHON};
use crate::client::banner::Banner;
use crate::client::demand::{Demand, STAYS_UNSERVED};
use crate::client::listener::Listener;
use crate::client::probe::Probe;
use crate::client::row::{Clients, Row};
use crate::client::scan::{CAMERA, DEBIAN, NMAP, Scan, WINDOWS, Wanted};
use crate::client::tool::Tool;

pub(super) static CLIENTS: Clients =
    Clients { rows: ROWS, scans: SCANS, probes: PROBES, banners: BANNERS };

static AUTO_SMTP: Listener = Listener::auto("auto, port 2525", 2525);
static SMTP_ENDLESS_EHLO: Listener = Listener::of("smtp_endless_ehlo");
static SMTP_FAST: Listener = Listener::fast("smtp_hold, fast", "smtp_hold");
static SMTP_HOLD: Listener = Listener::of("smtp_hold");

static MSMTP: Tool = Tool::debian("msmtp", "msmtp", "msmtp");
static SWAKS: Tool = Tool::debian("swaks", "swaks", "swaks");

const HOLDS: &[&Listener] = &[&SMTP_HOLD, &AUTO_SMTP];

const SWAKS_COMMAND: &str = "swaks --server {host} --port {port} --helo client.example.org \
     --from sender@example.org --to receiver@example.org";

const ROWS: &[Row] = &[
    Row {
        client: "swaks",
        on: &[&SMTP_ENDLESS_EHLO],
        demands: &[Demand::until(
            88,
            "it waits 30 s for each whole reply: to EHLO, then to HELO, then to QUIT",
        )],
        tool: &SWAKS,
        command: SWAKS_COMMAND,
    },
    Row {
        client: "swaks",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &SWAKS,
        command: SWAKS_COMMAND,
    },
    Row {
        client: "smtplib",
        on: &[&SMTP_ENDLESS_EHLO, &SMTP_HOLD, &AUTO_SMTP],
        demands: STAYS_UNSERVED,
        tool: &PYTHON,
        command: "{python} {scripts}/smtplib_send.py {host} {port}",
    },
    Row {
        client: "msmtp",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &MSMTP,
        command: "msmtp --host={host} --port={port} --from=sender@example.org \
                  receiver@example.org",
    },
    Row {
        client: "curl smtp",
        on: &[&SMTP_ENDLESS_EHLO],
        demands: &[Demand::until(120, "it waits 120 s for each whole reply")],
        tool: &CURL,
        command: "curl --silent --show-error --output /dev/null smtp://{host}:{port}/",
    },
    Row {
        client: "curl smtp",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &CURL,
        command: "curl --silent --show-error --mail-from sender@example.org \
                  --mail-rcpt receiver@example.org --upload-file {scripts}/mail.txt \
                  smtp://{host}:{port}/",
    },
    Row {
        client: "hydra smtp",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &HYDRA,
        command: "hydra -I -V -l admin -P {scripts}/seven.txt -s {port} {host} smtp",
    },
    Row {
        client: "medusa smtp",
        on: HOLDS,
        demands: &[Demand::NoSuccess, Demand::guess(15)],
        tool: &MEDUSA,
        command: "medusa -M smtp -u admin -P {scripts}/seven.txt -h {host} -n {port}",
    },
    Row {
        client: "nmap -sV -sC",
        on: HOLDS,
        demands: &[Demand::connection(4_000), Demand::Names("Exim smtpd 4.95")],
        tool: &NMAP,
        command: NMAP_SCRIPTS,
    },
];

const EXIM: Wanted = Wanted::Version(&["Exim smtpd"]);

const SCANS: &[Scan] = &[
    Scan::of(&SMTP_ENDLESS_EHLO, EXIM),
    Scan::of(&SMTP_HOLD, EXIM),
    Scan::of(&AUTO_SMTP, EXIM),
    Scan { on: &SMTP_HOLD, persona: DEBIAN, wanted: EXIM },
    Scan {
        on: &SMTP_HOLD,
        persona: WINDOWS,
        wanted: Wanted::Version(&["Microsoft ESMTP", "Microsoft Exchange smtpd"]),
    },
    Scan { on: &SMTP_HOLD, persona: CAMERA, wanted: Wanted::Version(&["Sendmail"]) },
];

/// Openings of a mail server. Where a rate is set nothing waits, and the scripts get further.
const OPENINGS: Probe = Probe {
    on: &SMTP_HOLD,
    scripts: &[
        "smtp-open-relay",
        "smtp-enum-users",
        "smtp-commands",
        "smtp-vuln-cve2010-4344",
        "smtp-strangeport",
    ],
    arguments: "userdb={scripts}/users.txt",
    openings: &["is an open relay", "RCPT, ", "VRFY, ", "EXPN, ", "VULNERABLE"],
};

const PROBES: &[Probe] = &[
    Probe { on: &SMTP_HOLD, ..OPENINGS },
    Probe { on: &SMTP_FAST, ..OPENINGS },
    Probe { on: &SMTP_ENDLESS_EHLO, ..OPENINGS },
];

const BANNERS: &[Banner] = &[Banner { on: &SMTP_HOLD, port: 25, wanted: "ESMTP Exim 4.95 Ubuntu" }];
