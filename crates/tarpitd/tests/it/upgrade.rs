//! A new program takes over from a running daemon, and no client notices; or it fails, and the
//! daemon goes on as if nothing had happened.

mod between;
mod counted;
mod kept;
mod last_clients;
mod last_step;
mod signals;
mod thousand;
mod unit;
mod waiting;

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags},
    net::sockopt,
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;

use self::between::{Between, CLIENTS, COMPLETE, End, FORM, READY, SERVE, TAKEN};
use crate::{
    clock::now,
    daemon::{Client, Daemon, Directory, tarpitd, until},
    data::Ftp,
    metrics::samples,
    require::require,
    tls,
};

/// Patterns whose clients are sent something again and again, and what these say first.
const HELD: [(&str, &str); 6] = [
    ("endless_banner", ""),
    ("auto", "SSH-2.0-x\r\n"),
    ("endlessh", "SSH-2.0-x\r\n"),
    ("http_hold", "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8.0\r\n\r\n"),
    ("smtp_endless_ehlo", "EHLO a\r\n"),
    ("ssh_auth_hold", "SSH-2.0-x\r\n"),
];

/// The longest time in which a held client may hear nothing.
const GAP: Duration = Duration::from_secs(20);

/// A daemon whose program is replaced while it runs. Its trace and its log stay those of the first.
struct Upgraded {
    directory: Directory,
    daemon: Daemon,
    /// The process that serves now, once the first one does no longer.
    pid: Option<Pid>,
}

impl Upgraded {
    fn start(name: &str, tarpits: &str, ports: usize, more: &[&str]) -> Self {
        let directory = Directory::new(name);
        let socket = directory.path("control");
        let text = format!("{tarpits}\n[control]\nsocket = '{socket}'\n");
        let config = directory.file("tarpitd.toml", &text);
        let arguments = [&["-c", &config], more].concat();
        let daemon = Daemon::start(&arguments, ports);
        Self { directory, daemon, pid: None }
    }

    fn socket(&self) -> String {
        self.directory.path("control")
    }

    fn run(&self, words: &[&str]) -> Output {
        Self::run_at(words, &self.socket())
    }

    /// Runs a command against what answers at this socket.
    fn run_at(words: &[&str], socket: &str) -> Output {
        let words = [words, &["--socket", socket]].concat();
        tarpitd().args(words).output().expect("it runs")
    }

    /// What a command prints.
    fn says(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.says(&["status", "--json"])).expect("JSON")
    }

    fn held(&self) -> Value {
        self.status()["total"]["held"].clone()
    }

    fn held_ids(&self) -> Vec<String> {
        let text = self.says(&["held", "--json"]);
        let id = |line: &str| {
            let client: Value = serde_json::from_str(line).expect("JSON");
            client["session"].as_str().expect("an id").to_owned()
        };
        let mut ids: Vec<_> = text.lines().map(id).collect();
        ids.sort();
        ids
    }

    /// Lets the same program take over.
    fn upgrade(&mut self) {
        let socket = self.socket();
        self.upgrade_at(&socket);
    }

    /// The same by what answers at this socket.
    fn upgrade_at(&mut self, socket: &str) {
        let is_first = self.pid.is_none();
        self.begin_upgrade(socket);
        if is_first {
            assert!(self.daemon.ends().success(), "the old one ends well");
        }
    }

    /// The same where the old one may still have something to do.
    fn begin_upgrade(&mut self, socket: &str) {
        let output = Self::run_at(&["upgrade"], socket);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let pid = told.split("(pid ").nth(1).and_then(|rest| rest.split(')').next());
        let pid = pid.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        self.pid = Some(pid.expect("a process"));
    }

    /// Takes everything as a new program does, up to the order to serve.
    fn take_all(&self) -> End {
        let mut other = End::ask(&self.socket(), FORM).expect("a hand-over");
        while other.frame().expect("a frame").number() != COMPLETE {
            other.say(TAKEN);
        }
        other.say(TAKEN);
        other.say(READY);
        assert_eq!(other.frame().map(|frame| frame.number()), Some(SERVE));
        other
    }

    /// Ends the program that serves now; the trace's last lines.
    fn stop(&mut self) -> Vec<Value> {
        match self.pid.take() {
            Some(pid) => kill_process(pid, Signal::TERM).expect("it runs"),
            None => self.daemon.signal(Signal::TERM),
        }
        // The pipe ends with the last process that has it.
        self.daemon.rest_of_trace()
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            // It may have ended.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A tarpit for each pattern.
fn tarpits() -> String {
    let table = |(pattern, _): &(&str, &str)| {
        format!("[tarpits.{pattern}]\npattern = '{pattern}'\nbind = '127.0.0.1:0'\n")
    };
    HELD.iter().map(table).collect()
}

/// A client of each.
fn clients(addresses: &[SocketAddr]) -> Vec<Client> {
    let client = |(&address, (_, says)): (&SocketAddr, &(&str, &str))| {
        let mut client = Client::of(address);
        client.0.write_all(says.as_bytes()).expect("sent");
        client.hear();
        client
    };
    addresses.iter().zip(&HELD).map(client).collect()
}

/// Every client hears something, none is closed, and none waits too long.
fn all_are_dripped(clients: &mut [Client]) {
    for client in clients.iter() {
        client.0.set_read_timeout(Some(GAP)).expect("a bound");
    }
    for client in clients {
        client.hear();
    }
}

#[test]
fn the_new_program_holds_every_client_and_so_does_the_next() {
    let mut it = Upgraded::start("upgrade", &tarpits(), HELD.len(), &["-t"]);
    let mut clients = clients(&it.daemon.addresses);
    let begun = now();
    let opened: Vec<Value> = clients.iter().map(|_| it.daemon.trace_has("open")).collect();
    let (ids, since) = (it.held_ids(), it.status()["since"].clone());
    for round in 0..2 {
        it.upgrade();
        assert_eq!(it.held(), HELD.len(), "{round}");
        assert_eq!(it.held_ids(), ids, "{round}");
        assert_eq!(it.status()["total"]["opened"], HELD.len() + round, "{round}");
        let after = it.status()["since"].as_u64().expect("a time");
        assert!(after.abs_diff(since.as_u64().expect("a time")) <= 1, "{after} {since}");
        all_are_dripped(&mut clients);
        // The port was open all the time.
        let mut new = Client::of(it.daemon.addresses[0]);
        new.hear();
        drop(new);
        until("the one that left is gone", || it.held() == HELD.len());
    }
    // The trace has hundredths of a second.
    let held = begun.elapsed().saturating_sub(Duration::from_millis(20));
    let trace = it.stop();
    let again = trace.iter().filter(|line| line["event"] == "open").count();
    assert_eq!(again, 2, "those who came later only");
    for open in &opened {
        let mut closes = trace.iter().filter(|line| line["session"] == open["session"]);
        let close = closes.find(|line| line["event"] == "close").expect("a close line");
        let seconds = close["duration"].as_f64().or(close["seconds"].as_f64());
        assert!(seconds > Some(held.as_secs_f64()), "{close}");
    }
}

/// The daemon goes on: with the same clients, and with new ones.
fn goes_on(it: &mut Upgraded, ids: &[String], step: &str) {
    it.daemon.log_has("this daemon goes on");
    assert_eq!(it.held_ids(), ids, "{step}");
    let mut new = Client::of(it.daemon.addresses[0]);
    new.hear();
    drop(new);
    until("the one that left is gone", || it.held() == ids.len());
}

#[test]
fn at_whatever_step_a_new_program_fails_the_old_one_goes_on() {
    let mut it = Upgraded::start("upgrade-fails", &tarpits(), HELD.len(), &["-t"]);
    let mut clients = clients(&it.daemon.addresses);
    let ids = it.held_ids();
    // How many frames are taken before the new program closes.
    let mut steps = 0;
    loop {
        let mut other = End::ask(&it.socket(), FORM).expect("a hand-over");
        let mut last = 0;
        for _ in 0..steps {
            last = other.frame().expect("a frame").number();
            other.say(TAKEN);
        }
        drop(other);
        goes_on(&mut it, &ids, &format!("closed after {steps} frames"));
        if last == COMPLETE {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 4, "there is something to fail at");
    // It says nonsense instead, at each step.
    for step in 0..=steps {
        let mut other = End::ask(&it.socket(), FORM).expect("a hand-over");
        for _ in 0..step {
            other.frame().expect("a frame");
            other.say(TAKEN);
        }
        other.say(0xFF);
        while other.frame().is_some() {}
        goes_on(&mut it, &ids, &format!("nonsense after {step} frames"));
    }
    // It is ready, is to serve, and ends.
    let mut other = End::ask(&it.socket(), FORM).expect("a hand-over");
    let mut files = 0;
    loop {
        let frame = other.frame().expect("a frame");
        files += frame.files.len();
        other.say(TAKEN);
        if frame.number() == COMPLETE {
            break;
        }
    }
    other.say(READY);
    assert_eq!(other.frame().map(|frame| frame.number()), Some(SERVE));
    assert!(files >= 2 + HELD.len(), "{files}");
    drop(other);
    goes_on(&mut it, &ids, "ended instead of serving");
    // Another form is refused before anything happens.
    let told = End::ask(&it.socket(), "tarpitd-hand-over/0").err().expect("refused");
    assert!(told.starts_with("HTTP/1.1 426 "), "{told}");
    all_are_dripped(&mut clients);
    let trace = it.stop();
    let closes =
        trace.iter().filter(|line| line["event"] == "close" && line["reason"] == "stopped");
    assert_eq!(closes.count(), HELD.len());
}

#[test]
fn a_program_that_cannot_take_over_says_why_and_the_old_one_goes_on() {
    let it = Upgraded::start("upgrade-refused", &tarpits(), HELD.len(), &["-t"]);
    let mut clients = clients(&it.daemon.addresses);
    let ids = it.held_ids();
    let config = it.directory.path("tarpitd.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    for (damage, told) in [
        ("[tarpits.x]\npattern = 'nonsense'\nbind = '127.0.0.1:0'\n", "nonsense"),
        ("[tarpits.x]\npattern = 'ssh'\nbind = '127.0.0.1:1'\nuser = 1\n", "user"),
        ("[logging]\nmain = '/nowhere/at/all'\n", "/nowhere/at/all"),
    ] {
        fs::write(&config, format!("{text}\n{damage}")).expect("written");
        let output = it.run(&["upgrade"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(told) && said.contains("goes on"), "{said}");
        assert_eq!(it.held_ids(), ids);
    }
    for (program, told) in [("/nowhere/tarpitd", "cannot start"), ("/bin/true", "not take over")] {
        let output = it.run(&["upgrade", program]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(told) && said.contains("goes on"), "{said}");
    }
    all_are_dripped(&mut clients);
}

#[test]
fn what_belongs_to_the_process_goes_to_the_new_one() {
    let directory = Directory::new("upgrade-process-files");
    let (pid_file, state) = (directory.path("pid"), directory.path("state"));
    fs::create_dir(&state).expect("a directory");
    for kept in [format!("state_dir = '{state}'\n"), String::new()] {
        let text = format!("{kept}{}\n[metrics]\nbind = '127.0.0.1:0'\n", tarpits());
        let more = ["-t", "--pid-file", &pid_file];
        let mut it = Upgraded::start("upgrade-process", &text, HELD.len() + 1, &more);
        let mut clients = clients(&it.daemon.addresses);
        drop(clients.pop());
        until("one has left", || it.held() == HELD.len() - 1);
        let pid = || fs::read_to_string(&pid_file).expect("the file").trim().to_owned();
        let (first, metrics) = (pid(), it.daemon.addresses[HELD.len()]);
        let before = samples(metrics);
        for _ in 0..2 {
            it.upgrade();
            assert_eq!(it.pid.map(|pid| pid.to_string()), Some(pid()));
            assert_ne!(first, pid());
            assert!(Path::new(&it.socket()).exists());
            let after = samples(metrics);
            for (name, value) in before.iter().filter(|(name, _)| name.contains("_total")) {
                assert!(after[name] >= *value, "{name}: {} after {value}", after[name]);
                if name.contains("clients_") {
                    assert!((after[name] - value).abs() < 0.5, "{name}: {}", after[name]);
                }
            }
        }
        it.stop();
        assert!(!Path::new(&pid_file).exists(), "removed by the last");
    }
}

#[test]
fn a_daemon_that_has_dropped_root_is_upgraded_by_root() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("upgrade-root-files");
    let (pid_file, state) = (directory.path("pid"), directory.path("state"));
    fs::create_dir(&state).expect("a directory");
    let text = format!("user = 'nobody'\nstate_dir = '{state}'\n{}", tarpits());
    let more = ["-t", "--pid-file", &pid_file];
    let mut it = Upgraded::start("upgrade-root", &text, HELD.len(), &more);
    let mut clients = clients(&it.daemon.addresses);
    let ids = it.held_ids();
    for _ in 0..2 {
        it.upgrade();
        assert_eq!(it.held_ids(), ids);
        let pid = it.pid.expect("it runs").to_string();
        assert_eq!(fs::read_to_string(&pid_file).expect("the file").trim(), pid);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let user = status.lines().find(|line| line.starts_with("Uid:")).expect("a user");
        assert!(user.contains("65534"), "{user}");
    }
    all_are_dripped(&mut clients);
}

#[test]
fn a_data_connection_that_was_awaited_arrives_at_the_new_program() {
    let text = "[tarpits.a]\npattern = 'ftp_hold'\npoison = true\nrate_limit = 4096\n\
                passive_ports = 0\nbind = '127.0.0.1:0'\n";
    let mut it = Upgraded::start("upgrade-data", text, 1, &["-t"]);
    let mut ftp = Ftp::log_in(it.daemon.addresses[0]);
    let awaited = ftp.passive();
    it.upgrade();
    let _data = Client::of(awaited);
    until("both are held", || it.held() == 2);
    // The port is for one connection. The reset may come before the connect is seen to succeed.
    match TcpStream::connect(awaited) {
        Ok(stream) => Client::from(stream).is_reset(),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}

#[test]
fn the_process_file_of_a_user_that_is_given_up_to_goes_to_the_new_one() {
    if !require("root") {
        return;
    }
    let files = Directory::new("upgrade-pid-user");
    let pid_file = files.path("pid");
    let pid = || fs::read_to_string(&pid_file).expect("the file").trim().to_owned();
    let more = ["-u", "65534:65534", "--pid-file", &pid_file];
    let mut it = Upgraded::start("upgrade-user", &tarpits(), HELD.len(), &more);
    for _ in 0..2 {
        it.upgrade();
        assert_eq!(it.pid.map(|pid| pid.to_string()), Some(pid()));
    }
    it.stop();
    assert_eq!(pid(), "", "nobody may remove it");
}

#[test]
fn a_new_program_that_ends_before_it_serves_leaves_the_process_file_as_it_was() {
    let files = Directory::new("upgrade-pid-fails");
    let pid_file = files.path("pid");
    let mut it = Upgraded::start("upgrade-pid", &tarpits(), 6, &["--pid-file", &pid_file]);
    let own = format!("{}\n", it.daemon.pid().as_raw_nonzero());
    let other = it.take_all();
    // As if it was killed right after that.
    fs::write(&pid_file, "1\n").expect("written");
    drop(other);
    goes_on(&mut it, &[], "ended instead of serving");
    assert_eq!(fs::read_to_string(&pid_file).expect("the file"), own);
}

#[test]
fn lines_that_a_stuck_reader_of_the_trace_does_not_take_are_told() {
    let directory = Directory::new("upgrade-stuck");
    let (pipe, socket) = (directory.path("pipe"), directory.path("control"));
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, mode, 0).expect("a pipe");
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let _reader = rustix::fs::open(&pipe, flags, Mode::empty()).expect("a reader");
    let text = format!(
        "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
         [limits]\nper_address = 0\nper_prefix = 0\n[logging]\nclient_trace = '{pipe}'\n\
         [control]\nsocket = '{socket}'\n"
    );
    let config = directory.file("c.toml", &text);
    let daemon = Daemon::start(&["-c", &config], 1);
    let mut it = Upgraded { directory, daemon, pid: None };
    // Each writes more than 600 bytes, and the pipe has room for 64 KiB.
    for _ in 0..400 {
        let client = Client::of(it.daemon.addresses[0]);
        sockopt::set_socket_linger(&client.0, Some(Duration::ZERO)).expect("it is a socket");
    }
    until("all are gone", || it.held() == 0);
    it.upgrade();
    it.daemon.log_has("waiting lines are lost");
}

#[test]
fn root_does_not_start_what_another_user_s_daemon_asks_for() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("upgrade-other-user");
    let (program, socket) = (directory.path("tarpitd"), directory.path("control"));
    // By another process: a file that this one has open for writing may be inherited by a program
    // that another test starts, and then cannot be run.
    let copied = Command::new("cp").arg(tarpitd().get_program()).arg(&program).status();
    assert!(copied.expect("it runs").success());
    fs::set_permissions(directory.path(""), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let tarpit = "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n";
    let config = format!("{tarpit}[control]\nsocket = '{socket}'\n");
    let config = directory.file("c.toml", &config);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", &program]);
    command.args(["-c", &config]).stdin(Stdio::null()).env_remove("JOURNAL_STREAM");
    let daemon = Daemon::spawn(command, 1);
    let output = Upgraded::run_at(&["upgrade"], &socket);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("user 65534") && said.contains("goes on"), "{said}");
    daemon.connect().hear();
}

#[test]
fn a_client_that_the_new_program_does_not_know_is_held_in_silence() {
    let mut it = Upgraded::start("upgrade-unknown", &tarpits(), HELD.len(), &["-t"]);
    let mut clients = clients(&it.daemon.addresses);
    let ids = it.held_ids();
    // As of a program with another pattern in this one's place.
    let between = Between::start(&it.directory.path("between"), &it.socket(), |frame| {
        if frame.number() == CLIENTS {
            frame.replace(b"endless_banner", b"endless_bannex");
        }
    });
    it.upgrade_at(between.socket());
    it.daemon.log_has("1 of these clients are held in silence");
    assert_eq!(it.held_ids(), ids);
    let mut silent = clients.remove(0);
    all_are_dripped(&mut clients);
    // What was on its way may have come before.
    silent.0.set_nonblocking(true).expect("a mode");
    while silent.0.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    silent.0.set_nonblocking(false).expect("a mode");
    silent.0.set_read_timeout(Some(Duration::from_secs(9))).expect("a bound");
    let error = silent.0.read(&mut [0]).expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(it.held_ids(), ids, "it is held");
}

#[test]
fn a_new_program_that_reads_nonsense_ends_and_the_old_one_goes_on() {
    let mut it = Upgraded::start("upgrade-damaged", &tarpits(), HELD.len(), &["-t"]);
    let mut clients = clients(&it.daemon.addresses);
    let ids = it.held_ids();
    // Each frame in turn is damaged on its way.
    for damaged in 0.. {
        let mut place = 0;
        let path = it.directory.path(&format!("between{damaged}"));
        let (tell, told) = std::sync::mpsc::channel();
        let between = Between::start(&path, &it.socket(), move |frame| {
            if place == damaged {
                // If this fails, the test is over.
                let _ = tell.send(frame.number() == SERVE);
                frame.bytes.truncate(frame.bytes.len() / 2);
            }
            place += 1;
        });
        let output = Upgraded::run_at(&["upgrade"], between.socket());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{damaged}: {said}");
        assert!(said.contains("damaged") && said.contains("goes on"), "{damaged}: {said}");
        goes_on(&mut it, &ids, &format!("frame {damaged} was damaged"));
        if told.recv().expect("a frame") {
            break;
        }
    }
    all_are_dripped(&mut clients);
}

#[test]
fn clients_of_a_tarpit_that_is_gone_stay_and_another_number_of_workers_serves_all() {
    let text = format!("workers = 2\n{}", tarpits());
    let mut it = Upgraded::start("upgrade-changed", &text, HELD.len(), &["-t"]);
    let mut clients = clients(&it.daemon.addresses);
    let ids = it.held_ids();
    let config = it.directory.path("tarpitd.toml");
    for (workers, gone) in [(1, "endless_banner"), (3, "http_hold")] {
        let text = fs::read_to_string(&config).expect("the configuration");
        let gone = format!("[tarpits.{gone}]\n");
        let (before, rest) = text.split_once(&gone).expect("the tarpit");
        let after = rest.split_once("\n[").expect("another one").1;
        let (_, before) = before.split_once('\n').expect("a line");
        fs::write(&config, format!("workers = {workers}\n{before}[{after}")).expect("written");
        it.upgrade();
        let held = it.held_ids();
        assert!(ids.iter().all(|id| held.contains(id)), "{held:?}");
        all_are_dripped(&mut clients);
        for &address in &it.daemon.addresses[4..] {
            for _ in 0..8 {
                Client::of(address).hear();
            }
        }
    }
    let error = TcpStream::connect(it.daemon.addresses[0]).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_client_amid_a_tls_handshake_stays_with_the_old_program_until_it_is_done() {
    let text =
        "[tarpits.a]\npattern = 'tls'\ninner = 'http_endless_header'\nbind = '127.0.0.1:0'\n";
    let mut it = Upgraded::start("upgrade-handshake", text, 1, &["-t"]);
    let stream = tls::asking(&tls::settings(), it.daemon.addresses[0], "a.example");
    // The answer to its hello has come, and it says nothing to that yet.
    stream.sock.peek(&mut [0]).expect("an answer");
    let (ids, socket) = (it.held_ids(), it.socket());
    it.begin_upgrade(&socket);
    assert_eq!(it.held(), 0, "it is not there yet");
    // Another upgrade would lose it.
    let output = it.run(&["upgrade"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the last upgrade is not over yet"), "{said}");
    let (mut stream, start) = tls::answered(stream);
    assert_eq!(start, "HTTP/1.1 200 OK");
    assert!(it.daemon.ends().success(), "the old one ends once it has nobody left");
    until("the client is there", || it.held() == 1);
    assert_eq!(it.held_ids(), ids);
    stream.sock.set_read_timeout(Some(GAP)).expect("a bound");
    for _ in 0..2 {
        assert!(stream.read(&mut [0; 256]).expect("it is decrypted") > 0);
    }
    it.upgrade();
    assert_eq!(it.held_ids(), ids);
    let trace = it.stop();
    let events: Vec<_> = trace.iter().map(|line| line["event"].as_str()).collect();
    let of = |event| events.iter().filter(|it| **it == Some(event)).count();
    assert_eq!((of("open"), of("close")), (1, 1), "{events:?}");
}
