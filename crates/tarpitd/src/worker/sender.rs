//! Sending: to many connections in one call by `io_uring` where the kernel allows it, else with one
//! `send()` each. The results are the same.

use std::{fmt, io};

use io_uring::IoUring;
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};

use crate::os::sys::{self, Outgoing};

/// The most clients of one call. Divided by this a call costs next to nothing, and the bytes of so
/// few are still in the cache when they are sent.
pub(crate) const BATCH: usize = 128;

/// How many bytes went out, and whether the rest waits for the socket's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) count: usize,
    pub(crate) full: bool,
}

impl Sent {
    /// The meaning of the kernel's answer to a send of `wanted` bytes; `None`: it was not asked.
    pub(crate) fn of(outcome: Option<Result<usize, Errno>>, wanted: usize) -> Result<Self, Errno> {
        match outcome {
            Some(Ok(count)) => Ok(Self { count, full: count < wanted }),
            Some(Err(Errno::AGAIN)) => Ok(Self { count: 0, full: true }),
            // The kernel is out of memory for a moment, and no event will say when that is over.
            None | Some(Err(Errno::INTR | Errno::NOBUFS | Errno::NOMEM)) => {
                Ok(Self { count: 0, full: false })
            }
            Some(Err(errno)) => Err(errno),
        }
    }
}

/// Sends for one worker.
#[derive(Default)]
pub(crate) struct Sender {
    /// The ring, if the kernel has one for us.
    ring: Option<IoUring>,
}

impl Sender {
    /// A sender with a ring. Fails if the kernel is too old for it or forbids it, as many
    /// containers do.
    pub(crate) fn with_ring() -> io::Result<Self> {
        Ok(Self { ring: Some(sys::writing_ring(BATCH as u32)?) })
    }

    /// Sends for at most [`BATCH`] clients, for each as far as it goes without waiting, and notes
    /// each outcome.
    ///
    /// An error is news, not a failure: the ring is given up for good, and everything was sent by
    /// one call each.
    pub(crate) fn send_all(&mut self, outgoing: &mut [Outgoing<'_>]) -> io::Result<()> {
        debug_assert!(outgoing.len() <= BATCH, "the ring has no more room");
        let news = sys::write_all(&mut self.ring, outgoing);
        for one in outgoing.iter_mut().filter(|one| one.outcome.is_none()) {
            send_one(one);
        }
        news
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("ring", &self.ring.is_some()).finish()
    }
}

/// Sends for one client, as far as it goes without waiting, and notes the outcome.
pub(crate) fn send_one(outgoing: &mut Outgoing<'_>) {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let outcome = loop {
        match send(outgoing.connection, outgoing.bytes, flags) {
            Err(Errno::INTR) => {}
            result => break result,
        }
    };
    *outgoing.outcome = Some(outcome);
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        net::{TcpListener, TcpStream},
        os::fd::AsFd as _,
        time::Duration,
    };

    use rustix::net::sockopt;

    use super::*;
    use crate::require::require;

    /// A ring, unless this machine has none for us.
    fn ring() -> Option<Sender> {
        require("io_uring").then(|| Sender::with_ring().unwrap())
    }

    /// Our end of a connection, and its client.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, client)
    }

    /// Sends these bytes on these connections; says what came of each.
    fn send(
        sender: &mut Sender,
        all: &[(&TcpStream, &[u8])],
    ) -> (io::Result<()>, Vec<Result<Sent, Errno>>) {
        let mut outcomes = vec![None; all.len()];
        let outgoing = all.iter().zip(&mut outcomes).map(|((stream, bytes), outcome)| Outgoing {
            connection: stream.as_fd(),
            bytes,
            outcome,
        });
        let news = sender.send_all(&mut outgoing.collect::<Vec<_>>());
        let sent = all.iter().zip(outcomes).map(|((_, bytes), it)| Sent::of(it, bytes.len()));
        (news, sent.collect())
    }

    /// The same where the ring is not to fail.
    fn sent(sender: &mut Sender, all: &[(&TcpStream, &[u8])]) -> Vec<Result<Sent, Errno>> {
        let (news, sent) = send(sender, all);
        news.unwrap();
        sent
    }

    fn answers_as_it_should(mut sender: Sender) {
        let (healthy, mut client) = connection();
        let (stuffed, _never_reads) = connection();
        sockopt::set_socket_send_buffer_size(&stuffed, 4_096).unwrap();
        let (failed, left) = connection();
        sockopt::set_socket_linger(&left, Some(Duration::ZERO)).unwrap();
        drop(left);
        // The reset is there once reading meets it.
        (&failed).read(&mut [0]).unwrap_err();
        let much = vec![b'x'; 16 << 20];

        let all: [(&TcpStream, &[u8]); 3] =
            [(&healthy, b"first"), (&stuffed, &much), (&failed, b"x")];
        let answers = sent(&mut sender, &all);
        assert_eq!(answers[0], Ok(Sent { count: 5, full: false }));
        let part = answers[1].unwrap();
        assert!(part.count > 0 && part.full, "{part:?}");
        assert_eq!(answers[2], Err(Errno::PIPE));

        // What goes into a full buffer is nothing, sooner or later.
        let again: [(&TcpStream, &[u8]); 2] = [(&stuffed, &much), (&healthy, b" second")];
        let stuck = (0..1_000)
            .any(|_| sent(&mut sender, &again[..1])[0].unwrap() == Sent { count: 0, full: true });
        assert!(stuck, "something went each time");
        let answers = sent(&mut sender, &again);
        assert_eq!(
            answers,
            [Ok(Sent { count: 0, full: true }), Ok(Sent { count: 7, full: false })]
        );
        drop(healthy);
        let mut heard = String::new();
        client.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "first second");
    }

    #[test]
    fn a_call_for_each_answers_as_it_should() {
        answers_as_it_should(Sender::default());
    }

    #[test]
    fn a_ring_answers_as_it_should() {
        if let Some(sender) = ring() {
            answers_as_it_should(sender);
        }
    }

    #[test]
    fn a_ring_takes_as_many_as_it_is_given() {
        let Some(mut sender) = ring() else { return };
        let pairs: Vec<_> = (0..BATCH).map(|_| connection()).collect();
        for _ in 0..3 {
            let all: Vec<(_, &[u8])> = pairs.iter().map(|(ours, _)| (ours, &b"x"[..])).collect();
            let answers = sent(&mut sender, &all);
            assert!(answers.iter().all(|answer| *answer == Ok(Sent { count: 1, full: false })));
        }
        for (_, client) in &pairs {
            client.set_nonblocking(true).unwrap();
            let mut heard = [0; 4];
            assert_eq!({ client }.read(&mut heard).unwrap(), 3);
        }
    }

    #[test]
    fn a_ring_that_fails_is_given_up_and_everything_is_sent() {
        // A ring that has yet to be enabled refuses all that it is asked.
        if !require("io_uring") {
            return;
        }
        let broken = IoUring::builder().setup_r_disabled().build(BATCH as u32).unwrap();
        let mut sender = Sender { ring: Some(broken) };
        let (ours, mut client) = connection();
        let all: [(&TcpStream, &[u8]); 2] = [(&ours, b"a"), (&ours, b"b")];
        let (news, answers) = send(&mut sender, &all);
        news.unwrap_err();
        assert_eq!(answers, [Ok(Sent { count: 1, full: false }); 2]);
        assert!(sender.ring.is_none());
        sent(&mut sender, &all);
        drop(ours);
        let mut heard = String::new();
        client.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "abab");
    }
}
