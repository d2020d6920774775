//! Passwords: they stand neither in the trace nor in the log unless they are asked for.

use std::io::Write as _;

use crate::daemon::{Client, Daemon};

#[test]
fn a_password_is_told_by_its_length_alone() {
    const WORD: &str = "kqzxvhunterwq42";
    const CODED: &str = "a3F6eHZodW50ZXJ3cTQy";
    let pairs = [
        ("ftp_hold", format!("USER u PASS {WORD}\r\n")),
        ("http_hold", format!("GET http://u:{WORD}@h/ HTTP/1.1\r\nHost: u:{WORD}@h\r\n\r\n")),
        ("http_hold", format!("CONNECT u:{WORD}@h:443 HTTP/1.1\r\n\r\n")),
        ("smtp_hold", format!("AUTH LOGIN\r\ndQ==\r\n{CODED}\r\n")),
        ("smtp_hold", format!("AUTH=PLAIN {CODED}\r\n")),
        ("telnet_login", format!("u\r\n{WORD}\r\n")),
        ("auto", format!("AUTH {WORD}\r\n")),
    ];
    // At such a rate mail clients are not kept waiting for the answer to each line.
    let mut arguments = vec!["-t", "-r", "0"];
    let addresses: Vec<_> =
        pairs.iter().map(|(pattern, _)| format!("{pattern}:127.0.0.1:0")).collect();
    arguments.extend(addresses.iter().flat_map(|address| ["-s", address]));
    let mut daemon = Daemon::start(&arguments, pairs.len());
    let mut told = Vec::new();
    let mut clients = Vec::new();
    for ((pattern, said), &address) in pairs.iter().zip(&daemon.addresses.clone()) {
        let mut client = Client::of(address);
        client.0.write_all(said.as_bytes()).expect("it listens");
        clients.push(client);
        loop {
            let line = daemon.trace_line();
            let meta = line["meta"].clone();
            told.push(line.to_string());
            // What a port for all takes it for is enough here.
            let is_last = meta["secret_length"] == WORD.len()
                || meta["secret_length"] == CODED.len()
                || *pattern == "auto" && !line["protocol"].is_null();
            if is_last {
                break;
            }
        }
    }
    let (rest, log, _) = daemon.stop();
    told.extend(rest.iter().map(ToString::to_string));
    told.extend(log);
    let told = told.join("\n");
    for part in [WORD, &WORD[..8], CODED, &CODED[..8]] {
        assert!(!told.contains(part), "{part} in {told}");
    }
    assert!(told.contains("http://***@h/") && told.contains("CONNECT ***@h:443"), "{told}");
}
