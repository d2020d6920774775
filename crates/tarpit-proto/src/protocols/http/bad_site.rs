//! `http_bad_site`: a page that is hard to render and never quite complete.
//!
//! Each of its blocks is nested in the one before, none is closed, each has a link to another page
//! of the site, and its script keeps one processor busy. A crawler that runs
//! no scripts still waits for the end and has 300 more pages to visit.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::pace::{BYTE_EVERY_8_SECONDS, EVERY_8_SECONDS, Pace},
    protocols::http::{self, At, Cue, Exchange},
    script::{About, Cx, Heard, Script, Step},
};

/// See the module.
pub(crate) struct HttpBadSite;

/// How many blocks the page has, each with a link.
const BLOCKS: u32 = 300;

/// How often a blank line follows once all blocks have been sent.
const BLANK_EVERY: Duration = Duration::from_secs(8);

static ABOUT: About = About {
    aliases: &["http_bad_html"],
    caution: Some("it keeps the CPU of every visitor busy, search engines and researchers too"),
    protocol: Some(&super::HTTP),
    alpn: &["http/1.1"],
    ..About::new(
        "http_bad_site",
        "sends a page of 300 unclosed blocks and links, with a script that keeps the CPU busy",
    )
};

impl Script for HttpBadSite {
    type State = Exchange;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, exchange: &Exchange) -> Pace {
        match exchange.at {
            // A block at a time, so that the page does what it is for within the hour.
            At::Telling { .. } => EVERY_8_SECONDS,
            _ => BYTE_EVERY_8_SECONDS,
        }
    }

    fn open(&self, cx: &mut Cx<'_>) -> Exchange {
        Exchange::open(cx)
    }

    fn step(&self, exchange: &mut Exchange, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match http::converse(exchange, heard, cx) {
            Cue::HeadSent => http::tell(exchange, 0),
            Cue::PartSent { part } if part < BLOCKS => http::tell_on(exchange),
            // The page is all there; blank lines keep it from being done, whatever the rate.
            Cue::PartSent { .. } => {
                let wait = cx.rng.jitter(BLANK_EVERY);
                Step::wait(cx.later(wait))
            }
            Cue::Silence => http::tell_on(exchange),
            Cue::Step(step) => step,
        }
    }

    fn speak(&self, exchange: &Exchange, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let request = exchange.request;
        match exchange.at {
            At::Heading { .. } | At::Ending => http::head(exchange, cx, out),
            At::Telling { part: 0 } => {
                http::chunk(request, cx, out, |_, out| out.extend_from_slice(OPENING));
            }
            At::Telling { part: 1..=BLOCKS } => {
                http::chunk(request, cx, out, block);
            }
            At::Telling { .. } => http::chunk(request, cx, out, |_, out| out.push(b'\n')),
            _ => http::reply(exchange, cx, out),
        }
    }
}

/// The page's start. The script works in slices, so that the rest of the page is still read.
const OPENING: &[u8] = b"<html><head><title>Welcome</title>
<script>
setInterval(function () {
  var end = Date.now() + 990, sum = 1;
  while (Date.now() < end) { sum = Math.sqrt(sum * sum + Math.random()); }
}, 1000);
</script>
</head><body>
";

/// Appends a block without an end and the link in it.
fn block(cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    const TAGS: [&str; 6] = ["article", "blockquote", "center", "div", "section", "ul"];
    out.push(b'<');
    out.extend_from_slice(cx.rng.pick(&TAGS).as_bytes());
    out.push(b'>');
    http::link(cx, out);
    out.push(b'\n');
}
