//! `tarpitd top` in a terminal of tmux: what a script types, and what is on the screen then.

use std::{net::Ipv4Addr, process::Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    daemon::{Client, Daemon, Directory, until},
    require::require,
};

/// A terminal with the live view in it, in a tmux server of its own.
struct Terminal {
    server: String,
}

impl Terminal {
    /// Runs this in a terminal of so many columns and lines; how it ended stays on the screen.
    fn run(name: &str, (columns, lines): (u16, u16), command: &str) -> Self {
        let it = Self { server: format!("tarpitd-{name}-{}", std::process::id()) };
        let script = format!("{command}; echo \"ended with $?\"; exec cat");
        let size = [columns.to_string(), lines.to_string()];
        it.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &size[0], "-y", &size[1], &script]);
        it
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let output = command.args(["-L", &self.server]).args(arguments).output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn types(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// The process of the live view, below the shell.
    fn view(&self) -> Pid {
        let shell = self.tmux(&["list-panes", "-F", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
        let view = children.expect("a process").trim().parse().ok().and_then(Pid::from_raw);
        view.expect("the view")
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen has all of this; the screen then.
    fn shows(&self, parts: &[&str]) -> String {
        let mut screen = String::new();
        until(&format!("{parts:?}"), || {
            screen = self.screen();
            parts.iter().all(|part| screen.contains(part))
        });
        screen
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// A daemon with a control socket, and how the live view of it is started.
fn daemon(directory: &Directory) -> (Daemon, String) {
    let socket = directory.path("control");
    let text = format!(
        "[tarpits.banner]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n\
         [control]\nsocket = '{socket}'\n"
    );
    let daemon = Daemon::start(&["-c", &directory.file("tarpitd.toml", &text)], 1);
    (daemon, format!("NO_COLOR=1 {} top --socket {socket}", env!("CARGO_BIN_EXE_tarpitd")))
}

#[test]
fn clients_are_shown_filtered_and_dropped_and_the_screen_is_given_back() {
    if !require("tmux") {
        return;
    }
    let directory = Directory::new("top");
    let (daemon, command) = daemon(&directory);
    let address = daemon.addresses[0];
    let mut one = Client::from_to(Ipv4Addr::new(127, 0, 0, 2), address);
    let _other = Client::from_to(Ipv4Addr::new(127, 0, 9, 3), address);
    let terminal = Terminal::run("top", (80, 24), &command);
    let screen = terminal.shows(&[
        "tarpitd 0.1.0  up ",
        "held 2  opened 2",
        "banner         endless_banner",
        "CLIENTS, longest held",
        "127.0.9.3",
        "NEWEST ARRIVALS",
        "TOP NETWORKS",
        "TOP USERS TRIED",
        "q quit",
    ]);
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    // Without colours.
    let escapes = terminal.tmux(&["capture-pane", "-p", "-e"]);
    assert!(!escapes.contains("\u{1b}[36m") && !escapes.contains("\u{1b}[33m"), "{escapes:?}");
    terminal.types(&["s"]);
    terminal.shows(&["CLIENTS, newest first"]);
    terminal.types(&["p"]);
    terminal.shows(&["LIST PAUSED"]);
    terminal.types(&["f", "nonsense", "Enter"]);
    terminal.shows(&["neither an address nor a network"]);
    terminal.types(&["Escape"]);
    terminal.shows(&["q quit"]);
    terminal.types(&["f", "127.0.0.0/24", "Enter"]);
    let screen = terminal.shows(&["in 127.0.0.0/24", "127.0.0.2 "]);
    let left = screen.lines().map(|line| line.chars().take(50).collect::<String>());
    assert!(!left.collect::<String>().contains("127.0.9.3"), "{screen}");
    terminal.types(&["d"]);
    terminal.shows(&["drop 127.0.0.2:"]);
    terminal.types(&["n"]);
    terminal.shows(&["q quit"]);
    terminal.types(&["d"]);
    terminal.shows(&["drop 127.0.0.2:"]);
    terminal.types(&["y"]);
    one.is_reset();
    terminal.shows(&["held 1", "nobody yet"]);
    terminal.types(&["q"]);
    let screen = terminal.shows(&["ended with 0"]);
    assert!(!screen.contains("TOP NETWORKS"), "the screen before it is back: {screen}");
}

#[test]
fn the_terminal_is_clean_however_the_view_ends() {
    if !require("tmux") {
        return;
    }
    let directory = Directory::new("top-ends");
    let (daemon, command) = daemon(&directory);
    let terminal = Terminal::run("top-key", (120, 40), &command);
    terminal.shows(&["nobody yet"]);
    terminal.types(&["C-c"]);
    terminal.shows(&["ended with 0"]);

    let terminal = Terminal::run("top-term", (120, 40), &command);
    terminal.shows(&["nobody yet"]);
    kill_process(terminal.view(), Signal::TERM).expect("it runs");
    let screen = terminal.shows(&["ended with 0"]);
    assert!(!screen.contains("TOP NETWORKS"), "{screen}");

    let terminal = Terminal::run("top-gone", (80, 24), &command);
    terminal.shows(&["nobody yet"]);
    drop(daemon);
    let screen = terminal.shows(&["ended with 1"]);
    assert!(screen.contains("tarpitd: no answer at ") && !screen.contains("TOP"), "{screen}");
}

#[test]
fn the_view_ends_with_its_terminal() {
    if !require("tmux") {
        return;
    }
    let directory = Directory::new("top-hangup");
    let (_daemon, command) = daemon(&directory);
    // Also where nobody tells it of that end.
    for command in [command.clone(), format!("trap '' HUP; {command}")] {
        let terminal = Terminal::run("top-hangup", (80, 24), &command);
        terminal.shows(&["nobody yet"]);
        let program = format!("/proc/{}/exe", terminal.view().as_raw_nonzero());
        assert!(std::fs::read_link(&program).is_ok(), "it runs");
        drop(terminal);
        until("the end of the view", || std::fs::read_link(&program).is_err());
    }
}

#[test]
fn without_a_terminal_or_a_daemon_it_is_one_line() {
    let output = crate::daemon::tarpitd().arg("top").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("top needs a terminal") && told.lines().count() == 1, "{told}");
    assert_eq!(output.status.code(), Some(1));
}
