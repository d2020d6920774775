//! Transcripts of `ssh_auth_hold`.

use std::time::Duration;

use proptest::prelude::*;
use tarpit_proto::{handshake_budget::LoadLevel, keys::HostKeys, time::Time};

use crate::{
    ssh::{CLIENT, client_offer, offer_of, packet, packets, stringed},
    ssh_client::{
        Client, WISHES, Wishes, answers, authentication, host_keys, listener, opening, password,
        service,
    },
    stage::Stage,
};

const FAILURE: u8 = 51;
const SUCCESS: u8 = 52;
const INFO_REQUEST: u8 = 60;

/// A client that calls itself so, under keys and asking for the service.
fn known_as(line: &'static str) -> (Stage, Client) {
    let mut stage = listener().open();
    let mut client = Client::connect(&mut stage, Wishes { line, ..WISHES });
    client.says(&mut stage, &service());
    assert_eq!(client.hears(&stage), [[&[6], &stringed("ssh-userauth")[..]].concat()]);
    (stage, client)
}

/// How many of the messages are of that number.
fn count(heard: &[Vec<u8>], kind: u8) -> usize {
    heard.iter().filter(|payload| payload[0] == kind).count()
}

/// The numbers of the messages.
fn kinds(heard: &[Vec<u8>]) -> Vec<u8> {
    heard.iter().map(|payload| payload[0]).collect()
}

#[test]
fn every_method_host_key_cipher_and_code_leads_to_keys_that_both_sides_have() {
    let methods = [
        "curve25519-sha256@libssh.org",
        "diffie-hellman-group14-sha256",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
    ];
    let host_keys = ["ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"];
    let codes = ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512", "hmac-sha2-512-etm@openssh.com"];
    let ciphers = [
        "aes128-gcm@openssh.com",
        "aes192-ctr",
        "aes256-ctr",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    ];
    let mut all = vec![WISHES];
    all.extend(methods.map(|method| Wishes { method, ..WISHES }));
    all.extend(host_keys.map(|host_key| Wishes { host_key, ..WISHES }));
    all.extend(codes.map(|code| Wishes { code, ..WISHES }));
    all.extend(ciphers.map(|cipher| Wishes { cipher, ..WISHES }));
    for wishes in all {
        let mut stage = listener().open();
        let mut client = Client::connect(&mut stage, wishes);
        client.says(&mut stage, &service());
        client.says(&mut stage, &authentication("root", "none", b""));
        stage.pass_secs(600);
        let heard = client.hears(&stage);
        assert_eq!(kinds(&heard[..2]), [6, FAILURE], "{wishes:?}");
        assert!(heard.len() > 30 && kinds(&heard[2..]).iter().all(|&kind| kind == 2), "{wishes:?}");
        assert_eq!(client.read, stage.bytes().len(), "{wishes:?}");
    }
}

#[test]
fn all_three_holds_offer_the_same_to_a_client_that_has_something_in_common() {
    let offers = ["ssh_auth_hold", "ssh_kex_hold", "ssh_trans_hold"].map(|pattern| {
        let mut stage = Stage::new(pattern);
        stage.profile.host_keys = Some(host_keys());
        let mut stage = stage.open();
        stage.says(CLIENT).says(client_offer()).pass_secs(1);
        let packets = packets(&stage.bytes());
        crate::ssh::offer(&packets[0]).1.join(" ")
    });
    assert!(offers[0].contains("aes256-gcm@openssh.com,"), "{offers:?}");
    assert!(offers.iter().all(|offer| *offer == offers[0]), "{offers:?}");
}

#[test]
fn no_host_key_is_offered_before_it_is_made() {
    let offered = |keys| {
        let mut stage = Stage::new("ssh_auth_hold");
        stage.profile.host_keys = Some(keys);
        let mut stage = stage.open();
        stage.says(CLIENT).says(client_offer()).pass_secs(1);
        crate::ssh::offer(&packets(&stage.bytes())[0]).1[1].to_owned()
    };
    let all = "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519";
    assert_eq!(offered(host_keys()), all);
    let quickly_made = HostKeys::new([3; 32], [5; 32]).expect("secrets");
    assert_eq!(offered(quickly_made), "ecdsa-sha2-nistp256,ssh-ed25519");
}

#[test]
fn a_client_is_told_the_group_that_it_asks_for() {
    let ask = |least: u32, wanted: u32, most: u32| {
        let method = "diffie-hellman-group-exchange-sha256";
        let mut stage = listener().open();
        let opening = opening(Wishes { method, ..WISHES });
        let sizes = [least, wanted, most].map(u32::to_be_bytes).concat();
        stage.says(CLIENT).says(packet(&opening.offer));
        stage.says(packet(&[&[34][..], &sizes].concat())).pass_secs(10);
        let sent = packets(&stage.bytes());
        let group = sent.iter().find(|packet| packet[0] == 31)?;
        let (prime, rest) = crate::ssh::string(&group[1..]);
        assert_eq!(rest, [0, 0, 0, 1, 2], "2 generates it");
        Some(prime.len() * 8 - 8)
    };
    assert_eq!(ask(1_024, 2_048, 8_192), Some(2_048));
    assert_eq!(ask(2_048, 8_192, 8_192), Some(4_096));
    assert_eq!(ask(512, 1_024, 1_024), None);
}

#[test]
fn a_client_that_compresses_is_never_let_in() {
    let mut stage = listener();
    stage.profile.poison = true;
    let mut stage = stage.open();
    let wishes = Wishes { line: "SSH-2.0-libssh_0.10.6", ..WISHES };
    let mut opening = opening(wishes);
    let Wishes { method, host_key, cipher, code, .. } = wishes;
    let squeezed = "zlib@openssh.com";
    let lists = [method, host_key, cipher, cipher, code, code, squeezed, squeezed, "", ""];
    opening.offer = offer_of(lists);
    stage.says("SSH-2.0-libssh_0.10.6\r\n");
    stage.says(packet(&opening.offer)).says(packet(&opening.request)).pass_secs(10);
    let mut client = Client::complete(&mut stage, wishes, &opening);
    client.says(&mut stage, &password("secret"));
    stage.pass_secs(60);
    let heard = kinds(&client.hears(&stage));
    assert!(heard.contains(&FAILURE) && !heard.contains(&SUCCESS), "{heard:?}");
}

#[test]
fn an_unknown_client_hears_whole_refusals_after_25_seconds_and_its_passwords_are_told() {
    let (mut stage, mut client) = known_as("SSH-2.0-x");
    client.says(&mut stage, &authentication("root", "none", b""));
    let methods = [&[FAILURE], &stringed("publickey,password,keyboard-interactive")[..], &[0]];
    assert_eq!(client.hears(&stage), [methods.concat()]);
    for word in ["123456", "admin"] {
        client.says(&mut stage, &password(word));
        stage.pass_secs(22);
        assert!(kinds(&client.hears(&stage)).iter().all(|&kind| kind == 2));
        stage.pass_secs(6);
        assert_eq!(count(&client.hears(&stage), FAILURE), 1);
    }
    assert_eq!(
        stage.learnt[2..],
        [
            "user root, method none",
            "user root, secret 123456, method password",
            "user root, secret admin, method password",
        ]
    );
}

#[test]
fn the_reply_of_a_key_exchange_is_4_to_5_seconds_late() {
    for line in
        ["SSH-2.0-x", "SSH-2.0-OpenSSH_9.2p1 Debian-2", "SSH-2.0-Go", "SSH-2.0-libssh_0.10.6"]
    {
        let mut stage = listener().open();
        let opening = opening(Wishes { line, ..WISHES });
        stage.says(format!("{line}\r\n")).says(packet(&opening.offer));
        stage.says(packet(&opening.request));
        let replies =
            |stage: &Stage| packets(&stage.bytes()).iter().filter(|packet| packet[0] == 31).count();
        stage.pass(Duration::from_secs(4));
        assert_eq!(replies(&stage), 0, "{line}");
        stage.pass(Duration::from_secs(1));
        assert_eq!(replies(&stage), 1, "{line}");
    }
}

#[test]
fn over_a_group_that_the_client_asks_for_only_the_group_is_late() {
    let mut stage = listener().open();
    let opening = opening(Wishes { method: "diffie-hellman-group-exchange-sha256", ..WISHES });
    let sizes = [2_048_u32, 2_048, 8_192].map(u32::to_be_bytes).concat();
    stage.says(CLIENT).says(packet(&opening.offer)).says(packet(&[&[34][..], &sizes].concat()));
    let kinds = |stage: &Stage| kinds(&packets(&stage.bytes()));
    stage.pass(Duration::from_secs(4));
    assert_eq!(kinds(&stage), [20]);
    stage.pass(Duration::from_secs(1));
    assert_eq!(kinds(&stage), [20, 31]);
    stage.says(packet(&[32, 0, 0, 0, 1, 4]));
    assert_eq!(kinds(&stage), [20, 31, 33, 21]);
}

#[test]
fn hydra_is_asked_again_and_again_and_never_let_in() {
    let (mut stage, mut client) = known_as("SSH-2.0-libssh_0.10.6");
    client.says(&mut stage, &authentication("root", "none", b""));
    let heard = client.hears(&stage);
    assert_eq!(heard[0][1..5 + 30], stringed("publickey,keyboard-interactive"));
    client.says(&mut stage, &authentication("root", "keyboard-interactive", &[0; 8]));
    for round in 0..1_000 {
        let asked = client.hears(&stage);
        assert_eq!(
            asked.iter().filter(|heard| heard[0] == INFO_REQUEST).count(),
            1,
            "{round}: {asked:?}"
        );
        if round == 1 {
            stage.hand_over();
        }
        client.says(&mut stage, &answers("secret"));
        stage.pass_secs(14);
    }
    let guess = "user root, secret secret, method keyboard-interactive";
    assert!(stage.learnt.iter().filter(|learnt| *learnt == guess).count() == 1_000);
}

#[test]
fn openssh_waits_for_its_first_refusal_and_for_ever_for_its_second() {
    let (mut stage, mut client) = known_as("SSH-2.0-OpenSSH_9.2p1 Debian-2");
    client.says(&mut stage, &authentication("root", "none", b""));
    stage.pass_secs(130);
    assert!(kinds(&client.hears(&stage)).iter().all(|&kind| kind == 2));
    stage.pass_secs(40);
    assert_eq!(count(&client.hears(&stage), FAILURE), 1);
    client.says(&mut stage, &password("secret"));
    stage.pass_secs(30 * 86_400);
    let heard = client.hears(&stage);
    assert!(heard.len() > 19_000 && heard.iter().all(|heard| heard[0] == 2));
    assert!(stage.session.sent() < 2_000_000);
}

#[test]
fn keys_are_refused_at_once_and_told_by_their_fingerprint() {
    let (mut stage, mut client) = known_as("SSH-2.0-x");
    let key = [&[0], &stringed("ssh-ed25519")[..], &stringed("blob")].concat();
    client.says(&mut stage, &authentication("git", "publickey", &key));
    assert_eq!(kinds(&client.hears(&stage)), [FAILURE]);
    // printf blob | sha256sum | xxd -r -p | base64
    let key = "ssh_key SHA256:+iyMxPKBdrvu1Lc231aaNMec03I+nsQvlnS01GrGuLg";
    assert_eq!(stage.learnt[2..], [format!("user git, {key}, method publickey")]);
}

#[test]
fn only_poison_lets_anybody_in_and_then_nothing_is_run() {
    for poison in [false, true] {
        let mut stage = listener();
        stage.profile.poison = poison;
        let mut stage = stage.open();
        let line = "SSH-2.0-libssh_0.10.6";
        let mut client = Client::connect(&mut stage, Wishes { line, ..WISHES });
        client.says(&mut stage, &password("secret"));
        stage.pass_secs(60);
        let let_in = kinds(&client.hears(&stage)).contains(&SUCCESS);
        assert_eq!(let_in, poison);
        let channel = [&[90], &stringed("session")[..], &[0, 0, 0, 9], &[0; 8]].concat();
        client.says(&mut stage, &channel);
        stage.pass_secs(60);
        let exec = [&[98, 0, 0, 0, 0], &stringed("exec")[..], &[1], &stringed("uname -a")].concat();
        client.says(&mut stage, &exec);
        stage.pass_secs(600);
        let heard = kinds(&client.hears(&stage));
        assert_eq!(heard.contains(&91) && heard.contains(&99), poison);
        assert_eq!(stage.news.iter().any(|news| news == "learnt command uname -a"), poison);
        assert!(heard.iter().all(|kind| [2, 91, 99].contains(kind)), "{heard:?}");
    }
}

#[test]
fn nobody_gets_a_channel_who_was_not_let_in() {
    for poison in [false, true] {
        let mut stage = listener();
        stage.profile.poison = poison;
        let mut stage = stage.open();
        let mut client =
            Client::connect(&mut stage, Wishes { line: "SSH-2.0-libssh_0.10.6", ..WISHES });
        client.says(&mut stage, &service());
        client.hears(&stage);
        // A success that it tells itself, as servers once believed, and no login at all.
        for message in [&[SUCCESS][..], &[]] {
            if !message.is_empty() {
                client.says(&mut stage, message);
            }
            let channel = [&[90], &stringed("session")[..], &[0, 0, 0, 9], &[0; 8]].concat();
            client.says(&mut stage, &channel);
            let exec = [&[98, 0, 0, 0, 0], &stringed("exec")[..], &[1], &stringed("id")].concat();
            client.says(&mut stage, &exec);
            stage.pass_secs(600);
            let heard = kinds(&client.hears(&stage));
            assert!(heard.iter().all(|&kind| kind == 2), "{poison}: {heard:?}");
        }
        assert!(!stage.news.contains(&"learnt command id".to_owned()));
    }
}

#[test]
fn a_client_beyond_the_handshake_budget_is_held_without_keys() {
    let mut stage = listener().open();
    stage.budget.press(LoadLevel::Plain);
    let opening = opening(WISHES);
    stage.says("SSH-2.0-x\r\n").says(packet(&opening.offer)).says(packet(&opening.request));
    stage.pass_secs(3_600);
    let packets = packets(&stage.bytes());
    assert!(packets.len() > 100 && packets[1..].iter().all(|packet| packet[0] == 2));
    assert!(stage.save().len() < 100, "nothing is kept of it");
}

#[test]
fn without_anything_to_agree_on_a_client_is_held_all_the_same() {
    for wishes in [
        Wishes { method: "sntrup761x25519-sha512", ..WISHES },
        Wishes { cipher: "3des-cbc", ..WISHES },
        Wishes { code: "hmac-md5", ..WISHES },
        Wishes { host_key: "ssh-dss", ..WISHES },
    ] {
        let mut stage = listener().open();
        stage.says("SSH-2.0-x\r\n").says(packet(&opening(wishes).offer)).pass_secs(3_600);
        let packets = packets(&stage.bytes());
        assert!(packets.len() > 100 && packets[1..].iter().all(|packet| packet[0] == 2));
    }
}

#[test]
fn a_packet_made_on_a_wrong_guess_is_passed_over_and_counted() {
    let mut stage = listener().open();
    let mut opening = opening(WISHES);
    // The first packet was made for another method than the server's first.
    let lists = ["ecdh-sha2-nistp256,curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr"];
    let [a, b, c, d] = lists;
    let code = "hmac-sha2-256";
    opening.offer = offer_of([a, b, c, d, code, code, "none", "none", "", ""]);
    let guesses = opening.offer.len() - 5;
    opening.offer[guesses] = 1;
    stage.says("SSH-2.0-x\r\n").says(packet(&opening.offer));
    stage.says(packet(&[&[30], &stringed([4; 65])[..]].concat()));
    // It wants what stands first in its list all the same.
    let wishes = Wishes { method: "ecdh-sha2-nistp256", ..WISHES };
    stage.says(packet(&crate::ssh_client::opening(wishes).request)).pass_secs(5);
    assert_eq!(packets(&stage.bytes()).iter().filter(|packet| packet[0] == 31).count(), 1);
}

#[test]
fn a_packet_of_35000_bytes_is_dropped_and_the_next_is_understood() {
    for cipher in ["aes128-ctr", "chacha20-poly1305@openssh.com"] {
        let mut stage = listener().open();
        let mut client = Client::connect(&mut stage, Wishes { cipher, ..WISHES });
        let long = client.seal(&vec![2; 34_900]);
        for part in long.chunks(1_000) {
            stage.says(part);
            assert!(stage.save().len() < 5_000);
        }
        client.says(&mut stage, &service());
        assert_eq!(kinds(&client.hears(&stage)), [6], "{cipher}");
    }
}

#[test]
fn keepalives_are_answered_and_a_second_exchange_or_a_farewell_ends_in_silence() {
    let (mut stage, mut client) = known_as("SSH-2.0-x");
    client.says(&mut stage, &[&[80], &stringed("keepalive@openssh.com")[..], &[1]].concat());
    assert_eq!(kinds(&client.hears(&stage)), [82]);
    client.says(&mut stage, &opening(WISHES).offer);
    client.says(&mut stage, &password("secret"));
    stage.pass_secs(3_600);
    assert!(kinds(&client.hears(&stage)).iter().all(|&kind| kind == 2));
}

#[test]
fn a_client_under_keys_takes_little_and_survives_a_hand_over() {
    let (mut stage, mut client) = known_as("SSH-2.0-x");
    client.says(&mut stage, &password("secret"));
    assert!(stage.save().len() < 400);
    stage.pass_secs(3).hand_over().pass_secs(30).hand_over().pass_secs(600);
    let heard = client.hears(&stage);
    assert_eq!(count(&heard, FAILURE), 1);
    assert!(heard.len() > 30);
}

#[test]
fn a_refusal_comes_as_late_as_planned_whatever_the_next_daemons_clock_shows() {
    let seconds_until_refusal = |clock: Option<Time>| {
        let (mut stage, mut client) = known_as("SSH-2.0-x");
        client.says(&mut stage, &password("secret"));
        stage.pass_secs(3);
        if let Some(clock) = clock {
            stage.hand_over_at(clock);
        }
        (0..600).find(|_| count(&client.hears(stage.pass_secs(1)), FAILURE) > 0)
    };
    let planned = seconds_until_refusal(None);
    assert!(planned.is_some_and(|seconds| seconds > 10), "{planned:?}");
    for clock in [Time::START, Time::from_millis(30 * 86_400_000)] {
        assert_eq!(seconds_until_refusal(Some(clock)), planned, "{clock:?}");
    }
}

#[test]
fn a_hand_over_amid_an_exchange_goes_unnoticed() {
    for method in ["curve25519-sha256", "diffie-hellman-group14-sha256"] {
        let wishes = Wishes { method, ..WISHES };
        let opening = opening(wishes);
        let mut stage = listener().open();
        stage.says("SSH-2.0-x\r\n").hand_over().says(packet(&opening.offer)).hand_over();
        stage.says(packet(&opening.request)).hand_over();
        let mut client = Client::complete(&mut stage, wishes, &opening);
        client.says(&mut stage, &service());
        assert_eq!(kinds(&client.hears(&stage)), [6]);
    }
}

/// All that a client says up to its second password; the keys are the same in every run.
fn whole_course() -> Vec<u8> {
    let mut stage = listener().open();
    let opening = opening(WISHES);
    let mut client = Client::connect(&mut stage, WISHES);
    let mut said = b"SSH-2.0-x\r\n".to_vec();
    said.extend(packet(&opening.offer));
    said.extend(packet(&opening.request));
    said.extend(packet(&[21]));
    for payload in [service(), authentication("root", "none", b""), password("a"), password("b")] {
        said.extend(client.seal(&payload));
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn cutting_what_the_client_says_anywhere_changes_nothing(
        cuts in prop::collection::vec(1_usize..120, 0..40),
        portions in prop::collection::vec(0_usize..50, 0..12),
    ) {
        let said = whole_course();
        let course = |cuts: &[usize], portions: Vec<usize>| {
            let mut stage = listener();
            let mut turn = 0;
            stage.room = Box::new(move |wanted| {
                turn += 1;
                portions.get(turn % (portions.len() + 1)).copied().unwrap_or(wanted)
            });
            let mut stage = stage.open();
            let mut rest = &said[..];
            for &cut in cuts {
                let (part, left) = rest.split_at(cut.min(rest.len()));
                rest = left;
                if !part.is_empty() {
                    stage.says(part);
                }
            }
            stage.says(rest).pass_secs(100);
            (stage.bytes(), stage.news)
        };
        let (whole, news) = course(&[], Vec::new());
        prop_assert_eq!(&course(&cuts, Vec::new()), &(whole.clone(), news.clone()));
        let (parts, _) = course(&[], portions);
        let plain = whole.len().min(parts.len()).min(1_300);
        prop_assert_eq!(&whole[..plain], &parts[..plain]);
    }

    #[test]
    fn any_bytes_behind_the_keys_are_borne(
        garbage in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..2_000), 1..4),
        genuine: bool,
    ) {
        let mut stage = listener().open();
        let mut client = Client::connect(&mut stage, WISHES);
        for bytes in garbage {
            if genuine {
                client.says(&mut stage, &bytes);
            } else if stage.listens() {
                stage.says(bytes);
            }
            stage.pass_secs(40);
        }
        stage.pass_secs(100);
        prop_assert!(stage.closed.is_none());
        let heard = client.hears(&stage);
        prop_assert!(heard.iter().all(|heard| heard[0] != SUCCESS));
        prop_assert_eq!(client.read, stage.bytes().len());
    }
}
