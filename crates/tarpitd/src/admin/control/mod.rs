//! The control socket: status, held clients, dropping them, reloading, upgrading.
//!
//! Its answers are JSON, documented in tarpitd(1). `tarpitd status`, `held`, `drop`, `top`,
//! `reload` and `upgrade` are its clients and nothing more.

pub(super) mod held;
pub(crate) mod status;
pub(crate) mod upgrade;

use std::{fmt::Display, sync::Arc};

use hyper::{StatusCode, Uri};
use tarpit_proto::session::SessionId;
use tokio::sync::oneshot;

pub(super) use self::held::held;
use super::{
    answer::{Answer, json, line, stuck},
    world::World,
};
use crate::{
    config,
    worker::{
        Command, Notice,
        roster::{Question, Whom},
    },
};

/// Says how the daemon is.
pub(super) async fn status(world: Arc<World>) -> Answer {
    match status::status(&world).await {
        Some(status) => json(StatusCode::OK, &status),
        None => stuck(),
    }
}

/// Drops clients.
pub(super) async fn drop(uri: &Uri, world: Arc<World>) -> Answer {
    let whom = match parameter(uri, "whom").map(whom) {
        Some(Ok(whom)) => whom,
        Some(Err(what)) => return wrong(what),
        None => return wrong("whom= is missing: name an address, a network or a session"),
    };
    let mut clients = 0;
    for worker in 0..world.workers.len() {
        let mut next = Some(0);
        while let Some(from) = next {
            let ask = |answer| Command::Ask(Question::Drop { from, whom, answer });
            let Some(dropped) = world.ask(worker, ask).await else { return stuck() };
            clients += dropped.clients;
            next = dropped.next;
        }
    }
    json(StatusCode::OK, &serde_json::json!({ "dropped": clients }))
}

/// Lets the daemon read its configuration again.
pub(super) async fn reload(world: Arc<World>) -> Answer {
    let (answer, outcome) = oneshot::channel();
    // If this fails, the daemon is about to end.
    let _ = world.notify.send(Notice::Reload(answer));
    match outcome.await {
        Ok(Ok(changes)) => json(StatusCode::OK, &serde_json::json!({ "changes": changes })),
        Ok(Err(problems)) => {
            let problems = serde_json::json!({ "problems": problems });
            json(StatusCode::UNPROCESSABLE_ENTITY, &problems)
        }
        Err(_) => line(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping"),
    }
}

/// The clients that a user names: by an address, a network, or a session.
pub(crate) fn whom(text: &str) -> Result<Whom, String> {
    const SESSION: usize = 16;
    if text.len() == SESSION
        && let Ok(id) = u64::from_str_radix(text, 16)
    {
        return Ok(Whom::Session(SessionId(id)));
    }
    config::network(text).map(Whom::Network)
}

/// The value of a query's parameter. None of those known needs escapes.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
}

fn wrong(what: impl Display) -> Answer {
    line(StatusCode::BAD_REQUEST, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_named_by_address_network_or_session() {
        assert_eq!(whom("00112233445566ff"), Ok(Whom::Session(SessionId(0x0011_2233_4455_66FF))));
        for text in ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "::1"] {
            assert!(matches!(whom(text), Ok(Whom::Network(_))), "{text}");
        }
        for text in ["", "everybody", "0011223344556677ff", "192.0.2.7/24", "+011223344556677"] {
            let whom = whom(text);
            assert!(whom.is_err() || text.starts_with('+'), "{text}: {whom:?}");
        }
    }

    #[test]
    fn a_parameter_is_found_by_its_name() {
        let uri: Uri = "/v1/held?limit=3&whom=2001:db8::/32".parse().unwrap();
        assert_eq!(parameter(&uri, "whom"), Some("2001:db8::/32"));
        assert_eq!(parameter(&uri, "limit"), Some("3"));
        assert_eq!(parameter(&uri, "order"), None);
    }
}
