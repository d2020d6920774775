//! Clients of TLS.

use super::tools::{CURL, GO, NMAP_SCRIPTS, PYTHON};
use crate::client::banner::Banner;
use crate::client::demand::{Demand, STAYS};
use crate::client::listener::{AUTO, Listener};
use crate::client::row::{Clients, Row};
use crate::client::scan::{CAMERA, DEBIAN, NMAP, Scan, WINDOWS, Wanted};
use crate::client::tool::Tool;

pub(super) static CLIENTS: Clients =
    Clients { rows: ROWS, scans: SCANS, probes: &[], banners: BANNERS };

static TLS_ENDLESS_HELLO_REQUEST: Listener = Listener::of("tls_endless_hello_request");
pub(super) static TLS_HTTP: Listener = Listener {
    name: "tls, inner http_hold",
    pattern: "tls",
    keys: "inner = \"http_hold\"\n",
    // Scanners look for TLS behind this port first, and behind others after half a minute.
    port: Some(8443),
};
static TLS_RECORD_DRIP: Listener = Listener::of("tls_record_drip");
static TLS_SLOW_HELLO: Listener = Listener::of("tls_slow_hello");

static GNUTLS: Tool = Tool::debian("gnutls-cli", "gnutls-bin", "gnutls-cli");
static OPENSSL: Tool = Tool::debian("openssl", "openssl", "openssl");
static SSLSCAN: Tool = Tool::debian("sslscan", "sslscan", "sslscan");
static TESTSSL: Tool = Tool::debian("testssl", "testssl.sh", "testssl");

/// They leave when they have their answer; the answer is late.
const LATE: &[Demand] = &[Demand::connection(4_000)];

/// Whom those meet who want nothing but a handshake, or what can be learnt in many.
const ANSWERS: &[&Listener] = &[&TLS_HTTP, &AUTO];

const HOLDS: &[&Listener] = &[&TLS_RECORD_DRIP, &TLS_HTTP, &AUTO];

const ROWS: &[Row] = &[
    Row {
        client: "curl https",
        on: &[&TLS_SLOW_HELLO, &TLS_RECORD_DRIP],
        demands: STAYS,
        tool: &CURL,
        command: "curl --silent --show-error --insecure --output /dev/null https://{host}:{port}/",
    },
    Row {
        client: "openssl s_client",
        on: &[&TLS_SLOW_HELLO, &TLS_ENDLESS_HELLO_REQUEST, &TLS_RECORD_DRIP, &TLS_HTTP, &AUTO],
        demands: STAYS,
        tool: &OPENSSL,
        command: "{scripts}/type.sh GET\\x20/\\x20HTTP/1.0\\r \\r -- \
                  openssl s_client -connect {host}:{port}",
    },
    Row {
        // It counts 40 seconds for each handshake message, and not inside one record.
        client: "gnutls-cli",
        on: &[&TLS_SLOW_HELLO, &TLS_RECORD_DRIP, &TLS_HTTP, &AUTO],
        demands: STAYS,
        tool: &GNUTLS,
        command: "{scripts}/type.sh GET\\x20/\\x20HTTP/1.0\\r \\r -- \
                  gnutls-cli --insecure --port {port} {host}",
    },
    Row {
        client: "Go crypto/tls",
        on: HOLDS,
        demands: STAYS,
        tool: &GO,
        command: "{go} tls {host}:{port}",
    },
    Row {
        client: "Python ssl",
        on: HOLDS,
        demands: STAYS,
        tool: &PYTHON,
        command: "{python} {scripts}/ssl_connect.py {host} {port}",
    },
    Row {
        client: "Go crypto/tls, handshake",
        on: ANSWERS,
        demands: LATE,
        tool: &GO,
        command: "{go} handshake {host}:{port}",
    },
    Row {
        client: "Python ssl, handshake",
        on: ANSWERS,
        demands: LATE,
        tool: &PYTHON,
        command: "{python} {scripts}/ssl_connect.py {host} {port} handshake",
    },
    Row {
        // It gives up after 3 seconds for an answer, and the whole scan when it misses the first.
        client: "sslscan",
        on: ANSWERS,
        demands: &[Demand::Stays, Demand::connection(2_500)],
        tool: &SSLSCAN,
        command: "sslscan --no-colour {host}:{port}",
    },
    Row {
        client: "testssl",
        on: ANSWERS,
        demands: &[Demand::Stays, Demand::connection(4_000)],
        tool: &TESTSSL,
        command: "testssl --warnings batch --color 0 {host}:{port}",
    },
    Row {
        client: "nmap, scripts for TLS",
        on: ANSWERS,
        demands: LATE,
        tool: &NMAP,
        command: "nmap -n -Pn -sT -p {port} --script \
                  +ssl-cert,+ssl-date,+ssl-enum-ciphers,+ssl-dh-params,+ssl-known-key,+tls-alpn,\
                  +tls-nextprotoneg {host}",
    },
    Row {
        client: "nmap -sV -sC",
        on: &[&TLS_HTTP],
        demands: &[Demand::connection(4_000), Demand::Names("ssl/http Apache httpd 2.4.52")],
        tool: &NMAP,
        command: NMAP_SCRIPTS,
    },
];

const SCANS: &[Scan] = &[
    Scan::of(&TLS_HTTP, Wanted::Secure("Apache httpd")),
    Scan::of(&TLS_RECORD_DRIP, Wanted::Service),
    Scan { on: &TLS_HTTP, persona: DEBIAN, wanted: Wanted::Secure("nginx") },
    Scan { on: &TLS_HTTP, persona: WINDOWS, wanted: Wanted::Secure("Microsoft IIS httpd") },
    Scan { on: &TLS_HTTP, persona: CAMERA, wanted: Wanted::Secure("Boa") },
];

const BANNERS: &[Banner] = &[Banner { on: &TLS_HTTP, port: 443, wanted: "[ssl]" }];
