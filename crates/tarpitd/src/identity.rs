//! Who this installation is: its secrets, kept in the state directory, and what they make of a
//! tarpit's settings.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, mpsc::Sender},
};

use rustix::process::{Gid, Uid};
use rustls::sign::CertifiedKey;
use tarpit_proto::{
    keys::{HostKeys, RsaKey},
    persona::Persona,
    rng::Seed,
    script::Profile,
};

use crate::{
    certificates::{self, Certificates, Unusable},
    clock::Clock,
    config::{Certificate, Tarpit},
    engine::Notice,
    host_keys::Keyring,
    log::Log,
};

/// The secrets of an installation. The same after every start if there is a state directory.
///
/// Those that only some patterns show are read or made when the first tarpit needs them, or by
/// [`Identity::open_all`].
#[derive(Debug)]
pub(crate) struct Identity {
    /// Of all generators.
    pub(crate) seed: Seed,
    state_dir: Option<PathBuf>,
    clock: Clock,
    certificates: OnceCell<Arc<Certificates>>,
    /// The owner's certificates, as they were read last: rights to read them may have been given
    /// up since.
    own: RefCell<HashMap<Certificate, Arc<CertifiedKey>>>,
    /// Of SSH.
    keyring: OnceCell<Keyring>,
}

impl Identity {
    /// Reads the secret that all need, or makes it; says what is in the way.
    pub(crate) fn open(state_dir: Option<&Path>, clock: Clock) -> Result<Self, String> {
        let seed = kept(
            state_dir,
            "seed",
            || random().map(|seed| seed.to_vec()),
            |bytes| bytes.try_into().map(Seed).map_err(|_| "it is not 32 bytes long".to_owned()),
        )?;
        Ok(Self {
            seed,
            state_dir: state_dir.map(Path::to_owned),
            clock,
            certificates: OnceCell::new(),
            own: RefCell::default(),
            keyring: OnceCell::new(),
        })
    }

    /// What clients of `tarpit` are held under; says what is in the way.
    pub(crate) fn profile(&self, tarpit: &Tarpit) -> Result<Profile, String> {
        let seed = &self.seed;
        // The configuration holds no other names; the default stands in all the same.
        let persona =
            Persona::named(tarpit.persona, seed).unwrap_or_else(|| Persona::default_for(seed));
        // Whatever the owner has named is looked at, also where it is of no use.
        let own = tarpit.certificate.as_ref().map(|files| self.own(&tarpit.name, files));
        let own = own.transpose()?;
        let mut profile = Profile {
            rate: tarpit.rate,
            validate: tarpit.client_validation,
            poison: tarpit.poison,
            strict_lock: tarpit.strict_lock,
            inner: tarpit.inner,
            passive_address: tarpit.passive_address,
            ..Profile::new(tarpit.pattern, persona)
        };
        if profile.any_pattern(|it| it.secures()) {
            profile.tls = Some(self.certificates()?.tls(tarpit, own, profile.persona.host())?);
        }
        if profile.any_pattern(|it| it.shows_host_keys()) {
            profile.host_keys = Some(self.keyring()?.keys().clone());
        }
        Ok(profile)
    }

    /// Reads or makes all that a tarpit may need some day, while there is the right to do so.
    pub(crate) fn open_all(&self) -> Result<(), String> {
        self.certificates()?;
        self.keyring().map(drop)
    }

    fn certificates(&self) -> Result<&Arc<Certificates>, String> {
        once(&self.certificates, || {
            let made = kept(
                self.state_dir.as_deref(),
                "tls_key",
                || Certificates::fresh(self.clock, random()?).map_err(io::Error::other),
                |kept| Certificates::read(&kept),
            );
            made.map(Arc::new)
        })
    }

    fn keyring(&self) -> Result<&Keyring, String> {
        once(&self.keyring, || Keyring::open(self.state_dir.as_deref()))
    }

    /// The host keys that there are, if they were needed.
    pub(crate) fn host_keys(&self) -> Option<HostKeys> {
        self.keyring.get().map(|keyring| keyring.keys().clone())
    }

    /// Takes in the host key that takes a while to make.
    pub(crate) fn add(&mut self, rsa: Arc<RsaKey>) {
        if let Some(keyring) = self.keyring.get_mut() {
            keyring.add(rsa);
        }
    }

    /// Lets that host key be made if it is lacking.
    pub(crate) fn complete_keys(&mut self, log: &Log, notify: &Sender<Notice>) {
        if let Some(keyring) = self.keyring.get_mut() {
            keyring.complete(log, notify);
        }
    }

    /// The owner's certificate as it is now, or as it was when it could be read.
    fn own(&self, tarpit: &str, files: &Certificate) -> Result<Arc<CertifiedKey>, String> {
        let mut known = self.own.borrow_mut();
        match certificates::load(files) {
            Ok(read) => Ok(Arc::clone(known.entry(files.clone()).insert_entry(read).get())),
            Err(Unusable { kind: io::ErrorKind::PermissionDenied, .. })
                if known.contains_key(files) =>
            {
                Ok(Arc::clone(&known[files]))
            }
            Err(Unusable { what, .. }) => Err(format!("{tarpit}: {what}")),
        }
    }
}

/// What is in the cell, or what is made for it when it is first asked for.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, String>) -> Result<&T, String> {
    if let Some(known) = cell.get() {
        return Ok(known);
    }
    let new = make()?;
    Ok(cell.get_or_init(|| new))
}

/// The names of all files in the state directory.
const KEPT: [&str; 5] =
    ["seed", "ssh_host_ecdsa_key", "ssh_host_ed25519_key", "ssh_host_rsa_key", "tls_key"];

/// Lets the user whom the daemon becomes have what is kept, so that it can also be started by that
/// user.
pub(crate) fn give_to(state_dir: &Path, (uid, gid): (Uid, Gid)) -> io::Result<()> {
    let files = KEPT.iter().map(|name| state_dir.join(name)).filter(|path| path.exists());
    for path in files.chain([state_dir.to_owned()]) {
        rustix::fs::chown(&path, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// Bytes that nobody can guess.
fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What `read` makes of the file `name` in the state directory. If there is none yet `make` makes
/// it; without a directory it is new at each start.
pub(crate) fn kept<T>(
    state_dir: Option<&Path>,
    name: &str,
    make: impl Fn() -> io::Result<Vec<u8>>,
    read: impl Fn(Vec<u8>) -> Result<T, String>,
) -> Result<T, String> {
    let Some(directory) = state_dir else {
        return make().map_err(|error| format!("{name}: {error}")).and_then(read);
    };
    let path = directory.join(name);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make().and_then(|bytes| keep(directory, name, &bytes).map(|()| bytes))
        }
        other => other,
    };
    bytes.map_err(|error| error.to_string()).and_then(read).map_err(|problem| {
        format!(
            "state_dir: {}: {problem}; make it readable, or remove it to get a new one",
            path.display()
        )
    })
}

/// Writes a file whole or not at all, for its owner's eyes only.
pub(crate) fn keep(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let draft = directory.join(format!("{name}.new"));
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_kept_is_the_same_at_the_next_start_and_nobody_else_s() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = std::env::temp_dir().join(format!("tarpit-{}", std::process::id()));
        let seed = || {
            let identity = Identity::open(Some(&directory), Clock::start()).unwrap();
            (identity.seed.0, identity.certificates().unwrap().key().to_vec())
        };
        assert!(seed() == seed());
        for name in ["seed", "tls_key"] {
            let mode = fs::metadata(directory.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        fs::write(directory.join("tls_key"), "nonsense").unwrap();
        let identity = Identity::open(Some(&directory), Clock::start()).unwrap();
        let problem = identity.certificates().unwrap_err();
        assert!(problem.contains("tls_key") && problem.contains("remove it"), "{problem}");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn secrets_are_there_for_whatever_shows_them_and_for_nothing_else() {
        let kept = std::env::temp_dir().join(format!("tarpit-lazy-{}", std::process::id()));
        fs::create_dir_all(&kept).unwrap();
        let identity = Identity::open(Some(&kept), Clock::start()).unwrap();
        let profile = |lines: &str| {
            let text = format!("[tarpits.a]\n{lines}\nbind = [{{ host = '::1', port = 1 }}]\n");
            let config = Config::parse("x", &text).unwrap();
            let Profile { tls, host_keys, .. } = identity.profile(&config.tarpits[0]).unwrap();
            (tls.is_some(), host_keys.is_some())
        };
        assert_eq!(profile("pattern = 'http_hold'"), (false, false));
        let names = || fs::read_dir(&kept).unwrap().count();
        assert_eq!(names(), 1, "the seed alone");
        for (lines, wanted) in [
            ("pattern = 'smtp_hold'", (true, false)),
            ("pattern = 'ssh_auth_hold'", (false, true)),
            ("pattern = 'auto'", (true, true)),
            ("pattern = 'tls'", (true, false)),
            ("pattern = 'tls'\ninner = 'ssh_auth_hold'", (true, true)),
            ("pattern = 'endlessh'", (false, false)),
        ] {
            assert_eq!(profile(lines), wanted, "{lines}");
        }
        assert_eq!(names(), KEPT.len());
        fs::remove_dir_all(kept).unwrap();
    }
}
