//! The state directory: secrets that stay the same over starts, each in a file that only its owner
//! may read.
//!
//! The directory may belong to the user that the daemon becomes, while root starts the daemon. So
//! tarpitd does not trust it: it follows no link, opens only regular files, and gives the user no
//! file that it did not read itself.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    fs::{Access, AtFlags, CWD, OFlags, accessat},
    process::{Gid, Uid},
};

use tarpit_proto::persona::Machine;

use crate::settings::{
    Place, Placed,
    finding::{Finding, Gravity, plain},
};

/// Where an installation keeps its secrets, if anywhere.
#[derive(Clone, Debug)]
pub(crate) struct StateDir {
    path: Option<Placed<PathBuf>>,
    touch: Touch,
    /// Without a directory: the secrets that there are, by their names. They live as long as the
    /// daemon, and go on to the next one.
    memory: Arc<Mutex<Secrets>>,
}

/// Secrets, by their names.
pub(crate) type Secrets = BTreeMap<String, Vec<u8>>;

/// Whether files may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Missing files are made, and kept.
    Keep,
    /// Missing secrets are made and forgotten; tarpitd checks whether they could be kept.
    Look,
}

/// A file in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) name: &'static str,
    /// What clients see of a new one: the end of "remove it to get a new one: ".
    changes: &'static str,
}

pub(crate) const ANONYMIZE: Secret = Secret {
    name: "anonymize_key",
    changes: "clients' addresses will have other hashes than before",
};
pub(crate) const SEED: Secret = Secret {
    name: "seed",
    changes: "the machine will have another host name, and filler and session numbers differ",
};
pub(crate) const SSH_ECDSA: Secret =
    Secret { name: "ssh_host_ecdsa_key", changes: "SSH clients will see another host key" };
pub(crate) const SSH_ED25519: Secret =
    Secret { name: "ssh_host_ed25519_key", changes: "SSH clients will see another host key" };
pub(crate) const SSH_RSA: Secret =
    Secret { name: "ssh_host_rsa_key", changes: "SSH clients will see another host key" };

/// The key of a machine's certificate. Two machines with one key would be one to whoever looks.
pub(crate) const fn tls_key(machine: Machine) -> Secret {
    let name = match machine {
        Machine::Debian12 => "tls_key_debian-12",
        Machine::IpCamera => "tls_key_ip-camera",
        // The one that is played unless the owner names another.
        Machine::Ubuntu2204 => "tls_key",
        Machine::WindowsServer2019 => "tls_key_windows-server-2019",
    };
    Secret { name, changes: "TLS clients will see other certificates" }
}

/// All secrets in the directory.
const ALL: [Secret; 9] = [
    ANONYMIZE,
    SEED,
    SSH_ECDSA,
    SSH_ED25519,
    SSH_RSA,
    tls_key(Machine::Debian12),
    tls_key(Machine::IpCamera),
    tls_key(Machine::Ubuntu2204),
    tls_key(Machine::WindowsServer2019),
];

/// The file of what was counted, which is no secret.
pub(crate) const COUNTERS: &str = "counters";

/// The file of held clients, from one start to the next.
pub(crate) const HELD: &str = "held";

/// The file of what is kept of the day, which tells of no client.
pub(crate) const KEPT: &str = "kept";

/// How the name ends under which a file that is of no use is kept.
pub(crate) const UNUSABLE: &str = "unusable";

/// The names of all files in the directory.
pub(crate) fn file_names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|secret| secret.name).chain([COUNTERS, HELD, KEPT])
}

/// Every secret is shorter than this.
const LONGEST: u64 = 4_096;

/// A secret that is made later.
#[derive(Debug)]
pub(crate) enum Later<T> {
    /// It is there already.
    Kept(T),
    /// To be made, and written to this file if there is one.
    Lacking(Option<(File, PathBuf)>),
}

impl StateDir {
    pub(crate) fn new(path: Option<Placed<PathBuf>>, touch: Touch) -> Self {
        Self { path, touch, memory: Arc::default() }
    }

    /// Lets the secrets of an earlier daemon be these, where there is no directory.
    pub(crate) fn recall(&self, secrets: Secrets) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// Keeps a secret as long as the daemon runs, where there is no directory.
    pub(crate) fn remember(&self, secret: Secret, bytes: Vec<u8>) {
        if !self.is_kept() {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.insert(secret.name.to_owned(), bytes);
        }
    }

    /// The secrets that are in no file.
    pub(crate) fn remembered(&self) -> Secrets {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn recalled(&self, secret: Secret) -> Option<Vec<u8>> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(secret.name).cloned()
    }

    /// Whether anything is kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.path.is_some()
    }

    /// A file that is no secret, if it is there and shorter than `most`.
    pub(crate) fn read(&self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let (file, metadata) = match open(&self.path_of(name)) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Writes a file that is no secret, in place of an earlier one.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match &self.path {
            Some(directory) => keep(directory, name, bytes),
            None => Ok(()),
        }
    }

    /// Gives a file another name.
    fn rename(&self, name: &str, new: &str) -> io::Result<()> {
        fs::rename(self.path_of(name), self.path_of(new))
    }

    /// Keeps a file that is of no use under another name, with this `end`. Tells so, and what that
    /// costs.
    pub(crate) fn put_aside(&self, file: &str, end: &str, why: &str, cost: &str) -> Finding {
        let name = format!("{file}.{end}");
        let kept = match self.touch {
            Touch::Look => format!("a start keeps the file as {name}"),
            Touch::Keep => match self.rename(file, &name) {
                Ok(()) => format!("the file is kept as {name}"),
                Err(error) => format!("the file cannot be kept as {name}: {}", plain(&error)),
            },
        };
        let what = format!("{}: {why}: {kept}, and {cost}", self.path_of(file).display());
        Finding::new(Gravity::Warning, self.place(), what)
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path_of(name))
    }

    /// Where a file is.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.as_ref().map_or_else(|| name.into(), |directory| directory.join(name))
    }

    /// A secret, parsed by `read`. If there is none yet, `make` makes it. Without a directory it is
    /// new at each start.
    pub(crate) fn kept<T>(
        &self,
        secret: Secret,
        make: impl Fn() -> io::Result<Vec<u8>>,
        read: impl Fn(Vec<u8>) -> Result<T, String>,
    ) -> Result<T, Finding> {
        let fresh = || {
            make().map_err(|error| {
                let what = format!("cannot make {}: {}", secret.name, plain(&error));
                Finding::new(Gravity::of(&error), self.place(), what)
            })
        };
        let damaged = |why: String| self.damaged(secret, &why);
        let Some(directory) = &self.path else {
            let bytes = self.recalled(secret).map_or_else(fresh, Ok)?;
            self.remember(secret, bytes.clone());
            return read(bytes).map_err(damaged);
        };
        if let Some(bytes) = self.look(directory, secret)? {
            return read(bytes).map_err(damaged);
        }
        let bytes = fresh()?;
        let kept = match self.touch {
            Touch::Keep => keep(directory, secret.name, &bytes),
            Touch::Look => may_keep(directory),
        };
        kept.map_err(|error| self.unwritable(directory, &error))?;
        read(bytes).map_err(damaged)
    }

    /// The same for a secret that takes long to make. Only its file is opened now, since the daemon
    /// may have no right to do so later. An empty file was left by a daemon that ended while it
    /// made the secret.
    pub(crate) fn kept_later<T>(
        &self,
        secret: Secret,
        read: impl Fn(Vec<u8>) -> Result<T, String>,
    ) -> Result<Later<T>, Finding> {
        let Some(directory) = &self.path else {
            let known = self.recalled(secret).and_then(|bytes| read(bytes).ok());
            return Ok(known.map_or(Later::Lacking(None), Later::Kept));
        };
        match self.look(directory, secret)? {
            Some(bytes) if !bytes.is_empty() => {
                read(bytes).map(Later::Kept).map_err(|why| self.damaged(secret, &why))
            }
            _ => {
                let path = directory.join(secret.name);
                let opened = match self.touch {
                    Touch::Keep => create(&path).map(|file| Some((file, path))),
                    Touch::Look => may_keep(directory).map(|()| None),
                };
                opened.map(Later::Lacking).map_err(|error| self.unwritable(directory, &error))
            }
        }
    }

    /// Gives the files to the user that the daemon becomes, so that this user can start the daemon,
    /// too.
    pub(crate) fn give_to(&self, (uid, gid): (Uid, Gid)) -> io::Result<()> {
        let Some(directory) = &self.path else { return Ok(()) };
        let names = ALL.map(|secret| secret.name);
        for name in names.into_iter().chain([COUNTERS, HELD, KEPT]) {
            match open(&directory.join(name)) {
                // A file with a second name may belong to another user.
                Ok((file, metadata)) if metadata.is_file() && metadata.nlink() == 1 => {
                    rustix::fs::fchown(&file, Some(uid), Some(gid))?;
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        rustix::fs::chown(directory.as_path(), Some(uid), Some(gid))?;
        Ok(())
    }

    /// The bytes of a secret, if it is there and no other user may read or write it.
    fn look(&self, directory: &Path, secret: Secret) -> Result<Option<Vec<u8>>, Finding> {
        let path = directory.join(secret.name);
        let is_open = |mode: u32| mode & 0o002 != 0;
        if fs::metadata(directory).is_ok_and(|it| it.is_dir() && is_open(it.mode())) {
            let what = format!(
                "{0}: everybody may write to this directory: name another one, or `chmod o-w {0}`",
                directory.display()
            );
            return Err(self.refusal(what));
        }
        let trouble = |error: &io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied if fs::symlink_metadata(&path).is_err() => {
                self.unwritable(directory, error)
            }
            io::ErrorKind::PermissionDenied => self.finding(
                error,
                &path,
                &format!(
                    "{}: let it be owned by the user who starts tarpitd, or {}",
                    plain(error),
                    removed(secret)
                ),
            ),
            io::ErrorKind::NotADirectory => self.unwritable(directory, error),
            _ => self.finding(error, &path, &format!("{}: {}", plain(error), removed(secret))),
        };
        let (file, metadata) = match open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if is_link(&path) => {
                return Err(self.finding(&error, &path, &format!(
                    "this is a link, which tarpitd does not follow: put the file itself there, or \
                     {}",
                    removed(secret)
                )));
            }
            Err(error) => return Err(trouble(&error)),
        };
        if !metadata.is_file() {
            let what = format!("{}: not a regular file: {}", path.display(), removed(secret));
            return Err(self.refusal(what));
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            let what = format!(
                "{0}: others may read or write this key (mode {mode:04o}): `chmod 600 {0}`, or {1}",
                path.display(),
                removed(secret)
            );
            return Err(self.refusal(what));
        }
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).map_err(|it| trouble(&it))?;
        Ok(Some(bytes))
    }

    fn damaged(&self, secret: Secret, why: &str) -> Finding {
        let path = self.path.as_ref().map(|directory| directory.join(secret.name));
        let path = path.unwrap_or_else(|| secret.name.into());
        self.refusal(format!(
            "{}: this key is damaged ({why}): put a copy of it there, or {}",
            path.display(),
            removed(secret)
        ))
    }

    /// Says that nothing can be kept.
    fn unwritable(&self, directory: &Path, error: &io::Error) -> Finding {
        let cure = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "let the user who starts tarpitd write there, or name another directory"
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                "not a directory: name one"
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room there, or name another directory"
            }
            _ => "name a directory that tarpitd may write to",
        };
        let what = format!("cannot keep anything here: {}: {cure}", plain(error));
        self.finding(error, directory, &what)
    }

    fn refusal(&self, what: String) -> Finding {
        self.told(Gravity::Refused, what)
    }

    fn told(&self, gravity: Gravity, what: String) -> Finding {
        let what = if self.place().is_some() { what } else { format!("state_dir: {what}") };
        Finding::new(gravity, self.place(), what)
    }

    fn finding(&self, error: &io::Error, path: &Path, what: &str) -> Finding {
        self.told(Gravity::of(error), format!("{}: {what}", path.display()))
    }

    /// Where the directory is configured.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.path.as_ref().and_then(|path| path.place.as_ref())
    }
}

/// What happens if a secret is removed.
fn removed(Secret { changes, .. }: Secret) -> String {
    format!("remove it to get a new one ({changes})")
}

/// Opens a file for reading, without following a link or waiting for another process.
fn open(path: &Path) -> io::Result<(File, fs::Metadata)> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Opens an empty file for a secret to come.
fn create(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// Writes a file whole or not at all, for its owner's eyes only.
fn keep(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let draft = directory.join(format!("{name}.new"));
    // tarpitd never writes to a file that an earlier start or another user left there.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, directory.join(name))
}

/// Whether [`keep`] would succeed; changes nothing.
fn may_keep(directory: &Path) -> io::Result<()> {
    let nearest = directory.ancestors().find(|path| path.as_os_str().is_empty() || path.exists());
    let nearest = nearest.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !fs::metadata(nearest)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    accessat(CWD, nearest, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("tarpitd-{name}-{}", std::process::id()));
        DirBuilder::new().recursive(true).mode(0o700).create(&path).unwrap();
        path
    }

    fn seed(path: &Path, touch: Touch) -> Result<Vec<u8>, Finding> {
        let directory = StateDir::new(Some(path.to_owned().into()), touch);
        let read = |bytes: Vec<u8>| {
            if bytes.len() == 3 { Ok(bytes) } else { Err("it is not 3 bytes long".to_owned()) }
        };
        directory.kept(SEED, || Ok(vec![1, 2, 3]), read)
    }

    #[test]
    fn what_is_kept_is_the_same_at_the_next_start_and_nobody_else_s() {
        let path = folder("kept").join("a/b");
        assert_eq!(seed(&path, Touch::Look).unwrap(), [1, 2, 3]);
        assert!(!path.exists(), "looking makes nothing");
        seed(&path, Touch::Keep).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("seed"))), (0o700, 0o600));
        fs::write(path.join("seed"), [7, 8, 9]).unwrap();
        assert_eq!(seed(&path, Touch::Keep).unwrap(), [7, 8, 9]);
        fs::remove_dir_all(path.ancestors().nth(2).unwrap()).unwrap();
    }

    #[test]
    fn a_secret_that_cannot_be_trusted_is_reported_with_its_cure() {
        let path = folder("trust");
        let file = path.join("seed");
        let write = |mode: u32| {
            fs::write(&file, [1, 2, 3]).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        };
        let check = |wanted: &[&str]| {
            for touch in [Touch::Look, Touch::Keep] {
                let told = seed(&path, touch).unwrap_err().to_string();
                for part in wanted {
                    assert!(told.contains(part), "{part}: {told}");
                }
            }
        };
        for mode in [0o666, 0o640, 0o604, 0o602] {
            write(mode);
            check(&["others may read or write", &format!("`chmod 600 {}`", file.display())]);
        }
        fs::write(&file, "no").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        check(&["damaged (it is not 3 bytes long)", "remove it", "another host name"]);
        fs::remove_file(&file).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(CWD, &file, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        check(&["not a regular file", "remove it"]);
        fs::remove_file(&file).unwrap();
        symlink("/etc/hostname", &file).unwrap();
        check(&["this is a link", "remove it"]);
        fs::remove_file(&file).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        check(&["everybody may write to this directory", "chmod o-w"]);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_directory_that_is_none_is_told_with_a_cure_that_fits() {
        let path = folder("none");
        let file = path.join("file");
        fs::write(&file, "").unwrap();
        for touch in [Touch::Look, Touch::Keep] {
            let told = seed(&file, touch).unwrap_err().to_string();
            assert!(told.contains("not a directory: name one"), "{told}");
        }
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_draft_that_somebody_has_put_there_is_not_written_through() {
        let path = folder("draft");
        let other = path.join("other");
        fs::write(&other, "theirs").unwrap();
        symlink(&other, path.join("seed.new")).unwrap();
        seed(&path, Touch::Keep).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "theirs");
        fs::remove_dir_all(path).unwrap();
    }
}
