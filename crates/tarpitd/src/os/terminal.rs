//! Whether somebody sits in front of the daemon.

/// Whether standard error or standard input is a terminal.
pub(crate) fn is_attended() -> bool {
    rustix::termios::isatty(rustix::stdio::stderr())
        || rustix::termios::isatty(rustix::stdio::stdin())
}
