//! The connection between two daemons: frames, each with its files.

use std::{
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use tarpit_proto::time::Time;

use super::{
    super::files::CURE,
    LOOK, PATIENCE,
    format::{Frame, decode, encode},
};
use crate::{
    os::{
        clock::Clock,
        fd_stream::{self, receive, send},
    },
    settings::finding::plain,
};

/// The longest frame: beyond what the counters of as many tarpits as there can be take.
const LONGEST: usize = 64 << 20;

/// The most bytes that a frame's length makes room for before they have come.
const PIECE: usize = 64 * 1024;

/// The parts of a frame that have a file each. The kernel takes more, but each of them is open
/// twice in the old daemon meanwhile.
pub(super) const FILES: usize = crate::worker::hand_over::EXPORTED;

const _: () = assert!(FILES <= fd_stream::MOST, "they fit beside one frame");

/// A connection to the other daemon.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    clock: Clock,
    /// When patience with the other side ends.
    end: Time,
    /// Once this is set, nothing is awaited any more.
    broken_off: Arc<AtomicBool>,
}

impl Channel {
    pub(super) fn new(stream: UnixStream, clock: Clock) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        let broken_off = Arc::default();
        let mut channel = Self { stream, clock, end: Time::START, broken_off };
        channel.wait_at_most(PATIENCE);
        Ok(channel)
    }

    /// Lets all that follows take so long together.
    pub(super) fn wait_at_most(&mut self, patience: Duration) {
        self.end = self.clock.now().after(patience);
    }

    /// Lets everything that waits for the other side fail once this is set.
    pub(super) fn break_off_by(&mut self, broken_off: Arc<AtomicBool>) {
        self.broken_off = broken_off;
    }

    /// Whether within `time`, and the patience that is left, something comes or the other side ends.
    pub(super) fn has_news(&self, time: Duration) -> bool {
        let left = self.left().min(time);
        if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        !matches!(recv(&self.stream, &mut [0], RecvFlags::PEEK), Err(Errno::AGAIN | Errno::INTR))
    }

    /// The patience that is left.
    pub(super) fn left(&self) -> Duration {
        self.end.since(self.clock.now())
    }

    /// Sends a frame with its files.
    pub(super) fn send(&self, frame: &Frame, files: &[BorrowedFd<'_>]) -> Result<(), Trouble> {
        let payload = encode(frame);
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let count = u16::try_from(files.len()).unwrap_or(u16::MAX).to_be_bytes();
        let bytes = [&length[..], &count, &payload].concat();
        let sent = self.patiently().and_then(|()| send(&self.stream, &bytes, files));
        sent.map_err(|error| Trouble::of(&error))
    }

    /// The next frame, with its files.
    pub(super) fn receive(&self) -> Result<(Frame, Vec<OwnedFd>), Trouble> {
        // Also where the other side answers at once.
        loop {
            if self.broken_off.load(Relaxed) {
                return Err(Trouble::Other(BROKEN_OFF.to_owned()));
            }
            if self.left().is_zero() || self.has_news(LOOK) {
                break;
            }
        }
        let (mut files, mut head) = (Vec::new(), [0; 6]);
        let mut read = |bytes: &mut [u8]| {
            self.patiently().and_then(|()| receive(&self.stream, bytes, &mut files))
        };
        read(&mut head).map_err(|error| Trouble::of(&error))?;
        let [length @ .., first, second] = head;
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Err(Trouble::Other(DAMAGED.to_owned()));
        }
        let mut payload = Vec::new();
        while payload.len() < length {
            let before = payload.len();
            payload.resize(length.min(before + PIECE), 0);
            read(&mut payload[before..]).map_err(|error| Trouble::of(&error))?;
        }
        let damaged = || Trouble::Other(DAMAGED.to_owned());
        let frame = decode(&payload).ok_or_else(damaged)?;
        if files.len() != usize::from(u16::from_be_bytes([first, second])) {
            return Err(Trouble::Other(DAMAGED.to_owned()));
        }
        match frame {
            Frame::Refused(why) => Err(Trouble::Refused(why)),
            frame => Ok((frame, files)),
        }
    }

    /// Tells the other side why the hand-over is over. If that fails, the end of the connection
    /// tells it, too.
    pub(super) fn refuse(&self, why: &str) {
        let _ = self.send(&Frame::Refused(why.to_owned()), &[]);
    }

    /// Sends a frame, and waits until the other side has taken it. So files do not pile up on their
    /// way: the kernel has a limit for those.
    pub(super) fn hand(&self, frame: &Frame, files: &[BorrowedFd<'_>]) -> Result<(), Trouble> {
        self.send(frame, files)?;
        match self.receive()? {
            (Frame::Taken, _) => Ok(()),
            _ => Err(Trouble::Other(DAMAGED.to_owned())),
        }
    }

    /// Lets the next call take no longer than there is patience.
    fn patiently(&self) -> io::Result<()> {
        let left = self.left();
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.set_write_timeout(Some(left))
    }
}

/// What is said of a frame that cannot be read.
pub(super) const DAMAGED: &str = "a message of the hand-over is damaged";

/// What is said of a hand-over that a signal has broken off.
const BROKEN_OFF: &str = "a signal ends the running daemon";

/// Why a hand-over fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The other side has closed the connection.
    Ended,
    Other(String),
    /// The other side says that the hand-over is over, and touches nothing any more.
    Refused(String),
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof => return Self::Ended,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                return Self::Other("the other program does not answer in time".to_owned());
            }
            _ => {}
        }
        Self::Other(match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::TOOMANYREFS) => {
                format!("{}; the new program may open too few files: {CURE}", plain(error))
            }
            _ => plain(error),
        })
    }
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Ended => "the other program has ended the hand-over".to_owned(),
            Trouble::Other(why) | Trouble::Refused(why) => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::fd::AsFd as _};

    use super::*;

    fn pair() -> (Channel, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Channel::new(ours, Clock::start()).unwrap(), theirs)
    }

    #[test]
    fn a_frame_comes_whole_with_its_files() {
        let (ours, theirs) = pair();
        let theirs = Channel::new(theirs, Clock::start()).unwrap();
        let (_, file) = io::pipe().unwrap();
        let files = [file.as_fd(); FILES];
        ours.send(&Frame::Complete { clients: 7, left: 0 }, &files).unwrap();
        let (frame, files) = theirs.receive().unwrap();
        assert!(matches!(frame, Frame::Complete { clients: 7, left: 0 }) && files.len() == FILES);
        // A long one, which the kernel takes piece by piece.
        let state = vec![0xFF; 1 << 20];
        let sender = std::thread::spawn(move || {
            let mut long =
                super::super::format::State::new(Clock::start(), crate::worker::HashKeys::new());
            long.counters = state;
            ours.hand(&Frame::State(long), &[])
        });
        let (frame, _) = theirs.receive().unwrap();
        assert!(matches!(frame, Frame::State(state) if state.counters.len() == 1 << 20));
        theirs.send(&Frame::Taken, &[]).unwrap();
        sender.join().unwrap().unwrap();
    }

    #[test]
    fn what_is_no_frame_is_refused_and_who_says_nothing_is_not_awaited_for_ever() {
        for bytes in [&b"\xFF\xFF\xFF\xFF\0\0"[..], b"\0\0\0\x01\0\0\xFF", b"\0\0\0\x01\0\x01\x09"]
        {
            let (ours, mut theirs) = pair();
            theirs.write_all(bytes).unwrap();
            let told = String::from(ours.receive().unwrap_err());
            assert_eq!(told, DAMAGED, "{}", bytes.escape_ascii());
        }
        let (mut ours, theirs) = pair();
        ours.wait_at_most(Duration::from_millis(20));
        for late in [ours.receive().unwrap_err(), ours.send(&Frame::Ready, &[]).unwrap_err()] {
            assert!(String::from(late).contains("in time"));
        }
        ours.wait_at_most(PATIENCE);
        drop(theirs);
        for ended in [ours.receive().unwrap_err(), ours.send(&Frame::Ready, &[]).unwrap_err()] {
            assert_eq!(ended, Trouble::Ended);
        }
    }
}
