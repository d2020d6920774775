//! Shortages of the system, played by strace: nobody is lost, nothing spins, and all goes on.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

use crate::{
    daemon::{Client, Daemon, Directory, PATIENCE, tarpitd},
    require::require,
};

/// A daemon of which some system calls fail, and the file in which they stand; `None` where
/// strace is missing or may not look on.
fn under_strace(directory: &Directory, fault: &str) -> Option<(Daemon, String)> {
    serve_under_strace(directory, "endless_banner", fault)
}

fn serve_under_strace(
    directory: &Directory,
    pattern: &str,
    fault: &str,
) -> Option<(Daemon, String)> {
    let output = directory.path("strace");
    let strace = |call: &str| {
        let mut command = Command::new("strace");
        // The program itself is the child, so that it is what signals reach.
        command.args(["-D", "-f", "-qq", "-o", &output, "-e", &format!("trace={call}")]);
        command
    };
    if !require("strace") {
        return None;
    }
    let (call, _) = fault.split_once(':').expect("a call and its fault");
    let config = directory.file("c.toml", &tarpit(pattern, "127.0.0.1"));
    let mut command = strace(call);
    command.args(["-e", &format!("inject={fault}")]);
    command.arg(tarpitd().get_program()).args(["-c", &config]);
    command.stdin(Stdio::null()).env_remove("JOURNAL_STREAM");
    Some((Daemon::spawn(command, 1), output))
}

/// Outside the sandbox: strace plays a fault by a call that does not exist, which the sandbox would
/// deny.
fn tarpit(pattern: &str, host: &str) -> String {
    format!(
        "[tarpits.a]\npattern = \"{pattern}\"\nrate_limit = 64\n\
         bind = [{{ host = \"{host}\", port = 0 }}]\n[sandbox]\nmode = \"off\"\n"
    )
}

/// How many of the calls failed by our doing.
fn injected(output: &str) -> usize {
    let text = fs::read_to_string(output).expect("strace's output");
    text.lines().filter(|line| line.ends_with("(INJECTED)")).count()
}

/// How many bytes have come and not been read.
fn waiting(client: &mut Client) -> usize {
    client.0.set_nonblocking(true).expect("a socket");
    let (mut count, mut buffer) = (0, [0; 4_096]);
    loop {
        match client.0.read(&mut buffer) {
            Ok(0) => panic!("it closed the connection"),
            Ok(read) => count += read,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                client.0.set_nonblocking(false).expect("a socket");
                return count;
            }
        }
    }
}

/// The system is out of something for some newcomers, and not any more later.
fn accept_fails(name: &str, errno: &str, times: usize, cure: &str) {
    let directory = Directory::new(name);
    // The first call finds nobody, or the second at the latest finds the first client.
    let fault = format!("accept4:error={errno}:when=3..{}", 2 + times);
    let Some((mut daemon, output)) = under_strace(&directory, &fault) else { return };
    let mut first = daemon.connect();
    first.hear();
    let mut second = daemon.connect();
    let line = daemon.log_has("accept paused");
    assert!(line.contains(errno) && line.contains(cure), "{line}");
    waiting(&mut first);
    second.hear();
    // The last four calls that failed took their second each: the first client, which is sent 64 bytes in
    // one, was served all the while.
    let served = waiting(&mut first);
    assert!(served >= 100, "only {served} bytes came meanwhile");
    let (_, log, status) = daemon.stop();
    assert_eq!(injected(&output), times);
    assert_eq!(status.code(), Some(0));
    assert!(!log.iter().any(|line| line.contains("accept paused")), "said once: {log:?}");
}

#[test]
fn a_system_out_of_files_is_waited_for() {
    accept_fails("nfile", "ENFILE", 4, "fs.file-max");
}

#[test]
fn a_system_out_of_memory_is_waited_for() {
    accept_fails("nomem", "ENOMEM", 4, "more memory");
}

#[test]
fn a_system_out_of_buffers_is_waited_for() {
    accept_fails("nobufs", "ENOBUFS", 4, "more memory");
}

#[test]
fn an_errno_that_nobody_expects_is_told_and_does_not_spin() {
    // The sixteenth in a row is the first that is waited for.
    accept_fails("perm", "EPERM", 19, "seccomp");
}

/// What cannot be sent for want of memory is sent later.
fn send_fails(name: &str, errno: &str) {
    let directory = Directory::new(name);
    let fault = format!("sendto:error={errno}:when=3..6");
    let Some((daemon, output)) = under_strace(&directory, &fault) else { return };
    let mut client = daemon.connect();
    let mut heard = 0;
    while heard < 256 || injected(&output) < 4 {
        heard += client.hear().len();
    }
    let (_, log, status) = daemon.stop();
    assert_eq!((injected(&output), status.code()), (4, Some(0)));
    assert!(!log.iter().any(|line| line.contains("error")), "{log:?}");
}

#[test]
fn a_send_without_memory_is_tried_again() {
    send_fails("send_nomem", "ENOMEM");
}

#[test]
fn a_send_without_buffers_is_tried_again() {
    send_fails("send_nobufs", "ENOBUFS");
}

/// Clients that are sent to at the same moments, until each has heard so much.
fn hear_together(daemon: &Daemon, bytes: usize) {
    let mut clients: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
    for client in &mut clients {
        let mut heard = 0;
        while heard < bytes {
            heard += client.hear().len();
        }
    }
}

#[test]
fn a_ring_that_is_forbidden_is_done_without() {
    let directory = Directory::new("no_ring");
    let fault = "io_uring_setup:error=EPERM";
    let Some((mut daemon, output)) = under_strace(&directory, fault) else { return };
    let line = daemon.log_has("io_uring unavailable");
    assert!(line.contains("Operation not permitted"), "{line}");
    hear_together(&daemon, 64);
    assert_eq!((daemon.rings(), injected(&output)), (0, 1));
    assert_eq!(daemon.stop().2.code(), Some(0));
}

#[test]
fn a_ring_that_fails_is_done_without_and_nobody_is_lost() {
    let directory = Directory::new("lost_ring");
    let fault = "io_uring_enter:error=EBUSY:when=3+";
    if !require("io_uring") {
        return;
    }
    let Some((mut daemon, output)) = under_strace(&directory, fault) else { return };
    assert_eq!(daemon.rings(), 1);
    hear_together(&daemon, 192);
    let line = daemon.log_has("io_uring failed");
    assert!(line.contains("busy"), "{line}");
    assert_eq!((daemon.rings(), injected(&output)), (0, 1), "it is tried no more");
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!log.iter().any(|line| line.contains("io_uring")), "said once: {log:?}");
}

#[test]
fn a_daemon_without_randomness_ends_instead_of_using_keys_that_can_be_guessed() {
    let directory = Directory::new("entropy");
    // Each thread counts for itself: the start needs fewer calls, and each client one cookie.
    let fault = "getrandom:error=ENOSYS:when=40+";
    let Some((mut daemon, _)) = serve_under_strace(&directory, "ssh_kex_hold", fault) else {
        return;
    };
    let mut clients = Vec::new();
    for _ in 0..60 {
        // Once it has ended nobody answers.
        let Ok(stream) = TcpStream::connect_timeout(&daemon.addresses[0], PATIENCE) else { break };
        let _ = (&stream).write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n");
        clients.push(stream);
    }
    let line = daemon.log_has("getrandom");
    assert!(line.contains("tarpitd stops") && line.contains("seccomp"), "{line}");
    assert_eq!(daemon.ends().code(), Some(1));
}

#[test]
fn a_reload_is_told_once_every_worker_obeys_it() {
    let directory = Directory::new("slow_reload");
    // A worker hears of everything half a second late.
    let fault = "/^epoll_p?wait$:delay_exit=500000";
    let Some((mut daemon, _)) = under_strace(&directory, fault) else { return };
    let old = daemon.addresses[0];
    directory.file("c.toml", &tarpit("endless_banner", "127.0.0.2"));
    daemon.signal(rustix::process::Signal::HUP);
    daemon.log_has("SIGHUP: configuration reloaded");
    assert!(TcpStream::connect(old).is_err(), "the old listener is still open");
    Client::of(daemon.addresses[1]).hear();
}

#[test]
fn a_port_that_a_busy_worker_closes_late_is_opened_then() {
    let directory = Directory::new("late_reload");
    // Longer than a reload waits for the worker.
    let fault = "/^epoll_p?wait$:delay_exit=7000000:when=1";
    let Some((mut daemon, _)) = under_strace(&directory, fault) else { return };
    let port = daemon.addresses[0].port();
    let everywhere = tarpit("endless_banner", "0.0.0.0").replace("= 0 ", &format!("= {port} "));
    directory.file("c.toml", &everywhere);
    daemon.signal(rustix::process::Signal::HUP);
    daemon.log_has("a worker is busy");
    daemon.log_has(&format!(" on 0.0.0.0:{port}"));
    Client::of(([127, 0, 0, 5], port).into()).hear();
}
