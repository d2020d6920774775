//! `tarpitd top`: a live view of a running daemon, made from the control socket alone.
//!
//! A thread of its own asks the daemon, so that keys are obeyed while an answer is awaited. Another
//! one reads the keys, so that the view ends even if the terminal is gone: its library then reads on
//! without end. The screen is drawn when something changed, and then only what changed (ratatui
//! compares two buffers).

mod screen;
mod view;
mod watch;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, Receiver, RecvTimeoutError, TryRecvError},
    },
    thread,
    time::Duration,
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::{
    view::{Todo, View},
    watch::{Answer, Watch},
};
use super::{
    commands::fail,
    complain,
    control::{Daemon, Failure, Whereabouts},
};
use crate::{daemon::REFUSED, os::clock::Clock};

/// How long the loop waits for a key before it looks for answers and signals.
const TURN: Duration = Duration::from_millis(100);

/// How much time is at least between two drawings: a slow line should not be filled by a held key.
const REDRAW: Duration = Duration::from_millis(500);

/// Shows the live view until the user ends it.
pub(crate) fn top(whereabouts: &Whereabouts) -> ExitCode {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        complain("tarpitd: top needs a terminal; `tarpitd status` prints what there is once");
        return ExitCode::from(REFUSED);
    }
    // Asked once before the screen is taken, so that a missing daemon is an ordinary message.
    let daemon = match whereabouts.find().and_then(|daemon| daemon.status().map(|_| daemon)) {
        Ok(daemon) => daemon,
        Err(failure) => return fail(&failure),
    };
    match show(&daemon) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => fail(&failure),
        Err(error) => {
            complain(&format!("tarpitd: cannot use this terminal: {error}"));
            ExitCode::from(REFUSED)
        }
    }
}

/// Takes the screen, and gives it back on every way out; a panic does so by a hook of ratatui.
fn show(daemon: &Daemon) -> io::Result<Result<(), Failure>> {
    let ends = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ends))?;
    }
    let (watch, answers) = Watch::start(daemon.clone())?;
    let mut terminal = ratatui::try_init()?;
    let outcome = keys().and_then(|keys| run(&mut terminal, &watch, (&answers, &keys), &ends));
    ratatui::try_restore()?;
    outcome
}

/// What the terminal tells, from a thread that ends with the process.
fn keys() -> io::Result<Receiver<io::Result<Event>>> {
    let (sender, keys) = mpsc::channel();
    let read = move || while sender.send(event::read()).is_ok() {};
    thread::Builder::new().name("keys".to_owned()).spawn(read)?;
    Ok(keys)
}

fn run(
    terminal: &mut DefaultTerminal,
    watch: &Watch,
    (answers, keys): (&Receiver<Answer>, &Receiver<io::Result<Event>>),
    ends: &AtomicBool,
) -> io::Result<Result<(), Failure>> {
    let clock = Clock::start();
    let mut view = View::default();
    watch.ask(view.wanted());
    let (mut is_new, mut drawn) = (true, None);
    while !ends.load(Relaxed) {
        match answers.try_recv() {
            Ok(Answer::Failed(failure)) => return Ok(Err(failure)),
            Ok(Answer::Snapshot(snapshot)) => {
                is_new |= view.take(*snapshot);
            }
            Ok(Answer::Dropped(clients)) => {
                view.dropped(clients);
                is_new = true;
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        let now = clock.now();
        if is_new && drawn.is_none_or(|drawn| now.since(drawn) >= REDRAW) {
            terminal.draw(|frame| screen::draw(frame, &view))?;
            (is_new, drawn) = (false, Some(now));
        }
        let event = match keys.recv_timeout(TURN) {
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(event) => event?,
        };
        match event {
            Event::Key(key) if key.kind == KeyEventKind::Press => match view.obey(key) {
                Todo::Ask => watch.ask(view.wanted()),
                Todo::Drop(whom) => watch.drop(whom),
                Todo::End => return Ok(Ok(())),
                Todo::Nothing => {}
            },
            Event::Resize(..) => {}
            _ => continue,
        }
        is_new = true;
    }
    Ok(Ok(()))
}
