//! SSH host keys: kept in the state directory if there is one, else new at each start. A thread
//! makes the RSA key, since that takes a second.

use std::{fs::File, io::Write as _, path::PathBuf, sync::Arc, thread};

use tarpit_proto::{
    keys::{HostKeys, RsaKey},
    persona::{Machine, Persona},
};

use crate::{
    keys::state_dir::{Later, SSH_ECDSA, SSH_ED25519, SSH_RSA, StateDir},
    os::entropy::System,
    settings::finding::{Finding, Gravity},
};

/// The keys, and the RSA key that may still be missing.
#[derive(Debug)]
pub(crate) struct Keyring {
    keys: HostKeys,
    lacking: Lacking,
}

/// Whether the RSA key must still be made.
#[derive(Debug)]
enum Lacking {
    /// It must be made. The file for it is open already, since the daemon may have no right to make
    /// one later.
    Key(Option<(File, PathBuf)>),
    /// No: it is there, or being made.
    Nothing,
}

/// The result of making the RSA key.
#[derive(Debug)]
pub(crate) enum Completion {
    Key(Arc<RsaKey>),
    /// Something failed; a sentence for the log.
    Problem(String),
}

impl Keyring {
    /// Reads the keys, or makes those that can be made at once. Call it before the daemon drops its
    /// rights.
    pub(crate) fn open(state_dir: &StateDir) -> Result<Self, Vec<Finding>> {
        let secret = |secret, is_key: fn([u8; 32]) -> bool| {
            let make = || Ok(HostKeys::secret(&mut System).to_vec());
            let read = |bytes: Vec<u8>| {
                let bytes = <[u8; 32]>::try_from(bytes);
                let bytes = bytes.map_err(|_| "it is not 32 bytes long".to_owned())?;
                if is_key(bytes) {
                    Ok(bytes)
                } else {
                    Err("it is not a key of this kind".to_owned())
                }
            };
            state_dir.kept(secret, make, read)
        };
        let ed25519 = secret(SSH_ED25519, |_| true);
        let ecdsa = secret(SSH_ECDSA, |bytes| HostKeys::new([0; 32], bytes).is_some());
        let rsa = state_dir.kept_later(SSH_RSA, |bytes| {
            if ![RsaKey::SAVED_SHORT, RsaKey::SAVED_LONG].contains(&bytes.len()) {
                let (short, long) = (RsaKey::SAVED_SHORT, RsaKey::SAVED_LONG);
                return Err(format!("it is neither {short} nor {long} bytes long"));
            }
            RsaKey::from_primes(&bytes)
                .ok_or_else(|| "it does not contain two primes of a key".into())
        });
        let (ed25519, ecdsa, rsa) = match (ed25519, ecdsa, rsa) {
            (Ok(ed25519), Ok(ecdsa), Ok(rsa)) => (ed25519, ecdsa, rsa),
            (ed25519, ecdsa, rsa) => {
                let all = [ed25519.err(), ecdsa.err(), rsa.err()];
                return Err(all.into_iter().flatten().collect());
            }
        };
        let keys = HostKeys::new(ed25519, ecdsa).ok_or_else(|| {
            vec![Finding::new(Gravity::Refused, None, "cannot use the SSH host keys")]
        })?;
        Ok(match rsa {
            Later::Kept(key) => {
                Self { keys: keys.with_rsa(Arc::new(key)), lacking: Lacking::Nothing }
            }
            Later::Lacking(file) => Self { keys, lacking: Lacking::Key(file) },
        })
    }

    /// Starts a thread that makes the missing key, as the persona's host has it, and reports the
    /// result.
    pub(crate) fn complete(
        &mut self,
        persona: &Persona,
        tell: impl Fn(Completion) + Clone + Send + 'static,
    ) {
        let bits = rsa_bits(persona);
        let Lacking::Key(file) = std::mem::replace(&mut self.lacking, Lacking::Nothing) else {
            return;
        };
        let of_thread = tell.clone();
        let make = move || {
            let Some(key) = RsaKey::new(bits, &mut System) else {
                let what = "cannot make an RSA host key; SSH continues without one";
                return of_thread(Completion::Problem(what.to_owned()));
            };
            if let Some((mut file, path)) = file {
                let written = file.write_all(&key.primes()).and_then(|()| file.sync_all());
                if let Err(error) = written {
                    of_thread(Completion::Problem(format!(
                        "{}: {error}; the RSA host key will change at the next start",
                        path.display()
                    )));
                }
            }
            of_thread(Completion::Key(Arc::new(key)));
        };
        let thread = thread::Builder::new().name("host key".to_owned()).spawn(make);
        if let Err(error) = thread {
            tell(Completion::Problem(format!(
                "cannot start a thread for the RSA host key: {error}; SSH continues without one"
            )));
        }
    }

    /// Adds the RSA key.
    pub(crate) fn add(&mut self, rsa: Arc<RsaKey>) {
        self.keys = self.keys.with_rsa(rsa);
    }

    /// The keys that there are.
    pub(crate) fn keys(&self) -> &HostKeys {
        &self.keys
    }
}

/// The size of the key that the SSH server of this persona makes when it is installed.
fn rsa_bits(persona: &Persona) -> u32 {
    match persona.machine() {
        // OpenSSH since 8.0.
        Machine::Debian12 | Machine::Ubuntu2204 => RsaKey::LONG,
        Machine::IpCamera | Machine::WindowsServer2019 => RsaKey::SHORT,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc};

    use tarpit_proto::rng::Seed;

    use super::*;
    use crate::keys::state_dir::Touch;

    #[test]
    fn the_key_of_rsa_is_as_long_as_the_personas_release_makes_it() {
        for (persona, length) in [
            ("debian-12", RsaKey::SAVED_LONG),
            ("ip-camera", RsaKey::SAVED_SHORT),
            ("ubuntu-22.04", RsaKey::SAVED_LONG),
            ("windows-server-2019", RsaKey::SAVED_SHORT),
        ] {
            let mut keyring = Keyring::open(&StateDir::new(None, Touch::Keep)).unwrap();
            let (tell, told) = mpsc::channel();
            let persona = Persona::named(persona, &Seed([1; 32])).unwrap();
            keyring.complete(&persona, move |completion| tell.send(completion).unwrap());
            let Completion::Key(key) = told.recv().unwrap() else { panic!("it was not made") };
            assert_eq!(key.primes().len(), length, "{}", persona.host());
            assert!(RsaKey::from_primes(&key.primes()).is_some());
        }
    }

    #[test]
    fn keys_are_the_same_after_the_next_start_and_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = std::env::temp_dir().join(format!("tarpitd-keys-{}", std::process::id()));
        let state_dir = StateDir::new(Some(directory.clone().into()), Touch::Keep);
        let first = Keyring::open(&state_dir).unwrap();
        assert!(matches!(first.lacking, Lacking::Key(Some(_))));
        for name in ["ssh_host_ed25519_key", "ssh_host_ecdsa_key", "ssh_host_rsa_key"] {
            let path = directory.join(name);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        let secret = fs::read(directory.join("ssh_host_ed25519_key")).unwrap();
        Keyring::open(&state_dir).unwrap();
        assert_eq!(fs::read(directory.join("ssh_host_ed25519_key")).unwrap(), secret);
        for (name, bytes) in [
            ("ssh_host_rsa_key", &[0; RsaKey::SAVED_SHORT][..]),
            ("ssh_host_rsa_key", &[0; RsaKey::SAVED_LONG]),
            ("ssh_host_rsa_key", &[7; RsaKey::SAVED_SHORT - 1]),
            ("ssh_host_rsa_key", b"x"),
            ("ssh_host_ecdsa_key", &[0xFF; 32]),
            ("ssh_host_ed25519_key", b"short"),
            ("ssh_host_ed25519_key", b""),
        ] {
            fs::write(directory.join(name), bytes).unwrap();
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o600)).unwrap();
            let problems = Keyring::open(&state_dir).err().unwrap();
            let [problem] = &problems[..] else { panic!("{problems:?}") };
            let problem = problem.to_string();
            for part in [name, "damaged", "remove it to get a new one (SSH clients will see"] {
                assert!(problem.contains(part), "{problem}");
            }
            assert_eq!(fs::read(directory.join(name)).unwrap(), bytes, "it is not made anew");
            fs::remove_file(directory.join(name)).unwrap();
        }
        for name in ["ssh_host_ed25519_key", "ssh_host_ecdsa_key", "ssh_host_rsa_key"] {
            fs::write(directory.join(name), b"x").unwrap();
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert_eq!(Keyring::open(&state_dir).err().unwrap().len(), 3, "all at once");
        fs::remove_dir_all(&directory).unwrap();
    }
}
