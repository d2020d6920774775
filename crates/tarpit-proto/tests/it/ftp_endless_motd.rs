//! Transcripts of `ftp_endless_motd`.

use tarpit_proto::persona::Persona;

use crate::stage::{Stage, seed};

const GREETING: &str = r"220 (vsFTPd 3.0.5)\r\n";
const NAME_FIRST: &str = r"530 Please login with USER and PASS.\r\n";
const PASSWORD: &str = r"331 Please specify the password.\r\n";

/// A client that has been greeted.
fn greeted() -> Stage {
    let mut stage = Stage::new("ftp_endless_motd").open();
    assert_eq!(stage.heard(), GREETING);
    stage
}

#[test]
fn a_login_is_answered_in_order_and_then_for_thirty_days() {
    let mut stage = greeted();
    stage.says("USER root\r\n");
    assert_eq!(stage.heard(), PASSWORD);
    stage.says("PASS secret\r\n").pass_secs(14);
    assert_eq!(stage.heard(), "", "silence comes first");
    stage.pass_secs(30 * 86_400);
    assert!((14_850..=18_150).contains(&stage.moments()[0]), "{}", stage.moments()[0]);
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
    assert_eq!(stage.sent[0].1, b"530-Login incorrect.\r\n");
    assert!(stage.sent.len() > 300_000);
    for (_, line) in &stage.sent {
        // No line is the last, and none is a welcome.
        assert!(line.starts_with(b"530-") && line.ends_with(b"\r\n"), "{}", line.escape_ascii());
        assert!(line.len() <= 80 && line[..line.len() - 2].iter().all(|&b| (32..127).contains(&b)));
    }
    let day = 86_400 / 8;
    assert_ne!(stage.sent[1..100], stage.sent[day..day + 99]);
    assert_eq!(stage.closed, None);
}

#[test]
fn two_clients_read_different_messages() {
    let message = |number| {
        let mut stage = Stage::new("ftp_endless_motd").numbered(number).open();
        stage.says("USER a\r\nPASS b\r\n").pass_secs(600);
        stage.bytes()
    };
    assert_ne!(message(1), message(2));
}

#[test]
fn every_command_before_the_password_has_its_one_whole_answer() {
    for (said, answer) in [
        ("USER root\r\n", PASSWORD),
        ("uSeR root\n", PASSWORD),
        ("PASS x\r\n", r"503 Login with USER first.\r\n"),
        ("OPTS UTF8 ON\r\n", r"200 Always in UTF8 mode.\r\n"),
        ("AUTH TLS\r\n", NAME_FIRST),
        ("syst\r\n", NAME_FIRST),
        ("LIST\r\n", NAME_FIRST),
        ("ACCT\r\n", NAME_FIRST),
        ("USER a\r\nUSER b\r\n", &[PASSWORD, PASSWORD].concat()),
        ("PASS x\r\nSYST\r\n", &[r"503 Login with USER first.\r\n", NAME_FIRST].concat()),
    ] {
        let mut stage = greeted();
        stage.says(said).pass_secs(3_600);
        assert_eq!(stage.heard(), answer, "{said}");
        // Behind the first command words need not be commands.
        stage.says("\r\nFROB\r\n").pass_secs(3_600);
        assert_eq!(stage.heard(), NAME_FIRST, "{said}");
        assert_eq!(stage.closed, None);
    }
    let mut stage = greeted();
    stage.says("FEAT\r\n");
    assert_eq!(stage.sent.len(), 1, "in one write");
    let features = stage.heard();
    assert!(features.starts_with("211-") && features.ends_with(r"211 End\r\n"), "{features}");
}

#[test]
fn a_goodbye_is_answered_without_end_too() {
    let mut stage = greeted();
    stage.says("QUIT\r\n").pass_secs(86_400);
    assert_eq!(stage.sent[0].1, b"221-Goodbye.\r\n");
    assert!(stage.sent.iter().all(|(_, line)| line.starts_with(b"221-")));
    assert_eq!(stage.closed, None);
}

#[test]
fn silent_clients_have_seen_the_greeting_and_strangers_one_refusal() {
    let mut stage = greeted();
    stage.pass_secs(30 * 86_400);
    assert_eq!(stage.heard(), "");
    stage.says("SSH-2.0-x\r\n").pass_secs(30 * 86_400);
    assert_eq!((stage.heard().as_str(), stage.closed), (NAME_FIRST, None));
}

#[test]
fn a_client_that_sends_byte_by_byte_is_understood() {
    let mut stage = greeted();
    for byte in b"USER root\r\nPASS x\r\n" {
        stage.pass_secs(5).says([*byte]);
    }
    assert_eq!(stage.heard(), PASSWORD);
    stage.pass_secs(20);
    assert!(stage.heard().starts_with("530-"));
}

#[test]
fn endless_commands_are_answered_at_our_pace() {
    let mut stage = greeted();
    let mut asked = "USER x\r\n".to_owned();
    asked.push_str(&"SYST\r\n".repeat(100));
    stage.says(asked);
    let at_once = stage.sent.len();
    assert!((10..=30).contains(&at_once), "{at_once}");
    stage.pass_secs(80);
    assert!((9..=12).contains(&(stage.sent.len() - at_once)), "{}", stage.sent.len());
}

#[test]
fn a_line_without_end_is_one_command_and_too_long() {
    let mut stage = greeted();
    stage.says("USER ").says([b'x'; 5_000]).pass_secs(60);
    assert_eq!(stage.heard(), "");
    stage.says("\r\nUSER y\r\n");
    assert_eq!(stage.heard(), [r"500 Input line too long.\r\n", PASSWORD].concat());
}

#[test]
fn under_a_rate_answers_are_paid_for_and_nothing_pauses() {
    for (rate, wanted, slack) in [(64, 640, 32), (1_024, 10_240, 512)] {
        let mut stage = Stage::new("ftp_endless_motd").rate(rate).open();
        assert_eq!(stage.heard(), GREETING);
        stage.says("USER x\r\nPASS y\r\n").pass_secs(10);
        let got = stage.bytes().len();
        assert!(got.abs_diff(wanted) <= slack, "{rate}: {got}");
    }
}

#[test]
fn every_reply_is_that_of_the_personas_server() {
    for persona in Persona::names() {
        let open = |pattern| {
            let mut stage = Stage::new(pattern);
            stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
            let mut stage = stage.open();
            let greeting = stage.heard();
            (stage, greeting)
        };
        let is_windows = open("ftp_hold").1.contains("Microsoft");
        let (mut stage, _) = open("ftp_endless_motd");
        stage.says("USER a\r\n").pass_secs(20);
        let password = if is_windows { r"331 Password required\r\n" } else { PASSWORD };
        assert_eq!(stage.heard(), password, "{persona}");
        stage.says("PASS b\r\n").pass_secs(20);
        let refusal = if is_windows { "530-User cannot log in." } else { "530-Login incorrect." };
        assert!(stage.heard().starts_with(refusal), "{persona}");
        // The pattern beside it says the same, also to a client of another protocol.
        for said in ["ACCT", "FEAT", "GET / HTTP/1.0", "HELP", "OPTS UTF8 ON", "PASS x", "USER x"] {
            let [one, other] = ["ftp_endless_motd", "ftp_hold"].map(|pattern| {
                let (mut stage, greeting) = open(pattern);
                stage.says([said, "\r\n"].concat()).pass_secs(20);
                [greeting, stage.heard()].concat()
            });
            assert_eq!(one, other, "{persona} {said}");
        }
    }
}
