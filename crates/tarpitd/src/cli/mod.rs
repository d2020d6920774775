//! The command line: one definition for parsing, `--help`, the manual's options and completions.

mod advice;

use std::{ffi::OsString, ops::RangeInclusive, path::PathBuf};

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};
use clap_complete::Shell;
use tarpit_proto::pacer::Rate;

use self::advice::{is_address_to_serve, right_call};
use crate::{
    analysis::{self, Form, Moment, Window},
    config::{self, Origin, Request, rate},
    console::{commands::Ask, control::Whereabouts, firewall::Asked},
    os::clock::Clock,
    settings::{Level, Sink, User},
};

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    /// Ask a running daemon.
    Ask(Whereabouts, Ask),
    /// Say what a configuration would serve, or what is wrong with it.
    Check(PathBuf),
    /// Print completions for a shell.
    Completions(Shell),
    /// Print firewall rules for a configuration.
    Firewall(Option<PathBuf>, Asked),
    /// Show a page of the manual.
    Manual(Page),
    /// List the patterns, as JSON if asked.
    Patterns { json: bool },
    /// Tell what traces say of the clients.
    Report(analysis::Request),
    /// Show a live view of a running daemon.
    Top(Whereabouts),
    /// Be a tarpit.
    Serve(Request),
}

/// A page of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// The program.
    #[value(name = "tarpitd.1", alias = "tarpitd.py.1")]
    Program,
    /// The configuration.
    #[value(name = "tarpitd.toml.5", alias = "tarpitd.conf.5")]
    Configuration,
}

/// Makes ports look like services and holds every client that connects.
///
/// Without -s and -c it serves a few tarpits on this machine only, to try it out.
#[derive(Debug, Parser)]
#[command(name = "tarpitd", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Serve a pattern on an address.
    ///
    /// May be repeated, and takes several values. Upper and lower case do not matter in PATTERN.
    /// HOST is an IP address (IPv6 in brackets), `localhost` or `*`. PORT is a number or a range
    /// such as 8000-8010. The tarpits are named `cli_0`, `cli_1` and so on.
    #[arg(short, long, value_name = "PATTERN:HOST:PORT", num_args = 1.., conflicts_with = "config")]
    serve: Vec<String>,

    /// Serve the tarpits in a configuration file; see tarpitd.toml(5).
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Send this many bytes per second; if negative, one byte in that many seconds.
    ///
    /// 0 means as fast as the client reads. Without this option each pattern keeps its own pace.
    /// Applies to all tarpits, those of a file too.
    #[arg(short, long, value_name = "INT", allow_negative_numbers = true, value_parser = parse_rate)]
    rate_limit: Option<Rate>,

    /// Write a trace of the clients, as JSON lines, to a file or to standard output.
    ///
    /// tarpitd appends to the file. Applies to all tarpits, those of a file too.
    #[arg(short, long, value_name = "FILE", num_args = 0..=1, default_missing_value = "<stdout>",
        value_parser = parse_sink)]
    trace_client: Option<Sink>,

    /// Write the trace as JSON on a terminal, too.
    ///
    /// Without this option a terminal shows one short line for each event. Files and pipes always
    /// get JSON.
    #[arg(long)]
    json: bool,

    /// Check that clients speak the pattern's protocol; with `none`, do not.
    ///
    /// `check` is the default, also if no value follows. Applies to all tarpits, those of a file
    /// too.
    #[arg(short = 'e', long, value_name = "check|none", num_args = 0..=1,
        default_missing_value = "check", hide_possible_values = true)]
    validate_client: Option<Validation>,

    /// Log more: once for events and for clients opened and closed, twice for details.
    #[arg(short, action = ArgAction::Count)]
    verbose: u8,

    /// Become this user once ports and files are open.
    ///
    /// A name, a number, or two numbers. It overrides `user` in a file.
    #[arg(short, long, value_name = "NAME|UID[:GID]", value_parser = config::user)]
    user: Option<User>,

    /// Write the process number to a file.
    ///
    /// Everybody may read the file. tarpitd writes it once the ports are open and removes it at the
    /// end, or empties it if the user that the daemon became may not remove it. tarpitd replaces a
    /// file that an earlier daemon left behind.
    #[arg(long, value_name = "PATH")]
    pid_file: Option<PathBuf>,

    /// Serve the other addresses if one cannot be opened.
    #[arg(long)]
    keep_going: bool,

    /// Show a page of the manual: tarpitd.1 or tarpitd.toml.5.
    ///
    /// Without a value, tarpitd.1. On a terminal it opens in the pager.
    #[arg(long, value_name = "PAGE", num_args = 0..=1, default_missing_value = "tarpitd.1",
        exclusive = true, hide_possible_values = true)]
    manual: Option<Page>,

    #[command(subcommand)]
    task: Option<Side>,
}

/// What else the program can do.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Side {
    /// Check a configuration without starting: show what it would serve, or every problem.
    Check {
        /// The configuration; `-` is standard input.
        file: PathBuf,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Drop held clients of a running tarpitd.
    ///
    /// Their connections are reset, and the trace closes them with the reason `dropped`.
    Drop {
        /// An address, a network such as 192.0.2.0/24, or the 16 digits of a session.
        #[arg(value_name = "ADDRESS|PREFIX|SESSION")]
        whom: String,
        #[command(flatten)]
        at: SocketArguments,
    },
    /// Print nftables rules that direct all other ports to the tarpits with `redirected = true`.
    ///
    /// Nothing is changed. Without FILE the rules are for an example, which is printed with them.
    Firewall {
        /// The configuration; `-` is standard input.
        file: Option<PathBuf>,
        /// The ports that stay as they are, as in 22,80,443,8000-8009.
        ///
        /// Without this option they are the ports on which something listens now. The port of the
        /// present SSH login is always among them.
        #[arg(long, value_name = "PORTS", value_delimiter = ',', value_parser = parse_ports)]
        except: Option<Vec<RangeInclusive<u16>>>,
        /// Redirect by NAT instead of TPROXY: tarpitd then needs no rights, but the kernel tracks
        /// each held client.
        #[arg(long)]
        redirect: bool,
    },
    /// List the clients that a running tarpitd holds, the longest held first.
    Held {
        /// Only those of an address or of a network such as 192.0.2.0/24.
        #[arg(value_name = "ADDRESS|PREFIX")]
        whom: Option<String>,
        /// At most this many.
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Print a JSON object a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: SocketArguments,
    },
    /// List the patterns: name, protocol, and what each does.
    Patterns {
        /// Print them as a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Let a running tarpitd read its configuration again, and print what changed.
    Reload {
        #[command(flatten)]
        at: SocketArguments,
    },
    /// Report what was caught, from traces: clients, time held, networks, names, fingerprints.
    Report {
        /// Count from this time on.
        ///
        /// A date, a time by RFC 3339 or seconds since 1970, all in UTC, or how long ago: 7d, 12h,
        /// 30m. Time that a client was held before does not count.
        #[arg(long, value_name = "T", value_parser = parse_moment)]
        since: Option<Moment>,
        /// Count up to this time.
        #[arg(long, value_name = "T", value_parser = parse_moment)]
        until: Option<Moment>,
        /// Show this many rows of each table.
        #[arg(long, value_name = "N", default_value_t = 10,
            value_parser = clap::value_parser!(u16).range(1..=10_000))]
        top: u16,
        /// Print all figures as JSON.
        #[arg(long, conflicts_with = "html")]
        json: bool,
        /// Write a page with pictures for a browser; `-` is standard output.
        ///
        /// It is one file that needs no other. It replaces the page of an earlier report, and no
        /// other file.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// The traces: plain, gzip or zstd, in any order; `-` is standard input.
        #[arg(required = true, value_name = "TRACE")]
        traces: Vec<PathBuf>,
    },
    /// Show what a running tarpitd holds, and how it is.
    Status {
        /// Print everything as a JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: SocketArguments,
    },
    /// Show a live view of a running tarpitd in this terminal.
    ///
    /// Keys: q quits, s sorts the clients in another order, f shows those of an address or a
    /// network only, p pauses, the arrows choose a client, d drops it once you confirm. With `NO_COLOR`
    /// in the environment there are no colours.
    Top {
        #[command(flatten)]
        at: SocketArguments,
    },
    /// Let a new program take over from a running tarpitd, with all its clients.
    ///
    /// It starts with the daemon's arguments, working directory and environment, and takes over
    /// listeners, clients, counters and session ids. If it fails, the running daemon goes on as
    /// before.
    Upgrade {
        /// The new program; without it, this one.
        #[arg(value_name = "PROGRAM")]
        program: Option<PathBuf>,
        #[command(flatten)]
        at: SocketArguments,
    },
}

/// Where a running daemon is found.
#[derive(Debug, Args)]
struct SocketArguments {
    /// The control socket; without it, the usual places are tried.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The daemon's configuration, which names the socket.
    #[arg(short, long, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
}

impl SocketArguments {
    fn whereabouts(self) -> Whereabouts {
        Whereabouts { socket: self.socket, config: self.config }
    }
}

/// The values of `-e`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Validation {
    Check,
    None,
}

/// Reads the command line, the program's name first.
///
/// The error may also be what was asked for, such as help.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Task, clap::Error> {
    let words: Vec<_> = arguments.collect();
    let arguments = Arguments::try_parse_from(&words).map_err(|error| {
        match right_call(&error, &words, &definition()) {
            Some(advice) => definition().error(ErrorKind::UnknownArgument, advice),
            None => error,
        }
    })?;
    if let Some(page) = arguments.manual {
        return Ok(Task::Manual(page));
    }
    Ok(match arguments.task {
        Some(Side::Check { file }) => Task::Check(file),
        Some(Side::Completions { shell }) => Task::Completions(shell),
        Some(Side::Drop { whom, at }) => Task::Ask(at.whereabouts(), Ask::Drop { whom }),
        Some(Side::Firewall { file, except, redirect }) => {
            Task::Firewall(file, Asked { except, redirect })
        }
        Some(Side::Held { whom, limit, json, at }) => {
            Task::Ask(at.whereabouts(), Ask::Held { whom, limit, json })
        }
        Some(Side::Reload { at }) => Task::Ask(at.whereabouts(), Ask::Reload),
        Some(Side::Status { json, at }) => Task::Ask(at.whereabouts(), Ask::Status { json }),
        Some(Side::Top { at }) => Task::Top(at.whereabouts()),
        Some(Side::Upgrade { program, at }) => {
            Task::Ask(at.whereabouts(), Ask::Upgrade { program })
        }
        Some(Side::Patterns { json }) => Task::Patterns { json },
        Some(Side::Report { since, until, top, json, html, traces }) => {
            Task::Report(analysis::Request {
                places: traces.into_iter().map(analysis::Place::from).collect(),
                window: window(since, until)?,
                most: top.into(),
                form: match html {
                    Some(path) if path.as_os_str() == "-" => Form::Html(None),
                    Some(path) => Form::Html(Some(path)),
                    None if json => Form::Json,
                    None => Form::Text,
                },
            })
        }
        None => Task::Serve(arguments.request()),
    })
}

/// The time that a report is about.
fn window(since: Option<Moment>, until: Option<Moment>) -> Result<Window, clap::Error> {
    let (since, until) = (since.unwrap_or_default(), until.unwrap_or(Moment::LAST));
    Window::new(since, until).ok_or_else(|| {
        let what = "--until must be later than --since, for example --since 3h --until 2h";
        definition().error(ErrorKind::ValueValidation, what)
    })
}

/// The definition, for completions and the manual.
pub(crate) fn definition() -> clap::Command {
    Arguments::command()
}

/// The script that makes `shell` complete our arguments.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition(), "tarpitd", &mut script);
    script
}

/// What a usage error says, in one line.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .map(|line| line.trim_start_matches("error: ").trim_start_matches("tip: "));
    let lines: Vec<_> = lines.collect();
    format!("{} (see tarpitd --help)", lines.join("; ").replace(":; ", ": "))
}

impl Arguments {
    fn request(self) -> Request {
        Request {
            origin: match self.config {
                Some(path) => Origin::File(path),
                None if self.serve.is_empty() => Origin::Embedded,
                None => Origin::Arguments(self.serve),
            },
            rate: self.rate_limit,
            client_validation: self.validate_client.map(|choice| choice == Validation::Check),
            trace: self.trace_client,
            level: match self.verbose {
                0 => None,
                1 => Some(Level::Clients),
                _ => Some(Level::Debug),
            },
            json: self.json,
            user: self.user,
            pid_file: self.pid_file,
            keep_going: self.keep_going,
        }
    }
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    rate(text.parse().map_err(|_| "not a whole number")?)
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let ports = config::Ports::parse(text)?.range();
    if ports.contains(&0) { Err("port 0 is no port of a service".to_owned()) } else { Ok(ports) }
}

fn parse_moment(text: &str) -> Result<Moment, String> {
    analysis::moment(text, Clock::start().wall())
}

fn parse_sink(text: &str) -> Result<Sink, String> {
    if is_address_to_serve(text) {
        return Err(format!(
            "this is an address to serve, which needs -s; write ./{} for a file of that name",
            text.escape_debug()
        ));
    }
    config::sink(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, clap::Error> {
        parse(line.split(' ').map(OsString::from))
    }

    #[track_caller]
    fn request(line: &str) -> Request {
        match parsed(line) {
            Ok(Task::Serve(request)) => request,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[track_caller]
    fn check_error(line: &str, wanted: &str) {
        let error = parsed(line).expect_err(line);
        assert_eq!(error.exit_code(), 2);
        assert_eq!(one_line(&error), format!("{wanted} (see tarpitd --help)"));
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn the_reference_s_invocations_parse() {
        let all = request(
            "tarpitd -s ssh_trans_hold:127.0.0.1:2222 http_fake_auth:127.0.0.1:8080 -r -2 -t",
        );
        assert_eq!(
            all.origin,
            Origin::Arguments(vec![
                "ssh_trans_hold:127.0.0.1:2222".into(),
                "http_fake_auth:127.0.0.1:8080".into()
            ])
        );
        assert_eq!(all.rate, Rate::from_number(-2));
        assert_eq!(all.trace, Some(Sink::Stdout));
        assert_eq!(all.client_validation, None);

        let one = request("tarpitd -e none -r-2 -vv -t ./x.log -s a:*:1 -s b:[::1]:2");
        assert_eq!(one.origin, Origin::Arguments(vec!["a:*:1".into(), "b:[::1]:2".into()]));
        assert_eq!(one.rate, Rate::from_number(-2));
        assert_eq!(one.trace, Some(Sink::File("./x.log".into())));
        assert_eq!(one.client_validation, Some(false));
        assert_eq!(one.level, Some(Level::Debug));

        let bare = request("tarpitd --serve a:b:1 --validate-client --rate-limit=64 -v");
        assert_eq!(bare.client_validation, Some(true));
        assert_eq!(bare.rate, Rate::from_number(64));

        let given = request("tarpitd -u 65534:100 --pid-file /run/x.pid -c x.toml");
        assert_eq!(given.user, Some(User::Ids { uid: 65534, gid: Some(100) }));
        assert_eq!(given.pid_file, Some("/run/x.pid".into()));
        let given = request("tarpitd --user nobody -s a:b:1");
        assert_eq!(given.user, Some(User::Name("nobody".into())));

        assert_eq!(request("tarpitd -c x.toml").origin, Origin::File("x.toml".into()));
        assert_eq!(request("tarpitd").origin, Origin::Embedded);
    }

    #[test]
    fn the_manual_is_found_by_old_names_too() {
        for (line, wanted) in [
            ("tarpitd --manual", Page::Program),
            ("tarpitd --manual tarpitd.1", Page::Program),
            ("tarpitd --manual tarpitd.py.1", Page::Program),
            ("tarpitd --manual tarpitd.toml.5", Page::Configuration),
            ("tarpitd --manual tarpitd.conf.5", Page::Configuration),
        ] {
            assert!(matches!(parsed(line), Ok(Task::Manual(page)) if page == wanted), "{line}");
        }
    }

    #[test]
    fn a_call_that_can_be_guessed_is_answered_with_the_right_one() {
        let wanted = "`check` takes the file without -c: write `tarpitd check x.toml`";
        for line in ["tarpitd check -c x.toml", "tarpitd check -cx.toml"] {
            check_error(line, wanted);
        }
        for line in ["tarpitd check --config x.toml", "tarpitd check --config=x.toml"] {
            check_error(line, &wanted.replace("-c", "--config"));
        }
        check_error("tarpitd check -c", &wanted.replace("x.toml", "FILE"));
        check_error(
            "tarpitd x.toml",
            "there is no file `x.toml`; to serve a configuration, write `tarpitd -c FILE`",
        );
        check_error(
            "tarpitd Cargo.toml",
            "a configuration needs -c: write `tarpitd -c Cargo.toml` to serve it, or \
             `tarpitd check Cargo.toml` to see what is wrong with it",
        );
        check_error(
            "tarpitd src",
            "`src` is a directory: write `tarpitd -c FILE`, with a configuration in it",
        );
        for address in ["ssh:*:2222", "endlessh:[::1]:22", "HTTP_ENDLESS_COOKIE:127.0.0.1:80"] {
            check_error(
                &format!("tarpitd {address}"),
                &format!("an address to serve needs -s: write `tarpitd -s '{address}'`"),
            );
            check_error(
                &format!("tarpitd -s ssh:*:1 -t {address}"),
                &format!(
                    "invalid value '{address}' for '--trace-client [<FILE>]': this is an address \
                     to serve, which needs -s; write ./{address} for a file of that name"
                ),
            );
        }
        let trace = request("tarpitd -s ssh:*:1 -t ./ssh:*:2222").trace;
        assert_eq!(trace, Some(Sink::File("./ssh:*:2222".into())));
        check_error("tarpitd manual", "`manual` is an option: write `tarpitd --manual`");
        check_error("tarpitd help", "`help` is an option: write `tarpitd --help`");
        check_error("tarpitd frobnicate", "unrecognized subcommand 'frobnicate'");
    }

    #[test]
    fn usage_errors_are_one_line() {
        check_error(
            "tarpitd -s a:b:1 -c x",
            "the argument '--serve <PATTERN:HOST:PORT>...' cannot be used with '--config <FILE>'",
        );
        check_error(
            "tarpitd -r x",
            "invalid value 'x' for '--rate-limit <INT>': not a whole number",
        );
        check_error(
            "tarpitd -r -86401",
            "invalid value '-86401' for '--rate-limit <INT>': \
             the rate -86401 is not between -86400 and 4294967295",
        );
        check_error(
            "tarpitd --srve a:b:1",
            "unexpected argument '--srve' found; a similar argument exists: '--serve'",
        );
        check_error(
            "tarpitd -e maybe",
            "invalid value 'maybe' for '--validate-client [<check|none>]'; \
             [possible values: check, none]",
        );
        check_error("tarpitd check", "the following required arguments were not provided: <FILE>");
        check_error(
            "tarpitd -c",
            "a value is required for '--config <FILE>' but none was supplied",
        );
    }
}
