//! Clients of TLS.

use super::{Row, STAYS};
use crate::client::listener::{
    AUTO, Listener, TLS_ENDLESS_HELLO_REQUEST, TLS_HTTP, TLS_RECORD_DRIP, TLS_SLOW_HELLO,
};
use crate::client::tool::{CURL, GNUTLS, GO, OPENSSL, PYTHON};

const HOLDS: &[&Listener] = &[&TLS_RECORD_DRIP, &TLS_HTTP, &AUTO];

pub(super) static ROWS: &[Row] = &[
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
