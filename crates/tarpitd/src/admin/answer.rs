//! Answers: whole, made piece by piece as the reader takes them, or streamed.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::{
    Response, StatusCode,
    body::{Body as HttpBody, Bytes, Frame, SizeHint},
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use serde::Serialize;
use tokio::sync::mpsc;

use super::connection::Progress;

/// An answer to a request.
pub(crate) type Answer = Response<Body>;

/// What follows the head of an answer.
pub(crate) struct Body {
    content: Content,
    /// The connection's, told when the answer is over.
    progress: Option<Arc<Progress>>,
}

enum Content {
    /// The rest of a text.
    Whole(Bytes),
    /// Makes the next piece when the reader has taken the one before, so that a slow reader costs
    /// one piece.
    Pieces(Box<dyn FnMut() -> Option<Bytes> + Send>),
    /// Pieces of a writer, which waits where the reader is slow: the channel has room for one. The
    /// writer is no task, which would outlive its connection: a crowd that asks and leaves would
    /// gather thousands of them.
    ///
    /// `None`: it has sent all.
    Stream { writer: Option<Writer>, pieces: mpsc::Receiver<Bytes> },
}

/// Sends the pieces of an answer.
type Writer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer with a line of plain text.
pub(super) fn line(status: StatusCode, text: impl fmt::Display) -> Answer {
    whole(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

/// An answer with a line of JSON.
pub(super) fn json(status: StatusCode, what: &impl Serialize) -> Answer {
    match serde_json::to_string(what) {
        Ok(text) => whole(status, "application/json", text + "\n"),
        Err(_) => line(StatusCode::INTERNAL_SERVER_ERROR, "this cannot be written"),
    }
}

/// The answer where a worker should have said something and did not.
pub(super) fn stuck() -> Answer {
    line(StatusCode::SERVICE_UNAVAILABLE, "a worker thread does not answer")
}

/// An answer with this text, of a media type.
pub(crate) fn whole(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    answer(status, kind, Content::Whole(text.into()))
}

/// An answer whose pieces `next` makes, one at a time.
pub(crate) fn pieces(
    kind: &'static str,
    next: impl FnMut() -> Option<Bytes> + Send + 'static,
) -> Answer {
    answer(StatusCode::OK, kind, Content::Pieces(Box::new(next)))
}

/// An answer that goes on as long as `write` sends pieces. It may go on for ever: its reader must
/// only keep reading.
pub(crate) fn stream<W>(kind: &'static str, write: impl FnOnce(mpsc::Sender<Bytes>) -> W) -> Answer
where
    W: Future<Output = ()> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(1);
    let writer: Writer = Box::pin(write(sender));
    answer(StatusCode::OK, kind, Content::Stream { writer: Some(writer), pieces })
}

fn answer(status: StatusCode, kind: &'static str, content: Content) -> Answer {
    let mut answer = Response::new(Body { content, progress: None });
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

impl Body {
    /// Lets `progress` know how far this answer is.
    pub(super) fn follow(&mut self, progress: Arc<Progress>) {
        progress.answers(matches!(self.content, Content::Stream { .. }));
        self.progress = Some(progress);
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.ends();
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.content {
            Content::Whole(text) if text.is_empty() => None,
            Content::Whole(text) => Some(std::mem::take(text)),
            Content::Pieces(next) => next(),
            Content::Stream { writer, pieces } => {
                if writer.as_mut().is_some_and(|it| it.as_mut().poll(context).is_ready()) {
                    *writer = None;
                }
                ready!(pieces.poll_recv(context))
            }
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(text) if text.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(text) => SizeHint::with_exact(text.len() as u64),
            Content::Pieces(_) | Content::Stream { .. } => SizeHint::default(),
        }
    }
}
