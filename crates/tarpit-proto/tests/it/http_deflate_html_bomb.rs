//! Transcripts of `http_deflate_html_bomb`.

use miniz_oxide::inflate::decompress_to_vec;

use crate::http::{GET, answer, asking, field, unchunked};

#[test]
fn the_stream_inflates_to_eight_megabytes_of_badly_nested_tags() {
    let mut stage = asking("http_deflate_html_bomb", Some(0), GET);
    stage.pass_secs(1);
    let (head, body) = answer(&stage.bytes());
    assert_eq!(field(&head, "Content-Encoding"), Some("gzip"));
    assert_eq!(field(&head, "Content-Length"), Some(&body.len().to_string()[..]));
    assert!((19_000..21_000).contains(&body.len()), "{}", body.len());
    let page = decompress_to_vec(&body[10..]).expect("a valid stream");
    assert!((8_000_000..8_500_000).contains(&page.len()), "{}", page.len());
    assert!(
        page.starts_with(b"<html><head><title>welcome</title></head><body><ul><li><b><div></b>")
    );
    assert!(page[47..].chunks(24).all(|unit| b"<ul><li><b><div></b><dl>".starts_with(unit)));
    let trailer: Vec<_> =
        [crc32(&page), u32::try_from(page.len()).expect("small")].map(u32::to_le_bytes).concat();
    assert_eq!(body[body.len() - 8..], trailer, "the CRC-32 is {:#010X}", crc32(&page));
}

#[test]
fn when_all_has_been_sent_the_client_is_held_in_silence() {
    let mut stage = asking("http_deflate_html_bomb", Some(65_536), GET);
    stage.pass_secs(10).heard();
    stage.says(GET).pass_secs(30 * 86_400);
    assert_eq!((stage.text(), stage.closed), (String::new(), None));
}

#[test]
fn only_who_takes_gzip_gets_it() {
    for (accepted, compressed) in [
        ("", true),
        ("Accept-Encoding: gzip, deflate, br\r\n", true),
        ("Accept-Encoding: *\r\n", true),
        ("Accept-Encoding: deflate\r\n", false),
        ("Accept-Encoding: identity\r\n", false),
        ("Accept-Encoding: gzip;q=0, *\r\n", false),
        ("Accept-Encoding: \r\n", false),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{accepted}\r\n");
        let mut stage = asking("http_deflate_html_bomb", Some(4_096), &request);
        stage.pass_secs(60);
        let (head, body) = answer(&stage.bytes());
        assert_eq!(field(&head, "Content-Encoding").is_some(), compressed, "{accepted}");
        if !compressed {
            assert!(unchunked(&body).starts_with(b"<!DOCTYPE html>"));
        }
    }
}

#[test]
fn after_the_head_alone_comes_silence() {
    let request = "HEAD / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    let mut stage = asking("http_deflate_html_bomb", None, request);
    stage.pass_secs(30 * 86_400);
    let (head, body) = answer(&stage.bytes());
    assert!(field(&head, "Content-Length").is_some() && body.is_empty());
    assert_eq!(stage.closed, None);
}

#[test]
fn at_its_own_pace_a_kilobyte_comes_every_eight_seconds_until_it_is_all_there() {
    let mut stage = asking("http_deflate_html_bomb", None, GET);
    stage.sent.clear();
    stage.pass_secs(30 * 86_400);
    assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() <= 1_024));
    assert!((20_000..21_000).contains(&stage.bytes().len()));
    let (first, last) = (stage.sent[0].0, stage.sent[stage.sent.len() - 1].0);
    assert!((100..300).contains(&last.since(first).as_secs()), "minutes, not days");
    assert_eq!(stage.closed, None);
}

/// RFC 1952, section 8.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}
