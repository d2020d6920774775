//! Transcripts of `http_fake_auth`.

use crate::http::{GET, GUESS, answer, asking, field};

#[test]
fn the_whole_head_comes_at_once_and_its_page_byte_by_byte() {
    let mut stage = asking("http_fake_auth", None, GET);
    let (head, body) = answer(&stage.bytes());
    assert_eq!(head[0], "HTTP/1.1 401 Unauthorized");
    assert_eq!(field(&head, "WWW-Authenticate"), Some("Basic realm=\"Server\""));
    assert!(body.is_empty());
    stage.sent.clear();
    stage.pass_secs(86_400);
    assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() == 1));
    let length: usize =
        field(&head, "Content-Length").expect("a length").parse().expect("a number");
    assert_eq!(stage.bytes().len(), length);
    assert!(stage.bytes().ends_with(b" Port 22</address>\n</body></html>\n"));
}

#[test]
fn one_connection_serves_for_thirty_days_of_requests_and_guesses() {
    let mut stage = asking("http_fake_auth", None, GET);
    stage.pass_secs(86_400);
    for day in 1..30 {
        let start = stage.now;
        let before = stage.sent.len();
        stage.says(if day % 2 == 0 { GET } else { GUESS }).pass_secs(86_400);
        let (head, body) = answer(
            &stage.sent[before..].iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>(),
        );
        assert_eq!(field(&head, "Content-Length"), Some(&body.len().to_string()[..]));
        // Without credentials the head comes at once.
        assert_eq!(stage.sent[before].0 == start, day % 2 == 0);
    }
    assert_eq!(stage.closed, None);
}

#[test]
fn bodies_are_skipped_also_while_the_answer_drips() {
    for rate in [None, Some(64), Some(4_096)] {
        let mut stage = asking(
            "http_fake_auth",
            rate,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n",
        );
        stage.pass_secs(100);
        stage.says("GET / HTTP/1.1\r\n\r\n".repeat(3_000 / 18).as_bytes());
        stage.says(&b"x".repeat(3_000 - 3_000 / 18 * 18)[..]).pass_secs(86_400);
        assert_eq!(stage.text().matches("HTTP/1.1 401").count(), 1, "{rate:?}");
        stage.says(GET).pass_secs(86_400);
        assert_eq!(stage.text().matches("HTTP/1.1 401").count(), 2, "{rate:?}");
    }
}

#[test]
fn a_second_request_may_come_before_the_first_is_answered() {
    for rate in [None, Some(64), Some(4_096), Some(0)] {
        let mut stage = asking("http_fake_auth", rate, &GET.repeat(2));
        stage.pass_secs(86_400);
        assert_eq!(stage.text().matches("</html>").count(), 2, "{rate:?}");
    }
}

#[test]
fn heads_have_no_page_and_the_next_request_is_heard() {
    let mut stage = asking("http_fake_auth", None, &GET.replace("GET", "HEAD").repeat(3));
    stage.pass_secs(86_400);
    let text = stage.text();
    assert_eq!((text.matches("HTTP/1.1 401").count(), text.matches("<html>").count()), (3, 0));
}

#[test]
fn an_old_client_is_told_that_the_connection_stays() {
    let stage = asking("http_fake_auth", None, "GET / HTTP/1.0\r\n\r\n");
    let (head, _) = answer(&stage.bytes());
    assert_eq!(field(&head, "Connection"), Some("Keep-Alive"));
}
