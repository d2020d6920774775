//! What fuzz targets and replayed corpora check. Not part of the interface.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use crate::{
    base::{
        news::{Event, News},
        pace::Rate,
        rng::{Entropy, Seed},
        time::Time,
    },
    driver::{Driven, Driver, Line},
    patterns,
    persona::Persona,
    script::{Conn, Profile},
    session::{Input, Session, Wake},
};
pub use crate::{
    protocols::{check_detections_are_final, check_verdicts_are_final},
    protocols::{
        command::check_commands_have_one_reading,
        http::check_requests_are_read_the_same_however_cut,
        shell::check_answers_of_the_shell_are_bounded, smtp::mail::check_mail_has_one_end,
        ssh::lane::check_packets_have_one_reading,
    },
    wire::{
        proxy_header::check_headers_have_one_reading, ssh::check_identification_has_one_end,
        telnet::check_telnet_is_read_the_same_wherever_it_is_cut, tls::check_readings_are_final,
    },
};

/// Whatever a client sends and takes, in whatever portions, from any pattern of the registry at any
/// rate: nothing panics, nothing grows beyond its bound, every byte that went out is counted once,
/// and what is written down can be read again.
///
/// The first byte chooses the pattern, and the second whether it validates, what the client says
/// first and the rate. Then come portions, each behind a byte that is its length. The same byte is
/// the seconds that pass behind the portion, and sixteen times as many bytes are taken until the
/// next.
pub fn check_sessions_bear_anything(bytes: &[u8]) {
    let Some((&[first, second], mut rest)) = bytes.split_first_chunk() else { return };
    let pattern = patterns::ALL[usize::from(first) % patterns::ALL.len()];
    let rate = RATES[usize::from(second >> 4) % RATES.len()].and_then(Rate::from_number);
    let seed = Seed([first; 32]);
    let mut profile = Profile::new(pattern, Persona::default_for(&seed));
    (profile.rate, profile.validate) = (rate, second & 1 == 0);
    let mut line = Room { left: GREETING, sent: 0, transmissions: 0 };
    let mut driver = client(profile, seed, Nothing);
    driver.input(Input::Opened, &mut line);
    // Most bytes are let through only behind what their protocol begins with.
    if let Some(protocol) = pattern.protocol().filter(|_| second & 2 == 0) {
        let openings = protocol.openings;
        driver.input(Input::Said(openings[usize::from(second >> 2) % openings.len()]), &mut line);
    }
    while let Some((&length, after)) = rest.split_first() {
        let (portion, left) = after.split_at(after.len().min(length.into()));
        rest = left;
        if driver.session.listens() && !matches!(driver.driven, Driven::Closed(_)) {
            line.play(&mut driver, Input::Said(portion));
        }
        driver.now = driver.now.after(Duration::from_secs(length.into()));
        line.left = usize::from(length) * 16;
        line.play(&mut driver, Input::Due);
        assert_eq!(driver.session.sent(), line.sent);
        let saved = driver.session.save(driver.now, &driver.profile);
        assert!(saved.len() < 40_000, "{} bytes for one client", saved.len());
        assert!(Session::resume(driver.now, &driver.profile, &saved).is_known);
    }
    line.play(&mut driver, Input::HalfClosed);
}

/// A client that has connected to a port of such settings.
fn client<N: News>(profile: Profile, seed: Seed, news: N) -> Driver<Nothing, N> {
    let address = SocketAddr::from(([192, 0, 2, 7], 40_000));
    let conn = Conn { client: address, server: address, via: None };
    Driver::new(profile, conn, seed, Time::START, Nothing, news)
}

/// What users may have set; the lowest choices mean no rate.
const RATES: [Option<i64>; 5] = [None, Some(-2), Some(20), Some(5_000), Some(0)];

/// How much a new connection takes.
const GREETING: usize = 1_024;

/// What an HTTP/2 client sends behind its opening is answered alike, and tells the same, in whatever
/// portions it comes.
pub fn check_frames_have_one_reading(bytes: &[u8]) {
    // Less than may wait, which the caller may cut where it likes.
    let bytes = &bytes[..bytes.len().min(3_000)];
    let whole = frames_read(bytes, usize::MAX);
    for cut in [1, 8, 100] {
        assert_eq!(frames_read(bytes, cut), whole, "cut into portions of {cut}");
    }
}

/// What an HTTP/2 client that sends these is answered at once, and what is learnt of it.
fn frames_read(bytes: &[u8], cut: usize) -> (Vec<u8>, Vec<(&'static str, Vec<u8>)>) {
    let Some(pattern) = patterns::named("http_hold") else { return Default::default() };
    let seed = Seed([1; 32]);
    let profile = Profile::new(pattern, Persona::default_for(&seed));
    let (mut driver, mut all) = (client(profile, seed, Learnt(Vec::new())), All(Vec::new()));
    let opening = &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..];
    let portions = bytes.chunks(cut.clamp(1, 3_000)).map(Input::Said);
    for input in [Input::Opened, Input::Said(opening)].into_iter().chain(portions) {
        driver.input(input, &mut all);
    }
    (all.0, driver.news.0)
}

/// A line that takes all.
struct All(Vec<u8>);

impl Line for All {
    fn transmit(&mut self, _now: Time, bytes: &[u8]) -> Option<usize> {
        self.0.extend_from_slice(bytes);
        Some(bytes.len())
    }
}

/// A line that takes so much.
struct Room {
    /// How much more it takes for now.
    left: usize,
    /// How much it took.
    sent: u64,
    /// How often it was asked since the last input.
    transmissions: usize,
}

impl Room {
    /// One input, which must come to an end.
    fn play<N: News>(&mut self, driver: &mut Driver<Nothing, N>, input: Input<'_>) {
        self.transmissions = 0;
        if let Driven::Waits(Wake::At(moment)) = driver.input(input, self) {
            assert!(moment > driver.now, "a wait lies ahead");
        }
    }
}

impl Line for Room {
    fn transmit(&mut self, _now: Time, bytes: &[u8]) -> Option<usize> {
        self.transmissions += 1;
        assert!(self.transmissions < 2_000, "a session that never waits");
        let count = bytes.len().min(self.left);
        self.left -= count;
        self.sent += count as u64;
        Some(count)
    }

    fn open_data(&mut self) -> Option<u16> {
        Some(20_000)
    }
}

/// What was learnt.
struct Learnt(Vec<(&'static str, Vec<u8>)>);

impl News for Learnt {
    fn tell(&mut self, event: Event<'_>) {
        let Event::Learnt { facts, .. } = event else { return };
        self.0.extend(facts.iter().map(|entry| (entry.fact.name(), entry.value.clone())));
    }
}

struct Nothing;

impl Entropy for Nothing {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(7);
    }
}

impl News for Nothing {
    fn tell(&mut self, _event: Event<'_>) {}
}
