//! Whether the daemon runs on a terminal.

/// Whether standard error or standard input is a terminal.
pub(crate) fn is_attended() -> bool {
    rustix::termios::isatty(rustix::stdio::stderr())
        || rustix::termios::isatty(rustix::stdio::stdin())
}
