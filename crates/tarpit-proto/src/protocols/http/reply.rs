//! What a request is answered with, and by which status line.

use alloc::vec::Vec;

use crate::{
    base::state::{Field, Packed, Packer, Saved, Unpacker, layout},
    protocols::http::{
        server::Server,
        site::{FILES, FOLDERS},
    },
    states,
};

states! {
    /// What a request is answered with.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Reply {
        /// A path that leads nowhere: beyond the root, or by a code that is none.
        BadPath,
        /// Nothing that can be understood.
        BadRequest,
        /// A body in a coding that the server does not know.
        Coding,
        /// More was expected of the server than it does.
        Expectation,
        /// A field beyond the server's bound.
        FieldTooLong,
        /// It is there, but not for this client.
        Forbidden,
        /// It is not there.
        Missing,
        /// It is a folder, whose name ends with a slash.
        Moved { folder: Entry },
        /// By a method that is known and not for pages.
        NotAllowed { method: Entry },
        /// By a method that is not known.
        NotImplemented { method: Entry },
        /// What can be asked of a page.
        Options { is_page: bool },
        /// It is a page, with that number on this site.
        Page { page: u8, extent: Extent },
        /// No password, or a wrong one.
        Refused,
        /// What can be asked of the server as a whole.
        ServerOptions,
        /// A target beyond the server's bound.
        TargetTooLong,
        /// More fields than the server reads.
        TooManyFields,
        /// The request itself, which the server does not repeat.
        Trace,
        /// A tunnel to somewhere else, which is refused.
        Tunnel,
        /// In a version that the server does not speak.
        UnknownVersion,
        /// The right password. Only for those who are to believe it.
        Welcome,
    }

    /// How much of a page a client wants.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Extent {
        /// A range of its bytes.
        Part,
        /// Nothing, since it has the page.
        Unchanged,
        #[default]
        Whole,
    }
}

/// An entry of a table of names, by its place. A new binary with other tables would read another name there,
/// and other pages; so the names are a part of the layout of every saved reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(pub(crate) u8);

impl Saved for Entry {
    const LAYOUT: u32 = names(&FILES, names(&FOLDERS, names(&METHODS, 0)));

    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        u8::load(saved).map(Self)
    }
}

impl Field for Entry {
    const BITS: u32 = u8::BITS;

    fn put(self, out: &mut Packer) {
        self.0.put(out);
    }

    fn get(from: &mut Unpacker) -> Option<Self> {
        <u8 as Field>::get(from).map(Self)
    }
}

/// What a table adds to a layout.
const fn names(table: &[&str], before: u32) -> u32 {
    let (mut all, mut place) = (layout(b"table", before), 0);
    while place < table.len() {
        all = layout(table[place].as_bytes(), layout(b"/", all));
        place += 1;
    }
    all
}

impl Packed<Reply> {
    /// Gives way to a reason that counts more.
    pub(crate) fn yield_to(&mut self, reason: Reply) {
        if reason.weight() > self.get().weight() {
            *self = reason.into();
        }
    }
}

impl Default for Reply {
    /// The site's start, for clients whose request is not waited for.
    fn default() -> Self {
        Self::Page { page: 0, extent: Extent::Whole }
    }
}

impl Reply {
    /// The code and the reason, as this server puts them.
    pub(crate) fn status(self, server: Server) -> &'static str {
        match self {
            Self::BadPath | Self::BadRequest | Self::FieldTooLong | Self::TooManyFields => {
                "400 Bad Request"
            }
            Self::Coding if server == Server::Apache => "400 Bad Request",
            Self::Coding | Self::NotImplemented { .. } => "501 Not Implemented",
            Self::Expectation => "417 Expectation Failed",
            Self::Forbidden => "403 Forbidden",
            Self::Missing => "404 Not Found",
            Self::Moved { .. } => "301 Moved Permanently",
            Self::Tunnel if server == Server::Nginx => "400 Bad Request",
            Self::NotAllowed { .. } | Self::Trace | Self::Tunnel => match server {
                Server::Nginx => "405 Not Allowed",
                Server::Apache | Server::Boa | Server::Iis => "405 Method Not Allowed",
            },
            Self::Page { extent: Extent::Part, .. } => "206 Partial Content",
            Self::Page { extent: Extent::Unchanged, .. } => "304 Not Modified",
            Self::Options { .. } | Self::Page { .. } | Self::ServerOptions | Self::Welcome => {
                "200 OK"
            }
            Self::Refused => "401 Unauthorized",
            Self::TargetTooLong => match server {
                Server::Nginx => "414 Request-URI Too Large",
                Server::Apache | Server::Boa | Server::Iis => "414 Request-URI Too Long",
            },
            Self::UnknownVersion => "505 HTTP Version Not Supported",
        }
    }

    /// How much it counts against another reason for an answer: servers read the line first, then
    /// the fields, and look for the page last.
    fn weight(self) -> u8 {
        match self {
            Self::BadRequest
            | Self::Coding
            | Self::FieldTooLong
            | Self::TargetTooLong
            | Self::TooManyFields
            | Self::Tunnel
            | Self::UnknownVersion => 2,
            Self::Expectation => 1,
            _ => 0,
        }
    }

    /// Whether the server ends the connection behind it, whatever the client wants.
    pub(crate) fn ends_connection(self) -> bool {
        self.weight() == 2 || self == Self::BadPath
    }

    /// Whether the answer names the host that the client asked for: not where the server refuses
    /// the request before it looks at that.
    pub(crate) fn names_host(self, server: Server) -> bool {
        match (self, server) {
            (Self::Options { .. } | Self::Page { .. } | Self::ServerOptions | Self::Welcome, _)
            | (_, Server::Boa) => false,
            (Self::Tunnel, Server::Apache) => true,
            (_, Server::Apache) => self.weight() < 2,
            (_, Server::Iis | Server::Nginx) => matches!(self, Self::Moved { .. }),
        }
    }

    /// Whether it says that a page is there, or that there is none: where it may be dripped behind
    /// a head that is whole.
    pub(crate) fn is_of_page(self) -> bool {
        matches!(self, Self::Forbidden | Self::Missing | Self::Moved { .. } | Self::Page { .. })
    }
}

/// The methods whose names stand in answers: those that Apache knows without further modules, and
/// from the first of [`UNKNOWN`] on those that scanners try and it does not know.
const METHODS: [&str; 33] = [
    "BASELINE-CONTROL",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "LABEL",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCOL",
    "MKWORKSPACE",
    "MOVE",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "REPORT",
    "TRACE",
    "UNCHECKOUT",
    "UNLOCK",
    "UPDATE",
    "VERSION-CONTROL",
    "DEBUG",
    "FOO",
    "INDEX",
    "SEARCH",
    "TEST",
    "TRACK",
    "get",
    "head",
    "post",
];

/// Where in [`METHODS`] those begin that Apache does not know.
const UNKNOWN: usize = 24;

/// A method whose name is not kept.
const UNNAMED: u8 = 0x80;

/// Whether Apache knows the method, and the number that stands for it in an answer.
pub(crate) fn method(name: &[u8]) -> (bool, Entry) {
    let place = METHODS.iter().position(|known| known.as_bytes() == name);
    let number = place.map_or(UNNAMED, |place| place as u8);
    (place.is_some_and(|place| place < UNKNOWN), Entry(number))
}

/// The name of the method with this number; `None`: it is not kept. Such an answer names none, since
/// any other name would reveal the tarpit at once.
pub(crate) fn method_name(Entry(number): Entry) -> Option<&'static str> {
    METHODS.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::state::Run;

    #[test]
    fn a_saved_reply_has_another_layout_where_a_table_has_other_names() {
        let all = [&["a", "b"][..], &["b", "a"], &["ab"], &["a"], &["a", "b", "c"], &[]];
        let mut layouts = all.map(|table| names(table, 0));
        layouts.sort_unstable();
        assert!(layouts.windows(2).all(|pair| pair[0] != pair[1]), "{layouts:?}");
        assert_ne!(Entry::LAYOUT, u8::LAYOUT, "it is not a number as any other");
    }

    #[test]
    fn each_reply_is_unpacked_as_it_was_packed() {
        let page = |page, extent| Reply::Page { page, extent };
        for reply in [
            Reply::BadPath,
            Reply::BadRequest,
            Reply::Coding,
            Reply::Expectation,
            Reply::FieldTooLong,
            Reply::Forbidden,
            Reply::Missing,
            Reply::Moved { folder: Entry(11) },
            Reply::NotAllowed { method: Entry(255) },
            Reply::NotImplemented { method: Entry(1) },
            Reply::Options { is_page: false },
            Reply::Options { is_page: true },
            page(255, Extent::Part),
            page(1, Extent::Unchanged),
            page(128, Extent::Whole),
            Reply::Refused,
            Reply::ServerOptions,
            Reply::TargetTooLong,
            Reply::TooManyFields,
            Reply::Trace,
            Reply::Tunnel,
            Reply::UnknownVersion,
            Reply::Welcome,
        ] {
            assert_eq!(Run::of(Packed::from(reply)).take::<Packed<Reply>>().get(), reply);
        }
    }
}
