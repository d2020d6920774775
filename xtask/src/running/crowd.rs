//! The crowd: a process of its own, since a process may not open files without end.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::base::clock;
use crate::base::workspace::Workspace;
use crate::running::namespace::{DEVICE, Namespace, SERVER};
use crate::running::process::guarded;

/// Clients that one process holds; dropped, all leave.
pub(crate) struct Crowd {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    opened: usize,
    /// For a crowd without sockets: the port that it calls, behind a space.
    port: String,
}

/// What a crowd heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// How often something came: the number of sends, if they are further apart than the looks.
    pub(crate) reads: u64,
    /// Clients whose connections were closed.
    pub(crate) gone: u64,
    /// How late something came at most.
    pub(crate) late: Duration,
}

impl Crowd {
    /// A crowd that is to connect to `to`; its first client has the number `first`.
    pub(crate) fn start(
        workspace: &Workspace,
        to: SocketAddr,
        hello: &str,
        first: usize,
    ) -> Result<Self> {
        let program = workspace.target.join("release/crowd").display().to_string();
        let words =
            [program, to.to_string(), format!("--hello={hello}"), format!("--first={first}")];
        Self::run(&words)
    }

    /// The same in a namespace in which the crowd may come from many IPv6 addresses.
    pub(crate) fn start_in(
        workspace: &Workspace,
        namespace: &Namespace,
        to: SocketAddr,
        hello: &str,
    ) -> Result<Self> {
        let program = workspace.target.join("release/crowd").display().to_string();
        let words = [program, to.to_string(), format!("--hello={hello}")];
        Self::run(&[namespace.prefix(), words.into()].concat())
    }

    /// A crowd without sockets, behind the TUN device of `namespace`.
    pub(crate) fn without_sockets(
        workspace: &Workspace,
        namespace: &Namespace,
        port: u16,
        hello: &str,
    ) -> Result<Self> {
        let program = workspace.target.join("release/stateless").display().to_string();
        let words = [program, DEVICE.to_owned(), SERVER.to_string(), format!("--hello={hello}")];
        let mut crowd = Self::run(&[namespace.prefix(), words.into()].concat())?;
        crowd.turn_to(port);
        Ok(crowd)
    }

    /// Lets a crowd without sockets call another port from now on.
    pub(crate) fn turn_to(&mut self, port: u16) {
        self.port = format!(" {port}");
    }

    fn run(words: &[String]) -> Result<Self> {
        let mut child = guarded(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run setpriv (util-linux)")?;
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("the crowd has no output")?);
        Ok(Self { child, commands, answers, opened: 0, port: String::new() })
    }

    /// Connects `count` more clients as fast as it goes.
    pub(crate) fn open(&mut self, count: usize) -> Result<()> {
        self.begin_to_open(count)?;
        self.have_opened()
    }

    /// Begins to connect `count` more clients; [`Self::have_opened`] waits for the end.
    pub(crate) fn begin_to_open(&mut self, count: usize) -> Result<()> {
        self.opened += count;
        self.tell(&format!("open {count}{}", self.port))
    }

    /// Waits until all have called that were told to.
    pub(crate) fn have_opened(&mut self) -> Result<()> {
        let answer = self.answer()?;
        if answer["failed"] != 0 {
            bail!("{} clients could not connect: {}", answer["failed"], answer["why"]);
        }
        Ok(())
    }

    /// How many clients were told to connect.
    pub(crate) fn opened(&self) -> usize {
        self.opened
    }

    /// Listens for `span` to what should come every `interval`.
    pub(crate) fn hear(&mut self, span: Duration, interval: Duration) -> Result<Heard> {
        self.begin_to_hear(span, interval)?;
        self.heard()
    }

    /// Begins to listen; [`Self::heard`] waits for the end.
    pub(crate) fn begin_to_hear(&mut self, span: Duration, interval: Duration) -> Result<()> {
        self.tell(&format!("hear {} {}", span.as_millis(), interval.as_millis()))
    }

    /// What it heard since it was told to listen.
    pub(crate) fn heard(&mut self) -> Result<Heard> {
        let answer = self.answer()?;
        let number = |key: &str| answer[key].as_u64().with_context(|| format!("no {key}"));
        Ok(Heard {
            bytes: number("bytes")?,
            reads: number("reads")?,
            gone: number("gone")?,
            late: Duration::from_micros(number("late_micros")?),
        })
    }

    fn tell(&mut self, command: &str) -> Result<()> {
        let commands = self.commands.as_mut().context("the crowd has been sent home")?;
        writeln!(commands, "{command}").context("the crowd has ended")
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("the crowd says nothing")?;
        serde_json::from_str(&line).with_context(|| format!("the crowd says {line:?}"))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // Its input ends, and so does the crowd; if it hangs, it is ended.
        drop(self.commands.take());
        let deadline = clock::now() + Duration::from_secs(10);
        while clock::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            clock::pause(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
