//! Facts with a value that is longer than the inbox: they are reported once its end has come, so
//! that its length is right.

use alloc::vec::Vec;

use crate::{
    base::fact::Fact,
    protocols::secret,
    script::{legacy::Registers, state::Saved},
    wire::http::huffman::Decoder,
};

/// Facts that wait for the end of one of them, in [`Registers::big`]. A hand-over forgets them.
#[derive(Debug, Default)]
pub(crate) struct Torn {
    facts: Vec<(Fact, Vec<u8>, usize)>,
    /// Which of them goes on.
    open: usize,
    /// How many letters have come of a value in base64, and how many bytes they are.
    base64: Option<(usize, usize)>,
    /// How many more bytes have come, and how many of them at their end are padding.
    more: usize,
    padding: usize,
    /// What is still to come of a coded string: its bytes, and how they are read.
    coded: Option<(usize, Decoder)>,
}

/// Collects facts until it is known whether they are to wait.
#[derive(Debug, Default)]
pub(crate) struct Collected(Vec<(Fact, Vec<u8>, usize)>);

impl Collected {
    pub(crate) fn add(&mut self, fact: Fact, value: &[u8]) {
        let shown = &value[..value.len().min(Fact::SHOWN)];
        self.0.push((fact, shown.to_vec(), value.len()));
    }

    /// Lets them wait for the end of `open`, or of the credentials if that is `None`; `value` is
    /// what the client has written of it. Gives back those that wait for nothing.
    pub(crate) fn tear(self, open: Option<Fact>, value: &[u8]) -> Result<Torn, Self> {
        let place = |wanted| self.0.iter().rposition(|(fact, ..)| *fact == wanted);
        let secret = place(Fact::Secret);
        let named = open.and_then(place);
        // Where it ends with a secret, as an address that is cut may, it is that which goes on.
        let is_blank = |place: usize| self.0[place].1.ends_with(secret::BLANK);
        let found = match (named, secret) {
            (Some(named), Some(secret)) if is_blank(named) => Some(secret),
            (Some(named), _) => Some(named),
            (None, secret) => secret,
        };
        let Some(open) = found else { return Err(self) };
        let is_coded = |(fact, name, _): &(Fact, Vec<u8>, usize)| {
            *fact == Fact::Method && name.as_slice() == b"basic"
        };
        let is_coded = self.0[open].0 == Fact::Secret && self.0.iter().any(is_coded);
        let letters = value.rsplit(u8::is_ascii_whitespace).next().map_or(0, <[u8]>::len);
        let base64 = is_coded.then_some((letters, letters * 3 / 4));
        Ok(Torn { facts: self.0, open, base64, ..Torn::default() })
    }

    /// Tells all.
    pub(crate) fn tell(self, learn: crate::protocols::http::request::Learn<'_>) {
        for (fact, value, length) in self.0 {
            learn(fact, &value, length);
        }
    }
}

impl Torn {
    /// The facts that wait.
    pub(crate) fn of(run: &mut Registers) -> Option<&mut Self> {
        run.big.as_mut()?.as_any_mut().downcast_mut()
    }

    /// The facts that have waited, whose end has come.
    pub(crate) fn take(run: &mut Registers) -> Option<Self> {
        let torn = Self::of(run).map(core::mem::take)?;
        run.big = None;
        Some(torn)
    }

    /// So many more bytes belong to the value that are not at hand and never will be.
    pub(crate) fn lacks(&mut self, bytes: usize) {
        self.more = self.more.saturating_add(bytes);
    }

    /// The rest of the value is coded, in so many bytes, and `decoder` stands amid a symbol.
    pub(crate) fn goes_on_coded(&mut self, bytes: usize, decoder: Decoder) {
        self.coded = Some((bytes, decoder));
    }

    /// More of the value has come.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.more = self.more.saturating_add(bytes.len());
        let padding = bytes.iter().rev().take_while(|&&byte| byte == b'=').count();
        let before = if padding == bytes.len() { self.padding } else { 0 };
        self.padding = before + padding;
    }

    /// More of what is coded has come; says whether that was its end.
    pub(crate) fn add_coded(&mut self, bytes: &[u8]) -> bool {
        let Some((left, mut decoder)) = self.coded else { return true };
        let coded = &bytes[..bytes.len().min(left)];
        let mut plain = Vec::new();
        decoder.read(coded, &mut plain);
        self.add(&plain);
        self.coded = Some((left - coded.len(), decoder));
        left == coded.len()
    }

    /// Tells all, the one that went on with its full length.
    pub(crate) fn tell(self, learn: crate::protocols::http::request::Learn<'_>) {
        for (place, (fact, value, length)) in self.facts.iter().enumerate() {
            let beyond = match self.base64 {
                _ if place != self.open => 0,
                Some((letters, bytes)) => {
                    (letters + self.more).saturating_sub(self.padding) * 3 / 4 - bytes
                }
                None => self.more,
            };
            learn(*fact, value, length.saturating_add(beyond));
        }
    }
}

impl Saved for Torn {
    const LAYOUT: u32 = 0;

    fn save(&self, _out: &mut Vec<u8>) {}

    fn load(_saved: &mut &[u8]) -> Option<Self> {
        None
    }
}
