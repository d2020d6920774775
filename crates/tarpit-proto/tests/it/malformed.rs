//! Transcripts of clients that break SSH or TLS: it is told once, and they are held on.

use crate::{
    ssh::{CLIENT, packet, packets, stringed},
    ssh_client::{self, Client, WISHES, listener, opening, password, service},
    stage::Stage,
    tls,
};

/// A stage that is told to bear clients of another protocol.
fn ssh(pattern: &str) -> Stage {
    let mut stage = Stage::new(pattern);
    stage.profile.host_keys = Some(ssh_client::host_keys());
    stage
}

#[test]
fn a_client_that_breaks_ssh_before_there_are_keys_is_told_once_and_held() {
    let offer = opening(WISHES).offer;
    let cut = packet(&offer[..60]);
    let too_long = packet(&[&[2][..], &[0; 5_000]].concat());
    for pattern in ["ssh_kex_hold", "ssh_auth_hold"] {
        for (said, wanted) in [
            (&b"GET / HTTP/1.0\r\n\r\n"[..], "ssh: packet length"),
            (&[0; 64], "ssh: packet length"),
            (&[0, 0, 0, 12, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "ssh: padding"),
            (&too_long, "ssh: packet too long"),
            (&cut, "ssh: offer"),
        ] {
            let mut stage = ssh(pattern).open();
            stage.says(CLIENT).says(said).says([0; 64]).says(vec![1; 40_000]).pass_secs(600);
            assert_eq!(stage.malformed, [wanted], "{pattern}");
            assert!(packets(&stage.bytes()).len() > 4, "{pattern}, {wanted}");
            assert_eq!(stage.closed, None);
        }
    }
}

#[test]
fn a_first_line_that_is_no_identification_is_told_once_and_its_client_held() {
    let endless = [b"SSH-2.0-".as_slice(), &[b'x'; 400], b"\r\n"].concat();
    for pattern in ["ssh_trans_hold", "ssh_kex_hold", "ssh_auth_hold"] {
        for (line, wanted) in [
            (&b"GET / HTTP/1.0\r\n\r\n"[..], "ssh: no identification"),
            (&endless, "ssh: identification too long"),
        ] {
            // Before our offer, and behind it.
            for silence in [0, 5] {
                let mut stage = ssh(pattern).unvalidated().open();
                stage.pass_secs(silence).says(line).says([0; 64]).pass_secs(600);
                // Whatever comes behind the offer, this pattern does not read it.
                let hears = silence == 0 || pattern != "ssh_trans_hold";
                let wanted: &[&str] = if hears { &[wanted] } else { &[] };
                assert_eq!(stage.malformed, wanted, "{pattern}, after {silence} s");
                assert!(packets(&stage.bytes()).len() > 4, "{pattern}");
            }
        }
    }
}

#[test]
fn a_part_of_the_key_exchange_that_is_none_is_told() {
    let opening = opening(WISHES);
    let request = |value: &[u8]| packet(&[&[30], &stringed(value)[..]].concat());
    let offer = packet(&opening.offer);
    for (said, wanted) in [
        // Before there is anything to answer; a second offer; a point that is none.
        (request(&[4; 32]), "ssh: key exchange"),
        ([&offer[..], &offer].concat(), "ssh: offer"),
        ([&offer[..], &request(&[0; 32])].concat(), "ssh: key exchange"),
        ([&offer[..], &request(&[4; 900])].concat(), "ssh: key exchange"),
    ] {
        let mut stage = listener().open();
        stage.says("SSH-2.0-x\r\n").says(said).says([0; 64]).pass_secs(600);
        assert_eq!(stage.malformed, [wanted]);
        assert!(packets(&stage.bytes()).len() > 4);
    }
}

#[test]
fn a_broken_packet_under_keys_is_told_once_and_a_long_one_is_none() {
    for cipher in ["aes128-ctr", "chacha20-poly1305@openssh.com"] {
        let mut stage = listener().open();
        let mut client = Client::connect(&mut stage, ssh_client::Wishes { cipher, ..WISHES });
        for part in client.seal(&vec![2; 30_000]).chunks(1_000) {
            stage.says(part);
        }
        client.says(&mut stage, &service());
        assert_eq!(client.hears(&stage).len(), 1);
        assert!(stage.malformed.is_empty(), "the protocol allows it");
        let mut forged = client.seal(&password("secret"));
        let last = forged.len() - 1;
        forged[last] ^= 1;
        stage.says(forged).says([7; 200]).hand_over().says([7; 200]).pass_secs(600);
        assert_eq!(stage.malformed, ["ssh: mac"], "{cipher}");
        assert!(client.hears(&stage).iter().all(|heard| heard[0] == 2), "{cipher}");
    }
}

#[test]
fn a_client_that_breaks_tls_is_told_once_and_held() {
    let hello = include_bytes!("../corpus/client_hello.bin");
    let garbled = b"\x16\x03\x01\x00\x30\x01\x00\x00\x2C\x03\x03".repeat(8);
    let finished = [b"\x17\x03\x03\x00\x40".as_slice(), &[7; 64]].concat();
    let alert = b"\x15\x03\x03\x00\x02\x02\x30";
    for (said, wanted) in [
        (vec![&garbled[..]], &["tls: hello"][..]),
        (vec![&hello[..], &finished], &["tls: record mac"]),
        (vec![&hello[..], b"\x63\x03\x03\x00\x01\x00"], &["tls: message"]),
        // A second hello is not under the keys that the first one brought.
        (vec![&hello[..], &hello[..]], &["tls: record mac"]),
        // An alert is how a client ends that does not trust the certificate.
        (vec![&hello[..], alert], &[]),
    ] {
        let mut stage = tls::stage().open();
        for said in said {
            // The answer to a hello takes so long.
            stage.says(said).pass_secs(5);
        }
        stage.says([7; 64]).hand_over().says([7; 64]).pass_secs(3_600);
        assert_eq!(stage.malformed, wanted);
        assert_eq!(stage.closed, None);
    }
}

/// A record with a part of a handshake.
fn handshake(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 3][..], &(fragment.len() as u16).to_be_bytes(), fragment].concat()
}

#[test]
fn a_handshake_that_goes_wrong_behind_its_hello_is_told_once() {
    let key_exchange = handshake(&[16, 0, 0, 33, 32]);
    let finished = handshake(&[&[20, 0, 0, 12][..], &[7; 12]].concat());
    let application_data = [b"\x17\x03\x03\x00\x10".as_slice(), &[7; 16]].concat();
    // Its length is allowed, and longer than any that a client's message has.
    let long: Vec<_> =
        [&[16, 0, 0xF0, 0][..], &[7; 5_000]].concat().chunks(1_000).flat_map(handshake).collect();
    for (said, wanted) in [
        (finished, "tls: unexpected message"),
        (application_data.clone(), "tls: unexpected message"),
        ([key_exchange, application_data].concat(), "tls: handshake"),
        (long, "tls: message too long"),
    ] {
        let mut stage = tls::stage().open();
        stage.says(tls::hello_of_1_2()).pass_secs(5);
        assert!(!stage.bytes().is_empty(), "the hello is answered");
        stage.says(said).says([7; 64]).hand_over().says([7; 64]).pass_secs(600);
        assert_eq!(stage.malformed, [wanted]);
        assert_eq!(stage.closed, None);
    }
}

#[test]
fn a_hello_that_says_what_it_must_not_is_told_once_its_answer_is_due() {
    let hello = tls::hello_of_1_2();
    let name = hello.windows(9).position(|part| part == b"a.example").expect("the name");
    let no_name = [&hello[..name], b"a..xample", &hello[name + 9..]].concat();
    let flood = [&hello[..], &handshake(&[7; 5_000])].concat();
    for (said, due, wanted) in [
        (no_name, 5, "tls: handshake"),
        // Too much to be kept until then.
        (flood, 0, "tls: message too long"),
    ] {
        let mut stage = tls::stage().open();
        stage.says(said).pass_secs(due);
        assert_eq!(stage.malformed, [wanted]);
        stage.says([7; 64]).pass_secs(600);
        assert_eq!((stage.malformed.len(), stage.closed), (1, None));
    }
}

#[test]
fn a_record_that_does_not_fit_the_keys_is_told_once() {
    for (record, wanted) in [
        (&b"\x17\x03\x03\x00\x20 and nothing that fits the keys, "[..], "tls: record mac"),
        (b"\x17\x03\x03\x00\x05short", "tls: record length"),
        (b"\x17\x03\x03\xFF\xFFlong", "tls: record length"),
        (b"\x16\x03\x03\x40\x00long", "tls: record type"),
    ] {
        let mut client = tls::Client::usual(tls::stage().open());
        client.shakes();
        client.stage.says(record).says([7; 64]).hand_over().says([7; 64]).pass_secs(600);
        assert_eq!(client.stage.malformed, [wanted]);
        assert_eq!(client.stage.closed, None);
    }
}

#[test]
fn clients_that_keep_to_their_protocol_are_never_told_as_malformed() {
    let mut stage = listener().open();
    let mut client = Client::connect(&mut stage, WISHES);
    client.says(&mut stage, &service());
    client.says(&mut stage, &password("secret"));
    // It leaves.
    client.says(&mut stage, &[1, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0]);
    stage.pass_secs(600);
    assert!(stage.malformed.is_empty());
    let mut client = tls::Client::usual(tls::stage().open());
    client.shakes().says(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").pass_secs(60);
    assert!(client.stage.malformed.is_empty());
}
