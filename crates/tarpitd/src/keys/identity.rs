//! The installation's identity: its secrets, kept in the state directory, and the profiles that
//! follow from them and a tarpit's settings.

use std::{
    cell::{OnceCell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
};

use rustix::process::{Gid, Uid};
use rustls::sign::CertifiedKey;
use tarpit_proto::{
    keys::{HostKeys, RsaKey},
    persona::{Machine, Persona},
    rng::Seed,
    script::Profile,
};

use crate::{
    keys::{
        certificates::{self, Certificates},
        host_keys::{Completion, Keyring},
        state_dir::{ANONYMIZE, SEED, SSH_RSA, StateDir, tls_key},
    },
    os::{
        clock::Clock,
        entropy::{HashMap, random},
    },
    settings::{
        Certificate, Tarpit,
        finding::{Finding, Gravity},
    },
};

/// The secrets of an installation. The same after every start if there is a state directory.
///
/// Secrets for some patterns only are read or made when the first tarpit needs them, or by
/// [`Identity::open_all`].
#[derive(Debug)]
pub(crate) struct Identity {
    /// Of all generators.
    pub(crate) seed: Seed,
    state_dir: StateDir,
    clock: Clock,
    /// Of each machine that is played.
    certificates: RefCell<Vec<(Machine, Rc<Certificates>)>>,
    /// The owner's certificates as they were read last, since the daemon may have dropped the right
    /// to read them.
    own: RefCell<HashMap<Certificate, Arc<CertifiedKey>>>,
    /// Of SSH.
    keyring: OnceCell<Keyring>,
    anonymize_key: OnceCell<[u8; 32]>,
}

impl Identity {
    /// Reads or makes the secret that every tarpit needs, or says why it cannot.
    pub(crate) fn open(state_dir: StateDir, clock: Clock) -> Result<Self, Finding> {
        let seed = state_dir.kept(
            SEED,
            || Ok(random::<32>().to_vec()),
            |bytes| bytes.try_into().map(Seed).map_err(|_| "it is not 32 bytes long".to_owned()),
        )?;
        Ok(Self::of(seed, state_dir, clock))
    }

    /// An identity without a secret of its own, to find other errors.
    pub(crate) fn to_look(state_dir: StateDir, clock: Clock) -> Self {
        Self::of(Seed([0; 32]), state_dir, clock)
    }

    fn of(seed: Seed, state_dir: StateDir, clock: Clock) -> Self {
        Self {
            seed,
            state_dir,
            clock,
            certificates: RefCell::default(),
            own: RefCell::default(),
            keyring: OnceCell::new(),
            anonymize_key: OnceCell::new(),
        }
    }

    /// The profile of clients of `tarpit`, or the errors.
    pub(crate) fn profile(&self, tarpit: &Tarpit) -> Result<Profile, Vec<Finding>> {
        let seed = &self.seed;
        // The configuration has checked the name; the default is for completeness.
        let persona =
            Persona::named(tarpit.persona, seed).unwrap_or_else(|| Persona::default_for(seed));
        let mut problems = Vec::new();
        // A certificate that the configuration names is read even where the pattern shows none: so
        // a wrong path is told of.
        let own = tarpit
            .certificate
            .as_ref()
            .and_then(|files| self.own(&tarpit.name, files).map_err(|it| problems.extend(it)).ok());
        let mut profile = Profile {
            rate: tarpit.rate,
            validate: tarpit.client_validation,
            poison: tarpit.poison,
            strict_lock: tarpit.strict_lock,
            inner: tarpit.inner,
            passive_address: tarpit.passive_address,
            ..Profile::new(tarpit.pattern, persona)
        };
        if profile.any_pattern(|it| it.uses().tls) {
            let refused = |what| Finding::new(Gravity::Refused, None, what);
            let tls = self.certificates(profile.persona.machine()).and_then(|certificates| {
                certificates.tls(tarpit, own, &profile.persona).map_err(refused)
            });
            profile.tls = tls.map_err(|it| problems.push(it)).ok();
        }
        if profile.any_pattern(|it| it.uses().host_keys) {
            let keys = self.keyring().map(|keyring| keyring.keys().clone());
            profile.host_keys = keys.map_err(|it| problems.extend(it)).ok();
        }
        if problems.is_empty() { Ok(profile) } else { Err(problems) }
    }

    /// Reads or makes everything that a tarpit may ever need, while the daemon has the right to.
    pub(crate) fn open_all(&self) -> Vec<Finding> {
        let personas = Persona::names().filter_map(|name| Persona::named(name, &self.seed));
        let certificates = personas.filter_map(|it| self.certificates(it.machine()).err());
        self.keyring().err().unwrap_or_default().into_iter().chain(certificates).collect()
    }

    /// The key under which clients' addresses are hashed.
    pub(crate) fn anonymize_key(&self) -> Result<[u8; 32], Finding> {
        let key = once(&self.anonymize_key, || {
            self.state_dir.kept(
                ANONYMIZE,
                || Ok(random::<32>().to_vec()),
                |bytes| bytes.try_into().map_err(|_| "it is not 32 bytes long".to_owned()),
            )
        });
        key.copied()
    }

    /// Gives the files to the user that the daemon becomes.
    pub(crate) fn give_to(&self, user: (Uid, Gid)) -> io::Result<()> {
        self.state_dir.give_to(user)
    }

    /// Where it is kept, if anywhere.
    pub(crate) fn state_dir(&self) -> &StateDir {
        &self.state_dir
    }

    /// Whether anything is kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.state_dir.is_kept()
    }

    /// A machine's key, and the certificate for it.
    fn certificates(&self, machine: Machine) -> Result<Rc<Certificates>, Finding> {
        let mut known = self.certificates.borrow_mut();
        if let Some((_, known)) = known.iter().find(|(known, _)| *known == machine) {
            return Ok(Rc::clone(known));
        }
        let make = || Certificates::fresh(self.clock, random()).map_err(io::Error::other);
        let read = |kept: Vec<u8>| Certificates::read(&kept);
        let new = Rc::new(self.state_dir.kept(tls_key(machine), make, read)?);
        known.push((machine, Rc::clone(&new)));
        Ok(new)
    }

    fn keyring(&self) -> Result<&Keyring, Vec<Finding>> {
        once(&self.keyring, || Keyring::open(&self.state_dir))
    }

    /// The host keys that there are, if they were needed.
    pub(crate) fn host_keys(&self) -> Option<HostKeys> {
        self.keyring.get().map(|keyring| keyring.keys().clone())
    }

    /// Takes in the host key that takes a while to make.
    pub(crate) fn add(&mut self, rsa: Arc<RsaKey>) {
        self.state_dir.remember(SSH_RSA, rsa.primes());
        if let Some(keyring) = self.keyring.get_mut() {
            keyring.add(rsa);
        }
    }

    /// Lets that host key be made if it is lacking, as the persona's host has it.
    pub(crate) fn complete_keys(
        &mut self,
        persona: &Persona,
        tell: impl Fn(Completion) + Clone + Send + 'static,
    ) {
        if let Some(keyring) = self.keyring.get_mut() {
            keyring.complete(persona, tell);
        }
    }

    /// The owner's certificate as it is now, or as it was when it could last be read.
    fn own(&self, tarpit: &str, files: &Certificate) -> Result<Arc<CertifiedKey>, Vec<Finding>> {
        let mut known = self.own.borrow_mut();
        match certificates::load(tarpit, files) {
            Ok(read) => Ok(Arc::clone(known.entry(files.clone()).insert_entry(read).get())),
            Err(findings)
                if findings.iter().all(|finding| finding.gravity == Gravity::Rights)
                    && known.contains_key(files) =>
            {
                Ok(Arc::clone(&known[files]))
            }
            Err(findings) => Err(findings),
        }
    }
}

/// The cell's value, made when it is first needed.
fn once<T, E>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
    if let Some(known) = cell.get() {
        return Ok(known);
    }
    let new = make()?;
    Ok(cell.get_or_init(|| new))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{config, keys::state_dir::Touch};

    #[test]
    fn keys_of_tls_are_the_same_at_the_next_start() {
        let directory = std::env::temp_dir().join(format!("tarpit-{}", std::process::id()));
        let state_dir = StateDir::new(Some(directory.clone().into()), Touch::Keep);
        let keys = || {
            let identity = Identity::open(state_dir.clone(), Clock::start()).unwrap();
            let key = |machine| identity.certificates(machine).unwrap().key().to_vec();
            (identity.seed.0, key(Machine::Ubuntu2204), key(Machine::Debian12))
        };
        let (seed, usual, other) = keys();
        assert!(usual != other, "each machine has its own");
        assert!(keys() == (seed, usual, other));
        fs::write(directory.join("tls_key"), "nonsense").unwrap();
        let identity = Identity::open(state_dir, Clock::start()).unwrap();
        let problem = identity.certificates(Machine::Ubuntu2204).unwrap_err().to_string();
        for part in ["tls_key", "damaged", "remove it", "other certificates"] {
            assert!(problem.contains(part), "{problem}");
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn secrets_are_there_for_whatever_shows_them_and_for_nothing_else() {
        let kept = std::env::temp_dir().join(format!("tarpit-lazy-{}", std::process::id()));
        let state_dir = StateDir::new(Some(kept.clone().into()), Touch::Keep);
        let identity = Identity::open(state_dir, Clock::start()).unwrap();
        let profile = |lines: &str| {
            let text = format!("[tarpits.a]\n{lines}\nbind = [{{ host = '::1', port = 1 }}]\n");
            let settings = config::parse("x", &text).unwrap();
            let Profile { tls, host_keys, .. } = identity.profile(&settings.tarpits[0]).unwrap();
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
        assert_eq!(names(), 5, "all of them");
        fs::remove_dir_all(kept).unwrap();
    }
}
