//! Holds real clients side by side and judges how long each one stayed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::base::workspace::Workspace;
use crate::chores::banners::{self, BannerResult};
use crate::chores::score::Score;
use crate::client::banner::{Banner, MASSCAN};
use crate::client::demand::{self, Demand, Evidence, Pace};
use crate::client::listener::Listener;
use crate::client::probe::{self, Finding, Probe};
use crate::client::row::Row;
use crate::client::scan::{self, NMAP, Record, Scan};
use crate::client::span::Span;
use crate::client::tool::Tool;
use crate::rows;
use crate::running::daemon::{Daemon, Tarpit};
use crate::running::job::{self, Job, Stay};
use crate::running::trace::{self, Seen};

/// What to run.
pub(crate) struct Plan {
    /// For how long.
    pub(crate) span: Span,
    /// Only what has this in its client or its pattern, in any case; empty for everything.
    pub(crate) only: String,
}

impl Plan {
    /// The tools that the plan needs.
    pub(crate) fn tools(&self) -> Vec<&'static Tool> {
        let mut tools: Vec<&'static Tool> = Vec::new();
        let scans = !self.scans().is_empty() || !self.probes().is_empty();
        let nmap = scans.then_some(&NMAP);
        let masscan = (!self.banners().is_empty()).then_some(&MASSCAN);
        for tool in self.rows().iter().map(|(row, _)| row.tool).chain(nmap).chain(masscan) {
            if !tools.contains(&tool) {
                tools.push(tool);
            }
        }
        tools
    }

    fn rows(&self) -> Vec<(&'static Row, &'static Listener)> {
        rows::rows()
            .flat_map(|row| row.on.iter().map(move |&listener| (row, listener)))
            .filter(|(row, listener)| self.picks(row.client, listener))
            .collect()
    }

    fn scans(&self) -> Vec<&'static Scan> {
        rows::scans().filter(|scan| self.picks("nmap -sV", scan.on)).collect()
    }

    fn probes(&self) -> Vec<&'static Probe> {
        rows::probes().filter(|probe| self.picks("nmap's scripts", probe.on)).collect()
    }

    fn banners(&self) -> Vec<&'static Banner> {
        rows::banners().filter(|banner| self.picks("masscan --banners", banner.on)).collect()
    }

    fn picks(&self, client: &str, listener: &Listener) -> bool {
        let only = self.only.to_lowercase();
        client.to_lowercase().contains(&only) || listener.name.contains(&only)
    }
}

/// How it went.
pub(crate) struct Results {
    /// For how long the clients were watched.
    pub(crate) span: Span,
    /// The clients' stays, in the order of the table.
    pub(crate) rows: Vec<RowResult>,
    /// What nmap recorded.
    pub(crate) scans: Vec<ScanResult>,
    /// What nmap's scripts found.
    pub(crate) probes: Vec<ProbeResult>,
    /// What masscan recorded.
    pub(crate) banners: Vec<BannerResult>,
}

/// One client's stay.
pub(crate) struct RowResult {
    /// The row.
    pub(crate) row: &'static Row,
    /// Whom its client met.
    pub(crate) on: &'static Listener,
    /// The version of its client.
    pub(crate) version: String,
    /// How long it stayed.
    pub(crate) stay: Stay,
    /// How long each of its guesses or words took, where it tells; or each of its connections, where
    /// these are what matters.
    pub(crate) each: Option<Duration>,
    /// What its tarpit saw.
    pub(crate) seen: Seen,
    /// What was not as it should be.
    pub(crate) broken: Vec<String>,
    /// What it printed.
    pub(crate) output: PathBuf,
}

impl RowResult {
    fn judged(
        (row, on): (&'static Row, &'static Listener),
        version: String,
        span: Span,
        stay: Stay,
        seen: Seen,
        output: PathBuf,
    ) -> Self {
        // Output that cannot be read tells of no guess, which is what the verdict then says.
        let printed = fs::read(&output).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        let dialect = row.tool.dialect;
        let evidence = Evidence { span, stay: &stay, seen: &seen, dialect, output: &printed };
        let mut broken: Vec<_> =
            row.demands.iter().filter_map(|demand| demand.broken(&evidence)).collect();
        // A client that never came was not held by us.
        if seen.connections == 0 {
            broken.push("never connected".to_owned());
        }
        let demands_connections = |demand: &Demand| matches!(demand, Demand::Connection { .. });
        let each = match demand::pace(&evidence) {
            _ if row.demands.iter().any(demands_connections) => Some(demand::standing(&evidence)),
            Pace::Of(pace) => Some(pace),
            Pace::NoneDone | Pace::Unknown => None,
        };
        Self { row, on, version, stay, each, seen, broken, output }
    }

    /// Whether it was all that its row demands.
    pub(crate) fn passed(&self) -> bool {
        self.broken.is_empty()
    }
}

/// What nmap recorded on one pattern.
pub(crate) struct ScanResult {
    /// The scan.
    pub(crate) scan: &'static Scan,
    /// What nmap recorded.
    pub(crate) record: Record,
    /// How long it took.
    pub(crate) held: Duration,
    /// What it printed.
    pub(crate) output: PathBuf,
}

impl ScanResult {
    /// Whether nmap recorded what we play.
    pub(crate) fn passed(&self) -> bool {
        self.record.satisfies(self.scan)
    }
}

/// What nmap's scripts found on one port.
pub(crate) struct ProbeResult {
    /// The scripts.
    pub(crate) probe: &'static Probe,
    /// What they found.
    pub(crate) finding: Finding,
    /// How long they took.
    pub(crate) held: Duration,
    /// What they printed.
    pub(crate) output: PathBuf,
}

impl ProbeResult {
    /// Whether they found no opening.
    pub(crate) fn passed(&self) -> bool {
        self.finding == Finding::Closed
    }
}

impl Results {
    /// Rows, scans, probes and banners together.
    pub(crate) fn score(&self) -> Score {
        let mut score = Score::default();
        self.rows.iter().for_each(|row| score.count(row.passed()));
        self.scans.iter().for_each(|scan| score.count(scan.passed()));
        self.probes.iter().for_each(|probe| score.count(probe.passed()));
        self.banners.iter().for_each(|banner| score.count(banner.passed()));
        score
    }
}

/// Runs the plan against `binary`: each row, scan and probe has a tarpit of its own, so that the
/// trace tells them apart.
pub(crate) fn run(workspace: &Workspace, binary: &Path, plan: &Plan) -> Result<Results> {
    let (rows, scans, probes) = (plan.rows(), plan.scans(), plan.probes());
    let banners = plan.banners();
    if [rows.len(), scans.len(), probes.len(), banners.len()] == [0; 4] {
        bail!("no client and no pattern contains {:?}", plan.only);
    }
    let cap = plan.span.cap;
    println!(
        "clients: {}, each for {} s at most, and scans: {}; side by side",
        rows.len(),
        cap.as_secs(),
        scans.len() + probes.len(),
    );
    let of_rows = rows.iter().map(|&(row, on)| Visit {
        tarpit: tarpit(row.client, on, ""),
        command: row.command.to_owned(),
        cap,
        heavy: row.tool.heavy,
    });
    let of_scans = scans.iter().map(|scan| Visit {
        tarpit: tarpit(&format!("nmap-{}", scan.persona), scan.on, &scan.key()),
        command: scan::COMMAND.to_owned(),
        cap: scan::CAP,
        heavy: false,
    });
    let of_probes = probes.iter().map(|probe| Visit {
        tarpit: tarpit("nmap-scripts", probe.on, ""),
        command: probe.command(),
        cap: probe::CAP,
        heavy: false,
    });
    let visits: Vec<_> = of_rows.chain(of_scans).chain(of_probes).collect();

    let banners = banners::run(workspace, binary, &banners)?;
    if visits.is_empty() {
        let (rows, scans, probes) = (Vec::new(), Vec::new(), Vec::new());
        return Ok(Results { span: plan.span, rows, scans, probes, banners });
    }
    let tarpits: Vec<_> = visits.iter().map(|visit| &visit.tarpit).collect();
    let daemon = Daemon::start(binary, &workspace.clients().join("daemon"), &tarpits, LIFE)?;
    let jobs: Vec<_> = visits
        .iter()
        .zip(&daemon.addresses)
        .map(|(Visit { tarpit, command, cap, heavy }, &address)| {
            Job::new(workspace, &tarpit.name, command, address, *cap).heavy(*heavy)
        })
        .collect();
    let stays = job::side_by_side(&jobs)?;
    let mut seen = trace::read(&daemon.stop()?)?;

    let mut versions: BTreeMap<&str, String> = BTreeMap::new();
    let mut stays = stays.into_iter().zip(&tarpits).zip(&jobs);
    let rows = rows
        .into_iter()
        .zip(&mut stays)
        .map(|((row, on), ((stay, tarpit), job))| {
            let version = versions.entry(row.tool.name);
            let version = version.or_insert_with(|| row.tool.version(workspace)).clone();
            let seen = seen.remove(&tarpit.name).unwrap_or_default();
            RowResult::judged((row, on), version, plan.span, stay, seen, job.output())
        })
        .collect();
    let scans = scans
        .into_iter()
        .zip(&mut stays)
        .map(|(scan, ((stay, _), job))| {
            // Output that cannot be read holds no service, which is what the record then says.
            let xml = fs::read(job.output()).unwrap_or_default();
            let record = Record::read(&stay.ending, &String::from_utf8_lossy(&xml));
            ScanResult { scan, record, held: stay.held, output: job.output() }
        })
        .collect();
    let probes = probes
        .into_iter()
        .zip(stays)
        .map(|(probe, ((stay, tarpit), job))| {
            // Output that cannot be read tells that nobody looked.
            let report = fs::read(job.output()).unwrap_or_default();
            let report = String::from_utf8_lossy(&report);
            let seen = seen.remove(&tarpit.name).unwrap_or_default();
            let finding = probe.finding(&stay.ending, &report, seen.connections);
            ProbeResult { probe, finding, held: stay.held, output: job.output() }
        })
        .collect();
    Ok(Results { span: plan.span, rows, scans, probes, banners })
}

/// The longest that a daemon may live: far longer than all that runs against it.
const LIFE: Duration = Duration::from_secs(900);

/// A program that is to meet a tarpit of its own.
struct Visit {
    tarpit: Tarpit,
    command: String,
    cap: Duration,
    heavy: bool,
}

fn tarpit(client: &str, on: &Listener, more: &str) -> Tarpit {
    Tarpit {
        name: name(client, on.name),
        pattern: on.pattern,
        keys: format!("{}{more}", on.keys),
        port: on.port,
        host: None,
    }
}

/// A name for a tarpit's table and for a folder: letters, digits, `_` and `-`.
fn name(client: &str, listener: &str) -> String {
    let plain = |c: char| match c {
        '_' => '_',
        c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => '-',
    };
    format!("{client}-{listener}").chars().map(plain).collect()
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
        let plan = plan("");
        let rows = plan.rows().into_iter().map(|(row, on)| name(row.client, on.name));
        let scans = plan.scans();
        let scans = scans.iter().map(|it| name(&format!("nmap-{}", it.persona), it.on.name));
        let probes = plan.probes();
        let probes = probes.iter().map(|it| name("nmap-scripts", it.on.name));
        let names: Vec<_> = rows.chain(scans).chain(probes).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn a_part_of_a_client_or_of_a_listener_picks_rows() {
        assert!(plan("openssh").rows().iter().all(|(row, _)| row.client.contains("OpenSSH")));
        assert!(plan("openssh").scans().is_empty());
        assert!(plan("smtp_endless").scans().len() == 1);
        assert!(plan("no such client").rows().is_empty());
    }
}
