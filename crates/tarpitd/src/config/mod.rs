//! What the daemon is to do, from a file, the command line or the embedded default.

pub(crate) mod access;
mod address;
mod changes;
mod document;
mod draft;
pub(crate) mod finding;
mod keys;
mod problem;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::{self, Read as _},
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
};

use tarpit_proto::{pacer::Rate, script::Pattern};

use crate::config::access::Access;

use self::{
    address::Bind,
    document::Source,
    draft::{Draft, TarpitDraft},
    problem::{Notes, nearest},
};
pub(crate) use self::{
    changes::{Change, changes},
    draft::rate,
    keys::{Unset, sections},
    problem::{Place, Placed, Problem},
};

/// What `tarpitd` serves when it is told nothing.
pub(crate) const EMBEDDED: &str = include_str!("default.toml");

/// What the command line asks for: where the configuration is, and what to change in it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) origin: Origin,
    /// The rate of all tarpits; `None`: as configured.
    pub(crate) rate: Option<Rate>,
    /// Whether all tarpits validate their clients; `None`: as configured.
    pub(crate) client_validation: Option<bool>,
    /// Where all tarpits are traced; `None`: as configured.
    pub(crate) trace: Option<Sink>,
    /// The gravest level at which the log may begin; `None`: as configured.
    pub(crate) level: Option<Level>,
    /// Whether the trace is JSON on a terminal, too.
    pub(crate) json: bool,
    /// Who the daemon becomes; `None`: as configured.
    pub(crate) user: Option<User>,
    /// Where the process number is written.
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) keep_going: bool,
}

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Values of `-s`.
    Arguments(Vec<String>),
    /// [`EMBEDDED`].
    Embedded,
    File(PathBuf),
}

impl Request {
    /// The configuration as it is now; a file is read again at each call.
    pub(crate) fn config(&self) -> Result<Config, Wrong> {
        let config = match &self.origin {
            Origin::Arguments(arguments) => Config::from_arguments(arguments),
            Origin::Embedded => Config::parse("the embedded default", EMBEDDED),
            Origin::File(path) => Config::load(path),
        };
        match config {
            Ok(config) => Ok(self.over(config)),
            Err(Wrong { problems, rest }) => {
                Err(Wrong { problems, rest: rest.map(|rest| Box::new(self.over(*rest))) })
            }
        }
    }

    /// A configuration with what the command line asks for instead.
    fn over(&self, mut config: Config) -> Config {
        for tarpit in &mut config.tarpits {
            tarpit.rate = self.rate.or(tarpit.rate);
            tarpit.client_validation = self.client_validation.unwrap_or(tarpit.client_validation);
            tarpit.client_trace |= self.trace.is_some();
        }
        if let Some(sink) = &self.trace {
            let option = match sink {
                Sink::Stdout => "-t".to_owned(),
                sink => format!("-t {sink}"),
            };
            config.logging.client_trace = Placed::at(Place::Option(option), sink.clone());
        }
        if let Some(level) = self.level {
            config.logging.level = level.min(config.logging.level);
        }
        config.logging.json = self.json;
        if let Some(user) = &self.user {
            let option = format!("-u {}", user.to_string().trim_matches('"'));
            config.user = Some(Placed::at(Place::Option(option), user.clone()));
        }
        config.pid_file.clone_from(&self.pid_file);
        config.keep_going = self.keep_going;
        config
    }
}

/// A configuration that cannot be used.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// What is written wrong; never nothing.
    pub(crate) problems: Vec<Problem>,
    /// What is left without that, if anything can be: what the system would refuse of it can be
    /// told at once, too.
    pub(crate) rest: Option<Box<Config>>,
}

impl From<Vec<Problem>> for Wrong {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems, rest: None }
    }
}

/// All that was asked for. Nothing in it needs to be checked again.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Threads that serve clients.
    pub(crate) workers: NonZeroUsize,
    /// Whether sends may go by `io_uring`.
    pub(crate) io_uring: bool,
    /// Where host keys and the persona's seed are kept; `None`: they are new at each start.
    pub(crate) state_dir: Option<Placed<PathBuf>>,
    /// Who the daemon becomes once it has opened its ports and files.
    pub(crate) user: Option<Placed<User>>,
    /// What to serve, in the order in which it was written; never empty.
    pub(crate) tarpits: Vec<Tarpit>,
    pub(crate) limits: Limits,
    /// Who is not held.
    pub(crate) access: Access,
    pub(crate) logging: Logging,
    /// Where the process number is written.
    pub(crate) pid_file: Option<PathBuf>,
    /// Whether to serve the other addresses when one cannot be had.
    pub(crate) keep_going: bool,
    /// What its author should know, one line each.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    /// Reads the file at `path`, or standard input if that is `-`.
    pub(crate) fn load(path: &Path) -> Result<Self, Wrong> {
        let name = name(path).to_string();
        let at_file = |what: String| vec![Place::File(name.clone().into()).problem(what)];
        let bytes = read(path).map_err(|error| at_file(unreadable(&error)))?;
        match str::from_utf8(&bytes) {
            Ok(text) => Self::parse(&name, text),
            Err(error) => {
                let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let source = Source::new(&name, &valid);
                let what = "this is not UTF-8, as TOML must be: save the file in that encoding";
                Err(vec![source.place(valid.len()).problem(what)].into())
            }
        }
    }

    /// Reads `text`, which problems and warnings call `name`.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Wrong> {
        let (mut draft, mut notes) = (Draft::default(), Notes::default());
        Source::new(name, text).read(keys::TOP, &mut draft, &mut notes);
        draft.finish(notes)
    }

    /// All addresses on which so many workers are to listen.
    pub(crate) fn wanted(&self, workers: usize) -> Vec<Wanted> {
        let mut all = Vec::new();
        for (index, tarpit) in self.tarpits.iter().enumerate() {
            let clients = tarpit.bind.iter();
            all.extend(clients.map(|&at| Wanted { index, at, purpose: Purpose::Clients }));
            let hosts: BTreeSet<_> = tarpit.bind.iter().map(SocketAddr::ip).collect();
            for host in hosts {
                let ports = tarpit.passive_ports.iter().enumerate();
                all.extend(ports.map(|(place, &port)| {
                    let purpose = Purpose::Data(place % workers.max(1));
                    Wanted { index, at: SocketAddr::new(host, port), purpose }
                }));
            }
        }
        all
    }

    /// Reads what stands behind `-s`: each argument is a tarpit, `PATTERN:HOST:PORT`.
    fn from_arguments(arguments: &[String]) -> Result<Self, Wrong> {
        let (mut draft, mut notes) = (Draft::default(), Notes::default());
        draft.logging.level = Level::Warning;
        for (index, argument) in arguments.iter().enumerate() {
            draft.tarpits.push(TarpitDraft::from_argument(index, argument, &mut notes));
        }
        draft.finish(notes)
    }
}

/// A pattern on its addresses.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the configuration")]
pub(crate) struct Tarpit {
    pub(crate) name: String,
    pub(crate) pattern: &'static dyn Pattern,
    /// Where it listens; never empty. No two tarpits share an address, but for port 0.
    pub(crate) bind: Vec<SocketAddr>,
    /// Where these addresses are written.
    places: Vec<Placed<Bind>>,
    /// Where `passive_ports` is written.
    passive_place: Option<Place>,
    /// `None`: the pattern keeps its own pace.
    pub(crate) rate: Option<Rate>,
    /// The most clients on each of the addresses; `None`: no cap.
    pub(crate) max_clients: Placed<Option<NonZeroU32>>,
    /// Whether clients must show that they speak the pattern's protocol.
    pub(crate) client_validation: bool,
    pub(crate) client_trace: bool,
    /// The machine that is played: one of [`Persona::names`].
    ///
    /// [`Persona::names`]: tarpit_proto::persona::Persona::names
    pub(crate) persona: &'static str,
    /// Whether clients may be told that they got in.
    pub(crate) poison: bool,
    pub(crate) strict_lock: bool,
    /// The owner's certificate for TLS; `None`: some of our own making.
    pub(crate) certificate: Option<Certificate>,
    /// What is inside TLS; `None`: HTTP.
    pub(crate) inner: Option<&'static dyn Pattern>,
    /// Where data connections are awaited, in turn by one worker and the next.
    pub(crate) passive_ports: Vec<u16>,
    /// Where clients are told to open them; `None`: to the address that they connected to.
    pub(crate) passive_address: Option<Ipv4Addr>,
}

impl Tarpit {
    /// Where it is written that this address is wanted.
    pub(crate) fn place(&self, wanted: Wanted) -> Option<&Place> {
        match wanted.purpose {
            Purpose::Clients => {
                let holds = |bind: &&Placed<Bind>| bind.addresses().any(|it| it == wanted.at);
                self.places.iter().find(holds)?.place.as_ref()
            }
            Purpose::Data(_) => self.passive_place.as_ref(),
        }
    }
}

/// An address on which to listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The tarpit's place in the configuration.
    pub(crate) index: usize,
    pub(crate) at: SocketAddr,
    pub(crate) purpose: Purpose,
}

/// Who is to come to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Everybody, to any worker.
    Clients,
    /// Data connections of the clients of the worker with this number.
    Data(usize),
}

/// Files with a certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Certificate {
    pub(crate) cert: Placed<PathBuf>,
    pub(crate) key: Placed<PathBuf>,
}

/// What all tarpits together may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) clients: Placed<ClientLimit>,
    /// The most clients with one address; `None`: no cap.
    pub(crate) per_address: Placed<Option<NonZeroU32>>,
    /// The most clients in one /24 (IPv6: /56); `None`: no cap.
    pub(crate) per_prefix: Placed<Option<NonZeroU32>>,
    /// The most bytes a second to all clients; `None`: no cap.
    pub(crate) egress: Placed<Option<NonZeroU64>>,
    /// The most bytes a day to all clients; `None`: no cap.
    pub(crate) egress_per_day: Placed<Option<NonZeroU64>>,
    /// The most key exchanges a second; `None`: no cap.
    pub(crate) handshakes_per_second: Placed<Option<NonZeroU32>>,
    /// The most of a core that each worker may use, in percent; `None`: no cap.
    pub(crate) cpu: Placed<Option<NonZeroU32>>,
    /// Who goes when there is no room for a newcomer.
    pub(crate) evict: Evict,
}

/// Who goes when a cap in all or of a port is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evict {
    /// A client of the prefix that has the most, unless the newcomer's would then have as many.
    NoisiestPrefix,
    /// The client that has been held for the longest time.
    Oldest,
    /// The newcomer.
    Refuse,
}

impl Evict {
    /// A policy's name.
    fn name(self) -> &'static str {
        match self {
            Self::NoisiestPrefix => "noisiest-prefix",
            Self::Oldest => "oldest",
            Self::Refuse => "refuse",
        }
    }

    /// The policy of that name.
    fn parse(text: &str) -> Result<Self, String> {
        let all = [Self::NoisiestPrefix, Self::Oldest, Self::Refuse];
        all.into_iter().find(|policy| policy.name() == text).ok_or_else(|| {
            format!(
                "there is no policy `{}`: write `noisiest-prefix`, `oldest` or `refuse`",
                text.escape_debug()
            )
        })
    }
}

/// The most clients in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientLimit {
    AtMost(NonZeroU32),
    /// As many as files may be open, less those of the listeners and 64.
    FileLimit,
    Unlimited,
}

/// What is written where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logging {
    /// Where the log goes.
    pub(crate) main: Placed<Sink>,
    pub(crate) level: Level,
    /// Where the clients' trace goes.
    pub(crate) client_trace: Placed<Sink>,
    /// Whether the trace has secrets in full.
    pub(crate) log_secrets: Placed<bool>,
    /// Whether the trace has users' names.
    pub(crate) log_users: bool,
    /// How the trace writes moments.
    pub(crate) time: TimeForm,
    /// The most lines a second that the trace may have in the long run; `None`: no bound.
    pub(crate) trace_per_second: Placed<Option<NonZeroU32>>,
    /// Whether the trace is JSON on a terminal, too.
    pub(crate) json: bool,
}

impl Logging {
    /// What the trace keeps to itself.
    pub(crate) fn discretion(&self) -> Discretion {
        Discretion { log_secrets: *self.log_secrets, log_users: self.log_users }
    }
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeForm {
    /// Seconds since 1970, with six decimals.
    Epoch,
    /// RFC 3339, in UTC, with milliseconds.
    Rfc3339,
}

impl TimeForm {
    /// A form's name.
    fn parse(text: &str) -> Result<Self, String> {
        let is_it = |form: &Self| form.name() == text;
        [Self::Epoch, Self::Rfc3339].into_iter().find(is_it).ok_or_else(|| {
            let text = text.escape_debug();
            format!("there is no form `{text}`: write `epoch` or `rfc3339`")
        })
    }

    /// The name in the configuration.
    fn name(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Rfc3339 => "rfc3339",
        }
    }
}

/// What the trace keeps to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Discretion {
    /// Whether passwords and the like are written.
    pub(crate) log_secrets: bool,
    /// Whether users' names are written.
    pub(crate) log_users: bool,
}

/// Where lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    File(PathBuf),
    Stderr,
    Stdout,
}

impl Sink {
    /// A path, `<stdout>` or `<stderr>`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "<stderr>" => Ok(Self::Stderr),
            "<stdout>" => Ok(Self::Stdout),
            "" => Err("the path is empty".into()),
            _ if text.starts_with('<') && text.ends_with('>') => Err(format!(
                "`{}` is neither <stdout> nor <stderr>; a file of that name is ./{0}",
                text.escape_debug()
            )),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stderr => f.write_str("<stderr>"),
            Self::Stdout => f.write_str("<stdout>"),
        }
    }
}

/// How grave a message in the log is; a later one is graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    /// Clients that come and go; asked for by `-v` alone.
    Clients,
    Info,
    Warning,
    Error,
    Critical,
}

/// A user of the system, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Ids { uid: u32, gid: Option<u32> },
    Name(String),
}

impl Level {
    /// Each by its name, the least grave first.
    const ALL: [(Self, &'static str); 5] = [
        (Self::Debug, "debug"),
        (Self::Info, "info"),
        (Self::Warning, "warning"),
        (Self::Error, "error"),
        (Self::Critical, "critical"),
    ];

    /// The name in the configuration, where clients that come and go have none of their own.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("info", |(_, name)| name)
    }

    /// A level's name, in any case; `warn` is short for `warning`.
    fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("warn") {
            return Ok(Self::Warning);
        }
        let is_it = |(_, name): &&(Self, &str)| name.eq_ignore_ascii_case(text);
        let found = Self::ALL.iter().find(is_it).map(|&(level, _)| level);
        found.ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name);
            let all = names.join(", ");
            let text = text.escape_debug();
            match nearest(&text.to_string(), names.into_iter()) {
                Some(nearest) => format!("there is no level `{text}`: did you mean `{nearest}`?"),
                None => format!("there is no level `{text}`: write one of {all}"),
            }
        })
    }
}

impl User {
    /// A name, a number, or two numbers with a colon between them.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is no user: write a name, or numbers as in 65534 or 65534:65534",
                text.escape_debug()
            )
        };
        let starts_with_digit = text.starts_with(|first: char| first.is_ascii_digit());
        if !starts_with_digit {
            let is_name = !text.is_empty() && !text.contains([':', '/', '\0', '\n', ' ']);
            return if is_name { Ok(Self::Name(text.to_owned())) } else { Err(wrong()) };
        }
        // The greatest number stands for no change to the kernel (setresuid(2)).
        let is_meant = |number: &u32| *number != u32::MAX;
        let number = |text: &str| text.parse().ok().filter(is_meant).ok_or_else(wrong);
        Ok(match text.split_once(':') {
            Some((uid, gid)) => Self::Ids { uid: number(uid)?, gid: Some(number(gid)?) },
            None => Self::Ids { uid: number(text)?, gid: None },
        })
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ids { uid, gid: Some(gid) } => write!(f, "{uid}:{gid}"),
            Self::Ids { uid, gid: None } => write!(f, "{uid}"),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

/// What messages call the configuration at `path`.
pub(crate) fn name(path: &Path) -> std::path::Display<'_> {
    if is_standard_input(path) { Path::new("<stdin>").display() } else { path.display() }
}

/// Whether `path` stands for standard input, as `-` does.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// The file's bytes, of which there may be so many.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    /// No one writes as much; a device such as `/dev/zero` has more.
    const MOST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    if is_standard_input(path) {
        io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Why a file cannot be read, and what to do about it.
fn unreadable(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::FileTooLarge => "a configuration has at most 1 MiB, name another file",
        io::ErrorKind::IsADirectory => "name a file in it",
        io::ErrorKind::NotFound => "see whether its name is right",
        io::ErrorKind::PermissionDenied => "let the user read it who runs tarpitd",
        _ => "see whether it is a file with a configuration",
    };
    format!("this cannot be read: {error}: {advice}")
}
