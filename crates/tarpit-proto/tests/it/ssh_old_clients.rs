//! Transcripts with SSH clients that have little or nothing in common with the server: what they are
//! offered, and when.

use proptest::prelude::*;

use crate::{
    ssh::{CLIENT, client_offer, offer, offer_of, packet, packets},
    ssh_client::host_keys,
    ssh_packets::COMMON,
    stage::Stage,
};

const HOLDS: [&str; 3] = ["ssh_auth_hold", "ssh_kex_hold", "ssh_trans_hold"];

/// A client at the beginning of its connection with this pattern.
fn connected(pattern: &str) -> Stage {
    let mut stage = Stage::new(pattern);
    stage.profile.host_keys = Some(host_keys());
    stage.open()
}

/// A client that has offered these lists.
fn offering(pattern: &str, lists: [&str; 10]) -> Stage {
    let mut stage = connected(pattern);
    stage.says(CLIENT).says(packet(&offer_of(lists)));
    stage
}

/// The lists that it was offered.
fn offered(stage: &Stage) -> Vec<String> {
    let packets = packets(&stage.bytes());
    offer(&packets[0]).1.into_iter().map(str::to_owned).collect()
}

/// The same lists, but for one or two.
fn with(changes: &[(usize, &'static str)]) -> [&'static str; 10] {
    let mut lists = COMMON;
    for &(list, names) in changes {
        lists[list] = names;
    }
    lists
}

#[test]
fn a_list_with_nothing_in_common_ends_with_what_the_client_has_and_it_is_held_without_keys() {
    let old: [&[(usize, &str, &str)]; 6] = [
        &[(0, "diffie-hellman-group1-sha1,ext-info-c", "diffie-hellman-group1-sha1")],
        &[(1, "ssh-dss,ssh-rsa", "ssh-dss")],
        &[(2, "aes128-cbc,3des-cbc", "aes128-cbc"), (3, "3des-cbc", "3des-cbc")],
        &[(4, "hmac-md5", "hmac-md5"), (5, "hmac-md5-96", "hmac-md5-96")],
        &[(6, "zlib", "zlib"), (7, "zlib", "zlib")],
        &[
            (0, "diffie-hellman-group1-sha1", "diffie-hellman-group1-sha1"),
            (1, "ssh-rsa", "ssh-rsa"),
            (2, "blowfish-cbc", "blowfish-cbc"),
            (3, "blowfish-cbc", "blowfish-cbc"),
            (4, "hmac-sha1", "hmac-sha1"),
            (5, "hmac-sha1", "hmac-sha1"),
        ],
    ];
    for pattern in HOLDS {
        let usual = offered(&offering(pattern, COMMON));
        for changes in old {
            let theirs: Vec<_> = changes.iter().map(|&(list, names, _)| (list, names)).collect();
            let mut stage = offering(pattern, with(&theirs));
            let mut wanted = usual.clone();
            for &(list, _, name) in changes {
                wanted[list] = format!("{},{name}", usual[list]);
            }
            assert_eq!(offered(&stage), wanted, "{pattern}");
            assert_eq!(stage.moments(), [0, 0], "{pattern}");
            // Its part of the exchange, and whatever else it says, lead to nothing.
            let quiet = stage.save().len();
            stage.says(packet(&[30, 0, 0, 0, 1, 2])).says([7; 3_000]).hand_over();
            stage.pass_secs(3_600);
            assert!(quiet < 120 && stage.save().len() == quiet, "{pattern}: {quiet}");
            let packets = packets(&stage.bytes());
            assert!(packets.len() > 25 && packets[1..].iter().all(|packet| packet[0] == 2));
            let told = stage.learnt.iter().filter(|learnt| learnt.contains("ssh_hassh ")).count();
            assert_eq!(told, usize::from(pattern != "ssh_trans_hold"), "{:?}", stage.learnt);
            assert!(stage.malformed.is_empty(), "{:?}", stage.malformed);
        }
    }
}

#[test]
fn no_list_changes_for_a_client_with_something_in_common_or_with_nothing_to_name() {
    let long = "x".repeat(65);
    let lists = [
        with(&[(0, "diffie-hellman-group1-sha1,ecdh-sha2-nistp521")]),
        // Such ciphers need no code beside them.
        with(&[(2, "aes256-gcm@openssh.com"), (4, "hmac-md5")]),
        with(&[(3, "chacha20-poly1305@openssh.com"), (5, "hmac-md5,")]),
        // What sides say of themselves, and what is no name.
        with(&[(0, "kex-strict-c-v00@openssh.com,ext-info-c,kexguess2@matt.ucc.asn.au")]),
        with(&[(1, "")]),
        with(&[(2, "two words"), (0, "diffie-hellman-group1-sha1")]),
        with(&[(2, "caf\u{e9},\u{7f},\r\n")]),
        { with(&[]).map(|names| if names == "none" { &*long } else { names }) },
    ];
    for pattern in HOLDS {
        let usual = offered(&offering(pattern, COMMON));
        for lists in lists {
            let mut stage = offering(pattern, lists);
            assert_eq!(offered(&stage), usual, "{pattern}: {lists:?}");
            stage.pass_secs(3_600);
            assert_eq!(stage.closed, None);
        }
    }
}

#[test]
fn a_client_that_waits_for_our_offer_gets_it_within_300_milliseconds() {
    for pattern in HOLDS {
        let mut stage = connected(pattern);
        stage.says(CLIENT);
        assert_eq!(stage.moments(), [0], "{pattern}");
        stage.pass_secs(1);
        assert!((243..=297).contains(&stage.moments()[1]), "{pattern}: {:?}", stage.moments());
        // Too late to be heeded.
        stage.says(packet(&offer_of(with(&[(0, "diffie-hellman-group1-sha1")])))).pass_secs(600);
        assert_eq!(offered(&stage), offered(&offering(pattern, COMMON)), "{pattern}");
    }
}

#[test]
fn an_offer_in_portions_is_waited_for_no_longer() {
    for pattern in HOLDS {
        let mut stage = connected(pattern);
        stage.says(CLIENT);
        for byte in client_offer() {
            stage.pass(std::time::Duration::from_millis(20)).says([byte]);
        }
        assert!(stage.moments()[1] <= 297, "{pattern}: {:?}", stage.moments());
    }
}

/// What nmap's scripts offer.
const NMAP: [&str; 10] = [
    "diffie-hellman-group1-sha1,diffie-hellman-group14-sha256",
    "ssh-ed25519",
    "aes128-cbc,aes128-ctr",
    "aes128-cbc,aes128-ctr",
    "hmac-md5,hmac-sha1,hmac-ripemd160",
    "hmac-md5,hmac-sha1,hmac-ripemd160",
    "none",
    "none",
    "",
    "",
];

#[test]
fn what_a_scanner_records_is_our_own_list_and_4_to_5_seconds_late() {
    for pattern in HOLDS {
        let usual = offered(&offering(pattern, COMMON));
        for host_key in ["ssh-ed25519", "ssh-dss"] {
            let mut stage = connected(pattern);
            let mut lists = NMAP;
            lists[1] = host_key;
            stage.says("SSH-2.0-Nmap-SSH2-Hostkey\r\n").says(packet(&offer_of(lists)));
            stage.pass_secs(15);
            assert!((4_050..=4_950).contains(&stage.moments()[1]), "{:?}", stage.moments());
            assert_eq!(offered(&stage), usual, "{pattern}");
            assert_eq!(stage.sent.len(), 2, "{pattern}: no packet follows soon");
        }
    }
}

#[test]
fn ssh_audit_waits_for_our_offer_and_for_our_reply_and_for_neither_5_seconds() {
    for number in 0..100 {
        let mut stage = Stage::new("ssh_auth_hold");
        stage.profile.host_keys = Some(host_keys());
        let mut stage = stage.numbered(number).open();
        stage.says("SSH-2.0-OpenSSH_10.3\r\n").pass_secs(5);
        assert!((4_100..4_400).contains(&stage.moments()[1]), "{:?}", stage.moments());
        stage.says(packet(&offer_of(COMMON)));
        let asked = stage.now;
        stage.says(packet(&[&[30, 0, 0, 0, 32, 9][..], &[0; 31]].concat())).pass_secs(5);
        let late = stage.sent[2].0.since(asked).as_millis();
        assert!((3_870..=4_730).contains(&late), "{late}");
    }
}

#[test]
fn a_scanner_gets_the_host_key_though_no_code_is_in_common() {
    let mut stage = connected("ssh_auth_hold");
    stage.says("SSH-2.0-Nmap-SSH2-Hostkey\r\n").says(packet(&offer_of(NMAP))).pass_secs(5);
    let public = [&[30, 0, 0, 1, 0][..], &[7; 256]].concat();
    stage.says(packet(&public));
    stage.pass_secs(4);
    assert_eq!(packets(&stage.bytes()).len(), 1);
    stage.pass_secs(1);
    assert_eq!(packets(&stage.bytes())[1][0], 31);
}

proptest! {
    #[test]
    fn whatever_a_client_has_our_lists_stay_names_of_a_bounded_length(
        names in prop::collection::vec("[ -~]{0,80}|\\PC{0,80}", 8),
    ) {
        let mut lists = COMMON;
        for (list, names) in lists.iter_mut().zip(&names) {
            *list = names;
        }
        for pattern in HOLDS {
            let stage = offering(pattern, lists);
            let usual = offered(&offering(pattern, COMMON));
            for (now, usual) in offered(&stage).iter().zip(usual) {
                let more = now.strip_prefix(&usual).expect("ours comes first");
                prop_assert!(more.len() <= 65 && more.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(more.is_empty() || more.rfind(',') == Some(0), "one name: {}", more);
            }
        }
    }
}
