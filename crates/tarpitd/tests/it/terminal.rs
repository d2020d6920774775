//! On a terminal: what ends with it, and the live line.

use std::{
    fs::File,
    io::Read as _,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use rustix::{
    fs::{Mode, OFlags},
    process::Signal,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::daemon::{Directory, PATIENCE, tarpitd, until};

/// A pseudo-terminal that a daemon has for standard error, and the daemon.
pub(crate) struct Terminal {
    master: OwnedFd,
    shown: Receiver<Vec<u8>>,
    /// All that was shown so far.
    pub(crate) text: String,
    child: Child,
}

impl Terminal {
    /// Starts a daemon on a terminal with so many columns.
    pub(crate) fn start(mut command: Command, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name, flags, Mode::empty()).expect("its other end");
        resize(&master, columns);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(slave));
        let child = command.env("TERM", "xterm").spawn().expect("the binary starts");
        // The test's own copy of the other end must go, or reading never ends.
        drop(command);
        let mut file = File::from(master.try_clone().expect("a descriptor"));
        let (sender, shown) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count) = file.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master, shown, text: String::new(), child }
    }

    /// Waits until what is shown fulfils the condition.
    pub(crate) fn shows(&mut self, what: &str, condition: impl Fn(&str) -> bool) {
        while !condition(&self.text) {
            let bytes = self.shown.recv_timeout(PATIENCE);
            let bytes = bytes.unwrap_or_else(|_| panic!("no {what} in {:?}", self.text));
            self.text += &String::from_utf8_lossy(&bytes);
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is running");
    }

    /// How it ended; it must end soon.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until("the end", || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("just seen")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(master: &OwnedFd, columns: u16) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("it has a size");
}

fn serving(directory: &Directory) -> Command {
    let mut command = tarpitd();
    command.args(["-s", "endless_banner:127.0.0.1:0"]).current_dir(directory.path(""));
    command
}

/// The live lines in what was shown.
fn live_lines(text: &str) -> Vec<&str> {
    let drawn = text.split("\r\x1b[K").skip(1);
    drawn.map(|line| line.split(['\r', '\n']).next().unwrap_or("")).filter(is_live).collect()
}

fn is_live(line: &&str) -> bool {
    line.starts_with("held")
}

#[test]
fn a_daemon_without_a_file_ends_with_its_terminal() {
    let directory = Directory::new("hangup");
    let mut terminal = Terminal::start(serving(&directory), 80);
    terminal.shows("start-up line", |text| text.contains(" on 127.0.0.1:"));
    terminal.signal(Signal::HUP);
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_daemon_with_a_file_outlives_its_terminal() {
    let directory = Directory::new("hangup-file");
    let text = "[tarpits.a]\npattern = 'endless_banner'\n\
                bind = [{ host = '127.0.0.1', port = 0 }]\n";
    let path = directory.file("c.toml", text);
    let mut command = tarpitd();
    command.args(["-c", &path]);
    let mut terminal = Terminal::start(command, 80);
    terminal.shows("start-up line", |text| text.contains(" on 127.0.0.1:"));
    terminal.signal(Signal::HUP);
    terminal.shows("reload", |text| text.contains("SIGHUP: configuration reloaded"));
    assert!(terminal.child.try_wait().expect("it is ours").is_none());
}

#[test]
fn the_live_line_is_cut_to_the_terminal_and_follows_its_size() {
    let directory = Directory::new("live");
    let mut terminal = Terminal::start(serving(&directory), 80);
    let whole = |text: &str| live_lines(text).iter().any(|line| line.contains(" | sent "));
    terminal.shows("whole live line", whole);
    for (columns, wanted) in [(20, "held 0 | opened 0"), (12, "held 0"), (5, "held")] {
        resize(&terminal.master, columns);
        terminal.text.clear();
        terminal.shows("shorter line", |text| live_lines(text).contains(&wanted));
        terminal.text.clear();
        terminal.shows("another line", |text| live_lines(text).len() > 1);
        for line in live_lines(&terminal.text) {
            assert!(line.len() < usize::from(columns), "{line:?} in {columns} columns");
        }
    }
    terminal.text.clear();
    resize(&terminal.master, 80);
    terminal.shows("whole live line again", whole);
}

#[test]
fn a_terminal_without_a_width_has_no_live_line() {
    let directory = Directory::new("no-width");
    let mut terminal = Terminal::start(serving(&directory), 0);
    terminal.shows("start-up line", |text| text.contains(" on 127.0.0.1:"));
    terminal.signal(Signal::USR1);
    terminal.shows("totals", |text| text.contains("totals: "));
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.end().code(), Some(0));
    terminal.shows("the end", |text| text.contains("stopped"));
    assert!(live_lines(&terminal.text).is_empty(), "{:?}", terminal.text);
}
