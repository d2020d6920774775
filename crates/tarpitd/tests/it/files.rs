//! The trace: what stands in it, and disks that are full or gone.

use std::{fs, io::Write as _};

use crate::daemon::{Client, Daemon, Directory, file_gets};

#[test]
fn a_connection_is_traced_from_its_open_to_its_close() {
    let mut daemon = Daemon::start(&["-s", "ENDLESSH:127.0.0.1:0", "-r", "64", "-t"], 1);
    let mut client = daemon.connect();
    client.0.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").expect("sent");
    client.hear();
    let ours = client.0.local_addr().expect("connected");
    let open = daemon.trace_line();
    let text = open.to_string();
    assert_eq!((&open["event"], &open["name"]), (&"open".into(), &"cli_0".into()));
    assert_eq!(open["pattern"], "endlessh");
    assert_eq!(open["conn_info"]["peername"][0], "127.0.0.1");
    assert_eq!(open["conn_info"]["peername"][1], ours.port());
    assert_eq!(open["conn_info"]["sockname"][1], daemon.addresses[0].port());
    assert!(open["meta"].is_null() && open["time"].as_f64().is_some(), "{text}");
    let validate = daemon.trace_line();
    assert_eq!(validate["event"], "validate");
    assert_eq!(validate["meta"]["expected"], true);
    assert_eq!(validate["meta"]["data"], "b'SSH-'");
    assert_eq!(validate["session"], open["session"]);
    drop(client);
    let close = daemon.trace_has("close");
    assert_eq!(close["meta"]["request"], "b''");
    assert_eq!(close["received"], 23);
    assert!(close["sent"].as_u64() > Some(0) && close["duration"].as_f64().is_some());
    assert_eq!(close["session"], open["session"]);
}

#[test]
fn keys_stand_in_the_promised_order() {
    let directory = Directory::new("order");
    let path = directory.path("trace.jsonl");
    let daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-t", &path], 1);
    Client::of(daemon.addresses[0]).hear();
    drop(daemon.stop());
    let text = file_gets(&path, |text| text.lines().count() == 2);
    let close = text.lines().last().expect("two lines");
    let keys = [
        "time",
        "event",
        "name",
        "pattern",
        "conn_info",
        "meta",
        "session",
        "duration",
        "sent",
        "received",
        "reason",
        "repeats",
        "untold",
        "worker_cpu",
    ];
    let places: Vec<_> = keys.iter().map(|key| close.find(&format!("\"{key}\":"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{close}");
}

#[test]
fn without_validation_no_line_speaks_of_it() {
    let mut daemon =
        Daemon::start(&["-s", "endlessh:127.0.0.1:0", "-e", "none", "-r", "64", "-t"], 1);
    let mut client = daemon.connect();
    client.hear();
    client.0.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sent");
    drop(client);
    assert_eq!(daemon.trace_line()["event"], "open");
    let next = daemon.trace_line();
    assert_ne!(next["event"], "validate");
}

#[test]
fn a_trace_is_appended_to() {
    let directory = Directory::new("append");
    let path = directory.file("trace.jsonl", "{\"event\":\"before\"}\n");
    let daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-t", &path], 1);
    daemon.connect().hear();
    drop(daemon.stop());
    let text = file_gets(&path, |text| text.lines().count() == 3);
    assert!(text.starts_with("{\"event\":\"before\"}\n"), "{text}");
}

#[test]
fn a_full_disk_is_reported_once_and_clients_stay_held() {
    let mut daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-t", "/dev/full"], 1);
    let mut clients: Vec<_> = (0..30).map(|_| daemon.connect()).collect();
    for client in &mut clients {
        client.hear();
    }
    let line = daemon.log_has("cannot write the trace");
    assert!(line.contains("No space left"), "{line}");
    for client in &mut clients {
        client.hear();
    }
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!log.iter().any(|line| line.contains("cannot write the trace")), "said once: {log:?}");
    let totals = log.iter().find(|line| line.contains("lost_trace_lines=")).expect("totals");
    assert!(totals.ends_with("lost_trace_lines=60"), "{totals}");
}

#[test]
fn a_trace_that_is_removed_is_made_again_or_its_lines_are_counted_as_lost() {
    let directory = Directory::new("removed");
    let folder = directory.path("logs");
    fs::create_dir(&folder).expect("made");
    let path = format!("{folder}/trace.jsonl");
    let mut daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-t", &path], 1);
    daemon.connect().hear();
    file_gets(&path, |text| text.lines().count() == 2);
    fs::remove_file(&path).expect("removed");
    let mut client = daemon.connect();
    client.hear();
    daemon.log_has("was removed; tarpitd has made it again");
    file_gets(&path, |text| text.lines().count() == 1);
    fs::remove_dir_all(&folder).expect("removed");
    drop(client);
    let line = daemon.log_has("cannot write the trace");
    assert!(line.contains("it was removed and cannot be made again: No such file"), "{line}");
    daemon.connect().hear();
    let (_, log, _) = daemon.stop();
    assert!(!log.iter().any(|line| line.contains("cannot write the trace")), "once: {log:?}");
    let totals = log.iter().find(|line| line.contains("lost_trace_lines=")).expect("totals");
    assert!(totals.ends_with("lost_trace_lines=3"), "{totals}");
}

#[test]
fn a_reset_is_traced_with_its_error_before_the_close() {
    let mut daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-t"], 1);
    let mut client = daemon.connect();
    client.hear();
    let at_once = Some(std::time::Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(&client.0, at_once).expect("an option of all sockets");
    drop(client);
    let error = daemon.trace_has("conn_error");
    assert_eq!(error["meta"]["err"], "ConnectionResetError");
    assert!(error["meta"]["msg"].as_str().is_some_and(|text| text.contains("reset")), "{error}");
    let close = daemon.trace_line();
    assert_eq!((&close["event"], &close["reason"]), (&"close".into(), &"reset".into()));
}
