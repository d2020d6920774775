//! Everything that can be refused before anybody is served, judged alike by a start, which keeps
//! what it opens, and by `check`, which changes nothing.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, AtFlags, CWD, OFlags, accessat},
    io::Errno,
    process::{Gid, Uid},
};
use tarpit_proto::script::Profile;

use super::{
    files::Files,
    logging,
    ports::{self, Opened},
    user::numbers,
};
use crate::{
    keys::{
        identity::Identity,
        state_dir::{StateDir, Touch},
    },
    os::{clock::Clock, privileges},
    report::target::Target,
    settings::{
        Placed, Settings, Sink,
        finding::{Finding, Gravity, in_order, plain},
    },
};

/// What is ready, and what is in the way. Whatever is absent has its reason among the findings.
pub(super) struct Prepared {
    pub(super) files: Files,
    pub(super) identity: Option<Identity>,
    /// What newcomers at each tarpit are held under, in the order of the configuration.
    pub(super) profiles: Option<Vec<Profile>>,
    /// The log's file and the trace's.
    pub(super) targets: Option<(Target, Target)>,
    pub(super) opened: Vec<Opened>,
    /// Whom the daemon is to become.
    pub(super) user: Option<(Uid, Gid)>,
    /// What is in the way, and warnings.
    pub(super) findings: Vec<Finding>,
    /// Addresses that cannot be had.
    pub(super) unbound: Vec<Finding>,
}

/// Opens all that `config` needs, or with [`Touch::Look`] only looks whether it could be opened.
pub(super) fn prepare(settings: &Settings, clock: Clock, touch: Touch) -> Prepared {
    let files = Files::of(settings, settings.workers.get(), privileges::raise_file_limit());
    let shortage = files.shortage();
    let has_files = shortage.is_none();
    let mut findings: Vec<_> = shortage.into_iter().chain(files.cuts(settings)).collect();
    let (user, hindrance) = user(settings);
    findings.extend(hindrance);
    let state_dir = StateDir::new(settings.state_dir.clone(), touch);
    let identity = Identity::open(state_dir, clock).map_err(|it| findings.push(it)).ok();
    let to_look;
    let judged = if let Some(identity) = &identity {
        identity
    } else {
        // Nothing starts without it, but all that is in the way is told at once.
        to_look = Identity::to_look(StateDir::new(settings.state_dir.clone(), Touch::Look), clock);
        &to_look
    };
    // Once rights are given up nothing more can be kept.
    if user.is_some() && judged.is_kept() {
        findings.extend(judged.open_all());
    }
    let profiles = profiles(judged, settings).map_err(|it| findings.extend(it)).ok();
    let found = logging::findings(settings, touch);
    let is_refused = found.iter().any(Finding::is_refusal);
    findings.extend(found);
    let targets = match touch {
        _ if is_refused => None,
        Touch::Keep => open_both(settings).map_err(|it| findings.extend(it)).ok(),
        Touch::Look => {
            let logging = &settings.logging;
            for (sink, key) in [(&logging.main, MAIN_KEY), (&logging.client_trace, TRACE_KEY)] {
                findings.extend(look(sink, key));
            }
            None
        }
    };
    findings.extend(user.into_iter().flat_map(|user| rotations(settings, user)));
    // Where files run out, an address is the wrong thing to blame.
    let found = if has_files { ports::open_all(settings, touch) } else { ports::Found::default() };
    findings.extend(found.told);
    Prepared {
        files,
        identity,
        profiles,
        targets,
        opened: found.opened,
        user,
        findings,
        unbound: found.unbound,
    }
}

/// Whom the daemon is to become, and what is in the way of that.
fn user(settings: &Settings) -> (Option<(Uid, Gid)>, Option<Finding>) {
    let Some(user) = &settings.user else { return (None, None) };
    match numbers(user) {
        Ok(Some(numbers)) if !privileges::may_change_users() => {
            let what = format!(
                "this process may not become user {user}: start it as root, or remove `user`"
            );
            let hindrance = Finding::new(Gravity::Rights, user.place.as_ref(), what);
            (Some(numbers), Some(hindrance))
        }
        Ok(numbers) => (numbers, None),
        Err(problem) => (None, Some(problem)),
    }
}

/// What newcomers at each tarpit are held under, or all that is in the way.
pub(super) fn profiles(
    identity: &Identity,
    settings: &Settings,
) -> Result<Vec<Profile>, Vec<Finding>> {
    let (mut profiles, mut problems) = (Vec::new(), Vec::new());
    for tarpit in &settings.tarpits {
        match identity.profile(tarpit) {
            Ok(profile) => profiles.push(profile),
            Err(found) => problems.extend(found),
        }
    }
    let problems = in_order(problems);
    if problems.is_empty() { Ok(profiles) } else { Err(problems) }
}

const MAIN_KEY: &str = "logging.main";
const TRACE_KEY: &str = "logging.client_trace";

/// Opens the log and the trace, or says all that is in the way.
pub(super) fn open_both(settings: &Settings) -> Result<(Target, Target), Vec<Finding>> {
    match (open_main(settings), open_trace(settings)) {
        (Ok(main), Ok(trace)) => Ok((main, trace)),
        (main, trace) => Err([main.err(), trace.err()].into_iter().flatten().collect()),
    }
}

/// Opens the log.
pub(super) fn open_main(settings: &Settings) -> Result<Target, Finding> {
    let sink = &settings.logging.main;
    Target::open(sink).map_err(|error| unusable(sink, MAIN_KEY, &error))
}

/// Opens the trace.
pub(super) fn open_trace(settings: &Settings) -> Result<Target, Finding> {
    let sink = &settings.logging.client_trace;
    Target::open(sink).map_err(|error| unusable(sink, TRACE_KEY, &error))
}

/// Says why lines cannot be appended to a file.
fn unusable(sink: &Placed<Sink>, key: &str, error: &io::Error) -> Finding {
    let cure = match Errno::from_io_error(error) {
        Some(Errno::ISDIR) => "name a file in it",
        Some(Errno::NOENT) => "create its directory, or name another path",
        Some(Errno::NOTDIR) => "its directory is a file; name another path",
        Some(Errno::NXIO) => "no program reads this pipe; start the reader first",
        Some(Errno::MFILE | Errno::NFILE) => super::files::CURE,
        Some(Errno::ACCESS | Errno::PERM) => {
            "let the user who runs tarpitd write there, or name another file"
        }
        _ => "name another file",
    };
    let what = format!("cannot open {sink} for appending: {}; {cure}", plain(error));
    let what = if sink.place.is_some() { what } else { format!("{key}: {what}") };
    Finding::new(Gravity::of(error), sink.place.as_ref(), what)
}

/// Finds out whether the file could be opened for appending, without making it.
fn look(sink: &Placed<Sink>, key: &str) -> Option<Finding> {
    let Sink::File(path) = &sink.value else { return None };
    match may_append(path) {
        Ok(Appending::Fine) => None,
        // To open it would tell its reader, once it is closed again, that there is no more.
        Ok(Appending::Pipe) => Some(Finding::new(
            Gravity::Note,
            sink.place.as_ref(),
            format!("{sink} is a pipe: start its reader before tarpitd"),
        )),
        Err(error) => Some(unusable(sink, key, &error)),
    }
}

/// How lines can be appended to a file.
enum Appending {
    Fine,
    /// If somebody reads it.
    Pipe,
}

fn may_append(path: &Path) -> io::Result<Appending> {
    let may = |path: &Path, access| accessat(CWD, path, access, AtFlags::EACCESS);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            // Nothing is written, and so nothing changes.
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            OpenOptions::new().append(true).custom_flags(flags).open(path)?;
            Ok(Appending::Fine)
        }
        Ok(metadata) if metadata.is_dir() => Err(Errno::ISDIR.into()),
        Ok(metadata) => {
            may(path, Access::WRITE_OK)?;
            let is_pipe = metadata.file_type().is_fifo();
            Ok(if is_pipe { Appending::Pipe } else { Appending::Fine })
        }
        // With a slash at the end it can only be a directory.
        Err(_) if path.as_os_str().as_bytes().ends_with(b"/") => Err(Errno::ISDIR.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = directory_of(path);
            if !fs::metadata(&directory)?.is_dir() {
                return Err(Errno::NOTDIR.into());
            }
            may(&directory, Access::WRITE_OK | Access::EXEC_OK)?;
            Ok(Appending::Fine)
        }
        Err(error) => Err(error),
    }
}

/// The directory in which a file is; where a link leads, the one at its end.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    let end = match fs::read_link(path) {
        Ok(target) => path.parent().unwrap_or(Path::new("")).join(target),
        Err(_) => path.to_owned(),
    };
    match end.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Warns of files that the user whom the daemon becomes could not make anew once they are renamed.
fn rotations(settings: &Settings, user: (Uid, Gid)) -> Vec<Finding> {
    let (uid, gid) = user;
    let warning = |sink: &Placed<Sink>| {
        let Sink::File(path) = &sink.value else { return None };
        let is_other = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        let directory = directory_of(path);
        if is_other || privileges::may_make_files(&directory, user) {
            return None;
        }
        let what = format!(
            "once {sink} is renamed, user {uid}:{gid} cannot create it again in {}, so USR2 and \
             HUP will fail; give that user a directory of its own, or let the rotation create the \
             file (in logrotate, `create 0640 USER GROUP`)",
            directory.display(),
            uid = uid.as_raw(),
            gid = gid.as_raw(),
        );
        Some(Finding::new(Gravity::Warning, sink.place.as_ref(), what))
    };
    [&settings.logging.main, &settings.logging.client_trace]
        .into_iter()
        .filter_map(warning)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_directory_is_found_behind_a_link_and_beside_us() {
        assert_eq!(directory_of(Path::new("x.log")), Path::new("."));
        assert_eq!(directory_of(Path::new("/var/log/x.log")), Path::new("/var/log"));
        let folder = std::env::temp_dir().join(format!("tarpitd-link-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("other/x.log", folder.join("x.log")).unwrap();
        assert_eq!(directory_of(&folder.join("x.log")), folder.join("other"));
        fs::remove_dir_all(folder).unwrap();
    }
}
