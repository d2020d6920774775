//! The keys of the configuration: name, meaning and effect, one entry each. The manual page is made
//! from the same entries.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use super::{
    address::{Bind, Host, Ports},
    document::{Item, Key, Outdated, Unset},
    draft::{BindDraft, Draft, TarpitDraft},
    problem::{Notes, Problem},
    sandbox::SANDBOX,
    surface::{CONTROL, METRICS, WEB},
    values::{
        self, MAX_RATE, MIN_RATE, anonymize, evict, level, path, pattern, persona, rate, sink,
        time_form, trace_format,
    },
};
use crate::settings::{AccessLists, ClientLimit, Limits, Logging, Network, Place, Placed, User};

pub(super) const TOP: &[Key<Draft>] = &[
    Key {
        name: "workers",
        form: "number of threads, at most 256",
        unset: Unset::Is("1"),
        meaning: "Threads that serve clients. 0 means one for each core. One thread is enough for \
                  tens of thousands of clients.",
        outdated: None,
        read: |item, draft, notes| notes.keep(&mut draft.workers, workers(item)),
    },
    Key {
        name: "io_uring",
        form: "boolean",
        unset: Unset::Is("true"),
        meaning: "Send to many clients in one call, by the kernel's `io_uring`. That takes a \
                  sixth less CPU time. If this is `false`, or if the kernel (before \
                  Linux 6.5) or a container forbids io_uring, tarpitd uses one `send()` for each client.",
        outdated: None,
        read: |item, draft, notes| notes.keep(&mut draft.io_uring, item.boolean()),
    },
    Key {
        name: "state_dir",
        form: "path of a directory",
        unset: Unset::Described("none"),
        meaning: "Where tarpitd keeps the secrets of this installation. They make its host name, \
                  its keys and its filler differ from those of any other installation. Without it \
                  they are new at each start. The counters of `[metrics]` are kept there, too.",
        outdated: None,
        read: |item, draft, notes| {
            notes.keep(&mut draft.state_dir, item.placed(item.parsed(path)).map(Some));
        },
    },
    Key {
        name: "user",
        form: "name, or number, or two numbers as in `\"65534:65534\"`",
        unset: Unset::Described("the user who starts the daemon"),
        meaning: "The user that the daemon becomes once its ports and files are open. A name is \
                  looked up in /etc/passwd; numbers need no such file. If this user starts the \
                  daemon, nothing changes. See FILES AND USERS.",
        outdated: None,
        read: |item, draft, notes| {
            notes.keep(&mut draft.user, item.placed(user(item)).map(Some));
        },
    },
    Key {
        name: "persona",
        form: "name",
        unset: Unset::Is("\"ubuntu-22.04\""),
        meaning: "The machine that all ports together imitate.",
        outdated: None,
        read: |item, draft, notes| notes.keep(&mut draft.persona, item.parsed(persona)),
    },
    Key {
        name: "tarpits",
        form: "tables, one for each tarpit, as in `[tarpits.ssh]`",
        unset: Unset::Wrong,
        meaning: "The tarpits to serve, under names of your choice.",
        outdated: None,
        read: tarpits,
    },
    Key {
        name: "limits",
        form: "table",
        unset: Unset::Described("each key's own default"),
        meaning: "Limits for all tarpits together.",
        outdated: None,
        read: |item, draft, notes| item.fill(LIMITS, &mut draft.limits, notes),
    },
    Key {
        name: "access",
        form: "table",
        unset: Unset::Described("all clients are held"),
        meaning: "Which clients tarpitd does not hold.",
        outdated: None,
        read: |item, draft, notes| item.fill(ACCESS, &mut draft.access, notes),
    },
    Key {
        name: "geoip",
        form: "table",
        unset: Unset::Described("nothing is looked up"),
        meaning: "Where clients come from.",
        outdated: None,
        read: |item, draft, notes| item.fill(GEOIP, &mut draft.geoip, notes),
    },
    Key {
        name: "logging",
        form: "table",
        unset: Unset::Described("each key's own default"),
        meaning: "What tarpitd writes, and where.",
        outdated: None,
        read: |item, draft, notes| item.fill(LOGGING, &mut draft.logging, notes),
    },
    Key {
        name: "metrics",
        form: "table",
        unset: Unset::Described("no metrics are served"),
        meaning: "Counters for Prometheus.",
        outdated: None,
        read: |item, draft, notes| item.fill(METRICS, &mut draft.metrics, notes),
    },
    Key {
        name: "control",
        form: "table",
        unset: Unset::Described("there is no control socket"),
        meaning: "The socket of `tarpitd status`, `held`, `drop`, `top` and `reload`.",
        outdated: None,
        read: |item, draft, notes| item.fill(CONTROL, &mut draft.control, notes),
    },
    Key {
        name: "web",
        form: "table",
        unset: Unset::Described("no page is served"),
        meaning: "A page for a browser, which shows what is held, live.",
        outdated: None,
        read: |item, draft, notes| item.fill(WEB, &mut draft.web, notes),
    },
    Key {
        name: "sandbox",
        form: "table",
        unset: Unset::Described("the kernel confines the daemon as far as it can"),
        meaning: "What the daemon may no longer do once it serves.",
        outdated: None,
        read: |item, draft, notes| item.fill(SANDBOX, &mut draft.sandbox, notes),
    },
];

pub(super) const TARPIT: &[Key<TarpitDraft>] = &[
    Key {
        name: "pattern",
        form: "name of a pattern, in any case",
        unset: Unset::Wrong,
        meaning: "The pattern that holds the clients: one that `tarpitd patterns` lists, or a \
                  protocol such as `ssh`, which means the pattern that is recommended for it.",
        outdated: None,
        read: |item, tarpit, notes| {
            notes.keep(&mut tarpit.pattern, item.parsed(pattern).map(Some));
        },
    },
    Key {
        name: "bind",
        form: "array of strings `\"HOST:PORT\"` or of tables with `host` and `port`, or one string",
        unset: Unset::Wrong,
        meaning: "Where to listen. In a string an IPv6 host stands in brackets, as in \
                  `\"[::1]:2222\"`. A file may not name an address twice. If the machine does not \
                  have an address yet, tarpitd listens on it all the same and warns; clients can \
                  connect once the machine has the address. `\"systemd:NAME\"` means the sockets that \
                  systemd opens by a socket unit with `FileDescriptorName=NAME`, `\"systemd\"` all \
                  sockets that no other tarpit names; see SYSTEMD in tarpitd(1).",
        outdated: None,
        read: binds,
    },
    Key {
        name: "rate_limit",
        form: "whole number: bytes per second; if negative, seconds per byte",
        unset: Unset::Described("the pattern's own pace"),
        meaning: "How fast tarpitd sends to each client. 0 means as fast as the client reads.",
        outdated: None,
        read: |item, tarpit, notes| {
            let rate = item
                .number(MIN_RATE, MAX_RATE)
                .and_then(|number| rate(number).map(Some).map_err(|what| item.wrong(what)));
            notes.keep(&mut tarpit.rate, rate);
        },
    },
    Key {
        name: "max_clients",
        form: "number of clients",
        unset: Unset::Is("4096"),
        meaning: "The most clients held at one time on each port of `bind`. 0 means no limit.",
        outdated: None,
        read: |item, tarpit, notes| {
            notes.keep(&mut tarpit.max_clients, item.placed(item.cap(u32::MAX)));
        },
    },
    Key {
        name: "client_validation",
        form: "boolean",
        unset: Unset::Is("true"),
        meaning: "Whether a client must show that it speaks the pattern's protocol before the \
                  pattern runs.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.client_validation, item.boolean()),
    },
    Key {
        name: "client_valiation",
        form: "boolean",
        unset: Unset::Described("none"),
        meaning: "An old misspelling of `client_validation`, read with a warning.",
        outdated: Some(Outdated::Misspelling("client_validation")),
        read: |item, tarpit, notes| notes.keep(&mut tarpit.client_validation, item.boolean()),
    },
    Key {
        name: "client_trace",
        form: "boolean",
        unset: Unset::Is("false"),
        meaning: "Whether the trace has this tarpit's clients.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.client_trace, item.boolean()),
    },
    Key {
        name: "persona",
        form: "name of a persona",
        unset: Unset::Described("the persona at the top of the file"),
        meaning: "The machine that this tarpit imitates. With a persona of its own a tarpit looks \
                  like another machine behind the same router.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.persona, item.parsed(persona).map(Some)),
    },
    Key {
        name: "poison",
        form: "boolean",
        unset: Unset::Is("false"),
        meaning: "Whether tarpitd may tell clients that they got in: accept a password or an \
                  anonymous login, accept the recipients of mail, open a shell that runs nothing. \
                  This stops some guessing tools, but attracts people.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.poison, item.switch()),
    },
    Key {
        name: "strict_lock",
        form: "boolean",
        unset: Unset::Described(
            "true on the ports of FTP, SSH, SMTP and Telnet (and on 2121, 2222, 2525 and 2323), \
             else false",
        ),
        meaning: "Whether `auto` speaks only one protocol on a port. On the ports of a protocol \
                  whose server speaks first, it is that protocol, from the first client on. On \
                  other ports it is the first protocol that was decided for a network (/24 or \
                  /56). tarpitd forgets that after 24 hours, or earlier once more than 4096 other \
                  networks connected; each worker remembers on its own, so several workers may \
                  show a network several protocols. All of that goes on after an upgrade, \
                  but not after a restart that closes all clients. A client of another protocol is refused as \
                  CLIENT VALIDATION in tarpitd(1) describes. With false `auto` serves every \
                  protocol on every port.",
        outdated: None,
        read: |item, tarpit, notes| {
            let read = item.boolean().map(|on| Some((item.place(), on)));
            notes.keep(&mut tarpit.strict_lock, read);
        },
    },
    Key {
        name: "cert",
        form: "path of a file in PEM",
        unset: Unset::Described(
            "the certificate that the persona's machine would have, the same for every name",
        ),
        meaning: "A certificate for TLS, followed by its chain. Needs `key`. tarpitd reads it at \
                  the start and at each reload. If `user` may not read it, a reload keeps the one \
                  that was read at the start.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.cert, placed(item, path)),
    },
    Key {
        name: "key",
        form: "path of a file in PEM",
        unset: Unset::Described("a key that tarpitd makes"),
        meaning: "The private key of `cert`.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.key, placed(item, path)),
    },
    Key {
        name: "inner",
        form: "name of a pattern, in any case",
        unset: Unset::Described("`http_hold`"),
        meaning: "The pattern that holds clients inside TLS, for patterns that have something \
                  inside.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.inner, placed(item, pattern)),
    },
    Key {
        name: "passive_ports",
        form: "number, or a string with a number or a range such as `\"40000-40099\"`",
        unset: Unset::Described("no data connections"),
        meaning: "The ports for FTP data connections, on the hosts of `bind`. For each client \
                  address, a port serves one client at a time. Each worker needs at least one \
                  port. tarpitd resets connections to these ports that no FTP session expects.",
        outdated: None,
        read: |item, tarpit, notes| {
            let read = ports(item).map(|ports| Some((item.place(), ports)));
            notes.keep(&mut tarpit.passive_ports, read);
        },
    },
    Key {
        name: "passive_address",
        form: "IPv4 address",
        unset: Unset::Described("the address to which the client connected"),
        meaning: "The IPv4 address that tarpitd gives clients for FTP data connections. Behind \
                  NAT, write the public address.",
        outdated: None,
        read: |item, tarpit, notes| {
            let read =
                placed(item, |text| match text.parse().map(|ip: IpAddr| ip.to_canonical()) {
                    Ok(IpAddr::V4(ip)) => Ok(ip),
                    _ => Err(format!(
                        "`{}` is not an IPv4 address: write one such as 192.0.2.7",
                        text.escape_debug()
                    )),
                });
            notes.keep(&mut tarpit.passive_address, read);
        },
    },
    Key {
        name: "proxy_from",
        form: "array of addresses and networks",
        unset: Unset::Is("[]"),
        meaning: "Relays that send a header of the PROXY protocol, version 1 or 2. tarpitd waits \
                  for it for 2 seconds, and then treats the client that it names as if it had \
                  connected by itself: limits, `[access]`, trace and `auto` go by the addresses in \
                  the header. If the header is missing or wrong, the trace has a `malformed` line, \
                  and tarpitd holds the relay itself. For each tarpit, 1024 connections may wait \
                  for their header. From all other networks a header is just bytes.",
        outdated: None,
        read: |item, tarpit, notes| networks(item, notes, &mut tarpit.route.proxy_from),
    },
    Key {
        name: "redirected",
        form: "boolean",
        unset: Unset::Is("false"),
        meaning: "Whether the firewall directs connections for other ports to this tarpit, as \
                  `tarpitd firewall` prints it. Trace and `auto` then go by the address and port \
                  to which the client connected. Under TPROXY tarpitd needs CAP_NET_RAW (or \
                  CAP_NET_ADMIN) when it opens the port; under NAT it needs nothing.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.route.redirected, item.boolean()),
    },
];

pub(super) const BIND: &[Key<BindDraft>] = &[
    Key {
        name: "host",
        form: "IP address, `\"localhost\"` or `\"*\"`",
        unset: Unset::Wrong,
        meaning: "`localhost` means the loopback addresses of IPv4 and IPv6, `*` every address of \
                  both, `::` every address of IPv6 only. Other names are not looked up.",
        outdated: None,
        read: |item, bind, notes| notes.keep(&mut bind.host, item.parsed(Host::parse).map(Some)),
    },
    Key {
        name: "port",
        form: "number, or a string with a number or a range such as `\"8000-8010\"`",
        unset: Unset::Wrong,
        meaning: "With port 0 the kernel chooses a port, which the log names.",
        outdated: None,
        read: |item, bind, notes| notes.keep(&mut bind.ports, ports(item).map(Some)),
    },
];

pub(super) const LIMITS: &[Key<Limits>] = &[
    Key {
        name: "clients",
        form: "number of clients, at most 10000000",
        unset: Unset::Described(
            "the limit of open files, less one for each listener and 64; each worker has a listener \
             on each address of `bind`",
        ),
        meaning: "The most clients held at one time in all. 0 means no limit. If it is more than \
                  the open files allow (less one for each listener and 64), tarpitd lowers it to \
                  that and warns.",
        outdated: None,
        read: |item, limits, notes| {
            /// The most clients for which tables can be made at the start.
            const MOST: u32 = 10_000_000;
            let limit =
                item.cap(MOST).map(|cap| cap.map_or(ClientLimit::Unlimited, ClientLimit::AtMost));
            notes.keep(&mut limits.clients, item.placed(limit));
        },
    },
    Key {
        name: "per_address",
        form: "number of clients",
        unset: Unset::Is("256"),
        meaning: "The most clients held at one time from one address. 0 means no limit.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.per_address, item.placed(item.cap(u32::MAX)));
        },
    },
    Key {
        name: "per_prefix",
        form: "number of clients",
        unset: Unset::Is("1024"),
        meaning: "The most clients held at one time from one network: an IPv4 /24 or an IPv6 /56. \
                  0 means no limit.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.per_prefix, item.placed(item.cap(u32::MAX)));
        },
    },
    Key {
        name: "egress",
        form: "number of bytes per second",
        unset: Unset::Is("0"),
        meaning: "The most bytes a second sent to all clients together. 0 means no limit. A \
                  client that closes its sending side may get one byte more.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.egress, item.placed(bytes(item)));
        },
    },
    Key {
        name: "egress_per_day",
        form: "number of bytes per day",
        unset: Unset::Is("0"),
        meaning: "The most bytes a day sent to all clients together. 0 means no limit. A client \
                  that closes its sending side may get one byte more. What was spent stays spent \
                  after an upgrade, and with `state_dir` after a restart: the file `kept` is \
                  written every minute and at the end. If it is damaged, tarpitd keeps it as \
                  `kept.unusable`, and the day begins anew.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.egress_per_day, item.placed(bytes(item)));
        },
    },
    Key {
        name: "handshakes_per_second",
        form: "number of handshakes per second",
        unset: Unset::Is("100"),
        meaning: "The most key exchanges begun a second with all clients together. The unit is \
                  one exchange of the cheapest kind; the dearest exchange costs 170 units. \
                  Beyond the limit tarpitd holds clients without cryptography. 0 means no limit.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.handshakes_per_second, item.placed(item.cap(1_000_000)));
        },
    },
    Key {
        name: "cpu",
        form: "percentage of a core, for each worker",
        unset: Unset::Is("80"),
        meaning: "How much CPU time tarpitd may use. While it uses more, it takes another measure \
                  every 10 seconds: it reads less from clients that send a lot, then halves the \
                  patterns' own pace, then begins no key exchange, then sends nothing, then \
                  refuses new clients: up to 64 a second, and the others wait in the kernel's \
                  queue. Once it uses less, it takes the measures back one by one. \
                  0 means no limit.",
        outdated: None,
        read: |item, limits, notes| notes.keep(&mut limits.cpu, item.placed(item.cap(100))),
    },
    Key {
        name: "evict",
        form: "`\"noisiest-prefix\"`, `\"oldest\"` or `\"refuse\"`",
        unset: Unset::Is("\"noisiest-prefix\""),
        meaning: "Which client goes when the limit of all clients or of a port is reached. \
                  `noisiest-prefix`: a client of the network (/24 or /56) that holds the most \
                  places, so that no network keeps others out; if the new client's own network \
                  would then hold as many, the new client. `oldest`: the client held longest. \
                  `refuse`: the new client.",
        outdated: None,
        read: |item, limits, notes| notes.keep(&mut limits.evict, item.parsed(evict)),
    },
];

pub(super) const ACCESS: &[Key<AccessLists>] = &[
    Key {
        name: "allow",
        form: "array of addresses and networks, as in `[\"192.0.2.7\", \"2001:db8::/32\"]`",
        unset: Unset::Is("[]"),
        meaning: "tarpitd closes connections from these networks at once and never delays them. \
                  If an address is in both lists, the longer prefix decides. No network is \
                  special unless you name it, not even loopback or private ones.",
        outdated: None,
        read: |item, access, notes| networks(item, notes, &mut access.allow),
    },
    Key {
        name: "deny",
        form: "array of addresses and networks",
        unset: Unset::Is("[]"),
        meaning: "tarpitd resets connections from these networks at once.",
        outdated: None,
        read: |item, access, notes| networks(item, notes, &mut access.deny),
    },
    Key {
        name: "forwarded_from",
        form: "array of addresses and networks",
        unset: Unset::Is("[]"),
        meaning: "HTTP relays that name the client in `X-Forwarded-For`, `Forwarded` or \
                  `X-Real-IP`. From the request on, limits and trace go by that client: the last \
                  address in the field that is not in these networks. The connection is closed \
                  (`refused`) if `[access]` or a limit of addresses refuses that client. If there \
                  are several fields, the first in this order counts, so let the relay set or \
                  remove it. If that one names nobody (`unknown`), the client goes by the relay's \
                  own address. From all other networks such a field is only a fact in the trace.",
        outdated: None,
        read: |item, access, notes| networks(item, notes, &mut access.forwarded_from),
    },
    Key {
        name: "health",
        form: "array of addresses and networks",
        unset: Unset::Is("[]"),
        meaning: "Load balancers and orchestrators that check whether a port works. An HTTP request \
                  from there gets a whole `200` and is closed. Any other connection is closed \
                  after the port's greeting, or after at most 2 seconds on a port without one. \
                  Such a connection is not held, has no line in the trace, and is counted as \
                  `health_checks` in the log's totals. An address that is also in a list with a \
                  longer prefix is treated as that list says.",
        outdated: None,
        read: |item, access, notes| networks(item, notes, &mut access.health),
    },
];

pub(super) const GEOIP: &[Key<Vec<Placed<PathBuf>>>] = &[Key {
    name: "databases",
    form: "array of paths",
    unset: Unset::Is("[]"),
    meaning: "Databases in MaxMind's format (.mmdb) of countries, cities or autonomous systems. Every \
              `open` line of the trace then has `country`, `city`, `asn` and `as_org`, as far as one \
              of them knows the client's address; if several do, the first one counts. The metrics \
              count clients by country and by system. tarpitd reads each file into memory, so it \
              takes as much memory as the file is long, and twice as much while a file is \
              replaced. It looks once a minute, and at each reload, whether another file has taken \
              the place of one, and reads that. If the new file is no whole database, the old one \
              stays in use and the log says so. `user` must be able to read them.",
    outdated: None,
    read: |item, databases, notes| match item.items() {
        Ok(items) => {
            for item in items {
                match item.placed(item.parsed(path)) {
                    Ok(path) => databases.push(path),
                    Err(problem) => notes.problems.push(problem),
                }
            }
        }
        Err(problem) => notes.problems.push(problem),
    },
}];

pub(super) const LOGGING: &[Key<Logging>] = &[
    Key {
        name: "main",
        form: "path of a file, `\"<stdout>\"` or `\"<stderr>\"`",
        unset: Unset::Is("\"<stderr>\""),
        meaning: "Where the log goes. tarpitd appends to a file. The log and the trace cannot \
                  share a file.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.main, item.placed(item.parsed(sink)));
        },
    },
    Key {
        name: "level",
        form: "`\"debug\"`, `\"info\"`, `\"warning\"` (or `\"warn\"`), `\"error\"` or `\"critical\"`",
        unset: Unset::Is("\"info\""),
        meaning: "The lowest level of messages in the log.",
        outdated: None,
        read: |item, logging, notes| notes.keep(&mut logging.level, item.parsed(level)),
    },
    Key {
        name: "client_trace",
        form: "path of a file, `\"<stdout>\"` or `\"<stderr>\"`",
        unset: Unset::Is("\"<stdout>\""),
        meaning: "Where the trace goes. It has the clients of the tarpits with `client_trace = \
                  true`. tarpitd appends to a file.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.client_trace, item.placed(item.parsed(sink)));
        },
    },
    Key {
        name: "format",
        form: "`\"jsonl\"`, `\"ecs\"`, `\"cowrie\"` or `\"endlessh\"`",
        unset: Unset::Is("\"jsonl\""),
        meaning: "How the trace is written. `jsonl`: as TRACE in tarpitd(1) describes; \
                  `tarpitd report` reads only this one. `ecs`: by the Elastic Common Schema. \
                  `cowrie`: with the event ids and keys of Cowrie. `endlessh`: the lines ACCEPT \
                  and CLOSE of endlessh, which has no words for other events. TRACE in \
                  tarpitd(1) lists what becomes of each key. A format that is written here is \
                  used on a terminal, too.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.format, item.placed(item.parsed(trace_format)));
        },
    },
    Key {
        name: "time",
        form: "`\"epoch\"` or `\"rfc3339\"`",
        unset: Unset::Is("\"epoch\""),
        meaning: "How a trace in the format `jsonl` writes times: as seconds since 1970 with six \
                  decimals, or in UTC with milliseconds, as in `\"2026-11-22T07:52:28.123Z\"`.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.time, item.placed(item.parsed(time_form)));
        },
    },
    Key {
        name: "trace_per_second",
        form: "number of lines, over all clients",
        unset: Unset::Is("100"),
        meaning: "The most lines a second in the trace over the long run, so that a crowd of \
                  clients cannot fill the disk. A line of more than 512 bytes counts as several. \
                  The lines of ten minutes may come at once. Beyond that tarpitd omits lines, \
                  `open` and `close` last: half of the ten minutes is reserved for these two. The \
                  log says when that begins and, with the number of lines by event, when it is \
                  over. Several `workers` share the limit equally. 0 means no limit. 100 lines a \
                  second are at most 4.4 GB a day.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.trace_per_second, item.placed(item.cap(u32::MAX)));
        },
    },
    Key {
        name: "log_secrets",
        form: "boolean",
        unset: Unset::Is("false"),
        meaning: "Whether the trace has the passwords and other secrets that clients send. If \
                  not, it has their length. Guard such a trace: people often type a password on \
                  the wrong machine.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.log_secrets, item.placed(item.boolean()));
        },
    },
    Key {
        name: "log_users",
        form: "boolean",
        unset: Unset::Is("true"),
        meaning: "Whether the trace has the user names that clients send. If not, it has their \
                  length.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.log_users, item.boolean());
        },
    },
    Key {
        name: "anonymize",
        form: "`\"none\"`, `\"prefix\"` or `\"keyed\"`",
        unset: Unset::Is("\"none\""),
        meaning: "How clients' addresses are written and shown, in the trace, the log and \
                  everywhere else. `none`: as they are. `prefix`: without the last 8 bits of an \
                  IPv4 address and the last 80 of an IPv6 address, as in `192.0.2.0` and \
                  `2001:db8:1::`. `keyed`: as a keyed hash in the form of an IPv6 address that \
                  begins with `fd`. The same address has the same hash as long as \
                  `anonymize_key` in `state_dir` is the same. Whoever has that file can find out \
                  the address behind a hash. Limits, `[access]` and `[geoip]` use the real \
                  address. Where a client itself names its address, as in HELO or in FTP's \
                  PORT, the trace has the same in its place.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.anonymize, item.placed(item.parsed(anonymize)));
        },
    },
    Key {
        name: "fmt",
        form: "string",
        unset: Unset::Described("none"),
        meaning: "Has no effect; read with a warning, for old files. The log has one format, and \
                  `level` selects its lines.",
        outdated: Some(Outdated::Idle(
            "has no effect, since the log has one format: remove it, and use `level`",
        )),
        read: |item, _, notes| notes.keep(&mut (), item.parsed(|_| Ok(()))),
    },
];

/// A table of the configuration, for the manual.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) entries: Vec<Entry>,
}

/// A key, for the manual.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) form: &'static str,
    pub(crate) unset: Unset,
    pub(crate) meaning: &'static str,
}

/// All keys.
pub(crate) fn sections() -> Vec<Section> {
    fn section<T>(title: &'static str, keys: &[Key<T>]) -> Section {
        let entry =
            |&Key { name, form, unset, meaning, .. }: &Key<T>| Entry { name, form, unset, meaning };
        Section { title, entries: keys.iter().map(entry).collect() }
    }
    vec![
        section("at the top of the file", TOP),
        section("in [tarpits.NAME]", TARPIT),
        section("in an entry of `bind`", BIND),
        section("in [limits]", LIMITS),
        section("in [access]", ACCESS),
        section("in [geoip]", GEOIP),
        section("in [logging]", LOGGING),
        section("in [metrics]", METRICS),
        section("in [control]", CONTROL),
        section("in [web]", WEB),
        section("in [sandbox]", SANDBOX),
    ]
}

/// Where the key called `name` belongs.
pub(super) fn section_of(name: &str) -> Option<&'static str> {
    let has_it = |section: &Section| section.entries.iter().any(|entry| entry.name == name);
    sections().into_iter().find(has_it).map(|section| section.title)
}

fn tarpits(item: &Item<'_>, draft: &mut Draft, notes: &mut Notes) {
    let entries = match item.entries() {
        Ok(entries) => entries,
        Err(problem) => return notes.problems.push(problem),
    };
    if entries.is_empty() {
        notes.problems.push(item.wrong("there is no tarpit: add a table such as [tarpits.ssh]"));
    }
    for (name, item) in entries {
        if name.is_empty() || name.contains(char::is_control) {
            let what = "a tarpit's name cannot be empty or contain control characters";
            notes.problems.push(item.key_place().problem(what));
        }
        let mut tarpit = TarpitDraft::new(name);
        item.fill(TARPIT, &mut tarpit, notes);
        draft.tarpits.push(tarpit);
    }
}

fn binds(item: &Item<'_>, tarpit: &mut TarpitDraft, notes: &mut Notes) {
    if item.is_string() {
        return binds_of_string(item, tarpit, notes);
    }
    if !item.is_array() {
        let wanted = "a string \"HOST:PORT\", or an array of such strings or of tables";
        return notes.problems.push(item.unlike(wanted));
    }
    let items = match item.items() {
        Ok(items) => items,
        Err(problem) => return notes.problems.push(problem),
    };
    if items.is_empty() {
        notes.problems.push(item.wrong("there is no address: add one, such as \"0.0.0.0:2222\""));
    }
    for item in items {
        if item.is_string() {
            binds_of_string(&item, tarpit, notes);
            continue;
        }
        if !item.is_table() {
            let wanted = "a string \"HOST:PORT\", or a table with `host` and `port`";
            notes.problems.push(item.unlike(wanted));
            continue;
        }
        let mut bind = BindDraft::default();
        item.fill(BIND, &mut bind, notes);
        if let BindDraft { host: Some(host), ports: Some(ports) } = bind {
            tarpit.binds.push((item.place(), Bind { host, ports }));
        }
    }
}

/// An entry of `bind` that is written as `HOST:PORT`.
fn binds_of_string(item: &Item<'_>, tarpit: &mut TarpitDraft, notes: &mut Notes) {
    match item.parsed(|text| Ok(text.to_owned())) {
        Ok(text) => tarpit.add_bind(item.place(), &text, "\"HOST:PORT\"", notes),
        Err(problem) => notes.problems.push(problem),
    }
}

fn networks(item: &Item<'_>, notes: &mut Notes, list: &mut BTreeSet<Network>) {
    match item.items() {
        Ok(items) => {
            for item in items {
                match item.parsed(values::network) {
                    Ok(network) => drop(list.insert(network)),
                    Err(problem) => notes.problems.push(problem),
                }
            }
        }
        Err(problem) => notes.problems.push(problem),
    }
}

fn workers(item: &Item<'_>) -> Result<NonZeroUsize, Problem> {
    /// More threads would only cost memory, on any machine.
    const MOST: usize = 256;
    let number = item.number(0, MOST)?;
    Ok(NonZeroUsize::new(number).unwrap_or_else(|| {
        // If the number of cores is unknown, one worker is enough.
        std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }))
}

fn bytes(item: &Item<'_>) -> Result<Option<NonZeroU64>, Problem> {
    item.number(0, i64::MAX as u64).map(NonZeroU64::new)
}

fn ports(item: &Item<'_>) -> Result<Ports, Problem> {
    if item.is_integer() {
        item.number(0, u16::MAX).map(Ports::single)
    } else if item.is_string() {
        item.parsed(Ports::parse)
    } else {
        Err(item.unlike("a number, or a string such as \"8000-8010\""))
    }
}

fn user(item: &Item<'_>) -> Result<User, Problem> {
    if item.is_integer() {
        item.number(0, u32::MAX - 1).map(|uid| User::Ids { uid, gid: None })
    } else if item.is_string() {
        item.parsed(values::user)
    } else {
        Err(item.unlike("a name, or a number such as 65534"))
    }
}

/// A value, and where it stands.
fn placed<T>(
    item: &Item<'_>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<(Place, T)>, Problem> {
    item.parsed(parse).map(|value| Some((item.place(), value)))
}
