//! A session's turns, or looks at first bytes, so many times and nothing else: to be run twice under
//! an instrument that counts instructions, so that the difference is what the turns cost.

use std::{
    hint::black_box,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use tarpit_proto::{
    driver::{Driver, Line},
    pacer::Rate,
    patterns,
    persona::Persona,
    protocols,
    rng::{Entropy, Seed},
    script::{Conn, Profile},
    session::{Event, Input, News},
    time::Time,
};

/// Works off turns of one session, or looks at first bytes
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// How often
    #[arg(long, default_value_t = 1_000)]
    times: u32,
}

#[derive(Subcommand)]
enum What {
    /// Look at the first bytes of a client of each protocol
    Identify,
    /// Let a client of this pattern have its turns
    Turn {
        /// The pattern
        pattern: String,
        /// The rate, as tarpitd's configuration counts it
        #[arg(long, allow_negative_numbers = true)]
        rate: Option<i64>,
        /// Which of its protocol's openings the client says, counted from 0
        #[arg(long, default_value_t = 0)]
        opening: usize,
    },
}

fn main() -> ExitCode {
    let Arguments { what, times } = Arguments::parse();
    let done = match &what {
        What::Identify => {
            identify(times);
            true
        }
        What::Turn { pattern, rate, opening } => turns(pattern, *rate, *opening, times),
    };
    if done {
        return ExitCode::SUCCESS;
    }
    // There is nobody else to tell.
    let _ =
        writeln!(io::stderr(), "steps: no such pattern or opening, or it has nothing more to say");
    ExitCode::FAILURE
}

/// Each time, one opening is compared with all protocols.
fn identify(times: u32) {
    let openings = protocols::held().map(|protocol| protocol.openings[0]).collect::<Vec<_>>();
    for opening in openings.iter().cycle().take(times as usize) {
        for protocol in protocols::held() {
            black_box(protocols::sight(protocol, black_box(opening)));
        }
    }
}

/// What the client of a pattern for any client says.
const ANY: &[&[u8]] = &[b"root\r\n"];

fn turns(pattern: &str, rate: Option<i64>, opening: usize, times: u32) -> bool {
    let seed = Seed([7; 32]);
    let start = Time::from_millis(5_000);
    let Some(pattern) = patterns::named(pattern) else { return false };
    let Some(persona) = Persona::named(Persona::DEFAULT, &seed) else { return false };
    let mut profile = Profile::new(pattern, persona);
    profile.rate = rate.and_then(Rate::from_number);
    let openings = pattern.protocol().map_or(ANY, |protocol| protocol.openings);
    let Some(opening) = openings.get(opening) else { return false };
    let from = |host: u8| ([192, 0, 2, host], 40_000).into();
    let conn = Conn { client: from(7), server: from(1), via: None };
    let mut driver = Driver::new(profile, conn, seed, start, Sevens, Deaf);
    driver.input(Input::Opened, &mut Sink);
    driver.input(Input::Said(opening), &mut Sink);
    for _ in 0..times {
        let Some(due) = driver.due() else { return false };
        driver.now = due;
        driver.input(Input::Due, &mut Sink);
    }
    true
}

/// A line that takes all.
struct Sink;

impl Line for Sink {
    fn transmit(&mut self, _now: Time, bytes: &[u8]) -> Option<usize> {
        Some(black_box(bytes).len())
    }
}

/// The same every time, so that counts are.
struct Sevens;

impl Entropy for Sevens {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(7);
    }
}

struct Deaf;

impl News for Deaf {
    fn tell(&mut self, event: Event<'_>) {
        black_box(event);
    }
}
