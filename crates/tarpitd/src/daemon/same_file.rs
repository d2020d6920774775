//! Files of the settings that are one and the same: what is written to one would damage the other.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf, absolute},
};

use rustix::fs::{FileType, fstat};

use super::targets::directory_of;
use crate::{
    keys::state_dir,
    settings::{
        Certificate, Place, Placed, Settings, Sink,
        finding::{Finding, Gravity},
    },
};

/// Identifies a file whatever its path.
#[derive(PartialEq, Eq)]
pub(super) enum FileId {
    /// Its device and inode.
    Node(u64, u64),
    /// The path of one that is not there yet, without links.
    Path(PathBuf),
}

impl FileId {
    /// The file behind a sink; `None` if lines of log and trace may share it.
    pub(super) fn of_sink(sink: &Sink) -> Option<Self> {
        let stream = |stat: rustix::fs::Stat| {
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            is_file.then_some(Self::Node(stat.st_dev, stat.st_ino))
        };
        match sink {
            Sink::File(path) => Self::of(path),
            Sink::Stderr => stream(fstat(rustix::stdio::stderr()).ok()?),
            Sink::Stdout => stream(fstat(rustix::stdio::stdout()).ok()?),
        }
    }

    /// The file at a path; `None` for a device, which does not mix what is written to it.
    fn of(path: &Path) -> Option<Self> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() || metadata.file_type().is_fifo() => {
                Some(Self::Node(metadata.dev(), metadata.ino()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let target = fs::read_link(path);
                let name = target.as_deref().unwrap_or(path).file_name()?;
                let folder = absolute(directory_of(path)).ok()?;
                // The start may make some of its folders.
                let real = |above: &Path| {
                    Some(fs::canonicalize(above).ok()?.join(folder.strip_prefix(above).ok()?))
                };
                Some(Self::Path(folder.ancestors().find_map(real)?.join(name)))
            }
            _ => None,
        }
    }
}

/// A file that the settings name.
struct Named<'a> {
    /// What names it: a key or an option.
    key: String,
    place: Option<&'a Place>,
    path: PathBuf,
}

impl<'a> Named<'a> {
    fn new(key: &str, place: Option<&'a Place>, path: &Path) -> Self {
        Self { key: key.to_owned(), place, path: path.to_owned() }
    }
}

/// Reports log, trace and the file of `--pid-file` that are another file of the settings, too.
/// Files that are only read may be one: tarpits share certificates, and a PEM file may have both a
/// certificate and its key.
pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    let written = written(settings);
    let others = others(settings);
    let mut findings = Vec::new();
    for (number, one) in written.iter().enumerate() {
        // Log and trace have a finding of their own.
        let later = written.iter().skip(number + 1).filter(|it| it.key == PID_FILE);
        let id = FileId::of(&one.path);
        let same = later.chain(&others).find(|it| id.is_some() && FileId::of(&it.path) == id);
        if let Some(same) = same {
            let at = same.place.map(|place| format!(" ({place})")).unwrap_or_default();
            let what = format!(
                "`{}` is the same file as {}{at}, {}: name another one",
                one.key,
                same.key,
                same.path.display()
            );
            findings.push(Finding::new(Gravity::Wrong, one.place, what));
        }
    }
    findings
}

/// As the command line has it.
const PID_FILE: &str = "--pid-file";

/// The files that tarpitd writes to.
fn written(settings: &Settings) -> Vec<Named<'_>> {
    let logging = &settings.logging;
    let mut all = Vec::new();
    for (key, sink) in [("client_trace", &logging.client_trace), ("main", &logging.main)] {
        if let Sink::File(path) = &sink.value {
            all.push(Named::new(key, sink.place.as_ref(), path));
        }
    }
    all.extend(settings.pid_file.as_ref().map(|path| Named::new(PID_FILE, None, path)));
    all
}

/// The files that tarpitd reads, and those that it keeps.
fn others(settings: &Settings) -> Vec<Named<'_>> {
    let mut all = Vec::new();
    all.extend(settings.file.as_ref().map(|path| Named::new("the configuration", None, path)));
    for tarpit in &settings.tarpits {
        let Some(Certificate { cert, key }) = &tarpit.certificate else { continue };
        for (name, file) in [("`cert`", cert), ("`key`", key)] {
            all.push(Named::new(name, file.place.as_ref(), file));
        }
    }
    for Placed { value, place } in &settings.geoip {
        all.push(Named::new("a database of `[geoip]`", place.as_ref(), value));
    }
    if let Some(Placed { value, place }) = &settings.state_dir {
        let kept = state_dir::file_names().map(|name| value.join(name));
        all.extend(kept.map(|path| Named::new("a file of `state_dir`", place.as_ref(), &path)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn what_tarpitd_writes_to_is_no_other_file_of_the_settings() {
        let folder = std::env::temp_dir().join(format!("tarpitd-same-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        for name in ["c.pem", "a.mmdb", "c.toml"] {
            fs::write(folder.join(name), "").unwrap();
        }
        fs::hard_link(folder.join("c.pem"), folder.join("hard")).unwrap();
        std::os::unix::fs::symlink("c.toml", folder.join("soft")).unwrap();
        for (trace, wanted) in [
            ("c.pem", Some("`client_trace` is the same file as `cert` (x:5:8)")),
            ("hard", Some("`client_trace` is the same file as `cert` (x:5:8)")),
            ("a.mmdb", Some("`client_trace` is the same file as a database of `[geoip]`")),
            ("soft", Some("`client_trace` is the same file as the configuration")),
            ("not/yet/seed", Some("`client_trace` is the same file as a file of `state_dir`")),
            ("not/yet/./kept", Some("`client_trace` is the same file as a file of `state_dir`")),
            ("pid", Some("`client_trace` is the same file as --pid-file")),
            ("log", None),
            ("not/yet/trace", None),
        ] {
            let text = format!(
                "state_dir = '{}'\n[tarpits.a]\npattern = 'tls'\nbind = '127.0.0.1:1'\n\
                 cert = '{pem}'\nkey = '{pem}'\n[geoip]\ndatabases = ['{}', '{1}']\n[logging]\n\
                 client_trace = '{}'\nmain = '{}'",
                at("not/yet"),
                at("a.mmdb"),
                at(trace),
                at("log"),
                pem = at("c.pem"),
            );
            let mut settings = config::parse("x", &text).unwrap();
            settings.file = Some(folder.join("c.toml"));
            settings.pid_file = Some(folder.join("pid"));
            let found: Vec<_> = findings(&settings).iter().map(ToString::to_string).collect();
            match wanted {
                None => assert_eq!(found, [""; 0]),
                Some(wanted) => {
                    assert_eq!(found.len(), 1, "{trace}: {found:?}");
                    assert!(found[0].starts_with("x:10:16: "), "{found:?}");
                    assert!(found[0].contains(wanted), "{found:?}");
                }
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
