//! How FTP clients that wait longer than others are recognised: by what they say in front of a
//! password. They read a reply to its last line.

use crate::script::{KnownClient, client};

/// The clients that were tried; those listed here are patient.
pub(super) static CLIENTS: &[KnownClient<()>] = &[
    KnownClient::says("lftp", b"FEAT", ()),
    KnownClient::says("transfer programs of desktops", b"CLNT", ()),
    KnownClient::says("transfer programs that name the host", b"HOST", ()),
    KnownClient::says("transfer programs that set options", b"OPTS", ()),
    // Guessers guess names. Libraries, curl and wget log in without one; they wait for a reply's
    // last line without any limit, curl for two minutes.
    KnownClient::says("libraries, curl and wget", b"USER anonymous", ()),
    KnownClient::says("libraries that say ftp", b"USER ftp", ()),
];

/// Whether a client that says this command reads replies to their last line.
pub(super) fn is_patient(verb: &[u8]) -> bool {
    client::find(CLIENTS, verb).is_some()
}

/// Whether a user's name stands for no name.
pub(super) fn is_anonymous(user: &[u8]) -> bool {
    client::find(CLIENTS, &[b"USER ", user].concat()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_for_no_name_are_known_in_any_case() {
        for (user, wanted) in [("anonymous", true), ("FTP", true), ("ftpuser", false), ("", false)]
        {
            assert_eq!(is_anonymous(user.as_bytes()), wanted, "{user}");
        }
    }
}
