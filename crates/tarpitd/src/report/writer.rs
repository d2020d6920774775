//! Writing lines to a file or stream. A thread of its own does it, so that a full disk or a stuck
//! reader never delays a worker.

use std::{
    fmt, io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

use super::{
    backlog::{Backlog, MOST_WAITING},
    target::{FILE_WRITE, Target, count_lines, whole_lines},
};
use crate::os::clock::Clock;

/// Lines are gathered this long, or until there are [`FILE_WRITE`] bytes.
const GATHER: Duration = Duration::from_millis(200);

/// How long the daemon's end waits for a write that has begun.
const LAST_WRITE: Duration = Duration::from_millis(50);

/// Room that is kept for lines on either side of the thread. A storm of clients needs no more while
/// the target takes the lines. The allocator maps so much memory separately, so it grows and
/// shrinks without leaving holes between clients.
pub(crate) const ROOM: usize = 2 * FILE_WRITE;

/// What the thread reports about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health<'a> {
    /// Lines are being lost, for this reason.
    Failing(&'a str),
    /// Lines are written again; this many were lost.
    Recovered(u64),
    /// The file was removed and is made again; no line was lost.
    Remade,
}

/// A worker's end. It takes lines, and waits at most while another thread copies some.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    handle: Arc<Handle>,
    report: Report,
}

/// Receives the writer's health, with the name of its target.
#[derive(Clone)]
pub(crate) struct Report(Arc<OnHealth>);

/// Called with the target's name and its health.
type OnHealth = dyn Fn(&str, Health<'_>) + Send + Sync;

impl Report {
    /// Reports to `report`.
    pub(crate) fn to(report: impl Fn(&str, Health<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Report")
    }
}

/// Shared by all writers. The thread ends with the last of them.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.backlog().over = true;
        self.0.news.notify_one();
    }
}

/// Shared by both ends of a writer.
#[derive(Debug, Default)]
struct Shared {
    backlog: Mutex<Backlog>,
    /// Told when there is something for the thread to do.
    news: Condvar,
    /// Told when less waits than before.
    room: Condvar,
    lost: AtomicU64,
    /// Lines lost since the last success, and whether that was reported.
    unreported: AtomicU64,
    failing: AtomicBool,
}

impl Writer {
    /// Starts a thread that writes to `target` and reports on itself, with its target's name. There
    /// are `room` bytes on either side of it from the start.
    pub(crate) fn spawn(
        name: &str,
        target: Target,
        clock: Clock,
        report: Report,
        room: usize,
    ) -> io::Result<Self> {
        let room = || {
            // Written once, so that the kernel really provides the memory.
            let mut room = vec![1; room];
            room.clear();
            room
        };
        let backlog =
            Backlog { lines: room(), name: target.name().to_owned(), ..Backlog::default() };
        let shared = Arc::new(Shared { backlog: Mutex::new(backlog), ..Shared::default() });
        let handle = Arc::new(Handle(Arc::clone(&shared)));
        let writer = WriterThread { target, clock, shared, batch: room(), report: report.clone() };
        thread::Builder::new()
            .name(name.to_owned())
            .stack_size(128 * 1024)
            .spawn(move || writer.run())?;
        Ok(Self { handle, report })
    }

    /// Takes whole lines. Lines beyond the bound are lost, and counted.
    pub(crate) fn write(&self, lines: &[u8]) {
        let count = count_lines(lines);
        self.take(lines, count, self.shared().backlog());
    }

    fn take(&self, lines: &[u8], count: usize, mut backlog: MutexGuard<'_, Backlog>) {
        let shared = self.shared();
        if backlog.abandoned {
            return shared.lose(count);
        }
        if !backlog.has_room_for(lines) {
            // The name is for the first report only.
            let name = (!shared.failing.load(Relaxed)).then(|| backlog.name.clone());
            drop(backlog);
            shared.lose(count);
            if let Some(name) = name {
                shared.fail(&name, "its reader is stuck and 4 MiB are waiting", &self.report);
            }
            return;
        }
        let before = backlog.lines.len();
        backlog.lines.extend_from_slice(lines);
        backlog.count += count as u64;
        // The thread waits for the first lines, then for a batch. Nothing wakes it in between.
        let awaited = before == 0 || (before < FILE_WRITE && backlog.lines.len() >= FILE_WRITE);
        drop(backlog);
        if awaited {
            shared.news.notify_one();
        }
    }

    /// Takes whole lines, and waits for room at most `patience`; for the daemon's end, when
    /// nothing else is left to do.
    pub(crate) fn write_patiently(&self, lines: &[u8], patience: Duration) {
        let (shared, count) = (self.shared(), count_lines(lines));
        let is_full = |backlog: &mut Backlog| !backlog.has_room_for(lines);
        let waited = shared.room.wait_timeout_while(shared.backlog(), patience, is_full);
        self.take(lines, count, waited.unwrap_or_else(PoisonError::into_inner).0);
    }

    /// Continues with another target, such as the same file opened again.
    pub(crate) fn reopen(&self, target: Target) {
        let mut backlog = self.shared().backlog();
        // If an earlier target is still waiting, its lines go to this one.
        let before = backlog.reopened.take().map_or(backlog.lines.len(), |(before, _)| before);
        backlog.reopened = Some((before, target));
        drop(backlog);
        self.shared().news.notify_one();
    }

    /// Waits until every line taken so far was tried, at most `patience`.
    pub(crate) fn flush(&self, patience: Duration) {
        let (done, wait) = mpsc::channel();
        self.shared().backlog().asking.push(done);
        self.shared().news.notify_one();
        // After that the daemon's end is more important.
        let _ = wait.recv_timeout(patience);
    }

    /// How many lines have been lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.shared().lost.load(Relaxed)
    }

    /// Stops writing. Says how many lines still wait; they are lost.
    pub(crate) fn abandon(&self) -> u64 {
        let shared = self.shared();
        let is_writing = |backlog: &mut Backlog| backlog.writing;
        let waited = shared.room.wait_timeout_while(shared.backlog(), LAST_WRITE, is_writing);
        let (mut backlog, _) = waited.unwrap_or_else(PoisonError::into_inner);
        backlog.abandoned = true;
        backlog.lines = Vec::new();
        let count = std::mem::take(&mut backlog.count);
        drop(backlog);
        shared.lose(usize::try_from(count).unwrap_or(usize::MAX));
        count
    }

    /// How many lines wait to be written.
    #[cfg(test)]
    fn waiting(&self) -> u64 {
        self.shared().backlog().count
    }

    fn shared(&self) -> &Shared {
        &self.handle.0
    }
}

/// The thread's end.
struct WriterThread {
    target: Target,
    clock: Clock,
    shared: Arc<Shared>,
    /// Lines being written.
    batch: Vec<u8>,
    report: Report,
}

/// What the thread has to do besides writing lines.
struct Job {
    reopened: Option<(usize, Target)>,
    asking: Vec<Sender<()>>,
}

impl Shared {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, lines: usize) {
        self.lost.fetch_add(lines as u64, Relaxed);
        self.unreported.fetch_add(lines as u64, Relaxed);
    }

    /// Reports once that lines are lost.
    fn fail(&self, name: &str, reason: &str, report: &Report) {
        if !self.failing.swap(true, Relaxed) {
            (report.0)(name, Health::Failing(reason));
        }
    }
}

impl WriterThread {
    fn run(mut self) {
        while let Some(Job { reopened, asking }) = self.gather() {
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
                // The daemon may have stopped waiting.
                let _ = done.send(());
            }
        }
    }

    /// Waits for lines, gathers a batch, and takes the backlog; `None` when no more lines come.
    fn gather(&mut self) -> Option<Job> {
        let mut backlog = self.shared.backlog();
        let mut end = None;
        while !backlog.is_urgent() {
            backlog = if backlog.lines.is_empty() {
                self.shared.news.wait(backlog).unwrap_or_else(PoisonError::into_inner)
            } else {
                let now = self.clock.now();
                let left = end.get_or_insert_with(|| now.after(GATHER)).since(now);
                if left.is_zero() {
                    break;
                }
                let waited = self.shared.news.wait_timeout(backlog, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
        if backlog.over && backlog.lines.is_empty() && backlog.asking.is_empty() {
            return None;
        }
        std::mem::swap(&mut backlog.lines, &mut self.batch);
        backlog.taken = self.batch.len();
        let (reopened, asking) = (backlog.reopened.take(), std::mem::take(&mut backlog.asking));
        if let Some((_, target)) = &reopened {
            target.name().clone_into(&mut backlog.name);
        }
        Some(Job { reopened, asking })
    }

    /// Writes whole lines of the backlog, a batch at a time, so that there is room
    /// again for others as soon as some are written.
    fn write(&mut self, lines: &[u8]) {
        let mut rest = lines;
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(whole_lines(rest, self.target.most_at_once()));
            rest = others;
            self.target.wait();
            let mut backlog = self.shared.backlog();
            if backlog.abandoned {
                return;
            }
            backlog.writing = true;
            drop(backlog);
            // A system call for each batch, of which there are a few a second.
            let (was_remade, (lost, error)) = match self.target.remake() {
                Ok(was_remade) => (was_remade, self.target.write(batch)),
                Err(error) => (false, (count_lines(batch), Some(error))),
            };
            let count = count_lines(batch) as u64;
            let mut backlog = self.shared.backlog();
            backlog.writing = false;
            backlog.taken -= batch.len();
            // If it took too long at the daemon's end, they are counted as lost.
            let was_abandoned = backlog.abandoned;
            backlog.count = backlog.count.saturating_sub(count);
            if !was_abandoned {
                self.shared.lose(lost);
            }
            // If little is left to write, the reader is no longer stuck.
            let stuck = backlog.waiting() > MOST_WAITING / 2;
            drop(backlog);
            self.shared.room.notify_all();
            if was_remade && !self.shared.failing.load(Relaxed) {
                (self.report.0)(self.target.name(), Health::Remade);
            }
            self.tell_health(error, stuck);
        }
    }

    fn tell_health(&self, error: Option<io::Error>, stuck: bool) {
        let name = self.target.name();
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
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::*;
    use crate::settings::Sink;

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
    fn a_removed_file_is_made_again_and_lines_that_have_no_folder_are_lost_and_counted() {
        let directory = directory("removed");
        let path = directory.join("folder").join("trace");
        fs::create_dir(directory.join("folder")).unwrap();
        let (sender, reports) = mpsc::channel();
        let report = move |_: &str, health: Health<'_>| {
            sender.send(format!("{health:?}")).unwrap();
        };
        let writer =
            Writer::spawn("test", target(&path), Clock::start(), Report::to(report), 0).unwrap();
        let write = |line: &[u8]| {
            writer.write(line);
            writer.flush(Duration::from_secs(10));
        };
        write(b"one\n");
        fs::remove_file(&path).unwrap();
        write(b"two\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!((writer.lost(), reports.try_recv().as_deref()), (0, Ok("Remade")));
        fs::remove_dir_all(directory.join("folder")).unwrap();
        write(b"three\nfour\n");
        write(b"five\n");
        assert_eq!(writer.lost(), 3);
        let said = reports.try_recv().unwrap();
        assert!(said.contains("removed") && said.contains("create its folder"), "{said}");
        assert!(reports.try_recv().is_err(), "said once");
        fs::create_dir(directory.join("folder")).unwrap();
        write(b"six\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "six\n");
        assert_eq!((writer.lost(), reports.try_recv().as_deref()), (3, Ok("Recovered(3)")));
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
            Writer::spawn("test", writing.into(), Clock::start(), Report::to(|_, _| {}), ROOM)
                .unwrap();
        let lines = b"a line of a storm\n".repeat(50);
        // Nobody reads: all but a little waits.
        for _ in 0..2_000 {
            writer.write(&lines);
        }
        assert!(writer.shared().backlog().lines.capacity() > ROOM);
        let read = thread::spawn(move || {
            let mut text = Vec::new();
            io::Read::read_to_end(&mut reader, &mut text).unwrap();
            text.len()
        });
        // Both of the vectors that lines lie in come by.
        for _ in 0..4 {
            writer.flush(Duration::from_secs(10));
            assert!(writer.shared().backlog().lines.capacity() <= ROOM);
        }
        assert_eq!((writer.lost(), writer.waiting()), (0, 0));
        drop(writer);
        assert_eq!(read.join().unwrap(), 2_000 * lines.len());
    }

    #[test]
    fn what_a_stuck_reader_leaves_is_lost_to_the_line() {
        let (mut reader, writing) = io::pipe().unwrap();
        let writer =
            Writer::spawn("test", writing.into(), Clock::start(), Report::to(|_, _| {}), 0)
                .unwrap();
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
            Writer::spawn("test", writing.into(), Clock::start(), Report::to(report), 0).unwrap();
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
    fn what_waits_in_memory_is_bounded() {
        let (reader, writing) = io::pipe().unwrap();
        let writer =
            Writer::spawn("test", writing.into(), Clock::start(), Report::to(|_, _| {}), 0)
                .unwrap();
        let line = vec![b'\n'; 1_000];
        for _ in 0..10_000 {
            writer.write(&line);
        }
        assert!(writer.shared().backlog().waiting() <= MOST_WAITING);
        assert!(writer.lost() > 5_000_000);
        drop(reader);
    }
}
