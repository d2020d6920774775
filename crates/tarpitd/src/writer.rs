//! Lines on their way to a file or stream, written by a thread of their own so that a full disk or
//! a stuck reader never holds up the engine.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Gid, Uid},
};
use tarpit_proto::time::Time;

use crate::{clock::Clock, config::Sink};

/// The most bytes that wait in memory; lines beyond that are lost, and counted.
const MOST_WAITING: usize = 4 * 1024 * 1024;

/// Lines are gathered this long, or until there is a batch of [`BATCH`] bytes.
const GATHER: Duration = Duration::from_millis(200);

/// Enough bytes to be worth a system call, and few enough that memory is not kept for them.
const BATCH: usize = 64 * 1024;

/// Room in one piece, and how many pieces are kept.
pub(crate) const PIECE: usize = 16 * 1024;
const SPARES: usize = 24;

/// Where lines go, once opened.
#[derive(Debug)]
pub(crate) struct Target {
    file: File,
    name: String,
    /// A regular file can be cut back to its last whole line.
    regular: bool,
    terminal: bool,
    /// The last write ended amid a line that could not be cut off.
    torn: bool,
}

impl Target {
    /// Opens the sink; a file is appended to.
    pub(crate) fn open(sink: &Sink) -> io::Result<Self> {
        let (file, name) = match sink {
            Sink::File(path) => (append(path)?, path.display().to_string()),
            Sink::Stderr => {
                (File::from(rustix::io::dup(rustix::stdio::stderr())?), "stderr".into())
            }
            Sink::Stdout => {
                (File::from(rustix::io::dup(rustix::stdio::stdout())?), "stdout".into())
            }
        };
        let regular = file.metadata()?.is_file();
        let terminal = rustix::termios::isatty(&file);
        Ok(Self { file, name, regular, terminal, torn: false })
    }

    /// Gives a regular file to the user that the daemon becomes, who shall open it anew later.
    pub(crate) fn give_to(&self, (uid, gid): (Uid, Gid)) -> io::Result<()> {
        if self.regular {
            rustix::fs::fchown(&self.file, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// Writes whole lines; says how many of them were lost, and why.
    fn write(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        let mut start = Vec::new();
        if self.torn {
            start.push(b'\n');
        }
        if self.terminal {
            // The live line may stand there.
            start.extend_from_slice(b"\r\x1b[K");
        }
        if !start.is_empty() && self.file.write_all(&start).is_ok() {
            self.torn = false;
        }
        let mut written = 0;
        let error = loop {
            match self.file.write(&lines[written..]) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
                    // Whatever comes of waiting, the next write tells.
                    let _ = poll(&mut fds, None);
                }
                Err(error) => break Some(error),
            }
            if written == lines.len() {
                return (0, None);
            }
        };
        let whole = lines[..written].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if written > whole && !self.cut((written - whole) as u64) {
            self.torn = true;
        }
        (count_lines(&lines[whole..]), error)
    }

    /// Takes the last `bytes` bytes off a regular file.
    fn cut(&self, bytes: u64) -> bool {
        self.regular
            && self
                .file
                .metadata()
                .and_then(|metadata| self.file.set_len(metadata.len().saturating_sub(bytes)))
                .is_ok()
    }
}

fn append(path: &Path) -> io::Result<File> {
    // Clients' addresses are in it: not for everybody. A pipe that nobody reads is an error, and
    // not something to wait for.
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    Ok(file)
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.split(|&byte| byte == b'\n').count().saturating_sub(1)
}

/// What the thread reports of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health<'a> {
    /// Lines are being lost, for this reason.
    Failing(&'a str),
    /// Lines are written again; so many were lost.
    Recovered(u64),
}

/// The engine's end: takes lines, never waits.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    sender: Sender<Message>,
    shared: Arc<Shared>,
    report: Report,
}

/// Who hears of the writer's health, with the name of its target.
#[derive(Clone)]
pub(crate) struct Report(Arc<Listener>);

/// What hears a report.
type Listener = dyn Fn(&str, Health<'_>) + Send + Sync;

impl Report {
    /// Lets `report` hear.
    pub(crate) fn to(report: impl Fn(&str, Health<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Report")
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// The target's name.
    name: Mutex<String>,
    waiting: AtomicUsize,
    waiting_lines: AtomicU64,
    lost: AtomicU64,
    /// Lines lost since all was well, and whether it has been told that all is not.
    unreported: AtomicU64,
    failing: AtomicBool,
    /// Told when `waiting` has sunk.
    room: Condvar,
    gate: Mutex<()>,
    /// Pieces that have been written, to be filled again.
    spare: Mutex<Vec<Vec<u8>>>,
}

enum Message {
    Lines(Vec<u8>),
    Reopen(Target),
    Flush(Sender<()>),
}

impl Writer {
    /// A thread that writes to `target` and reports on itself, with its target's name.
    pub(crate) fn spawn(
        name: &str,
        target: Target,
        clock: Clock,
        report: Report,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let shared =
            Arc::new(Shared { name: Mutex::new(target.name.clone()), ..Shared::default() });
        let scribe = Scribe {
            target,
            clock,
            receiver,
            shared: Arc::clone(&shared),
            batch: vec![0; 2 * BATCH],
            report: report.clone(),
        };
        thread::Builder::new()
            .name(name.to_owned())
            .stack_size(128 * 1024)
            .spawn(move || scribe.run())?;
        Ok(Self { sender, shared, report })
    }

    /// An empty piece to be filled with lines.
    ///
    /// As many as a storm of clients needs were made at the start, so that storms leave no trace
    /// in the process's memory.
    pub(crate) fn piece(&self) -> Vec<u8> {
        // Whoever finds the spare ones in use at this moment does not wait for them.
        let spare = self.shared.spare.try_lock().ok().and_then(|mut spare| spare.pop());
        spare.unwrap_or_else(|| Vec::with_capacity(PIECE))
    }

    /// Takes whole lines. What does not fit into memory any more is lost, and counted.
    pub(crate) fn write(&self, lines: Vec<u8>) {
        let (length, count) = (lines.len(), count_lines(&lines) as u64);
        if self.shared.waiting.load(Relaxed) + length > MOST_WAITING {
            self.shared.lose(count);
            let name = self.shared.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.shared.fail(&name, "its reader is stuck and 4 MiB wait", &self.report);
            return;
        }
        self.shared.waiting.fetch_add(length, Relaxed);
        self.shared.waiting_lines.fetch_add(count, Relaxed);
        if self.sender.send(Message::Lines(lines)).is_err() {
            self.shared.waiting.fetch_sub(length, Relaxed);
            self.shared.waiting_lines.fetch_sub(count, Relaxed);
            self.shared.lose(count);
        }
    }

    /// Takes whole lines, and waits for room at most `patience`; for the daemon's end, when
    /// nothing else is left to do.
    pub(crate) fn write_patiently(&self, lines: Vec<u8>, patience: Duration) {
        // In short waits, since a notice may come just before we listen for it.
        const WAIT: Duration = Duration::from_millis(10);
        let mut left = patience;
        let mut gate = self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        while self.shared.waiting.load(Relaxed) + lines.len() > MOST_WAITING && !left.is_zero() {
            let waited = self.shared.room.wait_timeout(gate, WAIT);
            gate = waited.unwrap_or_else(PoisonError::into_inner).0;
            left = left.saturating_sub(WAIT);
        }
        drop(gate);
        self.write(lines);
    }

    /// Makes the pieces that a storm needs.
    pub(crate) fn provide(&self) {
        let mut spare = self.shared.spare.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..SPARES {
            // Written once, so that the memory is really there.
            let mut piece = vec![0; PIECE];
            piece.clear();
            spare.push(piece);
        }
    }

    /// Goes on with another target, for instance the same file anew.
    pub(crate) fn reopen(&self, target: Target) {
        // A thread that is gone has been reported.
        let _ = self.sender.send(Message::Reopen(target));
    }

    /// Waits until all that was taken has been tried, at most `patience`.
    pub(crate) fn flush(&self, patience: Duration) {
        let (done, wait) = mpsc::channel();
        if self.sender.send(Message::Flush(done)).is_ok() {
            // At the bound the daemon's end comes first.
            let _ = wait.recv_timeout(patience);
        }
    }

    /// How many lines have been lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Relaxed)
    }

    /// How many lines wait to be written.
    pub(crate) fn waiting(&self) -> u64 {
        self.shared.waiting_lines.load(Relaxed)
    }
}

/// The thread's end.
struct Scribe {
    target: Target,
    clock: Clock,
    receiver: Receiver<Message>,
    shared: Arc<Shared>,
    /// Lines on their way out. Its memory is used again for each batch, and is there from the start.
    batch: Vec<u8>,
    report: Report,
}

impl Shared {
    fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Relaxed);
        self.unreported.fetch_add(lines, Relaxed);
    }

    /// Tells that lines are lost, once.
    fn fail(&self, name: &str, reason: &str, report: &Report) {
        if !self.failing.swap(true, Relaxed) {
            (report.0)(name, Health::Failing(reason));
        }
    }
}

impl Scribe {
    fn run(mut self) {
        while let Ok(message) = self.receiver.recv() {
            let mut next = Some(message);
            while let Some(message) = next.take() {
                next = match message {
                    Message::Lines(lines) => self.gather(lines),
                    Message::Reopen(target) => {
                        let mut name =
                            self.shared.name.lock().unwrap_or_else(PoisonError::into_inner);
                        name.clone_from(&target.name);
                        drop(name);
                        self.target = target;
                        None
                    }
                    Message::Flush(done) => {
                        // Whoever asked may have stopped waiting.
                        let _ = done.send(());
                        None
                    }
                };
            }
        }
    }

    /// Gathers a batch and writes it; hands back a message that came in between.
    fn gather(&mut self, lines: Vec<u8>) -> Option<Message> {
        self.batch.clear();
        self.add(lines);
        let end = self.clock.now().after(GATHER);
        let mut next = None;
        while self.batch.len() < BATCH {
            match self.receiver.recv_timeout(self.left(end)) {
                Ok(Message::Lines(lines)) => self.add(lines),
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let (lost, error) = self.target.write(&self.batch);
        self.shared.lose(lost as u64);
        self.shared.waiting.fetch_sub(self.batch.len(), Relaxed);
        self.shared.waiting_lines.fetch_sub(count_lines(&self.batch) as u64, Relaxed);
        self.batch.shrink_to(2 * BATCH);
        self.shared.room.notify_all();
        self.tell_health(error);
        next
    }

    fn add(&mut self, mut lines: Vec<u8>) {
        self.batch.extend_from_slice(&lines);
        lines.clear();
        let mut spare = self.shared.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.capacity() == PIECE && spare.len() < SPARES {
            spare.push(lines);
        }
    }

    fn tell_health(&self, error: Option<io::Error>) {
        let name = &self.target.name;
        // With little left to write the reader is not stuck any more.
        let stuck = self.shared.waiting.load(Relaxed) > MOST_WAITING / 2;
        match error {
            Some(error) => self.shared.fail(name, &error.to_string(), &self.report),
            None if !stuck && self.shared.failing.swap(false, Relaxed) => {
                let lost = self.shared.unreported.swap(0, Relaxed);
                (self.report.0)(name, Health::Recovered(lost));
            }
            None => {}
        }
    }

    fn left(&self, end: Time) -> Duration {
        end.since(self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn target(path: &Path) -> Target {
        Target::open(&Sink::File(path.to_owned())).unwrap()
    }

    fn directory(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("tarpitd-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn lines_arrive_whole_and_behind_what_was_there() {
        let directory = directory("append");
        let path = directory.join("trace");
        fs::write(&path, "before\n").unwrap();
        let writer =
            Writer::spawn("test", target(&path), Clock::start(), Report::to(|_, _| {})).unwrap();
        for number in 0..1_000 {
            writer.write(format!("line {number}\n").into_bytes());
        }
        writer.flush(Duration::from_secs(10));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1_001);
        assert!(text.starts_with("before\nline 0\n") && text.ends_with("line 999\n"));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_full_disk_loses_lines_and_counts_them_and_nothing_else_happens() {
        let directory = directory("full");
        let path = directory.join("trace");
        symlink("/dev/full", &path).unwrap();
        let (sender, reports) = mpsc::channel();
        let report = move |name: &str, health: Health<'_>| {
            sender.send(format!("{} {health:?}", name.ends_with("trace"))).unwrap();
        };
        let writer =
            Writer::spawn("test", target(&path), Clock::start(), Report::to(report)).unwrap();
        writer.write(b"one\ntwo\n".to_vec());
        writer.flush(Duration::from_secs(10));
        assert_eq!(writer.lost(), 2);
        writer.write(b"three\n".to_vec());
        writer.flush(Duration::from_secs(10));
        let good = directory.join("good");
        writer.reopen(target(&good));
        writer.write(b"four\n".to_vec());
        writer.flush(Duration::from_secs(10));
        assert_eq!(fs::read_to_string(&good).unwrap(), "four\n");
        assert_eq!(writer.lost(), 3);
        let first = reports.recv().unwrap();
        assert!(first.starts_with("true Failing"), "{first}");
        assert_eq!(reports.recv().unwrap(), "false Recovered(3)");
        assert!(reports.try_recv().is_err(), "each said once");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_waits_in_memory_is_bounded() {
        let (reader, writing) = io::pipe().unwrap();
        let target = Target {
            file: File::from(std::os::fd::OwnedFd::from(writing)),
            name: "pipe".into(),
            regular: false,
            terminal: false,
            torn: false,
        };
        let writer = Writer::spawn("test", target, Clock::start(), Report::to(|_, _| {})).unwrap();
        let line = vec![b'\n'; 1_000];
        for _ in 0..10_000 {
            writer.write(line.clone());
        }
        assert!(writer.shared.waiting.load(Relaxed) <= MOST_WAITING);
        assert!(writer.lost() > 5_000_000);
        drop(reader);
    }
}
