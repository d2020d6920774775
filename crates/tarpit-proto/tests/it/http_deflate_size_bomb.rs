//! Transcripts of `http_deflate_size_bomb`.

use std::time::Duration;

use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use crate::http::{GET, answer, asking, field};

#[test]
fn the_stream_inflates_to_a_gigabyte_of_nothing() {
    let mut stage = asking("http_deflate_size_bomb", Some(0), GET);
    stage.pass(Duration::from_millis(100));
    let (head, body) = answer(&stage.bytes());
    assert_eq!(field(&head, "Content-Encoding"), Some("deflate"));
    assert_eq!(field(&head, "Content-Length"), Some(&body.len().to_string()[..]));
    assert!((1_000_000..1_100_000).contains(&body.len()), "{}", body.len());
    // The window is all that is kept of the gigabyte; the checksum is checked by the decoder.
    let (mut decoder, mut window) = (DecompressorOxide::new(), vec![0; 32 * 1024]);
    let (mut read, mut inflated) = (0, 0);
    loop {
        let flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER;
        let place = inflated % window.len();
        let (status, taken, made) =
            decompress(&mut decoder, &body[read..], &mut window, place, flags);
        (read, inflated) = (read + taken, inflated + made);
        assert!(status as i32 >= 0, "{status:?} at {read}");
        if status as i32 == 0 {
            break;
        }
    }
    assert_eq!((read, inflated), (body.len(), 1_073_280_517));
}

#[test]
fn only_who_takes_deflate_gets_it() {
    for (accepted, compressed) in [
        ("", true),
        ("Accept-Encoding: gzip, deflate, br\r\n", true),
        ("Accept-Encoding: gzip, br\r\n", false),
        ("Accept-Encoding: identity;q=1, *;q=0\r\n", false),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{accepted}\r\n");
        let mut stage = asking("http_deflate_size_bomb", Some(4_096), &request);
        stage.pass_secs(60);
        let (head, _) = answer(&stage.bytes());
        assert_eq!(field(&head, "Content-Encoding").is_some(), compressed, "{accepted}");
    }
}

#[test]
fn at_its_own_pace_a_kilobyte_comes_every_eight_seconds_until_it_is_all_there() {
    let mut stage = asking("http_deflate_size_bomb", None, GET);
    stage.sent.clear();
    stage.pass_secs(30 * 86_400);
    assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() <= 1_024));
    assert!((1_040_000..1_041_000).contains(&stage.bytes().len()));
    let (first, last) = (stage.sent[0].0, stage.sent[stage.sent.len() - 1].0);
    assert!((7_000..10_000).contains(&last.since(first).as_secs()), "hours, not months");
}
