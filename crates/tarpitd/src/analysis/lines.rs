//! The lines of one file or stream, in a buffer of bounded size.

use std::io::{self, Read};

use memchr::memchr;

/// Reads lines.
pub(super) struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    /// What was read and not handed out as yet.
    start: usize,
    end: usize,
    /// Where the latest line began, and its number.
    latest: usize,
    number: u64,
    ended: bool,
}

/// The next line, or what is in its place.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    End,
    Failed(io::Error),
    /// Without its line end.
    Line(&'a [u8]),
    /// A line of more than [`LONGEST`] bytes; it was skipped.
    TooLong,
    /// A last line without an end: it may be written this very moment.
    Unfinished(&'a [u8]),
}

/// So much is read at once.
const USUAL: usize = 256 * 1024;

/// The longest line that is read: several times what tarpitd can write.
pub(super) const LONGEST: usize = 1024 * 1024;

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        let buffer = vec![0; USUAL];
        Self { source, buffer, start: 0, end: 0, latest: 0, number: 0, ended: false }
    }

    /// The number of the latest line, from 1 on.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Has the latest line read again by the next call of [`Lines::next`].
    pub(super) fn put_back(&mut self) {
        self.start = self.latest;
        self.number -= 1;
    }

    pub(super) fn next(&mut self) -> Piece<'_> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.start + searched..self.end];
            if let Some(found) = memchr(b'\n', rest) {
                let length = searched + found;
                self.take(length, length + 1);
                return Piece::Line(&self.buffer[self.latest..self.latest + length]);
            }
            searched = self.end - self.start;
            if self.ended {
                let length = searched;
                if length == 0 {
                    return Piece::End;
                }
                self.take(length, length);
                return Piece::Unfinished(&self.buffer[self.latest..self.latest + length]);
            }
            if searched >= LONGEST {
                return self.skip();
            }
            if let Err(error) = self.fill() {
                return Piece::Failed(error);
            }
        }
    }

    /// Hands out a line of `length` bytes, and goes on `step` bytes further.
    fn take(&mut self, length: usize, step: usize) {
        debug_assert!(length <= step);
        self.latest = self.start;
        self.start += step;
        self.number += 1;
    }

    /// Reads more behind what is in the buffer.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let count = read(&mut self.source, &mut self.buffer[self.end..]);
        self.ended = !matches!(count, Ok(1..));
        self.end += count?;
        Ok(())
    }

    /// Leaves out all of a line that is too long, without keeping it.
    fn skip(&mut self) -> Piece<'_> {
        self.number += 1;
        loop {
            (self.start, self.end) = (0, 0);
            match read(&mut self.source, &mut self.buffer) {
                Ok(0) => {
                    self.ended = true;
                    return Piece::TooLong;
                }
                Ok(count) => {
                    if let Some(found) = memchr(b'\n', &self.buffer[..count]) {
                        (self.start, self.end) = (found + 1, count);
                        return Piece::TooLong;
                    }
                }
                Err(error) => {
                    self.ended = true;
                    return Piece::Failed(error);
                }
            }
        }
    }
}

fn read(source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(self.1).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// The lines by their beginnings, and what is in place of one.
    fn told(text: &[u8], at_once: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::new(Drip(text, at_once));
        let mut all = Vec::new();
        loop {
            let piece = match lines.next() {
                Piece::End => break,
                Piece::Failed(error) => panic!("{error}"),
                Piece::Line(line) => String::from_utf8_lossy(line).into_owned(),
                Piece::TooLong => "too long".to_owned(),
                Piece::Unfinished(line) => format!("{}...", String::from_utf8_lossy(line)),
            };
            all.push((lines.number(), piece));
        }
        all
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let wanted: Vec<(u64, String)> =
            [(1, "a"), (2, ""), (3, "bc"), (4, "d...")].map(|(n, it)| (n, it.to_owned())).into();
        for at_once in [1, 2, 3, 100] {
            assert_eq!(told(b"a\n\nbc\nd", at_once), wanted);
        }
        assert_eq!(told(b"", 1), []);
        assert_eq!(told(b"\n", 1), [(1, String::new())]);
    }

    #[test]
    fn a_long_line_is_skipped_and_the_next_one_is_read() {
        let long = vec![b'x'; 3 * LONGEST];
        let text = [b"a\n", &long[..], b"\nb\n", &long[..LONGEST - 1], b"\n"].concat();
        let all = told(&text, 100_000);
        let pieces: Vec<_> = all.iter().map(|(_, piece)| &piece[..piece.len().min(8)]).collect();
        assert_eq!(pieces, ["a", "too long", "b", "xxxxxxxx"]);
        assert_eq!(all[3].0, 4);
        // Without an end, too.
        let pieces = told(&long, 100_000);
        assert_eq!(pieces, [(1, "too long".to_owned())]);
    }

    #[test]
    fn a_line_that_was_put_back_comes_again() {
        let mut lines = Lines::new(&b"a\nb\nc"[..]);
        for wanted in [b"a", b"b", b"c"] {
            for again in [true, false] {
                let (Piece::Line(line) | Piece::Unfinished(line)) = lines.next() else {
                    panic!("a line")
                };
                assert_eq!(line, wanted);
                if again {
                    lines.put_back();
                }
            }
        }
        assert!(matches!(lines.next(), Piece::End));
        assert_eq!(lines.number(), 3);
    }
}
