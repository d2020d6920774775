//! Transcripts of `http_endless_header`.

use crate::http::{GET, answer, asking, field, unchunked};

#[test]
fn the_head_goes_on_byte_by_byte_every_eight_seconds() {
    let mut stage = asking("http_endless_header", None, GET);
    assert!(stage.heard().ends_with("Server: Apache/2.4.52 (Ubuntu)\\r\\n"));
    stage.pass_secs(800);
    assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() == 1));
    let gaps: Vec<_> = stage.moments().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() > 90 && gaps.iter().all(|gap| (7_200..=8_800).contains(gap)), "{gaps:?}");
    assert!(stage.text().starts_with("Set-Cookie: "));
}

#[test]
fn after_thirty_days_there_is_a_head_within_every_limit_and_a_body_without_an_end() {
    let mut stage = asking("http_endless_header", None, GET);
    stage.pass_secs(30 * 86_400);
    let bytes = stage.bytes();
    let (head, body) = answer(&bytes);
    assert!((80..=90).contains(&head.len()), "{}", head.len());
    assert!(bytes.len() - body.len() < 16_000);
    assert!(head.iter().all(|line| line.len() < 200));
    let cookies = head.iter().filter(|line| line.starts_with("Set-Cookie: "));
    assert!(cookies.clone().count() == 80 && cookies.clone().all(|line| line.len() >= 60));
    assert_eq!(field(&head, "Transfer-Encoding"), Some("chunked"));
    let page = String::from_utf8(unchunked(&body)).expect("text");
    assert!(page.matches("<li><a href=\"/").count() > 1_000);
    assert_eq!(stage.closed, None);
}

#[test]
fn a_client_that_knows_no_chunks_gets_none() {
    let mut stage = asking("http_endless_header", Some(4_096), "GET / HTTP/1.0\r\n\r\n");
    stage.pass_secs(30);
    let (head, body) = answer(&stage.bytes());
    assert_eq!(field(&head, "Transfer-Encoding"), None);
    assert_eq!(field(&head, "Content-Length"), None);
    assert_eq!(field(&head, "Connection"), Some("close"));
    assert!(body.starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn who_asks_for_the_head_alone_never_sees_its_end() {
    let mut stage = asking("http_endless_header", Some(1_024), "HEAD / HTTP/1.1\r\n\r\n");
    stage.pass_secs(600);
    let text = stage.text();
    assert!(text.matches("Set-Cookie: ").count() > 5_000);
    assert!(!text.contains("\\r\\n\\r\\n"));
}

#[test]
fn a_rate_counts_from_the_status_line_on() {
    let mut stage = asking("http_endless_header", Some(-2), GET);
    stage.pass_secs(9);
    assert_eq!(stage.text(), "HTTP/");
}
