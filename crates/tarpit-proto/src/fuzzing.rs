//! What fuzz targets and replayed corpora check. Not part of the interface.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use crate::{
    base::{
        handshake_budget::HandshakeBudget,
        news::{Event, News},
        pace::Rate,
        rng::{Entropy, Seed, SessionId},
        time::{Time, Wall},
    },
    patterns,
    persona::Persona,
    pins::Pins,
    script::{Conn, Profile},
    session::{Draft, Input, Output, Session, Wake, World},
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
        ssh::check_identification_has_one_end,
        telnet::check_telnet_is_read_the_same_wherever_it_is_cut, tls::check_readings_are_final,
    },
};

/// Whatever a client sends and takes, in whatever portions, from whichever pattern at whatever
/// rate: nothing panics, nothing grows beyond its bound, every byte that went out is counted once,
/// and what is written down can be read again.
///
/// The first byte chooses the pattern, the rate and whether it validates; then come portions, each
/// behind a byte that is its length. The same byte is the seconds that pass behind the portion, and
/// sixteen times as many bytes are taken until the next.
pub fn check_sessions_bear_anything(bytes: &[u8]) {
    let Some((&choice, mut rest)) = bytes.split_first() else { return };
    let choices = usize::from(choice >> 1);
    let pattern = patterns::ALL[choices % patterns::ALL.len()];
    let rate = RATES[choices / patterns::ALL.len() % RATES.len()].and_then(Rate::from_number);
    let seed = Seed([choice; 32]);
    let persona = Persona::default_for(&seed);
    let mut profile = Profile::new(pattern, persona);
    (profile.rate, profile.validate) = (rate, choice & 1 == 0);
    let address = SocketAddr::from(([192, 0, 2, 7], 40_000));
    let conn = Conn { client: address, server: address, via: None };
    let (now, draft) = (Time::START, Draft::default());
    let budget = HandshakeBudget::new(0, now);
    let mut play = Play {
        profile,
        conn,
        seed,
        now,
        draft,
        budget,
        pins: Pins::default(),
        room: GREETING,
        sent: 0,
    };
    let mut session = Session::open(play.now);
    play.input(&mut session, Input::Opened);
    while let Some((&length, after)) = rest.split_first() {
        let (portion, left) = after.split_at(after.len().min(length.into()));
        rest = left;
        if session.listens() {
            play.input(&mut session, Input::Said(portion));
        }
        play.now = play.now.after(Duration::from_secs(length.into()));
        play.room = usize::from(length) * 16;
        play.input(&mut session, Input::Due);
        assert_eq!(session.sent(), play.sent);
        let saved = session.save(play.now, &play.profile);
        assert!(saved.len() < 40_000, "{} bytes for one client", saved.len());
        assert!(Session::resume(play.now, &play.profile, &saved).is_known);
    }
    play.input(&mut session, Input::HalfClosed);
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
    let address = SocketAddr::from(([192, 0, 2, 7], 40_000));
    let conn = Conn { client: address, server: address, via: None };
    let now = Time::START;
    let (mut session, mut draft) = (Session::open(now), Draft::default());
    let (mut sent, mut learnt, mut budget) =
        (Vec::new(), Learnt(Vec::new()), HandshakeBudget::new(0, now));
    let opening = &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..];
    let portions = bytes.chunks(cut.clamp(1, 3_000)).map(Input::Said);
    for mut input in [Input::Opened, Input::Said(opening)].into_iter().chain(portions) {
        loop {
            let mut world = World {
                profile: &profile,
                conn: &conn,
                id: SessionId(1),
                group: 0,
                seed: &seed,
                start: Wall(1_795_333_948),
                entropy: &mut Nothing,
                budget: &mut budget,
                pins: &mut Pins::default(),
                news: &mut learnt,
            };
            let Output::Transmit(out) = session.handle(now, input, &mut world, &mut draft) else {
                break;
            };
            sent.extend_from_slice(out);
            input = Input::Wrote(out.len());
        }
    }
    (sent, learnt.0)
}

/// What was learnt.
struct Learnt(Vec<(&'static str, Vec<u8>)>);

impl News for Learnt {
    fn tell(&mut self, event: Event<'_>) {
        let Event::Learnt { facts, .. } = event else { return };
        self.0.extend(facts.iter().map(|entry| (entry.fact.name(), entry.value.clone())));
    }
}

struct Play {
    profile: Profile,
    conn: Conn,
    seed: Seed,
    now: Time,
    draft: Draft,
    budget: HandshakeBudget,
    pins: Pins,
    /// How much more the connection takes for now.
    room: usize,
    /// How much it took.
    sent: u64,
}

impl Play {
    fn input(&mut self, session: &mut Session, mut input: Input<'_>) {
        for _ in 0..2_000 {
            let mut world = World {
                profile: &self.profile,
                conn: &self.conn,
                id: SessionId(1),
                group: 0,
                seed: &self.seed,
                start: Wall(1_795_333_948),
                entropy: &mut Nothing,
                budget: &mut self.budget,
                pins: &mut self.pins,
                news: &mut Nothing,
            };
            match session.handle(self.now, input, &mut world, &mut self.draft) {
                Output::Transmit(bytes) => {
                    let count = bytes.len().min(self.room);
                    self.room -= count;
                    self.sent += count as u64;
                    input = Input::Wrote(count);
                }
                Output::OpenData => input = Input::DataPort(Some(20_000)),
                Output::Wait(Wake::At(moment)) => {
                    assert!(moment > self.now, "a wait lies ahead");
                    return;
                }
                Output::Wait(_) | Output::Close(_) => return,
            }
        }
        panic!("{} never waits", self.profile.pattern.name());
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
