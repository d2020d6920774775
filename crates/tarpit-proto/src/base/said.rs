//! Unread input: a cursor over the bytes that a client sent.

/// Bytes from the client. A script takes those that it understands; the rest stays, and comes again
/// in front of later bytes.
#[derive(Debug)]
pub struct Said<'a> {
    bytes: &'a [u8],
    taken: usize,
    full: bool,
}

impl<'a> Said<'a> {
    /// All of `bytes`. With `full` there is no room for more: bytes that are not taken now are
    /// dropped, unless the script pauses reading.
    pub(crate) fn new(bytes: &'a [u8], full: bool) -> Self {
        Self { bytes, taken: 0, full }
    }

    /// The bytes that were not taken yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.taken..]
    }

    /// Whether the bytes are lost if none is taken now, since no more may wait. A script that
    /// pauses reading instead gets them when it reads again.
    pub fn is_full(&self) -> bool {
        self.full && self.taken == 0
    }

    /// Takes the first `count` bytes of the rest, or all there are.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let taken = &self.rest()[..count.min(self.rest().len())];
        self.taken += taken.len();
        taken
    }

    /// Takes everything.
    pub fn take_all(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// Takes a line with its end, which is a line feed. `None`: it is not whole yet. A line that is
    /// longer than the bytes that may wait comes in parts.
    pub fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => Some(self.take(end + 1)),
            // After other lines are taken, there is room for the rest of this one.
            None if self.is_full() => Some(self.take_all()),
            None => None,
        }
    }

    /// How many bytes were taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_when_it_is_whole_or_cannot_become_so() {
        let mut said = Said::new(b"EHLO x\r\nMAIL", false);
        assert_eq!(said.line(), Some(&b"EHLO x\r\n"[..]));
        assert_eq!(said.line(), None);
        assert_eq!(said.taken(), 8);
        assert_eq!(Said::new(b"aaaa", true).line(), Some(&b"aaaa"[..]));
    }

    #[test]
    fn a_line_that_the_window_cuts_is_waited_for() {
        let mut said = Said::new(b"a: b\nauthor", true);
        assert_eq!(said.line(), Some(&b"a: b\n"[..]));
        assert_eq!(said.line(), None);
    }
}
