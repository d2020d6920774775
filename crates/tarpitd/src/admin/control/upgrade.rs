//! An upgrade: what a new program needs to run as this one does, and the connection over which it
//! takes over.

use std::{env, ffi::OsString, os::unix::net::UnixStream, sync::Arc};

use hyper::{
    Request, StatusCode,
    header::{CONNECTION, HeaderValue, UPGRADE},
    upgrade::OnUpgrade,
};
use serde::{Deserialize, Serialize};

use crate::{
    admin::{
        answer::{Answer, json, line, whole},
        connection::Connection,
        server::{Peer, Stream},
        world::World,
    },
    worker::Notice,
};

/// What a hand-over is called where a connection becomes one; its form's number follows.
pub(crate) const PROTOCOL: &str = "tarpitd-hand-over";

/// The number of the form of a hand-over. It changes with every change of its messages.
pub(crate) const FORM: u32 = 3;

/// Variables of the environment that are no part of it for a next program.
const OWN: &str = "TARPITD_HAND_OVER";

/// How this process was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// The program's name is the first.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) directory: OsString,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// Says how this process was started. The environment may hold secrets, so it is told only to those
/// who could read it anyway.
pub(in crate::admin) fn process(request: &Request<Vec<u8>>) -> Answer {
    if !is_us(request) {
        return forbidden();
    }
    let directory = match env::current_dir() {
        Ok(directory) => directory.into_os_string(),
        Err(error) => {
            let what = format!("the daemon's working directory is gone: {error}");
            return line(StatusCode::CONFLICT, what);
        }
    };
    let process = Process {
        pid: std::process::id(),
        arguments: env::args_os().collect(),
        directory,
        environment: env::vars_os().filter(|(name, _)| name != OWN).collect(),
    };
    json(StatusCode::OK, &process)
}

/// Gives the connection to the daemon's own thread, which hands over to the program at its other
/// end.
pub(in crate::admin) fn hand_over(mut request: Request<Vec<u8>>, world: Arc<World>) -> Answer {
    if !is_us(&request) {
        return forbidden();
    }
    let wanted = format!("{PROTOCOL}/{FORM}");
    if request.headers().get(UPGRADE).is_none_or(|named| named.as_bytes() != wanted.as_bytes()) {
        let what = format!(
            "tarpitd {} hands over by `Upgrade: {wanted}` only; restart it",
            env!("CARGO_PKG_VERSION")
        );
        return line(StatusCode::UPGRADE_REQUIRED, what);
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Some(stream) = socket_of(upgrade).await {
            // If this fails, the daemon is about to end.
            let _ = world.notify.send(Notice::HandOver(stream));
        }
    });
    let mut answer = whole(StatusCode::SWITCHING_PROTOCOLS, "text/plain", "");
    for (name, value) in [(CONNECTION, "upgrade".to_owned()), (UPGRADE, wanted)] {
        // Names and numbers are allowed in any header.
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// The socket of a connection that is HTTP's no more.
async fn socket_of(upgrade: OnUpgrade) -> Option<UnixStream> {
    let upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<Connection<Stream>>().ok()?;
    match parts.io.into_socket() {
        // A client that has said something before it was answered is none of ours.
        Stream::Unix(stream) if parts.read_buf.is_empty() => stream.into_std().ok(),
        Stream::Tcp(_) | Stream::Unix(_) => None,
    }
}

fn is_us(request: &Request<Vec<u8>>) -> bool {
    request.extensions().get::<Peer>().is_some_and(|peer| peer.is_us)
}

fn forbidden() -> Answer {
    line(StatusCode::FORBIDDEN, "only root and the daemon's own user may do this")
}
