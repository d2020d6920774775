//! Lets masscan look at the services, on a link in a network namespace, and judges what it records
//! and how long each connection took it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::base::workspace::Workspace;
use crate::client::banner::{self, Banner};
use crate::running::daemon::{Daemon, Tarpit};
use crate::running::job::{self, Job};
use crate::running::namespace::{self, Namespace, SERVER};
use crate::running::trace::{self, Seen};

/// The longest that masscan may take, which waits 10 seconds behind its last packet.
const CAP: Duration = Duration::from_secs(60);

/// How long a connection must take it at least.
const LEAST: Duration = Duration::from_secs(4);

/// What masscan recorded of one service.
pub(crate) struct BannerResult {
    /// The service.
    pub(crate) banner: &'static Banner,
    /// What was recorded.
    pub(crate) recorded: String,
    /// How long its connection took.
    pub(crate) stood: Duration,
}

impl BannerResult {
    fn new(banner: &'static Banner, output: &str, seen: &Seen) -> Self {
        let recorded = banner::recorded(banner.port, output);
        let connections = u32::try_from(seen.spoke).unwrap_or(u32::MAX).max(1);
        Self { banner, recorded, stood: seen.stood / connections }
    }

    /// Whether masscan recorded what we play, and not before its time.
    pub(crate) fn passed(&self) -> bool {
        self.recorded.contains(self.banner.wanted) && self.stood >= LEAST
    }
}

/// Scans all of `banners`; none of them where no namespace can be made.
pub(crate) fn run(
    workspace: &Workspace,
    binary: &Path,
    banners: &[&'static Banner],
) -> Result<Vec<BannerResult>> {
    if banners.is_empty() {
        return Ok(Vec::new());
    }
    // A thread that has entered a namespace stays there.
    let scan = || scan(workspace, binary, banners);
    let results = thread::scope(|scope| {
        scope.spawn(scan).join().unwrap_or_else(|_| Err(anyhow!("the scan itself has failed")))
    });
    match results {
        Err(error) if namespace::is_excused(&error) => {
            eprintln!("xtask: masscan: not tried, since {error:#}");
            Ok(Vec::new())
        }
        results => results,
    }
}

fn scan(
    workspace: &Workspace,
    binary: &Path,
    banners: &[&'static Banner],
) -> Result<Vec<BannerResult>> {
    let namespace = Namespace::with_link()?;
    namespace.enter()?;
    let tarpits: Vec<_> = banners.iter().map(|banner| tarpit(banner)).collect();
    let daemon = Daemon::start(
        binary,
        &workspace.clients().join("daemon-masscan"),
        &tarpits.iter().collect::<Vec<_>>(),
        2 * CAP,
    )?;
    let command = banner::command(banners);
    let job = Job::new(workspace, "masscan", &command, daemon.addresses[0], CAP);
    job::side_by_side(std::slice::from_ref(&job))?;
    let seen = trace::read(&daemon.stop()?)?;
    let output = fs::read(job.output()).context("cannot read what masscan printed")?;
    let output = String::from_utf8_lossy(&output);
    let result = |(&banner, tarpit): (&&'static Banner, &Tarpit)| {
        let seen = seen.get(&tarpit.name);
        BannerResult::new(banner, &output, seen.unwrap_or(&Seen::default()))
    };
    Ok(banners.iter().zip(&tarpits).map(result).collect())
}

fn tarpit(banner: &Banner) -> Tarpit {
    Tarpit {
        name: format!("masscan-{}", banner.port),
        pattern: banner.on.pattern,
        keys: banner.on.keys.to_owned(),
        port: Some(banner.port),
        host: Some(SERVER),
    }
}
