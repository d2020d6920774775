//! Holds real clients side by side and judges how long each one stayed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::daemon::{Daemon, Tarpit};
use crate::install::{NMAP, Tool};
use crate::nmap::{self, CHECKS, Check, Record};
use crate::rows::{ROWS, Row, Stays};
use crate::runner::{self, Ending, Job, Stay};
use crate::trace::{self, Seen};
use crate::workspace::Workspace;

/// What to run.
pub(crate) struct Plan {
    /// For how long.
    pub(crate) span: Span,
    /// Only what has this in its client or its pattern, in any case; empty for everything.
    pub(crate) only: String,
}

/// How long clients are watched.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Span {
    /// When a client that is still there is ended.
    pub(crate) cap: Duration,
    /// How long a client without a limit of its own has to stay.
    pub(crate) wanted: Duration,
}

impl Span {
    /// The promise of the manual: two minutes, with some room above.
    pub(crate) const FULL: Self =
        Self { cap: Duration::from_secs(130), wanted: Duration::from_secs(120) };
    /// For the ordinary tests.
    pub(crate) const SHORT: Self =
        Self { cap: Duration::from_secs(40), wanted: Duration::from_secs(40) };

    /// How long a client has to stay that `stays` so.
    fn wants(&self, stays: Stays) -> Duration {
        match stays {
            Stays::AsLongAsWatched => self.wanted,
            Stays::OwnLimit { limit, .. } => limit.min(self.wanted),
        }
    }
}

impl Plan {
    /// The tools that the plan needs.
    pub(crate) fn tools(&self) -> Vec<&'static Tool> {
        let mut tools: Vec<&'static Tool> = Vec::new();
        let nmap = (!self.checks().is_empty()).then_some(&NMAP);
        for tool in self.rows().iter().map(|row| row.tool).chain(nmap) {
            if !tools.contains(&tool) {
                tools.push(tool);
            }
        }
        tools
    }

    fn rows(&self) -> Vec<&'static Row> {
        ROWS.iter().filter(|row| self.picks(row.client, row.pattern)).collect()
    }

    fn checks(&self) -> Vec<&'static Check> {
        CHECKS.iter().filter(|check| self.picks("nmap -sV", check.pattern)).collect()
    }

    fn picks(&self, client: &str, pattern: &str) -> bool {
        let only = self.only.to_lowercase();
        client.to_lowercase().contains(&only) || pattern.contains(&only)
    }
}

/// How it went.
pub(crate) struct Results {
    /// For how long the clients were watched.
    pub(crate) span: Span,
    /// The clients' stays, in the order of the table.
    pub(crate) rows: Vec<RowResult>,
    /// What nmap recorded.
    pub(crate) checks: Vec<CheckResult>,
}

/// One client's stay.
pub(crate) struct RowResult {
    /// The row.
    pub(crate) row: &'static Row,
    /// The version of its client.
    pub(crate) version: String,
    /// How long it stayed.
    pub(crate) stay: Stay,
    /// How long it had to.
    pub(crate) wanted: Duration,
    /// What its tarpit saw.
    pub(crate) seen: Seen,
    /// What it printed.
    pub(crate) output: PathBuf,
}

impl RowResult {
    /// Whether it stayed long enough. A client that never came was not held by us.
    pub(crate) fn passed(&self) -> bool {
        let long_enough = match self.stay.ending {
            Ending::Capped => true,
            Ending::Left(_) => self.stay.held >= self.wanted,
        };
        long_enough && self.seen.connections > 0
    }
}

/// What nmap recorded on one pattern.
pub(crate) struct CheckResult {
    /// The check.
    pub(crate) check: &'static Check,
    /// What nmap recorded.
    pub(crate) record: Record,
    /// How long it took.
    pub(crate) held: Duration,
    /// What it printed.
    pub(crate) output: PathBuf,
}

impl CheckResult {
    /// Whether nmap recorded what we play.
    pub(crate) fn passed(&self) -> bool {
        self.record.satisfies(self.check)
    }
}

/// How many passed and how many did not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Score {
    /// Those that passed.
    pub(crate) passed: usize,
    /// Those that did not.
    pub(crate) failed: usize,
}

impl Score {
    /// Counts one more.
    pub(crate) fn count(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Results {
    /// Rows and checks together.
    pub(crate) fn score(&self) -> Score {
        let mut score = Score::default();
        self.rows.iter().for_each(|row| score.count(row.passed()));
        self.checks.iter().for_each(|check| score.count(check.passed()));
        score
    }
}

/// Runs the plan against `binary`: each row and each check has a tarpit of its own, so that the
/// trace tells them apart.
pub(crate) fn run(workspace: &Workspace, binary: &Path, plan: &Plan) -> Result<Results> {
    let (rows, checks) = (plan.rows(), plan.checks());
    if rows.is_empty() && checks.is_empty() {
        bail!("no client and no pattern contains {:?}", plan.only);
    }
    let tarpits: Vec<_> = rows
        .iter()
        .map(|row| (row.client, row.pattern, row.command, plan.span.cap))
        .chain(checks.iter().map(|check| ("nmap", check.pattern, nmap::COMMAND, nmap::CAP)))
        .collect();
    let longest = tarpits.iter().map(|&(.., cap)| cap).max().unwrap_or_default();
    println!(
        "clients: {}, scans: {}; all side by side, for {} s at most",
        rows.len(),
        checks.len(),
        longest.as_secs()
    );

    let served: Vec<_> = tarpits
        .iter()
        .map(|&(client, pattern, ..)| Tarpit { name: name(client, pattern), pattern })
        .collect();
    let life = longest + Duration::from_secs(60);
    let daemon = Daemon::start(binary, &workspace.clients().join("daemon"), &served, life)?;
    let jobs: Vec<_> = tarpits
        .iter()
        .zip(served.iter().zip(&daemon.ports))
        .map(|(&(.., command, cap), (tarpit, &port))| {
            Job::new(workspace, &tarpit.name, command, port, cap)
        })
        .collect();
    let stays = runner::side_by_side(&jobs)?;
    let mut seen = trace::read(&daemon.stop()?)?;

    let mut stays = stays.into_iter().zip(&served).zip(&jobs);
    let rows = rows
        .into_iter()
        .zip(&mut stays)
        .map(|(row, ((stay, tarpit), job))| RowResult {
            row,
            version: row.tool.version(workspace),
            wanted: plan.span.wants(row.stays),
            seen: seen.remove(&tarpit.name).unwrap_or_default(),
            output: job.output(),
            stay,
        })
        .collect();
    let checks = checks
        .into_iter()
        .zip(stays)
        .map(|(check, ((stay, _), job))| {
            // Output that cannot be read holds no service, which is what the record then says.
            let xml = fs::read(job.output()).unwrap_or_default();
            let record = Record::read(&stay.ending, &String::from_utf8_lossy(&xml));
            CheckResult { check, record, held: stay.held, output: job.output() }
        })
        .collect();
    Ok(Results { span: plan.span, rows, checks })
}

/// A name for a tarpit's table and for a folder: letters, digits, `_` and `-`.
fn name(client: &str, pattern: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }
    };
    let client: String = client.chars().map(plain).collect();
    format!("{client}-{pattern}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan(only: &str) -> Plan {
        Plan { span: Span::SHORT, only: only.to_owned() }
    }

    #[test]
    fn every_row_and_check_has_a_name_of_its_own() {
        let rows = ROWS.iter().map(|row| name(row.client, row.pattern));
        let checks = CHECKS.iter().map(|check| name("nmap", check.pattern));
        let names: BTreeSet<_> = rows.chain(checks).collect();
        assert_eq!(names.len(), ROWS.len() + CHECKS.len());
    }

    #[test]
    fn a_part_of_a_client_or_of_a_pattern_picks_rows() {
        assert_eq!(plan("").rows().len(), ROWS.len());
        assert!(plan("openssh").rows().iter().all(|row| row.client.contains("OpenSSH")));
        assert!(plan("openssh").checks().is_empty());
        assert!(plan("smtp").checks().len() == 1);
        assert!(plan("no such client").rows().is_empty());
    }

    #[test]
    fn a_client_with_a_limit_of_its_own_is_never_wanted_beyond_it() {
        let limit = Duration::from_secs(24);
        let own = Stays::OwnLimit { limit, why: "" };
        assert_eq!(Span::FULL.wants(own), limit);
        assert_eq!(Span::FULL.wants(Stays::AsLongAsWatched), Duration::from_secs(120));
    }
}
