//! Clients of FTP.

use super::{Row, STAYS_UNSERVED, guess, until};
use crate::client::demand::Demand;
use crate::client::listener::{AUTO_FTP, FTP_ENDLESS_MOTD, FTP_HOLD, Listener};
use crate::client::tool::{CURL, HYDRA, LFTP, MEDUSA, NCRACK, PYTHON};

const HOLDS: &[&Listener] = &[&FTP_HOLD, &AUTO_FTP];

const CURL_COMMAND: &str = "curl --silent --show-error --output /dev/null ftp://{host}:{port}/";

pub(super) static ROWS: &[Row] = &[
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
        demands: &[until(120, "it waits 120 s for each whole reply")],
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
            until(
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
        demands: &[Demand::NoSuccess, guess(15)],
        tool: &MEDUSA,
        command: "medusa -M ftp -u admin -P {scripts}/seven.txt -h {host} -n {port}",
    },
];
