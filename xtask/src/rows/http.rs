//! Clients of HTTP, in the clear and inside TLS.

use std::time::Duration;

use super::tls::TLS_HTTP;
use super::tools::{CURL, GO, HYDRA, MEDUSA, NMAP_SCRIPTS};
use crate::client::banner::Banner;
use crate::client::demand::{Demand, STAYS};
use crate::client::dialect::Dialect;
use crate::client::listener::{AUTO, Listener};
use crate::client::probe::Probe;
use crate::client::row::{Clients, Row};
use crate::client::scan::{CAMERA, DEBIAN, NMAP, Scan, WINDOWS, Wanted};
use crate::client::tool::Tool;

pub(super) static CLIENTS: Clients =
    Clients { rows: ROWS, scans: SCANS, probes: PROBES, banners: BANNERS };

/// Where nmap's first probe is a request, so that nothing else is served.
static AUTO_HTTP: Listener = Listener::auto("auto, port 8080", 8080);
static HTTP_BAD_SITE: Listener = Listener::of("http_bad_site");
static HTTP_DEFLATE_HTML_BOMB: Listener = Listener::of("http_deflate_html_bomb");
static HTTP_DEFLATE_SIZE_BOMB: Listener = Listener::of("http_deflate_size_bomb");
static HTTP_ENDLESS_HEADER: Listener = Listener::of("http_endless_header");
static HTTP_FAKE_AUTH: Listener = Listener::of("http_fake_auth");
static HTTP_FAST: Listener = Listener::fast("http_hold, fast", "http_hold");
static HTTP_HOLD: Listener = Listener::of("http_hold");

static AIOHTTP: Tool = Tool::python("aiohttp", "3.14.5");
static CHROMIUM: Tool = Tool::debian("Chromium", "chromium", "chromium").heavy();
static DIRB: Tool = Tool::debian("dirb", "dirb", "dirb").that_speaks(Dialect::Dirb);
static FFUF: Tool = Tool::debian("ffuf", "ffuf", "ffuf").that_speaks(Dialect::Ffuf);
static FIREFOX: Tool = Tool::debian("Firefox", "firefox-esr", "firefox-esr").heavy();
static GOBUSTER: Tool =
    Tool::debian("gobuster", "gobuster", "gobuster").that_speaks(Dialect::Gobuster);
static HTTPX: Tool = Tool::python("httpx", "0.28.1");
static NODE: Tool = Tool::debian("Node", "nodejs", "node");
static REQUESTS: Tool = Tool::python("requests", "2.34.2");
static SCRAPY: Tool = Tool::python("Scrapy", "2.19.0");
static WGET: Tool = Tool::debian("wget", "wget", "wget");
/// Ruby loads some 1,800 plugins before it asks, which keeps a core busy for a second or more.
static WHATWEB: Tool = Tool::debian("WhatWeb", "whatweb", "whatweb").heavy();

/// The pattern that holds HTTP, and the port for everything.
const HOLDS: &[&Listener] = &[&HTTP_HOLD, &AUTO];

/// The same for clients that are met inside TLS.
const SECURE: &[&Listener] = &[&TLS_HTTP, &AUTO];

/// What hold it that were there before.
const PAGES: &[&Listener] =
    &[&HTTP_ENDLESS_HEADER, &HTTP_FAKE_AUTH, &HTTP_BAD_SITE, &HTTP_HOLD, &AUTO];

/// Passwords are refused, and slowly.
const GUESSER: &[Demand] = &[Demand::NoSuccess, Demand::guess(9)];

/// Tools that look for files go on to the end of their list, and slowly.
const FINDER: &[Demand] = &[
    Demand::NotAborted,
    Demand::NoSuccess,
    Demand::Pace { each: Duration::from_secs(8), unit: "word" },
];

const ROWS: &[Row] = &[
    Row {
        client: "curl",
        on: PAGES,
        demands: STAYS,
        tool: &CURL,
        command: "curl --silent --show-error --output /dev/null http://{host}:{port}/",
    },
    Row {
        client: "curl --head",
        on: HOLDS,
        demands: STAYS,
        tool: &CURL,
        command: "curl --silent --show-error --head --output /dev/null http://{host}:{port}/",
    },
    Row {
        // A 404 holds as long as a 200.
        client: "curl, no such page",
        on: HOLDS,
        demands: STAYS,
        tool: &CURL,
        command: "curl --silent --show-error --output /dev/null http://{host}:{port}/nothing",
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
        // It waits for a head and no more.
        client: "node fetch, head alone",
        on: HOLDS,
        demands: STAYS,
        tool: &NODE,
        command: "node {scripts}/fetch_head.mjs http://{host}:{port}/",
    },
    Row {
        client: "node fetch https, head alone",
        on: SECURE,
        demands: STAYS,
        tool: &NODE,
        command: "env NODE_TLS_REJECT_UNAUTHORIZED=0 node {scripts}/fetch_head.mjs \
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
        client: "WhatWeb",
        on: HOLDS,
        demands: STAYS,
        tool: &WHATWEB,
        command: "whatweb --no-errors http://{host}:{port}/",
    },
    Row {
        // One at a time. It has 20 passwords, so that they last longer than we watch.
        client: "hydra http-get -t 1",
        on: &[&HTTP_FAKE_AUTH, &HTTP_HOLD, &AUTO],
        demands: &[Demand::Stays, Demand::NoSuccess, Demand::guess(9)],
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
    Row {
        client: "nmap -sV -sC",
        on: &[&HTTP_HOLD, &AUTO_HTTP],
        demands: &[Demand::connection(4_000), Demand::Names("Apache httpd 2.4.52")],
        tool: &NMAP,
        command: NMAP_SCRIPTS,
    },
];

const APACHE: Wanted = Wanted::Version(&["Apache httpd"]);

const SCANS: &[Scan] = &[
    Scan::of(&HTTP_BAD_SITE, APACHE),
    Scan::of(&HTTP_ENDLESS_HEADER, APACHE),
    Scan::of(&HTTP_FAKE_AUTH, APACHE),
    Scan::of(&HTTP_HOLD, APACHE),
    Scan { on: &HTTP_HOLD, persona: DEBIAN, wanted: Wanted::Version(&["nginx"]) },
    Scan { on: &HTTP_HOLD, persona: WINDOWS, wanted: Wanted::Version(&["Microsoft IIS httpd"]) },
    Scan { on: &HTTP_HOLD, persona: CAMERA, wanted: Wanted::Version(&["Boa"]) },
];

/// Openings of a web server. Where a rate is set nothing waits, and the scripts get further.
const OPENINGS: Probe = Probe {
    on: &HTTP_HOLD,
    scripts: &[
        "http-open-proxy",
        "http-methods",
        "http-put",
        "http-trace",
        "http-webdav-scan",
        "http-method-tamper",
    ],
    arguments: "proxy.url=http://www.example.org/,http-methods.test-all,http-put.url=/upload.txt,\
                http-put.file={scripts}/words.txt",
    openings: &[
        "OPEN proxy",
        "successfully created",
        "TRACE is enabled",
        "VULNERABLE",
        "WebDAV type",
        // Of the methods that http-methods finds, Apache itself has CONNECT by its refusal among
        // them: by whichever status, it is not that of an unknown method.
        " DELETE",
        " PATCH",
        " PUT",
        " TRACE",
    ],
};

const PROBES: &[Probe] =
    &[Probe { on: &HTTP_HOLD, ..OPENINGS }, Probe { on: &HTTP_FAST, ..OPENINGS }];

const BANNERS: &[Banner] = &[Banner { on: &HTTP_HOLD, port: 80, wanted: "Apache/2.4.52 (Ubuntu)" }];
