//! The old daemon's side of a hand-over.

use std::{
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR2};

use super::{
    super::{Daemon, FAREWELL, LAST_WORDS, signals::OBEYED},
    HANDSHAKES, LOOK, PATIENCE, SERVING,
    channel::{Channel, DAMAGED, FILES, Trouble},
    format::{AdminSocket, Client, Frame, Listener, State},
};
use crate::{
    admin::metrics::saved::Past,
    os::admin_socket,
    report::live_line,
    settings::finding::plain,
    worker::{
        Notice,
        hand_over::{Exported, Moved, MovedListener},
    },
};

/// How a hand-over ended.
pub(in crate::daemon) enum Given {
    /// This daemon goes on.
    Kept,
    /// The new program serves.
    Over(Successor),
}

/// The new program, once it serves.
pub(in crate::daemon) struct Successor {
    channel: Channel,
    /// How many clients it holds.
    clients: u64,
    /// How many are still here.
    left: u64,
    /// Signals that end the new program, once it has the last clients.
    last: Vec<i32>,
}

impl Daemon {
    /// Hands everything over to the new program at the other end. If that fails, this daemon goes
    /// on as if nothing had happened.
    pub(in crate::daemon) fn hand_over(&mut self, stream: UnixStream) -> Given {
        self.open_waiting();
        let given = match Channel::new(stream, self.clock) {
            Ok(mut channel) => {
                let hindrance = self.hindrance().map_or(Ok(()), |why| Err(why.to_owned()));
                match hindrance.and_then(|()| self.give(&mut channel)) {
                    Ok((clients, left)) => {
                        Ok(Successor { channel, clients, left, last: Vec::new() })
                    }
                    Err(why) => {
                        if self.is_ending() {
                            // Nobody is to find that this daemon goes on.
                            self.surfaces.stop();
                        }
                        channel.refuse(&why);
                        Err(why)
                    }
                }
            }
            Err(error) => Err(plain(&error)),
        };
        match given {
            Ok(successor) => Given::Over(successor),
            Err(why) => {
                self.workers.go_on();
                // The new program may have changed these before it ended.
                self.write_pid_file();
                self.surfaces.set_access(&self.log);
                let then = if self.is_ending() { "ends" } else { "goes on" };
                self.log.error(format_args!("upgrade: {why}; this daemon {then}"));
                Given::Kept
            }
        }
    }

    /// Why nothing can be handed over now.
    fn hindrance(&self) -> Option<&'static str> {
        match () {
            () if self.waiting.is_some() => Some("a reload is not over yet; try again in a moment"),
            () if self.is_taking => Some("the last upgrade is not over yet; try again in a minute"),
            () => None,
        }
    }

    /// Tells all, and says how many clients the new program holds, and how many are left.
    fn give(&self, channel: &mut Channel) -> Result<(u64, u64), String> {
        channel.break_off_by(Arc::clone(&self.is_ending));
        if !self.workers.pause(PATIENCE) {
            return Err("a worker is too busy; try again in a moment".to_owned());
        }
        channel.wait_at_most(PATIENCE);
        channel.hand(&Frame::State(self.state()), &[])?;
        let streams = [rustix::stdio::stdout(), rustix::stdio::stderr()];
        channel.hand(&Frame::Streams, &streams)?;
        let activated: Vec<_> = self.activated.all().collect();
        for some in activated.chunks(FILES) {
            let names = some.iter().map(|(name, _)| (*name).to_owned()).collect();
            let files: Vec<_> = some.iter().map(|(_, file)| *file).collect();
            channel.hand(&Frame::Activated(names), &files)?;
        }
        let sockets: Vec<_> = self.surfaces.sockets().collect();
        for some in sockets.chunks(FILES) {
            let named = some.iter().map(|(surface, at, _)| AdminSocket::new(*surface, at));
            let files: Vec<_> = some.iter().map(|(.., file)| *file).collect();
            channel.hand(&Frame::Surfaces(named.collect()), &files)?;
        }
        let (mut count, mut left) = (0, 0);
        for worker in 0..self.workers.len() {
            let mut next = Some(0);
            while let Some(from) = next {
                let some = self.workers.export(worker, (from, false), PATIENCE)?;
                next = some.next;
                left += some.left;
                count += self.give_some(channel, worker, some)?;
            }
        }
        channel.hand(&Frame::Complete { clients: count, left }, &[])?;
        let Frame::Ready = channel.receive()?.0 else { return Err(DAMAGED.to_owned()) };
        // What the new program writes comes behind these lines.
        self.trace.flush(FAREWELL);
        channel.send(&Frame::Serve, &[])?;
        // From now on a signal is for the one of both that serves.
        channel.break_off_by(Arc::default());
        self.serves(channel)?;
        Ok((count, left))
    }

    /// Waits until the new program serves, and passes signals on to it. If it has ended instead, or
    /// says that it cannot serve, they are this daemon's. Nothing else tells who is to go on, so after
    /// a message that cannot be read this waits for one of these.
    fn serves(&self, channel: &mut Channel) -> Result<(), String> {
        channel.wait_at_most(SERVING);
        let mut came = Vec::new();
        let why = loop {
            for notice in self.notices.try_iter() {
                if let &Notice::Signal(signal) = &notice {
                    pass_on(signal, channel);
                }
                came.push(notice);
            }
            if !channel.has_news(LOOK) && !channel.left().is_zero() {
                continue;
            }
            match channel.receive() {
                Ok((Frame::Serving, _)) => return Ok(()),
                // The new program touches nothing any more.
                Err(why @ (Trouble::Ended | Trouble::Refused(_))) => break why,
                // It neither serves nor ends, but is there and has all clients.
                _ if channel.left().is_zero() => return Ok(()),
                _ => {}
            }
        };
        for notice in came {
            // This daemon has the other end itself.
            let _ = self.notify.send(notice);
        }
        Err(why.into())
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Relaxed)
    }

    /// Tells of some of a worker's listeners and clients; says how many clients these are.
    fn give_some(&self, channel: &Channel, worker: usize, some: Exported) -> Result<u64, String> {
        let ports = self.served.ports();
        let (mut listeners, mut files) = (Vec::new(), Vec::<BorrowedFd<'_>>::new());
        for MovedListener { key, fd, redirected } in &some.listeners {
            let Some(port) = ports.iter().find(|port| port.key == *key) else { continue };
            let tarpit = port.tarpit.to_owned();
            listeners.push(Listener::new(tarpit, port.at, port.purpose, *redirected));
            files.push(fd.as_fd());
        }
        if !listeners.is_empty() {
            channel.hand(&Frame::Listeners(listeners), &files)?;
        }
        Ok(give_clients(channel, worker, some.clients).map_err(|(why, _)| why)?)
    }

    /// What goes on that is no socket.
    pub(super) fn state(&self) -> State {
        let mut state = State::new(self.clock, self.keys);
        state.named = self.named().into_iter().collect();
        state.counters = Past::write(&self.world());
        state
    }

    /// Ends without a line for any client that the new program holds.
    pub(in crate::daemon) fn leave(mut self, mut successor: Successor, watched: bool) -> ExitCode {
        // The files of its sockets, too, are the new program's.
        admin_socket::share_files(true);
        self.surfaces.stop();
        if let Some(pid_file) = self.pid_file.take() {
            pid_file.leave();
        }
        if successor.left > 0 {
            self.workers.stay();
            if let Err(why) = self.hand_on(&mut successor) {
                self.log.error(format_args!("upgrade: {why}; the last clients are closed"));
                self.pass_on_all(&mut successor);
                self.stop(watched);
                return ExitCode::SUCCESS;
            }
        }
        let begun = self.clock.now();
        let left = || FAREWELL.saturating_sub(self.clock.now().since(begun));
        if watched {
            live_line::end();
        }
        self.workers.leave(left());
        self.trace.flush(left().saturating_sub(LAST_WORDS));
        self.abandon_trace();
        if successor.left > 0 {
            // Some of these have gone. If the new program has, too, nobody counts any more.
            let counters = Frame::Counters(Past::write(&self.world()));
            let _ = successor.channel.send(&counters, &[]);
        }
        self.log.notice(format_args!(
            "upgrade: handed over; the new program holds all clients: {}",
            successor.clients
        ));
        self.log.flush(left());
        self.pass_on_all(&mut successor);
        ExitCode::SUCCESS
    }

    /// Hands on those whose handshake was under way: each once it is done, and all in the end or
    /// once a signal ends the daemon.
    fn hand_on(&mut self, successor: &mut Successor) -> Result<(), String> {
        let end = self.clock.now().after(HANDSHAKES);
        successor.channel.wait_at_most(HANDSHAKES + PATIENCE);
        loop {
            self.pass_on(successor);
            let Successor { channel, clients, .. } = &mut *successor;
            let all = self.clock.now() >= end || self.is_ending();
            let mut left = 0;
            for worker in 0..self.workers.len() {
                loop {
                    let some = self.workers.release(worker, all, PATIENCE)?;
                    let (is_over, here) = (some.clients.is_empty(), some.left);
                    *clients +=
                        give_clients(channel, worker, some.clients).map_err(|(why, clients)| {
                            // A program that is silent may have them.
                            if why == Trouble::Ended {
                                let back = clients.into_iter().map(|client| (worker, client));
                                drop(self.hand_out(back.collect()));
                            }
                            why
                        })?;
                    if is_over {
                        left += here;
                        break;
                    }
                }
            }
            if left == 0 {
                return Ok(channel.hand(&Frame::Complete { clients: 0, left }, &[])?);
            }
            if channel.has_news(LOOK) {
                // It says nothing of itself any more.
                return Err(Trouble::Ended.into());
            }
        }
    }

    /// Passes signals on to the new program. Those that end it are kept as long as clients come to
    /// it behind them.
    fn pass_on(&self, successor: &mut Successor) {
        for notice in self.notices.try_iter() {
            match notice {
                Notice::Signal(signal @ (SIGINT | SIGTERM)) => successor.last.push(signal),
                Notice::Signal(signal) => {
                    pass_on(signal, &successor.channel);
                    if signal == SIGUSR2 {
                        // The last clients' lines go to the new file, too.
                        self.reopen("SIGUSR2");
                    }
                }
                _ => {}
            }
        }
    }

    /// The same with all, when this daemon has nothing more to do.
    fn pass_on_all(&self, successor: &mut Successor) {
        self.pass_on(successor);
        for signal in successor.last.drain(..) {
            pass_on(signal, &successor.channel);
        }
    }
}

/// Gives some of a worker's clients, and says how many; or why that fails, with the clients.
fn give_clients(
    channel: &Channel,
    worker: usize,
    clients: Vec<Moved>,
) -> Result<u64, (Trouble, Vec<Moved>)> {
    if clients.is_empty() {
        return Ok(0);
    }
    let (fds, told): (Vec<_>, Vec<Client>) =
        clients.into_iter().map(|Moved { fd, client }| (fd, client.into())).unzip();
    let files: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
    let worker = u32::try_from(worker).unwrap_or_default();
    let frame = Frame::Clients { worker, clients: told };
    let handed = channel.hand(&frame, &files);
    handed.map(|()| fds.len() as u64).map_err(|why| {
        let Frame::Clients { clients, .. } = frame else { return (why, Vec::new()) };
        let back = fds.into_iter().zip(clients);
        (why, back.map(|(fd, client)| Moved { fd, client: client.into() }).collect())
    })
}

/// Passes a signal on. If that fails, the new program has ended.
fn pass_on(signal: i32, channel: &Channel) {
    if OBEYED.contains(&signal) {
        let _ = channel.send(&Frame::Signal(signal), &[]);
    }
}
