//! SSH: OpenSSH's client against the real binary, with each name that the binary offers.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    thread,
};

use crate::{
    daemon::{Client, Daemon, Directory, until},
    require::{require, sshd},
    web_servers::Server,
};

/// An installation with this seed, whose key of RSA has been made.
fn installed(directory: &Directory, seed: u8, persona: &str) -> Daemon {
    let state = directory.path("state");
    fs::create_dir(&state).expect("a directory");
    let file = format!("{state}/seed");
    fs::write(&file, [seed; 32]).expect("a seed");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("only its owner reads it");
    let config = format!(
        "state_dir = \"{state}\"\npersona = \"{persona}\"\n\
         [limits]\nhandshakes_per_second = 1000000\n\
         [tarpits.a]\npattern = \"ssh_auth_hold\"\nbind = \"127.0.0.1:0\"\n\
         [tarpits.b]\npattern = \"ssh_kex_hold\"\nbind = \"127.0.0.1:0\"\n\
         [tarpits.c]\npattern = \"ssh_trans_hold\"\nbind = \"127.0.0.1:0\"\n"
    );
    let file = directory.file("tarpitd.toml", &config);
    let first = Daemon::start(&["--config", &file], 3);
    until("the key of RSA", || {
        fs::metadata(format!("{state}/ssh_host_rsa_key")).is_ok_and(|key| key.len() > 0)
    });
    first.stop();
    Daemon::start(&["--config", &file], 3)
}

/// The lists of an offer, as a client receives them.
fn offer(address: SocketAddr) -> Vec<String> {
    let mut client = Client::of(address);
    client.0.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").expect("it is read");
    let mut stream = BufReader::new(&client.0);
    stream.read_line(&mut String::new()).expect("the identification");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("a packet");
    let mut packet = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut packet).expect("a packet");
    let mut rest = &packet[18..];
    let mut lists = Vec::new();
    for _ in 0..8 {
        let (length, after) = rest.split_first_chunk().expect("a list");
        let (names, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        lists.push(String::from_utf8(names.to_vec()).expect("names"));
        rest = after;
    }
    lists
}

/// Whether OpenSSH's client, with these options alone, comes to use the keys with the server: it
/// has heard under them that authentication may begin. What it said, otherwise.
fn comes_to_keys(address: SocketAddr, name: &str, options: &[String]) -> Result<(), String> {
    let mut client = Command::new("timeout")
        .args(["60", "ssh", "-F", "none", "-v", "-o", "BatchMode=yes"])
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(options.iter().flat_map(|option| ["-o", option]))
        .args(["-p", &address.port().to_string(), "root@127.0.0.1", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a client that runs");
    let mut said = String::new();
    let mut accepted = false;
    for line in BufReader::new(client.stderr.take().expect("its output")).lines() {
        let line = line.expect("text");
        accepted = line.contains("SSH2_MSG_SERVICE_ACCEPT received");
        said += &line;
        said.push('\n');
        if accepted {
            break;
        }
    }
    // It passes the signal on to the client.
    let pid = rustix::process::Pid::from_child(&client);
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    client.wait().expect("it ends");
    let agreed = said.lines().any(|line| line.contains("kex: ") && line.contains(name));
    if accepted && agreed { Ok(()) } else { Err(format!("{options:?}: {said}")) }
}

/// The names of a list, but for those that are no algorithm.
fn names(list: &str) -> impl Iterator<Item = String> {
    list.split(',').filter(|name| !name.starts_with("kexguess2")).map(str::to_owned)
}

fn all_names_lead_to_keys(label: &str, seed: u8, persona: &str) {
    if !require("ssh") {
        return;
    }
    let directory = Directory::new(label);
    let daemon = installed(&directory, seed, persona);
    let [address, others @ ..] = &daemon.addresses[..] else { panic!("three ports") };
    let lists = offer(*address);
    for other in others {
        assert_eq!(offer(*other), lists);
    }
    let mut tried = Vec::new();
    tried.extend(names(&lists[0]).map(|name| (vec![format!("KexAlgorithms={name}")], name)));
    tried.extend(names(&lists[1]).map(|name| (vec![format!("HostKeyAlgorithms={name}")], name)));
    tried.extend(names(&lists[2]).map(|name| (vec![format!("Ciphers={name}")], name)));
    tried.extend(
        names(&lists[4])
            .map(|name| (vec![format!("MACs={name}"), "Ciphers=aes128-ctr".to_owned()], name)),
    );
    tried.extend(names(&lists[6]).map(|name| {
        let option = if name == "none" { "Compression=no" } else { "Compression=yes" };
        (vec![option.to_owned()], name)
    }));
    let failures: Vec<String> = thread::scope(|scope| {
        let clients: Vec<_> = tried
            .iter()
            .map(|(options, name)| scope.spawn(|| comes_to_keys(*address, name, options)))
            .collect();
        clients.into_iter().filter_map(|client| client.join().expect("no panic").err()).collect()
    });
    assert!(tried.len() >= 16, "{tried:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn openssh_comes_to_keys_with_each_name_of_the_benchmarks_lists() {
    all_names_lead_to_keys("ssh-benchmark", 2, "ubuntu-22.04");
}

#[test]
fn openssh_comes_to_keys_with_each_name_of_the_guidelines_lists() {
    all_names_lead_to_keys("ssh-guideline", 1, "windows-server-2019");
}

#[test]
fn openssh_comes_to_keys_with_each_name_of_dropbears_lists() {
    all_names_lead_to_keys("ssh-dropbear", 1, "ip-camera");
}

/// The published lists of Debian's OpenSSH, by the keys of `sshd_config`; for each setting.
fn published() -> Vec<Vec<(&'static str, &'static str)>> {
    let text = include_str!("../../../tarpit-proto/tests/data/ssh_lists.txt");
    let blocks = text.split("\n\n").filter(|block| block.starts_with("debian-12 "));
    blocks
        .map(|block| block.lines().skip(1).filter_map(|line| line.split_once(' ')).collect())
        .collect()
}

#[test]
fn openssh_with_a_published_setting_offers_what_was_published() {
    if !require("sshd") || !require("ssh") {
        return;
    }
    let directory = Directory::new("sshd");
    // As another user than root it needs no user of its own; that user must reach all that it reads.
    let program = directory.path("sshd");
    fs::copy(sshd().expect("it is there"), &program).expect("a copy");
    let mut keys = Vec::new();
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let file = directory.path(kind);
        let made =
            Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-f", &file]).status();
        assert!(made.expect("it runs").success());
        keys.extend(["-h".to_owned(), file]);
    }
    let nobody = rustix::process::geteuid().is_root().then_some(65_534);
    for file in ["rsa", "ecdsa", "ed25519"] {
        std::os::unix::fs::chown(directory.path(file), nobody, nobody).expect("its owner");
    }
    let settings = published();
    assert_eq!(settings.len(), 2);
    for setting in settings {
        let [kex, host_keys, ciphers, codes, compressions] = &setting[..] else {
            panic!("5 lines")
        };
        let options = [kex, ciphers, codes].map(|(key, names)| format!("-o{key}={names}"));
        let server = Server::start(if nobody.is_some() { "setpriv" } else { "env" }, |port| {
            let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
            let user = user.iter().filter(|_| nobody.is_some()).map(|&word| word.to_owned());
            let fixed =
                ["-D", "-e", "-f", "/dev/null", "-oPidFile=none", "-oListenAddress=127.0.0.1"];
            user.chain([program.clone()])
                .chain(fixed.map(str::to_owned))
                .chain(options.clone())
                .chain(keys.clone())
                .chain(["-p".to_owned(), port.to_string()])
                .collect()
        });
        let mut lists = offer(server.address);
        // What later patch levels than the one that is played add.
        lists[0] = lists[0].replace(",kex-strict-s-v00@openssh.com", "");
        let wanted = [kex, host_keys, ciphers, ciphers, codes, codes, compressions, compressions];
        assert_eq!(lists, wanted.map(|(_, names)| *names));
    }
}
