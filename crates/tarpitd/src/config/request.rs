//! The request of a command line: where the configuration is, and what to change in it.

use std::path::PathBuf;

use tarpit_proto::pacer::Rate;

use super::{EMBEDDED, Wrong, from_arguments, load, parse};
use crate::settings::{Level, Place, Placed, Settings, Sink, User};

/// A command line's request for a daemon.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) origin: Origin,
    /// The rate of all tarpits; `None`: as configured.
    pub(crate) rate: Option<Rate>,
    /// Whether all tarpits validate their clients; `None`: as configured.
    pub(crate) client_validation: Option<bool>,
    /// Where all tarpits are traced; `None`: as configured.
    pub(crate) trace: Option<Sink>,
    /// The log begins at this level, or at a lower configured one; `None`: as configured.
    pub(crate) level: Option<Level>,
    /// Whether the trace is JSON on a terminal, too.
    pub(crate) json: bool,
    /// The user that the daemon becomes; `None`: as configured.
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
    /// The settings as they are now; each call reads the file again.
    pub(crate) fn settings(&self) -> Result<Settings, Wrong> {
        let settings = match &self.origin {
            Origin::Arguments(arguments) => from_arguments(arguments),
            Origin::Embedded => parse("the embedded default", EMBEDDED),
            Origin::File(path) => load(path),
        };
        match settings {
            Ok(settings) => Ok(self.over(settings)),
            Err(Wrong { problems, rest }) => {
                Err(Wrong { problems, rest: rest.map(|rest| Box::new(self.over(*rest))) })
            }
        }
    }

    /// The settings, with those of the command line in their place.
    fn over(&self, mut settings: Settings) -> Settings {
        for tarpit in &mut settings.tarpits {
            tarpit.rate = self.rate.or(tarpit.rate);
            tarpit.client_validation = self.client_validation.unwrap_or(tarpit.client_validation);
            tarpit.client_trace |= self.trace.is_some();
        }
        if let Some(sink) = &self.trace {
            let option = match sink {
                Sink::Stdout => "-t".to_owned(),
                sink => format!("-t {sink}"),
            };
            settings.logging.client_trace = Placed::at(Place::Option(option), sink.clone());
        }
        if let Some(level) = self.level {
            settings.logging.level = level.min(settings.logging.level);
        }
        settings.logging.json = self.json;
        if let Some(user) = &self.user {
            let option = format!("-u {}", user.to_string().trim_matches('"'));
            settings.user = Some(Placed::at(Place::Option(option), user.clone()));
        }
        settings.pid_file.clone_from(&self.pid_file);
        settings.keep_going = self.keep_going;
        settings
    }
}
