//! The keys of the configuration: what each is called, means and does. One entry each, from which
//! the manual page is made, too.

use std::{
    net::IpAddr,
    num::{NonZeroU64, NonZeroUsize},
};

use super::{
    ClientLimit, Evict, Level, Limits, Logging, Sink, TimeForm, User,
    address::{Bind, Host, Ports},
    document::Item,
    draft::{BindDraft, Draft, MAX_RATE, MIN_RATE, TarpitDraft, pattern, persona, rate},
    problem::{Notes, Place},
};
use crate::config::access::{Access, Network};

/// A key of a table that is read into a `T`.
pub(super) struct Key<T> {
    pub(super) name: &'static str,
    /// What its value looks like, with its unit.
    pub(super) form: &'static str,
    pub(super) unset: Unset,
    /// What it is for, in sentences.
    pub(super) meaning: &'static str,
    /// What to do about it if it is only read for old files' sake.
    pub(super) outdated: Option<Outdated>,
    pub(super) read: fn(&Item<'_>, &mut T, &mut Notes),
}

/// Why a key is only read for old files' sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outdated {
    /// It has no effect; what to do about it, as the end of a sentence that begins with its name.
    Idle(&'static str),
    /// It means the key of this name.
    Misspelling(&'static str),
}

/// What holds where a key is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unset {
    /// This value, as it would be written.
    Is(&'static str),
    /// What is said here.
    HandshakeBudget(&'static str),
    /// It must be written.
    Wrong,
}

pub(super) const TOP: &[Key<Draft>] = &[
    Key {
        name: "workers",
        form: "number of threads, at most 256",
        unset: Unset::Is("1"),
        meaning: "Threads that serve clients. 0 means one for each core. One is enough for tens of \
                  thousands of clients.",
        outdated: None,
        read: |item, draft, notes| notes.keep(&mut draft.workers, workers(item)),
    },
    Key {
        name: "io_uring",
        form: "boolean",
        unset: Unset::Is("true"),
        meaning: "Send to many clients in one call by the kernel's `io_uring`, which costs a sixth \
                  less. Where the kernel or a container forbids it, or this is `false`, each send \
                  is a call of its own.",
        outdated: None,
        read: |item, draft, notes| notes.keep(&mut draft.io_uring, item.boolean()),
    },
    Key {
        name: "state_dir",
        form: "path of a directory",
        unset: Unset::HandshakeBudget("nothing is kept"),
        meaning: "Where the installation's secrets are kept: what makes its host name, its keys and \
                  its filler unlike those of any other. Without it they are new at each start.",
        outdated: None,
        read: |item, draft, notes| {
            notes.keep(&mut draft.state_dir, item.placed(item.parsed(path)).map(Some));
        },
    },
    Key {
        name: "user",
        form: "name, or number, or two numbers as in `\"65534:65534\"`",
        unset: Unset::HandshakeBudget("the daemon stays who it is"),
        meaning: "Who the daemon becomes once its ports and files are open. A name is looked up in \
                  /etc/passwd; numbers need no such file. If it is the user who starts the daemon, \
                  nothing changes. See FILES AND USERS.",
        outdated: None,
        read: |item, draft, notes| {
            notes.keep(&mut draft.user, item.placed(user(item)).map(Some));
        },
    },
    Key {
        name: "persona",
        form: "name",
        unset: Unset::Is("\"ubuntu-22.04\""),
        meaning: "The machine that all ports together pretend to be.",
        outdated: None,
        read: |item, draft, notes| notes.keep(&mut draft.persona, item.parsed(persona)),
    },
    Key {
        name: "tarpits",
        form: "tables, one for each tarpit, as in `[tarpits.ssh]`",
        unset: Unset::Wrong,
        meaning: "What to serve, under names of your choice.",
        outdated: None,
        read: tarpits,
    },
    Key {
        name: "limits",
        form: "table",
        unset: Unset::HandshakeBudget("every limit's own default"),
        meaning: "What all tarpits together may cost.",
        outdated: None,
        read: |item, draft, notes| item.fill(LIMITS, &mut draft.limits, notes),
    },
    Key {
        name: "access",
        form: "table",
        unset: Unset::HandshakeBudget("everybody is held"),
        meaning: "Who is not held.",
        outdated: None,
        read: |item, draft, notes| item.fill(ACCESS, &mut draft.access, notes),
    },
    Key {
        name: "logging",
        form: "table",
        unset: Unset::HandshakeBudget("every key's own default"),
        meaning: "What is written where.",
        outdated: None,
        read: |item, draft, notes| item.fill(LOGGING, &mut draft.logging, notes),
    },
];

pub(super) const TARPIT: &[Key<TarpitDraft>] = &[
    Key {
        name: "pattern",
        form: "name of a pattern, in any case",
        unset: Unset::Wrong,
        meaning: "What clients are held by: one of those that `tarpitd patterns` lists, or a \
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
        meaning: "Where to listen. In a string an IPv6 host is in brackets, as in `\"[::1]:2222\"`. \
                  No address may stand twice in a file. One that this machine does not have is \
                  listened on all the same, with a warning: clients come once it is there.",
        outdated: None,
        read: binds,
    },
    Key {
        name: "rate_limit",
        form: "whole number: bytes per second; if negative, seconds per byte",
        unset: Unset::HandshakeBudget("the pattern's own pace"),
        meaning: "How fast each client is sent its bytes. 0 means as fast as it reads.",
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
        meaning: "The most clients held at one time on each bound port. 0 means no cap.",
        outdated: None,
        read: |item, tarpit, notes| {
            notes.keep(&mut tarpit.max_clients, item.placed(item.cap(u32::MAX)));
        },
    },
    Key {
        name: "client_validation",
        form: "boolean",
        unset: Unset::Is("true"),
        meaning: "Whether clients must show that they speak the pattern's protocol before they \
                  are served its course.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.client_validation, item.boolean()),
    },
    Key {
        name: "client_valiation",
        form: "boolean",
        unset: Unset::HandshakeBudget("nothing"),
        meaning: "An old misspelling of `client_validation`, read with a warning.",
        outdated: Some(Outdated::Misspelling("client_validation")),
        read: |item, tarpit, notes| notes.keep(&mut tarpit.client_validation, item.boolean()),
    },
    Key {
        name: "client_trace",
        form: "boolean",
        unset: Unset::Is("false"),
        meaning: "Whether this tarpit's clients appear in the trace.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.client_trace, item.boolean()),
    },
    Key {
        name: "persona",
        form: "name of a persona",
        unset: Unset::HandshakeBudget("the persona at the top of the file"),
        meaning: "Another machine than the one that the other tarpits pretend to be, as behind a \
                  router.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.persona, item.parsed(persona).map(Some)),
    },
    Key {
        name: "poison",
        form: "boolean",
        unset: Unset::Is("false"),
        meaning: "Whether clients may be told that they got in: a password that was right, an \
                  anonymous login, a recipient of mail that is accepted, a shell that runs nothing. It \
                  ends the guessing of some tools, and draws people.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.poison, item.switch()),
    },
    Key {
        name: "strict_lock",
        form: "boolean",
        unset: Unset::Is("false"),
        meaning: "Whether `auto` speaks one protocol only on a port to a network (/24 or /56): the \
                  first that was decided, until it is forgotten after 24 hours, or earlier when more \
                  than 4096 others came since. Whoever speaks another one is told what a stranger is \
                  told. Each worker remembers for itself, so that with several a network may see as \
                  many protocols.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.strict_lock, item.switch()),
    },
    Key {
        name: "cert",
        form: "path of a file in PEM",
        unset: Unset::HandshakeBudget("a certificate of our own for each name that is asked for"),
        meaning: "A certificate for TLS, followed by those that vouch for it. It goes with `key`. \
                  Read at the start and at each reload; where `user` may not read it, a reload keeps \
                  what was read at the start.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.cert, placed(item, path)),
    },
    Key {
        name: "key",
        form: "path of a file in PEM",
        unset: Unset::HandshakeBudget("a key of our own"),
        meaning: "The private key of `cert`.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.key, placed(item, path)),
    },
    Key {
        name: "inner",
        form: "name of a pattern, in any case",
        unset: Unset::HandshakeBudget("what holds HTTP clients best"),
        meaning: "What clients are held by once TLS is spoken, for patterns that have something \
                  inside.",
        outdated: None,
        read: |item, tarpit, notes| notes.keep(&mut tarpit.inner, placed(item, pattern)),
    },
    Key {
        name: "passive_ports",
        form: "number, or a string with a number or a range such as `\"40000-40099\"`",
        unset: Unset::HandshakeBudget("no data connection can be opened"),
        meaning: "Where data connections of FTP are awaited, on the hosts of `bind`. From one address \
                  a port serves one client at a time. There must be a port for each worker. Whoever \
                  comes there unasked is reset.",
        outdated: None,
        read: |item, tarpit, notes| {
            let read = ports(item).map(|ports| Some((item.place(), ports)));
            notes.keep(&mut tarpit.passive_ports, read);
        },
    },
    Key {
        name: "passive_address",
        form: "IPv4 address",
        unset: Unset::HandshakeBudget("the address that the client connected to"),
        meaning: "The address that clients are told to open data connections to, where they come \
                  through a device that translates addresses.",
        outdated: None,
        read: |item, tarpit, notes| {
            let read =
                placed(item, |text| match text.parse().map(|ip: IpAddr| ip.to_canonical()) {
                    Ok(IpAddr::V4(ip)) => Ok(ip),
                    _ => Err(format!(
                        "`{}` is no IPv4 address, such as 192.0.2.7",
                        text.escape_debug()
                    )),
                });
            notes.keep(&mut tarpit.passive_address, read);
        },
    },
];

pub(super) const BIND: &[Key<BindDraft>] = &[
    Key {
        name: "host",
        form: "IP address, `\"localhost\"` or `\"*\"`",
        unset: Unset::Wrong,
        meaning: "`localhost` is the loopback address of both IPv4 and IPv6, `*` every address of \
                  both; `::` is every address of IPv6 only. Other names are not looked up.",
        outdated: None,
        read: |item, bind, notes| notes.keep(&mut bind.host, item.parsed(Host::parse).map(Some)),
    },
    Key {
        name: "port",
        form: "number, or a string with a number or a range such as `\"8000-8010\"`",
        unset: Unset::Wrong,
        meaning: "Port 0 lets the kernel choose one, which the log names.",
        outdated: None,
        read: |item, bind, notes| notes.keep(&mut bind.ports, ports(item).map(Some)),
    },
];

pub(super) const LIMITS: &[Key<Limits>] = &[
    Key {
        name: "clients",
        form: "number of clients, at most 10000000",
        unset: Unset::HandshakeBudget(
            "the number of files that may be open, less one for each listener and 64; each worker \
             has a listener on each address of `bind`",
        ),
        meaning: "The most clients held at one time in all. 0 means no cap. A cap above the number \
                  of files that may be open, less those of the listeners and 64, is cut to that, \
                  with a warning.",
        outdated: None,
        read: |item, limits, notes| {
            /// Tables that are made at the start have room for so many.
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
        meaning: "The most clients held at one time from one address. 0 means no cap.",
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
                  0 means no cap.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.per_prefix, item.placed(item.cap(u32::MAX)));
        },
    },
    Key {
        name: "egress",
        form: "number of bytes per second",
        unset: Unset::Is("0"),
        meaning: "The most that is sent to all clients together. 0 means no cap. A client that closes \
                  its side may get one byte beyond it.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.egress, item.placed(bytes(item)));
        },
    },
    Key {
        name: "egress_per_day",
        form: "number of bytes per day",
        unset: Unset::Is("0"),
        meaning: "The most that is sent to all clients together in a day. 0 means no cap. A client \
                  that closes its side may get one byte beyond it.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.egress_per_day, item.placed(bytes(item)));
        },
    },
    Key {
        name: "handshakes_per_second",
        form: "number of handshakes per second",
        unset: Unset::Is("100"),
        meaning: "The most key exchanges begun with all clients together. The unit is one exchange \
                  of the cheapest kind; one with RSA costs up to 50. A client above the cap is held \
                  without cryptography. 0 means no cap.",
        outdated: None,
        read: |item, limits, notes| {
            notes.keep(&mut limits.handshakes_per_second, item.placed(item.cap(1_000_000)));
        },
    },
    Key {
        name: "cpu",
        form: "percentage of a core, for each worker",
        unset: Unset::Is("80"),
        meaning: "How much of a processor may be used. While more is used, one thing after the \
                  other is given up, a step every 10 seconds: clients that talk much are heard less, \
                  patterns' own paces become half as fast, no key exchange is begun, nothing is sent, \
                  newcomers are refused. Once less is used they are won back one by one. 0 means no cap.",
        outdated: None,
        read: |item, limits, notes| notes.keep(&mut limits.cpu, item.placed(item.cap(100))),
    },
    Key {
        name: "evict",
        form: "`\"noisiest-prefix\"`, `\"oldest\"` or `\"refuse\"`",
        unset: Unset::Is("\"noisiest-prefix\""),
        meaning: "Who goes when the cap in all or of a port is reached: a client of the network \
                  (/24 or /56) that has the most, so that nobody keeps others out, and the newcomer if \
                  its own network would then have as many; the one held \
                  for the longest time; or the newcomer.",
        outdated: None,
        read: |item, limits, notes| notes.keep(&mut limits.evict, item.parsed(Evict::parse)),
    },
];

pub(super) const ACCESS: &[Key<Access>] = &[
    Key {
        name: "allow",
        form: "array of addresses and networks, as in `[\"192.0.2.7\", \"2001:db8::/32\"]`",
        unset: Unset::Is("[]"),
        meaning: "Clients from there are closed at once and never delayed. Where networks of both \
                  lists hold an address the longer prefix decides. No network is special unless it \
                  is named, loopback and private ones neither.",
        outdated: None,
        read: |item, access, notes| networks(item, notes, |network| access.allow(network)),
    },
    Key {
        name: "deny",
        form: "array of addresses and networks",
        unset: Unset::Is("[]"),
        meaning: "Clients from there are reset at once: nothing is spent on them.",
        outdated: None,
        read: |item, access, notes| networks(item, notes, |network| access.deny(network)),
    },
];

pub(super) const LOGGING: &[Key<Logging>] = &[
    Key {
        name: "main",
        form: "path of a file, `\"<stdout>\"` or `\"<stderr>\"`",
        unset: Unset::Is("\"<stderr>\""),
        meaning: "Where the log goes. A file is appended to. It cannot be the file of the trace.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.main, item.placed(item.parsed(Sink::parse)));
        },
    },
    Key {
        name: "level",
        form: "`\"debug\"`, `\"info\"`, `\"warning\"` (or `\"warn\"`), `\"error\"` or `\"critical\"`",
        unset: Unset::Is("\"info\""),
        meaning: "How grave a message must be to appear in the log.",
        outdated: None,
        read: |item, logging, notes| notes.keep(&mut logging.level, item.parsed(Level::parse)),
    },
    Key {
        name: "client_trace",
        form: "path of a file, `\"<stdout>\"` or `\"<stderr>\"`",
        unset: Unset::Is("\"<stdout>\""),
        meaning: "Where the trace of those tarpits goes that have `client_trace = true`. A file \
                  is appended to.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.client_trace, item.placed(item.parsed(Sink::parse)));
        },
    },
    Key {
        name: "time",
        form: "`\"epoch\"` or `\"rfc3339\"`",
        unset: Unset::Is("\"epoch\""),
        meaning: "How the trace writes moments: as seconds since 1970 with six decimals, or in UTC \
                  with milliseconds, as in `\"2026-11-22T07:52:28.123Z\"`.",
        outdated: None,
        read: |item, logging, notes| notes.keep(&mut logging.time, item.parsed(TimeForm::parse)),
    },
    Key {
        name: "trace_per_second",
        form: "number of lines, over all clients",
        unset: Unset::Is("100"),
        meaning: "The most lines a second that the trace has in the long run, so that no crowd of \
                  clients fills the disk. A line of more than 512 bytes counts as several. What \
                  ten minutes bring may be written at once. Beyond that lines are left out, `open` \
                  and `close` last: the other events leave half of the ten minutes to them. The \
                  log says when that begins and, with the numbers by event, when it is over. With \
                  several `workers` each has its share. 0 means no bound. 100 lines a second are \
                  at most 4.4 GB a day.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.trace_per_second, item.placed(item.cap(u32::MAX)));
        },
    },
    Key {
        name: "log_secrets",
        form: "boolean",
        unset: Unset::Is("false"),
        meaning: "Whether the trace has passwords and other secrets that clients send. If not, it \
                  has their length. Such a trace is worth guarding: many a password is typed on \
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
        meaning: "Whether the trace has the names of users that clients send. If not, it has their \
                  length.",
        outdated: None,
        read: |item, logging, notes| {
            notes.keep(&mut logging.log_users, item.boolean());
        },
    },
    Key {
        name: "fmt",
        form: "string",
        unset: Unset::HandshakeBudget("nothing"),
        meaning: "Read for old files' sake, with a warning: lines of the log have one form, and \
                  `level` chooses among them.",
        outdated: Some(Outdated::Idle(
            "has no effect, since the log has one form: remove it, and use `level`",
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
        section("in [logging]", LOGGING),
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
        notes
            .problems
            .push(item.wrong("there is no tarpit here: add a table such as [tarpits.ssh]"));
    }
    for (name, item) in entries {
        if name.is_empty() || name.contains(char::is_control) {
            let what = "a tarpit's name cannot be empty or hold control characters";
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
        notes
            .problems
            .push(item.wrong("there is no address here: add one, such as \"0.0.0.0:2222\""));
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
    match item.parsed(|text| Ok(Bind::parse(text, "\"HOST:PORT\""))) {
        Ok(Ok(bind)) => tarpit.binds.push((item.place(), bind)),
        Ok(Err(wrong)) => notes.problems.extend(wrong.into_iter().map(|what| item.wrong(what))),
        Err(problem) => notes.problems.push(problem),
    }
}

fn networks(item: &Item<'_>, notes: &mut Notes, mut add: impl FnMut(Network)) {
    match item.items() {
        Ok(items) => {
            for item in items {
                match item.parsed(str::parse) {
                    Ok(network) => add(network),
                    Err(problem) => notes.problems.push(problem),
                }
            }
        }
        Err(problem) => notes.problems.push(problem),
    }
}

fn workers(item: &Item<'_>) -> Result<NonZeroUsize, super::Problem> {
    /// Beyond it threads only cost memory, on any machine.
    const MOST: usize = 256;
    let number = item.number(0, MOST)?;
    Ok(NonZeroUsize::new(number).unwrap_or_else(|| {
        // Where the number of cores cannot be learnt, one worker serves well.
        std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }))
}

fn bytes(item: &Item<'_>) -> Result<Option<NonZeroU64>, super::Problem> {
    item.number(0, i64::MAX as u64).map(NonZeroU64::new)
}

fn ports(item: &Item<'_>) -> Result<Ports, super::Problem> {
    if item.is_integer() {
        item.number(0, u16::MAX).map(Ports::single)
    } else if item.is_string() {
        item.parsed(Ports::parse)
    } else {
        Err(item.unlike("a number, or a string such as \"8000-8010\""))
    }
}

fn user(item: &Item<'_>) -> Result<User, super::Problem> {
    if item.is_integer() {
        item.number(0, u32::MAX - 1).map(|uid| User::Ids { uid, gid: None })
    } else if item.is_string() {
        item.parsed(User::parse)
    } else {
        Err(item.unlike("a name, or a number such as 65534"))
    }
}

/// A value, and where it stands.
fn placed<T>(
    item: &Item<'_>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<(Place, T)>, super::Problem> {
    item.parsed(parse).map(|value| Some((item.place(), value)))
}

fn path(text: &str) -> Result<std::path::PathBuf, String> {
    if text.is_empty() { Err("the path is empty".into()) } else { Ok(text.into()) }
}
