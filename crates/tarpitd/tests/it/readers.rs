//! Real programs that read the trace: what the documents promise of each.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;

use crate::{
    blocks::blocks,
    daemon::{Client, Daemon, Directory, PATIENCE, file_gets, until},
    require::{crowdsec, require},
};

/// Where the documents have the trace.
const TRACE: &str = "/var/log/tarpitd/trace.jsonl";

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 9, 8, 7);

/// The example in the documents that belongs into the file of this name.
pub(crate) fn example(file: &str) -> String {
    let all = blocks(include_str!("../../../../docs/logging.md"));
    let block = all.into_iter().find(|block| block.purpose == file);
    block.unwrap_or_else(|| panic!("no example of {file}")).text
}

/// A trace of three clients, one of which speaks IPv6 if the machine does.
fn trace(directory: &Directory, logging: &str) -> String {
    let path = directory.path("trace");
    // What an earlier trace of the test left.
    let _ = fs::remove_file(&path);
    let ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let hosts = if ipv6 { "['127.0.0.1:0', '[::1]:0']" } else { "['127.0.0.1:0']" };
    let config = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = 'ssh_kex_hold'\nbind = {hosts}\nclient_trace = true\n\
             [logging]\nclient_trace = '{path}'\n{logging}\n"
        ),
    );
    let daemon = Daemon::start(&["-c", &config], 1 + usize::from(ipv6));
    let mut clients = vec![
        Client::from_to(SOURCE, daemon.addresses[0]),
        Client::from_to(SOURCE, daemon.addresses[0]),
        Client::of(daemon.addresses[daemon.addresses.len() - 1]),
    ];
    for client in &mut clients {
        client.0.write_all(b"SSH-2.0-\"x\"\r\n").expect("sent");
        client.hear();
    }
    drop(daemon.stop());
    fs::read_to_string(path).expect("a trace")
}

#[test]
fn fail2ban_reads_both_forms_of_times() {
    if !require("fail2ban") {
        return;
    }
    let directory = Directory::new("fail2ban");
    let filter = directory.file("tarpitd.conf", &example("/etc/fail2ban/filter.d/tarpitd.conf"));
    for form in ["epoch", "rfc3339"] {
        let text = trace(&directory, &format!("time = '{form}'"));
        let mut command = Command::new("fail2ban-regex");
        command.args(["--out", "<ip> <time>", &directory.path("trace"), &filter]);
        let output = command.output().expect("it runs");
        let found = String::from_utf8_lossy(&output.stdout);
        let found: Vec<_> = found.lines().filter_map(|line| line.trim().split_once(' ')).collect();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let opened: Vec<_> = lines.filter(|line| line["event"] == "open").collect();
        assert_eq!((opened.len(), found.len()), (3, 3), "{form}: {text}{output:?}");
        for (line, (ip, time)) in opened.iter().zip(found) {
            assert_eq!(line["conn_info"]["peername"][0], ip);
            let time: f64 = time.parse().expect("a number");
            if let Some(wanted) = line["time"].as_f64() {
                assert!((time - wanted).abs() < 0.000_01, "{time} {line}");
            } else {
                // Of a date fail2ban keeps the seconds.
                let wanted = line["time"].as_str().expect("a text");
                assert_eq!(rfc3339(time)[..19], wanted[..19]);
            }
        }
    }
}

/// A moment as `date` writes it.
fn rfc3339(time: f64) -> String {
    let mut command = Command::new("date");
    command.args(["-u", "-d", &format!("@{time:.6}"), "+%Y-%m-%dT%H:%M:%SZ"]);
    let output = command.output().expect("date is there");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn fail2ban_takes_the_jail() {
    if !require("fail2ban") {
        return;
    }
    let directory = Directory::new("jail");
    let copied = Command::new("cp").args(["-r", "/etc/fail2ban", &directory.path("f")]).status();
    assert!(copied.expect("cp is there").success());
    // Debian's own jails need logs that a test machine lacks.
    fs::remove_dir_all(directory.path("f/jail.d")).expect("it was copied");
    fs::create_dir(directory.path("f/jail.d")).expect("a folder");
    for file in ["filter.d/tarpitd.conf", "jail.d/tarpitd.conf"] {
        let text = example(&format!("/etc/fail2ban/{file}"));
        directory.file(&format!("f/{file}"), &text.replace(TRACE, &directory.path("trace")));
    }
    trace(&directory, "");
    let dumped = |arguments: &[&str]| {
        let mut command = Command::new("fail2ban-client");
        command.args(["-c", &directory.path("f")]).args(arguments);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    dumped(&["-t"]);
    let text = dumped(&["-d"]);
    assert!(text.contains("['set', 'tarpitd', 'addlogpath',"), "{text}");
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts rsyslog with the example, as an ordinary user; `change` names what is different here.
fn rsyslog(directory: &Directory, change: impl Fn(String) -> String) -> Running {
    let mode = fs::Permissions::from_mode;
    fs::set_permissions(directory.path(""), mode(0o777)).expect("it is ours");
    fs::set_permissions(directory.path("trace"), mode(0o644)).expect("it is ours");
    let text = example("rsyslog.conf")
        .replace(TRACE, &directory.path("trace"))
        .replace("/var/spool/rsyslog", directory.path("").trim_end_matches('/'));
    let config = directory.file("rsyslog.conf", &change(text));
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "rsyslogd"]);
        command
    } else {
        Command::new("rsyslogd")
    };
    command.args(["-n", "-iNONE", "-f", &config]).stdin(Stdio::null());
    Running(command.spawn().expect("it starts"))
}

#[test]
fn rsyslog_copies_each_line_as_it_is() {
    if !require("rsyslog") {
        return;
    }
    let directory = Directory::new("rsyslog");
    let first = trace(&directory, "");
    let copy = directory.path("copy");
    let _rsyslog = rsyslog(&directory, |text| text.replace("/srv/log/tarpitd.jsonl", &copy));
    file_gets(&copy, |text| text == first);
    let second = "{\"event\":\"later\"}\n";
    let mut file = fs::File::options().append(true).open(directory.path("trace")).expect("a trace");
    file.write_all(second.as_bytes()).expect("written");
    file_gets(&copy, |text| text == first.clone() + second);
}

#[test]
fn rsyslog_sends_each_line_to_another_machine() {
    if !require("rsyslog") {
        return;
    }
    let directory = Directory::new("rsyslog-tcp");
    let wanted = trace(&directory, "format = 'ecs'");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let forward = example("rsyslog.conf, forwarding")
        .replace("logs.example.org", "127.0.0.1")
        .replace("601", &port.to_string());
    let _rsyslog = rsyslog(&directory, |text| {
        let action = text.lines().find(|line| line.contains("action(")).expect("an action");
        text.replace(action, &forward)
    });
    listener.set_nonblocking(true).expect("an option of sockets");
    let mut stream = None;
    until("rsyslog", || {
        stream = listener.accept().ok().map(|(stream, _)| stream);
        stream.is_some()
    });
    let mut stream = stream.expect("it has connected");
    stream.set_nonblocking(false).expect("an option of sockets");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got).expect("all lines");
    assert_eq!(String::from_utf8_lossy(&got), wanted);
}

/// Whether a line of the trace is as an extended regular expression says.
fn matches(line: &str, expression: &str) -> bool {
    let mut command = Command::new("grep");
    command.args(["-E", "-q", "-e", expression]).stdin(Stdio::piped());
    let mut grep = command.spawn().expect("grep is there");
    let mut input = grep.stdin.take().expect("piped");
    input.write_all(line.as_bytes()).expect("it reads");
    drop(input);
    grep.wait().expect("it ends").success()
}

#[test]
fn t_pot_takes_the_lines_of_endlessh_and_long_ones_with_the_patch() {
    let directory = Directory::new("t-pot");
    let text = trace(&directory, "format = 'endlessh'");
    let (ipv4, _): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| line.contains(&format!("host={SOURCE} ")));
    assert_eq!(ipv4.len(), 4, "{text}");
    // What its patterns are made of: a number of a clock's seconds, and any number.
    let (second, number) = (r"([0-5]?[0-9]|60)([:.,][0-9]+)?", r"[+-]?[0-9]+(\.[0-9]+)?");
    let common = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z +[A-Z]+ +host=([0-9]{1,3}\.){3}[0-9]{1,3} +port=[0-9]+ +fd=[0-9]+";
    let close = |time: &str| format!("{common} +time={time} +bytes={number}");
    let accept = format!("{common} +n=[0-9]+/[0-9]+");
    for line in ipv4 {
        let (before, after) = match line.split_once(" time=") {
            None => {
                assert!(matches(line, &accept), "{line}");
                continue;
            }
            Some((before, rest)) => (before, rest.split_once(' ').expect("bytes").1),
        };
        assert!(matches(line, &close(second)) && matches(line, &close(number)), "{line}");
        let long = format!("{before} time=75.123 {after}");
        assert!(!matches(&long, &close(second)) && matches(&long, &close(number)), "{long}");
    }
}

/// The parsers' configuration in `folder` over what Debian's package has below `root`.
fn crowdsec_config(directory: &Directory, root: &Path, api: u16) -> String {
    let hub = root.join("usr/share/crowdsec/hub");
    for (folder, item) in [
        ("parsers/s00-raw", "syslog-logs"),
        ("parsers/s01-parse", "endlessh-logs"),
        ("parsers/s02-enrich", "dateparse-enrich"),
        ("scenarios", "endlessh-bf"),
    ] {
        let own = PathBuf::from(directory.path(folder));
        fs::create_dir_all(&own).expect("a folder");
        let name = format!("{item}.yaml");
        let item = hub.join(folder).join("crowdsecurity").join(&name);
        symlink(item, own.join(name)).expect("a link");
    }
    for name in ["patterns", "simulation.yaml", "profiles.yaml"] {
        let theirs = root.join("etc/crowdsec").join(name);
        symlink(theirs, directory.path(name)).expect("a link");
    }
    directory.file(
        "credentials.yaml",
        &format!("url: http://127.0.0.1:{api}\nlogin: test\npassword: test\n"),
    );
    let (own, hub) = (directory.path(""), hub.display());
    directory.file(
        "config.yaml",
        &format!(
            "common: {{ log_media: stdout, log_level: error }}\n\
             config_paths:\n  config_dir: {own}\n  data_dir: {own}\n  hub_dir: {hub}\n  \
             simulation_path: {own}/simulation.yaml\n  index_path: {hub}/.index.json\n\
             crowdsec_service: {{ parser_routines: 1 }}\n\
             db_config: {{ type: sqlite, db_path: {own}/crowdsec.db }}\n\
             api:\n  client: {{ credentials_path: {own}/credentials.yaml }}\n  \
             server: {{ profiles_path: {own}/profiles.yaml }}\n\
             prometheus: {{ enabled: false }}\n"
        ),
    )
}

/// A server to which the parser logs in before it looks at anything; its port.
fn crowdsec_api() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().take(16) {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4_096];
            // The request is short, and all are answered alike.
            let _ = stream.read(&mut request);
            let body = r#"{"code":200,"expire":"2099-01-01T00:00:00Z","token":"a.b.c"}"#;
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

#[test]
fn crowdsec_parses_the_lines_of_endlessh() {
    if !require("crowdsec") {
        return;
    }
    let root = crowdsec().expect("it is there");
    let directory = Directory::new("crowdsec");
    let text = trace(&directory, "format = 'endlessh'");
    let config = crowdsec_config(&directory, &root, crowdsec_api());
    let acquisition = example("/etc/crowdsec/acquis.d/tarpitd.yaml");
    let kind = acquisition.lines().find_map(|line| line.trim().strip_prefix("type: "));
    let programs = root.join("usr/bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(programs.join("cscli"));
    command.env("PATH", format!("{}:{path}", programs.display())).stdin(Stdio::null());
    command.args(["-c", &config, "explain", "--file", &directory.path("trace")]);
    command.args(["--type", kind.expect("a type")]);
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let accepted = text.lines().filter(|line| line.contains(" ACCEPT ")).count();
    assert_eq!(accepted, 3, "{text}");
    for needed in ["crowdsecurity/endlessh-logs (+", "crowdsecurity/endlessh-bf"] {
        assert_eq!(said.matches(needed).count(), accepted, "{needed}: {text}{output:?}");
    }
}
