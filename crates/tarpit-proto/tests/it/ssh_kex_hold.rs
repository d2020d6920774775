//! Transcripts of `ssh_kex_hold`.

use std::collections::HashSet;

use crate::{
    ssh::{CLIENT, IDENTIFICATION, KEY_EXCHANGES, client_offer, offer, offer_of, packet, packets},
    ssh_packets::COMMON,
    stage::Stage,
};

/// What HASSH is of the offer in [`client_offer`]: printf 'curve25519-sha256;aes128-ctr;hmac-sha2-256;none'
/// through md5sum.
const HASSH: &str = "learnt ssh_hassh e97d07603350d1111ec2b64bf25413c9";

#[test]
fn keys_are_offered_at_once_and_the_client_is_known_by_its_line_and_offer() {
    let mut stage = Stage::new("ssh_kex_hold").open();
    stage.says(CLIENT).says(client_offer()).pass_secs(30 * 86_400);
    assert_eq!(stage.moments()[..2], [0, 0]);
    assert_eq!(
        stage.news,
        ["validated true SSH-", "learnt ssh_ident SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2", HASSH,]
    );
    let packets = packets(&stage.bytes());
    let (_, lists) = offer(&packets[0]);
    assert_eq!(lists[0], KEY_EXCHANGES);
    assert!(lists.iter().all(|list| !list.contains("strict")));
    assert!(packets.len() > 20_000 && packets[1..].iter().all(|packet| packet[0] == 2));
    assert!(stage.gaps()[1..].iter().all(|gap| (108_000..=132_000).contains(gap)));
}

#[test]
fn the_cookie_is_never_the_same() {
    let cookie = |number| {
        let mut stage = Stage::new("ssh_kex_hold").numbered(number).open();
        stage.says(CLIENT).says(client_offer());
        offer(&packets(&stage.bytes())[0]).0.to_vec()
    };
    assert_eq!((0..200).map(cookie).collect::<HashSet<_>>().len(), 200);
}

#[test]
fn a_line_that_comes_late_is_heard_behind_our_offer() {
    let mut stage = Stage::new("ssh_kex_hold").open();
    stage.says("SSH-2.0-slow").pass_secs(60);
    assert_eq!(stage.moments()[1], 2_000);
    stage.says("-keyscan\r\n").pass_secs(60).says(client_offer());
    assert_eq!(stage.news[1..], ["learnt ssh_ident SSH-2.0-slow-keyscan", HASSH]);
    stage.sent.clear();
    stage.pass_secs(600);
    assert!(stage.gaps().iter().all(|gap| (3_600..=4_400).contains(gap)));
}

#[test]
fn ssh_audit_waits_for_our_offer_and_is_known_by_its_line_all_the_same() {
    let line = "SSH-2.0-OpenSSH_10.3\r\n";
    let mut stage = Stage::new("ssh_kex_hold").open();
    stage.says(line).pass_secs(60);
    assert!((4_050..=4_950).contains(&stage.moments()[1]), "{:?}", stage.moments());
    stage.says(client_offer());
    assert_eq!(stage.news[1..], ["learnt ssh_ident SSH-2.0-OpenSSH_10.3", HASSH]);
}

#[test]
fn a_packet_to_be_ignored_may_stand_before_the_offer() {
    let mut stage = Stage::new("ssh_kex_hold").open();
    stage.says(CLIENT).says([0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).says(client_offer());
    assert_eq!(stage.news[2..], [HASSH]);
}

#[test]
fn an_offer_comes_with_its_fingerprint_where_it_is_wanted() {
    // The second has nothing in common with any server.
    let vain = ["k1,k2", "h", "cÿ", "C", "m;", "M", "z", "Z", "l", "L"];
    for (lists, wanted) in
        [(COMMON, "curve25519-sha256;aes128-ctr;hmac-sha2-256;none"), (vain, "k1,k2;cÿ;m;;z")]
    {
        for pattern in ["ssh_kex_hold", "ssh_auth_hold"] {
            for wants in [false, true] {
                let mut stage = Stage::new(pattern);
                stage.profile.tells_ssh_offers = wants;
                let mut stage = stage.open();
                stage.says(CLIENT).says(packet(&offer_of(lists))).pass_secs(60);
                let told = stage.news.iter().filter(|news| news.contains("ssh_hassh ")).count();
                assert_eq!(told, 1, "{pattern}: {:?}", stage.news);
                let offers = &stage.driver.news.ssh_offers;
                assert_eq!(offers.len(), usize::from(wants), "{pattern}");
                for offer in offers {
                    let of_client = [0, 1, 2, 4, 6, 8].map(|list| lists[list].as_bytes());
                    assert_eq!(offer.lists(), of_client, "{pattern}");
                    assert_eq!(offer.hassh_algorithms(), wanted.as_bytes());
                }
            }
        }
    }
}

#[test]
fn a_client_that_sends_nonsense_is_held_and_its_bytes_are_discarded() {
    for nonsense in [&b"GET / HTTP/1.0\r\n\r\n"[..], &[0; 64], &[0xFF; 64]] {
        let mut stage = Stage::new("ssh_kex_hold").open();
        stage.says(CLIENT).says(nonsense);
        let quiet = stage.save().len();
        stage.says(vec![1; 40_000]).says(client_offer()).pass_secs(600);
        assert_eq!(stage.news.len(), 2, "{:?}", stage.news);
        assert_eq!(stage.save().len(), quiet);
        assert!(packets(&stage.bytes()).len() > 4);
    }
}

#[test]
fn all_that_a_client_says_after_its_offer_costs_nothing() {
    let mut stage = Stage::new("ssh_kex_hold").open();
    stage.says(CLIENT).says(client_offer());
    let quiet = stage.save().len();
    stage.says(vec![0; 40_000]);
    assert_eq!(stage.save().len(), quiet);
}

#[test]
fn under_a_rate_all_but_the_identification_line_is_paid_for() {
    let mut stage = Stage::new("ssh_kex_hold").rate(64).open();
    stage.says(CLIENT).says(client_offer()).pass_secs(20);
    let paid = stage.bytes().len() - IDENTIFICATION.len();
    assert!(paid.abs_diff(1_280) <= 64, "{paid}");
    assert_eq!(stage.news.len(), 3, "{:?}", stage.news);
}
