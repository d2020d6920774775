//! Caps: whoever comes above one is reset, with an event that names it.

use crate::daemon::{Daemon, Directory, tarpitd};

/// A daemon with one tarpit and these lines for it, and these limits.
fn limited(name: &str, tarpit: &str, limits: &str) -> (Daemon, Directory) {
    let directory = Directory::new(name);
    let path = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\n{tarpit}\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n[limits]\n{limits}\n"
        ),
    );
    (Daemon::start(&["-c", &path], 1), directory)
}

fn is_capped_at_3(mut daemon: Daemon, reason: &str) {
    let mut held: Vec<_> = (0..3).map(|_| daemon.connect()).collect();
    for client in &mut held {
        client.hear();
    }
    daemon.refuses();
    let refusal = daemon.trace_has("refuse");
    assert_eq!(refusal["meta"]["reason"], reason);
    assert!(refusal["conn_info"]["peername"][1].is_u64());
    // Whoever leaves makes room, once its leaving is noticed; those held are not disturbed.
    drop(held.pop());
    for client in &mut held {
        client.hear();
    }
    daemon.trace_has("close");
    daemon.connect().hear();
}

#[test]
fn a_port_has_a_cap() {
    let (daemon, _directory) = limited("port", "max_clients = 3", "");
    is_capped_at_3(daemon, "max_clients");
}

#[test]
fn all_together_have_a_cap() {
    let (daemon, _directory) = limited("all", "", "clients = 3");
    is_capped_at_3(daemon, "clients");
}

#[test]
fn an_address_has_a_cap() {
    let (daemon, _directory) = limited("address", "", "per_address = 3");
    is_capped_at_3(daemon, "per_address");
}

#[test]
fn a_prefix_has_a_cap() {
    let (daemon, _directory) = limited("prefix", "", "per_prefix = 3");
    is_capped_at_3(daemon, "per_prefix");
}

#[test]
fn what_may_be_sent_in_a_day_ends_in_silence_and_not_in_a_goodbye() {
    let (mut daemon, _directory) = limited("day", "rate_limit = 0", "egress_per_day = 100000");
    let mut client = daemon.connect();
    let mut got = 0;
    while got < 100_000 {
        got += client.hear().len();
    }
    assert_eq!(got, 100_000);
    daemon.log_has("egress budget is spent");
    // Held all the same.
    let mut other = daemon.connect();
    let short = std::time::Duration::from_millis(300);
    other.0.set_read_timeout(Some(short)).expect("a bound");
    let silence = std::io::Read::read(&mut other.0, &mut [0; 16]).expect_err("silence");
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_process_that_may_open_no_more_files_says_so_and_holds_whom_it_has() {
    let directory = Directory::new("files");
    // Without a cap of ours, so that it is accept itself that runs out.
    let config = directory.file(
        "c.toml",
        "[tarpits.a]\npattern = \"endless_banner\"\nrate_limit = 64\n\
         bind = [{ host = \"127.0.0.1\", port = 0 }]\n[limits]\nclients = 0\n",
    );
    let program = tarpitd().get_program().to_string_lossy().into_owned();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("ulimit -n 60; exec '{program}' -c '{config}'")]);
    command.stdin(std::process::Stdio::null());
    let mut daemon = Daemon::spawn(command, 1);
    let mut first = daemon.connect();
    first.hear();
    let crowd: Vec<_> = (0..100).map(|_| daemon.connect()).collect();
    let line = daemon.log_has("no connection can be accepted");
    assert!(line.contains("ulimit -n"), "{line}");
    first.hear();
    // Those who wait come in as soon as others have left.
    drop(crowd);
    daemon.connect().hear();
    first.hear();
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!log.iter().any(|line| line.contains("no connection")), "said once: {log:?}");
}
