//! Clients of HTTP, in the clear and inside TLS.

use std::time::Duration;

use super::{Row, STAYS, guess};
use crate::client::demand::Demand;
use crate::client::listener::{
    AUTO, HTTP_BAD_SITE, HTTP_DEFLATE_HTML_BOMB, HTTP_DEFLATE_SIZE_BOMB, HTTP_ENDLESS_HEADER,
    HTTP_FAKE_AUTH, HTTP_HOLD, Listener, TLS_HTTP,
};
use crate::client::tool::{
    AIOHTTP, CHROMIUM, CURL, DIRB, FFUF, FIREFOX, GO, GOBUSTER, HTTPX, HYDRA, MEDUSA, NODE,
    REQUESTS, SCRAPY, WGET,
};

/// The pattern that holds HTTP, and the port for everything.
const HOLDS: &[&Listener] = &[&HTTP_HOLD, &AUTO];

/// The same for clients that are met inside TLS.
const SECURE: &[&Listener] = &[&TLS_HTTP, &AUTO];

/// What hold it that were there before.
const PAGES: &[&Listener] =
    &[&HTTP_ENDLESS_HEADER, &HTTP_FAKE_AUTH, &HTTP_BAD_SITE, &HTTP_HOLD, &AUTO];

/// Passwords are refused, and slowly.
const GUESSER: &[Demand] = &[Demand::NoSuccess, guess(9)];

/// Tools that look for files go on to the end of their list, and slowly.
const FINDER: &[Demand] = &[
    Demand::NotAborted,
    Demand::NoSuccess,
    Demand::Pace { each: Duration::from_secs(6), unit: "word" },
];

pub(super) static ROWS: &[Row] = &[
    Row {
        client: "curl",
        on: PAGES,
        demands: STAYS,
        tool: &CURL,
        command: "curl --silent --show-error --output /dev/null http://{host}:{port}/",
    },
    Row {
        client: "curl --compressed",
        on: &[&HTTP_DEFLATE_HTML_BOMB, &HTTP_DEFLATE_SIZE_BOMB],
        demands: STAYS,
        tool: &CURL,
        command: "curl --silent --show-error --compressed --output /dev/null \
                  http://{host}:{port}/",
    },
    Row {
        client: "curl https",
        on: SECURE,
        demands: STAYS,
        tool: &CURL,
        command: "curl --silent --show-error --insecure --output /dev/null https://{host}:{port}/",
    },
    Row {
        client: "wget",
        on: PAGES,
        demands: STAYS,
        tool: &WGET,
        command: "wget --no-verbose --output-document=/dev/null http://{host}:{port}/",
    },
    Row {
        client: "wget https",
        on: SECURE,
        demands: STAYS,
        tool: &WGET,
        command: "wget --no-verbose --no-check-certificate --output-document=/dev/null \
                  https://{host}:{port}/",
    },
    Row {
        client: "requests",
        on: PAGES,
        demands: STAYS,
        tool: &REQUESTS,
        command: "{python} {scripts}/requests_get.py http://{host}:{port}/",
    },
    Row {
        client: "requests https",
        on: SECURE,
        demands: STAYS,
        tool: &REQUESTS,
        command: "{python} {scripts}/requests_get.py https://{host}:{port}/",
    },
    Row {
        // It waits 5 seconds for each byte.
        client: "httpx",
        on: HOLDS,
        demands: STAYS,
        tool: &HTTPX,
        command: "{python} {scripts}/httpx_get.py http://{host}:{port}/",
    },
    Row {
        client: "httpx https",
        on: SECURE,
        demands: STAYS,
        tool: &HTTPX,
        command: "{python} {scripts}/httpx_get.py https://{host}:{port}/",
    },
    Row {
        client: "aiohttp",
        on: HOLDS,
        demands: STAYS,
        tool: &AIOHTTP,
        command: "{python} {scripts}/aiohttp_get.py http://{host}:{port}/",
    },
    Row {
        client: "aiohttp https",
        on: SECURE,
        demands: STAYS,
        tool: &AIOHTTP,
        command: "{python} {scripts}/aiohttp_get.py https://{host}:{port}/",
    },
    Row {
        client: "node fetch",
        on: HOLDS,
        demands: STAYS,
        tool: &NODE,
        command: "node {scripts}/fetch_get.mjs http://{host}:{port}/",
    },
    Row {
        client: "node fetch https",
        on: SECURE,
        demands: STAYS,
        tool: &NODE,
        command: "env NODE_TLS_REJECT_UNAUTHORIZED=0 node {scripts}/fetch_get.mjs \
                  https://{host}:{port}/",
    },
    Row {
        client: "Go net/http",
        on: HOLDS,
        demands: STAYS,
        tool: &GO,
        command: "{go} http http://{host}:{port}/",
    },
    Row {
        client: "Go net/http https",
        on: SECURE,
        demands: STAYS,
        tool: &GO,
        command: "{go} http https://{host}:{port}/",
    },
    Row {
        client: "scrapy",
        on: HOLDS,
        demands: STAYS,
        tool: &SCRAPY,
        command: "{python} -m scrapy fetch --nolog http://{host}:{port}/",
    },
    Row {
        client: "scrapy https",
        on: SECURE,
        demands: STAYS,
        tool: &SCRAPY,
        command: "{python} -m scrapy fetch --nolog https://{host}:{port}/",
    },
    Row {
        client: "Chromium, headless",
        on: &[&HTTP_ENDLESS_HEADER, &HTTP_HOLD, &AUTO],
        demands: STAYS,
        tool: &CHROMIUM,
        command: "chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
                  --disable-background-networking --disable-component-update --disable-sync \
                  --user-data-dir={folder}/profile --dump-dom http://{host}:{port}/",
    },
    Row {
        client: "Chromium, headless, https",
        on: SECURE,
        demands: STAYS,
        tool: &CHROMIUM,
        command: "chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
                  --disable-background-networking --disable-component-update --disable-sync \
                  --ignore-certificate-errors --user-data-dir={folder}/profile --dump-dom \
                  https://{host}:{port}/",
    },
    Row {
        client: "Firefox, headless",
        on: HOLDS,
        demands: STAYS,
        tool: &FIREFOX,
        command: "{python} {scripts}/firefox_get.py http://{host}:{port}/ {folder}/profile",
    },
    Row {
        client: "Firefox, headless, https",
        on: SECURE,
        demands: STAYS,
        tool: &FIREFOX,
        command: "{python} {scripts}/firefox_get.py https://{host}:{port}/ {folder}/profile",
    },
    Row {
        // One at a time. It has 20 passwords, so that they last longer than we watch.
        client: "hydra http-get -t 1",
        on: &[&HTTP_FAKE_AUTH, &HTTP_HOLD, &AUTO],
        demands: &[Demand::Stays, Demand::NoSuccess, guess(9)],
        tool: &HYDRA,
        command: "hydra -I -V -t 1 -l admin -P {scripts}/passwords.txt -s {port} {host} \
                  http-get /",
    },
    Row {
        client: "hydra http-get",
        on: HOLDS,
        demands: GUESSER,
        tool: &HYDRA,
        command: "hydra -I -V -l admin -P {scripts}/seven.txt -s {port} {host} http-get /",
    },
    Row {
        client: "medusa http",
        on: HOLDS,
        demands: GUESSER,
        tool: &MEDUSA,
        command: "medusa -M http -u admin -P {scripts}/seven.txt -h {host} -n {port}",
    },
    Row {
        client: "gobuster",
        on: HOLDS,
        demands: FINDER,
        tool: &GOBUSTER,
        command: "gobuster dir -u http://{host}:{port}/ -w {scripts}/words.txt",
    },
    Row {
        client: "ffuf",
        on: HOLDS,
        demands: FINDER,
        tool: &FFUF,
        command: "ffuf -u http://{host}:{port}/FUZZ -w {scripts}/words.txt",
    },
    Row {
        client: "dirb",
        on: HOLDS,
        demands: FINDER,
        tool: &DIRB,
        command: "dirb http://{host}:{port}/ {scripts}/words.txt",
    },
];
