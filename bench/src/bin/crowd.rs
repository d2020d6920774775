//! A crowd of clients that one process holds open, told by lines on standard input what to do.
//!
//! `open N` connects N more clients; `hear MILLIS INTERVAL` listens for so long and tells how late
//! bytes came that were to come every INTERVAL milliseconds. Each line is answered by one JSON
//! object. The end of the input ends the crowd.

use std::{
    io::{self, BufRead as _, Write as _},
    net::SocketAddr,
    os::fd::OwnedFd,
    process::ExitCode,
    time::Duration,
};

use bench::{Clock, call, hear, is_of_tests, pause, say, source};
use clap::Parser;
use rustix::event::{Timespec, epoll};

/// Holds a crowd of clients open
#[derive(Parser)]
struct Arguments {
    /// Where to connect to: on loopback, or in `fd74:6172::/32` in a network namespace
    to: SocketAddr,
    /// What each client says once it is connected; `\r` and `\n` are understood
    #[arg(long, default_value = "")]
    hello: String,
    /// The number of the first client, from which its address follows
    #[arg(long, default_value_t = 0)]
    first: u32,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody else to tell.
            let _ = writeln!(io::stderr(), "crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    if !arguments.to.ip().is_loopback() && !is_of_tests(arguments.to.ip()) {
        return Err(io::Error::other("it only ever connects to loopback and fd74:6172::/32"));
    }
    let mut crowd = Crowd::new(arguments)?;
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<_> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["open", count] => crowd.open(number(count)?),
            ["hear", span, interval] => crowd.listen(millis(span)?, millis(interval)?)?,
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

fn millis(word: &str) -> io::Result<Duration> {
    number(word).map(|millis| Duration::from_millis(millis.into()))
}

struct Crowd {
    to: SocketAddr,
    hello: Vec<u8>,
    next: u32,
    clock: Clock,
    epoll: OwnedFd,
    clients: Vec<Option<Client>>,
}

struct Client {
    socket: OwnedFd,
    /// When it last heard something.
    heard: Option<Duration>,
    /// Nothing has been said to the server yet: the connection was not there at once.
    mute: bool,
}

impl Crowd {
    fn new(arguments: &Arguments) -> io::Result<Self> {
        Ok(Self {
            to: arguments.to,
            hello: arguments.hello.replace("\\r", "\r").replace("\\n", "\n").into_bytes(),
            next: arguments.first,
            clock: Clock::start(),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            clients: Vec::new(),
        })
    }

    fn open(&mut self, count: u32) -> String {
        let began = self.clock.now();
        let (mut opened, mut failed, mut why) = (0, 0, String::new());
        for _ in 0..count {
            match self.add() {
                Ok(()) => opened += 1,
                Err(error) => {
                    failed += 1;
                    why = error.to_string();
                }
            }
        }
        let micros = self.clock.now().saturating_sub(began).as_micros();
        format!(r#"{{"opened":{opened},"failed":{failed},"micros":{micros},"why":"{why}"}}"#)
    }

    fn add(&mut self) -> io::Result<()> {
        let socket = call(self.to, source(self.to, self.next))?;
        self.next += 1;
        let mut client = Client { socket, heard: None, mute: !self.hello.is_empty() };
        let mut flags = epoll::EventFlags::IN;
        if client.mute {
            // On loopback the connection usually stands when the call returns.
            match say(&client.socket, &self.hello) {
                Ok(count) if count > 0 => client.mute = false,
                _ => flags |= epoll::EventFlags::OUT,
            }
        }
        let index = epoll::EventData::new_u64(self.clients.len() as u64);
        epoll::add(&self.epoll, &client.socket, index, flags)?;
        self.clients.push(Some(client));
        Ok(())
    }

    /// Listens for `span`; what is to come every `interval` is late by what it took longer.
    fn listen(&mut self, span: Duration, interval: Duration) -> io::Result<String> {
        /// Between two looks, so that many are heard at one waking.
        const TURN: Duration = Duration::from_millis(2);

        let (mut bytes, mut reads, mut gone, mut late) = (0, 0_u64, 0, Duration::ZERO);
        let mut buffer = [0; 16 * 1024];
        let mut events = Vec::with_capacity(4_096);
        let start = self.clock.now();
        let end = start + span;
        // What came while nobody listened is not late.
        for client in self.clients.iter_mut().flatten() {
            client.heard = client.heard.map(|_| start);
        }
        loop {
            let now = self.clock.now();
            let Some(rest) = end.checked_sub(now) else { break };
            events.clear();
            let patience = Timespec { tv_sec: 0, tv_nsec: rest.as_nanos().min(100_000_000) as i64 };
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&patience),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let now = self.clock.now();
            for event in &events {
                let place = event.data.u64() as usize;
                let Some(Some(client)) = self.clients.get_mut(place) else { continue };
                let flags = event.flags;
                if client.mute && flags.contains(epoll::EventFlags::OUT) {
                    client.mute = false;
                    let heard = say(&client.socket, &self.hello).and_then(|_| {
                        let flags = epoll::EventFlags::IN;
                        epoll::modify(&self.epoll, &client.socket, event.data, flags)?;
                        Ok(())
                    });
                    if heard.is_err() {
                        gone += 1;
                        self.clients[place] = None;
                        continue;
                    }
                }
                match hear(&client.socket, &mut buffer) {
                    Ok(None) => {}
                    Ok(Some(count)) if count > 0 => {
                        bytes += count;
                        reads += 1;
                        if let Some(before) = client.heard.replace(now) {
                            late = late.max(now.saturating_sub(before + interval));
                        }
                    }
                    Ok(Some(_)) | Err(_) => {
                        gone += 1;
                        self.clients[place] = None;
                    }
                }
            }
            pause(TURN.min(rest));
        }
        // Who has heard nothing to this moment is late as well, unless it never heard anything.
        let now = self.clock.now();
        for client in self.clients.iter().flatten() {
            if let Some(before) = client.heard {
                late = late.max(now.saturating_sub(before + interval));
            }
        }
        let late = late.as_micros();
        let silent = self.clients.iter().flatten().filter(|client| client.heard.is_none()).count();
        Ok(format!(
            r#"{{"bytes":{bytes},"reads":{reads},"gone":{gone},"silent":{silent},"late_micros":{late}}}"#
        ))
    }
}
