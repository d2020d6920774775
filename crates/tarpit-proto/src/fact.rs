//! What is learnt of a client: kinds of facts, by the names under which the trace tells them.

use alloc::vec::Vec;

/// A kind of fact. Its value is the client's own bytes, or a fingerprint made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// A whole command line of a text protocol, such as `MAIL FROM:<a@b>`.
    Command,
    /// What an HTTP client accepts or sends as its `Host:`.
    HttpHost,
    /// An HTTP request's line.
    HttpRequest,
    /// An HTTP client's `User-Agent:`.
    HttpUserAgent,
    /// A TLS client's fingerprint: MD5 over its hello in the order it stands.
    Ja3,
    /// A TLS client's fingerprint that survives a shuffled hello.
    Ja4,
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
    /// The most of a value that is told, in bytes; its full length is told beside it.
    pub const SHOWN: usize = 256;

    /// All of them, with what each means, for the manual.
    pub const ALL: [(Self, &'static str); 18] = [
        (Self::Command, "a command of a text protocol"),
        (Self::HttpHost, "the Host of an HTTP request"),
        (Self::HttpRequest, "the line of an HTTP request"),
        (Self::HttpUserAgent, "the User-Agent of an HTTP request"),
        (Self::Ja3, "the JA3 fingerprint of a TLS client"),
        (Self::Ja4, "the JA4 fingerprint of a TLS client"),
        (Self::Protocol, "the protocol of the first bytes, on a port for all"),
        (Self::Secret, "a password, an answer to a challenge, or an Authorization"),
        (Self::SmtpHelo, "the name in HELO or EHLO"),
        (Self::SmtpMailFrom, "the sender of a mail"),
        (Self::SmtpRcptTo, "a recipient of a mail"),
        (Self::SshHassh, "the HASSH fingerprint of an SSH client"),
        (Self::SshIdent, "the identification line of an SSH client"),
        (Self::SshKey, "the SHA-256 fingerprint of an SSH public key"),
        (Self::TelnetTerminal, "the terminal that a telnet client has"),
        (Self::TlsAlpn, "the application protocols that a TLS client names"),
        (Self::TlsSni, "the server's name that a TLS client asks for"),
        (Self::User, "a user's name"),
    ];

    /// The name in the trace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::HttpHost => "http_host",
            Self::HttpRequest => "http_request",
            Self::HttpUserAgent => "http_user_agent",
            Self::Ja3 => "ja3",
            Self::Ja4 => "ja4",
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

/// Facts learnt in one step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts(Vec<Learnt>);

/// One fact: its value, cut to [`Fact::SHOWN`], and the value's full length.
#[derive(Clone, Debug)]
pub(crate) struct Learnt {
    pub(crate) fact: Fact,
    pub(crate) value: Vec<u8>,
    pub(crate) length: usize,
}

impl Facts {
    /// The most facts that one step may tell; what is beyond is dropped.
    const MOST: usize = 8;

    pub(crate) fn add(&mut self, fact: Fact, value: &[u8]) {
        if self.0.len() < Self::MOST {
            let shown = &value[..value.len().min(Fact::SHOWN)];
            self.0.push(Learnt { fact, value: shown.to_vec(), length: value.len() });
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Learnt> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_facts_are_listed_once_in_the_order_of_their_names() {
        let names: Vec<_> = Fact::ALL.iter().map(|(fact, _)| fact.name()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn a_step_tells_so_much_and_no_more() {
        let mut facts = Facts::default();
        for _ in 0..100 {
            facts.add(Fact::User, &[b'a'; 1_000]);
        }
        assert_eq!(facts.iter().count(), Facts::MOST);
        let first = facts.iter().next().expect("a fact");
        assert_eq!((first.value.len(), first.length), (Fact::SHOWN, 1_000));
    }
}
