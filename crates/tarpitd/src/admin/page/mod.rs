//! The page for a browser: read only, all of it in the program, live by server-sent events.
//!
//! The page comes with the totals of its moment, so it tells something without its program, too. The
//! program of the page asks for nothing but `/events`, and puts all that comes from clients into the
//! page as text. The policy in the head forbids everything else.

mod history;
mod news;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use data_encoding::BASE64;
use hyper::{
    HeaderMap, Request, StatusCode,
    body::Bytes,
    header::{
        AUTHORIZATION, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, WWW_AUTHENTICATE,
    },
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tarpit_proto::time::Time;
use tokio::time::sleep;

pub(super) use self::history::SAMPLED_EVERY;
pub(crate) use self::history::SavedHistory;
use self::{
    history::History,
    news::{Figures, News, TarpitNews},
};
use super::{
    answer::{Answer, line, stream, stuck, whole},
    host,
    world::World,
};
use crate::{
    report::{
        markup::escaped,
        units::{bytes, count, span},
        world::TILES,
    },
    settings::{Token, Web},
};

/// How often the page hears of the daemon.
const EVERY: Duration = Duration::from_secs(2);

/// What a browser hears first: after how many milliseconds it may come back. Where more pages are
/// open than streams have places, their browsers take turns, and do so at leisure.
const RETURN: &[u8] = b"retry: 5000\n\n";

/// How long one answer of the workers serves all readers.
const FRESH: Duration = Duration::from_secs(1);

/// What a browser may load for the page, and who may show it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const STYLE: &str = concat!(include_str!("../../report/look.css"), include_str!("style.css"));

/// What the page keeps from one request to the next, and over reloads.
#[derive(Debug, Default)]
pub(crate) struct PageState {
    history: Mutex<History>,
    /// The last news, and when they were made, since the daemon's start.
    last: Mutex<Option<(Duration, Bytes)>>,
}

impl PageState {
    /// Goes on from what an earlier daemon kept so long ago. `counts_on`: its clients are counted
    /// here, too.
    pub(crate) fn going_on(
        saved: SavedHistory,
        away: Duration,
        counts_on: bool,
        now: Time,
    ) -> Self {
        let history = History::going_on(saved, away, counts_on, now);
        Self { history: Mutex::new(history), ..Self::default() }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> MutexGuard<'_, Option<(Duration, Bytes)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a sample, where there is a page.
pub(crate) fn sample(world: &World) {
    let Some(page) = &world.page else { return };
    let (held, opened, now) = present(world);
    page.history().sample(held, opened, now);
}

/// What the next daemon goes on from, where there is a page.
pub(crate) fn save(world: &World) -> Option<SavedHistory> {
    let page = world.page.as_ref()?;
    let (_, opened, now) = present(world);
    Some(page.history().save(opened, now))
}

/// How many clients are held, and how many have come since the start; and the moment.
fn present(world: &World) -> (u64, u64, Time) {
    let now = world.clock.now();
    let counts = world.tallies.iter().map(|tally| tally.counts(now));
    let (held, opened) = counts
        .fold((0, 0), |(held, opened), counts| (held + counts.held(), opened + counts.opened));
    (held, opened, now)
}

/// The page, with the totals of now.
pub(super) async fn index(request: Request<Vec<u8>>, world: Arc<World>) -> Answer {
    if let Some(refusal) = refusal(&request, &world.web) {
        return refusal;
    }
    let news = match &world.page {
        Some(page) => News::of(&world, page).await,
        None => None,
    };
    let page = news.and_then(|news| {
        let json = serde_json::to_string(&news).ok()?;
        Some(filled(&news, &json))
    });
    match page {
        Some(page) => guarded(whole(StatusCode::OK, "text/html; charset=utf-8", page)),
        None => stuck(),
    }
}

/// What happens from now on, for as long as the reader reads.
pub(super) fn events(request: &Request<Vec<u8>>, world: Arc<World>) -> Answer {
    if let Some(refusal) = refusal(request, &world.web) {
        return refusal;
    }
    guarded(stream("text/event-stream", |pieces| async move {
        // Where the reader is gone, all of this is dropped.
        let _ = pieces.send(Bytes::from_static(RETURN)).await;
        while let Some(event) = event(&world).await {
            if pieces.send(event).await.is_err() {
                break;
            }
            sleep(EVERY).await;
        }
    }))
}

/// The news of now as an event; `None`: a worker is stuck, and the reader asks again.
async fn event(world: &World) -> Option<Bytes> {
    let page = world.page.as_ref()?;
    let now = world.clock.since_start();
    let last = page.last().clone();
    if let Some((_, event)) = last.filter(|(made, _)| now.saturating_sub(*made) < FRESH) {
        return Some(event);
    }
    let news = News::of(world, page).await?;
    // JSON has no line ends, which would end the event.
    let json = serde_json::to_string(&news).ok()?;
    let event = Bytes::from(format!("data: {json}\n\n"));
    *page.last() = Some((now, event.clone()));
    Some(event)
}

pub(super) fn icon(request: &Request<Vec<u8>>, world: &World) -> Answer {
    part(request, world, "image/svg+xml", include_str!("icon.svg"))
}

pub(super) fn program(request: &Request<Vec<u8>>, world: &World) -> Answer {
    part(request, world, "text/javascript; charset=utf-8", include_str!("page.js"))
}

pub(super) fn style(request: &Request<Vec<u8>>, world: &World) -> Answer {
    part(request, world, "text/css; charset=utf-8", STYLE)
}

fn part(
    request: &Request<Vec<u8>>,
    world: &World,
    kind: &'static str,
    text: &'static str,
) -> Answer {
    refusal(request, &world.web).unwrap_or_else(|| guarded(whole(StatusCode::OK, kind, text)))
}

fn guarded(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

/// The answer to those who may not see the page.
fn refusal(request: &Request<Vec<u8>>, web: &Web) -> Option<Answer> {
    match &web.token {
        Some(token) if shows(request.headers(), token) => None,
        Some(_) => {
            let what = "the page needs the token of [web] as its password";
            let mut answer = line(StatusCode::UNAUTHORIZED, what);
            let how = HeaderValue::from_static("Basic realm=\"tarpitd\", charset=\"UTF-8\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, how);
            Some(answer)
        }
        None if host::is_address(request) => None,
        None => {
            let what = "without a token the page must be asked for by an address or as localhost";
            Some(line(StatusCode::FORBIDDEN, what))
        }
    }
}

/// Whether a request shows the token: as the password of any name, or as a bearer.
fn shows(headers: &HeaderMap, token: &Token) -> bool {
    let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let Some((scheme, shown)) = value.split_once(' ') else { return false };
    let shown = shown.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        is_same(shown.as_bytes(), token)
    } else if scheme.eq_ignore_ascii_case("basic") {
        let Ok(login) = BASE64.decode(shown.as_bytes()) else { return false };
        let Some(colon) = login.iter().position(|&byte| byte == b':') else { return false };
        is_same(&login[colon + 1..], token)
    } else {
        false
    }
}

/// Compares in a time that tells nothing of either, their lengths included.
fn is_same(shown: &[u8], token: &Token) -> bool {
    Sha256::digest(shown).ct_eq(&Sha256::digest(token.0.as_bytes())).into()
}

/// The page with its totals for people, and with all of `news` for its program: as JSON that no text
/// of a client can end.
fn filled(news: &News, json: &str) -> String {
    let Figures { held, opened, refused, sent, held_seconds, bytes_a_client_hour } = news.total;
    let tarpits = news.tarpits.iter().map(row).collect::<String>();
    let values = [
        ("about", escaped(&news.about)),
        ("held", count(held)),
        ("time", span(held_seconds)),
        ("opened", count(opened)),
        ("refused", count(refused)),
        ("sent", bytes(sent)),
        ("price", bytes(bytes_a_client_hour)),
        ("tarpits", tarpits),
        ("tiles", TILES.to_owned()),
        ("news", json.replace('<', "\\u003c")),
    ];
    let mut page = String::new();
    let mut rest = include_str!("index.html");
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        page.push_str(before);
        page.push_str(value.map_or("", String::as_str));
        rest = after;
    }
    page + rest
}

fn row(tarpit: &TarpitNews) -> String {
    let TarpitNews { name, pattern, figures, longest } = tarpit;
    let longest = longest.as_ref().map_or(String::new(), |longest| {
        format!("{}, {}", escaped(&longest.address), span(longest.seconds))
    });
    format!(
        "<tr><th scope=row>{}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=who>{}",
        escaped(name),
        escaped(pattern),
        count(figures.held),
        count(figures.opened),
        count(figures.refused),
        span(figures.held_seconds),
        longest
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn the_token_is_a_password_of_any_name_or_a_bearer() {
        let token = Token("0123456789abcdef".to_owned());
        let basic = |login: &str| format!("Basic {}", BASE64.encode(login.as_bytes()));
        for (shown, is_it) in [
            (basic("anybody:0123456789abcdef"), true),
            (basic(":0123456789abcdef"), true),
            ("bearer 0123456789abcdef".to_owned(), true),
            (basic("0123456789abcdef"), false),
            (basic("anybody:0123456789abcdeF"), false),
            (basic("anybody:"), false),
            ("Bearer 0123456789abcde".to_owned(), false),
            ("Bearer".to_owned(), false),
            ("Basic %%%".to_owned(), false),
            ("Digest 0123456789abcdef".to_owned(), false),
        ] {
            assert_eq!(shows(&headers(AUTHORIZATION, &shown), &token), is_it, "{shown}");
        }
        assert!(!shows(&HeaderMap::new(), &token));
    }
}
