//! The thread that asks the daemon: once a second, and whenever the user wants something else.

use std::{
    io::{self, BufRead},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use crate::{
    admin::control::status::Status,
    console::control::{Daemon, Failure},
    report::held::HeldClient,
};

/// How often the daemon is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// The most clients that are listed in the chosen order.
const LISTED: usize = 200;

/// The newest clients that are listed.
const NEWEST: usize = 20;

/// What the user wants to see.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) order: &'static str,
    /// An address or a network; empty: everybody.
    pub(super) filter: String,
}

/// How the daemon was at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    pub(super) clients: Vec<HeldClient>,
    pub(super) newest: Vec<HeldClient>,
}

/// What comes of asking.
pub(super) enum Answer {
    Dropped(u64),
    Failed(Failure),
    Snapshot(Box<Snapshot>),
}

/// The way to that thread, which ends when this is dropped.
pub(super) struct Watch(Sender<Order>);

enum Order {
    Ask(Wanted),
    Drop(String),
}

impl Watch {
    /// Starts the thread.
    pub(super) fn start(daemon: Daemon) -> io::Result<(Self, Receiver<Answer>)> {
        let (orders, receiver) = mpsc::channel();
        let (answers, all) = mpsc::channel();
        let run = move || {
            // Both channels end together with the view.
            let _ = watch(&daemon, &receiver, &answers);
        };
        thread::Builder::new().name("watch".to_owned()).spawn(run)?;
        Ok((Self(orders), all))
    }

    /// Asks for this from now on.
    pub(super) fn ask(&self, wanted: Wanted) {
        // If the thread has ended, its last answer says why.
        let _ = self.0.send(Order::Ask(wanted));
    }

    /// Drops clients.
    pub(super) fn drop(&self, whom: String) {
        // The same.
        let _ = self.0.send(Order::Drop(whom));
    }
}

/// Obeys until the view ends; the view has ended where an answer cannot be sent.
fn watch(
    daemon: &Daemon,
    orders: &Receiver<Order>,
    answers: &Sender<Answer>,
) -> Result<(), mpsc::SendError<Answer>> {
    let mut wanted = Wanted { order: "oldest", filter: String::new() };
    loop {
        match orders.recv_timeout(PERIOD) {
            Ok(Order::Ask(other)) => wanted = other,
            Ok(Order::Drop(whom)) => match daemon.drop(&whom) {
                Ok(clients) => answers.send(Answer::Dropped(clients))?,
                Err(failure) => return answers.send(Answer::Failed(failure)),
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        match snapshot(daemon, &wanted) {
            Ok(snapshot) => answers.send(Answer::Snapshot(Box::new(snapshot)))?,
            Err(failure) => return answers.send(Answer::Failed(failure)),
        }
    }
}

fn snapshot(daemon: &Daemon, wanted: &Wanted) -> Result<Snapshot, Failure> {
    let Wanted { order, filter } = wanted;
    let whom = if filter.is_empty() { String::new() } else { format!("&whom={filter}") };
    let list = |order: &str, limit: usize| -> Result<Vec<HeldClient>, Failure> {
        let lines = daemon.held(&format!("order={order}&limit={limit}{whom}"))?.lines();
        let client = |line: io::Result<String>| {
            let ends = |why: String| Failure::NoAnswer(format!("the list ends: {why}"));
            let line = line.map_err(|error| ends(error.to_string()))?;
            serde_json::from_str(&line).map_err(|_| ends(line.escape_debug().to_string()))
        };
        lines.map(client).collect()
    };
    Ok(Snapshot {
        status: daemon.status()?,
        clients: list(order, LISTED)?,
        newest: list("newest", NEWEST)?,
    })
}
