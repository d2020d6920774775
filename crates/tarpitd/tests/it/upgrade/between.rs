//! One side of a hand-over, played by the test: the new program, or one that stands between both.

use std::{
    io::{self, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    thread,
};

use rustix::{
    cmsg_space,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    },
};

use crate::daemon::PATIENCE;

/// What a connection is to become.
pub(super) const FORM: &str = "tarpitd-hand-over/3";

/// The numbers of frames.
pub(super) const CLIENTS: u8 = 1;
pub(super) const COMPLETE: u8 = 2;
pub(super) const COUNTERS: u8 = 3;
pub(super) const READY: u8 = 5;
pub(super) const REFUSED: u8 = 6;
pub(super) const SERVE: u8 = 7;
pub(super) const SERVING: u8 = 8;
pub(super) const SIGNAL: u8 = 9;
pub(super) const TAKEN: u8 = 13;

/// One end of a hand-over.
pub(super) struct End(UnixStream);

/// A message with its files.
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) files: Vec<OwnedFd>,
}

impl Frame {
    /// What kind it is of.
    pub(super) fn number(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(u8::MAX)
    }

    /// Puts other bytes of the same length in the place of these.
    pub(super) fn replace(&mut self, old: &[u8], new: &[u8]) {
        while let Some(place) = self.bytes.windows(old.len()).position(|bytes| bytes == old) {
            self.bytes[place..place + old.len()].copy_from_slice(new);
        }
    }
}

impl End {
    /// Asks a daemon to hand over in this form; what it says instead, if it does not.
    pub(super) fn ask(socket: &str, form: &str) -> Result<Self, String> {
        let mut stream = UnixStream::connect(socket).expect("the socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
        let request = format!(
            "POST /v1/hand-over HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {form}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let head = head(&mut stream).expect("an answer");
        if head.starts_with("HTTP/1.1 101") { Ok(Self(stream)) } else { Err(head) }
    }

    /// The next frame; `None`: the other side has closed.
    pub(super) fn frame(&mut self) -> Option<Frame> {
        let (mut head, mut files) = ([0; 6], Vec::new());
        self.fill(&mut head, &mut files)?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes, &mut files)?;
        Some(Frame { bytes, files })
    }

    /// Sends a frame that is a number only.
    pub(super) fn say(&mut self, number: u8) {
        self.say_all(&[number]);
    }

    /// Sends a frame of these bytes.
    pub(super) fn say_all(&mut self, bytes: &[u8]) {
        let frame = Frame { bytes: bytes.to_vec(), files: Vec::new() };
        self.send(&frame).expect("the other side is there");
    }

    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let length = u32::try_from(frame.bytes.len()).expect("short").to_be_bytes();
        let count = u16::try_from(frame.files.len()).expect("few").to_be_bytes();
        let bytes = [&length[..], &count, &frame.bytes].concat();
        let files: Vec<BorrowedFd<'_>> = frame.files.iter().map(|file| file.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(64))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        assert!(files.is_empty() || beside.push(SendAncillaryMessage::ScmRights(&files)));
        let sent = sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL)?;
        self.0.write_all(&bytes[sent..])
    }

    fn fill(&mut self, mut bytes: &mut [u8], files: &mut Vec<OwnedFd>) -> Option<()> {
        while !bytes.is_empty() {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(64))];
            let mut beside = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC;
            let got = recvmsg(&self.0, &mut [IoSliceMut::new(bytes)], &mut beside, flags);
            let count = got.ok()?.bytes;
            for message in beside.drain() {
                if let RecvAncillaryMessage::ScmRights(more) = message {
                    files.extend(more);
                }
            }
            if count == 0 {
                return None;
            }
            bytes = &mut bytes[count..];
        }
        Some(())
    }
}

/// Reads up to the end of a head, and no byte more.
fn head(stream: &mut UnixStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

/// A control socket that passes everything on to another one, and may change what that one hands
/// over.
pub(super) struct Between(String);

impl Between {
    /// Begins to listen. `change` sees every frame of the old daemon.
    pub(super) fn start(
        path: &str,
        real: &str,
        mut change: impl FnMut(&mut Frame) + Send + 'static,
    ) -> Self {
        let (listener, real) = (UnixListener::bind(path).expect("a socket"), real.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut new) = stream else { return };
                let Ok(asked) = head(&mut new) else { continue };
                let Ok(mut old) = UnixStream::connect(&real) else { continue };
                old.write_all(asked.as_bytes()).expect("asked");
                if !asked.starts_with("POST /v1/hand-over") {
                    // If the other side has enough, so have we.
                    let _ = io::copy(&mut old, &mut new);
                    continue;
                }
                let answer = head(&mut old).expect("an answer");
                new.write_all(answer.as_bytes()).expect("answered");
                pass_on(End(old), End(new), &mut change);
            }
        });
        Self(path.to_owned())
    }

    pub(super) fn socket(&self) -> &str {
        &self.0
    }
}

/// Passes frames on, each with what the other side says to it, until one of them closes.
fn pass_on(mut old: End, mut new: End, change: &mut impl FnMut(&mut Frame)) {
    while let Some(mut frame) = old.frame() {
        let is_last = frame.number() == COMPLETE;
        change(&mut frame);
        if new.send(&frame).is_err() {
            return;
        }
        // Behind the last frame the new side says two things before the old one goes on, and to
        // some nothing.
        let needs_none = matches!(frame.number(), COUNTERS | SIGNAL);
        for _ in 0..if needs_none { 0 } else { 1 + usize::from(is_last) } {
            let Some(said) = new.frame() else { return };
            if old.send(&said).is_err() {
                return;
            }
        }
    }
}
