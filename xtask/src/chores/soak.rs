//! The soak: every pattern bears a mixed crowd for a while, and nothing of ours may grow.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::base::clock::{self, seconds};
use crate::base::workspace::{Workspace, call};
use crate::chores::bench::{self, programs};
use crate::chores::form::Form;
use crate::running::crowd::Crowd;
use crate::running::daemon::free_ports;
use crate::running::output::tail;
use crate::running::process::{Process, guarded};

const SECOND: Duration = Duration::from_secs(1);

/// Clients of the mixed crowd at a time.
const MOB: u32 = 1_000;

/// Well-behaved clients that watch whether drips come in time.
const WATCHERS: usize = 50;

/// A drip of one second may be so late, on a machine that is busy with other things.
const LATE: Duration = SECOND;

/// What memory may grow by after the first third: a twentieth, and some pages of the allocator.
const PAGES: u64 = 512 * 1_024;

/// How long it may take to notice that nobody is there any more. The kernel of a client that closed
/// politely answers for it for a minute (`tcp_fin_timeout`), and keepalive asks once a minute:
/// where nothing is sent to it, only the second question finds out.
const NOTICE: Duration = Duration::from_secs(180);

/// Soaks for `span`; false when something grew, came late, or ended. The short form does not wait
/// until the daemon has noticed that everybody has left.
pub(crate) fn run(workspace: &Workspace, span: Duration, form: Form) -> Result<bool> {
    bench::raise_file_limit()?;
    let binary = workspace.build_daemon()?;
    call(workspace.cargo().args(["build", "--release", "--package", "bench"]))?;
    let folder = programs::own_folder(workspace)?;
    let patterns = patterns(&binary)?;
    // All at once: a port that is closed may be given again.
    let mut ports = free_ports(patterns.len() + 1)?.into_iter();
    let mut free = || ports.next().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let drips = free().context("no port for the watchers")?;
    let mut text = format!(
        "[logging]\nclient_trace = \"/dev/null\"\n[tarpits.watched]\npattern = \"endless_banner\"\n\
         rate_limit = 1\nclient_trace = true\nbind = [{{ host = \"127.0.0.1\", port = {} }}]\n",
        drips.port()
    );
    let mut targets = Vec::new();
    for Pattern { name, protocol } in &patterns {
        let at = free().with_context(|| format!("no port for {name}"))?;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[tarpits.{name}]\npattern = \"{name}\"\nclient_trace = true\n\
             bind = [{{ host = \"127.0.0.1\", port = {} }}]\n",
            at.port()
        );
        targets.push(format!("{at}={protocol}"));
    }
    let configuration = folder.join("soak.toml");
    fs::write(&configuration, text)
        .with_context(|| format!("cannot write {}", configuration.display()))?;
    let log = folder.join("soak.log");
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let words = [&binary, Path::new("-c"), &configuration];
    let mut daemon = Process::start(&words.map(|word| word.display().to_string()), output)?;
    daemon.wait_for(drips).with_context(|| tail(&log, 5))?;
    println!("{} patterns, {MOB} clients, {} s", patterns.len(), span.as_secs());

    let soaked = soak(workspace, &mut daemon, drips, &targets, span, form);
    if soaked.is_err() {
        eprintln!("{}", tail(&log, 5));
    }
    soaked
}

fn soak(
    workspace: &Workspace,
    daemon: &mut Process,
    drips: SocketAddr,
    targets: &[String],
    span: Duration,
    form: Form,
) -> Result<bool> {
    let files_before = daemon.files()?;
    // Numbers far from those of the mob, and so other addresses.
    let mut watchers = Crowd::start(workspace, drips, "", 200_000)?;
    watchers.open(WATCHERS)?;
    watchers.hear(SECOND * 3, SECOND)?;

    let mob = workspace.target.join("release/mob").display().to_string();
    let options = [mob, format!("--for={}", span.as_secs()), format!("--clients={MOB}")];
    let words: Vec<_> = options.into_iter().chain(targets.iter().cloned()).collect();
    let mut mob =
        guarded(&words).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("no mob")?;
    watchers.begin_to_hear(span, SECOND)?;
    clock::pause(span / 3);
    let third = daemon.memory()?;
    clock::pause(span / 2);
    let later = daemon.memory()?;
    let heard = watchers.heard()?;
    let deadline = clock::now() + SECOND * 10;
    while mob.try_wait()?.is_none() {
        if clock::now() > deadline {
            mob.kill()?;
            mob.wait()?;
            bail!("the mob does not end");
        }
        clock::pause(SECOND / 10);
    }
    let said = mob.wait_with_output()?.stdout;
    println!("the mob: {}", String::from_utf8_lossy(&said).trim());
    drop(watchers);

    let mut passed = true;
    let mut check = |what: &str, got: String, ok: bool| {
        println!("{} {what}: {got}", if ok { "ok    " } else { "FAILED" });
        passed &= ok;
    };
    let lives = daemon.lives()?;
    check("the daemon lives", lives.to_string(), lives);
    let growth = format!("{} kB after a third, {} kB later", third / 1_024, later / 1_024);
    check("memory does not grow", growth, later <= third + third / 20 + PAGES);
    let late = format!("{:.3} s at most", heard.late.as_secs_f64());
    check("drips come in time", late, heard.late <= LATE);
    check("no well-behaved client is closed", heard.gone.to_string(), heard.gone == 0);
    if lives && form == Form::Full {
        let began = clock::now();
        while daemon.lives()? && daemon.files()? > files_before && clock::now() < began + NOTICE {
            clock::pause(SECOND / 5);
        }
        let files = daemon.files()?;
        let after = seconds(clock::now() - began);
        let got = format!("{files_before} before, {files} after {after} s");
        check("files are given back", got, files <= files_before);
    }
    Ok(passed)
}

struct Pattern {
    name: String,
    protocol: String,
}

/// All patterns that the daemon knows.
fn patterns(binary: &Path) -> Result<Vec<Pattern>> {
    let output = Command::new(binary)
        .args(["patterns", "--json"])
        .stdin(Stdio::null())
        .output()
        .context("cannot run tarpitd patterns")?;
    let list: Value = serde_json::from_slice(&output.stdout)
        .context("tarpitd patterns --json does not print JSON")?;
    let list = list.as_array().context("tarpitd patterns --json prints no list")?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(list
        .iter()
        .map(|it| Pattern { name: word(&it["name"]), protocol: word(&it["protocol"]) })
        .collect())
}
