//! The servers of FTP and SMTP that are played, asked side by side with the real ones.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    daemon::{Client, Daemon, Directory},
    require::require,
    talks::{FTP, SMTP, Turn, sent, talks},
    web_servers::Server,
};

/// Says a line, and reads as much as `wanted`, or less if no more comes.
fn ask(client: &mut Client, said: &str, wanted: &str) -> String {
    /// Clients that have just left may still be counted.
    const COUNT: &str = "client count was ";
    client.0.set_read_timeout(Some(Duration::from_secs(2))).expect("it is a socket");
    if !said.is_empty() {
        client.0.write_all([said, "\r\n"].concat().as_bytes()).expect("it reads");
    }
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    while bytes.len() < wanted.len()
        && let Ok(count @ 1..) = client.0.read(&mut buffer)
    {
        bytes.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match text.split_once(COUNT) {
        Some((before, after)) => [before, COUNT, "1", &after[1..]].concat(),
        None => text,
    }
}

/// What a server answers otherwise than the talks say; ours with `is_ours`.
fn differences(
    text: &'static str,
    server: &str,
    address: SocketAddr,
    is_ours: bool,
) -> Vec<String> {
    let values = [("client", "127.0.0.1"), ("version", "3.0.3")];
    let mut wrong = Vec::new();
    for talk in talks(text, server) {
        let mut client = Client::of(address);
        for turn in &talk.turns {
            let wanted = sent(if is_ours { turn.ours() } else { &turn.theirs }, &values);
            let answer = ask(&mut client, turn.said, &wanted);
            if answer != wanted {
                wrong.push(format!("{}: {}: {answer}{wanted}", talk.server, turn.said));
            }
        }
    }
    wrong
}

/// Debian's vsftpd with these settings besides.
fn vsftpd(directory: &Directory, settings: &str) -> Server {
    let empty = directory.path("empty");
    fs::create_dir_all(&empty).expect("a folder");
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o755)).expect("it is ours");
    Server::start("vsftpd", |port| {
        let text = format!(
            "listen=YES\nlisten_port={port}\nlisten_address=127.0.0.1\nlocal_enable=YES\n\
             secure_chroot_dir={empty}\npam_service_name=vsftpd\nseccomp_sandbox=NO\n{settings}"
        );
        vec![directory.file("vsftpd.conf", &text)]
    })
}

#[test]
fn debian_answers_as_vsftpd_does() {
    if !require("vsftpd") || !require("root") {
        return;
    }
    let directory = Directory::new("vsftpd");
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
    let cert = directory.file("cert.pem", &made.cert.pem());
    let key = directory.file("key.pem", &made.signing_key.serialize_pem());
    let tls = format!("ssl_enable=YES\nrsa_cert_file={cert}\nrsa_private_key_file={key}\n");
    for (server, theirs, ours) in [
        ("vsftpd", "anonymous_enable=NO\n", ""),
        ("vsftpd with TLS", &format!("anonymous_enable=NO\n{tls}"), ""),
        ("vsftpd with a guest", "anonymous_enable=YES\n", "poison = true"),
    ] {
        let real = vsftpd(&directory, theirs);
        let wrong = differences(FTP, server, real.address, false);
        assert!(wrong.is_empty(), "theirs\n{}", wrong.join("\n"));
        let config = format!(
            "persona = \"debian-12\"\n[tarpits.a]\npattern = \"ftp_hold\"\n\
             rate_limit = 1000000\nbind = [{{ host = \"127.0.0.1\", port = 0 }}]\n{ours}\n"
        );
        let daemon = Daemon::start(&["-c", &directory.file("c.toml", &config)], 1);
        let wrong = differences(FTP, server, daemon.addresses[0], true);
        assert!(wrong.is_empty(), "ours\n{}", wrong.join("\n"));
    }
}

/// Goes through a talk with Exim as if a client with this address had connected; what it answers
/// otherwise. It serves its standard input then, and mixes no lines of its own in that begin with
/// three digits.
fn differences_of_exim(turns: &[Turn], host: &str) -> Vec<String> {
    let values = [("host", host), ("client", "192.0.2.7"), ("connect", "PIPECONNECT")];
    let mut exim = Command::new("exim4")
        .args(["-bh", "192.0.2.7"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a server that runs");
    let mut client = exim.stdin.take().expect("its input");
    let mut lines = BufReader::new(exim.stdout.take().expect("its output")).lines();
    let mut wrong = Vec::new();
    for turn in turns {
        if !turn.said.is_empty() {
            client.write_all([turn.said, "\r\n"].concat().as_bytes()).expect("it reads");
        }
        let mut answer = String::new();
        for line in lines.by_ref() {
            let line = line.expect("text");
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('*') {
                continue;
            }
            answer.push_str(&[line, "\r\n"].concat());
            if line.as_bytes().get(3) == Some(&b' ') {
                break;
            }
        }
        let wanted = sent(&turn.theirs, &values);
        if !turn.said.is_empty() && answer != wanted {
            wrong.push(format!("{}: {answer}{wanted}", turn.said));
        }
    }
    drop(client);
    exim.wait().expect("it ends with its input");
    wrong
}

#[test]
fn debian_answers_as_exim_does() {
    if !require("exim4") {
        return;
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let directory = Directory::new("exim");
    let config = "persona = \"debian-12\"\n[tarpits.a]\npattern = \"smtp_hold\"\n\
                  rate_limit = 1000000\nbind = [{ host = \"127.0.0.1\", port = 0 }]\n";
    let daemon = Daemon::start(&["-c", &directory.file("c.toml", config)], 1);
    let mut wrong = Vec::new();
    for talk in talks(SMTP, "exim") {
        wrong.extend(differences_of_exim(&talk.turns, host.trim()));
        let mut client = Client::of(daemon.addresses[0]);
        let greeting = String::from_utf8(client.hear()).expect("text");
        let host = greeting.split(' ').nth(1).expect("a name");
        let values = [("host", host), ("client", "127.0.0.1"), ("connect", "PIPECONNECT")];
        for turn in &talk.turns[1..] {
            // Where a rate is set, a refusal has an end.
            let wanted = sent(turn.ours(), &values).replace("451-", "451 ");
            let answer = ask(&mut client, turn.said, &wanted);
            if answer != wanted {
                wrong.push(format!("ours: {}: {answer}{wanted}", turn.said));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
