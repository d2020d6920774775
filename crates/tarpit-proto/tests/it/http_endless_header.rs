//! Transcripts of `http_endless_header`.

use std::collections::BTreeSet;

use tarpit_proto::{persona::Persona, rng::Seed};

use crate::{
    http::{GET, answer, asking, field, unchunked},
    stage::Stage,
};

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
    assert!(page.matches(" href=\"/").count() > 1_000);
    assert_eq!(stage.closed, None);
}

#[test]
fn no_two_installations_have_cookies_of_one_shape() {
    let shapes = |installation: u8| {
        let mut stage = Stage::new("http_endless_header").rate(4_096);
        let seed = Seed(core::array::from_fn(|index| installation.wrapping_mul(index as u8 | 1)));
        stage.profile.persona = Persona::default_for(&seed);
        let mut stage = stage.open();
        stage.says(GET).pass_secs(60);
        let (head, _) = answer(&stage.bytes());
        let cookies = head.iter().filter_map(|line| line.strip_prefix("Set-Cookie: "));
        let shapes: BTreeSet<_> = cookies
            .map(|cookie| {
                assert!((40..170).contains(&cookie.len()), "{cookie}");
                let (name, rest) = cookie.split_once('=').expect("a name");
                let (_, attributes) = rest.split_once(';').expect("attributes");
                let word = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
                (word.to_owned(), attributes.to_owned())
            })
            .collect();
        assert!(shapes.len() >= 5, "{shapes:?}");
        shapes
    };
    let all: Vec<_> = (1..=40).map(shapes).collect();
    let common = |one: &BTreeSet<_>, other| one.intersection(other).count();
    let alike = all.windows(2).filter(|pair| common(&pair[0], &pair[1]) >= 5).count();
    assert!(alike <= 2, "{alike} of 39 share five shapes with the one before");
    // Nothing occurs in all of them, nor in most.
    for shape in &all[0] {
        assert!(all.iter().filter(|one| one.contains(shape)).count() < 10, "{shape:?}");
    }
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
    let mut stage =
        asking("http_endless_header", Some(1_024), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
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
