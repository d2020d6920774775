//! Signals, received by their own thread.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGSYS, SIGTERM, SIGUSR1, SIGUSR2},
    iterator::Signals,
};

use super::REFUSED;
use crate::worker::Notice;

/// The signals that a daemon obeys.
pub(super) const OBEYED: [i32; 5] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2];

/// Turns signals into notices. The first INT or TERM sets `is_ending`, too; a second one ends the
/// process at once. With `denials` the signal of a denied system call is a notice, too; its own
/// handler must be there already.
pub(super) fn watch_signals(
    notify: mpsc::Sender<Notice>,
    is_ending: Arc<AtomicBool>,
    denials: bool,
) -> io::Result<()> {
    let mut signals = Signals::new(OBEYED)?;
    if denials {
        signals.add_signal(SIGSYS)?;
    }
    thread::Builder::new().name("signals".to_owned()).stack_size(64 * 1024).spawn(move || {
        for signal in signals.forever() {
            let ends = matches!(signal, SIGINT | SIGTERM);
            if ends && is_ending.swap(true, Relaxed) {
                std::process::exit(REFUSED.into());
            }
            if notify.send(Notice::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
