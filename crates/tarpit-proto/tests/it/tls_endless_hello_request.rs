//! Transcripts of `tls_endless_hello_request`.

use crate::stage::Stage;

const HELLO: &[u8] = include_bytes!("../corpus/client_hello.bin");
const RECORD: [u8; 9] = [22, 3, 3, 0, 4, 0, 0, 0, 0];

#[test]
fn for_thirty_days_every_write_is_one_record() {
    let mut stage = Stage::new("tls_endless_hello_request").open();
    stage.says(HELLO).pass_secs(30 * 86_400);
    assert!(stage.sent.len() > 300_000);
    assert!(stage.sent.iter().all(|(_, bytes)| bytes[..] == RECORD));
    assert_eq!(stage.moments()[0], 0);
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
}

#[test]
fn silent_clients_and_those_of_another_protocol_are_held_in_silence() {
    let mut stage = Stage::new("tls_endless_hello_request").open();
    stage.pass_secs(86_400);
    assert_eq!(stage.text(), "");
    stage.says("GET / HTTP/1.0\r\n\r\n").pass_secs(30 * 86_400);
    assert_eq!((stage.text().as_str(), stage.closed), ("", None));
}

#[test]
fn a_client_is_known_by_the_first_six_bytes_however_they_come() {
    let mut stage = Stage::new("tls_endless_hello_request").open();
    for byte in &HELLO[..6] {
        assert_eq!(stage.text(), "");
        stage.pass_secs(3).says([*byte]);
    }
    assert_eq!(stage.bytes(), RECORD);
}

#[test]
fn under_a_rate_records_follow_each_other_without_a_gap() {
    let mut stage = Stage::new("tls_endless_hello_request").rate(1_024).open();
    stage.says(HELLO).pass_secs(10);
    let bytes = stage.bytes();
    assert!(bytes.len().abs_diff(10_240) < 512, "{}", bytes.len());
    assert!(bytes.chunks_exact(RECORD.len()).all(|record| record == RECORD));
}
