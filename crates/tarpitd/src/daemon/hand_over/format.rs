//! What one daemon tells the next: the frames, and the state of each client.
//!
//! Patterns, protocols and tarpits stand here by their names. A program that does not know one
//! holds the client in silence. [`FORM`] changes with every change of these types: postcard writes
//! no names of fields.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use tarpit_proto::{script::Conn, session::SessionId, time::Time};

use crate::{
    admit::forwarded::Rank,
    os::{clock::Clock, listen_socket::Redirected},
    settings::{AdminAddress, Purpose, Surface},
    worker::{
        HashKeys,
        hand_over::{self, Held, MovedClient, Origin},
    },
};

/// The number of this form. It is the last part of the protocol's name on the control socket.
pub(in crate::daemon) const FORM: u32 = crate::admin::control::upgrade::FORM;

/// One message. The files that belong to it come beside it, in the order of its parts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Frame {
    /// Sockets of the service manager, by their names.
    Activated(Vec<String>),
    /// A worker's clients.
    Clients { worker: u32, clients: Vec<Client> },
    /// So many clients were told of, and that is all for now. So many are `left`: their TLS handshake
    /// is under way, and they come later.
    Complete { clients: u64, left: u64 },
    /// All that the old daemon has counted, in place of what [`State`] had.
    Counters(Vec<u8>),
    /// Listeners.
    Listeners(Vec<Listener>),
    /// The new program has all that it needs to serve.
    Ready,
    /// The hand-over is over, and why.
    Refused(String),
    /// The new program is to serve.
    Serve,
    /// The new program serves.
    Serving,
    /// The old daemon got a signal that is the new program's.
    Signal(i32),
    /// What is no socket.
    State(State),
    /// Standard output and standard error.
    Streams,
    /// Sockets of the admin server.
    Surfaces(Vec<AdminSocket>),
    /// The frame was taken.
    Taken,
}

/// What goes on that is no socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::daemon) struct State {
    /// The old daemon's process.
    pub(in crate::daemon) pid: u32,
    /// The program's version, for people.
    pub(in crate::daemon) version: String,
    /// What the system's monotonic clock showed at the start of the first daemon.
    origin: Duration,
    facts_key: [u8; 16],
    sessions_key: [u8; 16],
    /// By their names: secrets that are in no file, and the parts of what is kept.
    pub(in crate::daemon) named: Vec<(String, Vec<u8>)>,
    /// What was counted.
    pub(in crate::daemon) counters: Vec<u8>,
}

impl State {
    /// The state of this process.
    pub(in crate::daemon) fn new(clock: Clock, keys: HashKeys) -> Self {
        Self {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            origin: clock.origin(),
            facts_key: keys.facts,
            sessions_key: keys.sessions,
            named: Vec::new(),
            counters: Vec::new(),
        }
    }

    /// The clock; `None`: it would start in the future.
    pub(in crate::daemon) fn clock(&self) -> Option<Clock> {
        Clock::started_at(self.origin)
    }

    pub(in crate::daemon) fn keys(&self) -> HashKeys {
        HashKeys { facts: self.facts_key, sessions: self.sessions_key }
    }
}

/// What a daemon leaves in its state directory for the next one, while the service manager keeps
/// the sockets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) state: State,
    /// When it ended, since 1970.
    pub(super) at: Duration,
    /// Each client with its socket's cookie and the number of its worker.
    pub(super) clients: Vec<(u64, u32, Client)>,
}

/// A listener, whose socket comes beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::daemon) struct Listener {
    pub(in crate::daemon) tarpit: String,
    /// The configured address, possibly with port 0.
    pub(in crate::daemon) at: SocketAddr,
    /// The worker whose data connections arrive there.
    data: Option<u32>,
    redirected: Redirect,
}

/// Which of the firewall's ways lead to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Redirect {
    No,
    ByNat,
    Yes,
}

impl Listener {
    pub(super) fn new(
        tarpit: String,
        at: SocketAddr,
        purpose: Purpose,
        redirected: Redirected,
    ) -> Self {
        let data = match purpose {
            Purpose::Clients => None,
            Purpose::Data(worker) => Some(u32::try_from(worker).unwrap_or_default()),
        };
        let redirected = match redirected {
            Redirected::ByNat => Redirect::ByNat,
            Redirected::No => Redirect::No,
            Redirected::Yes => Redirect::Yes,
        };
        Self { tarpit, at, data, redirected }
    }

    /// What arrives there.
    pub(in crate::daemon) fn is_for_data(&self) -> bool {
        self.data.is_some()
    }

    pub(in crate::daemon) fn redirected(&self) -> Redirected {
        match self.redirected {
            Redirect::ByNat => Redirected::ByNat,
            Redirect::No => Redirected::No,
            Redirect::Yes => Redirected::Yes,
        }
    }
}

/// A socket of the admin server, which comes beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::daemon) struct AdminSocket {
    surface: String,
    /// The configured address as it is written.
    at: String,
}

impl AdminSocket {
    pub(in crate::daemon) fn new(surface: Surface, at: &AdminAddress) -> Self {
        Self { surface: surface.name().to_owned(), at: at.to_string() }
    }
}

/// A client, whose socket comes beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::daemon) struct Client {
    tarpit: String,
    pattern: String,
    bound: SocketAddr,
    is_data: bool,
    peer: SocketAddr,
    server: SocketAddr,
    via: Option<SocketAddr>,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    AwaitsHeader {
        is_detoured: bool,
    },
    AwaitsRequest,
    Held {
        id: u64,
        is_detoured: bool,
        /// The place in the order of ranks.
        rank: u8,
        at_millis: u64,
        session: Vec<u8>,
        account: Option<Vec<u8>>,
        awaited_at: Option<u16>,
        program: Option<String>,
    },
}

impl From<MovedClient> for Client {
    fn from(MovedClient { origin, conn, stage }: MovedClient) -> Self {
        let Origin { tarpit, pattern, bound, is_data } = origin;
        let Conn { client, server, via } = conn;
        let stage = match stage {
            hand_over::Stage::AwaitsHeader { is_detoured } => Stage::AwaitsHeader { is_detoured },
            hand_over::Stage::AwaitsRequest => Stage::AwaitsRequest,
            hand_over::Stage::Held(held) => {
                let Held { id, is_detoured, rank, at, session, account, awaited_at, program } =
                    held;
                let (id, rank, at_millis) = (id.0, rank as u8, at.as_millis());
                Stage::Held {
                    id,
                    is_detoured,
                    rank,
                    at_millis,
                    session,
                    account,
                    awaited_at,
                    program,
                }
            }
        };
        Self { tarpit, pattern, bound, is_data, peer: client, server, via, stage }
    }
}

impl From<Client> for MovedClient {
    fn from(saved: Client) -> Self {
        let Client { tarpit, pattern, bound, is_data, peer, server, via, stage } = saved;
        let origin = Origin { tarpit, pattern, bound, is_data };
        let conn = Conn { client: peer, server, via };
        let stage = match stage {
            Stage::AwaitsHeader { is_detoured } => hand_over::Stage::AwaitsHeader { is_detoured },
            Stage::AwaitsRequest => hand_over::Stage::AwaitsRequest,
            Stage::Held {
                id,
                is_detoured,
                rank,
                at_millis,
                session,
                account,
                awaited_at,
                program,
            } => hand_over::Stage::Held(Held {
                id: SessionId(id),
                is_detoured,
                rank: Rank::ALL.into_iter().find(|it| *it as u8 == rank).unwrap_or_default(),
                at: Time::from_millis(at_millis),
                session,
                account,
                awaited_at,
                program,
            }),
        };
        Self { origin, conn, stage }
    }
}

/// Writes something of these.
pub(in crate::daemon) fn encode<T: Serialize>(thing: &T) -> Vec<u8> {
    // Writing to memory fails for no type of these.
    postcard::to_allocvec(thing).unwrap_or_default()
}

/// Reads what [`encode`] wrote; `None`: it is damaged.
pub(in crate::daemon) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((thing, [])) => Some(thing),
        _ => None,
    }
}

/// A file of this kind and form: damage to it is noticed.
pub(in crate::daemon) fn seal(magic: &[u8], form: u32, payload: &[u8]) -> Vec<u8> {
    [magic, &form.to_be_bytes(), &Sha256::digest(payload)[..], payload].concat()
}

/// What such a file has, or why it is of no use.
pub(in crate::daemon) fn unseal<'a>(
    magic: &[u8],
    form: u32,
    file: &'a [u8],
) -> Result<&'a [u8], String> {
    let damaged = || DAMAGED_FILE.to_owned();
    let rest = file.strip_prefix(magic).ok_or_else(damaged)?;
    let (written, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
    let written = u32::from_be_bytes(*written);
    if written != form {
        return Err(format!("another version of tarpitd wrote this file (form {written})"));
    }
    let (digest, payload) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
    if Sha256::digest(payload)[..] == digest[..] { Ok(payload) } else { Err(damaged()) }
}

/// What is said of a file that was changed since it was written.
pub(in crate::daemon) const DAMAGED_FILE: &str = "this file is damaged";

#[cfg(test)]
mod tests {
    use super::*;

    fn client(stage: hand_over::Stage) -> MovedClient {
        MovedClient {
            origin: Origin {
                tarpit: "a".into(),
                pattern: "ssh".into(),
                bound: "[::]:22".parse().unwrap(),
                is_data: false,
            },
            conn: Conn {
                client: "[2001:db8::1]:40000".parse().unwrap(),
                server: "192.0.2.1:22".parse().unwrap(),
                via: Some("198.51.100.1:7".parse().unwrap()),
            },
            stage,
        }
    }

    fn held() -> hand_over::Stage {
        hand_over::Stage::Held(Held {
            id: SessionId(u64::MAX),
            is_detoured: true,
            rank: Rank::Forwarded,
            at: Time::from_millis(1 << 40),
            session: vec![1, 2, 3],
            account: Some(vec![4]),
            awaited_at: Some(20),
            program: Some("SSH-2.0-x".into()),
        })
    }

    #[test]
    fn what_is_read_is_what_was_written_and_damage_is_noticed() {
        let stages = [
            hand_over::Stage::AwaitsHeader { is_detoured: true },
            hand_over::Stage::AwaitsRequest,
            held(),
        ];
        for stage in stages {
            let moved = client(stage);
            let bytes = encode(&Client::from(moved.clone()));
            assert_eq!(decode::<Client>(&bytes).map(MovedClient::from), Some(moved));
            for cut in 0..bytes.len() {
                assert!(decode::<Client>(&bytes[..cut]).is_none(), "{cut}");
            }
            assert!(decode::<Client>(&[&bytes[..], b"x"].concat()).is_none());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let frame = Frame::Clients { worker: 1, clients: vec![client(held()).into()] };
        let good = encode(&frame);
        for place in 0..good.len() {
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut bytes = good.clone();
                bytes[place] = value;
                // A length that is too large takes no memory.
                drop(decode::<Frame>(&bytes));
            }
        }
    }

    #[test]
    fn the_form_stays_as_long_as_its_number() {
        let known = "01610373736801000000000000000000000000000000001600\
                     0120010db8000000000000000000000001c0b802\
                     00c00002011601\
                     00c6336401\
                     0701";
        let bytes = encode(&Client::from(client(hand_over::Stage::AwaitsRequest)));
        assert_eq!((FORM, &*data_encoding::HEXLOWER.encode(&bytes)), (3, known));
    }
}
