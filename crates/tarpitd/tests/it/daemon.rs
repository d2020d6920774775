//! The real binary, started on ports that the kernel chooses, and ended with the test.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use crate::{
    clock::{now, pause},
    require::lacks,
};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use serde_json::Value;

/// Nothing here waits longer for anything; it is a bound on failure, not a measure of time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The same for something that must come among others, each of which comes in time.
const MOST: Duration = Duration::from_secs(60);

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// All that was read from standard error so far.
    pub(crate) log: Vec<String>,
    /// Where it listens, in the order of its start-up lines.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Whether the test itself makes it do what the sandbox denies.
    pub(crate) may_be_denied: bool,
}

/// The binary under test.
pub(crate) fn tarpitd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tarpitd"));
    command.stdin(Stdio::null()).env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET");
    command
}

impl Daemon {
    /// Starts it and waits until it listens on `ports` addresses.
    pub(crate) fn start(arguments: &[&str], ports: usize) -> Self {
        let mut command = tarpitd();
        command.args(arguments);
        Self::spawn(command, ports)
    }

    /// The same with a command made by the test.
    pub(crate) fn spawn(mut command: Command, ports: usize) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let stdout = child.as_mut().ok().and_then(|child| child.stdout.take());
        Self::of(child.expect("the binary starts"), stdout.expect("piped"), ports)
    }

    /// The same where what it writes to standard output, which the command names, is read here.
    pub(crate) fn spawn_shown(mut command: Command, shown: File, ports: usize) -> Self {
        let child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        // Our copy of the other end must go, or reading never ends.
        drop(command);
        Self::of(child, shown, ports)
    }

    /// Runs it where it cannot start: its standard output and error, and its exit code.
    pub(crate) fn start_and_fail(arguments: &[&str]) -> (String, String, Option<i32>) {
        let output = tarpitd().args(arguments).output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (text(output.stdout), text(output.stderr), output.status.code())
    }

    fn of(mut child: Child, stdout: impl Read + Send + 'static, ports: usize) -> Self {
        let stdout = lines(stdout);
        let stderr = lines(child.stderr.take().expect("piped"));
        let (log, addresses) = (Vec::new(), Vec::new());
        let mut daemon = Self { child, stdout, stderr, log, addresses, may_be_denied: false };
        while daemon.addresses.len() < ports {
            let line = daemon.log_line();
            daemon.note_address(&line);
        }
        daemon
    }

    /// Remembers the address of a start-up line.
    fn note_address(&mut self, line: &str) {
        if let Some((_, address)) =
            line.split_once("notice: ").and_then(|(_, l)| l.rsplit_once(" on "))
            && let Ok(address) = address.parse()
        {
            self.addresses.push(address);
        }
    }

    /// The next line of the log.
    pub(crate) fn log_line(&mut self) -> String {
        let line = self.stderr.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("no more lines; so far: {:#?}", self.log));
        self.note(&line);
        line
    }

    /// Remembers a line of the log. Each test is one of the sandbox, too, which is on by default and
    /// whole, as with `mode = "require"`: what a test does needs no more than the daemon may do
    /// inside.
    fn note(&mut self, line: &str) {
        self.log.push(line.to_owned());
        let is_denied = line.contains("the sandbox has denied") && !self.may_be_denied;
        assert!(!is_denied, "{:#?}", self.log);
        if line.contains("the sandbox is incomplete") {
            lacks("landlock", line);
        }
    }

    /// Reads the log on to a line that contains `text`.
    pub(crate) fn log_has(&mut self, text: &str) -> String {
        let start = now();
        while start.elapsed() < MOST {
            let line = self.log_line();
            self.note_address(&line);
            if line.contains(text) {
                return line;
            }
        }
        panic!("many lines, and none with {text}: {:#?}", self.log);
    }

    /// Reads the log on to a line that contains `text`, which may take so long.
    pub(crate) fn log_line_within(&mut self, patience: Duration, text: &str) -> String {
        let start = now();
        while let Some(left) = patience.checked_sub(start.elapsed()) {
            let Ok(line) = self.stderr.recv_timeout(left) else { break };
            self.note(&line);
            if line.contains(text) {
                return line;
            }
        }
        panic!("no {text} in that time: {:#?}", self.log);
    }

    /// The next line of standard output.
    pub(crate) fn shown_line(&mut self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line of the trace")
    }

    /// The next line of standard output, as JSON.
    pub(crate) fn trace_line(&mut self) -> Value {
        serde_json::from_str(&self.shown_line()).expect("the trace is JSON")
    }

    /// Reads the trace on to an event called `event`.
    pub(crate) fn trace_has(&mut self, event: &str) -> Value {
        let start = now();
        while start.elapsed() < MOST {
            let line = self.trace_line();
            if line["event"] == event {
                return line;
            }
        }
        panic!("many events, and none is {event}");
    }

    /// A client of the first address.
    pub(crate) fn connect(&self) -> Client {
        Client::of(self.addresses[0])
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it is running");
    }

    /// Connects and waits for the reset by which a newcomer is refused, which may come so soon
    /// that connecting itself fails.
    pub(crate) fn refuses(&self) {
        match TcpStream::connect_timeout(&self.addresses[0], PATIENCE) {
            Ok(stream) => Client::from(stream).is_reset(),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }

    /// Asks it to end and waits; the rest of the trace, the rest of the log, and how it ended.
    pub(crate) fn stop(self) -> (Vec<Value>, Vec<String>, ExitStatus) {
        self.stop_by(rustix::process::Signal::TERM)
    }

    /// The same by the given signal.
    pub(crate) fn stop_by(
        self,
        signal: rustix::process::Signal,
    ) -> (Vec<Value>, Vec<String>, ExitStatus) {
        self.signal(signal);
        self.wait()
    }

    /// The same for one that was asked already.
    pub(crate) fn wait(mut self) -> (Vec<Value>, Vec<String>, ExitStatus) {
        let status = self.ends();
        let trace = self.stdout.iter().map(|line| serde_json::from_str(&line).expect("JSON"));
        let trace = trace.collect();
        let mut log = Vec::new();
        while let Ok(line) = self.stderr.recv() {
            self.note(&line);
            log.push(line);
        }
        (trace, log, status)
    }

    /// The rest of the trace, which ends with the last process that has standard output.
    pub(crate) fn rest_of_trace(&self) -> Vec<Value> {
        let lines = std::iter::from_fn(|| self.stdout.recv_timeout(PATIENCE).ok());
        lines.map(|line| serde_json::from_str(&line).expect("JSON")).collect()
    }

    /// Waits until it ends by itself; how it ended.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        until("the end", || {
            status = self.child.try_wait().expect("it was started");
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// Closes our ends of its streams, as when a terminal goes away.
    pub(crate) fn close_streams(&mut self) {
        (_, self.stdout) = mpsc::channel();
        (_, self.stderr) = mpsc::channel();
    }

    /// How many rings it has.
    pub(crate) fn rings(&self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it is running");
        let targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        targets.filter(|target| target == Path::new("anon_inode:[io_uring]")).count()
    }

    /// Memory that nobody else has and no file holds, in bytes.
    pub(crate) fn private(&self) -> u64 {
        let rollup = format!("/proc/{}/smaps_rollup", self.child.id());
        let rollup = fs::read_to_string(rollup).expect("it is running");
        let size = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            let size = line.and_then(|rest| rest.split_whitespace().next());
            size.and_then(|size| size.parse::<u64>().ok()).expect("a number")
        };
        1_024 * (size("Anonymous:") + size("Swap:"))
    }

    /// What it has counted under this name, as it tells in its totals.
    pub(crate) fn total(&mut self, name: &str) -> u64 {
        self.signal(rustix::process::Signal::USR1);
        let line = self.log_has("totals: ");
        let mut words = line.split_whitespace().filter_map(|word| word.split_once('='));
        let value = words.find_map(|(word, value)| (word == name).then_some(value));
        value.and_then(|value| value.parse().ok()).expect("a count")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of a stream, read by a thread so that waiting for one has a bound.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                // Nobody listens any more: the stream is closed by leaving.
                return;
            }
        }
    });
    receiver
}

/// A client that the daemon holds.
pub(crate) struct Client(pub(crate) TcpStream);

impl From<TcpStream> for Client {
    fn from(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
        Self(stream)
    }
}

impl Client {
    pub(crate) fn of(address: SocketAddr) -> Self {
        TcpStream::connect_timeout(&address, PATIENCE).expect("the port is open").into()
    }

    /// One that comes from another address, of the loopback network.
    pub(crate) fn from_to(source: Ipv4Addr, address: SocketAddr) -> Self {
        let flags = SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
        let socket = socket.expect("a socket");
        net::bind(&socket, &SocketAddr::from((source, 0))).expect("a loopback address");
        net::connect(&socket, &address).expect("the port is open");
        TcpStream::from(socket).into()
    }

    /// Reads at least one byte; what came.
    pub(crate) fn hear(&mut self) -> Vec<u8> {
        let mut buffer = [0; 4_096];
        let count = loop {
            match self.0.read(&mut buffer) {
                // A tracer that lets go of a program interrupts calls of its neighbours, too.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.expect("it says something"),
            }
        };
        assert!(count > 0, "it closed the connection");
        buffer[..count].to_vec()
    }

    /// Waits for the reset with which the daemon ends a connection.
    pub(crate) fn is_reset(&mut self) {
        let (mut buffer, start) = ([0; 4_096], now());
        while start.elapsed() < MOST {
            match self.0.read(&mut buffer) {
                Ok(0) => panic!("a goodbye instead of a reset"),
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                    return;
                }
            }
        }
        panic!("it is held instead of reset");
    }
}

/// A directory for one test, gone with it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tarpitd-it-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for temporary files");
        Self(path)
    }

    /// Writes a file; its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("the file is written");
        path
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left behind lies among temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits until `done`, which polls something outside of our control; fails at the bound.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what} never came");
        pause(Duration::from_millis(5));
    }
}

/// Lets a thread of a test end at the end of its scope, also where the test fails: otherwise the
/// scope would wait for it instead of telling the failure.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Whether a file's text fulfils a condition in the end.
pub(crate) fn file_gets(path: &str, condition: impl Fn(&str) -> bool) -> String {
    let read = || fs::read_to_string(Path::new(path)).unwrap_or_default();
    until(path, || condition(&read()));
    read()
}

/// What all its threads have used.
pub(crate) fn processor_time(daemon: &Daemon) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero()));
    let nanos = tasks.expect("it is running").flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}
