//! Clients of SMTP.

use super::{Row, STAYS_UNSERVED, guess, until};
use crate::client::demand::Demand;
use crate::client::listener::{AUTO_SMTP, Listener, SMTP_ENDLESS_EHLO, SMTP_HOLD};
use crate::client::tool::{CURL, HYDRA, MEDUSA, MSMTP, PYTHON, SWAKS};

const HOLDS: &[&Listener] = &[&SMTP_HOLD, &AUTO_SMTP];

const SWAKS_COMMAND: &str = "swaks --server {host} --port {port} --helo client.example.org \
     --from sender@example.org --to receiver@example.org";

pub(super) static ROWS: &[Row] = &[
    Row {
        client: "swaks",
        on: &[&SMTP_ENDLESS_EHLO],
        demands: &[until(
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
        demands: &[until(120, "it waits 120 s for each whole reply")],
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
        demands: &[Demand::NoSuccess, guess(15)],
        tool: &MEDUSA,
        command: "medusa -M smtp -u admin -P {scripts}/seven.txt -h {host} -n {port}",
    },
];
