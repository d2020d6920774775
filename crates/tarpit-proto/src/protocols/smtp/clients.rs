//! How each mail client is held. Each row was tried with the client itself.

use core::time::Duration;

use crate::{
    script::{KnownClient, client},
    states,
};

states! {
    /// What holds a client that speaks to a mail server.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum MailHold {
        /// It reads on until the last line for ever.
        Endless,
        /// It reads on until the last line of a reply, and goes on then.
        Lines,
        /// Nobody knows: whole replies after a silence, but a refusal's lines have no end.
        #[default]
        Unknown,
        /// It decides on what arrives in one piece: whole replies after a silence.
        Whole,
    }
}

/// How long the first line of a greeting stands alone where a rate is set. Some clients read one
/// line and go on. A second line on its way to them by then would be taken for the answer to their
/// next command, and each answer after it for that of the command behind.
pub(crate) const FIRST_LINE: Duration = Duration::from_secs(2);

/// Mail clients by how they greet.
pub(super) static CLIENTS: &[KnownClient<MailHold>] = &[
    // 20 seconds for each reply, which must come in one piece.
    KnownClient::says("medusa", b"EHLO gerg", MailHold::Whole),
    KnownClient::says("medusa, finding out", b"EHLO server.domain", MailHold::Whole),
    // It reads lines without any limit.
    KnownClient::says("hydra", b"EHLO hydra", MailHold::Endless),
    // msmtp, and the mail packages of Go and others: no limit, or one for each line.
    KnownClient::says("libraries on a host without a name", b"EHLO localhost", MailHold::Lines),
];

/// What holds the client that says `verb` and `name`.
pub(crate) fn mail(verb: &[u8], name: &[u8]) -> MailHold {
    let known = client::find(CLIENTS, &[verb, b" ", name].concat());
    // A client that names a domain or an address is a mail agent or a library; Python's writes
    // small letters.
    let is_proper = name.contains(&b'.') && !name.ends_with(b".") || name.starts_with(b"[");
    match known {
        Some(place) => CLIENTS[place].limits,
        _ if verb == b"ehlo" || verb.eq_ignore_ascii_case(b"EHLO") && is_proper => MailHold::Lines,
        // A client that greets by `HELO` need not understand a reply of many lines. So does hydra's
        // search for names, which takes any line for the answer to its next question.
        _ => MailHold::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_clients_are_told_apart_by_how_they_greet() {
        for (verb, name, wanted) in [
            ("EHLO", "hydra", MailHold::Endless),
            ("HELO", "hydra", MailHold::Unknown),
            ("EHLO", "gerg", MailHold::Whole),
            ("ehlo", "[127.0.0.1]", MailHold::Lines),
            ("EHLO", "mx.example.com", MailHold::Lines),
            ("HELO", "mx.example.com", MailHold::Unknown),
            ("EHLO", "localhost", MailHold::Lines),
            ("EHLO", "ylmf-pc", MailHold::Unknown),
            ("EHLO", "", MailHold::Unknown),
        ] {
            assert_eq!(mail(verb.as_bytes(), name.as_bytes()), wanted, "{verb} {name}");
        }
    }
}
