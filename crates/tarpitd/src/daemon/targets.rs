//! The files of log and trace: opened, or only checked.

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

use super::files::CURE;
use crate::{
    os::privileges,
    report::target::Target,
    settings::{
        Placed, Settings, Sink,
        finding::{Finding, Gravity, plain},
    },
};

const MAIN_KEY: &str = "logging.main";
const TRACE_KEY: &str = "logging.client_trace";

/// Opens the log and the trace, or reports why it cannot.
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
        Some(Errno::MFILE | Errno::NFILE) => CURE,
        Some(Errno::ACCESS | Errno::PERM) => {
            "let the user who runs tarpitd write there, or name another file"
        }
        _ => "name another file",
    };
    let what = format!("cannot open {sink} for appending: {}; {cure}", plain(error));
    let what = if sink.place.is_some() { what } else { format!("{key}: {what}") };
    Finding::new(Gravity::of(error), sink.place.as_ref(), what)
}

/// Reports why log and trace could not be opened, without making their files.
pub(super) fn look_at_both(settings: &Settings) -> Vec<Finding> {
    let logging = &settings.logging;
    let both = [(&logging.main, MAIN_KEY), (&logging.client_trace, TRACE_KEY)];
    both.into_iter().filter_map(|(sink, key)| look(sink, key)).collect()
}

/// Checks whether the file could be opened for appending, without making it.
fn look(sink: &Placed<Sink>, key: &str) -> Option<Finding> {
    let Sink::File(path) = &sink.value else { return None };
    match may_append(path) {
        Ok(Appending::Fine) => None,
        // Opening and closing the pipe would show its reader an end.
        Ok(Appending::Pipe) => Some(Finding::new(
            Gravity::Note,
            sink.place.as_ref(),
            format!("{sink} is a pipe: start its reader before tarpitd"),
        )),
        Err(error) => Some(unusable(sink, key, &error)),
    }
}

/// Under which condition lines can be appended to a file.
enum Appending {
    Fine,
    /// If a process reads it.
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
            takes_files(&directory)?;
            Ok(Appending::Fine)
        }
        Err(error) => Err(error),
    }
}

/// Fails as making a file in a directory does where the kernel shows its own state: rights do not
/// tell that no file can be made there.
fn takes_files(directory: &Path) -> io::Result<()> {
    const PROC: u64 = 0x9fa0;
    /// sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, bpf, efivarfs (linux/magic.h).
    const OTHERS: [u64; 8] = [
        0x6265_6572,
        0x0027_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0xcafe_4a11,
        0xde5e_81e4,
    ];
    // The type has another width on each architecture.
    match u64::try_from(rustix::fs::statfs(directory)?.f_type).unwrap_or(0) {
        PROC => Err(Errno::NOENT.into()),
        kind if OTHERS.contains(&kind) => Err(Errno::ACCESS.into()),
        _ => Ok(()),
    }
}

/// The directory of a file; for a link, the directory of the file to which it leads.
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

/// Warns of files that the daemon, as its new user, cannot make again after a rotation.
pub(super) fn rotations(settings: &Settings, user: (Uid, Gid)) -> Vec<Finding> {
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
