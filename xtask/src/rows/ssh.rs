//! Clients of SSH.

use super::tools::{CURL, HYDRA, MEDUSA, NCRACK, NMAP_SCRIPTS};
use crate::client::demand::{Demand, STAYS, STAYS_UNSERVED};
use crate::client::listener::{AUTO, Listener};
use crate::client::probe::Probe;
use crate::client::row::{Clients, Row};
use crate::client::scan::{CAMERA, DEBIAN, NMAP, Scan, WINDOWS, Wanted};
use crate::client::tool::{Provider, Tool};

pub(super) static CLIENTS: Clients =
    Clients { rows: ROWS, scans: SCANS, probes: PROBES, banners: &[] };

static AUTO_SSH: Listener = Listener::auto("auto, port 2222", 2222);
static ENDLESSH: Listener = Listener::of("endlessh");
static SSH_AUTH_HOLD: Listener = Listener::of("ssh_auth_hold");
static SSH_KEX_HOLD: Listener = Listener::of("ssh_kex_hold");
static SSH_TRANS_HOLD: Listener = Listener::of("ssh_trans_hold");

static DBCLIENT: Tool = Tool::debian("dbclient", "dropbear-bin", "dbclient");
static GO_CRYPTO: Tool = Tool::plain(
    "Go x/crypto",
    Provider::Go { package: "golang-golang-x-crypto-dev", library: "golang.org/x/crypto/ssh" },
);
static OPENSSH: Tool = Tool::debian("OpenSSH", "openssh-client", "ssh");
static PARAMIKO: Tool = Tool::python("paramiko", "5.1.0");
static PLINK: Tool = Tool::debian("plink", "putty-tools", "plink");
/// The library behind curl's sftp, for a client of ours.
static LIBSSH2: Tool = Tool::debian("libssh2", "libssh2-1", "curl");
static SSH_AUDIT: Tool = Tool::python("ssh-audit", "3.9.0");
static SSHPASS: Tool = Tool::debian("sshpass", "sshpass", "sshpass");

/// The patterns that hold SSH, and the port for everything.
const HOLDS: &[&Listener] = &[&SSH_AUTH_HOLD, &SSH_KEX_HOLD, &AUTO];

/// The same, and the one that tells nothing of its clients.
const ALL: &[&Listener] = &[&SSH_TRANS_HOLD, &SSH_AUTH_HOLD, &SSH_KEX_HOLD, &AUTO];

/// Those that go through a whole key exchange.
const WITH_EXCHANGE: &[&Listener] = &[&SSH_AUTH_HOLD, &AUTO];

/// The same for clients that wait for the server's line: other ports may greet in another protocol.
const WITH_LINE: &[&Listener] = &[&SSH_AUTH_HOLD, &AUTO_SSH];

/// What a guesser must not get from us: success, or many cheap connections.
const GUESSER: &[Demand] = &[Demand::Stays, Demand::ConnectionsAtMost(10), Demand::NoSuccess];

const OPENSSH_COMMAND: &str = "env SSH_ASKPASS={scripts}/askpass.sh SSH_ASKPASS_REQUIRE=force ssh -F none \
     -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p {port} root@{host}";
/// OpenSSH with these options, which leave it without anything in common with the server.
macro_rules! old_openssh {
    ($client:literal, $options:literal) => {
        Row {
            client: concat!("OpenSSH, ", $client),
            on: ALL,
            demands: STAYS_UNSERVED,
            tool: &OPENSSH,
            command: concat!(
                "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no \
                 -o UserKnownHostsFile=/dev/null ",
                $options,
                " -p {port} root@{host}"
            ),
        }
    };
}

const PARAMIKO_COMMAND: &str = "{python} {scripts}/paramiko_login.py {host} {port}";
const NMAP_COMMAND: &str = "nmap -n -Pn -sT -v -p {port} --script \
     +ssh2-enum-algos,+ssh-hostkey,+ssh-auth-methods,+sshv1 {host}";
const HYDRA_COMMAND: &str = "hydra -I -V -l root -P {scripts}/seven.txt -s {port} {host} ssh";

const ROWS: &[Row] = &[
    Row {
        client: "OpenSSH",
        on: &[&ENDLESSH, &SSH_TRANS_HOLD, &SSH_AUTH_HOLD, &SSH_KEX_HOLD, &AUTO],
        demands: STAYS_UNSERVED,
        tool: &OPENSSH,
        command: OPENSSH_COMMAND,
    },
    Row {
        // It bounds the connection and the identification line, not the key exchange.
        client: "OpenSSH, ConnectTimeout=10",
        on: &[&SSH_TRANS_HOLD, &SSH_AUTH_HOLD, &SSH_KEX_HOLD, &AUTO],
        demands: STAYS_UNSERVED,
        tool: &OPENSSH,
        command: "env SSH_ASKPASS={scripts}/askpass.sh SSH_ASKPASS_REQUIRE=force ssh -F none \
                  -o ConnectTimeout=10 -o StrictHostKeyChecking=no \
                  -o UserKnownHostsFile=/dev/null -p {port} root@{host}",
    },
    old_openssh!("old key exchange", "-o KexAlgorithms=diffie-hellman-group1-sha1"),
    old_openssh!("ssh-rsa", "-o HostKeyAlgorithms=ssh-rsa"),
    old_openssh!("ssh-dss", "-o HostKeyAlgorithms=ssh-dss"),
    old_openssh!("old cipher", "-o Ciphers=aes128-cbc,3des-cbc"),
    old_openssh!("old code", "-o Ciphers=aes128-ctr -o MACs=hmac-md5"),
    Row {
        client: "sshpass",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &SSHPASS,
        command: "sshpass -p admin ssh -F none -o StrictHostKeyChecking=no \
                  -o UserKnownHostsFile=/dev/null -p {port} root@{host}",
    },
    Row {
        // Its limit is 5 seconds without a byte.
        client: "ssh-keyscan",
        on: &[&SSH_TRANS_HOLD, &SSH_AUTH_HOLD, &SSH_KEX_HOLD, &AUTO],
        demands: STAYS,
        tool: &OPENSSH,
        command: "ssh-keyscan -p {port} {host}",
    },
    Row {
        // Somebody accepts the host's key.
        client: "plink",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &PLINK,
        command: "{scripts}/type.sh y y -- plink -ssh -P {port} -pw admin root@{host}",
    },
    Row {
        // It has all algorithms, and wants the old ones first: those of groups that it asks for.
        client: "plink, old first",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &PLINK,
        command: "env PUTTYSESSIONS={scripts}/putty {scripts}/type.sh y y -- \
                  plink -load old -ssh -P {port} -pw admin root@{host}",
    },
    Row {
        client: "dbclient",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &DBCLIENT,
        command: "env DROPBEAR_PASSWORD=admin dbclient -y -y -p {port} root@{host}",
    },
    Row {
        client: "Go x/crypto",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &GO_CRYPTO,
        command: "{go} ssh {host}:{port}",
    },
    Row {
        client: "curl sftp",
        on: HOLDS,
        demands: STAYS_UNSERVED,
        tool: &CURL,
        command: "curl --silent --show-error --insecure --user root:admin sftp://{host}:{port}/",
    },
    Row {
        client: "libssh2, old",
        on: ALL,
        demands: STAYS_UNSERVED,
        tool: &LIBSSH2,
        command: "{python} {scripts}/libssh2_connect.py {host} {port}",
    },
    Row {
        client: "paramiko, old",
        on: ALL,
        demands: STAYS_UNSERVED,
        tool: &PARAMIKO,
        command: "{python} {scripts}/paramiko_login.py {host} {port} old",
    },
    Row {
        // Its 15 seconds for the handshake are over with our KEXINIT, and nothing bounds the rest.
        client: "paramiko",
        on: &[&SSH_TRANS_HOLD, &SSH_KEX_HOLD],
        demands: STAYS_UNSERVED,
        tool: &PARAMIKO,
        command: PARAMIKO_COMMAND,
    },
    Row {
        client: "paramiko",
        on: WITH_EXCHANGE,
        demands: &[
            Demand::until(60, "it gives every login 30 s after the key exchange, whatever arrives"),
            Demand::NoSuccess,
        ],
        tool: &PARAMIKO,
        command: PARAMIKO_COMMAND,
    },
    Row {
        client: "hydra ssh",
        on: &[&SSH_TRANS_HOLD, &SSH_KEX_HOLD],
        demands: &[
            Demand::until(
                24,
                "its SSH library gives everything before the password 26 to 33 s in all",
            ),
            Demand::NoSuccess,
        ],
        tool: &HYDRA,
        command: HYDRA_COMMAND,
    },
    Row {
        client: "hydra ssh",
        on: WITH_EXCHANGE,
        demands: GUESSER,
        tool: &HYDRA,
        command: HYDRA_COMMAND,
    },
    Row {
        client: "medusa ssh",
        on: &[&SSH_TRANS_HOLD, &SSH_AUTH_HOLD, &SSH_KEX_HOLD, &AUTO],
        demands: GUESSER,
        tool: &MEDUSA,
        command: "medusa -M ssh -u root -P {scripts}/seven.txt -h {host} -n {port}",
    },
    Row {
        client: "ncrack ssh",
        on: &[&SSH_TRANS_HOLD, &SSH_AUTH_HOLD, &SSH_KEX_HOLD, &AUTO],
        demands: GUESSER,
        tool: &NCRACK,
        command: "ncrack --user root -P {scripts}/seven.txt ssh://{host}:{port}",
    },
    Row {
        // Some 20 connections, each of which ends with our offer or our reply.
        client: "ssh-audit",
        on: ALL,
        demands: &[Demand::connection(4_000), Demand::Names("(gen) software: OpenSSH 8.9p1")],
        tool: &SSH_AUDIT,
        command: "{python} -m ssh_audit --no-colors -p {port} {host}",
    },
    Row {
        client: "nmap, scripts for SSH",
        on: WITH_LINE,
        demands: &[
            Demand::connection(4_000),
            Demand::Names("aes256-gcm@openssh.com"),
            Demand::Names("(ED25519)"),
            Demand::Names("keyboard-interactive"),
        ],
        tool: &NMAP,
        command: NMAP_COMMAND,
    },
    Row {
        client: "nmap, scripts for SSH",
        on: &[&SSH_TRANS_HOLD, &SSH_KEX_HOLD],
        demands: &[Demand::connection(4_000), Demand::Names("aes256-gcm@openssh.com")],
        tool: &NMAP,
        command: NMAP_COMMAND,
    },
    Row {
        client: "nmap -sV -sC",
        on: &[&SSH_AUTH_HOLD],
        demands: &[
            Demand::connection(4_000),
            Demand::Names("OpenSSH 8.9p1"),
            Demand::Names("(ED25519)"),
        ],
        tool: &NMAP,
        command: NMAP_SCRIPTS,
    },
];

const OPENSSH_SERVER: Wanted = Wanted::Version(&["OpenSSH"]);

const SCANS: &[Scan] = &[
    Scan::of(&ENDLESSH, OPENSSH_SERVER),
    Scan::of(&AUTO_SSH, OPENSSH_SERVER),
    Scan::of(&SSH_AUTH_HOLD, OPENSSH_SERVER),
    Scan::of(&SSH_KEX_HOLD, OPENSSH_SERVER),
    Scan::of(&SSH_TRANS_HOLD, OPENSSH_SERVER),
    Scan { on: &SSH_AUTH_HOLD, persona: DEBIAN, wanted: OPENSSH_SERVER },
    Scan { on: &SSH_AUTH_HOLD, persona: WINDOWS, wanted: OPENSSH_SERVER },
    Scan { on: &SSH_AUTH_HOLD, persona: CAMERA, wanted: Wanted::Version(&["Dropbear sshd"]) },
];

const PROBES: &[Probe] = &[Probe {
    on: &SSH_AUTH_HOLD,
    scripts: &["ssh-auth-methods", "ssh-brute", "ssh-run", "sshv1"],
    arguments: "userdb={scripts}/users.txt,passdb={scripts}/seven.txt,ssh-run.cmd=id,\
                    ssh-run.username=root,ssh-run.password=root",
    openings: &["none_auth", "Valid credentials", "uid=", "supports SSHv1"],
}];
