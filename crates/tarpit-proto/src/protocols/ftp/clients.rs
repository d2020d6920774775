//! How FTP clients are told apart that bear more than others.

/// What only those ask an FTP server before they log in who read a reply to its last line: lftp and
/// the transfer programs of desktops.
pub(crate) const PATIENT: &[&str] = &["CLNT", "FEAT", "HOST", "OPTS"];

/// Whether an FTP user has no name. Guessers guess names; libraries, curl and wget come so, and wait
/// for a reply's last line without any limit, or curl for two minutes.
pub(crate) fn is_anonymous(user: &[u8]) -> bool {
    user.eq_ignore_ascii_case(b"anonymous") || user.eq_ignore_ascii_case(b"ftp")
}
