//! What the service manager hears and hands over, by sockets of the test's own in its place.

use std::{
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    clock::{monotonic_usec, now},
    daemon::{Client, Daemon, Directory, PATIENCE, tarpitd},
    require::require,
};

/// Stands in for systemd: the socket that `NOTIFY_SOCKET` names.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    /// One with an abstract name.
    fn new(name: &str) -> Self {
        let name = format!("tarpitd-it-{}-{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        Self::of(UnixDatagram::bind_addr(&address), format!("@{name}"))
    }

    /// One at a path.
    fn at(path: &str) -> Self {
        Self::of(UnixDatagram::bind(path), path.to_owned())
    }

    fn of(socket: std::io::Result<UnixDatagram>, name: String) -> Self {
        let socket = socket.expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a bound");
        Self { socket, name }
    }

    /// A daemon of this manager.
    fn command(&self) -> Command {
        let mut command = tarpitd();
        command.env("NOTIFY_SOCKET", &self.name);
        command
    }

    /// The next message.
    fn hear(&self) -> String {
        let mut buffer = [0; 1_024];
        let count = self.socket.recv(&mut buffer).expect("a message");
        String::from_utf8(buffer[..count].to_vec()).expect("text")
    }

    /// Hears on to a message that begins like this.
    fn hear_of(&self, beginning: &str) -> String {
        loop {
            let message = self.hear();
            if message.starts_with(beginning) {
                return message;
            }
        }
    }
}

#[test]
fn the_manager_hears_of_start_clients_reload_and_stop() {
    let directory = Directory::new("notify");
    let tarpit = "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n";
    let config = directory.file("c.toml", tarpit);
    let manager = Manager::new("notify");
    let mut command = manager.command();
    command.args(["-c", &config]);
    let daemon = Daemon::spawn(command, 1);
    assert_eq!(manager.hear(), "READY=1");
    assert_eq!(manager.hear(), "STATUS=holding 0 clients");
    let mut client = daemon.connect();
    client.hear();
    assert_eq!(manager.hear(), "STATUS=holding 1 client");
    let before = monotonic_usec();
    daemon.signal(Signal::HUP);
    let reloading = manager.hear_of("RELOADING=1\nMONOTONIC_USEC=");
    let (_, usec) = reloading.rsplit_once('=').expect("a number");
    let usec: u128 = usec.parse().expect("a number");
    assert!((before..=monotonic_usec()).contains(&usec), "{usec} after {before}");
    assert_eq!(manager.hear(), "READY=1");
    // A reload that fails is over, too.
    directory.file("c.toml", "x");
    daemon.signal(Signal::HUP);
    manager.hear_of("RELOADING=1\n");
    assert_eq!(manager.hear(), "READY=1");
    daemon.stop();
    manager.hear_of("STOPPING=1\n");
}

#[test]
fn the_manager_s_socket_may_be_a_path() {
    let directory = Directory::new("notify-path");
    let manager = Manager::at(&directory.path("notify"));
    let mut command = manager.command();
    command.args(["-s", "endless_banner:127.0.0.1:0"]);
    let daemon = Daemon::spawn(command, 1);
    assert_eq!(manager.hear(), "READY=1");
    daemon.stop();
    manager.hear_of("STOPPING=1\n");
}

#[test]
fn the_watchdog_hears_nothing_while_a_worker_hangs() {
    const HANGS: Duration = Duration::from_secs(3);
    if !require("strace") {
        return;
    }
    let directory = Directory::new("watchdog");
    let manager = Manager::new("watchdog");
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-o", &directory.path("strace"), "-e", "trace=accept4"]);
    // Only workers accept, and the first call is that of the start.
    command.args(["-e", &format!("inject=accept4:delay_enter={}:when=2", HANGS.as_micros())]);
    command.arg(tarpitd().get_program()).args(["-s", "endless_banner:127.0.0.1:0"]);
    command.stdin(Stdio::null()).env_remove("JOURNAL_STREAM");
    command.env("NOTIFY_SOCKET", &manager.name).env("WATCHDOG_USEC", "200000");
    let daemon = Daemon::spawn(command, 1);
    for _ in 0..3 {
        manager.hear_of("WATCHDOG=1");
    }
    let _client = Client::of(daemon.addresses[0]);
    let is_silent = || {
        let last = now();
        manager.hear_of("WATCHDOG=1");
        last.elapsed() > HANGS / 2
    };
    assert!((0..100).any(|_| is_silent()), "it was never silent");
    // It turns again.
    manager.hear_of("WATCHDOG=1");
    drop(daemon);
}

#[test]
fn a_manager_that_cannot_be_reached_prevents_no_start() {
    for (variable, value, wanted) in [
        ("NOTIFY_SOCKET", "/nonexistent/notify", "cannot connect to /nonexistent/notify"),
        ("NOTIFY_SOCKET", "notify", "it begins neither with / nor with @"),
    ] {
        let mut command = tarpitd();
        command.args(["-s", "endless_banner:127.0.0.1:0"]).env(variable, value);
        let daemon = Daemon::spawn(command, 1);
        let line = daemon.log.iter().find(|line| line.contains(wanted));
        assert!(line.is_some_and(|line| line.contains(variable)), "{:?}", daemon.log);
        daemon.connect().hear();
    }
    let manager = Manager::new("wrong-watchdog");
    let mut command = manager.command();
    command.args(["-s", "endless_banner:127.0.0.1:0"]).env("WATCHDOG_USEC", "soon");
    let daemon = Daemon::spawn(command, 1);
    let told = daemon.log.iter().any(|line| line.contains("WATCHDOG_USEC=soon is not a number"));
    assert!(told, "{:?}", daemon.log);
    assert_eq!(manager.hear(), "READY=1");
}
