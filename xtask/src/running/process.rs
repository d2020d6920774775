//! What a running program costs, from the kernel's own accounts (proc(5)).

use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::base::clock;
use crate::running::memory;

/// How long a start may take on a machine that is busy with other things.
const START: Duration = Duration::from_secs(20);

/// How long a program is given to end by itself; Python's need a while with thousands of clients.
const STOP: Duration = Duration::from_secs(5);

const TICK: Duration = Duration::from_millis(20);

/// A program that runs; dropped, it is gone.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `words`, to be ended with us however we end, its output to `output`.
    pub(crate) fn start(words: &[String], output: impl AsFd) -> Result<Self> {
        let output = output.as_fd();
        let own = || output.try_clone_to_owned().context("cannot share an output file");
        let child = guarded(words)
            .stdin(Stdio::null())
            .stdout(own()?)
            .stderr(own()?)
            .spawn()
            .context("cannot run setpriv (util-linux)")?;
        Ok(Self { child })
    }

    /// Waits until it listens there.
    ///
    /// It reads the kernel's table instead of connecting: nobody counts a client of ours.
    pub(crate) fn wait_for(&mut self, at: SocketAddr) -> Result<()> {
        let deadline = clock::now() + START;
        while clock::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at once ({status})");
            }
            if self.is_listening(at)? {
                return Ok(());
            }
            clock::pause(TICK);
        }
        bail!("it does not listen after {} s", START.as_secs())
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// The CPU time of all its threads that still run.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for task in self.tasks()? {
            // A thread may end between the listing and the look.
            let Ok(text) = fs::read_to_string(task.join("schedstat")) else { continue };
            nanos += first_number(&text).context("schedstat holds no number")?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Bytes of its private memory.
    pub(crate) fn memory(&self) -> Result<u64> {
        memory::private(self.child.id())
    }

    /// How often one of its threads went to sleep of itself.
    pub(crate) fn waits(&self) -> Result<u64> {
        let mut waits = 0;
        for task in self.tasks()? {
            let Ok(status) = fs::read_to_string(task.join("status")) else { continue };
            waits += field(&status, "voluntary_ctxt_switches:").context("no switches")?;
        }
        Ok(waits)
    }

    /// How many files it has open.
    pub(crate) fn files(&self) -> Result<u64> {
        let folder = self.folder().join("fd");
        // Since Linux 6.2 the folder's size is the count.
        match fs::metadata(&folder)?.len() {
            0 => Ok(fs::read_dir(&folder)?.count() as u64),
            count => Ok(count),
        }
    }

    /// How many files each of its epoll instances watches, the smallest first.
    pub(crate) fn watched(&self) -> Result<Vec<u64>> {
        let mut watched = Vec::new();
        for file in fs::read_dir(self.folder().join("fd"))?.flatten() {
            let kind = fs::read_link(file.path()).unwrap_or_default();
            if kind.to_string_lossy() != "anon_inode:[eventpoll]" {
                continue;
            }
            let info = fs::read_to_string(self.folder().join("fdinfo").join(file.file_name()))?;
            watched.push(info.lines().filter(|line| line.starts_with("tfd:")).count() as u64);
        }
        watched.sort_unstable();
        Ok(watched)
    }

    /// Whether somebody listens there, in its own network namespace.
    fn is_listening(&self, at: SocketAddr) -> Result<bool> {
        const LISTEN: &str = "0A";

        let table = if at.is_ipv4() { "net/tcp" } else { "net/tcp6" };
        let table = self.folder().join(table);
        let text = fs::read_to_string(&table)
            .with_context(|| format!("cannot read {}", table.display()))?;
        let port = format!(":{:04X}", at.port());
        Ok(text.lines().skip(1).any(|line| {
            let words: Vec<_> = line.split_whitespace().take(4).collect();
            matches!(words[..], [_, local, _, state] if local.ends_with(&port) && state == LISTEN)
        }))
    }

    fn tasks(&self) -> Result<Vec<PathBuf>> {
        let tasks = fs::read_dir(self.folder().join("task")).context("it has ended")?;
        Ok(tasks.flatten().map(|task| task.path()).collect())
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.child.id()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Asked for first, then forced; whatever fails here has ended meanwhile.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = clock::now() + STOP;
        while clock::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            clock::pause(TICK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that ends when we do, whatever ends us, and has the id of the program itself.
pub(crate) fn guarded(words: &[String]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(words);
    command
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// The number behind `name` in a file of lines.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    first_number(text.lines().find_map(|line| line.strip_prefix(name))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_understood() {
        let status = "voluntary_ctxt_switches:\t7\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(7));
        assert_eq!(field(status, "VmRSS:"), None);
    }

    #[test]
    fn a_program_is_gone_when_it_is_dropped() {
        let log = fs::File::create("/dev/null").unwrap();
        let process = Process::start(&["sleep".to_owned(), "60".to_owned()], &log).unwrap();
        assert!(process.memory().unwrap() > 0);
        let folder = process.folder();
        drop(process);
        assert!(!folder.exists());
    }
}
