//! Lines on their way to a file or stream, written by a thread of their own so that a full disk or
//! a stuck reader never holds up a worker.

use std::{
    fmt,
    fs::{File, Metadata, OpenOptions, symlink_metadata},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

use crate::{os::clock::Clock, settings::Sink};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Gid, Uid},
};

/// The most bytes that wait in memory; lines beyond that are lost, and counted.
const MOST_WAITING: usize = 4 * 1024 * 1024;

/// Lines are gathered this long, or until there is a batch of [`BATCH`] bytes.
const GATHER: Duration = Duration::from_millis(200);

/// Enough bytes to be worth a system call, and few enough that memory is not kept for them.
const BATCH: usize = 64 * 1024;

/// So much a pipe or a terminal takes at once when it takes anything (POSIX: `PIPE_BUF`). What is
/// written there in pieces of this size is written or not, so that the account of what is lost is
/// right at any moment.
const PIECE: usize = 4 * 1024;

/// How long the daemon's end waits for a write that has begun.
const LAST_WRITE: Duration = Duration::from_millis(50);

/// Room that is kept for lines on either side of the thread. A storm of clients needs no more as
/// long as the target takes what is written; and so much is a mapping of its own to the allocator,
/// which grows and shrinks without leaving holes among the clients.
pub(crate) const ROOM: usize = 2 * BATCH;

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

    /// Gives a regular file to the user that the daemon becomes, who shall open it anew later. One
    /// that has another name as well is left alone: that user may have put a link there, to have
    /// a file that is somebody else's.
    pub(crate) fn give_to(&self, (uid, gid): (Uid, Gid)) -> io::Result<()> {
        let same = |link: Metadata| {
            self.file.metadata().is_ok_and(|ours| {
                (ours.dev(), ours.ino(), ours.nlink()) == (link.dev(), link.ino(), 1)
            })
        };
        if self.regular && symlink_metadata(&self.name).is_ok_and(same) {
            rustix::fs::fchown(&self.file, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// The most bytes that are written at once, unless a line is longer.
    fn piece(&self) -> usize {
        if self.regular { BATCH } else { PIECE }
    }

    /// Waits until something can be written.
    fn wait(&self) {
        if !self.regular {
            let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
            // Whatever comes of waiting, the next write tells.
            let _ = poll(&mut fds, None);
        }
    }

    /// Writes whole lines; says how many of them were lost, and why.
    fn write(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        if self.torn && self.file.write_all(b"\n").is_ok() {
            self.torn = false;
        }
        // On a terminal the live line may stand there. It is cleared in the same write, so that it
        // cannot be drawn again in between.
        let cleared;
        let lines = if self.terminal {
            cleared = [b"\r\x1b[K", lines].concat();
            &cleared
        } else {
            lines
        };
        let mut written = 0;
        let error = loop {
            match self.file.write(&lines[written..]) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
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

/// How many of the bytes at the front are at most `most`, and end with a line; a longer line counts
/// whole.
fn whole_lines(bytes: &[u8], most: usize) -> usize {
    let ends = |&byte: &u8| byte == b'\n';
    if bytes.len() <= most {
        return bytes.len();
    }
    let within = bytes[..most].iter().rposition(ends);
    let end = within.or_else(|| bytes.iter().position(ends));
    end.map_or(bytes.len(), |end| end + 1)
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

/// A worker's end: takes lines, and waits for nothing but another's copying of some.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    life: Arc<Life>,
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

/// The thread goes on until the last writer is gone.
#[derive(Debug)]
struct Life(Arc<Shared>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.desk().over = true;
        self.0.news.notify_one();
    }
}

/// What both ends of a writer have in common.
#[derive(Debug, Default)]
struct Shared {
    desk: Mutex<Desk>,
    /// Told when there is something for the thread to do.
    news: Condvar,
    /// Told when less waits than before.
    room: Condvar,
    lost: AtomicU64,
    /// Lines lost since all was well, and whether it has been told that all is not.
    unreported: AtomicU64,
    failing: AtomicBool,
}

/// What waits for the thread.
#[derive(Debug, Default)]
struct Desk {
    lines: Vec<u8>,
    /// Bytes that the thread has taken and not written yet.
    taken: usize,
    /// How many lines wait, and are taken.
    count: u64,
    /// Whether some of them are being written.
    writing: bool,
    /// Whether nothing more is written, since the daemon ends.
    abandoned: bool,
    /// The target's name.
    name: String,
    /// A new target for all lines but so many bytes of them.
    reopened: Option<(usize, Target)>,
    /// Who waits until all before it has been tried.
    asking: Vec<Sender<()>>,
    over: bool,
}

impl Desk {
    fn waiting(&self) -> usize {
        self.lines.len() + self.taken
    }

    fn has_room_for(&self, lines: &[u8]) -> bool {
        self.waiting() + lines.len() <= MOST_WAITING
    }

    fn is_urgent(&self) -> bool {
        self.over || self.reopened.is_some() || !self.asking.is_empty() || self.lines.len() >= BATCH
    }
}

impl Writer {
    /// A thread that writes to `target` and reports on itself, with its target's name. So many
    /// bytes of `room` are there on either side of it from the start.
    pub(crate) fn spawn(
        name: &str,
        target: Target,
        clock: Clock,
        report: Report,
        room: usize,
    ) -> io::Result<Self> {
        let room = || {
            // Written once, so that the memory is really there.
            let mut room = vec![1; room];
            room.clear();
            room
        };
        let desk = Desk { lines: room(), name: target.name.clone(), ..Desk::default() };
        let shared = Arc::new(Shared { desk: Mutex::new(desk), ..Shared::default() });
        let life = Arc::new(Life(Arc::clone(&shared)));
        let scribe = Scribe { target, clock, shared, batch: room(), report: report.clone() };
        thread::Builder::new()
            .name(name.to_owned())
            .stack_size(128 * 1024)
            .spawn(move || scribe.run())?;
        Ok(Self { life, report })
    }

    /// Takes whole lines. What does not fit into memory any more is lost, and counted.
    pub(crate) fn write(&self, lines: &[u8]) {
        let count = count_lines(lines);
        self.take(lines, count, self.shared().desk());
    }

    fn take(&self, lines: &[u8], count: usize, mut desk: MutexGuard<'_, Desk>) {
        let shared = self.shared();
        if desk.abandoned {
            return shared.lose(count);
        }
        if !desk.has_room_for(lines) {
            // The name is for the first report only.
            let name = (!shared.failing.load(Relaxed)).then(|| desk.name.clone());
            drop(desk);
            shared.lose(count);
            if let Some(name) = name {
                shared.fail(&name, "its reader is stuck and 4 MiB are waiting", &self.report);
            }
            return;
        }
        let before = desk.lines.len();
        desk.lines.extend_from_slice(lines);
        desk.count += count as u64;
        // The thread waits for the first lines, and then for a batch; it is not woken in between.
        let awaited = before == 0 || (before < BATCH && desk.lines.len() >= BATCH);
        drop(desk);
        if awaited {
            shared.news.notify_one();
        }
    }

    /// Takes whole lines, and waits for room at most `patience`; for the daemon's end, when
    /// nothing else is left to do.
    pub(crate) fn write_patiently(&self, lines: &[u8], patience: Duration) {
        let (shared, count) = (self.shared(), count_lines(lines));
        let is_full = |desk: &mut Desk| !desk.has_room_for(lines);
        let waited = shared.room.wait_timeout_while(shared.desk(), patience, is_full);
        self.take(lines, count, waited.unwrap_or_else(PoisonError::into_inner).0);
    }

    /// Goes on with another target, for instance the same file anew.
    pub(crate) fn reopen(&self, target: Target) {
        let mut desk = self.shared().desk();
        // Where another one is still awaited, what was meant for it goes to this one.
        let before = desk.reopened.take().map_or(desk.lines.len(), |(before, _)| before);
        desk.reopened = Some((before, target));
        drop(desk);
        self.shared().news.notify_one();
    }

    /// Waits until all that was taken has been tried, at most `patience`.
    pub(crate) fn flush(&self, patience: Duration) {
        let (done, wait) = mpsc::channel();
        self.shared().desk().asking.push(done);
        self.shared().news.notify_one();
        // At the bound the daemon's end comes first.
        let _ = wait.recv_timeout(patience);
    }

    /// How many lines have been lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.shared().lost.load(Relaxed)
    }

    /// Gives up what still waits, and all that comes: no more is written. Says how many lines wait,
    /// which are lost.
    pub(crate) fn abandon(&self) -> u64 {
        let shared = self.shared();
        let is_writing = |desk: &mut Desk| desk.writing;
        let waited = shared.room.wait_timeout_while(shared.desk(), LAST_WRITE, is_writing);
        let (mut desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        desk.abandoned = true;
        desk.lines = Vec::new();
        let count = std::mem::take(&mut desk.count);
        drop(desk);
        shared.lose(usize::try_from(count).unwrap_or(usize::MAX));
        count
    }

    /// How many lines wait to be written.
    #[cfg(test)]
    fn waiting(&self) -> u64 {
        self.shared().desk().count
    }

    fn shared(&self) -> &Shared {
        &self.life.0
    }
}

/// The thread's end.
struct Scribe {
    target: Target,
    clock: Clock,
    shared: Arc<Shared>,
    /// Lines on their way out.
    batch: Vec<u8>,
    report: Report,
}

/// What the thread found on the desk beside lines.
struct Errand {
    reopened: Option<(usize, Target)>,
    asking: Vec<Sender<()>>,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, lines: usize) {
        self.lost.fetch_add(lines as u64, Relaxed);
        self.unreported.fetch_add(lines as u64, Relaxed);
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
        while let Some(Errand { reopened, asking }) = self.gather() {
            let lines = std::mem::take(&mut self.batch);
            let before = reopened.as_ref().map_or(lines.len(), |(before, _)| *before);
            self.write(&lines[..before]);
            if let Some((_, target)) = reopened {
                self.target = target;
                self.write(&lines[before..]);
            }
            self.batch = lines;
            self.batch.clear();
            self.batch.shrink_to(ROOM);
            for done in asking {
                // Whoever asked may have stopped waiting.
                let _ = done.send(());
            }
        }
    }

    /// Waits for lines, gathers a batch, and takes what is on the desk; `None` at the end of all.
    fn gather(&mut self) -> Option<Errand> {
        let mut desk = self.shared.desk();
        let mut end = None;
        while !desk.is_urgent() {
            desk = if desk.lines.is_empty() {
                self.shared.news.wait(desk).unwrap_or_else(PoisonError::into_inner)
            } else {
                let now = self.clock.now();
                let left = end.get_or_insert_with(|| now.after(GATHER)).since(now);
                if left.is_zero() {
                    break;
                }
                let waited = self.shared.news.wait_timeout(desk, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
        if desk.over && desk.lines.is_empty() && desk.asking.is_empty() {
            return None;
        }
        std::mem::swap(&mut desk.lines, &mut self.batch);
        desk.taken = self.batch.len();
        let (reopened, asking) = (desk.reopened.take(), std::mem::take(&mut desk.asking));
        if let Some((_, target)) = &reopened {
            desk.name.clone_from(&target.name);
        }
        Some(Errand { reopened, asking })
    }

    /// Writes whole lines that were taken from the desk, a batch at a time, so that there is room
    /// again for others as soon as some are written.
    fn write(&mut self, lines: &[u8]) {
        let mut rest = lines;
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(whole_lines(rest, self.target.piece()));
            rest = others;
            self.target.wait();
            let mut desk = self.shared.desk();
            if desk.abandoned {
                return;
            }
            desk.writing = true;
            drop(desk);
            let (lost, error) = self.target.write(batch);
            let count = count_lines(batch) as u64;
            let mut desk = self.shared.desk();
            desk.writing = false;
            desk.taken -= batch.len();
            // Where it took too long at the end, they are counted as lost.
            let was_abandoned = desk.abandoned;
            desk.count = desk.count.saturating_sub(count);
            if !was_abandoned {
                self.shared.lose(lost);
            }
            // With little left to write the reader is not stuck any more.
            let stuck = desk.waiting() > MOST_WAITING / 2;
            drop(desk);
            self.shared.room.notify_all();
            self.tell_health(error, stuck);
        }
    }

    fn tell_health(&self, error: Option<io::Error>, stuck: bool) {
        let name = &self.target.name;
        match error {
            Some(error) => self.shared.fail(name, &error.to_string(), &self.report),
            None if !stuck && self.shared.failing.swap(false, Relaxed) => {
                let lost = self.shared.unreported.swap(0, Relaxed);
                (self.report.0)(name, Health::Recovered(lost));
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn target(path: &Path) -> Target {
        Target::open(&Sink::File(path.to_owned())).unwrap()
    }

    fn pipe(end: io::PipeWriter) -> Target {
        Target {
            file: File::from(std::os::fd::OwnedFd::from(end)),
            name: "pipe".into(),
            regular: false,
            terminal: false,
            torn: false,
        }
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
            Writer::spawn("test", target(&path), Clock::start(), Report::to(|_, _| {}), 0).unwrap();
        for number in 0..1_000 {
            writer.write(format!("line {number}\n").as_bytes());
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
            Writer::spawn("test", target(&path), Clock::start(), Report::to(report), 0).unwrap();
        writer.write(b"one\ntwo\n");
        writer.flush(Duration::from_secs(10));
        assert_eq!(writer.lost(), 2);
        writer.write(b"three\n");
        writer.flush(Duration::from_secs(10));
        let good = directory.join("good");
        writer.reopen(target(&good));
        writer.write(b"four\n");
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
    fn lines_go_where_they_were_meant_to_when_they_were_taken() {
        let directory = directory("reopen");
        let paths = ["first", "second"].map(|name| directory.join(name));
        let writer =
            Writer::spawn("test", target(&paths[0]), Clock::start(), Report::to(|_, _| {}), 0)
                .unwrap();
        for number in 0..200 {
            writer.write(b"to the first\n");
            if number == 100 {
                writer.flush(Duration::from_secs(10));
            }
        }
        writer.reopen(target(&paths[1]));
        for _ in 0..200 {
            writer.write(b"to the second\n");
        }
        writer.flush(Duration::from_secs(10));
        let [first, second] = paths.map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(first, "to the first\n".repeat(200));
        assert_eq!(second, "to the second\n".repeat(200));
        assert_eq!(writer.waiting(), 0);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_a_storm_needed_is_given_back_when_it_is_written() {
        let (mut reader, writing) = io::pipe().unwrap();
        let writer =
            Writer::spawn("test", pipe(writing), Clock::start(), Report::to(|_, _| {}), ROOM)
                .unwrap();
        let lines = b"a line of a storm\n".repeat(50);
        // Nobody reads: all but a little waits.
        for _ in 0..2_000 {
            writer.write(&lines);
        }
        assert!(writer.shared().desk().lines.capacity() > ROOM);
        let read = thread::spawn(move || {
            let mut text = Vec::new();
            io::Read::read_to_end(&mut reader, &mut text).unwrap();
            text.len()
        });
        // Both sides of the desk come by.
        for _ in 0..4 {
            writer.flush(Duration::from_secs(10));
            assert!(writer.shared().desk().lines.capacity() <= ROOM);
        }
        assert_eq!((writer.lost(), writer.waiting()), (0, 0));
        drop(writer);
        assert_eq!(read.join().unwrap(), 2_000 * lines.len());
    }

    #[test]
    fn what_a_stuck_reader_leaves_is_lost_to_the_line() {
        let (mut reader, writing) = io::pipe().unwrap();
        let writer =
            Writer::spawn("test", pipe(writing), Clock::start(), Report::to(|_, _| {}), 0).unwrap();
        let all = 12_345;
        for number in 0..all {
            writer.write(format!("line {number}\n").as_bytes());
        }
        // As much as the pipe takes is written.
        writer.flush(Duration::from_millis(300));
        let given_up = writer.abandon();
        assert_eq!(writer.lost(), given_up);
        writer.write(b"too late\n");
        assert_eq!((writer.lost(), writer.abandon()), (given_up + 1, 0));
        drop(writer);
        // The thread still waits for room in the pipe, and writes nothing more when there is some.
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert!(given_up > 1_000 && text.ends_with('\n'));
        assert_eq!(text.lines().count() as u64 + given_up, all);
    }

    #[test]
    fn a_slow_reader_is_told_of_once() {
        let (mut reader, writing) = io::pipe().unwrap();
        let (sender, reports) = mpsc::channel();
        let report = move |_: &str, health: Health<'_>| {
            sender.send(matches!(health, Health::Failing(_))).unwrap();
        };
        let writer =
            Writer::spawn("test", pipe(writing), Clock::start(), Report::to(report), 0).unwrap();
        let lines = b"a line of a storm\n".repeat(50);
        let mut some = vec![0; 16 * 1_024];
        // A tenth of what comes is read: there is always too much.
        for round in 0..60_000 {
            writer.write(&lines);
            if round % 180 == 179 {
                io::Read::read_exact(&mut reader, &mut some).unwrap();
            }
        }
        assert!(writer.lost() > 0);
        assert_eq!(reports.try_iter().collect::<Vec<_>>(), [true]);
        // What waits is written in batches, so that soon there is room for more.
        let read = thread::spawn(move || io::copy(&mut reader, &mut io::sink()).unwrap());
        writer.flush(Duration::from_secs(10));
        assert_eq!(reports.recv(), Ok(false));
        drop(writer);
        read.join().unwrap();
    }

    #[test]
    fn batches_end_with_a_line() {
        for (bytes, most, wanted) in [
            ("ab\ncd\n", 9, 6),
            ("ab\ncd\n", 5, 3),
            ("ab\ncd\n", 3, 3),
            ("ab\ncd\n", 2, 3),
            ("abc", 2, 3),
        ] {
            assert_eq!(whole_lines(bytes.as_bytes(), most), wanted, "{bytes:?} {most}");
        }
    }

    #[test]
    fn what_waits_in_memory_is_bounded() {
        let (reader, writing) = io::pipe().unwrap();
        let writer =
            Writer::spawn("test", pipe(writing), Clock::start(), Report::to(|_, _| {}), 0).unwrap();
        let line = vec![b'\n'; 1_000];
        for _ in 0..10_000 {
            writer.write(&line);
        }
        assert!(writer.shared().desk().waiting() <= MOST_WAITING);
        assert!(writer.lost() > 5_000_000);
        drop(reader);
    }
}
