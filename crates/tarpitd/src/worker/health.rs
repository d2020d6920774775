//! Health checks of load balancers and orchestrators: answered, and never held.

use std::os::fd::OwnedFd;

use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};
use tarpit_proto::{
    protocols::{self, Detection, HTTP, detect},
    proxy_header,
    script::{Profile, Side},
    time::Wall,
};

use crate::worker::{Worker, accept::Newcomer};

/// The whole answer to an HTTP request, and how long its head is.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\
                        Connection: close\r\n\r\nok\n";
const HEAD: usize = ANSWER.len() - 3;

/// What is to be done with a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// It is answered and closed.
    Answer { without_body: bool },
    /// It may still become a request.
    Await,
    /// It is closed.
    Close,
}

impl Check {
    /// By what has come of a connection. Nothing more does if `is_over`.
    fn of(bytes: &[u8], is_over: bool) -> Self {
        let is_http = match detect(bytes, Some(&HTTP)) {
            Detection::Shown(protocol) => *protocol == HTTP,
            Detection::Incomplete(_) if !is_over => return Self::Await,
            Detection::Incomplete(_) | Detection::Unknown => false,
        };
        let has_head =
            bytes.windows(4).any(|end| end == b"\r\n\r\n") || bytes.len() >= proxy_header::MOST;
        match is_http {
            true if has_head || is_over => {
                Self::Answer { without_body: bytes.starts_with(b"HEAD ") }
            }
            true => Self::Await,
            false => Self::Close,
        }
    }

    /// Looks at what waits on a connection.
    pub(super) fn look(fd: &OwnedFd, is_over: bool, buffer: &mut [u8]) -> Self {
        match recv(fd, &mut *buffer, RecvFlags::DONTWAIT | RecvFlags::PEEK) {
            Ok((0, _)) => Self::Close,
            Ok((count, _)) => Self::of(&buffer[..count], is_over),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) if !is_over => Self::Await,
            Err(_) => Self::Close,
        }
    }

    /// Ends a connection so.
    pub(super) fn end(self, fd: &OwnedFd, buffer: &mut [u8]) {
        // Unread bytes would make a reset of the end. If something fails, the check fails too, and
        // that is what it is for.
        let _ = recv(fd, &mut *buffer, RecvFlags::DONTWAIT);
        if let Self::Answer { without_body } = self {
            say(fd, if without_body { &ANSWER[..HEAD] } else { ANSWER });
        }
        let _ = sockopt::set_socket_linger(fd, None);
    }
}

/// Sends something short to a check.
fn say(fd: &OwnedFd, bytes: &[u8]) {
    // As above.
    let _ = send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
}

/// What a server on this port says first.
fn greeting(profile: &Profile, port: u16, wall: Wall) -> Vec<u8> {
    let of_port = || protocols::on(port).filter(|it| it.first == Side::Server)?.greet;
    let about = profile.pattern.about();
    // A pattern for every protocol greets as the port's own.
    let greet = about.greet.or_else(|| about.protocol.is_none().then(of_port)?);
    let mut words = Vec::new();
    if let Some(greet) = greet {
        greet(&profile.persona, wall, &mut words);
    }
    words
}

impl Worker {
    /// Serves a health check: no client, and no line in the trace.
    pub(super) fn check_health(&mut self, newcomer: Newcomer) {
        let binding = &newcomer.binding;
        self.record.health_checked(&binding.name, newcomer.conn.client);
        let wall = Wall(self.calendar.start.0 + self.now.as_millis() / 1_000);
        let words = greeting(&binding.profile, newcomer.conn.server.port(), wall);
        if !words.is_empty() {
            say(&newcomer.fd, &words);
            let _ = sockopt::set_socket_linger(&newcomer.fd, None);
            return;
        }
        self.await_request(newcomer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_request_is_answered() {
        let answer = Check::Answer { without_body: false };
        for (bytes, early, late) in [
            (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], answer, answer),
            (b"GET / HTTP/1.1\r\nHost", Check::Await, answer),
            (
                b"HEAD / HTTP/1.0\r\n\r\n",
                Check::Answer { without_body: true },
                Check::Answer { without_body: true },
            ),
            (b"", Check::Await, Check::Close),
            (b"SSH-2.0-x\r\n", Check::Close, Check::Close),
        ] {
            assert_eq!(Check::of(bytes, false), early, "{}", bytes.escape_ascii());
            assert_eq!(Check::of(bytes, true), late, "{}", bytes.escape_ascii());
        }
    }
}
