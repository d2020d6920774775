//! Runs programs side by side and measures how long each one stays.
//!
//! Each program leads a process group of its own, and that group alone is ended, by the leader's
//! id: whatever the program started goes with it, and nothing else on the machine does. Should
//! these chores themselves be killed, `timeout` ends the program a little after its cap.

use std::fs::{self, File};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::base::clock;
use crate::base::workspace::Workspace;

/// Where clients are looked for and what they get as PATH: the system's programs, and neither those
/// of the user who runs this nor only the few that a user's PATH may leave.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How many light programs run at once. All of them mostly sleep: it bounds memory, not work.
const AT_ONCE: usize = 256;

/// How many heavy ones run at once.
const HEAVY_AT_ONCE: usize = 5;

/// How often we look whether a program has left: the resolution of the times in the table. One
/// program is started each time, so that their first moments do not all fall on the same one.
const TICK: Duration = Duration::from_millis(50);

/// A program to run.
pub(crate) struct Job {
    words: Vec<String>,
    folder: PathBuf,
    cap: Duration,
    heavy: bool,
}

impl Job {
    /// A program that gets a folder of its own, named `name`, and at most `cap`.
    ///
    /// In `command`, `{host}` and `{port}` are the tarpit's, `{folder}` the program's own folder,
    /// `{python}` the interpreter with our libraries, `{go}` our clients around Go's libraries,
    /// `{scripts}` the folder of scripts and lists.
    pub(crate) fn new(
        workspace: &Workspace,
        name: &str,
        command: &str,
        address: SocketAddrV4,
        cap: Duration,
    ) -> Self {
        let folder = workspace.clients().join("run").join(name);
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let python = workspace.python().display().to_string();
        let go = workspace.go_client().display().to_string();
        let scripts = workspace.scripts().display().to_string();
        let own = folder.display().to_string();
        // Divided first, so that a path with a space stays one word.
        let fill = |word: &str| {
            word.replace("{host}", &host)
                .replace("{port}", &port)
                .replace("{python}", &python)
                .replace("{go}", &go)
                .replace("{scripts}", &scripts)
                .replace("{folder}", &own)
        };
        let words = command.split_whitespace().map(fill).collect();
        Self { words, folder, cap, heavy: false }
    }

    /// The same, of whose kind only a few run at once.
    pub(crate) fn heavy(self, heavy: bool) -> Self {
        Self { heavy, ..self }
    }

    /// Where all that it prints goes.
    pub(crate) fn output(&self) -> PathBuf {
        self.folder.join("output")
    }

    fn start(&self) -> Result<Running> {
        // Fresh each time: a client's profile or restore file would make it another client.
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("cannot empty {}", self.folder.display()))?;
        }
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        let output = File::create(self.output())
            .with_context(|| format!("cannot write {}", self.output().display()))?;
        let child = self.command(output)?.spawn().context("cannot run setsid (util-linux)")?;
        Ok(Running { child, started: clock::now() })
    }

    fn command(&self, output: File) -> Result<Command> {
        let last_resort = self.cap + Duration::from_secs(5);
        // A session of its own is a process group of its own, and has no terminal to ask at.
        let mut command = Command::new("setsid");
        command
            .arg("timeout")
            .arg("--signal=KILL")
            .arg(last_resort.as_secs().to_string())
            .args(&self.words)
            .current_dir(&self.folder)
            // No proxy, no locale, no settings of the user who runs this.
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", &self.folder)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stderr(output.try_clone().context("cannot share an output file")?)
            .stdout(output);
        Ok(command)
    }
}

/// How long a program stayed, and how that ended.
pub(crate) struct Stay {
    /// From its start to its end.
    pub(crate) held: Duration,
    /// How it ended.
    pub(crate) ending: Ending,
}

impl Stay {
    /// Whether we ended it.
    pub(crate) fn is_capped(&self) -> bool {
        matches!(self.ending, Ending::Capped)
    }
}

/// How a program's stay ended.
pub(crate) enum Ending {
    /// It was still there at its cap, where we ended it.
    Capped,
    /// It left of itself.
    Left(ExitStatus),
}

/// Runs `jobs` side by side, each up to its cap, and returns their stays in the same order.
pub(crate) fn side_by_side(jobs: &[Job]) -> Result<Vec<Stay>> {
    let of_kind = |heavy| jobs.iter().enumerate().filter(move |(_, job)| job.heavy == heavy);
    let mut queues =
        [(of_kind(true).peekable(), HEAVY_AT_ONCE), (of_kind(false).peekable(), AT_ONCE)];
    let mut running: Vec<(usize, Running)> = Vec::new();
    let mut stays: Vec<Option<Stay>> = jobs.iter().map(|_| None).collect();
    loop {
        for (queue, at_once) in &mut queues {
            let heavy = queue.peek().is_some_and(|(_, job)| job.heavy);
            let alike = running.iter().filter(|&&(index, _)| jobs[index].heavy == heavy).count();
            if alike < *at_once
                && let Some((index, job)) = queue.next()
            {
                running.push((index, job.start()?));
                break;
            }
        }
        if running.is_empty() {
            return Ok(stays.into_iter().flatten().collect());
        }
        clock::pause(TICK);
        let mut still_running = Vec::new();
        for (index, mut client) in running {
            match client.look(jobs[index].cap)? {
                Some(stay) => stays[index] = Some(stay),
                None => still_running.push((index, client)),
            }
        }
        running = still_running;
    }
}

/// A program that runs; dropped, it and all that it started are gone.
struct Running {
    child: Child,
    started: Instant,
}

impl Running {
    /// The stay, when it has ended by itself or reached its cap.
    fn look(&mut self, cap: Duration) -> Result<Option<Stay>> {
        let held = clock::now() - self.started;
        let left = self.has_left()?;
        if !left && held < cap {
            return Ok(None);
        }
        let status = self.end().context("cannot wait for a client")?;
        let ending = if left { Ending::Left(status) } else { Ending::Capped };
        Ok(Some(Stay { held, ending }))
    }

    /// Whether the leader has ended; it is not reaped, so that its id still means its group.
    fn has_left(&self) -> Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(Pid::from_child(&self.child)), options)
            .context("cannot ask whether a client has left")?;
        Ok(status.is_some())
    }

    fn end(&mut self) -> std::io::Result<ExitStatus> {
        // The group may be empty but for its leader, which has ended: then there is nobody to end.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a stay the leader is reaped, and asking for it is an error.
        if self.has_left().is_ok() {
            // Dropped on the way out of an error, which says more than this one could.
            let _ = self.end();
        }
    }
}
