//! Signals, received by their own thread.

use std::{io, sync::mpsc, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGSYS, SIGTERM, SIGUSR1, SIGUSR2},
    iterator::Signals,
};

use super::REFUSED;
use crate::worker::Notice;

/// Turns signals into notices. A second INT or TERM ends the process at once. With `denials` the
/// signal of a denied system call is one, too; its own handler must be there already.
pub(super) fn watch_signals(notify: mpsc::Sender<Notice>, denials: bool) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2])?;
    if denials {
        signals.add_signal(SIGSYS)?;
    }
    thread::Builder::new().name("signals".to_owned()).stack_size(64 * 1024).spawn(move || {
        let mut ending = false;
        for signal in signals.forever() {
            let ends = matches!(signal, SIGINT | SIGTERM);
            if ends && ending {
                std::process::exit(REFUSED.into());
            }
            ending |= ends;
            if notify.send(Notice::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
