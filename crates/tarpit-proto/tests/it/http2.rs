//! Transcripts of HTTP/2 with `http_hold`, frame by frame.

use proptest::prelude::*;
use tarpit_proto::fuzzing;

use crate::{http, stage::Stage};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A literal field with a new name.
fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("short");
    let (name_length, value_length) = (length(name), length(value));
    [&[0, name_length], name.as_bytes(), &[value_length], value.as_bytes()].concat()
}

/// A request: `GET /` to a host, and these fields.
pub(crate) fn request(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = b"\x82\x86\x84\x41\x09a.example".to_vec();
    for (name, value) in fields {
        block.extend(field(name, value));
    }
    frame(1, 0b101, stream, &block)
}

/// What a client says first, with its own settings.
pub(crate) fn opening() -> Vec<u8> {
    [PREFACE, &frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]), &frame(8, 0, 0, &[0, 1, 0, 0])].concat()
}

/// A frame as its kind, flags, stream and payload.
type Frame = (u8, u8, u32, Vec<u8>);

/// The frames in `bytes`, which must be whole.
fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut all = Vec::new();
    while let &[high, middle, low, kind, flags, a, b, c, d, ref rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        all.push((kind, flags, u32::from_be_bytes([a, b, c, d]), rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty(), "half a frame");
    all
}

fn connected(requests: &[Vec<u8>]) -> Stage {
    let mut stage = Stage::new("http_hold").open();
    stage.says([opening(), requests.concat()].concat());
    stage
}

/// What was sent since this was last asked.
fn answers(stage: &mut Stage) -> Vec<Frame> {
    let frames = frames(&stage.bytes());
    stage.sent.clear();
    frames
}

#[test]
fn our_settings_come_first_and_the_clients_are_acknowledged() {
    let mut stage = connected(&[]);
    let got = answers(&mut stage);
    assert_eq!(got.len(), 2);
    assert_eq!((got[0].0, got[0].1, &got[0].3[..6]), (4, 0, &[0, 1, 0, 0, 0, 0][..]));
    assert_eq!((got[1].0, got[1].1, got[1].3.len()), (4, 1, 0));
    // A ping is echoed, and what is acknowledged is not.
    stage.says(
        [frame(4, 1, 0, &[]), frame(6, 0, 0, b"12345678"), frame(6, 1, 0, b"12345678")].concat(),
    );
    assert_eq!(answers(&mut stage), [(6, 1, 0, b"12345678".to_vec())]);
    stage.pass_secs(86_400);
    assert!(answers(&mut stage).is_empty());
}

#[test]
fn a_page_begins_at_once_and_goes_on_a_byte_every_eight_seconds() {
    let mut stage = connected(&[request(1, &[("user-agent", "curl/7.88.1")])]);
    let got = answers(&mut stage);
    let [.., (kind, flags, stream, fields), page] = &got[..] else { panic!("an answer") };
    assert_eq!((*kind, *flags, *stream), (1, 4, 1));
    // The body does not begin in crumbs.
    assert_eq!((page.0, page.1, page.2), (0, 0, 1));
    assert!(page.3.starts_with(b"<!DOCTYPE html>") && page.3.len() > 500, "{page:?}");
    let text = fields.escape_ascii().to_string();
    assert!(text.contains("200") && text.contains("Apache/2.4.52 (Ubuntu)"), "{text}");
    stage.pass_secs(600);
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)), "{:?}", stage.gaps());
    let got = answers(&mut stage);
    assert!(got.len() > 65 && got.iter().all(|one| *one == (0, 0, 1, b" ".to_vec())));
    assert_eq!(
        stage.news[1..],
        [
            "learnt http_request GET / HTTP/2.0",
            "learnt http_host a.example",
            "learnt http_user_agent curl/7.88.1"
        ]
    );
    // No rate makes it faster than the client's window bears.
    let mut stage = Stage::new("http_hold").rate(0).open();
    stage.says([opening(), request(1, &[])].concat()).pass_secs(600);
    assert!(answers(&mut stage).len() < 100);
}

#[test]
fn a_guess_is_refused_whole_after_nine_seconds_and_so_is_each_that_waits() {
    let guess = |stream| request(stream, &[("authorization", "Basic cm9vdDp0b29y")]);
    let mut stage = connected(&[guess(1), guess(3), guess(5)]);
    assert_eq!(answers(&mut stage).len(), 2);
    assert!(stage.news.contains(&"learnt user root".to_owned()), "{:?}", stage.news);
    let start = stage.now;
    stage.pass_secs(30);
    let mut before = start;
    for (stream, (at, bytes)) in [1, 3, 5].into_iter().zip(&stage.sent) {
        let silence = at.since(before).as_millis();
        assert!((9_000..=9_500).contains(&silence), "{stream}: {silence}");
        before = *at;
        let got = frames(bytes);
        assert_eq!((got[0].0, got[0].1, got[0].2), (1, 4, stream));
        assert!(got[0].3.starts_with(b"\x08\x03401"));
        assert_eq!((got[1].0, got[1].1, got[1].2), (0, 1, stream));
        assert!(got[1].3.starts_with(b"<!DOCTYPE HTML"));
    }
    assert_eq!(stage.sent.len(), 3);
    answers(&mut stage);
    stage.says(guess(7)).pass_secs(20);
    assert_eq!(answers(&mut stage).len(), 2, "the connection stays");
}

#[test]
fn a_searcher_gets_a_whole_answer_to_each_request() {
    let mut stage = connected(&[request(1, &[("user-agent", "Fuzz Faster U Fool v2.0.0")])]);
    stage.pass_secs(9);
    let got = answers(&mut stage);
    assert!(got[2].3.starts_with(b"\x08\x03200") && got[3].3.ends_with(b"</html>\n"));
    // What the client is owed meanwhile waits until the answer is out.
    let path = [field(":path", "/x"), field(":authority", "a.example")].concat();
    let block = [&b"\x82\x86"[..], &path, &field("user-agent", "gobuster/3.5")].concat();
    stage.says(frame(1, 0b101, 3, &block)).says(frame(6, 0, 0, b"12345678")).pass_secs(9);
    let got = answers(&mut stage);
    assert!(got[0].3.starts_with(b"\x08\x03404"));
    assert_eq!((got[2].0, got[2].1), (6, 1));
}

#[test]
fn a_client_without_a_request_is_pinged_and_never_told_of_a_success() {
    let head = [&field(":method", "HEAD")[..], b"\x84\x86"].concat();
    let put = [&field(":method", "CONNECT")[..], &field(":authority", "b.example:25")].concat();
    // A request whose fields go on in frames that are not read may be a guess.
    let torn = frame(1, 1, 1, b"\x82\x86\x84");
    for asked in [frame(1, 5, 1, &head), frame(1, 4, 1, &put), torn] {
        let mut stage = connected(&[asked]);
        answers(&mut stage);
        stage.pass_secs(600);
        let got = answers(&mut stage);
        assert!(got.len() > 65 && got.iter().all(|one| (one.0, one.1) == (6, 0)));
        assert_ne!(got[0].3, got[1].3);
    }
    let stage = connected(&[frame(1, 4, 1, &put)]);
    assert!(stage.news.contains(&"learnt http_request CONNECT b.example:25 HTTP/2.0".to_owned()));
}

/// What is left of an answer when its fields are not compared: kind, flags, stream.
fn outline(frames: &[Frame]) -> Vec<(u8, u8, u32)> {
    frames.iter().map(|one| (one.0, one.1, one.2)).collect()
}

#[test]
fn endless_pings_are_answered_at_the_pace() {
    let ping = frame(6, 0, 0, b"12345678");
    let settings = frame(4, 0, 0, &[]);
    let mut idle = connected(&[]);
    answers(&mut idle);
    idle.says([ping.repeat(8), settings.repeat(100)].concat());
    let at_once = answers(&mut idle).len();
    assert!((14..=16).contains(&at_once), "{at_once}");
    idle.pass_secs(80);
    let slowly = answers(&mut idle);
    assert!((9..=11).contains(&slowly.len()), "{}", slowly.len());
    assert!(slowly.iter().all(|one| (one.0, one.1) == (4, 1)));
    // A client that waits for a page gets it in the meantime.
    let mut stage = connected(&[request(1, &[])]);
    answers(&mut stage);
    stage.says(ping.repeat(200));
    answers(&mut stage);
    stage.pass_secs(80);
    let got = answers(&mut stage);
    let pages = got.iter().filter(|one| one.0 == 0).count();
    let echoes = got.iter().filter(|one| one.0 == 6).count();
    assert!((9..=11).contains(&echoes) && pages >= echoes, "{echoes} {pages}");
    assert!(pages <= 2 * echoes + 1, "{echoes} {pages}");
}

#[test]
fn a_client_that_pings_more_often_than_a_byte_is_due_gets_the_page_and_its_echoes() {
    let mut stage = connected(&[request(1, &[])]);
    answers(&mut stage);
    for round in 0..100 {
        stage.says(frame(6, 0, 0, b"12345678")).pass_secs(7);
        assert!(answers(&mut stage).iter().any(|one| one.0 == 0) || round > 14, "{round}");
        if round % 2 == 1 {
            stage.pass_secs(7);
            assert!(!answers(&mut stage).is_empty(), "{round}");
        }
    }
    for _ in 0..30 {
        stage.says(frame(6, 0, 0, b"12345678")).pass_secs(9);
        let got = answers(&mut stage);
        assert!(got.iter().any(|one| one.0 == 0) && got.iter().any(|one| one.0 == 6));
    }
}

#[test]
fn an_answer_to_a_stream_that_waited_is_whole_whether_or_not_it_asked_for_a_head() {
    let fields = |method: &str| {
        let guess = field("authorization", "Basic cm9vdDp0b29y");
        [&field(":method", method)[..], b"\x84\x86", &guess].concat()
    };
    for methods in [["HEAD", "GET"], ["GET", "HEAD"], ["HEAD", "HEAD"]] {
        let asked = [frame(1, 5, 1, &fields(methods[0])), frame(1, 5, 3, &fields(methods[1]))];
        let mut stage = connected(&asked);
        answers(&mut stage);
        stage.pass_secs(20);
        let got = answers(&mut stage);
        assert_eq!(outline(&got), [(1, 5, 1), (1, 5, 3)], "{methods:?}");
        for (_, _, _, block) in &got {
            assert!(block.starts_with(b"\x08\x03401"));
            // A literal with a name of the static table: `content-length` is its 28th.
            assert!(!block.windows(2).any(|two| two == [0x0F, 28 - 15]), "{methods:?}");
        }
        // Those that come when nobody waits are answered as they ask again.
        stage.says(frame(1, 5, 5, &fields("GET"))).pass_secs(10);
        let got = answers(&mut stage);
        assert_eq!(outline(&got), [(1, 4, 5), (0, 1, 5)]);
        assert!(got[0].3.windows(2).any(|two| two == [0x0F, 28 - 15]));
    }
}

#[test]
fn a_stream_that_is_reset_makes_room_for_the_next() {
    let mut stage = connected(&[request(1, &[]), request(3, &[])]);
    stage.pass_secs(30);
    answers(&mut stage);
    stage.says(frame(3, 0, 1, &[0, 0, 0, 8])).pass_secs(60);
    assert!(answers(&mut stage).iter().all(|one| one.0 == 6));
    stage.says(frame(3, 0, 3, &[0, 0, 0, 8])).says(request(5, &[]));
    assert!(answers(&mut stage).iter().any(|one| (one.0, one.2) == (1, 5)));
}

#[test]
fn long_payloads_are_skipped_and_cost_no_memory() {
    let mut stage = connected(&[request(1, &[])]);
    answers(&mut stage);
    for _ in 0..4 {
        stage.says(frame(0, 0, 1, &[b'x'; 16_384]));
    }
    // A block beyond what may wait is read as far as that.
    let long = [&b"\x82\x86\x84"[..], &b"\x00\x01x\x7f\x80\x7e"[..], &[b'x'; 16_255]].concat();
    stage.says(frame(1, 5, 3, &long)).says(frame(6, 0, 0, b"12345678"));
    // The next byte of the page goes with it.
    assert_eq!(answers(&mut stage), [(6, 1, 0, b"12345678".to_vec()), (0, 0, 1, b" ".to_vec())]);
    assert!(stage.save().len() < 200);
}

#[test]
fn thirty_days_and_a_hand_over_go_unnoticed() {
    let mut stage = connected(&[request(1, &[])]);
    answers(&mut stage);
    for _ in 0..30 {
        stage.hand_over();
        stage.pass_secs(86_400);
    }
    assert_eq!(stage.closed, None);
    let got = answers(&mut stage);
    assert!(got.len() > 300_000 && got.iter().all(|one| one.2 == 1));
}

#[test]
fn other_openings_are_of_http_1() {
    let stage = http::asking("http_hold", None, "PRI * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(stage.text().starts_with("HTTP/1.1 400 "), "{}", stage.text());
}

proptest! {
    #[test]
    fn frames_have_one_reading(parts in prop::collection::vec(
        (0_u8..10, 0_u8..64, 0_u32..9, prop::collection::vec(any::<u8>(), 0..40)),
        0..12,
    )) {
        let said: Vec<_> = parts
            .iter()
            .flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload))
            .collect();
        fuzzing::check_frames_have_one_reading(&said);
    }

    #[test]
    fn any_bytes_have_one_reading(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzzing::check_frames_have_one_reading(&bytes);
    }
}

#[test]
fn a_path_beyond_what_may_wait_is_told_with_its_true_length() {
    // In HPACK's code five bits are an `a`, and so five bytes eight of them.
    let coded = |length: usize| {
        let bits: String = "00011".repeat(length);
        let byte = |bits: &[u8]| bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
        bits.as_bytes().chunks(8).map(byte).collect::<Vec<u8>>()
    };
    // A length that does not fit seven bits (RFC 7541, section 5.1).
    let number = |first: u8, length: usize| {
        let rest = u32::try_from(length - 127).expect("few");
        vec![
            first | 127,
            (rest & 0x7F | 0x80) as u8,
            (rest >> 7 & 0x7F | 0x80) as u8,
            (rest >> 14) as u8,
        ]
    };
    for length in [400, 5_000, 8_000, 16_000] {
        for is_coded in [false, true] {
            let path = if is_coded { coded(length) } else { vec![b'a'; length] };
            let first = if is_coded { 0x80 } else { 0 };
            let block = [&b"\x82\x86\x04"[..], &number(first, path.len()), &path].concat();
            let whole = [opening(), frame(1, 0b101, 1, &block), request(3, &[])].concat();
            let mut stage = Stage::new("http_hold").open();
            for portion in whole.chunks(1_400) {
                // Also where the daemon is replaced meanwhile.
                stage.hand_over().says(portion);
            }
            let line = format!("GET {}", "a".repeat(252));
            // `GET `, the path, and the version.
            let wanted = format!("http_request {line} (of {})", 4 + length + 9);
            assert!(
                stage.learnt[0].starts_with(&wanted),
                "{length} {is_coded}: {:?}",
                stage.learnt
            );
            assert!(
                stage.learnt[1].starts_with("http_request GET / HTTP/2.0"),
                "{:?}",
                stage.learnt
            );
        }
    }
}

/// What a searcher is answered that asks so, with these further fields in their coded form.
fn searching(method: &str, path: &str, more: &[u8]) -> Vec<Frame> {
    let asked = [field(":method", method), field(":path", path)].concat();
    let host = field(":authority", "A.example");
    let block = [&asked[..], b"\x86", &host, &field("user-agent", "gobuster/3.5"), more].concat();
    let mut stage = connected(&[frame(1, 0b101, 1, &block)]);
    answers(&mut stage);
    stage.pass_secs(10);
    answers(&mut stage)
}

#[test]
fn a_page_that_the_client_has_comes_without_data() {
    // `if-none-match` by its place in the static table, and by its name.
    for tag in [b"\x0f\x1a\x01*".to_vec(), field("if-none-match", "*")] {
        let got = searching("GET", "/", &tag);
        assert_eq!(outline(&got), [(1, 5, 1)]);
        assert!(got[0].3.starts_with(b"\x08\x03304"), "{}", got[0].3.escape_ascii());
        let asked = [&b"\x82\x86\x84\x41\x09a.example"[..], &tag].concat();
        let mut stage = connected(&[frame(1, 5, 1, &asked)]);
        answers(&mut stage);
        stage.pass_secs(60);
        assert!(answers(&mut stage).iter().all(|one| one.0 == 6));
    }
}

#[test]
fn a_whole_answer_has_the_status_and_the_fields_that_http_1_has() {
    for (method, path, status, name, value) in [
        ("GET", "/", "200", 59, "Accept-Encoding"),
        ("FOO", "/", "501", 22, "GET"),
        ("DELETE", "/", "405", 22, "GET"),
        ("TRACE", "/", "405", 22, ""),
        ("GET", "/x", "404", 31, "text/html; charset=iso-8859-1"),
    ] {
        let got = searching(method, path, b"");
        assert_eq!(&got[0].3[2..5], status.as_bytes(), "{method} {path}");
        let at = got[0].3.windows(2).position(|two| two == [0x0F, name - 15]).expect("a field");
        let text = got[0].3[at + 3..].escape_ascii().to_string();
        assert!(text.contains(value), "{method} {path}: {text}");
        let page = got[1].3.escape_ascii().to_string();
        assert!(method != "DELETE" || page.contains("method DELETE is"), "{page}");
    }
    let folders = ["assets", "css", "data", "docs", "download", "files", "images", "img", "js"];
    let moved = folders.iter().find_map(|folder| {
        let got = searching("GET", &format!("/{folder}"), b"");
        got[0].3.starts_with(b"\x08\x03301").then(|| got[0].3.escape_ascii().to_string())
    });
    let moved = moved.expect("a folder that is there");
    assert!(moved.contains("http"), "{moved}");
}

/// A request with these fields to a host.
fn asking(stream: u32, method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut block = [field(":method", method), field(":path", path), b"\x86".to_vec()].concat();
    block.extend(field(":authority", "A.example:99"));
    for (name, value) in more {
        block.extend(field(name, value));
    }
    frame(1, 0b101, stream, &block)
}

#[test]
fn every_method_has_its_status_and_its_client_is_held() {
    for (method, path, status) in [
        ("PUT", "/", "405"),
        ("FOO", "/", "501"),
        ("get", "/", "501"),
        ("TRACE", "/", "405"),
        ("GET", "*", "400"),
        ("GET", "/../../x", "400"),
        ("POST", "/nothing", "404"),
        ("OPTIONS", "/", "200"),
        ("OPTIONS", "*", "200"),
    ] {
        let mut stage = connected(&[asking(1, method, path, &[])]);
        let got = answers(&mut stage);
        let [_, _, fields, page @ ..] = &got[..] else { panic!("{method} {path}: no answer") };
        assert_eq!((fields.0, fields.1, fields.2), (1, 4, 1), "{method} {path}");
        assert_eq!(&fields.3[2..5], status.as_bytes(), "{method} {path}");
        // There is no more to such an answer than its end, which never comes.
        let kind = if method == "OPTIONS" { 6 } else { 0 };
        assert_eq!(page.is_empty(), method == "OPTIONS", "{method} {path}");
        let page: Vec<_> = page.iter().flat_map(|one| one.3.clone()).collect();
        let page = page.escape_ascii().to_string();
        let names_host = page.contains("Server at a.example Port 99");
        assert!(page.is_empty() || names_host || path == "*", "{method} {path}: {page}");
        stage.pass_secs(600);
        let got = answers(&mut stage);
        assert!(got.len() > 65 && got.iter().all(|one| (one.0, one.1) == (kind, 0)), "{method}");
    }
}

#[test]
fn a_request_without_a_host_or_with_a_wrong_one_is_refused() {
    for host in [None, Some("a..b"), Some("")] {
        let mut block = b"\x82\x86\x84".to_vec();
        block.extend(host.map(|host| field(":authority", host)).unwrap_or_default());
        let mut stage = connected(&[frame(1, 0b101, 1, &block)]);
        assert_eq!(&answers(&mut stage)[2].3[2..5], b"400", "{host:?}");
    }
    // One that has not heard our settings may refer to the host of its first request.
    let searcher = [("user-agent", "gobuster/3.5")];
    let vague = [
        frame(1, 0b101, 3, b"\x82\x86\x84\xBE"),
        // Nor does it name its path or its method then.
        frame(1, 0b101, 5, b"\x82\x86\xBF\xBE"),
        frame(1, 0b101, 7, b"\xC0\x86\x84\xBE"),
    ];
    let mut stage = connected(&[asking(1, "GET", "/x", &searcher), vague.concat()]);
    stage.pass_secs(10);
    let got = answers(&mut stage);
    let statuses = got.iter().filter(|one| one.0 == 1).map(|one| &one.3[2..5]);
    assert_eq!(statuses.collect::<Vec<_>>(), [b"404", b"200", b"404", b"404"]);
}

#[test]
fn the_requests_of_a_searcher_that_wait_are_answered_in_one_go_each_by_what_it_asks_for() {
    let searcher = [("user-agent", "gobuster/3.5")];
    let asked = [
        asking(1, "GET", "/x", &searcher),
        asking(3, "HEAD", "/", &searcher),
        asking(5, "FOO", "/", &searcher),
        asking(7, "GET", "/", &searcher),
        asking(9, "GET", "/index.html", &searcher),
        asking(11, "GET", "/.htaccess", &searcher),
    ];
    let mut stage = connected(&asked);
    answers(&mut stage);
    // Also where the daemon is replaced meanwhile.
    stage.hand_over().pass_secs(9);
    let status = |frame: &Frame| (frame.2, String::from_utf8_lossy(&frame.3[2..5]).into_owned());
    let got = answers(&mut stage);
    let heads: Vec<_> = got.iter().filter(|one| one.0 == 1).map(status).collect();
    let wanted = [(1, "404"), (3, "200"), (5, "501"), (7, "200"), (9, "200"), (11, "403")];
    assert_eq!(heads, wanted.map(|(stream, status)| (stream, status.to_owned())));
    let bodies: Vec<_> = got.iter().filter(|one| one.0 == 0).map(|one| (one.1, one.2)).collect();
    assert_eq!(bodies, [(1, 1), (1, 5), (1, 7), (1, 9), (1, 11)], "a head is all of one");
    // The connection goes on, and nothing is kept.
    let before = stage.save().len();
    stage.says(asking(13, "GET", "/y", &searcher)).pass_secs(9);
    assert_eq!(outline(&answers(&mut stage)), [(1, 4, 13), (0, 1, 13)]);
    assert_eq!(stage.save().len(), before);
}

#[test]
fn a_searcher_that_asks_without_end_costs_no_more_than_a_kilobyte() {
    let searcher = [("user-agent", "gobuster/3.5")];
    let mut stage = connected(&[]);
    for stream in 0..2_000 {
        stage.says(asking(2 * stream + 1, "GET", "/x", &searcher));
    }
    assert!(stage.save().len() < 2_500, "{}", stage.save().len());
    stage.pass_secs(20);
    let got = answers(&mut stage);
    assert_eq!(got.iter().filter(|one| one.0 == 1).count(), 128);
}
