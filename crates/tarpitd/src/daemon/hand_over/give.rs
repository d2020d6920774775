//! The old daemon's side of a hand-over.

use std::{
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
};

use super::{
    super::{Daemon, FAREWELL},
    PATIENCE, SERVING,
    channel::{Channel, DAMAGED, FILES, Trouble},
    format::{AdminSocket, Client, Frame, Listener, State},
};
use crate::{
    admin::metrics::saved::Past,
    report::live_line,
    settings::finding::plain,
    worker::hand_over::{Exported, Moved, MovedListener},
};

/// How a hand-over ended.
pub(in crate::daemon) enum Given {
    /// This daemon goes on.
    Kept,
    /// The new program holds so many clients.
    Over { clients: u64 },
}

impl Daemon {
    /// Hands everything over to the new program at the other end. If that fails, this daemon goes
    /// on as if nothing had happened.
    pub(in crate::daemon) fn hand_over(&mut self, stream: UnixStream) -> Given {
        self.open_waiting();
        let given = match Channel::new(stream, self.clock) {
            Ok(_) if self.waiting.is_some() => {
                Err("a reload is not over yet; try again in a moment".to_owned())
            }
            Ok(mut channel) => {
                let given = self.give(&mut channel);
                if let Err(why) = &given {
                    channel.refuse(why);
                }
                given
            }
            Err(error) => Err(plain(&error)),
        };
        match given {
            Ok(clients) => Given::Over { clients },
            Err(why) => {
                self.workers.go_on();
                self.log.error(format_args!("upgrade: {why}; this daemon goes on"));
                Given::Kept
            }
        }
    }

    /// Tells all, and says how many clients the new program holds.
    fn give(&self, channel: &mut Channel) -> Result<u64, String> {
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
        let mut count = 0;
        for worker in 0..self.workers.len() {
            let mut next = Some(0);
            while let Some(from) = next {
                let some = self.workers.export(worker, from, PATIENCE)?;
                next = some.next;
                count += self.give_some(channel, worker, some)?;
            }
        }
        channel.hand(&Frame::Complete { clients: count }, &[])?;
        let Frame::Ready = channel.receive()?.0 else { return Err(DAMAGED.to_owned()) };
        channel.send(&Frame::Serve, &[])?;
        channel.wait_at_most(SERVING);
        match channel.receive() {
            // The new program has ended, and touches nothing any more.
            Err(Trouble::Ended) => Err(Trouble::Ended.into()),
            // In any other case it may serve, so this daemon must not.
            _ => Ok(count),
        }
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
        let count = some.clients.len();
        if count > 0 {
            let (fds, clients): (Vec<_>, Vec<Client>) =
                some.clients.into_iter().map(|Moved { fd, client }| (fd, client.into())).unzip();
            let files: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
            let worker = u32::try_from(worker).unwrap_or_default();
            channel.hand(&Frame::Clients { worker, clients }, &files)?;
        }
        Ok(count as u64)
    }

    /// What goes on that is no socket.
    pub(super) fn state(&self) -> State {
        let mut state = State::new(self.clock, self.keys);
        state.secrets = self.identity.state_dir().remembered().into_iter().collect();
        state.counters = Past::write(&self.world());
        state
    }

    /// Ends without a line for any client: the new program holds them.
    pub(in crate::daemon) fn leave(mut self, clients: u64, watched: bool) -> ExitCode {
        let begun = self.clock.now();
        if watched {
            live_line::end();
        }
        let left = || FAREWELL.saturating_sub(self.clock.now().since(begun));
        self.surfaces.stop();
        self.workers.leave(left());
        self.trace.flush(left());
        if let Some(pid_file) = self.pid_file.take() {
            pid_file.leave();
        }
        self.log.notice(format_args!(
            "upgrade: handed over; the new program holds all clients: {clients}"
        ));
        self.log.flush(left());
        ExitCode::SUCCESS
    }
}
