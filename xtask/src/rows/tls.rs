//! Clients of TLS.

use super::tools::{CURL, GO, PYTHON};
use crate::client::demand::STAYS;
use crate::client::listener::{AUTO, Listener};
use crate::client::row::{Clients, Row};
use crate::client::scan::{CAMERA, DEBIAN, Scan, WINDOWS, Wanted};
use crate::client::tool::Tool;

pub(super) static CLIENTS: Clients = Clients { rows: ROWS, scans: SCANS, probes: &[] };

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
];

const SCANS: &[Scan] = &[
    Scan::of(&TLS_HTTP, Wanted::Secure("Apache httpd")),
    Scan::of(&TLS_RECORD_DRIP, Wanted::Service),
    Scan { on: &TLS_HTTP, persona: DEBIAN, wanted: Wanted::Secure("nginx") },
    Scan { on: &TLS_HTTP, persona: WINDOWS, wanted: Wanted::Secure("Microsoft IIS httpd") },
    Scan { on: &TLS_HTTP, persona: CAMERA, wanted: Wanted::Secure("Boa") },
];
