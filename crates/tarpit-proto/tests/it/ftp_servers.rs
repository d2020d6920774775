//! The words of the file servers that are played.
//!
//! What they are compared with are talks with the real ones; see `talks.rs`.

use tarpit_proto::persona::Persona;

use crate::{
    stage::{Stage, seed},
    talks::{FTP, sent, talks},
    tls::tls,
};

/// A client of the persona's server; with TLS, or where the anonymous get in.
fn client(persona: &str, server: &str) -> Stage {
    let mut stage = Stage::new("ftp_hold");
    stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
    stage.profile.poison = server.ends_with("a guest");
    stage.profile.tls = server.ends_with("TLS").then(tls);
    stage.open()
}

#[test]
fn linux_answers_every_command_as_vsftpd_does() {
    let mut wrong = Vec::new();
    for (persona, version) in [("debian-12", "3.0.3"), ("ubuntu-22.04", "3.0.5")] {
        let values = [("version", version), ("client", "192.0.2.7")];
        for server in ["vsftpd", "vsftpd with TLS", "vsftpd with a guest"] {
            for talk in talks(FTP, server) {
                let mut stage = client(persona, server);
                for turn in &talk.turns {
                    if !turn.said.is_empty() {
                        stage.says([turn.said, "\r\n"].concat()).pass_secs(20);
                    }
                    let (text, wanted) = (stage.heard_plain(), sent(turn.ours(), &values));
                    if text != wanted {
                        wrong.push(format!("{persona}, {server}: {}: {text}{wanted}", turn.said));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{} wrong", wrong.join("\n"), wrong.len());
}

/// What answers a line in front of a login.
fn answer(persona: &str, said: &str) -> String {
    let mut stage = client(persona, "");
    stage.sent.clear();
    // In portions as the daemon reads.
    for portion in [said, "\r\n"].concat().as_bytes().chunks(1_400) {
        stage.says(portion);
    }
    stage.pass_secs(20);
    stage.heard_plain()
}

#[test]
fn an_old_release_lists_the_feature_that_later_ones_do_not() {
    assert!(answer("ip-camera", "FEAT").contains("\r\n TVFS\r\n UTF8\r\n211 End\r\n"));
    assert!(!answer("debian-12", "FEAT").contains("UTF8"));
    assert_eq!(answer("ip-camera", "HELP"), "530 Please login with USER and PASS.\r\n");
}

#[test]
fn a_line_without_end_is_too_long_for_the_personas_server() {
    for persona in ["debian-12", "ip-camera", "ubuntu-22.04"] {
        assert_eq!(
            answer(persona, &["SITE ", &"A".repeat(5_000)].concat()),
            "500 Input line too long.\r\n"
        );
    }
}

#[test]
fn microsofts_server_tells_anybody_what_it_is_and_what_it_knows() {
    for (said, wanted) in [
        ("SYST", "215 Windows_NT"),
        ("NOOP", "200 noop command successful."),
        ("OPTS UTF8 ON", "200 OPTS UTF8 command successful - UTF8 encoding now ON."),
        ("AUTH TLS", "534 Local policy on server does not allow TLS secure connections."),
        ("PWD", "530 Please login with USER and PASS."),
    ] {
        assert_eq!(answer("windows-server-2019", said), [wanted, "\r\n"].concat());
    }
    let help = answer("windows-server-2019", "HELP");
    let lines: Vec<_> = help.split_terminator("\r\n").collect();
    assert_eq!(lines[0], "214-The following commands are recognized (* ==>'s unimplemented).");
    assert_eq!((lines[1], lines[3]), ("    ABOR ", "    ADAT *"));
    assert_eq!((lines.len(), lines[lines.len() - 1]), (55, "214 HELP command successful."));
    let features = answer("windows-server-2019", "FEAT");
    assert!(features.starts_with("211-Extended features supported:\r\n LANG EN*\r\n UTF8\r\n"));
}
