//! Transcripts of `http_bad_site`.

use std::collections::BTreeSet;

use crate::http::{GET, answer, asking, unchunked};

#[test]
fn the_page_has_three_hundred_open_blocks_and_links_and_is_never_complete() {
    let mut stage = asking("http_bad_site", Some(4_096), GET);
    stage.pass_secs(60);
    let (head, body) = answer(&stage.bytes());
    assert_eq!(head[0], "HTTP/1.1 200 OK");
    let page = String::from_utf8(unchunked(&body)).expect("text");
    assert!(page.starts_with("<html>") && page.contains("<script>"));
    let links: BTreeSet<_> = page.split(" href=\"").skip(1).map(|rest| &rest[..20]).collect();
    assert!(links.len() > 290, "{}", links.len());
    let closed = page.split("<body>").nth(1).expect("a body").matches("</").count();
    assert_eq!((page.matches("href=\"/").count(), closed), (300, 300));
    // Only blank lines follow.
    let sent = stage.session.sent();
    stage.sent.clear();
    stage.pass_secs(30 * 86_400);
    assert!(stage.text().starts_with("1\\r\\n\\n\\r\\n1\\r\\n"));
    assert!(stage.session.sent() - sent < 30 * 86_400);
    assert_eq!(stage.closed, None);
}

#[test]
fn at_its_own_pace_a_block_comes_every_eight_seconds_for_thirty_days() {
    let mut stage = asking("http_bad_site", None, GET);
    stage.sent.clear();
    stage.pass_secs(30 * 86_400);
    assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() < 400));
    assert!(stage.sent.windows(2).all(|pair| pair[1].0.since(pair[0].0).as_secs() < 10));
}

#[test]
fn a_crawler_that_looks_at_the_head_first_gets_the_page_on_the_same_connection() {
    let mut stage = asking("http_bad_site", Some(64), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    stage.pass_secs(60);
    let (_, body) = answer(&stage.bytes());
    assert!(body.is_empty());
    stage.says(GET).pass_secs(60);
    assert!(stage.text().contains("Welcome"));
}

#[test]
fn an_old_client_gets_the_bare_page() {
    let mut stage = asking("http_bad_site", Some(4_096), "GET / HTTP/1.0\r\n\r\n");
    stage.pass_secs(60);
    let (_, body) = answer(&stage.bytes());
    assert!(body.starts_with(b"<html>") && body.ends_with(b"\n\n"));
}
