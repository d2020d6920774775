//! What of hostile clients' facts stands in a trace, for every pattern of the registry.

use tarpit_proto::{
    account::Account,
    pacer::Rate,
    patterns, protocols,
    script::{Pattern, Sighting},
};

use crate::{
    http2,
    ssh::{CLIENT, packet},
    ssh_client::{Client, WISHES, listener, password, service},
    stage::Stage,
};

/// Who floods says so much at a time, so often, for an hour.
const ITEMS: u32 = 10;
const PAUSE: u64 = 5;
const HOUR: u64 = 3_600;

/// The most events of a connection in that time.
const BOUND: usize = (Account::BURST as u64 + HOUR / Account::INTERVAL as u64) as usize;

/// The `number`th thing that a client says who means to fill the trace, of each kind that the
/// protocol has.
pub(crate) fn floods(pattern: &dyn Pattern) -> Vec<fn(u32) -> Vec<u8>> {
    fn request(number: u32) -> Vec<u8> {
        format!("GET /{number} HTTP/1.1\r\nHost: h{number}\r\nUser-Agent: a{number}\r\n\r\n").into()
    }
    fn frames(number: u32) -> Vec<u8> {
        let start = if number == 0 { http2::opening() } else { Vec::new() };
        let guess = format!("Bearer {number}");
        let request = http2::request(2 * number + 1, &[("authorization", &guess)]);
        [start, request].concat()
    }
    fn mail(number: u32) -> Vec<u8> {
        let lines = [
            format!("EHLO a{number}\r\n"),
            format!("MAIL FROM:<{number}@a.example>\r\n"),
            format!("RCPT TO:<{number}@b.example>\r\n"),
            format!("AUTH LOGIN {number:08}\r\n{number:08}\r\n"),
            format!("VRFY {number}\r\n"),
        ];
        lines[number as usize % lines.len()].clone().into()
    }
    fn files(number: u32) -> Vec<u8> {
        format!("USER u{number}\r\nPASS p{number}\r\nSITE {number}\r\n").into()
    }
    fn offers(number: u32) -> Vec<u8> {
        if number == 0 { CLIENT.into() } else { packet(&[20, 0, 1]) }
    }
    fn environment(number: u32) -> Vec<u8> {
        let user = format!("u{number}");
        [&b"\xFF\xFB\x27\xFF\xFA\x27\0\0USER\x01"[..], user.as_bytes(), b"\xFF\xF0"].concat()
    }
    fn line(number: u32) -> Vec<u8> {
        format!("l{number}\r\n").into()
    }
    fn hello(_number: u32) -> Vec<u8> {
        include_bytes!("../corpus/client_hello.bin").to_vec()
    }
    let all: [fn(u32) -> Vec<u8>; 8] =
        [request, frames, mail, files, offers, environment, line, hello];
    let is_let_through = |flood: &fn(u32) -> Vec<u8>| {
        let verdict = pattern.protocol().map(|protocol| protocols::sight(protocol, &flood(0)));
        verdict.is_none_or(|verdict| verdict == Sighting::Matches)
    };
    all.into_iter().filter(is_let_through).collect()
}

/// Checks what stands in the trace of a client that has flooded for an hour; how many events were
/// not told.
fn check(name: &str, stage: &Stage) -> usize {
    let (events, bytes) = stage.notebook().traced;
    assert!(events <= BOUND, "{name}: {events} events");
    assert!(bytes <= events * 5 * 256, "{name}: {bytes} bytes in {events} events");
    let left = stage.learnt.len() - events;
    let counted = stage.notebook().account.untold() + stage.notebook().account.repeats();
    if left > BOUND {
        assert!(counted > 0, "{name} loses {left} events uncounted");
    }
    left
}

#[test]
fn no_flood_of_any_pattern_tells_more_than_the_bound() {
    let mut bounded = Vec::new();
    for pattern in &patterns::ALL {
        for flood in floods(*pattern) {
            // By its own pace a pattern hears less than at a rate that keeps nobody waiting.
            for (rate, poison) in [(None, false), (None, true), (Some(2_000), false)] {
                let mut stage = Stage::new(pattern.name());
                stage.profile.rate = rate.and_then(Rate::from_number);
                stage.profile.poison = poison;
                stage = stage.open();
                let mut number = 0;
                for _ in 0..HOUR / PAUSE {
                    for _ in 0..ITEMS {
                        if stage.listens() && stage.closed.is_none() {
                            stage.says(flood(number));
                            number += 1;
                        }
                    }
                    stage.pass_secs(PAUSE);
                }
                if check(pattern.name(), &stage) > BOUND {
                    bounded.push(pattern.name());
                }
            }
        }
    }
    // Where there is no flood the bound is not tried.
    for name in ["auto", "ftp_hold", "http_hold", "smtp_hold"] {
        assert!(bounded.contains(&name), "{name} is not flooded: {bounded:?}");
    }
}

#[test]
fn no_flood_of_guesses_under_the_keys_of_ssh_tells_more_than_the_bound() {
    let mut stage = listener().open();
    let mut client = Client::connect(&mut stage, WISHES);
    client.says(&mut stage, &service());
    for number in 0..HOUR / PAUSE * u64::from(ITEMS) {
        client.says(&mut stage, &password(&format!("p{number}")));
        if number % u64::from(ITEMS) == 0 {
            stage.pass_secs(PAUSE);
        }
    }
    assert!(check("ssh_auth_hold", &stage) > BOUND);
    // Each is a user, a secret and a method.
    let told =
        u32::try_from(stage.learnt.len()).expect("few") - stage.notebook().account.untold() / 3;
    assert_eq!(told as usize, stage.notebook().traced.0);
}
