//! The least that a server of drips can do: accept, then one bare `send` a second for each client.
//!
//! No wheel, no sessions, no epoll: what another program needs beyond this is its own.

use std::{
    env, io,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    time::Duration,
};

use bench::{Clock, pause, say};

/// A second is divided into so many turns, each of which serves its part of the clients.
const TURNS: usize = 10;

const TURN: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    let usage = || io::Error::other("usage: floor ADDRESS:PORT");
    let at: SocketAddr = env::args().nth(1).and_then(|it| it.parse().ok()).ok_or_else(usage)?;
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    let clock = Clock::start();
    let mut parts: [Vec<OwnedFd>; TURNS] = Default::default();
    for turn in 0.. {
        while let Ok((client, _)) = listener.accept() {
            let smallest = parts.iter_mut().min_by_key(|part| part.len());
            if let Some(part) = smallest {
                part.push(client.into());
            }
        }
        parts[turn % TURNS].retain(|client| say(client, b"x").is_ok());
        let due = TURN * u32::try_from(turn + 1).unwrap_or(u32::MAX);
        pause(due.saturating_sub(clock.now()));
    }
    Ok(())
}
