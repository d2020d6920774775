//! A crowd without sockets: TCP clients on a TUN device, of which nothing is kept but the number of
//! the byte that comes next. So a server's sending half is all that the server is charged with, and
//! neither files nor ports bound the crowd.
//!
//! The device is to be made and addressed before, in a network namespace of its own. Lines on
//! standard input say what to do, as for `crowd`: `open N PORT` connects N more clients to that port
//! of the server, `hear MILLIS INTERVAL` listens for so long. Each is answered by one JSON object.

use std::{
    fs::File,
    io::{self, BufRead as _, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4},
    process::ExitCode,
    time::Duration,
};

use bench::{
    Clock,
    packet::{ACK, FIN, RST, SYN, Segment},
    tun,
};
use clap::Parser;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Holds a crowd of clients without sockets
#[derive(Parser)]
struct Arguments {
    /// The TUN device
    device: String,
    /// The server's address; in 198.18.0.0/16, which is for benchmarks (RFC 2544)
    server: Ipv4Addr,
    /// What each client says once it is connected; `\r` and `\n` are understood
    #[arg(long, default_value = "")]
    hello: String,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody else to tell.
            let _ = writeln!(io::stderr(), "stateless: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    if arguments.server.octets()[..2] != [198, 18] {
        return Err(io::Error::other("it only ever connects to 198.18.0.0/16"));
    }
    let mut crowd = Crowd {
        device: tun::open(&arguments.device)?,
        server: arguments.server,
        hello: arguments.hello.replace("\\r", "\r").replace("\\n", "\n").into_bytes(),
        clock: Clock::start(),
        clients: Vec::new(),
        counts: Counts::default(),
        packet: Vec::new(),
    };
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<_> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["open", count, port] => crowd.open(number(count)?, number(port)? as u16)?,
            ["hear", span, _] => crowd.listen(Duration::from_millis(number(span)?.into()))?,
            _ => return Err(io::Error::other(format!("what is `{line}`?"))),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn number(word: &str) -> io::Result<u32> {
    word.parse().map_err(|_| io::Error::other(format!("`{word}` is no number")))
}

/// How long a call is waited for before it is made again.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long a server that answers nobody is tried.
const GIVE_UP: Duration = Duration::from_secs(20);

/// How many calls may be unanswered: fewer than any server's queue has room for.
const UNANSWERED: usize = 100;

/// The number of each client's first byte.
const FIRST: u32 = 1_000;

struct Crowd {
    device: File,
    server: Ipv4Addr,
    hello: Vec<u8>,
    clock: Clock,
    clients: Vec<Client>,
    counts: Counts,
    packet: Vec<u8>,
}

/// All that is known of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Calling,
    Gone,
    /// The number of the byte that comes next.
    Held(u32),
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    bytes: u64,
    reads: u64,
    gone: u64,
    held: usize,
}

impl Crowd {
    fn open(&mut self, count: u32, port: u16) -> io::Result<String> {
        let began = self.clock.now();
        let first = self.clients.len();
        let goal = first + count as usize;
        let held_before = self.counts.held;
        let mut called = began;
        let mut heeded = (began, 0);
        while self.counts.held - held_before < count as usize {
            let answered = self.counts.held - held_before;
            let unanswered = self.clients.len() - first - answered;
            let now = self.clock.now();
            if answered > heeded.1 {
                heeded = (now, answered);
            } else if now.saturating_sub(heeded.0) > GIVE_UP {
                break;
            }
            if self.clients.len() < goal && unanswered < UNANSWERED {
                self.clients.push(Client::Calling);
                self.call(self.clients.len() - 1, port)?;
                called = now;
            } else if now.saturating_sub(called) >= PATIENCE {
                // Calls that found no room, or whose answer found none.
                let calling = |index: &usize| self.clients[*index] == Client::Calling;
                let again: Vec<_> = (first..self.clients.len()).filter(calling).collect();
                for index in again {
                    self.call(index, port)?;
                }
                called = now;
            } else {
                self.wait(Duration::from_millis(10))?;
            }
            self.hear_all()?;
        }
        let opened = self.counts.held - held_before;
        let failed = count as usize - opened;
        let micros = self.clock.now().saturating_sub(began).as_micros();
        let why = if failed > 0 { "no answer" } else { "" };
        Ok(format!(r#"{{"opened":{opened},"failed":{failed},"micros":{micros},"why":"{why}"}}"#))
    }

    fn listen(&mut self, span: Duration) -> io::Result<String> {
        let before = self.counts;
        let end = self.clock.now() + span;
        while let Some(rest) = end.checked_sub(self.clock.now()).filter(|rest| !rest.is_zero()) {
            self.wait(rest.min(Duration::from_millis(100)))?;
            self.hear_all()?;
        }
        let Counts { bytes, reads, gone, .. } = self.counts;
        Ok(format!(
            r#"{{"bytes":{},"reads":{},"gone":{},"silent":0,"late_micros":0}}"#,
            bytes - before.bytes,
            reads - before.reads,
            gone - before.gone,
        ))
    }

    /// Whether the device has something within `patience`.
    fn wait(&self, patience: Duration) -> io::Result<bool> {
        let patience = Timespec {
            tv_sec: patience.as_secs().cast_signed(),
            tv_nsec: patience.subsec_nanos().into(),
        };
        let mut files = [PollFd::new(&self.device, PollFlags::IN)];
        match poll(&mut files, Some(&patience)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }

    fn hear_all(&mut self) -> io::Result<()> {
        let mut buffer = [0; 2_048];
        loop {
            match self.device.read(&mut buffer) {
                Ok(count) => {
                    if let Some(segment) = Segment::read(&buffer[..count]) {
                        self.hear(&segment)?;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn hear(&mut self, segment: &Segment) -> io::Result<()> {
        let Some(index) = index(segment.to) else { return Ok(()) };
        let Some(&client) = self.clients.get(index) else { return Ok(()) };
        if segment.flags & (RST | FIN) != 0 {
            if client != Client::Gone {
                self.counts.held -= usize::from(client != Client::Calling);
                self.counts.gone += 1;
                self.clients[index] = Client::Gone;
            }
            return Ok(());
        }
        let spoken = FIRST + 1 + self.hello.len() as u32;
        match client {
            Client::Calling if segment.flags & SYN != 0 => {
                let next = segment.sequence.wrapping_add(1);
                self.clients[index] = Client::Held(next);
                self.counts.held += 1;
                let hello = std::mem::take(&mut self.hello);
                self.answer(segment, FIRST + 1, next, &hello)?;
                self.hello = hello;
            }
            Client::Held(next) if segment.flags & SYN != 0 => {
                self.answer(segment, spoken, next, &[])?;
            }
            Client::Held(next) if segment.sequence == next && segment.length > 0 => {
                let next = next.wrapping_add(segment.length as u32);
                self.clients[index] = Client::Held(next);
                self.counts.reads += 1;
                self.counts.bytes += segment.length as u64;
                self.answer(segment, spoken, next, &[])?;
            }
            // Something again, or whether we are there.
            Client::Held(next) if segment.sequence != next => {
                self.answer(segment, spoken, next, &[])?;
            }
            Client::Calling | Client::Gone | Client::Held(_) => {}
        }
        Ok(())
    }

    fn call(&mut self, index: usize, port: u16) -> io::Result<()> {
        let to = SocketAddrV4::new(self.server, port);
        let from = address(index);
        let (sequence, acknowledged) = (FIRST, 0);
        let call = Segment { from, to, sequence, acknowledged, flags: SYN, length: 0 };
        self.send(&call, &[])
    }

    fn answer(&mut self, to: &Segment, sequence: u32, next: u32, payload: &[u8]) -> io::Result<()> {
        let (from, to) = (to.to, to.from);
        let acknowledged = next;
        let answer =
            Segment { from, to, sequence, acknowledged, flags: ACK, length: payload.len() };
        self.send(&answer, payload)
    }

    fn send(&mut self, segment: &Segment, payload: &[u8]) -> io::Result<()> {
        segment.write(payload, &mut self.packet);
        // One call, one packet.
        let count = self.device.write(&self.packet)?;
        debug_assert_eq!(count, self.packet.len());
        Ok(())
    }
}

/// Addresses before a port is used again, 200 in each /24 of 198.19.0.0/16.
const ADDRESSES: usize = 50_000;
const IN_PREFIX: usize = 200;
const BASE: u32 = (198 << 24) | (19 << 16);
const FIRST_PORT: usize = 10_000;

/// Where the client with this index is.
fn address(index: usize) -> SocketAddrV4 {
    let place = index % ADDRESSES;
    let ip = BASE + ((place / IN_PREFIX) << 8) as u32 + (place % IN_PREFIX) as u32 + 1;
    SocketAddrV4::new(ip.into(), (FIRST_PORT + index / ADDRESSES) as u16)
}

/// The client that is there.
fn index(address: SocketAddrV4) -> Option<usize> {
    let place = address.ip().to_bits().checked_sub(BASE)? as usize;
    let group = usize::from(address.port()).checked_sub(FIRST_PORT)?;
    let within = (place & 255).checked_sub(1).filter(|within| *within < IN_PREFIX)?;
    Some(group * ADDRESSES + (place >> 8) * IN_PREFIX + within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_found_by_its_address() {
        for number in (0..1_000_000).step_by(997) {
            assert_eq!(index(address(number)), Some(number));
        }
        assert_eq!(index("198.19.0.0:10000".parse().unwrap()), None);
        assert_eq!(index("198.18.0.1:10000".parse().unwrap()), None);
    }
}
