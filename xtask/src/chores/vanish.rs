//! When clients that vanish without a word are given up, in the minutes that the manual names.
//!
//! In a network namespace a route to nowhere takes the place of the clients' address. That takes six
//! minutes of waiting. The short form only sees that nobody is given up in the first seconds, where a
//! timeout that is too short would show; both run beside all other tests.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::base::clock;
use crate::base::workspace::Workspace;
use crate::chores::form::Form;
use crate::chores::score::Score;
use crate::running::namespace::{self, Namespace};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
/// Where the clients are that will vanish.
const GONE: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);
/// Where one is that never reads, and stays.
const STAYS: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 8);

/// Longer than it takes by the manual: five minutes, and one until the next round.
const BOUND: Duration = Duration::from_secs(400);

/// How long the short form waits.
const SHORT: Duration = Duration::from_secs(20);

/// How long a daemon may take to start on a busy machine.
const START: Duration = Duration::from_secs(20);

/// A check that goes on by itself.
pub(crate) struct Check(JoinHandle<Result<()>>);

/// Builds the daemon and begins.
pub(crate) fn begin(workspace: &Workspace, form: Form) -> Result<Check> {
    let binary = workspace.build_daemon()?;
    let folder = workspace.clients().join(format!("vanish-{}", std::process::id()));
    Ok(Check(thread::spawn(move || vanish(&binary, &folder, form))))
}

impl Check {
    /// Waits for its end, and tells it.
    pub(crate) fn end(self) -> Score {
        let mut score = Score::default();
        let result = self.0.join().unwrap_or_else(|_| bail_panicked());
        match &result {
            Ok(()) => println!("clients that vanish: held as long as the manual says"),
            Err(error) if namespace::is_excused(error) => {
                eprintln!("xtask: clients that vanish: not tried, since {error:#}");
                return score;
            }
            Err(error) => eprintln!("xtask: clients that vanish: {error:#}"),
        }
        score.count(result.is_ok());
        score
    }
}

fn bail_panicked() -> Result<()> {
    bail!("the check itself has failed")
}

fn vanish(binary: &Path, folder: &Path, form: Form) -> Result<()> {
    let namespace = Namespace::new()?;
    for ip in [SERVER, GONE, STAYS] {
        namespace.ip(&["address", "add", &format!("{ip}/32"), "dev", "lo"])?;
    }
    // What is routed there is lost: nobody reads it.
    namespace.ip(&["tuntap", "add", "dev", "nowhere", "mode", "tun"])?;
    namespace.ip(&["link", "set", "nowhere", "up"])?;
    namespace.enter()?;
    let server = Server::start(binary, folder)?;
    let quiet = greeted(&server, GONE, QUIET)?;
    let dripped = greeted(&server, GONE, DRIPPED)?;
    let stuck = connected(&server, STAYS, STUCK)?;
    namespace.ip(&["address", "del", &format!("{GONE}/32"), "dev", "lo"])?;
    namespace.ip(&["route", "add", &format!("{GONE}/32"), "dev", "nowhere"])?;
    let vanished = clock::now();
    match form {
        Form::Full => given_up(&server, vanished)?,
        Form::Short => {
            clock::pause(SHORT);
            for (name, ..) in TARPITS {
                if let Some(close) = server.closed(name)? {
                    bail!("{name} was given up within {SHORT:?}: {close}");
                }
            }
        }
    }
    if let Some(close) = server.closed("stuck")? {
        bail!("a live client that never reads was ended: {close}");
    }
    drop((quiet, dripped, stuck));
    server.stop()?;
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// Waits until those that vanished are given up, and fails if that is too early or too late.
fn given_up(server: &Server, vanished: Instant) -> Result<()> {
    // Nothing was on its way to the one, and something soon will be to the other.
    for (name, least, most) in [("quiet", 95, 160), ("dripped", 285, 385)] {
        let close = loop {
            if let Some(close) = server.closed(name)? {
                break close;
            }
            if vanished.elapsed() > BOUND {
                bail!("{name} is still held after {BOUND:?}");
            }
            clock::pause(Duration::from_millis(500));
        };
        let (waited, reason) = (vanished.elapsed().as_secs(), &close["reason"]);
        let counted = close["duration"].as_f64().unwrap_or(f64::MAX);
        // Up to an interval of the pattern it may have been silent already.
        if reason != "timed_out" || !(least..=most).contains(&waited) || counted > 15.0 {
            bail!("{name}: {reason} after {waited} s ({least} to {most}), {counted} s counted");
        }
    }
    Ok(())
}

/// The tarpits: name, pattern, rate. They have the namespace to themselves.
const TARPITS: [(&str, &str, Option<u32>); 3] = [
    ("quiet", "telnet_login", None),
    ("dripped", "endless_banner", None),
    ("stuck", "endless_banner", Some(65_536)),
];
const QUIET: u16 = 1_000;
const DRIPPED: u16 = 1_001;
const STUCK: u16 = 1_002;

/// The daemon in the namespace; dropped, it ends.
struct Server {
    child: Child,
    trace: PathBuf,
}

impl Server {
    fn start(binary: &Path, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let trace = folder.join("trace.jsonl");
        fs::write(&trace, "").with_context(|| format!("cannot write {}", trace.display()))?;
        let mut text = format!("[logging]\nclient_trace = {:?}\n", trace.display().to_string());
        for ((name, pattern, rate), port) in TARPITS.into_iter().zip(QUIET..) {
            let rate = rate.map(|rate| format!("rate_limit = {rate}\n")).unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "[tarpits.{name}]\npattern = \"{pattern}\"\nclient_trace = true\n{rate}\
                 bind = [{{ host = \"{SERVER}\", port = {port} }}]\n"
            );
        }
        let file = folder.join("tarpitd.toml");
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        let child = Command::new("timeout")
            .args(["--foreground", "--kill-after=5", &(BOUND.as_secs() + 60).to_string()])
            .arg(binary)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run timeout (coreutils)")?;
        Ok(Self { child, trace })
    }

    /// The line of the trace by which this tarpit's only client ended.
    fn closed(&self, name: &str) -> Result<Option<Value>> {
        let text = fs::read_to_string(&self.trace).context("cannot read the trace")?;
        // A line that is being written is read next time.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut closes = lines.filter(|line| line["event"] == "close" && line["name"] == name);
        // Before it listens, a try to connect leaves nothing in the trace.
        Ok(closes.next())
    }

    fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("cannot stop tarpitd")?;
        let status = self.child.wait().context("cannot wait for tarpitd")?;
        if !status.success() {
            bail!("tarpitd ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is just as well.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A client from `source`, once the server listens.
fn connected(server: &Server, source: Ipv4Addr, port: u16) -> Result<TcpStream> {
    let deadline = clock::now() + START;
    loop {
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).context("no socket")?;
        sockopt::set_socket_recv_buffer_size(&client, 4_096).context("cannot set a buffer")?;
        bind(&client, &SocketAddrV4::new(source, 0)).context("cannot bind a client")?;
        let address = SocketAddr::from((SERVER, port));
        match connect(&client, &address) {
            Ok(()) => return Ok(client.into()),
            Err(error) if clock::now() > deadline => {
                let trace = server.trace.display();
                bail!("tarpitd does not listen on {address}: {error}; see beside {trace}")
            }
            Err(_) => clock::pause(Duration::from_millis(50)),
        }
    }
}

/// A client that has read what it was told first.
fn greeted(server: &Server, source: Ipv4Addr, port: u16) -> Result<TcpStream> {
    let mut client = connected(server, source, port)?;
    client.set_read_timeout(Some(START)).context("cannot set a bound")?;
    let mut buffer = [0; 4_096];
    if client.read(&mut buffer).context("tarpitd says nothing")? == 0 {
        bail!("tarpitd has closed the connection");
    }
    Ok(client)
}
