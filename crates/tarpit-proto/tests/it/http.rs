//! What HTTP patterns say, read as a strict client reads it.

use crate::stage::Stage;

/// A request of an ordinary client.
pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// The same with credentials.
pub(crate) const GUESS: &str =
    "GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: Basic cm9vdDpyb290\r\n\r\n";

/// A client of `pattern` at `rate`, connected, that has asked for something.
pub(crate) fn asking(pattern: &str, rate: Option<i64>, request: &str) -> Stage {
    let mut stage = Stage::new(pattern);
    if let Some(rate) = rate {
        stage = stage.rate(rate);
    }
    let mut stage = stage.open();
    stage.says(request);
    stage
}

/// An answer's head, line by line, and what there is of its body.
pub(crate) fn answer(bytes: &[u8]) -> (Vec<String>, Vec<u8>) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
    let head = core::str::from_utf8(&bytes[..end]).expect("text");
    (head.split("\r\n").map(str::to_owned).collect(), bytes[end + 4..].to_vec())
}

/// The value of the field called `name`.
pub(crate) fn field<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// What whole chunks of a body say; panics where they are not valid, or where the body ends.
pub(crate) fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = core::str::from_utf8(&body[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        assert!(size > 0, "the body ends");
        let rest = &body[end + 2..];
        if rest.len() < size + 2 {
            break;
        }
        data.extend_from_slice(&rest[..size]);
        assert_eq!(&rest[size..size + 2], b"\r\n");
        body = &rest[size + 2..];
    }
    data
}

/// What must hold for every pattern that speaks HTTP.
mod all {
    use tarpit_proto::protocols;

    use super::*;

    fn names() -> impl Iterator<Item = &'static str> {
        protocols::HTTP.patterns.iter().map(|pattern| pattern.name())
    }

    /// Whether the line is answered otherwise than Apache does: HTTP/2 in kind, tunnels slowly.
    fn goes_its_own_way(name: &str, line: &str) -> bool {
        name == "http_hold" && (line == "PRI * HTTP/2.0" || line.starts_with("CONNECT "))
    }

    #[test]
    fn the_lines_that_scanners_record_come_at_once() {
        for name in names() {
            let stage = asking(name, None, GET);
            let text = stage.text();
            let (status, rest) = text.split_once("\\r\\n").expect("a line");
            assert!(matches!(status, "HTTP/1.1 200 OK" | "HTTP/1.1 401 Unauthorized"), "{status}");
            assert!(
                rest.starts_with(
                    "Date: Sun, 22 Nov 2026 07:52:33 GMT\\r\\nServer: Apache/2.4.52 (Ubuntu)\\r\\n"
                ),
                "{rest}"
            );
        }
    }

    #[test]
    fn nothing_is_said_before_a_request_is_complete() {
        for name in names() {
            for part in ["GET / HTTP/1.1\r\nHost: a", "POST / HTTP/1.1\r\n", "\r\n\r\n", "GET /"] {
                let mut stage = asking(name, None, part);
                stage.pass_secs(86_400);
                assert_eq!(stage.text(), "", "{name} {part:?}");
            }
        }
    }

    #[test]
    fn every_method_and_version_is_answered() {
        for name in names() {
            for line in [
                "POST /x HTTP/1.1",
                "OPTIONS * HTTP/1.1",
                "PROPFIND / HTTP/1.1",
                "FROB / HTTP/1.1",
                "GET http://a.example/ HTTP/1.1",
                "CONNECT a.example:443 HTTP/1.1",
                "PRI * HTTP/2.0",
                "HEAD / HTTP/1.1",
                "GET / HTTP/1.0",
            ] {
                if goes_its_own_way(name, line) {
                    continue;
                }
                let mut stage = asking(name, None, &format!("{line}\r\n\r\n"));
                assert!(stage.text().starts_with("HTTP/1.1 "), "{name} {line}");
                assert_eq!(stage.pass_secs(86_400).closed, None);
            }
            // The first version has no heads.
            let first = if name == "http_hold" { "<!DOCTYPE html>" } else { "HTTP/1.1 " };
            assert!(asking(name, None, "GET /\r\n").text().starts_with(first), "{name}");
        }
    }

    #[test]
    fn a_request_without_a_page_gets_the_answer_of_apache() {
        const ALLOW: &str = "Allow: GET,POST,OPTIONS,HEAD\\r\\n";
        const CLOSE: &str = "Connection: close\\r\\n";
        for name in names() {
            for (line, status, allow, lasting, last) in [
                ("PUT /x.php HTTP/1.1", "405 Method Not Allowed", ALLOW, "", "Content-Type"),
                ("PROPFIND / HTTP/1.0", "405 Method Not Allowed", ALLOW, CLOSE, "Content-Type"),
                ("TRACE / HTTP/1.1", "405 Method Not Allowed", "Allow: \\r\\n", "", "Content-Type"),
                ("FOO / HTTP/1.1", "501 Not Implemented", ALLOW, "", "Content-Type"),
                ("GET http://a.example/ HTTP/1.1", "400 Bad Request", "", CLOSE, "Content-Type"),
                ("HEAD https://a.example/ HTTP/1.1", "400 Bad Request", "", CLOSE, "Content-Type"),
                ("GET / http/1.1", "400 Bad Request", "", CLOSE, "Content-Type"),
                ("PRI * HTTP/2.0", "400 Bad Request", "", CLOSE, "Content-Type"),
                ("OPTIONS / HTTP/1.1", "200 OK", ALLOW, "", "Content-Type"),
                ("OPTIONS * HTTP/1.1", "200 OK", "", "", "Content-Length"),
            ] {
                if goes_its_own_way(name, line) {
                    continue;
                }
                let mut stage = asking(name, None, &format!("{line}\r\nHost: a.example\r\n\r\n"));
                let head = stage.heard();
                let start = format!(
                    "HTTP/1.1 {status}\\r\\nDate: Sun, 22 Nov 2026 07:52:33 GMT\\r\\n\
                     Server: Apache/2.4.52 (Ubuntu)\\r\\n{allow}"
                );
                assert!(head.starts_with(&start), "{name} {line}: {head}");
                let rest = &head[start.len()..];
                let has_length = last != "Content-Length" && !line.starts_with("HEAD");
                assert_eq!(rest.starts_with("Content-Length: "), has_length, "{line}: {head}");
                assert!(
                    rest.ends_with(lasting) && head.ends_with("\\r\\n"),
                    "{name} {line}: {rest}"
                );
                stage.pass_secs(86_400);
                assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() == 1), "{name} {line}");
                let text = stage.text();
                let (field, blanks) = text.split_at(last.len() + 1);
                assert_eq!(field, format!("{last}:"), "{name} {line}");
                assert!(blanks.len() > 9_000 && blanks.trim().is_empty(), "{name} {line}");
                assert_eq!(stage.closed, None);
                // No rate lets the head grow beyond what clients bear.
                let mut stage = asking(name, Some(0), &format!("{line}\r\n\r\n"));
                stage.pass_secs(86_400);
                assert!(stage.session.sent() < 12_500, "{name} {line}");
            }
        }
    }

    #[test]
    fn a_request_for_a_head_gets_its_first_lines_at_once_and_the_rest_slowly() {
        for name in names() {
            let mut stage = asking(name, None, &GET.replace("GET", "HEAD"));
            let head = stage.heard();
            assert!(head.contains("(Ubuntu)\\r\\n") && head.ends_with("\\r\\n"), "{name}");
            assert!(!head.contains("\\r\\n\\r\\n"), "{name}");
            stage.pass_secs(600);
            assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() == 1), "{name}");
            assert!(stage.sent.len() > 60, "{name}");
        }
    }

    #[test]
    fn a_guess_is_refused_whole_after_nine_seconds_of_silence_whatever_the_rate() {
        for name in names() {
            for rate in [None, Some(-60), Some(1), Some(65_536), Some(0)] {
                let mut stage = asking(name, rate, GUESS);
                // Three guesses on one connection; the second in two parts.
                for round in 0..3_u64 {
                    let start = stage.now;
                    let before = stage.sent.len();
                    if round > 0 {
                        stage.says(&GUESS[..50]).says(&GUESS[50..]);
                    }
                    stage.pass_secs(20);
                    assert_eq!(stage.sent.len(), before + 1, "{name} {rate:?}: one write");
                    let (at, bytes) = &stage.sent[before];
                    let silence = at.since(start).as_millis();
                    assert!((9_000..=9_900).contains(&silence), "{name}: {silence}");
                    let (head, body) = answer(bytes);
                    assert_eq!(head[0], "HTTP/1.1 401 Unauthorized");
                    assert_eq!(field(&head, "WWW-Authenticate"), Some("Basic realm=\"Server\""));
                    let length = body.len().to_string();
                    assert_eq!(field(&head, "Content-Length"), Some(&length[..]));
                    assert_ne!(field(&head, "Connection"), Some("close"));
                }
                assert_eq!(stage.pass_secs(86_400).closed, None);
            }
        }
    }

    #[test]
    fn a_guesser_that_shows_no_password_yet_is_told_of_no_success() {
        const MEDUSA: &str = "Mozilla/1.22 (compatible; MSIE 10.0; Windows 3.1)";
        for name in names() {
            let probe = format!("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: {MEDUSA}\r\n\r\n");
            let mut stage = asking(name, None, &probe);
            stage.pass_secs(8);
            assert_eq!(stage.text(), "", "{name}");
            stage.pass_secs(12);
            assert_eq!(answer(&stage.bytes()).0[0], "HTTP/1.1 401 Unauthorized", "{name}");
        }
    }

    #[test]
    fn a_guess_is_one_however_its_version_is_written() {
        for name in names() {
            for line in ["GET / http/1.1", "GET / Http/1.0", "GET HTTP/1.1", "GET / x", "POST /"] {
                let mut stage = asking(name, None, &GUESS.replace("GET / HTTP/1.1", line));
                stage.pass_secs(8);
                assert_eq!(stage.text(), "", "{name} {line}");
                stage.pass_secs(12);
                assert!(stage.text().starts_with("HTTP/1.1 401 "), "{name} {line}");
            }
        }
    }

    #[test]
    fn the_page_of_a_refusal_is_the_one_that_every_apache_has() {
        for name in names() {
            let mut stage = asking(name, None, GUESS);
            stage.pass_secs(20);
            let (_, body) = answer(&stage.bytes());
            let page = String::from_utf8(body).expect("text");
            let expected = "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n\
                <title>401 Unauthorized</title>\n</head><body>\n<h1>Unauthorized</h1>\n\
                <p>This server could not verify that you\n\
                are authorized to access the document\n\
                requested.  Either you supplied the wrong\n\
                credentials (e.g., bad password), or your\n\
                browser doesn't understand how to supply\n\
                the credentials required.</p>\n<hr>\n\
                <address>Apache/2.4.52 (Ubuntu) Server at a.example Port 22</address>\n\
                </body></html>\n";
            assert_eq!(page, expected, "{name}");
        }
    }

    #[test]
    fn the_dates_of_refusals_are_those_of_their_sending() {
        for name in names() {
            let mut stage = asking(name, None, "");
            stage.pass_secs(3_600).says(GUESS).pass_secs(20);
            let (head, _) = answer(&stage.bytes());
            let date = field(&head, "Date").expect("a date");
            assert!(date.starts_with("Sun, 22 Nov 2026 08:52:4"), "{date}");
        }
    }

    #[test]
    fn the_body_of_a_guess_is_skipped_wherever_it_is_cut() {
        let body = "user=GET / HTTP/1.1\r\n\r\n";
        let post = format!(
            "POST / HTTP/1.1\r\nAuthorization: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        for name in names() {
            for late in 0..=body.len() {
                let (now, later) = post.split_at(post.len() - late);
                let mut stage = asking(name, None, now);
                stage.pass_secs(if late % 2 == 0 { 1 } else { 30 });
                stage.says(later).pass_secs(600);
                assert_eq!(stage.sent.len(), 1, "{name}: one answer to one request");
                stage.says(GUESS).pass_secs(20);
                assert_eq!(stage.sent.len(), 2, "{name}: another to the next");
            }
        }
    }

    #[test]
    fn a_guess_whose_body_has_no_known_end_is_refused_once() {
        for name in names() {
            let post = "POST / HTTP/1.1\r\nAuthorization: x\r\nTransfer-Encoding: chunked\r\n\r\n";
            let mut stage = asking(name, None, post);
            stage.says("5\r\nGET /\r\n0\r\n\r\n").pass_secs(20);
            assert_eq!(stage.sent.len(), 1, "{name}");
            stage.says(GUESS).pass_secs(86_400);
            assert_eq!(stage.sent.len(), 1, "{name}");
        }
    }

    #[test]
    fn guesses_that_do_not_wait_for_their_answers_are_refused_one_by_one_while_they_fit() {
        for name in names() {
            let mut stage = asking(name, Some(1_024), &GUESS.repeat(5));
            stage.pass_secs(100);
            assert_eq!(stage.sent.len(), 5, "{name}");
            let mut stage = asking(name, None, &GUESS.repeat(100));
            stage.pass_secs(1_000);
            assert_eq!((stage.sent.len(), stage.closed), (1, None), "{name}");
        }
    }

    #[test]
    fn who_asks_for_heads_with_credentials_gets_heads() {
        for name in names() {
            let mut stage = asking(name, None, &GUESS.replace("GET", "HEAD"));
            stage.pass_secs(20);
            let (head, body) = answer(&stage.bytes());
            assert_eq!((&head[0][..], body.len()), ("HTTP/1.1 401 Unauthorized", 0), "{name}");
            assert_ne!(field(&head, "Content-Length"), Some("0"));
        }
    }

    #[test]
    fn without_validation_the_answer_begins_at_once_whatever_is_asked() {
        for name in names() {
            let mut stage = Stage::new(name).unvalidated().open();
            assert!(stage.text().starts_with("HTTP/1.1 "), "{name}");
            stage.says(GUESS.repeat(100)).pass_secs(86_400);
            assert_eq!(stage.text().matches("HTTP/1.1").count(), 1, "{name}");
            assert_eq!(stage.closed, None);
        }
    }

    #[test]
    fn a_long_upload_costs_no_memory() {
        for name in names() {
            let mut stage =
                asking(name, None, "PUT / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
            for _ in 0..100 {
                if stage.listens() {
                    stage.says([b'x'; 4_096]);
                }
                stage.pass_secs(1);
            }
            assert!(stage.save().len() < 8_192, "{name}");
        }
    }
}
