//! The daemon under test: started on ports that were free a moment ago, ended by its id.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::base::clock;
use crate::running::output::tail;

/// Between our asking for free ports and the daemon's binding them, another program may take one.
const TRIES: usize = 5;

/// How long a start may take on a machine that is busy with other things.
const START: Duration = Duration::from_secs(10);

/// How long the daemon may take to end, which it promises to do in two seconds.
const STOP: Duration = Duration::from_secs(5);

/// Where tarpits are that do not mind their port.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

const TICK: Duration = Duration::from_millis(20);

/// A tarpit to serve.
pub(crate) struct Tarpit {
    /// Its name in the configuration and in the trace.
    pub(crate) name: String,
    /// Its pattern.
    pub(crate) pattern: &'static str,
    /// Further lines of its configuration.
    pub(crate) keys: String,
    /// The port that it must have, if that matters to it.
    pub(crate) port: Option<u16>,
    /// The address that it must have with that port; else one of loopback.
    pub(crate) host: Option<Ipv4Addr>,
}

/// A daemon that serves; dropped, it ends.
pub(crate) struct Daemon {
    child: Child,
    /// The addresses of the tarpits, in their order.
    pub(crate) addresses: Vec<SocketAddrV4>,
    folder: PathBuf,
}

impl Daemon {
    /// Starts `binary` on all of `tarpits`, with its files in `folder`, to live for `span` at most.
    pub(crate) fn start(
        binary: &Path,
        folder: &Path,
        tarpits: &[&Tarpit],
        span: Duration,
    ) -> Result<Self> {
        for _ in 0..TRIES {
            let daemon = Self::launch(binary, folder, tarpits, span)?;
            if let Some(daemon) = daemon.once_it_listens()? {
                return Ok(daemon);
            }
        }
        bail!("{}", refusal(folder, "did not start"))
    }

    fn launch(binary: &Path, folder: &Path, tarpits: &[&Tarpit], span: Duration) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let trace = folder.join(TRACE);
        if trace.exists() {
            // The daemon appends.
            fs::remove_file(&trace)
                .with_context(|| format!("cannot remove {}", trace.display()))?;
        }
        let addresses = free_addresses(tarpits)?;
        let configuration = folder.join("tarpitd.toml");
        fs::write(&configuration, toml(tarpits, &addresses, &trace))
            .with_context(|| format!("cannot write {}", configuration.display()))?;
        let log = folder.join(LOG);
        let output =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new("timeout")
            .args(["--foreground", "--kill-after=5"])
            .arg(span.as_secs().to_string())
            .arg(binary)
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stderr(output.try_clone().context("cannot share the log file")?)
            .stdout(output)
            .spawn()
            .context("cannot run timeout (coreutils)")?;
        Ok(Self { child, addresses, folder: folder.to_path_buf() })
    }

    /// Waits until every port listens; None when one of them was taken meanwhile.
    ///
    /// It reads the kernel's table instead of connecting: no row's trace has a client of ours.
    fn once_it_listens(mut self) -> Result<Option<Self>> {
        let deadline = clock::now() + START;
        while clock::now() < deadline {
            match self.child.try_wait().context("cannot wait for tarpitd")? {
                // By the manual, 1 is what the system refused.
                Some(status) if status.code() == Some(1) => return Ok(None),
                Some(status) => {
                    bail!("{}", refusal(&self.folder, &format!("did not start ({status})")))
                }
                None => {}
            }
            let listening = listening_addresses()?;
            if self.addresses.iter().all(|address| listening.contains(address)) {
                return Ok(Some(self));
            }
            clock::pause(TICK);
        }
        bail!("{}", refusal(&self.folder, "listened on some of its ports only, after 10 s"))
    }

    /// Ends the daemon as its manual says and returns the path of its trace.
    pub(crate) fn stop(mut self) -> Result<PathBuf> {
        if let Some(status) = self.child.try_wait().context("cannot wait for tarpitd")? {
            bail!("{}", refusal(&self.folder, &format!("ended while clients ran ({status})")));
        }
        let status = self.end().context("cannot stop tarpitd")?;
        match status {
            Some(status) if status.success() => Ok(self.folder.join(TRACE)),
            Some(status) => bail!("{}", refusal(&self.folder, &format!("stopped with {status}"))),
            None => bail!("{}", refusal(&self.folder, "did not stop within 5 s of SIGTERM")),
        }
    }

    fn end(&mut self) -> Result<Option<std::process::ExitStatus>> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = clock::now() + STOP;
        while clock::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            clock::pause(TICK);
        }
        Ok(None)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && !matches!(self.end(), Ok(Some(_))) {
            eprintln!("xtask: tarpitd (beneath process {}) has not ended", self.child.id());
        }
    }
}

const LOG: &str = "tarpitd.log";
const TRACE: &str = "trace.jsonl";

/// Ports that nobody has at the moment, all different.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let bind = || TcpListener::bind((HOST, 0));
    let listeners = std::iter::repeat_with(bind).take(count).collect::<Result<Vec<_>, _>>();
    let listeners = listeners.context("cannot bind a port on loopback")?;
    listeners
        .iter()
        .map(|listener| Ok(listener.local_addr().context("a bound port has no address")?.port()))
        .collect()
}

/// An address for each tarpit that nobody has at the moment, all different.
fn free_addresses(tarpits: &[&Tarpit]) -> Result<Vec<SocketAddrV4>> {
    let any = tarpits.iter().filter(|tarpit| tarpit.port.is_none()).count();
    let mut any = free_ports(any)?.into_iter();
    let mut taken = Vec::new();
    for tarpit in tarpits {
        let address = match (tarpit.port, tarpit.host) {
            (None, _) => any.next().map(|port| SocketAddrV4::new(HOST, port)),
            (Some(port), Some(host)) => Some(SocketAddrV4::new(host, port)),
            (Some(port), None) => hosts()
                .map(|host| SocketAddrV4::new(host, port))
                .find(|address| !taken.contains(address) && TcpListener::bind(address).is_ok()),
        };
        taken.push(address.context("no free address on loopback")?);
    }
    Ok(taken)
}

/// Loopback's other addresses, some thousands of them, in an order that differs between processes:
/// a daemon that needs a certain port finds one where it is free.
fn hosts() -> impl Iterator<Item = Ipv4Addr> {
    let start = std::process::id();
    (0..4_096).map(move |number| {
        let [.., high, low] = start.wrapping_mul(61).wrapping_add(number).to_be_bytes();
        Ipv4Addr::new(127, 77, high, low)
    })
}

fn toml(tarpits: &[&Tarpit], addresses: &[SocketAddrV4], trace: &Path) -> String {
    // All clients come from one address, which is not what the caps for addresses are for.
    let mut text = format!(
        "[limits]\nper_address = 0\nper_prefix = 0\n\n[logging]\nclient_trace = {:?}\n",
        trace.display().to_string()
    );
    for (&Tarpit { name, pattern, keys, .. }, address) in tarpits.iter().zip(addresses) {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[tarpits.{name}]\npattern = \"{pattern}\"\nclient_trace = true\n\
             bind = [{{ host = \"{}\", port = {} }}]\n{keys}",
            address.ip(),
            address.port()
        );
    }
    text
}

/// The addresses of IPv4 that some process listens on in the network namespace of this thread, from
/// the kernel's table (proc(5)).
fn listening_addresses() -> Result<Vec<SocketAddrV4>> {
    const LISTEN: &str = "0A";

    const TABLE: &str = "/proc/thread-self/net/tcp";

    let table = fs::read_to_string(TABLE).with_context(|| format!("cannot read {TABLE}"))?;
    let address = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (host, port) = words.next()?.rsplit_once(':')?;
        let state = words.nth(1)?;
        // The kernel shows the address as the number that this machine reads its bytes as.
        let host = Ipv4Addr::from(u32::from_str_radix(host, 16).ok()?.to_ne_bytes());
        let port = u16::from_str_radix(port, 16).ok()?;
        (state == LISTEN).then_some(SocketAddrV4::new(host, port))
    };
    Ok(table.lines().filter_map(address).collect())
}

/// What happened, with the end of the log, which says why.
fn refusal(folder: &Path, what: &str) -> String {
    let log = folder.join(LOG);
    let tail = tail(&log, 5);
    format!("tarpitd {what}; the end of {}:\n{tail}", log.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_listens_in_the_kernels_table_as_long_as_its_listener_lives() {
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let address = SocketAddrV4::new(HOST, listener.local_addr().unwrap().port());
        assert!(listening_addresses().unwrap().contains(&address));
        drop(listener);
        assert!(!listening_addresses().unwrap().contains(&address));
    }

    fn tarpit(port: Option<u16>) -> Tarpit {
        let keys = "persona = \"debian-12\"\n".to_owned();
        Tarpit { name: "curl".to_owned(), pattern: "http_bad_site", keys, port, host: None }
    }

    #[test]
    fn a_configuration_names_every_tarpit_with_its_address() {
        let address = SocketAddrV4::new(HOST, 8080);
        let text = toml(&[&tarpit(None)], &[address], Path::new("/tmp/a \"b\""));
        assert_eq!(
            text,
            "[limits]\nper_address = 0\nper_prefix = 0\n\n\
             [logging]\nclient_trace = \"/tmp/a \\\"b\\\"\"\n\n[tarpits.curl]\n\
             pattern = \"http_bad_site\"\nclient_trace = true\n\
             bind = [{ host = \"127.0.0.1\", port = 8080 }]\npersona = \"debian-12\"\n"
        );
    }

    #[test]
    fn two_tarpits_get_the_same_port_on_different_addresses() {
        let addresses = free_addresses(&[&tarpit(Some(2121)), &tarpit(Some(2121))]).unwrap();
        assert_eq!((addresses[0].port(), addresses[1].port()), (2121, 2121));
        assert_ne!(addresses[0], addresses[1]);
    }
}
