//! A Unix stream that carries open files beside its bytes (unix(7), `SCM_RIGHTS`).

use std::{
    io::{self, IoSlice, IoSliceMut, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    cmsg_space,
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    },
};

/// The most files that one message carries; the kernel would take 253.
pub(crate) const MOST: usize = 64;

/// Sends bytes, with files beside the first of them.
pub(crate) fn send(stream: &UnixStream, bytes: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = loop {
        match sendmsg(stream, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            result => break result?,
        }
    };
    let mut stream = stream;
    stream.write_all(&bytes[sent..])
}

/// Fills `bytes`, and appends the files that come beside them.
pub(crate) fn receive(
    stream: &UnixStream,
    mut bytes: &mut [u8],
    files: &mut Vec<OwnedFd>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = match recvmsg(stream, &mut [IoSliceMut::new(bytes)], &mut beside, flags) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                files.extend(more);
            }
        }
        // The kernel drops the files for which this process has no number left.
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Errno::MFILE.into());
        }
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[received.bytes..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::fd::AsFd as _};

    use super::*;

    #[test]
    fn files_come_with_the_bytes_that_they_were_sent_with() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&ours, b"ab", &[writer.as_fd(), writer.as_fd()]).unwrap();
        send(&ours, b"cd", &[]).unwrap();
        drop(writer);
        let (mut bytes, mut files) = ([0; 4], Vec::new());
        receive(&theirs, &mut bytes[..1], &mut files).unwrap();
        assert_eq!(files.len(), 2);
        receive(&theirs, &mut bytes[1..], &mut files).unwrap();
        assert_eq!((&bytes, files.len()), (b"abcd", 2));
        let mut pipe = io::PipeWriter::from(files.remove(0));
        pipe.write_all(b"x").unwrap();
        drop((pipe, files));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        drop(ours);
        let end = receive(&theirs, &mut bytes, &mut Vec::new()).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }
}
