//! One connection: hyper's input and output, with a limit to how long a reader may take.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{self, ReadBufCursor, Sleep, Timer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time,
};

/// How long the reader of one answer may keep it from going out. For an answer that goes on for
/// ever: how long it may take nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is read from a connection at once.
const PIECE: usize = 2 * 1024;

/// What a connection is doing.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// How many answers have begun.
    answers: AtomicU32,
    doing: AtomicU8,
}

/// The values of [`Progress::doing`].
const LISTENS: u8 = 0;
const WORKS: u8 = 1;
const SENDS: u8 = 2;
const STREAMS: u8 = 3;

impl Progress {
    /// A request is whole, and its answer is being made.
    pub(super) fn works(&self) {
        self.doing.store(WORKS, Relaxed);
    }

    /// An answer begins; `streams`: it may go on for ever.
    pub(super) fn answers(&self, streams: bool) {
        self.answers.fetch_add(1, Relaxed);
        self.doing.store(if streams { STREAMS } else { SENDS }, Relaxed);
    }

    /// An answer is over.
    pub(super) fn ends(&self) {
        self.doing.store(LISTENS, Relaxed);
    }

    /// Whether no answer is under way.
    pub(super) fn listens(&self) -> bool {
        self.doing.load(Relaxed) == LISTENS
    }

    /// Whether an answer that has an end goes to its reader.
    pub(super) fn sends(&self) -> bool {
        self.doing.load(Relaxed) == SENDS
    }

    /// Whether the answer under way may go on for ever.
    pub(super) fn streams(&self) -> bool {
        self.doing.load(Relaxed) == STREAMS
    }
}

/// A socket as hyper wants it, which fails once its reader is too slow.
pub(super) struct Connection<S> {
    socket: S,
    progress: Arc<Progress>,
    /// Runs while the socket takes nothing: the number of the answer, and when patience ends.
    stuck: Option<(u32, Pin<Box<time::Sleep>>)>,
}

impl<S> Connection<S> {
    pub(super) fn new(socket: S, progress: Arc<Progress>) -> Self {
        Self { socket, progress, stuck: None }
    }

    /// The socket, once HTTP is over.
    pub(super) fn into_socket(self) -> S {
        self.socket
    }

    /// Judges the outcome of a write.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let answer = self.progress.answers.load(Relaxed);
        if outcome.is_ready() {
            // A reader that takes a little now and then does not get more time, except where an
            // answer has no end.
            if self.progress.streams() || self.stuck.as_ref().is_some_and(|it| it.0 != answer) {
                self.stuck = None;
            }
            return outcome;
        }
        let (_, timer) = match &mut self.stuck {
            Some(stuck) if stuck.0 == answer => stuck,
            stuck => stuck.insert((answer, Box::pin(time::sleep(PATIENCE)))),
        };
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> rt::Read for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut piece = [0; PIECE];
        let room = out.remaining().min(PIECE);
        let mut read = ReadBuf::new(&mut piece[..room]);
        let outcome = Pin::new(&mut self.socket).poll_read(context, &mut read);
        if let Poll::Ready(Ok(())) = &outcome {
            out.put_slice(read.filled());
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> rt::Write for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.watch(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.socket).poll_flush(context);
        self.watch(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// The runtime's timers, for hyper.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers;

/// A timer of the runtime, for hyper.
struct Moment(Pin<Box<time::Sleep>>);

impl Future for Moment {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl Sleep for Moment {}

impl Timer for Timers {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Moment(Box::pin(time::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Moment(Box::pin(time::sleep_until(deadline.into()))))
    }
}
