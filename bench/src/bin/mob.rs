//! A mixed crowd that comes and goes: clients of every manner that a tarpit has to bear.
//!
//! It ends by itself after the time that it is given; then everybody leaves.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    os::fd::OwnedFd,
    time::Duration,
};

use bench::{Clock, call, hear, pause, say, source};
use clap::Parser;
use rustix::net::{Shutdown, shutdown, sockopt};
use tarpit_proto::protocols;

/// Lets a mixed crowd of clients come and go
#[derive(Parser)]
struct Arguments {
    /// Where to connect to, with the protocol: ADDRESS:PORT=PROTOCOL; loopback only
    #[arg(required = true, value_parser = Target::parse)]
    targets: Vec<Target>,
    /// How many clients there are at a time
    #[arg(long, default_value_t = 1_000)]
    clients: u32,
    /// For how many seconds
    #[arg(long = "for", default_value_t = 60)]
    seconds: u64,
}

/// Between two acts of a client.
const TURN: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    let Arguments { targets, clients, seconds } = Arguments::parse();
    let clock = Clock::start();
    let end = Duration::from_secs(seconds);
    let (mut met, mut failed) = (0_u64, 0_u64);
    let mut mob: Vec<Option<Client>> = (0..clients).map(|_| None).collect();
    while clock.now() < end {
        let begun = clock.now();
        for place in &mut mob {
            match place {
                Some(client) if client.leaves_at > begun => {
                    if client.act().is_err() {
                        *place = None;
                    }
                }
                // Here the one before leaves, in its manner.
                _ => match Client::come(&targets, met, begun) {
                    Ok(client) => {
                        met += 1;
                        *place = Some(client);
                    }
                    Err(_) => failed += 1,
                },
            }
        }
        pause((begun + TURN).saturating_sub(clock.now()));
    }
    for client in mob.iter_mut().flatten() {
        client.manner = Manner::Reset;
    }
    writeln!(io::stdout(), r#"{{"met":{met},"failed":{failed}}}"#)
}

/// A port and what is spoken there.
#[derive(Clone, Copy)]
struct Target {
    address: SocketAddr,
    hello: &'static [u8],
}

impl Target {
    fn parse(text: &str) -> Result<Self, String> {
        let (address, protocol) = text.split_once('=').ok_or("it is ADDRESS:PORT=PROTOCOL")?;
        let address: SocketAddr = address.parse().map_err(|error| format!("{error}"))?;
        if !address.ip().is_loopback() {
            return Err("it only ever connects to loopback".to_owned());
        }
        let hello = protocols::named(protocol).map_or(&b"\n"[..], |it| it.openings[0]);
        Ok(Self { address, hello })
    }
}

/// What a client of another protocol says first: each in turn that the program knows how to hold.
fn stranger(number: usize) -> &'static [u8] {
    let openings: Vec<_> = protocols::held().map(|it| it.openings[0]).collect();
    openings[number % openings.len()]
}

/// How a client behaves.
#[derive(Clone, Copy)]
enum Manner {
    /// Says its hello byte by byte.
    ByteByByte,
    /// Sends without end.
    Flood,
    /// Closes its half and reads on.
    HalfClose,
    /// Reads, and leaves politely.
    Leave,
    /// Never reads.
    NeverRead,
    /// Reads, and leaves with a reset.
    Reset,
    /// Says nothing.
    Silent,
    /// Speaks another protocol.
    Stranger,
}

const MANNERS: [Manner; 8] = [
    Manner::ByteByByte,
    Manner::Flood,
    Manner::HalfClose,
    Manner::Leave,
    Manner::NeverRead,
    Manner::Reset,
    Manner::Silent,
    Manner::Stranger,
];

struct Client {
    socket: OwnedFd,
    manner: Manner,
    hello: &'static [u8],
    leaves_at: Duration,
}

impl Client {
    /// The client of this number; manner, target and stay follow from it.
    fn come(targets: &[Target], number: u64, now: Duration) -> io::Result<Self> {
        let manner = MANNERS[number as usize % MANNERS.len()];
        let target = targets[number as usize / MANNERS.len() % targets.len()];
        let hello = match manner {
            Manner::Silent => b"",
            Manner::Stranger => stranger(number as usize / 3),
            _ => target.hello,
        };
        // The same hundred thousand addresses again and again, as in the world.
        let from = source(target.address, (number % 100_000) as u32);
        let socket = call(target.address, from)?;
        // From half a second to half a minute, most of them short.
        let stay =
            Duration::from_millis(500) * (1 << (number.wrapping_mul(2_654_435_761) >> 7 & 7));
        Ok(Self { socket, manner, hello, leaves_at: now + stay.min(Duration::from_secs(30)) })
    }

    fn act(&mut self) -> io::Result<()> {
        match self.manner {
            Manner::Flood => {
                say(&self.socket, &[b'a'; 4_096])?;
            }
            Manner::ByteByByte => self.speak(1)?,
            Manner::HalfClose if !self.hello.is_empty() => {
                self.speak(self.hello.len())?;
                if self.hello.is_empty() {
                    shutdown(&self.socket, Shutdown::Write)?;
                }
            }
            _ => self.speak(self.hello.len())?,
        }
        if matches!(self.manner, Manner::NeverRead) {
            return Ok(());
        }
        match hear(&self.socket, &mut [0; 4_096])? {
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn speak(&mut self, most: usize) -> io::Result<()> {
        let said = say(&self.socket, &self.hello[..most.min(self.hello.len())])?;
        self.hello = &self.hello[said..];
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if matches!(self.manner, Manner::Leave | Manner::HalfClose | Manner::Silent) {
            // If this fails, the client was disconnected already.
            let _ = sockopt::set_socket_linger(&self.socket, None);
        }
    }
}
