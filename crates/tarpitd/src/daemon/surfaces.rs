//! The admin server and its sockets: opened, kept, moved and closed as the settings have it.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    process::{Gid, Uid},
};

use super::{
    files::CURE,
    hand_over::take::Inherited,
    plan::overlap,
    ports::{Spot, Unbound, absences, grouped},
};
use crate::{
    admin::{
        Admin, World,
        server::{Listener, Socket},
    },
    keys::state_dir::Touch,
    os::{
        admin_socket::{self, LONGEST_PATH, Refused, UnixSocket},
        listen_socket::{self, Presence},
    },
    report::log::Log,
    settings::{
        AdminAddress, Settings, Surface, SurfaceBind,
        finding::{Finding, Gravity, plain},
    },
};

/// A socket that was opened for a surface.
pub(super) struct OpenedSurface {
    bind: SurfaceBind,
    socket: Socket,
    /// Whether it is an earlier daemon's.
    is_adopted: bool,
}

impl OpenedSurface {
    fn new(bind: SurfaceBind, socket: Socket) -> Self {
        Self { bind, socket, is_adopted: false }
    }

    /// The address, with the port that the kernel chose.
    fn address(&self) -> AdminAddress {
        match &self.socket {
            Socket::Tcp(listener) => match listener.local_addr() {
                Ok(address) => AdminAddress::Tcp(address),
                Err(_) => self.bind.at.clone(),
            },
            Socket::Unix(_) => self.bind.at.clone(),
        }
    }

    /// A socket of an earlier daemon.
    fn adopt(bind: SurfaceBind, fd: OwnedFd) -> Self {
        let socket = match &bind.at {
            AdminAddress::Tcp(_) => Socket::Tcp(fd.into()),
            AdminAddress::Unix(path) => Socket::Unix(UnixSocket::adopt(fd, path, bind.access.mode)),
        };
        Self { bind, socket, is_adopted: true }
    }

    /// The socket beside the server's own.
    fn share(&self) -> io::Result<OwnedFd> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(socket) => socket.listener.as_fd(),
        }
        .try_clone_to_owned()
    }

    /// Gives a Unix socket to the user that the daemon becomes. That of an earlier daemon stays that
    /// one's, which may yet go on: [`Surfaces::set_access`] follows.
    pub(super) fn give_to(&self, user: (Uid, Gid)) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(_) => Ok(()),
            Socket::Unix(_) if self.is_adopted => Ok(()),
            Socket::Unix(socket) => socket.give_to(user, self.bind.access.group),
        }
    }
}

/// The result of opening sockets.
#[derive(Default)]
pub(super) struct Found {
    pub(super) opened: Vec<OpenedSurface>,
    /// Sockets that cannot be opened.
    pub(super) unbound: Vec<Finding>,
    /// Notes and warnings about others.
    pub(super) told: Vec<Finding>,
}

/// Opens the sockets of all surfaces, or with [`Touch::Look`] only checks whether it could.
/// Those of an earlier daemon are taken over.
pub(super) fn open_all(settings: &Settings, touch: Touch, inherited: &mut Inherited) -> Found {
    let (mut opened, mut wanted) = (Vec::new(), Vec::new());
    for bind in settings.surfaces() {
        match inherited.surface(&bind) {
            Some(fd) => opened.push(OpenedSurface::adopt(bind, fd)),
            None => wanted.push(bind),
        }
    }
    let mut found = open_some(wanted, settings, touch, Unbound::at_start);
    found.opened.extend(opened);
    found
}

fn open_some(
    binds: Vec<SurfaceBind>,
    settings: &Settings,
    touch: Touch,
    say: fn(&Unbound) -> Finding,
) -> Found {
    let mut found = Found::default();
    let (mut busy, mut absent) = (Vec::new(), Vec::new());
    for bind in binds {
        match &bind.at {
            AdminAddress::Unix(path) => {
                let socket = match touch {
                    Touch::Keep => {
                        UnixSocket::listen(path, bind.access.mode, bind.access.group).map(Some)
                    }
                    Touch::Look => admin_socket::look(path).map(|()| None),
                };
                match socket {
                    Ok(Some(socket)) => {
                        found.opened.push(OpenedSurface::new(bind, Socket::Unix(socket)));
                    }
                    Ok(None) => {}
                    // A check is asked for while the daemon runs.
                    Err(Refused::Answered) if touch == Touch::Look => {
                        let what = format!("{}: {}: in use", bind.surface.name(), bind.at);
                        let note = Finding::new(Gravity::Note, bind.place.as_ref(), what);
                        found.told.push(note);
                    }
                    Err(refused) => found.unbound.push(refusal(&bind, &refused)),
                }
            }
            &AdminAddress::Tcp(at) => {
                let socket = match touch {
                    Touch::Keep => admin_socket::listen_tcp(at)
                        .map(|(listener, presence)| (Some(Socket::Tcp(listener)), presence)),
                    Touch::Look => listen_socket::look(at).map(|presence| (None, presence)),
                };
                let spot = Spot::of_surface(&bind, at);
                match socket {
                    Ok((socket, presence)) => {
                        absent.extend((presence == Presence::Absent).then_some(spot));
                        found.opened.extend(socket.map(|socket| OpenedSurface::new(bind, socket)));
                    }
                    Err(error) => {
                        let problem = Unbound::new(spot, error);
                        let others = ports(settings, &bind);
                        if !problem.is_for_lack_of_ipv6(others.into_iter()) {
                            busy.push(problem);
                        }
                    }
                }
            }
        }
    }
    found.told.extend(absences(absent));
    for problem in grouped(busy) {
        match problem.note().filter(|_| touch == Touch::Look) {
            Some(note) => found.told.push(note),
            None => found.unbound.push(say(&problem)),
        }
    }
    found
}

/// The ports of a surface.
fn ports(settings: &Settings, bind: &SurfaceBind) -> Vec<SocketAddr> {
    let own = settings.surfaces().into_iter().filter(|other| other.surface == bind.surface);
    let port = |bind: SurfaceBind| match bind.at {
        AdminAddress::Tcp(address) => Some(address),
        AdminAddress::Unix(_) => None,
    };
    own.filter_map(port).collect()
}

/// Says why there is no Unix socket, and what to do.
fn refusal(bind: &SurfaceBind, refused: &Refused) -> Finding {
    let (gravity, why) = match refused {
        Refused::Answered => (
            Gravity::Refused,
            "another program answers there; stop that program or name another path".to_owned(),
        ),
        Refused::Long => (
            Gravity::Wrong,
            format!("a socket's path has at most {LONGEST_PATH} bytes; name a shorter one"),
        ),
        Refused::NoSocket => (
            Gravity::Refused,
            "there is a file that is no socket; remove it or name another path".to_owned(),
        ),
        Refused::Owner(uid) => (
            Gravity::Rights,
            format!(
                "the socket there belongs to user {uid}, so tarpitd cannot tell whether it is in \
                 use; remove it or name another path"
            ),
        ),
        Refused::System(error) => {
            let cure = match Errno::from_io_error(error) {
                Some(Errno::ACCESS | Errno::PERM) => {
                    "let the user who runs tarpitd create files in its directory and give them to \
                     its group"
                }
                Some(Errno::NOENT) => "create its directory",
                Some(Errno::NOTDIR) => "its directory is a file; name another path",
                Some(Errno::ROFS) => "its file system is read-only; name another path",
                Some(Errno::MFILE | Errno::NFILE) => CURE,
                _ => "name another path",
            };
            (Gravity::of(error), format!("{}; {cure}", plain(error)))
        }
    };
    let what = format!("{}: cannot listen on {}: {why}", bind.surface.name(), bind.at);
    Finding::new(gravity, bind.place.as_ref(), what)
}

/// The admin server, where one runs, and its open sockets.
#[derive(Default)]
pub(super) struct Surfaces {
    admin: Option<Admin>,
    open: Vec<OpenSurface>,
    next_key: u64,
}

/// A socket that is served.
struct OpenSurface {
    key: u64,
    bind: SurfaceBind,
    address: AdminAddress,
    /// The socket, for a daemon that goes on; dropped before the server closes its own.
    socket: OwnedFd,
}

/// What a reload does with the sockets.
#[derive(Default)]
pub(super) struct Moves {
    opened: Vec<OpenedSurface>,
    /// A socket of ours that is about to be closed is in the way of these.
    waiting: Vec<SurfaceBind>,
    /// Sockets that cannot be opened.
    pub(super) unbound: Vec<Finding>,
    /// Warnings about others.
    pub(super) told: Vec<Finding>,
}

impl Surfaces {
    /// Serves these sockets, and says where, a line each; an error is the system's, which refuses a
    /// thread.
    pub(super) fn serve(
        &mut self,
        opened: Vec<OpenedSurface>,
        world: World,
        log: &Log,
    ) -> io::Result<Vec<String>> {
        let mut told = Vec::with_capacity(opened.len());
        let keep = self.open.iter().map(|open| open.key).collect();
        let mut new = Vec::with_capacity(opened.len());
        for one in opened {
            let (key, address, shared) = (self.next_key, one.address(), one.share()?);
            self.next_key += 1;
            let surface = one.bind.surface;
            let what = format!("{}: HTTP on {address}", surface.name());
            log.notice(format_args!("{what}"));
            told.push(what);
            new.push(Listener { key, surface, socket: one.socket });
            self.open.push(OpenSurface { key, bind: one.bind, address, socket: shared });
        }
        match &self.admin {
            Some(admin) => admin.order(Some(world), keep, new),
            None if new.is_empty() => {}
            None => self.admin = Some(Admin::start(world, new)?),
        }
        Ok(told)
    }

    /// Lets the handlers see another world.
    pub(super) fn renew(&self, world: World) {
        if let Some(admin) = &self.admin {
            let keep = self.open.iter().map(|open| open.key).collect();
            admin.order(Some(world), keep, Vec::new());
        }
    }

    /// All open sockets, each with the address that is configured for it.
    pub(super) fn sockets(&self) -> impl Iterator<Item = (Surface, &AdminAddress, BorrowedFd<'_>)> {
        self.open.iter().map(|open| (open.bind.surface, &open.bind.at, open.socket.as_fd()))
    }

    /// Lets those connect to the Unix sockets whom the settings name, where another daemon had other
    /// settings.
    pub(super) fn set_access(&self, log: &Log) {
        for OpenSurface { bind, .. } in &self.open {
            let AdminAddress::Unix(path) = &bind.at else { continue };
            if let Err(error) =
                admin_socket::renew_access(path, bind.access.mode, bind.access.group)
            {
                log.error(format_args!(
                    "{}: cannot set owner, group and mode of {}: {}; they are as the last daemon had \
                     set them: restart tarpitd to change them",
                    bind.surface.name(),
                    path.display(),
                    plain(&error)
                ));
            }
        }
    }

    /// The Unix sockets that `new` has and that are not open yet.
    pub(super) fn new_sockets(&self, new: &Settings) -> Vec<SurfaceBind> {
        let is_new = |bind: &SurfaceBind| {
            matches!(bind.at, AdminAddress::Unix(_))
                && !self.open.iter().any(|open| is_same(&open.bind, bind))
        };
        new.surfaces().into_iter().filter(is_new).collect()
    }

    /// Opens what `new` has and is not open yet. Nothing is closed yet.
    pub(super) fn plan(&self, new: &Settings) -> Moves {
        let mut wanted = new.surfaces();
        let leaves = |open: &&OpenSurface| !wanted.iter().any(|bind| is_same(&open.bind, bind));
        let leaving: Vec<_> = self.open.iter().filter(leaves).collect();
        let in_the_way = |bind: &SurfaceBind| match &bind.at {
            AdminAddress::Tcp(at) => leaving.iter().any(|open| match open.address {
                AdminAddress::Tcp(bound) => overlap(bound, *at),
                AdminAddress::Unix(_) => false,
            }),
            AdminAddress::Unix(_) => leaving.iter().any(|open| open.bind.at == bind.at),
        };
        wanted.retain(|bind| !self.open.iter().any(|open| is_same(&open.bind, bind)));
        let (waiting, wanted) = wanted.into_iter().partition(in_the_way);
        let Found { opened, unbound, told } =
            open_some(wanted, new, Touch::Keep, Unbound::at_reload);
        Moves { opened, waiting, unbound, told }
    }

    /// Carries out a plan for these settings, which are in force now, and says what changed, a line
    /// each.
    pub(super) fn apply(
        &mut self,
        moves: Moves,
        settings: &Settings,
        world: World,
        log: &Log,
    ) -> Vec<String> {
        let wanted = settings.surfaces();
        let mut told = Vec::new();
        self.open.retain(|open| {
            let stays = wanted.iter().any(|bind| is_same(&open.bind, bind));
            if !stays {
                let surface = open.bind.surface.name();
                let what = format!("{surface}: stopped listening on {}", open.address);
                log.notice(format_args!("{what}"));
                told.push(what);
            }
            stays
        });
        let mut opened = moves.opened;
        if !moves.waiting.is_empty() {
            self.close_others();
            let found = open_some(moves.waiting, settings, Touch::Keep, Unbound::at_reload);
            opened.extend(found.opened);
            for problem in found.unbound {
                log.error(format_args!("{problem}; not served"));
            }
        }
        if self.open.is_empty() && opened.is_empty() {
            self.stop();
            return told;
        }
        match self.serve(opened, world, log) {
            Ok(served) => told.extend(served),
            Err(error) => {
                log.error(format_args!("cannot start the admin server: {}", plain(&error)));
                self.open.clear();
            }
        }
        told
    }

    /// Closes every socket, and ends the server.
    pub(super) fn stop(&mut self) {
        self.open.clear();
        if let Some(admin) = self.admin.take() {
            admin.order(None, Vec::new(), Vec::new());
        }
    }

    /// Closes all sockets that are not among the open ones.
    fn close_others(&self) {
        if let Some(admin) = &self.admin {
            let keep = self.open.iter().map(|open| open.key).collect();
            admin.order(None, keep, Vec::new());
        }
    }
}

/// Whether a socket serves both, wherever they are written.
fn is_same(one: &SurfaceBind, other: &SurfaceBind) -> bool {
    one.surface == other.surface && one.at == other.at && one.access == other.access
}
