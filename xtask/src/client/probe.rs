//! What nmap's scripts must not report: openings that are none. A tarpit that tools take for an
//! open relay, an open proxy or an entered host ends up on lists of such, and the tools leave.

use std::time::Duration;

use crate::client::listener::{
    FTP_FAST, FTP_HOLD, HTTP_FAST, HTTP_HOLD, Listener, SMTP_ENDLESS_EHLO, SMTP_FAST, SMTP_HOLD,
    SSH_AUTH_HOLD, TELNET_LOGIN,
};
use crate::running::job::Ending;

/// The longest that nmap's scripts for one port may take together; each of them has some seconds
/// less.
pub(crate) const CAP: Duration = Duration::from_secs(100);

/// Some scripts, and the port that they look at.
pub(crate) struct Probe {
    /// Who is looked at.
    pub(crate) on: &'static Listener,
    /// nmap with the scripts, divided at spaces; see `running::job::Job::new`.
    pub(crate) command: &'static str,
    /// What they print of an opening.
    openings: &'static [&'static str],
}

/// What the scripts said.
#[derive(Debug, PartialEq)]
pub(crate) enum Finding {
    /// No opening.
    Closed,
    /// This line tells of one.
    Open(String),
    /// They did not look: the text says why.
    Unseen(String),
}

impl Probe {
    /// What nmap's report says; `connections` is how many its port has seen.
    pub(crate) fn finding(&self, ending: &Ending, report: &str, connections: u64) -> Finding {
        if matches!(ending, Ending::Capped) {
            return Finding::Unseen(format!("still looking after {} s", CAP.as_secs()));
        }
        if connections < 2 || !report.contains("Nmap done: 1 IP address (1 host up)") {
            return Finding::Unseen("nmap did not look".to_owned());
        }
        let of_opening = |line: &&str| {
            let tells = self.openings.iter().any(|words| line.contains(words));
            tells && !line.contains("NOT VULNERABLE")
        };
        let mut lines = report.lines().filter(|line| line.starts_with('|'));
        lines.find(of_opening).map_or(Finding::Closed, |line| Finding::Open(line.to_owned()))
    }

    /// The names of the scripts.
    pub(crate) fn scripts(&self) -> String {
        let mut words = self.command.split_whitespace();
        let list = words.find(|word| word.starts_with('+')).unwrap_or_default();
        list.split(',').map(|name| name.trim_start_matches('+')).collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => write!(f, "no opening"),
            Self::Open(line) => write!(f, "an opening: {line}"),
            Self::Unseen(why) => write!(f, "{why}"),
        }
    }
}

/// A plain connect scan of the one port, with scripts that also run where the port does not tell
/// what it serves.
macro_rules! nmap {
    ($scripts:literal, $arguments:literal) => {
        concat!(
            "nmap -n -Pn -sT -vv -p {port} --script ",
            $scripts,
            " --script-args ",
            $arguments,
            " --script-timeout 80s {host}"
        )
    };
}

const MAIL: &str = nmap!(
    "+smtp-open-relay,+smtp-enum-users,+smtp-commands,+smtp-vuln-cve2010-4344,+smtp-strangeport",
    "userdb={scripts}/users.txt"
);
const MAIL_OPENINGS: &[&str] = &["is an open relay", "RCPT, ", "VRFY, ", "EXPN, ", "VULNERABLE"];

const FILES: &str = nmap!(
    "+ftp-anon,+ftp-bounce,+ftp-syst,+ftp-libopie,+ftp-proftpd-backdoor,+ftp-vsftpd-backdoor",
    "ftp-bounce.checkhost=127.0.0.1"
);
const FILES_OPENINGS: &[&str] = &["login allowed", "bounce working", "low ports", "VULNERABLE"];

const WEB: &str = nmap!(
    "+http-open-proxy,+http-methods,+http-put,+http-trace,+http-webdav-scan,+http-method-tamper",
    "proxy.url=http://www.example.org/,http-methods.test-all,http-put.url=/upload.txt,\
     http-put.file={scripts}/words.txt"
);
const WEB_OPENINGS: &[&str] = &[
    "OPEN proxy",
    "Potentially risky methods",
    "successfully created",
    "TRACE is enabled",
    "VULNERABLE",
    "WebDAV type",
];

/// The ports and their scripts. Where a rate is set nothing waits, and the scripts get further.
pub(crate) static PROBES: &[Probe] = &[
    Probe { on: &SMTP_HOLD, command: MAIL, openings: MAIL_OPENINGS },
    Probe { on: &SMTP_FAST, command: MAIL, openings: MAIL_OPENINGS },
    Probe { on: &SMTP_ENDLESS_EHLO, command: MAIL, openings: MAIL_OPENINGS },
    Probe { on: &FTP_HOLD, command: FILES, openings: FILES_OPENINGS },
    Probe { on: &FTP_FAST, command: FILES, openings: FILES_OPENINGS },
    Probe { on: &HTTP_HOLD, command: WEB, openings: WEB_OPENINGS },
    Probe { on: &HTTP_FAST, command: WEB, openings: WEB_OPENINGS },
    Probe {
        on: &SSH_AUTH_HOLD,
        command: nmap!(
            "+ssh-auth-methods,+ssh-brute,+ssh-run,+sshv1",
            "userdb={scripts}/users.txt,passdb={scripts}/seven.txt,ssh-run.cmd=id,\
             ssh-run.username=root,ssh-run.password=root"
        ),
        openings: &["none_auth", "Valid credentials", "uid=", "supports SSHv1"],
    },
    Probe {
        on: &TELNET_LOGIN,
        command: nmap!(
            "+telnet-brute,+telnet-encryption",
            "userdb={scripts}/users.txt,passdb={scripts}/seven.txt,telnet-brute.timeout=20s"
        ),
        openings: &["Valid credentials", "supports encryption"],
    },
];

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn finding(report: &str, connections: u64) -> Finding {
        PROBES[0].finding(&Ending::Left(ExitStatus::default()), report, connections)
    }

    #[test]
    fn a_line_of_a_script_tells_of_an_opening() {
        let report = |line: &str| format!("{line}\nNmap done: 1 IP address (1 host up) scanned\n");
        let open = "|_smtp-open-relay: Server is an open relay (16/16 tests)";
        assert_eq!(finding(&report(open), 2), Finding::Open(open.to_owned()));
        let closed = "|_smtp-open-relay: Server doesn't seem to be an open relay, all tests failed";
        assert_eq!(finding(&report(closed), 2), Finding::Closed);
        assert!(matches!(finding(&report(closed), 1), Finding::Unseen(_)));
        assert!(matches!(finding(closed, 2), Finding::Unseen(_)));
        let capped = PROBES[0].finding(&Ending::Capped, &report(closed), 2);
        assert!(matches!(capped, Finding::Unseen(_)));
    }

    #[test]
    fn every_probe_names_its_scripts() {
        assert!(PROBES[0].scripts().starts_with("smtp-open-relay, smtp-enum-users"));
        assert!(PROBES.iter().all(|probe| !probe.scripts().is_empty()));
    }
}
