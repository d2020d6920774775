//! `tarpitd check`: what a start would say, all at once, and nothing is changed by it.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
};

use rustix::fs::{CWD, FileType, Mode};

use crate::{
    daemon::{Client, Daemon, Directory, tarpitd},
    require::require,
};

/// Runs a command to its end: how it ended, and both of its streams.
fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

fn check(path: &str) -> (i32, String, String) {
    run(tarpitd().args(["check", path]))
}

/// A tarpit on this address, in a line each.
fn tarpit(bind: &str) -> String {
    format!("[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\nbind = \"{bind}\"\n")
}

/// Checks that `check` and a start both end with this code and say this, in this order.
#[track_caller]
fn both_say(directory: &Directory, text: &str, code: i32, wanted: &[&str]) {
    let path = directory.file("c.toml", text);
    for arguments in [["check", &path], ["-c", &path]] {
        let (ended, out, err) = run(tarpitd().args(arguments));
        assert_eq!((ended, out.as_str()), (code, ""), "{err}");
        let lines: Vec<_> = err.lines().collect();
        assert_eq!(lines.len(), wanted.len(), "{err}");
        for (line, wanted) in lines.into_iter().zip(wanted) {
            let line = line.replace(&path, "c.toml");
            assert!(line.contains(wanted), "{line}\ninstead of\n{wanted}");
        }
    }
}

#[test]
fn everything_that_a_start_would_refuse_is_told_at_once_with_its_place() {
    let directory = Directory::new("check_all");
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = busy.local_addr().expect("it is bound").to_string();
    let text = format!(
        "user = \"no-such-user\"\nstate_dir = \"/proc/version\"\n\
         [logging]\nclient_trace = \"/nonexistent/trace\"\nmain = \"/\"\n\
         {}[tarpits.tls]\npattern = \"tls\"\nbind = \"127.0.0.1:0\"\n\
         cert = \"/nonexistent/cert\"\nkey = \"/nonexistent/key\"\n",
        tarpit(&address),
    );
    let who = format!("c.toml:9:8: a: cannot listen on {address}: Address already in use");
    let wanted = [
        "c.toml:1:8: there is no user `no-such-user` in /etc/passwd",
        "c.toml:2:13: /proc/version: cannot keep anything here: Not a directory: not a directory",
        "c.toml:4:16: cannot open /nonexistent/trace for appending: No such file or directory; \
         create its directory",
        "c.toml:5:8: cannot open / for appending: Is a directory; name a file in it",
        &who,
        "c.toml:13:8: tls: cert: /nonexistent/cert: No such file or directory; check its",
        "c.toml:14:7: tls: key: /nonexistent/key: No such file or directory; check its",
    ];
    both_say(&directory, &text, 2, &wanted);
}

#[test]
fn what_is_written_wrong_hides_nothing_that_the_system_refuses() {
    let directory = Directory::new("check_mixed");
    let text = "user = \"no-such-user\"\n\
                [tarpits.a]\npattern = \"sshh\"\nbind = \"127.0.0.1:0\"\n\
                [tarpits.tls]\npattern = \"tls\"\nbind = \"127.0.0.1:0\"\n\
                cert = \"/nonexistent/cert\"\nkey = \"/nonexistent/key\"\n\
                [limits]\nclientz = 1\n[logging]\nmain = \"/nonexistent/log\"\n";
    let wanted = [
        "c.toml:1:8: there is no user `no-such-user`",
        "c.toml:3:11: there is no pattern `sshh`",
        "c.toml:8:8: tls: cert: /nonexistent/cert: No such file",
        "c.toml:9:7: tls: key: /nonexistent/key: No such file",
        "c.toml:11:1: unknown key `clientz`",
        "c.toml:13:8: cannot open /nonexistent/log",
    ];
    both_say(&directory, text, 2, &wanted);
}

#[test]
fn what_the_system_refuses_ends_with_1_and_what_is_written_wrong_with_2() {
    let directory = Directory::new("check_codes");
    let refused = format!("{}[logging]\nmain = \"/nonexistent/log\"\n", tarpit("127.0.0.1:0"));
    both_say(&directory, &refused, 1, &["c.toml:6:8: cannot open /nonexistent/log"]);
    let wrong = format!("user = \"no-such-user\"\n{refused}");
    both_say(
        &directory,
        &wrong,
        2,
        &["c.toml:1:8: there is no user `no-such-user`", "c.toml:7:8: cannot open"],
    );
    let (code, _, err) = check(&directory.file("c.toml", &tarpit("127.0.0.1:0")));
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn a_trace_where_no_file_can_be_made_is_told_as_a_start_tells_it() {
    let directory = Directory::new("check_kernel");
    for folder in ["/proc", "/sys", "/proc/self"] {
        let text = format!("{}[logging]\nclient_trace = \"{folder}/x\"\n", tarpit("127.0.0.1:0"));
        let wanted = format!("c.toml:6:16: cannot open {folder}/x for appending: ");
        both_say(&directory, &text, 1, &[&wanted]);
    }
}

#[test]
fn a_trace_that_is_another_file_of_the_configuration_is_refused() {
    let directory = Directory::new("check_same");
    let path = directory.path("c.toml");
    let text = format!("{}[logging]\nclient_trace = \"{path}\"\n", tarpit("127.0.0.1:0"));
    let wanted = "c.toml:6:16: `client_trace` is the same file as the configuration, c.toml: name";
    both_say(&directory, &text, 2, &[wanted]);
    assert_eq!(fs::read_to_string(&path).expect("there"), text);
}

#[test]
fn nothing_is_made_or_changed() {
    let directory = Directory::new("check_dry");
    let (state, trace, log) =
        (directory.path("state/of/ours"), directory.path("trace"), directory.file("log", "kept\n"));
    let text = format!(
        "state_dir = \"{state}\"\n[tarpits.ssh]\npattern = \"auto\"\nclient_trace = true\n\
         bind = \"127.0.0.1:0\"\n[logging]\nmain = \"{log}\"\nclient_trace = \"{trace}\"\n"
    );
    let path = directory.file("c.toml", &text);
    let (code, out, err) = check(&path);
    assert_eq!((code, err.as_str()), (0, ""), "{err}");
    assert!(out.contains("\n  ssh: auto on 127.0.0.1:0\n"), "{out}");
    let mut names: Vec<_> =
        fs::read_dir(directory.path("")).expect("a directory").flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> = names.iter().map(fs::DirEntry::file_name).collect();
    assert_eq!(names, ["c.toml", "log"]);
    assert_eq!(fs::read_to_string(log).expect("it is there"), "kept\n");
}

#[test]
fn a_port_of_a_running_tarpitd_is_a_note_and_of_anybody_else_a_refusal() {
    let directory = Directory::new("check_ports");
    let daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0"], 1);
    let address = daemon.addresses[0].to_string();
    let path = directory.file("c.toml", &tarpit(&address));
    let (code, _, err) = check(&path);
    assert_eq!(
        (code, err),
        (
            0,
            format!(
                "{path}:4:8: note: a: {address}: held by the running tarpitd (pid {})\n",
                daemon.pid()
            )
        )
    );
    // It serves on, and nobody was taken from it.
    Client::of(daemon.addresses[0]).hear();
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("it is bound").to_string();
    let (code, _, err) = check(&directory.file("c.toml", &tarpit(&address)));
    assert_eq!(code, 1);
    assert!(err.contains(&format!("(pid {}) uses it", std::process::id())), "{err}");
}

#[test]
fn a_cap_above_the_file_limit_is_cut_with_a_warning_by_check_and_start_alike() {
    let directory = Directory::new("check_cut");
    let path =
        directory.file("c.toml", &format!("{}[limits]\nclients = 100000\n", tarpit("127.0.0.1:0")));
    let program = tarpitd().get_program().to_string_lossy().into_owned();
    let limited = |arguments: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n 200; exec '{program}' {arguments}")]);
        command.stdin(Stdio::null()).env_remove("JOURNAL_STREAM");
        command
    };
    let warning = "`clients = 100000` is lowered to 135: only 200 open files";
    let (code, out, err) = run(&mut limited(&format!("check '{path}'")));
    assert_eq!(code, 0, "{err}");
    assert!(err.starts_with(&format!("{path}:6:11: warning: {warning}")), "{err}");
    assert!(err.contains("ulimit -n"), "{err}");
    assert!(out.contains("clients = 135: lowered from 100000, since 200 open files"), "{out}");
    let mut daemon = Daemon::spawn(limited(&format!("-c '{path}'")), 1);
    let logged = format!("warning: {path}:6:11: {warning}");
    assert!(daemon.log.iter().any(|line| line.contains(&logged)), "{:?}", daemon.log);
    // It is what is in force: newcomers are refused before files run out.
    let clients: Vec<_> = (0..150).map(|_| TcpStream::connect(daemon.addresses[0])).collect();
    for _ in 135..150 {
        assert_eq!(daemon.trace_has("refuse")["meta"]["reason"], "clients");
    }
    daemon.signal(rustix::process::Signal::USR1);
    let totals = daemon.log_has("totals");
    assert!(totals.contains("held=135 "), "{totals}");
    drop(clients);
}

#[test]
fn too_few_files_are_told_in_one_line() {
    let directory = Directory::new("check_files");
    let program = tarpitd().get_program().to_string_lossy().into_owned();
    for (files, bind) in [(12, "127.0.0.1:0"), (200, "127.0.0.1:10000-10494")] {
        let path = directory.file("c.toml", &tarpit(bind));
        for arguments in ["check", "-c"] {
            let mut command = Command::new("sh");
            let line = format!("ulimit -n {files}; exec '{program}' {arguments} '{path}'");
            let (code, out, err) = run(command.args(["-c", &line]));
            assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
            assert!(err.contains(&format!("only {files} open files are allowed")), "{err}");
            assert!(err.contains("LimitNOFILE="), "{err}");
        }
    }
}

#[test]
fn a_configuration_comes_from_standard_input_as_well() {
    let mut child = tarpitd()
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(format!("worker = 1\n{}", tarpit("127.0.0.1:0")).as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(told, "<stdin>:1:1: unknown key `worker`; did you mean `workers`?\n");
}

#[test]
fn files_that_could_not_be_made_anew_are_warned_of() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("check_rotation");
    let (trace, user) = (directory.path("trace"), "65534:65534");
    let text = format!(
        "user = \"{user}\"\n[logging]\nclient_trace = \"{trace}\"\n{}",
        tarpit("127.0.0.1:0")
    );
    let path = directory.file("c.toml", &text);
    let warning = format!("once {trace} is renamed, user {user} cannot create it again");
    let (code, _, err) = check(&path);
    assert_eq!(code, 0);
    assert!(err.starts_with(&format!("{path}:3:16: warning: {warning}")), "{err}");
    assert!(err.contains("logrotate"), "{err}");
    let daemon = Daemon::start(&["-c", &path], 1);
    assert!(daemon.log.iter().any(|line| line.contains(&warning)), "{:?}", daemon.log);
    drop(daemon);
    // In a directory of its own the user can.
    fs::set_permissions(directory.path(""), Permissions::from_mode(0o777)).expect("it is ours");
    assert_eq!(check(&path).2, "");
}

#[test]
fn a_pipe_that_nobody_reads_is_told_and_not_waited_for() {
    let directory = Directory::new("check_pipe");
    let pipe = directory.path("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    let (code, _, err) = run(tarpitd().args(["-s", "endless_banner:127.0.0.1:0", "-t", &pipe]));
    assert_eq!(code, 1);
    let wanted = format!(
        "-t {pipe}: cannot open {pipe} for appending: No such device or address; no program \
         reads this pipe; start the reader first\n"
    );
    assert_eq!(err, wanted);
    let text = format!("{}[logging]\nclient_trace = \"{pipe}\"\n", tarpit("127.0.0.1:0"));
    let (code, _, err) = check(&directory.file("c.toml", &text));
    assert_eq!(code, 0);
    assert!(err.contains("note: ") && err.contains("is a pipe"), "{err}");
}

#[test]
fn keys_that_cannot_be_trusted_end_check_and_start_with_1_and_the_cure() {
    let directory = Directory::new("check_keys");
    let state = directory.path("state");
    let text = format!(
        "state_dir = \"{state}\"\n[tarpits.ssh]\npattern = \"ssh_auth_hold\"\nbind = \"127.0.0.1:0\"\n"
    );
    let path = directory.file("c.toml", &text);
    drop(Daemon::start(&["-c", &path], 1));
    let seed = format!("{state}/seed");
    fs::set_permissions(&seed, Permissions::from_mode(0o666)).expect("it is ours");
    let wanted =
        format!("c.toml:1:13: {seed}: others may read or write this key (mode 0666): `chmod 600");
    both_say(&directory, &text, 1, &[&wanted]);
    fs::remove_file(&seed).expect("it is ours");
    rustix::fs::mknodat(CWD, &seed, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    both_say(&directory, &text, 1, &["seed: not a regular file: remove it to get a new one"]);
    fs::remove_file(&seed).expect("it is ours");
    let rsa = format!("{state}/ssh_host_rsa_key");
    fs::write(&rsa, "cut").expect("it is ours");
    both_say(&directory, &text, 1, &["ssh_host_rsa_key: this key is damaged"]);
    assert_eq!(fs::read_to_string(&rsa).expect("it is there"), "cut", "it is not made anew");
}

/// A folder with all that the program needs to run, and nothing of /dev and /etc; `None` where this
/// user may not make it the root of a process.
fn bare_root(directory: &Directory) -> Option<String> {
    if !require("root") {
        return None;
    }
    let program = tarpitd().get_program().to_string_lossy().into_owned();
    let root = directory.path("root");
    let copy = |path: &str| {
        let to = format!("{root}{path}");
        let folder = to.rsplit_once('/').map_or("", |(folder, _)| folder);
        fs::create_dir_all(folder).expect("a folder of ours");
        fs::copy(path, to).expect("it is copied");
    };
    // A program that needs no libraries is said to be none.
    let (_, libraries, _) = run(Command::new("ldd").arg(&program));
    for word in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(word);
    }
    fs::copy(&program, format!("{root}/tarpitd")).expect("it is copied");
    Some(root)
}

#[test]
fn neither_dev_nor_etc_is_needed() {
    let directory = Directory::new("check_bare");
    let Some(root) = bare_root(&directory) else { return };
    let chroot = |arguments: &[&str]| {
        let mut command = Command::new("chroot");
        command.args([root.as_str(), "/tarpitd"]).args(arguments);
        command.stdin(Stdio::null()).env_remove("JOURNAL_STREAM");
        command
    };
    let text = "state_dir = \"/state\"\nuser = 65534\n[tarpits.a]\npattern = \"auto\"\n\
                bind = \"127.0.0.1:0\"\n";
    fs::write(format!("{root}/c.toml"), text).expect("it is written");
    let (code, _, err) = run(&mut chroot(&["check", "/c.toml"]));
    assert_eq!((code, err.as_str()), (0, ""));
    let daemon = Daemon::spawn(chroot(&["-c", "/c.toml"]), 1);
    drop(daemon.connect());
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(fs::metadata(format!("{root}/state/seed")).is_ok_and(|seed| seed.len() == 32));
    // A name needs a place where it can be looked up.
    let named = text.replace("65534", "\"nobody\"");
    fs::write(format!("{root}/c.toml"), named).expect("it is written");
    for arguments in [["check", "/c.toml"], ["-c", "/c.toml"]] {
        let (code, _, err) = run(&mut chroot(&arguments));
        assert_eq!(code, 2);
        let wanted = "/c.toml:2:8: cannot look up user `nobody` in /etc/passwd: No such \
                      file or directory; write numbers instead, as in \"65534:65534\"\n";
        assert_eq!(err, wanted);
    }
}

#[test]
fn who_is_not_root_is_told_what_only_root_can_judge() {
    let directory = Directory::new("check_others");
    if !require("root") {
        return;
    }
    // The program may lie where only root can read it.
    let program = directory.path("tarpitd");
    // By another process: a file that this one has open for writing may be inherited by a program
    // that another test starts, and then cannot be run.
    let copied = Command::new("cp").arg(tarpitd().get_program()).arg(&program).status();
    assert!(copied.expect("it runs").success());
    fs::set_permissions(directory.path(""), Permissions::from_mode(0o777)).expect("it is ours");
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", &program]);
        command.args(arguments).stdin(Stdio::null()).env_remove("JOURNAL_STREAM");
        command
    };
    let secret = directory.path("secret");
    fs::create_dir(&secret).expect("a directory");
    fs::set_permissions(&secret, Permissions::from_mode(0o700)).expect("it is ours");
    let text =
        |user: &str| format!("{user}state_dir = \"{secret}/state\"\n{}", tarpit("127.0.0.1:0"));
    let path = directory.file("c.toml", &text("user = \"1:1\"\n"));
    let (code, out, err) = run(&mut as_nobody(&["check", &path]));
    assert_eq!(code, 0, "{err}");
    for wanted in ["c.toml:1:8: note: ", "c.toml:2:13: note: ", "note: root must start"] {
        assert!(err.contains(wanted), "{wanted}: {err}");
    }
    assert!(out.contains("would serve"), "{out}");
    // Without `user` it is this user who would start it.
    let path = directory.file("c.toml", &text(""));
    let (code, _, err) = run(&mut as_nobody(&["check", &path]));
    assert_eq!(code, 1);
    let wanted = format!(
        "{path}:1:13: {secret}/state: cannot keep anything here: Permission denied: let the user \
         who starts tarpitd write there, or name another directory\n"
    );
    assert_eq!(err, wanted);
    // The present user is nobody to become, and needs no rights.
    let state = directory.path("state");
    let text = format!("user = \"nobody\"\nstate_dir = \"{state}\"\n{}", tarpit("127.0.0.1:0"));
    let path = directory.file("c.toml", &text);
    assert_eq!(run(&mut as_nobody(&["check", &path])).2, "");
    let daemon = Daemon::spawn(as_nobody(&["-c", &path]), 1);
    daemon.connect().hear();
    assert_eq!(daemon.stop().2.code(), Some(0));
}
