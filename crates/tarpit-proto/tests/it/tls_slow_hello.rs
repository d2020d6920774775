//! Transcripts of `tls_slow_hello`.

use std::{collections::HashSet, time::Duration};

use tarpit_proto::{persona::Persona, rng::Seed};

use crate::stage::Stage;

const HELLO: &[u8] = include_bytes!("../corpus/client_hello.bin");
/// What a `ServerHello` says.
#[derive(Debug, PartialEq, Eq)]
struct ServerHello {
    random: [u8; 32],
    session: Vec<u8>,
    suite: u16,
    extensions: Vec<u16>,
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// Reads a record to its last byte.
fn read(record: &[u8]) -> ServerHello {
    assert_eq!(record[..3], [22, 3, 3]);
    let message = &record[5..];
    assert_eq!((message.len(), message[0]), (number(&record[3..5]), 2));
    assert!((14_800..16_300).contains(&message.len()), "{}", message.len());
    assert_eq!(number(&message[1..4]), message.len() - 4);
    assert_eq!(message[4..6], [3, 3]);
    let (session, rest) = message[39..].split_at(message[38].into());
    assert_eq!(rest[2], 0, "no compression");
    let mut rest = &rest[3..];
    assert_eq!(number(&rest[..2]), rest.len() - 2);
    let suite = number(&message[39 + session.len()..][..2]) as u16;
    rest = &rest[2..];
    let mut extensions = Vec::new();
    while !rest.is_empty() {
        extensions.push(number(&rest[..2]) as u16);
        rest = &rest[4 + number(&rest[2..4])..];
    }
    let random = message[6..38].try_into().expect("32 bytes");
    ServerHello { random, session: session.to_vec(), suite, extensions }
}

/// All that comes in answer to `hello` when it may come fast.
fn answer(hello: &[u8]) -> Vec<u8> {
    let mut stage = Stage::new("tls_slow_hello").rate(65_536).open();
    stage.says(hello).pass_secs(60);
    stage.bytes()
}

#[test]
fn one_record_is_dripped_and_then_there_is_silence() {
    let mut stage = Stage::new("tls_slow_hello").open();
    stage.says(HELLO).pass_secs(30 * 86_400);
    let hello = read(&stage.bytes());
    assert_eq!(hello.session, HELLO[44..76]);
    assert_eq!(hello.suite, 0xC02F);
    assert_eq!(hello.extensions.len(), 2);
    assert_eq!(hello.extensions[0], 0xFF01);
    assert_eq!(stage.closed, None);
    // The part that says something comes at once.
    assert_eq!(stage.moments()[0], 0);
    assert!((80..100).contains(&stage.sent[0].1.len()));
    assert!(stage.sent[1..].iter().all(|(_, bytes)| bytes.len() == 1));
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
    let filler: HashSet<_> = stage.bytes()[100..].chunks(64).map(<[u8]>::to_vec).collect();
    assert!(filler.len() > 220, "the filler is random");
}

#[test]
fn the_random_is_never_the_same() {
    let randoms: HashSet<_> = (0..200)
        .map(|client| {
            let mut stage = Stage::new("tls_slow_hello").numbered(client).open();
            stage.says(HELLO);
            stage.bytes()[11..43].to_vec()
        })
        .collect();
    assert_eq!(randoms.len(), 200);
}

#[test]
fn silent_clients_and_those_of_another_protocol_are_held_in_silence() {
    let mut stage = Stage::new("tls_slow_hello").open();
    stage.pass_secs(86_400);
    assert_eq!(stage.text(), "");
    let mut late = Stage::new("tls_slow_hello").open();
    late.pass_secs(86_400).says(HELLO);
    let bytes = late.bytes();
    assert!(bytes.starts_with(&[22, 3, 3]) && bytes[5] == 2);
    stage.says("GET / HTTP/1.0\r\n\r\n").pass_secs(30 * 86_400);
    assert_eq!((stage.text().as_str(), stage.closed), ("", None));
}

#[test]
fn a_client_that_sends_byte_by_byte_gets_the_same() {
    let whole = answer(HELLO);
    let mut stage = Stage::new("tls_slow_hello").rate(65_536).open();
    for byte in HELLO {
        stage.says([*byte]).pass(Duration::from_millis(10));
    }
    stage.pass_secs(60);
    assert_eq!(read(&stage.bytes()), read(&whole));
}

#[test]
fn a_hello_that_stops_in_the_middle_is_waited_for_two_seconds() {
    let mut stage = Stage::new("tls_slow_hello").open();
    stage.says(&HELLO[..20]).pass_secs(30 * 86_400);
    assert_eq!(stage.moments()[0], 2_000);
    assert_eq!(read(&stage.bytes()).session, []);
}

#[test]
fn hellos_of_every_age_are_answered() {
    let old = b"\x80\x1C\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x350123456789abcdef";
    let hello = read(&answer(old));
    assert_eq!((hello.session, hello.suite), (vec![], 0x0035));
    // Only suites of TLS 1.3: then the answer is one of 1.3.
    let mut new = HELLO[..78].to_vec();
    new.extend_from_slice(b"\x13\x02\x13\x01");
    new[76..78].copy_from_slice(&[0, 4]);
    let hello = read(&answer(&new));
    assert_eq!(hello.suite, 0x1302);
    assert_eq!(hello.extensions[..2], [43, 51]);
}

#[test]
fn under_a_rate_every_byte_is_paid_for() {
    let record = answer(HELLO).len();
    for (rate, wanted, slack) in [(64, 640, 32), (1_024, 10_240, 512), (65_536, record, 0)] {
        let mut stage = Stage::new("tls_slow_hello").rate(rate).open();
        stage.says(HELLO).pass_secs(10);
        let got = stage.bytes().len();
        assert!(got.abs_diff(wanted) <= slack, "{rate}: {got}");
    }
}

#[test]
fn each_installation_has_a_record_of_another_length_and_the_same_for_all_clients() {
    for name in ["tls_slow_hello", "tls_record_drip"] {
        let length = |installation: u8, client: u64| {
            let mut stage = Stage::new(name).numbered(client);
            stage.profile.persona = Persona::default_for(&Seed([installation; 32]));
            let mut stage = stage.open();
            stage.says(HELLO);
            number(&stage.bytes()[3..5])
        };
        let lengths: HashSet<_> = (0..24).map(|installation| length(installation, 0)).collect();
        assert!(lengths.len() > 20, "{name}: {lengths:?}");
        assert!(lengths.iter().all(|length| (14_800..=16_384).contains(length)), "{name}");
        assert_eq!(length(7, 1), length(7, 2), "{name}");
    }
}
