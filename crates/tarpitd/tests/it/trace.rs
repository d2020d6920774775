//! What the trace tells of clients, and how much of it.

use std::{fs::File, io::Write as _, net::TcpStream};

use rustix::{
    process::Signal,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use serde_json::json;

use crate::daemon::{Daemon, Directory, file_gets, processor_time, tarpitd, until};

/// A frame of HTTP/2 with the fields of a request for `path` that carries `credentials`.
fn request(stream: u32, path: &str, credentials: &str) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).expect("short");
        [&[length], text.as_bytes()].concat()
    };
    let fields = [
        b"\x82\x86\x04".to_vec(),
        text(path),
        b"\0".to_vec(),
        text("authorization"),
        text(credentials),
    ];
    let block = fields.concat();
    let length = u32::try_from(block.len()).expect("short").to_be_bytes();
    [&length[1..], &[1, 0b101], &stream.to_be_bytes(), &block].concat()
}

/// What an HTTP/2 client says first.
fn opening() -> Vec<u8> {
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()
}

#[test]
fn every_request_of_a_segment_is_told_and_a_guess_only_once() {
    let directory = Directory::new("told");
    let file = directory.file(
        "c.toml",
        "[tarpits.a]\npattern = 'http_hold'\nclient_trace = true\n\
         bind = [{ host = '127.0.0.1', port = 0 }]\n[logging]\nlog_secrets = true\n",
    );
    let mut daemon = Daemon::start(&["-c", &file], 1);
    let mut client = daemon.connect();
    // root:toor, and behind three decoys root:real.
    let mut said = opening();
    for stream in 0..9 {
        said.extend(request(2 * stream + 1, "/", "Basic cm9vdDp0b29y"));
    }
    said.extend(request(19, "/b", "Basic cm9vdDp0b29y"));
    said.extend(request(21, "/", "Basic cm9vdDpyZWFs"));
    client.0.write_all(&said).expect("sent");
    let mut metas: Vec<_> = (0..3).map(|_| daemon.trace_has("learn")["meta"].to_string()).collect();
    metas.sort();
    assert_eq!(
        metas,
        [
            r#"{"http_request":"GET / HTTP/2.0","method":"basic","secret":"real","user":"root"}"#,
            r#"{"http_request":"GET / HTTP/2.0","method":"basic","secret":"toor","user":"root"}"#,
            r#"{"http_request":"GET /b HTTP/2.0"}"#,
        ]
    );
    drop(client);
    let close = daemon.trace_has("close");
    assert_eq!((&close["repeats"], &close["untold"]), (&9.into(), &0.into()), "{close}");
}

#[test]
fn one_connection_does_not_fill_a_disk() {
    let mut daemon = Daemon::start(&["-s", "http_hold:127.0.0.1:0", "-t"], 1);
    let mut client = daemon.connect();
    let all = 10_000;
    let mut said = opening();
    for number in 0..all {
        let stream = 2 * number + 1;
        said.extend(request(stream, &format!("/{number}"), &format!("Bearer {number}")));
    }
    client.0.write_all(&said).expect("sent");
    let received = format!(" received={} ", said.len());
    until("all that was sent", || {
        daemon.signal(Signal::USR1);
        daemon.log_has("totals: ").contains(&received)
    });
    let (trace, ..) = daemon.stop();
    let learnt: Vec<_> = trace.iter().filter(|line| line["event"] == "learn").collect();
    // A burst, and what half a minute brings.
    assert!((32..=34).contains(&learnt.len()), "{}", learnt.len());
    let facts = learnt.iter().filter_map(|line| line["meta"].as_object().map(serde_json::Map::len));
    let untold = trace.last().expect("a line")["untold"].as_u64().expect("a number");
    // Each request is three facts.
    assert_eq!(untold + facts.sum::<usize>() as u64, 3 * u64::from(all));
}

#[test]
fn the_close_lines_add_up_to_the_cpu_time_of_the_workers() {
    let mut daemon = Daemon::start(&["-s", "ssh_auth_hold:127.0.0.1:0", "-t"], 1);
    let clients: Vec<_> = (0..50).map(|_| daemon.connect()).collect();
    drop(clients);
    let mut told = Vec::new();
    for _ in 0..50 {
        told.push(daemon.trace_has("close")["worker_cpu"].as_f64().expect("seconds"));
    }
    let used = processor_time(&daemon).as_secs_f64();
    assert!(told.iter().all(|seconds| *seconds >= 0.0), "{told:?}");
    let sum: f64 = told.iter().sum();
    // The first turn alone costs more than the one bound. The other has room for a tick, which the
    // kernel adds to a thread's time when it ends.
    assert!(sum > 0.000_1 && sum <= used + 0.02, "{sum} of {used}: {told:?}");
}

#[test]
fn a_port_for_all_names_the_protocol_once_it_is_known() {
    let mut daemon = Daemon::start(&["-s", "auto:127.0.0.1:0", "-t"], 1);
    let mut client = daemon.connect();
    client.0.write_all(b"stats\r\n").expect("sent");
    assert!(daemon.trace_has("open").get("protocol").is_none());
    assert_eq!(daemon.trace_has("validate")["protocol"], "memcached");
    let (trace, ..) = daemon.stop();
    let close = trace.last().expect("a line");
    assert_eq!((&close["event"], &close["protocol"]), (&"close".into(), &"memcached".into()));
}

#[test]
fn a_client_that_breaks_its_protocol_is_written_once_and_stays_held() {
    let tarpits = ["ssh_kex_hold:127.0.0.1:0", "tls:127.0.0.1:0"];
    let mut daemon = Daemon::start(&["-s", tarpits[0], "-s", tarpits[1], "-t"], 2);
    let garbled = b"\x16\x03\x01\x00\x30\x01\x00\x00\x2C\x03\x03".repeat(8);
    let (mut clients, mut count) = (Vec::new(), 0);
    for (place, said, meta) in [
        (
            0,
            &b"SSH-2.0-x\r\nGET / HTTP/1.0\r\n\r\n"[..],
            json!({ "layer": "ssh", "reason": "packet length" }),
        ),
        (1, &garbled, json!({ "layer": "tls", "reason": "hello" })),
    ] {
        let mut client = TcpStream::connect(daemon.addresses[place]).expect("connected");
        client.write_all(said).expect("sent");
        let malformed = daemon.trace_has("malformed");
        assert_eq!(malformed["meta"], meta);
        client.write_all(said).expect("sent");
        clients.push(client);
        count += 2 * said.len();
    }
    let received = format!(" received={count} ");
    until("all that was sent", || {
        daemon.signal(Signal::USR1);
        daemon.log_has("totals: ").contains(&received)
    });
    let (trace, ..) = daemon.stop();
    assert_eq!(trace.len(), 2, "nothing is written again: {trace:?}");
    assert!(trace.iter().all(|line| line["reason"] == "stopped"), "both were held: {trace:?}");
}

#[test]
fn time_is_written_as_it_is_asked_for() {
    let directory = Directory::new("time");
    let file = directory.file(
        "c.toml",
        "[tarpits.a]\npattern = 'endless_banner'\nclient_trace = true\n\
         bind = [{ host = '127.0.0.1', port = 0 }]\n[logging]\ntime = 'rfc3339'\n",
    );
    let mut daemon = Daemon::start(&["-c", &file], 1);
    let _client = daemon.connect();
    let time = daemon.trace_line()["time"].as_str().expect("a string").to_owned();
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    assert_eq!((&time[10..11], &time[19..20]), ("T", "."), "{time}");
}

#[test]
fn a_crowd_has_so_many_lines_and_what_is_left_out_is_counted() {
    let directory = Directory::new("bound");
    let file = directory.file(
        "c.toml",
        "[tarpits.a]\npattern = 'endlessh'\nclient_trace = true\nmax_clients = 0\n\
         bind = [{ host = '127.0.0.1', port = 0 }]\n\
         [logging]\ntrace_per_second = 1\n[limits]\nper_address = 0\nper_prefix = 0\n",
    );
    let mut daemon = Daemon::start(&["-c", &file], 1);
    let mut clients = Vec::new();
    for _ in 0..400 {
        let mut client = daemon.connect();
        client.0.write_all(b"SSH-2.0-x\r\n").expect("sent");
        clients.push(client);
    }
    daemon.log_has("[logging] trace_per_second");
    let (trace, log, _) = daemon.stop();
    let count = |event: &str| trace.iter().filter(|line| line["event"] == event).count();
    // Of 600 lines at once, half are for those who come and go; the end itself has no bound.
    assert_eq!((count("open"), count("close")), (400, 400));
    assert!(count("validate") < 400, "{}", count("validate"));
    let left_out = 400 - count("validate");
    let totals = log.iter().find(|line| line.contains("totals: ")).expect("totals");
    let wanted = format!("left_out_trace_lines={left_out} left_out_validate={left_out}");
    assert!(totals.contains(&wanted) && totals.contains("lost_trace_lines=0"), "{totals}");
}

#[test]
fn v_shows_who_comes_and_goes() {
    for (arguments, shows) in [(&["-v"][..], true), (&[], false)] {
        let all = [&["-s", "endless_banner:127.0.0.1:0"], arguments].concat();
        let mut daemon = Daemon::start(&all, 1);
        let mut client = daemon.connect();
        client.hear();
        let port = client.0.local_addr().expect("connected").port();
        drop(client);
        if shows {
            daemon.log_has(&format!("info: ACCEPT host=127.0.0.1 port={port} tarpit=cli_0"));
            let close = daemon.log_has(&format!("info: CLOSE host=127.0.0.1 port={port} time="));
            assert!(close.contains(" bytes=") && close.contains(" tarpit=cli_0"), "{close}");
        }
        let (_, log, _) = daemon.stop();
        assert!(shows || log.iter().all(|line| !line.contains("port=")), "{log:?}");
    }
}

/// A daemon with one tarpit whose standard output is a terminal.
pub(crate) fn on_a_terminal(arguments: &[&str]) -> Daemon {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it is ours");
    let name = ptsname(&ours, Vec::new()).expect("it has a name");
    let theirs = File::options().read(true).write(true).open(name.to_str().expect("ASCII"));
    let mut command = tarpitd();
    command.args(arguments).stdout(theirs.expect("it opens"));
    Daemon::spawn_shown(command, File::from(ours), 1)
}

#[test]
fn a_terminal_shows_a_short_line_for_people_unless_json_is_asked_for() {
    for json in [false, true] {
        let mut arguments = vec!["-s", "http_hold:127.0.0.1:0", "-t"];
        arguments.extend(json.then_some("--json"));
        let mut daemon = on_a_terminal(&arguments);
        let mut client = daemon.connect();
        client.0.write_all(b"GET /\x1b[2J\xC2\x9B HTTP/1.1\r\n\r\n").expect("sent");
        let mut text = String::new();
        while !text.contains("2J") {
            text += &daemon.shown_line();
            text.push('\n');
        }
        let plain = text.replace("\r\x1b[K", "");
        assert!(plain.chars().all(|c| !c.is_control() || "\r\n".contains(c)), "{plain:?}");
        assert_eq!(plain.starts_with("{\"time\":"), json, "{plain}");
        if !json {
            assert!(plain.contains(" cli_0: opened"), "{plain}");
            assert!(
                plain.contains(r"cli_0: http_request GET /\u{1b}[2J\u{9b} HTTP/1.1"),
                "{plain}"
            );
        }
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.ends().code(), Some(0));
    }
}

#[test]
fn log_and_trace_in_one_file_are_refused_at_the_start_by_check_and_by_a_reload() {
    let directory = Directory::new("one-file");
    let tarpit = "[tarpits.a]\npattern = 'endless_banner'\nclient_trace = true\n\
                  bind = '127.0.0.1:0'\n";
    let [log, trace] = ["log", "trace"].map(|name| directory.path(name));
    let good = format!("{tarpit}[logging]\nmain = '{log}'\nclient_trace = '{trace}'\n");
    let path = directory.file("c.toml", &good);
    let daemon = Daemon::start(&["-c", &path], 0);
    file_gets(&log, |text| text.contains(" on 127.0.0.1:"));
    std::fs::remove_file(&trace).expect("it was opened");
    std::os::unix::fs::symlink(&log, &trace).expect("a link");
    for arguments in [&["check", &path][..], &["-c", &path]] {
        let output = tarpitd().args(arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(":7:16: the log and the trace are the same file"), "{said}");
    }
    daemon.signal(Signal::HUP);
    file_gets(&log, |text| {
        text.contains("the log and the trace are the same file") && text.contains("not reloaded")
    });
    // By streams that lead to one file, too; but where nothing is traced that harms nobody.
    let both = directory.path("both");
    for (traced, code) in [(true, Some(2)), (false, None)] {
        let file = File::options().append(true).create(true).open(&both).expect("a file");
        let mut command = tarpitd();
        command.args(["-s", "endless_banner:127.0.0.1:0"]).args(traced.then_some("-t"));
        command.stdout(file.try_clone().expect("a file")).stderr(file);
        let mut child = command.spawn().expect("it starts");
        if code.is_some() {
            assert_eq!(child.wait().expect("it ends").code(), code);
        } else {
            file_gets(&both, |text| text.contains(" on 127.0.0.1:"));
            child.kill().and_then(|()| child.wait()).expect("it ends");
        }
    }
}

#[test]
fn settings_of_a_trace_that_nobody_writes_are_told() {
    let directory = Directory::new("idle-trace");
    let path = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n\
             [logging]\nclient_trace = '{}'\nlog_secrets = true\n",
            directory.path("trace")
        ),
    );
    let output = tarpitd().args(["check", &path]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("no tarpit writes to this trace"), "{said}");
    assert!(said.contains("`log_secrets` has no effect"), "{said}");
    let mut daemon = Daemon::start(&["-c", &path], 0);
    daemon.log_has("warning: ");
    daemon.log_has("`log_secrets` has no effect");
    let (_, log, _) = Daemon::start(&["-c", &path, "-t"], 1).stop();
    assert!(!log.iter().any(|line| line.contains("no effect")), "{log:?}");
}
