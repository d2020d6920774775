//! How bytes leave: many connections' in one call by `io_uring` where the kernel lets us, else in
//! one call each. What follows from either is the same.

use std::{fmt, io};

use io_uring::{IoUring, Probe, opcode};
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};

use crate::os::sys::{self, SendSlot};

/// The most that is sent at a time: a call's price divided by this is next to nothing, and what so
/// many are about to say is still at hand when it is sent.
pub(crate) const BATCH: usize = 128;

/// How much of a send slot went out, and whether the rest waits for the socket's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) count: usize,
    pub(crate) full: bool,
}

impl Sent {
    pub(crate) const NOTHING: Self = Self { count: 0, full: false };
}

/// Sends the send slots of one worker.
#[derive(Default)]
pub(crate) struct Sender {
    /// The ring by which it does, if there is one.
    ring: Option<IoUring>,
}

impl Sender {
    /// A sender that has a ring. Fails where the kernel is too old for it or somebody forbids it,
    /// as containers do.
    pub(crate) fn with_ring() -> io::Result<Self> {
        let ring = IoUring::new(BATCH as u32)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Send::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self { ring: Some(ring) })
    }

    /// Sends at most [`BATCH`] send slots, each as far as it goes without waiting, and gives to each
    /// place the answer for its send slot.
    ///
    /// An error is news, not a failure: the ring has been given up, and everything was sent, and
    /// will be, by one call each.
    pub(crate) fn send_all(
        &mut self,
        send_slots: &[Option<SendSlot<'_>>],
        answers: &mut [Result<Sent, Errno>],
    ) -> io::Result<()> {
        debug_assert!(send_slots.len() <= BATCH, "the ring has no more room");
        let mut results = [None; BATCH];
        let news = sys::send_all(&mut self.ring, send_slots, &mut results);
        for ((send_slot, answer), result) in send_slots.iter().zip(answers).zip(results) {
            if let Some(send_slot) = send_slot {
                *answer =
                    result.map_or_else(|| send_one(*send_slot), |it| understood(it, *send_slot));
            }
        }
        news
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("ring", &self.ring.is_some()).finish()
    }
}

/// Sends a send slot as far as it goes without waiting.
pub(crate) fn send_one(send_slot: SendSlot<'_>) -> Result<Sent, Errno> {
    loop {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match send(send_slot.connection, send_slot.bytes, flags) {
            Err(Errno::INTR) => {}
            result => return understood(result, send_slot),
        }
    }
}

/// What the kernel's answer means.
fn understood(result: Result<usize, Errno>, send_slot: SendSlot<'_>) -> Result<Sent, Errno> {
    match result {
        Ok(count) => Ok(Sent { count, full: count < send_slot.bytes.len() }),
        Err(Errno::AGAIN) => Ok(Sent { count: 0, full: true }),
        // The kernel is out of memory for a moment, and will not tell when it has some again.
        Err(Errno::INTR | Errno::NOBUFS | Errno::NOMEM) => Ok(Sent::NOTHING),
        Err(errno) => Err(errno),
    }
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

    fn send_slot<'a>(stream: &'a TcpStream, bytes: &'a [u8]) -> SendSlot<'a> {
        SendSlot { connection: stream.as_fd(), bytes }
    }

    fn send(sender: &mut Sender, send_slots: &[Option<SendSlot<'_>>]) -> Vec<Result<Sent, Errno>> {
        let mut answers = vec![Ok(Sent::NOTHING); send_slots.len()];
        sender.send_all(send_slots, &mut answers).unwrap();
        answers
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

        let send_slots = [
            Some(send_slot(&healthy, b"first")),
            None,
            Some(send_slot(&stuffed, &much)),
            Some(send_slot(&failed, b"x")),
        ];
        let answers = send(&mut sender, &send_slots);
        assert_eq!(answers[0], Ok(Sent { count: 5, full: false }));
        assert_eq!(answers[1], Ok(Sent::NOTHING), "there was nothing");
        let part = answers[2].unwrap();
        assert!(part.count > 0 && part.full, "{part:?}");
        assert_eq!(answers[3], Err(Errno::PIPE));

        // What goes into a full buffer is nothing, sooner or later.
        let again = [send_slot(&stuffed, &much), send_slot(&healthy, b" second")].map(Some);
        let stuck = (0..1_000)
            .any(|_| send(&mut sender, &again[..1])[0].unwrap() == Sent { count: 0, full: true });
        assert!(stuck, "something went each time");
        let answers = send(&mut sender, &again);
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
            let send_slots: Vec<_> =
                pairs.iter().map(|(ours, _)| Some(send_slot(ours, b"x"))).collect();
            let answers = send(&mut sender, &send_slots);
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
        let send_slots = [send_slot(&ours, b"a"), send_slot(&ours, b"b")].map(Some);
        let mut answers = [Ok(Sent::NOTHING); 2];
        sender.send_all(&send_slots, &mut answers).unwrap_err();
        assert_eq!(answers, [Ok(Sent { count: 1, full: false }); 2]);
        assert!(sender.ring.is_none());
        send(&mut sender, &send_slots);
        drop(ours);
        let mut heard = String::new();
        client.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "abab");
    }
}
