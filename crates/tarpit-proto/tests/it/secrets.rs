//! A password never stands in what is told, other than as a secret: in every place that a protocol
//! has for one, cut anywhere.

use proptest::prelude::*;
use tarpit_proto::persona::Persona;

use crate::{
    ssh_client::{Client, WISHES, answers, authentication, listener, password, service},
    stage::{Stage, seed},
};

/// What a client says, with the seconds that it then waits.
type Script = Vec<(Vec<u8>, u64)>;

/// A client in front of a listener.
struct Visit {
    pattern: &'static str,
    /// The port, which decides what `auto` greets with.
    port: u16,
    poison: bool,
    script: Script,
}

/// All of what a client says, in one piece.
fn at_once(pattern: &'static str, said: impl Into<Vec<u8>>) -> Visit {
    Visit { pattern, port: 40_000, poison: false, script: vec![(said.into(), 600)] }
}

/// The same, line by line, waiting for the answer to each.
fn in_turn(pattern: &'static str, said: &str) -> Visit {
    let lines = said.split_inclusive('\n').map(|line| (line.as_bytes().to_vec(), 200));
    Visit { pattern, port: 40_000, poison: false, script: lines.collect() }
}

/// Base64, with padding.
fn base64(plain: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in plain.as_bytes().chunks(3) {
        let mut number = [0; 4];
        number[1..=three.len()].copy_from_slice(three);
        let number = u32::from_be_bytes(number);
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// Everywhere that text protocols have a place for `word`.
fn visits(word: &str) -> Vec<Visit> {
    let mut all = Vec::new();
    for add in [mail, files, requests, frames, names, unknown] {
        add(word, &mut all);
    }
    all
}

/// As clients of SMTP log in, greeted or not, accepted or not.
fn mail(word: &str, all: &mut Vec<Visit>) {
    let plain = base64(&format!("\0root\0{word}"));
    let coded = base64(word);
    for hello in ["", "EHLO gerg\r\n", "EHLO x.example\r\n", "HELO x\r\n"] {
        for login in [
            format!("AUTH LOGIN\r\ncm9vdA==\r\n{coded}\r\nNOOP\r\n"),
            format!("AUTH LOGIN cm9vdA==\r\n{coded}\r\n{coded}\r\n"),
            format!("AUTH LOGIN cm9vdA== {coded}\r\n"),
            format!("AUTH LOGIN\r\ncm9vdA== {coded}\r\n"),
            format!("AUTH LOGIN\r\n{plain}\r\n"),
            format!("AUTH PLAIN {plain}\r\n"),
            format!("AUTH PLAIN\r\n{plain}\r\n"),
            format!("AUTH=PLAIN {plain}\r\n"),
            format!("AUTH={plain}\r\n"),
            format!("AUTH=PLAIN\r\n{plain}\r\n"),
            format!("LOGIN\r\nroot\r\n{word}\r\n"),
            format!("AUTH {word}\r\n"),
            format!("AUTH root {word}\r\n"),
            format!("auth CRAM-MD5\r\n{coded}\r\n"),
            format!("AUTH NTLM {coded}\r\n{coded}\r\n"),
            format!("AUTH XOAUTH2 {coded}\r\n"),
            format!("LOGIN root {word}\r\nPASS {word}\r\nUSER root {word}\r\n"),
            format!("VRFY http://root:{word}@h/\r\n"),
        ] {
            all.push(in_turn("smtp_hold", &[hello, &login].concat()));
            all.push(at_once("smtp_hold", [hello, &login].concat()));
        }
    }
}

/// As clients of FTP do.
fn files(word: &str, all: &mut Vec<Visit>) {
    let coded = base64(word);
    for said in [
        format!("USER root\r\nPASS {word}\r\n"),
        format!("PASS {word}\r\n"),
        format!("USER root\r\n{word}\r\n"),
        format!("USER root PASS {word}\r\n"),
        format!("USER root {word}\r\n"),
        format!("USER root\r\nACCT {word}\r\n"),
        format!("AUTH GSSAPI\r\nADAT {coded}\r\n"),
        format!("AUTH LOGIN\r\ncm9vdA==\r\n{coded}\r\n"),
        format!("AUTH {word}\r\nAUTH TLS {word}\r\n"),
        format!("SITE PASSWD {word}\r\nLOGIN root {word}\r\n"),
        format!("CWD ftp://root:{word}@h/\r\n"),
    ] {
        for pattern in ["ftp_hold", "ftp_endless_motd"] {
            all.push(in_turn(pattern, &said));
            all.push(at_once(pattern, said.clone()));
        }
    }
}

/// As clients of HTTP/1.1 do.
fn requests(word: &str, all: &mut Vec<Visit>) {
    let coded = base64(word);
    let basic = base64(&format!("root:{word}"));
    for request in [
        format!("GET / HTTP/1.1\r\nAuthorization: Basic {basic}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nAuthorization: Basic {coded}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nAuthorization: Bearer {word}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nAuthorization: {word}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nAuthorization: {word} x\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\nAuthorization: Digest username=\"r\", response=\"{word}\"\r\n\r\n"
        ),
        format!("CONNECT h:443 HTTP/1.1\r\nProxy-Authorization: Basic {basic}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nCookie: session={word}\r\nX-Api-Key: {word}\r\n\r\n"),
        format!("GET http://root:{word}@h/ HTTP/1.1\r\n\r\n"),
        format!("GET http://{word}@h/ HTTP/1.1\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nUser-Agent: x (+http://root:{word}@h/)\r\n\r\n"),
        format!("GET //root:{word}@h/ HTTP/1.0\r\n\r\n"),
        format!("GET /x?to=https://root:{word}@h/ HTTP/1.0\r\n\r\n"),
        format!("CONNECT root:{word}@h:443 HTTP/1.1\r\nHost: root:{word}@h\r\n\r\n"),
        format!("CONNECT {word}@h:443 HTTP/1.1\r\nHost: {word}@h\r\n\r\n"),
        format!("GET /login?user=root&password={word} HTTP/1.1\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\nuser=root&password={word}"),
        // Sent without being announced, it stands where the next request would.
        format!("GET / HTTP/1.1\r\nAuthorization: x y\r\n\r\nuser=root&password={word}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nAuthorization: x y\r\n\r\n{{\"password\": \"{word}\"}}\r\n\r\n"),
    ] {
        for pattern in ["http_hold", "http_fake_auth", "auto"] {
            all.push(at_once(pattern, request.clone()));
        }
    }
}

/// As clients of HTTP/2 do.
fn frames(word: &str, all: &mut Vec<Visit>) {
    let basic = base64(&format!("root:{word}"));
    let h2 = |name: &str, value: &str| {
        let mut field = vec![0];
        for text in [name, value] {
            field.push(u8::try_from(text.len()).expect("a short text"));
            field.extend_from_slice(text.as_bytes());
        }
        field
    };
    for (name, value) in [
        ("authorization", format!("Basic {basic}")),
        (":authority", format!("root:{word}@h")),
        ("host", format!("{word}@h")),
        (":path", format!("http://root:{word}@h/")),
        (":path", format!("/?password={word}")),
        ("cookie", word.to_owned()),
    ] {
        let block = [h2(":method", "GET"), h2(name, &value)].concat();
        let mut said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0".to_vec();
        said.push(u8::try_from(block.len()).expect("a short block"));
        said.extend_from_slice(b"\x01\x05\0\0\0\x01");
        said.extend_from_slice(&block);
        all.push(at_once("http_hold", said));
    }
}

/// As people and worms do to telnet.
fn names(word: &str, all: &mut Vec<Visit>) {
    for said in [
        format!("root\r\n{word}\r\n"),
        format!("root {word}\r\n"),
        format!("\u{fc}ser\n{word}\n"),
        format!("a1 LOGIN root {word}\r\n"),
    ] {
        for pattern in ["telnet_login", "auto"] {
            all.push(Visit { port: 23, ..at_once(pattern, said.clone()) });
            all.push(Visit { port: 23, poison: true, ..at_once(pattern, said.clone()) });
        }
    }
}

/// What has no pattern, on a port for all: in front of each of its greetings, and unasked.
fn unknown(word: &str, all: &mut Vec<Visit>) {
    let plain = base64(&format!("\0root\0{word}"));
    for said in [
        format!("AUTH {word}\r\nPING\r\n"),
        format!("AUTH root {word}\r\n"),
        format!("*2\r\n$4\r\nAUTH\r\n${}\r\n{word}\r\n", word.len()),
        format!("HELLO 3 AUTH root {word}\r\n"),
        format!("CONFIG SET requirepass {word}\r\n"),
        format!("USER root\r\nPASS {word}\r\n"),
        format!("APOP root {word}\r\n"),
        format!("a1 LOGIN root {word}\r\n"),
        format!("a1 AUTHENTICATE PLAIN {plain}\r\n"),
        format!("AUTH PLAIN {plain}\r\n"),
        format!("PASS {word}\r\nNICK x\r\n"),
        format!("DESCRIBE rtsp://root:{word}@h/ RTSP/1.0\r\n\r\n"),
        format!("REGISTER sip:root:{word}@h SIP/2.0\r\n\r\n"),
    ] {
        for port in [21, 22, 23, 25, 80, 110, 143, 443, 6_379, 40_000] {
            all.push(Visit { port, ..at_once("auto", said.clone()) });
            let mut late = at_once("auto", said.clone());
            late.script.insert(0, (Vec::new(), 20));
            all.push(Visit { port, ..late });
        }
    }
}

/// Everything that was told but secrets.
fn told(visit: &Visit, script: &[(Vec<u8>, u64)]) -> String {
    let mut stage = Stage::new(visit.pattern);
    stage.profile.poison = visit.poison;
    stage.profile.persona = Persona::named(Persona::DEFAULT, &seed()).expect("a persona");
    stage.conn.server.set_port(visit.port);
    let mut stage = stage.open();
    for (said, seconds) in script {
        if !said.is_empty() && stage.closed.is_none() {
            stage.says(said);
        }
        if stage.closed.is_none() {
            stage.pass_secs(*seconds);
        }
    }
    let news = stage.news.iter().filter(|fact| !fact.starts_with("learnt secret "));
    news.map(|fact| [fact, "\n"].concat()).collect()
}

/// Whether six letters of `word`, or of it in base64, stand in `told`.
fn leaks(told: &str, word: &str) -> bool {
    let shifted = (0..3).map(|front| base64(&["x".repeat(front), word.to_owned()].concat()));
    // The first letters depend on what stands in front, the last ones on what follows.
    let coded = shifted.map(|coded| coded[4..coded.len() - 4].to_owned());
    let forms = coded.chain([word.to_owned()]);
    forms
        .flat_map(|form| form.as_bytes().windows(6).map(<[u8]>::to_vec).collect::<Vec<_>>())
        .any(|part| told.as_bytes().windows(6).any(|window| window == part))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    #[test]
    fn a_password_is_told_as_a_secret_and_nowhere_else(word in "[A-Za-z][A-Za-z0-9]{14,20}") {
        for visit in visits(&word) {
            let name = |cut: usize| {
                let said: Vec<_> = visit.script.iter().map(|(said, _)| said.escape_ascii().to_string()).collect();
                format!("{} on {}, cut at {cut}: {said:?}", visit.pattern, visit.port)
            };
            // Cut in two, at places of the longest piece.
            let longest = (0..visit.script.len()).max_by_key(|&at| visit.script[at].0.len()).unwrap_or(0);
            let length = visit.script[longest].0.len();
            // Each word tries other places.
            for cut in (word.len() % 4..=length).step_by(4) {
                let mut script = visit.script.clone();
                let rest = script[longest].0.split_off(cut);
                let wait = script[longest].1;
                script[longest].1 = 1;
                script.insert(longest + 1, (rest, wait));
                let told = told(&visit, &script);
                prop_assert!(!leaks(&told, &word), "{}\n{told}", name(cut));
            }
        }
    }
}

#[test]
fn a_password_under_ssh_is_told_as_a_secret_and_nowhere_else() {
    let word = "kqzxvhunterwq42";
    let mut stage = listener().open();
    let mut client = Client::connect(&mut stage, WISHES);
    client.says(&mut stage, &service());
    client.says(&mut stage, &authentication("root", "password", &password(word)));
    stage.pass_secs(60);
    client.says(&mut stage, &authentication("root", "keyboard-interactive", &[0; 8]));
    stage.pass_secs(60);
    client.says(&mut stage, &answers(word));
    stage.pass_secs(60);
    let (secrets, others): (Vec<_>, Vec<_>) =
        stage.news.iter().cloned().partition(|fact| fact.starts_with("learnt secret "));
    assert!(secrets.iter().any(|fact| fact.contains(word)), "{secrets:?}");
    assert!(!leaks(&others.concat(), word), "{others:?}");
}

#[test]
fn what_looks_for_a_password_in_what_was_told_finds_one() {
    let word = "kqzxvhunterwq42";
    for told in [word.to_owned(), format!("x {word}"), base64(&format!("\0root\0{word}"))] {
        assert!(leaks(&told, word), "{told}");
    }
    assert!(!leaks("learnt user root", word));
}
