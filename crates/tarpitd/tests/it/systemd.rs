//! What the service manager hears and hands over, by sockets of the test's own in its place.

use std::{
    fs,
    io::{ErrorKind, IoSliceMut, Read as _},
    mem::MaybeUninit,
    net::{SocketAddr as IpSocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
    },
    process::{Command, Stdio},
    time::Duration,
};

use command_fds::{CommandFdExt as _, FdMapping};
use rustix::{
    net::{
        self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketType,
        sockopt,
    },
    process::Signal,
};

use crate::{
    clock::{monotonic_usec, now},
    daemon::{Client, Daemon, Directory, PATIENCE, tarpitd, until},
    require::require,
};

/// Stands in for systemd: the socket that `NOTIFY_SOCKET` names.
pub(crate) struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    /// One with an abstract name.
    pub(crate) fn new(name: &str) -> Self {
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

    /// The next message, with the files beside it.
    fn take(&self) -> (String, Vec<OwnedFd>) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let (mut beside, mut bytes) = (RecvAncillaryBuffer::new(&mut space), [0; 1_024]);
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let received =
            net::recvmsg(&self.socket, &mut buffers, &mut beside, RecvFlags::CMSG_CLOEXEC);
        let count = received.expect("a message").bytes;
        let files = beside.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        let files = files.flatten().collect();
        (String::from_utf8(bytes[..count].to_vec()).expect("text"), files)
    }

    /// What it stores for the next start, until the daemon stops.
    pub(crate) fn store(&self) -> Vec<OwnedFd> {
        let mut stored = Vec::new();
        loop {
            let (message, files) = self.take();
            match &*message {
                "FDSTORE=1\nFDNAME=tarpitd-client\nFDPOLL=0" => stored.extend(files),
                "FDSTOREREMOVE=1\nFDNAME=tarpitd-client" => stored.clear(),
                message if message.starts_with("STOPPING=1") => return stored,
                _ => assert!(files.is_empty(), "{message}"),
            }
        }
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

/// A daemon that is started with these sockets, as systemd does it.
fn with_sockets(sockets: Vec<(OwnedFd, &str)>, arguments: &[&str]) -> Command {
    let names: Vec<_> = sockets.iter().map(|(_, name)| *name).collect();
    let mut command = with_listen(&sockets.len().to_string(), &names.join(":"), arguments);
    let sockets = sockets.into_iter().zip(3..);
    let mappings = sockets.map(|((parent_fd, _), child_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.collect()).expect("each has a number of its own");
    command
}

/// A daemon with these variables, which only a shell can give it: they name its process.
fn with_listen(count: &str, names: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]);
    command.arg(tarpitd().get_program()).args(arguments).stdin(Stdio::null());
    command.env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET");
    command.env("LISTEN_FDS", count).env("LISTEN_FDNAMES", names);
    command
}

/// A socket of the test's own that listens, and where.
fn listener() -> (OwnedFd, IpSocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    (listener.into(), address)
}

/// Runs it to its end; exit code and standard error.
fn fails(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().expect("the binary starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn each_tarpit_has_the_sockets_of_its_name_and_one_has_the_rest() {
    let directory = Directory::new("activated");
    let tarpits = |named: &str, rest: &str| {
        format!(
            "workers = 2\n[tarpits.named]\npattern = '{named}'\nbind = 'systemd:one'\n\
             [tarpits.rest]\npattern = '{rest}'\nbind = ['systemd', '127.0.0.1:0']\n"
        )
    };
    let config = directory.file("c.toml", &tarpits("endless_banner", "ssh"));
    let (sockets, addresses): (Vec<_>, Vec<_>) = (0..3).map(|_| listener()).unzip();
    let names = ["one", "other", "one"];
    let command = with_sockets(sockets.into_iter().zip(names).collect(), &["-c", &config]);
    let mut daemon = Daemon::spawn(command, 4);
    for address in &addresses {
        assert!(daemon.addresses.contains(address), "{:?}", daemon.log);
    }
    let hears_ssh = |at: usize| Client::of(addresses[at]).hear().starts_with(b"SSH-2.0-");
    assert_eq!([0, 1, 2].map(hears_ssh), [false, true, false]);
    // Both workers accept at the same socket, and nobody is lost between them.
    let mut held: Vec<_> = (0..60).map(|_| Client::of(addresses[0])).collect();
    for client in &mut held {
        client.hear();
    }
    // A reload keeps them, gives them to another tarpit, and takes back one that was given up.
    directory.file("c.toml", &tarpits("ssh", "endless_banner"));
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration reloaded");
    assert_eq!([0, 1, 2].map(hears_ssh), [true, false, true]);
    directory.file("c.toml", &tarpits("ssh", "endless_banner").replace("systemd:one", "[::1]:0"));
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration reloaded");
    assert_eq!([0, 1, 2].map(hears_ssh), [false; 3]);
    directory.file("c.toml", &tarpits("ssh", "endless_banner").replace("'systemd', ", ""));
    daemon.signal(Signal::HUP);
    let line = daemon.log_has("no tarpit uses the socket `other`");
    assert!(line.contains(&addresses[1].to_string()), "{line}");
    daemon.log_has("SIGHUP: configuration reloaded");
    assert_eq!([0, 2].map(hears_ssh), [true; 2]);
    for client in &mut held {
        client.hear();
    }
}

#[test]
fn a_socket_for_both_families_takes_clients_with_their_own_addresses() {
    if !require("ipv6") {
        return;
    }
    let socket = net::socket(AddressFamily::INET6, SocketType::STREAM, None).expect("a socket");
    sockopt::set_ipv6_v6only(&socket, false).expect("an option");
    net::bind(&socket, &"[::]:0".parse::<IpSocketAddr>().expect("an address")).expect("a port");
    net::listen(&socket, 1).expect("it listens");
    let arguments = ["-s", "ssh:systemd:a", "-t"];
    let mut daemon = Daemon::spawn(with_sockets(vec![(socket, "a")], &arguments), 1);
    for host in ["127.0.0.1", "::1"] {
        let ip: std::net::IpAddr = host.parse().expect("an address");
        let client = Client::of((ip, daemon.addresses[0].port()).into());
        let about = &daemon.trace_has("open")["conn_info"];
        assert_eq!((&about["peername"][0], &about["sockname"][0]), (&host.into(), &host.into()));
        drop(client);
    }
}

#[test]
fn what_is_wrong_with_sockets_is_one_line_each() {
    let named = |names: &[&str]| {
        let sockets = names.iter().map(|name| (listener().0, *name));
        with_sockets(sockets.collect(), &["-s", "ssh:systemd:x"])
    };
    let of = |socket: OwnedFd| with_sockets(vec![(socket, "x")], &["-s", "ssh:systemd:x"]);
    let directory = Directory::new("wrong-sockets");
    let unix = UnixListener::bind(directory.path("unix")).expect("a socket");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (socket, address) = listener();
    let connected = TcpStream::connect(address).expect("it listens");
    let mut plain = tarpitd();
    plain.args(["-s", "ssh:systemd:x"]);
    let mut of_another = tarpitd();
    of_another.args(["-s", "ssh:systemd:x"]).env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let twice = format!("ssh:{address}");
    let twice = with_sockets(vec![(socket, "x")], &["-s", "http:systemd", &twice]);
    let listen = |count: &str, names: &str| with_listen(count, names, &["-s", "ssh:systemd:x"]);
    for (command, wanted) in [
        (plain, "systemd has passed no socket (LISTEN_FDS)"),
        (of_another, "systemd has passed no socket (LISTEN_FDS)"),
        (named(&["b", "a", "b"]), "systemd has passed no socket of this name, but `a`, `b`"),
        (of(unix.into()), "the socket `x` is no TCP socket"),
        (of(udp.into()), "the socket `x` is no TCP socket"),
        (of(connected.into()), "the socket `x` does not listen"),
        (twice, "systemd has opened it for tarpitd; write `systemd:x` in its place"),
        (listen("1", "x"), "descriptor 3 (`x`) is not open"),
        (listen("many", "x"), "LISTEN_FDS=many is not a number"),
        (listen("1", "x:y"), "LISTEN_FDNAMES does not name 1"),
    ] {
        let (code, text) = fails(command);
        assert!(text.contains(wanted), "{wanted}: {text}");
        let lines = text.lines().filter(|line| !line.contains("--keep-going serves the other"));
        assert_eq!((code, lines.count()), (Some(1), 1), "{text}");
    }
    // The others are served where that is asked for, and a socket of no use is told.
    let arguments = ["--keep-going", "-s", "endless_banner:systemd:x", "ssh:systemd:y"];
    let command = with_sockets(vec![(listener().0, "x"), (listener().0, "z")], &arguments);
    let daemon = Daemon::spawn(command, 1);
    daemon.connect().hear();
    for wanted in ["no socket of this name, but `x`, `z`", "no tarpit uses the socket `z`"] {
        assert!(daemon.log.iter().any(|line| line.contains(wanted)), "{wanted}: {:?}", daemon.log);
    }
}

#[test]
fn a_check_knows_that_sockets_come_at_a_start() {
    let directory = Directory::new("check-sockets");
    let config = directory.file("c.toml", "[tarpits.a]\npattern = 'ssh'\nbind = 'systemd:a'\n");
    let (shown, told, code) = Daemon::start_and_fail(&["check", &config]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("note: a: `systemd:a`: systemd passes the socket at a start"), "{told}");
    assert!(shown.contains("a: ssh_auth_hold on sockets of systemd:a\n"), "{shown}");
}

#[test]
fn systemd_s_own_tool_starts_it_with_its_sockets() {
    if !require("systemd") {
        return;
    }
    let directory = Directory::new("socket-activate");
    let trigger = directory.path("trigger");
    // It takes no port 0: the port was free a moment ago.
    let (socket, address) = listener();
    drop(socket);
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &address.to_string(), "-l", &trigger, "--fdname=ssh:trigger"]);
    command.arg(tarpitd().get_program()).args(["-s", "ssh:systemd:ssh"]);
    command.stdin(Stdio::null()).env_remove("JOURNAL_STREAM");
    // It starts the daemon in its place when the first client comes.
    let daemon = std::thread::scope(|scope| {
        let daemon = scope.spawn(|| Daemon::spawn(command, 1));
        until("its socket", || UnixStream::connect(&trigger).is_ok());
        daemon.join().expect("it serves")
    });
    assert!(daemon.connect().hear().starts_with(b"SSH-2.0-"));
    let told = daemon.log.iter().any(|line| line.contains("no tarpit uses the socket `trigger`"));
    assert!(told, "{:?}", daemon.log);
}

/// A file that belongs to the program.
fn shipped(name: &str) -> String {
    let path = format!("{}/../../packaging/systemd/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).expect("it is shipped")
}

/// The shipped units in a directory, where this program stands for the installed one.
fn units(directory: &Directory) -> [String; 2] {
    ["tarpitd.service", "tarpitd.socket"].map(|name| {
        let program = tarpitd().get_program().to_string_lossy().into_owned();
        directory.file(name, &shipped(name).replace("/usr/local/bin/tarpitd", &program))
    })
}

#[test]
fn the_shipped_units_are_in_order_and_hold_no_right() {
    if !require("systemd") {
        return;
    }
    let directory = Directory::new("units");
    let units = units(&directory);
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).args(&units);
    let told = verify.output().expect("it runs");
    assert!(told.status.success() && told.stderr.is_empty(), "{told:?}");

    let exposure = || -> f64 {
        let mut security = Command::new("systemd-analyze");
        let security = security.args(["security", "--offline=true", "--no-pager", &units[0]]);
        let told = security.output().expect("it runs").stdout;
        let told = String::from_utf8_lossy(&told).into_owned();
        let (_, level) = told.rsplit_once("exposure level for tarpitd.service: ").expect("a level");
        level.split(' ').next().and_then(|level| level.parse().ok()).expect("a number")
    };
    assert!(exposure() <= 1.2, "{}", exposure());
    let service = shipped("tarpitd.service");
    for none in ["\nCapabilityBoundingSet=\n", "\nAmbientCapabilities=\n"] {
        assert!(service.contains(none), "{none}");
    }
    // As documented.
    fs::create_dir(directory.path("tarpitd.service.d")).expect("a directory");
    let capability = shipped("bind-low-ports.conf");
    directory.file("tarpitd.service.d/bind-low-ports.conf", &capability);
    assert!((1.2..=1.4).contains(&exposure()), "{}", exposure());
}

#[test]
fn the_shipped_configuration_suits_the_shipped_units() {
    let directory = Directory::new("shipped");
    let config = shipped("tarpitd.toml");
    for made_by_the_unit in ["/var/lib/tarpitd", "/var/log/tarpitd/"] {
        assert!(config.contains(made_by_the_unit), "{made_by_the_unit}");
    }
    let state = directory.path("state");
    fs::create_dir(&state).expect("a directory");
    let config = config.replace("/var/lib/tarpitd", &state);
    let config = config.replace("/var/log/tarpitd/", &directory.path(""));
    let config = directory.file("tarpitd.toml", &config.replace("*:8080", "127.0.0.1:0"));
    let socket = shipped("tarpitd.socket");
    let name = socket.lines().find_map(|line| line.strip_prefix("FileDescriptorName="));
    let sockets = vec![(listener().0, name.expect("a name"))];
    let mut command = with_sockets(sockets, &["-c", &config]);
    command.env("RUNTIME_DIRECTORY", directory.path(""));
    let mut daemon = Daemon::spawn(command, 2);
    assert!(daemon.connect().hear().starts_with(b"SSH-2.0-"));
    // What the unit runs for `systemctl reload`.
    let mut reload = tarpitd();
    let told = reload.arg("reload").env("RUNTIME_DIRECTORY", directory.path("")).output();
    let told = told.expect("it runs");
    assert!(told.status.success(), "{told:?}");
    daemon.log_has("reload: configuration reloaded; no changes");
}

/// A daemon of this manager, which stores sockets and has kept these from an earlier one.
pub(crate) fn of_store(manager: &Manager, kept: Vec<OwnedFd>, arguments: &[&str]) -> Command {
    let sockets = kept.into_iter().map(|socket| (socket, "tarpitd-client")).collect();
    let mut command = with_sockets(sockets, arguments);
    command.env("NOTIFY_SOCKET", &manager.name).env("FDSTORE", "4096");
    command
}

/// A configuration of two tarpits with a state directory and a trace.
fn with_state(directory: &Directory) -> (String, String) {
    let trace = directory.path("trace");
    let state = directory.path("state");
    let config = format!(
        "state_dir = '{state}'\n[logging]\nclient_trace = '{trace}'\ntrace_per_second = 0\n\
         [tarpits.banner]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\nrate_limit = 16\n\
         client_trace = true\n\
         [tarpits.ssh]\npattern = 'ssh'\nbind = '127.0.0.1:0'\nclient_trace = true\n"
    );
    (directory.file("c.toml", &config), trace)
}

/// The events of this name in a trace.
fn events(trace: &str, name: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(trace).expect("a trace");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    lines.filter(|line: &serde_json::Value| line["event"] == name).collect()
}

/// Whether a connection is open, whatever has come.
fn is_open(client: &mut Client) -> bool {
    client.0.set_nonblocking(true).expect("a socket");
    let mut buffer = [0; 4_096];
    let open = loop {
        match client.0.read(&mut buffer) {
            Ok(0) => break false,
            Ok(_) => {}
            Err(error) => break error.kind() == ErrorKind::WouldBlock,
        }
    };
    client.0.set_nonblocking(false).expect("a socket");
    open
}

#[test]
fn a_restart_keeps_the_clients_whose_sockets_the_manager_has_kept() {
    let directory = Directory::new("store");
    let (config, trace) = with_state(&directory);
    let manager = Manager::new("store");
    let daemon = Daemon::spawn(of_store(&manager, Vec::new(), &["-c", &config]), 2);
    let (begun, banner_at) = (now(), daemon.addresses[0]);
    let mut clients: Vec<_> =
        (0..40).map(|number| Client::of(daemon.addresses[number % 2])).collect();
    for client in &mut clients {
        client.hear();
    }
    let held_since = now();
    daemon.signal(Signal::TERM);
    let mut stored = manager.store();
    assert_eq!(stored.len(), 40);
    let (_, log, status) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(log.iter().any(|line| line.contains("systemd keeps the sockets")), "{log:?}");
    assert_eq!(events(&trace, "close").len(), 0);
    assert!(clients.iter_mut().all(is_open));

    // One is lost on the way.
    let lost = net::getpeername(stored.pop().expect("a socket")).expect("a client").expect("one");
    let lost = IpSocketAddr::try_from(lost).expect("an address");
    let mut daemon = Daemon::spawn(of_store(&manager, stored, &["-c", &config]), 2);
    daemon.log_has("clients of tarpitd 0.1.0 that systemd has kept go on: 39");
    daemon.log_has("systemd has not kept were disconnected at the last stop: 1");
    manager.hear_of("FDSTOREREMOVE=1\nFDNAME=tarpitd-client");
    let is_lost = |client: &Client| client.0.local_addr().expect("an address") == lost;
    let place = clients.iter().position(is_lost).expect("it is one of them");
    drop(clients.remove(place));
    until("its close", || events(&trace, "close").len() == 1);
    let close = &events(&trace, "close")[0];
    assert_eq!(
        (close["reason"].as_str(), &close["conn_info"]["peername"][1]),
        (Some("stopped"), &lost.port().into())
    );
    let opens = events(&trace, "open");
    let of_lost = opens.iter().find(|open| open["session"] == close["session"]).expect("its open");
    let span = close["time"].as_f64().expect("a time") - of_lost["time"].as_f64().expect("a time");
    let duration = close["duration"].as_f64().expect("a duration");
    assert!((span - duration).abs() < 0.2, "{span} is not {duration}");
    assert!(fs::metadata(directory.path("state/held")).is_err(), "it is over");
    // The banner goes on line by line; SSH clients are to speak next.
    for client in &mut clients {
        assert!(is_open(client));
    }
    let banner =
        clients.iter_mut().find(|client| client.0.peer_addr().expect("an address") == banner_at);
    banner.expect("one of them").hear();
    // New ones come as well, and INT always closes.
    daemon.connect().hear();
    // The trace has hundredths of a second.
    let held = held_since.elapsed().saturating_sub(Duration::from_millis(50));
    daemon.signal(Signal::INT);
    assert_eq!(manager.store().len(), 0);
    let (_, log, status) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log:?}");
    let closed = events(&trace, "close");
    let stopped = closed.iter().filter(|close| close["reason"] == "stopped");
    let durations: Vec<_> = stopped.map(|it| it["duration"].as_f64().expect("a number")).collect();
    let whole = durations.iter().filter(|&&it| it >= held.as_secs_f64()).count();
    assert_eq!(whole, 39, "{durations:?} of {held:?}");
    // A duration may be rounded up to the next hundredth.
    let most = begun.elapsed().as_secs_f64() + 0.01;
    assert!(durations.iter().all(|&it| it <= most), "{durations:?} of {most}");
    let sessions: Vec<_> = events(&trace, "open").iter().map(|it| it["session"].clone()).collect();
    assert!(closed.iter().all(|close| sessions.contains(&close["session"])), "{closed:?}");
}

#[test]
fn a_damaged_state_is_kept_aside_and_its_clients_are_held_in_silence() {
    let directory = Directory::new("store-damaged");
    let (config, _) = with_state(&directory);
    let manager = Manager::new("store-damaged");
    let daemon = Daemon::spawn(of_store(&manager, Vec::new(), &["-c", &config]), 2);
    let mut client = Client::of(daemon.addresses[0]);
    client.hear();
    daemon.signal(Signal::TERM);
    let stored = manager.store();
    daemon.wait();
    let file = directory.path("state/held");
    let mut bytes = fs::read(&file).expect("the state");
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    fs::write(&file, bytes).expect("written");
    let mut daemon = Daemon::spawn(of_store(&manager, stored, &["-c", &config]), 2);
    let told = daemon.log.iter().find(|line| line.contains("this file is damaged"));
    assert!(told.is_some_and(|line| line.contains("kept as held.unusable")), "{:?}", daemon.log);
    assert!(fs::metadata(directory.path("state/held.unusable")).is_ok());
    daemon.log_has("clients of which nothing is known are held in silence: 1");
    assert_eq!(daemon.total("held"), 1);
    assert!(is_open(&mut client));
}

#[test]
fn clients_that_cannot_be_kept_are_closed_with_their_lines() {
    let directory = Directory::new("store-refused");
    let (config, trace) = with_state(&directory);
    let manager = Manager::new("store-refused");
    let daemon = Daemon::spawn(of_store(&manager, Vec::new(), &["-c", &config]), 2);
    let mut client = Client::of(daemon.addresses[0]);
    client.hear();
    fs::remove_dir_all(directory.path("state")).expect("removed");
    directory.file("state", "");
    daemon.signal(Signal::TERM);
    assert_eq!(manager.store().len(), 0);
    let (_, log, status) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log:?}");
    let told = log.iter().any(|line| line.contains("the clients cannot be kept for a restart"));
    assert!(told, "{log:?}");
    assert_eq!(events(&trace, "close").len(), 1);
    client.is_reset();
}

#[test]
fn clients_beyond_the_store_are_disconnected_and_closed_by_the_next_start() {
    const ROOM: usize = 5;
    let directory = Directory::new("store-small");
    let (config, trace) = with_state(&directory);
    let manager = Manager::new("store-small");
    let start = |kept: Vec<OwnedFd>| {
        let mut command = of_store(&manager, kept, &["-c", &config]);
        command.env("FDSTORE", ROOM.to_string());
        Daemon::spawn(command, 2)
    };
    let daemon = start(Vec::new());
    let mut clients: Vec<_> = (0..2 * ROOM).map(|_| daemon.connect()).collect();
    for client in &mut clients {
        client.hear();
    }
    daemon.signal(Signal::TERM);
    let stored = manager.store();
    assert_eq!(stored.len(), ROOM);
    daemon.wait();
    assert_eq!(clients.iter_mut().filter_map(|client| is_open(client).then_some(())).count(), ROOM);
    let mut daemon = start(stored);
    daemon.log_has(&format!("that systemd has kept go on: {ROOM}"));
    daemon.log_has(&format!("were disconnected at the last stop: {ROOM}"));
    until("their lines", || events(&trace, "close").len() == ROOM);
    assert!(events(&trace, "close").iter().all(|close| close["reason"] == "stopped"));
    assert_eq!(daemon.total("held"), ROOM as u64);
}
