//! Facts with a value that is longer than the inbox: they are reported once its end has come, so
//! that its length is right.

use alloc::vec::Vec;

use crate::{
    base::{
        fact::Fact,
        state::{Saved, layout, load_name, save_name},
    },
    protocols::{http::request::Learn, secret},
    states,
    wire::http::huffman::Decoder,
};

states! {
    /// Facts that wait for the end of one of them.
    #[derive(Debug, Default, PartialEq)]
    pub(crate) boxed struct Torn {
        facts: Collected,
        /// How many bytes of the line have come.
        line: u32,
        /// Which of them goes on.
        open: u32,
        /// How many letters have come of a value in base64.
        base64: Option<u32>,
        /// How many more bytes have come, and how many of them at their end are padding.
        more: u32,
        padding: u32,
        /// What is still to come of a coded string.
        coded: Option<Coded>,
    }

    /// What is still to come of a coded string: its bytes, and how they are read.
    #[derive(Clone, Copy, Debug, PartialEq)]
    boxed struct Coded {
        left: u32,
        decoder: Decoder,
    }
}

/// Facts that may have to wait: of each what is shown, and its length.
#[derive(Debug, Default, PartialEq)]
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
        let base64 = is_coded.then(|| counted(letters));
        let open = counted(open);
        Ok(Torn { facts: self, open, base64, ..Torn::default() })
    }

    /// Tells all.
    pub(crate) fn tell(self, learn: Learn<'_>) {
        for (fact, value, length) in self.0 {
            learn(fact, &value, length);
        }
    }
}

impl Torn {
    /// Counts a part of the line; how long that is by now.
    pub(crate) fn lengthen(&mut self, part: &[u8]) -> u32 {
        self.line = self.line.saturating_add(counted(part.len()));
        self.line
    }

    /// So many more bytes belong to the value that are not at hand and never will be.
    pub(crate) fn lacks(&mut self, bytes: usize) {
        self.more = self.more.saturating_add(counted(bytes));
    }

    /// The rest of the value is coded, in so many bytes, and `decoder` stands amid a symbol.
    pub(crate) fn goes_on_coded(&mut self, bytes: usize, decoder: Decoder) {
        self.coded = Some(Coded { left: counted(bytes), decoder });
    }

    /// More of the value has come.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.more = self.more.saturating_add(counted(bytes.len()));
        let padding = bytes.iter().rev().take_while(|&&byte| byte == b'=').count();
        let before = if padding == bytes.len() { self.padding } else { 0 };
        self.padding = before.saturating_add(counted(padding));
    }

    /// More of what is coded has come; says whether that was its end.
    pub(crate) fn add_coded(&mut self, bytes: &[u8]) -> bool {
        let Some(Coded { left, mut decoder }) = self.coded else { return true };
        let coded = &bytes[..bytes.len().min(left as usize)];
        let mut plain = Vec::new();
        decoder.read(coded, &mut plain);
        self.add(&plain);
        let left = left - coded.len() as u32;
        self.coded = Some(Coded { left, decoder });
        left == 0
    }

    /// Tells all, the one that went on with its full length.
    pub(crate) fn tell(self, learn: Learn<'_>) {
        for (place, (fact, value, length)) in self.facts.0.iter().enumerate() {
            let beyond = match self.base64 {
                _ if place != self.open as usize => 0,
                Some(letters) => {
                    let all = letters.saturating_add(self.more).saturating_sub(self.padding);
                    bytes_of(all).saturating_sub(bytes_of(letters))
                }
                None => self.more,
            };
            learn(*fact, value, length.saturating_add(beyond as usize));
        }
    }
}

/// How many bytes so many letters of base64 are.
fn bytes_of(letters: u32) -> u32 {
    (u64::from(letters) * 3 / 4) as u32
}

/// A count as it is kept; beyond four gigabytes nobody counts.
fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Saved for Collected {
    const LAYOUT: u32 = layout(b"facts", 0);

    fn save(&self, out: &mut Vec<u8>) {
        counted(self.0.len()).save(out);
        for (fact, value, length) in &self.0 {
            save_name(fact.name(), out);
            value.save(out);
            counted(*length).save(out);
        }
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        let count = u32::load(saved)?;
        let one = |_| {
            let name = load_name(saved)?;
            let &(fact, ..) = Fact::ALL.iter().find(|(fact, ..)| fact.name() == name)?;
            Some((fact, Vec::load(saved)?, u32::load(saved)? as usize))
        };
        (0..count).map(one).collect::<Option<_>>().map(Self)
    }
}

impl Saved for Decoder {
    const LAYOUT: u32 = layout(b"huffman", 0);

    fn save(&self, out: &mut Vec<u8>) {
        let (code, length) = self.begun();
        code.save(out);
        length.save(out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        Self::amid(u32::load(saved)?, u32::load(saved)?)
    }
}
