//! The sandbox: every start has it, and what the daemon needs goes on inside.

use std::{fs, os::unix::fs::symlink};

use rustix::process::Signal;

use crate::{
    daemon::{Daemon, Directory, file_gets, tarpitd},
    require::lacks,
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
    if line.contains("the sandbox is incomplete") {
        lacks("landlock", line);
        return None;
    }
    Some(daemon)
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
