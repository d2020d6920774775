//! The control socket, and the commands that speak to it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::Ipv4Addr,
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    process::{Output, Stdio},
    thread,
};

use serde_json::Value;

use crate::{
    daemon::{Client, Daemon, Directory, tarpitd, until},
    require::require,
};

/// A daemon with a control socket and two tarpits, each at one address.
struct Controlled {
    directory: Directory,
    daemon: Daemon,
}

impl Controlled {
    fn start(name: &str, lines: &str) -> Self {
        let directory = Directory::new(name);
        let config = directory.file("tarpitd.toml", &text(&directory, "banner", lines));
        let daemon = Daemon::start(&["-c", &config, "-t"], 2);
        Self { directory, daemon }
    }

    /// Runs a command of this program against the daemon.
    fn run(&self, words: &str) -> Output {
        run(words, &self.directory.path("control"))
    }

    /// What a command prints.
    fn says(&self, words: &str) -> String {
        let output = self.run(words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words}: {told}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.says("status --json")).expect("JSON")
    }

    fn held(&self, words: &str) -> Vec<Value> {
        let text = self.says(&format!("held --json {words}"));
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

fn text(directory: &Directory, name: &str, lines: &str) -> String {
    format!(
        "[tarpits.{name}]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n\
         [tarpits.ssh]\npattern = 'ssh'\nbind = '127.0.0.1:0'\n\
         [control]\nsocket = '{}'\n{lines}\n",
        directory.path("control")
    )
}

fn run(words: &str, socket: &str) -> Output {
    let mut command = tarpitd();
    command.args(words.split_whitespace()).args(["--socket", socket]);
    command.output().expect("it runs")
}

/// The one line with which a command fails, and its exit code.
fn failure(output: &Output) -> (String, Option<i32>) {
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(told.lines().count(), 1, "{told}");
    (told, output.status.code())
}

#[test]
fn status_tells_what_each_tarpit_holds_and_how_the_daemon_is() {
    let it = Controlled::start("control-status", "");
    let mut reader = Client::of(it.daemon.addresses[0]);
    reader.hear();
    let mut status = it.status();
    until("sent bytes", || {
        status = it.status();
        status["total"]["held"] == 1 && status["tarpits"][0]["held_days"].as_f64() > Some(0.0)
    });
    assert_eq!(status["format"], 1);
    let [banner, ssh] = &status["tarpits"].as_array().expect("tarpits")[..] else { panic!() };
    assert_eq!((&banner["name"], &banner["pattern"]), (&"banner".into(), &"endless_banner".into()));
    assert_eq!(banner["addresses"][0], it.daemon.addresses[0].to_string());
    assert_eq!((&banner["held"], &banner["opened"]), (&1.into(), &1.into()));
    let own = reader.0.local_addr().expect("an address").to_string();
    assert_eq!(banner["longest"]["client"], own);
    assert_eq!((&ssh["held"], &ssh["longest"]), (&0.into(), &Value::Null));
    assert_eq!(status["networks"][0]["name"], "127.0.0.0/24");
    assert_eq!(status["trace"]["lost_lines"], 0);
    let process = &status["process"];
    assert_eq!(process["pid"], it.daemon.pid().as_raw_nonzero().get());
    assert_eq!(process["user"], rustix::process::geteuid().as_raw());
    assert_eq!(process["configuration"], it.directory.path("tarpitd.toml"));
    assert_eq!((&process["log"], &process["trace"]), (&"<stderr>".into(), &"<stdout>".into()));
    assert_eq!(process["reloaded"], Value::Null);
    it.says("reload");
    assert!(it.status()["process"]["reloaded"].as_u64() > Some(1_700_000_000));
    let limits = status["limits"].as_array().expect("limits");
    assert!(limits.iter().any(|it| it.as_str().is_some_and(|it| it.starts_with("clients = "))));
    let told = it.says("status");
    for part in [
        "tarpitd 0.1.0, running for",
        "held now 1",
        &own,
        "reloaded: 20",
        "load level: 0",
        "per_address",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn held_names_each_client_and_what_is_known_of_it() {
    let it = Controlled::start("control-held", "");
    let mut first = Client::from_to(Ipv4Addr::new(127, 0, 0, 2), it.daemon.addresses[1]);
    first.0.write_all(b"SSH-2.0-Evil\x1b[2J\r\n").expect("sent");
    until("the identification", || {
        it.held("127.0.0.2").first().is_some_and(|client| client["program"].is_string())
    });
    let mut second = Client::of(it.daemon.addresses[0]);
    second.hear();
    let all = it.held("");
    let tarpits: Vec<_> = all.iter().map(|client| &client["tarpit"]).collect();
    assert_eq!(tarpits, ["ssh", "banner"], "the longest held first");
    let client = &all[0];
    assert_eq!(client["client"], first.0.local_addr().expect("an address").to_string());
    assert_eq!(client["server"], it.daemon.addresses[1].to_string());
    assert_eq!((&client["protocol"], &client["received"]), (&"ssh".into(), &18.into()));
    assert!(client["pattern"].as_str().is_some_and(|name| name.starts_with("ssh")), "{client}");
    assert!(client["state"].as_str().is_some_and(|name| !name.is_empty()), "{client}");
    assert!(client["heard_seconds_ago"].is_u64(), "{client}");
    assert_eq!(all[1]["heard_seconds_ago"], Value::Null);
    let shown = it.says("held");
    assert!(shown.contains("Evil\\u{1b}[2J"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(it.held("127.0.0.0/30").len(), 2);
    assert_eq!(it.held("127.0.0.2/32").len(), 1);
    assert_eq!(it.held("--limit 1").len(), 1);
    assert!(it.held("192.0.2.0/24").is_empty());
    let (told, code) = failure(&it.run("held 127.0.0.1/8"));
    assert!(told.contains("has bits set") && code == Some(2), "{told}");
}

#[test]
fn dropped_clients_are_reset_and_their_lines_say_why() {
    let mut it = Controlled::start("control-drop", "");
    let [banner, _] = it.daemon.addresses[..] else { panic!("two ports") };
    let mut all: Vec<_> =
        (2..5).map(|last| Client::from_to(Ipv4Addr::new(127, 0, 0, last), banner)).collect();
    until("three clients", || it.held("").len() == 3);
    let session = it.held("127.0.0.3")[0]["session"].as_str().expect("a session").to_owned();
    assert_eq!(it.says(&format!("drop {session}")), "1 client dropped\n");
    all[1].is_reset();
    assert_eq!(it.says("drop 127.0.0.0/24"), "2 clients dropped\n");
    for place in [0, 2] {
        all[place].is_reset();
    }
    assert_eq!(it.says(&format!("drop {session}")), "0 clients dropped\n");
    for _ in 0..3 {
        assert_eq!(it.daemon.trace_has("close")["reason"], "dropped");
    }
    let (told, code) = failure(&it.run("drop everybody"));
    assert!(told.contains("is not a network") && code == Some(2), "{told}");
}

/// The daemon has dropped the right that TPROXY needs; NAT alone would lead no client there.
#[test]
fn a_reload_does_not_move_a_redirected_tarpit_to_where_tproxy_does_not_lead() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("control-tproxy");
    let text = |host: &str, redirected: bool| {
        format!(
            "[tarpits.a]\npattern = 'endless_banner'\nbind = '{host}:0'\n\
             redirected = {redirected}\n[control]\nsocket = '{}'\n",
            directory.path("control")
        )
    };
    let config = directory.file("tarpitd.toml", &text("127.0.0.1", true));
    let mut daemon = Daemon::start(&["-c", &config, "-u", "nobody"], 1);
    let socket = directory.path("control");
    directory.file("tarpitd.toml", &text("127.0.0.2", true));
    let (told, code) = failure(&run("reload", &socket));
    assert!(told.contains(":3:8: a: 127.0.0.2:0: only NAT can redirect clients here"), "{told}");
    assert!(told.contains("`tarpitd upgrade` starts one") && code == Some(2), "{told}");
    daemon.log_has("configuration not reloaded");
    daemon.connect().hear();
    drop(daemon);
    // A daemon that has never had it goes on, and says so to who asks.
    directory.file("tarpitd.toml", &text("127.0.0.1", false));
    let _daemon = Daemon::start(&["-c", &config, "-u", "nobody"], 1);
    directory.file("tarpitd.toml", &text("127.0.0.2", true));
    let output = run("reload", &socket);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("warning: a: 127.0.0.2:0: only NAT can redirect"), "{told} {output:?}");
}

#[test]
fn reload_prints_what_changed_or_what_is_wrong() {
    let it = Controlled::start("control-reload", "");
    assert_eq!(it.says("reload"), "no changes\n");
    let write = |name: &str, lines: &str| {
        it.directory.file("tarpitd.toml", &text(&it.directory, name, lines));
    };
    write("banner", "[limits]\nper_address = 7");
    assert_eq!(it.says("reload"), "[limits] per_address 256 -> 7\n");
    write("other", "[limits]\nper_address = 7");
    let told = it.says("reload");
    assert_eq!(told, "banner: removed\nother: added, endless_banner\n");
    write("other", "[limits]\nper_adress = 7");
    let (told, code) = failure(&it.run("reload"));
    assert!(told.contains("did you mean `per_address`") && code == Some(2), "{told}");
    assert_eq!(it.status()["tarpits"][1]["name"], "other", "the old one stays in force");
    // The answer comes even where it is the socket's last.
    let socket = it.directory.path("control");
    write("other", "");
    let text = text(&it.directory, "other", "").replace(&format!("'{socket}'"), "'off'");
    it.directory.file("tarpitd.toml", &text);
    let told = it.says("reload");
    let last = format!("control: stopped listening on unix:{socket}\n");
    assert_eq!(told, format!("[limits] per_address 7 -> 256\n{last}"));
}

#[test]
fn a_missing_daemon_is_one_line() {
    let directory = Directory::new("control-none");
    let socket = directory.path("control");
    for words in ["status", "held", "drop ::1", "reload"] {
        let (told, code) = failure(&run(words, &socket));
        assert!(told.contains("there is no socket") && code == Some(1), "{told}");
    }
    drop(UnixListener::bind(&socket).expect("a socket"));
    let (told, code) = failure(&run("status", &socket));
    assert!(told.contains("has ended") && code == Some(1), "{told}");
    // Without --socket it is the first that is there; if none is, each usual place is named.
    let usual = |first: &str| {
        let mut command = tarpitd();
        command.arg("status").env("RUNTIME_DIRECTORY", directory.path(first));
        failure(&command.env("XDG_RUNTIME_DIR", directory.path("own")).output().expect("it runs"))
    };
    fs::create_dir(directory.path("unit")).expect("a directory");
    drop(UnixListener::bind(directory.path("unit/control.sock")).expect("a socket"));
    let (told, code) = usual("unit");
    assert!(told.contains("unit/control.sock: the daemon") && code == Some(1), "{told}");
    // A daemon of this machine, or one that was killed, has its socket at the system's place.
    if !fs::exists("/run/tarpitd/control.sock").expect("a directory") {
        let (told, code) = usual("nowhere");
        for place in
            ["nowhere/control.sock", "/run/tarpitd/control.sock", "own/tarpitd/control.sock"]
        {
            assert!(told.contains(place) && code == Some(1), "{place}: {told}");
        }
    }
}

#[test]
fn the_usual_directory_is_made_by_a_start_and_not_by_a_check() {
    let directory = Directory::new("control-usual");
    let text = "[tarpits.a]\npattern = 'ssh'\nbind = '127.0.0.1:0'\n[control]\nsocket = 'on'\n";
    let (config, usual) = (directory.file("c.toml", text), directory.path("run"));
    let command = |arguments: &[&str]| {
        let mut command = tarpitd();
        command.args(arguments).env("RUNTIME_DIRECTORY", &usual);
        command
    };
    let checked = command(&["check", &config]).output().expect("it runs");
    let told = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && !fs::exists(&usual).expect("a look"), "{told}");
    let daemon = Daemon::spawn(command(&["-c", &config]), 1);
    let mode = fs::metadata(&usual).expect("it is made").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(command(&["status"]).output().expect("it runs").status.success());
    drop(daemon);
}

/// Answers one request at a socket with this.
fn answer_once(socket: &str, answer: &'static str) -> thread::JoinHandle<()> {
    let listener = UnixListener::bind(socket).expect("a socket");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut lines = BufReader::new(stream.try_clone().expect("a copy")).lines();
        while lines.next().expect("a head").is_ok_and(|line| !line.is_empty()) {}
        stream.write_all(answer.as_bytes()).expect("sent");
    })
}

#[test]
fn another_daemon_is_told_from_a_broken_one() {
    for (number, (words, answer, wanted)) in [
        ("held", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "it is older than this"),
        (
            "status",
            "HTTP/1.1 200 OK\r\n\r\n{\"format\":2,\"version\":\"9.9.9\"}",
            "the daemon is 9.9.9 and speaks otherwise",
        ),
        ("status", "220 mail ESMTP\r\n", "not the control socket of a tarpitd"),
        ("status", "", "closed without an answer"),
    ]
    .into_iter()
    .enumerate()
    {
        let directory = Directory::new(&format!("control-old-{number}"));
        let socket = directory.path("control");
        let server = answer_once(&socket, answer);
        let (told, code) = failure(&run(words, &socket));
        assert!(told.contains(wanted) && code == Some(1), "{told}");
        server.join().expect("it answers");
    }
}

#[test]
fn the_socket_is_its_owners_and_taken_over_only_where_nobody_answers() {
    let directory = Directory::new("control-socket");
    let path = directory.path("control");
    drop(UnixListener::bind(&path).expect("a stale socket"));
    let config = directory.file("tarpitd.toml", &text(&directory, "banner", ""));
    let daemon = Daemon::start(&["-c", &config], 2);
    let metadata = fs::metadata(&path).expect("the socket");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    UnixStream::connect(&path).expect("it answers");
    let (_, told, code) = Daemon::start_and_fail(&["-c", &config]);
    assert!(told.contains("another program answers there") && code == Some(1), "{told}");
    drop(daemon);

    let group = rustix::process::getgid().as_raw();
    let lines = format!("group = '{group}'");
    let config = directory.file("tarpitd.toml", &text(&directory, "banner", &lines));
    let daemon = Daemon::start(&["-c", &config], 2);
    let mode = fs::metadata(&path).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    drop(daemon);

    for (value, wanted) in [
        (format!("'/tmp/{}'", "x".repeat(120)), "at most 107 bytes"),
        ("'/nonexistent/control'".to_owned(), "create its directory"),
        ("''".to_owned(), "the path is empty"),
        ("7".to_owned(), "this must be a string"),
        (format!("'{path}'\ngroup = 'no such group'"), "there is no group `no such group`"),
    ] {
        let text = format!(
            "[tarpits.a]\npattern = 'ssh'\nbind = '127.0.0.1:0'\n[control]\nsocket = {value}\n"
        );
        let config = directory.file("wrong.toml", &text);
        let output = tarpitd().args(["check", &config]).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(wanted) && !output.status.success(), "{value}: {told}");
    }
}

#[test]
fn many_clients_are_listed_in_order_and_in_little_memory() {
    const CLIENTS: usize = 3_000;
    let it = Controlled::start("control-many", "[limits]\nper_address = 0\nper_prefix = 0");
    let address = |number: usize| Ipv4Addr::new(127, 0, 1, (number % 200) as u8 + 1);
    let banner = it.daemon.addresses[0];
    let all: Vec<_> = (0..CLIENTS).map(|number| Client::from_to(address(number), banner)).collect();
    until("all clients", || it.status()["total"]["held"] == CLIENTS);
    let before = it.daemon.private();
    // A reader that is as slow as can be: it has not begun when the daemon has.
    let mut command = tarpitd();
    let socket = it.directory.path("control");
    let mut slow = command.args(["held", "--json", "--socket", &socket]);
    slow = slow.stdout(Stdio::piped());
    let mut child = slow.spawn().expect("it runs");
    let clients = it.held("");
    assert!(it.daemon.private() < before + (4 << 20), "{}", it.daemon.private() - before);
    drop(child.stdout.take());
    child.wait().expect("it ends");
    assert_eq!(clients.len(), CLIENTS);
    let held: Vec<_> = clients.iter().map(|client| client["held_seconds"].as_u64()).collect();
    assert!(held.is_sorted_by(|one, other| one >= other));
    let mut sessions: Vec<_> = clients.iter().map(|client| client["session"].as_str()).collect();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), CLIENTS);
    assert_eq!(it.held("127.0.1.7").len(), CLIENTS / 200);
    let told = it.says("drop 127.0.1.0/25");
    let dropped = (0..CLIENTS).filter(|&number| address(number).octets()[3] < 128).count();
    assert_eq!(told, format!("{dropped} clients dropped\n"));
    assert_eq!(it.held("").len(), CLIENTS - dropped);
    drop(all);
}
