//! How FTP clients that wait longer than others are recognised.

/// The commands in front of a login of clients that read a reply to its last line: lftp and the
/// transfer programs of desktops.
pub(crate) const PATIENT: &[&str] = &["CLNT", "FEAT", "HOST", "OPTS"];

/// Whether a user's name stands for no name. Guessers guess names. Libraries, curl and wget log in
/// so; they wait for a reply's last line without any limit, curl for two minutes.
pub(crate) fn is_anonymous(user: &[u8]) -> bool {
    user.eq_ignore_ascii_case(b"anonymous") || user.eq_ignore_ascii_case(b"ftp")
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
