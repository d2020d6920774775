//! What nmap's scripts must not report: openings that are none. A tarpit that tools take for an
//! open relay, an open proxy or an entered host ends up on lists of such, and the tools leave.

use std::time::Duration;

use crate::client::listener::Listener;
use crate::running::job::Ending;

/// The longest that nmap's scripts for one port may take together; each of them has some seconds
/// less.
pub(crate) const CAP: Duration = Duration::from_secs(100);

/// Some of nmap's scripts, and the port that they look at.
pub(crate) struct Probe {
    /// Who is looked at.
    pub(crate) on: &'static Listener,
    /// The scripts.
    pub(crate) scripts: &'static [&'static str],
    /// Their arguments, as `--script-args` takes them.
    pub(crate) arguments: &'static str,
    /// What they print of an opening.
    pub(crate) openings: &'static [&'static str],
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

    /// A plain connect scan of the one port, divided at spaces (see `running::job::Job::new`). The
    /// scripts also run where the port does not tell what it serves.
    pub(crate) fn command(&self) -> String {
        let scripts: Vec<_> = self.scripts.iter().map(|script| format!("+{script}")).collect();
        format!(
            "nmap -n -Pn -sT -vv -p {{port}} --script {} --script-args {} --script-timeout 80s {{host}}",
            scripts.join(","),
            self.arguments
        )
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

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;
    use crate::client::listener::AUTO;

    const MAIL: Probe = Probe {
        on: &AUTO,
        scripts: &["smtp-open-relay", "smtp-enum-users"],
        arguments: "userdb={scripts}/users.txt",
        openings: &["is an open relay"],
    };

    fn finding(report: &str, connections: u64) -> Finding {
        MAIL.finding(&Ending::Left(ExitStatus::default()), report, connections)
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
        let capped = MAIL.finding(&Ending::Capped, &report(closed), 2);
        assert!(matches!(capped, Finding::Unseen(_)));
    }

    #[test]
    fn scripts_run_whatever_the_port_tells() {
        let command = MAIL.command();
        assert!(command.contains(" --script +smtp-open-relay,+smtp-enum-users "), "{command}");
        assert!(command.ends_with(" {host}"), "{command}");
    }
}
