//! Transcripts of `ssh_trans_hold`.

use std::{collections::HashSet, time::Duration};

use crate::{
    ssh::{CLIENT, IDENTIFICATION, KEY_EXCHANGES, client_offer, offer, packets, string},
    stage::Stage,
};

/// The times between the packets to a client that calls itself so.
fn gaps(identification: &str) -> Vec<u64> {
    let mut stage = Stage::new("ssh_trans_hold").open();
    stage.says(identification).says(client_offer()).pass_secs(86_400);
    stage.gaps().split_off(1)
}

#[test]
fn for_thirty_days_every_packet_is_one_to_be_ignored() {
    let mut stage = Stage::new("ssh_trans_hold").open();
    stage.says(CLIENT).says(client_offer()).pass_secs(30 * 86_400);
    // The offer follows at once: then clients with a limit for connecting have connected.
    assert_eq!(stage.moments()[..2], [0, 0]);
    let packets = packets(&stage.bytes());
    assert!(packets.len() > 20_000);
    let mut seen = HashSet::new();
    for packet in &packets[1..] {
        assert_eq!(packet[0], 2);
        let (data, rest) = string(&packet[1..]);
        assert!((1..=8).contains(&data.len()) && rest.is_empty());
        seen.insert(data);
    }
    assert!(seen.len() > packets.len() * 8 / 10, "the data are random");
    assert_eq!(stage.sent.len(), packets.len() + 1, "one packet, one write");
}

#[test]
fn the_offer_is_a_servers_and_its_cookie_is_never_the_same() {
    let mut cookies = HashSet::new();
    for number in 0..200 {
        let mut stage = Stage::new("ssh_trans_hold").numbered(number).open();
        stage.says(CLIENT).says(client_offer());
        let packets = packets(&stage.bytes());
        let (cookie, lists) = offer(&packets[0]);
        cookies.insert(cookie.to_vec());
        assert_eq!(lists[0], KEY_EXCHANGES);
        assert_eq!(lists[1], "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519");
        assert!(lists[2].starts_with("chacha20-poly1305@openssh.com,") && lists[2] == lists[3]);
        assert!(lists[4].ends_with(",hmac-sha2-256") && lists[4] == lists[5]);
        assert_eq!(lists[6..], ["none,zlib@openssh.com", "none,zlib@openssh.com", "", ""]);
        // Either would give us away: clients' marks, and the one that forbids our packets.
        assert!(lists.iter().all(|list| !list.contains("ext-info") && !list.contains("strict")));
    }
    assert_eq!(cookies.len(), 200);
}

#[test]
fn the_pace_is_what_the_client_bears() {
    let within = |gaps: Vec<u64>, range: std::ops::RangeInclusive<u64>| {
        assert!(gaps.len() > 200 && gaps.iter().all(|gap| range.contains(gap)), "{gaps:?}");
    };
    within(gaps(CLIENT), 108_000..=132_000);
    within(gaps("SSH-2.0-libssh_0.10.6\r\n"), 13_500..=16_500);
    within(gaps("SSH-2.0-OpenSSH-keyscan\r\n"), 3_600..=4_400);
    within(gaps("SSH-2.0-OpenSSH_7.1\n"), 7_200..=8_800);
    within(gaps("SSH-2.0-OpenSSH_7.1\r\n"), 108_000..=132_000);
}

#[test]
fn a_silent_client_has_seen_the_identification_line() {
    let mut stage = Stage::new("ssh_trans_hold").open();
    stage.pass_secs(30 * 86_400);
    assert_eq!((stage.bytes(), stage.moments()), (IDENTIFICATION.to_vec(), vec![0]));
    stage.says(CLIENT).says(client_offer());
    assert_eq!(packets(&stage.bytes()).len(), 1, "a late client is let through all the same");
}

#[test]
fn a_client_of_another_protocol_sees_nothing_more() {
    let mut stage = Stage::new("ssh_trans_hold").open();
    stage.says("GET / HTTP/1.0\r\n\r\n").pass_secs(30 * 86_400);
    assert_eq!((stage.bytes(), stage.closed), (IDENTIFICATION.to_vec(), None));
    assert_eq!(stage.news, ["validated false GET "]);
}

#[test]
fn a_client_that_sends_byte_by_byte_is_offered_keys_when_its_line_is_whole() {
    let mut stage = Stage::new("ssh_trans_hold").open();
    for byte in "SSH-2.0-x-keyscan\r\n".bytes() {
        stage.pass(Duration::from_millis(100));
        assert_eq!(stage.sent.len(), 1);
        stage.says([byte]);
    }
    stage.says(client_offer()).pass_secs(600);
    assert_eq!(stage.moments()[1], 1_900);
    assert!(stage.gaps()[1..].iter().all(|gap| (3_600..=4_400).contains(gap)));
}

#[test]
fn a_line_that_does_not_end_is_waited_for_two_seconds_or_255_bytes() {
    let mut stage = Stage::new("ssh_trans_hold").open();
    stage.says("SSH-2.0-").pass_secs(60);
    assert_eq!(stage.moments()[1], 2_000);
    let mut stage = Stage::new("ssh_trans_hold").open();
    stage.says([b"SSH-".as_slice(), &[b'x'; 251]].concat()).pass_secs(60);
    assert_eq!(stage.moments()[1], 0);
    assert!(packets(&stage.bytes()).len() > 3);
}

#[test]
fn without_validation_a_silent_client_is_offered_keys_too() {
    let mut stage = Stage::new("ssh_trans_hold").unvalidated().open();
    stage.pass_secs(60);
    assert_eq!(stage.moments()[..2], [0, 2_000]);
    assert!(packets(&stage.bytes()).len() > 3);
    let mut stage = Stage::new("ssh_trans_hold").unvalidated().rate(64).open();
    stage.pass_secs(60);
    assert_eq!(stage.moments()[1], 0);
}

#[test]
fn under_a_rate_all_but_the_identification_line_is_paid_for() {
    for (rate, wanted, slack) in [(64, 640, 32), (1_024, 10_240, 512), (65_536, 655_360, 32_768)] {
        let mut stage = Stage::new("ssh_trans_hold").rate(rate).open();
        assert_eq!(stage.bytes(), IDENTIFICATION);
        stage.says(CLIENT).pass_secs(10);
        let paid = stage.bytes().len() - IDENTIFICATION.len();
        assert!(paid.abs_diff(wanted) <= slack, "{rate}: {paid}");
        assert!(packets(&stage.bytes()).iter().skip(1).all(|packet| packet[0] == 2));
    }
    let mut stage = Stage::new("ssh_trans_hold").rate(-2).open();
    assert_eq!(stage.bytes(), IDENTIFICATION);
    stage.says(CLIENT).pass_secs(10);
    assert!((5..=6).contains(&(stage.bytes().len() - IDENTIFICATION.len())));
}

#[test]
fn what_the_client_says_later_costs_nothing() {
    let mut stage = Stage::new("ssh_trans_hold").open();
    stage.says(CLIENT).pass_secs(60);
    let quiet = stage.save().len();
    stage.says(vec![0; 40_000]);
    assert_eq!(stage.save().len(), quiet);
}
