//! What must hold for every pattern in the registry, also for those that are not written yet.

use std::time::Duration;

use proptest::prelude::*;
use tarpit_proto::{patterns, persona::Persona, protocols, script::Pattern};

use crate::{
    account,
    http::{answer, field},
    stage::{Stage, seed},
};

/// What a client of the pattern's protocol says first.
pub(crate) fn opening(pattern: &dyn Pattern) -> &'static [u8] {
    match pattern.protocol() {
        Some(protocol) => protocol.openings[0],
        None if pattern.name() == "auto" => protocols::SSH.openings[0],
        None => b"",
    }
}

/// Whether the client has got, to the last byte, all that it was promised at the start: nothing
/// can follow then.
fn is_kept(bytes: &[u8]) -> bool {
    let has_head = bytes.windows(4).any(|window| window == b"\r\n\r\n");
    let is_page = bytes.starts_with(b"HTTP/") && has_head && {
        let (head, body) = answer(bytes);
        field(&head, "Content-Length") == Some(&body.len().to_string()[..])
    };
    // One record, perhaps but for its last byte; its length stands in its fourth and fifth.
    let is_record = bytes.starts_with(b"\x16\x03") && {
        let whole = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        (whole - 1..=whole).contains(&bytes.len())
    };
    // The last line of a reply (RFC 5321, section 4.2.1), behind which the client has the word.
    let line = bytes.split_inclusive(|&byte| byte == b'\n').next_back().unwrap_or(b"");
    let is_reply = line.get(3) == Some(&b' ') && line.ends_with(b"\r\n");
    is_page || is_record || is_reply
}

/// A client of the pattern's own protocol, connected, that has said its first words.
fn client(pattern: &dyn Pattern, rate: Option<i64>) -> Stage {
    let mut stage = Stage::new(pattern.name());
    if let Some(rate) = rate {
        stage = stage.rate(rate);
    }
    stage = stage.open();
    stage.says(opening(pattern));
    stage
}

#[test]
fn what_a_client_teaches_is_what_its_protocol_says_that_it_does() {
    for pattern in &patterns::ALL {
        let Some(protocol) = pattern.protocol() else { continue };
        let told: Vec<_> = protocol.facts.iter().map(|fact| fact.name()).collect();
        let openings = protocol.openings.iter().map(|opening| opening.to_vec());
        let floods = account::floods(*pattern);
        let floods = floods.iter().map(|flood| (0..6).flat_map(flood).collect());
        for said in openings.chain(floods) {
            for poison in [false, true] {
                let mut stage = Stage::new(pattern.name());
                stage.profile.poison = poison;
                let mut stage = stage.open();
                stage.says(&said).pass_secs(100);
                for news in stage.news.iter().filter_map(|news| news.strip_prefix("learnt ")) {
                    let fact = news.split(' ').next().unwrap_or_default();
                    assert!(told.contains(&fact), "{}: {fact}", pattern.name());
                }
            }
        }
    }
}

#[test]
fn where_a_client_stands_has_a_name_and_asking_for_it_changes_nothing() {
    for pattern in &patterns::ALL {
        let (mut asked, mut other) = (client(*pattern, None), client(*pattern, None));
        for _ in 0..20 {
            let profile = asked.profile.clone();
            let (holder, state) = asked.session.stage(&profile);
            assert!(!state.is_empty(), "{}", holder.name());
            for one in [&mut asked, &mut other] {
                one.pass_secs(5);
            }
            assert_eq!(asked.heard(), other.heard(), "{}", pattern.name());
        }
    }
    let mut stranger = Stage::new("ssh_auth_hold").open();
    stranger.says("GET / HTTP/1.0\r\n\r\n").pass_secs(1);
    let profile = stranger.profile.clone();
    let (holder, state) = stranger.session.stage(&profile);
    assert_eq!((holder.name(), state), ("ssh_auth_hold", "Stranger"));
}

#[test]
fn a_hand_over_behind_every_input_goes_unnoticed() {
    for pattern in &patterns::ALL {
        let own = pattern.protocol().map_or(Vec::new(), |protocol| protocol.openings.to_vec());
        let all = protocols::held().map(|protocol| protocol.openings[0]);
        let said: Vec<_> = if own.is_empty() { all.collect() } else { own };
        for (said, poison) in said.iter().flat_map(|said| [(said, false), (said, true)]) {
            let play = |hand_over: bool| {
                let mut stage = Stage::new(pattern.name());
                stage.profile.poison = poison;
                let mut stage = stage.open();
                let portions = said.chunks(7).chain([&b"NOOP\r\nx"[..]; 12]);
                for (number, portion) in portions.enumerate() {
                    if stage.listens() {
                        stage.says(portion);
                    }
                    stage.pass(Duration::from_millis(if number < 20 { 10 } else { 4_000 }));
                    if hand_over {
                        stage.hand_over();
                    }
                }
                stage.pass_secs(60);
                (stage.bytes(), stage.learnt)
            };
            let ((plain, learnt), (handed, learnt_then)) = (play(false), play(true));
            // Turns fall on other moments, so the end may differ.
            let common = plain.len().min(handed.len());
            let name = pattern.name();
            assert_eq!(plain[..common], handed[..common], "{name}: {}", said.escape_ascii());
            assert_eq!(learnt, learnt_then, "{name}: {}", said.escape_ascii());
        }
    }
}

#[test]
fn thirty_days_pass_without_a_goodbye_and_at_little_cost() {
    for pattern in &patterns::ALL {
        let mut stage = client(*pattern, None);
        stage.pass_secs(30 * 86_400);
        assert_eq!(stage.closed, None, "{}", pattern.name());
        // Ten bytes a second are the bound; a line every 8 seconds stays below it.
        let sent = stage.session.sent();
        assert!(sent < 30 * 86_400 * 10, "{}: {sent}", pattern.name());
        assert_eq!(stage.session.held(stage.now).as_secs(), 30 * 86_400, "{}", pattern.name());
        // Nobody falls silent who has more to say. Packets to OpenSSH come every 108 to 132 seconds.
        let most = if opening(*pattern).starts_with(b"SSH-") { 132 } else { 59 };
        let (last, _) = stage.sent.last().expect("something was sent");
        let silence = stage.now.since(*last).as_secs();
        let kept = is_kept(&stage.bytes());
        assert!(kept || silence <= most, "{}: silent for {silence} s", pattern.name());
    }
}

#[test]
fn poison_changes_nothing_where_it_is_said_to_be_of_no_use() {
    for pattern in patterns::ALL.iter().filter(|pattern| !pattern.uses().poison) {
        let told = |poison| {
            let mut stage = Stage::new(pattern.name());
            stage.profile.poison = poison;
            let mut stage = stage.open();
            stage.says(opening(*pattern));
            // A second guess, where the first was answered.
            stage.pass_secs(60).says(opening(*pattern)).pass_secs(600);
            stage.bytes()
        };
        assert_eq!(told(false), told(true), "{}", pattern.name());
    }
}

#[test]
fn nothing_is_ever_faster_than_the_rate_that_the_user_set() {
    for pattern in &patterns::ALL {
        for rate in [-60_i64, -2, -1, 1, 64, 1_024, 65_536] {
            let mut stage = client(*pattern, Some(rate));
            let greeted = stage.session.sent();
            stage.pass_secs(20);
            let paid = if rate > 0 { 21 * rate } else { 20 / -rate };
            let got = i64::try_from(stage.session.sent() - greeted).expect("small");
            assert!(got <= paid + 1, "{} at {rate}: {got}", pattern.name());
        }
    }
}

#[test]
fn under_a_rate_long_chunks_and_short_ones_arrive_in_full() {
    for pattern in &patterns::ALL {
        let at = |rate, seconds| {
            let mut stage = client(*pattern, Some(rate));
            stage.pass_secs(seconds);
            stage.bytes()
        };
        // The same client gets the same words at any rate, only later.
        let (slow, fast) = (at(16, 600), at(1_024, 600));
        let common = slow.len().min(fast.len());
        assert!(common > 0, "{}", pattern.name());
        assert_eq!(slow[..common], fast[..common], "{}", pattern.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cutting_the_clients_bytes_anywhere_changes_nothing(
        index in 0..patterns::ALL.len(),
        cuts in prop::collection::vec(1_usize..40, 0..40),
        validate: bool,
    ) {
        let pattern = patterns::ALL[index];
        let stage = |cuts: &[usize]| {
            let mut stage = Stage::new(pattern.name());
            stage.profile.validate = validate;
            let mut stage = stage.open();
            let mut rest = opening(pattern);
            for &cut in cuts {
                let (part, left) = rest.split_at(cut.min(rest.len()));
                rest = left;
                if !part.is_empty() {
                    stage.says(part);
                }
            }
            stage.says(rest).pass_secs(120);
            (stage.text(), stage.session.heard(), stage.news)
        };
        prop_assert_eq!(stage(&[]), stage(&cuts));
    }

    #[test]
    fn a_client_that_speaks_slowly_is_understood_like_any_other(
        index in 0..patterns::ALL.len(),
        cuts in prop::collection::vec(1_usize..200, 0..12),
        millis in 1_u64..3_000,
    ) {
        let pattern = patterns::ALL[index];
        // On a port for all, what is begun is decided on after two seconds.
        let millis = if pattern.name() == "auto" { millis.min(1_900) } else { millis };
        let mut stage = Stage::new(pattern.name()).open();
        let mut rest = opening(pattern);
        for cut in cuts {
            let (part, left) = rest.split_at(cut.min(rest.len()));
            rest = left;
            if !part.is_empty() {
                stage.says(part).pass(Duration::from_millis(millis));
            }
        }
        stage.says(rest).pass_secs(120);
        let mut quick = client(pattern, None);
        quick.pass_secs(120);
        prop_assert_eq!(&stage.news, &quick.news);
        // The same answer, but for what depends on the moment and chance.
        let (stage, quick) = (stage.bytes(), quick.bytes());
        prop_assert_eq!(stage.get(..9), quick.get(..9));
    }

    #[test]
    fn a_connection_that_takes_bytes_in_portions_gets_the_same_bytes(
        index in 0..patterns::ALL.len(),
        portions in prop::collection::vec(0_usize..50, 1..40),
        rate in prop::option::of(prop_oneof![Just(-1_i64), Just(20), Just(500), Just(0)]),
    ) {
        let pattern = patterns::ALL[index];
        let sent = |portions: Vec<usize>| {
            let mut stage = client(pattern, rate);
            let mut turn = 0;
            stage.room = Box::new(move |wanted| {
                turn += 1;
                portions.get(turn % (portions.len() + 1)).copied().unwrap_or(wanted)
            });
            // Without a limit much goes out in a moment.
            stage.pass(Duration::from_millis(if rate == Some(0) { 5 } else { 200_000 }));
            stage.bytes()
        };
        let (whole, parts) = (sent(Vec::new()), sent(portions));
        let common = whole.len().min(parts.len());
        prop_assert_eq!(&whole[..common], &parts[..common]);
    }

    #[test]
    fn a_hand_over_at_any_moment_goes_unnoticed(
        index in 0..patterns::ALL.len(),
        before in 0_u64..100_000,
        rate in prop::option::of(prop_oneof![Just(-1_i64), Just(20)]),
    ) {
        let pattern = patterns::ALL[index];
        let sent = |hand_over: bool| {
            let mut stage = client(pattern, rate);
            stage.pass(Duration::from_millis(before));
            if hand_over {
                stage.hand_over();
            }
            stage.pass_secs(100);
            prop_assert_eq!(stage.bytes().len() as u64, stage.session.sent());
            Ok((stage.bytes(), stage.session.heard()))
        };
        let ((plain, heard), (handed, heard_then)) = (sent(false)?, sent(true)?);
        // Turns fall on other moments, so the end may differ by one turn's bytes.
        let common = plain.len().min(handed.len());
        prop_assert_eq!(&plain[..common], &handed[..common]);
        prop_assert!(plain.len().abs_diff(handed.len()) <= 8);
        prop_assert_eq!(heard, heard_then);
    }

    #[test]
    fn any_bytes_are_borne(
        index in 0..patterns::ALL.len(),
        said in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3_000), 0..6),
        start_right: bool,
        validate: bool,
    ) {
        let pattern = patterns::ALL[index];
        let mut stage = Stage::new(pattern.name());
        stage.profile.validate = validate;
        let mut stage = stage.open();
        if start_right {
            stage.says(opening(pattern));
        }
        for bytes in said {
            if stage.closed.is_none() && stage.listens() {
                stage.says(bytes);
                stage.pass_secs(30);
            }
        }
        if stage.closed.is_none() {
            stage.half_closes().pass_secs(100);
        }
        prop_assert!(stage.save().len() < 20_000);
    }
}

#[test]
fn a_stranger_hears_another_refusal_on_each_port_of_a_machine() {
    for persona in Persona::names() {
        let mut heard: Vec<(&str, String)> = Vec::new();
        for pattern in ["ftp_hold", "redis_hold", "smtp_hold", "telnet_login"] {
            let mut stage = Stage::new(pattern);
            stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
            let mut stage = stage.open();
            stage.heard();
            stage.says(b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03\r\n\r\n").pass_secs(600);
            let text = stage.heard();
            // One text on several ports is what published lists of tarpits and honeypots look for.
            let same = heard.iter().find(|(_, other)| *other == text);
            assert!(same.is_none(), "{persona}: {pattern} as {same:?}: {text}");
            heard.push((pattern, text));
        }
    }
}
