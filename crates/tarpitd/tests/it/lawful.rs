//! What the page on the law says of the trace, compared with what can stand there.

use std::{fs, io::Write as _, path::Path};

use tarpit_proto::fact::Fact;

use crate::daemon::Daemon;

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    fs::read_to_string(path).expect("a document")
}

#[test]
fn the_page_on_the_law_lists_every_fact_and_only_secrets_as_lengths() {
    let page = document("is-it-lawful.md");
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    let named: Vec<_> = rows.iter().filter_map(|row| row.split('`').next()).collect();
    let all: Vec<_> = Fact::ALL.iter().map(|(fact, ..)| fact.name()).collect();
    assert_eq!(named, all);
    let by_length: Vec<_> = rows.iter().filter(|row| row.contains("only its length")).collect();
    assert!(matches!(by_length[..], [row] if row.starts_with("secret`")), "{by_length:?}");
    let shown = format!("each cut at {} bytes", Fact::SHOWN);
    assert!(page.replace('\n', " ").contains(&shown));
}

#[test]
fn the_page_on_the_law_names_keys_that_there_are() {
    let page = document("is-it-lawful.md");
    let manual = document("man/tarpitd.toml.5").replace("\\-", "-");
    let (_, section) = page.split_once("These keys add data").expect("the keys");
    let (section, _) = section.split_once("Without `log_secrets = true`").expect("what follows");
    let keys: Vec<_> = section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split(" = ").next().filter(|key| key.contains('_')))
        .filter(|key| !tarpit_proto::patterns::ALL.iter().any(|pattern| pattern.name() == *key))
        .collect();
    for key in ["log_secrets", "log_users", "client_trace", "trace_per_second"] {
        assert!(keys.contains(&key), "{key} is missing: {keys:?}");
    }
    for key in keys {
        assert!(manual.contains(key), "there is no key {key}");
    }
}

#[test]
fn without_a_trace_no_client_is_named() {
    let daemon = Daemon::start(&["-s", "smtp_hold:127.0.0.1:0"], 1);
    let mut client = daemon.connect();
    client.0.write_all(b"EHLO secret.example\r\nMAIL FROM:<a@secret.example>\r\n").expect("sent");
    client.hear();
    let port = client.0.local_addr().expect("connected").port().to_string();
    let (trace, log, _) = daemon.stop();
    assert!(trace.is_empty(), "{trace:?}");
    let log = log.join("\n");
    assert!(!log.contains("secret.example") && !log.contains(&port), "{log}");
}
