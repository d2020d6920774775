//! How each HTTP client is held: a table of known clients, and a default for all others.
//!
//! Each row was tried with the client itself; the limits are the client's own timeouts. An unknown
//! client gets what all known clients tolerate.

use core::time::Duration;

use crate::{
    script::{KnownClient, client},
    states,
};

states! {
    /// What holds an HTTP client.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum HeldBy {
        /// Such a head for four minutes, and then a body that goes on a byte every 8 seconds.
        Briefly,
        /// A head that goes on a byte every 8 seconds. It is for clients that are not known.
        #[default]
        Head,
        /// A head that goes on a byte every 3 seconds.
        Hurried,
        /// A whole refusal after 8 seconds to whatever it asks for, and then the next.
        Answers,
        /// The same after 6 seconds.
        EarlyAnswers,
    }
}

/// HTTP clients by what their `User-Agent` contains; the first row that fits decides.
pub(super) static CLIENTS: &[KnownClient<HeldBy>] = &[
    // Searchers for paths end a request after 10 seconds or some more in all, and the whole search
    // after a few that failed: only answers keep them.
    KnownClient::contains("DirBuster", b"DirBuster", HeldBy::Answers),
    KnownClient::contains("ffuf", b"Fuzz Faster U Fool", HeldBy::Answers),
    KnownClient::contains("Nikto", b"Nikto", HeldBy::Answers),
    KnownClient::contains("Wfuzz", b"Wfuzz", HeldBy::Answers),
    KnownClient::contains("feroxbuster", b"feroxbuster", HeldBy::Answers),
    KnownClient::contains("gobuster", b"gobuster", HeldBy::Answers),
    // It ends a search at the first failures.
    KnownClient::contains(
        "dirb",
        b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        HeldBy::Answers,
    ),
    // They wait 7 seconds for each next byte (6 and what the connection may take, which is a second
    // at least), then ask again inside TLS, which they give up after a second. An answer is shown
    // with the service, so it is worth more than the byte after byte that would hold them for ever.
    KnownClient::contains("nmap's scripts", b"Nmap Scripting Engine", HeldBy::EarlyAnswers),
    // It waits 5 seconds for each next byte.
    KnownClient::contains("httpx", b"python-httpx", HeldBy::Hurried),
    // It waits 300 seconds in all for a head, and as long for each next part of a body.
    KnownClient::contains("Node.js", b"node", HeldBy::Briefly),
    KnownClient::contains("undici", b"undici", HeldBy::Briefly),
];

/// What holds the client that calls itself `agent`, if it stands in the table.
pub(crate) fn named(agent: &[u8]) -> Option<HeldBy> {
    client::find(CLIENTS, agent).map(|place| CLIENTS[place].limits)
}

/// What holds a client for whom the table has `named`, and that is `disguised` if it calls itself
/// a browser and does not say what it accepts, as no browser would: searchers for paths do so.
pub(crate) fn held_by(named: Option<HeldBy>, disguised: bool) -> HeldBy {
    match named {
        Some(hold) => hold,
        None if disguised => HeldBy::Answers,
        None => HeldBy::Head,
    }
}

impl HeldBy {
    /// How long a client waits for each whole answer at least, if these hold it.
    pub(crate) fn answers_after(self) -> Option<Duration> {
        match self {
            Self::Answers => Some(SEARCH),
            Self::EarlyAnswers => Some(SCRIPT),
            Self::Briefly | Self::Head | Self::Hurried => None,
        }
    }
}

/// The strictest searchers for paths that were measured give a request 10 seconds in all.
pub(crate) const SEARCH: Duration = Duration::from_millis(8_020);

/// Of nmap's scripts a second is left for the way and for a busy worker.
const SCRIPT: Duration = Duration::from_millis(5_600);

/// Between two bytes of a client that is held so.
pub(crate) fn interval(hold: HeldBy) -> Duration {
    Duration::from_secs(if hold == HeldBy::Hurried { 3 } else { 8 })
}

/// After so many blanks, which stand behind the name of its last field, the head of a client ends
/// that is held briefly: 31 bytes take four minutes.
pub(crate) const BRIEF_BLANKS: u32 = 17;

/// After so many blanks another field begins: of the known clients the strictest bears fields of
/// 8,190 bytes (aiohttp), and a hundred of them (Python).
pub(crate) const LONGEST_FIELD: u32 = 8_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_client_is_known_by_its_name_or_by_a_name_that_does_not_fit() {
        for (agent, disguised, wanted) in [
            (&b"gobuster/3.5"[..], false, HeldBy::Answers),
            (b"Fuzz Faster U Fool v2.1.0-dev", false, HeldBy::Answers),
            (b"python-httpx/0.28.1", false, HeldBy::Hurried),
            (b"Mozilla/5.0 (compatible; Nmap Scripting Engine)", true, HeldBy::EarlyAnswers),
            (b"node", true, HeldBy::Briefly),
            (b"Mozilla/5.0 (X11)", false, HeldBy::Head),
            (b"Mozilla/5.0 (X11)", true, HeldBy::Answers),
            (b"", false, HeldBy::Head),
        ] {
            let got = held_by(named(agent), disguised);
            assert_eq!(got, wanted, "{}", agent.escape_ascii());
        }
    }
}
