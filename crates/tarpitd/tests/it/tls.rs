//! TLS: handshakes with the real binary, and what a client costs that is held behind one.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::daemon::{Daemon, Directory, tarpitd};

/// Takes any certificate for right; signatures have their meaning.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) fn settings() -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS on loopback")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    Arc::new(config)
}

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client that has asked for a page and read the start of the answer.
fn held(settings: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> (Stream, String) {
    answered(asking(settings, address, name))
}

/// A client whose hello has gone out.
pub(crate) fn asking(settings: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> Stream {
    let name = ServerName::try_from(name.to_owned()).expect("TLS on loopback");
    let mut connection =
        ClientConnection::new(Arc::clone(settings), name).expect("TLS on loopback");
    let mut socket = TcpStream::connect(address).expect("TLS on loopback");
    // Or each handshake waits for the kernel to put two small writes together.
    socket.set_nodelay(true).expect("TLS on loopback");
    connection.write_tls(&mut socket).expect("TLS on loopback");
    StreamOwned::new(connection, socket)
}

/// The same once it has asked for a page and read the start of the answer.
pub(crate) fn answered(mut stream: Stream) -> (Stream, String) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").expect("TLS on loopback");
    let mut start = [0; 15];
    stream.read_exact(&mut start).expect("TLS on loopback");
    (stream, String::from_utf8_lossy(&start).into_owned())
}

fn configuration(directory: &Directory, more: &str) -> String {
    budgeted(directory, more, 0)
}

fn budgeted(directory: &Directory, more: &str, handshakes: u32) -> String {
    directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = \"tls\"\ninner = \"http_endless_header\"\n\
             client_trace = true\nbind = [{{ host = \"127.0.0.1\", port = 0 }}]\n{more}\n\
             [limits]\nhandshakes_per_second = {handshakes}\nper_address = 0\nper_prefix = 0\n"
        ),
    )
}

#[test]
fn the_machine_has_one_certificate_whatever_name_is_asked_for_and_at_every_start() {
    let directory = Directory::new("tls_names");
    let kept = format!("state_dir = \"{}\"\n", directory.path("state"));
    let tarpits = std::fs::read_to_string(configuration(&directory, "")).expect("it was written");
    let config = directory.file("kept.toml", &(kept + &tarpits));
    std::fs::create_dir(directory.path("state")).expect("it is new");
    let shown = |daemon: &Daemon, name: &str| {
        let (client, start) = held(&settings(), daemon.addresses[0], name);
        assert_eq!(start, "HTTP/1.1 200 OK");
        client.conn.peer_certificates().expect("TLS on loopback")[0].to_vec()
    };
    let daemon = Daemon::start(&["-c", &config], 1);
    let certificate = shown(&daemon, "b3f1.example");
    assert!(!certificate.windows(12).any(|window| window == b"b3f1.example"));
    drop(daemon);
    let mut daemon = Daemon::start(&["-c", &config], 1);
    let again = shown(&daemon, "shop.example");
    // All but the signature, of which one method makes another each time, at times a shorter one.
    assert_eq!(certificate[4..250], again[4..250]);
    daemon.trace_has("validate");
    let learnt = daemon.trace_has("learn");
    let meta = &learnt["meta"];
    assert_eq!(meta["tls_sni"], "shop.example", "{learnt}");
    assert!(meta["ja4"].as_str().unwrap().starts_with("t13d"), "{learnt}");
    assert_eq!(meta["ja3"].as_str().unwrap().len(), 32, "{learnt}");
}

#[test]
fn the_owners_certificate_is_shown_and_a_wrong_one_is_told_at_the_start() {
    let directory = Directory::new("tls_own");
    let made =
        rcgen::generate_simple_self_signed(["own.example".to_owned()]).expect("TLS on loopback");
    let other =
        rcgen::generate_simple_self_signed(["b.example".to_owned()]).expect("TLS on loopback");
    let cert = directory.file("cert.pem", &made.cert.pem());
    let key = directory.file("key.pem", &made.signing_key.serialize_pem());
    let wrong = directory.file("wrong.pem", &other.signing_key.serialize_pem());
    let own = |key: &str| configuration(&directory, &format!("cert = \"{cert}\"\nkey = \"{key}\""));

    let daemon = Daemon::start(&["-c", &own(&key)], 1);
    let (client, _) = held(&settings(), daemon.addresses[0], "shop.example");
    assert_eq!(client.conn.peer_certificates().expect("TLS on loopback")[0], *made.cert.der());
    drop(daemon);

    for (key, wanted) in [(wrong.as_str(), "wrong.pem"), ("/nowhere.pem", "/nowhere.pem")] {
        let output = tarpitd().args(["-c", &own(key)]).output().expect("TLS on loopback");
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("a: key:") && told.contains(wanted), "{told}");
        let checked = tarpitd().args(["check", &own(key)]).output().expect("TLS on loopback");
        assert_eq!(checked.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&checked.stderr).contains(wanted));
    }
}

#[test]
fn who_comes_above_the_handshakes_of_a_second_is_held_without_and_that_is_said_once() {
    let directory = Directory::new("tls_budget");
    let mut daemon = Daemon::start(&["-c", &budgeted(&directory, "", 1)], 1);
    let settings = settings();
    let greet = || {
        let name = ServerName::try_from("a.example").expect("TLS on loopback");
        let mut client =
            ClientConnection::new(Arc::clone(&settings), name).expect("TLS on loopback");
        let mut socket = TcpStream::connect(daemon.addresses[0]).expect("TLS on loopback");
        client.write_tls(&mut socket).expect("TLS on loopback");
        socket
    };
    // What the dearest handshake costs is always saved up, and is enough for some of these.
    let crowd: Vec<_> = (0..100).map(|_| greet()).collect();
    daemon.log_has("handshakes_per_second is reached");
    // All stay; those without a handshake are told the beginning of a record in its place.
    for mut client in crowd {
        client.set_read_timeout(Some(crate::daemon::PATIENCE)).expect("TLS on loopback");
        assert_eq!(client.read(&mut [0; 1]).expect("it says something"), 1);
    }
    let (_, log, _) = daemon.stop();
    assert!(!log.iter().any(|line| line.contains("key exchange")), "said once: {log:?}");
}

#[test]
fn a_client_held_behind_a_handshake_costs_six_hundred_bytes() {
    const GROUPS: u64 = 4;
    const GROUP: u64 = 250;
    if !crate::require::require_files((GROUPS * GROUP) as usize + 750) {
        return;
    }
    let directory = Directory::new("tls_cost");
    let daemon = Daemon::start(&["-c", &configuration(&directory, "")], 1);
    let settings = settings();
    // All of a group ask before the first is answered, which takes seconds.
    let hold = |_| -> Vec<_> {
        let ask = |_| asking(&settings, daemon.addresses[0], "a.example");
        let asking: Vec<_> = (0..GROUP).map(ask).collect();
        asking.into_iter().map(answered).collect()
    };
    // Warm, so that what the first clients cost once is not counted for all.
    let warm = hold(0);
    let before = daemon.private();
    let crowd: Vec<_> = (0..GROUPS).map(hold).collect();
    // What was freed on the way is given back soon.
    let each = || daemon.private().saturating_sub(before) / (GROUPS * GROUP);
    crate::daemon::until("600 bytes each", || each() <= 600);
    drop((warm, crowd));
}
