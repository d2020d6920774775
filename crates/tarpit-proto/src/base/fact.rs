//! What tarpitd learns of a client: kinds of facts, by their names in the trace.

use alloc::{boxed::Box, vec::Vec};

use crate::base::{
    news::{Event, News},
    ssh_offer::SshOffer,
};

/// A kind of fact. Its value is the client's own bytes, or a fingerprint made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// A whole command line of a text protocol, such as `MAIL FROM:<a@b>`.
    Command,
    /// An HTTP relay's `Forwarded:`.
    HttpForwarded,
    /// What an HTTP client accepts or sends as its `Host:`.
    HttpHost,
    /// An HTTP request's line.
    HttpRequest,
    /// An HTTP client's `User-Agent:`.
    HttpUserAgent,
    /// An HTTP relay's `X-Forwarded-For:`.
    HttpXForwardedFor,
    /// An HTTP relay's `X-Real-IP:`.
    HttpXRealIp,
    /// A TLS client's fingerprint: MD5 over its hello in the order it stands.
    Ja3,
    /// A TLS client's fingerprint that survives a shuffled hello.
    Ja4,
    /// How a guess would authenticate, such as `password` or `publickey`.
    Method,
    /// The protocol that its first bytes show, on a port that serves many.
    Protocol,
    /// A password, an answer to a challenge, or an `Authorization:`.
    Secret,
    /// The name by which an SMTP client greets.
    SmtpHelo,
    /// The sender of a mail.
    SmtpMailFrom,
    /// A recipient of a mail.
    SmtpRcptTo,
    /// An SSH client's fingerprint: MD5 over what it offers.
    SshHassh,
    /// An SSH client's identification line.
    SshIdent,
    /// An SSH public key that was offered, as its SHA-256 fingerprint.
    SshKey,
    /// The terminal that a telnet client has.
    TelnetTerminal,
    /// The protocols that a TLS client would speak inside, separated by commas.
    TlsAlpn,
    /// The name that a TLS client asks for.
    TlsSni,
    /// A user's name.
    User,
}

impl Fact {
    /// The most bytes of a value that are written; its full length is written beside it.
    pub const SHOWN: usize = 256;

    /// All of them, with what each means, and who may be behind its value: for the manual and for
    /// the page on the law.
    pub const ALL: [(Self, &'static str, &'static str); 22] = [
        (
            Self::Command,
            "a command of a text protocol",
            "words that a person typed; known secrets appear as `***`",
        ),
        (
            Self::HttpForwarded,
            "the Forwarded header of an HTTP request; of a long one its last 256 bytes or less",
            "whom a relay forwards for, or whoever the client pretends to be",
        ),
        (
            Self::HttpHost,
            "the Host header of an HTTP request",
            "the site that was meant, yours or a third party's",
        ),
        (
            Self::HttpRequest,
            "the request line of an HTTP request",
            "paths and searches; known secrets appear as `***`",
        ),
        (
            Self::HttpUserAgent,
            "the User-Agent header of an HTTP request",
            "the program, rarely a person",
        ),
        (
            Self::HttpXForwardedFor,
            "the X-Forwarded-For header of an HTTP request, as with http_forwarded",
            "whom a relay forwards for, or whoever the client pretends to be",
        ),
        (
            Self::HttpXRealIp,
            "the X-Real-IP header of an HTTP request, as with http_forwarded",
            "whom a relay forwards for, or whoever the client pretends to be",
        ),
        (Self::Ja3, "the JA3 fingerprint of a TLS client", "the program"),
        (Self::Ja4, "the JA4 fingerprint of a TLS client", "the program"),
        (
            Self::Method,
            "how the client would authenticate: password, publickey, plain and so on",
            "nobody",
        ),
        (
            Self::Protocol,
            "the protocol of the client, on a port that serves several; a key beside `meta`",
            "nobody",
        ),
        (
            Self::Secret,
            "a password, an answer to a challenge, or an Authorization header",
            "the owner of a stolen password",
        ),
        (Self::SmtpHelo, "the name in HELO or EHLO", "the client's host"),
        (Self::SmtpMailFrom, "the sender of a mail", "a third party's mail address"),
        (Self::SmtpRcptTo, "a recipient of a mail", "a third party's mail address"),
        (Self::SshHassh, "the HASSH fingerprint of an SSH client", "the program"),
        (Self::SshIdent, "the identification line of an SSH client", "the program"),
        (
            Self::SshKey,
            "the SHA-256 fingerprint of an SSH public key",
            "the owner of that key, here and elsewhere",
        ),
        (Self::TelnetTerminal, "the terminal type of a telnet client", "the program"),
        (Self::TlsAlpn, "the application protocols that a TLS client offers", "the program"),
        (Self::TlsSni, "the server name that a TLS client asks for", "the site that was meant"),
        (Self::User, "a user name", "real people, often with stolen data"),
    ];

    /// Whether it is a secret that authenticates a client.
    pub fn proves(self) -> bool {
        matches!(self, Self::Secret | Self::SshKey)
    }

    /// Whether it belongs to a guess: a user's name, a secret, a method.
    pub fn is_of_guess(self) -> bool {
        matches!(self, Self::Method | Self::User) || self.proves()
    }

    /// Whether its value has addresses of clients.
    pub fn names_clients(self) -> bool {
        matches!(self, Self::HttpForwarded | Self::HttpXForwardedFor | Self::HttpXRealIp)
    }

    /// The name in the trace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::HttpForwarded => "http_forwarded",
            Self::HttpHost => "http_host",
            Self::HttpRequest => "http_request",
            Self::HttpUserAgent => "http_user_agent",
            Self::HttpXForwardedFor => "http_x_forwarded_for",
            Self::HttpXRealIp => "http_x_real_ip",
            Self::Ja3 => "ja3",
            Self::Ja4 => "ja4",
            Self::Method => "method",
            Self::Protocol => "protocol",
            Self::Secret => "secret",
            Self::SmtpHelo => "smtp_helo",
            Self::SmtpMailFrom => "smtp_mail_from",
            Self::SmtpRcptTo => "smtp_rcpt_to",
            Self::SshHassh => "ssh_hassh",
            Self::SshIdent => "ssh_ident",
            Self::SshKey => "ssh_key",
            Self::TelnetTerminal => "telnet_terminal",
            Self::TlsAlpn => "tls_alpn",
            Self::TlsSni => "tls_sni",
            Self::User => "user",
        }
    }
}

/// A fact with its value, as the trace has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub fact: Fact,
    /// Its value, at most [`Fact::SHOWN`] bytes of it.
    pub value: Vec<u8>,
    /// The value's full length in bytes.
    pub length: usize,
    /// Of [`Fact::SshHassh`] the offer that it stands for, if the profile wants it.
    pub offer: Option<Box<SshOffer>>,
}

impl Entry {
    /// A fact with its whole value.
    pub fn whole(fact: Fact, value: Vec<u8>) -> Self {
        let length = value.len();
        Self { fact, value, length, offer: None }
    }
}

/// Facts learnt in one step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    entries: Vec<Entry>,
    /// How many more there were.
    untold: usize,
}

impl Facts {
    /// The most facts of one step; further ones are counted.
    const MOST: usize = 64;

    /// Adds a fact of `length` bytes; `shown` is its value, or the beginning of it.
    pub(crate) fn add(&mut self, fact: Fact, shown: &[u8], length: usize) {
        let value = shown[..shown.len().min(Fact::SHOWN)].to_vec();
        self.enter(Entry { fact, value, length, offer: None });
    }

    /// Adds an SSH client's fingerprint, with the offer that it stands for.
    pub(crate) fn add_hassh(&mut self, hassh: &str, offer: Option<SshOffer>) {
        let whole = Entry::whole(Fact::SshHassh, hassh.into());
        self.enter(Entry { offer: offer.map(Box::new), ..whole });
    }

    fn enter(&mut self, entry: Entry) {
        if self.entries.len() < Self::MOST {
            self.entries.push(entry);
        } else {
            self.untold += 1;
        }
    }

    /// Reports all facts: an event for each group that belongs together.
    pub(crate) fn tell(&self, news: &mut dyn News) {
        let mut rest = &self.entries[..];
        while !rest.is_empty() {
            let end = (1..rest.len()).find(|&end| begins(rest[end].fact, &rest[..end]));
            let (group, others) = rest.split_at(end.unwrap_or(rest.len()));
            rest = others;
            let untold = if rest.is_empty() { self.untold } else { 0 };
            news.tell(Event::Learnt { facts: group, untold });
        }
    }
}

/// Whether `fact` begins a new group: another request or mail in the same step, or another guess,
/// whose name comes before its secret.
fn begins(fact: Fact, group: &[Entry]) -> bool {
    let has = |wanted: &[Fact]| group.iter().any(|entry| wanted.contains(&entry.fact));
    match fact {
        Fact::HttpRequest => {
            has(&[fact, Fact::HttpHost, Fact::HttpUserAgent, Fact::Secret])
                || group.iter().any(|entry| entry.fact.names_clients())
        }
        Fact::User => has(&[fact, Fact::Secret, Fact::SshKey]),
        _ => has(&[fact]),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// The events that come of these facts, and how many of them stay untold.
    fn told(learnt: &[(Fact, &str)]) -> (Vec<Vec<(Fact, usize)>>, usize) {
        struct Notebook(Vec<Vec<(Fact, usize)>>, usize);
        impl News for Notebook {
            fn tell(&mut self, event: Event<'_>) {
                let Event::Learnt { facts, untold } = event else { return };
                self.0.push(facts.iter().map(|entry| (entry.fact, entry.length)).collect());
                self.1 += untold;
            }
        }
        let mut facts = Facts::default();
        for (fact, value) in learnt {
            facts.add(*fact, value.as_bytes(), value.len());
        }
        let mut notebook = Notebook(Vec::new(), 0);
        facts.tell(&mut notebook);
        (notebook.0, notebook.1)
    }

    #[test]
    fn all_facts_are_listed_once_in_the_order_of_their_names() {
        let names: Vec<_> = Fact::ALL.iter().map(|(fact, ..)| fact.name()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn what_belongs_together_is_one_event_and_nothing_is_lost() {
        use Fact::{HttpHost, HttpRequest, HttpUserAgent, Method, Secret, User};
        let guesses =
            [(User, "a"), (Secret, "bb"), (Method, "m"), (User, "c"), (Secret, "dd"), (Secret, "")];
        let wanted = vec![
            vec![(User, 1), (Secret, 2), (Method, 1)],
            vec![(User, 1), (Secret, 2)],
            vec![(Secret, 0)],
        ];
        assert_eq!(told(&guesses), (wanted, 0));
        // The second has no host, the first no agent.
        let requests =
            [(HttpRequest, "a"), (HttpHost, "b"), (HttpRequest, "c"), (HttpUserAgent, "d")];
        let wanted =
            vec![vec![(HttpRequest, 1), (HttpHost, 1)], vec![(HttpRequest, 1), (HttpUserAgent, 1)]];
        assert_eq!(told(&requests), (wanted, 0));
        // The end of one guess and the beginning of the next.
        let halves = [(Secret, "a"), (User, "bb")];
        assert_eq!(told(&halves), (vec![vec![(Secret, 1)], vec![(User, 2)]], 0));
        assert_eq!(told(&[]), (vec![], 0));
    }

    #[test]
    fn a_step_tells_so_much_and_counts_the_rest() {
        let (events, untold) = told(&[(Fact::User, "a"); 100]);
        assert_eq!((events.len(), untold), (Facts::MOST, 100 - Facts::MOST));
        let mut facts = Facts::default();
        facts.add(Fact::User, &[b'a'; 1_000], 5_000);
        assert_eq!((facts.entries[0].value.len(), facts.entries[0].length), (Fact::SHOWN, 5_000));
    }
}
