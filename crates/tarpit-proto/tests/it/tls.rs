//! Transcripts of `tls`: a real client of the library's, in virtual time.
//!
//! Both ends draw randomness of their own, so lengths and what is said inside are compared, and not
//! the bytes.

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
    time::Duration,
};

use proptest::prelude::*;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, SignatureScheme,
    SupportedCipherSuite,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use tarpit_proto::{
    handshake_budget::HandshakeBudget, patterns, session::Cause, time::Time, transport::Tls,
};

use crate::{http::GUESS, http2, stage::Stage};

const HELLO: &[u8] = include_bytes!("../corpus/client_hello.bin");

/// With what the server's end speaks.
pub(crate) fn tls() -> Tls {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a configuration");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Tls::new(config)
}

/// Takes any certificate.
#[derive(Debug)]
struct Trusting(CryptoProvider);

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
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A client in front of a stage.
pub(crate) struct Client {
    connection: ClientConnection,
    pub(crate) stage: Stage,
    /// How many transmissions of the stage's have been given to it.
    given: usize,
    /// What it has read.
    pub(crate) read: Vec<u8>,
}

impl Client {
    /// One that offers only `suite`, and these protocols inside.
    fn new(stage: Stage, suite: SupportedCipherSuite, protocols: &[&[u8]]) -> Self {
        let provider = CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() };
        let version = if suite.tls13().is_some() { &TLS13 } else { &TLS12 };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("a.example").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        Self { connection, stage, given: 0, read: Vec::new() }
    }

    /// One as most are.
    pub(crate) fn usual(stage: Stage) -> Self {
        Self::new(stage, ring::cipher_suite::TLS13_AES_256_GCM_SHA384, &[b"http/1.1"])
    }

    /// Lets both ends say what they have to say at this moment.
    pub(crate) fn exchange(&mut self) -> &mut Self {
        for _ in 0..20 {
            let mut out = Vec::new();
            while self.connection.wants_write() {
                self.connection.write_tls(&mut out).expect("room");
            }
            if !out.is_empty() {
                self.stage.says(out);
            }
            let new = self.stage.sent[self.given..].iter().flat_map(|(_, bytes)| bytes.clone());
            let new: Vec<_> = new.collect();
            self.given = self.stage.sent.len();
            let mut rest = &new[..];
            while !rest.is_empty() {
                self.connection.read_tls(&mut rest).expect("bytes");
                let state = self.connection.process_new_packets().expect("TLS in order");
                let mut plain = vec![0; state.plaintext_bytes_to_read()];
                self.connection.reader().read_exact(&mut plain).expect("what was said");
                self.read.append(&mut plain);
            }
        }
        self
    }

    /// Lets both ends go through the handshake, as soon as the hello is answered.
    pub(crate) fn shakes(&mut self) -> &mut Self {
        self.exchange();
        for _ in 0..50 {
            if !self.stage.sent.is_empty() {
                break;
            }
            self.stage.pass(Duration::from_millis(100));
        }
        self.exchange()
    }

    /// What the client has to send first.
    fn hello(&mut self) -> Vec<u8> {
        let mut hello = Vec::new();
        self.connection.write_tls(&mut hello).expect("room");
        hello
    }

    /// Lets both ends begin, and the client go on with the handshake so much later at the earliest.
    fn goes_on_after(&mut self, seconds: u64) -> &mut Self {
        let hello = self.hello();
        self.stage.says(hello).pass_secs(seconds);
        self.shakes()
    }

    pub(crate) fn says(&mut self, bytes: &[u8]) -> &mut Self {
        self.connection.writer().write_all(bytes).expect("room");
        self.exchange()
    }

    pub(crate) fn pass_secs(&mut self, seconds: u64) -> &mut Self {
        self.stage.pass_secs(seconds);
        self.exchange()
    }

    pub(crate) fn text(&self) -> String {
        self.read.escape_ascii().to_string()
    }
}

/// The hello of a client that speaks TLS 1.2 to `a.example`.
pub(crate) fn hello_of_1_2() -> Vec<u8> {
    let suite = ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
    Client::new(stage(), suite, &[]).hello()
}

pub(crate) fn stage() -> Stage {
    let mut stage = Stage::new("tls");
    stage.profile.tls = Some(tls());
    stage.profile.inner = patterns::named("http_endless_header");
    stage
}

fn suites() -> Vec<SupportedCipherSuite> {
    ring::ALL_CIPHER_SUITES
        .iter()
        .copied()
        .filter(|suite| !format!("{suite:?}").contains("_RSA_"))
        .collect()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

#[test]
fn the_pattern_inside_speaks_under_every_suite() {
    assert_eq!(suites().len(), 6);
    for suite in suites() {
        let mut client = Client::new(stage().open(), suite, &[b"h2", b"http/1.1"]);
        client.shakes().says(GET).pass_secs(3_600);
        let text = client.text();
        assert!(text.starts_with("HTTP/1.1 200 OK\\r\\nDate: "), "{suite:?}: {text}");
        // A byte every 8 seconds or so, each in a record of its own.
        let drips = client.stage.sent.iter().filter(|(_, bytes)| bytes.len() < 32).count();
        assert!((400..500).contains(&drips), "{suite:?}: {drips}");
        let news = client.stage.news.join("\n");
        for fact in ["ja3 ", "ja4 t1", "tls_alpn h2,http/1.1", "tls_sni a.example"] {
            assert!(news.contains(&format!("learnt {fact}")), "{suite:?}: {news}");
        }
        assert_eq!(client.stage.session.sent(), client.read.len() as u64, "what is said counts");
    }
}

#[test]
fn a_client_that_offers_other_protocols_only_is_served_all_the_same() {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let mut client = Client::new(stage().open(), suite, &[b"acme-tls/1"]);
    client.shakes().says(GET);
    assert!(client.text().starts_with("HTTP/1.1 200 OK"), "{}", client.text());
    assert!(client.connection.alpn_protocol().is_none());
}

#[test]
fn a_pattern_that_greets_does_so_inside() {
    let mut stage = stage();
    stage.profile.inner = patterns::named("smtp_endless_ehlo");
    let mut client = Client::usual(stage.open());
    client.shakes();
    assert!(client.text().starts_with("220 "), "{}", client.text());
    client.says(b"EHLO b.example\r\n").pass_secs(60);
    assert!(client.text().contains("250-SIZE"), "{}", client.text());
}

/// Whether the bytes begin with a record that holds one long `ServerHello`, and is nearly as long as
/// one may be.
fn is_drip(bytes: &[u8]) -> bool {
    let [22, 3, 3, high, low, 2, 0, rest @ ..] = bytes else { return false };
    let record = u16::from_be_bytes([*high, *low]);
    let message = (record - 4).to_be_bytes();
    (14_800..=16_384).contains(&record) && rest.starts_with(&[message[0], message[1], 3, 3])
}

#[test]
fn what_cannot_be_afforded_is_held_without_cryptography() {
    let mut stage = stage();
    stage.budget = HandshakeBudget::new(1, stage.now);
    while stage.budget.handshake(1) {}
    let mut stage = stage.open();
    stage.says(HELLO).pass_secs(60);
    assert!(is_drip(&stage.bytes()));
}

#[test]
fn only_so_many_handshakes_are_under_way_and_each_makes_room_when_it_is_over() {
    let mut waiting = stage();
    waiting.budget = HandshakeBudget::new(0, waiting.now).with_under_way(1);
    let mut waiting = waiting.open();
    waiting.says(HELLO).pass_secs(5);
    assert!(waiting.bytes().len() > 500, "our part of the handshake");
    // All clients of a worker share its means.
    let after = |mut before: Stage| {
        let mut stage = stage();
        std::mem::swap(&mut stage.budget, &mut before.budget);
        let mut stage = stage.open();
        stage.says(HELLO).pass_secs(20);
        (before, stage)
    };
    let (waiting, refused) = after(waiting);
    assert!(is_drip(&refused.bytes()), "held without cryptography");
    let mut waiting = waiting;
    waiting.budget = refused.driver.budget;
    // Given up at last, or gone, or done.
    waiting.pass_secs(40);
    let (_, served) = after(waiting);
    assert!(!is_drip(&served.bytes()));
    let mut gone = stage();
    gone.budget = served.driver.budget;
    drop(served.driver.session);
    let mut done = Client::usual(gone.open());
    done.shakes().says(GET);
    assert!(done.text().starts_with("HTTP/1.1 200 OK"), "{}", done.text());
    let (_, served) = after(done.stage);
    assert!(!is_drip(&served.bytes()));
}

#[test]
fn a_handshake_that_is_not_gone_through_with_ends_in_silence() {
    // A hello that stops in the middle, one behind which comes nothing, and one that nobody reads.
    let garbled = b"\x16\x03\x01\x00\x30\x01\x00\x00\x2C\x03\x03".repeat(8);
    for said in [&HELLO[..60], HELLO, &garbled] {
        let mut stage = stage().open();
        stage.says(said).pass_secs(30 * 86_400);
        assert_eq!(stage.closed, None);
        let before = stage.bytes().len();
        stage.says(b"GET / HTTP/1.1\r\n\r\n").pass_secs(3_600);
        assert_eq!(stage.bytes().len(), before);
        assert!(stage.listens(), "its leaving is noticed");
        assert!(stage.save().len() < 100, "nothing of it is kept");
    }
}

#[test]
fn a_client_without_a_common_cipher_gets_an_alert_and_is_held_and_old_versions_in_silence() {
    // As nmap asks: the suites are those of RSA's own key exchange; in TLS 1.1, as only scanners
    // do; as medusa does, in TLS 1.0; and in SSL 3.
    for (version, told) in [
        ([3, 3], &[21, 3, 3, 0, 2, 2, 40][..]),
        ([3, 2], &[21, 3, 2, 0, 2, 2, 80]),
        ([3, 1], &[]),
        ([3, 0], &[]),
    ] {
        let signatures = [0, 8, 0, 13, 0, 4, 0, 2, 4, 1];
        let suites = [0, 0, 4, 0, 0x2F, 0, 0x0A, 1, 0];
        let body = [&version[..], &[7; 32], &suites, &signatures].concat();
        let length = body.len() as u8;
        let hello = [&[22, 3, 0, 0, length + 4, 1, 0, 0, length][..], &body].concat();
        let mut stage = stage().open();
        stage.says(hello).pass_secs(30 * 86_400);
        // What Debian's OpenSSL 3.0 says to the first two: handshake_failure, internal_error.
        assert_eq!(stage.bytes(), told);
        assert!(stage.moments().iter().all(|moment| (4_000..4_500).contains(moment)));
        assert_eq!(stage.closed, None);
    }
}

#[test]
fn garbage_behind_a_handshake_is_borne_and_the_drip_goes_on() {
    let mut client = Client::usual(stage().open());
    client.shakes().says(GET).pass_secs(60);
    let before = client.stage.bytes().len();
    client.stage.says(b"\x17\x03\x03\x00\x20 and nothing that fits the keys, and more ");
    client.pass_secs(60);
    assert_eq!(client.stage.closed, None);
    assert!(client.stage.bytes().len() > before + 100, "nobody listens to it any more");
    // Not so while something is waited for: then there is no speaking with it.
    let mut client = Client::usual(stage().open());
    client.shakes();
    client.stage.says(b"\x17\x03\x03\x00\x20 and nothing that fits the keys, and more ");
    let before = client.stage.bytes().len();
    client.stage.says(GET).pass_secs(600);
    assert_eq!((client.stage.bytes().len(), client.stage.closed), (before, None));
}

#[test]
fn half_closing_within_a_handshake_frees_the_place_and_behind_it_is_no_departure() {
    let mut stage = stage().open();
    stage.says(&HELLO[..60]).half_closes().pass_secs(1);
    assert_eq!(stage.closed, None);
    stage.pass_secs(1);
    assert_eq!(stage.closed, Some(Cause::HalfClosed));
    let mut client = Client::usual(self::stage().open());
    client.shakes().says(GET);
    client.stage.half_closes();
    let before = client.read.len();
    client.pass_secs(600);
    assert!(client.read.len() > before + 60, "{}", client.text());
}

#[test]
fn every_byte_is_paid_for_under_a_rate() {
    for (rate, wanted, slack) in [(64_i64, 640, 32), (1_024, 10_240, 512), (-2, 5, 1)] {
        let mut client = Client::usual(stage().rate(rate).open());
        client.shakes().says(GET);
        let before = client.read.len();
        client.pass_secs(10);
        let got = client.read.len() - before;
        assert!(got.abs_diff(wanted) <= slack, "{rate}: {got}");
    }
}

#[test]
fn time_spent_in_the_handshake_is_taken_off_the_first_wait_and_no_other() {
    const SEARCH: &str = "GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: gobuster/3.5\r\n\r\n";
    let credentials = [("authorization", "Basic cm9vdDp0b29y")];
    let frames = [http2::opening(), http2::request(1, &credentials)].concat();
    for (request, earliest, latest) in [
        (GUESS.as_bytes(), 9_000, 9_500),
        (&frames, 9_000, 9_500),
        // They give handshake and answer ten seconds in all.
        (SEARCH.as_bytes(), 7_000, 9_000),
    ] {
        for (seconds, slack) in [(0, 0), (4, 0), (20, 11_500)] {
            let mut stage = stage();
            stage.profile.inner = patterns::named("http_hold");
            let mut client = Client::usual(stage.open());
            client.goes_on_after(seconds).says(request);
            let before = client.read.len();
            client.pass_secs(15);
            assert!(client.read.len() > before, "{}", client.text());
            let answered = *client.stage.moments().last().expect("an answer");
            let all = earliest.max(seconds * 1_000)..=latest + slack;
            assert!(all.contains(&answered), "{seconds}: {answered}");
        }
    }
    let mut stage = stage();
    stage.profile.inner = patterns::named("http_fake_auth");
    let mut client = Client::usual(stage.open());
    client.goes_on_after(4).says(GUESS.as_bytes()).pass_secs(6);
    assert_eq!(client.text().matches("HTTP/1.1 401 ").count(), 1);
    client.says(GUESS.as_bytes()).pass_secs(8);
    assert_eq!(client.text().matches("HTTP/1.1 401 ").count(), 1);
    client.pass_secs(2);
    assert_eq!(client.text().matches("HTTP/1.1 401 ").count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_connection_that_takes_records_in_portions_gets_them_whole(
        portions in prop::collection::vec(0_usize..50, 1..40),
        suite in 0..6_usize,
        rate in prop::option::of(prop_oneof![Just(-1_i64), Just(20), Just(5_000)]),
        hand_over: bool,
    ) {
        let mut stage = stage();
        if let Some(rate) = rate {
            stage = stage.rate(rate);
        }
        let mut client = Client::new(stage.open(), suites()[suite], &[]);
        let mut turn = 0;
        // Of the handshake, too, only portions go out.
        client.stage.room = Box::new(move |wanted| {
            turn += 1;
            portions.get(turn % (portions.len() + 1)).copied().unwrap_or(wanted)
        });
        for _ in 0..200 {
            client.exchange();
            client.stage.pass(Duration::from_millis(200));
        }
        client.says(GET);
        for _ in 0..20 {
            client.stage.pass(Duration::from_millis(7_300));
            if hand_over {
                client.stage.hand_over();
            }
            client.exchange();
        }
        prop_assert!(client.text().starts_with("HTTP/1.1 200 OK"), "{}", client.text());
        prop_assert!(client.read.len() as u64 <= client.stage.session.sent());
    }

    #[test]
    fn any_bytes_are_borne_in_a_handshake_and_behind_it(
        said in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3_000), 0..6),
        flips in prop::collection::vec((0_usize..600, any::<u8>()), 0..4),
        shakes: bool,
    ) {
        let mut stage = if shakes {
            let mut client = Client::usual(stage().open());
            client.shakes().says(GET);
            client.stage
        } else {
            let mut stage = stage().open();
            let mut hello = HELLO.to_vec();
            for (place, byte) in flips {
                if let Some(changed) = hello.get_mut(place) {
                    *changed = byte;
                }
            }
            stage.says(hello);
            stage
        };
        for bytes in said {
            if stage.listens() {
                stage.says(&bytes).pass_secs(30);
            }
        }
        let before = stage.bytes().len();
        stage.half_closes().pass_secs(100);
        // A client is told something, or is closed where there is nothing left to tell it.
        let told = stage.bytes().len() > before;
        prop_assert_eq!(stage.closed, (!told).then_some(Cause::HalfClosed));
        prop_assert!(stage.save().len() < 40_000);
    }

    #[test]
    fn cutting_the_clients_records_anywhere_changes_nothing(
        cuts in prop::collection::vec(1_usize..200, 0..20),
        suite in 0..6_usize,
    ) {
        let mut client = Client::new(stage().open(), suites()[suite], &[b"http/1.1"]);
        // By hand, since what is written is to be cut.
        let mut cuts = cuts.into_iter().chain(std::iter::repeat(1_000));
        client.connection.writer().write_all(GET).expect("room");
        for _ in 0..10 {
            let mut out = Vec::new();
            while client.connection.wants_write() {
                client.connection.write_tls(&mut out).expect("room");
            }
            let mut rest = &out[..];
            while !rest.is_empty() {
                let cut = cuts.next().unwrap_or(1).min(rest.len());
                client.stage.says(&rest[..cut]);
                rest = &rest[cut..];
            }
            client.pass_secs(1);
        }
        prop_assert!(client.text().starts_with("HTTP/1.1 200 OK"), "{}", client.text());
    }
}

#[test]
fn a_record_that_never_becomes_whole_echoes_the_session() {
    let mut stage = Stage::new("tls_record_drip").open();
    for byte in HELLO {
        stage.says([*byte]).pass(Duration::from_secs(1));
    }
    stage.pass_secs(30 * 86_400);
    let bytes = stage.bytes();
    assert!(is_drip(&bytes), "{:?}", &bytes[..11]);
    assert_eq!(bytes[44..76], HELLO[44..76]);
    let record = usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
    assert_eq!(bytes.len(), 5 + record - 1, "all but the last byte");
    assert!(stage.news.iter().any(|line| line.starts_with("learnt ja4 t1")), "{:?}", stage.news);
    assert_eq!(stage.closed, None);
}

#[test]
fn a_hello_that_stops_is_answered_in_the_end() {
    let mut stage = Stage::new("tls_record_drip").open();
    stage.says(&HELLO[..80]).pass_secs(3_600);
    assert_eq!(stage.moments()[0], 10_000);
}

/// sslscan asks for one group of curves after another.
const HURRIED: &[u8] = include_bytes!("../corpus/hellos/sslscan_groups.bin");

#[test]
fn a_hello_is_answered_late_but_inside_what_its_sender_bears() {
    for (hello, early, late) in [(HELLO, 4_000, 4_500), (HURRIED, 2_500, 3_000)] {
        let mut moments: Vec<_> = (0..20)
            .map(|number| {
                let mut stage = stage().numbered(number).open();
                stage.says(hello).pass_secs(20);
                assert!(!stage.bytes().is_empty(), "a hello of ours, or an alert");
                stage.moments()[0]
            })
            .collect();
        moments.sort_unstable();
        moments.dedup();
        assert!(moments.len() > 10, "not all of them at the same moment: {moments:?}");
        assert!(moments.iter().all(|moment| (early..late).contains(moment)), "{moments:?}");
    }
}

#[test]
fn a_client_that_waits_for_its_answer_costs_a_hello_and_no_handshake() {
    let mut stage = stage();
    stage.budget = HandshakeBudget::new(1, stage.now).with_under_way(1);
    let mut stage = stage.open();
    stage.says(HELLO).pass_secs(3);
    let mut more = self::stage();
    std::mem::swap(&mut more.budget, &mut stage.budget);
    // Nothing has been taken for it, so that another one may begin.
    let mut more = more.open();
    more.says(HELLO).pass_secs(5);
    assert!(more.bytes().len() > 500, "our part of the handshake");
    // What the first cannot have any more is made good without cryptography, to the same hello.
    while more.budget.handshake(1) {}
    std::mem::swap(&mut more.budget, &mut stage.budget);
    stage.pass_secs(60);
    assert!(is_drip(&stage.bytes()));
    assert_eq!(stage.bytes()[44..76], HELLO[44..76], "it echoes the session");
}

#[test]
fn a_new_binary_answers_the_hello_of_a_client_that_waits_for_that() {
    // In the middle of a hello; with all of it, before its answer is due.
    for so_far in [80, usize::MAX] {
        let mut client = Client::usual(stage().open());
        let hello = client.hello();
        let (first, rest) = hello.split_at(so_far.min(hello.len()));
        client.stage.says(first).pass_secs(1);
        let now = Time::from_millis(700);
        client.stage.hand_over_at(now);
        if !rest.is_empty() {
            client.stage.says(rest);
        }
        client.shakes().says(b"GET / HTTP/1.1\r\n\r\n").pass_secs(60);
        assert!(client.text().starts_with("HTTP/1."), "{so_far}: {}", client.text());
    }
}
