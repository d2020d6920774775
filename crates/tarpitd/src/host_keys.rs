//! The keys by which the machine's SSH server is known: kept in the state directory if there is
//! one, else new at each start. The one of RSA takes a second to make, which a thread does.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, mpsc::Sender},
    thread,
};

use tarpit_proto::{
    keys::{HostKeys, RsaKey},
    rng::Entropy,
};

use crate::{engine::Notice, identity::kept, log::Log};

/// The keys, and what is left to be done for them.
#[derive(Debug)]
pub(crate) struct Keyring {
    keys: HostKeys,
    lacking: Lacking,
}

/// What is lacking of the key of RSA.
#[derive(Debug)]
enum Lacking {
    /// All of it; it is written to this file when it is made, since there may be no right to make
    /// one by then.
    Key(Option<(File, PathBuf)>),
    /// Nothing, or it is being made.
    Nothing,
}

impl Keyring {
    /// Reads the keys, or makes those that can be made at once. To be called before rights are
    /// given up.
    pub(crate) fn open(state_dir: Option<&Path>) -> Result<Self, String> {
        let secret = |name| {
            kept(
                state_dir,
                name,
                || Ok(HostKeys::secret(&mut System).to_vec()),
                |bytes| <[u8; 32]>::try_from(bytes).map_err(|_| "it is not 32 bytes long".into()),
            )
        };
        let (ed25519, ecdsa) = (secret("ssh_host_ed25519_key")?, secret("ssh_host_ecdsa_key")?);
        let keys = HostKeys::new(ed25519, ecdsa).ok_or_else(|| {
            let path = state_dir.unwrap_or(Path::new("")).join("ssh_host_ecdsa_key");
            trouble(&path, &io::Error::other("it is no secret of the curve P-256"))
        })?;
        let Some(directory) = state_dir else {
            return Ok(Self { keys, lacking: Lacking::Key(None) });
        };
        let path = directory.join("ssh_host_rsa_key");
        let (keys, lacking) = match kept_rsa(&path).map_err(|error| trouble(&path, &error))? {
            Kept::File(file) => (keys, Lacking::Key(Some((file, path)))),
            Kept::Key(key) => (keys.with_rsa(key), Lacking::Nothing),
        };
        Ok(Self { keys, lacking })
    }

    /// Lets a thread make what is lacking; it comes as a notice.
    pub(crate) fn complete(&mut self, log: &Log, notify: &Sender<Notice>) {
        let Lacking::Key(file) = std::mem::replace(&mut self.lacking, Lacking::Nothing) else {
            return;
        };
        let (log, reporter, notify) = (log.clone(), log.clone(), notify.clone());
        let make = move || {
            let Some(key) = RsaKey::new(&mut System) else {
                log.error(format_args!("no RSA host key could be made; SSH goes on without one"));
                return;
            };
            if let Some((mut file, path)) = file {
                let written = file.write_all(&key.primes()).and_then(|()| file.sync_all());
                if let Err(error) = written {
                    log.error(format_args!(
                        "{}: {error}; the RSA host key will be another after the next start",
                        path.display()
                    ));
                }
            }
            // Without a daemon nobody needs it.
            let _ = notify.send(Notice::RsaKey(Arc::new(key)));
        };
        let thread = thread::Builder::new().name("host key".to_owned()).spawn(make);
        if let Err(error) = thread {
            reporter.error(format_args!("no thread for the RSA host key: {error}"));
        }
    }

    /// Takes the key of RSA in.
    pub(crate) fn add(&mut self, rsa: Arc<RsaKey>) {
        self.keys = self.keys.with_rsa(rsa);
    }

    /// The keys that there are.
    pub(crate) fn keys(&self) -> &HostKeys {
        &self.keys
    }
}

/// What there is of the key of RSA.
enum Kept {
    /// Where to write it.
    File(File),
    Key(Arc<RsaKey>),
}

/// The key that is kept in this file. A file that is shorter than a key was left by a daemon that
/// ended while it made one, and is written anew.
fn kept_rsa(path: &Path) -> io::Result<Kept> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes).map(drop)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if bytes.len() < RsaKey::SAVED {
        return create(path).map(Kept::File);
    }
    let key = RsaKey::from_primes(&bytes);
    key.map(|key| Kept::Key(Arc::new(key)))
        .ok_or_else(|| io::Error::other("it holds no two primes of a key"))
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn trouble(path: &Path, error: &io::Error) -> String {
    format!(
        "state_dir: {}: {error}; make it readable, or remove it to get a new one",
        path.display()
    )
}

/// The kernel's randomness.
struct System;

impl Entropy for System {
    fn fill(&mut self, out: &mut [u8]) {
        let mut rest = out;
        while !rest.is_empty() {
            match rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()) {
                Ok(count) => rest = &mut rest[count..],
                Err(rustix::io::Errno::INTR) => {}
                // Keys of anything else would be no secret.
                Err(error) => panic!("no randomness from the system: {error}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn keys_are_the_same_after_the_next_start_and_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = std::env::temp_dir().join(format!("tarpitd-keys-{}", std::process::id()));
        let first = Keyring::open(Some(&directory)).unwrap();
        assert!(matches!(first.lacking, Lacking::Key(Some(_))));
        for name in ["ssh_host_ed25519_key", "ssh_host_ecdsa_key", "ssh_host_rsa_key"] {
            let path = directory.join(name);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        let secret = fs::read(directory.join("ssh_host_ed25519_key")).unwrap();
        Keyring::open(Some(&directory)).unwrap();
        assert_eq!(fs::read(directory.join("ssh_host_ed25519_key")).unwrap(), secret);
        for (name, bytes) in [
            ("ssh_host_rsa_key", &[0; RsaKey::SAVED][..]),
            ("ssh_host_ecdsa_key", &[0xFF; 32]),
            ("ssh_host_ed25519_key", b"short"),
        ] {
            fs::write(directory.join(name), bytes).unwrap();
            let problem = Keyring::open(Some(&directory)).err().unwrap();
            assert!(problem.contains(name) && problem.contains("remove it"), "{problem}");
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
