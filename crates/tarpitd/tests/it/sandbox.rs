//! The sandbox: every start has it, and what the daemon needs goes on inside.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::symlink,
    process::Stdio,
    thread,
};

use rustix::process::Signal;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use crate::{
    daemon::{Daemon, Directory, file_gets, tarpitd},
    require::require,
};

/// A tarpit, and what else the file has.
fn config(lines: &str) -> String {
    format!(
        "[tarpits.a]\npattern = \"tls\"\nclient_trace = true\n\
         bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n{lines}\n"
    )
}

/// A daemon with this configuration, in this directory; `None` if the system cannot confine it.
fn confined(directory: &Directory, config: &str) -> Option<Daemon> {
    let mut command = tarpitd();
    command.args(["-c", config]).current_dir(directory.path("."));
    let mut daemon = Daemon::spawn(command, 0);
    let line = daemon.log_line();
    (!line.contains("the sandbox is incomplete")).then_some(daemon)
}

/// What the kernel says of a thread of the daemon, under this name.
fn status(daemon: &Daemon, thread: &str, name: &str) -> String {
    let path = format!("/proc/{}/task/{thread}/status", daemon.pid().as_raw_nonzero());
    let status = fs::read_to_string(path).expect("it is running");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    line.expect("every kernel has it").to_owned()
}

fn threads(daemon: &Daemon) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero()));
    let name = |task: fs::DirEntry| task.file_name().to_string_lossy().into_owned();
    tasks.expect("it is running").flatten().map(name).collect()
}

#[test]
fn every_thread_is_confined_by_default_and_none_where_the_sandbox_is_off() {
    let directory = Directory::new("threads");
    for (lines, wanted) in [("", "1"), ("[sandbox]\nmode = 'off'", "0")] {
        let path = directory.file("c.toml", &config(lines));
        let daemon = Daemon::start(&["-c", &path], 1);
        let threads = threads(&daemon);
        assert!(threads.len() > 2, "{threads:?}");
        for thread in threads {
            assert_eq!(status(&daemon, &thread, "NoNewPrivs"), wanted, "{lines}");
            // 2: the thread's calls are filtered.
            let is_filtered = status(&daemon, &thread, "Seccomp") == "2";
            assert_eq!(is_filtered, wanted == "1", "{lines}");
        }
        let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid().as_raw_nonzero()));
        let limits = limits.expect("it is running");
        let core = limits.lines().find(|line| line.starts_with("Max core file size"));
        let words: Vec<_> = core.expect("a limit").split_whitespace().skip(4).collect();
        assert_eq!(words.starts_with(&["0", "0"]), wanted == "1", "{words:?}");
    }
}

#[test]
fn a_trace_with_a_relative_path_is_rotated_inside() {
    let directory = Directory::new("relative");
    let path = directory.file("c.toml", &config("[logging]\nclient_trace = 'trace.jsonl'"));
    let Some(mut daemon) = confined(&directory, &path) else { return };
    fs::rename(directory.path("trace.jsonl"), directory.path("trace.1")).expect("it is there");
    daemon.signal(Signal::USR2);
    daemon.log_has("reopened trace.jsonl");
    drop(daemon.connect());
    file_gets(&directory.path("trace.jsonl"), |text| text.contains("\"open\""));
}

/// Certbot's live/ has links to numbered files in archive/, and a renewal makes new ones there.
#[test]
fn a_certificate_that_certbot_renews_is_read_inside_and_one_elsewhere_is_refused() {
    let directory = Directory::new("certbot");
    let [live, archive, other, etc] =
        ["live", "archive", "other", "etc"].map(|name| directory.path(name));
    for folder in [&live, &archive, &other, &etc] {
        fs::create_dir(folder).expect("it is new");
    }
    let renew = |folder: &str, number: u32| {
        let made = rcgen::generate_simple_self_signed(["own.example".to_owned()]).expect("made");
        for (name, text) in
            [("fullchain", made.cert.pem()), ("privkey", made.signing_key.serialize_pem())]
        {
            fs::write(directory.path(&format!("{folder}/{name}{number}.pem")), text)
                .expect("the folder is there");
            let link = format!("{live}/{name}.pem");
            // There is none the first time.
            let _ = fs::remove_file(&link);
            symlink(format!("../{folder}/{name}{number}.pem"), link).expect("its place is free");
        }
    };
    renew("archive", 1);
    let files = format!("cert = '{live}/fullchain.pem'\nkey = '{live}/privkey.pem'");
    let path = directory.file("etc/c.toml", &config(&files));
    let Some(mut daemon) = confined(&directory, &path) else { return };
    renew("archive", 2);
    fs::remove_file(format!("{archive}/fullchain1.pem")).expect("it is there");
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration reloaded");
    renew("other", 3);
    daemon.signal(Signal::HUP);
    let told = daemon.log_has("a: cert");
    assert!(told.contains("the sandbox") && told.contains("tarpitd upgrade"), "{told}");
    daemon.log_has("the old one stays in force");
}

#[test]
fn a_reload_that_needs_another_folder_changes_nothing_and_names_the_key() {
    let directory = Directory::new("folders");
    for folder in ["logs", "other"] {
        fs::create_dir(directory.path(folder)).expect("it is new");
    }
    let trace =
        |name: &str| config(&format!("[logging]\nclient_trace = '{}'", directory.path(name)));
    let path = directory.file("c.toml", &trace("logs/a"));
    let Some(mut daemon) = confined(&directory, &path) else { return };
    directory.file("c.toml", &trace("other/a"));
    daemon.signal(Signal::HUP);
    let line = daemon.log_has("the sandbox");
    let place = format!("{path}:6:16: `[logging] client_trace`");
    assert!(line.contains(&place) && line.contains("`tarpitd upgrade`"), "{line}");
    daemon.log_has("the old one stays in force");
    assert!(!fs::exists(directory.path("other/a")).expect("the folder is there"));
    directory.file("c.toml", &trace("logs/b"));
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration reloaded");
    assert!(fs::exists(directory.path("logs/b")).expect("the folder is there"));
}

#[test]
fn a_reload_with_a_new_unix_socket_changes_nothing_and_names_the_key() {
    let directory = Directory::new("unix-reload");
    let path = directory.file("c.toml", &config(""));
    let Some(mut daemon) = confined(&directory, &path) else { return };
    let socket = directory.path("socket");
    directory.file("c.toml", &config(&format!("[metrics]\nbind = 'unix:{socket}'")));
    daemon.signal(Signal::HUP);
    let told = daemon.log_has("[metrics]");
    assert!(told.contains("`tarpitd upgrade`") && told.contains(&socket), "{told}");
    daemon.log_has("the old one stays in force");
    assert!(!fs::exists(socket).expect("the folder is there"));
}

#[test]
fn a_reload_opens_ports_from_1024_up_and_one_below_needs_an_upgrade() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("low-port");
    let with = |bind: &str| {
        let text = config("").replace("[tarpits", "user = '65534:65534'\n[tarpits");
        text + &format!("[tarpits.b]\npattern = 'endless_banner'\nbind = '{bind}'\n")
    };
    let path = directory.file("c.toml", &with("127.0.0.1:0"));
    // The new user reads it again.
    let Some(mut daemon) = confined(&directory, &path) else { return };
    daemon.log_has("b: endless_banner");
    // Nobody listens there, whoever may.
    directory.file("c.toml", &with("127.0.0.77:1"));
    daemon.signal(Signal::HUP);
    let told = daemon.log_has("cannot listen on 127.0.0.77:1");
    assert!(told.contains("CAP_NET_BIND_SERVICE") && told.contains("`tarpitd upgrade`"), "{told}");
    daemon.log_has("the old one stays in force");
    directory.file("c.toml", &with("127.0.0.77:0"));
    daemon.signal(Signal::HUP);
    daemon.log_has("b: endless_banner on 127.0.0.77:");
}

/// A filter that lets all calls through but these.
fn filter(calls: &[i64], answer: SeccompAction) -> BpfProgram {
    let rules = calls.iter().map(|&call| (call, Vec::new())).collect();
    let architecture = std::env::consts::ARCH.try_into().expect("one that it knows");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture);
    filter.expect("a filter").try_into().expect("a program")
}

/// What the log tells where another filter answers these calls of the sandbox with an error.
fn refused(calls: &[i64], errno: i32, lines: &str) -> (Vec<String>, bool) {
    let directory = Directory::new(&format!("refused-{errno}-{}", lines.len()));
    let path = directory.file("c.toml", &config(lines));
    let program = filter(calls, SeccompAction::Errno(errno.cast_unsigned()));
    // A thread of its own, since it stays filtered.
    let filtered = thread::spawn(move || {
        apply_filter(&program).expect("this kernel filters calls");
        let mut command = tarpitd();
        command.args(["-c", &path]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("the binary starts")
    });
    let mut child = filtered.join().expect("it has started");
    let pid = rustix::process::Pid::from_child(&child);
    let mut told = Vec::new();
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    for line in lines.map_while(Result::ok) {
        if line.contains("a: tls on") {
            rustix::process::kill_process(pid, Signal::TERM).expect("it is running");
        }
        told.push(line);
    }
    (told, child.wait().expect("it ends").success())
}

#[test]
fn where_the_system_refuses_the_sandbox_one_warning_says_so_and_with_require_nothing_is_served() {
    const LANDLOCK: [i64; 3] = [444, 445, 446];
    // The newer numbers are the same on every architecture.
    let seccomp = if cfg!(target_arch = "x86_64") { 317 } else { 277 };
    let (enosys, eperm) = (38, 1);
    for (calls, errno, names) in [
        (&LANDLOCK[..], enosys, &["landlock (Function not implemented)"][..]),
        (&LANDLOCK, eperm, &["landlock (Operation not permitted)"]),
        (&[seccomp], eperm, &["seccomp (Operation not permitted)"]),
        (&[444, seccomp], enosys, &["landlock (F", "seccomp (F"]),
    ] {
        let (told, serves) = refused(calls, errno, "");
        assert!(serves, "{told:#?}");
        let warnings: Vec<_> = told.iter().filter(|line| line.contains("sandbox")).collect();
        let [warning] = &warnings[..] else { panic!("{told:#?}") };
        assert!(warning.contains("warning: the sandbox is incomplete"), "{warning}");
        assert!(names.iter().all(|name| warning.contains(name)), "{warning}");

        let (told, serves) = refused(calls, errno, "[sandbox]\nmode = 'require'");
        assert!(!serves, "{told:#?}");
        let reason = told.iter().find(|line| line.contains("[sandbox] mode = \"require\""));
        assert!(reason.is_some_and(|line| line.contains(names[0])), "{told:#?}");
    }
}

/// The log tells of it though nothing that the daemon waits for does. A filter of the test's own
/// denies a call that the daemon needs, as the sandbox denies others.
#[test]
fn a_denied_call_is_logged_once_by_name() {
    let directory = Directory::new("denied");
    let path = directory.file("c.toml", &config(""));
    let accept4 = if cfg!(target_arch = "x86_64") { 288 } else { 242 };
    let program = filter(&[accept4], SeccompAction::Trap);
    let filtered = thread::spawn(move || {
        apply_filter(&program).expect("this kernel filters calls");
        Daemon::start(&["-c", &path], 1)
    });
    let mut daemon = filtered.join().expect("it has started");
    daemon.may_be_denied = true;
    let _clients: Vec<_> = (0..3).map(|_| daemon.connect()).collect();
    let told = daemon.log_has("the sandbox has denied");
    assert!(told.contains("the system call accept4;"), "{told}");
    let (_, log, status) = daemon.stop();
    assert!(!log.iter().any(|line| line.contains("the sandbox has denied")), "once: {log:#?}");
    assert!(status.success());
}
