//! Certificates for TLS: the owner's, or one of our own making for each name that clients ask for.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    fs,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SerialNumber};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SigningKey},
};
use tarpit_proto::{patterns, time::Wall, transport::Tls};

use crate::{
    clock::Clock,
    config::{Certificate, Tarpit},
};

/// The most names for which each worker keeps certificates; the oldest is made again when it is
/// asked for.
const NAMES: usize = 256;

/// For how long certificates of our own are good, as those are that distributions make at their
/// installation.
const GOOD_FOR: Duration = Duration::from_secs(3_650 * 86_400);

/// The longest name that a certificate's subject has room for (RFC 5280, appendix A.1).
const LONGEST_SUBJECT: usize = 64;

/// The key of this installation, from which its certificates are made.
#[derive(Debug)]
pub(crate) struct Certificates {
    key: KeyPair,
    signer: Arc<dyn SigningKey>,
    /// When it was installed, as its certificates have it.
    made: Wall,
}

impl Certificates {
    /// A new key, as it is kept, and a moment in the last year at which it was made.
    pub(crate) fn fresh(clock: Clock, random: [u8; 32]) -> Result<Vec<u8>, String> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|it| it.to_string())?;
        let days = 20 + u64::from(u16::from_be_bytes([random[0], random[1]])) % 300;
        let made = clock.wall().as_secs().saturating_sub(days * 86_400 + u64::from(random[2]));
        Ok([&made.to_be_bytes()[..], &key.serialize_der()].concat())
    }

    /// The key that was kept.
    pub(crate) fn read(kept: &[u8]) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("it is no key of ours: {error}");
        let (made, der) = kept.split_first_chunk().ok_or_else(|| wrong(&"it is too short"))?;
        let der = PrivatePkcs8KeyDer::from(der.to_vec());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map_err(|error| wrong(&error))?;
        let signer = ring::sign::any_ecdsa_type(&PrivateKeyDer::Pkcs8(der.clone_key()))
            .map_err(|error| wrong(&error))?;
        Ok(Self { key, signer, made: Wall(u64::from_be_bytes(*made)) })
    }

    /// The key itself.
    #[cfg(test)]
    pub(crate) fn key(&self) -> &[u8] {
        self.key.serialized_der()
    }

    /// With what clients of `tarpit` on a machine called `host` speak TLS.
    /// `own` is the owner's certificate, if there is one.
    pub(crate) fn tls(
        self: &Arc<Self>,
        tarpit: &Tarpit,
        own: Option<Arc<CertifiedKey>>,
        host: &str,
    ) -> Result<Tls, String> {
        let resolver: Arc<dyn ResolvesServerCert> = match own {
            Some(own) => Arc::new(Own(own)),
            None => Arc::new(Made { by: Arc::clone(self), host: host.to_lowercase() }),
        };
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be spoken: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        if let Some(inner) = patterns::inside(tarpit.pattern, tarpit.inner) {
            let names = inner.names_in_tls().iter();
            config.alpn_protocols = names.map(|name| name.as_bytes().to_vec()).collect();
        }
        Ok(Tls::new(config))
    }

    /// A certificate for `name`.
    fn make(&self, name: &str) -> Result<CertifiedKey, rcgen::Error> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        if name.len() <= LONGEST_SUBJECT {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let day = |wall: Wall| {
            let date = wall.date();
            let year = i32::try_from(date.year).unwrap_or(9_999);
            rcgen::date_time_ymd(year, date.month, date.day as u8)
        };
        params.not_before = day(self.made);
        params.not_after = day(Wall(self.made.0 + GOOD_FOR.as_secs()));
        let mut serial = [0; 20];
        // If the kernel has no randomness the serial number is a plain one.
        let _ = rustix::rand::getrandom(&mut serial, rustix::rand::GetRandomFlags::empty());
        // Positive, as serial numbers must be (RFC 5280, section 4.1.2.2).
        serial[0] = serial[0] & 0x7F | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let certificate = params.self_signed(&self.key)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], Arc::clone(&self.signer)))
    }
}

/// The owner's certificate, whoever asks.
#[derive(Debug)]
struct Own(Arc<CertifiedKey>);

impl ResolvesServerCert for Own {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Certificates made for the names that are asked for, or else for the machine's own.
#[derive(Debug)]
struct Made {
    by: Arc<Certificates>,
    host: String,
}

impl ResolvesServerCert for Made {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or(&self.host);
        CACHE.with_borrow_mut(|cache| cache.get(&self.by, name))
    }
}

thread_local! {
    /// One for each worker, so that none waits for another.
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// The certificates that were made last.
#[derive(Default)]
struct Cache {
    made: HashMap<String, Arc<CertifiedKey>>,
    order: VecDeque<String>,
}

impl Cache {
    fn get(&mut self, by: &Certificates, name: &str) -> Option<Arc<CertifiedKey>> {
        if let Some(known) = self.made.get(name) {
            return Some(Arc::clone(known));
        }
        let new = Arc::new(by.make(name).ok()?);
        if self.order.len() >= NAMES
            && let Some(oldest) = self.order.pop_front()
        {
            self.made.remove(&oldest);
        }
        self.order.push_back(name.to_owned());
        self.made.insert(name.to_owned(), Arc::clone(&new));
        Some(new)
    }
}

/// Why a certificate cannot be used.
#[derive(Debug)]
pub(crate) struct Unusable {
    /// Of the file that cannot be read, or [`io::ErrorKind::InvalidData`].
    pub(crate) kind: io::ErrorKind,
    /// Which file, why, and what to do.
    pub(crate) what: String,
}

/// The owner's certificate and key; says what is wrong with them.
pub(crate) fn load(own: &Certificate) -> Result<Arc<CertifiedKey>, Unusable> {
    let unusable = |key: &str, path: &Path, error: &dyn std::fmt::Display, advice: &str| {
        let what = format!("{key}: {}: {error}; {advice}", path.display());
        Unusable { kind: io::ErrorKind::InvalidData, what }
    };
    let read = |key: &str, path: &Path| {
        read_bounded(path).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::NotFound => "see whether its name is right",
                io::ErrorKind::PermissionDenied => {
                    "let the user read it who starts tarpitd, and who it becomes"
                }
                _ => "give a file in PEM",
            };
            Unusable { kind: error.kind(), ..unusable(key, path, &error, advice) }
        })
    };
    let (cert, key) = (&own.cert, &own.key);
    let pem = read("cert", cert)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| {
        unusable("cert", cert, &error, "give a certificate in PEM, and those that vouch for it")
    })?;
    if chain.is_empty() {
        return Err(unusable("cert", cert, &"there is no certificate in it", "give one in PEM"));
    }
    let wrong_key = |error: &dyn std::fmt::Display| {
        unusable("key", key, error, "give the certificate's private key in PEM")
    };
    let der = PrivateKeyDer::from_pem_slice(&read("key", key)?).map_err(|it| wrong_key(&it))?;
    let signer = ring::sign::any_supported_type(&der).map_err(|error| wrong_key(&error))?;
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(error) => Err(wrong_key(&error)),
    }
}

/// A file's bytes, of which there may be a mebibyte: a device has more.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    const MOST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates() -> Certificates {
        Certificates::read(&Certificates::fresh(Clock::start(), [7; 32]).unwrap()).unwrap()
    }

    #[test]
    fn a_certificate_is_made_once_for_each_name_and_the_oldest_are_forgotten() {
        let (made, mut cache) = (certificates(), Cache::default());
        let first = cache.get(&made, "a.example").unwrap();
        assert!(Arc::ptr_eq(&first, &cache.get(&made, "a.example").unwrap()));
        for number in 0..NAMES {
            cache.get(&made, &format!("{number}.example")).unwrap();
        }
        assert_eq!((cache.made.len(), cache.order.len()), (NAMES, NAMES));
        let again = cache.get(&made, "a.example").unwrap();
        assert!(!Arc::ptr_eq(&first, &again));
        assert_ne!(first.cert[0], again.cert[0], "serial numbers differ");
    }

    #[test]
    fn names_of_any_length_are_certified() {
        let made = certificates();
        for name in ["a", "a.example", &format!("{0}.{0}.{0}", "a".repeat(63))] {
            assert!(made.make(name).is_ok(), "{name}");
        }
    }
}
