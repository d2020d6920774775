//! Transcripts of `ftp_hold`, and of what is on its data connections.

use tarpit_proto::{handshake_budget::LoadLevel, patterns, persona::Persona};

use crate::{
    stage::{Stage, seed},
    tls::tls,
};

const LOGIN_FIRST: &str = r"530 Please login with USER and PASS.\r\n";
const PASSWORD: &str = r"331 Please specify the password.\r\n";

/// A client that has been greeted.
fn greeted() -> Stage {
    let mut stage = Stage::new("ftp_hold").open();
    assert_eq!(stage.heard(), r"220 (vsFTPd 3.0.5)\r\n");
    stage
}

/// The same where the anonymous get in.
fn poisoned() -> Stage {
    let mut stage = Stage::new("ftp_hold");
    stage.profile.poison = true;
    stage.data_port = Some(40_001);
    let mut stage = stage.open();
    stage.heard();
    stage
}

/// What answers `said`, and after how many milliseconds.
fn answer(stage: &mut Stage, said: &str, seconds: u64) -> (String, u64) {
    let before = stage.now;
    stage.says([said, "\r\n"].concat()).pass_secs(seconds);
    let (first, _) = stage.sent.first().expect("an answer");
    let after = first.since(before).as_millis() as u64;
    (stage.heard(), after)
}

/// A client that is in.
fn inside() -> Stage {
    let mut stage = poisoned();
    assert_eq!(answer(&mut stage, "USER anonymous", 20).0, PASSWORD);
    assert_eq!(answer(&mut stage, "PASS x@", 20).0, r"230 Login successful.\r\n");
    stage
}

#[test]
fn each_guess_is_answered_after_two_silences_and_then_for_thirty_days() {
    let mut stage = greeted();
    for guess in 0..3 {
        let (text, after) = answer(&mut stage, "USER root", 19);
        assert_eq!(text, PASSWORD, "{guess}");
        assert!((14_850..=18_150).contains(&after), "{after}");
        let (text, after) = answer(&mut stage, "PASS secret", 19);
        // In one write: a guesser finds a last line in it, a library none of this reply.
        let refusal = r"530-Login incorrect.\r\n After a wrong password the next one may take\r\n";
        assert!(text.starts_with(&[refusal, r"120 seconds or more.\r\n"].concat()), "{text}");
        assert!(!text.contains("attempts"), "{text}");
        assert!((14_850..=18_150).contains(&after), "{after}");
    }
    stage.pass_secs(30 * 86_400);
    assert!(stage.sent.len() > 300_000);
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
    assert!(stage.sent.iter().all(|(_, line)| line.starts_with(b"530-") && line.len() < 80));
    let users = stage.news.iter().filter(|fact| *fact == "learnt user root").count();
    let secrets = stage.news.iter().filter(|fact| *fact == "learnt secret secret").count();
    assert_eq!((users, secrets, stage.closed), (3, 3, None));
}

#[test]
fn what_is_said_before_an_answer_stalls_and_no_line_is_read_from_its_middle() {
    let long = ["SITE ", &"v".repeat(5_000), "\r\nPWD\r\n"].concat();
    for said in ["USER root", "PASS secret"] {
        let named = || {
            let mut stage = greeted();
            assert_eq!(answer(&mut stage, "USER admin", 20).0, PASSWORD);
            stage.learnt.clear();
            stage
        };
        let mut stage = named();
        stage.says([said, "\r\n", &long].concat());
        assert!(!stage.listens(), "its sending stalls");
        stage.pass_secs(60);
        assert!(stage.listens());
        let [_, site, pwd] = &stage.learnt[..] else { panic!("{:?}", stage.learnt) };
        assert!(site.ends_with("(of 5005)"), "{site}");
        assert_eq!(pwd, "command PWD");
        let mut stage = named();
        stage.says([said, "\r\n", &long].concat()).half_closes().pass_secs(60);
        assert_eq!(stage.learnt.len(), 1, "{:?}", stage.learnt);
    }
}

#[test]
fn a_client_that_reads_on_gets_no_line_that_could_be_the_last() {
    for said in ["USER anonymous", "USER FTP", "FEAT\r\nUSER root", "OPTS UTF8 ON\r\nUSER root"] {
        let mut stage = greeted();
        assert!(answer(&mut stage, said, 20).0.ends_with(PASSWORD));
        let (text, _) = answer(&mut stage, "PASS x@", 600);
        assert!(text.split_terminator(r"\r\n").all(|line| line.starts_with("530-")), "{text}");
        assert!(!text.contains("attempts"), "{text}");
    }
}

#[test]
fn nobody_gets_in_without_poison_and_with_it_only_the_anonymous() {
    for (poison, user, is_in) in [
        (false, "anonymous", false),
        (false, "root", false),
        (true, "root", false),
        (true, "ftp", true),
    ] {
        let mut stage = if poison { poisoned() } else { greeted() };
        answer(&mut stage, &format!("USER {user}"), 20);
        let (text, _) = answer(&mut stage, "PASS x", 300);
        assert_eq!(text.contains("230"), is_in, "{poison} {user}");
        let (text, _) = answer(&mut stage, "LIST", 20);
        assert_eq!(text == LOGIN_FIRST, !is_in, "{poison} {user}: {text}");
        // Nobody changes from the anonymous user to another; else another name is another login.
        let (text, after) = answer(&mut stage, "USER root", 20);
        assert_eq!(text.starts_with("530 "), is_in, "{poison} {user}: {text}");
        assert!(after > 14_000, "{poison} {user}: {after}");
        assert_eq!(answer(&mut stage, "PWD", 20).0 == LOGIN_FIRST, !is_in);
    }
}

#[test]
fn before_the_login_everything_is_refused_as_by_the_personas_server() {
    for (said, wanted) in [
        ("PASS x", r"503 Login with USER first.\r\n"),
        ("SYST", LOGIN_FIRST),
        ("PASV", LOGIN_FIRST),
        ("EPSV", LOGIN_FIRST),
        ("PORT 127,0,0,1,1,1", LOGIN_FIRST),
        ("AUTH TLS", LOGIN_FIRST),
        ("PBSZ 0", LOGIN_FIRST),
        ("opts utf8 on", r"200 Always in UTF8 mode.\r\n"),
    ] {
        assert_eq!(answer(&mut greeted(), said, 3_600), (wanted.to_owned(), 0), "{said}");
    }
    let mut stage = greeted();
    let (text, _) = answer(&mut stage, "FEAT", 20);
    assert!(text.starts_with(r"211-Features:\r\n EPRT\r\n") && text.ends_with(r"211 End\r\n"));
    assert!(!text.contains("TLS"), "{text}");
    assert!(stage.news.contains(&"learnt command FEAT".to_owned()));
    for (persona, wanted) in [
        ("debian-12", "530-Login incorrect."),
        ("ip-camera", "530-Login incorrect."),
        ("windows-server-2019", "530-User cannot log in."),
    ] {
        let mut stage = Stage::new("ftp_hold");
        stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
        let mut stage = stage.open();
        stage.says("USER a\r\n").pass_secs(20).heard();
        assert!(answer(&mut stage, "PASS b", 20).0.starts_with(wanted));
    }
}

#[test]
fn a_client_with_a_login_is_told_where_to_fetch_a_listing_and_waits_for_its_end() {
    let mut stage = inside();
    for (said, wanted) in [
        ("SYST", "215 UNIX Type: L8"),
        ("PWD", "257 \\\"/\\\" is the current directory"),
        ("TYPE I", "200 Switching to Binary mode."),
        ("PORT 192,0,2,1,0,22", "500 Illegal PORT command."),
        ("EPRT |1|192.0.2.1|22|", "500 Illegal EPRT command."),
        ("LIST", "425 Use PORT or PASV first."),
        ("MLSD", "500 Unknown command."),
        ("STOR x", "425 Use PORT or PASV first."),
        ("DELE x", "550 Permission denied."),
    ] {
        assert_eq!(answer(&mut stage, said, 20).0, [wanted, r"\r\n"].concat(), "{said}");
    }
    let (text, _) = answer(&mut stage, "EPSV", 1);
    assert_eq!(text, r"229 Entering Extended Passive Mode (|||40001|)\r\n");
    let (text, _) = answer(&mut stage, "PASV", 1);
    assert_eq!(text, r"227 Entering Passive Mode (198,51,100,1,156,65).\r\n");
    stage.opens_data();
    assert_eq!(answer(&mut stage, "LIST", 1).0, r"150 Here comes the directory listing.\r\n");
    stage.says("NOOP\r\nABOR\r\n").pass_secs(30 * 86_400);
    assert_eq!((stage.heard().as_str(), stage.closed), ("", None));
}

#[test]
fn where_there_are_no_ports_nobody_is_told_one() {
    let mut stage = inside();
    stage.data_port = None;
    assert_eq!(answer(&mut stage, "PASV", 1).0, "425 Failed to establish connection.\\r\\n");
    assert!(answer(&mut stage, "LIST", 1).0.starts_with("425 "));
}

#[test]
fn the_address_that_the_user_names_is_told() {
    let mut stage = Stage::new("ftp_hold");
    stage.profile.poison = true;
    stage.data_port = Some(40_001);
    stage.profile.passive_address = Some([203, 0, 113, 9].into());
    let mut stage = stage.open();
    stage.says("USER ftp\r\nPASS x\r\n").pass_secs(60).heard();
    assert!(answer(&mut stage, "PASV", 1).0.contains("(203,0,113,9,"));
}

#[test]
fn a_directory_has_no_end_and_an_upload_is_not_read() {
    let data = patterns::named("ftp_hold").and_then(|pattern| pattern.about().data);
    let data = data.expect("a pattern for data connections");
    let mut stage = Stage::with(data).open();
    stage.pass_secs(30 * 86_400);
    assert!(stage.sent.len() > 300_000);
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
    for (_, line) in &stage.sent {
        let line = core::str::from_utf8(line).expect("text");
        let words: Vec<_> = line.split_whitespace().collect();
        assert!(words.len() == 9 && words[0] == "-rw-r--r--" && line.len() < 80, "{line}");
        assert!(line.ends_with("\r\n"));
    }
    let mut stage = Stage::with(data).open();
    stage.says([b'x'; 1_000]);
    assert!(!stage.listens());
    stage.pass_secs(86_400);
    assert_eq!((stage.heard().as_str(), stage.closed), ("", None));
    let mut stage = Stage::with(data);
    stage.profile.persona = Persona::named("windows-server-2019", &seed()).expect("a persona");
    let mut stage = stage.open();
    stage.pass_secs(3);
    let line = stage.heard();
    assert!(line.contains("-26  ") && (line.contains("AM ") || line.contains("PM ")), "{line}");
    stage.hand_over().pass_secs(100);
    assert!(stage.sent.len() > 10);
}

#[test]
fn tls_is_offered_where_there_is_a_certificate_and_begins_behind_its_reply() {
    let secured = |load_level| {
        let mut stage = Stage::new("ftp_hold");
        stage.profile.tls = Some(tls());
        stage.budget.press(load_level);
        let mut stage = stage.open();
        stage.heard();
        (answer(&mut stage, "AUTH TLS", 1).0, stage)
    };
    let (text, mut stage) = secured(LoadLevel::Ease);
    assert_eq!(text, r"234 Proceed with negotiation.\r\n");
    stage.says(include_bytes!("../corpus/client_hello.bin")).pass_secs(5);
    assert_eq!(stage.bytes().get(..2), Some(&[0x16, 3][..]), "a hello of ours");
    let (text, mut stage) = secured(LoadLevel::Plain);
    assert!(text.starts_with("431 "), "{text}");
    // lftp is not led to a certificate that it would not believe.
    assert!(!answer(&mut stage, "FEAT", 1).0.contains("TLS"));
    stage.budget.press(LoadLevel::Ease);
    assert_eq!(answer(&mut stage, "AUTH TLS", 1).0, LOGIN_FIRST);
    assert_eq!(answer(&mut stage, "USER a", 40).0, PASSWORD);
}

#[test]
fn a_data_connection_whose_handshake_cannot_be_afforded_is_held_in_silence() {
    let data = patterns::named("ftp_hold").and_then(|pattern| pattern.about().data);
    let mut stage = Stage::with(data.expect("a pattern for data connections"));
    stage.profile.tls = Some(tls());
    stage.budget.press(LoadLevel::Plain);
    let mut stage = stage.open();
    stage.says(include_bytes!("../corpus/client_hello.bin")).pass_secs(86_400);
    assert_eq!((stage.heard().as_str(), stage.closed), ("", None));
    assert!(stage.listens(), "its leaving is noticed");
}

#[test]
fn a_goodbye_is_answered_without_end() {
    let mut stage = greeted();
    let (text, _) = answer(&mut stage, "QUIT", 600);
    assert!(text.starts_with(r"221-Goodbye.\r\n"), "{text}");
    assert!(text.split_terminator(r"\r\n").all(|line| line.starts_with("221-")), "{text}");
}

#[test]
fn endless_commands_are_answered_at_our_pace() {
    let mut stage = greeted();
    stage.says("SYST\r\n".repeat(100));
    let at_once = stage.sent.len();
    assert!((10..=30).contains(&at_once), "{at_once}");
    stage.pass_secs(80);
    assert!((9..=12).contains(&(stage.sent.len() - at_once)), "{}", stage.sent.len());
    assert!(stage.news.iter().filter(|fact| fact.contains("command")).count() <= 20);
}

#[test]
fn the_next_user_name_ends_the_wait_for_the_first() {
    let mut stage = greeted();
    stage.says("USER a\r\n").pass_secs(1);
    assert_eq!(stage.heard(), "");
    assert_eq!(answer(&mut stage, "USER b", 1), (PASSWORD.to_owned(), 0));
    stage.pass_secs(20);
    assert_eq!(stage.heard(), PASSWORD);
    // The answer to a password waits even where the client sends it ahead.
    stage.says("USER c\r\nPASS d\r\n").pass_secs(14);
    assert_eq!(stage.heard(), "");
}

#[test]
fn what_is_not_there_is_not_sent_and_the_state_told_is_the_clients_own() {
    let mut stage = inside();
    let status = answer(&mut stage, "STAT", 1).0;
    assert!(status.contains("TYPE: ASCII") && !status.contains("encrypted"), "{status}");
    answer(&mut stage, "TYPE I", 1);
    assert!(answer(&mut stage, "STAT", 1).0.contains("TYPE: BINARY"));
    answer(&mut stage, "TYPE A", 1);
    assert!(answer(&mut stage, "STAT", 1).0.contains("TYPE: ASCII"));
    answer(&mut stage, "PASV", 1);
    assert_eq!(answer(&mut stage, "RETR nosuchfile", 1).0, r"550 Failed to open file.\r\n");
    assert_eq!(answer(&mut stage, "LIST", 1).0, r"150 Here comes the directory listing.\r\n");
}
