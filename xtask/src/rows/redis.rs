//! Clients of Redis.

use super::tools::{HYDRA, NCRACK, NMAP_SCRIPTS};
use crate::client::demand::{Demand, STAYS_UNSERVED};
use crate::client::listener::Listener;
use crate::client::row::{Clients, Row};
use crate::client::scan::{CAMERA, DEBIAN, NMAP, Scan, WINDOWS, Wanted};
use crate::client::tool::Tool;

pub(super) static CLIENTS: Clients =
    Clients { rows: ROWS, scans: SCANS, probes: &[], banners: &[] };

/// nmap asks for the version on Redis's own ports only.
static REDIS_HOLD: Listener =
    Listener { name: "redis_hold", pattern: "redis_hold", keys: "", port: Some(6379) };
static AUTO_REDIS: Listener = Listener::auto("auto, port 6380", 6380);

static REDIS_CLI: Tool = Tool::debian("redis-cli", "redis-tools", "redis-cli");
static REDIS_PY: Tool = Tool::python("redis", "8.1.0");

const HOLDS: &[&Listener] = &[&REDIS_HOLD, &AUTO_REDIS];

const ROWS: &[Row] = &[
    Row {
        client: "redis-cli",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &REDIS_CLI,
        command: "redis-cli -h {host} -p {port} get key",
    },
    Row {
        client: "redis-cli, info",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &REDIS_CLI,
        command: "redis-cli -h {host} -p {port} info",
    },
    Row {
        client: "redis-cli, a password",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &REDIS_CLI,
        command: "redis-cli -h {host} -p {port} -a foobared get key",
    },
    Row {
        client: "redis-py",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &REDIS_PY,
        command: "{python} {scripts}/redis_get.py {host} {port}",
    },
    Row {
        client: "hydra redis",
        on: HOLDS,
        demands: &[
            Demand::until(15, "it tries its seven passwords side by side, and takes the verdict"),
            Demand::NoSuccess,
        ],
        tool: &HYDRA,
        command: "hydra -I -V -P {scripts}/seven.txt -s {port} {host} redis",
    },
    Row {
        client: "ncrack redis",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &NCRACK,
        command: "ncrack -P {scripts}/seven.txt redis://{host}:{port}",
    },
    Row {
        client: "nmap -sV -sC",
        on: &[&REDIS_HOLD],
        demands: &[Demand::connection(4_000), Demand::Names("Redis key-value store")],
        tool: &NMAP,
        command: NMAP_SCRIPTS,
    },
];

const REDIS: Wanted = Wanted::Version(&["Redis key-value store"]);

const SCANS: &[Scan] = &[
    Scan::of(&REDIS_HOLD, REDIS),
    // What nmap asks for first on such a port is a page, which is served there as well.
    Scan::of(&AUTO_REDIS, Wanted::Version(&["Redis key-value store", "Apache httpd"])),
    Scan { on: &REDIS_HOLD, persona: DEBIAN, wanted: REDIS },
    Scan { on: &REDIS_HOLD, persona: WINDOWS, wanted: REDIS },
    Scan { on: &REDIS_HOLD, persona: CAMERA, wanted: REDIS },
];
