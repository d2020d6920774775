//! The table of real clients: which one meets which pattern, and how long it has to stay.
//!
//! A client is started with its defaults, as its user would start it; what is added only keeps it
//! from asking questions, from reading its user's files and from writing what it receives to disk.

use std::time::Duration;

use crate::install::{
    CHROMIUM, CURL, GNUTLS, HYDRA, MEDUSA, NCRACK, NETCAT, OPENSSH, OPENSSL, PARAMIKO, PYTHON,
    REQUESTS, SWAKS, Tool, WGET,
};

/// One client on one pattern.
pub(crate) struct Row {
    /// The client, with the option that makes this row a row of its own.
    pub(crate) client: &'static str,
    /// The pattern it meets.
    pub(crate) pattern: &'static str,
    /// How long it must stay.
    pub(crate) stays: Stays,
    /// What must be installed.
    pub(crate) tool: &'static Tool,
    /// Its command line, divided at spaces; `runner::Job::new` lists what stands in braces.
    pub(crate) command: &'static str,
}

/// How long a client has to stay.
#[derive(Clone, Copy)]
pub(crate) enum Stays {
    /// As long as we watch: nothing that we know of makes it leave.
    AsLongAsWatched,
    /// The client ends by a limit of its own, whatever it is told.
    OwnLimit { limit: Duration, why: &'static str },
}

use Stays::{AsLongAsWatched, OwnLimit};

/// Every row, by protocol.
pub(crate) static ROWS: &[Row] = &[
    // Plain banners.
    Row {
        client: "netcat",
        pattern: "endless_banner",
        stays: AsLongAsWatched,
        tool: &NETCAT,
        command: NETCAT_COMMAND,
    },
    Row {
        client: "netcat",
        pattern: "egsh_aminoas",
        stays: AsLongAsWatched,
        tool: &NETCAT,
        command: NETCAT_COMMAND,
    },
    // SSH.
    Row {
        client: "OpenSSH",
        pattern: "endlessh",
        stays: AsLongAsWatched,
        tool: &OPENSSH,
        command: "ssh -F none -p {port} root@{host}",
    },
    Row {
        client: "OpenSSH",
        pattern: "ssh_trans_hold",
        stays: AsLongAsWatched,
        tool: &OPENSSH,
        command: "ssh -F none -p {port} root@{host}",
    },
    Row {
        // It bounds the connection and the identification line, not the key exchange.
        client: "OpenSSH, ConnectTimeout=10",
        pattern: "ssh_trans_hold",
        stays: AsLongAsWatched,
        tool: &OPENSSH,
        command: "ssh -F none -o ConnectTimeout=10 -p {port} root@{host}",
    },
    Row {
        // Its limit is 5 seconds without a byte.
        client: "ssh-keyscan",
        pattern: "ssh_trans_hold",
        stays: AsLongAsWatched,
        tool: &OPENSSH,
        command: "ssh-keyscan -p {port} {host}",
    },
    Row {
        // Its 15 seconds for the handshake are over with our KEXINIT, and nothing bounds the rest.
        client: "paramiko",
        pattern: "ssh_trans_hold",
        stays: AsLongAsWatched,
        tool: &PARAMIKO,
        command: "{python} {scripts}/paramiko_login.py {host} {port}",
    },
    Row {
        client: "hydra ssh",
        pattern: "ssh_trans_hold",
        stays: OwnLimit {
            limit: Duration::from_secs(24),
            why: "its SSH library gives everything before the password 26 to 33 s in all",
        },
        tool: &HYDRA,
        command: "hydra -I -t 1 -l root -P {scripts}/passwords.txt -s {port} {host} ssh",
    },
    Row {
        client: "medusa ssh",
        pattern: "ssh_trans_hold",
        stays: AsLongAsWatched,
        tool: &MEDUSA,
        command: "medusa -M ssh -u root -P {scripts}/passwords.txt -h {host} -n {port}",
    },
    Row {
        client: "ncrack ssh",
        pattern: "ssh_trans_hold",
        stays: AsLongAsWatched,
        tool: &NCRACK,
        command: "ncrack --user root -P {scripts}/passwords.txt ssh://{host}:{port}",
    },
    // HTTP.
    Row {
        client: "Chromium, headless",
        pattern: "http_endless_header",
        stays: AsLongAsWatched,
        tool: &CHROMIUM,
        command: "chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
                  --disable-background-networking --disable-component-update --disable-sync \
                  --user-data-dir={folder}/profile --dump-dom http://{host}:{port}/",
    },
    Row {
        client: "curl",
        pattern: "http_endless_header",
        stays: AsLongAsWatched,
        tool: &CURL,
        command: CURL_HTTP,
    },
    Row {
        client: "curl",
        pattern: "http_fake_auth",
        stays: AsLongAsWatched,
        tool: &CURL,
        command: CURL_HTTP,
    },
    Row {
        client: "curl",
        pattern: "http_bad_site",
        stays: AsLongAsWatched,
        tool: &CURL,
        command: CURL_HTTP,
    },
    Row {
        client: "curl --compressed",
        pattern: "http_deflate_html_bomb",
        stays: AsLongAsWatched,
        tool: &CURL,
        command: CURL_COMPRESSED,
    },
    Row {
        client: "curl --compressed",
        pattern: "http_deflate_size_bomb",
        stays: AsLongAsWatched,
        tool: &CURL,
        command: CURL_COMPRESSED,
    },
    Row {
        client: "requests",
        pattern: "http_endless_header",
        stays: AsLongAsWatched,
        tool: &REQUESTS,
        command: REQUESTS_COMMAND,
    },
    Row {
        client: "requests",
        pattern: "http_fake_auth",
        stays: AsLongAsWatched,
        tool: &REQUESTS,
        command: REQUESTS_COMMAND,
    },
    Row {
        client: "requests",
        pattern: "http_bad_site",
        stays: AsLongAsWatched,
        tool: &REQUESTS,
        command: REQUESTS_COMMAND,
    },
    Row {
        client: "wget",
        pattern: "http_endless_header",
        stays: AsLongAsWatched,
        tool: &WGET,
        command: WGET_COMMAND,
    },
    Row {
        client: "wget",
        pattern: "http_fake_auth",
        stays: AsLongAsWatched,
        tool: &WGET,
        command: WGET_COMMAND,
    },
    Row {
        client: "wget",
        pattern: "http_bad_site",
        stays: AsLongAsWatched,
        tool: &WGET,
        command: WGET_COMMAND,
    },
    Row {
        // Twenty passwords, one at a time: at 9 seconds a guess they take three minutes.
        client: "hydra http-get",
        pattern: "http_fake_auth",
        stays: AsLongAsWatched,
        tool: &HYDRA,
        command: "hydra -I -t 1 -l admin -P {scripts}/passwords.txt -s {port} {host} http-get /",
    },
    // TLS.
    Row {
        client: "curl https",
        pattern: "tls_slow_hello",
        stays: AsLongAsWatched,
        tool: &CURL,
        command: "curl --silent --show-error --insecure --output /dev/null https://{host}:{port}/",
    },
    Row {
        // It counts 40 seconds for each handshake message, and not inside one record.
        client: "gnutls-cli",
        pattern: "tls_slow_hello",
        stays: AsLongAsWatched,
        tool: &GNUTLS,
        command: "gnutls-cli --insecure --port {port} {host}",
    },
    Row {
        client: "openssl s_client",
        pattern: "tls_slow_hello",
        stays: AsLongAsWatched,
        tool: &OPENSSL,
        command: "openssl s_client -connect {host}:{port}",
    },
    Row {
        client: "openssl s_client",
        pattern: "tls_endless_hello_request",
        stays: AsLongAsWatched,
        tool: &OPENSSL,
        command: "openssl s_client -connect {host}:{port}",
    },
    // Mail.
    Row {
        client: "curl smtp",
        pattern: "smtp_endless_ehlo",
        stays: OwnLimit {
            limit: Duration::from_secs(120),
            why: "it waits 120 s for each whole reply",
        },
        tool: &CURL,
        command: "curl --silent --show-error --output /dev/null smtp://{host}:{port}/",
    },
    Row {
        client: "smtplib",
        pattern: "smtp_endless_ehlo",
        stays: AsLongAsWatched,
        tool: &PYTHON,
        command: "{python} {scripts}/smtplib_ehlo.py {host} {port}",
    },
    Row {
        client: "swaks",
        pattern: "smtp_endless_ehlo",
        stays: OwnLimit {
            limit: Duration::from_secs(88),
            why: "it waits 30 s for each whole reply: to EHLO, then to HELO, then to QUIT",
        },
        tool: &SWAKS,
        command: "swaks --server {host} --port {port} --helo client.example.org \
                  --from sender@example.org --to receiver@example.org",
    },
    // FTP.
    Row {
        client: "curl ftp",
        pattern: "ftp_endless_motd",
        stays: OwnLimit {
            limit: Duration::from_secs(120),
            why: "it waits 120 s for each whole reply",
        },
        tool: &CURL,
        command: "curl --silent --show-error --output /dev/null ftp://{host}:{port}/",
    },
    Row {
        client: "ftplib",
        pattern: "ftp_endless_motd",
        stays: AsLongAsWatched,
        tool: &PYTHON,
        command: "{python} {scripts}/ftplib_login.py {host} {port}",
    },
];

// The only client that prints what it receives: a tarpit that floods it must not fill the disk.
const NETCAT_COMMAND: &str = "prlimit --fsize=1048576 nc.openbsd -d {host} {port}";
const CURL_HTTP: &str = "curl --silent --show-error --output /dev/null http://{host}:{port}/";
const CURL_COMPRESSED: &str =
    "curl --silent --show-error --compressed --output /dev/null http://{host}:{port}/";
const REQUESTS_COMMAND: &str = "{python} {scripts}/requests_get.py {host} {port}";
const WGET_COMMAND: &str = "wget --no-verbose --output-document=/dev/null http://{host}:{port}/";
